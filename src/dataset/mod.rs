//! Datasets: what scoring gets of a closed application, without anything personal.
//!
//! In go an application's frozen cases and responses; out comes a folder `CODE/vN` with `responses.csv`, `cases.csv`, `paradata.csv`, `codebook.json`,
//! `datapackage.json` (a Frictionless Tabular Data Package) and `SHA256SUMS`. The same frozen data gives the same bytes. Cases go by pseudonyms that
//! differ from application to application; open answers are redacted or withheld (invariant I7). [`verify`] needs nothing but the folder.

mod codebook;
mod columns;
mod descriptor;
mod package;
mod redaction;
mod verify;

use std::path::PathBuf;

pub use verify::{Verified, VerifyError, verify};

use crate::collect::CollectError;
use crate::crypto::{KeyRingError, SealError, sha256_hex};
use crate::domain::questionnaire::QuestionnaireError;
use crate::installation::Installation;
use crate::sink;
use crate::store::datasets::{self, Dataset};
use crate::store::{StoreError, applications};

#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("dataset {folder}: {error}")]
    Write { folder: String, error: std::io::Error },
    #[error("application {0} is not closed; its data is not frozen yet")]
    NotFrozen(String),
    #[error("dataset of {0}: {1}")]
    Format(String, String),
    #[error("the questionnaire as launched cannot be read: {0}")]
    Questionnaire(#[from] QuestionnaireError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Writes every frozen dataset that is not written yet; returns how many. After a crash it does the rest.
pub async fn write_pending(installation: &Installation) -> Result<u64, DatasetError> {
    let pending: Vec<Dataset> = datasets::all(&mut *installation.store.read().await?).await?.into_iter().filter(|d| d.folder.is_none()).collect();
    for dataset in &pending {
        write(installation, dataset).await?;
    }
    Ok(pending.len() as u64)
}

async fn write(installation: &Installation, dataset: &Dataset) -> Result<(), DatasetError> {
    let application = applications::get(&mut *installation.store.read().await?, dataset.application).await?;
    let files = package::build(installation, &application, dataset).await?;
    let folder: PathBuf = installation.config.datasets.join(&dataset.application_code).join(format!("v{}", dataset.version));
    sink::write_folder(&folder, &files).map_err(|error| DatasetError::Write { folder: folder.display().to_string(), error })?;
    let sums = files.iter().find(|(name, _)| name == package::SUMS).map(|(_, content)| sha256_hex(content)).unwrap_or_default();
    let mut tx = installation.store.write().await?;
    datasets::set_written(&mut tx, dataset, &folder.display().to_string(), &sums).await?;
    tx.commit().await?;
    tracing::info!(application = dataset.application_code, version = dataset.version, "the dataset is written");
    Ok(())
}
