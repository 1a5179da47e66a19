//! Reads tables from outside within fixed limits: spreadsheets (XLSX, XLS, XLSB, ODS, XML of 2003),
//! Word documents and web pages.
//!
//! Cells are read one by one and only filled ones are kept: a file of a kilobyte may have its two
//! cells at opposite corners of the sheet, or one row that is repeated a million times. The program
//! reads each file in its own process with limited memory and time ([`in_child_process`]), so that
//! a file that exceeds the limits ends that process and nothing else.

mod child_process;
mod merged;
mod numbering;
mod ods;
mod office;
mod pdf_page;
mod web_page;
mod word;
mod xlsx_rows;
mod xml_workbook;

use std::collections::{HashMap, HashSet};
use std::io::{self, Cursor, Read};

use calamine::{Data, DataRef, Reader, SheetVisible, Xls, Xlsb, Xlsx};
use serde::{Deserialize, Serialize};

pub use child_process::{in_child_process, serve_parent};
pub use office::{
    ConversionProblem, Converter, OfficeProgram, Source, convert_with, office_in_use,
    serve_conversion, sweep_leftovers,
};

/// Size limit of a file; it is loaded as a whole.
pub const MAX_BYTES: u64 = 32 * 1024 * 1024;
const MAX_UNPACKED: u64 = 256 * 1024 * 1024;
/// Sheets of a workbook, or tables of a document.
const MAX_SHEETS: usize = 1_000;
/// Limits over all sheets that are read: filled rows, filled cells, and cells including the empty
/// ones to the left of a filled one.
const MAX_ROWS: usize = 200_000;
const MAX_FILLED: usize = 6_000_000;
const MAX_CELLS: usize = 12_000_000;
/// Limit of the text of all cells, in bytes; a text that many cells share counts for each.
const MAX_TEXT: usize = 128 * 1024 * 1024;

/// A row with its number as its program shows it, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub number: u32,
    pub cells: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    pub name: String,
    /// The rows that have a filled cell, in order.
    pub rows: Vec<Row>,
    /// The rows with numbers that are not among them.
    #[serde(default)]
    pub left_out: LeftOut,
}

/// The numbers of rows that hold what may be a telephone number and are not read, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Hidden or filtered out.
    pub hidden: Vec<u32>,
    /// Struck through: the number, or all that stands there.
    pub struck: Vec<u32>,
}

impl LeftOut {
    pub fn is_empty(&self) -> bool {
        self.hidden.is_empty() && self.struck.is_empty()
    }
}

/// Which sheets of a workbook are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sheets {
    /// Those that the sender sees, with the rows that the sender sees and has not struck through.
    #[default]
    Visible,
    /// Those that the sender sees, with all their rows.
    VisibleWithHiddenRows,
    /// All, with all their rows.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpreadsheetError {
    /// It is damaged, protected by a password, or something else.
    Unreadable(String),
    /// It exceeds a limit, which is named.
    TooLarge(String),
    /// It is something else.
    Foreign(ForeignFile),
    /// The office program was to make it readable, and did not.
    NotConverted(ConversionProblem),
}

impl SpreadsheetError {
    fn unreadable(error: impl std::fmt::Display) -> SpreadsheetError {
        SpreadsheetError::Unreadable(error.to_string())
    }
}

pub type Result<T> = std::result::Result<T, SpreadsheetError>;

/// The bytes that [`is_spreadsheet`] looks at.
pub const START: usize = 512;

/// Returns whether a file holds tables of its own and is no plain text, by its first bytes.
pub fn is_spreadsheet(start: &[u8]) -> bool {
    is_zip(start) || start.starts_with(OLE) || is_markup(start) || foreign_kind(start).is_some()
}

/// The beginning of files of Office before 2007.
const OLE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0];

/// Whether a text begins as a web page or XML does.
fn is_markup(start: &[u8]) -> bool {
    let (encoding, _) = encoding_rs::Encoding::for_bom(start).unwrap_or((encoding_rs::UTF_8, 0));
    let text = encoding.decode(start).0;
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('<')
}

fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

/// A kind of file that holds no table that can be read. An office program makes some of them
/// readable ([`Converter`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForeignFile {
    Pdf,
    /// A PDF that shows pictures of its pages.
    ScannedPdf,
    /// A PDF whose tables have come apart into words.
    TornPdf,
    Picture,
    RichText,
    /// A document of Word before 2007, or of WPS.
    OldDocument,
    WebArchive,
    Archive,
    /// An e-mail with its attachments.
    Mail,
}

