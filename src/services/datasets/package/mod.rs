//! Writes the files of a version from its frozen rows. Every row passes once through every format,
//! a block of rows at a time.
//!
//! The output of a [`Frozen`] version does not depend on the day or the machine: the same version
//! and signing key give the same bytes. [`csv_files`] writes the tables; [`parquet_files`],
//! [`workbook`], [`flow_results`] and [`triple_s`] write the same tables for other tools.
//! [`descriptor`] and [`codebook`] describe the contents, [`report`] describes the fieldwork, and
//! [`manifest`] signs all files.

mod codebook;
pub mod csv_files;
mod descriptor;
mod flow_results;
mod manifest;
pub mod parquet_files;
mod report;
mod triple_s;
mod workbook;

use std::io;
use std::path::Path;

use csv::StringRecord;

use super::DatasetError;
use super::frozen::Frozen;
use super::layout::{Table, layout};
use super::metadata::DatasetMetadata;
use crate::adapters::crypto::Signer;
use crate::adapters::transports::NewFolder;
use crate::domain::language::Language;
use crate::domain::questionnaire::Questionnaire;
use crate::services::context::AppContext;
pub use manifest::{MANIFEST, SIGNATURE, SUMS};

/// A format that receives the rows of the tables one by one.
pub trait TableFormat: Send {
    /// Writes a row if the format includes the table. Tables come in the order of [`Table::ALL`].
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()>;
    /// Finishes its files.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// The input that all formats share.
#[derive(Clone, Copy)]
struct FormatContext<'a> {
    folder: &'a NewFolder,
    metadata: &'a DatasetMetadata,
    questionnaire: &'a Questionnaire,
}

/// Writes the folder of a version to `target`. Returns the hash of its `SHA256SUMS`.
pub async fn write(
    context: &AppContext,
    frozen: &Frozen,
    signer: &Signer,
    target: &Path,
) -> Result<String, DatasetError> {
    let failed =
        |error: io::Error| DatasetError::Write { folder: target.display().to_string(), error };
    let folder = NewFolder::begin(target).map_err(failed)?;
    let (metadata, questionnaire) = (&frozen.metadata, &frozen.questionnaire);
    let format_context = FormatContext { folder: &folder, metadata, questionnaire };
    let mut formats =
        csv_files::all(&folder, questionnaire, &metadata.list_fields).map_err(failed)?;
    for table in [Table::Responses, Table::Cases] {
        let fields = layout(table, questionnaire, &metadata.list_fields);
        let codebook = codebook::codebook(questionnaire).to_string();
        let name = format!("{}.parquet", table.name());
        let file = folder.file(&name).map_err(failed)?;
        formats.push(Box::new(
            parquet_files::ParquetFile::begin(file, table, &fields, &codebook).map_err(failed)?,
        ));
    }
    formats.push(Box::new(workbook::Workbook::begin(format_context).map_err(failed)?));
    formats.push(Box::new(flow_results::FlowResults::begin(format_context).map_err(failed)?));
    formats.push(Box::new(triple_s::TripleS::begin(format_context).map_err(failed)?));
    write_rows(context, frozen, formats).await?.map_err(failed)?;

    let rest = || -> io::Result<String> {
        folder.write("codebook.json", &pretty(&codebook::codebook(questionnaire)))?;
        folder.write("questionnaire.toml", frozen.source.as_bytes())?;
        for language in [Language::Zh, Language::En] {
            folder.write(
                &format!("questionnaire.{}.html", language.tag()),
                report::questionnaire(questionnaire, language)?.as_bytes(),
            )?;
        }
        folder.write("fieldwork-report.html", report::report(metadata)?.as_bytes())?;
        folder.write(
            "datapackage.json",
            &pretty(&descriptor::descriptor(metadata, questionnaire, &folder.written())),
        )?;
        manifest::sign(&folder, metadata, signer)
    };
    let sums = rest().map_err(failed)?;
    folder.commit().map_err(failed)?;
    Ok(sums)
}

/// Sends every frozen row through `formats` and finishes them. The formats run on a separate
/// thread, so that they do not block the daemon.
pub async fn write_rows(
    context: &AppContext,
    frozen: &Frozen,
    mut formats: Vec<Box<dyn TableFormat>>,
) -> Result<io::Result<()>, DatasetError> {
    let broken = |_| {
        DatasetError::Format(
            frozen.dataset.application_code.clone(),
            "the writer of a format broke off".into(),
        )
    };
    for table in Table::ALL {
        for number in 0.. {
            let Some(rows) = frozen.block(context, table, number).await? else { break };
            let written = tokio::task::spawn_blocking(move || {
                for row in &rows {
                    for format in &mut formats {
                        format.row(table, row)?;
                    }
                }
                io::Result::Ok(formats)
            });
            match written.await.map_err(broken)? {
                Ok(again) => formats = again,
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    let finish = move || formats.into_iter().try_for_each(|format| format.finish());
    tokio::task::spawn_blocking(finish).await.map_err(broken)
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
