//! Transports to other systems: files (atomically written folders, spreadsheet-safe CSV cells), S3
//! buckets, signed webhooks and e-mail. What is sent, and when it is retried, is up to the
//! services.

mod bucket;
pub mod email;
mod folder;
pub mod webhook;

pub use bucket::{Bucket, BucketError};
pub use folder::{FileDigest, NewFile, NewFolder, parent_of};

/// Returns a CSV cell that a spreadsheet does not interpret as a formula (OWASP: CSV injection).
pub fn csv_safe_cell(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}
