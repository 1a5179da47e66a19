//! Answers: validated input for one item from a form, an SMS or an interviewer.

use std::collections::BTreeSet;
use std::fmt;

use cel::Value;
use chrono::NaiveDate;

use super::reading::{ReadingContext, read_date, read_number, read_whole};
use super::{Choice, Item, ItemKind, Selection, open_text};
use crate::domain::condition;
use crate::domain::personal::Personal;

/// A validated answer to one item. `Debug` prints nothing of it (invariant I7).
#[derive(Clone, PartialEq)]
pub enum Answer {
    /// A point of a scale.
    Point(i64),
    Number(f64),
    /// Codes of options: one, several in the questionnaire's order, or all in the respondent's
    /// order.
    Codes(Vec<String>),
    Date(NaiveDate),
    NotApplicable,
    DontKnow,
    /// The respondent would rather not say.
    Refused,
    /// Free text, which may name people: stored sealed.
    Open(Personal),
}

/// The reason for which an answer was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerProblem {
    /// The item is required and has no answer.
    Missing,
    /// Not a point of the scale, none of the options, not a number or not a day.
    OutOfRange,
    /// A number or a day beyond its limits.
    BeyondLimits,
    TooLong,
    TooFew(usize),
    TooMany(usize),
    /// An exclusive option was combined with others.
    Exclusive,
    /// Not every option has a rank of its own.
    NotRanked,
}

impl Answer {
    /// The stored form of «not applicable», and its name in conditions.
    pub const NOT_APPLICABLE: &'static str = "na";
    /// The stored form of «don't know», and its name in conditions.
    pub const DONT_KNOW: &'static str = "dk";

    /// The stored form of «rather not say», and its name in conditions.
    pub const REFUSED: &'static str = "refused";

    /// Whether it says something about what was asked: not that it does not apply, is not known or
    /// is not told.
    pub fn is_substantive(&self) -> bool {
        !matches!(self, Answer::NotApplicable | Answer::DontKnow | Answer::Refused)
    }

    /// Returns the form in which «rather not say» is sent for an item.
    pub fn refused_form(item: &Item) -> &'static str {
        if item.is_coded() { Answer::REFUSED } else { ".refused" }
    }

    /// Returns the form in which «not applicable» is sent for an item. An open answer may be «na».
    pub fn not_applicable_form(item: &Item) -> &'static str {
        if item.is_coded() { Answer::NOT_APPLICABLE } else { ".na" }
    }

    /// Returns the form in which «don't know» is sent for an item.
    pub fn dont_know_form(item: &Item) -> &'static str {
        if item.is_coded() { Answer::DONT_KNOW } else { ".dk" }
    }

    /// Parses the input for an item: a number or a day as people write them (see
    /// [`super::reading`]), space-separated codes, for a ranking space-separated `code:place`.
    /// Returns `Ok(None)` if there is no input and none is required.
    pub fn parse(
        item: &Item,
        raw: Option<&str>,
        context: ReadingContext,
    ) -> Result<Option<Answer>, AnswerProblem> {
        let raw = raw.map(str::trim).unwrap_or_default();
        if raw.is_empty() || !item.is_question() {
            return if item.required && item.is_question() {
                Err(AnswerProblem::Missing)
            } else {
                Ok(None)
            };
        }
        if item.not_applicable && raw == Answer::not_applicable_form(item) {
            return Ok(Some(Answer::NotApplicable));
        }
        if item.dont_know && raw == Answer::dont_know_form(item) {
            return Ok(Some(Answer::DontKnow));
        }
        if item.refused && raw == Answer::refused_form(item) {
            return Ok(Some(Answer::Refused));
        }
        let answer = match &item.kind {
            ItemKind::Scale(scale) => {
                let point = read_whole(raw, context.language)
                    .filter(|point| (scale.from..=scale.to).contains(point));
                Answer::Point(point.ok_or(AnswerProblem::OutOfRange)?)
            }
            ItemKind::Choice(choice) => return codes(item, choice, raw),
            ItemKind::Number(range) => Answer::Number(read_number(item, range, raw, context)?),
            ItemKind::Date { first, last } => {
                Answer::Date(read_date((*first, *last), raw, context)?)
            }
            ItemKind::Open { max_chars } => {
                return open_text::parse(item, *max_chars, without_box(item, raw));
            }
            ItemKind::Info => return Ok(None),
        };
        Ok(Some(answer))
    }

    /// Parses the stored form; `None` if it is not an answer to this item.
    pub fn from_stored(item: &Item, stored: &str) -> Option<Answer> {
        match (stored, &item.kind) {
            // An item with such an option offers no «not applicable» beside it.
            (_, ItemKind::Choice(choice)) if choice.has(stored) => {
                Some(Answer::Codes(vec![stored.to_owned()]))
            }
            (Answer::NOT_APPLICABLE, _) => Some(Answer::NotApplicable),
            (Answer::DONT_KNOW, _) => Some(Answer::DontKnow),
            (Answer::REFUSED, _) => Some(Answer::Refused),
            (_, ItemKind::Scale(_)) => stored.parse().ok().map(Answer::Point),
            (_, ItemKind::Number(_)) => stored.parse().ok().map(Answer::Number),
            (_, ItemKind::Date { .. }) => stored.parse().ok().map(Answer::Date),
            (_, ItemKind::Choice(_)) => {
                Some(Answer::Codes(stored.split(' ').map(str::to_owned).collect()))
            }
            (_, ItemKind::Open { .. } | ItemKind::Info) => None,
        }
    }

    /// Returns the stored form; `None` for free text, which is sealed instead.
    pub fn to_stored(&self) -> Option<String> {
        Some(match self {
            Answer::Point(point) => point.to_string(),
            Answer::Number(number) => number.to_string(),
            Answer::Codes(codes) => codes.join(" "),
            Answer::Date(day) => day.to_string(),
            Answer::NotApplicable => Answer::NOT_APPLICABLE.to_owned(),
            Answer::DontKnow => Answer::DONT_KNOW.to_owned(),
            Answer::Refused => Answer::REFUSED.to_owned(),
            Answer::Open(_) => return None,
        })
    }

    /// Returns the value for conditions; `None` for free text, which conditions cannot use.
    pub(super) fn value(&self, item: &Item) -> Option<Value> {
        Some(match (self, &item.kind) {
            (Answer::Point(point), _) => Value::Int(*point),
            (Answer::Number(number), _) => condition::number(*number),
            (Answer::Codes(codes), ItemKind::Choice(Choice { selection: Selection::One, .. })) => {
                Value::from(codes.first()?.as_str())
            }
            (Answer::Codes(codes), _) => condition::list(codes),
            (Answer::Date(day), _) => Value::from(day.to_string()),
            (Answer::NotApplicable, _) => Value::from(Answer::NOT_APPLICABLE),
            (Answer::DontKnow, _) => Value::from(Answer::DONT_KNOW),
            (Answer::Refused, _) => Value::from(Answer::REFUSED),
            (Answer::Open(_), _) => return None,
        })
    }
}

