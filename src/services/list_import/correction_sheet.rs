//! The correction sheet: the rows that only the applicant can put right, as a workbook to send back,
//! with the wrong cells marked and what to do beside them. Corrected, it is imported like any list.
//!
//! It holds the applicant's own list, so it goes to the applicant alone. It says nothing about who
//! has opted out or who is on another list.

use std::collections::BTreeMap;

use phonenumber::country;
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

use super::ListImportError;
use super::find::find_lists;
use super::import::{ImportOutcome, ImportRequest};
use super::report::{ImportFinding, RowReason};
use super::table::{TableRow, beside};
use crate::domain::phone::PhoneError;
use crate::services::context::AppContext;

/// The header of the column with the row's number in the applicant's file.
pub const ROW_HEADER: &str = "原行号";
/// The header of the column that says what to do.
pub const REQUEST_HEADER: &str = "请更正";

/// Rows of a sheet; a list with more mistakes is better exported again.
const MAX_ROWS: usize = 10_000;
const MAX_COLUMNS: usize = 60;
/// Characters in a cell, in UTF-16 units (the limit of Excel).
const MAX_CELL_UNITS: usize = 32_767;

/// A list with the rows that its applicant is to correct.
pub struct MarkedList {
    /// The name of its sheet; empty: it is the only one.
    pub name: String,
    pub headers: Vec<String>,
    pub rows: Vec<MarkedRow>,
}

pub struct MarkedRow {
    pub number: u32,
    pub cells: Vec<String>,
    /// The places of wrong cells, and what to do about them.
    pub requests: Vec<(Option<usize>, String)>,
}

/// Says to the applicant what to do about a row; `None`: it is none of its business.
pub fn request_for(finding: &ImportFinding) -> Option<String> {
    let text = match &finding.reason {
        RowReason::Phone(PhoneError::Empty) => "缺少电话号码，请补填",
        RowReason::Phone(PhoneError::DigitsLost) | RowReason::Rounded => {
            "号码末几位已被表格软件舍去，请重新填写（本表号码列已设为文本）"
        }
        RowReason::Phone(PhoneError::NotANumber) => {
            "不是电话号码，请重新填写；固定电话请加区号，境外号码请加 + 和国家代码"
        }
        RowReason::Phone(PhoneError::Invalid) => "没有这样的号码，请核对",
        RowReason::NumberAmongWords => "请只填号码，并确认是本人的号码",
        RowReason::PartNotRead => "部分数字不是电话号码，未读取，请核对",
        RowReason::SeveralPeople { .. } => "一行中姓名与号码个数不一致，请每人单独填一行",
        RowReason::FixedLine => "固定电话收不到短信；如有手机号，请改填手机号",
        RowReason::SameAsRow(row) => {
            return Some(format!("与第 {row} 行号码相同；如是两个人，请填写各自的号码"));
        }
        RowReason::SameAsEarlierRow => "与前面某行号码相同；如是两个人，请填写各自的号码",
        RowReason::NoPerson
        | RowReason::List(_)
        | RowReason::OtherNumbers(_)
        | RowReason::KnownToApplicant
        | RowReason::KnownToApplication
        | RowReason::LeftOut
        | RowReason::NotDrawn(_)
        | RowReason::Suppressed => return None,
    };
    Some(text.to_owned())
}

impl MarkedList {
    /// The cells of its longest row.
    pub fn width(&self) -> usize {
        self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0)
    }
}

/// Puts together the rows of a list that its applicant is to correct, without its headers.
pub fn mark(
    name: &str,
    rows: impl IntoIterator<Item = (u32, Vec<String>)>,
    findings: &[ImportFinding],
) -> MarkedList {
    let mut requests: BTreeMap<u32, Vec<(Option<usize>, String)>> = BTreeMap::new();
    for finding in findings {
        if let Some(request) = request_for(finding) {
            requests.entry(finding.row).or_default().push((finding.place, request));
        }
    }
    let marked = |(number, cells): (u32, Vec<String>)| {
        let requests = requests.remove(&number)?;
        Some(MarkedRow { number, cells, requests })
    };
    MarkedList {
        name: name.to_owned(),
        headers: Vec::new(),
        rows: rows.into_iter().filter_map(marked).take(MAX_ROWS).collect(),
    }
}

