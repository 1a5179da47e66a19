//! Loads the input of a forecast: the present state of an application.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono_tz::Tz;

use super::ForecastError;
use super::{contact_ordinals_of, index_exposures, prior, segment_index};
use crate::adapters::database::applications::Application;
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::forecast_input::OpenCase;
use crate::adapters::database::quotas::{self, QuotaCell};
use crate::adapters::database::{DatabaseError, calls, forecast_input, programmes, replicates};
use crate::domain::contact_plan::{ContactHistory, ContactPlan, MessageSlot, Step};
use crate::domain::forecast::{
    CellCount, ContactOrdinal, DelaysByMode, Exposure, FieldState, ForecastPerson,
    HeldBackReplicates, Prior, StepCounts,
};
use crate::domain::ids::InvitationId;
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::AppContext;

/// An application, ready to be simulated.
pub(super) struct ForecastInput {
    pub application: Application,
    pub plan: ContactPlan,
    pub zone: Tz,
    /// The minimum time between any two messages to one number.
    pub quiet: Duration,
    pub cells: Vec<QuotaCell>,
    pub field_state: FieldState,
    /// The contact schedule of each person in the field state, in the same order.
    pub contact_schedules: Vec<ContactSchedule>,
    pub is_paused: bool,
    /// The observed counts, by contact and hour and by contact.
    pub indexed_exposures: Vec<Exposure>,
    pub observed: BTreeMap<ContactOrdinal, StepCounts>,
    pub segments: usize,
    pub prior: Prior,
    pub delays_by_mode: DelaysByMode,
}

/// The facts that determine the times of a person's contacts.
pub(super) struct ContactSchedule {
    pub zones: Zones,
    pub phone_hash: String,
    /// The next contact as planned, whether or not the campaign is paused.
    pub next: Option<(usize, Timestamp)>,
    pub gets_sms: bool,
    /// The present facts for the conditions of steps.
    pub history: ContactHistory,
}

pub(super) async fn load_forecast_input(
    context: &AppContext,
    application: Application,
    now: Timestamp,
) -> Result<ForecastInput, ForecastError> {
    let mut connection = context.database.read().await?;
    let zone = programmes::get(&mut connection, application.programme_id).await?.time_zone;
    let campaign = application.campaign_id.ok_or(DatabaseError::Unreadable {
        what: "an application in the field",
        value: "without campaign".into(),
    })?;
    let campaign = campaigns::get(&mut connection, campaign).await?;
    let plan = ContactPlan::from_stored(&campaign.plan)
        .map_err(|error| ForecastError::Plan { code: campaign.code.clone(), error })?;
    let exposures = forecast_input::exposures(&mut connection, application.id, now).await?;
    let open = forecast_input::open_cases(&mut connection, application.id).await?;
    let completed_cell_masks =
        forecast_input::cells_of_completes(&mut connection, application.id).await?;
    let replicate_status = replicates::status(&mut connection, application.id).await?;
    let next_review = replicates::next_review_of(&mut connection, application.id).await?;
    let cells = quotas::cells(&mut connection, application.id).await?;
    let has_conditions = plan.steps.iter().any(Step::has_condition);
    let invitations: Vec<InvitationId> =
        if has_conditions { open.iter().map(|case| case.invitation).collect() } else { Vec::new() };
    let facts = if has_conditions {
        calls::contact_facts(&mut connection, &invitations).await?
    } else {
        HashMap::new()
    };
    let others = forecast_input::history_of_others(
        &mut connection,
        application.programme_id,
        application.id,
    )
    .await?;
    drop(connection);

    let expected_rate = context.config.expected_response_rate;
    let delays_by_mode = DelaysByMode::from_observed(&others.delays);
    let ordinals = contact_ordinals_of(&plan);
    let mut segments: Vec<Segment> = Vec::new();
    let indexed_exposures = index_exposures(&exposures, &mut segments);
    let so_far = StepCounts::by_ordinal(&indexed_exposures, &ordinals, &delays_by_mode);
    let is_paused = campaign.state == CampaignState::Paused;
    let quiet = context.config.caps.quiet;
    // A hold moves the due day by its own days.
    let held_for = application.held_since.map_or(Duration::ZERO, |since| now.since(since));
    let closes_at = application.field_closes_at.unwrap_or(now) + held_for;
    let scheduler = ContactScheduler { plan: &plan, quiet, now };
    let (mut people, mut contact_schedules, mut held_back) =
        (Vec::new(), Vec::new(), BTreeMap::<u32, Vec<ForecastPerson>>::new());
    for case in open {
        let group = segment_index(&case.segment, &mut segments);
        let history =
            contact_history(facts.get(&case.invitation).copied().unwrap_or_default(), &case);
        let zones = zones_of(&case, &plan);
        let contact_schedule = ContactSchedule {
            zones,
            phone_hash: case.phone_hash,
            next: case.next,
            gets_sms: case.gets_sms,
            history,
        };
        let mut person = ForecastPerson {
            group,
            cell_mask: case.cell_mask,
            is_decided: case.is_decided,
            last_contact: case.last,
            upcoming_contacts: Vec::new(),
        };
        if !case.is_sampled {
            held_back.entry(case.replicate).or_default().push(person);
            continue;
        }
        if !is_paused {
            person.upcoming_contacts = scheduler.planned_contacts(&contact_schedule);
        }
        people.push(person);
        contact_schedules.push(contact_schedule);
    }
    let day_ends = day_ends(now, closes_at, zone);
    let schedules = if held_back.is_empty() {
        Vec::new()
    } else {
        scheduler.contacts_by_release_day(day_ends.len())
    };
    let field_state = FieldState {
        now,
        closes_at,
        day_ends,
        cells: cells
            .iter()
            .map(|cell| CellCount {
                kind: cell.kind,
                target: cell.target,
                minimum: cell.minimum,
                completes: cell.completes,
            })
            .collect(),
        people,
        completed_cell_masks,
        held_back: HeldBackReplicates {
            replicates: held_back.into_values().collect(),
            next_review: next_review.filter(|_| !is_paused),
            schedules,
            plan_length: plan.length(),
            expected_rate,
            released: replicate_status.released,
        },
    };
    let prior = prior(&others.seen, expected_rate, &ordinals);
    let segments = segments.len();
    Ok(ForecastInput {
        application,
        plan,
        zone,
        quiet,
        cells,
        field_state,
        contact_schedules,
        is_paused,
        indexed_exposures,
        observed: so_far,
        segments,
        prior,
        delays_by_mode,
    })
}

