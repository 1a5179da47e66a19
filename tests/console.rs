//! The console on both engines and in a real Chromium: what operators see and do. That people are
//! masked until somebody asks is tested in tests/invariants/i7_never_leak.rs.

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::domain::audit::Action;
use fieldworkd::domain::role::Role;
use fieldworkd::services::{alerts, forecasting};
use fieldworkd::simulation::Scenario;
use serde_json::json;

/// Alarms are raised however many days are left.
pub(crate) const EARLY_ALARMS: [(&str, &str); 1] = [("ALARM__WATCH__DAYS_LEFT", "90")];

/// Two applications, ten days in the field, one of them far behind; a third with a very dirty list.
pub(crate) async fn advance_ten_days(app: &TestApp) {
    for (code, people, target) in [("A1", 0..40, 35), ("B1", 40..70, 5)] {
        app.register_brand(code, code, &format!("[application.quota]\ntarget = {target}")).await;
        app.import(&[code], list_of(people).as_bytes()).await.unwrap();
    }
    app.register_brand("D1", "D1", "").await;
    app.import(&["D1"], format!("{}赵六,138\n,13800000000\n", list_of(80..85)).as_bytes())
        .await
        .unwrap();
    app.launch("C1", &["A1", "B1"], PLAN).await.unwrap();
    app.advance_until(local("2026-03-12T12:00:00")).await;
    forecasting::forecast_campaign(&app.context, "C1").await.unwrap();
    alerts::tick(&app.context).await.unwrap();
    for (name, role) in [
        ("qian", Role::Operator),
        ("li", Role::Auditor),
        ("zhao", Role::Administrator),
        ("wu", Role::Interviewer),
    ] {
        add_account(app, name, role).await;
    }
}

pub(crate) fn people() -> Scenario {
    let mut scenario = Scenario::faultless(5, 500);
    scenario.people.completes = [0.2, 0.05, 0.0];
    scenario.people.replies_other = 0.3;
    scenario.people.replies_opt_out = 0.05;
    scenario.people.requests_call = 0.05;
    scenario
}

