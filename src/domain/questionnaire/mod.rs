//! A questionnaire: pages of items, in two languages, each item tagged with its latent variable.
//!
//! In goes a reviewed TOML file, out comes a [`Questionnaire`] whose items can be shown, whose answers can be checked, and whose codebook can be
//! written. It knows no respondent and keeps no state.

mod answer;
mod file;
mod item;

pub use answer::{Answer, AnswerProblem, Completion};
pub use file::QuestionnaireError;
pub use item::{Item, ItemKind, Latent, Scale};

use super::language::Text;

/// A checked questionnaire of one version.
#[derive(Debug, Clone)]
pub struct Questionnaire {
    pub code: String,
    pub version: u32,
    pub title: Text,
    pub introduction: Text,
    pub pages: Vec<Page>,
}

/// What stands on one page.
#[derive(Debug, Clone)]
pub struct Page {
    pub title: Text,
    pub items: Vec<Item>,
}

impl Questionnaire {
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.pages.iter().flat_map(|page| page.items.iter())
    }

    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items().find(|item| item.id == id)
    }
}
