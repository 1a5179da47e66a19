//! Answers, and what a set of them amounts to.

use std::collections::BTreeMap;
use std::fmt;

use super::{Item, ItemKind, Questionnaire};
use crate::domain::personal::Personal;

/// A checked answer to one item. `Debug` prints nothing of it (invariant I7).
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    Number(i64),
    NotApplicable,
    /// Free text, which may name people: stored sealed.
    Open(Personal),
}

/// Why an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerProblem {
    /// The item is required and nothing was chosen.
    Missing,
    /// Not a point of the scale.
    OutOfRange,
    TooLong,
}

/// What the answers of a response amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Every required item is answered.
    Complete,
    /// Every core item is answered.
    Partial,
    /// Less than that.
    TooLittle,
}

impl Answer {
    /// Reads what a form sent for an item. `Ok(None)`: nothing, and nothing was required.
    pub fn parse(item: &Item, raw: Option<&str>) -> Result<Option<Answer>, AnswerProblem> {
        let raw = raw.map(str::trim).unwrap_or_default();
        if raw.is_empty() {
            return if item.required { Err(AnswerProblem::Missing) } else { Ok(None) };
        }
        match &item.kind {
            ItemKind::Scale(scale) if scale.not_applicable && raw == Answer::NOT_APPLICABLE => Ok(Some(Answer::NotApplicable)),
            ItemKind::Scale(scale) => match raw.parse::<i64>() {
                Ok(value) if (scale.from..=scale.to).contains(&value) => Ok(Some(Answer::Number(value))),
                _ => Err(AnswerProblem::OutOfRange),
            },
            ItemKind::Open { max_chars } if raw.chars().count() > *max_chars => Err(AnswerProblem::TooLong),
            ItemKind::Open { .. } => Ok(Some(Answer::Open(Personal::new(raw)))),
        }
    }

    /// The stored and transmitted form of «not applicable».
    pub const NOT_APPLICABLE: &'static str = "na";
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(…)")
    }
}

impl Questionnaire {
    /// What these answers amount to (AAPOR 1.1, 1.2 or less).
    pub fn completion(&self, answers: &BTreeMap<String, Answer>) -> Completion {
        let answered = |item: &Item| answers.contains_key(&item.id);
        if self.items().filter(|item| item.required).all(answered) {
            Completion::Complete
        } else if self.items().filter(|item| item.core).all(answered) {
            Completion::Partial
        } else {
            Completion::TooLittle
        }
    }

    /// The first page on which a required item lacks its answer; `None` when there is none.
    pub fn first_open_page(&self, answers: &BTreeMap<String, Answer>) -> Option<usize> {
        self.pages.iter().position(|page| page.items.iter().any(|item| item.required && !answers.contains_key(&item.id)))
    }
}
