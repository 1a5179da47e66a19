//! Telephone interviewing on both engines: who is called when and by which interviewer, the effect
//! of each outcome, and what stops a call (invariants I1, I2, I7).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::common::interviewers::{
    PASSWORD, add_interviewer, answer_context, ask_all_pages, mixed_plan, next_call,
    record_outcome, send_page,
};
use crate::common::{CONSENT_FORM, TestApp, answers, list_of, local, number};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::accounts::Account;
use fieldworkd::adapters::database::responses::AnswerSource;
use fieldworkd::adapters::database::{
    accounts as stored, applications, calls, cases, responses, verifications,
};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::ids::{AccountId, InvitationId};
use fieldworkd::domain::language::Language;
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::Role;
use fieldworkd::domain::telephone::{CallOutcome, DayPart, MAX_CALLS_PER_DAY};
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::accounts;
use fieldworkd::services::call_center::call_screen::CallScreen;
use fieldworkd::services::call_center::outcome::{self, CallReport};
use fieldworkd::services::call_center::{
    CallCenterError, quality, queue, supervision, verification,
};
use fieldworkd::services::interviews::{InterviewService, SaveOutcome};
use fieldworkd::simulation::{PeopleScenario, Scenario};

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 1_000);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// An interviewer, the time when they are free, and their current call.
type InterviewerState = (Account, Timestamp, Option<(CallScreen, CallOutcome)>);

/// A shift of twenty interviewers, each with a call or free.
struct Shift {
    interviewers: Vec<InterviewerState>,
    rng: fastrand::Rng,
    /// The calls of each person: time, outcome, interviewer.
    call_history: HashMap<InvitationId, Vec<(Timestamp, CallOutcome, AccountId)>>,
    promised: HashMap<InvitationId, Timestamp>,
    /// People who must not be called any more.
    must_not_call: BTreeSet<InvitationId>,
    kept_call_backs: u32,
    completes: u32,
}

impl Shift {
    fn outcome(&mut self) -> CallOutcome {
        match self.rng.u32(0..100) {
            0..=14 => CallOutcome::Interviewed,
            15..=24 => CallOutcome::Busy,
            25..=69 => CallOutcome::NoAnswer,
            70..=72 => CallOutcome::MessageLeft,
            73..=84 => CallOutcome::CallBack,
            85..=90 => CallOutcome::SoftRefusal,
            91..=93 => CallOutcome::HardRefusal,
            94..=95 => CallOutcome::NonWorking,
            96 => CallOutcome::Language,
            97 => CallOutcome::Lost,
            _ => CallOutcome::NotDialled,
        }
    }

