//! The staff's pages: the guard before them, and two interviewers side by side in a real Chromium while respondents open their links.

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::accounts;
use fieldworkd::domain::language::Language;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::Role;
use fieldworkd::gateway::simulator::{PeopleScript, Script};
use reqwest::header;
use serde_json::{Value, json};

const PASSWORD: &str = "many words make a good password";

async fn add(app: &TestApp, name: &str, role: Role) {
    accounts::add(&app.installation, name, role, &Language::ALL, Personal::new(PASSWORD)).await.unwrap();
}

/// Four people wait to be called on a Wednesday afternoon.
async fn waiting(app: &TestApp) {
    app.brand("A1", "a", "").await;
    app.import(&["A1"], list_of(0..4).as_bytes()).await.unwrap();
    let head = PLAN.split("[[step]]\nname = \"reminder\"").next().unwrap();
    let plan = format!("{head}[[step]]\nname = \"calls\"\nmode = \"telephone\"\nafter = \"2d\"\n");
    app.launch("C1", &["A1"], &plan).await.unwrap();
    app.play_until(local("2026-03-04T15:00:00")).await;
}

fn silent() -> Script {
    let mut script = Script::faultless(1, 100);
    script.people = PeopleScript::silent();
    script
}

/// A browser's cookies and the token of its forms, as far as a request needs them.
struct Browser<'a> {
    app: &'a TestApp,
    cookie: Option<String>,
}

