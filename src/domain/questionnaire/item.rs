//! Items and their kinds.

use serde::{Deserialize, Serialize};

use crate::domain::language::Text;

/// The latent variables of the customer-satisfaction models of GB/T 19038-2009 (model and methods).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
}

/// One question.
#[derive(Debug, Clone)]
pub struct Item {
    /// Unique within the questionnaire; the form field's name.
    pub id: String,
    /// The column in the dataset.
    pub variable: String,
    /// What it measures; an open question measures none.
    pub latent: Option<Latent>,
    pub text: Text,
    pub required: bool,
    /// A response with all core items answered counts as partial (AAPOR 1.2).
    pub core: bool,
    pub kind: ItemKind,
}

#[derive(Debug, Clone)]
pub enum ItemKind {
    Scale(Scale),
    /// Free text of at most so many characters.
    Open {
        max_chars: usize,
    },
}

/// A rating scale with labelled ends.
#[derive(Debug, Clone)]
pub struct Scale {
    pub from: i64,
    pub to: i64,
    pub low: Text,
    pub high: Text,
    pub not_applicable: bool,
}

impl Scale {
    pub fn points(&self) -> impl Iterator<Item = i64> {
        self.from..=self.to
    }
}
