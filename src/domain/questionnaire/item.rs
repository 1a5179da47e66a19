//! Items and their kinds.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::AnswerProblem;
use crate::domain::condition::Condition;
use crate::domain::language::LocalizedText;
use crate::domain::seeded_random::seeded_fraction;

/// The latent variables of the customer-satisfaction models of GB/T 19038-2009 (model and methods).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Latent {
    Image,
    Expectation,
    PerceivedQuality,
    PerceivedValue,
    Satisfaction,
    Complaint,
    Loyalty,
}

impl Latent {
    pub fn as_str(self) -> &'static str {
        match self {
            Latent::Image => "image",
            Latent::Expectation => "expectation",
            Latent::PerceivedQuality => "perceived_quality",
            Latent::PerceivedValue => "perceived_value",
            Latent::Satisfaction => "satisfaction",
            Latent::Complaint => "complaint",
            Latent::Loyalty => "loyalty",
        }
    }

    pub const ALL: [Latent; 7] = [
        Latent::Image,
        Latent::Expectation,
        Latent::PerceivedQuality,
        Latent::PerceivedValue,
        Latent::Satisfaction,
        Latent::Complaint,
        Latent::Loyalty,
    ];

    pub fn parse(raw: &str) -> Option<Latent> {
        Latent::ALL.into_iter().find(|latent| latent.as_str() == raw)
    }

    /// Its name in English.
    pub fn english(self) -> &'static str {
        match self {
            Latent::Image => "image",
            Latent::Expectation => "expectations",
            Latent::PerceivedQuality => "perceived quality",
            Latent::PerceivedValue => "perceived value",
            Latent::Satisfaction => "satisfaction",
            Latent::Complaint => "complaints",
            Latent::Loyalty => "loyalty",
        }
    }

    /// Its name in Chinese.
    pub fn chinese(self) -> &'static str {
        match self {
            Latent::Image => "形象",
            Latent::Expectation => "预期质量",
            Latent::PerceivedQuality => "感知质量",
            Latent::PerceivedValue => "感知价值",
            Latent::Satisfaction => "顾客满意度",
            Latent::Complaint => "顾客抱怨",
            Latent::Loyalty => "顾客忠诚",
        }
    }
}

/// The columns of every dataset of responses, beside those of the items.
pub const FIXED_COLUMNS: [&str; 17] = [
    "case",
    "disposition",
    "language",
    "mode",
    "started_at",
    "completed_at",
    "seconds",
    "device",
    "speeding",
    "straight_lining",
    "duplicate_answers",
    "origin_cluster",
    "review_verdict",
    "item_nonresponse",
    "items_answered",
    "panel_id",
    "w_raked",
];

/// The longest text of an answer, in UTF-16 code units: what a cell of a worksheet holds. No other
/// format of a dataset holds less.
pub const MAX_TEXT: usize = 32_767;

/// A question, or a text between questions.
#[derive(Debug)]
pub struct Item {
    /// Unique within the questionnaire; name of the form field, and name in conditions.
    pub id: String,
    /// Column in the dataset.
    pub variable: String,
    /// Latent variable that it measures; `None` for an open question.
    pub latent: Option<Latent>,
    /// Heading above the first row of a grid.
    pub heading: Option<LocalizedText>,
    /// Text of the grid of which it is a row.
    pub grid: Option<LocalizedText>,
    /// The grid's id in the file: nobody answers it, but a written file has it again.
    pub grid_id: Option<String>,
    pub text: LocalizedText,
    /// Hint for the interviewer, on the telephone.
    pub hint: Option<LocalizedText>,
    /// Short text for SMS.
    pub sms: Option<LocalizedText>,
    /// What is said instead of the fixed words if an answer is not taken; not by SMS.
    pub wrong_answer: Option<LocalizedText>,
    /// What is said instead of the fixed words if a required answer is missing; not by SMS.
    pub missing_answer: Option<LocalizedText>,
    pub required: bool,
    /// A response with all core items answered counts as partial (AAPOR 1.2).
    pub core: bool,
    pub not_applicable: bool,
    pub dont_know: bool,
    /// Whether «rather not say» is offered.
    pub refused: bool,
    /// Condition for asking it.
    pub show_if: Option<Condition>,
    /// Condition under which the respondent is not a user of the subject (AAPOR 4.1).
    pub screen_out_if: Option<Condition>,
    pub kind: ItemKind,
}

