//! The report on rows that were rejected, merged or accepted with a notice, for staff and the
//! applicant.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::adapters::transports::{BYTE_ORDER_MARK, csv_safe_cell};
use crate::domain::phone::PhoneError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowDecision {
    /// The row is not imported; it must be corrected.
    Rejected,
    /// The row is a person who is known already.
    Merged,
    /// The row is no person: a total, a signature, a repeated header.
    #[serde(rename = "no_person")]
    NoPerson,
    /// The person is left out of a list over the limit: by hand, or by a random draw.
    #[serde(rename = "left_out")]
    LeftOut,
    /// The row is imported, with a notice.
    #[serde(rename = "noted")]
    AcceptedWithNotice,
}

impl RowDecision {
    pub fn as_str(self) -> &'static str {
        match self {
            RowDecision::Rejected => "rejected",
            RowDecision::Merged => "merged",
            RowDecision::NoPerson => "no_person",
            RowDecision::LeftOut => "left_out",
            RowDecision::AcceptedWithNotice => "noted",
        }
    }
}

/// A line of a report: the row and column, the masked value, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ImportFinding {
    pub row: u32,
    pub column: String,
    /// The masked value; never the value itself.
    pub value: String,
    pub decision: RowDecision,
    /// Stable, such as `phone.digits_lost`; docs/errors.md lists them.
    pub code: &'static str,
    #[serde(rename = "what")]
    pub message: String,
    #[serde(skip)]
    pub reason: RowReason,
    /// The list of the file, from 0: rows of two lists may have the same number.
    #[serde(skip)]
    pub list: usize,
    /// The place of the column, from 0.
    #[serde(skip)]
    pub place: Option<usize>,
}

/// A person of a file: the list and the row it is in, and its place among the people of that row; lists
/// and people count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    pub list: usize,
    pub row: u32,
    pub person: u16,
}

impl ImportFinding {
    pub fn new(
        row: u32,
        column: String,
        value: String,
        decision: RowDecision,
        reason: RowReason,
    ) -> ImportFinding {
        let (code, message) = ((&reason).into(), reason.to_string());
        ImportFinding { row, column, value, decision, code, message, reason, list: 0, place: None }
    }

    /// The finding, about a row of the list with this number, from 0.
    pub fn of_list(self, list: usize) -> ImportFinding {
        ImportFinding { list, ..self }
    }

    /// The finding, about a cell at this place, from 0.
    pub fn at(self, place: Option<usize>) -> ImportFinding {
        ImportFinding { place, ..self }
    }
}

/// Why a row was not imported as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "row.", serialize_all = "snake_case")]
pub enum RowReason {
    #[error(transparent)]
    #[strum(transparent)]
    Phone(#[from] PhoneError),
    #[error(
        "a fixed line: kept for the telephone, gets no SMS; ask the applicant for a mobile number \
            if there is one"
    )]
    FixedLine,
    #[error("no person: a total, a signature, a heading or an empty line; nothing to do")]
    NoPerson,
    #[error(transparent)]
    #[strum(transparent)]
    List(#[from] ListNote),
    #[error("the number was taken out of other words; check that it is the person's")]
    NumberAmongWords,
    #[error("digits of this cell are no telephone number and were not read; check them")]
    PartNotRead,
    #[error(
        "{names} names and {numbers} numbers stand in one row: whose is whose cannot be told; write \
            each person in a row of its own"
    )]
    SeveralPeople { names: usize, numbers: usize },
    #[error(
        "{0} further number(s) of this person: the first mobile is used, the others are kept for \
            calls; nothing to do"
    )]
    OtherNumbers(usize),
    #[error(
        "this number ends in the same zeros as several others of the list: a spreadsheet has \
            rounded it; ask for the list with the column formatted as text"
    )]
    Rounded,
    #[error(
        "the same number as row {0}; nothing to do unless they are two people, then ask for the \
            second one's number"
    )]
    SameAsRow(u32),
    #[error(
        "the same number as an earlier row; nothing to do unless they are two people, then ask \
            for the second one's number"
    )]
    SameAsEarlierRow,
    #[error(
        "on an earlier list of this applicant: stays one person and gets one invitation for all \
            applications"
    )]
    KnownToApplicant,
    #[error("on an earlier list of this application already; nothing to do")]
    KnownToApplication,
    #[error("left out by hand; nothing to do")]
    LeftOut,
    #[error("left out by the random draw with seed {0}; nothing to do")]
    NotDrawn(u32),
    #[error(
        "suppressed (an opt-out, a complaint or an invalid number): stays on the list and is not \
            contacted; nothing to do"
    )]
    Suppressed,
}

