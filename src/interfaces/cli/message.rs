//! `message doubts|settle|show`: messages whose fate a person decides, and the conversation about one.

use anyhow::{Result, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::output;
use crate::services::sms_sending::in_doubt::{self, Verdict};
use crate::domain::contact_plan::CONFIRMATION_STEP;
use crate::adapters::sms::CONFIRMATION;
use crate::services::context::Installation;
use crate::adapters::database::{gateway_log, messages};

#[derive(Subcommand)]
pub enum MessageCommand {
    /// Messages of which nobody knows whether they went out, and that no gateway has settled
    Doubts {
        /// All of them, not only those that have waited as long as dispatch.show_doubt_after says
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// Decide about a message in doubt
    Settle {
        reference: String,
        /// It went out, or it did not: then it is sent
        #[arg(long = "as", value_enum)]
        verdict: VerdictArgument,
    },
    /// Where a message stands, and what its gateway was asked and answered
    Show {
        reference: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum VerdictArgument {
    Sent,
    NotSent,
}

pub async fn run(installation: &Installation, command: MessageCommand) -> Result<()> {
    match command {
        MessageCommand::Doubts { all, json } => doubts(installation, all, json).await,
        MessageCommand::Settle { reference, verdict } => {
            let verdict = match verdict {
                VerdictArgument::Sent => Verdict::Sent,
                VerdictArgument::NotSent => Verdict::NotSent,
            };
            say!("message {reference}: {}", in_doubt::settle_by_hand(installation, &reference, verdict).await?);
            Ok(())
        }
        MessageCommand::Show { reference, json } => show(installation, &reference, json).await,
    }
}

async fn doubts(installation: &Installation, all: bool, as_json: bool) -> Result<()> {
    let doubts = in_doubt::for_a_person(installation, all).await?;
    if as_json {
        let shown = doubts.iter().map(|d| {
            json!({ "reference": d.reference, "campaign": d.campaign, "applications": d.applications, "step": step_of(d), "gateway": d.gateway,
                    "code": d.code, "submitted_at": d.submitted_at.rfc3339(chrono_tz::UTC) })
        });
        return output::json(&shown.collect::<Vec<_>>());
    }
    let cells = |d: &messages::ShownDoubt| {
        let code = d.code.clone().unwrap_or_default();
        vec![
            d.reference.clone(),
            d.campaign.clone(),
            d.applications.clone(),
            step_of(d),
            d.gateway.clone(),
            code,
            d.submitted_at.rfc3339(chrono_tz::UTC),
        ]
    };
    output::table(
        &["reference", "campaign", "applications", "step", "gateway", "what was heard", "submitted"],
        &doubts.iter().map(cells).collect::<Vec<_>>(),
    );
    if !doubts.is_empty() {
        say!("Ask the gateway's operator, then: fieldworkd message settle REFERENCE --as sent|not-sent");
    }
    Ok(())
}

/// Steps are counted from 1; the answer to an opt-out is none of the plan's.
fn step_of(doubt: &messages::ShownDoubt) -> String {
    match doubt.step {
        CONFIRMATION_STEP => CONFIRMATION.to_owned(),
        step => (step + 1).to_string(),
    }
}

async fn show(installation: &Installation, reference: &str, as_json: bool) -> Result<()> {
    let mut connection = installation.store.read().await?;
    let Some(message) = messages::find(&mut connection, reference).await? else { bail!("no message has the reference {reference}") };
    let said = gateway_log::of_message(&mut connection, message.key).await?;
    let at = |at: crate::domain::time::Timestamp| at.rfc3339(chrono_tz::UTC);
    if as_json {
        let exchanges: Vec<_> =
            said.iter().map(|e| json!({ "at": at(e.at), "gateway": e.gateway, "asked": e.asked, "answered": e.answered })).collect();
        return output::json(&json!({
            "reference": reference, "state": message.state, "gateway": message.gateway, "code": message.code, "parts": message.parts, "tries": message.tries,
            "claimed_at": at(message.claimed_at), "submitted_at": message.submitted_at.map(at), "received_at": message.received_at.map(at),
            "conversation": exchanges,
        }));
    }
    let code = message.code.map(|code| format!(" ({code})")).unwrap_or_default();
    say!("message {reference}: {}{code}, {} part(s), try {}, through {}", message.state, message.parts, message.tries, message.gateway);
    for exchange in &said {
        say!("  {} {}\n    asked:    {}\n    answered: {}", at(exchange.at), exchange.gateway, exchange.asked, exchange.answered);
    }
    Ok(())
}