#[derive(Debug)]
pub enum ItemKind {
    Scale(Scale),
    /// One of the options, several of them, or all of them ranked.
    Choice(Choice),
    Number(Range),
    /// A day, within the limits that are set.
    Date {
        first: Option<NaiveDate>,
        last: Option<NaiveDate>,
    },
    /// Free text with a maximum length in UTF-16 code units, as browsers count it.
    Open {
        max_chars: usize,
    },
    /// A text without a question.
    Info,
}

/// A rating scale with labelled ends.
#[derive(Debug, Clone)]
pub struct Scale {
    pub from: i64,
    pub to: i64,
    pub low: LocalizedText,
    pub high: LocalizedText,
}

impl Scale {
    pub fn points(&self) -> impl Iterator<Item = i64> {
        self.from..=self.to
    }
}

#[derive(Debug, Clone)]
pub struct Choice {
    pub options: Vec<ChoiceOption>,
    pub selection: Selection,
    /// Whether the options are in random order for each respondent.
    pub is_shuffled: bool,
}

/// One option.
#[derive(Debug, Clone)]
pub struct ChoiceOption {
    pub code: String,
    pub text: LocalizedText,
    /// Excludes all others («none of these»); never shuffled.
    pub is_exclusive: bool,
}

/// How many options are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    One,
    Several { min: usize, max: usize },
    Ranked,
}

impl Choice {
    pub fn has(&self, code: &str) -> bool {
        self.options.iter().any(|option| option.code == code)
    }

    /// Returns the options in the order displayed for a case, which is the same on every display.
    pub fn order_for(&self, case: i64, item: &str) -> Vec<&ChoiceOption> {
        let (mut options, last): (Vec<_>, Vec<_>) =
            self.options.iter().partition(|option| !option.is_exclusive);
        if self.is_shuffled {
            options.sort_by_key(|option| {
                (seeded_fraction(&format!("{case}\n{item}\n{}", option.code), 0) * 1e12) as u64
            });
        }
        options.extend(last);
        options
    }
}

/// A number in a unit, with a maximum number of decimals.
#[derive(Debug, Clone)]
pub struct Range {
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub decimals: u32,
    pub unit: Option<LocalizedText>,
}

impl Item {
    /// Returns whether its answers can be counted and compared, unlike free text.
    pub fn is_coded(&self) -> bool {
        !matches!(self.kind, ItemKind::Info | ItemKind::Open { .. })
    }

    /// Returns the names of its columns in the dataset: one, or one for each option (with its code)
    /// where several can be chosen.
    pub fn column_names(&self) -> Vec<(String, Option<&str>)> {
        match &self.kind {
            ItemKind::Info => Vec::new(),
            ItemKind::Choice(choice) if choice.selection != Selection::One => {
                let codes = choice.options.iter().map(|option| option.code.as_str());
                codes.map(|code| (format!("{}_{code}", self.variable), Some(code))).collect()
            }
            _ => vec![(self.variable.clone(), None)],
        }
    }

    /// Returns the item's own words for a problem with its answer.
    pub fn own_message(&self, problem: AnswerProblem) -> Option<&LocalizedText> {
        match problem {
            AnswerProblem::Missing => self.missing_answer.as_ref(),
            _ => self.wrong_answer.as_ref(),
        }
    }

    /// Returns whether it asks a question.
    pub fn is_question(&self) -> bool {
        !matches!(self.kind, ItemKind::Info)
    }
}
