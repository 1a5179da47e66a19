//! The dispatcher's invariants, on both engines, against the simulator over HTTP: never twice,
//! never against the rules, never too fast.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::{PLAN, TestApp, list, local, monday, number};
use async_trait::async_trait;
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::{cases, messages};
use fieldworkd::adapters::sms::{
    BatchResult, Capabilities, Gateway, OutgoingMessage, Push, PushError, QueriedMessage,
    QueryResult, Receipt, Reply,
};
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::services::suppressions::opt_out;
use fieldworkd::simulation::{PeopleScenario, Scenario};

async fn states(app: &TestApp) -> Vec<(String, i64)> {
    messages::count_by_state(&mut app.context.database.read().await.unwrap()).await.unwrap()
}

fn count(states: &[(String, i64)], state: &str) -> i64 {
    states.iter().find(|(name, _)| name == state).map_or(0, |(_, n)| *n)
}

/// A gateway with every kind of fault.
fn faulty(seed: u64) -> Scenario {
    Scenario {
        throttled: 0.1,
        unavailable: 0.1,
        response_lost: 0.1,
        request_lost: 0.05,
        invalid_numbers: 0.05,
        number_frequency: 0.05,
        undelivered: 0.05,
        no_receipt: 0.05,
        duplicate_receipts: 0.3,
        early_receipts: 0.2,
        ..Scenario::faultless(seed, 20)
    }
}

#[tokio::test]
async fn through_every_fault_nobody_gets_a_step_twice_and_everybody_gets_an_outcome() {
    for app in
        TestApp::on_each_engine(faulty(7), &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "20")]).await
    {
        app.launch_with_people(100, "").await;
        app.advance_until(local("2026-03-25T12:00:00")).await;
        let record = app.simulator.record();
        assert_eq!(record.duplicates(), 0, "{}", app.engine);
        assert_eq!(record.over_rate(20), 0, "{}", app.engine);
        let outside = record
            .submits
            .iter()
            .filter(|(at, _)| {
                !(9..21).contains(&chrono::Timelike::hour(&at.in_zone(chrono_tz::Asia::Shanghai)))
            })
            .count();
        assert_eq!(outside, 0, "{}", app.engine);
        let states = states(&app).await;
        assert_eq!(
            count(&states, "submitting") + count(&states, "in_doubt") + count(&states, "deferred"),
            0,
            "{}: {states:?}",
            app.engine
        );
        assert!(
            count(&states, "delivered") > 200
                && count(&states, "refused") > 0
                && count(&states, "failed") > 0,
            "{states:?}"
        );
        // The messages accepted by the gateway are those recorded as accepted: no message is lost
        // either.
        let ours = count(&states, "delivered")
            + count(&states, "undelivered")
            + count(&states, "accepted");
        assert_eq!(ours, record.accepted.len() as i64, "{}", app.engine);
    }
}

#[tokio::test]
async fn two_daemons_on_one_database_share_the_work_and_the_caps() {
    for app in TestApp::on_each_engine(
        Scenario::faultless(3, 200),
        &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "200")],
    )
    .await
    {
        // The same hundred people on the lists of two applicants, due in the same second.
        for (application, applicant, campaign) in [("A1", "a", "C1"), ("B1", "b", "C2")] {
            app.register_brand(application, applicant, "").await;
            app.import(&[application], list(100).as_bytes()).await.unwrap();
            app.launch(campaign, &[application], PLAN).await.unwrap();
        }
        let other = Dispatcher::new(app.context.clone());
        for _ in 0..10 {
            let (one, two) = tokio::join!(app.dispatcher.tick(), other.tick());
            one.unwrap();
            two.unwrap();
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
        }
        let record = app.simulator.record();
        assert_eq!(
            (record.duplicates(), record.accepted.len()),
            (0, 100),
            "{}: each person once a day",
            app.engine
        );
        app.advance_until(monday() + Duration::from_secs(2 * 86_400)).await;
        assert_eq!(
            app.simulator.record().accepted.len(),
            200,
            "{}: and the other applicant's a day later",
            app.engine
        );
    }
}