impl Browser<'_> {
    async fn get(&self, path: &str) -> (u16, String, String) {
        let request = self.app.http.get(format!("{}{path}", self.app.base));
        self.send(request).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.app.http.post(format!("{}{path}", self.app.base)).header("content-type", "application/x-www-form-urlencoded").body(body);
        self.send(request).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> (u16, String, String) {
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let answer = request.send().await.unwrap();
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (status, location) = (answer.status().as_u16(), header(header::LOCATION) + &header(header::SET_COOKIE));
        (status, location, answer.text().await.unwrap())
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> u16 {
        let (status, told, _) = self.post("/staff/sign-in", &[("name", name), ("password", password)]).await;
        if let Some(at) = told.find("fieldworkd_session=") {
            let cookie = &told[at..];
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        status
    }

    /// The token that the page's forms carry.
    async fn token(&self, path: &str) -> String {
        let page = self.get(path).await.2;
        page.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn nobody_comes_in_who_may_not_and_no_form_of_another_site_does_anything() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        for (name, role) in [("wu", Role::Interviewer), ("li", Role::Auditor), ("qian", Role::Operator), ("zhao", Role::Administrator)] {
            add(&app, name, role).await;
        }
        let nobody = Browser { app: &app, cookie: None };
        assert_eq!(nobody.get("/interview").await.0, 303);
        assert_eq!(nobody.post("/interview/next", &[]).await.0, 401);
        let mut routes: BTreeMap<&str, Vec<(&str, u16)>> = BTreeMap::new();
        routes.insert("wu", vec![("/interview", 200), ("/supervision", 403)]);
        routes.insert("li", vec![("/interview", 403), ("/supervision", 403)]);
        routes.insert("qian", vec![("/interview", 200), ("/supervision", 200)]);
        routes.insert("zhao", vec![("/interview", 200), ("/supervision", 200)]);
        for (name, routes) in routes {
            let mut browser = Browser { app: &app, cookie: None };
            assert_eq!(browser.sign_in(name, "something else entirely").await, 401);
            assert_eq!(browser.sign_in(name, PASSWORD).await, 303);
            for (route, expected) in routes {
                assert_eq!(browser.get(route).await.0, expected, "{}: {name} at {route}", app.engine);
            }
        }
        // A form without the session's token, or with another's, or from another site, does nothing.
        let (mut wu, mut qian) = (Browser { app: &app, cookie: None }, Browser { app: &app, cookie: None });
        wu.sign_in("wu", PASSWORD).await;
        qian.sign_in("qian", PASSWORD).await;
        let (token, other) = (wu.token("/interview").await, qian.token("/interview").await);
        assert!(!token.is_empty() && token != other);
        assert_eq!(wu.post("/interview/next", &[]).await.0, 403);
        assert_eq!(wu.post("/interview/next", &[("token", &other)]).await.0, 403);
        assert_eq!(wu.post("/interview/next", &[("token", &token)]).await.0, 303);
        let elsewhere = app.http.post(format!("{}/interview/next", app.base)).header("sec-fetch-site", "cross-site").body(format!("token={token}"));
        assert_eq!(wu.send(elsewhere.header("content-type", "application/x-www-form-urlencoded")).await.0, 403);
        // Five wrong passwords lock the account, for whoever knows the right one too; a quarter of an hour later it opens.
        let mut thief = Browser { app: &app, cookie: None };
        for _ in 0..5 {
            assert_eq!(thief.sign_in("li", "a wrong password again").await, 401);
        }
        assert_eq!(thief.sign_in("li", PASSWORD).await, 429, "{}", app.engine);
        assert_eq!(thief.sign_in("nobody of that name", PASSWORD).await, 401);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(16 * 60));
        assert_eq!(thief.sign_in("li", PASSWORD).await, 303, "{}", app.engine);
        // Sessions end: unused, signed out, disabled, or with the password.
        app.clock.advance_to(app.clock_now() + Duration::from_secs(90 * 60));
        assert_eq!(wu.get("/interview").await.0, 200, "it goes on while it is used");
        app.clock.advance_to(app.clock_now() + Duration::from_secs(90 * 60));
        assert_eq!((wu.get("/interview").await.0, qian.get("/interview").await.0), (200, 303), "{}", app.engine);
        let token = wu.token("/interview").await;
        assert_eq!(wu.post("/staff/sign-out", &[("token", &token)]).await.0, 303);
        assert_eq!(wu.get("/interview").await.0, 303);
        qian.sign_in("qian", PASSWORD).await;
        accounts::set_password(&app.installation, "qian", Personal::new("another good password")).await.unwrap();
        assert_eq!(qian.get("/interview").await.0, 303);
        wu.sign_in("wu", PASSWORD).await;
        accounts::disable(&app.installation, "wu").await.unwrap();
        assert_eq!((wu.get("/interview").await.0, wu.sign_in("wu", PASSWORD).await), (303, 401), "{}", app.engine);
        assert!(matches!(
            accounts::add(&app.installation, "x y", Role::Operator, &[], Personal::new(PASSWORD)).await,
            Err(accounts::AccountError::Name)
        ));
        assert!(matches!(
            accounts::add(&app.installation, "sun", Role::Operator, &[], Personal::new("short")).await,
            Err(accounts::AccountError::Password)
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_interviewers_work_side_by_side_while_respondents_open_their_links() {
    let (Ok(modules), Ok(chromium)) = (std::env::var("FIELDWORKD_TEST_NODE_PATH"), std::env::var("FIELDWORKD_TEST_CHROMIUM")) else {
        eprintln!("FIELDWORKD_TEST_CHROMIUM is not set: no page is looked at in a browser (use tests/run)");
        return;
    };
    let app = TestApp::on_sqlite(silent(), &[]).await;
    waiting(&app).await;
    add(&app, "wu", Role::Interviewer).await;
    add(&app, "zheng", Role::Interviewer).await;
    add(&app, "qian", Role::Operator).await;
    let mut links = BTreeMap::new();
    for n in 0..4 {
        links.insert(format!("+86{}", number(n)), app.link(n).await);
    }
    let task = json!({ "chromium": chromium, "base": app.base, "password": PASSWORD, "links": links });
    let said = tokio::task::spawn_blocking(move || {
        let mut node =
            Command::new("node").arg("tests/interviewers.js").env("NODE_PATH", modules).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        node.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
        String::from_utf8(node.wait_with_output().unwrap().stdout).unwrap()
    })
    .await
    .unwrap();
    let done: Value = serde_json::from_str(said.trim()).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!((done["looked"].as_u64(), done["interviews"].as_u64()), (Some(32), Some(1)), "{done}");
    let dispositions: BTreeMap<String, u64> = app.dispositions("A1").await.into_iter().collect();
    assert_eq!((dispositions.get("1.1"), dispositions.get("2.12"), dispositions.get("2.21")), (Some(&1), Some(&1), Some(&1)), "{dispositions:?}");
}

/// The telephone system is asked as the operator's file says, and only for whoever is on the desk.
#[tokio::test]
async fn a_press_of_a_button_connects_the_call() {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::<(String, String)>::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let keep = heard.clone();
    let pbx = axum::Router::new().fallback(async move |uri: axum::http::Uri, body: String| keep.lock().unwrap().push((uri.to_string(), body)));
    tokio::spawn(async move { axum::serve(listener, pbx).await });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dial.toml");
    std::fs::write(&file, include_str!("../config/telephone/dial.toml").replace("127.0.0.1:8088", &address.to_string())).unwrap();
    let settings = [("TELEPHONE__DIAL", file.to_str().unwrap()), ("TELEPHONE__USER", "ari"), ("TELEPHONE__SECRET", "made up")];
    let app = TestApp::on_sqlite(silent(), &settings).await;
    waiting(&app).await;
    add(&app, "wu", Role::Interviewer).await;
    let mut wu = Browser { app: &app, cookie: None };
    wu.sign_in("wu", PASSWORD).await;
    let token = wu.token("/interview").await;
    wu.post("/interview/next", &[("token", &token)]).await;
    let page = wu.get("/interview").await.2;
    let call = page.split("data-call=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let number = page.split("href=\"tel:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(wu.post(&format!("/interview/{call}/dial"), &[("token", &token)]).await.1.contains("noted=dialling"));
    assert!(wu.post("/interview/999/dial", &[("token", &token)]).await.1.contains("noted=over"));
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].0, "/ari/channels?api_key=ari:made%20up");
    let asked: Value = serde_json::from_str(&heard[0].1).unwrap();
    assert_eq!((asked["endpoint"].as_str(), asked["extension"].as_str()), (Some("PJSIP/wu"), number.strip_prefix("+86")), "{asked}");
}
