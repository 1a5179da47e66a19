//! `campaign launch|pause|resume|close|list|status`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::json;

use super::{forecast, output, read_text};
use crate::services;
use crate::services::campaigns::{LaunchReport, LaunchRequest};
use crate::domain::contact_plan::PlanFile;
use crate::domain::outcome_rates::Rate;
use crate::services::context::Installation;
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::{applications, programmes};
use crate::services::{datasets, deadlines, forecasting};

#[derive(Subcommand)]
pub enum CampaignCommand {
    /// Check everything, show parts and cost, and put the applications into the field
    Launch {
        code: String,
        #[arg(long, value_name = "CODE[,CODE…]", value_delimiter = ',', required = true)]
        application: Vec<String>,
        /// The contact plan's TOML file
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// A gateway or a route of the configuration
        #[arg(long, value_name = "NAME")]
        gateway: String,
        /// Pause before more than this is spent
        #[arg(long, value_name = "AMOUNT", value_parser = amount)]
        budget: Option<f64>,
        /// Of the draw, where a list is larger than the need; recorded with the campaign, which draws one of its own without it
        #[arg(long, value_name = "WORD")]
        seed: Option<String>,
        /// Check and reckon everything, launch nothing
        #[arg(long)]
        dry_run: bool,
        #[arg(long)]
        json: bool,
    },
    /// Send nothing until it is resumed; people may still answer
    Pause { code: String },
    /// Go on sending
    Resume { code: String },
    /// Set what may be spent, or «none»; resume a campaign that its budget has paused
    Budget {
        code: String,
        #[arg(value_name = "AMOUNT|none")]
        amount: String,
    },
    /// Close the field by hand, and write the datasets
    Close { code: String },
    /// All campaigns, the latest first
    List {
        #[arg(long)]
        json: bool,
    },
    /// The outcome rates of AAPOR, for all of the campaign and by groups of its cases
    Rates {
        code: String,
        #[arg(long, value_enum, default_value = "application")]
        by: ByArgument,
        #[arg(long)]
        json: bool,
    },
    /// How the fields will end, made now: completes by the due day, the chance of each quota, and what would help
    Forecast {
        code: String,
        #[arg(long)]
        json: bool,
    },
    /// How the campaign stands
    Status {
        code: String,
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(installation: &Installation, command: CampaignCommand) -> Result<()> {
    match command {
        CampaignCommand::Launch { code, application, plan, gateway, budget, seed, dry_run, json } => {
            let file = read_plan(&plan)?;
            let request =
                LaunchRequest { code: &code, applications: &application, plan: &file, gateway: &gateway, budget, seed: seed.as_deref(), dry_run };
            let report = services::campaigns::launch(installation, &request).await.with_context(|| plan.display().to_string())?;
            if json { output::json(&report) } else { show_launch(&report, dry_run) }
        }
        CampaignCommand::Pause { code } => {
            services::campaigns::change_state(installation, &code, CampaignState::Paused).await?;
            say!("campaign {code} is paused");
            Ok(())
        }
        CampaignCommand::Resume { code } => {
            services::campaigns::change_state(installation, &code, CampaignState::Running).await?;
            say!("campaign {code} is running");
            Ok(())
        }
        CampaignCommand::Budget { code, amount: raw } => {
            let budget = if raw == "none" { None } else { Some(amount(&raw).map_err(anyhow::Error::msg)?) };
            services::campaigns::set_budget(installation, &code, budget).await?;
            say!("campaign {code} has {}", budget.map_or("no budget".to_owned(), |budget| format!("a budget of {budget:.2}")));
            Ok(())
        }
        CampaignCommand::Close { code } => {
            let closed = deadlines::close_campaign(installation, &code).await?;
            datasets::write_pending(installation).await?;
            say!("campaign {code} is closed: {}", closed.join(", "));
            Ok(())
        }
        CampaignCommand::Rates { code, by, json } => {
            let rates = services::campaigns::rates(installation, &code, by.into()).await?;
            if json { output::json(&rates) } else { show_rates(&rates) }
        }
        CampaignCommand::Forecast { code, json } => {
            let forecasts = forecasting::of_campaign(installation, &code).await?;
            if json { output::json(&forecasts) } else { forecast::show(&forecasts) }
        }
        CampaignCommand::List { json } => list(installation, json).await,
        CampaignCommand::Status { code, json } => {
            let status = services::campaigns::status(installation, &code).await?;
            if json { output::json(&status) } else { show_status(&status) }
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum ByArgument {
    Application,
    Mode,
    Segment,
    /// The last contact before a respondent was heard of
    Wave,
}

impl From<ByArgument> for services::campaigns::By {
    fn from(by: ByArgument) -> services::campaigns::By {
        match by {
            ByArgument::Application => services::campaigns::By::Application,
            ByArgument::Mode => services::campaigns::By::Mode,
            ByArgument::Segment => services::campaigns::By::Segment,
            ByArgument::Wave => services::campaigns::By::Wave,
        }
    }
}

/// Groups side by side, what is counted and the rates below each other.
fn show_rates(rates: &[services::campaigns::RatesOf]) -> Result<()> {
    let mut header = vec!["rate"];
    header.extend(rates.iter().map(|of| of.group.as_str()));
    type Count = fn(&services::campaigns::RatesOf) -> u64;
    let counted: [(&str, Count); 8] = [
        ("cases", |of| of.cases),
        ("complete (I)", |of| of.complete),
        ("partial (P)", |of| of.partial),
        ("refusal, break-off (R)", |of| of.refusal),
        ("non-contact (NC)", |of| of.non_contact),
        ("other (O)", |of| of.other),
        ("unknown (U)", |of| of.unknown),
        ("not eligible (4.x)", |of| of.not_eligible),
    ];
    let row = |name: &str, cells: Vec<String>| std::iter::once(name.to_owned()).chain(cells).collect::<Vec<String>>();
    let mut rows: Vec<Vec<String>> = counted.iter().map(|(name, count)| row(name, rates.iter().map(|of| count(of).to_string()).collect())).collect();
    rows.extend(Rate::ALL.iter().map(|rate| row(rate.name(), rates.iter().map(|of| output::percent(of.rates[rate.name()])).collect())));
    output::table(&header, &rows);
    Ok(())
}

/// An amount of money.
fn amount(raw: &str) -> Result<f64, String> {
    match raw.parse::<f64>() {
        Ok(amount) if amount.is_finite() && amount >= 0.0 => Ok(amount),
        _ => Err(format!("«{raw}» is no amount of money; write it like 500 or 49.90")),
    }
}

async fn list(installation: &Installation, as_json: bool) -> Result<()> {
    let mut connection = installation.store.read().await?;
    let mut rows = Vec::new();
    for campaign in campaigns::all(&mut connection).await? {
        let zone = programmes::get(&mut connection, campaign.programme_id).await?.time_zone;
        let codes: Vec<String> = applications::of_campaign(&mut connection, campaign.id).await?.into_iter().map(|a| a.code).collect();
        rows.push((campaign.launched_at.rfc3339(zone), campaign, codes));
    }
    if as_json {
        let shown = rows.iter().map(|(launched_at, campaign, codes)| {
            json!({ "code": campaign.code, "state": campaign.state.as_str(), "gateway": campaign.gateway, "launched_at": launched_at, "applications": codes })
        });
        return output::json(&shown.collect::<Vec<_>>());
    }
    let cells = |(launched_at, campaign, codes): &(String, campaigns::Campaign, Vec<String>)| {
        vec![campaign.code.clone(), campaign.state.as_str().to_owned(), campaign.gateway.clone(), launched_at.clone(), codes.join(", ")]
    };
    output::table(&["code", "state", "gateway", "launched", "applications"], &rows.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}

/// A plan's file, with the holidays file that it names beside it.
pub fn read_plan(path: &std::path::Path) -> Result<PlanFile> {
    let name = || path.display().to_string();
    let file = PlanFile::parse(&read_text(path)?).with_context(name)?;
    match &file.holidays {
        None => Ok(file),
        Some(holidays) => {
            let beside = path.parent().unwrap_or(std::path::Path::new(".")).join(holidays);
            let text = read_text(&beside).with_context(|| format!("{}: holidays", name()))?;
            file.with_calendar(&text).with_context(|| beside.display().to_string())
        }
    }
}

fn show_launch(report: &LaunchReport, dry_run: bool) -> Result<()> {
    let verb = if dry_run { "could be launched" } else { "is launched" };
    say!("campaign {} {verb}: {} people, {} of them by telephone only", report.campaign, report.invitations, report.without_mobile);
    if report.never_open > 0 {
        say!("{} people abroad are never contacted: the plan's hours share no hour of all their zones", report.never_open);
    }
    if report.without_gateway > 0 {
        say!("{} people are never contacted: no gateway takes their numbers", report.without_gateway);
    }
    let steps =
        report.steps.iter().map(|s| vec![s.name.clone(), s.begins.clone(), s.done.clone(), s.longest_message_parts.to_string(), s.parts.to_string()]);
    output::table(&["step", "begins", "done at the latest", "parts of the longest", "parts"], &steps.collect::<Vec<_>>());
    let applications = report.applications.iter().map(|a| vec![a.code.clone(), a.names.to_string(), a.target.to_string(), a.dataset_due.clone()]);
    output::table(&["application", "names", "target", "dataset due"], &applications.collect::<Vec<_>>());
    if let Some(seed) = &report.draw_seed {
        say!("{} people are held back in replicates, drawn with the seed {seed}; they follow as the response rate shows the need", report.held_back);
    }
    say!("respondents agree to the privacy notice {}", report.privacy_notice);
    say!("if everybody gets every step: {} parts, {:.2} {}", report.parts_at_most, report.cost_at_most, report.currency);
    Ok(())
}

fn show_status(status: &services::campaigns::CampaignStatus) -> Result<()> {
    let why = status.paused_because.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    let budget = status.budget.map(|budget| format!(" of {budget:.2}")).unwrap_or_default();
    say!("campaign {} is {}{why}; {} parts sent, {:.2}{budget} {}", status.code, status.state, status.parts_sent, status.cost, status.currency);
    if let Some(until) = &status.gateway_paused_until {
        say!("gateway {} is held still until {until}", status.gateway);
    }
    if status.replicates_held_back > 0 {
        let (released, held_back, people) = (status.replicates_released, status.replicates_held_back, status.held_back);
        say!("{released} replicates are in the field, {held_back} with {people} people are held back");
    }
    let cells = |a: &services::campaigns::ApplicationStatus| {
        vec![
            a.code.clone(),
            a.state.to_owned(),
            a.names.to_string(),
            a.invited.to_string(),
            a.delivered.to_string(),
            a.opened.to_string(),
            a.in_doubt.to_string(),
            format!("{}/{}", a.completed, a.target),
            output::percent(a.rr1),
            output::percent(a.chance),
            a.closed_by.or(a.field_closes.as_deref()).unwrap_or_default().to_owned(),
        ]
    };
    let header = ["application", "state", "names", "invited", "delivered", "opened", "in doubt", "completed", "RR1", "chance", "closes"];
    output::table(&header, &status.applications.iter().map(cells).collect::<Vec<_>>());
    let in_cells = status.applications.iter().flat_map(|a| a.cells.iter().filter(|cell| cell.segment != "*").map(|cell| (a.code.clone(), cell)));
    let in_cells: Vec<Vec<String>> =
        in_cells.map(|(code, cell)| vec![code, cell.segment.clone(), cell.kind.to_owned(), format!("{}/{}", cell.completed, cell.target)]).collect();
    if !in_cells.is_empty() {
        output::table(&["application", "cell", "kind", "completed"], &in_cells);
    }
    Ok(())
}
