//! `campaign launch|pause|resume|budget|close|list|rates|forecast|status`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::{dataset, forecast, output, read_text};
use crate::adapters::database::campaigns::{self, CampaignState};
use crate::adapters::database::datasets::Dataset;
use crate::adapters::database::{applications, programmes};
use crate::domain::contact_plan::PlanFile;
use crate::domain::outcome_rates::OutcomeRate;
use crate::interfaces::errors::CommandError;
use crate::services;
use crate::services::campaigns::{LaunchReport, LaunchRequest};
use crate::services::context::AppContext;
use crate::services::versions::ExpectedVersion;
use crate::services::{deadlines, drafts, forecasting};

#[derive(Subcommand)]
pub enum CampaignCommand {
    /// Check everything, show parts and cost, and start the campaign
    Launch {
        code: String,
        #[arg(long, value_name = "CODE[,CODE…]", value_delimiter = ',', required = true)]
        application: Vec<String>,
        /// The TOML file of the contact plan
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// A gateway or a route of the configuration
        #[arg(long, value_name = "NAME")]
        gateway: String,
        /// Pause before more than this amount is spent
        #[arg(long, value_name = "AMOUNT", value_parser = amount)]
        budget: Option<f64>,
        /// Seed of the draw of replicates, for lists larger than the need; recorded with the
        /// campaign; random if omitted
        #[arg(long, value_name = "WORD")]
        seed: Option<String>,
        /// Check everything and show parts and cost; launch nothing
        #[arg(long)]
        dry_run: bool,
        /// Launch without a second person where the configuration asks for one; the reason is
        /// written down in the audit log
        #[arg(long, value_name = "REASON")]
        alone: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Stop sending until the campaign is resumed; respondents can still answer
    Pause { code: String },
    /// Resume sending
    Resume { code: String },
    /// Set the budget, or «none»; resume a campaign that its budget has paused
    Budget {
        code: String,
        #[arg(value_name = "AMOUNT|none")]
        amount: String,
    },
    /// Close the field now and write the datasets
    Close { code: String },
    /// List all campaigns, the latest first
    List {
        #[arg(long)]
        json: bool,
    },
    /// Show the AAPOR outcome rates of the campaign and of groups of its cases
    Rates {
        code: String,
        #[arg(long, value_enum, default_value = "application")]
        by: RateGroupingArgument,
        #[arg(long)]
        json: bool,
    },
    /// Forecast completes by the due day, the chance of each quota, and interventions
    Forecast {
        code: String,
        #[arg(long)]
        json: bool,
    },
    /// Show the state of a campaign
    Status {
        code: String,
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(context: &AppContext, command: CampaignCommand) -> Result<()> {
    match command {
        CampaignCommand::Launch {
            code,
            application,
            plan,
            gateway,
            budget,
            seed,
            dry_run,
            alone,
            json,
        } => {
            let file = read_plan(&plan)?;
            if alone.as_deref().is_some_and(|reason| reason.trim().is_empty()) {
                bail!(CommandError::InvalidOption("--alone: say why".into()));
            }
            if context.config.console.four_eyes && !dry_run && alone.is_none() {
                return request_launch(context, &code, &application, &file, &gateway, budget).await;
            }
            let request = LaunchRequest {
                code: &code,
                applications: &application,
                plan: &file,
                gateway: &gateway,
                budget,
                seed: seed.as_deref(),
                dry_run,
            };
            let report = services::campaigns::launch(context, &request)
                .await
                .with_context(|| plan.display().to_string())?;
            if json { output::print_json(&report) } else { print_launch_report(&report, dry_run) }
        }
        CampaignCommand::Pause { code } => {
            services::campaigns::change_state(context, &code, CampaignState::Paused).await?;
            print_line!("campaign {code} is paused");
            Ok(())
        }
        CampaignCommand::Resume { code } => {
            services::campaigns::change_state(context, &code, CampaignState::Running).await?;
            print_line!("campaign {code} is running");
            Ok(())
        }
        CampaignCommand::Budget { code, amount: raw } => {
            let budget =
                if raw == "none" { None } else { Some(amount(&raw).map_err(anyhow::Error::msg)?) };
            let expected = ExpectedVersion::Any;
            services::campaigns::set_budget(context, &code, budget, &expected).await?;
            print_line!(
                "campaign {code} has {}",
                budget.map_or("no budget".to_owned(), |budget| format!("a budget of {budget:.2}"))
            );
            Ok(())
        }
        CampaignCommand::Close { code } => {
            let closed = deadlines::close_campaign(context, &code).await?;
            let said = format!("campaign {code} is closed: {}", closed.join(", "));
            let safe = format!("{said}; the data is frozen and safe in the database");
            let is_meant = |dataset: &Dataset| closed.contains(&dataset.application_code);
            dataset::write_files(context, &safe, is_meant).await?;
            print_line!("{said}");
            Ok(())
        }
        CampaignCommand::Rates { code, by, json } => {
            let rates = services::campaigns::rates(context, &code, by.into()).await?;
            if json { output::print_json(&rates) } else { print_rates(&rates) }
        }
        CampaignCommand::Forecast { code, json } => {
            let forecasts = forecasting::forecast_campaign(context, &code).await?;
            if json {
                output::print_json(&forecasts)
            } else {
                forecast::print_forecasts(&forecasts)
            }
        }
        CampaignCommand::List { json } => list(context, json).await,
        CampaignCommand::Status { code, json } => {
            let status = services::campaigns::status(context, &code).await?;
            if json { output::print_json(&status) } else { print_status(&status) }
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum RateGroupingArgument {
    Application,
    /// The mode of the contact that `wave` names
    Mode,
    Segment,
    /// The last step that contacted a respondent before the first reaction
    Wave,
}

impl From<RateGroupingArgument> for services::campaigns::RateGrouping {
    fn from(by: RateGroupingArgument) -> services::campaigns::RateGrouping {
        match by {
            RateGroupingArgument::Application => services::campaigns::RateGrouping::Application,
            RateGroupingArgument::Mode => services::campaigns::RateGrouping::Mode,
            RateGroupingArgument::Segment => services::campaigns::RateGrouping::Segment,
            RateGroupingArgument::Wave => services::campaigns::RateGrouping::Wave,
        }
    }
}

/// Prints one column for each group, and one row for each count and rate.
fn print_rates(rates: &[services::campaigns::GroupRates]) -> Result<()> {
    let mut header = vec!["rate"];
    header.extend(rates.iter().map(|group_rates| group_rates.group.as_str()));
    type Count = fn(&services::campaigns::GroupRates) -> u64;
    let counted: [(&str, Count); 9] = [
        ("cases", |group_rates| group_rates.cases),
        ("complete (I)", |group_rates| group_rates.complete),
        ("partial (P)", |group_rates| group_rates.partial),
        ("refusal, break-off (R)", |group_rates| group_rates.refusal),
        ("non-contact (NC)", |group_rates| group_rates.non_contact),
        ("other (O)", |group_rates| group_rates.other),
        ("unknown (U)", |group_rates| group_rates.unknown),
        ("not eligible (4.1)", |group_rates| group_rates.not_eligible),
        ("turned away (4.8)", |group_rates| group_rates.turned_away),
    ];
    let row = |name: &str, cells: Vec<String>| {
        std::iter::once(name.to_owned()).chain(cells).collect::<Vec<String>>()
    };
    let mut rows: Vec<Vec<String>> = counted
        .iter()
        .map(|(name, count)| {
            row(name, rates.iter().map(|group_rates| count(group_rates).to_string()).collect())
        })
        .collect();
    let shares = rates.iter().map(|group_rates| output::format_percent(group_rates.eligible_share));
    rows.push(row("e (eligible of U)", shares.collect()));
    rows.extend(OutcomeRate::ALL.iter().map(|rate| {
        row(
            rate.name(),
            rates
                .iter()
                .map(|group_rates| output::format_percent(group_rates.rates[rate.name()]))
                .collect(),
        )
    }));
    output::print_table(&header, &rows);
    Ok(())
}

/// Parses an amount of money.
fn amount(raw: &str) -> Result<f64, String> {
    match raw.parse::<f64>() {
        Ok(amount) if amount.is_finite() && amount >= 0.0 => Ok(amount),
        _ => Err(format!("«{raw}» is no amount of money; write it like 500 or 49.90")),
    }
}

async fn list(context: &AppContext, as_json: bool) -> Result<()> {
    let mut connection = context.database.read().await?;
    let mut rows = Vec::new();
    for campaign in campaigns::all(&mut connection).await? {
        let zone = programmes::get(&mut connection, campaign.programme_id).await?.time_zone;
        let codes: Vec<String> = applications::of_campaign(&mut connection, campaign.id)
            .await?
            .into_iter()
            .map(|a| a.code)
            .collect();
        rows.push((campaign.launched_at.rfc3339(zone), campaign, codes));
    }
    if as_json {
        let items = rows.iter().map(|(launched_at, campaign, codes)| {
            json!({ "code": campaign.code, "state": campaign.state.as_str(), "gateway": campaign.gateway, "launched_at": launched_at, "applications": codes })
        });
        return output::print_json(&items.collect::<Vec<_>>());
    }
    let cells = |(launched_at, campaign, codes): &(String, campaigns::Campaign, Vec<String>)| {
        vec![
            campaign.code.clone(),
            campaign.state.as_str().to_owned(),
            campaign.gateway.clone(),
            launched_at.clone(),
            codes.join(", "),
        ]
    };
    output::print_table(
        &["code", "state", "gateway", "launched", "applications"],
        &rows.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}

/// Stores a draft and requests its launch in the name of the operating system's user; an account of
/// another name approves it on the console.
async fn request_launch(
    context: &AppContext,
    code: &str,
    applications: &[String],
    plan: &PlanFile,
    gateway: &str,
    budget: Option<f64>,
) -> Result<()> {
    let actor = output::os_user();
    let (applications, plan) = (applications.join(","), serde_json::to_value(plan)?);
    let entered = drafts::campaigns::EnteredDraft {
        code,
        applications: &applications,
        plan: &plan,
        gateway,
        budget,
    };
    drafts::campaigns::save(context, &actor, &entered, &ExpectedVersion::Any).await?;
    let draft = drafts::campaigns::find(context, code).await?;
    drafts::campaigns::check(context, &draft).await?;
    drafts::campaigns::request_launch(context, &draft, &actor).await?;
    print_line!(
        "{code} waits for a second person, who launches it at {}/drafts/{code}",
        context.config.public_url
    );
    Ok(())
}

/// Reads a plan's file, and the holidays files that it names, relative to the plan's folder.
pub fn read_plan(path: &std::path::Path) -> Result<PlanFile> {
    let name = || path.display().to_string();
    let mut file = PlanFile::parse(&read_text(path)?).with_context(name)?;
    for holidays in file.holidays.names().to_vec() {
        let beside = path.parent().unwrap_or(std::path::Path::new(".")).join(holidays);
        let text = read_text(&beside).with_context(|| format!("{}: holidays", name()))?;
        file = file.with_calendar(&text).with_context(|| beside.display().to_string())?;
    }
    Ok(file)
}

fn print_launch_report(report: &LaunchReport, dry_run: bool) -> Result<()> {
    let verb = if dry_run { "could be launched" } else { "is launched" };
    print_line!(
        "campaign {} {verb}: {} people, {} of them by telephone only",
        report.campaign,
        report.invitations,
        report.without_mobile
    );
    for year in &report.years_without_holidays {
        print_line!(
            "  warning: the plan reaches {year}, and its calendar has no holiday of {year}; name a \
                holidays file in the plan, or enter the year on the console (/holidays)"
        );
    }
    if report.outside_contact_hours > 0 {
        print_line!(
            "{} people abroad are never contacted: the plan's hours share no hour of all their \
                zones",
            report.outside_contact_hours
        );
    }
    if report.unroutable > 0 {
        print_line!(
            "{} people are never contacted: no gateway takes their numbers",
            report.unroutable
        );
    }
    for value in &report.shortened {
        print_line!(
            "step {}: gateway {} takes {} characters for {}; it is shortened for {} people (up to \
                {}, such as «{}»)",
            value.step,
            value.gateway,
            value.limit,
            value.parameter,
            value.people,
            value.longest,
            value.example
        );
    }
    let steps = report.steps.iter().map(|s| {
        vec![
            s.name.clone(),
            s.starts_at.clone(),
            s.ends_at_latest.clone(),
            s.longest_message_parts.to_string(),
            s.parts.to_string(),
        ]
    });
    output::print_table(
        &["step", "begins", "done at the latest", "parts of the longest", "parts"],
        &steps.collect::<Vec<_>>(),
    );
    let applications = report.applications.iter().map(|a| {
        vec![a.code.clone(), a.names.to_string(), a.target.to_string(), a.dataset_due.clone()]
    });
    output::print_table(
        &["application", "names", "target", "dataset due"],
        &applications.collect::<Vec<_>>(),
    );
    if let Some(seed) = &report.draw_seed {
        print_line!(
            "{} people are held back in replicates, drawn with the seed {seed}; they follow as \
                the response rate shows the need",
            report.held_back
        );
    }
    print_line!("respondents agree to the privacy notice {}", report.privacy_notice);
    print_line!(
        "if everybody gets every step: {} parts, {:.2} {}",
        report.parts_at_most,
        report.cost_at_most,
        report.currency
    );
    Ok(())
}

fn print_status(status: &services::campaigns::CampaignStatus) -> Result<()> {
    let why = status.paused_because.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    let budget = status.budget.map(|budget| format!(" of {budget:.2}")).unwrap_or_default();
    print_line!(
        "campaign {} is {}{why}; {} parts sent, {:.2}{budget} {}",
        status.code,
        status.state,
        status.parts_sent,
        status.cost,
        status.currency
    );
    if let Some(until) = &status.gateway_paused_until {
        print_line!("gateway {} is paused until {until}", status.gateway);
    }
    if status.replicates_held_back > 0 {
        let (released, held_back, people) =
            (status.replicates_released, status.replicates_held_back, status.held_back);
        print_line!(
            "{released} replicates are in the field, {held_back} with {people} people are held \
                back"
        );
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
            output::format_percent(a.rr1),
            output::format_percent(a.chance),
            a.closed_by.or(a.field_closes.as_deref()).unwrap_or_default().to_owned(),
        ]
    };
    let header = [
        "application",
        "state",
        "names",
        "invited",
        "delivered",
        "opened",
        "in doubt",
        "completed",
        "RR1",
        "chance",
        "closes",
    ];
    output::print_table(&header, &status.applications.iter().map(cells).collect::<Vec<_>>());
    let in_cells = status.applications.iter().flat_map(|a| {
        a.cells.iter().filter(|cell| cell.segment != "*").map(|cell| (a.code.clone(), cell))
    });
    let in_cells: Vec<Vec<String>> = in_cells
        .map(|(code, cell)| {
            vec![
                code,
                cell.segment.clone(),
                cell.kind.to_owned(),
                format!(
                    "{}/{}{}",
                    cell.completed,
                    cell.target,
                    output::format_minimum(cell.minimum)
                ),
            ]
        })
        .collect();
    if !in_cells.is_empty() {
        output::print_table(&["application", "cell", "kind", "completed"], &in_cells);
    }
    Ok(())
}
