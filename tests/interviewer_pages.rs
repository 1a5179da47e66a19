//! The interviewers' pages: their authorization, and two interviewers side by side in a real
//! Chromium while respondents open their links.

use std::collections::BTreeMap;

use crate::common::browser::{Browser, PASSWORD, add_account, run_in_chromium};
use crate::common::{CONSENT_FORM, PLAN, TestApp, list_of, local, number, survey};
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

/// zetkin/app.zetkin.org#840: callers could not read a script verbatim, as names were missing in it.
/// CrisisCleanup/crisiscleanup-3-web#1441: a call could not be closed without a note.
#[tokio::test]
async fn the_opening_words_are_read_as_they_stand_and_a_note_may_stay_empty() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    app.register_brand("A1", "a", "").await;
    app.import(&["A1"], list_of(0..4).as_bytes()).await.unwrap();
    let head = PLAN.split("[[step]]\nname = \"reminder\"").next().unwrap();
    let step = "[[step]]\nname = \"calls\"\nmode = \"telephone\"\nafter = \"2d\"\n";
    let said = "{name}，我是{signature}的{interviewer}，{applicant}的{subject}，约{minutes}分钟。";
    let unknown = format!("{head}{step}text.zh = \"点开{{link}}\"\n");
    let refused = app.launch("C1", &["A1"], &unknown).await.unwrap_err().to_string();
    assert!(refused.contains("{link} is not a placeholder of opening words"), "{refused}");
    let empty = app.launch("C1", &["A1"], &format!("{head}{step}text.zh = \" \"\n")).await;
    assert!(empty.unwrap_err().to_string().contains("the opening words are empty"));
    app.launch("C1", &["A1"], &format!("{head}{step}text.zh = \"{said}\"\n")).await.unwrap();
    app.advance_until(local("2026-03-04T15:00:00")).await;
    add_account(&app, "wu", Role::Interviewer).await;
    let wu = Browser::signed_in(&app, "wu").await;
    wu.submit("/interview/next", &[]).await;
    let page = wu.get("/interview").await.2;
    let spoken = |page: &str| {
        page.split("<p class=\"spoken\">").nth(1).unwrap().split("</p>").next().unwrap().to_owned()
    };
    let words = spoken(&page);
    assert!(words.contains("，我是质协的访问员，") && words.contains("A1牌，约3分钟。"), "{words}");
    assert!(!words.contains('{') && !words.starts_with('，'), "{words}");
    // The words come before the notice, and the answers to what is asked are folded.
    let order = ["<p class=\"spoken\">", "<summary>对方问起时", "谁给你们我的电话", "/begin\""];
    let places: Vec<usize> = order.iter().map(|text| page.find(text).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    let call = page.split("data-call=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    wu.submit(&format!("/interview/{call}/begin"), CONSENT_FORM).await;
    let page = wu.get("/interview").await.2;
    assert!(page.contains("<details><summary>开场白</summary>"), "{page}");
    // In a language without words of its own, the usual ones.
    let english = spoken(&wu.get("/interview?page=0&in=en").await.2);
    assert!(english.contains("This is an interviewer, calling on behalf of"), "{english}");
    let report = format!("/interview/{call}/outcome");
    let long = "字".repeat(501);
    let (status, _, page) = wu.submit(&report, &[("outcome", "no_answer"), ("note", &long)]).await;
    assert!(status == 422 && page.contains("备忘有 501 字") && page.contains(&long), "{page}");
    assert_eq!(wu.submit(&report, &[("outcome", "unreachable")]).await.0, 303);
}

/// rubenarslan/formr.org#377, cds-snc/platform-forms-client#7097: an optional choice could not be
/// taken back. carbon-design-system/carbon#3184, twbs/bootstrap#39084: the chosen point was not seen
/// in forced colours, nor the page on paper.
#[tokio::test]
async fn an_optional_choice_can_be_taken_back_and_every_browser_shows_the_chosen_point() {
    let folder = tempfile::tempdir().unwrap();
    let questionnaire = survey::QUESTIONNAIRE.replace(
        "id = \"use\", ",
        "id = \"use\", hint = { zh = \"{subject}：逐字念\", en = \"Read\" }, ",
    );
    std::fs::write(folder.path().join("brand.toml"), questionnaire).unwrap();
    let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
    let app = TestApp::on_sqlite(silent(), &settings).await;
    launch_with_queue(&app).await;
    add_account(&app, "wu", Role::Interviewer).await;
    let wu = Browser::signed_in(&app, "wu").await;
    wu.submit("/interview/next", &[]).await;
    let page = wu.get("/interview").await.2;
    survey::assert_old_browsers_read(&page);
    let call = page.split("data-call=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    wu.submit(&format!("/interview/{call}/begin"), CONSENT_FORM).await;
    let page = wu.get("/interview").await.2;
    assert!(page.contains("<p>关于A1牌</p>") && page.contains("A1牌：逐字念"), "{page}");
    assert!(page.contains("name=\"mark\" value=\"\"") && !page.contains("name=\"use\" value=\"\""));
    let answers = format!("/interview/{call}/answers");
    let send = async |number, fields: &[(&'static str, &'static str)]| {
        let fields: Vec<(&str, &str)> =
            [("case", "0"), ("page", number)].into_iter().chain(fields.iter().copied()).collect();
        wu.submit(&answers, &fields).await
    };
    let chosen = "name=\"mark\" value=\"4\" checked";
    assert_eq!(send("0", &[survey::DAILY, ("mark", "4")]).await.0, 303);
    assert!(wu.get("/interview?page=0").await.2.contains(chosen));
    assert_eq!(send("0", &[survey::DAILY, ("mark", "")]).await.0, 303);
    assert!(!wu.get("/interview?page=0").await.2.contains(chosen));
    let page = wu.get("/interview").await.2;
    assert!(page.contains("<h2>对A1牌满意吗</h2>"), "{page}");
    // Boxes that were unticked stay so when the page comes back for another reason.
    let (status, _, page) = send("1", &[("seen", "shop"), ("day", "某日")]).await;
    assert!(status == 422 && page.contains("value=\"shop\" checked"), "{page}");
    let (status, _, page) = send("1", &[("day", "某日")]).await;
    assert!(status == 422 && !page.contains("value=\"shop\" checked"), "{page}");
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
        (Some(48), Some(1)),
        "{done}"
    );
    let dispositions: BTreeMap<String, u64> = app.dispositions("A1").await.into_iter().collect();
    assert_eq!(
        (dispositions.get("1.1"), dispositions.get("2.12"), dispositions.get("2.21")),
        (Some(&1), Some(&1), Some(&1)),
        "{dispositions:?}"
    );
}
