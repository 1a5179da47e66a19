//! Readiness of the installation, and health metrics for machines. They contain no personal data.

use std::collections::BTreeMap;
use std::time::Duration;

use strum::IntoEnumIterator;

use super::MonitoringError;
use crate::adapters::database::{deliveries, events, health, messages, rates, replies, stuck_work};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::response_quality;
use crate::services::stuck_work::{STUCK_AFTER, WorkKind};

/// The free space below which the installation is not ready: writes might fail.
const MIN_FREE_BYTES: u64 = 200 * 1024 * 1024;
/// The clock offset from which the installation is not ready: messages would be sent outside hours.
const MAX_CLOCK_OFFSET: Duration = Duration::from_secs(60);
/// The window over which rates are measured.
const RATE_WINDOW: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Whether the installation can work.
#[derive(Debug, Clone, PartialEq)]
pub struct Readiness {
    /// The database's error if it does not answer.
    pub database: Option<String>,
    /// Free bytes in the file system of the datasets and, with SQLite, of the database.
    pub disk_free_bytes: u64,
    /// The offset of the machine's clock in milliseconds: ahead of the database's clock (positive),
    /// or behind it or the last recorded time (negative).
    pub clock_offset_ms: i64,
    /// The seconds by which the clock was set a short while ago; negative: back.
    pub clock_step_seconds: Option<i64>,
    pub gateways_paused: Vec<String>,
}

impl Readiness {
    pub fn has_disk_space(&self) -> bool {
        self.disk_free_bytes >= MIN_FREE_BYTES
    }

    pub fn has_correct_clock(&self) -> bool {
        self.clock_step_seconds.is_none()
            && self.clock_offset_ms.unsigned_abs() < MAX_CLOCK_OFFSET.as_millis() as u64
    }

    /// Returns whether the installation is ready. A paused gateway does not count: respondents can
    /// still answer.
    pub fn is_ready(&self) -> bool {
        self.database.is_none() && self.has_disk_space() && self.has_correct_clock()
    }
}

pub async fn readiness(context: &AppContext) -> Readiness {
    let now = context.clock.now();
    let query = async {
        let mut connection = context.database.read().await?;
        let paused = rates::paused(&mut connection, now).await?;
        Ok::<_, crate::adapters::database::DatabaseError>((
            paused,
            health::clocks(&mut connection).await?,
        ))
    };
    let disk_free_bytes = free_bytes(&context.config.datasets);
    let step = context.clock_watch.recent_step(&*context.clock);
    let clock_step_seconds = step.map(|step| step.millis / 1000);
    match query.await {
        Ok((paused, (own, last))) => {
            let ahead = own.map_or(0, |own| now.0 - own.0);
            // A clock that was set back is behind the last recorded time.
            let behind = last.map_or(0, |last| (now.0 - last.0).min(0));
            let clock_offset_ms = if ahead.abs() > behind.abs() { ahead } else { behind };
            Readiness {
                database: None,
                disk_free_bytes,
                clock_offset_ms,
                clock_step_seconds,
                gateways_paused: paused.into_iter().map(|(gateway, _)| gateway).collect(),
            }
        }
        Err(error) => Readiness {
            database: Some(error.to_string()),
            disk_free_bytes,
            clock_offset_ms: 0,
            clock_step_seconds,
            gateways_paused: Vec::new(),
        },
    }
}

/// Returns the free bytes of the file system of a folder, which need not exist yet.
fn free_bytes(folder: &std::path::Path) -> u64 {
    let there = folder
        .ancestors()
        .find(|folder| folder.exists())
        .filter(|folder| !folder.as_os_str().is_empty());
    rustix::fs::statvfs(there.unwrap_or(std::path::Path::new(".")))
        .map_or(u64::MAX, |about| about.f_bavail.saturating_mul(about.f_frsize))
}

