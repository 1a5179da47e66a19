//! Routes over several gateways, budgets, confirmations, suppressions and the staff's inbox,
//! through the real server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{PLAN, TestApp, list, local, monday, number};
use axum::extract::Form;
use axum::http::StatusCode;
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::clock_watch::ClockWatch;
use fieldworkd::adapters::config::GatewayConfig;
use fieldworkd::adapters::database::campaigns::CampaignState;
use fieldworkd::adapters::database::{campaigns, gateway_log, messages, rates, replies};
use fieldworkd::adapters::sms::{self, Push};
use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::suppression::SuppressionReason;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services;
use fieldworkd::services::campaigns::LaunchRequest;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::services::suppressions::{SuppressionDefaults, import_suppressions};
use fieldworkd::simulation::{PeopleScenario, Scenario};

async fn launch(app: &TestApp, people: usize, plan: &str, gateway: &str, budget: Option<f64>) {
    app.register_brand("A1", "a", "").await;
    app.import(&["A1"], list(people).as_bytes()).await.unwrap();
    let plan = PlanFile::parse(plan).unwrap();
    let request = LaunchRequest {
        code: "C1",
        applications: &["A1".to_owned()],
        plan: &plan,
        gateway,
        budget,
        seed: None,
        dry_run: false,
    };
    services::campaigns::launch(&app.context, &request).await.unwrap();
}

/// A route over a gateway that does not answer and the simulator.
const ROUTE: [(&str, &str); 3] = [
    ("GATEWAY__DEAD__FILE", "gateways/kannel.toml"),
    ("GATEWAY__DEAD__RATE_PER_SECOND", "50"),
    ("ROUTE__BOTH__GATEWAYS", "dead, simulator"),
];

#[tokio::test]
async fn a_second_gateway_takes_over_and_the_first_is_held_still() {
    for app in TestApp::on_each_engine(Scenario::faultless(3, 100), &ROUTE).await {
        launch(&app, 60, PLAN, "both", None).await;
        app.advance_until(monday() + Duration::from_secs(300)).await;
        let record = app.simulator.record();
        assert_eq!(
            (record.duplicates(), record.accepted.len()),
            (0, 60),
            "{}: everybody within minutes, nobody twice",
            app.engine
        );
        let now = app.clock.now();
        let mut connection = app.context.database.read().await.unwrap();
        let states = rates::states(&mut connection, now).await.unwrap();
        assert!(
            states["dead"].circuit_open_count > 0 && states["simulator"].circuit_open_count == 0,
            "{}: {states:?}",
            app.engine
        );
        // The gateway log contains both gateways' part, and no personal data.
        let reference = record.accepted.keys().next().unwrap();
        let message = messages::find(&mut connection, reference).await.unwrap().unwrap();
        let said = gateway_log::of_message(&mut connection, message.key).await.unwrap();
        assert!(
            said.last().is_some_and(|e| e.gateway == "simulator" && e.response.starts_with("202")),
            "{said:?}"
        );
        assert!(
            !format!("{said:?}").contains("138100000") && !format!("{said:?}").contains("受访者"),
            "{said:?}"
        );
    }
}

