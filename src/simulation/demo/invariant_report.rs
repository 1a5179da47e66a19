//! The demo's report on the invariants, computed from the simulator's record and from the cases
//! themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::after_the_field::{ErasureReport, ScoringReport};
use super::clusters::ClusterCounts;
use super::console::ConsoleReport;
use super::fixture::{Fixture, RATE_PER_SECOND};
use super::simulate::SimulationOutcome;
use super::webhook_receiver::WebhookReport;
use crate::adapters::database::datasets::{self, FreezeReason};
use crate::adapters::database::{
    alarms, application_events, applications, calls, cases, consents, forecasts, links, messages,
    paradata, rates, replies, responses,
};
use crate::domain::mode::Mode;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::forecasting::ApplicationForecast;
use crate::services::{self, campaigns};
use crate::simulation::TrafficRecord;

/// The demo's result. Its keys are a contract: keys are added, never renamed.
#[derive(Serialize)]
pub struct DemoReport {
    pub applications: Vec<ApplicationReport>,
    pub duplicate_submits: u64,
    pub outside_hours: u64,
    pub over_rate: u64,
    pub over_quota: u64,
    pub messages: u64,
    pub virtual_days: u64,
    pub wall_seconds: f64,
    pub seed: u64,
    /// Messages whose response was lost, and those of them that a query settled.
    pub in_doubt: u64,
    pub in_doubt_settled: u64,
    /// Receipts and replies pushed by the gateway.
    pub pushes: u64,
    /// Page visits of people.
    pub visits: u64,
    pub datasets_verified: u64,
    /// Messages that the first gateway did not accept and the second did, and how often the first
    /// one's circuit had opened in a row at the end.
    pub failed_over: u64,
    pub circuit_openings: u32,
    /// Confirmed opt-outs.
    pub confirmations: u64,
    /// Replies in the staff's inbox, and those that request a call.
    pub inbox: u64,
    pub call_backs: u64,
    /// Replies that the staff answered by SMS.
    pub replies_answered: u64,
    /// Number of hours over which nine tenths of the first day's messages were spread.
    pub spread_hours: f64,
    /// Outcome rates of each campaign, by their AAPOR names.
    pub outcome_rates: BTreeMap<&'static str, BTreeMap<&'static str, Option<f64>>>,
    /// Answers to the question that only dissatisfied respondents are asked.
    pub routed_answers: u64,
    /// Active and withdrawn consents to the privacy notice.
    pub consents: u64,
    pub consents_withdrawn: u64,
    /// People who requested a call on the page.
    pub web_call_backs: u64,
    /// Complete and partial responses that were too fast for their application's median, and those
    /// with the same point throughout.
    pub speeding: u64,
    pub straight_lining: u64,
    /// Responses that staff of an applicant gave for its users; how many of them stand in a cluster,
    /// how many honest ones do, and how many responses staff of the survey excluded.
    pub answered_for: u64,
    pub answered_for_found: u64,
    pub honest_in_clusters: u64,
    pub responses_excluded: u64,
    /// Hard and reserved cells that reached their target before the total, and the people whom one
    /// turned away (AAPOR 4.8).
    pub full_cells: u64,
    pub quota_filled: u64,
    /// Replicates of large lists, and those of them that were released.
    pub replicates: u64,
    pub replicates_released: u64,
    /// Cells of each application by name, with completes and targets.
    pub cells: BTreeMap<String, Vec<(String, u32, u32)>>,
    /// Extensions and holds that moved due days.
    pub deadline_changes: u64,
    /// Stored forecasts, and those whose band (eight cases in ten) contained the completes at the
    /// end of the field.
    pub forecasts: u64,
    pub forecasts_held: u64,
    /// Raised alarms, and messages to the duty officer's telephone.
    pub alarms: u64,
    pub notices: u64,
    /// Files of the datasets, and the id of the key that signed them.
    pub dataset_files: u64,
    pub signed_with: String,
    /// Datasets that were frozen again after a consent was withdrawn.
    pub corrected_versions: u64,
    /// Versions copied into the scoring step's folder, and those that it accepted.
    pub deliveries_arrived: u64,
    pub datasets_accepted: u64,
    /// A year later: erased people, certificates with valid signatures, and numbers of an earlier
    /// backup that can still be read.
    pub people_forgotten: u64,
    pub deletion_certificates: u64,
    pub readable_in_backups: u64,
    /// Console pages visited, people revealed by name, entries of the audit log, and whether its
    /// chain is intact.
    pub console_pages: u64,
    pub people_revealed: u64,
    pub audit_entries: u64,
    pub audit_whole: bool,
    /// Events received by another system through webhooks, and those with valid signatures.
    pub events_told: u64,
    pub events_signed: u64,
    /// Telephone attempts, the interviews they led to, and those with people who have no mobile.
    pub calls: u64,
    pub phone_interviews: u64,
    pub fixed_line_completes: u64,
    pub calls_outside_hours: u64,
    /// Agreed call-backs: called within a quarter of an hour of their time, and not.
    pub call_backs_kept: u64,
    pub call_backs_missed: u64,
    /// Completed SMS interviews, and the messages with their questions.
    pub sms_interviews: u64,
    pub sms_questions: u64,
    /// Paper forms: printed, keyed in, returned without answers, come after an answer in another mode,
    /// completed, keyed a second time, and the items that two keyers keyed differently.
    pub paper_printed: u64,
    pub paper_keyed: u64,
    pub paper_returned: u64,
    pub paper_came_after: u64,
    pub paper_completes: u64,
    pub paper_keyed_twice: u64,
    pub paper_differences: u64,
    /// Of an application form as a Word document: the applications that it declares, the people on
    /// its list, and the fields that their categories require and it lacks.
    pub form_applications: u64,
    pub form_people: u64,
    pub form_fields_missing: u64,
    /// Of a list over the category's limit: the people it was drawn from, those drawn, and the rows
    /// that go back to the applicant.
    pub list_drawn_from: u64,
    pub list_drawn: u64,
    pub list_rows_to_correct: u64,
    /// Lists that an applicant handed in on its own page, and those that were sent back.
    pub applicant_lists_handed_in: u64,
    pub applicant_lists_sent_back: u64,
    /// The version that was written and released on the console, and its differences.
    pub questionnaire_version: u64,
    pub questionnaire_changes: u64,
}

