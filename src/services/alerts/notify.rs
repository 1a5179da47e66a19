//! Writes what is to be told: one notice for each way, however many alarms there are, and not more often than is set.

use serde_json::json;

use super::super::deadlines::DeadlineError;
use super::super::forecasting::ForecastOf;
use super::notice_text::{self, Told};
use crate::adapters::config::Channel;
use crate::services::context::Installation;
use crate::adapters::database::alarms::{self, Alarm};
use crate::adapters::database::{WriteTx, forecasts, notices};

/// The kind of a notice of alarms.
const KIND: &str = "alarm";

pub(super) async fn alarms(installation: &Installation) -> Result<(), DeadlineError> {
    let now = installation.clock.now();
    let notify = &installation.config.notify;
    let is_set_up = Channel::ALL.iter().any(|channel| notify.has(*channel));
    if !is_set_up || !alarms::any_to_tell(&mut *installation.store.read().await?).await? {
        return Ok(());
    }
    let mut tx = installation.store.write().await?;
    if notices::last_of(&mut tx, KIND).await?.is_some_and(|last| last + notify.at_most_every > now) {
        return Ok(());
    }
    let level_of = |alarm: &Alarm| installation.config.alarms.iter().find(|level| level.name == alarm.level);
    let is_due = |alarm: &Alarm| level_of(alarm).is_some_and(|level| alarm.told_at.is_none_or(|told| told + level.repeat_every <= now));
    let due: Vec<Alarm> = alarms::unacknowledged(&mut tx).await?.into_iter().filter(is_due).collect();
    let over: Vec<Alarm> = alarms::over(&mut tx).await?;
    // Whoever never heard of it need not hear that it is over.
    let (over, unheard): (Vec<Alarm>, Vec<Alarm>) = over.into_iter().partition(|alarm| alarm.told_at.is_some());
    let ids = |alarms: &[Alarm]| alarms.iter().map(|alarm| alarm.id).collect::<Vec<i64>>();
    if due.is_empty() && over.is_empty() && unheard.is_empty() {
        return Ok(());
    }
    let told = with_forecasts(&mut tx, due).await?;
    for channel in Channel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let theirs: Vec<&Told> = told.iter().filter(|told| level_of(&told.alarm).is_some_and(|level| level.channels.contains(&channel))).collect();
        let recovered: Vec<&Alarm> = over.iter().filter(|_| channel != Channel::Sms).collect();
        if theirs.is_empty() && recovered.is_empty() {
            continue;
        }
        let subject = notice_text::subject(&theirs, &recovered);
        let body = match channel {
            Channel::Email => notice_text::mail(&theirs, &recovered),
            Channel::Sms => notice_text::sms(&theirs, &installation.config.notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default()),
            Channel::Webhook => {
                let data = json!({ "alarms": theirs.iter().map(|told| told.as_json()).collect::<Vec<_>>(),
                                   "over": recovered.iter().map(|alarm| alarm.application_code.as_str()).collect::<Vec<_>>() });
                json!({ "type": "alarm", "timestamp": now.rfc3339(chrono_tz::UTC), "data": data }).to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    let told: Vec<Alarm> = told.into_iter().map(|told| told.alarm).collect();
    alarms::set_told(&mut tx, &ids(&told), &[ids(&over), ids(&unheard)].concat(), now).await?;
    Ok(tx.commit().await?)
}

async fn with_forecasts(tx: &mut WriteTx, alarms: Vec<Alarm>) -> Result<Vec<Told>, DeadlineError> {
    let mut told = Vec::with_capacity(alarms.len());
    for alarm in alarms {
        let latest = forecasts::of_application(tx, alarm.application).await?.pop();
        let forecast: Option<ForecastOf> = latest.and_then(|latest| serde_json::from_str(&latest.document).ok());
        told.push(Told { alarm, forecast });
    }
    Ok(told)
}

/// Writes a notice that only says that notices arrive, by every way that is set up; returns those.
pub async fn test(installation: &Installation) -> Result<Vec<&'static str>, DeadlineError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let mut ways = Vec::new();
    for channel in Channel::ALL.into_iter().filter(|channel| installation.config.notify.has(*channel)) {
        let body = match channel {
            Channel::Email => notice_text::TEST.to_owned(),
            Channel::Sms => notice_text::sms_of(notice_text::TEST, &installation.config.notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default()),
            Channel::Webhook => json!({ "type": "test", "timestamp": now.rfc3339(chrono_tz::UTC), "data": {} }).to_string(),
        };
        notices::add(&mut tx, channel, "test", notice_text::TEST, &body, now).await?;
        ways.push(channel.as_str());
    }
    tx.commit().await?;
    Ok(ways)
}
