//! `demo`: runs a whole programme on loopback in virtual time ([`crate::simulation::demo`]), and
//! prints its progress or one JSON object.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::simulation::demo::{self, ApplicationReport, DemoReport, Narrator};

#[derive(Args)]
pub struct DemoArguments {
    /// Folder for the demo's database, keys, log and datasets
    #[arg(long, value_name = "DIR", default_value = "fieldworkd-demo")]
    dir: PathBuf,
    /// Seed of the simulation; the same seed gives the same figures
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of the progress
    #[arg(long)]
    json: bool,
    /// Keep the server running afterwards and print links to its pages
    #[arg(long)]
    open: bool,
}

/// Prints progress, unless JSON is requested.
struct Terminal {
    is_json: bool,
    bar: ProgressBar,
}

impl Narrator for Terminal {
    fn line(&mut self, line: &str) {
        if !self.is_json {
            print_line!("{line}");
        }
    }

    fn days(&mut self, gone: u64, of: u64) {
        if of == 0 {
            return self.bar.finish_and_clear();
        }
        self.bar.set_length(of);
        self.bar.set_position(gone);
    }
}

pub async fn run(arguments: DemoArguments) -> Result<()> {
    let mut terminal = Terminal { is_json: arguments.json, bar: progress_bar(arguments.json) };
    let demo = demo::run(&arguments.dir, arguments.seed, &mut terminal).await?;
    if arguments.json {
        output::print_json(&demo.report)?;
    } else {
        show(&demo.report);
        if let Some(interview) = demo.one_interview().await? {
            print_line!("\n{interview}");
        }
    }
    if arguments.open {
        let lines = ["Open in a browser (stop with Ctrl-C):".to_owned()]
            .into_iter()
            .chain(demo.links().await?);
        // With --json, standard output holds nothing but the JSON object.
        lines.for_each(
            |line| if arguments.json { eprintln!("{line}") } else { print_line!("{line}") },
        );
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

fn progress_bar(is_json: bool) -> ProgressBar {
    let visible = !is_json && std::io::stderr().is_terminal();
    let bar = ProgressBar::with_draw_target(
        None,
        if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    if let Ok(style) = ProgressStyle::with_template("  {wide_bar} day {pos} of {len}") {
        bar.set_style(style);
    }
    bar
}

fn show(report: &DemoReport) {
    print_line!(
        "  {} messages, {} receipts and replies, {} page visits in {} virtual days\n",
        report.messages,
        report.pushes,
        report.visits,
        report.virtual_days
    );
    let header = [
        "application",
        "category",
        "names",
        "invited",
        "delivered",
        "opened",
        "completed",
        "target",
        "RR1",
        "closed by",
        "dataset",
    ];
    let cells = |a: &ApplicationReport| {
        vec![
            a.code.clone(),
            a.category.clone(),
            a.names.to_string(),
            a.invited.to_string(),
            a.delivered.to_string(),
            a.opened.to_string(),
            a.completed.to_string(),
            a.target.to_string(),
            output::format_percent(a.rr1),
            a.closed_by.clone().unwrap_or_default(),
            a.dataset.clone().unwrap_or_default(),
        ]
    };
    output::print_table(&header, &report.applications.iter().map(cells).collect::<Vec<_>>());
    print_line!(
        "\nThe invariants, counted from outside: sent twice {}, outside hours {}, over the rate \
            {}, over quota {}; in doubt {}, of these settled {}; datasets verified {} of {}",
        report.duplicate_submits,
        report.outside_hours,
        report.over_rate,
        report.over_quota,
        report.in_doubt,
        report.in_doubt_settled,
        report.datasets_verified,
        report.applications.len()
    );
    print_line!(
        "Around the message: the first gateway was down, {} messages went through the second; \
            the first wave was spread over {} hours; {} opt-outs confirmed; {} replies answered by \
            the staff, {} wait for them, {} of these want a call",
        report.failed_over,
        report.spread_hours,
        report.confirmations,
        report.replies_answered,
        report.inbox,
        report.call_backs
    );
    let rates = report.outcome_rates.iter().map(|(code, rates)| {
        let rates = ["RR1", "RR3", "COOP1", "REF1", "CON1"].map(|name| {
            format!("{name} {}", output::format_percent(rates.get(name).copied().flatten()))
        });
        format!("{code}: {}", rates.join(" "))
    });
    print_line!("Outcome rates (AAPOR): {}", rates.collect::<Vec<_>>().join("; "));
    print_line!(
        "The questionnaire's way: {} of the dissatisfied said why; nobody else was asked",
        report.routed_answers
    );
    print_line!(
        "Consent: {} agreed to the privacy notice, {} withdrew; {} asked on the page to be \
            called. Flagged and kept: {} speeding, {} straight-lining",
        report.consents,
        report.consents_withdrawn,
        report.web_call_backs,
        report.speeding,
        report.straight_lining
    );
    print_line!(
        "Answers from one place: staff of an applicant answered for {} of its users; {} of these \
            stood out, {} honest ones did; {} were excluded",
        report.answered_for,
        report.answered_for_found,
        report.honest_in_clusters,
        report.responses_excluded
    );
    let cells = report.cells.iter().flat_map(|(code, cells)| {
        cells
            .iter()
            .map(move |(name, completed, target)| format!("{code} {name} {completed}/{target}"))
    });
    print_line!(
        "Quota cells by list and by answers: {}; {} turned away",
        cells.collect::<Vec<_>>().join(", "),
        report.quota_filled
    );
    print_line!(
        "Replicates of large lists: {} of {} were needed",
        report.replicates_released,
        report.replicates
    );
    print_line!(
        "Forecasts: {} were made on the way; in {} the band of eight cases in ten held what the \
            field ended with",
        report.forecasts,
        report.forecasts_held
    );
    print_line!(
        "Alarms: {} quotas were in danger; the duty officer's telephone rang {} times, with all \
            of them together each time",
        report.alarms,
        report.notices
    );
    print_line!(
        "The telephone: {} calls, {} interviews, {} of them with people who have no mobile; {} \
            promised call-backs kept, {} missed; {} calls outside hours",
        report.calls,
        report.phone_interviews,
        report.fixed_line_completes,
        report.call_backs_kept,
        report.call_backs_missed,
        report.calls_outside_hours
    );
    print_line!(
        "By SMS: {} interviews answered to the end, one question a message, {} messages",
        report.sms_interviews,
        report.sms_questions
    );
    print_line!(
        "On paper: {} forms printed, {} keyed in, {} of them complete, {} keyed by a second person \
            with {} difference settled; {} came back without answers",
        report.paper_printed,
        report.paper_keyed,
        report.paper_completes,
        report.paper_keyed_twice,
        report.paper_differences,
        report.paper_returned
    );
    print_line!(
        "Datasets: {} files each (CSV, Parquet, XLSX, Flow Results, Triple-S, codebook, report, \
            manifest), signed with the key {}; {} corrected after a consent was taken back",
        report.dataset_files,
        report.signed_with,
        report.corrected_versions
    );
    print_line!(
        "Hand-over: {} versions arrived in the scoring step's folder, {} were fetched, checked \
            and accepted over the pull API",
        report.deliveries_arrived,
        report.datasets_accepted
    );
    print_line!(
        "At the console: {} pages, {} person looked at; the audit log has {} entries and is {}",
        report.console_pages,
        report.people_revealed,
        report.audit_entries,
        if report.audit_whole { "whole" } else { "NOT what was written" }
    );
    print_line!(
        "Webhooks: {} events were sent to another system, {} of them signed; nothing of a person \
            in any",
        report.events_told,
        report.events_signed
    );
    print_line!(
        "A year later, in a copy restored from a backup: the data of {} people is deleted, {} \
            certificates are signed, {} of the backup's numbers can still be read",
        report.people_forgotten,
        report.deletion_certificates,
        report.readable_in_backups
    );
    print_line!("{:.1} s", report.wall_seconds);
}