impl ForeignFile {
    /// Returns what it is and what to do, in Chinese and in English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            ForeignFile::Pdf => (
                "这是 PDF，请索要制作它的 Word 或表格原文件；服务器安装 libreoffice-writer 和 libreoffice-draw 后可读取其中的文字",
                "it is a PDF; ask for the file it was made from, or install libreoffice-writer and \
                    libreoffice-draw on the server, which then reads its text",
            ),
            ForeignFile::ScannedPdf => (
                "这是扫描的 PDF，没有文字，请索要盖章前的 Word 文件，或手工录入",
                "it is a scanned PDF without text; ask for the Word file before it was sealed, or \
                    type it in",
            ),
            ForeignFile::TornPdf => (
                "这是 PDF，其中的表格没有框线或已散开，读不出申请书和名单，请索要制作它的 Word 文件，或手工录入",
                "it is a PDF whose tables have no lines or have come apart, so that no form and no \
                    list can be read; ask for the Word file it was made from, or type it in",
            ),
            ForeignFile::Picture => (
                "这是图片，请索要盖章前的 Word 文件，或手工录入",
                "it is a picture; ask for the Word file before it was sealed, or type it in",
            ),
            ForeignFile::RichText => (
                "这是 RTF 文档，请另存为 .docx，或在服务器上安装 libreoffice-writer",
                "it is rich text; save it as .docx, or install libreoffice-writer on the server",
            ),
            ForeignFile::OldDocument => (
                "这是旧版 Word 或 WPS 文档，请另存为 .docx，或在服务器上安装 libreoffice-writer",
                "it is a document of an old Word or WPS; save it as .docx, or install \
                    libreoffice-writer on the server",
            ),
            ForeignFile::WebArchive => (
                "这是网页存档，请用电子表格程序打开后另存为 XLSX",
                "it is a web archive; open it in a spreadsheet program and save it as XLSX",
            ),
            ForeignFile::Archive => (
                "这是压缩包，无法在此解压（格式、密码或已损坏），请解压后逐个提交其中的文件",
                "it is an archive that cannot be unpacked here (its format, a password or damage); \
                    unpack it and hand in its files",
            ),
            ForeignFile::Mail => (
                "这是电子邮件，请先把附件另存出来，再提交附件",
                "it is an e-mail; save its attachments and hand these in",
            ),
        }
    }

    /// As [`ForeignFile::labels`], for the one whose file it is: nobody else is to be asked for it.
    pub fn labels_for_sender(self) -> (&'static str, &'static str) {
        match self {
            ForeignFile::Pdf | ForeignFile::TornPdf => (
                "这是 PDF，请上传制作它的 Word 或表格原文件",
                "it is a PDF; upload the Word file or spreadsheet that it was made from",
            ),
            ForeignFile::ScannedPdf => (
                "这是扫描的 PDF，没有文字，请上传盖章前的 Word 或表格文件",
                "it is a scanned PDF without text; upload the Word file or spreadsheet as it was \
                    before it was sealed",
            ),
            ForeignFile::Picture => (
                "这是图片，请上传盖章前的 Word 或表格文件",
                "it is a picture; upload the Word file or spreadsheet as it was before it was sealed",
            ),
            ForeignFile::RichText => {
                ("这是 RTF 文档，请另存为 .docx 后上传", "it is rich text; save it as .docx")
            }
            ForeignFile::OldDocument => (
                "这是旧版 Word 或 WPS 文档，请另存为 .docx 后上传",
                "it is a document of an old Word or WPS; save it as .docx",
            ),
            other => other.labels(),
        }
    }
}

/// Recognises a file that holds no table that can be read, by its first bytes.
fn foreign_kind(start: &[u8]) -> Option<ForeignFile> {
    let kinds: [(&[u8], ForeignFile); 11] = [
        (b"%PDF", ForeignFile::Pdf),
        (b"{\\rtf", ForeignFile::RichText),
        (b"\x89PNG", ForeignFile::Picture),
        (b"\xff\xd8\xff", ForeignFile::Picture),
        (b"GIF8", ForeignFile::Picture),
        (b"II*\0", ForeignFile::Picture),
        (b"MM\0*", ForeignFile::Picture),
        (b"BM", ForeignFile::Picture),
        (b"MIME-Version:", ForeignFile::WebArchive),
        (b"Rar!", ForeignFile::Archive),
        (b"7z\xbc\xaf", ForeignFile::Archive),
    ];
    // HEIF, as telephones take pictures, and WebP.
    let is_at = |place: usize, words: &[&[u8]]| {
        start.get(place..place + 4).is_some_and(|found| words.contains(&found))
    };
    if is_at(4, &[b"ftyp"]) && is_at(8, &[b"heic", b"heix", b"mif1", b"msf1", b"avif"])
        || is_at(0, &[b"RIFF"]) && is_at(8, &[b"WEBP"])
    {
        return Some(ForeignFile::Picture);
    }
    if is_mail(start) {
        return Some(ForeignFile::Mail);
    }
    let found = kinds.iter().find(|(magic, _)| start.starts_with(magic))?.1;
    // A text may begin with these two letters.
    let is_bitmap = !start.starts_with(b"BM") || start.get(6..10) == Some(&[0; 4]);
    is_bitmap.then_some(found)
}

