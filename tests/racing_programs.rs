//! Programs and people at the same moment: what was sound when it was tried stays so.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::call_center::silent;
use crate::common::interviewers::{add_interviewer, mixed_plan, next_call, record_outcome};
use crate::common::{PLAN, TestApp, list_of, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::notices;
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::role::Permission;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::services::accounts::tokens;
use fieldworkd::services::call_center::outcome::{self, CallReport};
use fieldworkd::services::call_center::queue;
use fieldworkd::services::{alerts, deadlines, webhooks};
use fieldworkd::simulation::Scenario;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A program with all permissions.
struct Program<'a> {
    app: &'a TestApp,
    token: String,
}

impl Program<'_> {
    async fn new<'a>(app: &'a TestApp, name: &str) -> Program<'a> {
        let actor = Actor::command("test");
        let token = tokens::create(&app.context, &actor, name, &Permission::ALL, 30).await.unwrap();
        Program { app, token: token.reveal().to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/api/v1{path}", self.app.base);
        let answer = self.app.http.get(url).bearer_auth(&self.token).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> u16 {
        let url = format!("{}/api/v1{path}", self.app.base);
        let request = self
            .app
            .http
            .post(url)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(body.to_string());
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interviewers_at_the_same_moment_get_different_people() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..10).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &mixed_plan(3)).await.unwrap();
        app.advance_until(local("2026-03-04T15:00:00")).await;
        let mut accounts = Vec::new();
        for n in 0..8 {
            accounts.push(add_interviewer(&app, &format!("wu{n}")).await);
        }
        let leases = accounts.iter().map(|account| queue::lease_next(&app.context, account));
        let leases = futures_util::future::join_all(leases).await;
        let people: BTreeSet<i64> =
            leases.into_iter().map(|lease| lease.unwrap().unwrap().invitation.0).collect();
        assert_eq!(people.len(), 8, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_promise_across_midnight_is_kept_and_counts_for_its_own_day() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..2).as_bytes()).await.unwrap();
        let plan = mixed_plan(9).replace("09:00-21:00", "00:00-24:00");
        app.launch("C1", &["A1"], &plan).await.unwrap();
        app.advance_until(local("2026-03-04T23:40:00")).await;
        let wu = add_interviewer(&app, "wu").await;
        let first = next_call(&app, &wu).await.unwrap();
        let report = CallReport {
            call_back_at: Some(local("2026-03-05T00:10:00")),
            ..CallReport::default()
        };
        let outcome = CallOutcome::CallBack;
        outcome::record_outcome(&app.context, &wu, first.lease, outcome, &report).await.unwrap();
        let other = next_call(&app, &wu).await.unwrap();
        record_outcome(&app, &wu, &other, CallOutcome::NoAnswer).await;
        app.clock.advance_to(local("2026-03-05T00:09:59"));
        let early = next_call(&app, &wu).await;
        assert!(early.is_none(), "{}: before the promised minute", app.engine);
        app.clock.advance_to(local("2026-03-05T00:10:00"));
        let kept = next_call(&app, &wu).await.expect("the promise");
        assert_eq!(kept.lease.invitation, first.lease.invitation, "{}", app.engine);
        assert_eq!(kept.promised_at, Some(local("2026-03-05T00:10:00")), "{}", app.engine);
    }
}

#[tokio::test]
async fn a_key_of_another_request_route_or_program_repeats_nothing() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 100), &[]).await {
        app.launch_with_people(5, "").await;
        let (one, two) = (Program::new(&app, "one").await, Program::new(&app, "two").await);
        let extend = |days: u32| json!({ "action": "extend", "days": days, "reason": "asked" });
        assert_eq!(one.post("/applications/A1/deadline", "k", &extend(2)).await, 200);
        assert_eq!(one.post("/applications/A1/deadline", "k", &extend(3)).await, 422, "a body");
        let pause = json!({ "to": "paused" });
        assert_eq!(one.post("/campaigns/C1/state", "k", &pause).await, 422, "a route");
        assert_eq!(two.post("/campaigns/C1/state", "k", &pause).await, 200, "a program");
        assert_eq!(one.post("/applications/A1/deadline", "k", &extend(2)).await, 200, "again");
        let shown = one.get("/applications/A1").await;
        let history = shown["history"].as_array().unwrap();
        let extended: Vec<&Value> =
            history.iter().filter(|event| event["kind"] == "extended").collect();
        assert_eq!(extended.len(), 1, "{}: {shown}", app.engine);
        assert_eq!(extended[0]["days"], 2, "{}: {shown}", app.engine);
    }
}

