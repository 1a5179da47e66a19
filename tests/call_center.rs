//! Telephone interviewing on both engines: who is called when and by which interviewer, the effect
//! of each outcome, and what stops a call (invariants I1, I2, I7). A month of twenty interviewers
//! is in tests/invariants/i2_never_against_the_rules.rs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::interviewers::{
    PASSWORD, add_interviewer, answer_context, ask_all_pages, mixed_plan, next_call,
    record_outcome, send_page,
};
use crate::common::{self, CONSENT_FORM, TestApp, answers, list_of, local, number, survey};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::accounts::Account;
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::adapters::database::responses::AnswerSource;
use fieldworkd::adapters::database::{
    accounts as stored, applications, call_watches, calls, cases, responses, verifications,
};
use fieldworkd::domain::audit::{Action, Actor};
use fieldworkd::domain::ids::InvitationId;
use fieldworkd::domain::language::Language;
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::role::Role;
use fieldworkd::domain::telephone::{CallOutcome, DayPart};
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::accounts;
use fieldworkd::services::call_center::call_screen::CallScreen;
use fieldworkd::services::call_center::outcome::{self, CallReport};
use fieldworkd::services::call_center::{
    CallCenterError, quality, queue, supervision, verification,
};
use fieldworkd::services::interviews::{InterviewService, SaveOutcome};
use fieldworkd::services::{datasets, deadlines};
use fieldworkd::simulation::{PeopleScenario, Scenario};

pub(crate) fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 1_000);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// Launches an application with `people` on its list and some fixed lines under the mixed plan,
/// with two interviewers.
async fn launch_mixed_plan(app: &TestApp, people: usize, fixed_lines: usize) -> (Account, Account) {
    app.register_brand("A1", "a", "").await;
    let fixed: String =
        (0..fixed_lines).map(|n| format!("店主{n},010-6512{:04}\n", 1000 + n)).collect();
    app.import(&["A1"], format!("{}{fixed}", list_of(0..people)).as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], &mixed_plan(3)).await.unwrap();
    (add_interviewer(app, "wu").await, add_interviewer(app, "zheng").await)
}

async fn count(app: &TestApp, code: &str) -> u64 {
    app.dispositions("A1")
        .await
        .into_iter()
        .find(|(known, _)| known == code)
        .map_or(0, |(_, cases)| cases)
}

#[tokio::test]
async fn modes_mix_fixed_lines_are_called_from_the_beginning_and_whoever_has_begun_is_left_in_peace()
 {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, zheng) = launch_mixed_plan(&app, 3, 2).await;
        app.advance_until(local("2026-03-02T12:00:00")).await;
        // Only the fixed lines are called at first: the others have two days for the message.
        let first = next_call(&app, &wu).await.expect("a fixed line waits");
        assert!(
            !first.can_send_link && first.phone.e164().starts_with("+86106512"),
            "{}",
            app.engine
        );
        let second = next_call(&app, &zheng).await.expect("the other one");
        assert_ne!(first.lease.invitation, second.lease.invitation);
        assert_eq!(
            next_call(&app, &wu).await.unwrap().lease,
            first.lease,
            "who is on the screen stays there"
        );
        let interview_service = InterviewService::new(app.context.clone());
        assert_eq!(ask_all_pages(&interview_service, &first).await, SaveOutcome::Accepted);
        record_outcome(&app, &wu, &first, CallOutcome::Interviewed).await;
        record_outcome(&app, &zheng, &second, CallOutcome::NoAnswer).await;
        assert!(next_call(&app, &wu).await.is_none(), "nobody else can be called today");
        assert_eq!(
            (count(&app, "1.1").await, count(&app, "3.13").await),
            (1, 1),
            "{}: {:?}",
            app.engine,
            app.dispositions("A1").await
        );
        assert_eq!(app.simulator.record().submits.len(), 3, "a fixed line gets no message");

        // One of the others begins on the web; the other two reach the telephone step.
        let link = app.link(0).await;
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        app.advance_until(local("2026-03-04T15:00:00")).await;
        let mut called = BTreeSet::new();
        while let Some(call_screen) = next_call(&app, &wu).await {
            called.insert(call_screen.phone.e164().to_owned());
            record_outcome(&app, &wu, &call_screen, CallOutcome::NoAnswer).await;
        }
        assert!(
            called.contains(&format!("+86{}", number(1)))
                && called.contains(&format!("+86{}", number(2))),
            "{}: {called:?}",
            app.engine
        );
        assert!(
            !called.contains(&format!("+86{}", number(0))),
            "{}: who has begun is not called",
            app.engine
        );
        // Three attempts, then no more; the last message is sent all the same.
        for day in 5..24 {
            app.advance_until(local(&format!("2026-03-{day:02}T19:30:00"))).await;
            while let Some(call_screen) = next_call(&app, &wu).await {
                record_outcome(&app, &wu, &call_screen, CallOutcome::NoAnswer).await;
            }
        }
        let stored_calls =
            calls::all_since(&mut app.context.database.read().await.unwrap(), Timestamp(0))
                .await
                .unwrap();
        let mut attempts: HashMap<InvitationId, u32> = HashMap::new();
        stored_calls.iter().for_each(|call| *attempts.entry(call.invitation).or_default() += 1);
        let mut attempts: Vec<u32> = attempts.into_values().collect();
        attempts.sort_unstable();
        assert_eq!(
            attempts,
            [1, 3, 3, 3],
            "{}: one interview, and three tries at each of the others",
            app.engine
        );
        app.advance_until(local("2026-03-26T12:00:00")).await;
        assert_eq!(
            app.simulator.record().submits.len(),
            6,
            "{}: the last message went to all three mobiles",
            app.engine
        );
    }
}

