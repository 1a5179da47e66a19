//! `dataset.xlsx` (Office Open XML): the responses in words, the codebook, the responses as codes, the
//! cases.
//!
//! The first sheet is for readers who do not know the codes: questions as headings, labels as cells.
//! Before edition 4 of the rules it stood third, with the names of the columns.

use std::borrow::Cow;
use std::io::{self, Write};

use csv::StringRecord;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, Workbook as Book, Worksheet, XlsxError,
};

use super::wording::{ValueLabel, Wording, both};
use super::{FormatContext, TableFormat};
use crate::adapters::transports::NewFile;
use crate::domain::language::LocalizedText;
use crate::domain::questionnaire::{Choice, ItemKind, Selection};
use crate::services::datasets::layout::{Field, FieldKind, Table, layout};
use crate::services::datasets::missing::MissingReason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sheet {
    Codebook,
    Responses,
    Labels,
    Cases,
}

/// The sheets in their order, by edition.
const SHEETS: [Sheet; 4] = [Sheet::Labels, Sheet::Codebook, Sheet::Responses, Sheet::Cases];
const SHEETS_BEFORE_EDITION_4: [Sheet; 4] =
    [Sheet::Codebook, Sheet::Responses, Sheet::Labels, Sheet::Cases];

/// The row limit of a worksheet, including its header (ECMA-376).
const MAX_ROWS: u32 = 1_048_576;
/// The height of a line, in points, and the most lines of a heading.
const LINE_HEIGHT: f64 = 15.0;
const MOST_LINES: u32 = 16;
/// Characters in a cell, in UTF-16 units (the limit of Excel).
const MAX_CELL_UNITS: usize = 32_767;

pub struct Workbook {
    book: Book,
    out: NewFile,
    responses: Vec<CellFormat>,
    cases: Vec<CellFormat>,
    order: [Sheet; 4],
    /// The rows of each sheet.
    rows: [u32; 4],
    cut_cells: u64,
    missing_rows: u64,
}

impl Sheet {
    fn name(self) -> &'static str {
        match self {
            Sheet::Codebook => "codebook",
            Sheet::Responses => "responses",
            Sheet::Labels => "labels",
            Sheet::Cases => "cases",
        }
    }
}

/// How the cells of a column are written.
struct CellFormat {
    kind: FieldKind,
    /// Codes with their labels.
    labels: Vec<(String, String)>,
}

fn other(error: XlsxError) -> io::Error {
    io::Error::other(error.to_string())
}

/// Returns the codes of a column with their meanings, as they were written before edition 4.
fn labels_before_edition_4(field: &Field<'_>) -> Vec<(String, String)> {
    let Some(column) = &field.column else { return Vec::new() };
    let of_point =
        |point: i64, text: &LocalizedText| (point.to_string(), format!("{point} {}", both(text)));
    match &column.item.kind {
        ItemKind::Choice(Choice { selection: Selection::Several { .. }, .. }) => {
            [("1", "是 yes"), ("0", "否 no")].map(|(code, text)| (code.into(), text.into())).into()
        }
        ItemKind::Choice(Choice { selection: Selection::One, options, .. }) => {
            options.iter().map(|option| (option.code.clone(), both(&option.text))).collect()
        }
        ItemKind::Scale(scale) => {
            vec![of_point(scale.from, &scale.low), of_point(scale.to, &scale.high)]
        }
        _ => Vec::new(),
    }
}

fn labels_of(field: &Field<'_>, wording: &Wording<'_>) -> Vec<(String, String)> {
    let item = field.column.as_ref().map(|column| &column.item.kind);
    let label = |label: ValueLabel| match item {
        // The points between the ends have no label, so that the ends keep their numbers.
        Some(ItemKind::Scale(_)) => {
            let text = format!("{} {}", label.code, both(&label.text));
            (label.code, text)
        }
        _ => (label.code, both(&label.text)),
    };
    wording.value_labels(field).into_iter().map(label).collect()
}

