//! Writes the files of a version from its frozen rows. Every row passes once through every format,
//! a block of rows at a time.
//!
//! The output of a [`Frozen`] version does not depend on the day or the machine: the same version
//! and signing key give the same bytes. [`csv_files`] writes the tables; [`parquet_files`],
//! [`spss`], [`workbook`], [`flow_results`] and [`triple_s`] write the same tables for other tools.
//! [`descriptor`], [`codebook`] and [`ddi`] describe the contents, [`report`] describes the fieldwork, and
//! [`manifest`] signs all files.

mod codebook;
pub mod csv_files;
mod ddi;
mod descriptor;
mod fieldwork_report;
mod flow_results;
mod list_tally;
mod manifest;
pub mod parquet_files;
mod precision_report;
mod report;
mod spss;
mod triple_s;
mod wording;
mod workbook;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use csv::StringRecord;

use super::DatasetError;
use super::frozen::Frozen;
use super::layout::{Table, layout};
use super::metadata::DatasetMetadata;
use crate::adapters::crypto::Signer;
use crate::adapters::transports::NewFolder;
use crate::domain::questionnaire::Questionnaire;
use crate::services::context::AppContext;
pub use manifest::{MANIFEST, SIGNATURE, SUMS};

/// A format that receives the rows of the tables one by one.
pub trait TableFormat: Send {
    /// Writes a row if the format includes the table. Tables come in the order of [`Table::ALL`],
    /// except that the answers of a block of responses come before it.
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

/// A format of a version, with the files that it writes. One that is not required and fails is left
/// out, with its files; the others are written.
pub struct NamedFormat {
    files: Vec<String>,
    is_required: bool,
    format: Option<Box<dyn TableFormat>>,
    problem: Option<String>,
}

impl NamedFormat {
    /// A format without which there is no version.
    pub fn required(format: Box<dyn TableFormat>) -> NamedFormat {
        NamedFormat { files: Vec::new(), is_required: true, format: Some(format), problem: None }
    }

    fn optional(files: &[&str], format: io::Result<Box<dyn TableFormat>>) -> NamedFormat {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        let (format, problem) = match format {
            Ok(format) => (Some(format), None),
            Err(error) => (None, Some(error.to_string())),
        };
        NamedFormat { files, is_required: false, format, problem }
    }

    /// Runs a step of the format, whose library may panic.
    fn run(
        &mut self,
        step: impl FnOnce(Box<dyn TableFormat>) -> io::Result<Option<Box<dyn TableFormat>>>,
    ) -> io::Result<()> {
        let Some(format) = self.format.take() else { return Ok(()) };
        let result = catch_unwind(AssertUnwindSafe(|| step(format)))
            .unwrap_or_else(|_| Err(io::Error::other("the writer of the format broke off")));
        match result {
            Ok(again) => self.format = again,
            Err(error) if self.is_required => return Err(error),
            Err(error) => self.problem = Some(error.to_string()),
        }
        Ok(())
    }
}

/// The files of a format that failed, and why.
pub struct LeftOut {
    files: Vec<String>,
    problem: String,
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
    let csv = csv_files::all(&folder, questionnaire, metadata).map_err(failed)?;
    let mut formats: Vec<NamedFormat> = csv.into_iter().map(NamedFormat::required).collect();
    for table in [Table::Responses, Table::Cases] {
        let name = format!("{}.parquet", table.name());
        formats.push(NamedFormat::optional(&[&name], parquet(format_context, table, &name)));
    }
    if metadata.has_spss_and_ddi() {
        for table in [Table::Responses, Table::Cases] {
            let sav = spss::SavFile::begin(format_context, table);
            formats.push(NamedFormat::optional(&[&spss::file_name(table)], boxed(sav)));
        }
    }
    let workbook = workbook::Workbook::begin(format_context);
    formats.push(NamedFormat::optional(&["dataset.xlsx"], boxed(workbook)));
    let results = flow_results::FlowResults::begin(format_context);
    formats.push(NamedFormat::optional(&flow_results::FILES, boxed(results)));
    let triple_s = triple_s::TripleS::begin(format_context);
    formats.push(NamedFormat::optional(&triple_s::FILES, boxed(triple_s)));
    let counts = list_tally::ListCounts::default();
    if metadata.has_weights() {
        let tally = list_tally::ListTally::begin(format_context, &counts);
        formats.push(NamedFormat::optional(&[], boxed(Ok(tally))));
    }
    let left_out = write_rows(context, frozen, formats).await?.map_err(failed)?;

