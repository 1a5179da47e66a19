//! Webhooks that take no events: seen from the third failure on, whatever they answer, and nothing
//! is given up.
//!
//! Public reports: superduck-ai/open-managed-agents#290 (events are dropped and nothing says so),
//! bullet-train-co/bullet_train-core#854 and freelawproject/courtlistener#2208 (tell the people once
//! for each time), saleor/saleor#14298 (a receiver that answers 4xx goes on being posted to),
//! p2-inc/keycloak-events#127 (which answers disable a webhook).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::common::TestApp;
use fieldworkd::adapters::database::campaigns::CampaignState;
use fieldworkd::adapters::database::events::{self, Endpoint};
use fieldworkd::adapters::database::notices;
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::role::Permission;
use fieldworkd::domain::webhook_state::WebhookState;
use fieldworkd::services::accounts::tokens;
use fieldworkd::services::monitoring::{health, overview};
use fieldworkd::services::webhooks::{self, EndpointError};
use fieldworkd::services::{alerts, campaigns, erasure};
use fieldworkd::simulation::Scenario;
use serde_json::json;

/// A receiver that answers what it is told to, and notes the id and type of each post.
#[derive(Clone)]
struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
    /// A type of events that it always refuses with 400.
    refuses: &'static str,
    posts: Arc<Mutex<Vec<(String, String)>>>,
}

impl Receiver {
    async fn start(status: u16, refuses: &'static str) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            url: format!("http://{}/", listener.local_addr().unwrap()),
            status: Arc::new(AtomicU16::new(status)),
            refuses,
            posts: Arc::default(),
        };
        let own = receiver.clone();
        let answer = async move |headers: axum::http::HeaderMap, body: String| {
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let kind = body["type"].as_str().unwrap().to_owned();
            let id = headers["webhook-id"].to_str().unwrap().to_owned();
            let is_refused = kind == own.refuses;
            own.posts.lock().unwrap().push((id, kind));
            let status = if is_refused { 400 } else { own.status.load(Ordering::SeqCst) };
            axum::http::StatusCode::from_u16(status).unwrap()
        };
        let router = axum::Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Returns the posts since the last call.
    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.posts.lock().unwrap())
    }
}

const NOTIFY: [(&str, &str); 3] = [
    ("NOTIFY__EMAIL__SERVER", "smtp://127.0.0.1:9"),
    ("NOTIFY__EMAIL__FROM", "fieldworkd@example.com"),
    ("NOTIFY__EMAIL__TO", "head@example.com"),
];

async fn endpoint(app: &TestApp) -> Endpoint {
    let mut connection = app.context.database.read().await.unwrap();
    events::endpoint(&mut connection, "scoring").await.unwrap().unwrap()
}

async fn state(app: &TestApp) -> WebhookState {
    endpoint(app).await.state(app.clock_now())
}

async fn waiting(app: &TestApp) -> u64 {
    let id = endpoint(app).await.id;
    let mut connection = app.context.database.read().await.unwrap();
    events::count_pending(&mut connection, id).await.unwrap()
}

/// Delivers after a time.
async fn deliver_after(app: &TestApp, time: Duration) {
    app.clock.advance_to(app.clock_now() + time);
    webhooks::deliver_due_events(&app.context).await.unwrap();
}

/// Returns how many e-mails told of failing webhooks.
async fn notices_of_webhooks(app: &TestApp) -> usize {
    let _ = alerts::tick(&app.context).await;
    let mut connection = app.context.database.read().await.unwrap();
    let all = notices::latest(&mut connection, 500).await.unwrap();
    all.iter().filter(|notice| notice.kind == "webhook").count()
}

async fn add(app: &TestApp, receiver: &Receiver) {
    webhooks::add(&app.context, &Actor::console("zhao"), "scoring", &receiver.url, &[])
        .await
        .unwrap();
}

const HALF_A_DAY: Duration = Duration::from_secs(12 * 3_600);

#[tokio::test]
async fn an_endpoint_that_refuses_everything_is_failing_and_loses_nothing() {
    for status in [302, 400, 503] {
        for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &NOTIFY).await {
            let receiver = Receiver::start(status, "").await;
            add(&app, &receiver).await;
            app.launch_with_people(4, "").await;
            let is_seen = async || {
                let pending = overview::pending_work(&app.context).await.unwrap();
                let metrics = health::collect_health_metrics(&app.context).await.unwrap();
                let (name, fails) = metrics.webhooks[0].clone();
                assert_eq!((name.as_str(), fails), ("scoring", pending.webhooks.len() == 1));
                fails
            };
            for _ in 0..3 {
                assert!(!is_seen().await || status != 503);
                deliver_after(&app, Duration::from_secs(600)).await;
            }
            assert_eq!(state(&app).await, WebhookState::Failing, "{} {status}", app.engine);
            assert!(is_seen().await, "{} {status}", app.engine);
            assert_eq!(notices_of_webhooks(&app).await, 1, "{} {status}", app.engine);
            // A week: one post each time, no event is given up, and nobody is told again.
            for _ in 0..14 {
                receiver.take();
                deliver_after(&app, HALF_A_DAY).await;
                assert!(receiver.take().len() <= 1, "{} {status}: it is spared", app.engine);
            }
            assert_eq!(waiting(&app).await, 3, "{} {status}", app.engine);
            assert_eq!(notices_of_webhooks(&app).await, 1, "{} {status}", app.engine);
            // It is mended: everything arrives in order, and the next failure is told anew.
            receiver.status.store(204, Ordering::SeqCst);
            deliver_after(&app, HALF_A_DAY).await;
            let kinds: Vec<String> = receiver.take().into_iter().map(|(_, kind)| kind).collect();
            let in_order = ["list.imported", "campaign.launched", "application.launched"];
            assert_eq!(kinds, in_order, "{} {status}", app.engine);
            assert_eq!(state(&app).await, WebhookState::Ok, "{} {status}", app.engine);
            assert!(!is_seen().await && notices_of_webhooks(&app).await == 1);
            assert_eq!(endpoint(&app).await.notified, None, "{} {status}", app.engine);
        }
    }
}

