//! Events: delivered at least once, in order, under one id, signed, without personal data, to a
//! real receiver of Standard Webhooks (tests/external/receivers.py).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::deployment::Deployment;
use crate::common::receivers::{Receivers, SECRET};
use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::adapters::database::campaigns::CampaignState;
use fieldworkd::adapters::database::events as stored;
use fieldworkd::domain::audit::{Action, Actor};
use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::event::EventKind;
use fieldworkd::services::campaigns;
use fieldworkd::services::deadlines::close_campaign;
use fieldworkd::services::erasure;
use fieldworkd::services::monitoring::overview;
use fieldworkd::services::webhooks::{self, EndpointError};
use fieldworkd::services::{alerts, forecasting};
use fieldworkd::simulation::Scenario;
use serde_json::{Value, json};

fn people() -> Scenario {
    let mut scenario = Scenario::faultless(5, 500);
    scenario.people.completes = [0.2, 0.05, 0.0];
    scenario.people.replies_other = 0.3;
    scenario
}

fn administrator() -> Actor {
    Actor::console("zhao")
}

const EARLY_ALARMS: [(&str, &str); 1] = [("ALARM__WATCH__DAYS_LEFT", "90")];

/// Adds a webhook at a path of the receiver, and makes the receiver check with its secret.
async fn add(
    app: &TestApp,
    receivers: &mut Receivers,
    name: &str,
    path: &str,
    kinds: &[EventKind],
) {
    let secret = webhooks::add(
        &app.context,
        &administrator(),
        name,
        &format!("{}{path}", receivers.http),
        kinds,
    )
    .await
    .unwrap();
    receivers.use_secret(secret.reveal());
    // The receiver reads the line before the next post arrives.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Runs a campaign through all states that cause events.
async fn run_campaign(app: &TestApp) {
    app.register_brand("A1", "a", "[application.quota]\ntarget = 35").await;
    app.import(&["A1"], list_of(0..40).as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    campaigns::change_state(&app.context, "C1", CampaignState::Paused).await.unwrap();
    campaigns::change_state(&app.context, "C1", CampaignState::Running).await.unwrap();
    app.advance_until(local("2026-03-12T12:00:00")).await;
    app.answer_all(&app.link(3).await, 0, "8").await;
    forecasting::forecast_campaign(&app.context, "C1").await.unwrap();
    alerts::tick(&app.context).await.unwrap();
    close_campaign(&app.context, "C1").await.unwrap();
    alerts::tick(&app.context).await.unwrap();
    fieldworkd::services::datasets::write_pending(&app.context).await.unwrap();
}

fn event_types(posts: &[Value]) -> Vec<&str> {
    posts.iter().map(|post| post["body"]["type"].as_str().unwrap()).collect()
}

async fn undelivered(app: &TestApp, name: &str) -> u64 {
    let mut connection = app.context.database.read().await.unwrap();
    let endpoint = stored::endpoint(&mut connection, name).await.unwrap().unwrap();
    stored::count_pending(&mut connection, endpoint.id).await.unwrap()
}

#[tokio::test]
async fn events_are_delivered_once_in_order_signed_and_without_personal_data() {
    let Some(mut receivers) = Receivers::start() else { return };
    let mut before = 0;
    for app in TestApp::on_each_engine(people(), &EARLY_ALARMS).await {
        add(&app, &mut receivers, "scoring", "/hook", &[]).await;
        run_campaign(&app).await;
        webhooks::deliver_due_events(&app.context).await.unwrap();
        webhooks::deliver_due_events(&app.context).await.unwrap();
        let sent = {
            let mut connection = app.context.database.read().await.unwrap();
            let id = stored::endpoint(&mut connection, "scoring").await.unwrap().unwrap().id;
            stored::deliveries(&mut connection, id, None, 500).await.unwrap()
        };
        let received = receivers.wait_for("webhook", before + sent.len()).await.split_off(before);
        before += received.len();
        assert_eq!(received.len(), sent.len(), "{}: each once", app.engine);
        let ids: BTreeSet<&str> =
            received.iter().map(|post| post["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), received.len(), "{}", app.engine);
        assert!(
            received.iter().all(|post| post["signed"] == true),
            "{}: {received:#?}",
            app.engine
        );
        let kinds = event_types(&received);
        let in_order: Vec<&str> =
            sent.iter().rev().map(|delivery| delivery.kind.as_str()).collect();
        assert_eq!(kinds, in_order, "{}", app.engine);
        for kind in [
            EventKind::ListImported,
            EventKind::CampaignLaunched,
            EventKind::ApplicationLaunched,
            EventKind::CampaignPaused,
            EventKind::CampaignResumed,
            EventKind::InterviewCompleted,
            EventKind::ReplyReceived,
            EventKind::AlarmRaised,
            EventKind::AlarmEnded,
            EventKind::ApplicationClosed,
            EventKind::CampaignClosed,
            EventKind::DatasetReady,
        ] {
            assert!(
                kinds.contains(&kind.code()),
                "{}: {} is not in {kinds:?}",
                app.engine,
                kind.code()
            );
        }
        let place = |code: &str| kinds.iter().position(|other| *other == code).unwrap();
        assert!(
            place("campaign.launched") < place("campaign.paused")
                && place("campaign.resumed") < place("interview.completed")
        );
        let completed = &received[place("interview.completed")]["body"]["data"];
        assert!(
            completed["application"] == "A1"
                && completed["campaign"] == "C1"
                && completed["case"].is_i64()
                && completed["mode"] == "web"
        );
        let completes =
            app.dispositions("A1").await.into_iter().find(|(code, _)| code == "1.1").unwrap().1;
        assert_eq!(
            kinds.iter().filter(|kind| **kind == "interview.completed").count() as u64,
            completes,
            "{}",
            app.engine
        );
        // No event contains a number or a name of the list.
        let all = serde_json::to_string(&received).unwrap();
        assert!((0..40).all(|n| !all.contains(&number(n))), "{all}");
        let list = list_of(0..40);
        let names = list
            .lines()
            .skip(1)
            .flat_map(|line| line.split(','))
            .filter(|cell| cell.chars().any(|c| c > '\u{2e80}'));
        assert!(names.into_iter().all(|name| !all.contains(name)), "{all}");
    }
}

#[tokio::test]
async fn rolled_back_and_unsubscribed_events_are_not_delivered() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        let some = [EventKind::CampaignLaunched];
        for (name, kinds) in [("all", [].as_slice()), ("some", &some)] {
            webhooks::add(&app.context, &administrator(), name, "http://127.0.0.1:9/", kinds)
                .await
                .unwrap();
        }
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..10).as_bytes()).await.unwrap();
        assert_eq!(
            (undelivered(&app, "all").await, undelivered(&app, "some").await),
            (1, 0),
            "{}",
            app.engine
        );
        // A rehearsed launch is rolled back: it causes no event.
        let plan = PlanFile::parse(PLAN).unwrap();
        let applications = ["A1".to_owned()];
        let request = campaigns::LaunchRequest {
            code: "C1",
            applications: &applications,
            plan: &plan,
            gateway: "simulator",
            budget: None,
            seed: None,
            dry_run: true,
        };
        campaigns::launch(&app.context, &request).await.unwrap();
        drop(campaigns::prepare_launch(&app.context, &request).await.unwrap());
        assert_eq!(
            (undelivered(&app, "all").await, undelivered(&app, "some").await),
            (1, 0),
            "{}: nothing was launched",
            app.engine
        );
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        assert_eq!(
            (undelivered(&app, "all").await, undelivered(&app, "some").await),
            (3, 1),
            "{}",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_failing_endpoint_is_retried_with_backoff_and_gets_every_event() {
    let Some(mut receivers) = Receivers::start() else { return };
    let mut before = 0;
    for app in TestApp::on_each_engine(people(), &[]).await {
        add(&app, &mut receivers, "down", "/broken", &[]).await;
        receivers.use_secret(SECRET);
        webhooks::add(
            &app.context,
            &administrator(),
            "gone",
            &format!("{}/gone", receivers.http),
            &[],
        )
        .await
        .unwrap();
        webhooks::add(
            &app.context,
            &administrator(),
            "picky",
            &format!("{}/refuses", receivers.http),
            &[],
        )
        .await
        .unwrap();
        app.launch_with_people(10, "").await;
        let at = async |path: &str, least: usize| {
            let all = receivers.wait_for("webhook", before + least).await;
            all[before..].iter().filter(|post| post["path"] == path).count()
        };
        // Three events each: one failure is enough to pause «down», «gone» is left alone for good,
        // «picky» refuses each by itself until the third.
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(
            (at("/broken", 5).await, at("/gone", 5).await, at("/refuses", 5).await),
            (1, 1, 3),
            "{}",
            app.engine
        );
        assert_eq!(
            (
                undelivered(&app, "down").await,
                undelivered(&app, "gone").await,
                undelivered(&app, "picky").await
            ),
            (3, 3, 3),
            "{}",
            app.engine
        );
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(at("/broken", 5).await, 1, "{}: not before its time", app.engine);
        let names = async || {
            let pending_work = overview::pending_work(&app.context).await.unwrap();
            pending_work.webhooks.into_iter().map(|webhook| webhook.name).collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["gone", "picky"], "one failure is nothing");
        app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(
            (at("/broken", 7).await, at("/gone", 7).await, at("/refuses", 7).await),
            (2, 1, 4),
            "{}",
            app.engine
        );
        app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(at("/broken", 7).await, 2, "{}: the second wait is longer", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(900));
        assert_eq!(names().await, ["down", "gone", "picky"], "{}: somebody is to look", app.engine);
        // It recovers: all missed events arrive in order. (The URL is changed in the database;
        // there is no other way.)
        app.execute_sql(&format!(
            "UPDATE event_endpoint SET url = '{}/hook' WHERE name = 'down'",
            receivers.http
        ))
        .await
        .unwrap();
        app.clock.advance_to(app.clock_now() + Duration::from_secs(3_600));
        webhooks::deliver_due_events(&app.context).await.unwrap();
        let now = receivers.wait_for("webhook", before + 11).await;
        let back: Vec<Value> =
            now[before..].iter().filter(|post| post["path"] == "/hook").cloned().collect();
        assert_eq!(
            event_types(&back),
            ["list.imported", "campaign.launched", "application.launched"],
            "{}",
            app.engine
        );
        let first = now[before..].iter().find(|post| post["path"] == "/broken").unwrap();
        assert_eq!(
            first["id"], back[0]["id"],
            "{}: one event, one id, however often it is tried",
            app.engine
        );
        assert_eq!(undelivered(&app, "down").await, 0);
        // An endpoint that answered 410 gets nothing more.
        let gone = undelivered(&app, "gone").await;
        campaigns::change_state(&app.context, "C1", CampaignState::Paused).await.unwrap();
        assert_eq!(
            (undelivered(&app, "gone").await, undelivered(&app, "down").await),
            (gone, 1),
            "{}",
            app.engine
        );
        // The endpoint is repaired and tested: it is retried at once, and gets the pending events.
        app.execute_sql(&format!(
            "UPDATE event_endpoint SET url = '{}/hook' WHERE name = 'gone'",
            receivers.http
        ))
        .await
        .unwrap();
        webhooks::send_test_event(&app.context, &administrator(), "gone").await.unwrap();
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(undelivered(&app, "gone").await, 0, "{}", app.engine);
        before = receivers.wait_for("webhook", 0).await.len();
    }
}

#[tokio::test]
async fn a_daemon_that_dies_meanwhile_loses_nothing_and_old_ones_are_forgotten() {
    let Some(mut receivers) = Receivers::start() else { return };
    let mut before = 0;
    for app in TestApp::on_each_engine(people(), &[]).await {
        add(&app, &mut receivers, "scoring", "/hook", &[]).await;
        app.launch_with_people(10, "").await;
        let id = stored::endpoint(&mut app.context.database.read().await.unwrap(), "scoring")
            .await
            .unwrap()
            .unwrap()
            .id;
        // A daemon has leased the endpoint and died: no other daemon delivers meanwhile (it would
        // be out of order), and another one does after the lease.
        let mut tx = app.context.database.write().await.unwrap();
        let now = app.clock_now();
        assert!(stored::lease(&mut tx, id, now, now + Duration::from_secs(60)).await.unwrap());
        assert!(
            !stored::lease(&mut tx, id, now, now + Duration::from_secs(60)).await.unwrap(),
            "{}: one at a time",
            app.engine
        );
        tx.commit().await.unwrap();
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(undelivered(&app, "scoring").await, 3, "{}", app.engine);
        app.clock.advance_to(now + Duration::from_secs(61));
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(
            receivers.wait_for("webhook", before + 3).await.len(),
            before + 3,
            "{}",
            app.engine
        );
        // Two daemons at once deliver each event once.
        for n in 0..30 {
            let to = if n % 2 == 0 { CampaignState::Paused } else { CampaignState::Running };
            campaigns::change_state(&app.context, "C1", to).await.unwrap();
        }
        let (one, other) = tokio::join!(
            webhooks::deliver_due_events(&app.context),
            webhooks::deliver_due_events(&app.context)
        );
        one.unwrap();
        other.unwrap();
        let both = receivers.wait_for("webhook", before + 33).await.split_off(before + 3);
        let in_turn = ["campaign.paused", "campaign.resumed"];
        assert!(
            both.len() == 30
                && event_types(&both).iter().enumerate().all(|(n, kind)| *kind == in_turn[n % 2]),
            "{}: {:?}",
            app.engine,
            event_types(&both)
        );
        before += 30;
        // A test event is delivered whatever the subscribed kinds.
        webhooks::send_test_event(&app.context, &administrator(), "scoring").await.unwrap();
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(
            receivers.wait_for("webhook", before + 4).await[before + 3]["body"]["type"],
            "webhook.test"
        );
        before += 4;
        app.clock.advance_to(now + Duration::from_secs(31 * 86_400));
        erasure::remove_expired(&app.context).await.unwrap();
        let left =
            stored::deliveries(&mut app.context.database.read().await.unwrap(), id, None, 100)
                .await
                .unwrap();
        assert!(left.is_empty(), "{}: {left:?}", app.engine);
    }
}

#[tokio::test]
async fn webhooks_are_added_and_taken_away_by_name_and_written_down() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        let make = async |name: &str, url: &str| {
            webhooks::add(&app.context, &administrator(), name, url, &[]).await
        };
        let first = make("a", "https://scoring.example/hook").await.unwrap();
        assert!(first.reveal().starts_with("whsec_") && !format!("{first:?}").contains("whsec_"));
        assert!(
            matches!(make("a", "https://other.example/").await, Err(EndpointError::Taken(_))),
            "{}",
            app.engine
        );
        assert!(matches!(make("a b", "https://other.example/").await, Err(EndpointError::Name(_))));
        assert!(matches!(make("b", "http://other.example/").await, Err(EndpointError::Address)));
        webhooks::remove(&app.context, &administrator(), "a").await.unwrap();
        assert!(matches!(
            webhooks::remove(&app.context, &administrator(), "a").await,
            Err(EndpointError::Unknown(_))
        ));
        app.clock.advance_to(app.clock_now() + Duration::from_millis(1));
        let second = make("a", "https://scoring.example/hook").await.unwrap();
        assert_ne!(
            first.reveal(),
            second.reveal(),
            "{}: another one has another secret",
            app.engine
        );
        let filter = AuditFilter {
            actor: "zhao".into(),
            action: None,
            object: "webhook:a".into(),
            before: None,
        };
        let log = audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 10)
            .await
            .unwrap();
        assert_eq!(
            log[0].detail, "https://scoring.example",
            "{}: where events go, without what may be a token",
            app.engine
        );
        let actions: Vec<Action> = log.into_iter().map(|entry| entry.action).collect();
        assert_eq!(
            actions,
            [Action::WebhookAdded, Action::WebhookRemoved, Action::WebhookAdded],
            "{}",
            app.engine
        );
    }
}

