//! Datasets: the data of a closed application for the scoring step, without personal data.
//!
//! [`freeze()`] copies an application's cases and responses into a version that never changes.
//! [`package`] writes each version into a folder `CODE/vN`: the tables as CSV with a Frictionless
//! descriptor, as Parquet, XLSX, Flow Results and Triple-S, the codebook, the questionnaire as
//! asked, a fieldwork report, and a signed manifest. The same version gives the same bytes.
//! [`verify()`] checks a folder on its own; [`delivery`] delivers versions to the scoring step.
//!
//! Cases are named by pseudonyms that differ between applications. Open answers are redacted,
//! withheld or reviewed first, and rare values of the list are suppressed (invariant I7). Weights
//! are computed earlier, from the whole list.

mod columns;
pub mod delivery;
mod disposition_codes;
pub mod fieldwork;
mod freeze;
pub mod frozen;
mod item_outcomes;
pub mod layout;
pub mod metadata;
pub mod missing;
pub mod package;
mod panel;
pub mod precision;
mod printable_questionnaire;
mod redaction;
mod review;
mod verify;
mod weighting;

pub use freeze::freeze;
pub use printable_questionnaire::PrintableQuestionnaire;
pub use review::{OpenAnswer, load_for_review, release};
pub use verify::{VerifiedDataset, VerifyError, verify};

use std::path::Path;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::adapters::database::datasets::{self, Dataset};
use crate::domain::questionnaire::QuestionnaireError;
use crate::services::context::AppContext;
use crate::services::interviews::InterviewError;
use crate::services::stuck_work::{Isolation, WorkKind};
use frozen::Frozen;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "dataset.", serialize_all = "snake_case")]
pub enum DatasetError {
    #[error("dataset {folder}: {error}")]
    Write { folder: String, error: std::io::Error },
    #[error("application {0} was never in the field; there is nothing to freeze")]
    NotLaunched(String),
    #[error("application {0} has no version that waits for a reader")]
    NothingToReview(String),
    #[error("the open answers of this version of {0} have not been reviewed yet")]
    NotReleased(String),
    #[error(
        "no way of delivery is set up; fill in delivery.folder, delivery.s3 or delivery.webhook"
    )]
    NoDeliveryChannel,
    #[error("{version} hashes to {sha256}; what was received is something else")]
    HashMismatch { version: String, sha256: String },
    #[error("say why it is rejected")]
    NoReason,
    #[error("{0} has its verdict already, and it was another one")]
    VerdictExists(String),
    #[error("no open answer has the number {0}")]
    UnknownAnswer(usize),
    #[error("dataset of {0}: {1}")]
    Format(String, String),
    #[error("the questionnaire as launched cannot be read: {0}")]
    #[strum(transparent)]
    Questionnaire(#[from] QuestionnaireError),
    #[error(transparent)]
    #[strum(transparent)]
    Interview(#[from] InterviewError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

/// Writes every version that is released and not yet written. Returns the number written. After a
/// crash it continues with the remaining versions; one that cannot be written holds up no other.
pub async fn write_pending(context: &AppContext) -> Result<u64, DatasetError> {
    let all = datasets::all(&mut *context.database.read().await?).await?;
    let pending: Vec<Dataset> = all
        .into_iter()
        .filter(|dataset| dataset.folder.is_none() && dataset.released_at.is_some())
        .collect();
    if pending.is_empty() {
        return Ok(0);
    }
    let mut isolation = Isolation::load(context, WorkKind::WriteDataset).await?;
    let mut written = 0;
    for dataset in &pending {
        let item = format!("{} {}", dataset.application_code, dataset.version_name());
        if !isolation.holds_back(&item) {
            let result = write_version(context, dataset).await;
            written += u64::from(isolation.record(&item, result).await?.is_some());
        }
    }
    Ok(written)
}

async fn write_version(context: &AppContext, dataset: &Dataset) -> Result<(), DatasetError> {
    let folder =
        context.config.datasets.join(&dataset.application_code).join(dataset.version_name());
    let sums = write(context, dataset, &folder).await?;
    let (folder, now) = (folder.display().to_string(), context.clock.now());
    let mut tx = context.database.write().await?;
    datasets::set_written(&mut tx, dataset, &folder, &sums, now).await?;
    delivery::plan_deliveries(context, &mut tx, dataset).await?;
    tx.commit().await?;
    tracing::info!(
        application = dataset.application_code,
        version = dataset.version,
        "the dataset is written"
    );
    Ok(())
}

#[tracing::instrument(name = "write dataset", level = "debug", skip_all, fields(application = dataset.application_code, version = dataset.version))]
async fn write(
    context: &AppContext,
    dataset: &Dataset,
    folder: &Path,
) -> Result<String, DatasetError> {
    package::write(context, &Frozen::open(context, dataset).await?, &context.keys.signer()?, folder)
        .await
}

/// Writes a released version into a new folder. Returns the hash of its `SHA256SUMS`. If the
/// applicant's people are erased, cells that could contain personal data are empty.
pub async fn export(
    context: &AppContext,
    dataset: &Dataset,
    folder: &Path,
) -> Result<String, DatasetError> {
    if dataset.released_at.is_none() {
        return Err(DatasetError::NotReleased(dataset.application_code.clone()));
    }
    if folder.exists() {
        let error = std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            "it exists; name a folder that does not",
        );
        return Err(DatasetError::Write { folder: folder.display().to_string(), error });
    }
    write(context, dataset, folder).await
}
