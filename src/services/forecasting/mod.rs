//! The forecast of what is in the field: every hour and on demand, with what would help.
//!
//! In goes an application as the database has it; out comes a [`ForecastOf`], kept for the day and told in listings. Each one also writes down what the
//! application's contacts have brought so far, from which the programme's other applications learn.

mod interventions;
mod input;
mod rehearse;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use interventions::{Help, Measure};
pub use rehearse::{RehearsalOf, rehearse, rehearse_prepared};

use self::input::{Loaded, load};
use super::deadlines::DeadlineError;
use crate::services::campaigns::read_plan;
use crate::domain::contact_plan::{ContactPlan, Step};
use crate::domain::forecast::{BINS, Band, Behaviour, Exposure, Outcome, Paces, Prior, StepSeen, Turn, bin_of, play};
use crate::domain::ids::ApplicationId;
use crate::domain::mode::Mode;
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::forecasts::{self, StoredForecast};
use crate::adapters::database::{WriteTx, campaigns, forecast_input as seen};

/// So often is a field played; for a list of more people less often, so that a forecast takes no longer than seconds.
const RUNS: u32 = 400;
const RUNS_FOR: u32 = 5_000;
/// As many are claimed at once.
const AT_ONCE: u32 = 20;
/// When a quota is nearly certain, nothing needs to help.
const SAFE: f64 = 0.95;

/// A forecast as it is told, and kept as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ForecastOf {
    pub application: String,
    pub made_at: String,
    /// The last day of the field.
    pub due: NaiveDate,
    pub days_left: i64,
    pub completed: u32,
    pub target: u32,
    /// The chance that the target is reached by the due day.
    pub chance: f64,
    /// Completes on the due day: the median, and the band that holds eight cases of ten.
    pub completes: BandOf,
    pub days: Vec<DayOf>,
    pub cells: Vec<CellOf>,
    /// What would help, the best first; empty where nothing needs to.
    pub help: Vec<Help>,
    /// Nothing is sent as things are: its campaign is paused, or it is on hold (then it is told as if it were released now).
    pub is_paused: bool,
    pub is_held: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BandOf {
    pub low: u32,
    pub median: u32,
    pub high: u32,
}

impl From<Band> for BandOf {
    fn from(band: Band) -> BandOf {
        BandOf { low: band.low, median: band.median, high: band.high }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DayOf {
    pub day: NaiveDate,
    #[serde(flatten)]
    pub completes: BandOf,
}

/// A cell other than the total.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CellOf {
    pub name: String,
    pub kind: String,
    pub completed: u32,
    pub target: u32,
    pub chance: f64,
}

/// Makes the forecasts that are due; returns how many.
pub async fn tick(installation: &Installation) -> Result<u32, DeadlineError> {
    let mut made = 0;
    loop {
        let now = installation.clock.now();
        let mut tx = installation.store.write().await?;
        let due = forecasts::claim_due(&mut tx, now, now + installation.config.forecast_every, AT_ONCE).await?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(made);
        }
        for id in due {
            let application = applications::get(&mut *installation.store.read().await?, id).await?;
            if application.state == ApplicationState::InField {
                of_application(installation, application).await?;
                made += 1;
            }
        }
    }
}

/// When the next forecast is due.
pub async fn next_due(installation: &Installation) -> Result<Option<Timestamp>, DeadlineError> {
    Ok(forecasts::next_due(&mut *installation.store.read().await?).await?)
}

/// The forecasts of a campaign's applications in the field, made now; who is in danger first.
pub async fn of_campaign(installation: &Installation, code: &str) -> Result<Vec<ForecastOf>, DeadlineError> {
    let theirs = {
        let mut connection = installation.store.read().await?;
        let campaign = campaigns::find(&mut connection, code).await?.ok_or_else(|| DeadlineError::UnknownCampaign(code.to_owned()))?;
        applications::of_campaign(&mut connection, campaign.id).await?
    };
    let mut all = Vec::new();
    for application in theirs.into_iter().filter(|application| application.state == ApplicationState::InField) {
        all.push(of_application(installation, application).await?);
    }
    all.sort_by(|a, b| a.chance.total_cmp(&b.chance).then_with(|| a.application.cmp(&b.application)));
    Ok(all)
}

/// Makes a forecast and keeps it.
#[tracing::instrument(name = "forecast", level = "debug", skip_all, fields(application = application.code))]
async fn of_application(installation: &Installation, application: Application) -> Result<ForecastOf, DeadlineError> {
    let now = installation.clock.now();
    let id = application.id;
    let loaded = load(installation, application, now).await?;
    let day = now.date(loaded.zone);
    let (seen_so_far, delays) = (loaded.seen.clone(), delays_of(&loaded.numbered, &loaded.prior.turns));
    // It takes a core for some milliseconds.
    let made = tokio::task::spawn_blocking(move || reckon(&loaded)).await.map_err(|_| DeadlineError::Stopped)?;
    let document = serde_json::to_string(&made).map_err(|_| DeadlineError::Stopped)?;
    let mut tx = installation.store.write().await?;
    seen::remember(&mut tx, id, &seen_so_far, &delays).await?;
    forecasts::put(&mut tx, id, &StoredForecast { day, made_at: now, chance: made.chance, document }).await?;
    tx.commit().await?;
    Ok(made)
}

