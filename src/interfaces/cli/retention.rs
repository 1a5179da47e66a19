//! `purge`, `legal-hold set|lift|list`, `certificate list|export`, `person export|erase`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{dataset, output};
use crate::adapters::database;
use crate::adapters::database::datasets::{Dataset, DatasetKind};
use crate::adapters::database::erasure::{Applicant, Certificate};
use crate::domain::time::Timestamp;
use crate::interfaces::errors::CommandError;
use crate::services;
use crate::services::context::AppContext;
use crate::services::erasure::purge::{self, PurgeReview, PurgeStatus};
use crate::services::erasure::{ErasureError, ErasureOrder, person};

#[derive(Args)]
pub struct PurgeArguments {
    /// Show what would be deleted, and why other applicants wait; delete nothing
    #[arg(long, conflicts_with = "applicant")]
    pub(super) dry_run: bool,
    /// Delete this applicant's personal data now, before its retention period ends
    #[arg(long, value_name = "CODE", requires = "programme", requires = "reason")]
    pub(super) applicant: Option<String>,
    #[arg(long, value_name = "CODE", requires = "applicant")]
    programme: Option<String>,
    /// The reason, as the certificate states it
    #[arg(long, value_name = "TEXT", requires = "applicant")]
    reason: Option<String>,
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
pub enum LegalHoldCommand {
    /// Set a legal hold: none of the applicant's personal data is deleted
    Set {
        #[command(flatten)]
        target: ApplicantArguments,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Lift a legal hold
    Lift {
        #[command(flatten)]
        target: ApplicantArguments,
    },
    /// List applicants under a legal hold
    List {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct ApplicantArguments {
    #[arg(long, value_name = "CODE")]
    programme: String,
    #[arg(long, value_name = "CODE")]
    applicant: String,
}

impl ApplicantArguments {
    pub(super) fn object(&self) -> String {
        format!("applicant:{}/{}", self.programme, self.applicant)
    }
}

#[derive(Subcommand)]
pub enum CertificateCommand {
    /// List what was deleted, and by whose order
    List {
        #[arg(long)]
        json: bool,
    },
    /// Write a certificate and its signature into a folder; check them with openssl
    /// (docs/privacy.md)
    Export { id: i64, folder: PathBuf },
}

#[derive(Subcommand)]
pub enum PersonCommand {
    /// Print all data about the person with a number, as JSON for that person; leaves an entry in
    /// the audit log
    Export {
        /// The number, or «-» to read it from standard input, which keeps it out of the shell's
        /// history
        number: String,
    },
    /// Delete the person with a number from every list, and suppress the number
    Erase {
        /// The number, or «-» to read it from standard input
        number: String,
        /// The reason, as the certificate states it; give no name and no number
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

fn format_utc(at: Timestamp) -> String {
    at.rfc3339(chrono_tz::UTC)
}

pub async fn purge(context: &AppContext, arguments: PurgeArguments) -> Result<()> {
    if let (Some(applicant), Some(programme), Some(reason)) =
        (&arguments.applicant, &arguments.programme, &arguments.reason)
    {
        let found = find_applicant(context, programme, applicant).await?;
        purge::purge(context, found.id, ErasureOrder { actor: &output::os_user(), reason }).await?;
        print_line!(
            "the personal data of {applicant} is deleted; «certificate list» shows the certificate"
        );
        return Ok(());
    }
    if !arguments.dry_run {
        let purged = purge::purge_due(context).await?;
        if !arguments.json {
            print_line!("the personal data of {purged} applicants was deleted now");
        }
    }
    let all = purge::review_applicants(context).await?;
    if arguments.json {
        return output::print_json(&all.iter().map(review_json).collect::<Vec<_>>());
    }
    let cells = |review: &PurgeReview| {
        let a = &review.applicant;
        vec![
            a.programme_code.clone(),
            a.code.clone(),
            a.people.to_string(),
            a.done_at.map(format_utc).unwrap_or_default(),
            status_text(&review.status),
        ]
    };
    output::print_table(
        &["programme", "applicant", "people", "fieldwork ended", "purge status"],
        &all.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}

fn review_json(review: &PurgeReview) -> serde_json::Value {
    let a = &review.applicant;
    json!({ "programme": a.programme_code, "applicant": a.code, "people": a.people, "fieldwork_ended_at": a.done_at.map(format_utc), "purged_at": a.purged_at.map(format_utc),
            "legal_hold": a.hold.is_some(), "purge_status": status_text(&review.status) })
}

fn status_text(status: &PurgeStatus) -> String {
    status.labels(format_utc).1
}

async fn find_applicant(
    context: &AppContext,
    programme: &str,
    applicant: &str,
) -> Result<Applicant> {
    let found =
        database::erasure::find(&mut *context.database.read().await?, programme, applicant).await?;
    Ok(found.ok_or_else(|| ErasureError::UnknownApplicant {
        programme: programme.to_owned(),
        applicant: applicant.to_owned(),
    })?)
}

pub async fn legal_hold(context: &AppContext, command: LegalHoldCommand) -> Result<()> {
    match command {
        LegalHoldCommand::Set { target, reason } => {
            let applicant = find_applicant(context, &target.programme, &target.applicant).await?;
            purge::set_hold(
                context,
                applicant.id,
                Some(ErasureOrder { actor: &output::os_user(), reason: &reason }),
            )
            .await?;
            print_line!("{}: nothing is deleted until «legal-hold lift»", target.applicant);
        }
        LegalHoldCommand::Lift { target } => {
            let applicant = find_applicant(context, &target.programme, &target.applicant).await?;
            purge::set_hold(context, applicant.id, None).await?;
            print_line!("{}: the hold is over", target.applicant);
        }
        LegalHoldCommand::List { json: as_json } => {
            let all = database::erasure::applicants(&mut *context.database.read().await?).await?;
            let held: Vec<_> = all
                .into_iter()
                .filter_map(|applicant| {
                    Some((applicant.programme_code, applicant.code, applicant.hold?))
                })
                .collect();
            if as_json {
                let rows = held.iter().map(|(programme, code, hold)| {
                    json!({ "programme": programme, "applicant": code, "since": format_utc(hold.since), "actor": hold.actor, "reason": hold.reason })
                });
                return output::print_json(&rows.collect::<Vec<_>>());
            }
            let rows = held.into_iter().map(|(programme, code, hold)| {
                vec![programme, code, format_utc(hold.since), hold.actor, hold.reason]
            });
            output::print_table(
                &["programme", "applicant", "since", "actor", "reason"],
                &rows.collect::<Vec<_>>(),
            );
        }
    }
    Ok(())
}

pub async fn certificate(context: &AppContext, command: CertificateCommand) -> Result<()> {
    let all = database::erasure::certificates(&mut *context.database.read().await?).await?;
    match command {
        CertificateCommand::List { json: as_json } => {
            if as_json {
                let row = |c: &Certificate| {
                    let body: serde_json::Value = serde_json::from_str(&c.body)?;
                    Ok(
                        json!({ "id": c.id, "kind": c.kind.as_str(), "programme": c.programme_code, "applicant": c.applicant_code,
                               "issued_at": c.issued_at.map(format_utc), "signature_is_good": services::erasure::is_genuine(c), "certificate": body }),
                    )
                };
                return output::print_json(&all.iter().map(row).collect::<Result<Vec<_>>>()?);
            }
            let cells = |c: &Certificate| {
                let state = match (c.issued_at, services::erasure::is_genuine(c)) {
                    (None, _) => "not done to the end",
                    (Some(_), true) => "signed",
                    (Some(_), false) => "SIGNATURE BROKEN",
                };
                let issued = c.issued_at.map(format_utc).unwrap_or_default();
                vec![
                    c.id.to_string(),
                    c.kind.as_str().into(),
                    c.programme_code.clone(),
                    c.applicant_code.clone(),
                    issued,
                    state.into(),
                ]
            };
            output::print_table(
                &["id", "kind", "programme", "applicant", "issued", "signature"],
                &all.iter().map(cells).collect::<Vec<_>>(),
            );
        }
        CertificateCommand::Export { id, folder } => {
            let Some(certificate) = all.iter().find(|certificate| certificate.id == id) else {
                bail!(CommandError::UnknownItem(format!("no certificate has the number {id}")))
            };
            if certificate.signature.is_none() {
                bail!(CommandError::NotIssued(format!(
                    "certificate {id} is not issued yet: the deletion is not done to the end; \
                        «purge» does the rest"
                )));
            }
            std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            for (name, content) in services::erasure::certificate_files(certificate) {
                write_file(&folder.join(name), &content)?;
            }
        }
    }
    Ok(())
}

fn write_file(path: &Path, content: &str) -> Result<()> {
    std::fs::write(path, content)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    print_line!("{}", path.display());
    Ok(())
}

pub async fn person(context: &AppContext, command: PersonCommand) -> Result<()> {
    match command {
        PersonCommand::Export { number } => output::print_json(
            &person::export(context, &read_number(number)?, &output::current_actor()).await?,
        ),
        PersonCommand::Erase { number, reason } => {
            let erased = person::erase(
                context,
                &read_number(number)?,
                ErasureOrder { actor: &output::os_user(), reason: &reason },
            )
            .await?;
            print_line!(
                "erased from the lists of {} applicants; the number is not contacted any more",
                erased.people
            );
            if erased.further_numbers > 0 {
                print_line!(
                    "it was a further number of {} other people, and is taken out of their data; \
                        to erase one of them, give their own number («person export» shows it)",
                    erased.further_numbers
                );
            }
            for (application, version) in &erased.corrected {
                print_line!("{application}: version {version} is frozen without the person");
            }
            let is_meant = |dataset: &Dataset| {
                let name = (dataset.application_code.clone(), dataset.version);
                dataset.kind == DatasetKind::Final && erased.corrected.contains(&name)
            };
            let safe = "the person is erased, and what is frozen is safe in the database";
            let written = dataset::write_files(context, safe, is_meant).await;
            if !erased.unreadable.is_empty() {
                bail!(CommandError::Unhealthy(format!(
                    "the key of {} is not in the key ring: there the number is still a further \
                        number of somebody; erase again with the right key ring",
                    erased.unreadable.join(", ")
                )));
            }
            if !erased.held.is_empty() {
                bail!(CommandError::LegalHold(format!(
                    "under a legal hold, and kept: {}; erase again when «legal-hold lift» is done",
                    erased.held.join(", ")
                )));
            }
            written
        }
    }
}

fn read_number(number: String) -> Result<String> {
    if number != "-" {
        return Ok(number);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    Ok(text)
}
