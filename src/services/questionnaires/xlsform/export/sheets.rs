//! Writes the rows of a form as a workbook.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};

/// A row: cells by header.
pub type Cells = BTreeMap<String, String>;

/// The headers of the standard, in their usual order; those of ours follow.
const ORDER: [&str; 17] = [
    "list_name",
    "type",
    "name",
    "label::中文 (zh)",
    "label::English (en)",
    "hint::中文 (zh)",
    "hint::English (en)",
    "required",
    "relevant",
    "constraint",
    "appearance",
    "parameters",
    "form_title",
    "form_id",
    "version",
    "default_language",
    "style",
];

fn place(header: &str) -> usize {
    ORDER.iter().position(|known| *known == header).unwrap_or(ORDER.len())
}

/// Writes the sheets.
pub fn write(survey: &[Cells], choices: &[Cells], settings: Cells) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    for (name, rows) in [("survey", survey), ("choices", choices), ("settings", &[settings][..])] {
        write_sheet(workbook.add_worksheet().set_name(name)?, rows)?;
    }
    workbook.save_to_buffer()
}

fn write_sheet(sheet: &mut Worksheet, rows: &[Cells]) -> Result<(), XlsxError> {
    let mut headers: Vec<&String> = rows.iter().flat_map(BTreeMap::keys).collect();
    headers.sort_by_key(|header| (place(header), header.as_str()));
    headers.dedup();
    for (column, header) in (0..).zip(&headers) {
        sheet.write_string(0, column, header.as_str())?;
    }
    for (number, row) in (1..).zip(rows) {
        for (column, header) in (0..).zip(&headers) {
            if let Some(cell) = row.get(*header) {
                sheet.write_string(number, column, cell)?;
            }
        }
    }
    Ok(())
}