/// instedd/surveda#1073: what a carrier says of a number is no proof, and cases were failed for good by
/// it. A dead number ends the contacts, not the case.
#[tokio::test]
async fn each_outcome_has_its_disposition_and_what_follows() {
    let cases = [
        (CallOutcome::Busy, "3.12"),
        (CallOutcome::NoAnswer, "3.13"),
        (CallOutcome::Unreachable, "3.13"),
        (CallOutcome::MessageLeft, "2.22"),
        (CallOutcome::SoftRefusal, "2.11"),
        (CallOutcome::HungUp, "2.11"),
        (CallOutcome::HardRefusal, "2.112"),
        (CallOutcome::RefusedByOther, "2.111"),
        (CallOutcome::Other, "2.36"),
        (CallOutcome::WrongNumber, "3.34"),
        (CallOutcome::NonWorking, "3.31"),
        (CallOutcome::Disconnected, "3.32"),
        (CallOutcome::OutOfService, "3.33"),
        (CallOutcome::Barred, "3.33"),
        (CallOutcome::Fax, "3.30"),
        (CallOutcome::Deceased, "2.31"),
        (CallOutcome::Unable, "2.32"),
        (CallOutcome::Language, "2.33"),
        (CallOutcome::NotDialled, "3.11"),
    ];
    for app in TestApp::on_each_engine(silent(), &[]).await {
        // Fixed lines, so that no receipt interferes.
        let (wu, _) = launch_mixed_plan(&app, 0, cases.len()).await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let mut ended = Vec::new();
        for (outcome, code) in cases {
            let call_screen = next_call(&app, &wu)
                .await
                .unwrap_or_else(|| panic!("{}: nobody left for {outcome:?}", app.engine));
            let before = count(&app, code).await;
            record_outcome(&app, &wu, &call_screen, outcome).await;
            let expected = before + u64::from(outcome != CallOutcome::NotDialled);
            assert_eq!(
                count(&app, code).await,
                expected,
                "{}: {outcome:?}: {:?}",
                app.engine,
                app.dispositions("A1").await
            );
            // A dead number leaves the case open: the person may still come by the link.
            if outcome.disposition().is_some_and(|to| to.is_final() || to.is_dead_number()) {
                ended.push(call_screen.lease.invitation);
            }
        }
        // A person whose cases have ended is never called again.
        let interview_service = InterviewService::new(app.context.clone());
        for day in 3..29 {
            for hour in ["10:00", "15:00", "19:00"] {
                app.clock.advance_to(local(&format!("2026-03-{day:02}T{hour}:00")));
                while let Some(call_screen) = next_call(&app, &wu).await {
                    assert!(!ended.contains(&call_screen.lease.invitation), "{}", app.engine);
                    record_outcome(&app, &wu, &call_screen, CallOutcome::NoAnswer).await;
                }
            }
        }
        assert_eq!(
            (count(&app, "2.11").await, count(&app, "2.22").await),
            (2, 1),
            "a call that says less forgets nothing: {:?}",
            app.dispositions("A1").await
        );
        drop(interview_service);
    }
}

/// 5calls/ios#467, ProgressiveCoders/Spoke#2000: an outcome came without the number that was dialled,
/// so that one dead number closed a person with others, or none was ever closed.
#[tokio::test]
async fn a_dead_number_leads_to_the_next_one_and_says_nothing_of_the_person() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        // Fixed lines, so that no receipt interferes.
        let list = "姓名,固定电话\n王,021-61234567/021-61234568/021-61234569\n";
        app.import(&["A1"], list.as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &mixed_plan(5)).await.unwrap();
        let wu = add_interviewer(&app, "wu").await;
        app.advance_until(local("2026-03-05T15:00:00")).await;
        let record = async |screen: &CallScreen, outcome, dialled: Option<&Phone>| {
            let report = CallReport { dialled: dialled.cloned(), ..CallReport::default() };
            outcome::record_outcome(&app.context, &wu, screen.lease, outcome, &report).await
        };
        let screen = next_call(&app, &wu).await.unwrap();
        let (own, others) = (screen.phone.clone(), screen.other_phones.clone());
        assert_eq!((others.len(), screen.dead_phones.len()), (2, 0), "{}", app.engine);
        let stranger = Phone::parse("13500135000", phonenumber::country::CN).unwrap();
        let refused = record(&screen, CallOutcome::NonWorking, Some(&stranger)).await;
        assert!(matches!(refused, Err(CallCenterError::OtherNumber)), "{refused:?}");
        // The number on the page, if nothing else is said.
        record(&screen, CallOutcome::NonWorking, None).await.unwrap();
        assert_eq!(
            (count(&app, "3.31").await, count(&app, "3.19").await),
            (0, 1),
            "{}",
            app.engine
        );
        app.advance_until(local("2026-03-05T15:02:00")).await;
        let screen = next_call(&app, &wu).await.unwrap();
        assert_eq!(screen.dead_phones, std::slice::from_ref(&own), "{}", app.engine);
        assert_eq!(screen.other_phones, others);
        assert_eq!(screen.attempts_by_day_part(), [(DayPart::Afternoon, 1)]);
        record(&screen, CallOutcome::Fax, Some(&others[0])).await.unwrap();
        app.advance_until(local("2026-03-05T15:04:00")).await;
        let screen = next_call(&app, &wu).await.unwrap();
        assert_eq!(screen.dead_phones, [own.clone(), others[0].clone()], "{}", app.engine);
        record(&screen, CallOutcome::NoAnswer, Some(&others[1])).await.unwrap();
        assert_eq!(count(&app, "3.13").await, 1, "{}: what the last number said", app.engine);
        app.clock.advance_to(local("2026-03-09T10:00:00"));
        let screen = next_call(&app, &wu).await.unwrap();
        // Somebody else's further number says nothing of the person's own one.
        record(&screen, CallOutcome::WrongNumber, Some(&others[1])).await.unwrap();
        assert_eq!(
            (count(&app, "3.34").await, count(&app, "3.30").await),
            (0, 1),
            "{}",
            app.engine
        );
        app.clock.advance_to(local("2026-03-12T10:00:00"));
        assert!(next_call(&app, &wu).await.is_none(), "{}: no number is left", app.engine);
        // What was dialled goes with the person.
        let order =
            fieldworkd::services::erasure::ErasureOrder { actor: "li", reason: "asked for" };
        fieldworkd::services::erasure::person::erase(&app.context, own.e164(), order)
            .await
            .unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        let dead = calls::dead_numbers(&mut connection, screen.lease.invitation).await.unwrap();
        assert!(dead.is_empty(), "{}", app.engine);
    }
}

