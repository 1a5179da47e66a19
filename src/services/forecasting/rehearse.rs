//! Rehearsals: simulates a campaign from its first day by its own plan, with randomly drawn people.
//! Nothing is sent and nothing is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::AnyConnection;

use super::ForecastError;
use super::input::{ContactSchedule, ContactScheduler, day_ends};
use super::{
    DayForecast, ForecastBand, contact_ordinals_of, prior, runs_for, seed_of, segment_index,
};
use crate::adapters::database::quotas::QuotaCell;
use crate::adapters::database::{
    WriteTx, applications, campaigns, forecast_input, programmes, quotas,
};
use crate::domain::contact_plan::ContactHistory;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::forecast::{
    CellCount, DelaysByMode, FieldState, ForecastPerson, HeldBackReplicates, Prior, ResponseModel,
    simulate,
};
use crate::domain::replicates::FIRST_REVIEW_AFTER;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// The result of rehearsing an application.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RehearsalForecast {
    pub application: String,
    pub launched: NaiveDate,
    pub due: NaiveDate,
    pub people: u32,
    pub target: u32,
    pub chance: f64,
    pub completes: ForecastBand,
    pub messages: ForecastBand,
    /// The number of people who reach the telephone step.
    pub handed_to_interviewers: ForecastBand,
    pub days: Vec<DayForecast>,
    pub cells: Vec<(String, u32, f64)>,
}

/// Rehearses the applications of a campaign. `rate`: the share of invited people who complete,
/// instead of the programme's history; `seed`: the seed of the simulation.
pub async fn rehearse(
    context: &AppContext,
    code: &str,
    rate: Option<f64>,
    seed: Option<u64>,
) -> Result<Vec<RehearsalForecast>, ForecastError> {
    let mut connection = context.database.read().await?;
    let inputs = load_rehearsal_inputs(context, &mut connection, code, rate, seed).await?;
    drop(connection);
    simulate_rehearsals(inputs).await
}

/// Rehearses a campaign launched in an uncommitted transaction, which is rolled back.
pub async fn rehearse_prepared(
    context: &AppContext,
    mut tx: WriteTx,
    code: &str,
) -> Result<Vec<RehearsalForecast>, ForecastError> {
    let inputs = load_rehearsal_inputs(context, &mut tx, code, None, None).await?;
    drop(tx);
    simulate_rehearsals(inputs).await
}

/// An application, ready to be simulated from its first day.
struct RehearsalInput {
    code: String,
    zone: Tz,
    cells: Vec<QuotaCell>,
    field_state: FieldState,
    response_model: ResponseModel,
    seed: u64,
    people: usize,
}