    /// Runs one interviewer's next action at its time.
    async fn advance_interviewer(
        &mut self,
        app: &TestApp,
        interview_service: &InterviewService,
        index: usize,
    ) {
        let now = app.clock.now();
        let zone = chrono_tz::Asia::Shanghai;
        let account = self.interviewers[index].0.clone();
        if let Some((call_screen, outcome)) = self.interviewers[index].2.take() {
            let id = call_screen.lease.invitation;
            let mut report = CallReport::default();
            match outcome {
                // The page has died: the lease expires.
                CallOutcome::Lost => {
                    self.interviewers[index].1 = now + Duration::from_secs(1_500);
                    return;
                }
                CallOutcome::Interviewed => {
                    match ask_all_pages(interview_service, &call_screen).await {
                        SaveOutcome::Accepted => {
                            self.completes += 1;
                            _ = self.must_not_call.insert(id);
                        }
                        other => panic!("{other:?}"),
                    }
                }
                CallOutcome::CallBack => {
                    let wanted = now + Duration::from_secs(self.rng.u64(3_600..5 * 86_400));
                    // Nobody is called at night, whatever time was requested.
                    let hour =
                        wanted.in_zone(zone).format("%H").to_string().parse::<u32>().unwrap();
                    let wanted = if (9..20).contains(&hour) {
                        wanted
                    } else {
                        next_morning(wanted) + Duration::from_secs(self.rng.u64(0..3_600))
                    };
                    report.call_back_at = Some(wanted);
                    self.promised.insert(id, wanted);
                }
                CallOutcome::HardRefusal | CallOutcome::NonWorking | CallOutcome::Language => {
                    _ = self.must_not_call.insert(id)
                }
                _ => {}
            }
            outcome::record_outcome(&app.context, &account, call_screen.lease, outcome, &report)
                .await
                .unwrap();
            let of_person = self.call_history.entry(id).or_default();
            of_person.push((now, outcome, account.id));
            if of_person
                .iter()
                .filter(|(_, outcome, _)| *outcome == CallOutcome::SoftRefusal)
                .count()
                == 2
            {
                self.must_not_call.insert(id);
            }
        }
        let Some(call_screen) = next_call(app, &account).await else {
            // The page polls again when the next call is due, or after a while.
            let due = queue::next_due(&app.context).await.unwrap();
            let in_a_while = now + Duration::from_secs(1_200 + 7 * index as u64);
            self.interviewers[index].1 = due
                .map_or(in_a_while, |due| due.max(now + Duration::from_secs(30)).min(in_a_while));
            return;
        };
        let id = call_screen.lease.invitation;
        assert!(!self.must_not_call.contains(&id), "{}: called after the end", app.engine);
        assert!(self.interviewers.iter().all(|(_, _, held)| held.as_ref().is_none_or(
            |(other, outcome)| other.lease.invitation != id || *outcome == CallOutcome::Lost
        )));
        let hour = now.in_zone(zone).format("%H").to_string().parse::<u32>().unwrap();
        assert!((9..21).contains(&hour), "{}: called at {now:?}", app.engine);
        if let Some(promised) = self.promised.remove(&id) {
            assert!(
                now >= promised,
                "{}: called at {now:?}, promised for {promised:?}",
                app.engine
            );
            assert!(
                now.since(promised) <= Duration::from_secs(15 * 60),
                "{}: called at {now:?}, promised for {promised:?}",
                app.engine
            );
            self.kept_call_backs += 1;
        }
        let outcome = self.outcome();
        self.interviewers[index].1 = now
            + Duration::from_secs(if outcome == CallOutcome::Interviewed {
                300
            } else {
                self.rng.u64(30..180)
            });
        self.interviewers[index].2 = Some((call_screen, outcome));
    }
}

