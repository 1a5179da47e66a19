//! `dataset list|freeze|review|release|export|deliver|ack|deliveries|verify` and `signing-key
//! show|rotate`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::adapters::crypto::PublicKey;
use crate::adapters::database::datasets::{self, Dataset, DatasetKind};
use crate::adapters::database::deliveries::{self, Verdict};
use crate::adapters::database::stuck_work;
use crate::interfaces::errors::CommandError;
use crate::services;
use crate::services::context::AppContext;
use crate::services::datasets::delivery;
use crate::services::deadlines;
use crate::services::stuck_work::WorkKind;

#[derive(Subcommand)]
pub enum DatasetCommand {
    /// List the frozen versions and their folders
    List {
        #[arg(long)]
        json: bool,
    },
    /// Freeze an application's data now: close its field, or add a version with late answers
    Freeze {
        #[arg(value_name = "APPLICATION")]
        code: String,
        /// Freeze an interim version; the field stays open
        #[arg(long)]
        interim: bool,
    },
    /// Show the open answers of a version that awaits review («dataset.open_answers = "reviewed"»)
    Review {
        #[arg(value_name = "APPLICATION")]
        code: String,
        /// Name of the version's folder: v2, interim-3; the latest version if omitted
        #[arg(long, value_name = "NAME")]
        version: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Release a reviewed version
    Release {
        #[arg(value_name = "APPLICATION")]
        code: String,
        #[arg(long, value_name = "NAME")]
        version: Option<String>,
        /// Numbers of the open answers to leave out, as «dataset review» shows them
        #[arg(long, alias = "strike", value_name = "N", value_delimiter = ',')]
        redact: Vec<usize>,
    },
    /// Export a version from the database into a new folder, without data erased since it was
    /// frozen
    Export {
        #[arg(value_name = "APPLICATION")]
        code: String,
        folder: PathBuf,
        #[arg(long, value_name = "NAME")]
        version: Option<String>,
    },
    /// Deliver a version again, through every configured channel
    Deliver {
        #[arg(value_name = "APPLICATION")]
        code: String,
        /// Name of the version's folder: v2, interim-3; the latest final version if omitted
        #[arg(long, value_name = "NAME")]
        version: Option<String>,
    },
    /// Record the scoring step's verdict on a version
    Ack {
        #[arg(value_name = "APPLICATION")]
        code: String,
        #[arg(long, value_name = "NAME")]
        version: Option<String>,
        /// SHA-256 of the received SHA256SUMS, as «dataset verify» prints it
        #[arg(long, value_name = "HASH")]
        sha256: String,
        /// Reject the version, for this reason
        #[arg(long, value_name = "REASON")]
        reject: Option<String>,
    },
    /// List deliveries: done, pending and failed
    Deliveries {
        /// Only deliveries that have failed for good
        #[arg(long, alias = "dead")]
        failed: bool,
        #[arg(long)]
        json: bool,
    },
    /// Check every byte, every row and the signature of a dataset folder
    Verify {
        folder: PathBuf,
        /// The public key that must have signed it (PEM, from «signing-key show»)
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum SigningKeyCommand {
    /// Print the public key of the manifests' signatures as PEM, for the scoring step
    Show,
    /// Sign with a new key from now on; the previous key stays in the key ring
    Rotate,
}

/// Verifies a dataset folder. Needs neither configuration nor database, so the recipient can run
/// it.
pub fn verify_folder(folder: &Path, public_key: Option<&Path>) -> Result<()> {
    let key = match public_key {
        None => None,
        Some(path) => {
            let pem = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            Some(PublicKey::of_pem(&pem).with_context(|| {
                format!("{} is no public key of Ed25519 in PEM", path.display())
            })?)
        }
    };
    let verified = services::datasets::verify(folder, key.as_ref())?;
    print_line!(
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

pub async fn run(context: &AppContext, command: DatasetCommand) -> Result<()> {
    match command {
        DatasetCommand::Verify { folder, public_key } => {
            verify_folder(&folder, public_key.as_deref())
        }
        DatasetCommand::List { json } => list(context, json).await,
        DatasetCommand::Freeze { code, interim } => {
            let version = if interim {
                deadlines::freeze_interim(context, &code).await?
            } else {
                deadlines::freeze(context, &code).await?
            };
            let name = format!("{} {version}", if interim { "interim version" } else { "version" });
            let kind = if interim { DatasetKind::Interim } else { DatasetKind::Final };
            let is_meant =
                |d: &Dataset| d.application_code == code && d.kind == kind && d.version == version;
            let safe = format!("{code}: {name} is frozen and safe in the database");
            write_files(context, &safe, is_meant).await?;
            print_line!("{code}: {name} is frozen");
            Ok(())
        }
        DatasetCommand::Deliver { code, version } => {
            let dataset = find_version(context, &code, version.as_deref()).await?;
            delivery::deliver_again(context, &dataset).await?;
            let arrived = delivery::deliver_due(context).await?;
            print_line!(
                "{code} {}: arrived through {arrived} channels now; «dataset deliveries» shows the \
                    others",
                dataset.version_name()
            );
            Ok(())
        }
        DatasetCommand::Export { code, folder, version } => {
            let dataset = find_version(context, &code, version.as_deref()).await?;
            let sums = services::datasets::export(context, &dataset, &folder).await?;
            print_line!("{code} {}: {} ({sums})", dataset.version_name(), folder.display());
            Ok(())
        }
        DatasetCommand::Ack { code, version, sha256, reject } => {
            let dataset = find_version(context, &code, version.as_deref()).await?;
            let verdict = Verdict {
                is_accepted: reject.is_none(),
                reason: reject.unwrap_or_default(),
                actor: output::os_user(),
                at: context.clock.now(),
            };
            delivery::record_verdict(context, &dataset, &sha256, &verdict).await?;
            print_line!(
                "{code} {} is {}",
                dataset.version_name(),
                if verdict.is_accepted { "accepted" } else { "rejected" }
            );
            Ok(())
        }
        DatasetCommand::Deliveries { failed, json } => list_deliveries(context, failed, json).await,
        DatasetCommand::Review { code, version, json } => {
            review(context, &code, version.as_deref(), json).await
        }
        DatasetCommand::Release { code, version, redact } => {
            let redacted: BTreeSet<usize> = redact.into_iter().collect();
            let released = services::datasets::release(
                context,
                &code,
                version.as_deref(),
                &redacted,
                &output::current_actor(),
            )
            .await?;
            let said = format!(
                "{code}: {} may go out, without {} open answers",
                released.version_name(),
                redacted.len()
            );
            write_files(context, &said, |dataset| dataset.id == released.id).await?;
            print_line!("{said}");
            Ok(())
        }
    }
}

/// Writes the files of frozen versions. If those of a version that `is_meant` cannot be written, the
/// error says in one sentence what is `safe`, and in another what is missing.
pub async fn write_files(
    context: &AppContext,
    safe: &str,
    is_meant: impl Fn(&Dataset) -> bool,
) -> Result<()> {
    let written = services::datasets::write_pending(context).await;
    let mut connection = context.database.read().await?;
    let mut missing = datasets::all(&mut connection).await?;
    missing.retain(|d| d.folder.is_none() && d.released_at.is_some() && is_meant(d));
    let Some(first) = missing.first() else { return Ok(()) };
    let item = format!("{} {}", first.application_code, first.version_name());
    let stuck = stuck_work::of_kind(&mut connection, WorkKind::WriteDataset.as_str()).await?;
    let stuck = stuck.into_iter().find(|work| work.item == item).map(|work| work.problem);
    let problem = written.err().map(|error| error.to_string()).or(stuck).unwrap_or_default();
    bail!(CommandError::NotWritten(format!(
        "{safe}. The files of {item}{} are still missing ({problem}); the daemon writes them by \
            itself once that is mended",
        if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() }
    )))
}

pub fn signing_key(context: &AppContext, command: &SigningKeyCommand) -> Result<()> {
    let signer = match command {
        SigningKeyCommand::Show => context.keys.signer()?,
        SigningKeyCommand::Rotate => context.keys.rotate_signer()?,
    };
    output::print_text(&signer.public().to_pem());
    eprintln!("key {}", signer.public().id());
    Ok(())
}

async fn review(
    context: &AppContext,
    code: &str,
    version: Option<&str>,
    as_json: bool,
) -> Result<()> {
    let (dataset, answers) =
        services::datasets::load_for_review(context, code, version, &output::current_actor())
            .await?;
    if as_json {
        let rows = answers.iter().map(|a| json!({ "number": a.number, "case": a.case, "variable": a.variable, "text": a.text }));
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    if answers.is_empty() {
        let name = dataset.version_name();
        bail!(CommandError::NothingToDo(format!(
            "{name} of {code} holds no open answer; let it go with «dataset release {code} \
                --version {name}»"
        )));
    }
    let cells = |a: &services::datasets::OpenAnswer| {
        vec![a.number.to_string(), a.case.clone(), a.variable.clone(), a.text.clone()]
    };
    output::print_table(
        &["number", "case", "variable", "text"],
        &answers.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn find_version(context: &AppContext, code: &str, version: Option<&str>) -> Result<Dataset> {
    let all = datasets::all(&mut *context.database.read().await?).await?;
    let is_wanted = |dataset: &&Dataset| match version {
        Some(version) => dataset.version_name() == version,
        None => dataset.kind == DatasetKind::Final,
    };
    let found =
        all.iter().filter(|dataset| dataset.application_code == code).rfind(is_wanted).cloned();
    found.with_context(|| {
        format!(
            "{code} has no version {}; «dataset list» tells which there are",
            version.unwrap_or("that is final")
        )
    })
}

async fn list_deliveries(context: &AppContext, failed: bool, as_json: bool) -> Result<()> {
    let mut all = deliveries::all(&mut *context.database.read().await?).await?;
    all.retain(|d| !failed || (d.next_at.is_none() && d.arrived_at.is_none()));
    let format_time =
        |at: Option<crate::domain::time::Timestamp>| at.map(|at| at.rfc3339(chrono_tz::UTC));
    if as_json {
        let rows = all.iter().map(|d| {
            json!({ "application": d.application_code, "kind": d.kind, "version": d.version, "channel": d.channel.as_str(), "attempt_count": d.attempt_count,
                    "arrived_at": format_time(d.arrived_at), "next_at": format_time(d.next_at), "last_error": d.last_error })
        });
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    let cells = |d: &deliveries::Delivery| {
        let state = match (d.arrived_at, d.next_at) {
            (Some(at), _) => format!("arrived {}", at.rfc3339(chrono_tz::UTC)),
            (None, Some(at)) => format!("retry at {}", at.rfc3339(chrono_tz::UTC)),
            (None, None) => "failed".to_owned(),
        };
        let version = format!("{} {}", d.kind, d.version);
        vec![
            d.application_code.clone(),
            version,
            d.channel.as_str().into(),
            d.attempt_count.to_string(),
            state,
            d.last_error.clone().unwrap_or_default(),
        ]
    };
    output::print_table(
        &["application", "version", "channel", "attempts", "state", "last error"],
        &all.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn list(context: &AppContext, as_json: bool) -> Result<()> {
    let mut connection = context.database.read().await?;
    let mut all = Vec::new();
    for dataset in datasets::all(&mut connection).await? {
        let verdict = deliveries::verdict(&mut connection, dataset.id).await?;
        all.push((dataset, verdict));
    }
    if as_json {
        let rows: Vec<_> = all
            .iter()
            .map(|(d, verdict)| {
                let verdict = verdict.as_ref().map(|v| json!({ "accepted": v.is_accepted, "reason": v.reason, "actor": v.actor, "at": v.at.rfc3339(chrono_tz::UTC) }));
                json!({ "verdict": verdict, "application": d.application_code, "kind": d.kind.as_str(), "version": d.version, "reason": d.reason.as_str(),
                        "frozen_at": d.frozen_at.rfc3339(chrono_tz::UTC), "awaits_review": d.released_at.is_none(), "folder": d.folder, "sha256": d.sha256 })
            })
            .collect();
        return output::print_json(&rows);
    }
    let cells = |(d, verdict): &(Dataset, Option<Verdict>)| {
        let pending = if d.released_at.is_none() { "(awaits review)" } else { "(to be written)" };
        let folder = d.folder.clone().unwrap_or_else(|| pending.into());
        vec![
            d.application_code.clone(),
            format!("{} {}", d.kind.as_str(), d.version),
            d.reason.as_str().to_owned(),
            folder,
            d.sha256.clone().unwrap_or_default(),
            verdict
                .as_ref()
                .map(|v| {
                    if v.is_accepted {
                        "accepted".into()
                    } else {
                        format!("rejected: {}", v.reason)
                    }
                })
                .unwrap_or_default(),
        ]
    };
    output::print_table(
        &["application", "version", "reason", "folder", "sha256", "verdict"],
        &all.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}
