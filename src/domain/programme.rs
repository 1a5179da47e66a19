//! A programme (评价活动): the rules shared by all its applications.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::category::Category;
use super::language::LocalizedText;
use super::organiser::{ColourError, Organiser};
use super::privacy::PrivacyNotice;
use super::time::days;

/// A programme's rules, as read from its file and stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programme {
    pub code: String,
    pub name: LocalizedText,
    #[serde(default = "shanghai")]
    pub time_zone: Tz,
    /// Calendar months from the receipt of the list to the certificate.
    #[serde(default = "three")]
    pub certificate_months: u32,
    /// Days before the certificate's day that scoring and review need.
    #[serde(default = "twenty")]
    pub dataset_lead_days: u32,
    /// Whether the survey begins only when its fee is settled, not with the list alone.
    #[serde(default)]
    pub fee_first: bool,
    /// Lists received after this day belong to the next year's programme.
    #[serde(default, deserialize_with = "days::optional")]
    pub cut_off: Option<NaiveDate>,
    /// Caps that differ from the published ones.
    #[serde(default)]
    pub caps: BTreeMap<Category, u32>,
    /// Calendar months from the closing of an applicant's last field to the purge of its personal
    /// data; `None`: purged only on request.
    #[serde(default)]
    pub retention_months: Option<u32>,
    /// The notice to which respondents consent before the first question.
    #[serde(default)]
    pub privacy: PrivacyNotice,
    /// Who runs it, as respondents see it.
    #[serde(default, skip_serializing_if = "Organiser::is_empty")]
    pub organiser: Organiser,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "programme.", serialize_all = "snake_case")]
pub enum ProgrammeError {
    #[error("{0}")]
    Toml(String),
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: String },
    #[error("organiser.colour: {0}")]
    Colour(#[from] ColourError),
}

fn shanghai() -> Tz {
    chrono_tz::Asia::Shanghai
}

fn three() -> u32 {
    3
}

fn twenty() -> u32 {
    20
}

impl Programme {
    /// Creates a programme with the default rules.
    pub fn new(code: &str, name: LocalizedText) -> Programme {
        Programme {
            code: code.to_owned(),
            name,
            time_zone: shanghai(),
            certificate_months: three(),
            dataset_lead_days: twenty(),
            fee_first: false,
            cut_off: None,
            caps: BTreeMap::new(),
            retention_months: None,
            privacy: PrivacyNotice::default(),
            organiser: Organiser::default(),
        }
    }

    pub fn parse(toml_text: &str) -> Result<Programme, ProgrammeError> {
        let programme: Programme = toml::from_str(toml_text)
            .map_err(|e| ProgrammeError::Toml(e.to_string().trim().replace('\n', " ")))?;
        programme.check()?;
        Ok(programme)
    }

    /// Checks the programme's rules for consistency.
    pub fn check(&self) -> Result<(), ProgrammeError> {
        let programme = self;
        let wrong =
            |key, problem: &str| Err(ProgrammeError::Value { key, problem: problem.into() });
        if !is_code(&programme.code) {
            return wrong("code", "use letters, digits, «-» and «_», at most 40");
        }
        if !(1..=24).contains(&programme.certificate_months) {
            return wrong("certificate_months", "must be between 1 and 24");
        }
        if programme.retention_months.is_some_and(|months| !(1..=120).contains(&months)) {
            return wrong(
                "retention_months",
                "must be between 1 and 120; leave it away to forget people only by hand",
            );
        }
        if programme.dataset_lead_days >= programme.certificate_months * 28 {
            return wrong(
                "dataset_lead_days",
                "leaves no time for the field; make it shorter than certificate_months",
            );
        }
        if programme.caps.values().any(|&cap| cap == 0) {
            return wrong("caps", "must be at least 1");
        }
        if let Some((key, problem)) = programme.privacy.problem() {
            return wrong(key, problem);
        }
        programme.organiser.check()
    }

    /// Returns the maximum number of names on a list, and of the sample.
    pub fn cap(&self, category: Category) -> u32 {
        self.caps.get(&category).copied().unwrap_or_else(|| category.default_cap())
    }
}

/// Returns whether a text is a valid code: letters, digits, `-` and `_`, so that it can be typed
/// and used in file names and addresses.
pub fn is_code(code: &str) -> bool {
    !code.is_empty()
        && code.len() <= 40
        && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
