//! What people and programs are shown, word by word: pages, listings, problems, messages and the
//! files of a dataset. In virtual time, with a fixed key and people who do only what a test does;
//! [`steady`] replaces what differs from run to run.
//!
//! After a change that was meant: `INSTA_UPDATE=always cargo test --test integration snapshots`,
//! and read the difference before it is committed.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::common::browser::{Browser, add_account};
use crate::common::{
    CONSENT_FORM, PLAN, PROGRAMME, TestApp, answers, config_for, list_of, local, monday, number,
};
use crate::sms_conversations::{ITEMS, reply_to};
use fieldworkd::adapters::clock::VirtualClock;
use fieldworkd::adapters::database::replies;
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::role::{Permission, Role};
use fieldworkd::interfaces::http;
use fieldworkd::services::accounts::tokens;
use fieldworkd::services::campaigns::{self, LaunchRequest};
use fieldworkd::services::context::AppContext;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::services::{alerts, datasets, deadlines, forecasting, programmes};
use fieldworkd::simulation::{Scenario, Simulator};
use regex::Regex;
use serde_json::{Value, json};

/// Compares a text with its file in `tests/snapshots/`.
fn compare(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Replaces what differs from run to run: addresses, personal links, tokens, and what is derived
/// from random keys.
fn steady(text: &str) -> String {
    static PATTERNS: OnceLock<Vec<(Regex, &str)>> = OnceLock::new();
    let patterns = PATTERNS.get_or_init(|| {
        [
            (r"http://127\.0\.0\.1:[0-9]+", "[base]"),
            (r"127\.0\.0\.1:[0-9]+", "[address]"),
            (r"/i/[0-9a-z]{10,}", "/i/[link]"),
            (r"/try/[a-z]+/[0-9]+/[0-9A-Za-z_-]+", "/try/[signed]"),
            (r"/hooks/([a-z]+)/[0-9A-Za-z_-]+", "/hooks/$1/[secret]"),
            (r#"name="token" value="[^"]+""#, r#"name="token" value="[token]""#),
            (r"\b[0-9a-f]{64}\b", "[sha256]"),
            (r"-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----", "[public key]"),
            (r"fieldworkd [0-9]+\.[0-9]+\.[0-9]+", "fieldworkd [version]"),
        ]
        .map(|(pattern, other)| (Regex::new(pattern).unwrap(), other))
        .into()
    });
    patterns.iter().fold(text.to_owned(), |text, (pattern, other)| {
        pattern.replace_all(&text, *other).into_owned()
    })
}

fn replaced(pattern: &str, text: &str, other: &str) -> String {
    Regex::new(pattern).unwrap().replace_all(text, other).into_owned()
}

/// Returns what stands in a page's `<main>`, one tag a line; drawings are left out.
fn main_of(page: &str) -> String {
    let main = page.split("<main").nth(1).and_then(|rest| rest.split_once('>'));
    let main = main.and_then(|(_, rest)| rest.split("</main>").next());
    let main = main.unwrap_or_else(|| panic!("there is no <main>: {page}"));
    let main = replaced(r"(?s)<svg.*?</svg>", main, "<svg/>");
    let main = replaced(r"\s+", main.trim(), " ");
    steady(&replaced(r"> ?<", &main, ">\n<"))
}

/// A file with an installation's key that is the same in every run.
fn key_file() -> &'static str {
    static FILE: OnceLock<()> = OnceLock::new();
    const PATH: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/snapshots.key");
    FILE.get_or_init(|| {
        let new = format!("{PATH}.{}", std::process::id());
        std::fs::write(&new, "5e".repeat(32)).unwrap();
        std::fs::rename(&new, PATH).unwrap();
    });
    PATH
}

/// People who do only what a test does.
async fn silent_app(more: &[(&str, &str)]) -> TestApp {
    let settings = [&[("KEYS__INSTALLATION_KEY_FILE", key_file())][..], more].concat();
    TestApp::on_sqlite(Scenario::faultless(1, 50), &settings).await
}

#[tokio::test]
async fn what_a_respondent_sees() {
    let app = silent_app(&[]).await;
    app.launch_with_people(2, "").await;
    let link = app.link(0).await;
    let see = async |name: &str, url: String| {
        let (status, page) = app.get(&url).await;
        compare(&format!("respondent_{name}"), &format!("{status}\n{}", main_of(&page)));
    };
    for language in ["zh", "en"] {
        see(&format!("welcome_{language}"), format!("{link}?lang={language}")).await;
    }
    app.post(&format!("{link}/begin"), CONSENT_FORM).await;
    for language in ["zh", "en"] {
        see(&format!("questions_{language}"), format!("{link}?lang={language}")).await;
    }
    let half = [("case", "0"), ("page", "0"), ("img1", "8"), ("exp1", "77")];
    let (status, _, page) = app.post(&format!("{link}/answers?lang=zh"), &half).await;
    compare("respondent_mistake_zh", &format!("{status}\n{}", main_of(&page)));
    app.answer_all(&link, 0, "8").await;
    see("end_zh", format!("{link}?lang=zh")).await;
    see("unknown_link", format!("{}/i/0000000000000000", app.base)).await;
}

/// Pushes a reply of the `n`th person, as the simulated gateway does.
async fn push_reply(app: &TestApp, n: usize, text: &str) {
    let body = json!({
        "id": format!("{n}-{}-{text}", app.clock_now().0), "from": format!("+86{}", number(n)), "text": text,
        "at": app.clock_now().0,
    });
    let url = format!("{}/replies", app.context.webhook_base_url("simulator"));
    let request = app.http.post(url).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// A field of ten days: A1 with completes, a break-off, a refusal, an opt-out and two replies for
/// the inbox; B1 where nobody answers; D1 with a list that needs care.
async fn field() -> TestApp {
    let app = silent_app(&[("ALARM__WATCH__DAYS_LEFT", "90")]).await;
    for (code, people, target) in [("A1", 0..10, 8), ("B1", 20..25, 5)] {
        app.register_brand(code, code, &format!("[application.quota]\ntarget = {target}")).await;
        app.import(&[code], list_of(people).as_bytes()).await.unwrap();
    }
    app.register_brand("D1", "D1", "").await;
    let dirty = format!("{}赵六,138\n,13800000000\n", list_of(80..85));
    app.import(&["D1"], dirty.as_bytes()).await.unwrap();
    for (name, role) in [
        ("qian", Role::Operator),
        ("li", Role::Auditor),
        ("zhao", Role::Administrator),
        ("wu", Role::Interviewer),
    ] {
        add_account(&app, name, role).await;
    }
    app.launch("C1", &["A1", "B1"], PLAN).await.unwrap();
    app.advance_until(local("2026-03-03T12:00:00")).await;
    for n in 0..3 {
        app.answer_all(&app.link(n).await, 0, "8").await;
    }
    let begun = app.link(3).await;
    app.post(&format!("{begun}/begin"), CONSENT_FORM).await;
    app.post(&format!("{begun}/answers"), &answers(0, 0, "3")).await;
    app.post(&format!("{}/refuse", app.link(4).await), &[]).await;
    for (n, text) in [(5, "T"), (6, "请回电"), (7, "这是什么调查？")] {
        push_reply(&app, n, text).await;
    }
    app.advance_until(local("2026-03-12T12:00:00")).await;
    forecasting::forecast_campaign(&app.context, "C1").await.unwrap();
    alerts::tick(&app.context).await.unwrap();
    deadlines::freeze_interim(&app.context, "A1").await.unwrap();
    datasets::write_pending(&app.context).await.unwrap();
    app
}

#[tokio::test]
async fn what_the_staff_see() {
    let app = field().await;
    compare("staff_sign_in", &main_of(&app.get(&format!("{}/staff/sign-in", app.base)).await.1));
    let qian = Browser::signed_in(&app, "qian").await;
    let see = async |who: &Browser<'_>, name: &str, path: &str| {
        let (status, _, page) = who.get(path).await;
        assert_eq!(status, 200, "{path}: {page}");
        compare(&format!("staff_{name}"), &main_of(&page));
    };
    see(&qian, "home", "/home").await;
    let (status, _, page) = qian.get("/campaigns/C1").await;
    assert_eq!(status, 200, "{page}");
    // The curve's table has a line for each day; three are enough.
    let line = Regex::new(r#"(?s)<tr>\n<th scope="row">(2026-\d\d-\d\d)</th>.*?</tr>\n"#).unwrap();
    let main = main_of(&page);
    let campaign = line.replace_all(&main, |found: &regex::Captures<'_>| {
        let is_kept = ["2026-03-03", "2026-03-12", "2026-05-13"].contains(&&found[1]);
        if is_kept { found[0].to_owned() } else { String::new() }
    });
    compare("staff_campaign", &campaign);
    let found = qian.submit("/cases/search", &[("who", &number(3))]).await.2;
    let case = found.split("href=\"/cases/").nth(1).unwrap().split('"').next().unwrap();
    see(&qian, "case", &format!("/cases/{case}")).await;
    see(&qian, "inbox", "/inbox").await;
    see(&qian, "deliveries", "/deliveries").await;
    let fields = [("code", "C2"), ("gateway", "simulator"), ("application-D1", "on")];
    assert_eq!(qian.submit("/drafts", &fields).await.1, "/drafts/C2");
    see(&qian, "draft", "/drafts/C2").await;
    let li = Browser::signed_in(&app, "li").await;
    see(&li, "audit", "/audit").await;
}

/// Runs the real binary on a test's installation. Returns its output, whatever the user's name.
fn run(app: &TestApp, arguments: &[&str]) -> String {
    let config = &app.context.config;
    let output = Command::new(env!("CARGO_BIN_EXE_fieldworkd"))
        .args(arguments)
        .current_dir(app.folder.path())
        .env("FIELDWORKD_DATABASE__URL", &config.database_url)
        .env("FIELDWORKD_KEYS__RING", &config.key_ring)
        .env("FIELDWORKD_KEYS__INSTALLATION_KEY_FILE", key_file())
        .env("FIELDWORKD_WEB__PUBLIC_URL", &app.base)
        .env("FIELDWORKD_DATASET__FOLDER", &config.datasets)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{arguments:?}: {error}");
    format!("$ fieldworkd {}\n{}", arguments.join(" "), String::from_utf8(output.stdout).unwrap())
}

/// Returns a listing for people and the same for programs.
fn listing(app: &TestApp, arguments: &[&str]) -> String {
    let folder = app.folder.path().display().to_string();
    let mut text = run(app, arguments);
    if text.contains(&folder) {
        // Its columns are as wide as the folder's name is long.
        text = replaced(r" {2,}", &text, "  ");
    }
    let both = text + "\n" + &run(app, &[arguments, &["--json"]].concat());
    // What is counted from the real day.
    let both = replaced(r#""(behind|days_left)": -?[0-9.]+"#, &both, r#""$1": "[number]""#);
    steady(&both.replace(&folder, "[folder]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_line_lists() {
    let app = field().await;
    for (name, arguments) in [
        ("gateways", &["gateways"][..]),
        ("alarm_list", &["alarm", "list"]),
        ("dataset_list", &["dataset", "list"]),
        ("user_list", &["user", "list"]),
        ("audit_list", &["audit", "list"]),
    ] {
        compare(&format!("cli_{name}"), &listing(&app, arguments));
    }
    let programme = listing(&app, &["programme", "status", "p26"]);
    // The days that are left, and how far behind the schedule it is.
    let programme =
        replaced(r"(2026-05-13)  +-?[0-9]+ +-?[0-9.]+% ", &programme, "$1  [days]  [behind] ");
    compare("cli_programme_status", &programme);
    compare("cli_campaign_status", &listing(&app, &["campaign", "status", "C1"]));
    let dirty =
        format!("{}坏,1381\n受访者80再,{}\n无号码,\n,13800000000\n", list_of(80..83), number(80));
    std::fs::write(app.folder.path().join("more.csv"), dirty).unwrap();
    app.register_brand("E1", "E1", "").await;
    let import = ["list", "import", "--application", "E1", "more.csv"];
    let outputs = [
        steady(&run(&app, &[&import[..], &["--dry-run", "--json"]].concat())),
        steady(&run(&app, &import)),
        std::fs::read_to_string(app.folder.path().join("more.csv.report.csv")).unwrap(),
    ];
    compare("cli_list_import", &outputs.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_line_lists_of_messages_in_doubt() {
    let settings = [("KEYS__INSTALLATION_KEY_FILE", key_file())];
    let mut scenario = Scenario::faultless(1, 50);
    (scenario.response_lost, scenario.no_receipt) = (1.0, 1.0);
    let app = TestApp::on_sqlite(scenario, &settings).await;
    app.launch_with_people(2, "").await;
    app.advance_until(monday() + Duration::from_secs(5)).await;
    compare("cli_message_in_doubt", &listing(&app, &["message", "in-doubt", "--all"]));
}

#[tokio::test]
async fn what_the_api_says_of_problems() {
    let app = silent_app(&[]).await;
    app.launch_with_people(3, "").await;
    app.register_brand("B1", "b", "").await;
    let token = async |name: &str, scopes: &[Permission]| {
        let actor = Actor::command("test");
        let token = tokens::create(&app.context, &actor, name, scopes, 30).await.unwrap();
        token.reveal().to_owned()
    };
    let all = token("all", &Permission::ALL).await;
    let watcher = token("watcher", &[Permission::Read]).await;
    let mut transcript = String::new();
    let too_large = vec![b'x'; 33 * 1024 * 1024];
    for (status, token, method, path, body) in [
        (401, "", "GET", "/campaigns", b"".to_vec()),
        (401, "fwd_guess", "GET", "/campaigns", b"".to_vec()),
        (403, &watcher, "GET", "/audit", b"".to_vec()),
        (403, &watcher, "POST", "/campaigns/C1/state", br#"{"to":"paused"}"#.to_vec()),
        (404, &all, "GET", "/campaigns/C9", b"".to_vec()),
        (404, &all, "GET", "/no/such/thing", b"".to_vec()),
        (405, &all, "DELETE", "/campaigns/C1", b"".to_vec()),
        (409, &all, "POST", "/campaigns/C1/state", br#"{"to":"running"}"#.to_vec()),
        (409, &all, "POST", "/alarms/A1/acknowledge", b"{}".to_vec()),
        (413, &all, "POST", "/applications/A1/list", too_large),
        (
            422,
            &all,
            "POST",
            "/suppressions",
            br#"{"numbers":["12"],"reason":"complaint"}"#.to_vec(),
        ),
        (
            422,
            &all,
            "POST",
            "/applications/A1/deadline",
            br#"{"action":"extend","days":0,"reason":"asked"}"#.to_vec(),
        ),
        (422, &all, "POST", "/applications/B1/list", b"\x89PNG".to_vec()),
        (409, &all, "POST", "/applications/A1/list", list_of(0..1).into_bytes()),
        (400, &all, "POST", "/campaigns/C1/state", br#"{"to":"paused","more":1}"#.to_vec()),
        (400, &all, "POST", "/campaigns/C1/state", br#"{"to":"#.to_vec()),
        (400, &all, "GET", "/applications/A1/cases?limit=0", b"".to_vec()),
        (400, &all, "GET", "/campaigns/C1/rates?by=colour", b"".to_vec()),
    ] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let kind =
            if path.ends_with("/list") { "application/octet-stream" } else { "application/json" };
        let mut request = app
            .http
            .request(method.clone(), format!("{}/api/v1{path}", app.base))
            .header("content-type", kind)
            .body(body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let status = match answer.status().as_u16() {
            actual if actual == status => format!("{actual}"),
            actual => format!("{actual}, not {status}"),
        };
        let header = |name: &str| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(|value| format!("{name}: {value}\n")).unwrap_or_default()
        };
        let headers = header("content-type") + &header("www-authenticate");
        let body = answer.text().await.unwrap();
        let body = match serde_json::from_str::<Value>(&body) {
            Ok(body) => serde_json::to_string_pretty(&body).unwrap(),
            Err(_) if body.contains("<main>") => main_of(&body),
            Err(_) => body,
        };
        transcript += &format!("{method} {path}\n{status}\n{headers}{body}\n\n");
    }
    compare("api_problems", &steady(transcript.trim_end()));
}

/// An installation whose gateway is one that only writes down what it is given: number and text.
async fn app_with_recorder() -> (TestApp, Arc<Mutex<Vec<(String, String)>>>) {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let messages: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let seen = messages.clone();
    let recorder = axum::Router::new().fallback(async move |body: String| {
        let message: Value = serde_json::from_str(&body).unwrap();
        let text = |name: &str| message[name].as_str().unwrap().to_owned();
        let mut seen = seen.lock().unwrap();
        seen.push((text("to"), text("text")));
        json!({ "id": format!("s{}", seen.len()) }).to_string()
    });
    let listener = tokio::net::TcpListener::bind(any_port).await.unwrap();
    let recorder_address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, recorder).await });

    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::starting_at(monday()));
    let scenario = Scenario::faultless(1, 50);
    let simulator = Simulator::start(any_port, scenario, clock.clone()).await.unwrap();
    let listener = tokio::net::TcpListener::bind(any_port).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let settings = [("KEYS__INSTALLATION_KEY_FILE", key_file())];
    let config = config_for(folder.path(), "sqlite:", &base, recorder_address, &settings);
    let context = Arc::new(AppContext::open(config, clock.clone()).await.unwrap());
    tokio::spawn(http::serve(context.clone(), listener, std::future::pending()));
    let app = TestApp {
        dispatcher: Dispatcher::new(context.clone()),
        http: fieldworkd::adapters::http_client::new(Duration::from_secs(60)).unwrap(),
        context,
        clock,
        simulator,
        base,
        engine: "sqlite",
        folder,
    };
    programmes::apply_programme(&app.context, PROGRAMME).await.unwrap();
    app.register_brand("A1", "a", "").await;
    let list = format!("姓名,手机,语言\n王小明,{},zh\nAnn Lee,{},en\n", number(0), number(1));
    app.import(&["A1"], list.as_bytes()).await.unwrap();
    (app, messages)
}

async fn launch(app: &TestApp, plan: &PlanFile) {
    let request = LaunchRequest {
        code: "C1",
        applications: &["A1".to_owned()],
        plan,
        gateway: "simulator",
        budget: None,
        seed: None,
        dry_run: false,
    };
    campaigns::launch(&app.context, &request).await.unwrap();
}

/// Returns what the recorder has, by the two people, and empties it.
fn taken(messages: &Mutex<Vec<(String, String)>>) -> String {
    let mut recorded = std::mem::take(&mut *messages.lock().unwrap());
    recorded.sort();
    recorded.iter().map(|(to, text)| format!("{to}: {}\n", steady(text))).collect()
}

#[tokio::test]
async fn the_messages_of_the_demos_plan() {
    let (app, messages) = app_with_recorder().await;
    let plan = PlanFile::parse(include_str!("../config/demo/plan.toml"))
        .unwrap()
        .with_calendar(include_str!("../config/holidays/cn-2026.toml"))
        .unwrap();
    launch(&app, &plan).await;
    let mut transcript = String::new();
    for (step, until) in [
        ("invitation", "2026-03-02T20:00:00"),
        ("first reminder", "2026-03-09T20:00:00"),
        ("last reminder", "2026-03-24T20:00:00"),
    ] {
        app.advance_until(local(until)).await;
        transcript += &format!("# {step}\n{}\n", taken(&messages));
    }
    for (n, word) in [(0, "退订"), (1, "STOP")] {
        push_reply(&app, n, word).await;
    }
    app.advance_until(local("2026-03-26T20:00:00")).await;
    transcript += &format!("# after «退订» and «STOP»\n{}", taken(&messages));
    compare("messages_of_the_plan", &transcript);
}

#[tokio::test]
async fn the_messages_of_an_interview_by_sms() {
    let (app, messages) = app_with_recorder().await;
    let head = PLAN.split("[[step]]").next().unwrap();
    let plan = format!(
        "{head}[[step]]\nname = \"offer\"\nmode = \"interview\"\nafter = \"0d\"\n\
         text.zh = \"【{{signature}}】{{name}}您好，请评价{{subject}}。回复1同意并用短信作答，或点{{link}}；退订回T\"\n\
         text.en = \"【{{signature}}】Dear {{name}}, please rate {{subject}}. Reply 1 to agree and answer by SMS, or open {{link}}. Reply STOP to opt out\"\n"
    );
    launch(&app, &PlanFile::parse(&plan).unwrap()).await;
    let mut transcript = String::new();
    let mut next = async |what: &str, replies: [&str; 2], wait: u64| {
        for (n, text) in replies.into_iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            push_reply(&app, n, text).await;
        }
        app.advance_until(app.clock_now() + Duration::from_secs(wait)).await;
        transcript += &format!("# {what}\n{}\n", taken(&messages));
    };
    next("offer", ["", ""], 60).await;
    next("agreed", ["1", "1"], 60).await;
    next("not understood", ["什么？", "What?"], 60).await;
    // Somebody reads what was not understood; until then the reminder would wait.
    let mut tx = app.context.database.write().await.unwrap();
    for id in [2, 3, 4] {
        replies::mark_handled(&mut tx, id, app.clock_now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    next("a day without a reply", ["", ""], 30 * 3_600).await;
    for (item, n) in ITEMS[..ITEMS.len() - 1].iter().zip(2..) {
        let what = format!("question {n} after an answer");
        next(&what, [reply_to(item, "8").0; 2], 60).await;
    }
    next("all is answered", ["无", "none"], 60).await;
    compare("messages_of_an_interview", &transcript);
}

#[tokio::test]
async fn the_files_of_a_dataset() {
    let app = silent_app(&[("DATASET__SMALLEST_CELL", "1")]).await;
    app.launch_with_people(4, "").await;
    app.advance_until(local("2026-03-03T12:00:00")).await;
    app.answer_all(&app.link(0).await, 0, "8").await;
    let begun = app.link(1).await;
    app.post(&format!("{begun}/begin"), CONSENT_FORM).await;
    for page in 0..3 {
        app.post(&format!("{begun}/answers"), &answers(0, page, "3")).await;
    }
    app.post(&format!("{}/refuse", app.link(2).await), &[]).await;
    app.advance_until(local("2026-05-14T00:00:00")).await;
    assert_eq!(datasets::write_pending(&app.context).await.unwrap(), 1);
    let folder = app.context.config.datasets.join("A1/v1");
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let sizes = |text: &str| replaced(r#""bytes": [0-9]+"#, text, r#""bytes": "[n]""#);
    compare("dataset_manifest", &steady(&sizes(&read("manifest.json"))));
    compare("dataset_datapackage", &steady(&sizes(&read("datapackage.json"))));
    compare("dataset_codebook", &steady(&read("codebook.json")));
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut transcript = format!("# {}\n", names.join(" "));
    for name in names.iter().filter(|name| name.ends_with(".csv")) {
        let text = read(name);
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.iter().take(4).map(|line| format!("{line}\n")).collect::<String>();
        transcript += &format!("\n# {name}, {} lines\n{first}", lines.len());
    }
    compare("dataset_tables", &steady(&transcript));
    compare("dataset_triple_s", &steady(&read("triple-s.xml")));
    compare("dataset_ddi_codebook", &steady(&read("codebook.ddi.xml")));
    compare("dataset_flow_results", &steady(&sizes(&read("flow-results.json"))));
}
