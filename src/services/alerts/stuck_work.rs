//! Notices of work that fails again and again: it is tried again by itself, and somebody must see
//! why it fails.

use serde_json::json;

use super::super::deadlines::DeadlineError;
use super::notice_text;
use crate::adapters::config::NoticeChannel;
use crate::adapters::database::{notices, stuck_work};
use crate::services::context::AppContext;
use crate::services::stuck_work::STUCK_AFTER;

const KIND: &str = "stuck_work";

pub(super) async fn write_notices(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    let notify = &context.config.notify;
    if NoticeChannel::ALL.iter().all(|channel| !notify.has(*channel)) {
        return Ok(());
    }
    let stuck = stuck_work::list(&mut *context.database.read().await?, STUCK_AFTER).await?;
    if stuck.is_empty() {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    // Once for each that is new since the last notice, and not too often.
    let last = notices::last_created(&mut tx, KIND).await?;
    let is_new = |since| last.is_none_or(|last| since > last);
    let is_recent = last.is_some_and(|last| last + notify.min_interval > now);
    if is_recent || !stuck.iter().any(|work| is_new(work.since)) {
        return Ok(());
    }
    let count = stuck.len();
    let subject = format!("fieldworkd: {count} 项工作反复失败 / {count} pieces of work fail");
    let lines: Vec<String> = stuck
        .iter()
        .take(20)
        .map(|work| format!("{} {}: {}", work.kind, work.item, work.problem))
        .collect();
    for channel in NoticeChannel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let body = match channel {
            NoticeChannel::Email => format!(
                "以下工作反复失败，系统会继续重试，其余工作不受影响。\nThis fails again and again; it is tried \
                 again, and nothing else waits for it.\n\n{}\n\n{}/home\n",
                lines.join("\n"),
                context.config.public_url
            ),
            NoticeChannel::Sms => notice_text::with_signature(
                &format!("{count}项工作反复失败，请查看fieldworkd首页"),
                &notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default(),
            ),
            NoticeChannel::Webhook => {
                let data = json!({ "count": count });
                json!({ "type": KIND, "timestamp": now.rfc3339(chrono_tz::UTC), "data": data })
                    .to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    Ok(tx.commit().await?)
}