fn cell_format(field: &Field<'_>, format_context: FormatContext<'_>) -> CellFormat {
    let missing = format_context.metadata.missing_codes();
    let mut labels = match format_context.metadata.has_spss_and_ddi() {
        true => labels_of(field, &Wording::of(format_context)),
        false => labels_before_edition_4(field),
    };
    let reasons = field.column.as_ref().map(|column| column.missing_reasons()).unwrap_or_default();
    let of_reason =
        |reason: MissingReason| (missing.code(reason).to_owned(), reason.label().to_owned());
    labels.extend(reasons.into_iter().map(of_reason).filter(|(code, _)| !code.is_empty()));
    CellFormat { kind: field.kind, labels }
}

/// Returns the width of a column of the labels, in characters.
fn column_width(field: &Field<'_>) -> u32 {
    match (field.column.as_ref().map(|column| &column.item.kind), field.kind) {
        (Some(ItemKind::Open { .. }), _) => 60,
        (Some(_), _) => 24,
        (None, FieldKind::Time) => 20,
        (None, _) => 18,
    }
}

/// Returns about how many lines a text takes in a column, where a Chinese character is as wide as two
/// letters: no program sets the height of a row by itself.
fn lines(text: &str, width: u32) -> u32 {
    let of_line = |line: &str| {
        let letters: u32 = line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
        // Words are not divided, and bold letters are wider.
        (letters + letters / 5).div_ceil(width).max(1)
    };
    text.lines().map(of_line).sum()
}

/// Returns what a cell holds of a text, and whether it had to be cut.
fn fitting_cell(text: &str) -> (Cow<'_, str>, bool) {
    // No text has more UTF-16 units than bytes.
    if text.len() <= MAX_CELL_UNITS || text.encode_utf16().count() <= MAX_CELL_UNITS {
        return (text.into(), false);
    }
    let mut units = 0;
    let kept = text.chars().take_while(|c| {
        units += c.len_utf16();
        units < MAX_CELL_UNITS
    });
    (format!("{}…", kept.collect::<String>()).into(), true)
}

impl Workbook {
    pub(super) fn begin(format_context: FormatContext<'_>) -> io::Result<Workbook> {
        let mut book = Book::new();
        let frozen = chrono::DateTime::parse_from_rfc3339(&format_context.metadata.frozen_at)
            .map_or(0, |at| at.timestamp());
        let created = ExcelDateTime::from_timestamp(frozen).map_err(other)?;
        let properties = DocProperties::new()
            .set_title(&format_context.metadata.subject)
            .set_author("fieldworkd")
            .set_creation_datetime(&created);
        book.set_properties(&properties);
        let is_in_words = format_context.metadata.has_spss_and_ddi();
        let order = if is_in_words { SHEETS } else { SHEETS_BEFORE_EDITION_4 };
        for sheet in order {
            book.add_worksheet_with_constant_memory()
                .map_err(other)?
                .set_name(sheet.name())
                .map_err(other)?;
        }
        let out = format_context.folder.file("dataset.xlsx")?;
        let responses =
            layout(Table::Responses, format_context.questionnaire, format_context.metadata);
        let cases = layout(Table::Cases, format_context.questionnaire, format_context.metadata);
        let mut workbook = Workbook {
            book,
            out,
            responses: responses.iter().map(|field| cell_format(field, format_context)).collect(),
            cases: cases.iter().map(|field| cell_format(field, format_context)).collect(),
            order,
            rows: [0; 4],
            cut_cells: 0,
            missing_rows: 0,
        };
        workbook.codebook(format_context, &responses, &cases)?;
        let names = |fields: &[Field<'_>]| -> Vec<String> {
            fields.iter().map(|field| field.name.clone()).collect()
        };
        workbook.header(Sheet::Responses, &names(&responses))?;
        workbook.header(Sheet::Cases, &names(&cases))?;
        match is_in_words {
            true => workbook.questions(&responses, &Wording::of(format_context))?,
            false => workbook.header(Sheet::Labels, &names(&responses))?,
        }
        Ok(workbook)
    }

