//! `suppress add|import|list`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{output, read_file};
use crate::adapters::database::suppressions;
use crate::domain::suppression::SuppressionReason;
use crate::services::context::AppContext;
use crate::services::suppressions::{SuppressionDefaults, import_suppressions};

#[derive(Subcommand)]
pub enum SuppressCommand {
    /// Suppress a number
    Add {
        /// The number, or «-» to read numbers from standard input, one per line, which keeps them
        /// out of the shell's history
        number: String,
        #[command(flatten)]
        options: SuppressionOptions,
    },
    /// Suppress the numbers of a file: CSV, TSV, XLSX, XLS or ODS with a column «number» and
    /// optional columns «reason», «scope» and «until»
    Import {
        file: PathBuf,
        #[command(flatten)]
        options: SuppressionOptions,
    },
    /// List suppressions by time, place, reason and end, without the numbers
    List {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct SuppressionOptions {
    /// Only in this programme; everywhere if omitted
    #[arg(long, value_name = "CODE")]
    programme: Option<String>,
    /// opt_out, complaint or invalid: open cases end as refusals, or as non-working numbers
    #[arg(long, default_value = "opt_out", value_parser = reason)]
    reason: SuppressionReason,
    /// First day on which the numbers may be contacted again; cases stay open
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<NaiveDate>,
}

fn reason(raw: &str) -> Result<SuppressionReason, String> {
    SuppressionReason::parse(raw)
        .ok_or_else(|| format!("«{raw}» is no reason; use opt_out, complaint or invalid"))
}

pub async fn run(context: &AppContext, command: SuppressCommand) -> Result<()> {
    match command {
        SuppressCommand::Add { number, options } => {
            let mut text = number;
            if text == "-" {
                text.clear();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .context("standard input cannot be read")?;
            }
            suppress(context, text.as_bytes(), &options).await
        }
        SuppressCommand::Import { file, options } => {
            suppress(context, &read_file(&file)?, &options)
                .await
                .with_context(|| file.display().to_string())
        }
        SuppressCommand::List { json } => list(context, json).await,
    }
}

async fn suppress(
    context: &AppContext,
    content: &[u8],
    options: &SuppressionOptions,
) -> Result<()> {
    let defaults = SuppressionDefaults {
        reason: options.reason,
        programme: options.programme.as_deref(),
        until: options.until,
    };
    let numbers = import_suppressions(context, content, &defaults).await?;
    let scope_text =
        options.programme.as_ref().map_or("everywhere".to_owned(), |code| format!("in {code}"));
    print_line!("{numbers} numbers are suppressed {scope_text} (unless the file says otherwise)");
    Ok(())
}

async fn list(context: &AppContext, as_json: bool) -> Result<()> {
    let all = suppressions::list(&mut *context.database.read().await?).await?;
    let formatted: Vec<_> = all
        .into_iter()
        .map(|s| {
            (
                s.created_at.rfc3339(chrono_tz::UTC),
                s.scope,
                s.reason,
                s.expires_at.map(|until| until.rfc3339(chrono_tz::UTC)),
            )
        })
        .collect();
    if as_json {
        let rows = formatted.iter().map(|(at, scope, reason, until)| json!({ "at": at, "scope": scope, "reason": reason, "until": until }));
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    let cells = |(at, scope, reason, until): (String, String, String, Option<String>)| {
        vec![at, scope, reason, until.unwrap_or_default()]
    };
    output::print_table(
        &["at", "scope", "reason", "until"],
        &formatted.into_iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}
