//! The contact plan: when, and in which mode, respondents who have not answered are contacted.
//!
//! [`file`] reads a plan; [`message_slot`] names its messages and those outside its steps.

mod file;
mod message_slot;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cel::Value;
use chrono_tz::Tz;

pub use file::{ContactPlanError, FileNames, HolidaysFile, PlanFile};
pub use message_slot::{MessageKind, MessageSlot, Upcoming};

use super::condition::Condition;
use super::contact_window::{ContactHours, Spread};
use super::language::Language;
use super::mode::Mode;
use super::seeded_random::seeded_fraction;
use super::shortening::Shortening;
use super::sms_text::Placeholder;
use super::sms_text::Template;
use super::time::Timestamp;
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
    /// How long a reply that was not understood and that nobody has read holds up the person's next
    /// message; zero: not at all.
    pub unread_reply_hold: Duration,
    /// What may be done where a gateway takes a shorter value.
    pub shorten: BTreeMap<Placeholder, Shortening>,
    /// What somebody who opts out by SMS is answered, once; empty: nothing.
    pub confirmation: BTreeMap<Language, Template>,
    /// What somebody who lifts their own opt-out is answered, once; empty: nothing.
    pub resubscription: BTreeMap<Language, Template>,
    /// The message to somebody who asks an interviewer for the link; where there is none, the first
    /// step's.
    link: BTreeMap<Language, Template>,
}

impl ContactPlan {
    /// Reads the plan that a campaign was launched with.
    pub fn from_stored(stored: &str) -> Result<ContactPlan, ContactPlanError> {
        let file: PlanFile = serde_json::from_str(stored)
            .map_err(|error| ContactPlanError::Toml(error.to_string()))?;
        file.check()
    }

    /// The time zones that a respondent may be in: their own where they are known, else the plan's.
    pub fn zones_of(&self, stored: Option<&str>) -> Zones {
        stored.and_then(Zones::parse).unwrap_or_else(|| self.time_zone.into())
    }

    /// When this person is contacted who is due from `at` on.
    pub fn next_contact(
        &self,
        at: Timestamp,
        zones: &Zones,
        phone_hash: &str,
        slot: MessageSlot,
    ) -> Option<Timestamp> {
        // An answer is waited for: it goes when the hours open, not in a wave.
        let spread = if slot.kind == MessageKind::StaffAnswer {
            Spread(Some(Duration::ZERO))
        } else {
            self.spread
        };
        self.hours.schedule(at, zones, spread, seeded_fraction(phone_hash, slot.seed()))
    }

    /// The message to somebody who wants the link, and the step whose name it goes by at gateways
    /// with approved texts; `None` where the plan has no message.
    pub fn link_texts(&self) -> Option<(&str, &BTreeMap<Language, Template>)> {
        let first = || self.steps.iter().find_map(|step| Some((step.name.as_str(), step.texts()?)));
        if self.link.is_empty() { first() } else { Some(("link", &self.link)) }
    }

    /// The plan's own message to somebody who wants the link; empty: it has none.
    pub fn own_link_texts(&self) -> &BTreeMap<Language, Template> {
        &self.link
    }

    pub fn has_telephone(&self) -> bool {
        self.steps.iter().any(Step::is_telephone)
    }

    /// Returns whether a step reaches people without a mobile number.
    pub fn reaches_fixed_lines(&self) -> bool {
        self.steps.iter().any(|step| !step.is_message())
    }

    /// The first step from `from` on that reaches this person (a fixed line gets no messages), and
    /// how long after the step before `from` it comes.
    pub fn step_from(&self, from: u32, gets_sms: bool) -> Option<(u32, Duration)> {
        let mut after = Duration::ZERO;
        for (number, step) in (0..).zip(&self.steps).skip(from as usize) {
            after += step.after;
            if gets_sms || !step.is_message() {
                return Some((number, after));
            }
        }
        None
    }

    /// From the first step to the end of the last one's first days, in which most who answer to it
    /// do.
    pub fn length(&self) -> Duration {
        const ANSWERS: Duration = Duration::from_secs(3 * 86_400);
        self.steps.iter().skip(1).map(|step| step.after).sum::<Duration>() + ANSWERS
    }

