//! Gateways that fill approved templates take values of some length only: that is reckoned at the
//! launch, shortened by the plan's rules, and what is refused all the same is that message's
//! failure alone (aliyun's isv.PARAM_LENGTH_LIMIT, Tencent's TemplateParameterLengthLimit).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::clock_watch::ClockWatch;
use fieldworkd::adapters::config::GatewayConfig;
use fieldworkd::adapters::crypto::KeyRing;
use fieldworkd::adapters::database::{messages, rates};
use fieldworkd::adapters::sms;
use fieldworkd::services::campaigns::LaunchError;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::simulation::Scenario;
use serde_json::Value;

use crate::common::{PLAN, TestApp, monday};

/// 13800000001 has a name of 40 characters, 13800000002 one that the provider does not like.
const LIST: &str = "姓名,手机号\n欧阳一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三四五六七八,13800000001\n\
    禁词,13800000002\n李四,13800000003\n";

type Seen = Arc<Mutex<Vec<Value>>>;

/// Starts a stand-in for Alibaba Cloud that takes 35 characters for a parameter and no «禁词».
async fn provider() -> (String, Seen) {
    let seen = Seen::default();
    let heard = seen.clone();
    let app = axum::Router::new().fallback(async move |request: axum::extract::Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let fields = |text: &[u8]| {
            form_urlencoded::parse(text).into_owned().collect::<BTreeMap<String, String>>()
        };
        let (query, form) =
            (fields(parts.uri.query().unwrap_or_default().as_bytes()), fields(&body));
        let several = form.get("TemplateParamJson");
        let parameters: Vec<Value> = match several.or(query.get("TemplateParam")) {
            Some(text) => match serde_json::from_str(text).unwrap() {
                Value::Array(all) => all,
                one => vec![one],
            },
            None => Vec::new(),
        };
        let texts = || parameters.iter().flat_map(|p| p.as_object().unwrap().values());
        let long = texts().any(|text| text.as_str().unwrap().chars().count() > 35);
        let bad = texts().any(|text| text == "禁词");
        let mut heard = heard.lock().unwrap();
        heard.extend(parameters.iter().cloned());
        match (long, bad) {
            (true, _) => r#"{"Code":"isv.PARAM_LENGTH_LIMIT","Message":"x"}"#.to_owned(),
            (_, true) => r#"{"Code":"isv.BLACK_KEY_CONTROL_LIMIT","Message":"x"}"#.to_owned(),
            _ => format!(r#"{{"Code":"OK","BizId":"biz{}"}}"#, heard.len()),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

#[tokio::test]
async fn long_values_are_reckoned_shortened_and_never_held_against_the_gateway() {
    for mut app in TestApp::on_each_engine(Scenario::faultless(3, 100), &[]).await {
        let clock: Arc<dyn Clock> = app.clock.clone();
        let (url, seen) = provider().await;
        let definition = include_str!("../config/gateways/alibaba.toml")
            .replace("https://dysmsapi.aliyuncs.com", &url);
        let config = GatewayConfig {
            definition,
            user: "u".into(),
            ..app.context.config.gateways["simulator"].clone()
        };
        let gateway = sms::open(&config, &clock, "").unwrap_or_else(|problem| panic!("{problem}"));
        let keys = KeyRing::open(&app.context.config.key_ring, None).unwrap();
        app.context = Arc::new(AppContext {
            clock_watch: ClockWatch::new(&*clock),
            config: app.context.config.clone(),
            database: app.context.database.clone(),
            keys,
            clock,
            gateways: [("simulator".to_owned(), gateway)].into(),
            dialer: None,
        });
        app.dispatcher = Dispatcher::new(app.context.clone());
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], LIST.as_bytes()).await.unwrap();

        let refused = app.launch("C1", &["A1"], PLAN).await.unwrap_err();
        let LaunchError::ParametersTooLong(ref long) = refused else { panic!("{refused}") };
        assert_eq!((long.values.people, long.values.limit), (1, 35));
        let words = refused.to_string();
        assert!(words.contains("step 1 (invitation)") && words.contains("欧***"), "{words}");
        assert!(!words.contains("欧阳"), "masked: {words}");

        // Too long for the rule as well.
        let subject = PLAN.replacen("spread =", "shorten = { subject = \"cut\" }\nspread =", 1);
        let refused = app.launch("C1", &["A1"], &subject).await.unwrap_err();
        assert!(matches!(refused, LaunchError::ParametersTooLong(_)));

        let plan = PLAN.replacen("spread =", "shorten = { name = \"surname\" }\nspread =", 1);
        let report = app.launch("C1", &["A1"], &plan).await.unwrap();
        let shortened: Vec<(&str, usize)> =
            report.shortened.iter().map(|s| (s.step.as_str(), s.people)).collect();
        assert_eq!(shortened[0], ("invitation", 1), "{}", app.engine);

        app.advance_until(monday() + Duration::from_secs(120)).await;
        let mut connection = app.context.database.read().await.unwrap();
        let states = messages::count_by_state(&mut connection).await.unwrap();
        let expected = [("accepted".to_owned(), 2), ("failed".to_owned(), 1)];
        assert_eq!(states, expected, "{}: one message alone", app.engine);
        let now = app.clock.now();
        let state = rates::states(&mut connection, now).await.unwrap()["simulator"].clone();
        assert_eq!((state.circuit_open_count, state.paused_until <= now), (0, true));
        drop(connection);
        let names = |name: &str| seen.lock().unwrap().iter().filter(|p| p["name"] == name).count();
        assert_eq!(names("欧阳先生/女士"), 2, "{}: in the refused batch, and alone", app.engine);
        assert!(names("禁词") <= 2, "{}: not tried for ever", app.engine);

        // The plan goes on for everybody.
        app.advance_until(monday() + Duration::from_secs(8 * 86_400)).await;
        let mut connection = app.context.database.read().await.unwrap();
        let states = messages::count_by_state(&mut connection).await.unwrap();
        assert_eq!(states, [("accepted".to_owned(), 4), ("failed".to_owned(), 2)]);
    }
}