#[tokio::test]
async fn twenty_interviewers_work_a_month_through_two_thousand_cases() {
    const ON_A_LIST: usize = 100;
    for app in
        TestApp::on_each_engine(silent(), &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "1000")]).await
    {
        // The disk takes most of the time; on PostgreSQL the same work is done with a fifth of the
        // people unless the long tests are enabled.
        let people: usize =
            if app.engine == "sqlite" || std::env::var("FIELDWORKD_TEST_LONG").is_ok() {
                2_000
            } else {
                400
            };
        let codes: Vec<String> = (0..people / ON_A_LIST).map(|n| format!("A{n}")).collect();
        for (n, code) in codes.iter().enumerate() {
            app.register_brand(code, code, "[application.quota]\ntarget = 100").await;
            app.import(&[code], list_of(n * ON_A_LIST..(n + 1) * ON_A_LIST).as_bytes())
                .await
                .unwrap();
        }
        app.launch("C1", &codes.iter().map(String::as_str).collect::<Vec<_>>(), &mixed_plan(6))
            .await
            .unwrap();
        let interview_service = InterviewService::new(app.context.clone());
        let mut interviewers = Vec::new();
        for n in 0..20 {
            interviewers.push((
                add_interviewer(&app, &format!("i{n}")).await,
                local("2026-03-04T09:00:00") + Duration::from_secs(n * 7),
                None,
            ));
        }
        let rng = fastrand::Rng::with_seed(6);
        let (call_history, promised, must_not_call) =
            (HashMap::new(), HashMap::new(), BTreeSet::new());
        let mut shift = Shift {
            interviewers,
            rng,
            call_history,
            promised,
            must_not_call,
            kept_call_backs: 0,
            completes: 0,
        };
        let end = local("2026-04-01T21:00:00");
        let mut by_themselves = (0..people).step_by(23);
        app.advance_in_steps(Duration::from_secs(1), local("2026-03-04T09:00:00")).await;
        let mut last_played = app.clock.now();
        loop {
            let index = (0..shift.interviewers.len())
                .min_by_key(|index| shift.interviewers[*index].1)
                .unwrap();
            let at = shift.interviewers[index].1;
            if at >= end {
                break;
            }
            // Everything else runs every two hours: messages are sent, and some respondents answer
            // on the web.
            if at.since(last_played) > Duration::from_secs(7_200) {
                app.advance_in_steps(Duration::from_secs(60), at).await;
                last_played = at;
                let n = by_themselves.next().unwrap_or(0);
                let link = app.link_of("C1", &codes[n / ON_A_LIST], &number(n)).await;
                let is_held = |id: InvitationId| {
                    shift.interviewers.iter().any(|(_, _, held)| {
                        held.as_ref()
                            .is_some_and(|(call_screen, _)| call_screen.lease.invitation == id)
                    })
                };
                let id = invitation_of(&app, &link).await;
                if !is_held(id) && !shift.must_not_call.contains(&id) {
                    app.answer_all(&link, 0, "8").await;
                    shift.must_not_call.insert(id);
                    shift.promised.remove(&id);
                }
            }
            app.clock.advance_to(at.max(app.clock.now()));
            // At night only two interviewers work, and they get no call.
            let hour = app
                .clock
                .now()
                .in_zone(chrono_tz::Asia::Shanghai)
                .format("%H")
                .to_string()
                .parse::<u32>()
                .unwrap();
            if index >= 2 && !(9..21).contains(&hour) && shift.interviewers[index].2.is_none() {
                shift.interviewers[index].1 = next_morning(app.clock.now());
                continue;
            }
            shift.advance_interviewer(&app, &interview_service, index).await;
        }

        let attempts: usize = shift
            .call_history
            .values()
            .flatten()
            .filter(|(_, outcome, _)| outcome.is_attempt())
            .count();
        eprintln!(
            "{}: {attempts} attempts, {} completes, {} call-backs kept",
            app.engine, shift.completes, shift.kept_call_backs
        );
        assert!(
            attempts > people * 2
                && shift.completes as usize * 5 > people
                && shift.kept_call_backs as usize * 6 > people
        );
        // All promises that are due are kept.
        let last = app.clock.now() - Duration::from_secs(900);
        assert!(
            shift.promised.iter().all(|(id, at)| *at > last || shift.must_not_call.contains(id)),
            "{}: {:?}",
            app.engine,
            shift.promised
        );
        let zone = chrono_tz::Asia::Shanghai;
        let (mut spread, mut often) = (0, 0);
        for calls in shift.call_history.values() {
            let attempts: Vec<_> =
                calls.iter().filter(|(_, outcome, _)| outcome.is_attempt()).collect();
            assert!(
                attempts.len()
                    <= 6 + calls
                        .iter()
                        .filter(|(_, outcome, _)| *outcome == CallOutcome::CallBack)
                        .count(),
                "{calls:?}"
            );
            let mut by_day: BTreeMap<_, u32> = BTreeMap::new();
            for (at, outcome, _) in &attempts {
                *by_day.entry(at.date(zone)).or_default() +=
                    u32::from(!matches!(outcome, CallOutcome::Busy | CallOutcome::CallBack));
            }
            assert!(by_day.values().all(|calls| *calls <= MAX_CALLS_PER_DAY + 1), "{calls:?}");
            let unanswered: Vec<_> = attempts
                .iter()
                .filter(|(_, outcome, _)| *outcome == CallOutcome::NoAnswer)
                .collect();
            // Where a call-back was promised, the respondent has chosen the time.
            if unanswered.len() >= 3
                && calls.iter().all(|(_, outcome, _)| *outcome != CallOutcome::CallBack)
            {
                often += 1;
                spread += usize::from(
                    unanswered
                        .iter()
                        .map(|(at, _, _)| DayPart::of(*at, zone))
                        .collect::<BTreeSet<_>>()
                        .len()
                        >= 3,
                );
            }
        }
        assert!(
            often * 100 > people * 5 && spread * 10 >= often * 9,
            "{}: of {often} who never answered, {spread} were tried in three parts of the week",
            app.engine
        );
        // Every display of a number is audited, once per call.
        let kept = calls::all_since(&mut app.context.database.read().await.unwrap(), Timestamp(0))
            .await
            .unwrap();
        assert!(kept.len() >= attempts);
    }
}

