//! `dataset.xlsx` (Office Open XML): the responses as codes and again as labels, the cases, the
//! codebook.

use std::borrow::Cow;
use std::io::{self, Write};

use csv::StringRecord;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook as Book, XlsxError};

use super::{FormatContext, TableFormat};
use crate::adapters::transports::NewFile;
use crate::domain::questionnaire::{Choice, ItemKind, Selection};
use crate::services::datasets::layout::{Field, FieldKind, Table, layout};
use crate::services::datasets::missing::MissingCodes;

const SHEETS: [&str; 4] = ["codebook", "responses", "labels", "cases"];
/// The indices of the worksheets.
const CODEBOOK: usize = 0;
const RESPONSES: usize = 1;
const LABELS: usize = 2;
const CASES: usize = 3;
/// The row limit of a worksheet, including its header (ECMA-376).
const MAX_ROWS: u32 = 1_048_576;
/// Characters in a cell, in UTF-16 units (the limit of Excel).
const MAX_CELL_UNITS: usize = 32_767;

pub struct Workbook {
    book: Book,
    out: NewFile,
    responses: Vec<CellFormat>,
    cases: Vec<CellFormat>,
    rows: [u32; 4],
    cut_cells: u64,
    missing_rows: u64,
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

fn cell_format(field: &Field<'_>, missing: MissingCodes) -> CellFormat {
    let mut labels = Vec::new();
    if let Some(column) = &field.column {
        match &column.item.kind {
            ItemKind::Choice(Choice { selection: Selection::Several { .. }, .. }) => {
                labels.extend(
                    [("1", "是 yes"), ("0", "否 no")]
                        .map(|(code, label)| (code.to_owned(), label.to_owned())),
                );
            }
            ItemKind::Choice(Choice { selection: Selection::One, options, .. }) => {
                labels.extend(options.iter().map(|option| {
                    (option.code.clone(), format!("{} {}", option.text.zh, option.text.en))
                }));
            }
            ItemKind::Scale(scale) => {
                labels.push((
                    scale.from.to_string(),
                    format!("{} {} {}", scale.from, scale.low.zh, scale.low.en),
                ));
                labels.push((
                    scale.to.to_string(),
                    format!("{} {} {}", scale.to, scale.high.zh, scale.high.en),
                ));
            }
            _ => {}
        }
        for reason in column.missing_reasons() {
            labels.push((missing.code(reason).to_owned(), reason.label().to_owned()));
        }
        labels.retain(|(code, _)| !code.is_empty());
    }
    CellFormat { kind: field.kind, labels }
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
        for name in SHEETS {
            book.add_worksheet_with_constant_memory()
                .map_err(other)?
                .set_name(name)
                .map_err(other)?;
        }
        let out = format_context.folder.file("dataset.xlsx")?;
        let responses =
            layout(Table::Responses, format_context.questionnaire, format_context.metadata);
        let cases = layout(Table::Cases, format_context.questionnaire, format_context.metadata);
        let missing = format_context.metadata.missing_codes();
        let mut workbook = Workbook {
            book,
            out,
            responses: responses.iter().map(|field| cell_format(field, missing)).collect(),
            cases: cases.iter().map(|field| cell_format(field, missing)).collect(),
            rows: [0; 4],
            cut_cells: 0,
            missing_rows: 0,
        };
        workbook.codebook(format_context, &responses, &cases)?;
        for (sheet, fields) in [(RESPONSES, &responses), (LABELS, &responses), (CASES, &cases)] {
            workbook.header(sheet, fields.iter().map(|field| field.name.as_str()))?;
        }
        Ok(workbook)
    }

    fn header<'n>(&mut self, sheet: usize, names: impl Iterator<Item = &'n str>) -> io::Result<()> {
        let bold = Format::new().set_bold();
        let worksheet = self.book.worksheet_from_index(sheet).map_err(other)?;
        worksheet.set_freeze_panes(1, 1).map_err(other)?;
        for (name, column) in names.zip(0..) {
            worksheet.write_with_format(0, column, name, &bold).map_err(other)?;
        }
        self.rows[sheet] = 1;
        Ok(())
    }

    fn codebook(
        &mut self,
        format_context: FormatContext<'_>,
        responses: &[Field<'_>],
        cases: &[Field<'_>],
    ) -> io::Result<()> {
        self.header(
            CODEBOOK,
            ["table", "variable", "type", "title", "description", "code", "label"].into_iter(),
        )?;
        let missing = format_context.metadata.missing_codes();
        let fields = responses
            .iter()
            .map(|field| (Table::Responses, field))
            .chain(cases.iter().map(|field| (Table::Cases, field)));
        for (table, field) in fields {
            let description = field.description.clone().unwrap_or_default();
            let head =
                [table.name(), &field.name, field.kind.schema_type(), &field.title, &description];
            self.write_texts(CODEBOOK, &head)?;
            for (code, label) in cell_format(field, missing).labels {
                self.write_texts(
                    CODEBOOK,
                    &[table.name(), &field.name, "", "", "", &code, &label],
                )?;
            }
        }
        let title = format!(
            "{} {}",
            format_context.questionnaire.title.zh, format_context.questionnaire.title.en
        );
        self.write_texts(CODEBOOK, &["", "", "", &title])
    }

    fn write_texts(&mut self, sheet: usize, texts: &[&str]) -> io::Result<()> {
        let row = self.rows[sheet];
        let worksheet = self.book.worksheet_from_index(sheet).map_err(other)?;
        for (text, column) in texts.iter().zip(0..) {
            worksheet.write_string(row, column, *text).map_err(other)?;
        }
        self.rows[sheet] += 1;
        Ok(())
    }

    /// Writes a row of cells; `labelled`: codes that have a label are written as labels.
    fn write_row(&mut self, sheet: usize, row: &StringRecord, labelled: bool) -> io::Result<()> {
        let number = self.rows[sheet];
        if number >= MAX_ROWS {
            self.missing_rows += 1;
            return Ok(());
        }
        let columns = if sheet == CASES { &self.cases } else { &self.responses };
        let worksheet = self.book.worksheet_from_index(sheet).map_err(other)?;
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
                (None, _) => worksheet.write_string(number, column, cell.as_ref()),
            }
            .map_err(other)?;
        }
        self.rows[sheet] += 1;
        Ok(())
    }
}

impl TableFormat for Workbook {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        match table {
            Table::Responses => {
                self.write_row(RESPONSES, row, false)?;
                self.write_row(LABELS, row, true)
            }
            Table::Cases => self.write_row(CASES, row, false),
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
            self.write_texts(CODEBOOK, &["", "", "", &note])?;
        }
        if self.missing_rows > 0 {
            let note = format!(
                "{} 行超出工作表行数上限，见 CSV 与 Parquet rows are more than a worksheet holds: see CSV and \
                 Parquet",
                self.missing_rows
            );
            self.write_texts(CODEBOOK, &["", "", "", &note])?;
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