/// Whether a text begins with the header of an e-mail (RFC 5322). A saved web page begins so as well,
/// and says that it is one.
fn is_mail(start: &[u8]) -> bool {
    const FIELDS: [&str; 10] = [
        "return-path:",
        "received:",
        "delivered-to:",
        "from:",
        "to:",
        "cc:",
        "subject:",
        "date:",
        "message-id:",
        "reply-to:",
    ];
    let text = String::from_utf8_lossy(start).to_lowercase();
    let text = text.trim_start_matches('\u{feff}');
    let is_page = ["multipart/related", "snapshot-content-location", "<saved by"]
        .iter()
        .any(|sign| text.contains(sign));
    // The first line is a field with a name of letters and hyphens.
    let is_field = text.split_once(':').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    });
    let named = FIELDS.iter().filter(|field| {
        text.lines().take_while(|line| !line.is_empty()).any(|line| line.starts_with(**field))
    });
    is_field && !is_page && named.count() > 1
}

/// Reads sheets of a workbook, in a process of its own if the program does so. What only an office
/// program reads is converted first, if there is one.
pub fn read(bytes: &[u8], which: Sheets) -> Result<Vec<Sheet>> {
    read_or_convert(bytes, which, office::in_use().as_ref())
}

/// As [`read`], with this converter or none.
pub fn read_or_convert(
    bytes: &[u8],
    which: Sheets,
    converter: Option<&Converter>,
) -> Result<Vec<Sheet>> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SpreadsheetError::TooLarge("32 MB".into()));
    }
    let read =
        |bytes: &[u8]| child_process::read(bytes, which).unwrap_or_else(|| read_here(bytes, which));
    let Some(converter) = converter else { return read(bytes) };
    if office::is_open_text(bytes) {
        return read(&converter.convert(bytes, office::Source::OpenText)?);
    }
    match read(bytes) {
        Err(SpreadsheetError::Foreign(kind)) => match office::Source::of(kind) {
            Some(source) => read(&converter.convert(bytes, source)?),
            None => Err(SpreadsheetError::Foreign(kind)),
        },
        // A workbook or a document of another old program; what ended its reader is no such thing.
        Err(SpreadsheetError::Unreadable(problem))
            if problem != child_process::DIED && office::is_other_old(bytes) =>
        {
            let converted = converter.convert(bytes, office::Source::of_other_old(bytes));
            read(&converted.map_err(|_| SpreadsheetError::Unreadable(problem))?)
        }
        other => other,
    }
}

