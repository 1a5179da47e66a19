//! Retention: what is kept only for a time goes when its time is over, and people are forgotten
//! when the purpose is met.
//!
//! In goes the clock; out go conversations with gateways, receipts that name no message and
//! suppressions that have run out ([`remove_expired`]), the people of applicants whose fieldwork is
//! long over ([`purge`]), and single persons who ask for it ([`person`]). What a sample's numbers
//! and the frozen datasets stand on stays, under pseudonyms. Every deletion leaves a signed
//! [`certificate`] that names nobody. A database that comes back from an older backup forgets again
//! what the key ring knows to be forgotten ([`reapply_erasures`]).

mod certificate;
pub mod person;
pub mod purge;
mod reapply_erasures;

pub use certificate::{certificate_files, is_genuine};
pub use reapply_erasures::reapply_erasures;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::{
    DatabaseError, drafts, events, gateway_log, quotas, receipts, suppressions,
};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::datasets::DatasetError;
use crate::services::interviews::InterviewError;
use crate::services::sms_sending::DispatchError;

#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    #[error("programme {programme} has no applicant {applicant}; «purge --dry-run» lists them")]
    UnknownApplicant { programme: String, applicant: String },
    #[error("applicant {0} still has applications in the field; close them first")]
    InField(String),
    #[error(
        "applicant {code} is under a legal hold since {since} ({reason}); nothing is deleted \
            until «legal-hold lift»"
    )]
    LegalHold { code: String, since: String, reason: String },
    #[error("the people of applicant {0} are forgotten already")]
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
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Interview(#[from] InterviewError),
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// A list that was uploaded and not imported is thrown away after so long.
const KEEP_DRAFTS: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// Events that have arrived, or were given up, are shown for so long.
const KEEP_EVENTS: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

/// Who wants something deleted, and why.
#[derive(Debug, Clone, Copy)]
pub struct ErasureOrder<'a> {
    pub actor: &'a str,
    pub reason: &'a str,
}

/// What one round of housekeeping took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemovedCounts {
    pub conversations: u64,
    pub waiting_receipts: u64,
    pub suppressions: u64,
    /// Places in quotas that nobody has come back to.
    pub quota_holds: u64,
    /// Applicants whose people were forgotten.
    pub applicants: u64,
}

/// Takes away whatever has been kept long enough.
#[tracing::instrument(name = "housekeeping", level = "debug", skip_all)]
pub async fn remove_expired(context: &AppContext) -> Result<RemovedCounts, ErasureError> {
    let now = context.clock.now();
    let keep = &context.config.housekeeping;
    let mut tx = context.database.write().await?;
    drafts::delete_stale_lists(&mut tx, now - KEEP_DRAFTS).await?;
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
    tx.commit().await?;
    reapply_erasures(context).await?;
    Ok(RemovedCounts { applicants: purge::purge_due(context).await?, ..tidied })
}

/// When the next round is due, by the configuration's cron expression; `None`: never.
pub fn next_housekeeping(context: &AppContext, after: Timestamp) -> Option<Timestamp> {
    context.config.housekeeping.at.next_after(after)
}
