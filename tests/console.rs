//! The console on both engines and in a real Chromium: what operators see and do, and that whoever looks at people is written down (invariant I7).

mod common;

use common::browser::{Browser, add, play};
use common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::deadline::{alarms, forecast};
use fieldworkd::domain::audit::Action;
use fieldworkd::domain::role::Role;
use fieldworkd::gateway::simulator::Script;
use fieldworkd::store::audit::{self, Asked};
use serde_json::json;

/// Alarms are raised however many days are left.
const SOONER: [(&str, &str); 1] = [("ALARM__WATCH__DAYS_LEFT", "90")];

/// Two applications, ten days in the field, one of them far behind; a third with a list that is full of dirt.
async fn ten_days(app: &TestApp) {
    for (code, people, target) in [("A1", 0..40, 35), ("B1", 40..70, 5)] {
        app.brand(code, code, &format!("[application.quota]\ntarget = {target}")).await;
        app.import(&[code], list_of(people).as_bytes()).await.unwrap();
    }
    app.brand("D1", "D1", "").await;
    app.import(&["D1"], format!("{}赵六,138\n,13800000000\n", list_of(80..85)).as_bytes()).await.unwrap();
    app.launch("C1", &["A1", "B1"], PLAN).await.unwrap();
    app.play_until(local("2026-03-12T12:00:00")).await;
    forecast::of_campaign(&app.installation, "C1").await.unwrap();
    alarms::tick(&app.installation).await.unwrap();
    for (name, role) in [("qian", Role::Operator), ("li", Role::Auditor), ("zhao", Role::Administrator), ("wu", Role::Interviewer)] {
        add(app, name, role).await;
    }
}

fn people() -> Script {
    let mut script = Script::faultless(5, 500);
    script.people.completes = [0.2, 0.05, 0.0];
    script.people.replies_something = 0.3;
    script.people.replies_opt_out = 0.05;
    script.people.wants_call = 0.05;
    script
}

#[tokio::test]
async fn operators_see_who_is_in_danger_and_do_something_about_it() {
    for app in TestApp::on_each_engine(people(), &SOONER).await {
        ten_days(&app).await;
        let qian = Browser::of(&app, "qian").await;
        let home = qian.get("/home").await.2;
        let at = |what: &str| home.find(what).unwrap_or_else(|| panic!("{}: {what} is not on the page: {home}", app.engine));
        assert!(at(">A1<") < at(">B1<"), "{}: who is in danger comes first", app.engine);
        assert!(home.contains("配额告急") && home.contains("/applications/A1/alarm") && home.contains("名单有误: D1"), "{home}");
        assert_eq!(qian.submit("/applications/A1/alarm", &[]).await.1, "/home?noted=taken");
        assert!(qian.get("/home").await.2.contains("已由其确认： qian"));
        assert_eq!(qian.submit("/applications/A1/alarm", &[]).await.1, "/home?noted=no-alarm", "{}: once", app.engine);
        assert_eq!(qian.submit("/applications/X9/alarm", &[]).await.0, 404);
        // The campaign: what it shows is what is counted elsewhere.
        let page = qian.get("/campaigns/C1").await.2;
        assert!(page.contains("<svg class=\"curve\"") && page.contains("invitation") && page.contains("RR1"), "{page}");
        assert_eq!(qian.get("/campaigns/C9").await.0, 404);
        assert!(qian.submit("/campaigns/C1/state", &[("to", "paused")]).await.1.ends_with("noted=paused"));
        assert_eq!(qian.submit("/campaigns/C1/state", &[("to", "paused")]).await.0, 409, "{}: it is paused already", app.engine);
        assert!(qian.submit("/campaigns/C1/state", &[("to", "running")]).await.1.ends_with("noted=running"));
        assert_eq!(qian.submit("/campaigns/C1/state", &[("to", "closed")]).await.0, 422, "{}: only whoever types the code closes it", app.engine);
        assert_eq!(qian.submit("/campaigns/C1/budget", &[("amount", "much")]).await.0, 422);
        assert_eq!(qian.submit("/campaigns/C1/budget", &[("amount", "100")]).await.0, 303);
        let hold = [("what", "hold"), ("campaign", "C1"), ("reason", "")];
        assert_eq!(qian.submit("/applications/A1/deadline", &hold).await.0, 422, "{}: not without a reason", app.engine);
        assert_eq!(qian.submit("/applications/A1/deadline", &[("what", "hold"), ("campaign", "C1"), ("reason", "asked")]).await.0, 303);
        assert!(qian.get("/home").await.2.contains("暂停"));
        let sheet = qian.get("/campaigns?format=csv").await.2;
        assert!(sheet.contains("campaign,state,") && sheet.contains("C1,running"), "{sheet}");
        assert!(qian.submit("/campaigns/C1/state", &[("to", "closed"), ("sure", "C1")]).await.1.ends_with("noted=closed"));
        assert_eq!(qian.submit("/campaigns/C1/state", &[("to", "closed"), ("sure", "C1")]).await.0, 409, "{}: it is closed already", app.engine);
        assert!(qian.get("/deliveries").await.2.contains(">A1<"));
        assert_eq!(qian.submit("/deliveries/A1/v1/again", &[]).await.1, "/deliveries?noted=no-way");
        // All of it is in the log, what was refused as well.
        let did = entries(&app, "qian").await;
        let count = |action| did.iter().filter(|(did, ..)| *did == action).count();
        assert_eq!((count(Action::AlarmTaken), count(Action::CampaignState), count(Action::Deadline)), (3, 8, 2), "{}: {did:?}", app.engine);
        assert_eq!(count(Action::Refused), 6, "{}: {did:?}", app.engine);
        assert!(did.contains(&(Action::CampaignState, "campaign:C1".into(), "paused".into())), "{did:?}");
    }
}