fn reckon(loaded: &Loaded) -> ForecastOf {
    let Loaded { application, outlook, zone, cells, .. } = loaded;
    let behaviour = loaded.behaviour();
    let (seed, runs) = (loaded.seed(), runs_for(outlook.people.len()));
    let forecast = play(outlook, &behaviour, seed, runs);
    let chance = forecast.chances.first().copied().unwrap_or(0.0);
    let first_day = outlook.now.date(*zone);
    let of_day = |(band, day)| DayOf { day, completes: BandOf::from(band) };
    let due = (outlook.closes_at - std::time::Duration::from_millis(1)).date(*zone);
    ForecastOf {
        application: application.code.clone(),
        made_at: outlook.now.rfc3339(*zone),
        due,
        days_left: (due - first_day).num_days(),
        completed: outlook.cells.first().map_or(0, |total| total.completes),
        target: outlook.cells.first().map_or(0, |total| total.target),
        chance,
        completes: forecast.completes.into(),
        days: forecast.days.iter().copied().zip(first_day.iter_days()).map(of_day).collect(),
        cells: cells
            .iter()
            .zip(&forecast.chances)
            .skip(1)
            .map(|(cell, chance)| CellOf {
                name: cell.name.clone(),
                kind: cell.kind.as_str().to_owned(),
                completed: cell.completes,
                target: cell.target,
                chance: *chance,
            })
            .collect(),
        help: if chance < SAFE { interventions::what_helps(loaded, &behaviour, seed, runs) } else { Vec::new() },
        is_paused: loaded.is_paused,
        is_held: application.held_since.is_some(),
    }
}

fn runs_for(people: usize) -> u32 {
    let people = u32::try_from(people).unwrap_or(u32::MAX);
    if people <= RUNS_FOR { RUNS } else { (u64::from(RUNS) * u64::from(RUNS_FOR) / u64::from(people)).max(50) as u32 }
}

/// Writes down what an application that closes teaches others.
pub(super) async fn remember(installation: &Installation, tx: &mut WriteTx, application: &Application) -> Result<(), DeadlineError> {
    let Some(campaign) = application.campaign_id else { return Ok(()) };
    let campaign = campaigns::get(tx, campaign).await?;
    let turns = turns_of(&read_plan(&campaign.plan).map_err(|error| DeadlineError::Plan { code: campaign.code, error })?);
    let exposures = numbered(&seen::exposures(tx, application.id, installation.clock.now()).await?, &mut Vec::new());
    let others = seen::others(tx, application.programme_id, application.id).await?;
    let so_far = StepSeen::by_turn(&exposures, &turns, &Paces::from_seen(&others.delays));
    Ok(seen::remember(tx, application.id, &so_far, &delays_of(&exposures, &turns)).await?)
}

fn turns_of(plan: &ContactPlan) -> Vec<Turn> {
    Turn::of_plan(plan.steps.iter().map(Step::mode))
}

/// After what time completes came, by the mode of the contact before.
fn delays_of(exposures: &[Exposure], turns: &[Turn]) -> BTreeMap<Mode, [f64; BINS]> {
    let mut delays: BTreeMap<Mode, [f64; BINS]> = BTreeMap::new();
    for exposure in exposures.iter().filter(|exposure| exposure.outcome == Outcome::Completes) {
        if let Some(turn) = turns.get(exposure.step) {
            delays.entry(turn.mode).or_insert([0.0; BINS])[bin_of(exposure.hours)] += exposure.cases;
        }
    }
    delays
}

/// Exposures with numbers for kinds of users; `kinds` grows by those that are new.
fn numbered(exposures: &[seen::ExposureRow], kinds: &mut Vec<Segment>) -> Vec<Exposure> {
    let exposure = |row: &seen::ExposureRow| Exposure {
        step: row.step,
        group: group_of(&row.segment, kinds),
        outcome: row.outcome,
        hours: row.hours,
        cases: row.cases,
    };
    exposures.iter().map(exposure).collect()
}

fn group_of(kind: &Segment, kinds: &mut Vec<Segment>) -> usize {
    kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
        kinds.push(kind.clone());
        kinds.len() - 1
    })
}

impl Loaded {
    fn is_call(&self, step: usize) -> bool {
        self.plan.steps.get(step).is_some_and(Step::is_telephone)
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::new(&self.prior, &self.numbered, self.kinds, self.paces.clone())
    }

    /// The same application at the same moment is played the same.
    fn seed(&self) -> u64 {
        seed_of(self.application.id, self.outlook.now)
    }
}

fn seed_of(id: ApplicationId, now: Timestamp) -> u64 {
    (id.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ now.0 as u64
}

/// What an installation assumes of applications before it has seen any.
fn prior(others: &[BTreeMap<Turn, StepSeen>], rate: f64, turns: &[Turn]) -> Prior {
    Prior::learn(others, rate, turns).with_one_more()
}