/// Through the daemon: delivered within seconds, and after a kill without warning the undelivered
/// events.
#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_tells_by_itself_and_after_a_kill() {
    let Some(mut receivers) = Receivers::start() else { return };
    let mut before = 0;
    for deployment in Deployment::on_each_engine(10, &Scenario::faultless(1, 100), 40).await {
        let output = deployment
            .command_line(&[
                "token", "add", "all", "--scope", "operate", "--scope", "watch", "--scope",
                "accounts", "--days", "1",
            ])
            .output()
            .unwrap();
        let token = String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .find(|word| word.starts_with("fwd_"))
            .unwrap()
            .to_owned();
        let http = fieldworkd::adapters::http_client::new(Duration::from_secs(30)).unwrap();
        let ask = async |path: &str, body: Value| {
            let request = http
                .post(format!("http://127.0.0.1:{}/api/v1{path}", deployment.port))
                .bearer_auth(&token)
                .body(body.to_string());
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()
        };
        let daemon = deployment.start_daemon(&[]).await;
        let hook = json!({ "name": "scoring", "url": format!("{}/hook", receivers.http), "events": ["campaign.paused", "campaign.resumed"] });
        let made = ask("/webhooks", hook).await;
        receivers.use_secret(made["secret"].as_str().unwrap());
        ask("/campaigns/C1/state", json!({ "to": "paused" })).await;
        let received = receivers.wait_for("webhook", before + 1).await.split_off(before);
        assert_eq!(
            (received.len(), &received[0]["body"]["type"]),
            (1, &json!("campaign.paused")),
            "{}",
            deployment.url
        );
        assert!(
            received[0]["signed"] == true && received[0]["fresh"] == true,
            "{}: {received:?}",
            deployment.url
        );
        // Killed before its next poll: the event is on disk, and delivered after the restart.
        ask("/campaigns/C1/state", json!({ "to": "running" })).await;
        daemon.signal("KILL");
        daemon.wait_for_exit();
        let daemon = deployment.start_daemon(&[]).await;
        let received = receivers.wait_for("webhook", before + 2).await.split_off(before);
        assert!(
            received.iter().any(|post| post["body"]["type"] == "campaign.resumed"),
            "{}: {received:?}",
            deployment.url
        );
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
        before = receivers.wait_for("webhook", 0).await.len();
    }
}