#[tokio::test]
async fn operators_see_who_is_in_danger_and_do_something_about_it() {
    for app in TestApp::on_each_engine(people(), &EARLY_ALARMS).await {
        advance_ten_days(&app).await;
        let qian = Browser::signed_in(&app, "qian").await;
        let home = qian.get("/home").await.2;
        let at = |what: &str| {
            home.find(what)
                .unwrap_or_else(|| panic!("{}: {what} is not on the page: {home}", app.engine))
        };
        assert!(at(">A1<") < at(">B1<"), "{}: who is in danger comes first", app.engine);
        assert!(
            home.contains("配额告急")
                && home.contains("/applications/A1/alarm")
                && home.contains("名单有误: <a href=\"/applications/D1\">D1</a>")
                && home.contains("href=\"/campaigns/C1#a-A1\""),
            "{home}"
        );
        assert_eq!(qian.submit("/applications/A1/alarm", &[]).await.1, "/home?noted=taken");
        assert!(qian.get("/home").await.2.contains("已由其确认： qian"));
        assert_eq!(
            qian.submit("/applications/A1/alarm", &[]).await.1,
            "/home?noted=no-alarm",
            "{}: once",
            app.engine
        );
        assert_eq!(qian.submit("/applications/X9/alarm", &[]).await.0, 404);
        // The campaign page shows the same counts as elsewhere.
        let page = qian.get("/campaigns/C1").await.2;
        assert!(
            page.contains("<svg class=\"chart\"")
                && page.contains("invitation")
                && page.contains("RR1"),
            "{page}"
        );
        // Staff are not told of a link in a message; respondents are.
        for path in ["/campaigns/C9", "/questionnaires/nothing", "/no-such-page"] {
            let (status, _, page) = qian.get(path).await;
            assert!(status == 404 && page.contains("没有找到"), "{path} {status}: {page}");
            assert!(!page.contains("短信"), "{path}: {page}");
        }
        let (status, page) = app.get(&format!("{}/i/aaaaaaaaaaaaaaaa", app.base)).await;
        assert!(status == 404 && page.contains("短信"), "{page}");
        assert!(
            qian.submit("/campaigns/C1/state", &[("to", "paused")])
                .await
                .1
                .ends_with("noted=paused")
        );
        assert_eq!(
            qian.submit("/campaigns/C1/state", &[("to", "paused")]).await.0,
            409,
            "{}: it is paused already",
            app.engine
        );
        assert!(
            qian.submit("/campaigns/C1/state", &[("to", "running")])
                .await
                .1
                .ends_with("noted=running")
        );
        assert_eq!(
            qian.submit("/campaigns/C1/state", &[("to", "closed")]).await.0,
            422,
            "{}: only whoever types the code closes it",
            app.engine
        );
        assert_eq!(qian.submit("/campaigns/C1/budget", &[("amount", "much")]).await.0, 422);
        assert_eq!(
            qian.submit_from("/campaigns/C1", "/campaigns/C1/budget", &[("amount", "100")]).await.0,
            303
        );
        let hold = [("what", "hold"), ("campaign", "C1"), ("reason", "")];
        assert_eq!(
            qian.submit("/applications/A1/deadline", &hold).await.0,
            422,
            "{}: not without a reason",
            app.engine
        );
        assert_eq!(
            qian.submit(
                "/applications/A1/deadline",
                &[("what", "hold"), ("campaign", "C1"), ("reason", "asked")]
            )
            .await
            .0,
            303
        );
        assert!(qian.get("/home").await.2.contains("暂停"));
        let sheet = qian.get("/campaigns?format=csv").await.2;
        assert!(sheet.contains("campaign,state,") && sheet.contains("C1,running"), "{sheet}");
        assert!(
            qian.submit("/campaigns/C1/state", &[("to", "closed"), ("sure", "C1")])
                .await
                .1
                .ends_with("noted=closed")
        );
        assert_eq!(
            qian.submit("/campaigns/C1/state", &[("to", "closed"), ("sure", "C1")]).await.0,
            409,
            "{}: it is closed already",
            app.engine
        );
        assert!(qian.get("/deliveries").await.2.contains(">A1<"));
        assert_eq!(
            qian.submit("/deliveries/A1/v1/redeliver", &[]).await.1,
            "/deliveries?noted=no-way"
        );
        // Everything is audited, including refused requests.
        let did = entries(&app, "qian").await;
        let count = |action| did.iter().filter(|(did, ..)| *did == action).count();
        assert_eq!(
            (
                count(Action::AlarmAcknowledged),
                count(Action::CampaignStateChanged),
                count(Action::DeadlineChanged)
            ),
            (3, 8, 2),
            "{}: {did:?}",
            app.engine
        );
        assert_eq!(count(Action::Refused), 6, "{}: {did:?}", app.engine);
        assert!(
            did.contains(&(Action::CampaignStateChanged, "campaign:C1".into(), "paused".into())),
            "{did:?}"
        );
    }
}

pub(crate) async fn entries(app: &TestApp, actor: &str) -> Vec<(Action, String, String)> {
    let filter = AuditFilter { actor: actor.into(), ..AuditFilter::default() };
    let entries = audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 1_000)
        .await
        .unwrap();
    entries.into_iter().map(|entry| (entry.action, entry.object, entry.detail)).collect()
}

