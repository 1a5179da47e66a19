//! Versions that the scoring step rejects, and deliveries that were given up: told at once, by every way that is set up, and again in each digest until a later
//! version is frozen or the delivery has arrived.

use serde_json::{Value, json};

use super::super::deadlines::DeadlineError;
use super::notice_text;
use crate::adapters::config::Channel;
use crate::services::context::Installation;
use crate::adapters::database::deliveries::{self, Problem};
use crate::adapters::database::notices;

const KIND: &str = "delivery";
/// A notice names so many; `dataset list` shows all.
const MOST: usize = 20;

pub(super) async fn tell(installation: &Installation) -> Result<(), DeadlineError> {
    let now = installation.clock.now();
    let notify = &installation.config.notify;
    let is_new = |problems: &[Problem]| problems.iter().any(|problem| problem.told_at.is_none());
    if Channel::ALL.iter().all(|channel| !notify.has(*channel)) || !is_new(&deliveries::problems(&mut *installation.store.read().await?).await?) {
        return Ok(());
    }
    let mut tx = installation.store.write().await?;
    if notices::last_of(&mut tx, KIND).await?.is_some_and(|last| last + notify.at_most_every > now) {
        return Ok(());
    }
    // Another daemon may have told it meanwhile.
    let problems: Vec<Problem> = deliveries::problems(&mut tx).await?.into_iter().filter(|problem| problem.told_at.is_none()).collect();
    if problems.is_empty() {
        return Ok(());
    }
    let subject = match &problems[..] {
        [one] => format!("fieldworkd: {} 数据集{} / dataset {}", one.application_code, what_zh(one), what_en(one)),
        many => format!("fieldworkd: {0} 个数据集未交付 / {0} datasets are not handed over", many.len()),
    };
    for channel in Channel::ALL.into_iter().filter(|channel| notify.has(*channel)) {
        let body = match channel {
            Channel::Email => lines(&problems) + "\n全部 / all: fieldworkd dataset list\n重交 / once more: fieldworkd dataset deliver CODE VERSION\n",
            Channel::Sms => notice_text::sms_of(&sms(&problems), &notify.sms.as_ref().map(|sms| sms.signature.clone()).unwrap_or_default()),
            Channel::Webhook => {
                let data = json!({ "problems": problems.iter().map(as_json).collect::<Vec<_>>() });
                json!({ "type": "delivery", "timestamp": now.rfc3339(chrono_tz::UTC), "data": data }).to_string()
            }
        };
        notices::add(&mut tx, channel, KIND, &subject, &body, now).await?;
    }
    deliveries::set_problems_told(&mut tx, now).await?;
    Ok(tx.commit().await?)
}

fn what_zh(problem: &Problem) -> &'static str {
    if problem.way.is_none() { "被退回" } else { "未送达" }
}

fn what_en(problem: &Problem) -> &'static str {
    if problem.way.is_none() { "rejected" } else { "not delivered" }
}

/// A line for each, as a mail and the digest show them.
pub(super) fn lines(problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let Problem { application_code, kind, version, reason, .. } = problem;
        let way = problem.way.map(|way| format!(" ({})", way.as_str())).unwrap_or_default();
        format!("  {application_code} {kind} {version}: {} / {}{way}: {reason}\n", what_zh(problem), what_en(problem))
    };
    let more = if problems.len() > MOST { format!("  … {}\n", problems.len() - MOST) } else { String::new() };
    problems.iter().take(MOST).map(line).collect::<String>() + &more
}

/// The scoring step's words stay out: an SMS is short, and passes through others' hands.
fn sms(problems: &[Problem]) -> String {
    let first = &problems[0];
    let more = if problems.len() > 1 { format!("等{}个", problems.len()) } else { String::new() };
    format!("数据集{}：{} {}{more}。请查看fieldworkd", what_zh(first), first.application_code, first.version)
}

pub(super) fn as_json(problem: &Problem) -> Value {
    json!({ "application": problem.application_code, "kind": problem.kind, "version": problem.version, "problem": what_en(problem),
            "way": problem.way.map(|way| way.as_str()), "reason": problem.reason })
}