/// An address that somebody enters does not make this machine ask its neighbours, and the answer
/// does not tell which of their ports are open.
#[tokio::test]
async fn endpoints_in_networks_that_are_not_allowed_are_not_asked() {
    let settings = [("WEBHOOKS__ALLOW_NETWORKS", "10.9.0.0/16")];
    for app in TestApp::on_each_engine(people(), &settings).await {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = open.local_addr().unwrap().port();
        let closed = crate::common::deployment::free_port();
        let targets = [
            ("open", format!("http://127.0.0.1:{port}/")),
            ("closed", format!("http://127.0.0.1:{closed}/")),
            ("name", format!("http://localhost:{port}/")),
        ];
        for (name, url) in &targets {
            webhooks::add(&app.context, &administrator(), name, url, &[]).await.unwrap();
        }
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..3).as_bytes()).await.unwrap();
        webhooks::deliver_due_events(&app.context).await.unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        for (name, _) in &targets {
            let endpoint = stored::endpoint(&mut connection, name).await.unwrap().unwrap();
            let error = endpoint.last_error.unwrap_or_default();
            assert!(error.contains("not a public one"), "{} {name}: {error}", app.engine);
        }
        let connected = tokio::time::timeout(Duration::from_millis(50), open.accept()).await;
        assert!(connected.is_err(), "{}", app.engine);
    }
}

