//! `gateways`: the configured gateways and the URLs for their receipts and replies.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::output;
use crate::adapters::database::rates;
use crate::services::context::AppContext;

#[derive(Args)]
pub struct GatewaysArguments {
    #[arg(long)]
    json: bool,
}

pub async fn run(context: &AppContext, arguments: GatewaysArguments) -> Result<()> {
    let paused = rates::paused(&mut *context.database.read().await?, context.clock.now()).await?;
    let gateways: Vec<_> = context
        .gateways
        .iter()
        .map(|(name, gateway)| {
            let base_url = context.webhook_base_url(name);
            let until = paused
                .iter()
                .find(|(paused_name, _)| paused_name == name)
                .map(|(_, until)| until.rfc3339(chrono_tz::UTC));
            json!({
                "name": name,
                "rate_per_second": context.config.gateways.get(name).map(|g| g.rate_per_second),
                "supports_query": gateway.capabilities().query,
                "receipts": format!("{base_url}/receipts"),
                "replies": format!("{base_url}/replies"),
                "paused_until": until,
            })
        })
        .collect();
    if arguments.json {
        return output::print_json(&gateways);
    }
    for gateway in gateways {
        let text = |key: &str| gateway[key].as_str().unwrap_or_default().to_owned();
        let paused = gateway["paused_until"]
            .as_str()
            .map(|until| format!(", paused until {until}"))
            .unwrap_or_default();
        print_line!("{}: {} messages/s{paused}", text("name"), gateway["rate_per_second"]);
        print_line!(
            "  receipts come to {}\n  replies come to  {}",
            text("receipts"),
            text("replies")
        );
    }
    Ok(())
}
