//! `suppress add|import|list`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{output, read_file};
use crate::domain::suppression::SuppressionReason;
use crate::services::context::Installation;
use crate::services::suppressions::{SuppressionDefaults, import_suppressions};
use crate::adapters::database::suppressions;

#[derive(Subcommand)]
pub enum SuppressCommand {
    /// Contact a number no more
    Add {
        /// The number, or «-» to read numbers line by line from standard input, which leaves no trace in the shell's history
        number: String,
        #[command(flatten)]
        how: How,
    },
    /// Contact the numbers of a file no more: CSV, TSV, XLSX, XLS or ODS with a column «number», and if you like «reason», «scope» and «until»
    Import {
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// When and where numbers were suppressed, why and how long; never whose
    List {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct How {
    /// Only in this programme; without it, everywhere
    #[arg(long, value_name = "CODE")]
    programme: Option<String>,
    /// opt_out, complaint or invalid: open cases end as refusals, or as non-working numbers
    #[arg(long, default_value = "opt_out", value_parser = reason)]
    reason: SuppressionReason,
    /// The first day on which they may be contacted again; until then, cases stay open
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<NaiveDate>,
}

fn reason(raw: &str) -> Result<SuppressionReason, String> {
    SuppressionReason::parse(raw).ok_or_else(|| format!("«{raw}» is no reason; use opt_out, complaint or invalid"))
}

pub async fn run(installation: &Installation, command: SuppressCommand) -> Result<()> {
    match command {
        SuppressCommand::Add { number, how } => {
            let mut text = number;
            if text == "-" {
                text.clear();
                std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
            }
            suppress(installation, text.as_bytes(), &how).await
        }
        SuppressCommand::Import { file, how } => suppress(installation, &read_file(&file)?, &how).await.with_context(|| file.display().to_string()),
        SuppressCommand::List { json } => list(installation, json).await,
    }
}

async fn suppress(installation: &Installation, content: &[u8], how: &How) -> Result<()> {
    let defaults = SuppressionDefaults { reason: how.reason, programme: how.programme.as_deref(), until: how.until };
    let numbers = import_suppressions(installation, content, &defaults).await?;
    let place = how.programme.as_ref().map_or("everywhere".to_owned(), |code| format!("in {code}"));
    say!("{numbers} numbers are suppressed {place} (unless the file says otherwise)");
    Ok(())
}

async fn list(installation: &Installation, as_json: bool) -> Result<()> {
    let all = suppressions::list(&mut *installation.store.read().await?).await?;
    let shown: Vec<_> = all
        .into_iter()
        .map(|s| (s.created_at.rfc3339(chrono_tz::UTC), s.scope, s.reason, s.expires_at.map(|until| until.rfc3339(chrono_tz::UTC))))
        .collect();
    if as_json {
        let rows = shown.iter().map(|(at, scope, reason, until)| json!({ "at": at, "scope": scope, "reason": reason, "until": until }));
        return output::json(&rows.collect::<Vec<_>>());
    }
    let cells = |(at, scope, reason, until): (String, String, String, Option<String>)| vec![at, scope, reason, until.unwrap_or_default()];
    output::table(&["at", "scope", "reason", "until"], &shown.into_iter().map(cells).collect::<Vec<_>>());
    Ok(())
}
