//! Notices of clusters: many people of one applicant who answered from one place. Each cluster is
//! told once.

use std::time::Duration;

use serde_json::json;

use super::super::deadlines::DeadlineError;
use super::super::response_quality;
use super::notice_text;
use crate::adapters::config::NoticeChannel;
use crate::adapters::database::{notices, origins};
use crate::services::context::AppContext;

const KIND: &str = "cluster";
/// This is called every few seconds. Nobody finishes while no daemon runs.
const LOOK_BACK: Duration = Duration::from_secs(3_600);

pub(super) async fn write_notices(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    response_quality::note_new_clusters(context, now - LOOK_BACK).await?;
    if origins::untold_clusters(&mut *context.database.read().await?).await?.is_empty() {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    // Another daemon may have written the notice meanwhile.
    let untold = origins::untold_clusters(&mut tx).await?;
    let notify = &context.config.notify;
    let last = notices::last_created(&mut tx, KIND).await?;
    if untold.is_empty() || last.is_some_and(|last| last + notify.min_interval > now) {
        return Ok(tx.commit().await?);
    }
    let names = untold.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>().join("、");
    let subject = format!("fieldworkd: 疑似代答：{names} / many answers from one place");
    for channel in NoticeChannel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let body = match channel {
            NoticeChannel::Email => format!(
                "以下申报单位有多人的问卷来自同一设备或同一网络，请查看后决定保留或剔除。\nMany people of \
                 these applicants answered from one device or one network. Look at their responses, \
                 and accept or exclude them.\n\n{}\n{}/home\n",
                untold
                    .iter()
                    .map(|(_, name, count)| format!("  {name}: {count}\n"))
                    .collect::<String>(),
                context.config.public_url
            ),
            NoticeChannel::Sms => notice_text::with_signature(
                &format!("{}家申报单位疑似代答，请查看fieldworkd", untold.len()),
                &notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default(),
            ),
            NoticeChannel::Webhook => {
                let one = |(_, name, count): &(_, String, u64)| json!({ "applicant": name, "clusters": count });
                let data = json!({ "applicants": untold.iter().map(one).collect::<Vec<_>>() });
                json!({ "type": "response_clusters", "timestamp": now.rfc3339(chrono_tz::UTC),
                        "data": data })
                .to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    origins::mark_told(&mut tx, now).await?;
    Ok(tx.commit().await?)
}
