//! I2, never against the rules: at the moment of submit the case is open, its cell not full, the
//! person not opted out, the contact hours open, the caps kept; a call keeps the same rules.
//! Held by an opt-out between claim and submit, the caps across two applicants, and twenty
//! interviewers in a month; and by the property tests of `src/services/sms_sending/eligibility.rs`,
//! two daemons under one cap in `tests/sms_sending.rs`, and the other calls of
//! `tests/call_center.rs`.
//! To see one fail, let a look at the rules last for an hour: set `SNAPSHOT_LIFETIME` in
//! `src/services/sms_sending/submit.rs` to `Duration::from_secs(3_600)`, and
//! `an_opt_out_between_claim_and_submit_holds` fails.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::call_center::silent;
use crate::common::interviewers::{add_interviewer, ask_all_pages, mixed_plan, next_call};
use crate::common::{PLAN, TestApp, by_size, list, list_of, local, monday, number};
use async_trait::async_trait;
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::accounts::Account;
use fieldworkd::adapters::database::{calls, cases, replies};
use fieldworkd::adapters::sms::{
    BatchResult, Capabilities, Entries, Gateway, OutgoingMessage, Push, PushError, QueriedMessage,
    QueryResult, Receipt, Reply,
};
use fieldworkd::domain::ids::{AccountId, InvitationId};
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::telephone::{CallOutcome, DayPart, MAX_CALLS_PER_DAY};
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::call_center::call_screen::CallScreen;
use fieldworkd::services::call_center::outcome::{self, CallReport};
use fieldworkd::services::call_center::queue;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::interviews::{InterviewService, SaveOutcome};
use fieldworkd::services::sms_inbound::answer::{self, WrittenAnswer};
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::services::suppressions::opt_out;
use fieldworkd::simulation::Scenario;
use serde_json::json;

/// Forwards to the real gateway, and triggers an event at the first message.
struct InterferingGateway {
    real_gateway: Arc<dyn Gateway>,
    context: std::sync::OnceLock<Arc<AppContext>>,
    submits: AtomicU32,
    opts_out: Phone,
}

#[async_trait]
impl Gateway for InterferingGateway {
    fn name(&self) -> &str {
        self.real_gateway.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.real_gateway.capabilities()
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult {
        if self.submits.fetch_add(1, Ordering::SeqCst) == 0 {
            let context = self.context.get().expect("set before the first tick");
            let mut tx = context.database.write().await.unwrap();
            let hash = context.keys.hasher().phone_hash(&self.opts_out);
            opt_out(&mut tx, &hash, None, cases::DispositionSource::Reply, context.clock.now())
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
        self.real_gateway.submit(batch).await
    }

    async fn query(&self, message: &QueriedMessage) -> QueryResult {
        self.real_gateway.query(message).await
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        self.real_gateway.parse_receipts(push)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        self.real_gateway.parse_replies(push)
    }
}

#[tokio::test]
async fn an_opt_out_between_claim_and_submit_holds() {
    // The second or the third of three opts out while the first one's message is being sent; all
    // were claimed together.
    for who in [1, 2] {
        for mut app in TestApp::on_each_engine(Scenario::faultless(3, 50), &[]).await {
            app.launch_with_people(3, "").await;
            let meddling = Arc::new(InterferingGateway {
                real_gateway: app.context.gateways["simulator"].clone(),
                context: std::sync::OnceLock::new(),
                submits: AtomicU32::new(0),
                opts_out: Phone::parse(&number(who), phonenumber::country::CN).unwrap(),
            });
            let meddled = app.installation_with(Some(meddling.clone()), app.clock.clone());
            assert!(meddling.context.set(meddled.clone()).is_ok());
            app.dispatcher = Dispatcher::new(meddled);
            app.dispatcher.tick().await.unwrap();
            assert_eq!(app.simulator.record().accepted.len(), 2, "{}: {who}", app.engine);
            app.advance_until(monday() + Duration::from_secs(20 * 86_400)).await;
            assert_eq!(
                app.simulator.record().accepted.len(),
                6,
                "{}: two people, three steps",
                app.engine
            );
            assert!(app.dispositions("A1").await.contains(&("2.112".to_owned(), 1)));
        }
    }
}

#[tokio::test]
async fn an_opt_out_between_claim_and_submit_holds_for_answers_of_the_staff() {
    for mut app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let before = app.simulator.record().accepted.len();
        for person in 0..3 {
            let reply = json!({ "id": person, "from": number(person), "text": "要多久？" });
            assert!(app.push_replies(&reply).await < 300);
        }
        let mut connection = app.context.database.read().await.unwrap();
        let asked = replies::inbox(&mut connection, None, false).await.unwrap();
        drop(connection);
        for reply in asked {
            let mut tx = app.context.database.write().await.unwrap();
            let written = WrittenAnswer { text: "三分钟。", by: "qian", seen: 0 };
            assert!(answer::answer(&app.context, &mut tx, reply.id, &written).await.unwrap());
            tx.commit().await.unwrap();
        }
        let meddling = Arc::new(InterferingGateway {
            real_gateway: app.context.gateways["simulator"].clone(),
            context: std::sync::OnceLock::new(),
            submits: AtomicU32::new(0),
            opts_out: Phone::parse(&number(2), phonenumber::country::CN).unwrap(),
        });
        let meddled = app.installation_with(Some(meddling.clone()), app.clock.clone());
        assert!(meddling.context.set(meddled.clone()).is_ok());
        app.dispatcher = Dispatcher::new(meddled);
        app.dispatcher.tick().await.unwrap();
        assert_eq!(app.simulator.record().accepted.len() - before, 2, "{}", app.engine);
        let text = "【质协】三分钟。";
        assert_eq!(app.simulator.record().times_sent(&format!("+86{}", number(2)), text), 0);
        app.advance_until(monday() + Duration::from_secs(6 * 86_400)).await;
        assert_eq!(app.simulator.record().accepted.len() - before, 2, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_person_on_two_applicants_lists_is_spaced_by_the_caps() {
    for app in TestApp::on_each_engine(Scenario::faultless(3, 50), &[]).await {
        for (application, applicant, campaign) in [("A1", "a", "C1"), ("B1", "b", "C2")] {
            app.register_brand(application, applicant, "").await;
            app.import(&[application], list(1).as_bytes()).await.unwrap();
            app.launch(campaign, &[application], PLAN).await.unwrap();
        }
        app.advance_until(monday() + Duration::from_secs(25 * 86_400)).await;
        let record = app.simulator.record();
        assert_eq!(record.accepted.len(), 6, "{}: three steps from each", app.engine);
        let mut times: Vec<i64> = record.submits.iter().map(|(at, _)| at.0).collect();
        times.sort_unstable();
        let day = 86_400_000;
        assert!(
            times.windows(2).all(|w| w[1] - w[0] >= day),
            "{}: never two within the quiet time",
            app.engine
        );
        assert!(
            times.windows(4).all(|w| w[3] - w[0] >= 7 * day),
            "{}: never four in a week",
            app.engine
        );
    }
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
        let people: usize = match app.engine {
            "sqlite" => by_size(300, 2_000, 2_000),
            _ => by_size(300, 400, 2_000),
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
        let stored_calls =
            calls::all_since(&mut app.context.database.read().await.unwrap(), Timestamp(0))
                .await
                .unwrap();
        assert!(stored_calls.len() >= attempts);
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