#[tokio::test]
async fn open_answers_are_read_before_a_version_goes_out_and_nobody_needs_the_command_line_for_it()
{
    for app in TestApp::on_each_engine(people(), &[("DATASET__OPEN_ANSWERS", "reviewed")]).await {
        advance_ten_days(&app).await;
        let (qian, wu) =
            (Browser::signed_in(&app, "qian").await, Browser::signed_in(&app, "wu").await);
        assert!(qian.get("/deliveries").await.2.contains("A1 · 期中版本"), "{}", app.engine);
        assert_eq!(
            qian.submit("/datasets/A1/freeze", &[]).await.1,
            "/deliveries?noted=frozen",
            "{}: on the way",
            app.engine
        );
        assert_eq!(
            qian.submit("/datasets/D1/freeze", &[]).await.1,
            "/deliveries?noted=nothing-new",
            "{}: it is not in the field",
            app.engine
        );
        assert_eq!(qian.submit("/datasets/X9/freeze", &[]).await.0, 404);
        assert!(
            qian.submit("/campaigns/C1/state", &[("to", "closed"), ("sure", "C1")])
                .await
                .1
                .ends_with("noted=closed")
        );
        assert_eq!(
            qian.submit("/datasets/A1/freeze", &[]).await.1,
            "/deliveries?noted=nothing-new",
            "{}: nothing came since",
            app.engine
        );
        // The last version awaits its review beside the interim one; the reader is audited; ticked
        // answers are left out.
        assert_eq!(wu.submit("/datasets/A1/v1/review", &[]).await.0, 403);
        let (status, _, page) = qian.submit("/datasets/A1/v1/review", &[]).await;
        assert_eq!(status, 200, "{}", app.engine);
        let answers = page.matches("name=\"strike-").count();
        assert!(answers > 0 && page.contains("/datasets/A1/v1/release"), "{}: {page}", app.engine);
        let words = page
            .split("</code></td><td>")
            .nth(1)
            .and_then(|rest| rest.split("<td>").nth(1))
            .and_then(|rest| rest.split('<').next())
            .unwrap();
        let with_them = page.matches(&format!(">{words}<")).count();
        assert_eq!(
            qian.submit("/datasets/A1/v7/release", &[]).await.1,
            "/deliveries?noted=no-review",
            "{}: there is none such",
            app.engine
        );
        assert_eq!(
            qian.submit("/datasets/A1/v1/release", &[("strike-1", "on")]).await.1,
            "/deliveries?noted=released"
        );
        assert_eq!(
            qian.submit("/datasets/X9/v1/review", &[]).await.1,
            "/deliveries?noted=no-review"
        );
        fieldworkd::services::datasets::write_pending(&app.context).await.unwrap();
        let written =
            std::fs::read_to_string(app.folder.path().join("datasets/A1/v1/responses.csv"))
                .unwrap();
        assert!(
            !words.is_empty() && written.matches(words).count() == with_them - 1,
            "{}: {words} {with_them} times",
            app.engine
        );
        let did = entries(&app, "qian").await;
        let count = |action| did.iter().filter(|(did, ..)| *did == action).count();
        // Each release is an access as well.
        assert_eq!(
            (
                count(Action::OpenAnswersViewed),
                count(Action::DatasetReleased),
                count(Action::DatasetFrozen)
            ),
            (2, 2, 4),
            "{}: {did:?}",
            app.engine
        );
        // The interim version still awaits its own review.
        assert_eq!(
            qian.submit("/datasets/A1/interim-1/review", &[]).await.0,
            200,
            "{}",
            app.engine
        );
    }
}