async fn load_rehearsal_inputs(
    context: &AppContext,
    connection: &mut AnyConnection,
    code: &str,
    rate: Option<f64>,
    seed: Option<u64>,
) -> Result<Vec<RehearsalInput>, ForecastError> {
    let campaign = campaigns::find(connection, code)
        .await?
        .ok_or_else(|| ForecastError::UnknownCampaign(code.to_owned()))?;
    let plan = ContactPlan::from_stored(&campaign.plan)
        .map_err(|error| ForecastError::Plan { code: campaign.code.clone(), error })?;
    let zone = programmes::get(connection, campaign.programme_id).await?.time_zone;
    let launched_at = campaign.launched_at;
    let scheduler =
        ContactScheduler { plan: &plan, quiet: context.config.caps.quiet, now: launched_at };
    let ordinals = contact_ordinals_of(&plan);
    let mut inputs = Vec::new();
    for application in applications::of_campaign(connection, campaign.id).await? {
        let others =
            forecast_input::history_of_others(connection, application.programme_id, application.id)
                .await?;
        let assumed = rate.unwrap_or(context.config.expected_response_rate);
        let prior = match rate {
            Some(rate) => Prior::assumed(rate, &ordinals).as_certain(),
            None => prior(&others.seen, assumed, &ordinals),
        };
        let cells = quotas::cells(connection, application.id).await?;
        let completed_cell_masks =
            forecast_input::cells_of_completes(connection, application.id).await?;
        let closes_at = application.field_closes_at.unwrap_or(launched_at);
        let (mut segments, mut people, mut held_back) =
            (Vec::new(), Vec::new(), BTreeMap::<u32, Vec<ForecastPerson>>::new());
        for case in forecast_input::all_cases(connection, application.id).await? {
            let contact_schedule = ContactSchedule {
                zones: plan.zones_of(case.zone.as_deref()),
                phone_hash: case.phone_hash,
                next: None,
                gets_sms: case.can_be_sent,
                history: ContactHistory {
                    delivered: case.can_be_sent,
                    fixed_line: !case.can_be_sent,
                    language: case.language,
                    ..ContactHistory::default()
                },
            };
            let (step, first) = plan.first_contact(
                launched_at,
                &contact_schedule.zones,
                &contact_schedule.phone_hash,
                case.can_be_sent,
            );
            let group = segment_index(&case.segment, &mut segments);
            let mut person = ForecastPerson {
                group,
                cell_mask: case.cell_mask,
                is_decided: case.is_decided,
                last_contact: None,
                upcoming_contacts: Vec::new(),
            };
            if case.was_held_back {
                held_back.entry(case.replicate).or_default().push(person);
            } else {
                person.upcoming_contacts = first.map_or_else(Vec::new, |first| {
                    scheduler.contacts_from(step as usize, first, &contact_schedule)
                });
                people.push(person);
            }
        }
        let day_ends = day_ends(launched_at, closes_at, zone);
        let all = people.len() + held_back.values().map(Vec::len).sum::<usize>();
        let field_state = FieldState {
            now: launched_at,
            closes_at,
            cells: cells
                .iter()
                .map(|cell| CellCount {
                    kind: cell.kind,
                    target: cell.target,
                    minimum: cell.minimum,
                    completes: 0,
                })
                .collect(),
            completed_cell_masks,
            held_back: HeldBackReplicates {
                schedules: if held_back.is_empty() {
                    Vec::new()
                } else {
                    scheduler.contacts_by_release_day(day_ends.len())
                },
                next_review: (!held_back.is_empty()).then(|| launched_at + FIRST_REVIEW_AFTER),
                replicates: held_back.into_values().collect(),
                plan_length: plan.length(),
                expected_rate: context.config.expected_response_rate,
                released: u32::try_from(people.len()).unwrap_or(u32::MAX),
            },
            people,
            day_ends,
        };
        let response_model = ResponseModel::new(
            &prior,
            &[],
            segments.len(),
            DelaysByMode::from_observed(&others.delays),
        );
        let seed = seed.unwrap_or_else(|| seed_of(application.id, launched_at));
        inputs.push(RehearsalInput {
            code: application.code,
            zone,
            cells,
            field_state,
            response_model,
            seed,
            people: all,
        });
    }
    Ok(inputs)
}

async fn simulate_rehearsals(
    inputs: Vec<RehearsalInput>,
) -> Result<Vec<RehearsalForecast>, ForecastError> {
    let mut rehearsals = Vec::with_capacity(inputs.len());
    for RehearsalInput { code, zone, cells, field_state, response_model, seed, people } in inputs {
        let simulated = tokio::task::spawn_blocking(move || {
            let simulated = simulate(&field_state, &response_model, seed, runs_for(people));
            (field_state, simulated)
        });
        let (field_state, simulated) = simulated.await.map_err(|_| ForecastError::Stopped)?;
        let launched = field_state.now.date(zone);
        let last = |at: Timestamp| (at - Duration::from_millis(1)).date(zone);
        rehearsals.push(RehearsalForecast {
            application: code,
            launched,
            due: last(field_state.closes_at),
            people: u32::try_from(people).unwrap_or(u32::MAX),
            target: field_state.cells.first().map_or(0, |total| total.target),
            chance: simulated.chances.first().copied().unwrap_or(0.0),
            completes: simulated.completes.into(),
            messages: simulated.messages.into(),
            handed_to_interviewers: simulated.handed_to_interviewers.into(),
            days: simulated
                .days
                .iter()
                .copied()
                .zip(launched.iter_days())
                .map(|(band, day)| DayForecast { day, completes: band.into() })
                .collect(),
            cells: cells
                .iter()
                .zip(&simulated.chances)
                .skip(1)
                .map(|(cell, chance)| (cell.name.clone(), cell.target, *chance))
                .collect(),
        });
    }
    Ok(rehearsals)
}