fn read_here(bytes: &[u8], which: Sheets) -> Result<Vec<Sheet>> {
    check_unpacked_size(bytes)?;
    let mut budget = Budget::default();
    let mut sheets = Vec::new();
    let mut add = |name: String, rows: SparseRows| -> Result<bool> {
        let mut rows = rows;
        let left_out = match which {
            Sheets::Visible => rows.leave_out(),
            Sheets::VisibleWithHiddenRows | Sheets::All => LeftOut::default(),
        };
        sheets.push(Sheet { name, rows: budget.finish(rows)?, left_out });
        if sheets.len() > MAX_SHEETS {
            return Err(SpreadsheetError::TooLarge("1,000 sheets or tables".into()));
        }
        Ok(false)
    };
    let start = &bytes[..bytes.len().min(START)];
    let old_document = || holds_stream(bytes, "WordDocument").then_some(ForeignFile::OldDocument);
    // A message that Outlook saves.
    let message = || holds_stream(bytes, "__properties_version1.0").then_some(ForeignFile::Mail);
    let other_archive = || is_other_archive(bytes).then_some(ForeignFile::Archive);
    let kind = foreign_kind(start).or_else(message).or_else(old_document).or_else(other_archive);
    if let Some(kind) = kind {
        return Err(SpreadsheetError::Foreign(kind));
    }
    if is_markup(start) {
        let text = web_page::decode(bytes);
        if pdf_page::is_drawing(&text) {
            pdf_page::for_each_table(&text, &mut add)?;
        } else if text.contains(xml_workbook::NAMESPACE) && text.contains("<Worksheet")
            || text.contains("<ss:Worksheet")
        {
            xml_workbook::for_each_sheet(&text, &mut add)?;
        } else {
            web_page::for_each_table(&text, &mut add)?;
        }
        return Ok(sheets);
    }
    let is_ods = is_zip(bytes) && part_names(bytes)?.iter().any(|name| name == "content.xml");
    if is_zip(bytes) && part_names(bytes)?.iter().any(|name| name == word::DOCUMENT) {
        word::for_each_table(bytes, &mut add)?;
    } else if is_ods {
        ods::for_each_sheet(bytes, &mut add)?;
    } else if is_zip(bytes) && part_names(bytes)?.iter().any(|name| name == "xl/workbook.bin") {
        // An XLSX may hold other such parts: the settings of printers.
        let mut workbook: Xlsb<_> =
            Xlsb::new(Cursor::new(bytes)).map_err(SpreadsheetError::unreadable)?;
        for name in sheet_names(workbook.sheets_metadata(), which) {
            let mut rows = SparseRows::default();
            let mut cells = match workbook.worksheet_cells_reader(&name) {
                Ok(cells) => cells,
                Err(_) => continue, // A chart has no cells.
            };
            while let Some(cell) = cells.next_cell().map_err(SpreadsheetError::unreadable)? {
                rows.add(cell.get_position(), shown(&cell.get_value().clone().into()))?;
            }
            if add(name, rows)? {
                break;
            }
        }
    } else if is_zip(bytes) {
        let hidden = match which {
            Sheets::Visible => xlsx_rows::hidden_rows(bytes),
            Sheets::VisibleWithHiddenRows | Sheets::All => HashMap::new(),
        };
        let mut workbook: Xlsx<_> =
            Xlsx::new(Cursor::new(bytes)).map_err(SpreadsheetError::unreadable)?;
        for name in sheet_names(workbook.sheets_metadata(), which) {
            let mut rows = SparseRows::default();
            let mut cells = match workbook.worksheet_cells_reader(&name) {
                Ok(cells) => cells,
                Err(calamine::XlsxError::NotAWorksheet(_)) => continue,
                Err(error) => return Err(SpreadsheetError::unreadable(error)),
            };
            let struck: Vec<bool> = cells
                .styles()
                .iter()
                .map(|style| style.font.as_ref().is_some_and(|font| font.has_strikethrough()))
                .collect();
            rows.hidden = hidden.get(&name).cloned().unwrap_or_default();
            let digits: Vec<usize> = cells
                .styles()
                .iter()
                .map(|style| style.number_format.as_ref().map_or(0, |f| digits_of(&f.format_code)))
                .collect();
            while let Some((cell, style)) =
                cells.next_cell_with_style_id().map_err(SpreadsheetError::unreadable)?
            {
                if !matches!(cell.get_value(), DataRef::Empty) {
                    let text = shown(&cell.get_value().clone().into());
                    let least = digits.get(style).copied().unwrap_or(0);
                    if struck.get(style).is_some_and(|is_struck| *is_struck) {
                        rows.strike(cell.get_position());
                    }
                    rows.add(cell.get_position(), with_leading_zeros(text, least))?;
                }
            }
            drop(cells);
            // A merge that cannot be read leaves cells empty, as before it was known.
            let merges = workbook.merge_cells_by_sheet_name(&name);
            for merge in merges.into_iter().flatten() {
                rows.merge(merge.start, merge.end.0);
            }
            if add(name, rows)? {
                break;
            }
        }
    } else {
        let mut workbook: Xls<_> =
            Xls::new(Cursor::new(bytes)).map_err(SpreadsheetError::unreadable)?;
        for name in sheet_names(workbook.sheets_metadata(), which) {
            let range = workbook.worksheet_range(&name).map_err(SpreadsheetError::unreadable)?;
            let (first_row, first_column) = range.start().unwrap_or_default();
            let mut rows = SparseRows::default();
            for (row, column, value) in range.used_cells() {
                let at = |first: u32, n: usize| first.saturating_add(n as u32);
                rows.add((at(first_row, row), at(first_column, column)), shown(value))?;
            }
            let merges = workbook.merge_cells_by_sheet_name(&name);
            for merge in merges.into_iter().flatten() {
                rows.merge(merge.start, merge.end.0);
            }
            if add(name, rows)? {
                break;
            }
        }
    }
    Ok(sheets)
}

/// Whether a ZIP holds files, and is no document.
fn is_other_archive(bytes: &[u8]) -> bool {
    let is_part = |name: &String| {
        let parts = ["[Content_Types].xml", "content.xml", "mimetype", "xl/workbook.bin"];
        parts.contains(&name.as_str()) || name.starts_with("xl/") || name.starts_with("word/")
    };
    is_zip(bytes) && part_names(bytes).is_ok_and(|names| !names.iter().any(is_part))
}