#[tokio::test]
async fn a_promise_is_kept_to_the_minute_and_cannot_be_made_for_the_night() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, zheng) = launch_mixed_plan(&app, 0, 2).await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let call_screen = next_call(&app, &wu).await.unwrap();
        let promise = async |at: &str| {
            let report = CallReport { call_back_at: Some(local(at)), ..CallReport::default() };
            outcome::record_outcome(
                &app.context,
                &wu,
                call_screen.lease,
                CallOutcome::CallBack,
                &report,
            )
            .await
        };
        assert!(matches!(promise("2026-03-02T09:00:00").await, Err(CallCenterError::TimeInPast)));
        assert!(
            matches!(promise("2026-03-03T22:00:00").await, Err(CallCenterError::OutsideHours(Some(at))) if at == local("2026-03-04T09:00:00"))
        );
        assert!(matches!(
            promise("2027-03-03T10:00:00").await,
            Err(CallCenterError::AfterFieldCloses)
        ));
        assert!(matches!(
            outcome::record_outcome(
                &app.context,
                &zheng,
                call_screen.lease,
                CallOutcome::NoAnswer,
                &CallReport::default()
            )
            .await,
            Err(CallCenterError::CallOver)
        ));
        promise("2026-03-03T14:15:00").await.unwrap();
        assert!(
            matches!(promise("2026-03-03T15:00:00").await, Err(CallCenterError::CallOver)),
            "it is told once"
        );
        app.clock.advance_to(local("2026-03-03T14:14:00"));
        let other = next_call(&app, &wu).await.unwrap();
        assert_ne!(
            other.lease.invitation, call_screen.lease.invitation,
            "{}: not before its time",
            app.engine
        );
        record_outcome(&app, &wu, &other, CallOutcome::NotDialled).await;
        app.clock.advance_to(local("2026-03-03T14:16:00"));
        let first = next_call(&app, &zheng).await.unwrap();
        assert_eq!(
            (first.lease.invitation, first.promised_at),
            (call_screen.lease.invitation, Some(local("2026-03-03T14:15:00"))),
            "{}",
            app.engine
        );
        assert_eq!(first.previous_calls.len(), 1);
        assert_eq!(first.previous_calls[0].outcome, CallOutcome::CallBack);
    }
}

#[tokio::test]
async fn a_web_answer_stops_the_call_and_a_begun_web_interview_is_finished_by_telephone() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, _) = launch_mixed_plan(&app, 2, 0).await;
        app.advance_until(local("2026-03-04T15:00:00")).await;
        let interview_service = InterviewService::new(app.context.clone());
        let call_screen = next_call(&app, &wu).await.unwrap();
        let link = format!("{}/i/{}", app.base, call_screen.code);
        interview_service
            .begin(
                &call_screen.code,
                call_screen.language,
                CONSENT_FORM[0].1,
                answer_context(&call_screen),
            )
            .await
            .unwrap();
        assert_eq!(send_page(&interview_service, &call_screen, 0).await, SaveOutcome::Accepted);
        // The respondent continues alone on the web during the call.
        app.clock.advance_to(app.clock.now() + Duration::from_secs(60));
        app.post(&format!("{link}/answers"), &answers(0, 1, "7")).await;
        assert_eq!(
            send_page(&interview_service, &call_screen, 2).await,
            SaveOutcome::AnsweredOnWeb,
            "{}",
            app.engine
        );
        record_outcome(&app, &wu, &call_screen, CallOutcome::CallBack).await;
        // On another day the rest is asked on the telephone; each answer retains its mode.
        app.clock.advance_to(local("2026-03-09T10:00:00"));
        let again = loop {
            let next = next_call(&app, &wu).await.unwrap();
            if next.lease.invitation == call_screen.lease.invitation {
                break next;
            }
            record_outcome(&app, &wu, &next, CallOutcome::HardRefusal).await;
        };
        for page in 2..4 {
            assert_eq!(
                send_page(&interview_service, &again, page).await,
                SaveOutcome::Accepted,
                "{}",
                app.engine
            );
        }
        record_outcome(&app, &wu, &again, CallOutcome::Interviewed).await;
        assert_eq!(count(&app, "1.1").await, 1);
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let response = responses::of_application(&mut connection, id).await.unwrap().remove(0);
        let by = responses::answer_sources(&mut connection, response.id).await.unwrap();
        let count = |mode: Mode, account| {
            by.iter().filter(|(_, by)| *by == AnswerSource { mode, account }).count()
        };
        assert_eq!(
            (count(Mode::Telephone, Some(wu.id)), count(Mode::Web, None)),
            (4 + 4 + 4, 4),
            "{}: {by:?}",
            app.engine
        );
        // The dataset tells it of each answer, and of the whole that it is mixed.
        deadlines::freeze_interim(&app.context, "A1").await.unwrap();
        datasets::write_pending(&app.context).await.unwrap();
        let folder = app.context.config.datasets.join("A1/interim-1");
        let rows = |file: &str| -> Vec<HashMap<String, String>> {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            let mut reader =
                csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
            reader.deserialize().map(Result::unwrap).collect()
        };
        let response = rows("responses.csv").remove(0);
        assert_eq!(
            (response["mode"].as_str(), response["items_answered"].as_str()),
            ("mixed", "16"),
            "{}",
            app.engine
        );
        let pseudonym = app.context.keys.hasher().interviewer_pseudonym("p26", wu.id);
        let entered = |mode: &str, interviewer: &str, day: &str| {
            rows("answers.csv")
                .iter()
                .filter(|row| row["mode"] == mode && row["interviewer"] == interviewer)
                .filter(|row| row["answered_at"].starts_with(day))
                .count()
        };
        assert_eq!(
            [
                entered("telephone", &pseudonym, "2026-03-04T15:00:00"),
                entered("web", "", "2026-03-04T15:01:00"),
                entered("telephone", &pseudonym, "2026-03-09T10:00:00"),
            ],
            [4, 4, 8],
            "{}: {:?}",
            app.engine,
            rows("answers.csv")
        );
        // The device is the one of the page that the respondent sent.
        assert!(
            rows("paradata.csv")
                .iter()
                .all(|row| (row["mode"] == "web") != row["device"].is_empty())
        );
        common::validate_dataset(&folder);
    }
}