#[tokio::test]
async fn for_a_day_after_a_rotation_both_secrets_verify_and_then_only_the_new_one() {
    let Some(mut receivers) = Receivers::start() else { return };
    let mut before = 0;
    for app in TestApp::on_each_engine(people(), &[]).await {
        let rotate =
            async || webhooks::rotate_secret(&app.context, &administrator(), "scoring").await;
        let deliver_test = async || {
            webhooks::send_test_event(&app.context, &administrator(), "scoring").await.unwrap();
            webhooks::deliver_due_events(&app.context).await.unwrap();
        };
        add(&app, &mut receivers, "scoring", "/hook", &[]).await;
        let new = rotate().await.unwrap();
        // The receiver still has the old secret, then the new one.
        deliver_test().await;
        receivers.wait_for("webhook", before + 1).await;
        receivers.use_secret(new.reveal());
        tokio::time::sleep(Duration::from_millis(200)).await;
        deliver_test().await;
        receivers.wait_for("webhook", before + 2).await;
        // One more, so that the one that is set now is the old one.
        let newest = rotate().await.unwrap();
        assert_ne!(newest.reveal(), new.reveal());
        let old_ends = app.clock_now() + webhooks::PREVIOUS_SECRET_VALID;
        app.advance_until(old_ends - Duration::from_secs(1)).await;
        deliver_test().await;
        receivers.wait_for("webhook", before + 3).await;
        app.advance_until(old_ends + Duration::from_secs(1)).await;
        deliver_test().await;
        let received = receivers.wait_for("webhook", before + 4).await.split_off(before);
        before += received.len();
        let is_signed: Vec<bool> = received.iter().map(|post| post["signed"] == true).collect();
        assert_eq!(is_signed, [true, true, true, false], "{}", app.engine);
        assert!(
            matches!(
                webhooks::rotate_secret(&app.context, &administrator(), "none").await,
                Err(EndpointError::Unknown(_))
            ),
            "{}",
            app.engine
        );
    }
}
