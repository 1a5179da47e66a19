//! The questionnaire's file format (TOML). What it says is checked in `check.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::item::Latent;
use super::{Questionnaire, QuestionnaireError};
use crate::domain::language::{Language, LocalizedText};

#[derive(JsonSchema, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Questionnaire")]
pub struct QuestionnaireFile {
    /// Letters, digits, «-» and «_».
    pub code: String,
    /// Incremented with every change: a launched version is frozen.
    pub version: u32,
    /// The languages (BCP 47 tags) that every text has; the first is shown to readers of all others.
    /// If absent, those of the title.
    #[serde(default)]
    pub languages: Vec<Language>,
    pub title: LocalizedText,
    pub introduction: LocalizedText,
    /// List fields used by conditions, besides `category`, `segment` and `mode`; the application
    /// stores them under these names.
    #[serde(default)]
    pub list_fields: Vec<String>,
    /// The ends of every scale that does not set its own.
    pub scale: Option<ScaleFile>,
    #[serde(rename = "page")]
    pub pages: Vec<PageFile>,
}

/// The points and the ends of a scale.
#[derive(JsonSchema, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct ScaleFile {
    pub from: i64,
    pub to: i64,
    pub low: LocalizedText,
    pub high: LocalizedText,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct PageFile {
    pub title: LocalizedText,
    /// A condition in CEL over items of earlier pages and `category`, `segment`, `mode`:
    /// `sat1 <= 4 && 'price' in why`.
    #[serde(default)]
    pub show_if: Option<String>,
    #[serde(rename = "item")]
    pub items: Vec<ItemFile>,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct ItemFile {
    /// Name in forms and conditions.
    pub id: String,
    /// Column in the dataset; a choice of several options has one column each, `VARIABLE_code`.
    #[serde(default)]
    pub variable: Option<String>,
    /// Latent variable that a scale measures.
    #[serde(default)]
    pub latent: Option<Latent>,
    #[serde(rename = "type")]
    pub kind: KindFile,
    pub text: LocalizedText,
    /// Hint for the interviewer.
    #[serde(default)]
    pub hint: Option<LocalizedText>,
    /// Short text for SMS.
    #[serde(default)]
    pub sms: Option<LocalizedText>,
    /// Shown instead of the fixed words if an answer is not taken; not by SMS.
    #[serde(default)]
    pub wrong_answer: Option<LocalizedText>,
    /// Shown instead of the fixed words if a required answer is missing; not by SMS.
    #[serde(default)]
    pub missing_answer: Option<LocalizedText>,
    #[serde(default = "yes")]
    pub required: bool,
    /// A response with all core items answered is partial (AAPOR 1.2).
    #[serde(default)]
    pub core: bool,
    #[serde(default)]
    pub not_applicable: bool,
    #[serde(default)]
    pub dont_know: bool,
    /// Whether «rather not say» is offered.
    #[serde(default)]
    pub refused: bool,
    /// The item is asked only if this condition holds; like that of the page.
    #[serde(default)]
    pub show_if: Option<String>,
    /// A respondent for whom this holds is not a user of the subject (AAPOR 4.1); it may also use
    /// this item.
    #[serde(default)]
    pub screen_out_if: Option<String>,
    #[serde(default)]
    pub scale: Option<ScaleFile>,
    #[serde(default)]
    pub options: Vec<OptionFile>,
    #[serde(default)]
    pub order: Order,
    /// Minimum of a number; for several options, the minimum number of them.
    #[serde(default, serialize_with = "whole_if_whole")]
    pub min: Option<f64>,
    #[serde(default, serialize_with = "whole_if_whole")]
    pub max: Option<f64>,
    #[serde(default)]
    pub decimals: u32,
    #[serde(default)]
    pub unit: Option<LocalizedText>,
    #[serde(default)]
    pub first: Option<String>,
    #[serde(default)]
    pub last: Option<String>,
    /// Longest text, as browsers count it (UTF-16 code units).
    #[serde(default)]
    #[schemars(range(min = 1, max = 32767))]
    pub max_chars: Option<usize>,
    #[serde(default)]
    pub rows: Vec<RowFile>,
}

#[derive(JsonSchema, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct OptionFile {
    pub code: String,
    pub text: LocalizedText,
    #[serde(default)]
    pub exclusive: bool,
}

/// A row of a grid: an item with the grid's scale or options.
#[derive(JsonSchema, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct RowFile {
    pub id: String,
    pub variable: String,
    pub text: LocalizedText,
    #[serde(default)]
    pub latent: Option<Latent>,
}

#[derive(
    JsonSchema,
    Serialize,
    Deserialize,
    PartialEq,
    Eq,
    Clone,
    Copy,
    Debug,
    strum::EnumIter,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum KindFile {
    Scale,
    Single,
    Multiple,
    Number,
    Date,
    /// `open` is its older name.
    #[serde(alias = "open")]
    Text,
    Rank,
    Grid,
    Info,
}

#[derive(JsonSchema, Serialize, Deserialize, PartialEq, Eq, Clone, Copy, Default, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    #[default]
    AsWritten,
    Random,
}

/// The longest message about a file that is no questionnaire, in characters.
const LONGEST_MESSAGE: usize = 300;

fn yes() -> bool {
    true
}

/// Writes `5` rather than `5.0`.
fn whole_if_whole<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            serializer.serialize_i64(*number as i64)
        }
        Some(number) => serializer.serialize_f64(*number),
        None => serializer.serialize_none(),
    }
}

impl Questionnaire {
    /// Returns the JSON Schema of the file format.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(QuestionnaireFile).to_value()
    }
}

/// Removes what a file says as well without it.
fn without_defaults(table: &mut toml::Table) {
    use toml::Value;
    table.retain(|key, value| match value {
        // All are false by default, but for «required».
        Value::Boolean(value) => *value != (key == "required"),
        Value::Integer(value) => key != "decimals" || *value != 0,
        Value::String(value) => key != "order" || value != "as_written",
        Value::Array(values) => !values.is_empty() || ["page", "item"].contains(&key),
        _ => true,
    });
    for (_, value) in table.iter_mut() {
        match value {
            Value::Table(inner) => without_defaults(inner),
            Value::Array(values) => {
                values.iter_mut().filter_map(Value::as_table_mut).for_each(without_defaults);
            }
            _ => {}
        }
    }
}

impl QuestionnaireFile {
    /// Reads a file; what it says is not checked.
    ///
    /// # Errors
    /// If it is no TOML, or has a key that there is not.
    pub fn read(toml_text: &str) -> Result<QuestionnaireFile, QuestionnaireError> {
        toml::from_str(toml_text).map_err(|error| {
            // The line itself may be as long as the file.
            let line = error.span().map(|span| {
                let before = toml_text.as_bytes().get(..span.start).unwrap_or_default();
                before.iter().filter(|byte| **byte == b'\n').count() + 1
            });
            let message: String =
                error.message().replace('\n', " ").chars().take(LONGEST_MESSAGE).collect();
            QuestionnaireError::Toml(match line {
                Some(line) => format!("line {line}: {message}"),
                None => message,
            })
        })
    }

    /// Writes the file. Comments of a file that it was read from are not kept.
    pub fn write(&self) -> String {
        // A struct of texts, numbers and lists can always be written as TOML.
        let mut table = toml::Table::try_from(self).unwrap_or_default();
        without_defaults(&mut table);
        toml::to_string_pretty(&table).unwrap_or_default()
    }
}