#[tokio::test]
async fn who_asks_for_the_link_gets_it_at_once_and_the_plan_goes_on() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, zheng) = launch_mixed_plan(&app, 1, 0).await;
        app.advance_until(local("2026-03-04T15:00:00")).await;
        let call_screen = next_call(&app, &wu).await.unwrap();
        assert!(
            call_screen.can_send_link && next_call(&app, &zheng).await.is_none(),
            "{}: nobody else has the person",
            app.engine
        );
        record_outcome(&app, &wu, &call_screen, CallOutcome::LinkSent).await;
        app.advance_until(local("2026-03-04T15:05:00")).await;
        assert_eq!(
            app.simulator.record().submits.len(),
            2,
            "{}: the invitation, and the link",
            app.engine
        );
        assert!(next_call(&app, &wu).await.is_none(), "there is time to use it");
        // The last message still comes, and nothing twice.
        app.advance_until(local("2026-03-27T12:00:00")).await;
        assert_eq!(
            (app.simulator.record().submits.len(), app.simulator.record().duplicates()),
            (3, 0),
            "{}",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_lost_page_returns_its_person_to_the_queue_and_purged_or_opted_out_people_never_come() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, zheng) = launch_mixed_plan(&app, 2, 0).await;
        app.advance_until(local("2026-03-04T15:00:00")).await;
        let call_screen = next_call(&app, &wu).await.unwrap();
        queue::renew(&app.context, &wu, call_screen.lease.call, true).await.unwrap();
        let other = next_call(&app, &zheng).await.unwrap();
        app.clock.advance_to(app.clock.now() + queue::HEARTBEAT_LEASE + Duration::from_secs(1));
        queue::release_expired_leases(&app.context).await.unwrap();
        assert!(
            matches!(
                queue::renew(&app.context, &wu, call_screen.lease.call, true).await,
                Err(CallCenterError::CallOver)
            ),
            "{}",
            app.engine
        );
        assert!(next_call(&app, &wu).await.is_none(), "not at once: it may have been dialled");
        app.clock.advance_to(app.clock.now() + Duration::from_secs(11 * 60));
        let again = next_call(&app, &wu).await.unwrap();
        assert_eq!(
            (again.lease.invitation, again.calls),
            (call_screen.lease.invitation, 0),
            "{}: no attempt is counted",
            app.engine
        );
        // The other one opts out by SMS during the call.
        let mut tx = app.context.database.write().await.unwrap();
        let hash = app.context.keys.hasher().phone_hash(&other.phone);
        fieldworkd::services::suppressions::opt_out(
            &mut tx,
            &hash,
            None,
            cases::DispositionSource::Reply,
            app.clock.now(),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        record_outcome(&app, &zheng, &other, CallOutcome::NoAnswer).await;
        assert_eq!(
            count(&app, "2.112").await,
            1,
            "{}: {:?}",
            app.engine,
            app.dispositions("A1").await
        );
        app.clock.advance_to(local("2026-03-12T15:00:00"));
        record_outcome(&app, &wu, &again, CallOutcome::NotDialled).await;
        app.clock.advance_to(local("2026-03-13T15:00:00"));
        while let Some(call_screen) = next_call(&app, &zheng).await {
            assert_ne!(call_screen.lease.invitation, other.lease.invitation, "{}", app.engine);
            record_outcome(&app, &zheng, &call_screen, CallOutcome::NoAnswer).await;
        }
    }
}

#[tokio::test]
async fn supervisors_reassign_people_and_interviewers_with_too_many_refusals_stand_out() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, zheng) = launch_mixed_plan(&app, 0, 60).await;
        accounts::add(
            &app.context,
            &fieldworkd::domain::audit::Actor::command("test"),
            "qian",
            Role::Operator,
            &[Language::ZH, Language::EN],
            Personal::new(PASSWORD),
        )
        .await
        .unwrap();
        let qian =
            stored::find_credentials(&mut app.context.database.read().await.unwrap(), "qian")
                .await
                .unwrap()
                .unwrap()
                .account;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let call_screen = next_call(&app, &wu).await.unwrap();
        let dashboard = supervision::supervision_dashboard(&app.context).await.unwrap();
        assert_eq!(
            (dashboard.queued, dashboard.due, dashboard.on_screens),
            (60, 59, 1),
            "{}",
            app.engine
        );
        let row = dashboard
            .rows
            .iter()
            .find(|row| row.invitation == call_screen.lease.invitation)
            .unwrap();
        assert!(
            row.on_screen_of.as_deref() == Some("wu") && row.cases.starts_with("A1/"),
            "{row:?}"
        );
        // One is assigned to zheng: wu does not get it, and zheng gets it only when it is due like
        // the others.
        let other =
            dashboard.rows.iter().find(|row| row.on_screen_of.is_none()).unwrap().invitation;
        supervision::assign(&app.context, &Actor::console("qian"), other, "zheng").await.unwrap();
        let unknown =
            supervision::assign(&app.context, &Actor::console("qian"), other, "nobody").await;
        assert!(matches!(unknown, Err(CallCenterError::UnknownInterviewer(_))));
        record_outcome(&app, &wu, &call_screen, CallOutcome::HardRefusal).await;
        // wu gets refusals only, zheng interviews.
        for n in 0..25 {
            let call_screen = next_call(&app, &wu).await.unwrap();
            assert_ne!(call_screen.lease.invitation, other, "{}", app.engine);
            record_outcome(
                &app,
                &wu,
                &call_screen,
                if n % 5 == 0 { CallOutcome::NoAnswer } else { CallOutcome::HardRefusal },
            )
            .await;
        }
        let interview_service = InterviewService::new(app.context.clone());
        let mut interviewed = Vec::new();
        while let Some(call_screen) = next_call(&app, &zheng).await {
            app.clock.advance_to(app.clock.now() + Duration::from_secs(200));
            assert_eq!(
                ask_all_pages(&interview_service, &call_screen).await,
                SaveOutcome::Accepted
            );
            record_outcome(&app, &zheng, &call_screen, CallOutcome::Interviewed).await;
            interviewed.push(call_screen.lease.invitation);
        }
        assert!(interviewed.contains(&other));
        let all = quality::of_interviewers(&app.context, Timestamp(0)).await.unwrap();
        let of = |name: &str| all.iter().find(|quality| quality.name == name).unwrap();
        assert!(
            of("wu").refusals.is_outside()
                && of("wu").refusals.count == 21
                && of("zheng").refusals.is_outside(),
            "{}: {all:?}",
            app.engine
        );
        assert!(!of("zheng").short.is_outside(), "all of them took as long");
        assert_eq!(
            of("wu").outcomes,
            [(CallOutcome::NoAnswer, 5), (CallOutcome::HardRefusal, 21)].into(),
            "{}",
            app.engine
        );
        assert_eq!(of("zheng").interviews as usize, interviewed.len());

        // A sample is drawn; nobody verifies their own interviews; the respondent's answer counts.
        let drawn = verification::draw(&app.context, 0.1).await.unwrap();
        assert_eq!(drawn, interviewed.len().div_ceil(10), "{}", app.engine);
        assert_eq!(
            verification::draw(&app.context, 0.0).await.unwrap(),
            1,
            "the rest is still there to draw from"
        );
        let tasks =
            verifications::all(&mut app.context.database.read().await.unwrap(), 50).await.unwrap();
        let task = tasks[0].id;
        assert_eq!(
            verification::take(&app.context, &zheng, task).await.unwrap(),
            Err(verification::VerificationRefusal::OwnInterview)
        );
        assert!(
            verification::current_task(&app.context, &qian, task).await.unwrap().is_none(),
            "no number before it is taken"
        );
        assert_eq!(verification::take(&app.context, &qian, task).await.unwrap(), Ok(task));
        let other = verification::take(&app.context, &qian, tasks[1].id).await.unwrap();
        assert_eq!(other, Ok(task), "{}: one at a time", app.engine);
        assert_eq!(
            verification::take(&app.context, &wu, task).await.unwrap(),
            Err(verification::VerificationRefusal::Unavailable)
        );
        let task_on_screen =
            verification::current_task(&app.context, &qian, task).await.unwrap().unwrap();
        assert!(task_on_screen.phone.e164().starts_with("+86106512"));
        let fields = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let finish = async |pairs: &[(&str, &str)]| {
            verification::finish(&app.context, &task_on_screen, &fields(pairs), "").await.unwrap()
        };
        assert!(
            matches!(finish(&[("took", "yes")]).await, verification::VerificationResult::Problems(problems) if problems.len() == 3)
        );
        assert_eq!(finish(&[("took", "no")]).await, verification::VerificationResult::Doubtful);
        let other_task = tasks[1].id;
        verification::take(&app.context, &wu, other_task).await.unwrap().unwrap();
        let task_on_screen =
            verification::current_task(&app.context, &wu, other_task).await.unwrap().unwrap();
        let good = fields(&[("took", "yes"), ("asked", "all"), ("manner", "good"), ("led", "no")]);
        assert_eq!(
            verification::finish(&app.context, &task_on_screen, &good, "很客气").await.unwrap(),
            verification::VerificationResult::Sound
        );
        let all = quality::of_interviewers(&app.context, Timestamp(0)).await.unwrap();
        let zheng = all.iter().find(|quality| quality.name == "zheng").unwrap();
        assert_eq!((zheng.verified, zheng.doubtful), (2, 1), "{}", app.engine);
        app.clock.advance_to(local("2026-03-02T22:00:00"));
        verification::draw(&app.context, 0.0).await.unwrap();
        let late = verifications::all(&mut app.context.database.read().await.unwrap(), 50)
            .await
            .unwrap()
            .remove(0)
            .id;
        assert_eq!(
            verification::take(&app.context, &qian, late).await.unwrap(),
            Err(verification::VerificationRefusal::NotAllowed),
            "nobody is called at night"
        );
    }
}

