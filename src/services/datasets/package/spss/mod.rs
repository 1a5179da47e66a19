//! `responses.sav` and `cases.sav`: SPSS system files, with labels, missing values and measures.
//!
//! The file begins with the width of every text and the number of cases, which are known only after
//! the last row. So the rows are measured first, and written when the CSV file of the same table is
//! finished and read again, in constant memory.
//!
//! A missing number, day or code is a number below every answer, declared as missing and labelled
//! with the reason. A missing text is empty, and a variable `NAME_missing` beside it holds that
//! number. No weight is set: `w_raked` is a variable like others.

mod names;
mod system_file;
mod variables;

use std::fs;
use std::io;
use std::path::PathBuf;

use csv::StringRecord;

use super::wording::{Wording, both};
use super::{FormatContext, TableFormat};
use crate::adapters::transports::NewFile;
use crate::services::datasets::layout::{Table, WEIGHT, layout};
use crate::services::datasets::missing::MissingCodes;
use system_file::{Dictionary, LONGEST_TEXT, SystemFile, VariableKind};
use variables::{Value, Variables};

/// A file of the format. It must be finished after the CSV file of its table.
pub struct SavFile {
    table: Table,
    out: NewFile,
    /// The finished CSV file of the table.
    csv: PathBuf,
    codes: MissingCodes,
    variables: Variables,
    label: String,
    created: chrono::NaiveDateTime,
    documents: Vec<String>,
    rows: u64,
    cut_texts: u64,
}

/// The name of the file of a table.
pub(super) fn file_name(table: Table) -> String {
    format!("{}.sav", table.name())
}

impl SavFile {
    pub(super) fn begin(format_context: FormatContext<'_>, table: Table) -> io::Result<SavFile> {
        let FormatContext { folder, metadata, questionnaire } = format_context;
        let fields = layout(table, questionnaire, metadata);
        let codes = metadata.missing_codes();
        let variables = Variables::of(&fields, &Wording::of(format_context), codes);
        let frozen = chrono::DateTime::parse_from_rfc3339(&metadata.frozen_at);
        let mut documents = vec![
            format!("{} {}", metadata.application, metadata.subject),
            format!("{} {}, {}", metadata.kind, metadata.version, metadata.frozen_at),
            both(&questionnaire.title),
        ];
        if metadata.has_weights() {
            documents.push(format!("加权请用 To weight: WEIGHT BY {WEIGHT}. (responses)"));
        }
        let renamed = variables.renamed.iter();
        documents.extend(renamed.map(|(column, name)| format!("{name} = {column} (CSV)")));
        Ok(SavFile {
            table,
            out: folder.file(&file_name(table))?,
            csv: folder.path_of(&format!("{}.csv", table.name())),
            codes,
            variables,
            label: metadata.subject.clone(),
            created: frozen.map(|at| at.naive_local()).unwrap_or_default(),
            documents,
            rows: 0,
            cut_texts: 0,
        })
    }

    fn write(self) -> io::Result<()> {
        let SavFile { out, csv, codes, variables, label, created, mut documents, .. } = self;
        if self.cut_texts > 0 {
            documents.push(format!(
                "{} 个文本超过 {LONGEST_TEXT} 字节，此处截断（以“…”结尾），CSV 与 Parquet 中完整 \
                 texts of more than {LONGEST_TEXT} bytes are cut (they end with «…»), whole in CSV and Parquet",
                self.cut_texts
            ));
        }
        let dictionary = Dictionary {
            label: &label,
            created,
            cases: self.rows,
            variables: &variables.variables,
            sets: &variables.sets,
            documents: &documents,
        };
        let mut file = SystemFile::begin(out, &dictionary)?;
        let mut rows = csv::Reader::from_reader(fs::File::open(csv)?);
        let mut row = StringRecord::new();
        while rows.read_record(&mut row)? {
            for (source, variable) in variables.sources.iter().zip(&variables.variables) {
                let cell = row.get(source.at).unwrap_or_default();
                match (source.value(cell, codes), &variable.kind) {
                    (Some(Value::Text(text)), VariableKind::Text { width, .. }) => {
                        file.text(text, *width)?;
                    }
                    (Some(Value::Number(number)), VariableKind::Number { .. }) => {
                        file.number(number)?;
                    }
                    _ => {
                        let wrong = format!("{}: a value is not of its type", variable.name);
                        return Err(io::Error::other(wrong));
                    }
                }
            }
        }
        file.finish()?.finish().map(|_| ())
    }
}

impl TableFormat for SavFile {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        if table == self.table {
            self.rows += 1;
            self.cut_texts += self.variables.widen(row, self.codes);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.write()
    }
}
