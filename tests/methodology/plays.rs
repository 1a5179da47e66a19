//! Plays the rows of the table of dispositions that come from what is known before the first contact,
//! from whoever else answers, and from silence; and tells where each other row is played.
//!
//! Public report: instedd/surveda#1073 (what a carrier says of a number is no proof of the person).

use std::collections::BTreeMap;

use crate::common::interviewers::{add_interviewer, next_call, record_outcome};
use crate::common::{CONSENT_FORM, PLAN, TestApp, local, number};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::cases::DispositionSource;
use fieldworkd::domain::disposition::Disposition;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::suppression::SuppressionReason;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::services::deadlines;
use fieldworkd::services::suppressions::{SuppressionRequest, suppress};
use fieldworkd::simulation::Scenario;

/// Where each row is played: the file of the test, and its function.
const PLAYED: [(&str, &str, &str); 30] = [
    ("1.1", "tests/methodology/mod.rs", "fields_come_to_the_rates_that_were_worked_by_hand"),
    ("1.2", "tests/methodology/mod.rs", "a_cell_that_fills_changes_nobodys_outcome_but_of_those"),
    ("2.11", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.111", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.112", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.1121", "tests/methodology/plays.rs", "what_is_known_before_the_launch_is_said"),
    ("2.1122", "tests/methodology/plays.rs", "what_staff_enter_while_the_field_is_open_is_told"),
    ("2.113", "tests/paper_forms.rs", "a_form_that_comes_back_without_answers_has_its_disposition"),
    ("2.12", "tests/methodology/mod.rs", "a_cell_that_fills_changes_nobodys_outcome_but_of_those"),
    (
        "2.121",
        "tests/methodology/plays.rs",
        "who_begins_and_answers_nothing_has_refused_in_silence",
    ),
    ("2.20", "tests/methodology/mod.rs", "a_cell_that_fills_changes_nobodys_outcome_but_of_those"),
    ("2.21", "tests/interviewer_pages.rs", "two_interviewers_work_side_by_side"),
    ("2.22", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.31", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.32", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.33", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.36", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("2.361", "tests/response_quality.rs", "many_from_one_device_are_seen_and_those_excluded"),
    ("3.11", "tests/methodology/plays.rs", "what_is_known_before_the_launch_is_said"),
    ("3.111", "tests/methodology/plays.rs", "what_is_known_before_the_launch_is_said"),
    ("3.12", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("3.13", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("3.19", "tests/quotas.rs", "a_full_cell_turns_away_who_comes_to_it"),
    ("3.30", "tests/methodology/plays.rs", "what_is_known_before_the_launch_is_said"),
    ("3.31", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("3.32", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("3.33", "tests/call_center.rs", "each_outcome_has_its_disposition_and_what_follows"),
    ("3.34", "tests/methodology/plays.rs", "a_wrong_number_blocks_the_person_and_nobody_else"),
    ("4.1", "tests/methodology/mod.rs", "fields_come_to_the_rates_that_were_worked_by_hand"),
    ("4.8", "tests/methodology/mod.rs", "a_cell_that_fills_changes_nobodys_outcome_but_of_those"),
];

#[test]
fn every_row_is_played_somewhere() {
    let all = Disposition::ALL.map(Disposition::code);
    assert!(PLAYED.iter().map(|(code, ..)| *code).eq(all), "a disposition that no test plays");
    for (code, file, test) in PLAYED {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(&format!("fn {test}")), "{code}: {file} has no {test}");
    }
}

fn hash(app: &TestApp, n: usize) -> String {
    let phone = Phone::parse(&number(n), phonenumber::country::CN).unwrap();
    app.context.keys.hasher().phone_hash(&phone)
}

async fn suppress_number(app: &TestApp, n: usize, reason: SuppressionReason) {
    let mut tx = app.context.database.write().await.unwrap();
    let phone_hash = hash(app, n);
    let request =
        SuppressionRequest { reason, programme: None, expires_at: None, phone_hash: &phone_hash };
    suppress(&mut tx, &request, DispositionSource::Staff, app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn push_reply(app: &TestApp, n: usize, text: &str) -> u16 {
    let at = app.clock.now().rfc3339(chrono_tz::UTC);
    let body = serde_json::json!({ "from": number(n), "text": text, "id": text, "at": at });
    app.push_replies(&body).await
}

async fn counts(app: &TestApp, application: &str) -> BTreeMap<String, u64> {
    app.dispositions(application).await.into_iter().collect()
}

fn expected(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(code, cases)| ((*code).to_owned(), *cases)).collect()
}

/// glific#2066: an upload must not make somebody reachable who had opted out.
#[tokio::test]
async fn what_is_known_before_the_launch_is_said() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.register_brand("A1", "a", "").await;
        let rows = "姓名,手机\n甲,13810000000\n乙,13810000001\n丙,13810000002\n丁,13810000003\n戊,010-65120001\n";
        app.import(&["A1"], rows.as_bytes()).await.unwrap();
        suppress_number(&app, 0, SuppressionReason::OptOut).await;
        suppress_number(&app, 1, SuppressionReason::Complaint).await;
        suppress_number(&app, 2, SuppressionReason::Invalid).await;
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        let known = [("2.1121", 2), ("3.11", 1), ("3.111", 1), ("3.30", 1)];
        assert_eq!(counts(&app, "A1").await, expected(&known), "{}: at once", app.engine);
        app.advance_until(local("2026-06-30T12:00:00")).await;
        // Only the one of whom nothing was known got messages.
        let references = app.simulator.record().accepted.len();
        assert_eq!(references, 3, "{}", app.engine);
        let known = [("2.1121", 2), ("2.20", 1), ("3.111", 1), ("3.30", 1)];
        assert_eq!(counts(&app, "A1").await, expected(&known), "{}", app.engine);
        let metadata = super::closed_dataset(&app).await;
        assert_eq!(metadata.rates["REF1"], Some(0.4), "{}: earlier refusals count", app.engine);
    }
}

#[tokio::test]
async fn what_staff_enter_while_the_field_is_open_is_told() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T12:00:00")).await;
        suppress_number(&app, 0, SuppressionReason::Complaint).await;
        // By the person's own reply.
        assert_eq!(push_reply(&app, 1, "退订").await, 200);
        let known = [("2.112", 1), ("2.1122", 1), ("2.20", 1)];
        assert_eq!(counts(&app, "A1").await, expected(&known), "{}", app.engine);
    }
}

#[tokio::test]
async fn who_begins_and_answers_nothing_has_refused_in_silence() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T12:00:00")).await;
        for n in 0..2 {
            let link = app.link(n).await;
            app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        }
        let link = app.link(1).await;
        app.post(&format!("{link}/answers"), &crate::common::answers(0, 0, "8")).await;
        let open = [("2.12", 2), ("2.20", 1)];
        assert_eq!(counts(&app, "A1").await, expected(&open), "{}: still open", app.engine);
        deadlines::close_campaign(&app.context, "C1").await.unwrap();
        let closed = [("2.12", 1), ("2.121", 1), ("2.20", 1)];
        assert_eq!(counts(&app, "A1").await, expected(&closed), "{}", app.engine);
    }
}

