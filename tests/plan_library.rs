//! Staff copy plans, keep plans and texts in the library, leave comments on a campaign, and are told
//! by the browser what is new.

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::{TestApp, list_of, local, number};
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::adapters::database::drafts;
use fieldworkd::domain::audit::Action;
use fieldworkd::domain::role::Role;
use fieldworkd::services::{deadlines, erasure};
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::{Value, json};

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 100);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// An installation with campaign C1 in the field, and application A2 that is ready.
async fn prepare(app: &TestApp) {
    app.launch_with_people(4, "").await;
    app.register_brand("A2", "b", "").await;
    app.import(&["A2"], list_of(10..13).as_bytes()).await.unwrap();
    for (name, role) in [("qian", Role::Operator), ("sun", Role::Operator), ("li", Role::Auditor)] {
        add_account(app, name, role).await;
    }
}

async fn plan_of(app: &TestApp, draft: &str) -> Value {
    let mut connection = app.context.database.read().await.unwrap();
    let draft = drafts::campaign(&mut connection, draft).await.unwrap().unwrap();
    serde_json::from_str(&draft.plan).unwrap()
}

async fn actions(app: &TestApp, action: Action) -> Vec<(String, String)> {
    let filter = AuditFilter { action: Some(action), ..AuditFilter::default() };
    let mut connection = app.context.database.read().await.unwrap();
    let entries = audit::entries(&mut connection, &filter, 100).await.unwrap();
    entries.into_iter().map(|entry| (entry.object, entry.detail)).collect()
}

/// A copy has plan, texts, gateway and budget, and neither people nor days.
#[tokio::test]
async fn a_campaign_and_a_draft_are_copied_without_people_and_days() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        prepare(&app).await;
        app.execute_sql("UPDATE campaign SET budget_micros = 12000000").await.unwrap();
        let closed = r#"UPDATE campaign SET plan = REPLACE(plan, '"calendar":null', '"calendar":{"closed":["2026-04-01"]}')"#;
        app.execute_sql(closed).await.unwrap();
        let qian = Browser::signed_in(&app, "qian").await;
        let page = qian.get("/campaigns/C1").await.2;
        assert!(page.contains("href=\"/new-campaign?from=campaign:C1\""), "{page}");
        let page = qian.get("/new-campaign?from=campaign:C1").await.2;
        assert!(page.contains("value=\"campaign:C1\" selected"), "{page}");
        let form = |code: &'static str, from: &'static str| {
            [("code", code), ("from", from), ("application-A2", "on"), ("gateway", "simulator")]
        };
        let (_, to, text) = qian.submit("/drafts", &form("C2", "campaign:C1")).await;
        assert_eq!(to, "/drafts/C2", "{text}");
        let plan = plan_of(&app, "C2").await;
        assert_eq!(plan["step"].as_array().unwrap().len(), 3);
        assert_eq!(plan["signature"], "质协");
        assert!(plan["step"][1]["text"]["zh"].as_str().unwrap().contains("再请评价"), "{plan}");
        assert!(!plan.to_string().contains("2026-04-01"), "{plan}");
        let page = qian.get("/drafts/C2").await.2;
        assert!(page.contains("12.00") && !page.contains(&number(0)), "{page}");
        let (_, to, _) = qian.submit("/drafts", &form("C3", "draft:C2")).await;
        assert_eq!((to.as_str(), plan_of(&app, "C3").await), ("/drafts/C3", plan));
        // A code that is taken overwrites nothing; a source that is gone is told.
        for (code, from) in [("C2", "campaign:C1"), ("C1", "standard"), ("C9", "campaign:C7")] {
            assert_eq!(qian.submit("/drafts", &form(code, from)).await.0, 422, "{code} {from}");
        }
        assert_eq!(qian.status("/new-campaign?from=draft:gone").await, 404);
        let audited = actions(&app, Action::PlanSaved).await;
        assert!(audited.contains(&("draft:C2".into(), "campaign:C1".into())), "{audited:?}");
    }
}

