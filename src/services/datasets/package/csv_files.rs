//! `responses.csv`, `cases.csv`, `paradata.csv`: UTF-8, RFC 4180, one header row.

use std::io;

use csv::StringRecord;

use super::TableFormat;
use crate::adapters::transports::{NewFile, NewFolder};
use crate::domain::questionnaire::Questionnaire;
use crate::services::datasets::layout::{Table, layout};

pub struct CsvFile {
    table: Table,
    out: csv::Writer<NewFile>,
}

impl CsvFile {
    pub fn begin<'n>(
        file: NewFile,
        table: Table,
        names: impl Iterator<Item = &'n str>,
    ) -> io::Result<CsvFile> {
        let mut out = csv::Writer::from_writer(file);
        out.write_record(names)?;
        Ok(CsvFile { table, out })
    }
}

/// Creates one writer per table.
pub(super) fn all(
    folder: &NewFolder,
    questionnaire: &Questionnaire,
    list_fields: &[String],
) -> io::Result<Vec<Box<dyn TableFormat>>> {
    let mut formats: Vec<Box<dyn TableFormat>> = Vec::new();
    for table in Table::ALL {
        let fields = layout(table, questionnaire, list_fields);
        let file = folder.file(&format!("{}.csv", table.name()))?;
        formats.push(Box::new(CsvFile::begin(
            file,
            table,
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
