//! Tables as CSV, for spreadsheets.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Failure;
use crate::adapters::transports::{BYTE_ORDER_MARK, csv_safe_cell};

/// Returns a CSV download. No cell is read as a formula by spreadsheets.
pub fn csv_download(
    name: &str,
    header_row: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<Response, Failure> {
    let mut out = csv::Writer::from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
    let failed = |error: csv::Error| Failure::Internal(error.to_string());
    out.write_record(header_row).map_err(failed)?;
    for row in rows {
        out.write_record(row.iter().map(|cell| csv_safe_cell(cell))).map_err(failed)?;
    }
    let bytes = out.into_inner().map_err(|error| Failure::Internal(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
    ];
    Ok((headers, bytes).into_response())
}