const CALLS: &str =
    "\n[[step]]\nname = \"calls\"\nafter = \"30d\"\nmode = \"telephone\"\ncalls = 3\n";

/// Whoever answers says that the number is not the person's, to an interviewer and by SMS.
#[tokio::test]
async fn a_wrong_number_blocks_the_person_and_nobody_else() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        let plan = format!("{PLAN}{CALLS}");
        app.register_brand("A1", "a", "").await;
        let fixed = "姓名,电话\n甲,010-65120001\n乙,13810000001\n";
        app.import(&["A1"], fixed.as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan).await.unwrap();
        app.advance_until(local("2026-03-02T12:00:00")).await;
        let wu = add_interviewer(&app, "wu").await;
        let call = next_call(&app, &wu).await.expect("the fixed line is called");
        record_outcome(&app, &wu, &call, CallOutcome::WrongNumber).await;
        assert_eq!(push_reply(&app, 1, "打错了").await, 200);
        assert_eq!(counts(&app, "A1").await, expected(&[("3.34", 2)]), "{}", app.engine);
        let sent = app.simulator.record().accepted.len();
        // The same person of the same applicant is left alone; another name with the number, and
        // another applicant's user, are not.
        app.register_brand("A2", "a", "").await;
        app.register_brand("B1", "b", "").await;
        app.import(&["A2"], fixed.as_bytes()).await.unwrap();
        let others = "姓名,电话\n丙,010-65120001\n丁,13810000001\n";
        app.import(&["B1"], others.as_bytes()).await.unwrap();
        app.launch("C2", &["A2"], &plan).await.unwrap();
        app.launch("C3", &["B1"], &plan).await.unwrap();
        assert_eq!(counts(&app, "A2").await, expected(&[("3.34", 2)]), "{}", app.engine);
        // After the pause that the caps want between two contacts with a number.
        app.advance_until(local("2026-03-08T12:00:00")).await;
        assert_eq!(app.simulator.record().accepted.len(), sent + 1, "{}: one of b", app.engine);
        let of_b = [("2.20", 1), ("3.11", 1)];
        assert_eq!(counts(&app, "B1").await, expected(&of_b), "{}", app.engine);
        let call = next_call(&app, &wu).await.expect("the fixed line of b is called");
        assert_eq!(call.phone.e164(), "+861065120001", "{}", app.engine);
    }
}