#[tokio::test]
async fn people_get_what_is_held_of_them_and_are_deleted_and_applicants_are_held_or_forgotten() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        advance_ten_days(&app).await;
        let (qian, zhao) =
            (Browser::signed_in(&app, "qian").await, Browser::signed_in(&app, "zhao").await);
        let case = {
            let page = qian.submit("/cases/search", &[("who", &number(3))]).await.2;
            page.split("href=\"/cases/")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap()
                .to_owned()
        };
        let held = qian.submit(&format!("/cases/{case}/export"), &[]).await.2;
        assert!(
            held.contains(&number(3)) && held.contains("\"messages\""),
            "{}: {held}",
            app.engine
        );
        // The same in words, to be printed; the codes of the program stay in the JSON.
        let document = qian.submit(&format!("/cases/{case}/export"), &[("as", "document")]).await.2;
        for said in ["依据《个人信息保护法》第四十五条", "姓名", "发给此人的短信", "已送达"]
        {
            assert!(document.contains(said), "{}: {said}: {document}", app.engine);
        }
        for code in ["delivered", "\"messages\"", "job_title", "answers_in_words"] {
            let main = document.split("<main ").nth(1).unwrap().split("<script>").next().unwrap();
            assert!(!main.contains(code), "{}: {code}: {main}", app.engine);
        }
        assert!(document.contains(&number(3)), "{}", app.engine);
        let erase = format!("/cases/{case}/erase");
        assert_eq!(
            qian.submit(&erase, &[("sure", "no"), ("reason", "asked")]).await.0,
            422,
            "{}",
            app.engine
        );
        assert_eq!(
            qian.submit(&erase, &[("sure", &case), ("reason", " ")]).await.0,
            422,
            "{}",
            app.engine
        );
        // While the applicant is under a legal hold, nothing is erased.
        assert_eq!(qian.get("/privacy").await.0, 403);
        assert_eq!(
            zhao.submit("/privacy/p26/A1/hold", &[("do", "set"), ("reason", "")]).await.0,
            422
        );
        assert_eq!(
            zhao.submit("/privacy/p26/A1/hold", &[("do", "set"), ("reason", "a lawsuit")]).await.1,
            "/privacy?noted=held"
        );
        assert!(zhao.get("/privacy").await.2.contains("法律保全中"));
        let (status, _, said) = qian.submit(&erase, &[("sure", &case), ("reason", "asked")]).await;
        assert!(
            status == 422 && said.contains("法律保全") && said.contains("A1"),
            "{}: {said}",
            app.engine
        );
        assert_eq!(
            zhao.submit("/privacy/p26/A1/hold", &[("do", "lift")]).await.1,
            "/privacy?noted=lifted"
        );
        assert_eq!(
            zhao.submit("/privacy/p26/A1/hold", &[("do", "lift")]).await.0,
            422,
            "{}: there is none",
            app.engine
        );
        assert_eq!(
            qian.submit(&erase, &[("sure", &case), ("reason", "asked")]).await.1,
            format!("/cases/{case}?noted=erased"),
            "{}",
            app.engine
        );
        assert_eq!(
            qian.submit(&erase, &[("sure", &case), ("reason", "asked")]).await.0,
            422,
            "{}: once",
            app.engine
        );
        let page = qian.get(&format!("/cases/{case}")).await.2;
        assert!(
            page.contains("此人的信息已按规定清除") && !page.contains(&erase),
            "{}: {page}",
            app.engine
        );
        assert!(qian.submit("/cases/search", &[("who", &number(3))]).await.2.contains("没有找到"));
        // Erases an applicant's people by hand; the certificate is signed.
        let purge = |code: &str| format!("/privacy/p26/{code}/purge");
        assert_eq!(
            zhao.submit(&purge("A1"), &[("sure", "A1"), ("reason", "over")]).await.0,
            422,
            "{}: it is in the field",
            app.engine
        );
        assert_eq!(zhao.submit(&purge("D1"), &[("sure", "D"), ("reason", "over")]).await.0, 422);
        assert_eq!(zhao.submit(&purge("X9"), &[("sure", "X9"), ("reason", "over")]).await.0, 404);
        assert_eq!(
            zhao.submit(&purge("D1"), &[("sure", "D1"), ("reason", "over")]).await.1,
            "/privacy?noted=purged",
            "{}",
            app.engine
        );
        assert_eq!(zhao.submit(&purge("D1"), &[("sure", "D1"), ("reason", "over")]).await.0, 422);
        let page = zhao.get("/privacy").await.2;
        assert_eq!(page.matches("签名有效").count(), 2, "{}: {page}", app.engine);
        let id = page
            .split("/privacy/certificates/")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
            .unwrap();
        let text = zhao.get(&format!("/privacy/certificates/{id}/text")).await.2;
        assert!(
            text.contains("\"applicant\": \"D1\"") && text.contains("\"ordered_by\": \"zhao\""),
            "{}: {text}",
            app.engine
        );
        assert!(zhao.get(&format!("/privacy/certificates/{id}/signature")).await.2.len() > 60);
        assert_eq!(zhao.get("/privacy/certificates/99/text").await.0, 404);
        let did = entries(&app, "qian").await;
        assert!(
            did.iter().any(|(action, object, _)| *action == Action::PersonErased
                && *object == format!("case:{case}")),
            "{did:?}"
        );
        assert!(did.iter().any(|(action, ..)| *action == Action::PersonExported), "{did:?}");
    }
}

#[tokio::test]
async fn the_home_page_goes_on_telling_until_the_session_ends() {
    let app = TestApp::on_sqlite(people(), &EARLY_ALARMS).await;
    advance_ten_days(&app).await;
    let qian = Browser::signed_in(&app, "qian").await;
    let request = app
        .http
        .get(format!("{}/home/live", app.base))
        .header("cookie", qian.cookie.clone().unwrap());
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("\n\n") {
        text += &String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap());
    }
    assert!(text.starts_with("data: ") && text.contains("配额告急"), "{text}");
    // An open page alone does not extend the session.
    app.clock.advance_to(app.clock_now() + std::time::Duration::from_secs(2 * 3_600 + 1));
    // The stream ends, with or without a last event.
    while let Some(more) = response.chunk().await.unwrap() {
        text += &String::from_utf8_lossy(&more);
    }
    assert_eq!(qian.status("/home").await, 303);
}

