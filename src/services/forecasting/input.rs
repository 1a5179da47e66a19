//! Reads how an application stands.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono_tz::Tz;

use super::super::deadlines::DeadlineError;
use super::{group_of, numbered, prior, turns_of};
use crate::services::campaigns::read_plan;
use crate::domain::contact_plan::{ContactPlan, Happened, Step};
use crate::domain::forecast::{CellState, Exposure, HeldBack, Outlook, Paces, Person, Prior, StepSeen, Turn};
use crate::domain::ids::InvitationId;
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::Installation;
use crate::adapters::database::applications::Application;
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::forecast_input::OpenCase;
use crate::adapters::database::quotas::{self, Cell};
use crate::adapters::database::{StoreError, calls, forecast_input as seen, programmes, replicates};

/// An application, ready to be played.
pub(super) struct Loaded {
    pub application: Application,
    pub plan: ContactPlan,
    pub zone: Tz,
    /// Between any two messages to one number.
    pub quiet: Duration,
    pub cells: Vec<Cell>,
    pub outlook: Outlook,
    /// Of each person in the outlook, in the same order, what a further contact is planned with.
    pub hands: Vec<Hand>,
    pub is_paused: bool,
    /// What has been seen, by contact and hour, and by contact.
    pub numbered: Vec<Exposure>,
    pub seen: BTreeMap<Turn, StepSeen>,
    pub kinds: usize,
    pub prior: Prior,
    pub paces: Paces,
}

/// How somebody's contacts are placed in time.
pub(super) struct Hand {
    pub zones: Zones,
    pub phone_hash: String,
    /// The next contact as planned, whether or not the campaign is paused.
    pub next: Option<(usize, Timestamp)>,
    pub gets_sms: bool,
    /// What steps' conditions look at, as it is now.
    pub happened: Happened,
}

pub(super) async fn load(installation: &Installation, application: Application, now: Timestamp) -> Result<Loaded, DeadlineError> {
    let mut connection = installation.store.read().await?;
    let zone = programmes::get(&mut connection, application.programme_id).await?.time_zone;
    let campaign = application.campaign_id.ok_or(StoreError::Unreadable { what: "an application in the field", value: "without campaign".into() })?;
    let campaign = campaigns::get(&mut connection, campaign).await?;
    let plan = read_plan(&campaign.plan).map_err(|error| DeadlineError::Plan { code: campaign.code.clone(), error })?;
    let exposures = seen::exposures(&mut connection, application.id, now).await?;
    let open = seen::open_cases(&mut connection, application.id).await?;
    let known_cells = seen::cells_of_completes(&mut connection, application.id).await?;
    let standing = replicates::standing(&mut connection, application.id).await?;
    let next_look = replicates::next_look_for(&mut connection, application.id).await?;
    let cells = quotas::cells(&mut connection, application.id).await?;
    let has_conditions = plan.steps.iter().any(Step::has_condition);
    let theirs: Vec<InvitationId> = if has_conditions { open.iter().map(|case| case.invitation).collect() } else { Vec::new() };
    let facts = if has_conditions { calls::facts(&mut connection, &theirs).await? } else { HashMap::new() };
    let others = seen::others(&mut connection, application.programme_id, application.id).await?;
    drop(connection);

    let expected_rate = installation.config.expected_response_rate;
    let paces = Paces::from_seen(&others.delays);
    let turns = turns_of(&plan);
    let mut kinds: Vec<Segment> = Vec::new();
    let numbered = numbered(&exposures, &mut kinds);
    let so_far = StepSeen::by_turn(&numbered, &turns, &paces);
    let is_paused = campaign.state == CampaignState::Paused;
    let quiet = installation.config.caps.quiet;
    // A hold moves the due day by its own days.
    let held_for = application.held_since.map_or(Duration::ZERO, |since| now.since(since));
    let closes_at = application.field_closes_at.unwrap_or(now) + held_for;
    let schedule = Schedule { plan: &plan, quiet, now };
    let (mut people, mut hands, mut held_back) = (Vec::new(), Vec::new(), BTreeMap::<u32, Vec<Person>>::new());
    for case in open {
        let group = group_of(&case.segment, &mut kinds);
        let happened = happened(facts.get(&case.invitation).copied().unwrap_or_default(), &case);
        let zones = zones_of(&case, &plan);
        let hand = Hand { zones, phone_hash: case.phone_hash, next: case.next, gets_sms: case.gets_sms, happened };
        let mut person = Person { group, cells: case.cells, is_decided: case.is_decided, since: case.last, to_come: Vec::new() };
        if !case.is_sampled {
            held_back.entry(case.replicate).or_default().push(person);
            continue;
        }
        if !is_paused {
            person.to_come = schedule.to_come(&hand);
        }
        people.push(person);
        hands.push(hand);
    }
    let day_ends = day_ends(now, closes_at, zone);
    let schedules = if held_back.is_empty() { Vec::new() } else { schedule.of_days(day_ends.len()) };
    let outlook = Outlook {
        now,
        closes_at,
        day_ends,
        cells: cells.iter().map(|cell| CellState { kind: cell.kind, target: cell.target, completes: cell.completes }).collect(),
        people,
        known_cells,
        held_back: HeldBack {
            replicates: held_back.into_values().collect(),
            next_look: next_look.filter(|_| !is_paused),
            schedules,
            plan_length: plan.length(),
            expected_rate,
            released: standing.released,
        },
    };
    let prior = prior(&others.seen, expected_rate, &turns);
    let kinds = kinds.len();
    Ok(Loaded { application, plan, zone, quiet, cells, outlook, hands, is_paused, numbered, seen: so_far, kinds, prior, paces })
}

