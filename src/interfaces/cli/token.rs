//! `token add|list|revoke`.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::adapters::database::accounts;
use crate::adapters::database::api_tokens::{self, ApiToken};
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::accounts::tokens;
use crate::services::context::AppContext;

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Add a token and show it once
    #[command(alias = "make")]
    Add {
        name: String,
        /// A scope: read, operate, reveal, datasets, audit, …; repeat for more
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope, required = true)]
        scopes: Vec<Permission>,
        #[arg(long, value_name = "N", default_value_t = 90)]
        days: u32,
    },
    /// List all tokens, without the secrets
    List {
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token
    Revoke { name: String },
}

fn scope(raw: &str) -> Result<Permission, String> {
    Permission::parse(raw).ok_or_else(|| {
        format!("write one of {}", Permission::ALL.map(Permission::as_str).join(", "))
    })
}

pub async fn run(context: &AppContext, command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Add { name, scopes, days } => {
            let token =
                tokens::create(context, &output::current_actor(), &name, &scopes, days).await?;
            print_line!("token, shown only now: {}", token.reveal());
        }
        TokenCommand::Revoke { name } => {
            tokens::revoke(context, &output::current_actor(), &name).await?;
            print_line!("{name} is revoked");
        }
        TokenCommand::List { json } => return list(context, json).await,
    }
    Ok(())
}

async fn list(context: &AppContext, as_json: bool) -> Result<()> {
    let mut connection = context.database.read().await?;
    let all = api_tokens::all(&mut connection).await?;
    let disabled: Vec<String> = accounts::all(&mut connection)
        .await?
        .into_iter()
        .filter(|account| account.disabled_at.is_some())
        .map(|account| account.name)
        .collect();
    let is_orphan = |t: &ApiToken| disabled.contains(&tokens::person_behind(&all, &t.name));
    let at = |at: Timestamp| at.rfc3339(chrono_tz::UTC);
    let scopes =
        |token: &ApiToken| token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
    if as_json {
        let row = |t: &ApiToken| json!({ "name": t.name, "scopes": scopes(t), "created_by": t.created_by, "maker_is_disabled": is_orphan(t), "expires_at": at(t.expires_at), "revoked_at": t.revoked_at.map(at), "last_used_at": t.last_used_at.map(at) });
        return output::print_json(&all.iter().map(row).collect::<Vec<_>>());
    }
    let cells = |t: &ApiToken| {
        vec![
            t.name.clone(),
            scopes(t).join(" "),
            if is_orphan(t) {
                format!("{} (disabled)", t.created_by)
            } else {
                t.created_by.clone()
            },
            at(t.expires_at),
            t.revoked_at.map(at).unwrap_or_default(),
            t.last_used_at.map(at).unwrap_or_default(),
        ]
    };
    output::print_table(
        &["name", "scopes", "created by", "expires", "revoked", "last used"],
        &all.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}
