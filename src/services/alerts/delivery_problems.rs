//! Notices of versions that the scoring step rejected and of deliveries that were given up. They
//! are sent at once through every configured channel, and repeated in each digest until a later
//! version is frozen or the delivery arrives.

use serde_json::{Value, json};

use super::super::deadlines::DeadlineError;
use super::notice_text;
use crate::adapters::config::NoticeChannel;
use crate::adapters::database::deliveries::{self, DeliveryProblem};
use crate::adapters::database::notices;
use crate::services::context::AppContext;

const KIND: &str = "delivery";
/// The number of problems in a notice; `dataset list` shows all.
const MAX_LISTED: usize = 20;

pub(super) async fn write_notices(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    let notify = &context.config.notify;
    let is_new =
        |problems: &[DeliveryProblem]| problems.iter().any(|problem| problem.notified_at.is_none());
    if NoticeChannel::ALL.iter().all(|channel| !notify.has(*channel))
        || !is_new(&deliveries::open_problems(&mut *context.database.read().await?).await?)
    {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    if notices::last_created(&mut tx, KIND)
        .await?
        .is_some_and(|last| last + notify.min_interval > now)
    {
        return Ok(());
    }
    // Another daemon may have sent the notice meanwhile.
    let problems: Vec<DeliveryProblem> = deliveries::open_problems(&mut tx)
        .await?
        .into_iter()
        .filter(|problem| problem.notified_at.is_none())
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    let subject = match &problems[..] {
        [one] => format!(
            "fieldworkd: {} 数据集{} / dataset {}",
            one.application_code,
            problem_zh(one),
            problem_en(one)
        ),
        many => {
            format!("fieldworkd: {0} 个数据集未交付 / {0} datasets are not handed over", many.len())
        }
    };
    for channel in NoticeChannel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let body = match channel {
            NoticeChannel::Email => {
                problem_lines(&problems)
                    + "\n全部 / all: fieldworkd dataset list\n重交 / once more: fieldworkd \
                        dataset deliver CODE VERSION\n"
            }
            NoticeChannel::Sms => notice_text::with_signature(
                &sms_text(&problems),
                &notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default(),
            ),
            NoticeChannel::Webhook => {
                let data =
                    json!({ "problems": problems.iter().map(problem_json).collect::<Vec<_>>() });
                json!({ "type": "delivery", "timestamp": now.rfc3339(chrono_tz::UTC), "data": data }).to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    deliveries::mark_problems_notified(&mut tx, now).await?;
    Ok(tx.commit().await?)
}

fn problem_zh(problem: &DeliveryProblem) -> &'static str {
    if problem.channel.is_none() { "被退回" } else { "未送达" }
}

fn problem_en(problem: &DeliveryProblem) -> &'static str {
    if problem.channel.is_none() { "rejected" } else { "not delivered" }
}

/// Returns one line for each problem, for an e-mail or the digest.
pub(super) fn problem_lines(problems: &[DeliveryProblem]) -> String {
    let line = |problem: &DeliveryProblem| {
        let DeliveryProblem { application_code, kind, version, reason, .. } = problem;
        let channel =
            problem.channel.map(|channel| format!(" ({})", channel.as_str())).unwrap_or_default();
        format!(
            "  {application_code} {kind} {version}: {} / {}{channel}: {reason}\n",
            problem_zh(problem),
            problem_en(problem)
        )
    };
    let more = if problems.len() > MAX_LISTED {
        format!("  … {}\n", problems.len() - MAX_LISTED)
    } else {
        String::new()
    };
    problems.iter().take(MAX_LISTED).map(line).collect::<String>() + &more
}

/// Returns the text for an SMS. The scoring step's reason is left out: an SMS is short, and passes
/// through third parties.
fn sms_text(problems: &[DeliveryProblem]) -> String {
    let first = &problems[0];
    let more = if problems.len() > 1 { format!("等{}个", problems.len()) } else { String::new() };
    format!(
        "数据集{}：{} {}{more}。请查看fieldworkd",
        problem_zh(first),
        first.application_code,
        first.version
    )
}

pub(super) fn problem_json(problem: &DeliveryProblem) -> Value {
    json!({ "application": problem.application_code, "kind": problem.kind, "version": problem.version, "problem": problem_en(problem),
            "channel": problem.channel.map(|channel| channel.as_str()), "reason": problem.reason })
}