/// Invariant I7: after a purge no interviewer's note can be read, and nobody is in the queue any
/// more.
#[tokio::test]
async fn what_interviewers_noted_is_shown_to_its_person_and_forgotten() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, _) = launch_mixed_plan(&app, 1, 0).await;
        app.advance_until(local("2026-03-04T15:00:00")).await;
        let call_screen = next_call(&app, &wu).await.unwrap();
        // A note is a hint, not a protocol; the bound counts characters, not bytes.
        let long = CallReport { note: Personal::new("字".repeat(501)), ..CallReport::default() };
        let refused = outcome::record_outcome(
            &app.context,
            &wu,
            call_screen.lease,
            CallOutcome::NoAnswer,
            &long,
        )
        .await;
        assert!(matches!(refused, Err(CallCenterError::NoteTooLong(501))), "{refused:?}");
        let report = CallReport {
            note: Personal::new("晚上带孙子，别太晚打"),
            ..CallReport::default()
        };
        outcome::record_outcome(
            &app.context,
            &wu,
            call_screen.lease,
            CallOutcome::NoAnswer,
            &report,
        )
        .await
        .unwrap();
        let exported = fieldworkd::services::erasure::person::export(
            &app.context,
            &number(0),
            &fieldworkd::domain::audit::Actor::command("li"),
        )
        .await
        .unwrap();
        assert_eq!(
            exported["records"][0]["calls"][0]["note"], "晚上带孙子，别太晚打",
            "{}: {exported}",
            app.engine
        );
        assert_eq!(exported["records"][0]["calls"][0]["by"], "wu");
        let order =
            fieldworkd::services::erasure::ErasureOrder { actor: "li", reason: "asked for" };
        fieldworkd::services::erasure::person::erase(&app.context, &number(0), order)
            .await
            .unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        assert!(
            calls::of_invitation(&mut connection, call_screen.lease.invitation)
                .await
                .unwrap()
                .iter()
                .all(|call| call.note_sealed.is_none()),
            "{}",
            app.engine
        );
        assert!(
            fieldworkd::adapters::database::call_queue::find(
                &mut connection,
                call_screen.lease.invitation
            )
            .await
            .unwrap()
            .is_none()
        );
    }
}

