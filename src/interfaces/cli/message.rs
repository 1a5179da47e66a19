//! `message in-doubt|resolve|show`: messages in doubt, and the gateway log of a message.

use anyhow::{Result, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::output;
use crate::adapters::database::{gateway_log, messages};
use crate::interfaces::errors::CommandError;
use crate::services::context::AppContext;
use crate::services::sms_sending::in_doubt::{self, DoubtResolution};

#[derive(Subcommand)]
pub enum MessageCommand {
    /// List messages in doubt that no gateway has resolved
    #[command(alias = "doubts")]
    InDoubt {
        /// Include those in doubt for less than dispatch.escalate_in_doubt_after
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// Resolve a message in doubt
    #[command(alias = "settle")]
    Resolve {
        #[arg(required_unless_present = "all")]
        reference: Option<String>,
        /// All messages in doubt that «message in-doubt» lists, as not sent
        #[arg(long, conflicts_with = "reference")]
        all: bool,
        /// sent: it was sent; not-sent: it was not, and is sent again
        #[arg(long = "as", value_enum)]
        resolution: ResolutionArgument,
    },
    /// Show the state of a message and its gateway log
    Show {
        reference: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ResolutionArgument {
    Sent,
    NotSent,
}

pub async fn run(context: &AppContext, command: MessageCommand) -> Result<()> {
    match command {
        MessageCommand::InDoubt { all, json } => list_in_doubt(context, all, json).await,
        MessageCommand::Resolve { reference, all, resolution } => {
            let Some(reference) = reference.filter(|_| !all) else {
                if matches!(resolution, ResolutionArgument::Sent) {
                    bail!(CommandError::InvalidOption("--all goes with --as not-sent only".into()));
                }
                let count = in_doubt::resolve_all_as_not_sent(context).await?;
                print_line!("{count} messages were not sent; they are due again");
                return Ok(());
            };
            let resolution = match resolution {
                ResolutionArgument::Sent => DoubtResolution::Sent,
                ResolutionArgument::NotSent => DoubtResolution::NotSent,
            };
            print_line!(
                "message {reference}: {}",
                in_doubt::resolve_manually(context, &reference, resolution).await?
            );
            Ok(())
        }
        MessageCommand::Show { reference, json } => show(context, &reference, json).await,
    }
}

async fn list_in_doubt(context: &AppContext, all: bool, as_json: bool) -> Result<()> {
    let in_doubt = in_doubt::list_for_review(context, all).await?;
    if as_json {
        let items = in_doubt.iter().map(|d| {
            json!({ "reference": d.reference, "campaign": d.campaign, "applications": d.applications, "step": d.slot.label(), "gateway": d.gateway,
                    "code": d.code, "submitted_at": d.submitted_at.rfc3339(chrono_tz::UTC) })
        });
        return output::print_json(&items.collect::<Vec<_>>());
    }
    let cells = |d: &messages::DoubtSummary| {
        let code = d.code.clone().unwrap_or_default();
        vec![
            d.reference.clone(),
            d.campaign.clone(),
            d.applications.clone(),
            d.slot.label(),
            d.gateway.clone(),
            code,
            d.submitted_at.rfc3339(chrono_tz::UTC),
        ]
    };
    output::print_table(
        &["reference", "campaign", "applications", "step", "gateway", "code", "submitted"],
        &in_doubt.iter().map(cells).collect::<Vec<_>>(),
    );
    if !in_doubt.is_empty() {
        print_line!(
            "Ask the gateway's operator, then: fieldworkd message resolve REFERENCE --as \
                sent|not-sent"
        );
    }
    Ok(())
}

async fn show(context: &AppContext, reference: &str, as_json: bool) -> Result<()> {
    let mut connection = context.database.read().await?;
    let Some(message) = messages::find(&mut connection, reference).await? else {
        bail!(CommandError::UnknownItem(format!("no message has the reference {reference}")))
    };
    let log_entries = gateway_log::of_message(&mut connection, message.key).await?;
    let at = |at: crate::domain::time::Timestamp| at.rfc3339(chrono_tz::UTC);
    if as_json {
        let gateway_log: Vec<_> =
            log_entries.iter().map(|e| json!({ "at": at(e.at), "gateway": e.gateway, "request": e.request, "response": e.response })).collect();
        return output::print_json(&json!({
            "reference": reference, "state": message.state, "gateway": message.gateway, "code": message.code, "parts": message.parts, "attempt_count": message.attempt_count,
            "claimed_at": at(message.claimed_at), "submitted_at": message.submitted_at.map(at), "received_at": message.received_at.map(at),
            "gateway_log": gateway_log,
        }));
    }
    let code = message.code.map(|code| format!(" ({code})")).unwrap_or_default();
    print_line!(
        "message {reference}: {}{code}, {} part(s), attempt {}, through {}",
        message.state,
        message.parts,
        message.attempt_count,
        message.gateway
    );
    for log_entry in &log_entries {
        print_line!(
            "  {} {}\n    request:  {}\n    response: {}",
            at(log_entry.at),
            log_entry.gateway,
            log_entry.request,
            log_entry.response
        );
    }
    Ok(())
}
