//! The interviewers' pages: their authorization, and two interviewers side by side in a real
//! Chromium while respondents open their links.

use std::collections::BTreeMap;

use crate::common::browser::{Browser, PASSWORD, add_account, run_in_chromium};
use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::domain::role::Role;
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::{Value, json};

/// Four people wait to be called on a Wednesday afternoon.
async fn launch_with_queue(app: &TestApp) {
    app.register_brand("A1", "a", "").await;
    app.import(&["A1"], list_of(0..4).as_bytes()).await.unwrap();
    let head = PLAN.split("[[step]]\nname = \"reminder\"").next().unwrap();
    let plan = format!("{head}[[step]]\nname = \"calls\"\nmode = \"telephone\"\nafter = \"2d\"\n");
    app.launch("C1", &["A1"], &plan).await.unwrap();
    app.advance_until(local("2026-03-04T15:00:00")).await;
}

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 100);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// The telephone system is called as configured, and only for the person on the screen.
#[tokio::test]
async fn click_to_dial_connects_the_call() {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::<(String, String)>::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let keep = heard.clone();
    let pbx = axum::Router::new().fallback(async move |uri: axum::http::Uri, body: String| {
        keep.lock().unwrap().push((uri.to_string(), body))
    });
    tokio::spawn(async move { axum::serve(listener, pbx).await });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dial.toml");
    std::fs::write(
        &file,
        include_str!("../config/telephone/dial.toml")
            .replace("127.0.0.1:8088", &address.to_string()),
    )
    .unwrap();
    let settings = [
        ("TELEPHONE__DIALER_FILE", file.to_str().unwrap()),
        ("TELEPHONE__DIALER_USER", "ari"),
        ("TELEPHONE__SECRET", "made up"),
    ];
    let app = TestApp::on_sqlite(silent(), &settings).await;
    launch_with_queue(&app).await;
    add_account(&app, "wu", Role::Interviewer).await;
    let mut wu = Browser::new(&app);
    wu.sign_in("wu", PASSWORD).await;
    let token = wu.token("/interview").await;
    wu.post("/interview/next", &[("token", &token)]).await;
    let page = wu.get("/interview").await.2;
    let call = page.split("data-call=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let number = page.split("href=\"tel:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(
        wu.post(&format!("/interview/{call}/dial"), &[("token", &token)])
            .await
            .1
            .contains("noted=dialling")
    );
    assert!(wu.post("/interview/999/dial", &[("token", &token)]).await.1.contains("noted=over"));
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].0, "/ari/channels?api_key=ari:made%20up");
    let dialled: Value = serde_json::from_str(&heard[0].1).unwrap();
    assert_eq!(
        (dialled["endpoint"].as_str(), dialled["extension"].as_str()),
        (Some("PJSIP/wu"), number.strip_prefix("+86")),
        "{dialled}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_interviewers_work_side_by_side_while_respondents_open_their_links() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    launch_with_queue(&app).await;
    add_account(&app, "wu", Role::Interviewer).await;
    add_account(&app, "zheng", Role::Interviewer).await;
    add_account(&app, "qian", Role::Operator).await;
    let mut links = BTreeMap::new();
    for n in 0..4 {
        links.insert(format!("+86{}", number(n)), app.link(n).await);
    }
    let Some(done) = run_in_chromium(
        "tests/external/interviewer_pages.js",
        json!({ "base": app.base, "links": links }),
    )
    .await
    else {
        return;
    };
    assert_eq!(
        (done["looked"].as_u64(), done["interviews"].as_u64()),
        (Some(32), Some(1)),
        "{done}"
    );
    let dispositions: BTreeMap<String, u64> = app.dispositions("A1").await.into_iter().collect();
    assert_eq!(
        (dispositions.get("1.1"), dispositions.get("2.12"), dispositions.get("2.21")),
        (Some(&1), Some(&1), Some(&1)),
        "{dispositions:?}"
    );
}
