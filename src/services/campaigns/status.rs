//! How a campaign stands, and the words that pause, resume and close it.

use serde::Serialize;

use crate::adapters::database::applications::{self, ApplicationState, ClosedBy};
use crate::adapters::database::campaigns::{self, Campaign, CampaignState};
use crate::adapters::database::{
    DatabaseError, cases, datasets, forecasts, invitations, messages, programmes, quotas, rates,
    replicates,
};
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::deadline::{risk_order, schedule_lag};
use crate::domain::outcome_rates::{OutcomeCounts, OutcomeRate};
use crate::services::context::AppContext;
use crate::services::versions::{self, ExpectedVersion, VersionConflict, version_of};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "campaign.", serialize_all = "snake_case")]
pub enum CampaignError {
    #[error(transparent)]
    #[strum(transparent)]
    Version(#[from] VersionConflict),
    #[error("no campaign has the code {0}")]
    UnknownCampaign(String),
    #[error("campaign {code} is {state}; it cannot be {wanted}")]
    WrongState { code: String, state: &'static str, wanted: &'static str },
    #[error("the campaign's plan, as launched, cannot be read: {0}")]
    #[strum(transparent)]
    Plan(#[from] ContactPlanError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CampaignStatus {
    pub code: String,
    pub state: &'static str,
    /// Why the daemon itself paused it: its budget.
    pub paused_because: Option<String>,
    pub gateway: String,
    /// Until when the gateway is paused, if it is.
    pub gateway_paused_until: Option<String>,
    pub parts_sent: i64,
    pub cost: f64,
    pub budget: Option<f64>,
    pub currency: String,
    /// Replicates of lists that are larger than the need: in the field, held back, the people of
    /// the latter; and the seed of the draw.
    pub replicates_released: u64,
    pub replicates_held_back: u64,
    pub held_back: u64,
    pub draw_seed: Option<String>,
    pub applications: Vec<ApplicationStatus>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ApplicationStatus {
    pub code: String,
    pub category: &'static str,
    pub state: &'static str,
    pub names: u64,
    pub invited: u64,
    pub delivered: u64,
    pub opened: u64,
    pub in_doubt: u64,
    pub completed: u64,
    pub target: u32,
    pub cells: Vec<CellStatus>,
    /// AAPOR response rates; null where nothing can be said.
    pub rr1: Option<f64>,
    pub rr2: Option<f64>,
    pub rr3: Option<f64>,
    pub dispositions: Vec<(String, u64)>,
    pub field_closes: Option<String>,
    /// Since when nothing is sent for it.
    pub held_since: Option<String>,
    /// The share of the field's time that has gone, less the share of the target that is reached.
    pub behind: Option<f64>,
    /// Of reaching the target by the due day, by the latest forecast: who is in most danger stands
    /// first.
    pub chance: Option<f64>,
    pub closed_by: Option<&'static str>,
    pub dataset: Option<String>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CellStatus {
    /// The cell's name; `*` for the total.
    pub segment: String,
    pub kind: &'static str,
    pub completed: u32,
    pub target: u32,
    /// The completes that are wanted at least; 0: no minimum.
    pub minimum: u32,
}

/// The status of one campaign, counted from the cases themselves.
pub async fn status(context: &AppContext, code: &str) -> Result<CampaignStatus, CampaignError> {
    let now = context.clock.now();
    let mut connection = context.database.read().await?;
    let campaign = campaigns::find(&mut connection, code)
        .await?
        .ok_or_else(|| CampaignError::UnknownCampaign(code.to_owned()))?;
    let zone = programmes::get(&mut connection, campaign.programme_id).await?.time_zone;
    let (parts_sent, cost_micros) =
        messages::cost_of_campaign(&mut connection, campaign.id).await?;
    let route = context.config.route(&campaign.gateway);
    let first = route
        .as_ref()
        .and_then(|route| route.gateways().next())
        .and_then(|name| context.config.gateways.get(name));
    let paused = rates::paused(&mut connection, now).await?;
    let is_of_route = |name: &str| {
        route.as_ref().is_some_and(|route| route.gateways().any(|gateway| gateway == name))
    };
    let chances = forecasts::chances(&mut connection).await?;
    let datasets = datasets::all(&mut connection).await?;
    let mut statuses = Vec::new();
    for application in applications::of_campaign(&mut connection, campaign.id).await? {
        let funnel = invitations::funnel(&mut connection, application.id).await?;
        let by_disposition = cases::by_disposition(&mut connection, application.id).await?;
        let mut outcomes = OutcomeCounts::default();
        by_disposition.iter().for_each(|&(disposition, cases)| outcomes.add(disposition, cases));
        let cells = quotas::cells(&mut connection, application.id).await?;
        let target = cells.first().map_or(0, |total| total.target);
        let completes = u32::try_from(outcomes.complete).unwrap_or(u32::MAX);
        let closes =
            application.field_closes_at.filter(|_| application.state == ApplicationState::InField);
        let behind_schedule = closes.map(|closes| {
            (schedule_lag(campaign.launched_at, closes, now, completes, target) * 1e4).round() / 1e4
        });
        let dataset = datasets
            .iter()
            .rev()
            .find(|d| d.application == application.id)
            .and_then(|d| d.folder.clone());
        statuses.push(ApplicationStatus {
            code: application.code,
            category: application.category.as_str(),
            state: match application.state {
                ApplicationState::Registered => "registered",
                ApplicationState::InField => "in_field",
                ApplicationState::Closed => "closed",
            },
            names: funnel.names,
            invited: funnel.invited,
            delivered: funnel.delivered,
            opened: funnel.opened,
            in_doubt: funnel.in_doubt,
            completed: outcomes.complete,
            target,
            cells: cells
                .into_iter()
                .map(|c| CellStatus {
                    segment: c.name,
                    kind: c.kind.as_str(),
                    completed: c.completes,
                    target: c.target,
                    minimum: c.minimum,
                })
                .collect(),
            rr1: outcomes.rate(OutcomeRate::Rr1),
            rr2: outcomes.rate(OutcomeRate::Rr2),
            rr3: outcomes.rate(OutcomeRate::Rr3),
            dispositions: by_disposition
                .into_iter()
                .map(|(disposition, cases)| (disposition.to_string(), cases))
                .collect(),
            held_since: application.held_since.map(|at| at.rfc3339(zone)),
            behind: behind_schedule,
            chance: chances.get(&application.id).copied(),
            field_closes: application.field_closes_at.map(|at| at.rfc3339(zone)),
            closed_by: application.closed_by.map(ClosedBy::as_str),
            dataset,
        });
    }
    statuses.sort_by_key(|status| risk_order(status.chance, status.behind));
    let (replicates_released, replicates_held_back, held_back) =
        replicates::count(&mut connection, campaign.id).await?;
    Ok(CampaignStatus {
        replicates_released,
        replicates_held_back,
        held_back,
        draw_seed: campaigns::draw_seed(&mut connection, campaign.id).await?,
        code: campaign.code,
        state: campaign.state.as_str(),
        paused_because: campaign.paused_because,
        gateway_paused_until: paused
            .iter()
            .filter(|(name, _)| is_of_route(name))
            .map(|(_, until)| until.rfc3339(zone))
            .min(),
        gateway: campaign.gateway,
        parts_sent,
        cost: from_micros(cost_micros),
        budget: campaign.budget_micros.map(from_micros),
        currency: first.map(|g| g.currency.clone()).unwrap_or_default(),
        applications: statuses,
    })
}

/// Millionths, rounded to hundredths.
fn from_micros(micros: i64) -> f64 {
    (micros as f64 / 10_000.0).round() / 100.0
}

/// Sets or lifts a campaign's budget. One that was paused by its budget stays paused until it is
/// resumed.
pub async fn set_budget(
    context: &AppContext,
    code: &str,
    budget: Option<f64>,
    expected: &ExpectedVersion,
) -> Result<String, CampaignError> {
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "budget", code).await?;
    let campaign = campaigns::find(&mut tx, code)
        .await?
        .ok_or_else(|| CampaignError::UnknownCampaign(code.to_owned()))?;
    expected.check(Some(budget_version(&campaign)))?;
    let budget_micros = budget.map(super::to_micros);
    campaigns::set_budget(&mut tx, campaign.id, budget_micros).await?;
    tx.commit().await?;
    Ok(budget_version(&Campaign { budget_micros, ..campaign }))
}

/// Returns the version of a campaign's budget.
pub fn budget_version(campaign: &Campaign) -> String {
    version_of(&(campaign.id.0, campaign.budget_micros))
}

/// Pauses or resumes a campaign. (Closing is the deadline's: it disposes of what is open.)
pub async fn change_state(
    context: &AppContext,
    code: &str,
    to: CampaignState,
) -> Result<(), CampaignError> {
    let (from, wanted) = match to {
        CampaignState::Running => ([CampaignState::Paused], "resumed"),
        _ => ([CampaignState::Running], "paused"),
    };
    let mut tx = context.database.write().await?;
    let campaign = campaigns::find(&mut tx, code)
        .await?
        .ok_or_else(|| CampaignError::UnknownCampaign(code.to_owned()))?;
    if !campaigns::set_state(&mut tx, campaign.id, &from, to, context.clock.now()).await? {
        return Err(CampaignError::WrongState {
            code: code.to_owned(),
            state: campaign.state.as_str(),
            wanted,
        });
    }
    tx.commit().await?;
    Ok(())
}
