//! `inbox list|read|handle`: replies that need a person.

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::adapters::database::replies::{self, InboxEntry};
use crate::domain::audit::Action;
use crate::interfaces::errors::CommandError;
use crate::services::context::AppContext;
use crate::services::sms_inbound::inbox::open_reply;

#[derive(Subcommand)]
pub enum InboxCommand {
    /// List unhandled replies with their cases; «inbox read» shows the text of one
    List {
        /// Only call-back requests
        #[arg(long)]
        call_backs: bool,
        /// Include handled replies
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// Show the text of a reply; leaves an entry in the audit log
    Read { id: i64 },
    /// Mark a reply as handled
    #[command(alias = "done")]
    Handle { id: i64 },
}

pub async fn run(context: &AppContext, command: InboxCommand) -> Result<()> {
    match command {
        InboxCommand::List { call_backs, all, json } => list(context, call_backs, all, json).await,
        InboxCommand::Read { id } => read(context, id).await,
        InboxCommand::Handle { id } => {
            let mut tx = context.database.write().await?;
            if !replies::mark_handled(&mut tx, id, context.clock.now()).await? {
                bail!(CommandError::NothingToDo(format!("no reply {id} waits to be handled")));
            }
            tx.commit().await?;
            print_line!("reply {id} is handled");
            Ok(())
        }
    }
}

async fn list(context: &AppContext, call_backs: bool, all: bool, as_json: bool) -> Result<()> {
    let entries =
        replies::inbox(&mut *context.database.read().await?, call_backs.then_some("call_me"), all)
            .await?;
    if as_json {
        let items = entries.iter().map(|e| {
            json!({ "id": e.id, "meaning": e.meaning, "is_stranger": e.is_stranger, "received_at": e.received_at.rfc3339(chrono_tz::UTC), "campaign": e.campaign, "cases": cases_of(e),
                    "handled_at": e.handled_at.map(|at| at.rfc3339(chrono_tz::UTC)) })
        });
        return output::print_json(&items.collect::<Vec<_>>());
    }
    let cells = |e: &InboxEntry| {
        let handled = e.handled_at.map(|at| at.rfc3339(chrono_tz::UTC)).unwrap_or_default();
        vec![
            e.id.to_string(),
            e.received_at.rfc3339(chrono_tz::UTC),
            e.meaning.clone(),
            e.campaign.clone().unwrap_or_default(),
            cases_of(e),
            handled,
        ]
    };
    output::print_table(
        &["id", "received", "meaning", "campaign", "cases", "handled"],
        &entries.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn read(context: &AppContext, id: i64) -> Result<()> {
    let mut tx = context.database.write().await?;
    let Some(sealed) = replies::sealed_reply(&mut tx, id).await? else {
        bail!(CommandError::UnknownItem(format!("no reply has the number {id}")))
    };
    let open = open_reply(context, &sealed)?;
    context
        .audit(&mut tx, &output::current_actor(), Action::ReplyViewed, &format!("reply:{id}"))
        .await?;
    // The audit entry is committed before the text is shown.
    tx.commit().await?;
    if let Some(sender) = &open.sender {
        print_line!("from {}:", sender.reveal());
    }
    print_line!("{}", open.text.reveal());
    Ok(())
}

/// The person's cases, with commas between them.
fn cases_of(entry: &InboxEntry) -> String {
    entry.cases.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
}