#[tokio::test]
async fn one_event_that_is_never_accepted_is_seen_although_the_others_arrive() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &NOTIFY).await {
        let receiver = Receiver::start(204, "campaign.launched").await;
        add(&app, &receiver).await;
        app.launch_with_people(4, "").await;
        deliver_after(&app, Duration::ZERO).await;
        assert_eq!((receiver.take().len(), waiting(&app).await), (3, 1), "{}", app.engine);
        assert_ne!(state(&app).await, WebhookState::Failing, "{}", app.engine);
        for code in [CampaignState::Paused, CampaignState::Running] {
            campaigns::change_state(&app.context, "C1", code).await.unwrap();
            deliver_after(&app, Duration::from_secs(600)).await;
        }
        assert_eq!(state(&app).await, WebhookState::Failing, "{}", app.engine);
        assert_eq!((waiting(&app).await, notices_of_webhooks(&app).await), (1, 1));
        // The age limit ends it, and nothing else.
        for _ in 0..29 {
            deliver_after(&app, 2 * HALF_A_DAY).await;
        }
        assert_eq!(waiting(&app).await, 1, "{}", app.engine);
        app.clock.advance_to(app.clock_now() + 4 * HALF_A_DAY);
        erasure::remove_expired(&app.context).await.unwrap();
        assert_eq!(waiting(&app).await, 0, "{}", app.engine);
    }
}

#[tokio::test]
async fn gone_disables_with_a_notice_and_events_are_sent_again_from_a_time() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &NOTIFY).await {
        let receiver = Receiver::start(204, "").await;
        add(&app, &receiver).await;
        let begun = app.clock_now();
        app.launch_with_people(4, "").await;
        deliver_after(&app, Duration::from_secs(60)).await;
        let first = receiver.take();
        receiver.status.store(410, Ordering::SeqCst);
        let paused_at = app.clock_now() + Duration::from_secs(5);
        app.clock.advance_to(paused_at);
        campaigns::change_state(&app.context, "C1", CampaignState::Paused).await.unwrap();
        deliver_after(&app, Duration::from_secs(60)).await;
        assert_eq!((receiver.take().len(), waiting(&app).await), (1, 1), "{}", app.engine);
        assert_eq!(state(&app).await, WebhookState::Disabled, "{}", app.engine);
        assert_eq!(notices_of_webhooks(&app).await, 1, "{}", app.engine);
        deliver_after(&app, HALF_A_DAY).await;
        assert_eq!(receiver.take(), [], "{}: it wants no more", app.engine);

        let again = async |from| {
            webhooks::send_again(&app.context, &Actor::console("zhao"), "scoring", from).await
        };
        let future = app.clock_now() + Duration::from_secs(1);
        assert!(matches!(again(future).await, Err(EndpointError::Future)));
        receiver.status.store(204, Ordering::SeqCst);
        assert_eq!(again(paused_at).await.unwrap(), 1, "{}", app.engine);
        deliver_after(&app, Duration::ZERO).await;
        let second = receiver.take();
        assert_eq!((second.len(), second[0].1.as_str()), (1, "campaign.paused"));
        assert_eq!(state(&app).await, WebhookState::Ok, "{}", app.engine);

        // Through the API, from the beginning: the same ids in the same order.
        let actor = Actor::command("test");
        let token = tokens::create(&app.context, &actor, "t", &[Permission::ManageAccounts], 30);
        let token = token.await.unwrap().reveal().to_owned();
        let post = async |from: &str| {
            let url = format!("{}/api/v1/webhooks/scoring/resend", app.base);
            let body = json!({ "from": from }).to_string();
            let request = app.http.post(url).bearer_auth(&token).body(body);
            let answer = request.header("content-type", "application/json").send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(post("yesterday").await.0, 422, "{}", app.engine);
        assert_eq!(post(&future.rfc3339(chrono_tz::UTC)).await.0, 422, "{}", app.engine);
        let (status, said) = post(&begun.rfc3339(chrono_tz::Asia::Shanghai)).await;
        assert_eq!((status, said.as_str()), (200, "{\"events\":4}"), "{}", app.engine);
        deliver_after(&app, Duration::ZERO).await;
        let all = receiver.take();
        assert_eq!(all, [first, second].concat(), "{}", app.engine);
    }
}