/// Whoever writes a text and ticks «not applicable» beside it has answered with the text.
fn without_box<'r>(item: &Item, raw: &'r str) -> &'r str {
    let boxes = [
        (item.not_applicable, Answer::not_applicable_form(item)),
        (item.dont_know, Answer::dont_know_form(item)),
        (item.refused, Answer::refused_form(item)),
    ];
    boxes.into_iter().filter(|(is_offered, _)| *is_offered).fold(raw, |raw, (_, form)| {
        raw.strip_suffix(form).and_then(|text| text.strip_suffix(' ')).unwrap_or(raw)
    })
}

fn codes(item: &Item, choice: &Choice, raw: &str) -> Result<Option<Answer>, AnswerProblem> {
    let given: Vec<&str> = raw.split_whitespace().collect();
    if choice.selection == Selection::Ranked {
        return ranked(item, choice, &given).map(|ranked| ranked.map(Answer::Codes));
    }
    if given.iter().any(|code| !choice.has(code)) {
        return Err(AnswerProblem::OutOfRange);
    }
    // In the questionnaire's order, without duplicates.
    let taken: Vec<_> =
        choice.options.iter().filter(|option| given.contains(&option.code.as_str())).collect();
    let (min, max) = match choice.selection {
        Selection::One => (1, 1),
        Selection::Several { min, max } => (min, max),
        Selection::Ranked => (0, usize::MAX),
    };
    let is_exclusive = taken.iter().any(|option| option.is_exclusive);
    match taken.len() {
        2.. if is_exclusive => Err(AnswerProblem::Exclusive),
        n if n > max => Err(AnswerProblem::TooMany(max)),
        n if n < min && !is_exclusive => Err(AnswerProblem::TooFew(min)),
        _ => Ok(Some(Answer::Codes(taken.into_iter().map(|option| option.code.clone()).collect()))),
    }
}

/// Parses `b:1 a:2`, each option with a rank of its own. Without any rank there is no answer.
fn ranked(
    item: &Item,
    choice: &Choice,
    given: &[&str],
) -> Result<Option<Vec<String>>, AnswerProblem> {
    let mut places: Vec<(usize, String)> = Vec::new();
    for pair in given {
        let (code, place) = pair.split_once(':').ok_or(AnswerProblem::NotRanked)?;
        if place.is_empty() {
            continue;
        }
        let place = place
            .parse()
            .ok()
            .filter(|place| (1..=choice.options.len()).contains(place))
            .ok_or(AnswerProblem::NotRanked)?;
        if !choice.has(code) {
            return Err(AnswerProblem::OutOfRange);
        }
        places.push((place, code.to_owned()));
    }
    if places.is_empty() {
        return if item.required { Err(AnswerProblem::Missing) } else { Ok(None) };
    }
    places.sort();
    let codes: BTreeSet<&String> = places.iter().map(|(_, code)| code).collect();
    let is_whole = places.iter().zip(1..).all(|((place, _), expected)| *place == expected);
    if !is_whole || codes.len() != places.len() || places.len() != choice.options.len() {
        return Err(AnswerProblem::NotRanked);
    }
    Ok(Some(places.into_iter().map(|(_, code)| code).collect()))
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer(…)")
    }
}
