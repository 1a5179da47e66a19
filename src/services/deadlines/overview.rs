//! The overview of a programme's applications, those in danger first.

use chrono::NaiveDate;
use serde::Serialize;

use crate::adapters::database::applications::{self, Application, ApplicationState, ClosedBy};
use crate::adapters::database::{DatabaseError, campaigns, forecasts, lists, programmes, quotas};
use crate::domain::deadline::{NotStarted, risk_order, schedule_lag};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ApplicationOverview {
    pub application: String,
    pub applicant: String,
    pub campaign: Option<String>,
    /// `registered`, `waits_for_list`, `waits_for_fee`, `in_field`, `on_hold` or `closed`.
    pub state: &'static str,
    pub names: u32,
    pub completed: u32,
    pub target: u32,
    pub dataset_due: Option<NaiveDate>,
    /// Days until the field closes; negative: it should be closed.
    pub days_left: Option<i64>,
    /// The elapsed share of the field's time, less the reached share of the target.
    pub behind: Option<f64>,
    /// The chance of reaching the target by the due day, by the latest forecast.
    pub chance: Option<f64>,
    pub closed_by: Option<&'static str>,
}

/// Returns the overview of a programme; `None`: there is no such programme.
pub async fn programme_overview(
    context: &AppContext,
    code: &str,
) -> Result<Option<Vec<ApplicationOverview>>, DatabaseError> {
    let now = context.clock.now();
    let mut connection = context.database.read().await?;
    let Some((id, programme)) = programmes::find(&mut connection, code).await? else {
        return Ok(None);
    };
    let chances = forecasts::chances(&mut connection).await?;
    let mut all = Vec::new();
    for application in applications::all(&mut connection)
        .await?
        .into_iter()
        .filter(|application| application.programme_id == id)
    {
        let deadline = application.deadline(&programme);
        let cells = quotas::cells(&mut connection, application.id).await?;
        let (completed, target) =
            cells.first().map_or((0, 0), |total| (total.completes, total.target));
        let campaign = match application.campaign_id {
            Some(campaign) => Some(campaigns::get(&mut connection, campaign).await?),
            None => None,
        };
        let is_in_field = application.state == ApplicationState::InField;
        let days_left = |closes: Timestamp| {
            (closes.date(programme.time_zone) - now.date(programme.time_zone)).num_days()
        };
        let launched = campaign.as_ref().map(|campaign| campaign.launched_at);
        let span = launched.zip(application.field_closes_at).filter(|_| is_in_field);
        all.push(ApplicationOverview {
            names: lists::names_by_segment(&mut connection, application.id).await?.values().sum(),
            state: state_of(&application, deadline.err()),
            completed,
            target,
            dataset_due: deadline.ok().map(|deadline| deadline.dataset_due),
            days_left: application.field_closes_at.filter(|_| is_in_field).map(days_left),
            behind: span.map(|(begun, closes)| {
                (schedule_lag(begun, closes, now, completed, target) * 1e4).round() / 1e4
            }),
            chance: chances.get(&application.id).copied(),
            closed_by: application.closed_by.map(ClosedBy::as_str),
            campaign: campaign.map(|campaign| campaign.code),
            applicant: application.applicant_name,
            application: application.code,
        });
    }
    // Those in most danger come first, then those that have not begun, by due day; closed ones come
    // last.
    let order = |o: &ApplicationOverview| {
        (o.state == "closed", risk_order(o.chance, o.behind), o.dataset_due, o.application.clone())
    };
    all.sort_by_key(order);
    Ok(Some(all))
}

fn state_of(application: &Application, not_begun: Option<NotStarted>) -> &'static str {
    match (application.state, application.held_since, not_begun) {
        (ApplicationState::Closed, ..) => "closed",
        (_, Some(_), _) => "on_hold",
        (ApplicationState::InField, ..) => "in_field",
        (_, _, Some(NotStarted::NoList)) => "waits_for_list",
        (_, _, Some(NotStarted::FeeNotSettled)) => "waits_for_fee",
        _ => "registered",
    }
}