/// Whether a file of Office before 2007 has a stream of this name.
fn holds_stream(bytes: &[u8], name: &str) -> bool {
    let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.starts_with(OLE) && bytes.windows(wide.len()).any(|window| window == wide)
}

/// Returns the names of the sheets that are read: of all, or of those that the sender sees.
fn sheet_names(sheets: &[calamine::Sheet], which: Sheets) -> Vec<String> {
    let is_read =
        |sheet: &&calamine::Sheet| which == Sheets::All || sheet.visible == SheetVisible::Visible;
    sheets.iter().filter(is_read).map(|sheet| sheet.name.clone()).collect()
}

/// The filled cells of a sheet: rows in the order of the file, each with its cells by column.
#[derive(Default)]
struct SparseRows {
    rows: Vec<(u32, Vec<(u32, String)>)>,
    filled: usize,
    text: usize,
    merges: Vec<merged::Merge>,
    /// Rows that are not shown, from 0.
    hidden: HashSet<u32>,
    /// Cells that are struck through, by row and column.
    struck: HashSet<(u32, u32)>,
}

impl SparseRows {
    /// Notes that a row is not shown.
    fn hide(&mut self, row: u32) {
        if self.hidden.len() < MAX_ROWS {
            self.hidden.insert(row);
        }
    }

    /// Notes that a cell is struck through.
    fn strike(&mut self, cell: (u32, u32)) {
        if self.struck.len() < MAX_FILLED {
            self.struck.insert(cell);
        }
    }

    /// Takes out the rows that are not shown, and those whose numbers, or all cells, are struck through.
    /// Returns those of them that hold a number.
    fn leave_out(&mut self) -> LeftOut {
        let mut left_out = LeftOut::default();
        if self.hidden.is_empty() && self.struck.is_empty() {
            return left_out;
        }
        let (hidden, struck) = (std::mem::take(&mut self.hidden), std::mem::take(&mut self.struck));
        self.rows.retain(|(row, cells)| {
            let is_number = |(_, text): &&(u32, String)| merged::is_number(text);
            let has_number = cells.iter().any(|cell| is_number(&cell));
            let is_struck = |(column, _): &(u32, String)| struck.contains(&(*row, *column));
            let is_void = !struck.is_empty()
                && if has_number {
                    cells.iter().filter(is_number).all(is_struck)
                } else {
                    cells.iter().all(is_struck)
                };
            let told = if hidden.contains(row) {
                &mut left_out.hidden
            } else if is_void {
                &mut left_out.struck
            } else {
                return true;
            };
            if has_number {
                told.push(row.saturating_add(1));
            }
            false
        });
        for rows in [&mut left_out.hidden, &mut left_out.struck] {
            rows.sort_unstable();
            rows.dedup();
        }
        left_out
    }

    /// Adds a cell; row and column count from 0. An empty text is no cell.
    fn add(&mut self, (row, column): (u32, u32), text: String) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.filled += 1;
        self.text += text.len();
        if self.filled > MAX_FILLED {
            return Err(too_many_cells());
        }
        if self.text > MAX_TEXT {
            return Err(too_much_text());
        }
        let is_full = self.rows.len() >= MAX_ROWS;
        match self.rows.last_mut() {
            Some((last, cells)) if *last == row => cells.push((column, text)),
            _ if is_full => return Err(too_many_rows()),
            _ => self.rows.push((row, vec![(column, text)])),
        }
        Ok(())
    }
}

fn too_many_rows() -> SpreadsheetError {
    SpreadsheetError::TooLarge("200,000 rows, which is the most for a spreadsheet".into())
}

fn too_many_cells() -> SpreadsheetError {
    SpreadsheetError::TooLarge("6,000,000 cells, which is the most for a spreadsheet".into())
}

fn too_much_text() -> SpreadsheetError {
    SpreadsheetError::TooLarge("128 MB of text, which no list has".into())
}

/// What has been read of a workbook.
#[derive(Default)]
struct Budget {
    text: usize,
    rows: usize,
    filled: usize,
    cells: usize,
}

