//! The plan's file: read, checked whole, every mistake named with its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Contact, ContactPlan, HISTORY_VARIABLES, Step};
use crate::domain::condition::Condition;
use crate::domain::contact_window::{Calendar, ContactHours, ContactHoursError, Interval, Spread};
use crate::domain::language::Language;
use crate::domain::shortening::Shortening;
use crate::domain::sms_text::{Placeholder, Template, TemplateError};
use crate::domain::time::{days, parse_duration};

/// So many steps a plan may have: the rest of the numbers is for messages beside it.
const MAX_STEPS: usize = 100;

/// What is wrong with a plan, with the key where it stands.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "plan.", serialize_all = "snake_case")]
pub enum ContactPlanError {
    #[error("{0}")]
    Toml(String),
    #[error("time_zone: «{0}» is no time zone; use an IANA name such as Asia/Shanghai")]
    TimeZone(String),
    #[error("hours.{day}: {error}")]
    Hours { day: String, error: ContactHoursError },
    #[error("hours: {0}")]
    #[strum(transparent)]
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
    #[error("resubscription.text.{language}: {error}")]
    Resubscription { language: Language, error: TemplateError },
    #[error("unread_reply_hold = \"{0}\" is no duration; write it like 3d, or 0d for none")]
    UnreadReplyHold(String),
    #[error("shorten.{0}: only a name has a surname; write \"cut\"")]
    Shorten(String),
    #[error("confirmation.text.{language}: {error}")]
    Confirmation { language: Language, error: TemplateError },
    #[error("link.text.{language}: {error}")]
    Link { language: Language, error: TemplateError },
    #[error("a plan may have {MAX_STEPS} steps at most")]
    TooManySteps,
    #[error("step {step} ({name}): only a step with mode = \"telephone\" has calls")]
    CallsBySms { step: usize, name: String },
    #[error("step {step} ({name}), opening words, text.{language}: {error}")]
    Opening { step: usize, name: String, language: Language, error: TemplateError },
    #[error("step {step} ({name}): calls = {calls} must be between 1 and 30")]
    Calls { step: usize, name: String, calls: u32 },
    #[error("step {step} ({name}): a step on paper has no text; the questionnaire is printed")]
    PaperText { step: usize, name: String },
    #[error("step {step} ({name}): if = «{condition}» cannot be read: {problem}")]
    Condition { step: usize, name: String, condition: String, problem: String },
    #[error(
        "step {step} ({name}): if = «{condition}» looks at {unknown}; there is {}",
        HISTORY_VARIABLES.join(", ")
    )]
    ConditionVariable { step: usize, name: String, condition: String, unknown: String },
}

/// What is wrong, gathered while the rest is still looked at.
#[derive(Default)]
struct Problems(Vec<ContactPlanError>);

impl Problems {
    fn take<T>(&mut self, checked: Result<T, ContactPlanError>) -> Option<T> {
        checked.map_err(|problem| self.0.push(problem)).ok()
    }

    fn take_all<T>(&mut self, checked: Result<T, Vec<ContactPlanError>>) -> Option<T> {
        checked.map_err(|problems| self.0.extend(problems)).ok()
    }
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
    /// The names of holidays files beside the plan, such as one for each year; their content is taken
    /// into the stored plan.
    #[serde(default, skip_serializing_if = "FileNames::is_empty")]
    pub holidays: FileNames,
    #[serde(default)]
    pub calendar: Option<HolidaysFile>,
    hours: HoursFile,
    #[serde(default = "whole_window")]
    spread: String,
    #[serde(default = "three_days")]
    unread_reply_hold: String,
    /// What may be done where a gateway takes a shorter value for a placeholder.
    #[serde(default, skip_serializing_if = "ShortenFile::is_empty")]
    shorten: ShortenFile,
    #[serde(default, rename = "step")]
    steps: Vec<StepFile>,
    #[serde(default)]
    confirmation: TextsFile,
    #[serde(default)]
    resubscription: TextsFile,
    #[serde(default)]
    link: TextsFile,
}

