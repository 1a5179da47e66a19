//! `demo`: a whole programme on loopback, in virtual time, from the lists in `config/demo/`.
//!
//! The daemon's own web server and the gateway simulator run on loopback ports. The lists are
//! imported, the campaigns launched, and three months are simulated as fast as the machine allows.
//! The reported invariants are computed from the simulator's observations and from the cases
//! themselves, not from the daemon's own reports.

mod after_the_field;
mod clusters;
mod console;
mod fixture;
mod forms;
mod interview;
mod interviewers;
mod invariant_report;
mod paper;
mod questionnaire;
mod simulate;
mod webhook_receiver;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use fixture::Fixture;
pub use invariant_report::{ApplicationReport, DemoReport};

/// Receives the progress of the demo.
pub trait Narrator {
    fn line(&mut self, line: &str);
    /// Reports elapsed and total virtual days; both are 0 at the end.
    fn days(&mut self, gone: u64, of: u64);
}

/// A completed demo, with its servers still running.
pub struct Demo {
    fixture: Fixture,
    pub report: DemoReport,
}

/// Runs the whole programme in a folder.
pub async fn run(folder: &Path, seed: u64, narrator: &mut dyn Narrator) -> Result<Demo> {
    let began = Instant::now();
    let fixture = Fixture::create(folder, seed).await?;
    narrator.line(&format!(
        "fieldworkd demo, seed {seed}: everything on loopback, in {}",
        folder.display()
    ));
    let receiver = webhook_receiver::start(&fixture).await?;
    narrator.line("\nLists come in:");
    for line in fixture.import_lists().await? {
        narrator.line(&format!("  {line}"));
    }
    let form = fixture.read_form().await?;
    narrator.line(&format!("  {}", form.line));
    let long_list = fixture.read_long_list().await?;
    narrator.line(&format!("  {}", long_list.line));
    let handed_in = fixture.hand_in_a_list().await?;
    narrator.line(&format!("  {}", handed_in.line));
    let written = fixture.write_questionnaire().await?;
    narrator.line(&format!("  {}", written.line));
    narrator.line("\nCampaigns are launched:");
    for line in fixture.launch_campaigns().await? {
        narrator.line(&format!("  {line}"));
    }
    narrator.line("\nThree months pass:");
    let simulated =
        simulate::simulate(&fixture, seed, &mut |day, of| narrator.days(day, of)).await?;
    narrator.days(0, 0);
    after_the_field::withdraw_one_consent(&fixture).await?;
    let scoring = after_the_field::accept_datasets(&fixture).await?;
    let console_report = console::browse_pages(&fixture).await?;
    let webhooks = receiver.deliver_and_count(&fixture).await?;
    let clusters = clusters::count_clusters(&fixture).await?;
    let erased = after_the_field::erase_after_retention(&fixture).await?;
    let mut report = invariant_report::invariant_report(
        &fixture,
        seed,
        &simulated,
        (&scoring, &erased, &console_report, &webhooks, &clusters),
        began,
    )
    .await?;
    report.form_applications = form.applications;
    report.form_people = form.people;
    report.form_fields_missing = form.missing;
    report.questionnaire_version = written.version;
    report.questionnaire_changes = written.changes;
    report.applicant_lists_handed_in = handed_in.lists;
    report.applicant_lists_sent_back = handed_in.sent_back;
    report.list_drawn_from = long_list.drawn_from;
    report.list_drawn = long_list.drawn;
    report.list_rows_to_correct = long_list.to_correct;
    Ok(Demo { fixture, report })
}

impl Demo {
    /// Describes one completed interview.
    pub async fn one_interview(&self) -> Result<Option<String>> {
        interview::describe_one_interview(&self.fixture).await
    }

    /// Returns addresses to open while the servers run: personal links whose field is open, and the
    /// console.
    pub async fn links(&self) -> Result<Vec<String>> {
        let mut lines = interview::create_open_links(&self.fixture).await?;
        let (address, password) = console::add_administrator(&self.fixture).await?;
        lines.push(format!(
            "  the console: {address}, as demo, with the password {}",
            password.reveal()
        ));
        Ok(lines)
    }
}
