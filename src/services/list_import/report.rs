//! The report on rows that were rejected, merged or accepted with a notice, for staff and the
//! applicant.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

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

/// A row of a file: the list it is in, from 0, and its number.
pub type RowKey = (usize, u32);

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
    #[error("the number was taken out of other words; check that it is the person's")]
    NumberAmongWords,
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
