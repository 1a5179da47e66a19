//! A questionnaire: pages of items, in two languages, each item tagged with its latent variable.
//!
//! In goes a reviewed TOML file, out comes a [`Questionnaire`] whose [`QuestionPath`] tells which
//! items a respondent is asked, whose answers can be checked, and whose codebook can be written. It
//! knows no respondent and keeps no state. What reads well and would still go wrong in the field
//! (an item that nobody reaches, a text too long for SMS) is found by [`review`].

mod answer;
mod check_names;
mod file;
mod item;
mod path;
mod piping;
mod review;

pub use answer::{Answer, AnswerProblem};
pub use check_names::{ROUTING_FACTS, is_field_name};
pub use file::QuestionnaireError;
pub use item::{Choice, ChoiceOption, Item, ItemKind, Latent, Range, Scale, Selection};
pub use path::{Completion, QuestionPath, RoutingFacts};
pub use piping::TextPiping;
pub use review::{Finding, Severity, review};

use super::condition::Condition;
use super::language::LocalizedText;

/// A checked questionnaire of one version.
#[derive(Debug)]
pub struct Questionnaire {
    pub code: String,
    pub version: u32,
    pub title: LocalizedText,
    pub introduction: LocalizedText,
    /// Fields of lists that conditions look at; the application must keep them.
    pub list_fields: Vec<String>,
    pub pages: Vec<Page>,
}

/// What stands on one page.
#[derive(Debug)]
pub struct Page {
    pub title: LocalizedText,
    /// Shown only if this holds.
    pub show_if: Option<Condition>,
    pub items: Vec<Item>,
}

impl Questionnaire {
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.pages.iter().flat_map(|page| page.items.iter())
    }

    /// What must hold for an item to be asked.
    pub fn conditions_of(&self, item: &Item) -> impl Iterator<Item = &Condition> {
        let page =
            self.pages.iter().find(|page| page.items.iter().any(|other| other.id == item.id));
        let own = self.item(&item.id).and_then(|own| own.show_if.as_ref());
        page.and_then(|page| page.show_if.as_ref()).into_iter().chain(own)
    }

    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items().find(|item| item.id == id)
    }
}
