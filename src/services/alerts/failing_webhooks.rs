//! Notices of webhooks that are failing or disabled: once for each time, until it is well again.

use serde_json::json;

use super::super::deadlines::DeadlineError;
use super::notice_text;
use crate::adapters::config::NoticeChannel;
use crate::adapters::database::events::{self, Endpoint};
use crate::adapters::database::notices;
use crate::domain::webhook_state::WebhookState;
use crate::services::context::AppContext;

const KIND: &str = "webhook";
/// The number of webhooks in a notice.
const MAX_LISTED: usize = 20;

pub(super) async fn write_notices(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    let state = |endpoint: &Endpoint| endpoint.state(now);
    let is_new = |endpoint: &Endpoint| {
        state(endpoint).needs_attention()
            && endpoint.notified.as_deref() != Some(state(endpoint).as_str())
    };
    let is_over =
        |endpoint: &Endpoint| state(endpoint) == WebhookState::Ok && endpoint.notified.is_some();
    let all = events::readable_endpoints(&mut *context.database.read().await?).await?;
    if !all.iter().any(|endpoint| is_new(endpoint) || is_over(endpoint)) {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    // Another daemon may have written the notice meanwhile.
    let all = events::readable_endpoints(&mut tx).await?;
    for endpoint in all.iter().filter(|endpoint| is_over(endpoint)) {
        events::set_notified(&mut tx, endpoint.id, None).await?;
    }
    let notify = &context.config.notify;
    let last = notices::last_created(&mut tx, KIND).await?;
    let failing: Vec<&Endpoint> = all.iter().filter(|endpoint| is_new(endpoint)).collect();
    if failing.is_empty() || last.is_some_and(|last| last + notify.min_interval > now) {
        return Ok(tx.commit().await?);
    }
    let subject = match &failing[..] {
        [one] => format!("fieldworkd: 事件推送失败：{0} / the webhook {0} fails", one.name),
        many => format!("fieldworkd: {0} 个事件推送失败 / {0} webhooks fail", many.len()),
    };
    for channel in NoticeChannel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let body = match channel {
            NoticeChannel::Email => format!(
                "以下事件推送失败，未送达的事件会保留并重试；显示“已停止”的不再推送。\nThese webhooks take no \
                 events. Events that wait are kept and tried again; one that is disabled gets none.\
                 \n\n{}\n{}/webhooks\n",
                failing
                    .iter()
                    .take(MAX_LISTED)
                    .map(|one| line(one, state(one)))
                    .collect::<String>(),
                context.config.public_url
            ),
            NoticeChannel::Sms => notice_text::with_signature(
                &format!("{}个事件推送失败，请查看fieldworkd", failing.len()),
                &notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default(),
            ),
            NoticeChannel::Webhook => {
                let webhook = |one: &&Endpoint| {
                    json!({ "name": one.name, "state": state(one).as_str(),
                            "last_error": one.last_error })
                };
                let data = json!({ "webhooks": failing.iter().map(webhook).collect::<Vec<_>>() });
                json!({ "type": "webhooks_failing", "timestamp": now.rfc3339(chrono_tz::UTC),
                        "data": data })
                .to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    for endpoint in &failing {
        events::set_notified(&mut tx, endpoint.id, Some(state(endpoint).as_str())).await?;
    }
    Ok(tx.commit().await?)
}

fn line(endpoint: &Endpoint, state: WebhookState) -> String {
    let words =
        if state == WebhookState::Disabled { "已停止 / disabled" } else { "失败 / fails" };
    format!(
        "  {}: {words}: {}\n",
        endpoint.name,
        endpoint.last_error.as_deref().unwrap_or("个别事件未被接收 / some events are not accepted")
    )
}