/// The caps of one daemon must see the claims of another, so daemons claim one after another.
#[tokio::test]
async fn daemons_claim_one_after_another() {
    for app in TestApp::on_each_engine(Scenario::faultless(3, 50), &[]).await {
        app.launch_with_people(3, "").await;
        let other_daemon = app.context.database.claim_lock().await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_millis(300), app.dispatcher.tick()).await.is_err(),
            "{}",
            app.engine
        );
        assert!(app.simulator.record().submits.is_empty());
        drop(other_daemon);
        app.dispatcher.tick().await.unwrap();
        assert_eq!(app.simulator.record().accepted.len(), 3, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_submit_whose_daemon_died_is_asked_after_and_never_sent_again() {
    // The response is delayed, so that the daemon can be aborted while it waits.
    let scenario = Scenario { latency_millis: 300, ..Scenario::faultless(3, 50) };
    for app in TestApp::on_each_engine(scenario, &[]).await {
        app.launch_with_people(4, "").await;
        // A daemon marks the messages and dies before it submits them: the task is aborted in its
        // first HTTP request.
        let dying = tokio::spawn({
            let context = app.context.clone();
            async move { Dispatcher::new(context).tick().await }
        });
        while count(&states(&app).await, "submitting") == 0 {
            tokio::task::yield_now().await;
        }
        dying.abort();
        assert!(dying.await.is_err());
        let stuck = count(&states(&app).await, "submitting");
        assert!(stuck > 0);
        app.advance_until(monday() + Duration::from_secs(3600)).await;
        let record = app.simulator.record();
        assert_eq!(record.duplicates(), 0, "{}", app.engine);
        let states = states(&app).await;
        assert_eq!(
            count(&states, "submitting") + count(&states, "in_doubt"),
            0,
            "{}: {states:?}",
            app.engine
        );
        // Messages that the gateway accepted are known as such; the others are failed, and the
        // reminder follows.
        assert_eq!(
            count(&states, "failed"),
            4 - record.accepted.len() as i64,
            "{}: {states:?}",
            app.engine
        );
        app.advance_until(monday() + Duration::from_secs(8 * 86_400)).await;
        assert_eq!(app.simulator.record().duplicates(), 0);
    }
}

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

    fn parse_receipts(&self, push: Push<'_>) -> Result<Vec<Receipt>, PushError> {
        self.real_gateway.parse_receipts(push)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Vec<Reply>, PushError> {
        self.real_gateway.parse_replies(push)
    }
}

/// Returns the same installation with another gateway or another clock.
fn installation_with(
    app: &TestApp,
    gateway: Option<Arc<dyn Gateway>>,
    clock: Arc<dyn Clock>,
) -> Arc<AppContext> {
    let keys =
        fieldworkd::adapters::crypto::KeyRing::open(&app.context.config.key_ring, None).unwrap();
    let gateways = match gateway {
        Some(gateway) => [("simulator".to_owned(), gateway)].into(),
        None => app.context.gateways.clone(),
    };
    Arc::new(AppContext {
        config: app.context.config.clone(),
        database: app.context.database.clone(),
        keys,
        clock,
        gateways,
        dialer: None,
    })
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
            let meddled = installation_with(&app, Some(meddling.clone()), app.clock.clone());
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

/// A machine whose sleeps end late, by up to 41 ms.
struct LateClock {
    clock: Arc<fieldworkd::adapters::clock::VirtualClock>,
    woken: AtomicU32,
}

#[async_trait]
impl Clock for LateClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let delay =
            [0, 3, 40, 0, 17, 5, 41, 2][self.woken.fetch_add(1, Ordering::SeqCst) as usize % 8];
        if at > self.now() {
            self.clock.advance_to(at + Duration::from_millis(delay));
        }
    }
}

