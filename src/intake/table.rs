//! From a file to rows of cells, whatever its form.

use std::io::Cursor;

use calamine::{Data, Reader};

use super::text;

/// A file may be so large; a list of a programme has at most some hundreds of rows.
const MAX_BYTES: usize = 32 * 1024 * 1024;
const MAX_ROWS: usize = 200_000;

/// One row with the number under which its program shows it, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow {
    pub number: u32,
    pub cells: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("the file is empty; hand in the list with at least one row")]
    Empty,
    #[error("the file is larger than 32 MB or 200,000 rows; a list has at most some hundreds of rows, so check that it is the right file")]
    TooLarge,
    #[error("the text's encoding is not known; save it as CSV UTF-8 or as XLSX")]
    Encoding,
    #[error("the spreadsheet cannot be opened ({0}); save it as XLSX without a password and without macros")]
    Spreadsheet(String),
    #[error("row {row} cannot be read ({problem}); check the quotation marks")]
    Row { row: u32, problem: &'static str },
    #[error("no column holds telephone numbers; name one 手机 or «mobile» in the header row")]
    NoNumbers,
}

/// Reads CSV, TSV, XLSX, XLS or ODS, told apart by their first bytes. Empty rows are left out, the numbers of the others stay.
pub fn read(bytes: &[u8]) -> Result<Vec<TableRow>, TableError> {
    if bytes.len() > MAX_BYTES {
        return Err(TableError::TooLarge);
    }
    let is_spreadsheet = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]);
    let rows = if is_spreadsheet { read_spreadsheet(bytes)? } else { read_delimited(&text::decode(bytes)?)? };
    let rows: Vec<TableRow> = rows.into_iter().filter(|row| row.cells.iter().any(|cell| !cell.trim().is_empty())).collect();
    match rows.len() {
        0 => Err(TableError::Empty),
        n if n > MAX_ROWS => Err(TableError::TooLarge),
        _ => Ok(rows),
    }
}

/// The first sheet that holds anything.
fn read_spreadsheet(bytes: &[u8]) -> Result<Vec<TableRow>, TableError> {
    let holds = |(_, rows): &(String, Vec<TableRow>)| rows.iter().any(|row| row.cells.iter().any(|cell| !cell.is_empty()));
    sheets(bytes)?.into_iter().find(holds).map(|(_, rows)| rows).ok_or(TableError::Empty)
}

/// The sheets of a spreadsheet by their names, in their order.
pub fn sheets(bytes: &[u8]) -> Result<Vec<(String, Vec<TableRow>)>, TableError> {
    let unreadable = |e: calamine::Error| TableError::Spreadsheet(e.to_string());
    let mut workbook = calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(unreadable)?;
    let mut sheets = Vec::new();
    for name in workbook.sheet_names() {
        let range = workbook.worksheet_range(&name).map_err(unreadable)?;
        let first_row = range.start().map_or(0, |(row, _)| row);
        let rows = range.rows().zip(first_row + 1..).map(|(cells, number)| TableRow { number, cells: cells.iter().map(cell_text).collect() });
        sheets.push((name, rows.collect()));
    }
    Ok(sheets)
}

/// A cell as its user sees it; a whole number without exponent and without a fraction.
fn cell_text(cell: &Data) -> String {
    match cell {
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Data::Empty | Data::Error(_) => String::new(),
        other => other.to_string(),
    }
}

fn read_delimited(text: &str) -> Result<Vec<TableRow>, TableError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter_of(text)).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut number = 0u32;
    for record in reader.records() {
        let record = record.map_err(|_| TableError::Row { row: number + 1, problem: "it is no row of fields" })?;
        // csv passes over empty lines in silence; a spreadsheet shows and counts them.
        let start = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(0));
        let empty_lines = text.as_bytes().iter().skip(start).take_while(|byte| **byte == b'\n').count();
        number += 1 + u32::try_from(empty_lines).unwrap_or(0);
        let line_ends: usize = record.iter().map(|field| field.matches('\n').count()).sum();
        // A quotation mark that is never closed swallows the rest of the file.
        if line_ends > 50 {
            return Err(TableError::Row { row: number, problem: "a quotation mark is opened and not closed" });
        }
        rows.push(TableRow { number, cells: record.iter().map(str::to_owned).collect() });
    }
    Ok(rows)
}

/// The separator that stands most evenly in the first lines.
fn delimiter_of(text: &str) -> u8 {
    let sample: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(20).collect();
    let outside_quotes = |line: &str, delimiter: char| {
        let mut quoted = false;
        line.chars()
            .filter(|&c| {
                quoted ^= c == '"';
                c == delimiter && !quoted
            })
            .count()
    };
    let rating = |delimiter: char| sample.iter().filter(|line| outside_quotes(line, delimiter) > 0).count();
    [',', '\t', ';'].into_iter().max_by_key(|&delimiter| (rating(delimiter), delimiter == '\t')).map_or(b',', |c| c as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u32, Vec<String>)> {
        read(text.as_bytes()).unwrap().into_iter().map(|row| (row.number, row.cells)).collect()
    }

    #[test]
    fn separators_are_found_and_quoted_line_breaks_stay_in_their_row() {
        for separator in [",", ";", "\t"] {
            let text = ["姓名|手机", "\"王\n小明\"|138", "", "李四|\"a|b\""].join("\n").replace('|', separator);
            let read = rows(&text);
            assert_eq!(read.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2, 4], "{separator:?}: the empty row is counted");
            assert_eq!(read[1].1, ["王\n小明", "138"]);
            assert_eq!(read[2].1[1], format!("a{separator}b"));
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert_eq!(read(b""), Err(TableError::Empty));
        assert_eq!(read(b" \n,,\n"), Err(TableError::Empty));
        assert!(matches!(read(b"PK\x03\x04 broken"), Err(TableError::Spreadsheet(_))));
        let unclosed = format!("a,b\n\"x,1\n{}", "y,2\n".repeat(60));
        assert!(matches!(read(unclosed.as_bytes()), Err(TableError::Row { row: 2, .. })));
    }
}
