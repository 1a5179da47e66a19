//! The view of one campaign: its status, outcome rates and steps, and for each application the
//! completes per day with the forecast.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::MonitoringError;
use crate::adapters::database::{
    DatabaseError, applications, campaign_counts, campaigns, forecasts, paper_forms, programmes,
};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::mode::Mode;
use crate::services;
use crate::services::campaigns::{CampaignError, CampaignStatus, GroupRates, RateGrouping};
use crate::services::context::AppContext;
use crate::services::forecasting::ApplicationForecast;

pub struct CampaignDetail {
    pub status: CampaignStatus,
    pub programme: String,
    pub zone: Tz,
    pub launched: NaiveDate,
    pub today: NaiveDate,
    pub steps: Vec<StepProgress>,
    /// The outcome rates of the whole campaign first, then by mode and by wave.
    pub by_mode: Vec<GroupRates>,
    pub by_wave: Vec<GroupRates>,
    /// In the order of the status.
    pub applications: Vec<ApplicationProgress>,
}

/// A step of the plan with its progress.
#[derive(Debug)]
pub struct StepProgress {
    pub name: String,
    pub mode: Mode,
    /// Messages handed to a gateway, people handed to the interviewers, or due for printing so far.
    /// Of messages it is the sum of delivered, failed, awaited and in doubt.
    pub sent: u64,
    pub delivered: u64,
    /// Not delivered, or refused by the gateway.
    pub failed: u64,
    /// Messages that a gateway has taken, and whose receipt has not come.
    pub awaited: u64,
    pub in_doubt: u64,
    /// The number of calls made.
    pub calls: u64,
    /// People for whom the step is still to come, or who wait to be called.
    pub pending: u64,
}

pub struct ApplicationProgress {
    pub code: String,
    pub closes: Option<NaiveDate>,
    /// Completes at the end of each day since the launch.
    pub days: Vec<(NaiveDate, u32)>,
    pub forecast: Option<ApplicationForecast>,
}

pub async fn campaign_detail(
    context: &AppContext,
    code: &str,
) -> Result<CampaignDetail, MonitoringError> {
    let status = services::campaigns::status(context, code).await?;
    let by_mode = services::campaigns::rates(context, code, RateGrouping::Mode).await?;
    let by_wave = services::campaigns::rates(context, code, RateGrouping::Wave).await?;
    let mut connection = context.database.read().await?;
    let campaign = campaigns::find(&mut connection, code)
        .await?
        .ok_or_else(|| CampaignError::UnknownCampaign(code.to_owned()))?;
    let programme = programmes::get(&mut connection, campaign.programme_id).await?;
    let zone = programme.time_zone;
    let (launched, today) = (campaign.launched_at.date(zone), context.clock.now().date(zone));
    let plan = ContactPlan::from_stored(&campaign.plan).map_err(CampaignError::from)?;
    let mut steps: Vec<StepProgress> = plan
        .steps
        .iter()
        .map(|step| StepProgress {
            name: step.name.clone(),
            mode: step.mode(),
            sent: 0,
            delivered: 0,
            failed: 0,
            awaited: 0,
            in_doubt: 0,
            calls: 0,
            pending: 0,
        })
        .collect();
    for (step, state, count) in
        campaign_counts::messages_by_step(&mut connection, campaign.id).await?
    {
        let Some(step) = steps.get_mut(step as usize) else { continue };
        let outcome = match state.as_str() {
            "delivered" => &mut step.delivered,
            "accepted" => &mut step.awaited,
            "in_doubt" => &mut step.in_doubt,
            "undelivered" | "refused" | "failed" => &mut step.failed,
            _ => continue,
        };
        *outcome += count;
        step.sent += count;
    }
    for (step, count) in campaign_counts::pending_by_step(&mut connection, campaign.id).await? {
        if let Some(step) = steps.get_mut(step as usize) {
            step.pending += count;
        }
    }
    for (step, handed_over, queued, calls) in
        campaign_counts::calls_by_step(&mut connection, campaign.id).await?
    {
        if let Some(step) = steps.get_mut(step as usize) {
            (step.sent, step.pending, step.calls) = (handed_over, step.pending + queued, calls);
        }
    }
    for (step, due, waiting) in paper_forms::by_step(&mut connection, campaign.id).await? {
        if let Some(step) = steps.get_mut(step as usize) {
            (step.sent, step.pending) = (due, step.pending + waiting);
        }
    }
    let mut progress = BTreeMap::new();
    for application in applications::of_campaign(&mut connection, campaign.id).await? {
        let mut by_day: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        for at in campaign_counts::completed_at(&mut connection, application.id).await? {
            *by_day.entry(at.date(zone)).or_default() += 1;
        }
        let closes = application
            .field_closes_at
            .map(|at| (at - std::time::Duration::from_millis(1)).date(zone));
        let last = by_day
            .keys()
            .last()
            .copied()
            .unwrap_or(launched)
            .max(closes.map_or(today, |closes| closes.min(today)));
        let mut sum = 0;
        let days = launched.iter_days().take_while(|day| *day <= last).map(|day| {
            sum += by_day.get(&day).copied().unwrap_or(0);
            (day, sum)
        });
        let days = days.collect();
        let forecasts_so_far = forecasts::of_application(&mut connection, application.id).await?;
        let latest = forecasts_so_far.last().filter(|_| application.closed_by.is_none());
        let unreadable = |_| DatabaseError::Unreadable { what: "a forecast", value: String::new() };
        let forecast = latest
            .map(|forecasts_so_far| {
                serde_json::from_str(&forecasts_so_far.document).map_err(unreadable)
            })
            .transpose()?;
        progress.insert(
            application.code.clone(),
            ApplicationProgress { code: application.code, closes, days, forecast },
        );
    }
    let applications = status
        .applications
        .iter()
        .filter_map(|application| progress.remove(&application.code))
        .collect();
    Ok(CampaignDetail {
        status,
        programme: programme.code,
        zone,
        launched,
        today,
        steps,
        by_mode,
        by_wave,
        applications,
    })
}
