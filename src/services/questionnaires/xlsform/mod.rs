//! Imports questionnaires from XLSForm (<https://xlsform.org>), the usual format of survey
//! fieldwork, and exports them.
//!
//! The input is a workbook with the sheets `survey` and `choices` (and optionally `settings`). The
//! output is a questionnaire as TOML, to be reviewed like any other, with remarks on what was
//! decided. Whatever cannot be asked is refused, all at once, or left out on request. What XLSForm
//! cannot express is in columns whose names begin with `fieldworkd_`; `latent` and `core` need no
//! such prefix.
//!
//! The path of a form: [`workbook`] names cells, [`languages`] chooses texts, [`structure`] builds
//! the tree of groups, [`import`] walks it and fills the [`scope`] of names, [`to_cel`] writes the
//! conditions, [`pages`] lays the items out, and [`finish`] writes the file.

mod cascades;
mod choices;
mod columns;
mod conditions;
mod constraints;
mod evaluate;
mod export;
mod expression;
mod findings;
mod finish;
mod import;
mod items;
mod kinds;
mod languages;
mod names;
mod pages;
mod questions;
mod scope;
mod selects;
mod simplify;
mod structure;
mod texts;
mod to_cel;
mod types;
mod values;
mod workbook;

pub use export::{ExportedForm, export};
pub use findings::{Finding, Otherwise, Refusals};

use crate::adapters::spreadsheets::Sheet;
use crate::domain::language::Language;
use crate::domain::questionnaire::QuestionnaireError;
use crate::services::list_import::table::{TableError, sheets};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "xlsform.", serialize_all = "snake_case")]
pub enum XlsFormError {
    #[error(transparent)]
    #[strum(transparent)]
    Workbook(#[from] TableError),
    #[error("there is no sheet «{0}»; an XLSForm has the sheets survey and choices")]
    NoSheet(&'static str),
    #[error("--language: {0}")]
    Language(String),
    #[error("{0}")]
    Row(Refusals),
    #[error("read so far, but {0}")]
    #[strum(transparent)]
    Questionnaire(#[from] QuestionnaireError),
    #[error("the questionnaire cannot be written as XLSForm: {0}; shorten the text")]
    Export(String),
}

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The form's languages that stand for ours, such as `(Zh, "French (fr)")`.
    pub languages: Vec<(Language, String)>,
    /// Whether what cannot be asked is left out, and what depends on it.
    pub leaves_out: bool,
}

/// The questionnaire file, and the remarks on its conversion.
#[derive(Debug)]
pub struct ImportedQuestionnaire {
    pub toml: String,
    pub remarks: Vec<Finding>,
}

/// Imports a workbook.
///
/// # Errors
/// If it is no workbook with questions, or if something in it cannot be asked: then all findings.
pub fn import(
    bytes: &[u8],
    options: &ImportOptions,
) -> Result<ImportedQuestionnaire, XlsFormError> {
    import_sheets(&sheets(bytes)?, options)
}

/// Imports the sheets of a workbook; see [`import`].
pub fn import_sheets(
    sheets: &[Sheet],
    options: &ImportOptions,
) -> Result<ImportedQuestionnaire, XlsFormError> {
    let mut findings = findings::Findings::new(options.leaves_out);
    let workbook =
        workbook::read_workbook(sheets, &mut findings).ok_or(XlsFormError::NoSheet("survey"))?;
    let languages = languages::choose(&workbook, &options.languages, &mut findings)
        .map_err(XlsFormError::Language)?;
    import::Importer::new(&workbook, languages, findings).import(&workbook)
}