/// The alarm of a campaign that is over is not to be acted on: it goes with the campaign, not with
/// the next look at all alarms.
#[tokio::test]
async fn the_alarms_of_a_closed_campaign_leave_the_home_page_at_once() {
    for app in TestApp::on_each_engine(people(), &EARLY_ALARMS).await {
        advance_ten_days(&app).await;
        let qian = Browser::signed_in(&app, "qian").await;
        assert!(qian.get("/home").await.2.contains("配额告急"), "{}", app.engine);
        app.execute_sql("UPDATE campaign SET state = 'closed'").await.unwrap();
        assert!(!qian.get("/home").await.2.contains("配额告急"), "{}", app.engine);
        // An auditor gets no link that is closed to it.
        let li = Browser::signed_in(&app, "li").await;
        let home = li.get("/home").await.2;
        for closed in ["/inbox", "/applications/D1", "/setup", "/webhooks"] {
            assert!(!home.contains(&format!("href=\"{closed}")), "{}: {closed}", app.engine);
        }
    }
}

/// An empty installation says what comes first, until something is launched.
#[tokio::test]
async fn an_empty_home_leads_to_the_first_launch() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        for (name, role) in [("zhao", Role::Administrator), ("li", Role::Auditor)] {
            add_account(&app, name, role).await;
        }
        let zhao = Browser::signed_in(&app, "zhao").await;
        let done = async || zhao.get("/home").await.2.matches("✓").count();
        let home = zhao.get("/home").await.2;
        assert!(home.contains("六步") && home.contains("href=\"/setup\""), "{home}");
        // The second account counts, as does the programme that the tests begin with.
        let at_first = done().await;
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..5).as_bytes()).await.unwrap();
        assert!(done().await > at_first, "{}: the list is there", app.engine);
        assert!(zhao.get("/home").await.2.contains("href=\"/new-campaign\""));
        let li = Browser::signed_in(&app, "li").await;
        assert!(!li.get("/home").await.2.contains("六步"), "{}: not for auditors", app.engine);
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        assert!(!zhao.get("/home").await.2.contains("六步"), "{}: it is launched", app.engine);
    }
}

/// The audit log and a case's timeline are in words; the export of the log keeps the codes.
#[tokio::test]
async fn the_audit_log_and_timelines_are_in_words() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        advance_ten_days(&app).await;
        let (qian, zhao) =
            (Browser::signed_in(&app, "qian").await, Browser::signed_in(&app, "zhao").await);
        assert_eq!(qian.submit("/cases/1/reveal", &[]).await.0, 200);
        qian.submit("/campaigns/C1/state", &[("to", "paused")]).await;
        let named = [("full_name", "钱敏"), ("phone", "")];
        assert_eq!(zhao.submit("/accounts/qian/person", &named).await.0, 303);
        let log = zhao.get("/audit").await.2;
        let rows = log.split("<tbody>").nth(1).unwrap();
        for said in ["网页", "命令行", "个案 1", "账户 钱敏 (qian)", ">暂停<", "钱敏 (qian)"]
        {
            assert!(rows.contains(said), "{}: {said}: {rows}", app.engine);
        }
        for code in ["console", "command", "case:1", "account:"] {
            assert!(!rows.contains(code), "{}: {code}: {rows}", app.engine);
        }
        assert!(rows.contains("href=\"/cases/1\""), "{}: {rows}", app.engine);
        let li = Browser::signed_in(&app, "li").await;
        let of_li = li.get("/audit?object=%E4%B8%AA%E6%A1%88+1").await.2;
        let rows = of_li.split("<tbody>").nth(1).unwrap();
        assert!(rows.contains("查看受访者") && !rows.contains("href=\"/cases/"), "{rows}");
        let csv = zhao.get("/audit?format=csv").await.2;
        assert!(csv.contains("case:1,") && csv.contains(",console,"), "{}: {csv}", app.engine);
        let case = qian.get("/cases/1").await.2;
        assert!(
            case.contains("(短信网关)") && !case.contains("(gateway)"),
            "{}: {case}",
            app.engine
        );
        let talk = case.split("与网关的对话").next().unwrap();
        assert!(!talk.contains("simulator ·"), "{}: the gateway's talk is folded", app.engine);
    }
}

