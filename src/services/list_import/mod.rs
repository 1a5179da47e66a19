//! List import: reads the respondent lists of applicants, which often contain errors.
//!
//! An import stores respondents (personal columns sealed, numbers found by keyed hash) and their
//! cases, and returns an [`ImportFinding`] with a remedy for every row that was not accepted
//! unchanged. An import is one transaction: it succeeds or fails as a whole, and importing the same
//! file again changes nothing. Errors and reports contain personal data only in masked form.
//!
//! [`source`] is the file, [`text`] decodes it, [`table`] reads its tables, [`find`] finds the
//! lists among them, and [`headers`] detects the columns by [`header_words`]. [`numbers`] reads a
//! cell of numbers, [`row`] a person; [`prepare`] seals it, and [`import`] writes it. [`selection`]
//! decides who stays on a list over the limit, [`known_forms`] remembers how an applicant's lists
//! were read, [`correction_sheet`] returns what only the applicant can correct, and [`template`] is
//! an empty list. Programmes and applications are registered by [`crate::services::programmes`],
//! numbers that must not be contacted by [`crate::services::suppressions`].

pub mod correction_sheet;
pub mod find;
pub mod further_numbers;
mod header_words;
pub mod headers;
mod import;
pub mod known_forms;
mod numbers;
mod prepare;
mod report;
mod row;
mod selection;
mod source;
pub mod table;
pub mod template;
mod text;

pub use find::{ListOptionError, ListOptions};
pub use import::{ImportOutcome, ImportRequest, import_list};
pub use report::{ImportFinding, ListNote, RowDecision, RowReason, write_report};
pub use selection::{Draw, DrawSeed, Selection};
pub use source::ListSource;
pub use table::{TableError, TableRow, read as read_table, read_up_to};

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::domain::category::Category;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "list.", serialize_all = "snake_case")]
pub enum ListImportError {
    #[error("{file}: {error}")]
    Table { file: String, error: TableError },
    #[error("no application has the code {0}")]
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
            allows at most {cap}; nothing was imported: shorten the list by {over}, leave rows out \
            (--leave-out 3,8,10-20), or have them drawn at random (--draw); on the console, tick \
            them off or press the button"
    )]
    OverCap {
        file: String,
        application: String,
        names: u32,
        category: Category,
        cap: u32,
        over: u32,
        /// With what is wrong with each row.
        outcome: Box<ImportOutcome>,
    },
    #[error(
        "{file}: no row could be taken ({rejected} rejected); correct the rows that the report \
            names and import the file again"
    )]
    NothingTaken {
        file: String,
        rejected: u64,
        /// With what is wrong with each row.
        outcome: Box<ImportOutcome>,
    },
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
    #[error(transparent)]
    #[strum(transparent)]
    Options(#[from] ListOptionError),
    #[error("the import was stopped: {0}; nothing was imported")]
    Stopped(String),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}
