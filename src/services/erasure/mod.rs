//! Retention and erasure: removes data whose retention period is over, and erases people once the
//! purpose is met.
//!
//! [`remove_expired`] removes gateway conversations, receipts without a message and expired
//! suppressions. [`purge`] erases the people of applicants whose fieldwork is long over; [`person`]
//! erases single persons on request. The counts of a sample and the frozen datasets remain, under
//! pseudonyms. Every erasure leaves a signed [`certificate`] without names. [`reapply_erasures()`]
//! repeats erasures in a database restored from an older backup, as recorded in the key ring.

mod certificate;
mod destroyed_keys;
pub mod person;
pub mod purge;
mod reapply_erasures;

pub use certificate::{certificate_files, is_genuine};
pub use destroyed_keys::{destroy_surviving_keys, surviving_keys};
pub use reapply_erasures::reapply_erasures;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::{
    DatabaseError, application_drafts, drafts, events, gateway_log, plan_library, quotas, receipts,
    refusals, replies, suppressions,
};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::datasets::DatasetError;
use crate::services::interviews::InterviewError;
use crate::services::sms_inbound::long_replies;
use crate::services::sms_sending::DispatchError;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "erasure.", serialize_all = "snake_case")]
pub enum ErasureError {
    #[error("programme {programme} has no applicant {applicant}")]
    UnknownApplicant { programme: String, applicant: String },
    #[error("applicant {0} still has applications in the field; close them first")]
    InField(String),
    #[error(
        "applicant {code} is under a legal hold since {since} ({reason}); nothing is deleted \
            until it is lifted"
    )]
    LegalHold { code: String, since: String, reason: String },
    #[error("the personal data of applicant {0} is deleted already")]
    AlreadyErased(String),
    #[error("applicant {0} is under no legal hold")]
    NoLegalHold(String),
    #[error("say why; the reason stays with what is done")]
    NoReason,
    #[error("this is no telephone number: {0}")]
    InvalidNumber(String),
    #[error("nobody here has this number")]
    UnknownNumber,
    #[error("{path}: {error}")]
    Folder { path: String, error: std::io::Error },
    #[error("a certificate cannot be read: {0}")]
    Certificate(String),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    #[strum(transparent)]
    Interview(#[from] InterviewError),
    #[error(transparent)]
    #[strum(transparent)]
    Dispatch(#[from] DispatchError),
    #[error(transparent)]
    #[strum(transparent)]
    Dataset(#[from] DatasetError),
}

/// So long what was deleted from the library can be had back.
const KEEP_LIBRARY: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
/// How long an uploaded list that is not imported is stored.
const KEEP_DRAFTS: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);
/// How long a list is kept that its applicant has uploaded: it works on it, and staff look at it.
const KEEP_HANDED_IN: std::time::Duration = std::time::Duration::from_secs(60 * 86_400);

/// How long an applicant's documents that nobody registers are stored.
const KEEP_FORMS: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// How long delivered and abandoned events are stored.
const KEEP_EVENTS: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// The author of an erasure, and the reason.
#[derive(Debug, Clone, Copy)]
pub struct ErasureOrder<'a> {
    pub actor: &'a str,
    pub reason: &'a str,
}

/// The numbers of rows that one round of housekeeping removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemovedCounts {
    pub conversations: u64,
    pub waiting_receipts: u64,
    pub suppressions: u64,
    /// Expired reservations in quota cells.
    pub quota_holds: u64,
    /// Applicants whose people were erased.
    pub applicants: u64,
}

/// Removes all data whose retention period is over. A step that fails holds up none of the others.
#[tracing::instrument(name = "housekeeping", level = "debug", skip_all)]
pub async fn remove_expired(context: &AppContext) -> Result<RemovedCounts, ErasureError> {
    let old_rows = remove_old_rows(context).await;
    let reapplied = reapply_erasures(context).await;
    let applicants = purge::purge_due(context).await?;
    reapplied?;
    Ok(RemovedCounts { applicants, ..old_rows? })
}

async fn remove_old_rows(context: &AppContext) -> Result<RemovedCounts, ErasureError> {
    // A clock that is ahead would delete what is to be kept; the next round catches up.
    if context.is_clock_settling() {
        return Ok(RemovedCounts::default());
    }
    let now = context.clock.now();
    let keep = &context.config.housekeeping;
    let mut tx = context.database.write().await?;
    refusals::delete_expired(&mut tx, now).await?;
    plan_library::delete_before(&mut tx, now - KEEP_LIBRARY).await?;
    drafts::delete_stale_lists(&mut tx, now - KEEP_DRAFTS, now - KEEP_HANDED_IN).await?;
    let stale_keys = application_drafts::delete_stale(&mut tx, now - KEEP_FORMS).await?;
    events::delete_before(&mut tx, now - KEEP_EVENTS).await?;
    let tidied = RemovedCounts {
        conversations: gateway_log::delete_before(&mut tx, now - keep.keep_gateway_log).await?,
        waiting_receipts: receipts::delete_unmatched_before(
            &mut tx,
            now - keep.keep_unmatched_receipts,
        )
        .await?,
        suppressions: suppressions::delete_expired(&mut tx, now).await?,
        quota_holds: quotas::delete_expired_reservations(&mut tx, now).await?,
        applicants: 0,
    };
    replies::delete_strangers(
        &mut tx,
        now - context.config.replies.keep_strangers,
        now - long_replies::KEEP_TAKEN,
    )
    .await?;
    tx.commit().await?;
    for key in stale_keys {
        context.keys.destroy(&key, "an application's draft has ended")?;
    }
    Ok(tidied)
}

/// Removes what was deleted from the database's files. A failure (a reader that holds on to the past
/// for long) is no failure of the deletion; the next one, or a restart, catches up.
async fn scrub(context: &AppContext) {
    if let Err(error) = context.database.scrub_deleted().await {
        tracing::warn!(%error, "deleted data is still in the database's log for a while");
    }
}

/// Returns when the next round is due by the configured cron expression; `None`: never.
pub fn next_housekeeping(context: &AppContext, after: Timestamp) -> Option<Timestamp> {
    context.config.housekeeping.at.next_after(after)
}