/// One name, or several.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FileNames {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

impl FileNames {
    pub fn names(&self) -> &[String] {
        match self {
            FileNames::None => &[],
            FileNames::One(name) => std::slice::from_ref(name),
            FileNames::Several(names) => names,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }
}

/// A message beside the plan, in each language.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextsFile {
    #[serde(default)]
    text: BTreeMap<Language, String>,
}

/// `name = "surname"`, `subject = "cut"`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ShortenFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Shortening>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Shortening>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applicant: Option<Shortening>,
}

impl ShortenFile {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.subject.is_none() && self.applicant.is_none()
    }

    fn check(&self) -> Result<BTreeMap<Placeholder, Shortening>, ContactPlanError> {
        let others = [("subject", self.subject), ("applicant", self.applicant)];
        if let Some((key, _)) =
            others.into_iter().find(|(_, rule)| rule.is_some_and(|rule| rule != Shortening::Cut))
        {
            return Err(ContactPlanError::Shorten(key.to_owned()));
        }
        let rules = [
            (Placeholder::Name, self.name),
            (Placeholder::Subject, self.subject),
            (Placeholder::Applicant, self.applicant),
        ];
        Ok(rules.into_iter().filter_map(|(placeholder, rule)| Some((placeholder, rule?))).collect())
    }
}

/// `holidays = [dates]`, `workdays = [make-up dates]`, `closed = [dates on which nobody is contacted]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidaysFile {
    #[serde(default, deserialize_with = "days::list")]
    holidays: Vec<NaiveDate>,
    #[serde(default, deserialize_with = "days::list")]
    workdays: Vec<NaiveDate>,
    #[serde(default, deserialize_with = "days::list", skip_serializing_if = "Vec::is_empty")]
    closed: Vec<NaiveDate>,
}

impl HolidaysFile {
    pub fn days(&self) -> Calendar {
        Calendar {
            holidays: self.holidays.iter().copied().collect(),
            workdays: self.workdays.iter().copied().collect(),
            closed: self.closed.iter().copied().collect(),
        }
    }
}

impl From<&Calendar> for HolidaysFile {
    fn from(days: &Calendar) -> HolidaysFile {
        HolidaysFile {
            holidays: days.holidays.iter().copied().collect(),
            workdays: days.workdays.iter().copied().collect(),
            closed: days.closed.iter().copied().collect(),
        }
    }
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
    mode: ModeFile,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    text: BTreeMap<Language, String>,
    /// Attempts by telephone, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls: Option<u32>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    only_if: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeFile {
    #[default]
    Sms,
    Telephone,
    Interview,
    Paper,
}

/// Attempts by telephone where a step does not say.
const DEFAULT_CALLS: u32 = 6;

fn shanghai() -> String {
    "Asia/Shanghai".into()
}

fn two() -> u32 {
    2
}

fn three_days() -> String {
    "3d".into()
}

fn whole_window() -> String {
    "window".into()
}

impl PlanFile {
    pub fn parse(toml_text: &str) -> Result<PlanFile, ContactPlanError> {
        toml::from_str(toml_text)
            .map_err(|e| ContactPlanError::Toml(e.to_string().trim().replace('\n', " ")))
    }

    /// Adds the content of a holidays file, such as those that [`PlanFile::holidays`] names.
    pub fn with_calendar(mut self, toml_text: &str) -> Result<PlanFile, ContactPlanError> {
        let more: HolidaysFile = toml::from_str(toml_text)
            .map_err(|e| ContactPlanError::Holidays(e.to_string().trim().replace('\n', " ")))?;
        let calendar = self.calendar.get_or_insert_default();
        calendar.holidays.extend(more.holidays);
        calendar.workdays.extend(more.workdays);
        calendar.closed.extend(more.closed);
        Ok(self)
    }