    /// The first step of this person in a campaign that is launched at `at`, and when it comes; no
    /// time: nothing reaches this person, or the hours never open. Who gets no messages is called, or
    /// gets a paper form, from the beginning.
    pub fn first_contact(
        &self,
        at: Timestamp,
        zones: &Zones,
        phone_hash: &str,
        gets_sms: bool,
    ) -> (u32, Option<Timestamp>) {
        match self.step_from(0, gets_sms) {
            Some((step, after)) if gets_sms => (
                step,
                self.hours.schedule_in_wave(
                    at + after,
                    zones,
                    self.spread,
                    seeded_fraction(phone_hash, 0),
                ),
            ),
            Some((step, _)) => (step, self.hours.next_open(at, zones)),
            None => (0, None),
        }
    }
}

/// One planned contact.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    /// Time after the step before it (after the launch, for the first).
    pub after: Duration,
    pub contact: Contact,
    /// Taken only if this holds when it is due; else the plan goes on with the next one, as if it
    /// had been.
    only_if: Option<Arc<Condition>>,
}

/// How a step contacts.
#[derive(Debug, Clone)]
pub enum Contact {
    /// A message with the link.
    Sms(BTreeMap<Language, Template>),
    /// A message that offers an interview by SMS, beside the link: who agrees is asked one item a
    /// message.
    SmsInterviewOffer(BTreeMap<Language, Template>),
    /// The person goes to the interviewers, to be called so often at most. `opening`: what an
    /// interviewer says first; in a language without it, the usual words.
    Telephone { calls: u32, opening: BTreeMap<Language, Template> },
    /// The person's paper forms are due for printing.
    Paper,
}

/// What a step's condition may look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct ContactHistory {
    /// A message was delivered, by its receipt.
    pub delivered: bool,
    /// The respondent has begun to answer.
    pub begun: bool,
    /// Attempts by telephone, and whether somebody was spoken to.
    pub calls: u32,
    pub reached: bool,
    /// The number is a fixed line.
    pub fixed_line: bool,
    pub language: Language,
}

const HISTORY_VARIABLES: [&str; 6] =
    ["delivered", "begun", "calls", "reached", "fixed_line", "language"];

impl Step {
    /// The texts of a message; none for another mode.
    pub fn texts(&self) -> Option<&BTreeMap<Language, Template>> {
        match &self.contact {
            Contact::Sms(texts) | Contact::SmsInterviewOffer(texts) => Some(texts),
            Contact::Telephone { .. } | Contact::Paper => None,
        }
    }

    /// What an interviewer says first; none for another mode, and where the plan has no words of its
    /// own.
    pub fn opening(&self) -> Option<&BTreeMap<Language, Template>> {
        match &self.contact {
            Contact::Telephone { opening, .. } if !opening.is_empty() => Some(opening),
            _ => None,
        }
    }

    /// The mode in which it reaches people.
    pub fn mode(&self) -> Mode {
        match self.contact {
            Contact::Sms(_) | Contact::SmsInterviewOffer(_) => Mode::Sms,
            Contact::Telephone { .. } => Mode::Telephone,
            Contact::Paper => Mode::Paper,
        }
    }

    /// Returns whether it is a message to a mobile number.
    pub fn is_message(&self) -> bool {
        self.mode() == Mode::Sms
    }

    pub fn offers_sms_interview(&self) -> bool {
        matches!(self.contact, Contact::SmsInterviewOffer(_))
    }

    pub fn is_telephone(&self) -> bool {
        matches!(self.contact, Contact::Telephone { .. })
    }

    /// The condition as the plan has it.
    pub fn condition_source(&self) -> Option<&str> {
        self.only_if.as_deref().map(Condition::source)
    }

    pub fn has_condition(&self) -> bool {
        self.only_if.is_some()
    }

    /// Is it taken, by what has happened?
    pub fn applies_to(&self, history: &ContactHistory) -> bool {
        let known = |name: &str| {
            Some(match name {
                "delivered" => Value::Bool(history.delivered),
                "begun" => Value::Bool(history.begun),
                "calls" => Value::Int(i64::from(history.calls)),
                "reached" => Value::Bool(history.reached),
                "fixed_line" => Value::Bool(history.fixed_line),
                _ => Value::from(history.language.tag()),
            })
        };
        self.only_if.as_ref().is_none_or(|condition| condition.holds_by(known))
    }
}

/// The text in a respondent's language; the Chinese one where there is none.
pub fn text_in(texts: &BTreeMap<Language, Template>, language: Language) -> Option<&Template> {
    texts.get(&language.choose(texts.keys().copied())?)
}
