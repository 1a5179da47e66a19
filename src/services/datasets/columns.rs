//! The columns of `responses.csv`: one per item, or one per option where several can be chosen.

use serde_json::{Value, json};

use super::layout::FieldKind;
use super::missing::{MissingCodes, MissingReason, text_cell};
use super::redaction::Redaction;
use crate::domain::questionnaire::{Answer, Item, ItemKind, Questionnaire, Selection};

pub struct ResponseColumn<'q> {
    pub name: String,
    pub item: &'q Item,
    /// The option of the column. The cell is 1 or 0 for chosen or not, or the rank in a ranking.
    pub option: Option<&'q str>,
}

/// Returns the columns of a questionnaire, in its order.
pub fn columns(questionnaire: &Questionnaire) -> Vec<ResponseColumn<'_>> {
    questionnaire.items().flat_map(columns_of).collect()
}

fn columns_of(item: &Item) -> Vec<ResponseColumn<'_>> {
    let column = |(name, option)| ResponseColumn { name, item, option };
    item.column_names().into_iter().map(column).collect()
}

impl ResponseColumn<'_> {
    /// Returns the column's type and constraints.
    pub fn schema(&self) -> (FieldKind, Value) {
        match (&self.item.kind, self.option) {
            (ItemKind::Scale(scale), _) => {
                (FieldKind::Integer, json!({ "minimum": scale.from, "maximum": scale.to }))
            }
            (ItemKind::Choice(choice), Some(_)) if choice.selection == Selection::Ranked => {
                (FieldKind::Integer, json!({ "minimum": 1, "maximum": choice.options.len() }))
            }
            (ItemKind::Choice(_), Some(_)) => (FieldKind::Integer, json!({ "enum": [0, 1] })),
            (ItemKind::Choice(choice), None) => (
                FieldKind::Text,
                json!({ "enum": choice.options.iter().map(|o| o.code.as_str()).collect::<Vec<_>>() }),
            ),
            (ItemKind::Number(range), _) => {
                let mut constraints = json!({});
                range.min.iter().for_each(|min| constraints["minimum"] = json!(min));
                range.max.iter().for_each(|max| constraints["maximum"] = json!(max));
                (FieldKind::Number, constraints)
            }
            (ItemKind::Date { .. }, _) => (FieldKind::Date, json!({})),
            (ItemKind::Open { .. } | ItemKind::Info, _) => (FieldKind::Text, json!({})),
        }
    }

    /// Returns the option's label, which the title adds to the item's text.
    pub fn option_label(&self) -> Option<&crate::domain::language::LocalizedText> {
        let ItemKind::Choice(choice) = &self.item.kind else { return None };
        let code = self.option?;
        choice.options.iter().find(|option| option.code == code).map(|option| &option.text)
    }

    /// Returns the reasons for which the item may have no answer.
    pub fn missing_reasons(&self) -> Vec<MissingReason> {
        let is_possible = |reason: &MissingReason| match reason {
            MissingReason::NotApplicable => self.item.not_applicable,
            MissingReason::DontKnow => self.item.dont_know,
            MissingReason::Refused => self.item.refused,
            MissingReason::Withheld => matches!(self.item.kind, ItemKind::Open { .. }),
            MissingReason::NotAsked | MissingReason::NotReached | MissingReason::Skipped => true,
        };
        MissingReason::ALL.into_iter().filter(is_possible).collect()
    }

    /// Returns the cell for an answer, or for the reason why there is none.
    pub fn cell(
        &self,
        answer: Result<&Answer, MissingReason>,
        redaction: Option<&Redaction>,
        missing: MissingCodes,
    ) -> String {
        match answer {
            Err(reason) => missing.code(reason).to_owned(),
            Ok(Answer::NotApplicable) => missing.code(MissingReason::NotApplicable).to_owned(),
            Ok(Answer::DontKnow) => missing.code(MissingReason::DontKnow).to_owned(),
            Ok(Answer::Refused) => missing.code(MissingReason::Refused).to_owned(),
            Ok(Answer::Open(text)) => match redaction {
                Some(redaction) => {
                    let codes: Vec<&str> = missing.all().map(|(_, code)| code).collect();
                    text_cell(&redaction.apply(text.reveal()), &codes).into_owned()
                }
                None => missing.code(MissingReason::Withheld).to_owned(),
            },
            Ok(Answer::Codes(codes)) => match (self.option, &self.item.kind) {
                (Some(option), ItemKind::Choice(choice))
                    if choice.selection == Selection::Ranked =>
                {
                    codes
                        .iter()
                        .position(|code| code == option)
                        .map(|place| (place + 1).to_string())
                        .unwrap_or_default()
                }
                (Some(option), _) => i64::from(codes.iter().any(|code| code == option)).to_string(),
                (None, _) => codes.first().cloned().unwrap_or_default(),
            },
            Ok(other) => other.to_stored().unwrap_or_default(),
        }
    }
}