    /// The days that it has.
    pub fn days(&self) -> Calendar {
        self.calendar.as_ref().map(HolidaysFile::days).unwrap_or_default()
    }

    pub fn set_days(&mut self, days: &Calendar) {
        self.calendar = Some(days.into());
    }

    /// Checks everything and makes the plan, or returns the first of what is wrong.
    pub fn check(&self) -> Result<ContactPlan, ContactPlanError> {
        self.check_all()
            .map_err(|problems| problems.into_iter().next().unwrap_or(ContactPlanError::NoSteps))
    }

    /// Checks everything and makes the plan, or returns all that is wrong, in the plan's order.
    pub fn check_all(&self) -> Result<ContactPlan, Vec<ContactPlanError>> {
        let mut problems = Problems::default();
        let time_zone = self.time_zone.parse::<Tz>();
        let time_zone = problems
            .take(time_zone.map_err(|_| ContactPlanError::TimeZone(self.time_zone.clone())));
        if !(1..=10).contains(&self.max_parts) {
            problems.0.push(ContactPlanError::MaxParts);
        }
        if !self.holidays.is_empty() && self.calendar.is_none() {
            problems.0.push(ContactPlanError::Holidays("the file has not been read".into()));
        }
        if self.steps.is_empty() {
            problems.0.push(ContactPlanError::NoSteps);
        }
        if self.steps.len() > MAX_STEPS {
            problems.0.push(ContactPlanError::TooManySteps);
        }
        let steps: Vec<Option<Step>> = (1..)
            .zip(&self.steps)
            .map(|(number, step)| problems.take_all(step.check(number)))
            .collect();
        let hours = problems.take_all(self.hours.check(self.calendar.as_ref()));
        let spread = problems.take(self.spread());
        let unread_reply_hold = parse_duration(&self.unread_reply_hold)
            .ok_or_else(|| ContactPlanError::UnreadReplyHold(self.unread_reply_hold.clone()));
        let unread_reply_hold = problems.take(unread_reply_hold);
        let shorten = problems.take(self.shorten.check());
        let confirmation = self.confirmation.check(Template::parse_notice, |language, error| {
            ContactPlanError::Confirmation { language, error }
        });
        let confirmation = problems.take_all(confirmation);
        let resubscription =
            self.resubscription.check(Template::parse_notice, |language, error| {
                ContactPlanError::Resubscription { language, error }
            });
        let resubscription = problems.take_all(resubscription);
        let link = self
            .link
            .check(Template::parse, |language, error| ContactPlanError::Link { language, error });
        let link = problems.take_all(link);
        let plan = || {
            Some(ContactPlan {
                name: self.name.clone(),
                time_zone: time_zone?,
                signature: self.signature.clone(),
                max_parts: self.max_parts,
                hours: hours?,
                spread: spread?,
                unread_reply_hold: unread_reply_hold?,
                shorten: shorten?,
                steps: steps.into_iter().collect::<Option<_>>()?,
                confirmation: confirmation?,
                resubscription: resubscription?,
                link: link?,
            })
        };
        // What is missing has left its problem.
        if problems.0.is_empty() { plan().ok_or_else(Vec::new) } else { Err(problems.0) }
    }
}

impl PlanFile {
    fn spread(&self) -> Result<Spread, ContactPlanError> {
        match self.spread.as_str() {
            "window" => Ok(Spread(None)),
            raw => parse_duration(raw)
                .map(|length| Spread(Some(length)))
                .ok_or_else(|| ContactPlanError::Spread(raw.to_owned())),
        }
    }
}

impl TextsFile {
    fn check(
        &self,
        parse: impl Fn(&str) -> Result<Template, TemplateError>,
        wrong: impl Fn(Language, TemplateError) -> ContactPlanError,
    ) -> Result<BTreeMap<Language, Template>, Vec<ContactPlanError>> {
        check_texts(&self.text, parse, wrong)
    }
}

