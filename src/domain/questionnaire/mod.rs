//! Questionnaires: pages of items in one or more languages, each item tagged with its latent
//! variable.
//!
//! A reviewed TOML file is parsed into a [`Questionnaire`]. Its [`QuestionPath`] determines the
//! items that a respondent is asked; it validates answers and provides the codebook. The module has
//! no access to respondents and no state. [`review`] finds what is valid in the file but would fail
//! in the field (an item that nobody reaches, a text too long for SMS).

mod answer;
mod changes;
mod check;
mod check_names;
mod chosen_condition;
mod edit;
mod file;
mod item;
mod open_text;
mod path;
mod piping;
mod reading;
mod review;
mod review_items;

pub use answer::{Answer, AnswerProblem};
pub use changes::{Change, changes, kind_words};
pub use check::{Mistake, Mistakes, QuestionnaireError, Sketch};
pub use check_names::{ROUTING_FACTS, is_field_name};
pub use chosen_condition::{ChosenCondition, Subject, Term, Test};
pub use edit::{EditError, ItemPlace};
pub use file::{
    ItemFile, KindFile, OptionFile, Order, PageFile, QuestionnaireFile, RowFile, ScaleFile,
};
pub use item::{
    Choice, ChoiceOption, FIXED_COLUMNS, Item, ItemKind, Latent, MAX_TEXT, Range, Scale, Selection,
};
pub use path::{Completion, QuestionPath, RoutingFacts};
pub use piping::TextPiping;
pub use reading::{
    OptionReading, ReadingContext, folded, read_exact_option, read_numeral, read_options,
    wanted_form,
};
pub use review::{Finding, Severity, review};

use super::condition::Condition;
use super::language::{Language, LocalizedText};

/// A checked questionnaire of one version.
#[derive(Debug)]
pub struct Questionnaire {
    pub code: String,
    pub version: u32,
    /// The languages that every text has; the first is the one for readers of all others.
    pub languages: Vec<Language>,
    pub title: LocalizedText,
    pub introduction: LocalizedText,
    /// List fields that conditions use; the application must store them.
    pub list_fields: Vec<String>,
    pub pages: Vec<Page>,
}

/// A page of items.
#[derive(Debug)]
pub struct Page {
    pub title: LocalizedText,
    /// Condition for showing it.
    pub show_if: Option<Condition>,
    pub items: Vec<Item>,
}

impl Questionnaire {
    /// Returns the language in which somebody who reads the given one is interviewed.
    pub fn language_for(&self, wanted: Language) -> Language {
        wanted.choose(self.languages.iter().copied()).unwrap_or_default()
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.pages.iter().flat_map(|page| page.items.iter())
    }

    /// Returns the conditions for asking an item.
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