impl Budget {
    /// Turns the filled cells of a sheet into rows, each as wide as its last filled cell.
    fn finish(&mut self, mut sparse: SparseRows) -> Result<Vec<Row>> {
        // Files of other programs may have rows out of order, or one row twice.
        if !sparse.rows.is_sorted_by(|one, next| one.0 < next.0) {
            sparse.rows.sort_by_key(|(row, _)| *row);
            sparse.rows.dedup_by(|next, kept| {
                let is_same = kept.0 == next.0;
                if is_same {
                    kept.1.append(&mut next.1);
                }
                is_same
            });
        }
        sparse.fill_merged();
        self.rows += sparse.rows.len();
        self.filled += sparse.filled;
        self.text += sparse.text;
        if self.rows > MAX_ROWS {
            return Err(too_many_rows());
        }
        let width = |cells: &[(u32, String)]| cells.iter().map(|(at, _)| *at as usize + 1).max();
        let first = sparse.rows.iter().flat_map(|(_, cells)| cells.iter().map(|(at, _)| *at)).min();
        let first = first.unwrap_or(0);
        self.cells += sparse.rows.iter().filter_map(|(_, cells)| width(cells)).sum::<usize>();
        if self.filled > MAX_FILLED || self.cells > MAX_CELLS {
            return Err(too_many_cells());
        }
        if self.text > MAX_TEXT {
            return Err(too_much_text());
        }
        let row = |(number, cells): (u32, Vec<(u32, String)>)| {
            let mut row = vec![String::new(); width(&cells).unwrap_or(0) - first as usize];
            for (at, text) in cells {
                row[(at - first) as usize] = text;
            }
            Row { number: number.saturating_add(1), cells: row }
        };
        Ok(sparse.rows.into_iter().map(row).collect())
    }
}

fn archive(bytes: &[u8]) -> Result<zip::ZipArchive<Cursor<&[u8]>>> {
    zip::ZipArchive::new(Cursor::new(bytes)).map_err(SpreadsheetError::unreadable)
}

fn part_names(bytes: &[u8]) -> Result<Vec<String>> {
    let archive = archive(bytes)?;
    archive
        .file_names()
        .map(|name| Ok(name.map_err(SpreadsheetError::unreadable)?.into_owned()))
        .collect()
}

/// Checks the unpacked size of a spreadsheet, which is a ZIP of texts: one far larger than any list
/// is a ZIP bomb. The sizes in its directory are not trusted; every part is unpacked and counted.
fn check_unpacked_size(bytes: &[u8]) -> Result<()> {
    const LIMIT: &str = "256 MB when it is unpacked, which no list is";
    if !is_zip(bytes) {
        return Ok(());
    }
    let mut archive = archive(bytes)?;
    let mut remaining = MAX_UNPACKED;
    for part in 0..archive.len() {
        let part = archive.by_index(part).map_err(SpreadsheetError::unreadable)?;
        let unpacked = io::copy(&mut part.take(remaining + 1), &mut io::sink())
            .map_err(SpreadsheetError::unreadable)?;
        remaining = remaining
            .checked_sub(unpacked)
            .ok_or_else(|| SpreadsheetError::TooLarge(LIMIT.into()))?;
    }
    Ok(())
}

/// Returns a cell as its user sees it; a whole number without exponent and without a fraction.
fn shown(cell: &Data) -> String {
    match cell {
        Data::Float(number) => shown_number(*number),
        Data::DateTime(at) if at.is_duration() => at.as_duration().map_or_else(
            || shown_number(at.as_f64()),
            |time| {
                let seconds = time.num_seconds();
                format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
            },
        ),
        Data::DateTime(at) => at.as_datetime().map_or_else(
            || shown_number(at.as_f64()),
            |time| {
                let (day, clock) = (time.format("%Y-%m-%d"), time.format("%H:%M:%S"));
                match (at.as_f64() < 1.0, at.as_f64().fract() == 0.0) {
                    (true, _) => clock.to_string(),
                    (false, true) => day.to_string(),
                    (false, false) => format!("{day} {clock}"),
                }
            },
        ),
        Data::Empty | Data::Error(_) => String::new(),
        other => other.to_string(),
    }
}

/// Returns the digits that a number format asks for at least, as `0000` and `[$-804]000000` do (codes
/// of branches, postal codes); 0 for every other format.
fn digits_of(format: &str) -> usize {
    // The first section is that of positive numbers; a locale may go before it, a space after it.
    let first = format.split(';').next().unwrap_or_default();
    let bare = match (first.starts_with("[$"), first.split_once(']')) {
        (true, Some((_, rest))) => rest,
        _ => first,
    };
    let bare = bare.trim_end_matches("_ ").trim_end_matches("\\ ").trim();
    if bare.len() <= MAX_FORMAT_DIGITS && bare.chars().all(|c| c == '0') { bare.len() } else { 0 }
}

/// More digits than a number has exactly.
const MAX_FORMAT_DIGITS: usize = 15;

/// Returns a whole number with so many digits at least, as its user sees it.
fn with_leading_zeros(text: String, digits: usize) -> String {
    let is_whole = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_whole && text.len() < digits { format!("{text:0>digits$}") } else { text }
}

