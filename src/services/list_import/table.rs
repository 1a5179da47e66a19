//! Reads the rows of a file in any supported format.

use std::io;

use encoding_rs::Encoding;

use super::report::ListNote;
use super::source::ListSource;
use super::text::{Utf8Reader, detect_encoding};
use crate::adapters::spreadsheets::{
    self, ConversionProblem, ForeignFile, LeftOut, Sheet, Sheets, SpreadsheetError, is_spreadsheet,
};

pub use crate::adapters::spreadsheets::Row as TableRow;

/// The row limit of a text file, which is read row by row.
const MAX_TEXT_ROWS: u32 = 10_000_000;
/// Limits of one row of a text file: no spreadsheet has more columns.
const MAX_RECORD_BYTES: usize = 1024 * 1024;
const MAX_RECORD_CELLS: usize = 16_384;
/// The most rows that are held at once by those who read a whole file.
const MAX_HELD_ROWS: usize = 1_000_000;

fn is_empty(row: &TableRow) -> bool {
    row.cells.iter().all(|cell| cell.trim().is_empty())
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "table.", serialize_all = "snake_case")]
pub enum TableError {
    #[error("the file is empty; hand in the list with at least one row")]
    Empty,
    #[error(
        "the file is larger than {0}; save a larger list as CSV, or check that it is the right \
            file"
    )]
    TooLarge(String),
    #[error("the text's encoding is not known; save it as CSV UTF-8 or as XLSX")]
    Encoding,
    #[error(
        "the spreadsheet cannot be opened ({0}); save it as XLSX without a password and without \
            macros"
    )]
    Spreadsheet(String),
    #[error("{}", .0.labels().1)]
    Foreign(ForeignFile),
    #[error("{}", .0.labels().1)]
    NotConverted(ConversionProblem),
    #[error("row {row} cannot be read ({problem}); check the quotation marks")]
    Row { row: u32, problem: &'static str },
    #[error(
        "no column holds telephone numbers; name one 手机 or «mobile» in the header row, or say \
            which one it is"
    )]
    NoNumbers,
    #[error(
        "the only numbers are somebody else's ({column:?}: a salesman, a relative, whoever filled it \
            in); add a column 手机 with the person's own, or say that it is that one \
            (--column mobile=…)"
    )]
    NumbersOfOthers { column: String },
    #[error(
        "the file has no list for {wanted}, only for {known}; import it for an application of one of \
            these categories, or ask for the list for {wanted}"
    )]
    NoListFor { wanted: String, known: String },
    #[error("there is no sheet {wanted:?}; there are: {known}")]
    NoSheet { wanted: String, known: String },
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

impl TableError {
    /// What it is, in Chinese and English.
    pub fn labels(&self) -> (String, String) {
        let zh = match self {
            TableError::Empty => "文件是空的，名单至少要有一行".to_owned(),
            TableError::TooLarge(_) => {
                "文件过大（或解压后过大）；更大的名单请存为 CSV，或检查是否选错文件".to_owned()
            }
            TableError::Encoding => "文字编码无法识别，请另存为 UTF-8 的 CSV 或 XLSX".to_owned(),
            TableError::Spreadsheet(problem) => {
                format!("表格无法打开（{problem}），请另存为不带密码和宏的 XLSX")
            }
            TableError::Foreign(kind) => kind.labels().0.to_owned(),
            TableError::NotConverted(problem) => problem.labels().0,
            TableError::Row { row, .. } => format!("第 {row} 行无法读取，请检查引号"),
            TableError::NoNumbers => "没有电话号码列，请在表头写“手机”，或指明是哪一列".to_owned(),
            TableError::NumbersOfOthers { column } => format!(
                "只有他人的号码（“{column}”：业务员、家属、填表人等）；请加一列“手机”填写本人号码，或指明就用这一列"
            ),
            TableError::NoListFor { wanted, known } => format!(
                "文件中没有{wanted}类的名单，只有{known}类的；请为相应类别的申报导入，或索要{wanted}类的名单"
            ),
            TableError::NoSheet { wanted, known } => {
                format!("没有工作表“{wanted}”；现有：{known}")
            }
            TableError::Unreadable(problem) => format!("无法读取：{problem}"),
        };
        (zh, self.to_string())
    }
}

