//! The rehearsal: a campaign from its first day, by its own plan, with people who are only drawn. Nothing is sent and nothing is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::AnyConnection;

use super::super::deadlines::DeadlineError;
use super::input::{Hand, Schedule, day_ends};
use super::{BandOf, DayOf, group_of, prior, runs_for, seed_of, turns_of};
use crate::services::campaigns::read_plan;
use crate::domain::contact_plan::Happened;
use crate::domain::forecast::{Behaviour, CellState, HeldBack, Outlook, Paces, Person, Prior, play};
use crate::domain::replicates::FIRST_LOOK;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::context::Installation;
use crate::adapters::database::quotas::Cell;
use crate::adapters::database::{WriteTx, applications, campaigns, forecast_input as seen, programmes, quotas};

/// What a rehearsal of an application came to.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RehearsalOf {
    pub application: String,
    pub launched: NaiveDate,
    pub due: NaiveDate,
    pub people: u32,
    pub target: u32,
    pub chance: f64,
    pub completes: BandOf,
    pub messages: BandOf,
    /// People who are handed to the interviewers.
    pub handed_over: BandOf,
    pub days: Vec<DayOf>,
    pub cells: Vec<(String, u32, f64)>,
}

/// Rehearses the applications of a campaign. `rate`: completes by people invited, in place of what the programme's history says; `seed`: of the play.
pub async fn rehearse(installation: &Installation, code: &str, rate: Option<f64>, seed: Option<u64>) -> Result<Vec<RehearsalOf>, DeadlineError> {
    let mut connection = installation.store.read().await?;
    let laid_out = lay_out(installation, &mut connection, code, rate, seed).await?;
    drop(connection);
    play_out(laid_out).await
}

/// Rehearses a campaign that a transaction has launched and not committed, which it drops.
pub async fn rehearse_prepared(installation: &Installation, mut tx: WriteTx, code: &str) -> Result<Vec<RehearsalOf>, DeadlineError> {
    let laid_out = lay_out(installation, &mut tx, code, None, None).await?;
    drop(tx);
    play_out(laid_out).await
}

/// An application, ready to be played from its first day.
struct LaidOut {
    code: String,
    zone: Tz,
    cells: Vec<Cell>,
    outlook: Outlook,
    behaviour: Behaviour,
    seed: u64,
    people: usize,
}

async fn lay_out(
    installation: &Installation,
    connection: &mut AnyConnection,
    code: &str,
    rate: Option<f64>,
    seed: Option<u64>,
) -> Result<Vec<LaidOut>, DeadlineError> {
    let campaign = campaigns::find(connection, code).await?.ok_or_else(|| DeadlineError::UnknownCampaign(code.to_owned()))?;
    let plan = read_plan(&campaign.plan).map_err(|error| DeadlineError::Plan { code: campaign.code.clone(), error })?;
    let zone = programmes::get(connection, campaign.programme_id).await?.time_zone;
    let launched_at = campaign.launched_at;
    let schedule = Schedule { plan: &plan, quiet: installation.config.caps.quiet, now: launched_at };
    let turns = turns_of(&plan);
    let mut laid_out = Vec::new();
    for application in applications::of_campaign(connection, campaign.id).await? {
        let others = seen::others(connection, application.programme_id, application.id).await?;
        let assumed = rate.unwrap_or(installation.config.expected_response_rate);
        let prior = match rate {
            Some(rate) => Prior::assumed(rate, &turns).known_well(),
            None => prior(&others.seen, assumed, &turns),
        };
        let cells = quotas::cells(connection, application.id).await?;
        let known_cells = seen::cells_of_completes(connection, application.id).await?;
        let closes_at = application.field_closes_at.unwrap_or(launched_at);
        let (mut kinds, mut people, mut held_back) = (Vec::new(), Vec::new(), BTreeMap::<u32, Vec<Person>>::new());
        for case in seen::all_cases(connection, application.id).await? {
            let hand = Hand {
                zones: case.zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into()),
                phone_hash: case.phone_hash,
                next: None,
                gets_sms: case.can_be_sent,
                happened: Happened { delivered: case.can_be_sent, fixed_line: !case.can_be_sent, language: case.language, ..Happened::default() },
            };
            let (step, first) = plan.first_contact(launched_at, &hand.zones, &hand.phone_hash, case.can_be_sent);
            let group = group_of(&case.segment, &mut kinds);
            let mut person = Person { group, cells: case.cells, is_decided: case.is_decided, since: None, to_come: Vec::new() };
            if case.was_held_back {
                held_back.entry(case.replicate).or_default().push(person);
            } else {
                person.to_come = first.map_or_else(Vec::new, |first| schedule.from(step as usize, first, &hand));
                people.push(person);
            }
        }
        let day_ends = day_ends(launched_at, closes_at, zone);
        let all = people.len() + held_back.values().map(Vec::len).sum::<usize>();
        let outlook = Outlook {
            now: launched_at,
            closes_at,
            cells: cells.iter().map(|cell| CellState { kind: cell.kind, target: cell.target, completes: 0 }).collect(),
            known_cells,
            held_back: HeldBack {
                schedules: if held_back.is_empty() { Vec::new() } else { schedule.of_days(day_ends.len()) },
                next_look: (!held_back.is_empty()).then(|| launched_at + FIRST_LOOK),
                replicates: held_back.into_values().collect(),
                plan_length: plan.length(),
                expected_rate: installation.config.expected_response_rate,
                released: u32::try_from(people.len()).unwrap_or(u32::MAX),
            },
            people,
            day_ends,
        };
        let behaviour = Behaviour::new(&prior, &[], kinds.len(), Paces::from_seen(&others.delays));
        let seed = seed.unwrap_or_else(|| seed_of(application.id, launched_at));
        laid_out.push(LaidOut { code: application.code, zone, cells, outlook, behaviour, seed, people: all });
    }
    Ok(laid_out)
}

async fn play_out(laid_out: Vec<LaidOut>) -> Result<Vec<RehearsalOf>, DeadlineError> {
    let mut rehearsals = Vec::with_capacity(laid_out.len());
    for LaidOut { code, zone, cells, outlook, behaviour, seed, people } in laid_out {
        let played = tokio::task::spawn_blocking(move || {
            let played = play(&outlook, &behaviour, seed, runs_for(people));
            (outlook, played)
        });
        let (outlook, played) = played.await.map_err(|_| DeadlineError::Stopped)?;
        let launched = outlook.now.date(zone);
        let last = |at: Timestamp| (at - Duration::from_millis(1)).date(zone);
        rehearsals.push(RehearsalOf {
            application: code,
            launched,
            due: last(outlook.closes_at),
            people: u32::try_from(people).unwrap_or(u32::MAX),
            target: outlook.cells.first().map_or(0, |total| total.target),
            chance: played.chances.first().copied().unwrap_or(0.0),
            completes: played.completes.into(),
            messages: played.messages.into(),
            handed_over: played.handed_over.into(),
            days: played.days.iter().copied().zip(launched.iter_days()).map(|(band, day)| DayOf { day, completes: band.into() }).collect(),
            cells: cells.iter().zip(&played.chances).skip(1).map(|(cell, chance)| (cell.name.clone(), cell.target, *chance)).collect(),
        });
    }
    Ok(rehearsals)
}