/// Reads the texts in all languages, or returns what is wrong with each.
fn check_texts(
    texts: &BTreeMap<Language, String>,
    parse: impl Fn(&str) -> Result<Template, TemplateError>,
    wrong: impl Fn(Language, TemplateError) -> ContactPlanError,
) -> Result<BTreeMap<Language, Template>, Vec<ContactPlanError>> {
    let mut problems = Problems::default();
    let mut read = BTreeMap::new();
    for (&language, text) in texts {
        if let Some(template) = problems.take(parse(text).map_err(|e| wrong(language, e))) {
            read.insert(language, template);
        }
    }
    if problems.0.is_empty() { Ok(read) } else { Err(problems.0) }
}

impl HoursFile {
    fn check(
        &self,
        calendar: Option<&HolidaysFile>,
    ) -> Result<ContactHours, Vec<ContactPlanError>> {
        let mut problems = Problems::default();
        let mut intervals = |day: &str, raw: &[String]| -> Vec<Interval> {
            let read = raw.iter().map(|text| Interval::parse(text)).collect::<Result<_, _>>();
            let read = read.map_err(|error| ContactPlanError::Hours { day: day.to_owned(), error });
            problems.take(read).unwrap_or_default()
        };
        let week = [
            intervals("monday", &self.monday),
            intervals("tuesday", &self.tuesday),
            intervals("wednesday", &self.wednesday),
            intervals("thursday", &self.thursday),
            intervals("friday", &self.friday),
            intervals("saturday", &self.saturday),
            intervals("sunday", &self.sunday),
        ];
        let holidays = intervals("holidays", &self.holidays);
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        let calendar = calendar.map(HolidaysFile::days).unwrap_or_default();
        ContactHours::new(week, holidays, calendar)
            .map_err(|error| vec![ContactPlanError::AllHours(error)])
    }
}

impl StepFile {
    /// `number` counts from 1.
    fn check(&self, number: usize) -> Result<Step, Vec<ContactPlanError>> {
        let mut problems = Problems::default();
        let name = self.name.clone();
        let after = parse_duration(&self.after).ok_or_else(|| ContactPlanError::Delay {
            step: number,
            name: name.clone(),
            value: self.after.clone(),
        });
        let after = problems.take(after);
        let only_if = problems.take(self.condition(number));
        let contact = problems.take_all(self.contact(number));
        let step = || Some(Step { name, after: after?, contact: contact?, only_if: only_if? });
        // What is missing has left its problem.
        if problems.0.is_empty() { step().ok_or_else(Vec::new) } else { Err(problems.0) }
    }

    fn contact(&self, number: usize) -> Result<Contact, Vec<ContactPlanError>> {
        let name = self.name.clone();
        if self.mode == ModeFile::Telephone {
            let mut problems = Problems::default();
            let calls = problems.take(self.checked_calls(number));
            let opening = check_texts(&self.text, Template::parse_spoken, |language, error| {
                ContactPlanError::Opening { step: number, name: name.clone(), language, error }
            });
            let opening = problems.take_all(opening);
            // What is missing has left its problem.
            let contact = || Some(Contact::Telephone { calls: calls?, opening: opening? });
            return contact().ok_or(problems.0);
        }
        if self.calls.is_some() {
            return Err(vec![ContactPlanError::CallsBySms { step: number, name }]);
        }
        if self.mode == ModeFile::Paper {
            if !self.text.is_empty() {
                return Err(vec![ContactPlanError::PaperText { step: number, name }]);
            }
            return Ok(Contact::Paper);
        }
        if self.text.is_empty() {
            return Err(vec![ContactPlanError::NoText { step: number, name }]);
        }
        let texts = check_texts(&self.text, Template::parse, |language, error| {
            ContactPlanError::Text { step: number, name: name.clone(), language, error }
        })?;
        Ok(if self.mode == ModeFile::Interview {
            Contact::SmsInterviewOffer(texts)
        } else {
            Contact::Sms(texts)
        })
    }