impl From<SpreadsheetError> for TableError {
    fn from(error: SpreadsheetError) -> TableError {
        match error {
            SpreadsheetError::Unreadable(problem) => TableError::Spreadsheet(problem),
            SpreadsheetError::TooLarge(limit) => TableError::TooLarge(limit),
            SpreadsheetError::Foreign(kind) => TableError::Foreign(kind),
            SpreadsheetError::NotConverted(problem) => TableError::NotConverted(problem),
        }
    }
}

impl From<io::Error> for TableError {
    fn from(error: io::Error) -> TableError {
        if error.kind() == io::ErrorKind::InvalidData {
            TableError::Encoding
        } else {
            TableError::Unreadable(error.to_string())
        }
    }
}

/// Reads a whole CSV, TSV, XLSX, XLS or ODS file, distinguished by its first bytes. Empty rows are
/// left out; the others keep their numbers.
pub fn read(bytes: &[u8]) -> Result<Vec<TableRow>, TableError> {
    let rows = read_up_to(bytes, MAX_HELD_ROWS + 1)?;
    if rows.len() > MAX_HELD_ROWS {
        return Err(TableError::TooLarge("1,000,000 rows".into()));
    }
    Ok(rows)
}

/// As [`read`], but stops after so many rows.
pub fn read_up_to(bytes: &[u8], most: usize) -> Result<Vec<TableRow>, TableError> {
    let rows: Vec<TableRow> =
        TableRows::open(&ListSource::from(bytes))?.take(most).collect::<Result<_, _>>()?;
    if rows.is_empty() { Err(TableError::Empty) } else { Ok(rows) }
}

/// As [`read`], beside the other tasks.
pub async fn read_beside(content: Vec<u8>) -> Result<Vec<TableRow>, TableError> {
    beside(move || read(&content)).await
}

/// Runs the reading of a file where it holds up no other task.
pub(super) async fn beside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, TableError> + Send + 'static,
) -> Result<T, TableError> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|_| Err(TableError::Unreadable("the reading broke off".into())))
}

/// How a file is to be read, where somebody has said so.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Of a text.
    pub encoding: Option<&'static Encoding>,
    /// The name of the sheet, or its number from 1.
    pub sheet: Option<String>,
    pub sheets: Sheets,
}

/// A table of a file, by the name of its sheet or the text before it; a text file has none.
pub struct OpenTable {
    pub name: String,
    pub rows: TableRows,
    /// The rows that its program does not show, or shows as struck through; they are not in `rows`.
    pub left_out: LeftOut,
}

impl LeftOut {
    /// What there is to say about them, each with its first row.
    pub fn notes(&self) -> Vec<(Option<u32>, ListNote)> {
        let rows = |rows: &[u32]| (rows.len(), row_ranges(rows));
        let mut notes = Vec::new();
        if let Some(first) = self.hidden.first() {
            let (count, rows) = rows(&self.hidden);
            notes.push((Some(*first), ListNote::HiddenRows { count, rows }));
        }
        if let Some(first) = self.struck.first() {
            let (count, rows) = rows(&self.struck);
            notes.push((Some(*first), ListNote::StruckRows { count, rows }));
        }
        notes
    }
}

/// Writes the numbers of rows, in order, as `3, 5-7`; of very many, the first.
fn row_ranges(rows: &[u32]) -> String {
    const MOST: usize = 40;
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for row in rows {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *row => *last = *row,
            _ => ranges.push((*row, *row)),
        }
    }
    let text = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let mut texts: Vec<String> = ranges.iter().take(MOST).map(text).collect();
    if ranges.len() > MOST {
        texts.push("…".to_owned());
    }
    texts.join(", ")
}

impl OpenTable {
    /// Whether it is a text, which has an encoding.
    pub fn is_text(&self) -> bool {
        matches!(self.rows, TableRows::Text { .. })
    }
}

/// The rows of a table in order, without the empty ones.
pub enum TableRows {
    Spreadsheet {
        rows: std::vec::IntoIter<TableRow>,
        all: u64,
        read: u64,
    },
    Text {
        reader: Box<csv::Reader<Utf8Reader>>,
        number: u32,
        line: u64,
        bytes: u64,
        between: Between,
    },
}

/// What stands between the cells of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    Byte(u8),
    /// A wide sign, which the reader of CSV does not know.
    Sign(char),
    /// Blanks, as in what was copied from a message.
    Blanks,
}