/// A person without any message so far will most likely receive the first one.
fn contact_history(facts: calls::ContactFacts, case: &OpenCase) -> ContactHistory {
    ContactHistory {
        delivered: facts.is_delivered || case.last.is_none() && case.gets_sms,
        begun: facts.has_begun,
        calls: facts.calls,
        reached: facts.is_reached,
        fixed_line: facts.is_fixed_line,
        language: case.language,
    }
}

fn zones_of(case: &OpenCase, plan: &ContactPlan) -> Zones {
    plan.zones_of(case.zone.as_deref())
}

/// Returns the ends of the days in a zone until the field closes; the last one is the close.
pub(super) fn day_ends(now: Timestamp, closes_at: Timestamp, zone: Tz) -> Vec<Timestamp> {
    let ends = now.date(zone).iter_days().skip(1).map(|day| Timestamp::start_of_day(day, zone));
    ends.take_while(|end| *end < closes_at).chain([closes_at]).collect()
}

/// Schedules contacts as the dispatcher will.
pub(super) struct ContactScheduler<'a> {
    pub plan: &'a ContactPlan,
    pub quiet: Duration,
    pub now: Timestamp,
}

impl ContactScheduler<'_> {
    /// Returns the planned contacts of a person.
    pub fn planned_contacts(&self, contact_schedule: &ContactSchedule) -> Vec<(usize, Timestamp)> {
        contact_schedule.next.map_or_else(Vec::new, |(step, at)| {
            self.contacts_from(step, at.max(self.now), contact_schedule)
        })
    }

    /// Returns a step at a time and the steps after it, as far as they reach this person under the
    /// present conditions.
    pub fn contacts_from(
        &self,
        step: usize,
        at: Timestamp,
        contact_schedule: &ContactSchedule,
    ) -> Vec<(usize, Timestamp)> {
        let (mut all, mut at) = (Vec::new(), Some(at));
        for (number, step) in self.plan.steps.iter().enumerate().skip(step) {
            let slot = MessageSlot::step(u32::try_from(number).unwrap_or(u32::MAX));
            let placed = at.and_then(|at| {
                self.plan.next_contact(
                    at,
                    &contact_schedule.zones,
                    &contact_schedule.phone_hash,
                    slot,
                )
            });
            let is_applied = (contact_schedule.gets_sms || !step.is_message())
                && step.applies_to(&contact_schedule.history);
            all.extend(placed.filter(|_| is_applied).map(|placed| (number, placed)));
            at = placed
                .zip(self.plan.steps.get(number + 1))
                .map(|(placed, next)| placed + next.after.max(self.quiet));
        }
        all
    }

    /// Returns the contacts of a person who is released on the first, second, … day from now.
    pub fn contacts_by_release_day(&self, days: usize) -> Vec<Vec<(usize, Timestamp)>> {
        let history = ContactHistory { delivered: true, ..ContactHistory::default() };
        let anybody = ContactSchedule {
            zones: self.plan.time_zone.into(),
            phone_hash: String::new(),
            next: None,
            gets_sms: true,
            history,
        };
        let day = |day: usize| {
            let at =
                self.now + Duration::from_secs(86_400) * u32::try_from(day).unwrap_or(u32::MAX);
            let (step, first) =
                self.plan.first_contact(at, &anybody.zones, &anybody.phone_hash, true);
            first.map_or_else(Vec::new, |first| self.contacts_from(step as usize, first, &anybody))
        };
        (0..days).map(day).collect()
    }
}