async fn entries(app: &TestApp, who: &str) -> Vec<(Action, String, String)> {
    let asked = Asked { who: who.into(), ..Asked::default() };
    let entries = audit::entries(&mut app.installation.store.read().await.unwrap(), &asked, 1_000).await.unwrap();
    entries.into_iter().map(|entry| (entry.action, entry.object, entry.detail)).collect()
}

#[tokio::test]
async fn people_are_found_by_number_or_name_and_are_masked_until_somebody_asks() {
    for app in TestApp::on_each_engine(people(), &SOONER).await {
        ten_days(&app).await;
        let qian = Browser::of(&app, "qian").await;
        let (name, phone) = ("受访者3", number(3));
        let listed = list_of(3..4);
        let name = listed.lines().nth(1).and_then(|line| line.split(',').next()).unwrap_or(name).to_owned();
        let case_of = |page: &str| page.split("href=\"/cases/").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
        let by_number = qian.submit("/cases/search", &[("who", &phone)]).await.2;
        let case = case_of(&by_number);
        assert!(!case.is_empty() && !by_number.contains(&phone) && !by_number.contains(&name), "{}: {by_number}", app.engine);
        let spaced: String = name.chars().flat_map(|c| [c, ' ']).collect();
        assert_eq!(case_of(&qian.submit("/cases/search", &[("who", &spaced)]).await.2), case, "{}: by name", app.engine);
        assert_eq!(case_of(&qian.submit("/cases/search", &[("who", &format!("#{case}"))]).await.2), case);
        let story = qian.get(&format!("/cases/{case}")).await.2;
        assert!(story.contains("invitation") && !story.contains(&phone) && !story.contains(&name), "{}: {story}", app.engine);
        let pseudonym = story.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
        assert_eq!(case_of(&qian.submit("/cases/search", &[("who", pseudonym)]).await.2), case);
        assert!(qian.submit("/cases/search", &[("who", "13999999999")]).await.2.contains("没有找到"));
        let shown = qian.submit(&format!("/cases/{case}/reveal"), &[]).await.2;
        assert!(shown.contains(&phone) && shown.contains(&name), "{}: {shown}", app.engine);
        // Who looked is found by who may look for that; what was looked for stands nowhere.
        let zhao = Browser::of(&app, "zhao").await;
        assert!(zhao.get(&format!("/cases/{case}")).await.2.contains("qian: 查看受访者"));
        let li = Browser::of(&app, "li").await;
        let log = li.get(&format!("/audit?object=case%3A{case}&action=case_revealed")).await.2;
        assert!(log.contains("<td>qian</td>"), "{log}");
        let everything = li.get("/audit?format=csv").await.2;
        assert!(!everything.contains(&phone) && !everything.contains(&name) && everything.contains("searched"), "{}: {everything}", app.engine);
        assert!(li.submit("/audit/verify", &[]).await.2.contains("条记录全部完好"));
        // A list of an application's cases pages.
        let all = qian.get("/cases?application=A1").await.2;
        assert!(all.matches("href=\"/cases/").count() >= 40 && !all.contains(&phone), "{all}");
        // Before names could be found, they were not reckoned; they are when somebody looks.
        app.execute("UPDATE respondent SET name_hash = ''").await.unwrap();
        assert_eq!(case_of(&qian.submit("/cases/search", &[("who", &name)]).await.2), case, "{}: after an upgrade", app.engine);
        // Replies: what they say is shown to whoever asks, and that is written down.
        let inbox = qian.get("/inbox").await.2;
        let something_else = inbox.split("<tr id=").find(|row| row.contains("其他")).unwrap();
        let reply = something_else.split("action=\"/inbox/").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        let read = qian.submit(&format!("/inbox/{reply}/read"), &[]).await.2;
        assert!(read.contains("<blockquote>"), "{}: {read}", app.engine);
        assert_eq!(qian.submit(&format!("/inbox/{reply}/done"), &[]).await.1, "/inbox?noted=done");
        assert_eq!(qian.submit(&format!("/inbox/{reply}/done"), &[]).await.1, "/inbox?noted=gone");
        assert!(entries(&app, "qian").await.contains(&(Action::ShownReply, format!("reply:{reply}"), String::new())));
        // Numbers that are not contacted: taken one a line, shown as counts.
        let numbers = format!("{}\n13811112222", number(5));
        assert_eq!(qian.submit("/suppressions", &[("numbers", &numbers), ("reason", "complaint"), ("scope", ""), ("until", "")]).await.0, 303);
        assert_eq!(qian.submit("/suppressions", &[("numbers", "12"), ("reason", "complaint")]).await.0, 422);
        let page = qian.get("/suppressions").await.2;
        assert!(page.contains("投诉") && !page.contains("13811112222"), "{page}");
    }
}