/// Supervisors hand several people over at once, see appointments by week and interviewer, and count
/// nobody of a campaign that is over.
#[tokio::test]
async fn supervisors_hand_over_in_bulk_and_see_appointments_and_no_closed_campaign() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, _) = launch_mixed_plan(&app, 0, 10).await;
        add_account(&app, "qian", Role::Operator).await;
        add_account(&app, "sun", Role::Supervisor).await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let call_screen = next_call(&app, &wu).await.unwrap();
        let promised = local("2026-03-04T14:30:00");
        let report = CallReport { call_back_at: Some(promised), ..CallReport::default() };
        let lease = call_screen.lease;
        outcome::record_outcome(&app.context, &wu, lease, CallOutcome::CallBack, &report)
            .await
            .unwrap();
        let sun = Browser::signed_in(&app, "sun").await;
        let rows = supervision::supervision_dashboard(&app.context).await.unwrap().rows;
        let others = rows.iter().filter(|row| row.promised_at.is_none());
        let ids: Vec<i64> = others.map(|row| row.invitation.0).collect();
        let (one, two) = (format!("pick-{}", ids[0]), format!("pick-{}", ids[1]));
        let promise = format!("pick-{}", lease.invitation.0);
        let fields = [(one.as_str(), "1"), (two.as_str(), "1"), ("pick-99999", "1")];
        let with = |to: &'static str| [&fields[..], &[("to", to)]].concat();
        assert_eq!(
            sun.submit("/supervision/assign", &with("zheng")).await.1,
            "/supervision?noted=assigned&done=2&of=3",
            "{}",
            app.engine
        );
        assert!(sun.submit("/supervision/assign", &with("nobody")).await.1.contains("unknown"));
        assert!(sun.submit("/supervision/assign", &[("to", "zheng")]).await.1.contains("nobody"));
        let rows = supervision::supervision_dashboard(&app.context).await.unwrap().rows;
        let of_zheng =
            |row: &&supervision::QueueDashboardRow| row.assigned_to.as_deref() == Some("zheng");
        assert_eq!(rows.iter().filter(of_zheng).count(), 2, "{}", app.engine);
        // The appointment stands in its week, and goes to another interviewer from there.
        let week = sun.get("/supervision/appointments").await.2;
        assert!(week.contains("周三 03-04") && week.contains("14:30"), "{}: {week}", app.engine);
        assert!(week.contains("未指定访问员") && !week.contains("href=\"/cases/"), "{week}");
        let moved = [(promise.as_str(), "1"), ("to", "zheng"), ("week", "2026-03-02")];
        assert_eq!(
            sun.submit("/supervision/assign", &moved).await.1,
            "/supervision/appointments?noted=assigned&done=1&of=1&week=2026-03-02"
        );
        let week = sun.get("/supervision/appointments?week=2026-03-08").await.2;
        assert!(week.contains("<h2>zheng") && !week.contains("未指定访问员"), "{week}");
        for odd in ["2026-03-09", "9999-12-31", "262142-12-31", "nonsense"] {
            assert_eq!(sun.get(&format!("/supervision/appointments?week={odd}")).await.0, 200);
        }
        assert!(sun.get("/supervision/appointments?week=2026-03-09").await.2.contains("更早 1"));
        // It is moved alone, to come and within contact hours; who holds it stays.
        let promised = async || {
            let dashboard = supervision::supervision_dashboard(&app.context).await.unwrap();
            let row = dashboard.rows.into_iter().find(|row| row.invitation == lease.invitation);
            let row = row.unwrap();
            (row.promised_at, row.next_at, row.assigned_to)
        };
        let held = Some("zheng".to_owned());
        let to = async |ticked: &[(&str, &str)], at: &str| {
            let fields = [ticked, &[("at", at), ("week", "2026-03-02")]].concat();
            sun.submit("/supervision/appointments/move", &fields).await.1
        };
        let pick = (promise.as_str(), "1");
        for (ticked, at, noted) in [
            (&[pick][..], "2026-03-05T23:00", "outside_hours&open=2026-03-06T09:00"),
            (&[pick], "2026-03-02T09:30", "past"),
            (&[pick], "2027-03-01T10:00", "after_field"),
            (&[pick], "", "one_and_time"),
            (&[pick, ("pick-99999", "1")], "2026-03-05T16:00", "one_and_time"),
            (&[(one.as_str(), "1")], "2026-03-05T16:00", "gone"),
        ] {
            let said = to(ticked, at).await;
            let expected = format!("/supervision/appointments?noted={noted}&week=2026-03-02");
            assert_eq!(said, expected, "{}", app.engine);
        }
        let before = local("2026-03-04T14:30:00");
        assert_eq!(promised().await, (Some(before), Some(before), held.clone()), "{}", app.engine);
        let page = "/supervision/appointments?noted=outside_hours&open=2026-03-06T09:00";
        assert!(sun.get(page).await.2.contains("最早可拨打的时间：2026-03-06 09:00"));
        let moved = to(&[pick], "2026-03-09T16:00").await;
        assert_eq!(
            moved, "/supervision/appointments?noted=moved&week=2026-03-09",
            "{}",
            app.engine
        );
        let after = local("2026-03-09T16:00:00");
        assert_eq!(promised().await, (Some(after), Some(after), held), "{}", app.engine);
        let page = sun.get("/supervision/appointments?week=2026-03-09").await.2;
        assert!(page.contains("周一 03-09") && page.contains("16:00"), "{}: {page}", app.engine);
        let filter =
            AuditFilter { action: Some(Action::AppointmentMoved), ..AuditFilter::default() };
        let log = audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 9).await;
        let log = log.unwrap();
        assert_eq!(log.len(), 1, "{}", app.engine);
        assert!(log[0].detail.contains("14:30:00+08:00 > 2026-03-09T16:00"), "{log:?}");
        // Names: for those who may see people, and each is in the audit log.
        assert_eq!(sun.submit("/supervision/names", &[]).await.0, 403, "{}", app.engine);
        let qian = Browser::signed_in(&app, "qian").await;
        let page = qian.get("/supervision").await.2;
        let person = call_screen.person.name.reveal();
        assert!(page.contains("href=\"/cases/") && !page.contains(person), "{page}");
        assert!(qian.submit("/supervision/names", &[]).await.2.contains(person));
        let filter = AuditFilter {
            actor: "qian".into(),
            action: Some(Action::CasePersonViewed),
            ..AuditFilter::default()
        };
        let written =
            audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 100).await;
        assert_eq!(written.unwrap().len(), 10, "{}", app.engine);
        // A campaign that is paused calls nobody now; one that is closed counts nobody.
        assert_eq!(qian.submit("/campaigns/C1/state", &[("to", "paused")]).await.0, 303);
        let dashboard = supervision::supervision_dashboard(&app.context).await.unwrap();
        assert_eq!((dashboard.queued, dashboard.due), (10, 0), "{}: paused", app.engine);
        app.execute_sql("UPDATE campaign SET state = 'closed'").await.unwrap();
        let dashboard = supervision::supervision_dashboard(&app.context).await.unwrap();
        assert_eq!(
            (dashboard.queued, dashboard.promised, dashboard.rows.len()),
            (0, 0, 0),
            "{}: closed",
            app.engine
        );
    }
}

