//! `audit list|verify`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::output;
use crate::adapters::database::audit::{self, AuditFilter, LogVerification};
use crate::domain::audit::{Action, AuditEntry};
use crate::interfaces::errors::CommandError;
use crate::services::context::AppContext;

#[derive(Subcommand)]
pub enum AuditCommand {
    /// List audit entries, the latest first
    List(ListArguments),
    /// Verify the hash chain of the audit log
    Verify {
        /// A head noted elsewhere earlier; it must be in the log
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct ListArguments {
    /// Only entries of this user or token
    #[arg(long, alias = "who", value_name = "NAME", default_value = "")]
    actor: String,
    /// Only entries with this action: call, case_revealed, launched, …
    #[arg(long, value_name = "ACTION", value_parser = action)]
    action: Option<Action>,
    /// Only entries about this object: case:17, campaign:C1
    #[arg(long, value_name = "OBJECT", default_value = "")]
    object: String,
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Only entries before this one
    #[arg(long, value_name = "N")]
    before: Option<i64>,
    #[arg(long)]
    json: bool,
}

fn action(raw: &str) -> Result<Action, String> {
    Action::parse(raw).ok_or_else(|| {
        format!(
            "write one of {}",
            Action::ALL.iter().map(|action| action.code()).collect::<Vec<_>>().join(", ")
        )
    })
}

pub async fn run(context: &AppContext, command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::List(arguments) => list(context, arguments).await,
        AuditCommand::Verify { head, json } => verify(context, head.as_deref(), json).await,
    }
}

async fn list(context: &AppContext, arguments: ListArguments) -> Result<()> {
    let filter = AuditFilter {
        actor: arguments.actor,
        action: arguments.action,
        object: arguments.object,
        before: arguments.before,
    };
    let entries =
        audit::entries(&mut *context.database.read().await?, &filter, arguments.limit).await?;
    let at = |entry: &AuditEntry| entry.at.rfc3339(chrono_tz::UTC);
    if arguments.json {
        let row = |e: &AuditEntry| json!({ "number": e.number, "at": at(e), "actor": e.actor.name, "via": e.actor.via.as_str(), "action": e.action.code(), "object": e.object, "detail": e.detail });
        return output::print_json(&entries.iter().map(row).collect::<Vec<_>>());
    }
    let cells = |e: &AuditEntry| {
        let did = e.action.labels().1.to_owned();
        vec![
            e.number.to_string(),
            at(e),
            e.actor.name.clone(),
            e.actor.via.as_str().to_owned(),
            did,
            e.object.clone(),
            e.detail.clone(),
        ]
    };
    output::print_table(
        &["number", "at", "actor", "via", "action", "object", "detail"],
        &entries.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn verify(context: &AppContext, expected_head: Option<&str>, as_json: bool) -> Result<()> {
    let verified =
        audit::verify(&mut *context.database.read().await?, context.keys.hasher(), expected_head)
            .await?;
    match verified {
        LogVerification::Intact { entries, head } if as_json => {
            output::print_json(&json!({ "intact": true, "entries": entries, "head": head }))
        }
        LogVerification::Intact { entries, head } => {
            print_line!(
                "{entries} entries, every one as it was written; the head, to be noted \
                    elsewhere: {head}"
            );
            Ok(())
        }
        LogVerification::Broken { at: 1 } => {
            bail!(CommandError::AuditBroken(
                "the audit log is not what was written from its first entry on, or the key ring \
                    is another installation's"
                    .into()
            ))
        }
        LogVerification::Broken { at } => {
            bail!(CommandError::AuditBroken(format!(
                "the audit log is not what was written from entry {at} on"
            )))
        }
        LogVerification::HeadNotFound => {
            bail!(CommandError::AuditBroken(
                "the audit log is intact in itself, but the head that was noted elsewhere is not \
                    in it: entries were taken off its end"
                    .into()
            ))
        }
    }
}
