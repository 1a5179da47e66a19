//! Applications as applicants submit them: the association's forms as Word documents, accompanying
//! lists, or a spreadsheet with one application per row.
//!
//! The result is a draft, which staff check against its source cells, correct and register; nothing
//! is registered automatically. [`documents`] unpacks and reads files, [`form`] reads the forms,
//! [`ticks`] their boxes, [`sheets`] information sheets. [`subjects`] separates subjects
//! ([`numbered`] by the numbers of a list, [`buildings`] by place and number), and [`rows`] reads a
//! spreadsheet of applications. [`reading`] combines an applicant's documents, [`codes`] makes
//! codes from names, and [`draft`] keeps the result until it is registered.

mod buildings;
pub mod by_hand;
pub mod codes;
pub mod documents;
pub mod draft;
mod form;
mod lists;
mod numbered;
pub mod reading;
mod rows;
mod sheets;
mod subjects;
mod ticks;

pub use documents::Document;
pub use form::ReadCell;
pub use reading::{ApplicationReading, DocumentProblem, ReadApplication, ReadList, read_documents};

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::services::drafts::lists::ListDraftError;
use crate::services::list_import::TableError;
use crate::services::programmes::RegistrationError;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "application_form.", serialize_all = "snake_case")]
pub enum ApplicationFormError {
    #[error("no document was handed in")]
    Nothing,
    #[error("{name}: {error}")]
    Document { name: String, error: TableError },
    #[error(
        "no application form and no list was found in {0}; hand in the form (申请书), an information \
            sheet (信息表) or a list (登记表) of the association"
    )]
    NoForm(String),
    #[error("no programme has the code {0}")]
    UnknownProgramme(String),
    #[error("the applicant's name is missing; write it into the draft")]
    NoApplicant,
    #[error(
        "{subject} ({category}): {missing} is missing; write it into the draft, or leave the application out"
    )]
    Missing { category: &'static str, subject: String, missing: String },
    #[error("every application of the draft is left out; there is nothing to register")]
    NothingToRegister,
    #[error("somebody else has changed this draft meanwhile; look at it again")]
    Changed,
    #[error("there is no such draft any more")]
    NotFound,
    #[error(transparent)]
    #[strum(transparent)]
    Registration(#[from] RegistrationError),
    #[error(transparent)]
    #[strum(transparent)]
    List(#[from] ListDraftError),
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

/// A sheet of these cells, for tests.
#[cfg(test)]
fn sheet_of(name: &str, rows: &[&[&str]]) -> crate::adapters::spreadsheets::Sheet {
    use crate::adapters::spreadsheets::{Row, Sheet};
    let row = |(cells, number): (&&[&str], u32)| Row {
        number,
        cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
    };
    Sheet {
        name: name.to_owned(),
        rows: rows.iter().zip(1..).map(row).collect(),
        ..Sheet::default()
    }
}