/// Opens the tables of a file that have rows: one of a text, and those of a spreadsheet, a document or
/// a page that its sender sees.
pub fn open_tables(
    source: &ListSource,
    options: &ReadOptions,
) -> Result<Vec<OpenTable>, TableError> {
    let mut start = [0u8; spreadsheets::START];
    let n = source.open()?.read_prefix(&mut start)?;
    if is_spreadsheet(&start[..n]) {
        let content = source
            .read_up_to(spreadsheets::MAX_BYTES)?
            .ok_or_else(|| TableError::TooLarge("32 MB".into()))?;
        let sheets = spreadsheets::read(&content, options.sheets)?;
        let names: Vec<String> = sheets.iter().map(|sheet| sheet.name.clone()).collect();
        let is_wanted = |(number, sheet): &(usize, Sheet)| match &options.sheet {
            None => !sheet.rows.is_empty() || !sheet.left_out.is_empty(),
            Some(wanted) => sheet.name.trim() == wanted.trim() || *wanted == number.to_string(),
        };
        let open = |(_, sheet): (usize, Sheet)| OpenTable {
            name: sheet.name,
            rows: TableRows::of(sheet.rows),
            left_out: sheet.left_out,
        };
        let tables: Vec<OpenTable> = (1..).zip(sheets).filter(is_wanted).map(open).collect();
        return match (tables.is_empty(), &options.sheet) {
            (false, _) => Ok(tables),
            (true, None) => Err(TableError::Empty),
            (true, Some(wanted)) => {
                Err(TableError::NoSheet { wanted: wanted.clone(), known: names.join(", ") })
            }
        };
    }
    let encoding = match options.encoding {
        Some(encoding) => encoding,
        None => detect_encoding(source)?,
    };
    let mut text = Utf8Reader::new(source, encoding)?;
    let between = detect_delimiter(text.beginning()?);
    let delimiter = match between {
        Between::Byte(byte) => byte,
        // Such a text has no other cells: a sign that stands nowhere.
        Between::Sign(_) | Between::Blanks => 0x1f,
    };
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text);
    let rows = TableRows::Text {
        reader: Box::new(reader),
        number: 0,
        line: 1,
        bytes: source.byte_len()?,
        between,
    };
    Ok(vec![OpenTable { name: String::new(), rows, left_out: LeftOut::default() }])
}

impl TableRows {
    /// Opens the first table that has rows; hidden ones are rows as well.
    pub fn open(source: &ListSource) -> Result<TableRows, TableError> {
        let options =
            ReadOptions { sheets: Sheets::VisibleWithHiddenRows, ..ReadOptions::default() };
        let first = open_tables(source, &options)?.into_iter().next();
        first.map(|table| table.rows).ok_or(TableError::Empty)
    }

    /// Rows that were read already.
    pub fn of(rows: Vec<TableRow>) -> TableRows {
        TableRows::Spreadsheet { all: rows.len() as u64, rows: rows.into_iter(), read: 0 }
    }

    /// Returns the amount read and the total, in a unit of their own.
    pub fn progress(&self) -> (u64, u64) {
        match self {
            TableRows::Spreadsheet { all, read, .. } => (*read, *all),
            TableRows::Text { reader, bytes, .. } => (reader.get_ref().consumed, *bytes),
        }
    }

    fn next_row(&mut self) -> Option<Result<TableRow, TableError>> {
        match self {
            TableRows::Spreadsheet { rows, read, .. } => {
                *read += 1;
                rows.next().map(Ok)
            }
            TableRows::Text { reader, number, line, between, .. } => {
                next_record(reader, number, line, *between).transpose()
            }
        }
    }
}

impl Iterator for TableRows {
    type Item = Result<TableRow, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_row()? {
                Ok(row) if is_empty(&row) => {}
                other => return Some(other),
            }
        }
    }
}

