//! Transports to other systems: files (atomically written folders, spreadsheet-safe CSV cells), S3
//! buckets, signed webhooks and e-mail. What is sent, and when it is retried, is up to the
//! services.

mod bucket;
pub mod email;
mod folder;
pub mod webhook;

pub use bucket::{Bucket, BucketError};
pub use folder::{FileDigest, NewFile, NewFolder, parent_of};

/// Begins a CSV file that people open: without it, Excel and WPS read the file in the code page of the
/// machine when it is opened by a double click.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Returns a CSV cell that a spreadsheet does not interpret as a formula (OWASP: CSV injection).
pub fn csv_safe_cell(cell: &str) -> String {
    // Spreadsheets read full-width signs like the others, and skip white space before them.
    let start = cell.trim_start_matches([' ', '\u{3000}', '\u{feff}']);
    const SIGNS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '\0'];
    if start.starts_with(SIGNS) { format!("'{cell}") } else { cell.to_owned() }
}