/// While a program turns the pages, cases change: people answer, refuse and get messages.
#[tokio::test]
async fn pages_hold_each_case_once_while_rows_change() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 100), &[]).await {
        app.launch_with_people(23, "").await;
        let program = Program::new(&app, "pager").await;
        let before = program.get("/applications/A1/cases?limit=500").await;
        let ids = |page: &Value| -> Vec<i64> {
            let items = page["items"].as_array().unwrap();
            items.iter().map(|case| case["case"].as_i64().unwrap()).collect()
        };
        let expected: BTreeSet<i64> = ids(&before).into_iter().collect();
        assert_eq!(expected.len(), 23, "{before}");
        let (mut seen, mut cursor, mut person) = (Vec::new(), None::<i64>, 0);
        loop {
            let after = cursor.map(|at| format!("&cursor={at}")).unwrap_or_default();
            let page = program.get(&format!("/applications/A1/cases?limit=4{after}")).await;
            seen.extend(ids(&page));
            app.answer_all(&app.link(person).await, 0, "8").await;
            app.post(&format!("{}/refuse", app.link(22 - person).await), &[]).await;
            person += 1;
            app.dispatcher.tick().await.unwrap();
            cursor = page["next"].as_i64();
            if cursor.is_none() {
                break;
            }
        }
        let once: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!(once.len(), seen.len(), "{}: no case twice, {seen:?}", app.engine);
        assert!(once.is_superset(&expected), "{}: {seen:?}", app.engine);
    }
}

/// A receiver that answers a byte a second, for ever, holds up no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_drips_holds_up_no_other_for_long() {
    let listen = async || tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (dripping, quick) = (listen().await, listen().await);
    let address = |listener: &tokio::net::TcpListener| {
        format!("http://{}/hook", listener.local_addr().unwrap())
    };
    let (slow_url, quick_url) = (address(&dripping), address(&quick));
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = dripping.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 16_384];
                if connection.read(&mut request).await.is_err() {
                    return;
                }
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().chain([b'a'; 600].iter()) {
                    if connection.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
    });
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = quick.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 16_384];
                while connection.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let _ = told.send(());
                    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                    if connection.write_all(answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    let app = TestApp::on_sqlite(
        Scenario::faultless(1, 100),
        &[("WEBHOOKS__ALLOW_NETWORKS", "127.0.0.0/8")],
    )
    .await;
    let administrator = Actor::command("test");
    for (name, url) in [("drips", &slow_url), ("quick", &quick_url)] {
        webhooks::add(&app.context, &administrator, name, url, &[]).await.unwrap();
    }
    app.launch_with_people(3, "").await;
    let began = std::time::Instant::now();
    let delivering = webhooks::deliver_due_events(&app.context);
    let (delivered, arrived) = tokio::join!(delivering, async {
        let first = tokio::time::timeout(Duration::from_secs(15), heard.recv()).await;
        first.is_ok_and(|first| first.is_some())
    });
    delivered.unwrap();
    assert!(arrived, "the other one was told meanwhile");
    let lasted = began.elapsed();
    assert!((10..60).contains(&lasted.as_secs()), "the slow one is left after a while: {lasted:?}");
}

/// Two days without a daemon: each alarm is told once, and not for each hour that was missed.
#[tokio::test]
async fn after_two_days_down_nobody_is_flooded() {
    // Nothing listens there: notices are written, and sent in vain.
    let notify = [
        ("NOTIFY__EMAIL__SERVER", "smtp://127.0.0.1:1"),
        ("NOTIFY__EMAIL__FROM", "fieldworkd@example.com"),
        ("NOTIFY__EMAIL__TO", "head@example.com"),
        ("ALARM__WATCH__DAYS_LEFT", "90"),
    ];
    for app in TestApp::on_each_engine(silent(), &notify).await {
        for n in 0..12 {
            let (application, campaign) = (format!("A{n}"), format!("C{n}"));
            app.register_brand(&application, &format!("a{n}"), "").await;
            let people = list_of(n * 10..n * 10 + 3);
            app.import(&[&application], people.as_bytes()).await.unwrap();
            app.launch(&campaign, &[&application], PLAN).await.unwrap();
        }
        app.advance_until(local("2026-03-04T12:00:00")).await;
        fieldworkd::services::forecasting::tick(&app.context).await.unwrap();
        alerts::tick(&app.context).await.unwrap();
        let count = async || {
            let mut connection = app.context.database.read().await.unwrap();
            notices::latest(&mut connection, 500).await.unwrap().len()
        };
        let before = count().await;
        app.clock.advance_to(app.clock.now() + Duration::from_secs(2 * 86_400));
        for _ in 0..40 {
            deadlines::tick(&app.context).await.unwrap();
            fieldworkd::services::forecasting::tick(&app.context).await.unwrap();
            alerts::tick(&app.context).await.unwrap();
            app.clock.advance_to(app.clock.now() + Duration::from_secs(5));
        }
        let told = count().await - before;
        assert!(told <= 4, "{}: {told} notices for twelve fields after two days", app.engine);
    }
}