    fn index(&self, sheet: Sheet) -> usize {
        self.order.iter().position(|other| *other == sheet).unwrap_or_default()
    }

    fn worksheet(&mut self, sheet: Sheet) -> io::Result<&mut Worksheet> {
        let index = self.index(sheet);
        self.book.worksheet_from_index(index).map_err(other)
    }

    /// Writes the headings of the labels: the question in Chinese and in English, and the name of the
    /// column. Columns are as wide as what they hold.
    fn questions(&mut self, responses: &[Field<'_>], wording: &Wording<'_>) -> io::Result<()> {
        let heading = Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top);
        let headings: Vec<(String, u32)> = responses
            .iter()
            .map(|field| {
                let title = wording.title(field);
                (
                    format!("{}\n{}\n{}", title.first(), title.second(), field.name),
                    column_width(field),
                )
            })
            .collect();
        let lines = headings.iter().map(|(text, width)| lines(text, *width)).max().unwrap_or(1);
        let worksheet = self.worksheet(Sheet::Labels)?;
        worksheet.set_freeze_panes(1, 1).map_err(other)?;
        let height = f64::from(lines.min(MOST_LINES)) * LINE_HEIGHT;
        worksheet.set_row_height(0, height).map_err(other)?;
        for ((text, width), column) in headings.iter().zip(0..) {
            worksheet.set_column_width(column, *width).map_err(other)?;
            let (text, _) = fitting_cell(text);
            worksheet.write_string_with_format(0, column, text, &heading).map_err(other)?;
        }
        let index = self.index(Sheet::Labels);
        self.rows[index] = 1;
        Ok(())
    }

    fn header(&mut self, sheet: Sheet, names: &[String]) -> io::Result<()> {
        let bold = Format::new().set_bold();
        let worksheet = self.worksheet(sheet)?;
        worksheet.set_freeze_panes(1, 1).map_err(other)?;
        for (name, column) in names.iter().zip(0..) {
            worksheet.write_with_format(0, column, name, &bold).map_err(other)?;
        }
        let index = self.index(sheet);
        self.rows[index] = 1;
        Ok(())
    }

