//! `gateways`: the configured gateways, and the addresses that their pushes are to come to.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::output;
use crate::services::context::Installation;
use crate::adapters::database::rates;

#[derive(Args)]
pub struct GatewaysArguments {
    #[arg(long)]
    json: bool,
}

pub async fn run(installation: &Installation, arguments: GatewaysArguments) -> Result<()> {
    let paused = rates::paused(&mut *installation.store.read().await?, installation.clock.now()).await?;
    let shown: Vec<_> = installation
        .gateways
        .iter()
        .map(|(name, gateway)| {
            let hooks = installation.hooks_url(name);
            let until = paused.iter().find(|(held, _)| held == name).map(|(_, until)| until.rfc3339(chrono_tz::UTC));
            json!({
                "name": name,
                "rate_per_second": installation.config.gateways.get(name).map(|g| g.rate_per_second),
                "can_be_asked": gateway.capabilities().query,
                "receipts": format!("{hooks}/receipts"),
                "replies": format!("{hooks}/replies"),
                "paused_until": until,
            })
        })
        .collect();
    if arguments.json {
        return output::json(&shown);
    }
    for gateway in shown {
        let text = |key: &str| gateway[key].as_str().unwrap_or_default().to_owned();
        let paused = gateway["paused_until"].as_str().map(|until| format!(", held still until {until}")).unwrap_or_default();
        say!("{}: {} messages/s{paused}", text("name"), gateway["rate_per_second"]);
        say!("  receipts come to {}\n  replies come to  {}", text("receipts"), text("replies"));
    }
    Ok(())
}