fn shown_number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

    use super::*;

    fn rows(file: &[u8]) -> Vec<(u32, Vec<String>)> {
        let sheets = read_here(file, Sheets::Visible).unwrap();
        let rows = sheets.into_iter().find(|sheet| !sheet.rows.is_empty()).unwrap().rows;
        rows.into_iter().map(|row| (row.number, row.cells)).collect()
    }

    #[test]
    fn dates_and_times_are_read_as_they_are_shown_and_hidden_sheets_are_not_read() {
        let mut workbook = Workbook::new();
        let hidden = workbook.add_worksheet();
        hidden.write(0, 0, "not for anybody").unwrap();
        hidden.set_hidden(true);
        let sheet = workbook.add_worksheet();
        sheet.set_active(true);
        let at = ExcelDateTime::parse_from_str("2027-01-31 09:30:00").unwrap();
        let cells = [("yyyy-mm-dd", 0), ("yyyy-mm-dd hh:mm", 1)];
        for (format, column) in cells {
            let at = if column == 0 {
                ExcelDateTime::parse_from_str("2027-01-31").unwrap()
            } else {
                at.clone()
            };
            let format = Format::new().set_num_format(format);
            sheet.write_with_format(2, column, &at, &format).unwrap();
        }
        sheet.write(2, 2, 13800138000f64).unwrap();
        let row = ["2027-01-31", "2027-01-31 09:30:00", "13800138000"].map(str::to_owned);
        let file = workbook.save_to_buffer().unwrap();
        assert_eq!(rows(&file), [(3, row.to_vec())]);
    }

    /// calamine#405, Icinga/icingaweb2-module-fileshipper#16, spreadsheet-reader#77.
    #[test]
    fn a_merged_cell_beside_several_people_is_that_of_each() {
        let mut workbook = rust_xlsxwriter::Workbook::new();
        let format = rust_xlsxwriter::Format::new();
        let sheet = workbook.add_worksheet();
        sheet.merge_range(0, 0, 1, 0, "单位", &format).unwrap();
        sheet.merge_range(2, 0, 3, 0, "甲公司", &format).unwrap();
        for (row, cells) in
            [["姓名", "电话"], ["", "手机"], ["王", "13800138000"], ["李", "13900139000"]]
                .iter()
                .enumerate()
        {
            for (cell, column) in cells.iter().zip(1..) {
                sheet.write_string(row as u32, column, *cell).unwrap();
            }
        }
        let content = workbook.save_to_buffer().unwrap();
        let told: Vec<Vec<String>> = rows(&content).into_iter().map(|(_, cells)| cells).collect();
        assert_eq!(
            told,
            [
                ["单位", "姓名", "电话"],
                ["", "", "手机"],
                ["甲公司", "王", "13800138000"],
                ["甲公司", "李", "13900139000"]
            ]
        );
        let cells = "<t:table-cell t:number-rows-spanned=\"2\"><x:p>甲公司</x:p></t:table-cell>\
            <t:table-cell><x:p>王</x:p></t:table-cell><t:table-cell><x:p>13800138000</x:p></t:table-cell>\
            </t:table-row><t:table-row><t:covered-table-cell/><t:table-cell><x:p>李</x:p></t:table-cell>\
            <t:table-cell><x:p>13900139000</x:p></t:table-cell>";
        assert_eq!(rows(&ods(cells))[1].1, ["甲公司", "李", "13900139000"]);
    }

    /// A sender who struck people out or filtered them away does not mean these rows.
    #[test]
    fn rows_that_are_hidden_or_struck_through_are_left_out_and_told() {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        let struck = Format::new().set_font_strikethrough();
        let people = ["姓名", "王", "李", "赵", "钱", "孙"];
        for (name, row) in people.iter().zip(0..) {
            let number = if row == 0 { "手机".to_owned() } else { format!("1380013800{row}") };
            let format = if row == 3 { struck.clone() } else { Format::new() };
            sheet.write_string_with_format(row, 0, *name, &Format::new()).unwrap();
            sheet.write_string_with_format(row, 1, &number, &format).unwrap();
        }
        // A name that is struck through and written anew is no person who is taken out.
        sheet.write_string_with_format(5, 0, "孙", &struck).unwrap();
        sheet.set_row_hidden(2).unwrap();
        sheet.write(9, 0, "a hint").unwrap();
        sheet.set_row_hidden(9).unwrap();
        let file = workbook.save_to_buffer().unwrap();
        let sheets = read_here(&file, Sheets::Visible).unwrap();
        let numbers = |sheets: &[Sheet]| -> Vec<u32> {
            sheets[0].rows.iter().map(|row| row.number).collect()
        };
        assert_eq!(numbers(&sheets), [1, 2, 5, 6]);
        assert_eq!(sheets[0].left_out, LeftOut { hidden: vec![3], struck: vec![4] });
        let all = read_here(&file, Sheets::VisibleWithHiddenRows).unwrap();
        assert_eq!(numbers(&all), [1, 2, 3, 4, 5, 6, 10]);

        let page = "<table><tr><td>姓名<td>手机<tr><td>王<td>13800138000<tr style='height:0;DISPLAY: none'>\
            <td>李<td>13800138001<tr hidden><td>赵<td>13800138002<tr><td><s>钱</s><td><del>13800138003</del>\
            <tr style=\"text-decoration: line-through\"><td>孙<td>13800138004<tr><td>周\
            <td><s>13800138005</s> 13800138006</table>";
        let sheets = read_here(page.as_bytes(), Sheets::Visible).unwrap();
        assert_eq!(numbers(&sheets), [1, 2, 7]);
        assert_eq!(sheets[0].left_out, LeftOut { hidden: vec![3, 4], struck: vec![5, 6] });

        let xml = "<?xml version=\"1.0\"?><Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\" \
            xmlns:ss=\"urn:schemas-microsoft-com:office:spreadsheet\"><Worksheet ss:Name=\"S\"><Table>\
            <Row ss:Hidden=\"1\"><Cell><Data ss:Type=\"String\">13800138000</Data></Cell></Row>\
            <Row><Cell><Data ss:Type=\"String\">13800138001</Data></Cell></Row></Table></Worksheet></Workbook>";
        let sheets = read_here(xml.as_bytes(), Sheets::Visible).unwrap();
        assert_eq!((numbers(&sheets), &sheets[0].left_out.hidden), (vec![2], &vec![1]));

        let cells = "<t:table-cell><x:p>13800138000</x:p></t:table-cell></t:table-row>\
            <t:table-row t:visibility=\"filter\"><t:table-cell><x:p>13800138001</x:p></t:table-cell>\
            </t:table-row><t:table-row t:visibility=\"collapse\"><t:table-cell><x:p>13800138002</x:p>\
            </t:table-cell>";
        let sheets = read_here(&ods(cells), Sheets::Visible).unwrap();
        assert_eq!((numbers(&sheets), &sheets[0].left_out.hidden), (vec![1], &vec![2, 3]));
    }

    /// XLSB is recognized by its workbook, not by any binary part: Excel saves the settings of
    /// printers as such in an XLSX.
    #[test]
    fn an_xlsx_with_settings_of_a_printer_is_no_xlsb() {
        let mut workbook = Workbook::new();
        workbook.add_worksheet().write(0, 0, "手机").unwrap();
        let file = workbook.save_to_buffer().unwrap();
        let mut zip = zip::ZipWriter::new_append(Cursor::new(file)).unwrap();
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file("xl/printerSettings/printerSettings1.bin", options).unwrap();
        zip.write_all(b"\x01\x02").unwrap();
        let file = zip.finish().unwrap().into_inner();
        assert_eq!(rows(&file), [(1, vec!["手机".to_owned()])]);
    }

    fn ods(cells: &str) -> Vec<u8> {
        let content = format!(
            "<o:document-content xmlns:o=\"o\" xmlns:t=\"t\" xmlns:x=\"x\"><o:body><o:spreadsheet>\
             <t:table t:name=\"S\"><t:table-row>{cells}</t:table-row></t:table></o:spreadsheet>\
             </o:body></o:document-content>"
        );
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("content.xml", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn ods_cells_are_read_however_they_are_written() {
        let cells = "<t:table-cell o:value-type=\"string\" o:string-value=\"王五\"/>\
            <t:table-cell o:value-type=\"float\" o:value=\"13800138000\"><x:p>1.38E+10</x:p></t:table-cell>\
            <t:table-cell o:value-type=\"percentage\" o:value=\"0.25\"/>\
            <t:table-cell t:number-columns-repeated=\"2\"/>\
            <t:table-cell o:value-type=\"string\"><x:p>甲 &amp; <x:s x:c=\"2\"/>乙</x:p><x:p>丙</x:p>\
            <o:annotation><x:p>a note</x:p></o:annotation></t:table-cell>\
            <t:table-cell t:number-columns-repeated=\"0\"><x:p>x</x:p><t:table><t:table-row><t:table-cell>\
            <x:p>inner</x:p></t:table-cell></t:table-row></t:table></t:table-cell>";
        let expected = ["王五", "13800138000", "0.25", "", "", "甲 &   乙\n丙", "x"];
        assert_eq!(rows(&ods(cells)), [(1, expected.map(str::to_owned).to_vec())]);
    }
}
