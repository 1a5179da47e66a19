//! The columns of `responses.csv`: one per item, or one per option where several can be chosen.

use serde_json::{Value, json};

use super::layout::FieldKind;
use super::redaction::Redaction;
use crate::adapters::transports::csv_safe_cell;
use crate::domain::questionnaire::{Answer, Choice, Item, ItemKind, Questionnaire, Selection};

/// The respondent answered that the item does not apply. (An empty cell means not answered.)
pub const NOT_APPLICABLE: &str = "NA";
/// The respondent answered «don't know».
pub const DONT_KNOW: &str = "DK";

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
    match &item.kind {
        ItemKind::Info => Vec::new(),
        ItemKind::Choice(Choice {
            options,
            selection: Selection::Several { .. } | Selection::Ranked,
            ..
        }) => {
            let column = |code| ResponseColumn {
                name: format!("{}_{code}", item.variable),
                item,
                option: Some(code),
            };
            options.iter().map(|option| column(option.code.as_str())).collect()
        }
        _ => vec![ResponseColumn { name: item.variable.clone(), item, option: None }],
    }
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

    pub fn cell(&self, answer: Option<&Answer>, redaction: Option<&Redaction>) -> String {
        match answer {
            None => String::new(),
            Some(Answer::NotApplicable) => NOT_APPLICABLE.to_owned(),
            Some(Answer::DontKnow) => DONT_KNOW.to_owned(),
            Some(Answer::Open(text)) => {
                redaction.map(|r| csv_safe_cell(&r.apply(text.reveal()))).unwrap_or_default()
            }
            Some(Answer::Codes(codes)) => match (self.option, &self.item.kind) {
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
            Some(other) => other.to_stored().unwrap_or_default(),
        }
    }
}
