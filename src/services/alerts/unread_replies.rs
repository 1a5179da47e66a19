//! Notices of replies that were not understood and that nobody has read in time: they no longer hold
//! up the people's next messages.

use serde_json::json;

use super::super::deadlines::DeadlineError;
use super::notice_text;
use crate::adapters::config::NoticeChannel;
use crate::adapters::database::{notices, replies};
use crate::services::context::AppContext;

const KIND: &str = "unread_replies";

pub(super) async fn write_notices(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    let notify = &context.config.notify;
    let before = now - context.config.replies.read_within;
    if NoticeChannel::ALL.iter().all(|channel| !notify.has(*channel))
        || replies::count_unread(&mut *context.database.read().await?, before).await? == 0
    {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    // Once for each: those that are overdue since the last notice, and not too often.
    let last = notices::last_created(&mut tx, KIND).await?;
    let known = match last {
        Some(last) if last + notify.min_interval > now => return Ok(()),
        Some(last) => {
            replies::count_unread(&mut tx, last - context.config.replies.read_within).await?
        }
        None => 0,
    };
    let count = replies::count_unread(&mut tx, before).await?;
    if count <= known {
        return Ok(());
    }
    let subject =
        format!("fieldworkd: {count} 条回复无人查看 / {count} replies have not been read");
    for channel in NoticeChannel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let body = match channel {
            NoticeChannel::Email => format!(
                "系统没有看懂 {count} 条回复，至今无人查看；其本人的下一条短信不再等待。\n\
                 {count} replies were not understood and have not been read; the people's next \
                 messages no longer wait.\n\n{}/inbox\n",
                context.config.public_url
            ),
            NoticeChannel::Sms => notice_text::with_signature(
                &format!("{count}条回复无人查看，下一条短信不再等待。请查看fieldworkd"),
                &notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default(),
            ),
            NoticeChannel::Webhook => {
                let data = json!({ "replies": count });
                json!({ "type": KIND, "timestamp": now.rfc3339(chrono_tz::UTC), "data": data })
                    .to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    Ok(tx.commit().await?)
}