    fn codebook(
        &mut self,
        format_context: FormatContext<'_>,
        responses: &[Field<'_>],
        cases: &[Field<'_>],
    ) -> io::Result<()> {
        let names = ["table", "variable", "type", "title", "description", "code", "label"];
        self.header(Sheet::Codebook, &names.map(str::to_owned))?;
        let fields = responses
            .iter()
            .map(|field| (Table::Responses, field))
            .chain(cases.iter().map(|field| (Table::Cases, field)));
        for (table, field) in fields {
            let description = field.description.clone().unwrap_or_default();
            let head =
                [table.name(), &field.name, field.kind.schema_type(), &field.title, &description];
            self.write_texts(Sheet::Codebook, &head)?;
            for (code, label) in cell_format(field, format_context).labels {
                self.write_texts(
                    Sheet::Codebook,
                    &[table.name(), &field.name, "", "", "", &code, &label],
                )?;
            }
        }
        let title = both(&format_context.questionnaire.title);
        self.write_texts(Sheet::Codebook, &["", "", "", &title])
    }

    fn write_texts(&mut self, sheet: Sheet, texts: &[&str]) -> io::Result<()> {
        let index = self.index(sheet);
        let row = self.rows[index];
        let worksheet = self.worksheet(sheet)?;
        for (text, column) in texts.iter().zip(0..) {
            worksheet.write_string(row, column, *text).map_err(other)?;
        }
        self.rows[index] += 1;
        Ok(())
    }

    /// Writes a row of cells; `labelled`: codes that have a label are written as labels.
    fn write_row(&mut self, sheet: Sheet, row: &StringRecord, labelled: bool) -> io::Result<()> {
        let index = self.index(sheet);
        let number = self.rows[index];
        let has_plain_times = labelled && self.order == SHEETS;
        if number >= MAX_ROWS {
            self.missing_rows += 1;
            return Ok(());
        }
        let columns = if sheet == Sheet::Cases { &self.cases } else { &self.responses };
        let worksheet = self.book.worksheet_from_index(index).map_err(other)?;
        for ((cell, cell_format), column) in row.iter().zip(columns).zip(0..) {
            if cell.is_empty() {
                continue;
            }
            let (cell, is_cut) = fitting_cell(cell);
            self.cut_cells += u64::from(is_cut);
            let label = if labelled {
                cell_format.labels.iter().find(|(code, _)| *code == cell)
            } else {
                None
            };
            match (label, cell_format.kind) {
                (Some((_, label)), _) => worksheet.write_string(number, column, label),
                (None, FieldKind::Integer | FieldKind::Number) => match cell.parse::<f64>() {
                    Ok(value) => worksheet.write_number(number, column, value),
                    Err(_) => worksheet.write_string(number, column, cell.as_ref()),
                },
                (None, FieldKind::Boolean) => {
                    worksheet.write_boolean(number, column, cell == "true")
                }
                // The day and the time on the clock, without the offset.
                (None, FieldKind::Time) if has_plain_times => {
                    let text = cell.get(..19).unwrap_or(&cell).replace('T', " ");
                    worksheet.write_string(number, column, text)
                }
                (None, _) => worksheet.write_string(number, column, cell.as_ref()),
            }
            .map_err(other)?;
        }
        self.rows[index] += 1;
        Ok(())
    }
}

impl TableFormat for Workbook {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        match table {
            Table::Responses => {
                self.write_row(Sheet::Responses, row, false)?;
                self.write_row(Sheet::Labels, row, true)
            }
            Table::Cases => self.write_row(Sheet::Cases, row, false),
            Table::Paradata | Table::Answers => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.cut_cells > 0 {
            let note = format!(
                "{} 个单元格超过 {MAX_CELL_UNITS} 字，此处截断（以“…”结尾），CSV 与 Parquet 中完整 cells hold more \
                 than {MAX_CELL_UNITS} characters: cut here (they end with «…»), whole in CSV and Parquet",
                self.cut_cells
            );
            self.write_texts(Sheet::Codebook, &["", "", "", &note])?;
        }
        if self.missing_rows > 0 {
            let note = format!(
                "{} 行超出工作表行数上限，见 CSV 与 Parquet rows are more than a worksheet holds: see CSV and \
                 Parquet",
                self.missing_rows
            );
            self.write_texts(Sheet::Codebook, &["", "", "", &note])?;
        }
        if self.order == SHEETS {
            let last_row = self.rows[self.index(Sheet::Labels)].saturating_sub(1);
            let last_column = u16::try_from(self.responses.len().saturating_sub(1));
            let worksheet = self.worksheet(Sheet::Labels)?;
            let last_column = last_column.map_err(io::Error::other)?;
            worksheet.autofilter(0, 0, last_row, last_column).map_err(other)?;
        }
        let content = self.book.save_to_buffer().map_err(other)?;
        self.out.write_all(&content)?;
        self.out.finish().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_gets_the_lines_that_it_takes() {
        assert_eq!(lines("满意吗？\nSatisfied?\nSAT1", 24), 3);
        assert_eq!(lines(&"满".repeat(24), 24), 3);
        assert_eq!(lines("a\n\nb", 18), 3);
    }

    #[test]
    fn a_cell_holds_what_excel_takes() {
        for (text, is_cut) in [
            ("字".repeat(32_767), false),
            ("字".repeat(32_768), true),
            ("a".repeat(33_000), true),
            ("😀".repeat(16_383), false),
            ("😀".repeat(20_000), true),
            ("a".repeat(32_766) + "😀", true),
        ] {
            let (cell, was_cut) = fitting_cell(&text);
            assert_eq!(was_cut, is_cut);
            assert!(cell.encode_utf16().count() <= MAX_CELL_UNITS);
            assert_eq!(cell.ends_with('…'), is_cut);
            let mut book = Book::new();
            let sheet = book.add_worksheet();
            sheet.write_string(0, 0, cell.as_ref()).unwrap();
        }
    }
}
