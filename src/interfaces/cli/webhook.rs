//! `webhook list|test|resend`.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::adapters::database::events::{self, Endpoint};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::webhooks;

#[derive(Subcommand)]
pub enum WebhookCommand {
    /// List the webhooks and whether they take events
    List {
        #[arg(long)]
        json: bool,
    },
    /// Send a test event; it enables a webhook that was disabled
    Test { name: String },
    /// Send all events since a time again, also those that have arrived; they keep their ids
    Resend {
        name: String,
        /// 2026-03-12T08:00:00+08:00
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Timestamp,
    },
}

fn time(raw: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(raw)
        .ok_or_else(|| "write it like 2026-03-12T08:00:00+08:00".to_owned())
}

pub async fn run(context: &AppContext, command: WebhookCommand) -> Result<()> {
    match command {
        WebhookCommand::List { json } => list(context, json).await,
        WebhookCommand::Test { name } => {
            webhooks::send_test_event(context, &output::current_actor(), &name).await?;
            print_line!("{name}: the daemon sends a test now; «webhook list» shows the result");
            Ok(())
        }
        WebhookCommand::Resend { name, from } => {
            let count =
                webhooks::send_again(context, &output::current_actor(), &name, from).await?;
            print_line!("{name}: the daemon sends {count} events again now");
            Ok(())
        }
    }
}

async fn list(context: &AppContext, as_json: bool) -> Result<()> {
    let now = context.clock.now();
    let mut connection = context.database.read().await?;
    let mut all = Vec::new();
    for endpoint in events::endpoints(&mut connection).await? {
        let waiting = events::count_pending(&mut connection, endpoint.id).await?;
        all.push((endpoint, waiting));
    }
    let at = |at: Timestamp| at.rfc3339(chrono_tz::UTC);
    if as_json {
        let row = |(one, waiting): &(Endpoint, u64)| {
            json!({ "name": one.name, "url": one.url, "state": one.state(now).as_str(), "waiting": waiting, "failures": one.failures,
                    "failing_since": one.failing_since.map(at), "last_error": one.last_error })
        };
        return output::print_json(&all.iter().map(row).collect::<Vec<_>>());
    }
    let cells = |(one, waiting): &(Endpoint, u64)| {
        vec![
            one.name.clone(),
            one.state(now).as_str().to_owned(),
            waiting.to_string(),
            one.failing_since.map(at).unwrap_or_default(),
            one.last_error.clone().unwrap_or_default(),
        ]
    };
    output::print_table(
        &["name", "state", "waiting", "failing since", "last error"],
        &all.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}
