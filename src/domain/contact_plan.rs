//! The contact plan: what goes out when, to whom nobody has answered yet.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::chance::fraction;
use super::contact_window::{Calendar, ContactHours, ContactHoursError, Interval, Spread};
use super::language::Language;
use super::sms_text::{Template, TemplateError};
use super::time::{Timestamp, days, parse_duration};
use super::zones::Zones;

/// A contact plan, checked whole.
#[derive(Debug, Clone)]
pub struct ContactPlan {
    pub name: String,
    pub time_zone: Tz,
    pub signature: String,
    /// A message may have at most so many parts.
    pub max_parts: u32,
    pub hours: ContactHours,
    /// Over how much of an open stretch those who are due at once are spread.
    pub spread: Spread,
    pub steps: Vec<Step>,
    /// What somebody who opts out by SMS is answered, once; empty: nothing.
    pub confirmation: BTreeMap<Language, Template>,
}

impl ContactPlan {
    /// When this person is contacted who is due from `at` on.
    pub fn next_contact(&self, at: Timestamp, zones: &Zones, phone_hash: &str, step: u32) -> Option<Timestamp> {
        self.hours.place(at, zones, self.spread, fraction(phone_hash, u64::from(step)))
    }

    /// From the first step to the end of the last one's first days, in which most who answer to it do.
    pub fn length(&self) -> Duration {
        const ANSWERS: Duration = Duration::from_secs(3 * 86_400);
        self.steps.iter().skip(1).map(|step| step.after).sum::<Duration>() + ANSWERS
    }

    /// When this person gets the first step of a campaign that is launched at `at`.
    pub fn first_contact(&self, at: Timestamp, zones: &Zones, phone_hash: &str) -> Option<Timestamp> {
        let after = self.steps.first().map_or(Duration::ZERO, |step| step.after);
        self.hours.place_in_wave(at + after, zones, self.spread, fraction(phone_hash, 0))
    }
}

/// The step under which the confirmation of an opt-out goes out: once for an invitation, like every step.
pub const CONFIRMATION_STEP: u32 = u32::MAX;

/// One planned contact.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    /// Time after the step before it (after the launch, for the first).
    pub after: Duration,
    pub texts: BTreeMap<Language, Template>,
}

/// The text in a respondent's language; the Chinese one where there is none.
pub fn text_in(texts: &BTreeMap<Language, Template>, language: Language) -> Option<&Template> {
    texts.get(&language).or_else(|| texts.get(&Language::Zh)).or_else(|| texts.values().next())
}

/// What is wrong with a plan, with the key where it stands.
#[derive(Debug, thiserror::Error)]
pub enum ContactPlanError {
    #[error("{0}")]
    Toml(String),
    #[error("time_zone: «{0}» is no time zone; use an IANA name such as Asia/Shanghai")]
    TimeZone(String),
    #[error("hours.{day}: {error}")]
    Hours { day: String, error: ContactHoursError },
    #[error("hours: {0}")]
    AllHours(ContactHoursError),
    #[error("step {step} ({name}): after = «{value}» is no duration; write it like 3d or 12h")]
    Delay { step: usize, name: String, value: String },
    #[error("step {step} ({name}), text.{language}: {error}")]
    Text { step: usize, name: String, language: Language, error: TemplateError },
    #[error("step {step} ({name}) has no text; add step.text.zh")]
    NoText { step: usize, name: String },
    #[error("the plan has no [[step]]; add the invitation")]
    NoSteps,
    #[error("holidays: {0}")]
    Holidays(String),
    #[error("max_parts must be between 1 and 10")]
    MaxParts,
    #[error("spread = «{0}» is neither \"window\" nor a duration such as 2h or 0s")]
    Spread(String),
    #[error("confirmation.text.{language}: {error}")]
    Confirmation { language: Language, error: TemplateError },
}

