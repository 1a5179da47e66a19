//! `dataset list|verify`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::dataset;
use crate::installation::Installation;
use crate::store::datasets;

#[derive(Subcommand)]
pub enum DatasetCommand {
    /// The frozen datasets and their folders
    List {
        #[arg(long)]
        json: bool,
    },
    /// Re-check every byte and every row of a dataset folder
    Verify { folder: PathBuf },
}

/// Needs no installation: whoever holds the folder can check it.
pub fn verify_folder(folder: &Path) -> Result<()> {
    let verified = dataset::verify(folder)?;
    println!(
        "{} is whole: {} files, {} responses of {} cases, sha256 {}",
        folder.display(),
        verified.files,
        verified.responses,
        verified.cases,
        verified.sha256
    );
    Ok(())
}

pub async fn run(installation: &Installation, command: DatasetCommand) -> Result<()> {
    match command {
        DatasetCommand::Verify { folder } => verify_folder(&folder),
        DatasetCommand::List { json } => list(installation, json).await,
    }
}

async fn list(installation: &Installation, as_json: bool) -> Result<()> {
    let all = datasets::all(&mut *installation.store.read().await?).await?;
    if as_json {
        let shown: Vec<_> =
            all.iter().map(|d| json!({ "application": d.application_code, "version": d.version, "folder": d.folder, "sha256": d.sha256 })).collect();
        return output::json(&shown);
    }
    let cells = |d: &datasets::Dataset| {
        let folder = d.folder.clone().unwrap_or_else(|| "(to be written)".into());
        vec![d.application_code.clone(), format!("v{}", d.version), folder, d.sha256.clone().unwrap_or_default()]
    };
    output::table(&["application", "version", "folder", "sha256"], &all.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}