/// Invariant I3 on a machine that is late: a message that missed its slot waits for another one, so
/// messages are never compressed.
#[tokio::test]
async fn a_late_machine_is_slower_and_never_too_fast() {
    for mut app in TestApp::on_each_engine(
        Scenario::faultless(3, 1000),
        &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "20")],
    )
    .await
    {
        app.launch_with_people(100, "").await;
        let late = Arc::new(LateClock { clock: app.clock.clone(), woken: AtomicU32::new(0) });
        app.dispatcher = Dispatcher::new(installation_with(&app, None, late));
        app.advance_until(monday() + Duration::from_secs(600)).await;
        let record = app.simulator.record();
        assert_eq!((record.accepted.len(), record.over_rate(20)), (100, 0), "{}", app.engine);
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

#[tokio::test]
async fn replies_opt_out_at_once_and_are_taken_once() {
    let people = PeopleScenario { replies_opt_out: 1.0, ..PeopleScenario::silent() };
    for app in TestApp::on_each_engine(Scenario { people, ..Scenario::faultless(5, 50) }, &[]).await
    {
        app.launch_with_people(5, "").await;
        app.advance_until(monday() + Duration::from_secs(20 * 86_400)).await;
        assert_eq!(app.simulator.record().accepted.len(), 5, "{}: nobody is reminded", app.engine);
        assert_eq!(app.dispositions("A1").await, [("2.112".to_owned(), 5)]);
        let replies = fieldworkd::adapters::database::replies::count_by_meaning(
            &mut app.context.database.read().await.unwrap(),
        )
        .await
        .unwrap();
        assert_eq!(replies, [("opt_out".to_owned(), 5)], "{}", app.engine);
        // The same person on a later list of the programme is not contacted either.
        app.register_brand("B1", "b", "").await;
        let outcome = app.import(&["B1"], list(5).as_bytes()).await.unwrap();
        assert_eq!(outcome.suppressed, 5);
        app.launch("C2", &["B1"], PLAN).await.unwrap();
        app.advance_until(monday() + Duration::from_secs(40 * 86_400)).await;
        assert_eq!(app.simulator.record().accepted.len(), 5, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_wrong_account_pauses_the_gateway_and_fails_nobody() {
    let scenario = Scenario { secret: "right".into(), ..Scenario::faultless(5, 50) };
    let app = TestApp::on_sqlite(scenario, &[("GATEWAY__SIMULATOR__SECRET", "wrong")]).await;
    app.launch_with_people(3, "").await;
    app.advance_until(monday() + Duration::from_secs(3600)).await;
    let states = states(&app).await;
    assert_eq!((count(&states, "deferred"), states.len()), (3, 1), "{states:?}");
    assert!(app.simulator.record().submits.is_empty(), "a refused account is no message");
    assert_eq!(app.dispositions("A1").await, [("3.11".to_owned(), 3)]);
    let (status, ready) = app.get(&format!("{}/readyz", app.base)).await;
    assert!(status == 200 && ready.contains("simulator"), "{ready}");
}

#[tokio::test]
async fn a_pause_holds_everything_and_resuming_goes_on() {
    use fieldworkd::adapters::database::campaigns::CampaignState;
    for app in TestApp::on_each_engine(Scenario::faultless(5, 50), &[]).await {
        app.launch_with_people(3, "").await;
        fieldworkd::services::campaigns::change_state(&app.context, "C1", CampaignState::Paused)
            .await
            .unwrap();
        assert!(
            fieldworkd::services::campaigns::change_state(
                &app.context,
                "C1",
                CampaignState::Paused
            )
            .await
            .unwrap_err()
            .to_string()
            .contains("cannot be paused")
        );
        app.advance_until(monday() + Duration::from_secs(3600)).await;
        assert!(app.simulator.record().submits.is_empty());
        fieldworkd::services::campaigns::change_state(&app.context, "C1", CampaignState::Running)
            .await
            .unwrap();
        app.advance_until(monday() + Duration::from_secs(7200)).await;
        assert_eq!(app.simulator.record().accepted.len(), 3, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_push_with_a_wrong_secret_or_shape_changes_nothing() {
    let app = TestApp::on_sqlite(Scenario::faultless(5, 50), &[]).await;
    let secret = app.context.keys.hasher().webhook_secret("simulator");
    let post = async |path: String, body: &'static str| {
        app.http
            .post(format!("{}{path}", app.base))
            .body(body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(post("/hooks/simulator/wrong/receipts".into(), "{}").await, 404);
    assert_eq!(post(format!("/hooks/other/{secret}/receipts"), "{}").await, 404);
    assert_eq!(post(format!("/hooks/simulator/{secret}/receipts"), "no json").await, 400);
    assert_eq!(
        post(format!("/hooks/simulator/{secret}/receipts"), r#"{"id":"x","state":"delivered"}"#)
            .await,
        200
    );
    assert_eq!(
        post(format!("/hooks/simulator/{secret}/replies"), r#"{"from":"not a number","text":"R"}"#)
            .await,
        200
    );
    let huge: &'static str = Box::leak("x".repeat(2_000_000).into_boxed_str());
    assert_eq!(post(format!("/hooks/simulator/{secret}/receipts"), huge).await, 413);
}
