//! Alarms: notifies those responsible of a quota in danger while there is time to act (invariant
//! I6).
//!
//! [`tick`] compares the latest forecasts with the configured levels, and sends notices by e-mail,
//! webhook and SMS to the duty officer. An application has at most one alarm, at the worst level
//! that matches. It is notified when it is raised, again until it is acknowledged, and anew when it
//! gets worse; it ends when the chance has recovered. All alarms that are due share one notice per
//! channel ([`notify`]).

mod deliver;
mod delivery_problems;
mod digest;
mod failing_webhooks;
mod notice_text;
mod notify;
mod response_clusters;
mod stuck_work;
mod unread_replies;

use std::sync::Arc;

pub use deliver::send_due_notices;
pub use digest::digest;
pub use notify::write_test_notice;

use super::deadlines::DeadlineError;
use crate::adapters::config::AlarmLevel;
use crate::adapters::database::{alarms, applications, notices};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// The margin by which the chance must exceed the level's threshold before an alarm ends. It keeps
/// alarms from toggling with every forecast.
const RECOVERY_MARGIN: f64 = 0.05;

/// Raises, changes and ends alarms, writes the notices, and sends those that are due. A step that
/// fails holds up none of the others: least of all the notice that something fails.
pub async fn tick(context: &Arc<AppContext>) -> Result<(), DeadlineError> {
    let steps = [
        evaluate_levels(context).await,
        notify::write_alarm_notices(context).await,
        delivery_problems::write_notices(context).await,
        unread_replies::write_notices(context).await,
        stuck_work::write_notices(context).await,
        failing_webhooks::write_notices(context).await,
        response_clusters::write_notices(context).await,
        digest::write_if_due(context).await,
        deliver::send_due_notices(context).await,
    ];
    steps.into_iter().collect()
}

/// Returns when the next notice or digest is due.
pub async fn next_due(context: &AppContext) -> Result<Option<Timestamp>, DeadlineError> {
    let notice = notices::next_due(&mut *context.database.read().await?).await?;
    Ok([notice, digest::next_due(context).await?].into_iter().flatten().min())
}

/// Compares the latest forecasts with the levels.
async fn evaluate_levels(context: &AppContext) -> Result<(), DeadlineError> {
    let now = context.clock.now();
    let levels = &context.config.alarms;
    let watched = alarms::candidates(&mut *context.database.read().await?).await?;
    let mut changes = Vec::new();
    for application in watched {
        let days_left = application.field_closes_at.since(now).as_secs() / 86_400;
        let level_index = |margin: f64| {
            levels
                .iter()
                .position(|level| matches_level(level, application.chance - margin, days_left))
        };
        match (&application.alarm, level_index(0.0)) {
            (None, Some(at)) => changes.push((application, AlarmChange::Raise(&levels[at]))),
            (Some((_, level)), Some(at)) if *level != levels[at].name => {
                let before = levels.iter().position(|known| known.name == *level);
                // The level improves only when the chance exceeds the usual variation of a
                // forecast.
                if before.is_none_or(|before| at < before) {
                    changes.push((application, AlarmChange::ChangeLevel(&levels[at], true)));
                } else if level_index(RECOVERY_MARGIN).is_none_or(|at| Some(at) > before) {
                    changes.push((application, AlarmChange::ChangeLevel(&levels[at], false)));
                }
            }
            (Some(_), None) if level_index(RECOVERY_MARGIN).is_none() => {
                changes.push((application, AlarmChange::End))
            }
            _ => {}
        }
    }
    if changes.is_empty() && !alarms::any_out_of_field(&mut *context.database.read().await?).await?
    {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    alarms::end_out_of_field(&mut tx, now).await?;
    for (application, change) in changes {
        let alarm = application.alarm.as_ref().map(|(id, _)| *id).unwrap_or_default();
        match change {
            AlarmChange::Raise(level) => {
                if alarms::raise(
                    &mut tx,
                    application.application,
                    &level.name,
                    application.chance,
                    now,
                )
                .await?
                {
                    let code = applications::get(&mut tx, application.application).await?.code;
                    tracing::warn!(
                        application = code,
                        level = level.name,
                        chance = application.chance,
                        "a quota is in danger"
                    );
                }
            }
            AlarmChange::ChangeLevel(level, is_worse) => {
                alarms::change_level(&mut tx, alarm, &level.name, application.chance, is_worse, now)
                    .await?
            }
            AlarmChange::End => alarms::end(&mut tx, alarm, application.chance, now).await?,
        }
    }
    Ok(tx.commit().await?)
}

enum AlarmChange<'a> {
    Raise(&'a AlarmLevel),
    /// The new level, and whether it is worse.
    ChangeLevel(&'a AlarmLevel, bool),
    End,
}

fn matches_level(level: &AlarmLevel, chance: f64, days_left: u64) -> bool {
    chance < level.chance_below && days_left <= u64::from(level.days_left)
}