    fn checked_calls(&self, number: usize) -> Result<u32, ContactPlanError> {
        match self.calls.unwrap_or(DEFAULT_CALLS) {
            calls @ 1..=30 => Ok(calls),
            calls => Err(ContactPlanError::Calls { step: number, name: self.name.clone(), calls }),
        }
    }

    fn condition(&self, number: usize) -> Result<Option<Arc<Condition>>, ContactPlanError> {
        let Some(source) = &self.only_if else { return Ok(None) };
        let (step, name, condition) = (number, self.name.clone(), source.clone());
        let parsed = match Condition::parse(source) {
            Ok(parsed) => parsed,
            Err(problem) => {
                let problem = problem.to_string();
                return Err(ContactPlanError::Condition { step, name, condition, problem });
            }
        };
        let unknown =
            parsed.names().iter().find(|name| !HISTORY_VARIABLES.contains(&name.as_str())).cloned();
        match unknown.or_else(|| parsed.unknown_functions().pop()) {
            Some(unknown) => {
                Err(ContactPlanError::ConditionVariable { step, name, condition, unknown })
            }
            None => Ok(Some(Arc::new(parsed))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::*;

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

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let plan = PLAN
            .replace(
                "signature = \"质协\"",
                "signature = \"质协\"\nspread = \"wide\"\nmax_parts = 0",
            )
            .replace("09:00-20:00", "20:00-09:00")
            .replace("after = \"0d\"", "after = \"soon\"\nif = \"begun &&\"")
            .replace("{link} 退订回T\"", "\"\ntext.en = \"{link} {who}\"");
        let problems = PlanFile::parse(&plan).unwrap().check_all().unwrap_err();
        let codes: Vec<&'static str> = problems.iter().map(Into::into).collect();
        assert_eq!(
            codes,
            [
                "plan.max_parts",
                "plan.delay",
                "plan.condition",
                "plan.text",
                "plan.text",
                "plan.hours",
                "plan.spread"
            ]
        );
    }

    fn error_of(change: impl Fn(&str) -> String) -> String {
        PlanFile::parse(&change(PLAN))
            .and_then(|file| file.check())
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn a_good_plan_stands() {
        let plan = PlanFile::parse(PLAN).unwrap().check().unwrap();
        assert_eq!(
            (plan.steps.len(), plan.max_parts, plan.time_zone),
            (1, 2, chrono_tz::Asia::Shanghai)
        );
    }

    const CALLS: &str = "[[step]]\nname = \"calls\"\nmode = \"telephone\"\nafter = \"5d\"\nif = \
        \"!begun && calls < 3\"\n\
                         [[step]]\nname = \"last\"\nafter = \"9d\"\ntext.zh = \
                         \"【{signature}】{link} 退订回T\"\n";

    #[test]
    fn modes_mix_and_a_fixed_line_is_called_from_the_beginning() {
        let plan = PlanFile::parse(&format!("{PLAN}{CALLS}")).unwrap().check().unwrap();
        assert!(
            plan.has_telephone()
                && matches!(plan.steps[1].contact, Contact::Telephone { calls: 6, .. })
        );
        assert_eq!(plan.step_from(0, true).map(|(step, _)| step), Some(0));
        assert_eq!(plan.step_from(0, false), Some((1, Duration::from_secs(5 * 86_400))));
        assert_eq!(plan.step_from(2, false), None);
        let monday = Timestamp::from_local("2026-03-02T10:00:00".parse().unwrap(), plan.time_zone);
        assert_eq!(
            plan.first_contact(monday, &plan.time_zone.into(), "x", false),
            (1, Some(monday))
        );
        let history = |begun, calls| ContactHistory { begun, calls, ..ContactHistory::default() };
        assert!(
            plan.steps[1].applies_to(&history(false, 2))
                && !plan.steps[1].applies_to(&history(true, 2))
                && !plan.steps[1].applies_to(&history(false, 3))
        );
    }

    #[test]
    fn a_step_on_paper_has_no_text_and_reaches_fixed_lines() {
        let paper = "[[step]]\nname = \"form\"\nmode = \"paper\"\nafter = \"14d\"\nif = \
            \"!begun\"\n";
        let plan = PlanFile::parse(&format!("{PLAN}{paper}")).unwrap().check().unwrap();
        assert!(plan.reaches_fixed_lines() && !plan.has_telephone());
        assert_eq!(plan.steps[1].mode(), crate::domain::mode::Mode::Paper);
        assert_eq!(plan.step_from(0, false), Some((1, Duration::from_secs(14 * 86_400))));
        let with = |more: &str| error_of(|p| format!("{p}{paper}{more}"));
        assert!(with("text.zh = \"【{signature}】{link}\"\n").contains("step 2 (form)"));
        assert!(with("calls = 3\n").contains("only a step with mode"));
    }

    #[test]
    fn holidays_are_days_in_toml_and_survive_being_stored() {
        let file = PlanFile::parse(&format!("holidays = \"h.toml\"\n{PLAN}"))
            .unwrap()
            .with_calendar("holidays = [2026-03-02, \"2026-03-09\"]")
            .unwrap();
        let stored: PlanFile =
            serde_json::from_str(&serde_json::to_string(&file).unwrap()).unwrap();
        let noon = |day: &str| {
            Timestamp::from_local(
                format!("{day}T12:00:00").parse().unwrap(),
                chrono_tz::Asia::Shanghai,
            )
        };
        let hours = stored.check().unwrap().hours;
        assert!(
            ["2026-03-02", "2026-03-09"]
                .iter()
                .all(|day| !hours.is_open(noon(day), &stored.check().unwrap().time_zone.into()))
        );
        assert!(hours.is_open(noon("2026-03-16"), &chrono_tz::Asia::Shanghai.into()));
        assert!(
            PlanFile::parse(PLAN)
                .unwrap()
                .with_calendar("holidays = [\"May Day\"]")
                .unwrap_err()
                .to_string()
                .contains("May Day")
        );
    }

    #[test]
    fn every_mistake_names_its_place() {
        assert!(error_of(|p| format!("time_zone = \"Asia/Peking\"\n{p}")).contains("Asia/Peking"));
        assert!(
            error_of(|p| p.replace("{link}", "{lnik}"))
                .contains("step 1 (invitation), text.zh: {lnik} is not a placeholder")
        );
        assert!(error_of(|p| format!("spread = \"wide\"\n{p}")).contains("spread = «wide»"));
        assert!(
            error_of(|p| format!("{p}[confirmation]\ntext.zh = \"再见\"\n"))
                .contains("confirmation.text.zh")
        );
        assert!(error_of(|p| p.replace("0d", "soon")).contains("after = «soon»"));
        assert!(error_of(|p| p.replace("09:00-20:00", "9-20")).contains("hours.monday"));
        assert!(error_of(|p| p.replace("after", "aftre")).contains("aftre"));
        assert!(
            error_of(|p| format!("{p}{}", CALLS.replace("begun", "opened")))
                .contains("step 2 (calls): if = «!opened && calls < 3» looks at opened")
        );
        assert!(
            error_of(|p| format!("{p}{}", CALLS.replace("telephone\"", "telephone\"\ncalls = 99")))
                .contains("calls = 99")
        );
        assert!(
            error_of(|p| format!("{p}{}", CALLS.replace("mode = \"telephone\"", "calls = 3")))
                .contains("only a step with mode")
        );
        assert!(
            error_of(|p| p.split("[[step]]").next().unwrap_or_default().to_owned())
                .contains("no [[step]]")
        );
    }
}
