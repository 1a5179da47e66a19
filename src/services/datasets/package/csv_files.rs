//! `responses.csv`, `cases.csv`, `paradata.csv`: UTF-8, RFC 4180, one header row. By default with a
//! byte order mark.

use std::io::{self, Write};

use csv::StringRecord;

use super::TableFormat;
use crate::adapters::transports::{BYTE_ORDER_MARK, NewFile, NewFolder};
use crate::domain::questionnaire::Questionnaire;
use crate::services::datasets::layout::{Table, layout};
use crate::services::datasets::metadata::DatasetMetadata;

/// Begins a CSV file, with the mark if the version has it.
pub(super) fn writer(mut file: NewFile, has_mark: bool) -> io::Result<csv::Writer<NewFile>> {
    if has_mark {
        file.write_all(BYTE_ORDER_MARK.as_bytes())?;
    }
    Ok(csv::Writer::from_writer(file))
}

pub struct CsvFile {
    table: Table,
    out: csv::Writer<NewFile>,
}

impl CsvFile {
    pub fn begin<'n>(
        file: NewFile,
        table: Table,
        has_mark: bool,
        names: impl Iterator<Item = &'n str>,
    ) -> io::Result<CsvFile> {
        let mut out = writer(file, has_mark)?;
        out.write_record(names)?;
        Ok(CsvFile { table, out })
    }
}

/// Creates one writer per table.
pub(super) fn all(
    folder: &NewFolder,
    questionnaire: &Questionnaire,
    metadata: &DatasetMetadata,
) -> io::Result<Vec<Box<dyn TableFormat>>> {
    let mut formats: Vec<Box<dyn TableFormat>> = Vec::new();
    for &table in Table::of_rules(metadata.rules_version) {
        let fields = layout(table, questionnaire, metadata);
        let file = folder.file(&format!("{}.csv", table.name()))?;
        formats.push(Box::new(CsvFile::begin(
            file,
            table,
            metadata.csv_byte_order_mark,
            fields.iter().map(|field| field.name.as_str()),
        )?));
    }
    Ok(formats)
}

impl TableFormat for CsvFile {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        if table == self.table {
            self.out.write_byte_record(row.as_byte_record())?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.into_inner().map_err(|e| io::Error::other(e.to_string()))?.finish().map(|_| ())
    }
}