    let rest = || -> io::Result<String> {
        leave_out(&folder, &left_out)?;
        folder.write("codebook.json", &pretty(&codebook::codebook(questionnaire, metadata)))?;
        if metadata.has_spss_and_ddi() {
            folder.write(ddi::FILE, ddi::codebook(format_context).as_bytes())?;
        }
        folder.write("questionnaire.toml", frozen.source.as_bytes())?;
        for &language in &questionnaire.languages {
            folder.write(
                &format!("questionnaire.{}.html", language.tag()),
                report::questionnaire(questionnaire, language)?.as_bytes(),
            )?;
        }
        folder.write(
            "fieldwork-report.html",
            report::report(metadata, questionnaire, &counts.variables())?.as_bytes(),
        )?;
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

fn boxed<F: TableFormat + 'static>(format: io::Result<F>) -> io::Result<Box<dyn TableFormat>> {
    format.map(|format| Box::new(format) as Box<dyn TableFormat>)
}

fn parquet(
    format_context: FormatContext<'_>,
    table: Table,
    name: &str,
) -> io::Result<Box<dyn TableFormat>> {
    let FormatContext { folder, metadata, questionnaire } = format_context;
    let fields = layout(table, questionnaire, metadata);
    let missing = metadata.missing_codes();
    let codebook = codebook::codebook(questionnaire, metadata).to_string();
    let file = folder.file(name)?;
    boxed(parquet_files::ParquetFile::begin(file, table, &fields, missing, &codebook))
}

/// Removes the files of formats that failed, and says so in a file.
fn leave_out(folder: &NewFolder, left_out: &[LeftOut]) -> io::Result<()> {
    let mut note = String::new();
    for LeftOut { files, problem } in left_out {
        let files_text = files.join(", ");
        tracing::error!(files = files_text, problem, "a format of a dataset is left out");
        note += &format!("{files_text}: {problem}\n");
        for file in files {
            folder.remove(file)?;
        }
    }
    if !note.is_empty() {
        folder.write("left-out.txt", note.as_bytes())?;
    }
    Ok(())
}

/// Sends every frozen row through `formats` and finishes them. Returns those that failed and are not
/// required. The formats run on a separate thread, so that they do not block the daemon.
pub async fn write_rows(
    context: &AppContext,
    frozen: &Frozen,
    mut formats: Vec<NamedFormat>,
) -> Result<io::Result<Vec<LeftOut>>, DatasetError> {
    let broken = |_| {
        DatasetError::Format(
            frozen.dataset.application_code.clone(),
            "the writer of a format broke off".into(),
        )
    };
    for table in [Table::Responses, Table::Cases, Table::Paradata] {
        for number in 0.. {
            let Some(rows) = frozen.block(context, table, number).await? else { break };
            let answers = match table {
                Table::Responses => frozen.block(context, Table::Answers, number).await?,
                _ => None,
            };
            let blocks = [(Table::Answers, answers.unwrap_or_default()), (table, rows)];
            let written = tokio::task::spawn_blocking(move || {
                for named in &mut formats {
                    named.run(|mut format| {
                        for (table, rows) in &blocks {
                            rows.iter().try_for_each(|row| format.row(*table, row))?;
                        }
                        Ok(Some(format))
                    })?;
                }
                io::Result::Ok(formats)
            });
            match written.await.map_err(broken)? {
                Ok(again) => formats = again,
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    let finish = move || {
        let mut left_out = Vec::new();
        for mut named in formats {
            named.run(|format| format.finish().map(|()| None))?;
            if let Some(problem) = named.problem {
                left_out.push(LeftOut { files: named.files, problem });
            }
        }
        Ok(left_out)
    };
    tokio::task::spawn_blocking(finish).await.map_err(broken)
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(&'static str);

    impl TableFormat for Failing {
        fn row(&mut self, _: Table, _: &StringRecord) -> io::Result<()> {
            match self.0 {
                "panics" => panic!("it broke off"),
                "fails" => Err(io::Error::other("the cell is too long")),
                _ => Ok(()),
            }
        }

        fn finish(self: Box<Self>) -> io::Result<()> {
            if self.0 == "ends badly" { Err(io::Error::other("no room")) } else { Ok(()) }
        }
    }

    #[test]
    fn a_format_that_fails_is_left_out_and_one_that_is_required_is_not() {
        let row = StringRecord::new();
        let problem_of = |what: &'static str| {
            let mut named = NamedFormat::optional(&["x"], boxed(Ok(Failing(what))));
            named
                .run(|mut format| format.row(Table::Cases, &row).map(|()| Some(format)))
                .and_then(|()| named.run(|format| format.finish().map(|()| None)))
                .unwrap();
            named.problem
        };
        assert_eq!(problem_of("works"), None);
        assert_eq!(problem_of("fails").as_deref(), Some("the cell is too long"));
        assert_eq!(problem_of("panics").as_deref(), Some("the writer of the format broke off"));
        assert_eq!(problem_of("ends badly").as_deref(), Some("no room"));
        let begun = NamedFormat::optional(&["x"], Err(io::Error::other("no disk")));
        assert_eq!(begun.problem.as_deref(), Some("no disk"));
        let mut required = NamedFormat::required(Box::new(Failing("fails")));
        let result =
            required.run(|mut format| format.row(Table::Cases, &row).map(|()| Some(format)));
        assert!(result.is_err());
    }
}
