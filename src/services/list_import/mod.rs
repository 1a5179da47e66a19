//! Intake: programmes, applications and respondent lists come into the house.
//!
//! In go the files that applicants hand in, with the dirt that such files have; out come
//! respondents (personal columns sealed, numbers found by keyed hash) and their cases, and for
//! every row that was not taken a [`ImportFinding`] that tells staff what to do. An import is one
//! transaction: it happens whole or not at all, and the same file again changes nothing. Nothing of
//! a person is ever in an error or a report but its shape.
//!
//! [`source`] is the file, [`text`] decodes it, [`table`] reads rows, [`headers`] finds the
//! columns, [`row`] reads a person, [`prepare`] seals it, [`import`] writes it, [`registration`]
//! takes programmes and applications, [`suppressions`] takes numbers that must not be contacted.

mod headers;
mod import;
mod prepare;
mod report;
mod row;
mod source;
pub mod table;
mod text;

pub use import::{ImportOutcome, ImportRequest, import_list};
pub use report::{ImportFinding, RowDecision, write_report};
pub use source::ListSource;
pub use table::{TableError, TableRow, read as read_table};

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::domain::category::Category;

#[derive(Debug, thiserror::Error)]
pub enum ListImportError {
    #[error("{file}: {error}")]
    Table { file: String, error: TableError },
    #[error("no application has the code {0}; register it with «application add»")]
    UnknownApplication(String),
    #[error(
        "applications {0} and {1} belong to different applicants; a list is one applicant's, so \
            import it for each by itself"
    )]
    DifferentApplicants(String, String),
    #[error("application {0} is in the field or closed; its list can no longer change")]
    NotOpen(String),
    #[error(
        "{file}: application {application} would have {names} names, but category {category} \
            allows at most {cap}; shorten the list by {over}, nothing was imported"
    )]
    OverCap {
        file: String,
        application: String,
        names: u32,
        category: Category,
        cap: u32,
        over: u32,
    },
    #[error(
        "{file}: no row could be taken ({rejected} rejected); correct the rows that the report \
            names and import the file again"
    )]
    NothingTaken { file: String, rejected: u64 },
    #[error(
        "application {application}: the programme took lists until {cut_off}; register it in the \
            next programme"
    )]
    AfterCutOff { application: String, cut_off: chrono::NaiveDate },
    #[error(
        "{file}: no column is headed {words}, which the application keeps (list_fields); add the \
            column, or take the field out of the application"
    )]
    NoField { file: String, words: String },
    #[error("the import was stopped: {0}; nothing was imported")]
    Stopped(String),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
}