trait ReadPrefix {
    /// Fills the buffer as far as there is data.
    fn read_prefix(self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadPrefix for Box<dyn io::Read + Send> {
    fn read_prefix(mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < buffer.len() {
            match self.read(&mut buffer[n..])? {
                0 => break,
                more => n += more,
            }
        }
        Ok(n)
    }
}

/// Returns the sheets of a spreadsheet with their names, in order.
pub fn sheets(bytes: &[u8]) -> Result<Vec<Sheet>, TableError> {
    Ok(spreadsheets::read(bytes, Sheets::All)?)
}

/// Reads the next record of a text. `number` is the row's number, `line` the reader's line before
/// it.
fn next_record(
    reader: &mut csv::Reader<Utf8Reader>,
    number: &mut u32,
    line: &mut u64,
    between: Between,
) -> Result<Option<TableRow>, TableError> {
    let mut record = csv::StringRecord::new();
    let too_long = TableError::Row { row: *number + 1, problem: "it is longer than any row" };
    reader.get_mut().allowance = MAX_RECORD_BYTES;
    let is_there = reader.read_record(&mut record).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            too_long.clone()
        }
        csv::ErrorKind::Io(error) => TableError::from(error),
        _ => TableError::Row { row: *number + 1, problem: "it is no row of fields" },
    })?;
    if !is_there {
        return Ok(None);
    }
    if record.len() > MAX_RECORD_CELLS {
        return Err(too_long);
    }
    let now = reader.position().line();
    let inside: u64 = record.iter().map(|field| field.matches('\n').count() as u64).sum();
    // csv skips empty lines silently; a spreadsheet shows and counts them.
    let empty_lines = (now - *line).saturating_sub(1 + inside);
    *line = now;
    *number += 1 + u32::try_from(empty_lines).unwrap_or(0);
    // An unclosed quotation mark swallows the rows that follow.
    if inside > 50 || (inside > 0 && record.iter().any(|field| holds_rows(field, between))) {
        return Err(TableError::Row {
            row: *number,
            problem: "a quotation mark is opened and not closed",
        });
    }
    if *number > MAX_TEXT_ROWS {
        return Err(TableError::TooLarge("10,000,000 rows".into()));
    }
    let cells: Vec<String> = match between {
        Between::Byte(_) => record.iter().map(str::to_owned).collect(),
        Between::Sign(sign) => {
            record.iter().flat_map(|f| f.split(sign)).map(str::to_owned).collect()
        }
        Between::Blanks => {
            record.iter().flat_map(str::split_whitespace).map(str::to_owned).collect()
        }
    };
    if cells.len() > MAX_RECORD_CELLS {
        return Err(too_long);
    }
    Ok(Some(TableRow { number: *number, cells }))
}

/// Whether a cell of several lines holds whole rows: a line after the first has what stands between
/// cells, and a number.
fn holds_rows(field: &str, between: Between) -> bool {
    let Between::Byte(delimiter) = between else { return false };
    let is_row = |line: &str| {
        line.contains(char::from(delimiter))
            && line.chars().filter(char::is_ascii_digit).count() >= 7
    };
    field.split('\n').skip(1).any(is_row)
}

/// Detects what stands between the cells: the sign that occurs in most of the first lines.
fn detect_delimiter(text: &str) -> Between {
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
    let rating =
        |delimiter: char| sample.iter().filter(|line| outside_quotes(line, delimiter) > 0).count();
    let best = |signs: &[char]| {
        let most = signs.iter().map(|sign| (rating(*sign), *sign));
        most.filter(|(lines, _)| *lines > 0).max_by_key(|(lines, sign)| (*lines, *sign == '\t'))
    };
    let byte = best(&[',', '\t', ';', '|']);
    let wide = best(&['，', '；', '｜', '、']);
    // Wide signs stand between the numbers of a cell as well: only where nothing else divides.
    match (byte, wide) {
        (Some((_, sign)), _) => Between::Byte(u8::try_from(sign).unwrap_or(b',')),
        (None, Some((lines, sign))) if lines * 2 > sample.len() => Between::Sign(sign),
        _ => {
            let is_divided = |line: &&&str| {
                line.split_whitespace().count() > 1
                    && line.chars().filter(char::is_ascii_digit).count() >= 7
            };
            let divided = sample.iter().filter(is_divided).count();
            if divided * 2 > sample.len() { Between::Blanks } else { Between::Byte(b',') }
        }
    }
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
            let text = ["姓名|手机", "\"王\n小明\"|138", "", "李四|\"a|b\""]
                .join("\n")
                .replace('|', separator);
            let read = rows(&text);
            assert_eq!(
                read.iter().map(|(n, _)| *n).collect::<Vec<_>>(),
                [1, 2, 4],
                "{separator:?}: the empty row is counted"
            );
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
        for endless in [",".repeat(20_000), "x".repeat(3 * 1024 * 1024)] {
            let text = format!("姓名,手机\n{endless}\n");
            assert!(matches!(read(text.as_bytes()), Err(TableError::Row { row: 2, .. })));
        }
        assert_eq!(read_up_to("a\n".repeat(100).as_bytes(), 7).unwrap().len(), 7);
    }
}