/// mderasse/rdod#2: whoever was to look only could write. rubentalstra/FerroEHR#3057: a page that asks
/// by itself kept its session alive. mnjbold/agentops-platform#41 keeps from the agent that somebody
/// listens; here the interviewer's page says so.
#[tokio::test]
async fn supervisors_sit_beside_an_interview_and_can_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), survey::QUESTIONNAIRE).unwrap();
    let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
    for app in TestApp::on_each_engine(silent(), &settings).await {
        let (wu, _) = launch_mixed_plan(&app, 0, 3).await;
        add_account(&app, "qian", Role::Operator).await;
        add_account(&app, "sun", Role::Supervisor).await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let screen = next_call(&app, &wu).await.unwrap();
        let call = screen.lease.call.0;
        let name = screen.person.name.reveal();
        let [wu, zheng, sun, qian] = [
            Browser::signed_in(&app, "wu").await,
            Browser::signed_in(&app, "zheng").await,
            Browser::signed_in(&app, "sun").await,
            Browser::signed_in(&app, "qian").await,
        ];
        let beside = format!("/supervision/calls/{call}");
        let (live, sit) = (format!("{beside}/live"), format!("{beside}/sit"));
        let is_told =
            |page: &str| page.contains("id=\"watched\" class=\"banner\" role=\"status\">");
        let alive = format!("/interview/{call}/alive");
        // Nobody sits beside yet, and no interviewer sits beside another.
        assert!(!is_told(&wu.get("/interview").await.2), "{}", app.engine);
        for path in [&beside, &live] {
            assert_eq!(zheng.get(path).await.0, 403, "{}: {path}", app.engine);
        }
        assert_eq!(zheng.submit(&sit, &[]).await.0, 403, "{}", app.engine);
        // A link alone shows nothing: one sits down first, and that is written down.
        let page = sun.get(&beside).await.2;
        assert!(page.contains("旁观会记入审计日志") && !page.contains("A1牌"), "{page}");
        assert_eq!(sun.status(&live).await, 404, "{}", app.engine);
        assert!(!is_told(&wu.get("/interview").await.2), "{}", app.engine);
        assert!(sun.get("/supervision").await.2.contains(&format!("formaction=\"{sit}\"")));
        assert_eq!(sun.submit(&sit, &[]).await.1, beside, "{}", app.engine);
        let page = sun.get(&beside).await.2;
        assert!(page.contains("还没开始提问") && page.contains("A1牌"), "{page}");
        assert!(is_told(&wu.get("/interview").await.2), "{}", app.engine);
        let told = wu.submit(&alive, &[]).await.2;
        assert!(told.contains("\"watched\":true"), "{}: {told}", app.engine);
        // The page that the interviewer sees, with what is saved: also when one goes back.
        wu.submit(&format!("/interview/{call}/begin"), CONSENT_FORM).await;
        let answers = format!("/interview/{call}/answers");
        let fields = [("case", "0"), ("page", "0"), survey::DAILY, ("mark", "4")];
        assert_eq!(wu.submit(&answers, &fields).await.0, 303, "{}", app.engine);
        wu.get("/interview?page=0").await;
        let part = sun.get(&live).await.2;
        let chosen = "name=\"mark\" value=\"4\" checked";
        assert!(
            part.contains(chosen) && part.contains("<fieldset class=\"plain\" disabled>"),
            "{part}"
        );
        wu.get("/interview?page=1&in=en").await;
        let part = sun.get(&live).await.2;
        assert!(!part.contains(chosen) && part.contains("lang=\"en\""), "{}: {part}", app.engine);
        // No form, no name and no number; those for who may see people and asks, in the audit log.
        let page = sun.get(&beside).await.2;
        let main = page.split("<main").nth(1).unwrap();
        assert!(!main.contains("<form") && !main.contains("<button"), "{main}");
        assert!(!main.contains(name) && !main.contains(&screen.phone.displayed()), "{main}");
        let person = format!("{beside}/person");
        assert_eq!(sun.submit(&person, &[]).await.0, 403, "{}", app.engine);
        assert!(!qian.submit(&person, &[]).await.2.contains(name), "{}: before", app.engine);
        assert_eq!(qian.submit(&sit, &[]).await.1, beside);
        assert!(!qian.get(&beside).await.2.contains(name), "{}", app.engine);
        let shown = qian.submit(&person, &[]).await.2;
        assert!(shown.contains(name) && shown.contains(&screen.phone.displayed()), "{shown}");
        // A supervisor may interview, and still writes nothing into the call of another.
        let seen = async || {
            let page = wu.get("/interview?page=0").await.2;
            page.contains("name=\"mark\" value=\"9\" checked")
        };
        let other = [("case", "0"), ("page", "0"), survey::DAILY, ("mark", "9")];
        assert_eq!(sun.submit(&answers, &other).await.1, "/interview?noted=over");
        let outcome = format!("/interview/{call}/outcome");
        let said = sun.submit(&outcome, &[("outcome", "no_answer")]).await.1;
        assert_eq!(said, "/interview?noted=over", "{}", app.engine);
        assert!(!seen().await, "{}: nothing was saved", app.engine);
        for path in [&beside, &live] {
            assert_eq!(sun.post(path, &[("mark", "9")]).await.0, 405, "{}: {path}", app.engine);
        }
        // The banner goes when nobody has looked for a while, and comes again.
        app.clock.advance_to(app.clock_now() + Duration::from_secs(31));
        assert!(!is_told(&wu.get("/interview").await.2), "{}", app.engine);
        assert!(wu.submit(&alive, &[]).await.2.contains("\"watched\":false"), "{}", app.engine);
        sun.get(&live).await;
        assert!(is_told(&wu.get("/interview").await.2), "{}", app.engine);
        let log = async |actor: &str, action: Action| {
            let filter = AuditFilter {
                actor: actor.to_owned(),
                action: Some(action),
                ..AuditFilter::default()
            };
            let mut connection = app.context.database.read().await.unwrap();
            let written = audit::entries(&mut connection, &filter, 100).await.unwrap();
            written.into_iter().map(|entry| entry.object).collect::<Vec<_>>()
        };
        let object = vec![format!("call:{call}")];
        assert_eq!(log("sun", Action::CallWatched).await, object, "{}", app.engine);
        assert_eq!(log("qian", Action::CallPersonViewed).await, object, "{}", app.engine);
        // Nobody sits beside themselves, and it ends with the call.
        let own = format!("/supervision/calls/{call}/sit");
        app.execute_sql("UPDATE account SET role = 'supervisor' WHERE name = 'wu'").await.unwrap();
        assert_eq!(wu.submit(&own, &[]).await.1, "/supervision?noted=call_over");
        assert_eq!(wu.submit(&outcome, &[("outcome", "no_answer")]).await.0, 303);
        let part = sun.get(&live).await.2;
        assert!(part.contains("data-over") && !part.contains("fieldset"), "{part}");
        assert!(sun.get(&beside).await.2.contains("这次通话已结束"), "{}", app.engine);
        assert_eq!(sun.submit(&sit, &[]).await.1, "/supervision?noted=call_over");
        // Nothing of it is kept beside the audit log.
        let mut connection = app.context.database.read().await.unwrap();
        let left = call_watches::shown_page(&mut connection, screen.lease.call).await.unwrap();
        assert_eq!(left, None, "{}", app.engine);
    }
}

