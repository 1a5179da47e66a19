//! What would help an application that may miss its target: each measure, and the chance that it would give.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::input::{Loaded, Schedule, day_ends};
use crate::domain::forecast::{Behaviour, Outlook, play};
use crate::domain::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);
/// As much is tried of an extension.
const EXTENSION_DAYS: u32 = 14;
/// After the last step, a further reminder goes out so late when the plan itself has only one step.
const REMINDER_AFTER: Duration = Duration::from_secs(7 * 86_400);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The campaign goes on.
    Resume,
    /// One more replicate goes into the field now.
    ReleaseReplicate,
    /// Everybody who is held back does.
    ReleaseAll,
    /// Whoever waits for the next message gets it now.
    NextStepNow,
    /// Whoever will be handed to the interviewers is now.
    TelephoneNow,
    /// One more reminder after the last step.
    AddReminder,
    /// The due day is moved by a fortnight.
    Extend,
}

impl Measure {
    /// As a person says it, in Chinese and in English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Measure::Resume => ("恢复活动", "resume the campaign"),
            Measure::ReleaseReplicate => ("再释放一个子样本", "release one more replicate"),
            Measure::ReleaseAll => ("释放全部子样本", "release all replicates"),
            Measure::NextStepNow => ("立即发送下一步", "send the next step now"),
            Measure::TelephoneNow => ("电话步骤提前到现在", "bring the telephone step forward to now"),
            Measure::AddReminder => ("增加一次提醒", "add a reminder"),
            Measure::Extend => ("延长 14 天", "extend by 14 days"),
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Help {
    pub measure: Measure,
    pub chance: f64,
}

/// A measure, and how things would stand with it; `None`: it cannot be taken.
type Try = (Measure, fn(&Loaded) -> Option<Outlook>);

/// Every measure that can be taken, the best first.
pub(super) fn what_helps(loaded: &Loaded, behaviour: &Behaviour, seed: u64, runs: u32) -> Vec<Help> {
    let tries: [Try; 7] = [
        (Measure::Resume, resume),
        (Measure::ReleaseReplicate, |loaded| release(loaded, 1)),
        (Measure::ReleaseAll, |loaded| release(loaded, usize::MAX).filter(|_| loaded.outlook.held_back.replicates.len() > 1)),
        (Measure::NextStepNow, next_step_now),
        (Measure::TelephoneNow, telephone_now),
        (Measure::AddReminder, add_reminder),
        (Measure::Extend, extend),
    ];
    let tried = |(measure, change): (Measure, fn(&Loaded) -> Option<Outlook>)| {
        let chance = play(&change(loaded)?, behaviour, seed, runs).chances.first().copied().unwrap_or(0.0);
        Some(Help { measure, chance })
    };
    let mut help: Vec<Help> = tries.into_iter().filter_map(tried).collect();
    help.sort_by(|a, b| b.chance.total_cmp(&a.chance));
    help
}

fn schedule(loaded: &Loaded) -> Schedule<'_> {
    Schedule { plan: &loaded.plan, quiet: loaded.quiet, now: loaded.outlook.now }
}

fn resume(loaded: &Loaded) -> Option<Outlook> {
    loaded.is_paused.then(|| {
        let mut outlook = loaded.outlook.clone();
        for (person, hand) in outlook.people.iter_mut().zip(&loaded.hands) {
            person.to_come = schedule(loaded).to_come(hand);
        }
        outlook
    })
}

fn release(loaded: &Loaded, replicates: usize) -> Option<Outlook> {
    let mut outlook = loaded.outlook.clone();
    let held = &mut outlook.held_back;
    let first = held.schedules.first().cloned().filter(|_| !loaded.is_paused && !held.replicates.is_empty())?;
    for mut person in held.replicates.drain(..replicates.min(held.replicates.len())).flatten() {
        person.to_come.clone_from(&first);
        held.released += 1;
        outlook.people.push(person);
    }
    Some(outlook)
}

/// Not before the quiet time after the last contact is over.
fn next_step_now(loaded: &Loaded) -> Option<Outlook> {
    let mut outlook = loaded.outlook.clone();
    let mut any = false;
    for (person, hand) in outlook.people.iter_mut().zip(&loaded.hands) {
        let Some(&(step, planned)) = person.to_come.first().filter(|(step, _)| *step > 0 && !loaded.is_call(*step)) else { continue };
        let allowed = person.since.map_or(outlook.now, |(_, at)| (at + loaded.quiet).max(outlook.now));
        if allowed < planned {
            person.to_come = schedule(loaded).from(step, allowed, hand);
            any = true;
        }
    }
    any.then_some(outlook)
}

/// Messages that would have come before are left out; what comes after keeps its distance.
fn telephone_now(loaded: &Loaded) -> Option<Outlook> {
    let mut outlook = loaded.outlook.clone();
    let mut any = false;
    for (person, hand) in outlook.people.iter_mut().zip(&loaded.hands) {
        let Some(&(step, planned)) = person.to_come.iter().find(|(step, _)| loaded.is_call(*step)) else { continue };
        if outlook.now < planned {
            person.to_come = schedule(loaded).from(step, outlook.now, hand);
            any = true;
        }
    }
    any.then_some(outlook)
}

/// After the last step, as long as that came after the one before it.
fn add_reminder(loaded: &Loaded) -> Option<Outlook> {
    let further = loaded.plan.steps.len();
    let after = loaded.plan.steps.iter().skip(1).map(|step| step.after).next_back().unwrap_or(REMINDER_AFTER).max(loaded.quiet);
    let mut outlook = loaded.outlook.clone();
    let now = outlook.now;
    for (person, hand) in outlook.people.iter_mut().zip(&loaded.hands).filter(|(_, hand)| hand.gets_sms) {
        let last = person.to_come.last().or(person.since.as_ref()).map(|(_, at)| *at);
        let at: Option<Timestamp> = last.and_then(|last| {
            loaded.plan.next_contact((last + after).max(now), &hand.zones, &hand.phone_hash, u32::try_from(further).unwrap_or(u32::MAX))
        });
        person.to_come.extend(at.map(|at| (further, at)));
    }
    (!loaded.is_paused
        && outlook.people.iter().any(|person| person.to_come.last().is_some_and(|(step, at)| *step == further && *at < outlook.closes_at)))
    .then_some(outlook)
}

fn extend(loaded: &Loaded) -> Option<Outlook> {
    let mut outlook = loaded.outlook.clone();
    outlook.closes_at = outlook.closes_at + DAY * EXTENSION_DAYS;
    outlook.day_ends = day_ends(outlook.now, outlook.closes_at, loaded.zone);
    let days = outlook.day_ends.len();
    if !outlook.held_back.replicates.is_empty() {
        outlook.held_back.schedules = schedule(loaded).of_days(days);
    }
    Some(outlook)
}
