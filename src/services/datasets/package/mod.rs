//! Writes the files of a version from its frozen rows, each row once through every format, a block of rows at a time.
//!
//! In goes a [`Frozen`] version; out comes a folder in which nothing depends on the day or the machine: the same version and signing key give the same
//! bytes. [`csv_files`] are the tables themselves; [`parquet_files`], [`workbook`], [`flow_results`] and [`triple_s`] the same for other tools;
//! [`descriptor`] and [`codebook`] say what stands in them, [`report`] how the fieldwork went, [`manifest`] signs it all.

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
use super::metadata::About;
use super::frozen::Frozen;
use super::layout::{Table, layout};
use crate::adapters::crypto::Signer;
use crate::domain::language::Language;
use crate::domain::questionnaire::Questionnaire;
use crate::services::context::Installation;
use crate::adapters::transports::NewFolder;
pub use manifest::{MANIFEST, SIGNATURE, SUMS};

/// A format that takes the tables' rows one by one.
pub trait Part: Send {
    /// Takes a row, if the table is one of its own. Tables come one after the other, in the order of [`Table::ALL`].
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()>;
    /// Ends its files.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// What every format is told.
#[derive(Clone, Copy)]
struct Given<'a> {
    folder: &'a NewFolder,
    about: &'a About,
    questionnaire: &'a Questionnaire,
}

/// Writes the whole folder of a version to `target`; returns the hash of its sums.
pub async fn write(installation: &Installation, frozen: &Frozen, signer: &Signer, target: &Path) -> Result<String, DatasetError> {
    let failed = |error: io::Error| DatasetError::Write { folder: target.display().to_string(), error };
    let folder = NewFolder::begin(target).map_err(failed)?;
    let (about, questionnaire) = (&frozen.about, &frozen.questionnaire);
    let given = Given { folder: &folder, about, questionnaire };
    let mut parts = csv_files::all(&folder, questionnaire, &about.list_fields).map_err(failed)?;
    for table in [Table::Responses, Table::Cases] {
        let fields = layout(table, questionnaire, &about.list_fields);
        let codebook = codebook::codebook(questionnaire).to_string();
        let name = format!("{}.parquet", table.name());
        let file = folder.file(&name).map_err(failed)?;
        parts.push(Box::new(parquet_files::ParquetFile::begin(file, table, &fields, &codebook).map_err(failed)?));
    }
    parts.push(Box::new(workbook::Workbook::begin(given).map_err(failed)?));
    parts.push(Box::new(flow_results::FlowResults::begin(given).map_err(failed)?));
    parts.push(Box::new(triple_s::TripleS::begin(given).map_err(failed)?));
    write_rows(installation, frozen, parts).await?.map_err(failed)?;

    let rest = || -> io::Result<String> {
        folder.write("codebook.json", &pretty(&codebook::codebook(questionnaire)))?;
        folder.write("questionnaire.toml", frozen.source.as_bytes())?;
        for language in [Language::Zh, Language::En] {
            folder.write(&format!("questionnaire.{}.html", language.tag()), report::questionnaire(questionnaire, language)?.as_bytes())?;
        }
        folder.write("fieldwork-report.html", report::report(about)?.as_bytes())?;
        folder.write("datapackage.json", &pretty(&descriptor::descriptor(about, questionnaire, &folder.written())))?;
        manifest::sign(&folder, about, signer)
    };
    let sums = rest().map_err(failed)?;
    folder.commit().map_err(failed)?;
    Ok(sums)
}

/// Sends every frozen row through `parts` and ends them. The formats' work is done beside the daemon's own.
pub async fn write_rows(installation: &Installation, frozen: &Frozen, mut parts: Vec<Box<dyn Part>>) -> Result<io::Result<()>, DatasetError> {
    let broken = |_| DatasetError::Format(frozen.dataset.application_code.clone(), "the writer of a format broke off".into());
    for table in Table::ALL {
        for number in 0.. {
            let Some(rows) = frozen.block(installation, table, number).await? else { break };
            let written = tokio::task::spawn_blocking(move || {
                for row in &rows {
                    for part in &mut parts {
                        part.row(table, row)?;
                    }
                }
                io::Result::Ok(parts)
            });
            match written.await.map_err(broken)? {
                Ok(again) => parts = again,
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    let finish = move || parts.into_iter().try_for_each(|part| part.finish());
    tokio::task::spawn_blocking(finish).await.map_err(broken)
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
