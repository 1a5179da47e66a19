//! The digest: how everything stands, once a day or as often as is set, by e-mail and webhook.

use serde_json::{Value, json};

use super::super::deadlines::{DeadlineError, overview};
use super::delivery_problems;
use crate::adapters::config::Channel;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::{alarms, campaigns, deliveries, messages, notices, programmes, replies, responses};

const KIND: &str = "digest";
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
/// In danger, at most, in a mail.
const MOST: usize = 20;

/// Writes the digest if its time has come since the last one.
pub(super) async fn when_due(installation: &Installation) -> Result<(), DeadlineError> {
    let now = installation.clock.now();
    if next_due(installation).await?.is_none_or(|due| due > now) {
        return Ok(());
    }
    let (told, text) = digest(installation).await?;
    let mut tx = installation.store.write().await?;
    // Another daemon may have written it meanwhile.
    if due_after(installation, notices::last_of(&mut tx, KIND).await?, None).is_some_and(|due| due > now) {
        return Ok(());
    }
    for channel in [Channel::Email, Channel::Webhook].into_iter().filter(|channel| installation.config.notify.has(*channel)) {
        let body = match channel {
            Channel::Webhook => json!({ "type": KIND, "timestamp": now.rfc3339(chrono_tz::UTC), "data": told }).to_string(),
            _ => text.clone(),
        };
        notices::add(&mut tx, channel, KIND, "fieldworkd: 每日简报 / digest", &body, now).await?;
    }
    Ok(tx.commit().await?)
}

/// The first digest follows the first launch.
pub(super) async fn next_due(installation: &Installation) -> Result<Option<Timestamp>, DeadlineError> {
    let notify = &installation.config.notify;
    if !notify.has(Channel::Email) && !notify.has(Channel::Webhook) {
        return Ok(None);
    }
    let mut connection = installation.store.read().await?;
    let last = notices::last_of(&mut connection, KIND).await?;
    let begun = campaigns::live(&mut connection).await?.iter().map(|campaign| campaign.launched_at).min();
    let open = deliveries::problems(&mut connection).await?.iter().map(|problem| problem.since).min();
    // Where nothing is in the field and all is handed over there is nothing to tell.
    Ok(begun.or(open).and_then(|begun| due_after(installation, last, Some(begun))))
}

fn due_after(installation: &Installation, last: Option<Timestamp>, begun: Option<Timestamp>) -> Option<Timestamp> {
    let from = last.into_iter().chain(begun).max()?;
    installation.config.notify.digest.as_ref()?.next_after(from)
}

/// How everything stands now: as data, and as the text of a mail.
pub async fn digest(installation: &Installation) -> Result<(Value, String), DeadlineError> {
    let now = installation.clock.now();
    let mut all = Vec::new();
    let codes = programmes::codes(&mut *installation.store.read().await?).await?;
    for code in codes {
        all.extend(overview(installation, &code).await?.unwrap_or_default());
    }
    let mut connection = installation.store.read().await?;
    let open_alarms = alarms::list(&mut connection, false).await?;
    let unacknowledged = open_alarms.iter().filter(|alarm| alarm.acknowledged_at.is_none()).count();
    let completes = responses::completed_since(&mut connection, now - DAY).await?;
    let inbox = replies::inbox(&mut connection, None, false).await?.len();
    let doubts = messages::doubts(&mut connection, now - installation.config.dispatch.show_doubt_after).await?.len();
    let undelivered = deliveries::problems(&mut connection).await?;
    let in_state = |state: &str| all.iter().filter(|o| o.state == state).count();
    let states = ["in_field", "on_hold", "waits_for_list", "waits_for_fee", "registered", "closed"];
    let in_danger: Vec<&super::super::deadlines::Overview> =
        all.iter().filter(|o| open_alarms.iter().any(|alarm| alarm.application_code == o.application)).collect();
    let data = json!({
        "states": states.iter().map(|state| (*state, in_state(state))).collect::<std::collections::BTreeMap<_, _>>(),
        "completes_of_the_last_day": completes,
        "alarms": open_alarms.len(), "unacknowledged": unacknowledged,
        "inbox": inbox, "messages_in_doubt": doubts,
        "not_handed_over": undelivered.iter().map(delivery_problems::as_json).collect::<Vec<_>>(),
        "in_danger": in_danger.iter().map(|o| json!({ "application": o.application, "chance": o.chance, "completed": o.completed, "target": o.target,
                                                      "dataset_due": o.dataset_due, "days_left": o.days_left })).collect::<Vec<_>>(),
    });
    let counted = states.iter().map(|state| format!("{state} {}", in_state(state))).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "申报 / applications: {counted}\n过去 24 小时完成 / completes of the last 24 hours: {completes}\n告警 / alarms: {}（未确认 / not acknowledged: {unacknowledged}）\n\
         待处理回复 / replies that wait: {inbox}\n存疑短信 / messages in doubt: {doubts}\n",
        open_alarms.len()
    );
    for o in in_danger.iter().take(MOST) {
        let due = o.dataset_due.map(|day| day.to_string()).unwrap_or_default();
        let chance = o.chance.map(|chance| format!("{:.0}%", chance * 100.0)).unwrap_or_default();
        text.push_str(&format!("  {} {chance}, {}/{}, {due}\n", o.application, o.completed, o.target));
    }
    if in_danger.len() > MOST {
        text.push_str(&format!("  … {}\n", in_danger.len() - MOST));
    }
    if !undelivered.is_empty() {
        text.push_str(&format!("未交付的数据集 / datasets not handed over: {}\n{}", undelivered.len(), delivery_problems::lines(&undelivered)));
    }
    Ok((data, text))
}
