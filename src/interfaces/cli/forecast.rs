//! `rehearse`, and the output of `campaign forecast`.

use anyhow::{Result, bail};
use clap::Args;

use super::output;
use crate::interfaces::errors::CommandError;
use crate::services::context::AppContext;
use crate::services::forecasting::{self, ApplicationForecast, ForecastBand};

#[derive(Args)]
pub struct RehearseArguments {
    /// Code of the campaign
    code: String,
    /// Share of invited people who complete; if omitted, learned from the programme's other
    /// applications
    #[arg(long, value_name = "SHARE")]
    response_rate: Option<f64>,
    /// Seed of the simulation; the same seed gives the same people
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[arg(long)]
    json: bool,
}

pub async fn rehearse(context: &AppContext, arguments: RehearseArguments) -> Result<()> {
    if let Some(rate) = arguments.response_rate.filter(|rate| !(0.01..=0.99).contains(rate)) {
        bail!(CommandError::InvalidOption(format!(
            "--response-rate {rate}: must be between 0.01 and 0.99"
        )));
    }
    let rehearsals =
        forecasting::rehearse(context, &arguments.code, arguments.response_rate, arguments.seed)
            .await?;
    if arguments.json {
        return output::print_json(&rehearsals);
    }
    let row = |r: &forecasting::RehearsalForecast| {
        vec![
            r.application.clone(),
            r.people.to_string(),
            r.target.to_string(),
            r.due.to_string(),
            format_band(r.completes),
            output::format_percent(Some(r.chance)),
            format_band(r.messages),
            format_band(r.handed_to_interviewers),
        ]
    };
    output::print_table(
        &[
            "application",
            "people",
            "target",
            "due",
            "completes (8 of 10)",
            "chance",
            "messages (8 of 10)",
            "to interviewers",
        ],
        &rehearsals.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

pub fn print_forecasts(forecasts: &[ApplicationForecast]) -> Result<()> {
    if forecasts.is_empty() {
        print_line!("nothing of it is in the field");
        return Ok(());
    }
    let row = |f: &ApplicationForecast| {
        vec![
            f.application.clone(),
            format!("{}/{}", f.completed, f.target),
            f.due.to_string(),
            f.days_left.to_string(),
            format_band(f.completes),
            output::format_percent(Some(f.chance)),
        ]
    };
    output::print_table(
        &["application", "completed", "due", "days left", "on the due day (8 of 10)", "chance"],
        &forecasts.iter().map(row).collect::<Vec<_>>(),
    );
    let cells = forecasts.iter().flat_map(|f| f.cells.iter().map(move |cell| (f, cell)));
    let cells = cells.map(|(f, cell)| {
        let minimum = output::format_minimum(cell.minimum);
        let completed = format!("{}/{}{minimum}", cell.completed, cell.target);
        let of_minimum = cell
            .minimum_chance
            .map(|chance| format!(", of the minimum {}", output::format_percent(Some(chance))));
        let chance = output::format_percent(Some(cell.chance));
        vec![
            f.application.clone(),
            cell.name.clone(),
            cell.kind.clone(),
            completed,
            chance + &of_minimum.unwrap_or_default(),
        ]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    if !cells.is_empty() {
        output::print_table(&["application", "cell", "kind", "completed", "chance"], &cells);
    }
    for forecast in forecasts {
        for (applies, note) in [
            (forecast.is_paused, "its campaign is paused"),
            (forecast.is_held, "it is on hold; forecast as if it were released now"),
        ] {
            if applies {
                print_line!("{}: {note}", forecast.application);
            }
        }
        if !forecast.interventions.is_empty() {
            let interventions = forecast.interventions.iter().map(|intervention| {
                format!(
                    "{} {}",
                    intervention.measure.labels().1,
                    output::format_percent(Some(intervention.chance))
                )
            });
            print_line!(
                "{}, interventions: {}",
                forecast.application,
                interventions.collect::<Vec<_>>().join("; ")
            );
        }
    }
    Ok(())
}

/// Formats a band as `42 (36–48)`: median, low and high end.
fn format_band(band: ForecastBand) -> String {
    format!("{} ({}–{})", band.median, band.low, band.high)
}
