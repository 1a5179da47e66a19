//! Loops over many things: one that fails is put aside and tried again after a while, and holds up
//! none of the others. What has failed more than once is pending work, an alarm and a metric.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use crate::adapters::database::DatabaseError;
use crate::adapters::database::applications::Application;
use crate::adapters::database::stuck_work::{self, StuckWork};
use crate::domain::ids::ApplicationId;
use crate::domain::retry_delay::retry_delay;
use crate::services::context::AppContext;

/// Failures from which on work counts as stuck: the first may pass by itself.
pub const STUCK_AFTER: u32 = 2;

/// A first failure (a deadlock, a write of another daemon) may pass by itself at once.
const FIRST_DELAY: Duration = Duration::from_secs(5);
/// It is tried again after this time at the latest.
const MAX_DELAY: Duration = Duration::from_secs(3_600);

/// A longer error is cut.
const MAX_PROBLEM_CHARS: usize = 500;

/// What a loop of the daemon does for each of many things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum WorkKind {
    /// Sending the messages of a campaign.
    Dispatch,
    /// Asking a gateway after a message in doubt.
    Query,
    /// Applying a receipt that came early.
    Receipt,
    /// Closing the field of an application.
    CloseField,
    /// Freezing a version after a withdrawn consent.
    Correction,
    /// Freezing an interim version.
    InterimVersion,
    /// Releasing replicates of a list.
    Replicates,
    /// Writing the files of a version.
    WriteDataset,
    /// Delivering a version.
    DeliverDataset,
    /// Forecasting an application.
    Forecast,
    /// Telling a webhook of events.
    Webhook,
    /// Deleting an applicant's personal data in time.
    Purge,
    /// Ending the call of an interviewer whose page is gone.
    CallLease,
    /// Taking a long reply of which some parts have not come in time.
    LongReply,
}

impl WorkKind {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Names an application as an item, whether or not its row can be read.
pub fn application_item(
    application: &Result<Application, DatabaseError>,
    id: ApplicationId,
) -> String {
    application.as_ref().map_or_else(|_| format!("#{}", id.0), |found| found.code.clone())
}

/// The failures of one loop.
pub struct Isolation<'a> {
    context: &'a AppContext,
    kind: WorkKind,
    failed: BTreeMap<String, StuckWork>,
}

impl<'a> Isolation<'a> {
    pub async fn load(
        context: &'a AppContext,
        kind: WorkKind,
    ) -> Result<Isolation<'a>, DatabaseError> {
        let mut connection = context.database.read().await?;
        let failed = stuck_work::of_kind(&mut connection, kind.as_str()).await?;
        let failed = failed.into_iter().map(|work| (work.item.clone(), work)).collect();
        Ok(Isolation { context, kind, failed })
    }

    /// Whether an item has failed and is not to be tried yet.
    pub fn holds_back(&self, item: &str) -> bool {
        let now = self.context.clock.now();
        self.failed.get(item).is_some_and(|work| work.retry_at > now)
    }

    /// Whether nothing has failed.
    pub fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// Whether an item has failed, and not succeeded since.
    pub fn has_failed(&self, item: &str) -> bool {
        self.failed.contains_key(item)
    }

    /// Takes the result for one item: a failure is written down, and `None` is returned.
    ///
    /// # Errors
    /// If that cannot be written: then nothing else would succeed either.
    pub async fn record<T, E: Display>(
        &mut self,
        item: &str,
        result: Result<T, E>,
    ) -> Result<Option<T>, DatabaseError> {
        let (context, kind, now) = (self.context, self.kind.as_str(), self.context.clock.now());
        let error = match result {
            Ok(value) => {
                if self.failed.remove(item).is_some() {
                    let mut tx = context.database.write().await?;
                    stuck_work::remove(&mut tx, kind, item).await?;
                    tx.commit().await?;
                    tracing::info!(kind, item, "what had failed has succeeded");
                }
                return Ok(Some(value));
            }
            Err(error) => error,
        };
        let known = self.failed.get(item);
        let attempt_count = known.map_or(0, |work| work.attempt_count) + 1;
        let delay = match attempt_count {
            1 => FIRST_DELAY,
            _ => retry_delay(attempt_count - 1).unwrap_or(MAX_DELAY).min(MAX_DELAY),
        };
        tracing::error!(kind, item, attempt_count, %error, ?delay, "this failed; the rest goes on");
        let work = StuckWork {
            kind: kind.to_owned(),
            item: item.to_owned(),
            problem: error.to_string().chars().take(MAX_PROBLEM_CHARS).collect(),
            attempt_count,
            since: known.map_or(now, |work| work.since),
            retry_at: now + delay,
        };
        let mut tx = context.database.write().await?;
        stuck_work::save(&mut tx, &work).await?;
        tx.commit().await?;
        self.failed.insert(item.to_owned(), work);
        Ok(None)
    }
}
