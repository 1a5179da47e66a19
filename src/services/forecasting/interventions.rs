//! Interventions for an application that may miss its target: each measure with the chance that it
//! would give.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::input::{ContactScheduler, ForecastInput, day_ends};
use crate::domain::contact_plan::MessageSlot;
use crate::domain::forecast::{FieldState, ResponseModel, simulate};
use crate::domain::time::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);
/// The days of the simulated extension.
const EXTENSION_DAYS: u32 = 14;
/// The delay of a further reminder after the last step if the plan has only one step.
const REMINDER_AFTER: Duration = Duration::from_secs(7 * 86_400);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Resume the campaign.
    Resume,
    /// Release one more replicate now.
    ReleaseReplicate,
    /// Release all replicates that are held back.
    ReleaseAll,
    /// Send the next message now to everyone who waits for it.
    NextStepNow,
    /// Move the telephone step to now for everyone who has it ahead.
    TelephoneNow,
    /// Add one more reminder after the last step.
    AddReminder,
    /// Move the due day by a fortnight.
    Extend,
}

impl Measure {
    /// Returns the labels in Chinese and English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Measure::Resume => ("恢复活动", "resume the campaign"),
            Measure::ReleaseReplicate => ("再释放一个子样本", "release one more replicate"),
            Measure::ReleaseAll => ("释放全部子样本", "release all replicates"),
            Measure::NextStepNow => ("立即发送下一步", "send the next step now"),
            Measure::TelephoneNow => {
                ("电话步骤提前到现在", "bring the telephone step forward to now")
            }
            Measure::AddReminder => ("增加一次提醒", "add a reminder"),
            Measure::Extend => ("延长 14 天", "extend by 14 days"),
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Intervention {
    pub measure: Measure,
    pub chance: f64,
}

/// A measure, and the field state with it; `None`: the measure is not possible.
type InterventionScenario = (Measure, fn(&ForecastInput) -> Option<FieldState>);

/// Returns every possible measure, best first.
pub(super) fn rank_interventions(
    input: &ForecastInput,
    response_model: &ResponseModel,
    seed: u64,
    runs: u32,
) -> Vec<Intervention> {
    let scenarios: [InterventionScenario; 7] = [
        (Measure::Resume, resume),
        (Measure::ReleaseReplicate, |input| release(input, 1)),
        (Measure::ReleaseAll, |input| {
            release(input, usize::MAX).filter(|_| input.field_state.held_back.replicates.len() > 1)
        }),
        (Measure::NextStepNow, next_step_now),
        (Measure::TelephoneNow, telephone_now),
        (Measure::AddReminder, add_reminder),
        (Measure::Extend, extend),
    ];
    let evaluate = |(measure, change): (Measure, fn(&ForecastInput) -> Option<FieldState>)| {
        let chance = simulate(&change(input)?, response_model, seed, runs)
            .chances
            .first()
            .copied()
            .unwrap_or(0.0);
        Some(Intervention { measure, chance })
    };
    let mut interventions: Vec<Intervention> = scenarios.into_iter().filter_map(evaluate).collect();
    interventions.sort_by(|a, b| b.chance.total_cmp(&a.chance));
    interventions
}

fn scheduler(input: &ForecastInput) -> ContactScheduler<'_> {
    ContactScheduler { plan: &input.plan, quiet: input.quiet, now: input.field_state.now }
}

fn resume(input: &ForecastInput) -> Option<FieldState> {
    input.is_paused.then(|| {
        let mut field_state = input.field_state.clone();
        for (person, contact_schedule) in
            field_state.people.iter_mut().zip(&input.contact_schedules)
        {
            person.upcoming_contacts = scheduler(input).planned_contacts(contact_schedule);
        }
        field_state
    })
}

fn release(input: &ForecastInput, replicates: usize) -> Option<FieldState> {
    let mut field_state = input.field_state.clone();
    let held = &mut field_state.held_back;
    let first = held
        .schedules
        .first()
        .cloned()
        .filter(|_| !input.is_paused && !held.replicates.is_empty())?;
    for mut person in held.replicates.drain(..replicates.min(held.replicates.len())).flatten() {
        person.upcoming_contacts.clone_from(&first);
        held.released += 1;
        field_state.people.push(person);
    }
    Some(field_state)
}

/// The next step is sent once the quiet time after the last contact is over.
fn next_step_now(input: &ForecastInput) -> Option<FieldState> {
    let mut field_state = input.field_state.clone();
    let mut any = false;
    for (person, contact_schedule) in field_state.people.iter_mut().zip(&input.contact_schedules) {
        let Some(&(step, planned)) =
            person.upcoming_contacts.first().filter(|(step, _)| *step > 0 && !input.is_call(*step))
        else {
            continue;
        };
        let allowed = person
            .last_contact
            .map_or(field_state.now, |(_, at)| (at + input.quiet).max(field_state.now));
        if allowed < planned {
            person.upcoming_contacts =
                scheduler(input).contacts_from(step, allowed, contact_schedule);
            any = true;
        }
    }
    any.then_some(field_state)
}

/// Drops messages planned before the call; later steps move with it.
fn telephone_now(input: &ForecastInput) -> Option<FieldState> {
    let mut field_state = input.field_state.clone();
    let mut any = false;
    for (person, contact_schedule) in field_state.people.iter_mut().zip(&input.contact_schedules) {
        let Some(&(step, planned)) =
            person.upcoming_contacts.iter().find(|(step, _)| input.is_call(*step))
        else {
            continue;
        };
        if field_state.now < planned {
            person.upcoming_contacts =
                scheduler(input).contacts_from(step, field_state.now, contact_schedule);
            any = true;
        }
    }
    any.then_some(field_state)
}

/// Adds a reminder after the last step, at the same delay as that step after the one before it.
fn add_reminder(input: &ForecastInput) -> Option<FieldState> {
    let further = input.plan.steps.len();
    let after = input
        .plan
        .steps
        .iter()
        .skip(1)
        .map(|step| step.after)
        .next_back()
        .unwrap_or(REMINDER_AFTER)
        .max(input.quiet);
    let mut field_state = input.field_state.clone();
    let now = field_state.now;
    for (person, contact_schedule) in field_state
        .people
        .iter_mut()
        .zip(&input.contact_schedules)
        .filter(|(_, contact_schedule)| contact_schedule.gets_sms)
    {
        let last =
            person.upcoming_contacts.last().or(person.last_contact.as_ref()).map(|(_, at)| *at);
        let at: Option<Timestamp> = last.and_then(|last| {
            input.plan.next_contact(
                (last + after).max(now),
                &contact_schedule.zones,
                &contact_schedule.phone_hash,
                MessageSlot::step(u32::try_from(further).unwrap_or(u32::MAX)),
            )
        });
        person.upcoming_contacts.extend(at.map(|at| (further, at)));
    }
    (!input.is_paused
        && field_state.people.iter().any(|person| {
            person
                .upcoming_contacts
                .last()
                .is_some_and(|(step, at)| *step == further && *at < field_state.closes_at)
        }))
    .then_some(field_state)
}

fn extend(input: &ForecastInput) -> Option<FieldState> {
    let mut field_state = input.field_state.clone();
    field_state.closes_at = field_state.closes_at + DAY * EXTENSION_DAYS;
    field_state.day_ends = day_ends(field_state.now, field_state.closes_at, input.zone);
    let days = field_state.day_ends.len();
    if !field_state.held_back.replicates.is_empty() {
        field_state.held_back.schedules = scheduler(input).contacts_by_release_day(days);
    }
    Some(field_state)
}
