//! `dataset list|freeze|review|release|verify` and `signing-key show|rotate`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::crypto::PublicKey;
use crate::dataset;
use crate::deadline;
use crate::installation::Installation;
use crate::store::datasets;

#[derive(Subcommand)]
pub enum DatasetCommand {
    /// The frozen versions and their folders
    List {
        #[arg(long)]
        json: bool,
    },
    /// Freeze an application's data by hand: closes its field, or makes a further version where answers came late
    Freeze {
        #[arg(value_name = "APPLICATION")]
        code: String,
        /// How it stands on the way; the field goes on
        #[arg(long)]
        interim: bool,
    },
    /// Read the open answers of a version that waits for that («dataset.open_answers = "reviewed"»)
    Review {
        #[arg(value_name = "APPLICATION")]
        code: String,
        #[arg(long)]
        json: bool,
    },
    /// Let a version that was read go out
    Release {
        #[arg(value_name = "APPLICATION")]
        code: String,
        /// The numbers of open answers to leave out, as «dataset review» shows them
        #[arg(long, value_name = "N", value_delimiter = ',')]
        strike: Vec<usize>,
    },
    /// Re-check every byte, every row and the signature of a dataset folder
    Verify {
        folder: PathBuf,
        /// The public key that must have signed it (PEM, from «signing-key show»)
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum SigningKeyCommand {
    /// The public half of the key that manifests are signed with, as PEM: give it to the scoring step
    Show,
    /// Sign with a new key from now on; the one before stays in the key ring
    Rotate,
}

/// Needs no installation: whoever holds the folder can check it.
pub fn verify_folder(folder: &Path, public_key: Option<&Path>) -> Result<()> {
    let key = match public_key {
        None => None,
        Some(path) => {
            let pem = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            Some(PublicKey::of_pem(&pem).with_context(|| format!("{} is no public key of Ed25519 in PEM", path.display()))?)
        }
    };
    let verified = dataset::verify(folder, key.as_ref())?;
    println!(
        "{} is whole: {} files, {} responses of {} cases, signed with {}, sha256 {}",
        folder.display(),
        verified.files,
        verified.responses,
        verified.cases,
        verified.signed_with,
        verified.sha256
    );
    Ok(())
}

pub async fn run(installation: &Installation, command: DatasetCommand) -> Result<()> {
    match command {
        DatasetCommand::Verify { folder, public_key } => verify_folder(&folder, public_key.as_deref()),
        DatasetCommand::List { json } => list(installation, json).await,
        DatasetCommand::Freeze { code, interim } => {
            let version = if interim { deadline::freeze_interim(installation, &code).await? } else { deadline::freeze(installation, &code).await? };
            println!("{code}: {} {version} is frozen", if interim { "interim version" } else { "version" });
            dataset::write_pending(installation).await?;
            Ok(())
        }
        DatasetCommand::Review { code, json } => review(installation, &code, json).await,
        DatasetCommand::Release { code, strike } => {
            let strike: BTreeSet<usize> = strike.into_iter().collect();
            let released = dataset::release(installation, &code, &strike, &output::user()).await?;
            println!("{code}: version {} may go out, without {} open answers", released.version, strike.len());
            dataset::write_pending(installation).await?;
            Ok(())
        }
    }
}

pub fn signing_key(installation: &Installation, command: &SigningKeyCommand) -> Result<()> {
    let signer = match command {
        SigningKeyCommand::Show => installation.keys.signer()?,
        SigningKeyCommand::Rotate => installation.keys.rotate_signer()?,
    };
    print!("{}", signer.public().to_pem());
    eprintln!("key {}", signer.public().id());
    Ok(())
}

async fn review(installation: &Installation, code: &str, as_json: bool) -> Result<()> {
    let (dataset, answers) = dataset::to_review(installation, code, &output::user()).await?;
    if as_json {
        let rows = answers.iter().map(|a| json!({ "number": a.number, "case": a.case, "variable": a.variable, "text": a.text }));
        return output::json(&rows.collect::<Vec<_>>());
    }
    if answers.is_empty() {
        bail!("version {} of {code} holds no open answer; let it go with «dataset release {code}»", dataset.version);
    }
    let cells = |a: &dataset::OpenAnswer| vec![a.number.to_string(), a.case.clone(), a.variable.clone(), a.text.clone()];
    output::table(&["number", "case", "variable", "text"], &answers.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}

async fn list(installation: &Installation, as_json: bool) -> Result<()> {
    let all = datasets::all(&mut *installation.store.read().await?).await?;
    if as_json {
        let shown: Vec<_> = all
            .iter()
            .map(|d| {
                json!({ "application": d.application_code, "kind": d.kind.as_str(), "version": d.version, "reason": d.reason.as_str(),
                        "frozen_at": d.frozen_at.rfc3339(chrono_tz::UTC), "waits_for_review": d.released_at.is_none(), "folder": d.folder, "sha256": d.sha256 })
            })
            .collect();
        return output::json(&shown);
    }
    let cells = |d: &datasets::Dataset| {
        let waits = if d.released_at.is_none() { "(waits for review)" } else { "(to be written)" };
        let folder = d.folder.clone().unwrap_or_else(|| waits.into());
        vec![
            d.application_code.clone(),
            format!("{} {}", d.kind.as_str(), d.version),
            d.reason.as_str().to_owned(),
            folder,
            d.sha256.clone().unwrap_or_default(),
        ]
    };
    output::table(&["application", "version", "reason", "folder", "sha256"], &all.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}
