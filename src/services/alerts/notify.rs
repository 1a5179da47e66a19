//! Writes the notices of alarms: one notice per channel for all alarms, and not more often than
//! configured.

use serde_json::json;

use super::super::deadlines::DeadlineError;
use super::super::forecasting::ApplicationForecast;
use super::notice_text::{self, AlarmSnapshot};
use crate::adapters::config::NoticeChannel;
use crate::adapters::database::alarms::{self, Alarm};
use crate::adapters::database::{WriteTx, forecasts, notices};
use crate::services::context::AppContext;

/// The kind of a notice of alarms.
const KIND: &str = "alarm";

pub(super) async fn write_alarm_notices(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    let notify = &context.config.notify;
    let is_set_up = NoticeChannel::ALL.iter().any(|channel| notify.has(*channel));
    if !is_set_up || !alarms::any_to_notify(&mut *context.database.read().await?).await? {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    if notices::last_created(&mut tx, KIND)
        .await?
        .is_some_and(|last| last + notify.min_interval > now)
    {
        return Ok(());
    }
    let level_of =
        |alarm: &Alarm| context.config.alarms.iter().find(|level| level.name == alarm.level);
    let is_due = |alarm: &Alarm| {
        level_of(alarm).is_some_and(|level| {
            alarm.notified_at.is_none_or(|notified| notified + level.repeat_every <= now)
        })
    };
    let due: Vec<Alarm> =
        alarms::unacknowledged(&mut tx).await?.into_iter().filter(is_due).collect();
    let over: Vec<Alarm> = alarms::ended_unnotified(&mut tx).await?;
    // The end of an alarm is notified only if the alarm itself was.
    let (over, unheard): (Vec<Alarm>, Vec<Alarm>) =
        over.into_iter().partition(|alarm| alarm.notified_at.is_some());
    let ids = |alarms: &[Alarm]| alarms.iter().map(|alarm| alarm.id).collect::<Vec<i64>>();
    if due.is_empty() && over.is_empty() && unheard.is_empty() {
        return Ok(());
    }
    let snapshots = load_snapshots(&mut tx, due).await?;
    for channel in NoticeChannel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let to_notify: Vec<&AlarmSnapshot> = snapshots
            .iter()
            .filter(|snapshot| {
                level_of(&snapshot.alarm).is_some_and(|level| level.channels.contains(&channel))
            })
            .collect();
        let recovered: Vec<&Alarm> =
            over.iter().filter(|_| channel != NoticeChannel::Sms).collect();
        if to_notify.is_empty() && recovered.is_empty() {
            continue;
        }
        let subject = notice_text::subject(&to_notify, &recovered);
        let body = match channel {
            NoticeChannel::Email => notice_text::email_text(&to_notify, &recovered),
            NoticeChannel::Sms => notice_text::sms_text(
                &to_notify,
                &context
                    .config
                    .notify
                    .sms
                    .as_ref()
                    .map(|sms| sms.signature.clone())
                    .unwrap_or_default(),
            ),
            NoticeChannel::Webhook => {
                let data = json!({ "alarms": to_notify.iter().map(|snapshot| snapshot.as_json()).collect::<Vec<_>>(),
                                   "over": recovered.iter().map(|alarm| alarm.application_code.as_str()).collect::<Vec<_>>() });
                json!({ "type": "alarm", "timestamp": now.rfc3339(chrono_tz::UTC), "data": data })
                    .to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    let snapshots: Vec<Alarm> = snapshots.into_iter().map(|snapshot| snapshot.alarm).collect();
    alarms::mark_notified(&mut tx, &ids(&snapshots), &[ids(&over), ids(&unheard)].concat(), now)
        .await?;
    Ok(tx.commit().await?)
}

async fn load_snapshots(
    tx: &mut WriteTx,
    alarms: Vec<Alarm>,
) -> Result<Vec<AlarmSnapshot>, DeadlineError> {
    let mut snapshots = Vec::with_capacity(alarms.len());
    for alarm in alarms {
        let latest = forecasts::of_application(tx, alarm.application).await?.pop();
        let forecast: Option<ApplicationForecast> =
            latest.and_then(|latest| serde_json::from_str(&latest.document).ok());
        snapshots.push(AlarmSnapshot { alarm, forecast });
    }
    Ok(snapshots)
}

/// Writes a test notice for every configured channel, and returns those channels.
pub async fn write_test_notice(context: &AppContext) -> Result<Vec<&'static str>, DeadlineError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let mut notified_channels = Vec::new();
    for channel in
        NoticeChannel::ALL.into_iter().filter(|channel| context.config.notify.has(*channel))
    {
        let body = match channel {
            NoticeChannel::Email => notice_text::TEST_TEXT.to_owned(),
            NoticeChannel::Sms => notice_text::with_signature(
                notice_text::TEST_TEXT,
                &context
                    .config
                    .notify
                    .sms
                    .as_ref()
                    .map(|sms| sms.signature.clone())
                    .unwrap_or_default(),
            ),
            NoticeChannel::Webhook => {
                json!({ "type": "test", "timestamp": now.rfc3339(chrono_tz::UTC), "data": {} })
                    .to_string()
            }
        };
        notices::add(&mut tx, channel, "test", notice_text::TEST_TEXT, &body, now).await?;
        notified_channels.push(channel.as_str());
    }
    tx.commit().await?;
    Ok(notified_channels)
}