#[tokio::test]
async fn lists_that_cannot_be_imported_any_more_leave_what_is_next_and_go_together() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        add_account(&app, "qian", Role::Operator).await;
        for code in ["A1", "B1"] {
            app.register_brand(code, code, "").await;
        }
        let qian = Browser::signed_in(&app, "qian").await;
        for (code, file) in [("A1", "one.csv"), ("A1", "two.csv"), ("B1", "three.csv")] {
            let path = format!("/applications/{code}/list");
            let list = list_of(0..5);
            assert_eq!(qian.upload(&path, &[], file, list.as_bytes()).await.0, 303);
        }
        let next = qian.get("/setup").await.2;
        assert_eq!(
            next.matches("未导入的名单</strong>").count() + next.matches("查看并导入").count(),
            3
        );
        assert!(!next.contains("不能再导入"), "{}: {next}", app.engine);
        app.import(&["A1"], list_of(0..5).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        let next = qian.get("/setup").await.2;
        assert_eq!(next.matches("查看并导入").count(), 1, "{}: {next}", app.engine);
        assert!(next.contains("不能再导入的名单") && next.contains("two.csv"), "{next}");
        let picks: Vec<String> = next
            .split("name=\"pick-")
            .skip(1)
            .filter(|rest| rest.split('>').next().unwrap_or_default().contains("checked"))
            .map(|rest| format!("pick-{}", rest.split('"').next().unwrap()))
            .collect();
        assert_eq!(picks.len(), 2, "{}: {next}", app.engine);
        let fields: Vec<(&str, &str)> = picks.iter().map(|pick| (pick.as_str(), "1")).collect();
        let discard = async || qian.submit("/lists/discard", &fields).await.1;
        assert_eq!(discard().await, "/setup?noted=lists-dropped", "{}", app.engine);
        assert_eq!(discard().await, "/setup?noted=no-list#lists", "{}: once", app.engine);
        let next = qian.get("/setup").await.2;
        assert!(!next.contains("two.csv") && next.contains("three.csv"), "{next}");
        let dropped = entries(&app, "qian").await;
        let dropped = dropped.iter().filter(|(action, ..)| *action == Action::ListDiscarded);
        assert_eq!(dropped.count(), 2, "{}: each is written down", app.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_next_is_said_in_a_browser() {
    let app = TestApp::on_sqlite(people(), &[]).await;
    add_account(&app, "zhao", Role::Administrator).await;
    let look = async |pages: serde_json::Value| {
        let task = json!({ "base": app.base, "account": "zhao", "pages": pages });
        run_in_chromium("tests/external/pages.js", task).await
    };
    look(json!([["/home", "home-empty", "六步"]])).await;
    app.register_brand("A1", "a", "").await;
    let zhao = Browser::signed_in(&app, "zhao").await;
    zhao.upload("/applications/A1/list", &[], "名单.csv", list_of(0..5).as_bytes()).await;
    app.import(&["A1"], list_of(0..5).as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    look(json!([["/setup", "setup-unusable", "不能再导入"]])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_console_is_accessible_and_usable() {
    let app =
        TestApp::on_sqlite(people(), &[EARLY_ALARMS[0], ("DATASET__OPEN_ANSWERS", "reviewed")])
            .await;
    advance_ten_days(&app).await;
    app.execute_sql(&format!(
        "INSERT INTO stuck_work (kind, item, problem, attempt_count, since, retry_at) VALUES \
            ('write_dataset', 'A1 v1', '/var/lib/fieldworkd/datasets/A1/v1/responses.csv: no space \
            left on device', 5, {0}, {0})",
        app.clock_now().0
    ))
    .await
    .unwrap();
    let Some(done) = run_in_chromium(
        "tests/external/console.js",
        json!({ "base": app.base, "number": number(3) }),
    )
    .await
    else {
        return;
    };
    assert!(done["looked"].as_u64() >= Some(72), "{done}");
}