/// The metrics of a moment.
pub struct HealthMetrics {
    /// Each running campaign with the number of people who are due, and for how many seconds the
    /// first of them has been due.
    pub due: Vec<(String, u64, f64)>,
    /// Each gateway with the number of messages by state.
    pub messages: Vec<(String, String, u64)>,
    /// Each gateway with the share of its rate used in the last minute, its pace, and the seconds
    /// for which it is still paused.
    pub gateways: Vec<(String, f64, f64, f64)>,
    pub in_doubt: u64,
    pub replies: u64,
    /// Replies that were not understood, and that nobody has read in time.
    pub overdue_replies: u64,
    pub calls_due: u64,
    /// Work that fails again and again, by kind.
    pub stuck: BTreeMap<String, u64>,
    pub delivery_problems: u64,
    /// Each webhook with whether it is failing or disabled.
    pub webhooks: Vec<(String, bool)>,
    /// Each application with responses from one place about which nothing is decided.
    pub to_be_reviewed: Vec<(String, u64)>,
    /// The median duration of the interviews completed within a day.
    pub interview_seconds: Option<f64>,
    pub interviews: u64,
    /// Each application in the field with its chance.
    pub chances: Vec<(String, f64)>,
    pub readiness: Readiness,
    /// The time that the database took for these queries.
    pub database_seconds: f64,
}

pub async fn collect_health_metrics(
    context: &AppContext,
) -> Result<HealthMetrics, MonitoringError> {
    let (now, began) = (context.clock.now(), std::time::Instant::now());
    let readiness = readiness(context).await;
    let mut connection = context.database.read().await?;
    let waited =
        |since: Option<Timestamp>| since.map_or(0.0, |since| now.since(since).as_secs_f64());
    let due = health::due_by_campaign(&mut connection, now)
        .await?
        .into_iter()
        .map(|(code, due, since)| (code, due, waited(since)))
        .collect();
    let by_state = health::messages(&mut connection, now - RATE_WINDOW).await?;
    let states = rates::states(&mut connection, now).await?;
    let gateway = |(name, config): (&String, &crate::adapters::config::GatewayConfig)| {
        let lately: u64 = by_state
            .iter()
            .filter(|(gateway, ..)| gateway == name)
            .map(|(.., lately)| lately)
            .sum();
        let state = states.get(name);
        let used =
            lately as f64 / (f64::from(config.rate_per_second.max(1)) * RATE_WINDOW.as_secs_f64());
        let held = state.map_or(0.0, |state| state.paused_until.since(now).as_secs_f64());
        (name.clone(), used, state.map_or(1.0, |state| state.rate_permille as f64 / 1_000.0), held)
    };
    let mut stuck: BTreeMap<String, u64> =
        WorkKind::iter().map(|kind| (kind.as_str().to_owned(), 0)).collect();
    for work in stuck_work::list(&mut connection, STUCK_AFTER).await? {
        *stuck.entry(work.kind).or_default() += 1;
    }
    let webhooks = events::readable_endpoints(&mut connection).await?;
    let webhooks = webhooks.into_iter().map(|webhook| {
        let needs_attention = webhook.state(now).needs_attention();
        (webhook.name, needs_attention)
    });
    let webhooks = webhooks.collect();
    let seconds = health::interview_seconds(&mut connection, now - DAY).await?;
    Ok(HealthMetrics {
        due,
        gateways: context.config.gateways.iter().map(gateway).collect(),
        in_doubt: messages::list_in_doubt(&mut connection, now).await?.len() as u64,
        replies: replies::inbox(&mut connection, None, false).await?.len() as u64,
        overdue_replies: replies::count_unread(
            &mut connection,
            now - context.config.replies.read_within,
        )
        .await?,
        calls_due: health::calls_due(&mut connection, now).await?,
        stuck,
        webhooks,
        to_be_reviewed: response_quality::to_be_reviewed(context).await?,
        delivery_problems: deliveries::open_problems(&mut connection).await?.len() as u64,
        interview_seconds: seconds.get(seconds.len() / 2).map(|seconds| *seconds as f64),
        interviews: seconds.len() as u64,
        chances: health::chances(&mut connection).await?,
        messages: by_state
            .into_iter()
            .map(|(gateway, state, all, _)| (gateway, state, all))
            .collect(),
        readiness,
        database_seconds: began.elapsed().as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_only_with_a_database_room_and_the_right_time() {
        let well = Readiness {
            database: None,
            disk_free_bytes: MIN_FREE_BYTES,
            clock_step_seconds: None,
            clock_offset_ms: -59_000,
            gateways_paused: vec!["g".into()],
        };
        assert!(well.is_ready());
        assert!(!Readiness { database: Some("gone".into()), ..well.clone() }.is_ready());
        assert!(!Readiness { disk_free_bytes: MIN_FREE_BYTES - 1, ..well.clone() }.is_ready());
        assert!(
            !Readiness { clock_offset_ms: 61_000, ..well.clone() }.is_ready()
                && !Readiness { clock_offset_ms: -61_000, ..well }.is_ready()
        );
    }
}