#[tokio::test]
async fn plans_and_texts_are_kept_under_a_name_and_used_again() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        prepare(&app).await;
        let qian = Browser::signed_in(&app, "qian").await;
        let keep = [("from", "campaign:C1"), ("name", "一邀两催")];
        assert_eq!(qian.submit("/library/plans", &keep).await.1, "/library?noted=saved");
        let (status, _, page) = qian.submit("/library/plans", &keep).await;
        assert!(status == 422 && page.contains("已有同名"), "{page}");
        let text = [("kind", "sms"), ("name", "简短催办"), ("text", "【{signature}】盼复：{link}")];
        assert_eq!(qian.submit("/library/texts", &text).await.1, "/library?noted=saved");
        for (name, text, words) in [
            ("", "文字", "名称为"),
            ("二", "", "1 到 1000 字"),
            ("三", "有事打 138 0013 8000", "似有手机号码"),
        ] {
            let form = [("kind", "telephone"), ("name", name), ("text", text)];
            let (status, _, page) = qian.submit("/library/texts", &form).await;
            assert!(status == 422 && page.contains(words) && page.contains(text), "{page}");
        }
        let page = qian.get("/library").await.2;
        assert!(page.contains("一邀两催") && page.contains("qian · 2026-03-02"), "{page}");
        let id = page.split("from=library:").nth(1).unwrap().split('"').next().unwrap().to_owned();

        // Another one uses it: the plan in a new draft, the text in a step.
        let sun = Browser::signed_in(&app, "sun").await;
        let from = format!("library:{id}");
        let form = [
            ("code", "C2"),
            ("from", from.as_str()),
            ("application-A2", "on"),
            ("gateway", "simulator"),
        ];
        assert_eq!(sun.submit("/drafts", &form).await.1, "/drafts/C2");
        assert_eq!(plan_of(&app, "C2").await["signature"], "质协");
        let draft = sun.get("/drafts/C2").await.2;
        assert!(draft.contains("data-insert=\"【{signature}】盼复：{link}\""), "{draft}");

        let change = |what: &'static str, name: &'static str| [("do", what), ("name", name)];
        let entry = format!("/library/{id}");
        assert_eq!(sun.submit(&entry, &change("rename", "标准三步")).await.0, 303);
        assert!(sun.get("/library").await.2.contains("sun · 2026-03-02"));
        assert_eq!(sun.submit(&entry, &change("delete", "")).await.1, "/library?noted=deleted");
        assert!(!sun.get("/new-campaign").await.2.contains("标准三步"));
        assert_eq!(sun.submit("/drafts", &form).await.0, 422);
        assert_eq!(sun.submit(&entry, &change("restore", "")).await.0, 303);
        assert!(sun.get("/new-campaign").await.2.contains("标准三步"));
        assert_eq!(sun.submit(&entry, &change("delete", "")).await.0, 303);
        app.clock.advance_to(local("2026-04-02T10:00:00"));
        erasure::remove_expired(&app.context).await.unwrap();
        let sun = Browser::signed_in(&app, "sun").await;
        assert!(!sun.get("/library").await.2.contains("标准三步"), "{}", app.engine);
        let audited = actions(&app, Action::LibraryChanged).await;
        assert!(audited.contains(&("library".into(), "plan of campaign:C1 saved".into())));
        let li = Browser::signed_in(&app, "li").await;
        assert_eq!(li.status("/library").await, 403);
    }
}

