//! What goes to others: files (a folder written whole or not at all, cells that are safe in a
//! spreadsheet), objects in a bucket, signed webhooks, e-mail.

mod bucket;
pub mod email;
mod folder;
pub mod webhook;

pub use bucket::{Bucket, BucketError};
pub use folder::{FileDigest, NewFile, NewFolder, parent_of};

/// A cell of a CSV file that a spreadsheet will not take for a formula (OWASP: CSV injection).
pub fn csv_safe_cell(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}