fn next_morning(now: Timestamp) -> Timestamp {
    let zone = chrono_tz::Asia::Shanghai;
    let nine =
        |date: chrono::NaiveDate| Timestamp::from_local(date.and_hms_opt(9, 0, 0).unwrap(), zone);
    let today = nine(now.date(zone));
    if today > now { today } else { nine(now.date(zone).succ_opt().unwrap()) }
}

async fn invitation_of(app: &TestApp, link: &str) -> InvitationId {
    let code = link.rsplit('/').next().unwrap();
    InterviewService::new(app.context.clone())
        .open_invitation(code, Mode::Web)
        .await
        .unwrap()
        .invitation
        .id
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
        let kept = calls::all_since(&mut app.context.database.read().await.unwrap(), Timestamp(0))
            .await
            .unwrap();
        let mut attempts: HashMap<InvitationId, u32> = HashMap::new();
        kept.iter().for_each(|call| *attempts.entry(call.invitation).or_default() += 1);
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

#[tokio::test]
async fn each_outcome_has_its_disposition_and_what_follows() {
    let cases = [
        (CallOutcome::Busy, "3.12"),
        (CallOutcome::NoAnswer, "3.13"),
        (CallOutcome::MessageLeft, "2.22"),
        (CallOutcome::SoftRefusal, "2.11"),
        (CallOutcome::HardRefusal, "2.112"),
        (CallOutcome::WrongNumber, "4.7"),
        (CallOutcome::NonWorking, "4.31"),
        (CallOutcome::Disconnected, "4.32"),
        (CallOutcome::OutOfService, "4.33"),
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
            if outcome
                .disposition()
                .is_some_and(fieldworkd::domain::disposition::Disposition::is_final)
            {
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
            (1, 1),
            "a call that says less forgets nothing: {:?}",
            app.dispositions("A1").await
        );
        drop(interview_service);
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
            (2 + 5 + 3, 4),
            "{}: {by:?}",
            app.engine
        );
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
            &Language::ALL,
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
        let board = supervision::supervision_dashboard(&app.context).await.unwrap();
        assert_eq!((board.waiting, board.due, board.on_screens), (60, 59, 1), "{}", app.engine);
        let row =
            board.rows.iter().find(|row| row.invitation == call_screen.lease.invitation).unwrap();
        assert!(
            row.on_screen_of.as_deref() == Some("wu") && row.cases.starts_with("A1/"),
            "{row:?}"
        );
        // One is assigned to zheng: wu does not get it, and zheng gets it only when it is due like
        // the others.
        let other = board.rows.iter().find(|row| row.on_screen_of.is_none()).unwrap().invitation;
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
        verification::take(&app.context, &qian, task).await.unwrap().unwrap();
        assert_eq!(
            verification::take(&app.context, &wu, task).await.unwrap(),
            Err(verification::VerificationRefusal::Unavailable)
        );
        let asked = verification::current_task(&app.context, &qian, task).await.unwrap().unwrap();
        assert!(asked.phone.e164().starts_with("+86106512"));
        let fields = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let finish = async |pairs: &[(&str, &str)]| {
            verification::finish(&app.context, &asked, &fields(pairs), "").await.unwrap()
        };
        assert!(
            matches!(finish(&[("took", "yes")]).await, verification::VerificationResult::Problems(problems) if problems.len() == 3)
        );
        assert_eq!(finish(&[("took", "no")]).await, verification::VerificationResult::Doubtful);
        let other_task = tasks[1].id;
        verification::take(&app.context, &wu, other_task).await.unwrap().unwrap();
        let asked =
            verification::current_task(&app.context, &wu, other_task).await.unwrap().unwrap();
        let good = fields(&[("took", "yes"), ("asked", "all"), ("manner", "good"), ("led", "no")]);
        assert_eq!(
            verification::finish(&app.context, &asked, &good, "很客气").await.unwrap(),
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
        let shown = fieldworkd::services::erasure::person::export(
            &app.context,
            &number(0),
            &fieldworkd::domain::audit::Actor::command("li"),
        )
        .await
        .unwrap();
        assert_eq!(
            shown["held"][0]["calls"][0]["note"], "晚上带孙子，别太晚打",
            "{}: {shown}",
            app.engine
        );
        assert_eq!(shown["held"][0]["calls"][0]["by"], "wu");
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