#[derive(Serialize)]
pub struct ApplicationReport {
    pub code: String,
    pub category: String,
    pub names: u64,
    pub invited: u64,
    pub delivered: u64,
    pub opened: u64,
    pub completed: u64,
    pub target: u32,
    pub rr1: Option<f64>,
    pub closed_by: Option<String>,
    pub dataset: Option<String>,
    pub dispositions: Vec<(String, u64)>,
}

/// The reports of the steps after the fields are closed.
pub type PostFieldReports<'a> =
    (&'a ScoringReport, &'a ErasureReport, &'a ConsoleReport, &'a WebhookReport, &'a ClusterCounts);

pub async fn invariant_report(
    fixture: &Fixture,
    seed: u64,
    simulated: &SimulationOutcome,
    (scoring, erased, console_report, webhooks, clusters): PostFieldReports<'_>,
    began: Instant,
) -> Result<DemoReport> {
    let record = fixture.simulator.record();
    let mut applications = Vec::new();
    let (mut over_quota, mut in_doubt_left, mut verified) = (0, 0, 0);
    let (mut full_cells, mut quota_filled) = (0, 0);
    let (mut replicates, mut replicates_released, mut cells) = (0, 0, BTreeMap::new());
    let mut forecasts = (0, 0);
    let key = fixture.context.keys.signer()?.public();
    let (mut dataset_files, mut signed_with) = (0, String::new());
    let mut corrected = datasets::all(&mut *fixture.context.database.read().await?).await?;
    corrected.retain(|dataset| dataset.reason == FreezeReason::Withdrawal);
    let mut outcome_rates = BTreeMap::new();
    for code in Fixture::campaign_codes() {
        let all = campaigns::rates(&fixture.context, code, campaigns::RateGrouping::Application)
            .await?
            .swap_remove(0);
        outcome_rates.insert(
            code,
            all.rates
                .into_iter()
                .map(|(name, rate)| (name, rate.map(round_to_four_places)))
                .collect(),
        );
        let status = campaigns::status(&fixture.context, code).await?;
        replicates += status.replicates_released + status.replicates_held_back;
        replicates_released += status.replicates_released;
        for application in status.applications {
            quota_filled += application
                .dispositions
                .iter()
                .filter(|(name, _)| name.starts_with("4.8"))
                .map(|(_, cases)| cases)
                .sum::<u64>();
            let is_hard = |cell: &&campaigns::CellStatus| cell.kind != "soft";
            over_quota += application.completed.saturating_sub(u64::from(application.target));
            over_quota += application
                .cells
                .iter()
                .filter(is_hard)
                .map(|cell| u64::from(cell.completed.saturating_sub(cell.target)))
                .sum::<u64>();
            full_cells += application
                .cells
                .iter()
                .filter(is_hard)
                .filter(|cell| cell.segment != "*" && cell.completed >= cell.target)
                .count() as u64;
            in_doubt_left += application.in_doubt;
            let cell_counts = application
                .cells
                .iter()
                .filter(|cell| cell.segment != "*")
                .map(|cell| (cell.segment.clone(), cell.completed, cell.target));
            cells.insert(application.code.clone(), cell_counts.collect());
            let counted =
                count_forecasts(fixture, &application.code, application.completed).await?;
            forecasts = (forecasts.0 + counted.0, forecasts.1 + counted.1);
            if let Some(folder) = &application.dataset {
                let checked = services::datasets::verify(Path::new(folder), Some(&key))?;
                (dataset_files, signed_with) = (checked.files as u64, checked.signed_with);
                verified += 1;
            }
            applications.push(ApplicationReport {
                code: application.code,
                category: application.category.to_owned(),
                names: application.names,
                invited: application.invited,
                delivered: application.delivered,
                opened: application.opened,
                completed: application.completed,
                target: application.target,
                rr1: application.rr1.map(round_to_four_places),
                closed_by: application.closed_by.map(str::to_owned),
                dataset: application.dataset,
                dispositions: application.dispositions,
            });
        }
    }
    let message_counts = count_messages(fixture, &record).await?;
    let zone = fixture.plan.time_zone.into();
    let call_counts = count_calls(fixture).await?;
    let fixed_line_completes =
        applications.iter().filter(|a| a.code == FIXED_LINES).map(|a| a.completed).sum();
    // The duty officer is notified at any hour.
    let to_people = record.submits.iter().filter(|(_, reference)| !reference.starts_with("notice"));
    let outside = to_people.filter(|(at, _)| !fixture.plan.hours.is_open(*at, &zone)).count();
    Ok(DemoReport {
        applications,
        duplicate_submits: record.duplicates(),
        outside_hours: outside as u64,
        over_rate: record.over_rate(RATE_PER_SECOND),
        over_quota,
        messages: record.accepted.values().map(|&n| u64::from(n)).sum(),
        virtual_days: fixture.now().since(fixture.began_at).as_secs() / 86_400,
        wall_seconds: (began.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        seed,
        in_doubt: simulated.settled + in_doubt_left,
        in_doubt_settled: simulated.settled,
        pushes: record.pushes,
        visits: record.visits,
        datasets_verified: verified,
        failed_over: message_counts.failed_over,
        circuit_openings: message_counts.circuit_openings,
        confirmations: message_counts.confirmations,
        inbox: message_counts.inbox,
        call_backs: message_counts.call_backs,
        replies_answered: message_counts.replies_answered,
        spread_hours: message_counts.spread_hours,
        outcome_rates,
        routed_answers: message_counts.routed_answers,
        consents: message_counts.consents.0,
        consents_withdrawn: message_counts.consents.1,
        web_call_backs: message_counts.web_call_backs,
        speeding: message_counts.flagged.0,
        straight_lining: message_counts.flagged.1,
        answered_for: clusters.answered_for,
        answered_for_found: clusters.found,
        honest_in_clusters: clusters.honest,
        responses_excluded: clusters.excluded,
        full_cells,
        quota_filled,
        replicates,
        replicates_released,
        cells,
        forecasts: forecasts.0,
        forecasts_held: forecasts.1,
        alarms: alarms::list(&mut *fixture.context.database.read().await?, true).await?.len()
            as u64,
        notices: record
            .submits
            .iter()
            .filter(|(_, reference)| reference.starts_with("notice"))
            .count() as u64,
        dataset_files,
        signed_with,
        corrected_versions: corrected.len() as u64,
        deliveries_arrived: scoring.arrived,
        datasets_accepted: scoring.accepted,
        people_forgotten: erased.people,
        deletion_certificates: erased.certificates,
        readable_in_backups: erased.readable,
        console_pages: console_report.pages,
        people_revealed: console_report.revealed,
        audit_entries: console_report.entries,
        audit_whole: console_report.is_whole,
        events_told: webhooks.events,
        events_signed: webhooks.signed,
        form_applications: 0,
        form_people: 0,
        form_fields_missing: 0,
        list_drawn_from: 0,
        list_drawn: 0,
        list_rows_to_correct: 0,
        applicant_lists_handed_in: 0,
        applicant_lists_sent_back: 0,
        questionnaire_version: 0,
        questionnaire_changes: 0,
        calls: call_counts.calls,
        phone_interviews: call_counts.interviews,
        fixed_line_completes,
        calls_outside_hours: call_counts.outside_hours,
        call_backs_kept: call_counts.on_time,
        call_backs_missed: call_counts.missed,
        sms_interviews: responses::completed_in(
            &mut *fixture.context.database.read().await?,
            Mode::Sms,
        )
        .await?,
        paper_printed: simulated.paper.printed,
        paper_keyed: simulated.paper.keyed,
        paper_returned: simulated.paper.returned,
        paper_came_after: simulated.paper.came_after,
        paper_completes: responses::completed_in(
            &mut *fixture.context.database.read().await?,
            Mode::Paper,
        )
        .await?,
        paper_keyed_twice: simulated.paper.keyed_twice,
        paper_differences: simulated.paper.differences,
        sms_questions: messages::questions_asked(&mut *fixture.context.database.read().await?)
            .await?,
        deadline_changes: application_events::count_deadline_changes(
            &mut *fixture.context.database.read().await?,
        )
        .await?,
    })
}

/// The application whose owners have only fixed lines.
const FIXED_LINES: &str = "LQ-HILL";
/// Tolerance within which an agreed call is on time.
const CALL_BACK_TOLERANCE: Duration = Duration::from_secs(15 * 60);

#[derive(Default)]
struct CallCounts {
    calls: u64,
    interviews: u64,
    outside_hours: u64,
    on_time: u64,
    missed: u64,
}

async fn count_calls(fixture: &Fixture) -> Result<CallCounts> {
    let all = calls::all_since(&mut *fixture.context.database.read().await?, Timestamp(0)).await?;
    let mut call_counts = CallCounts::default();
    for call in &all {
        call_counts.calls += u64::from(call.outcome.is_some_and(CallOutcome::is_attempt));
        call_counts.interviews += u64::from(call.outcome == Some(CallOutcome::Interviewed));
        // The hours are those where the person is.
        let to =
            links::invited_person(&mut *fixture.context.database.read().await?, call.invitation)
                .await?;
        let zones = fixture.plan.zones_of(to.zone.as_deref());
        call_counts.outside_hours += u64::from(!fixture.plan.hours.is_open(call.begun_at, &zones));
        let Some(promised) = call.call_back_at else { continue };
        // There is no call if the field had closed by then, or if the respondent had answered
        // alone.
        if let Some(next) = all
            .iter()
            .find(|next| next.invitation == call.invitation && next.begun_at > call.begun_at)
        {
            let is_on_time =
                next.begun_at >= promised && next.begun_at.since(promised) <= CALL_BACK_TOLERANCE;
            *if is_on_time { &mut call_counts.on_time } else { &mut call_counts.missed } += 1;
        }
    }
    Ok(call_counts)
}

/// Counts the stored forecasts of an application, and those whose band contained the final
/// completes.
async fn count_forecasts(fixture: &Fixture, code: &str, completed: u64) -> Result<(u64, u64)> {
    let mut connection = fixture.context.database.read().await?;
    let Some(application) = applications::find(&mut connection, code).await? else {
        return Ok((0, 0));
    };
    // A response withdrawn after the field had closed was a complete when it closed.
    let completed = completed + cases::withdrawn(&mut connection, application.id).await?;
    let (mut all, mut held) = (0, 0);
    for stored in forecasts::of_application(&mut connection, application.id).await? {
        let forecast: ApplicationForecast = serde_json::from_str(&stored.document)?;
        all += 1;
        held += u64::from(
            (forecast.completes.low.into()..=forecast.completes.high.into()).contains(&completed),
        );
    }
    Ok((all, held))
}

fn round_to_four_places(rate: f64) -> f64 {
    (rate * 10_000.0).round() / 10_000.0
}

struct MessageCounts {
    failed_over: u64,
    circuit_openings: u32,
    confirmations: u64,
    inbox: u64,
    call_backs: u64,
    replies_answered: u64,
    spread_hours: f64,
    routed_answers: u64,
    consents: (u64, u64),
    web_call_backs: u64,
    flagged: (u64, u64),
}

async fn count_messages(fixture: &Fixture, record: &TrafficRecord) -> Result<MessageCounts> {
    let mut connection = fixture.context.database.read().await?;
    let states = rates::states(&mut connection, fixture.now()).await?;
    let first_day = |at: &Timestamp| at.since(fixture.began_at).as_secs() < 86_400;
    let mut submits: Vec<Timestamp> =
        record.submits.iter().map(|(at, _)| *at).filter(first_day).collect();
    submits.sort_unstable();
    let (from, to) = (
        submits.first().copied().unwrap_or(fixture.began_at),
        submits.get(submits.len() * 9 / 10).copied().unwrap_or(fixture.began_at),
    );
    let (mut given, mut withdrawn) = (0, 0);
    for (_, stand, taken_back) in consents::count(&mut connection).await? {
        given += stand;
        withdrawn += taken_back;
    }
    let flagged = paradata::count_flagged(&mut connection).await?;
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(MessageCounts {
        consents: (number(given), number(withdrawn)),
        web_call_backs: replies::from_gateway(&mut connection, "web").await?,
        flagged,
        failed_over: messages::failed_over(&mut connection).await?,
        circuit_openings: states.get("first").map_or(0, |state| state.circuit_open_count),
        confirmations: messages::confirmed_opt_outs(&mut connection).await?,
        inbox: replies::inbox(&mut connection, None, false).await?.len() as u64,
        call_backs: replies::inbox(&mut connection, Some("call_me"), false).await?.len() as u64,
        replies_answered: messages::staff_answers_sent(&mut connection).await?,
        routed_answers: responses::answers_to(&mut connection, "why1").await?,
        spread_hours: (to.since(from).as_secs_f64() / 360.0).round() / 10.0,
    })
}
