//! `suppress add|list`.

use std::io::Read;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use phonenumber::country;
use serde_json::json;

use super::output;
use crate::dispatch::incoming::opt_out;
use crate::domain::phone::Phone;
use crate::installation::Installation;
use crate::store::cases::Source;
use crate::store::{programmes, suppressions};

#[derive(Subcommand)]
pub enum SuppressCommand {
    /// Contact a number no more: its open cases end as refusals
    Add {
        /// The number, or «-» to read numbers line by line from standard input, which leaves no trace in the shell's history
        number: String,
        /// Only in this programme; without it, everywhere
        #[arg(long, value_name = "CODE")]
        programme: Option<String>,
    },
    /// When and where numbers were suppressed, and why; never whose
    List {
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(installation: &Installation, command: SuppressCommand) -> Result<()> {
    match command {
        SuppressCommand::Add { number, programme } => add(installation, number, programme).await,
        SuppressCommand::List { json } => list(installation, json).await,
    }
}

async fn add(installation: &Installation, number: String, programme: Option<String>) -> Result<()> {
    let mut text = number;
    if text == "-" {
        text.clear();
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    }
    let region = installation.config.default_region.parse().unwrap_or(country::CN);
    let mut phones = Vec::new();
    for (line, number) in (1..).zip(text.lines()).filter(|(_, number)| !number.trim().is_empty()) {
        phones.push(Phone::parse(number, region).with_context(|| format!("line {line}"))?);
    }
    if phones.is_empty() {
        bail!("no number was given");
    }
    let mut tx = installation.store.write().await?;
    let scope = match &programme {
        None => None,
        Some(code) => match programmes::find(&mut tx, code).await? {
            Some((id, _)) => Some(id),
            None => bail!("no programme has the code {code}"),
        },
    };
    for phone in &phones {
        opt_out(&mut tx, &installation.keys.hasher().number(phone), scope, Source::Staff, installation.clock.now()).await?;
    }
    tx.commit().await?;
    println!("{} numbers are suppressed {}", phones.len(), programme.map_or("everywhere".to_owned(), |code| format!("in {code}")));
    Ok(())
}

async fn list(installation: &Installation, as_json: bool) -> Result<()> {
    let all = suppressions::list(&mut *installation.store.read().await?).await?;
    let shown: Vec<Vec<String>> = all.into_iter().map(|(scope, reason, at)| vec![at.rfc3339(chrono_tz::UTC), scope, reason]).collect();
    if as_json {
        return output::json(&shown.iter().map(|r| json!({ "at": r[0], "scope": r[1], "reason": r[2] })).collect::<Vec<_>>());
    }
    output::table(&["at", "scope", "reason"], &shown);
    Ok(())
}