/// The circuit's pause ends with one trial message, not with all of them.
#[tokio::test]
async fn after_a_pause_one_message_goes_on_trial() {
    let settings =
        [("GATEWAY__DEAD__FILE", "gateways/kannel.toml"), ("GATEWAY__DEAD__RATE_PER_SECOND", "50")];
    for app in TestApp::on_each_engine(Scenario::faultless(3, 100), &settings).await {
        launch(&app, 40, PLAN, "dead", None).await;
        app.advance_until(monday() + Duration::from_secs(3600)).await;
        let attempts: i64 = {
            let mut connection = app.context.database.read().await.unwrap();
            let campaign = campaigns::find(&mut connection, "C1").await.unwrap().unwrap().id;
            let tomorrow = app.clock.now() + Duration::from_secs(86_400);
            let due = fieldworkd::adapters::database::invitations::list_due(
                &mut connection,
                campaign,
                tomorrow,
                100,
            )
            .await
            .unwrap();
            due.iter().filter_map(|d| Some(i64::from(d.last_attempt.as_ref()?.attempt_count))).sum()
        };
        // Forty people, an hour, a dead gateway: without the circuit breaker there would be
        // hundreds of attempts.
        assert!(attempts < 80, "{}: {attempts} tries", app.engine);
        assert_eq!(
            app.dispositions("A1").await,
            [("3.11".to_owned(), 40)],
            "{}: nobody is failed",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_gateway_that_says_too_fast_is_slowed_down_and_recovers() {
    // The gateway allows twenty a second, but thirty are configured.
    for app in TestApp::on_each_engine(
        Scenario::faultless(3, 20),
        &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "30")],
    )
    .await
    {
        launch(&app, 100, PLAN, "simulator", None).await;
        app.advance_until(monday() + Duration::from_secs(20)).await;
        let slowed =
            rates::states(&mut app.context.database.read().await.unwrap(), app.clock.now())
                .await
                .unwrap()["simulator"]
                .rate_permille;
        assert!(slowed < 1000, "{}: {slowed}", app.engine);
        app.advance_until(monday() + Duration::from_secs(1800)).await;
        let after = rates::states(&mut app.context.database.read().await.unwrap(), app.clock.now())
            .await
            .unwrap()["simulator"]
            .rate_permille;
        assert_eq!((app.simulator.record().accepted.len(), after), (100, 1000), "{}", app.engine);
    }
}

#[tokio::test]
async fn a_budget_pauses_the_campaign_before_it_is_passed() {
    let settings = [("GATEWAY__SIMULATOR__PRICE_PER_PART", "0.05")];
    for app in TestApp::on_each_engine(Scenario::faultless(3, 100), &settings).await {
        launch(&app, 30, PLAN, "simulator", Some(1.02)).await;
        app.advance_until(monday() + Duration::from_secs(600)).await;
        let status = services::campaigns::status(&app.context, "C1").await.unwrap();
        assert_eq!(
            (status.state, status.paused_because.as_deref()),
            ("paused", Some("budget")),
            "{}",
            app.engine
        );
        assert!((0.9..=1.02).contains(&status.cost), "{}: {} of 1.02", app.engine, status.cost);
        services::campaigns::set_budget(&app.context, "C1", Some(100.0), &Default::default())
            .await
            .unwrap();
        services::campaigns::change_state(&app.context, "C1", CampaignState::Running)
            .await
            .unwrap();
        app.advance_until(monday() + Duration::from_secs(1200)).await;
        assert_eq!(
            app.simulator.record().accepted.len(),
            30,
            "{}: and goes on with more money",
            app.engine
        );
    }
}

#[tokio::test]
async fn an_opt_out_is_confirmed_once_where_the_plan_says_so() {
    let people = PeopleScenario { replies_opt_out: 1.0, ..PeopleScenario::silent() };
    let plan =
        format!("{PLAN}\n[confirmation]\ntext.zh = \"【{{signature}}】您已退订，不再打扰。\"\n");
    for app in TestApp::on_each_engine(Scenario { people, ..Scenario::faultless(5, 50) }, &[]).await
    {
        launch(&app, 4, &plan, "simulator", None).await;
        app.advance_until(monday() + Duration::from_secs(20 * 86_400)).await;
        let record = app.simulator.record();
        assert_eq!(
            (record.accepted.len(), record.duplicates()),
            (8, 0),
            "{}: an invitation and a confirmation each, no reminder",
            app.engine
        );
        let outside = record
            .submits
            .iter()
            .filter(|(at, _)| {
                !(9..21).contains(&chrono::Timelike::hour(&at.in_zone(chrono_tz::Asia::Shanghai)))
            })
            .count();
        assert_eq!(outside, 0, "{}: a confirmation too keeps the contact hours", app.engine);
        assert_eq!(app.dispositions("A1").await, [("2.112".to_owned(), 4)]);
    }
}

#[tokio::test]
async fn a_wave_is_spread_over_its_window() {
    for app in TestApp::on_each_engine(Scenario::faultless(5, 50), &[]).await {
        launch(
            &app,
            100,
            &PLAN.replace("spread = \"0s\"", "spread = \"window\""),
            "simulator",
            None,
        )
        .await;
        app.advance_until(monday() + Duration::from_secs(86_400)).await;
        let mut hours = [0u32; 24];
        app.simulator.record().submits.iter().for_each(|(at, _)| {
            hours[chrono::Timelike::hour(&at.in_zone(chrono_tz::Asia::Shanghai)) as usize] += 1
        });
        assert_eq!(hours.iter().sum::<u32>(), 100, "{}", app.engine);
        // The position of each message is derived from a key of this installation: evenly
        // distributed, not equal.
        let used = hours[9..21].iter().filter(|&&count| count > 0).count();
        assert!(used >= 9 && hours.iter().all(|&count| count < 35), "{}: {hours:?}", app.engine);
    }
}

#[tokio::test]
async fn suppressions_come_from_a_file_and_those_with_an_end_end() {
    for app in TestApp::on_each_engine(Scenario::faultless(5, 50), &[]).await {
        let file =
            format!("number,reason,until\n{},complaint,\n{},,2026-03-04\n", number(0), number(1));
        let defaults =
            SuppressionDefaults { reason: SuppressionReason::OptOut, programme: None, until: None };
        assert_eq!(import_suppressions(&app.context, file.as_bytes(), &defaults).await.unwrap(), 2);
        let wrong =
            import_suppressions(&app.context, b"number,reason\n13800138000,whim\n", &defaults)
                .await
                .unwrap_err();
        assert!(wrong.to_string().starts_with("row 2: the reason must be"), "{wrong}");
        launch(&app, 3, PLAN, "simulator", None).await;
        app.advance_until(monday() + Duration::from_secs(3600)).await;
        assert_eq!(app.simulator.record().accepted.len(), 1, "{}: one of three", app.engine);
        app.advance_until(local("2026-03-04T12:00:00")).await;
        assert_eq!(
            app.simulator.record().accepted.len(),
            2,
            "{}: and the second when the time is over",
            app.engine
        );
        app.clock.advance_to(local("2026-03-05T12:00:00"));
        let tidied = fieldworkd::services::erasure::remove_expired(&app.context).await.unwrap();
        assert_eq!(tidied.suppressions, 1, "{}", app.engine);
    }
}

#[tokio::test]
async fn other_replies_stand_in_the_inbox_with_their_case() {
    for app in TestApp::on_each_engine(Scenario::faultless(5, 50), &[]).await {
        launch(&app, 2, PLAN, "simulator", None).await;
        app.advance_until(monday() + Duration::from_secs(600)).await;
        let base_url = app.context.webhook_base_url("simulator");
        for (who, text) in [(0, "请给我打电话"), (1, "你们是谁")] {
            let body = format!(
                "{{\"from\":\"+86{}\",\"text\":\"{text}\",\"id\":\"r{who}\"}}",
                number(who)
            );
            let answer =
                app.http.post(format!("{base_url}/replies")).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
        let mut connection = app.context.database.read().await.unwrap();
        let call_backs = replies::inbox(&mut connection, Some("call_me"), false).await.unwrap();
        assert_eq!(call_backs.len(), 1);
        assert!(
            call_backs[0].campaign.as_deref() == Some("C1")
                && call_backs[0].cases[0].1.starts_with("A1/"),
            "{}: {call_backs:?}",
            app.engine
        );
        assert_eq!(replies::inbox(&mut connection, None, false).await.unwrap().len(), 2);
        drop(connection);
        let mut tx = app.context.database.write().await.unwrap();
        assert!(replies::mark_handled(&mut tx, call_backs[0].id, app.clock.now()).await.unwrap());
        assert!(
            !replies::mark_handled(&mut tx, call_backs[0].id, app.clock.now()).await.unwrap(),
            "once"
        );
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_push_from_outside_the_allow_list_is_rejected() {
    let app = TestApp::on_sqlite(
        Scenario::faultless(5, 50),
        &[("GATEWAY__SIMULATOR__ALLOW", "203.0.113.0/24")],
    )
    .await;
    launch(&app, 1, PLAN, "simulator", None).await;
    app.advance_until(monday() + Duration::from_secs(600)).await;
    let base_url = app.context.webhook_base_url("simulator");
    let answer = app
        .http
        .post(format!("{base_url}/receipts"))
        .header("x-forwarded-for", "203.0.113.7")
        .body("[]")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404, "and nobody may claim to be forwarded");
}

/// A daemon that starts after its clock was set back an hour: slots taken by the old clock delay it
/// for seconds, not for an hour.
#[tokio::test]
async fn a_clock_that_is_set_back_holds_up_for_seconds() {
    for mut app in TestApp::on_each_engine(Scenario::faultless(5, 50), &[]).await {
        launch(&app, 30, PLAN, "simulator", None).await;
        let mut tx = app.context.database.write().await.unwrap();
        let engine = tx.engine();
        let ahead = app.clock.now() + Duration::from_secs(3600);
        rates::take_slots(
            &mut tx,
            engine,
            "simulator",
            ahead,
            rates::send_rate(50, 1),
            1_000_000,
            10,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        app.dispatcher = Dispatcher::new(app.context.clone());
        for _ in 0..30 {
            app.dispatcher.tick().await.unwrap();
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
        }
        let record = app.simulator.record();
        assert_eq!((record.accepted.len(), record.over_rate(50)), (30, 0), "{}", app.engine);
    }
}

/// The requests to a recorder of Alibaba Cloud's SendSms and SendBatchSms: the numbers of each
/// request, and its time.
type RecordedRequests = Arc<Mutex<Vec<(Timestamp, Vec<String>)>>>;

/// Starts a recorder that refuses every request with the number `bad`, and accepts the others.
async fn alibaba_recorder(clock: Arc<dyn Clock>, bad: String) -> (String, RecordedRequests) {
    let requests: RecordedRequests = Arc::default();
    let seen = requests.clone();
    let app = axum::Router::new().fallback(async move |request: axum::extract::Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let fields = |text: &[u8]| {
            form_urlencoded::parse(text).into_owned().collect::<BTreeMap<String, String>>()
        };
        let (query, form) =
            (fields(parts.uri.query().unwrap_or_default().as_bytes()), fields(&body));
        let numbers: Vec<String> = match form.get("PhoneNumberJson") {
            Some(list) => serde_json::from_str(list).unwrap(),
            None => vec![query["PhoneNumbers"].clone()],
        };
        let mut seen = seen.lock().unwrap();
        let answer = match numbers.contains(&bad) {
            true => r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL","Message":"x"}"#.to_owned(),
            false => format!(r#"{{"Code":"OK","BizId":"biz{}"}}"#, seen.len()),
        };
        seen.push((clock.now(), numbers));
        answer
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, requests)
}

#[tokio::test]
async fn requests_are_filled_within_the_rate_and_each_message_is_settled_by_itself() {
    for mut app in TestApp::on_each_engine(
        Scenario::faultless(3, 100),
        &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "40")],
    )
    .await
    {
        let clock: Arc<dyn Clock> = app.clock.clone();
        let (url, requests) = alibaba_recorder(clock.clone(), number(5)).await;
        let definition = include_str!("../config/gateways/alibaba.toml")
            .replace("https://dysmsapi.aliyuncs.com", &url);
        let config = GatewayConfig {
            definition,
            user: "u".into(),
            ..app.context.config.gateways["simulator"].clone()
        };
        let gateway = sms::open(&config, &clock, "http://127.0.0.1/hooks")
            .unwrap_or_else(|problem| panic!("{problem}"));
        let keys = fieldworkd::adapters::crypto::KeyRing::open(&app.context.config.key_ring, None)
            .unwrap();
        let (config, database) = (app.context.config.clone(), app.context.database.clone());
        let gateways = [("simulator".to_owned(), gateway.clone())].into();
        app.context = Arc::new(AppContext {
            clock_watch: ClockWatch::new(&*clock),
            config,
            database,
            keys,
            clock: clock.clone(),
            gateways,
            dialer: None,
        });
        app.dispatcher = Dispatcher::new(app.context.clone());
        launch(&app, 100, PLAN, "simulator", None).await;
        app.advance_until(monday() + Duration::from_secs(60)).await;

        let requests = requests.lock().unwrap().clone();
        let most = requests.iter().map(|(_, numbers)| numbers.len()).max().unwrap();
        assert_eq!(
            most,
            40,
            "{}: a full request holds what the rate allows in a second: {:?}",
            app.engine,
            requests.iter().map(|(_, n)| n.len()).collect::<Vec<_>>()
        );
        for (at, _) in &requests {
            let within =
                |other: &&(Timestamp, Vec<String>)| (0..1000).contains(&(other.0.0 - at.0));
            let numbers: usize =
                requests.iter().filter(within).map(|(_, numbers)| numbers.len()).sum();
            assert!(numbers <= 40, "{}: {numbers} within a second", app.engine);
        }
        // The bad number failed its whole request; then each message of that request was tried
        // alone, and only the bad one is refused.
        let states = messages::count_by_state(&mut app.context.database.read().await.unwrap())
            .await
            .unwrap();
        assert_eq!(
            states,
            [("accepted".to_owned(), 99), ("refused".to_owned(), 1)],
            "{}",
            app.engine
        );
        // A receipt identifies one message of a request by the request's id and the number.
        let (index, numbers) = requests
            .iter()
            .enumerate()
            .map(|(index, (_, numbers))| (index, numbers))
            .find(|(_, n)| n.len() > 1 && !n.contains(&number(5)))
            .unwrap();
        let push = format!(
            r#"[{{"phone_number":"{}","success":true,"biz_id":"biz{index}","out_id":"batch-x","err_code":"DELIVERED"}}]"#,
            numbers[1]
        );
        let headers = Default::default();
        let receipts = gateway
            .parse_receipts(Push { url: "", query: "", headers: &headers, body: push.as_bytes() })
            .unwrap()
            .read;
        fieldworkd::services::sms_inbound::process_receipts(&app.context, "simulator", receipts)
            .await
            .unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        let states = messages::count_by_state(&mut connection).await.unwrap();
        assert!(states.contains(&("delivered".to_owned(), 1)), "{}: {states:?}", app.engine);
    }
}

/// Starts a recorder of Twilio's API that knows that one number has opted out.
async fn twilio_recorder(opted_out: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let recipients: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = recipients.clone();
    let answer = move |Form(form): Form<std::collections::HashMap<String, String>>| {
        let to = form["To"].clone();
        heard.lock().unwrap().push(to.clone());
        let refused = to.ends_with(&opted_out);
        async move {
            match refused {
                true => (StatusCode::BAD_REQUEST, r#"{"code":21610,"message":"Attempt to send to unsubscribed recipient","status":400}"#.to_owned()),
                false => (StatusCode::CREATED, format!(r#"{{"sid":"SM{}","status":"queued"}}"#, to.trim_start_matches('+'))),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, recipients)
}

#[tokio::test]
async fn numbers_that_the_carrier_reports_as_opted_out_are_suppressed() {
    for mut app in TestApp::on_each_engine(Scenario::faultless(3, 100), &[]).await {
        let clock: Arc<dyn Clock> = app.clock.clone();
        let (url, recipients) = twilio_recorder(number(2)).await;
        let definition =
            include_str!("../config/gateways/twilio.toml").replace("https://api.twilio.com", &url);
        let config = GatewayConfig {
            definition,
            user: "AC1".into(),
            ..app.context.config.gateways["simulator"].clone()
        };
        let gateway = sms::open(&config, &clock, "http://127.0.0.1/hooks")
            .unwrap_or_else(|problem| panic!("{problem}"));
        let keys = fieldworkd::adapters::crypto::KeyRing::open(&app.context.config.key_ring, None)
            .unwrap();
        let (config, database) = (app.context.config.clone(), app.context.database.clone());
        app.context = Arc::new(AppContext {
            clock_watch: ClockWatch::new(&*clock),
            config,
            database,
            keys,
            clock: clock.clone(),
            gateways: [("simulator".to_owned(), gateway)].into(),
            dialer: None,
        });
        app.dispatcher = Dispatcher::new(app.context.clone());
        launch(&app, 4, PLAN, "simulator", None).await;
        app.advance_until(local("2026-03-30T12:00:00")).await;
        let recipients = recipients.lock().unwrap().clone();
        assert_eq!(
            recipients.iter().filter(|to| to.ends_with(&number(2))).count(),
            1,
            "{}: once, and no reminder: {recipients:?}",
            app.engine
        );
        assert_eq!(recipients.len(), 1 + 3 * 3, "{}: the others get every step", app.engine);
        assert!(app.dispositions("A1").await.contains(&("2.112".to_owned(), 1)), "{}", app.engine);
        let mut connection = app.context.database.read().await.unwrap();
        let suppressed =
            fieldworkd::adapters::database::suppressions::list(&mut connection).await.unwrap();
        assert_eq!(
            suppressed.iter().map(|s| s.reason.as_str()).collect::<Vec<_>>(),
            ["opt_out"],
            "{}",
            app.engine
        );
    }
}