/// Who has got nothing yet will most likely get the first message.
fn happened(facts: calls::Facts, case: &OpenCase) -> Happened {
    Happened {
        delivered: facts.is_delivered || case.last.is_none() && case.gets_sms,
        begun: facts.has_begun,
        calls: facts.calls,
        reached: facts.is_reached,
        fixed_line: facts.is_fixed_line,
        language: case.language,
    }
}

fn zones_of(case: &OpenCase, plan: &ContactPlan) -> Zones {
    case.zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into())
}

/// The ends of days in a zone until the field closes; the last is its closing.
pub(super) fn day_ends(now: Timestamp, closes_at: Timestamp, zone: Tz) -> Vec<Timestamp> {
    let ends = now.date(zone).iter_days().skip(1).map(|day| Timestamp::start_of_day(day, zone));
    ends.take_while(|end| *end < closes_at).chain([closes_at]).collect()
}

/// Places contacts as the dispatcher will.
pub(super) struct Schedule<'a> {
    pub plan: &'a ContactPlan,
    pub quiet: Duration,
    pub now: Timestamp,
}

impl Schedule<'_> {
    /// The contacts to come of somebody, as planned.
    pub fn to_come(&self, hand: &Hand) -> Vec<(usize, Timestamp)> {
        hand.next.map_or_else(Vec::new, |(step, at)| self.from(step, at.max(self.now), hand))
    }

    /// A step at a time, and those after it: as far as they reach this person, and as their conditions stand now.
    pub fn from(&self, step: usize, at: Timestamp, hand: &Hand) -> Vec<(usize, Timestamp)> {
        let (mut all, mut at) = (Vec::new(), Some(at));
        for (number, step) in self.plan.steps.iter().enumerate().skip(step) {
            let number_of_step = u32::try_from(number).unwrap_or(u32::MAX);
            let placed = at.and_then(|at| self.plan.next_contact(at, &hand.zones, &hand.phone_hash, number_of_step));
            let is_taken = (hand.gets_sms || step.is_telephone()) && step.is_taken(&hand.happened);
            all.extend(placed.filter(|_| is_taken).map(|placed| (number, placed)));
            at = placed.zip(self.plan.steps.get(number + 1)).map(|(placed, next)| placed + next.after.max(self.quiet));
        }
        all
    }

    /// What somebody gets who is released on the first, second, … day from now.
    pub fn of_days(&self, days: usize) -> Vec<Vec<(usize, Timestamp)>> {
        let happened = Happened { delivered: true, ..Happened::default() };
        let anybody = Hand { zones: self.plan.time_zone.into(), phone_hash: String::new(), next: None, gets_sms: true, happened };
        let day = |day: usize| {
            let at = self.now + Duration::from_secs(86_400) * u32::try_from(day).unwrap_or(u32::MAX);
            let (step, first) = self.plan.first_contact(at, &anybody.zones, &anybody.phone_hash, true);
            first.map_or_else(Vec::new, |first| self.from(step as usize, first, &anybody))
        };
        (0..days).map(day).collect()
    }
}
