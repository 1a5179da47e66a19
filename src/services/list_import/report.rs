//! The report on rows that were rejected, merged or accepted with a notice, for staff and the
//! applicant.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::adapters::transports::csv_safe_cell;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowDecision {
    /// The row is not imported; it must be corrected.
    Rejected,
    /// The row is a person who is known already.
    Merged,
    /// The row is imported, with a notice.
    #[serde(rename = "noted")]
    AcceptedWithNotice,
}

impl RowDecision {
    pub fn as_str(self) -> &'static str {
        match self {
            RowDecision::Rejected => "rejected",
            RowDecision::Merged => "merged",
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
    #[serde(rename = "what")]
    pub message: String,
}

/// Writes findings as CSV with a byte-order mark (so that spreadsheets read it as UTF-8), under a
/// temporary name first.
pub fn write_report(path: &Path, list: &str, findings: &[ImportFinding]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(vec![0xef, 0xbb, 0xbf]);
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
