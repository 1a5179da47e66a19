//! Forecasts of applications in the field, hourly and on demand, with the interventions that would
//! help.
//!
//! [`input`] loads the state of an application; the result of its simulation is an
//! [`ApplicationForecast`], stored for the day and shown in listings. Each forecast also records
//! the outcome of the application's contacts so far, from which the programme's other applications
//! learn. [`rehearse()`] forecasts a campaign before its launch; [`interventions`] ranks the
//! measures that would help.

mod input;
mod interventions;
mod rehearse;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use interventions::{Intervention, Measure};
pub use rehearse::{RehearsalForecast, rehearse, rehearse_prepared};

use self::input::{ForecastInput, load_forecast_input};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::forecasts::{self, StoredForecast};
use crate::adapters::database::{DatabaseError, WriteTx, campaigns, forecast_input};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError, Step};
use crate::domain::forecast::{
    BINS, Band, ContactOrdinal, ContactOutcome, DelaysByMode, Exposure, Prior, ResponseModel,
    StepCounts, bin_of, simulate,
};
use crate::domain::ids::ApplicationId;
use crate::domain::mode::Mode;
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind, application_item};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "forecast.", serialize_all = "snake_case")]
pub enum ForecastError {
    #[error("no campaign has the code {0}")]
    UnknownCampaign(String),
    #[error("the plan of campaign {code}, as launched, cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
    #[error("the forecast was stopped")]
    Stopped,
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// The number of simulation runs. Larger lists get fewer, so that a forecast takes no longer than
/// seconds.
const FULL_RUNS: u32 = 400;
const MAX_PEOPLE_AT_FULL_RUNS: u32 = 5_000;
/// The number of applications claimed at once.
const CLAIM_BATCH: u32 = 20;
/// The chance from which no intervention is needed.
pub const SAFE_CHANCE: f64 = 0.95;

/// A forecast as it is reported, and stored as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApplicationForecast {
    pub application: String,
    pub made_at: String,
    /// The last day of the field.
    pub due: NaiveDate,
    pub days_left: i64,
    pub completed: u32,
    pub target: u32,
    /// The chance that the target is reached by the due day, and every cell's minimum.
    pub chance: f64,
    /// Completes on the due day: the median, and the band that holds eight cases of ten.
    pub completes: ForecastBand,
    pub days: Vec<DayForecast>,
    pub cells: Vec<CellForecast>,
    /// The possible interventions, best first; empty where none is needed.
    pub interventions: Vec<Intervention>,
    /// Whether the campaign is paused, and whether the application is on hold. In both cases
    /// nothing is sent; the forecast of a held application assumes that it is released now.
    pub is_paused: bool,
    pub is_held: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ForecastBand {
    pub low: u32,
    pub median: u32,
    pub high: u32,
}

impl From<Band> for ForecastBand {
    fn from(band: Band) -> ForecastBand {
        ForecastBand { low: band.low, median: band.median, high: band.high }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DayForecast {
    pub day: NaiveDate,
    #[serde(flatten)]
    pub completes: ForecastBand,
}

/// The forecast of a cell other than the total.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CellForecast {
    pub name: String,
    pub kind: String,
    pub completed: u32,
    pub target: u32,
    pub chance: f64,
    /// The completes that are wanted at least, 0 for no minimum, and the chance of them.
    #[serde(default)]
    pub minimum: u32,
    #[serde(default)]
    pub minimum_chance: Option<f64>,
}

/// Computes the forecasts that are due. Returns their number.
pub async fn tick(context: &AppContext) -> Result<u32, ForecastError> {
    let mut made = 0;
    loop {
        let now = context.clock.now();
        let mut tx = context.database.write().await?;
        let due =
            forecasts::claim_due(&mut tx, now, now + context.config.forecast_every, CLAIM_BATCH)
                .await?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(made);
        }
        let mut isolation = Isolation::load(context, WorkKind::Forecast).await?;
        for id in due {
            let application = applications::get(&mut *context.database.read().await?, id).await;
            let item = application_item(&application, id);
            if isolation.holds_back(&item) {
                continue;
            }
            let result = match application {
                Ok(application) if application.state != ApplicationState::InField => continue,
                Ok(application) => forecast_application(context, application).await,
                Err(error) => Err(error.into()),
            };
            made += u32::from(isolation.record(&item, result).await?.is_some());
        }
    }
}

/// Returns when the next forecast is due.
pub async fn next_due(context: &AppContext) -> Result<Option<Timestamp>, ForecastError> {
    Ok(forecasts::next_due(&mut *context.database.read().await?).await?)
}

/// Computes the forecasts of a campaign's applications in the field, those in most danger first.
pub async fn forecast_campaign(
    context: &AppContext,
    code: &str,
) -> Result<Vec<ApplicationForecast>, ForecastError> {
    let applications_of_campaign = {
        let mut connection = context.database.read().await?;
        let campaign = campaigns::find(&mut connection, code)
            .await?
            .ok_or_else(|| ForecastError::UnknownCampaign(code.to_owned()))?;
        applications::of_campaign(&mut connection, campaign.id).await?
    };
    let mut all = Vec::new();
    for application in applications_of_campaign
        .into_iter()
        .filter(|application| application.state == ApplicationState::InField)
    {
        all.push(forecast_application(context, application).await?);
    }
    all.sort_by(|a, b| {
        a.chance.total_cmp(&b.chance).then_with(|| a.application.cmp(&b.application))
    });
    Ok(all)
}

/// Computes a forecast and stores it.
#[tracing::instrument(name = "forecast", level = "debug", skip_all, fields(application = application.code))]
async fn forecast_application(
    context: &AppContext,
    application: Application,
) -> Result<ApplicationForecast, ForecastError> {
    let now = context.clock.now();
    let id = application.id;
    let input = load_forecast_input(context, application, now).await?;
    let day = now.date(input.zone);
    let (observed, delays) =
        (input.observed.clone(), response_delays(&input.indexed_exposures, &input.prior.ordinals));
    // The simulation occupies a core for some milliseconds.
    let made = tokio::task::spawn_blocking(move || compute_forecast(&input))
        .await
        .map_err(|_| ForecastError::Stopped)?;
    let document = serde_json::to_string(&made).map_err(|_| ForecastError::Stopped)?;
    let mut tx = context.database.write().await?;
    forecast_input::save_history(&mut tx, id, &observed, &delays).await?;
    forecasts::put(
        &mut tx,
        id,
        &StoredForecast { day, made_at: now, chance: made.chance, document },
    )
    .await?;
    tx.commit().await?;
    Ok(made)
}

fn compute_forecast(input: &ForecastInput) -> ApplicationForecast {
    let ForecastInput { application, field_state, zone, cells, .. } = input;
    let response_model = input.response_model();
    let (seed, runs) = (input.seed(), runs_for(field_state.people.len()));
    let forecast = simulate(field_state, &response_model, seed, runs);
    let chance = forecast.chances.first().copied().unwrap_or(0.0);
    let first_day = field_state.now.date(*zone);
    let of_day = |(band, day)| DayForecast { day, completes: ForecastBand::from(band) };
    let due = (field_state.closes_at - std::time::Duration::from_millis(1)).date(*zone);
    ApplicationForecast {
        application: application.code.clone(),
        made_at: field_state.now.rfc3339(*zone),
        due,
        days_left: (due - first_day).num_days(),
        completed: field_state.cells.first().map_or(0, |total| total.completes),
        target: field_state.cells.first().map_or(0, |total| total.target),
        chance,
        completes: forecast.completes.into(),
        days: forecast.days.iter().copied().zip(first_day.iter_days()).map(of_day).collect(),
        cells: cells
            .iter()
            .zip(forecast.chances.iter().zip(&forecast.minimum_chances))
            .skip(1)
            .map(|(cell, (chance, minimum_chance))| CellForecast {
                name: cell.name.clone(),
                kind: cell.kind.as_str().to_owned(),
                completed: cell.completes,
                target: cell.target,
                chance: *chance,
                minimum: cell.minimum,
                minimum_chance: (cell.minimum > 0).then_some(*minimum_chance),
            })
            .collect(),
        interventions: if chance < SAFE_CHANCE {
            interventions::rank_interventions(input, &response_model, seed, runs)
        } else {
            Vec::new()
        },
        is_paused: input.is_paused,
        is_held: application.held_since.is_some(),
    }
}

fn runs_for(people: usize) -> u32 {
    let people = u32::try_from(people).unwrap_or(u32::MAX);
    if people <= MAX_PEOPLE_AT_FULL_RUNS {
        FULL_RUNS
    } else {
        (u64::from(FULL_RUNS) * u64::from(MAX_PEOPLE_AT_FULL_RUNS) / u64::from(people)).max(50)
            as u32
    }
}

/// Records the history of an application that closes, for the forecasts of others.
pub(super) async fn record_history(
    context: &AppContext,
    tx: &mut WriteTx,
    application: &Application,
) -> Result<(), ForecastError> {
    let Some(campaign) = application.campaign_id else { return Ok(()) };
    let campaign = campaigns::get(tx, campaign).await?;
    let ordinals = contact_ordinals_of(
        &ContactPlan::from_stored(&campaign.plan)
            .map_err(|error| ForecastError::Plan { code: campaign.code, error })?,
    );
    let exposures = index_exposures(
        &forecast_input::exposures(tx, application.id, context.clock.now()).await?,
        &mut Vec::new(),
    );
    let others =
        forecast_input::history_of_others(tx, application.programme_id, application.id).await?;
    let so_far =
        StepCounts::by_ordinal(&exposures, &ordinals, &DelaysByMode::from_observed(&others.delays));
    Ok(forecast_input::save_history(
        tx,
        application.id,
        &so_far,
        &response_delays(&exposures, &ordinals),
    )
    .await?)
}

fn contact_ordinals_of(plan: &ContactPlan) -> Vec<ContactOrdinal> {
    ContactOrdinal::of_plan(plan.steps.iter().map(Step::mode))
}

/// Returns the delays until completes, by the mode of the contact before.
fn response_delays(
    exposures: &[Exposure],
    ordinals: &[ContactOrdinal],
) -> BTreeMap<Mode, [f64; BINS]> {
    let mut delays: BTreeMap<Mode, [f64; BINS]> = BTreeMap::new();
    for exposure in
        exposures.iter().filter(|exposure| exposure.outcome == ContactOutcome::Completes)
    {
        if let Some(ordinal) = ordinals.get(exposure.step) {
            delays.entry(ordinal.mode).or_insert([0.0; BINS])[bin_of(exposure.hours)] +=
                exposure.cases;
        }
    }
    delays
}

/// Indexes the exposures by segment; new segments are appended to `segments`.
fn index_exposures(
    exposures: &[forecast_input::ExposureRow],
    segments: &mut Vec<Segment>,
) -> Vec<Exposure> {
    let exposure = |row: &forecast_input::ExposureRow| Exposure {
        step: row.step,
        group: segment_index(&row.segment, segments),
        outcome: row.outcome,
        hours: row.hours,
        cases: row.cases,
    };
    exposures.iter().map(exposure).collect()
}

fn segment_index(kind: &Segment, segments: &mut Vec<Segment>) -> usize {
    segments.iter().position(|known| known == kind).unwrap_or_else(|| {
        segments.push(kind.clone());
        segments.len() - 1
    })
}

impl ForecastInput {
    fn is_call(&self, step: usize) -> bool {
        self.plan.steps.get(step).is_some_and(Step::is_telephone)
    }

    fn response_model(&self) -> ResponseModel {
        ResponseModel::new(
            &self.prior,
            &self.indexed_exposures,
            self.segments,
            self.delays_by_mode.clone(),
        )
    }

    /// Returns the seed: the same application at the same moment gives the same simulation.
    fn seed(&self) -> u64 {
        seed_of(self.application.id, self.field_state.now)
    }
}

fn seed_of(id: ApplicationId, now: Timestamp) -> u64 {
    (id.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ now.0 as u64
}

/// Returns the prior of an installation for applications without observations.
fn prior(
    others: &[BTreeMap<ContactOrdinal, StepCounts>],
    rate: f64,
    ordinals: &[ContactOrdinal],
) -> Prior {
    Prior::learn(others, rate, ordinals).with_extra_message()
}
