//! The digest: the state of all applications, sent by e-mail and webhook once a day or at the
//! configured interval.

use serde_json::{Value, json};

use super::super::deadlines::{DeadlineError, programme_overview};
use super::delivery_problems;
use crate::adapters::config::NoticeChannel;
use crate::adapters::database::{
    alarms, campaigns, deliveries, messages, notices, programmes, replies, responses,
};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

const KIND: &str = "digest";
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
/// The number of applications in danger that an e-mail lists.
const MAX_LISTED: usize = 20;

/// Creates the digest if it is due since the last one.
pub(super) async fn write_if_due(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    if next_due(context).await?.is_none_or(|due| due > now) {
        return Ok(());
    }
    let (summary, text) = digest(context).await?;
    let mut tx = context.database.write().await?;
    // Another daemon may have created it meanwhile.
    if due_after(context, notices::last_created(&mut tx, KIND).await?, None)
        .is_some_and(|due| due > now)
    {
        return Ok(());
    }
    for channel in [NoticeChannel::Email, NoticeChannel::Webhook]
        .into_iter()
        .filter(|channel| context.config.notify.has(*channel))
    {
        let body = match channel {
            NoticeChannel::Webhook => {
                json!({ "type": KIND, "timestamp": now.rfc3339(chrono_tz::UTC), "data": summary })
                    .to_string()
            }
            _ => text.clone(),
        };
        notices::add(&mut tx, channel, KIND, "fieldworkd: 每日简报 / digest", &body, now).await?;
    }
    Ok(tx.commit().await?)
}

/// Returns when the next digest is due. The first digest follows the first launch.
pub(super) async fn next_due(context: &AppContext) -> Result<Option<Timestamp>, DeadlineError> {
    let notify = &context.config.notify;
    if !notify.has(NoticeChannel::Email) && !notify.has(NoticeChannel::Webhook) {
        return Ok(None);
    }
    let mut connection = context.database.read().await?;
    let last = notices::last_created(&mut connection, KIND).await?;
    let begun = campaigns::list_open(&mut connection)
        .await?
        .iter()
        .map(|campaign| campaign.launched_at)
        .min();
    let open =
        deliveries::open_problems(&mut connection).await?.iter().map(|problem| problem.since).min();
    // With nothing in the field and every version delivered there is nothing to report.
    Ok(begun.or(open).and_then(|begun| due_after(context, last, Some(begun))))
}

fn due_after(
    context: &AppContext,
    last: Option<Timestamp>,
    begun: Option<Timestamp>,
) -> Option<Timestamp> {
    let from = last.into_iter().chain(begun).max()?;
    context.config.notify.digest.as_ref()?.next_after(from)
}

/// Returns the digest of this moment as data and as the text of an e-mail.
pub async fn digest(context: &AppContext) -> Result<(Value, String), DeadlineError> {
    let now = context.clock.now();
    let mut all = Vec::new();
    let codes = programmes::codes(&mut *context.database.read().await?).await?;
    for code in codes {
        all.extend(programme_overview(context, &code).await?.unwrap_or_default());
    }
    let mut connection = context.database.read().await?;
    let open_alarms = alarms::list(&mut connection, false).await?;
    let unacknowledged = open_alarms.iter().filter(|alarm| alarm.acknowledged_at.is_none()).count();
    let completes = responses::completed_since(&mut connection, now - DAY).await?;
    let inbox = replies::inbox(&mut connection, None, false).await?.len();
    let doubts = messages::list_in_doubt(
        &mut connection,
        now - context.config.dispatch.escalate_in_doubt_after,
    )
    .await?
    .len();
    let undelivered = deliveries::open_problems(&mut connection).await?;
    let in_state = |state: &str| all.iter().filter(|o| o.state == state).count();
    let states = ["in_field", "on_hold", "waits_for_list", "waits_for_fee", "registered", "closed"];
    let in_danger: Vec<&super::super::deadlines::ApplicationOverview> = all
        .iter()
        .filter(|o| open_alarms.iter().any(|alarm| alarm.application_code == o.application))
        .collect();
    let data = json!({
        "states": states.iter().map(|state| (*state, in_state(state))).collect::<std::collections::BTreeMap<_, _>>(),
        "completes_of_the_last_day": completes,
        "alarms": open_alarms.len(), "unacknowledged": unacknowledged,
        "inbox": inbox, "messages_in_doubt": doubts,
        "not_handed_over": undelivered.iter().map(delivery_problems::problem_json).collect::<Vec<_>>(),
        "in_danger": in_danger.iter().map(|o| json!({ "application": o.application, "chance": o.chance, "completed": o.completed, "target": o.target,
                                                      "dataset_due": o.dataset_due, "days_left": o.days_left })).collect::<Vec<_>>(),
    });
    let counted = states
        .iter()
        .map(|state| format!("{state} {}", in_state(state)))
        .collect::<Vec<_>>()
        .join(", ");
    let mut text = format!(
        "申报 / applications: {counted}\n过去 24 小时完成 / completes of the last 24 hours: \
            {completes}\n告警 / alarms: {}（未确认 / not acknowledged: {unacknowledged}）\n\
         待处理回复 / replies that wait: {inbox}\n存疑短信 / messages in doubt: {doubts}\n",
        open_alarms.len()
    );
    for o in in_danger.iter().take(MAX_LISTED) {
        let due = o.dataset_due.map(|day| day.to_string()).unwrap_or_default();
        let chance = o.chance.map(|chance| format!("{:.0}%", chance * 100.0)).unwrap_or_default();
        text.push_str(&format!(
            "  {} {chance}, {}/{}, {due}\n",
            o.application, o.completed, o.target
        ));
    }
    if in_danger.len() > MAX_LISTED {
        text.push_str(&format!("  … {}\n", in_danger.len() - MAX_LISTED));
    }
    if !undelivered.is_empty() {
        text.push_str(&format!(
            "未交付的数据集 / datasets not handed over: {}\n{}",
            undelivered.len(),
            delivery_problems::problem_lines(&undelivered)
        ));
    }
    Ok((data, text))
}