/// Reads a list again and returns the rows that its applicant is to correct. `outcome` is what its
/// import came to.
pub async fn marked_lists(
    context: &AppContext,
    request: &ImportRequest<'_>,
    outcome: &ImportOutcome,
) -> Result<Vec<MarkedList>, ListImportError> {
    if !outcome.findings.iter().any(|finding| request_for(finding).is_some()) {
        return Ok(Vec::new());
    }
    let categories = outcome.categories.clone();
    let (content, options) = (request.content.clone(), outcome.options.clone());
    let headers = context.config.headers.clone();
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let findings = outcome.findings.clone();
    let read = beside(move || {
        let mut marked = Vec::new();
        let lists = find_lists(&content, &options, (&headers, region), &categories)?;
        for (number, list) in lists.into_iter().enumerate() {
            let of_list: Vec<ImportFinding> =
                findings.iter().filter(|finding| finding.list == number).cloned().collect();
            let Some(last) = of_list.iter().map(|finding| finding.row).max() else { continue };
            let name = list.layout.sheet.clone().unwrap_or_default();
            let numbered = |row: TableRow| (row.number, row.cells);
            let layout = list.layout;
            let first = list.sample.into_iter().skip(layout.first_data_row).map(numbered);
            let rest = list.rows.map_while(Result::ok).map(numbered);
            let rows = first.chain(rest).take_while(|(number, _)| *number <= last);
            let mut list = mark(&name, rows, &of_list);
            list.headers = layout.recognizable_headers(list.width(), &headers);
            if !list.rows.is_empty() {
                marked.push(list);
            }
        }
        Ok(marked)
    });
    read.await.map_err(|error| ListImportError::Table { file: request.file.to_owned(), error })
}

/// Writes the workbook (Office Open XML), a sheet for each list.
pub fn write(lists: &[MarkedList]) -> Result<Vec<u8>, ListImportError> {
    let failed = |error: XlsxError| ListImportError::Stopped(error.to_string());
    let mut book = Workbook::new();
    for (number, list) in lists.iter().enumerate() {
        let sheet = book.add_worksheet();
        sheet.set_name(sheet_name(&list.name, number)).map_err(failed)?;
        write_sheet(sheet, list).map_err(failed)?;
    }
    book.save_to_buffer().map_err(failed)
}

fn write_sheet(sheet: &mut Worksheet, list: &MarkedList) -> Result<(), XlsxError> {
    let head = Format::new().set_bold().set_background_color(Color::RGB(0xE7_EC_F3));
    let text = Format::new().set_num_format("@");
    let wrong = text
        .clone()
        .set_background_color(Color::RGB(0xFF_D9_D6))
        .set_border(FormatBorder::Thin)
        .set_border_color(Color::RGB(0xB3_26_1E));
    let advice = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    let width = list.width().max(list.headers.len()).min(MAX_COLUMNS);
    let last = column(width + 1);
    sheet.write_string_with_format(0, 0, ROW_HEADER, &head)?;
    for place in 0..width {
        let header = list.headers.get(place).map(|h| h.trim()).unwrap_or_default();
        sheet.write_string_with_format(0, column(place + 1), cut(header), &head)?;
        sheet.set_column_width(column(place + 1), 18)?;
        sheet.set_column_format(column(place + 1), &text)?;
    }
    sheet.write_string_with_format(0, last, REQUEST_HEADER, &head)?;
    sheet.set_column_width(last, 60)?;
    sheet.set_freeze_panes(1, 1)?;
    sheet.set_landscape();
    sheet.set_print_fit_to_pages(1, 0);
    for (line, row) in (1..).zip(&list.rows) {
        sheet.write_number(line, 0, row.number)?;
        for (place, cell) in row.cells.iter().take(width).enumerate() {
            let is_wrong = row.requests.iter().any(|(at, _)| *at == Some(place));
            let format = if is_wrong { &wrong } else { &text };
            sheet.write_string_with_format(line, column(place + 1), cut(cell), format)?;
        }
        // A missing cell is marked as well.
        for (place, _) in &row.requests {
            if let Some(place) = place.filter(|at| *at >= row.cells.len() && *at < width) {
                sheet.write_blank(line, column(place + 1), &wrong)?;
            }
        }
        let mut requests: Vec<&str> = row.requests.iter().map(|(_, text)| text.as_str()).collect();
        requests.dedup();
        sheet.write_string_with_format(line, last, requests.join("；"), &advice)?;
    }
    Ok(())
}

/// A column of a worksheet; there are never more than [`MAX_COLUMNS`] and two.
fn column(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

fn cut(text: &str) -> String {
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= MAX_CELL_UNITS
    };
    text.chars().take_while(fits).collect()
}

/// A name that a worksheet may have: at most 31 characters, none of `[]:*?/\`, and no other's.
fn sheet_name(name: &str, number: usize) -> String {
    let plain: String =
        name.chars().filter(|c| !c.is_control() && !"[]:*?/\\'".contains(*c)).take(24).collect();
    match (plain.trim(), number) {
        ("", 0) => "请更正".to_owned(),
        ("", number) => format!("请更正 {}", number + 1),
        (name, number) => format!("{} {name}", number + 1),
    }
}