/// The plan file as written. `deny_unknown_fields`: a misspelt key is refused with its line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    name: String,
    #[serde(default = "shanghai")]
    time_zone: String,
    signature: String,
    #[serde(default = "two")]
    max_parts: u32,
    /// The name of a holidays file beside the plan; its content is taken into the stored plan.
    #[serde(default)]
    pub holidays: Option<String>,
    #[serde(default)]
    pub calendar: Option<HolidaysFile>,
    hours: HoursFile,
    #[serde(default = "whole_window")]
    spread: String,
    #[serde(default, rename = "step")]
    steps: Vec<StepFile>,
    #[serde(default)]
    confirmation: ConfirmationFile,
}

/// The answer to an opt-out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmationFile {
    #[serde(default)]
    text: BTreeMap<Language, String>,
}

/// `holidays = [dates]`, `workdays = [make-up dates]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidaysFile {
    #[serde(default, deserialize_with = "days::list")]
    holidays: Vec<NaiveDate>,
    #[serde(default, deserialize_with = "days::list")]
    workdays: Vec<NaiveDate>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct HoursFile {
    monday: Vec<String>,
    tuesday: Vec<String>,
    wednesday: Vec<String>,
    thursday: Vec<String>,
    friday: Vec<String>,
    saturday: Vec<String>,
    sunday: Vec<String>,
    holidays: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepFile {
    name: String,
    after: String,
    #[serde(default)]
    text: BTreeMap<Language, String>,
}

fn shanghai() -> String {
    "Asia/Shanghai".into()
}

fn two() -> u32 {
    2
}

fn whole_window() -> String {
    "window".into()
}

impl PlanFile {
    pub fn parse(toml_text: &str) -> Result<PlanFile, ContactPlanError> {
        toml::from_str(toml_text).map_err(|e| ContactPlanError::Toml(e.to_string().trim().replace('\n', " ")))
    }

    /// Takes the content of the holidays file that [`PlanFile::holidays`] names.
    pub fn with_calendar(mut self, toml_text: &str) -> Result<PlanFile, ContactPlanError> {
        self.calendar = Some(toml::from_str(toml_text).map_err(|e| ContactPlanError::Holidays(e.to_string().trim().replace('\n', " ")))?);
        Ok(self)
    }

    /// Checks everything and makes the plan.
    pub fn check(&self) -> Result<ContactPlan, ContactPlanError> {
        let time_zone: Tz = self.time_zone.parse().map_err(|_| ContactPlanError::TimeZone(self.time_zone.clone()))?;
        if !(1..=10).contains(&self.max_parts) {
            return Err(ContactPlanError::MaxParts);
        }
        if self.holidays.is_some() && self.calendar.is_none() {
            return Err(ContactPlanError::Holidays("the file has not been read".into()));
        }
        if self.steps.is_empty() {
            return Err(ContactPlanError::NoSteps);
        }
        let steps = self.steps.iter().enumerate().map(|(index, step)| step.check(index + 1)).collect::<Result<_, _>>()?;
        Ok(ContactPlan {
            name: self.name.clone(),
            time_zone,
            signature: self.signature.clone(),
            max_parts: self.max_parts,
            hours: self.hours.check(self.calendar.as_ref())?,
            spread: self.spread()?,
            steps,
            confirmation: self.confirmation.check()?,
        })
    }
}

impl PlanFile {
    fn spread(&self) -> Result<Spread, ContactPlanError> {
        match self.spread.as_str() {
            "window" => Ok(Spread(None)),
            raw => parse_duration(raw).map(|length| Spread(Some(length))).ok_or_else(|| ContactPlanError::Spread(raw.to_owned())),
        }
    }
}

impl ConfirmationFile {
    fn check(&self) -> Result<BTreeMap<Language, Template>, ContactPlanError> {
        let read = |(&language, text): (&Language, &String)| match Template::parse_notice(text) {
            Ok(template) => Ok((language, template)),
            Err(error) => Err(ContactPlanError::Confirmation { language, error }),
        };
        self.text.iter().map(read).collect()
    }
}

impl HoursFile {
    fn check(&self, calendar: Option<&HolidaysFile>) -> Result<ContactHours, ContactPlanError> {
        let intervals = |day: &str, raw: &[String]| -> Result<Vec<Interval>, ContactPlanError> {
            raw.iter()
                .map(|text| Interval::parse(text))
                .collect::<Result<_, _>>()
                .map_err(|error| ContactPlanError::Hours { day: day.to_owned(), error })
        };
        let week = [
            intervals("monday", &self.monday)?,
            intervals("tuesday", &self.tuesday)?,
            intervals("wednesday", &self.wednesday)?,
            intervals("thursday", &self.thursday)?,
            intervals("friday", &self.friday)?,
            intervals("saturday", &self.saturday)?,
            intervals("sunday", &self.sunday)?,
        ];
        let calendar = calendar.cloned().unwrap_or_default();
        let calendar = Calendar { holidays: calendar.holidays.into_iter().collect(), workdays: calendar.workdays.into_iter().collect() };
        ContactHours::new(week, intervals("holidays", &self.holidays)?, calendar).map_err(ContactPlanError::AllHours)
    }
}

impl StepFile {
    /// `number` counts from 1.
    fn check(&self, number: usize) -> Result<Step, ContactPlanError> {
        let name = self.name.clone();
        let after =
            parse_duration(&self.after).ok_or_else(|| ContactPlanError::Delay { step: number, name: name.clone(), value: self.after.clone() })?;
        if self.text.is_empty() {
            return Err(ContactPlanError::NoText { step: number, name });
        }
        let texts = self
            .text
            .iter()
            .map(|(&language, text)| match Template::parse(text) {
                Ok(template) => Ok((language, template)),
                Err(error) => Err(ContactPlanError::Text { step: number, name: name.clone(), language, error }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Step { name, after, texts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
name = "t"
signature = "质协"
[hours]
monday = ["09:00-20:00"]
[[step]]
name = "invitation"
after = "0d"
text.zh = "【{signature}】{link} 退订回T"
"#;

    fn error_of(change: impl Fn(&str) -> String) -> String {
        PlanFile::parse(&change(PLAN)).and_then(|file| file.check()).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_good_plan_stands() {
        let plan = PlanFile::parse(PLAN).unwrap().check().unwrap();
        assert_eq!((plan.steps.len(), plan.max_parts, plan.time_zone), (1, 2, chrono_tz::Asia::Shanghai));
    }

    #[test]
    fn holidays_are_days_in_toml_and_survive_being_stored() {
        let file =
            PlanFile::parse(&format!("holidays = \"h.toml\"\n{PLAN}")).unwrap().with_calendar("holidays = [2026-03-02, \"2026-03-09\"]").unwrap();
        let stored: PlanFile = serde_json::from_str(&serde_json::to_string(&file).unwrap()).unwrap();
        let noon = |day: &str| crate::domain::time::Timestamp::from_local(format!("{day}T12:00:00").parse().unwrap(), chrono_tz::Asia::Shanghai);
        let hours = stored.check().unwrap().hours;
        assert!(["2026-03-02", "2026-03-09"].iter().all(|day| !hours.is_open(noon(day), &stored.check().unwrap().time_zone.into())));
        assert!(hours.is_open(noon("2026-03-16"), &chrono_tz::Asia::Shanghai.into()));
        assert!(PlanFile::parse(PLAN).unwrap().with_calendar("holidays = [\"May Day\"]").unwrap_err().to_string().contains("May Day"));
    }

    #[test]
    fn every_mistake_names_its_place() {
        assert!(error_of(|p| format!("time_zone = \"Asia/Peking\"\n{p}")).contains("Asia/Peking"));
        assert!(error_of(|p| p.replace("{link}", "{lnik}")).contains("step 1 (invitation), text.zh: {lnik} is not a placeholder"));
        assert!(error_of(|p| format!("spread = \"wide\"\n{p}")).contains("spread = «wide»"));
        assert!(error_of(|p| format!("{p}[confirmation]\ntext.zh = \"再见\"\n")).contains("confirmation.text.zh"));
        assert!(error_of(|p| p.replace("0d", "soon")).contains("after = «soon»"));
        assert!(error_of(|p| p.replace("09:00-20:00", "9-20")).contains("hours.monday"));
        assert!(error_of(|p| p.replace("after", "aftre")).contains("aftre"));
        assert!(error_of(|p| p.split("[[step]]").next().unwrap_or_default().to_owned()).contains("no [[step]]"));
    }
}