/// surveysolutions/surveysolutions#4941 and onCloud-Cloudspire/cloudspire-feedback#45 ask who is there
/// now and what is done of the target; frappe/hrms#541: a shift past midnight was looked for on the
/// wrong day.
#[tokio::test]
async fn supervisors_set_shifts_and_targets_which_block_nobody() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let (wu, _) = launch_mixed_plan(&app, 0, 4).await;
        add_account(&app, "sun", Role::Supervisor).await;
        // A Monday.
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let [own, sun] =
            [Browser::signed_in(&app, "wu").await, Browser::signed_in(&app, "sun").await];
        assert!(!own.get("/interview").await.2.contains("我的班次"), "{}", app.engine);
        let shifts = "/supervision/shifts";
        assert_eq!(own.get(shifts).await.0, 403, "{}", app.engine);
        assert_eq!(own.submit(shifts, &[]).await.0, 403, "{}", app.engine);
        let wrong = [
            (("wu", "1", "09:00", "9:00"), "", "起止时间不能相同"),
            (("wu", "8", "09:00", "12:00"), "", "请选择星期"),
            (("wu", "1", "", "12:00"), "", "请填写起止时间"),
            (("wu", "1", "09:00", "12:00"), "1000", "目标应为"),
            (("nobody", "1", "09:00", "12:00"), "", "请选择访问员"),
        ];
        for ((who, weekday, from, to), target, said) in wrong {
            let fields = [
                ("who", who),
                ("weekday", weekday),
                ("from", from),
                ("to", to),
                ("kind", "calls"),
                ("target", target),
            ];
            let (status, _, page) = sun.submit(shifts, &fields).await;
            assert!(status == 422 && page.contains(said), "{}: {said}: {page}", app.engine);
        }
        let add = async |fields: &[(&str, &str)]| {
            let (status, to, page) = sun.submit(shifts, fields).await;
            assert_eq!((status, to.as_str()), (303, "/supervision/shifts?noted=added"), "{page}");
        };
        let hours = [("from", "09:00"), ("to", "12:00")];
        let target = [("kind", "calls"), ("target", "2")];
        add(&[&[("who", "wu"), ("weekday", "1")], &hours[..], &target[..]].concat()).await;
        add(&[&[("who", "zheng"), ("weekday", "2"), ("date", "2026-03-02")], &hours[..]].concat())
            .await;
        let late = [("who", "zheng"), ("weekday", "7"), ("from", "22:00"), ("to", "02:00")];
        add(&late).await;
        let page = sun.get(shifts).await.2;
        for said in
            ["每周一", "2026-03-02 周一", "22:00–次日 02:00", "拨打 2 次", "应到 2 · 在岗 0"]
        {
            assert!(page.contains(said), "{}: {said}: {page}", app.engine);
        }
        assert!(sun.get("/supervision").await.2.contains("现在应到 2 · 在岗 0"), "{}", app.engine);
        // One of them calls; both numbers count for the target, and those of yesterday do not.
        let call_screen = next_call(&app, &wu).await.unwrap();
        assert!(sun.get(shifts).await.2.contains("在岗 1"), "{}", app.engine);
        record_outcome(&app, &wu, &call_screen, CallOutcome::NoAnswer).await;
        let page = own.get("/interview").await.2;
        assert!(page.contains("09:00–12:00 · 目标：拨打 2 次") && page.contains("1/2"), "{page}");
        assert!(page.contains("03-09 09:00–12:00"), "{}: the next: {page}", app.engine);
        let call_screen = next_call(&app, &wu).await.unwrap();
        record_outcome(&app, &wu, &call_screen, CallOutcome::NoAnswer).await;
        assert!(sun.get(shifts).await.2.contains("<span class=\"good\">2/2</span>"));
        // After a quarter of an hour without a call nobody is there.
        app.clock.advance_to(local("2026-03-02T10:16:00"));
        assert!(sun.get(shifts).await.2.contains("在岗 0"), "{}", app.engine);
        // Outside the shift the queue serves, and the supervisor sees it.
        app.advance_until(local("2026-03-02T13:00:00")).await;
        let own = Browser::signed_in(&app, "wu").await;
        let page = own.get("/interview").await.2;
        assert!(page.contains("不在班次内，仍可取下一位"), "{}: {page}", app.engine);
        assert!(next_call(&app, &wu).await.is_some(), "{}: warned, never blocked", app.engine);
        let sun = Browser::signed_in(&app, "sun").await;
        let page = sun.get(shifts).await.2;
        assert!(page.contains("应到 0") && page.contains("班外在打：wu"), "{page}");
        // Removed once, by whoever may.
        let id = page.split("/supervision/shifts/").nth(1).unwrap().split('/').next().unwrap();
        let remove = format!("/supervision/shifts/{id}/remove");
        assert_eq!(own.submit(&remove, &[]).await.0, 403, "{}", app.engine);
        assert!(sun.submit(&remove, &[]).await.1.ends_with("removed"), "{}", app.engine);
        assert!(sun.submit(&remove, &[]).await.1.ends_with("gone"), "{}", app.engine);
        let filter = AuditFilter { actor: "sun".into(), ..AuditFilter::default() };
        let mut connection = app.context.database.read().await.unwrap();
        let written = audit::entries(&mut connection, &filter, 100).await.unwrap();
        let of = |action: Action| {
            let of = written.iter().filter(move |entry| entry.action == action);
            of.map(|entry| format!("{} {}", entry.object, entry.detail)).collect::<Vec<_>>()
        };
        assert!(
            of(Action::ShiftAdded).contains(&"account:wu 1 09:00-12:00 calls 2".to_owned()),
            "{}: {written:?}",
            app.engine
        );
        assert_eq!(of(Action::ShiftAdded).len(), 3, "{}", app.engine);
        assert_eq!(of(Action::ShiftRemoved), [format!("shift:{id} ")], "{}", app.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendar_of_appointments_fits_a_telephone() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    let (wu, _) = launch_mixed_plan(&app, 0, 12).await;
    add_account(&app, "qian", Role::Operator).await;
    app.advance_until(local("2026-03-02T10:00:00")).await;
    for day in ["03", "03", "04", "06"] {
        let call_screen = next_call(&app, &wu).await.unwrap();
        let at = local(&format!("2026-03-{day}T15:00:00"));
        let report = CallReport { call_back_at: Some(at), ..CallReport::default() };
        let lease = call_screen.lease;
        let taken =
            outcome::record_outcome(&app.context, &wu, lease, CallOutcome::CallBack, &report);
        taken.await.unwrap();
        let us = Actor::console("qian");
        if day == "04" {
            supervision::assign(&app.context, &us, lease.invitation, "zheng").await.unwrap();
        }
    }
    // One interview goes on, and a supervisor sits beside it.
    let screen = next_call(&app, &wu).await.unwrap();
    let call = screen.lease.call;
    let browser = Browser::signed_in(&app, "wu").await;
    browser.submit(&format!("/interview/{}/begin", call.0), CONSENT_FORM).await;
    browser.get("/interview").await;
    let qian = Browser::signed_in(&app, "qian").await;
    qian.submit(&format!("/supervision/calls/{}/sit", call.0), &[]).await;
    let beside = format!("/supervision/calls/{}", call.0);
    let shift = [
        ("who", "wu"),
        ("weekday", "1"),
        ("from", "09:00"),
        ("to", "18:00"),
        ("kind", "interviews"),
        ("target", "5"),
    ];
    assert_eq!(qian.submit("/supervision/shifts", &shift).await.0, 303);
    let task = serde_json::json!({ "base": app.base, "account": "qian", "pages": [
        [beside, "beside", "旁观通话"],
        ["/supervision/shifts", "shifts", "完成 5 份"],
        ["/supervision", "supervision-queue", "转交所选"],
        ["/supervision/appointments", "appointments", "周二 03-03"],
    ] });
    run_in_chromium("tests/external/pages.js", task).await;
}
