//! Questionnaires on the console: all categories ([`overview`]), the questionnaire as a phone shows
//! it ([`preview`]), the editor ([`editor`]) with its forms ([`form`]), and versions with their
//! differences ([`versions`]).

pub mod editor;
mod editor_view;
mod form;
pub mod overview;
pub mod preview;
pub mod versions;

use crate::domain::category::Category;
use crate::interfaces::errors::LocalizedError;
use crate::interfaces::http::Failure;
use crate::interfaces::http::page_layout::Translator;
use crate::services::questionnaires::editor::EditorError;

/// Returns what went wrong, for its page. What nobody in front of the page can help is a failure.
fn problem(tr: Translator, error: EditorError) -> Result<String, Failure> {
    match error {
        EditorError::Database(error) => Err(error.into()),
        EditorError::NotFound | EditorError::NoVersion => Err(Failure::NotFound),
        other => Ok(other.localized(tr.0)),
    }
}

fn category_of(raw: &str) -> Result<Category, Failure> {
    Category::parse(raw).ok_or(Failure::NotFound)
}