/// What of a file was not read as a whole. It is told once for each list.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, strum::IntoStaticStr,
)]
#[strum(prefix = "list_note.", serialize_all = "snake_case")]
pub enum ListNote {
    #[error(
        "not read, because it is somebody else's (a salesman, a relative, whoever filled it in) or a \
            further person's: {0}; if it is the person's, say which column it is (--column mobile=…)"
    )]
    OthersColumns(String),
    #[error(
        "{count} row(s) with numbers are hidden or filtered out in the file and were not read: {rows}; \
            show them and hand the list in again if they belong to it"
    )]
    HiddenRows { count: usize, rows: String },
    #[error(
        "{count} row(s) with numbers are struck through in the file and were not read: {rows}; take \
            the line off and hand the list in again if they belong to it"
    )]
    StruckRows { count: usize, rows: String },
    #[error(
        "a table with {numbers} number(s) was not read, because nothing says what its columns are \
            ({name}); put a header above it if its people belong to the list"
    )]
    TableNotRead { name: String, numbers: usize },
    #[error(
        "a further list of {people} people has other columns and was not read ({name}); upload it by \
            itself, as its sheet or as a file of its own"
    )]
    OtherForm { name: String, people: usize },
    #[error(
        "the list(s) for other categories were not read: {0}; import the file for an application of \
            these categories as well"
    )]
    OtherCategories(String),
}

impl ListNote {
    /// What it says, in Chinese.
    pub fn chinese(&self) -> String {
        match self {
            ListNote::OthersColumns(columns) => format!(
                "未读取：{columns}（业务员、家属、填表人等他人的信息，或同一行另一人的信息）；如确为本人的，请指明该列"
            ),
            ListNote::HiddenRows { count, rows } => format!(
                "文件中有 {count} 行含号码但被隐藏或筛选掉，未读取（{rows}）；如应列入名单，请取消隐藏后重新提交"
            ),
            ListNote::StruckRows { count, rows } => format!(
                "文件中有 {count} 行含号码但已划去，未读取（{rows}）；如应列入名单，请去掉删除线后重新提交"
            ),
            ListNote::TableNotRead { name, numbers } => format!(
                "另有一个含 {numbers} 个号码的表格没有表头，未读取（{name}）；如其中人员应列入名单，请加上表头"
            ),
            ListNote::OtherForm { name, people } => format!(
                "另有一份 {people} 人的名单列不相同，未读取（{name}）；请选择该工作表或另存为文件后单独上传"
            ),
            ListNote::OtherCategories(lists) => {
                format!("未读取其他类别的名单：{lists}；请为相应类别的申报另行导入")
            }
        }
    }
}

/// Writes findings as CSV, under a temporary name first.
pub fn write_report(path: &Path, list: &str, findings: &[ImportFinding]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
    writer.write_record(["file", "row", "column", "value", "decision", "what_to_do"])?;
    for finding in findings {
        let row = finding.row.to_string();
        let cells = [
            list,
            &row,
            &finding.column,
            &finding.value,
            finding.decision.as_str(),
            &finding.message,
        ];
        writer.write_record(cells.map(csv_safe_cell))?;
    }
    let content = writer.into_inner().map_err(|e| std::io::Error::other(e.to_string()))?;
    let temporary = path.with_extension("part");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(&content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
