//! Retention: what is kept only for a time goes when its time is over, and people are forgotten when the purpose is met.
//!
//! In goes the clock; out go conversations with gateways, receipts that name no message and suppressions that have run out ([`tidy`]), the people of
//! applicants whose fieldwork is long over ([`purge`]), and single persons who ask for it ([`person`]). What a sample's numbers and the frozen datasets stand on
//! stays, under pseudonyms. Every deletion leaves a signed [`certificate`] that names nobody. A database that comes back from an older backup forgets again what
//! the key ring knows to be forgotten ([`reapply_erasures`]).

mod reapply_erasures;
mod certificate;
pub mod person;
pub mod purge;

pub use reapply_erasures::forget_again;
pub use certificate::{exported, is_genuine};

use crate::services::interviews::CollectError;
use crate::adapters::crypto::{KeyRingError, SealError};
use crate::services::datasets::DatasetError;
use crate::services::sms_sending::DispatchError;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::{StoreError, drafts, events, gateway_log, quotas, receipts, suppressions};

#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error("programme {programme} has no applicant {applicant}; «purge --dry-run» lists them")]
    UnknownApplicant { programme: String, applicant: String },
    #[error("applicant {0} still has applications in the field; close them first")]
    InField(String),
    #[error("applicant {code} is under a legal hold since {since} ({reason}); nothing is deleted until «legal-hold lift»")]
    LegalHold { code: String, since: String, reason: String },
    #[error("the people of applicant {0} are forgotten already")]
    Forgotten(String),
    #[error("applicant {0} is under no legal hold")]
    NoHold(String),
    #[error("say why; the reason stays with what is done")]
    NoReason,
    #[error("this is no telephone number: {0}")]
    Number(String),
    #[error("nobody here has this number")]
    Nobody,
    #[error("{path}: {error}")]
    Folder { path: String, error: std::io::Error },
    #[error("a certificate cannot be read: {0}")]
    Certificate(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Collect(#[from] CollectError),
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
pub struct Order<'a> {
    pub who: &'a str,
    pub reason: &'a str,
}

/// What one round of housekeeping took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
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
pub async fn tidy(installation: &Installation) -> Result<Tidied, RetentionError> {
    let now = installation.clock.now();
    let keep = &installation.config.housekeeping;
    let mut tx = installation.store.write().await?;
    drafts::forget_lists(&mut tx, now - KEEP_DRAFTS).await?;
    events::forget(&mut tx, now - KEEP_EVENTS).await?;
    let tidied = Tidied {
        conversations: gateway_log::forget(&mut tx, now - keep.keep_conversations).await?,
        waiting_receipts: receipts::forget_waiting(&mut tx, now - keep.keep_waiting_receipts).await?,
        suppressions: suppressions::forget_expired(&mut tx, now).await?,
        quota_holds: quotas::forget_expired(&mut tx, now).await?,
        applicants: 0,
    };
    tx.commit().await?;
    forget_again(installation).await?;
    Ok(Tidied { applicants: purge::purge_due(installation).await?, ..tidied })
}

/// When the next round is due, by the configuration's cron expression; `None`: never.
pub fn next_round(installation: &Installation, after: Timestamp) -> Option<Timestamp> {
    installation.config.housekeeping.at.next_after(after)
}