#[tokio::test]
async fn the_home_page_goes_on_telling_until_the_session_ends() {
    let app = TestApp::on_sqlite(people(), &SOONER).await;
    ten_days(&app).await;
    let qian = Browser::of(&app, "qian").await;
    let request = app.http.get(format!("{}/home/live", app.base)).header("cookie", qian.cookie.clone().unwrap());
    let mut told = request.send().await.unwrap();
    assert_eq!(told.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("\n\n") {
        text += &String::from_utf8_lossy(&told.chunk().await.unwrap().unwrap());
    }
    assert!(text.starts_with("data: ") && text.contains("配额告急"), "{text}");
    // An open page alone keeps nobody signed in.
    app.clock.advance_to(app.clock_now() + std::time::Duration::from_secs(2 * 3_600 + 1));
    // The stream ends, with or without a last word.
    while let Some(more) = told.chunk().await.unwrap() {
        text += &String::from_utf8_lossy(&more);
    }
    assert_eq!(qian.status("/home").await, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_console_is_good_to_look_at_and_to_use() {
    let app = TestApp::on_sqlite(people(), &SOONER).await;
    ten_days(&app).await;
    let Some(done) = play("tests/console.js", json!({ "base": app.base, "number": number(3) })).await else { return };
    assert!(done["looked"].as_u64() >= Some(48), "{done}");
}
