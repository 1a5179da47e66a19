//! Restores a backup: opens it where nobody uses it yet, migrates it, compares it with the key ring,
//! and repeats the erasures made since. Only then it becomes the configured database; a refusal
//! leaves nothing behind, so that the right backup can be restored at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::clock::Clock;
use crate::adapters::config::Config;
use crate::adapters::crypto::{KeyRing, KeyRingError};
use crate::adapters::database::backup::BackupError;
use crate::adapters::database::restore::{StageError, stage};
use crate::adapters::database::{DatabaseError, erasure as stored};
use crate::domain::audit::{Action, Actor};
use crate::services::context::{AppContext, ContextError};
use crate::services::erasure::{self, ErasureError};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "restore.", serialize_all = "snake_case")]
pub enum RestoreError {
    #[error("there is no key ring at {0}; put the one that belongs to the backup there")]
    NoKeyRing(PathBuf),
    #[error(
        "the key ring does not open the data of {0}; put the one that belongs to the backup in \
            its place"
    )]
    KeysMissing(String),
    #[error(
        "the key ring holds keys that certificates say are destroyed: {0}; put the right key ring \
            in its place, or delete these files in it and in every copy of it"
    )]
    DestroyedKeys(String),
    #[error("{error}; the database is not empty any more, as that failed too: {cleanup}")]
    NotDiscarded { error: Box<RestoreError>, cleanup: BackupError },
    #[error(transparent)]
    #[strum(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    #[strum(transparent)]
    Context(#[from] ContextError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Erasure(#[from] ErasureError),
}

impl From<StageError> for RestoreError {
    fn from(error: StageError) -> RestoreError {
        match error {
            StageError::Backup(error) => error.into(),
            StageError::Database(error) => error.into(),
        }
    }
}

/// What a restore has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Applicants whose people were erased again.
    pub erased_applicants: u64,
    /// Single persons who were erased again.
    pub erased_persons: u64,
}

/// Restores a backup into the configured database, which must be empty or absent. With
/// `keys_are_lost`, also if the key ring does not open what the backup holds.
pub async fn restore(
    config: Config,
    clock: Arc<dyn Clock>,
    actor: &Actor,
    file: &Path,
    keys_are_lost: bool,
) -> Result<Restored, RestoreError> {
    // Opening a key ring that is not there would make a new one.
    let key = config.installation_key_file.clone();
    let key = key.unwrap_or_else(|| KeyRing::installation_key_path(&config.key_ring));
    if !keys_are_lost && !key.exists() {
        return Err(RestoreError::NoKeyRing(config.key_ring));
    }
    let staged = stage(&config.database_url, file).await?;
    let config = Config { database_url: staged.url().to_owned(), ..config };
    match prepare(config, clock, actor, file, keys_are_lost).await {
        Ok(restored) => {
            staged.finish().await?;
            Ok(restored)
        }
        Err(error) => Err(match staged.discard().await {
            Ok(()) => error,
            Err(cleanup) => RestoreError::NotDiscarded { error: Box::new(error), cleanup },
        }),
    }
}

/// Migrates and checks the staged database, and closes it again.
async fn prepare(
    config: Config,
    clock: Arc<dyn Clock>,
    actor: &Actor,
    file: &Path,
    keys_are_lost: bool,
) -> Result<Restored, RestoreError> {
    let context = AppContext::open_staged(config, clock).await?;
    let prepared = prepare_open(&context, actor, file, keys_are_lost).await;
    context.database.close().await;
    prepared
}

async fn prepare_open(
    context: &AppContext,
    actor: &Actor,
    file: &Path,
    keys_are_lost: bool,
) -> Result<Restored, RestoreError> {
    if !keys_are_lost {
        check_keys(context).await?;
    }
    // Before anything is erased again: that would destroy keys.
    let surviving = erasure::surviving_keys(context).await?;
    if !surviving.is_empty() {
        let keys: Vec<String> = surviving.iter().map(|c| format!("{}.key", c.key_id)).collect();
        return Err(RestoreError::DestroyedKeys(keys.join(", ")));
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    context.audit_before(actor, Action::BackupRestored, "", &name).await?;
    let (erased_applicants, erased_persons) = erasure::reapply_erasures(context).await?;
    Ok(Restored { erased_applicants, erased_persons })
}

/// Opens the key of every applicant whose people are still there.
async fn check_keys(context: &AppContext) -> Result<(), RestoreError> {
    let applicants = stored::applicants(&mut *context.database.read().await?).await?;
    let mut closed = Vec::new();
    for applicant in applicants.into_iter().filter(|applicant| applicant.purged_at.is_none()) {
        match context.keys.sealer(&applicant.key_id) {
            // Destroyed since the backup: its people are erased again below.
            Ok(_) | Err(KeyRingError::Destroyed { .. }) => {}
            Err(KeyRingError::Missing { .. } | KeyRingError::WrongInstallation { .. }) => {
                closed.push(format!("{}/{}", applicant.programme_code, applicant.code));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if closed.is_empty() { Ok(()) } else { Err(RestoreError::KeysMissing(closed.join(", "))) }
}
