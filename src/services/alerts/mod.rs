//! Alarms: whoever is responsible hears of a quota in danger while there is time to act (invariant I6).
//!
//! In go the latest forecasts and the levels of the configuration; out come notices by e-mail, webhook and SMS to the duty officer. An application has one
//! alarm, at the worst level that fits; it is told, told again until somebody acknowledges it, told anew when it gets worse, and over when the chance has
//! recovered. However much happens at once, one notice for each way tells it all ([`notify`]).

mod deliver;
mod digest;
mod delivery_problems;
mod notify;
mod notice_text;

use std::sync::Arc;

pub use deliver::due as deliver;
pub use digest::digest;
pub use notify::test;

use super::deadlines::DeadlineError;
use crate::adapters::config::AlarmLevel;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::{alarms, applications, notices};

/// An alarm is over when the chance is so much better than what raised it: it does not come and go with every forecast.
const RECOVERED_BY: f64 = 0.05;

/// Raises, moves and ends alarms, writes what is to be told, and sends what is due.
pub async fn tick(installation: &Arc<Installation>) -> Result<(), DeadlineError> {
    judge(installation).await?;
    notify::alarms(installation).await?;
    delivery_problems::tell(installation).await?;
    digest::when_due(installation).await?;
    deliver::due(installation).await
}

/// When a notice is to be sent, or a digest is due.
pub async fn next_due(installation: &Installation) -> Result<Option<Timestamp>, DeadlineError> {
    let notice = notices::next_due(&mut *installation.store.read().await?).await?;
    Ok([notice, digest::next_due(installation).await?].into_iter().flatten().min())
}

/// Holds the latest forecasts against the levels.
async fn judge(installation: &Installation) -> Result<(), DeadlineError> {
    let now = installation.clock.now();
    let levels = &installation.config.alarms;
    let watched = alarms::watched(&mut *installation.store.read().await?).await?;
    let mut changes = Vec::new();
    for application in watched {
        let days_left = application.field_closes_at.since(now).as_secs() / 86_400;
        let place = |margin: f64| levels.iter().position(|level| fits(level, application.chance - margin, days_left));
        match (&application.alarm, place(0.0)) {
            (None, Some(at)) => changes.push((application, Change::Raise(&levels[at]))),
            (Some((_, level)), Some(at)) if *level != levels[at].name => {
                let before = levels.iter().position(|known| known.name == *level);
                // A better level only when it is better by more than a forecast's own swing.
                if before.is_none_or(|before| at < before) {
                    changes.push((application, Change::Move(&levels[at], true)));
                } else if place(RECOVERED_BY).is_none_or(|at| Some(at) > before) {
                    changes.push((application, Change::Move(&levels[at], false)));
                }
            }
            (Some(_), None) if place(RECOVERED_BY).is_none() => changes.push((application, Change::End)),
            _ => {}
        }
    }
    if changes.is_empty() && !alarms::any_closed(&mut *installation.store.read().await?).await? {
        return Ok(());
    }
    let mut tx = installation.store.write().await?;
    alarms::end_closed(&mut tx, now).await?;
    for (application, change) in changes {
        let alarm = application.alarm.as_ref().map(|(id, _)| *id).unwrap_or_default();
        match change {
            Change::Raise(level) => {
                if alarms::raise(&mut tx, application.application, &level.name, application.chance, now).await? {
                    let code = applications::get(&mut tx, application.application).await?.code;
                    tracing::warn!(application = code, level = level.name, chance = application.chance, "a quota is in danger");
                }
            }
            Change::Move(level, is_worse) => alarms::move_to(&mut tx, alarm, &level.name, application.chance, is_worse, now).await?,
            Change::End => alarms::end(&mut tx, alarm, application.chance, now).await?,
        }
    }
    Ok(tx.commit().await?)
}

enum Change<'a> {
    Raise(&'a AlarmLevel),
    /// To this level; is it worse?
    Move(&'a AlarmLevel, bool),
    End,
}

fn fits(level: &AlarmLevel, chance: f64, days_left: u64) -> bool {
    chance < level.chance_below && days_left <= u64::from(level.days_left)
}
