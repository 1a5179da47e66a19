//! `campaign forecast`, `rehearse`: what is told of how fields will end.

use anyhow::{Result, bail};
use clap::Args;

use super::output;
use crate::services::forecasting::{self, BandOf, ForecastOf};
use crate::services::context::Installation;

#[derive(Args)]
pub struct RehearseArguments {
    /// The campaign
    code: String,
    /// Completes by people invited; without it, what the programme's other applications have shown
    #[arg(long, value_name = "SHARE")]
    response_rate: Option<f64>,
    /// The same seed gives the same people
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[arg(long)]
    json: bool,
}

pub async fn rehearse(installation: &Installation, arguments: RehearseArguments) -> Result<()> {
    if let Some(rate) = arguments.response_rate.filter(|rate| !(0.01..=0.99).contains(rate)) {
        bail!("--response-rate {rate}: must be between 0.01 and 0.99");
    }
    let rehearsals = forecasting::rehearse(installation, &arguments.code, arguments.response_rate, arguments.seed).await?;
    if arguments.json {
        return output::json(&rehearsals);
    }
    let row = |r: &forecasting::RehearsalOf| {
        vec![
            r.application.clone(),
            r.people.to_string(),
            r.target.to_string(),
            r.due.to_string(),
            band(r.completes),
            output::percent(Some(r.chance)),
            band(r.messages),
            band(r.handed_over),
        ]
    };
    output::table(
        &["application", "people", "target", "due", "completes (8 of 10)", "chance", "messages (8 of 10)", "to interviewers"],
        &rehearsals.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

pub fn show(forecasts: &[ForecastOf]) -> Result<()> {
    if forecasts.is_empty() {
        say!("nothing of it is in the field");
        return Ok(());
    }
    let row = |f: &ForecastOf| {
        vec![
            f.application.clone(),
            format!("{}/{}", f.completed, f.target),
            f.due.to_string(),
            f.days_left.to_string(),
            band(f.completes),
            output::percent(Some(f.chance)),
        ]
    };
    output::table(
        &["application", "completed", "due", "days left", "on the due day (8 of 10)", "chance"],
        &forecasts.iter().map(row).collect::<Vec<_>>(),
    );
    let cells = forecasts.iter().flat_map(|f| f.cells.iter().map(move |cell| (f, cell)));
    let cells = cells.map(|(f, cell)| {
        let completed = format!("{}/{}", cell.completed, cell.target);
        vec![f.application.clone(), cell.name.clone(), cell.kind.clone(), completed, output::percent(Some(cell.chance))]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    if !cells.is_empty() {
        output::table(&["application", "cell", "kind", "completed", "chance"], &cells);
    }
    for forecast in forecasts {
        for (is_so, says) in [(forecast.is_paused, "its campaign is paused"), (forecast.is_held, "it is on hold; told as if it were released now")] {
            if is_so {
                say!("{}: {says}", forecast.application);
            }
        }
        if !forecast.help.is_empty() {
            let help = forecast.help.iter().map(|help| format!("{} {}", help.measure.words().1, output::percent(Some(help.chance))));
            say!("{}, what would help: {}", forecast.application, help.collect::<Vec<_>>().join("; "));
        }
    }
    Ok(())
}

/// `42 (36–48)`.
fn band(band: BandOf) -> String {
    format!("{} ({}–{})", band.median, band.low, band.high)
}