/// Comments are plain text without numbers; nobody touches another's, and they go with the people.
#[tokio::test]
async fn comments_are_for_colleagues_and_go_with_the_people() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        prepare(&app).await;
        let (qian, sun) =
            (Browser::signed_in(&app, "qian").await, Browser::signed_in(&app, "sun").await);
        let path = "/campaigns/C1/comments";
        let say = [("text", "网关回执晚了，<b>周三</b>再看。\n个案 A1-7 已约。")];
        assert_eq!(qian.submit(path, &say).await.1, "/campaigns/C1?noted=comment");
        let page = sun.get("/campaigns/C1").await.2;
        assert!(page.contains("&lt;b&gt;周三") || page.contains("&#60;b&#62;周三"), "{page}");
        assert!(page.contains("个案 A1-7 已约") && page.contains("不要写姓名和电话号码"), "{page}");
        assert!(!page.contains("/delete\""), "another's comment: {page}");
        let long = "长".repeat(1_001);
        for text in ["找 13800138000 张先生", "电话一三八零零一三八〇〇〇", "", &long]
        {
            let (status, _, page) = sun.submit(path, &[("text", text)]).await;
            assert!(status == 422 && page.contains(text), "{text}");
        }
        let own = qian.get("/campaigns/C1").await.2;
        let (_, rest) = own.split_once("/campaigns/C1/comments/").unwrap();
        let delete = format!("/campaigns/C1/comments/{}", rest.split('"').next().unwrap());
        assert_eq!(sun.submit(&delete, &[]).await.0, 404);
        assert_eq!(qian.submit(&delete, &[]).await.1, "/campaigns/C1?noted=comment-deleted");
        assert!(!sun.get("/campaigns/C1").await.2.contains("周三"));
        assert_eq!(sun.submit("/campaigns/C7/comments", &say).await.0, 404);

        qian.submit(path, &say).await;
        deadlines::close_campaign(&app.context, "C1").await.unwrap();
        let applicant = crate::erasure::applicant(&app).await.id;
        let order = erasure::ErasureOrder { actor: "test", reason: "asked" };
        erasure::purge::purge(&app.context, applicant, order).await.unwrap();
        assert!(!sun.get("/campaigns/C1").await.2.contains("周三"), "{}", app.engine);
    }
}

/// The page is told what is open, without a name or a number, and by what it may see.
#[tokio::test]
async fn what_is_new_holds_no_personal_data() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        prepare(&app).await;
        app.advance_until(local("2026-03-02T12:00:00")).await;
        let (qian, li) =
            (Browser::signed_in(&app, "qian").await, Browser::signed_in(&app, "li").await);
        let items = async |browser: &Browser<'_>| {
            let said: Value = serde_json::from_str(&browser.get("/notices").await.2).unwrap();
            said["items"].as_array().unwrap().clone()
        };
        assert!(items(&qian).await.is_empty());
        let reply = json!({ "id": "r1", "from": number(0), "text": "什么时候截止？" });
        assert!(app.push_replies(&reply).await < 300);
        let told = items(&qian).await;
        assert_eq!(told.len(), 1, "{told:?}");
        let text = told[0]["text"].as_str().unwrap();
        assert!(
            text.contains("新短信") && !text.contains("截止") && !text.contains("138"),
            "{text}"
        );
        assert!(items(&li).await.is_empty(), "an auditor has no inbox");
        assert_eq!(app.get(&format!("{}/notices", app.base)).await.0, 303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn library_and_notices_in_a_browser() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    prepare(&app).await;
    app.advance_until(local("2026-03-02T12:00:00")).await;
    add_account(&app, "zhao", Role::Administrator).await;
    let zhao = Browser::signed_in(&app, "zhao").await;
    zhao.submit("/library/plans", &[("from", "campaign:C1"), ("name", "一邀两催")]).await;
    for (kind, name) in [("sms", "简短催办"), ("telephone", "开场白")] {
        let text = [("kind", kind), ("name", name), ("text", "您好，盼您抽空答复。")];
        zhao.submit("/library/texts", &text).await;
    }
    zhao.submit("/campaigns/C1/comments", &[("text", "网关回执晚了，周三再看。")]).await;
    let draft = [("code", "C2"), ("from", "campaign:C1"), ("application-A2", "on")];
    zhao.submit("/drafts", &[&draft[..], &[("gateway", "simulator")]].concat()).await;
    let pages = json!([
        ["/library", "library", "一邀两催"],
        ["/campaigns/C1", "campaign-comments", "周三再看"],
        ["/new-campaign?from=campaign:C1", "new-campaign-copy", "C1"],
        ["/programmes/p26/organiser", "organiser", "标志"],
        ["/home", "home-notices", "开启浏览器通知"],
    ]);
    let task = json!({ "base": app.base, "account": "zhao", "pages": pages });
    if run_in_chromium("tests/external/pages.js", task).await.is_none() {
        return;
    }
    let url = format!("{}/replies", app.context.webhook_base_url("simulator"));
    let reply = json!({ "id": "r1", "from": number(0), "text": "什么时候截止？" });
    let task = json!({ "base": app.base, "account": "zhao", "replies": url, "reply": reply });
    run_in_chromium("tests/external/notices.js", task).await;
}
