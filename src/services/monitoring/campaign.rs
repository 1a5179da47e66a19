//! One campaign: its status, its outcome rates, its steps, and of each application the days so far with the forecast after them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::WatchError;
use crate::services;
use crate::services::campaigns::{By, CampaignError, CampaignStatus, RatesOf, read_plan};
use crate::services::forecasting::ForecastOf;
use crate::domain::mode::Mode;
use crate::services::context::Installation;
use crate::adapters::database::{StoreError, applications, campaign_counts, campaigns, forecasts, programmes};

pub struct CampaignPicture {
    pub status: CampaignStatus,
    pub programme: String,
    pub zone: Tz,
    pub launched: NaiveDate,
    pub today: NaiveDate,
    pub steps: Vec<StepPicture>,
    /// Of the whole campaign first, then by mode, then by wave.
    pub by_mode: Vec<RatesOf>,
    pub by_wave: Vec<RatesOf>,
    /// In the order of the status.
    pub applications: Vec<ApplicationPicture>,
}

/// A step of the plan, and how far it has come.
#[derive(Debug, Default)]
pub struct StepPicture {
    pub name: String,
    pub is_telephone: bool,
    /// Messages that a gateway took; people who were handed to the interviewers.
    pub sent: u64,
    pub delivered: u64,
    pub failed: u64,
    pub in_doubt: u64,
    /// Calls that were made.
    pub calls: u64,
    /// People for whom it is to come, or who wait to be called.
    pub waiting: u64,
}

pub struct ApplicationPicture {
    pub code: String,
    pub closes: Option<NaiveDate>,
    /// Completes at the end of each day since the launch.
    pub days: Vec<(NaiveDate, u32)>,
    pub forecast: Option<ForecastOf>,
}

pub async fn picture(installation: &Installation, code: &str) -> Result<CampaignPicture, WatchError> {
    let status = services::campaigns::status(installation, code).await?;
    let by_mode = services::campaigns::rates(installation, code, By::Mode).await?;
    let by_wave = services::campaigns::rates(installation, code, By::Wave).await?;
    let mut connection = installation.store.read().await?;
    let campaign = campaigns::find(&mut connection, code).await?.ok_or_else(|| CampaignError::Unknown(code.to_owned()))?;
    let programme = programmes::get(&mut connection, campaign.programme_id).await?;
    let zone = programme.time_zone;
    let (launched, today) = (campaign.launched_at.date(zone), installation.clock.now().date(zone));
    let plan = read_plan(&campaign.plan).map_err(CampaignError::from)?;
    let mut steps: Vec<StepPicture> = plan
        .steps
        .iter()
        .map(|step| StepPicture { name: step.name.clone(), is_telephone: step.mode() == Mode::Telephone, ..StepPicture::default() })
        .collect();
    for (step, state, count) in campaign_counts::messages_by_step(&mut connection, campaign.id).await? {
        let Some(step) = steps.get_mut(step as usize) else { continue };
        match state.as_str() {
            "delivered" => (step.sent, step.delivered) = (step.sent + count, step.delivered + count),
            "accepted" => step.sent += count,
            "undelivered" => (step.sent, step.failed) = (step.sent + count, step.failed + count),
            "in_doubt" => step.in_doubt += count,
            "refused" | "failed" => step.failed += count,
            _ => {}
        }
    }
    for (step, count) in campaign_counts::waiting_by_step(&mut connection, campaign.id).await? {
        if let Some(step) = steps.get_mut(step as usize) {
            step.waiting += count;
        }
    }
    for (step, handed_over, waiting, calls) in campaign_counts::calls_by_step(&mut connection, campaign.id).await? {
        if let Some(step) = steps.get_mut(step as usize) {
            (step.sent, step.waiting, step.calls) = (handed_over, step.waiting + waiting, calls);
        }
    }
    let mut pictures = BTreeMap::new();
    for application in applications::of_campaign(&mut connection, campaign.id).await? {
        let mut by_day: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        for at in campaign_counts::completed_at(&mut connection, application.id).await? {
            *by_day.entry(at.date(zone)).or_default() += 1;
        }
        let closes = application.field_closes_at.map(|at| (at - std::time::Duration::from_millis(1)).date(zone));
        let last = by_day.keys().last().copied().unwrap_or(launched).max(closes.map_or(today, |closes| closes.min(today)));
        let mut sum = 0;
        let days = launched.iter_days().take_while(|day| *day <= last).map(|day| {
            sum += by_day.get(&day).copied().unwrap_or(0);
            (day, sum)
        });
        let days = days.collect();
        let kept = forecasts::of_application(&mut connection, application.id).await?;
        let latest = kept.last().filter(|_| application.closed_by.is_none());
        let unreadable = |_| StoreError::Unreadable { what: "a forecast", value: String::new() };
        let forecast = latest.map(|kept| serde_json::from_str(&kept.document).map_err(unreadable)).transpose()?;
        pictures.insert(application.code.clone(), ApplicationPicture { code: application.code, closes, days, forecast });
    }
    let applications = status.applications.iter().filter_map(|application| pictures.remove(&application.code)).collect();
    Ok(CampaignPicture { status, programme: programme.code, zone, launched, today, steps, by_mode, by_wave, applications })
}
