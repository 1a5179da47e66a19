//! Tables as CSV, for spreadsheets.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::super::Failure;

/// A download; spreadsheets take no cell of it for a formula.
pub fn csv(name: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<Response, Failure> {
    // With the mark by which Excel knows UTF-8.
    let mut out = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    let failed = |error: csv::Error| Failure::Internal(error.to_string());
    out.write_record(head).map_err(failed)?;
    for row in rows {
        out.write_record(row.iter().map(|cell| harmless(cell))).map_err(failed)?;
    }
    let bytes = out.into_inner().map_err(|error| Failure::Internal(error.to_string()))?;
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\""))];
    Ok((headers, bytes).into_response())
}

/// OWASP, CSV injection: what a spreadsheet would reckon with is told as text.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err() { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, told) in
            [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-2.5", "-2.5"), ("-2+3", "'-2+3"), ("\t=1", "'\t=1"), ("王", "王"), ("", "")]
        {
            assert_eq!(harmless(cell), told);
        }
    }
}
