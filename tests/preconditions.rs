//! Programs and people that change the same thing: nobody overwrites unseen what somebody else has
//! written. (HarperFast/harper#1435 and coddingtonbear/obsidian-local-rest-api#286: If-Match is
//! ignored; xerj-org/xerj#231: whoever sends none overwrites; blazing-Gael/dcms#26.)

use crate::common::browser::{Browser, add_account};
use crate::common::{PLAN, TestApp, list_of};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::role::{Permission, Role};
use fieldworkd::services::accounts::tokens;
use fieldworkd::simulation::Scenario;
use reqwest::Method;
use serde_json::{Value, json};

struct Program<'a> {
    app: &'a TestApp,
    token: String,
}

impl Program<'_> {
    async fn new<'a>(app: &'a TestApp, name: &str, scopes: &[Permission]) -> Program<'a> {
        let actor = Actor::command("test");
        let token = tokens::create(&app.context, &actor, name, scopes, 30).await.unwrap();
        Program { app, token: token.reveal().to_owned() }
    }

    /// Returns the status, the tag and the body.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, String, Value) {
        let url = format!("{}/api/v1{path}", self.app.base);
        let mut request = self.app.http.request(method, url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let body = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
        (status, tag.unwrap_or_default(), body)
    }

    async fn get(&self, path: &str) -> (u16, String, Value) {
        self.send(Method::GET, path, &[], &Value::Null).await
    }
}

fn draft(budget: u32) -> Value {
    let plan = serde_json::to_value(PlanFile::parse(PLAN).unwrap()).unwrap();
    json!({ "applications": ["B1"], "gateway": "simulator", "plan": plan, "budget": budget })
}

async fn apps() -> Vec<TestApp> {
    let apps = TestApp::on_each_engine(Scenario::faultless(1, 100), &[]).await;
    for app in &apps {
        app.launch_with_people(5, "").await;
        app.register_brand("B1", "b", "").await;
        app.import(&["B1"], list_of(50..60).as_bytes()).await.unwrap();
    }
    apps
}

#[tokio::test]
async fn drafts_programmes_and_budgets_are_changed_over_the_version_that_is_named() {
    for app in apps().await {
        let program = Program::new(&app, "all", &Permission::ALL).await;
        let name = json!({ "zh": "新", "en": "New" });
        for (path, first, second) in [
            ("/drafts/D1", draft(100), draft(200)),
            (
                "/programmes/p27",
                json!({ "name": name }),
                json!({ "name": name, "fee_first": true }),
            ),
            ("/campaigns/C1/budget", json!({ "amount": 100.0 }), json!({ "amount": 50.0 })),
        ] {
            let place = format!("{} {path}", app.engine);
            let put = async |headers: &[(&str, &str)], body: &Value| {
                program.send(Method::PUT, path, headers, body).await
            };
            let (status, _, said) = put(&[], &first).await;
            assert_eq!(status, 428, "{place}: {said}");
            assert_eq!(said["code"], "api.precondition_required", "{place}");
            let (exists, _, _) = program.get(path).await;
            let stored = if exists == 404 {
                assert_eq!(put(&[("if-match", "\"x\"")], &first).await.0, 412, "{place}");
                assert_eq!(put(&[("if-match", "*")], &first).await.0, 412, "{place}");
                put(&[("if-none-match", "*")], &first).await
            } else {
                put(&[("if-match", "*")], &first).await
            };
            assert_eq!(stored.0, 200, "{place}: {}", stored.2);
            let shown = program.get(path).await;
            assert_eq!((stored.1.clone(), &stored.2), (shown.1.clone(), &shown.2), "{place}");
            let (status, tag, said) = put(&[("if-none-match", "*")], &second).await;
            assert_eq!((status, &tag), (412, &shown.1), "{place}: {said}");
            assert_eq!(said["code"], "version.exists", "{place}");
            // A weak tag and another one are equal to none.
            for wrong in ["\"0123\"".to_owned(), format!("W/{}", shown.1)] {
                assert_eq!(put(&[("if-match", &wrong)], &second).await.0, 412, "{place} {wrong}");
            }
            for unreadable in ["abc", "\"a\" \"b\""] {
                assert_eq!(put(&[("if-match", unreadable)], &second).await.0, 400, "{place}");
            }
            let both = [("if-match", "*"), ("if-none-match", "*")];
            assert_eq!(put(&both, &second).await.0, 400, "{place}");
            assert_eq!(program.get(path).await, shown, "{place}: nothing is changed so far");
            let list = format!("\"0123\", {}", shown.1);
            let (status, tag, changed) = put(&[("if-match", &list)], &second).await;
            assert_eq!(status, 200, "{place}: {changed}");
            assert_ne!(tag, shown.1, "{place}");
            let (status, current, said) = put(&[("if-match", &shown.1)], &first).await;
            assert_eq!((status, &current), (412, &tag), "{place}: {said}");
            assert_eq!(said["code"], "version.changed", "{place}");
            assert_eq!(program.get(path).await, (200, tag.clone(), changed), "{place}");
            // What is unchanged is not sent again.
            let known = [("if-none-match", tag.as_str())];
            assert_eq!(program.send(Method::GET, path, &known, &Value::Null).await.0, 304);
        }
        let (_, tag, _) = program.get("/drafts/D1").await;
        let discard = async |headers: &[(&str, &str)]| {
            program.send(Method::DELETE, "/drafts/D1", headers, &Value::Null).await.0
        };
        assert_eq!(discard(&[]).await, 428, "{}", app.engine);
        assert_eq!(discard(&[("if-match", "\"0123\"")]).await, 412, "{}", app.engine);
        assert_eq!(discard(&[("if-match", &tag)]).await, 200, "{}", app.engine);
    }
}

/// Everything else takes a precondition: of its own address, or of the thing above.
#[tokio::test]
async fn other_changes_take_a_precondition_as_well() {
    for app in apps().await {
        let program = Program::new(&app, "all", &Permission::ALL).await;
        let (_, tag, _) = program.get("/campaigns/C1").await;
        let change = async |program: &Program<'_>, tag: &str, to: &str| {
            let headers = [("if-match", tag)];
            program
                .send(Method::POST, "/campaigns/C1/state", &headers, &json!({ "to": to }))
                .await
                .0
        };
        assert_eq!(change(&program, "\"0123\"", "paused").await, 412, "{}", app.engine);
        assert_eq!(change(&program, &tag, "paused").await, 200, "{}", app.engine);
        assert_eq!(change(&program, &tag, "running").await, 412, "{}: it is paused", app.engine);
        let (_, tag, shown) = program.get("/applications/A1").await;
        let extend = json!({ "action": "extend", "days": 2, "reason": "asked" });
        let path = "/applications/A1/deadline";
        let first = program.send(Method::POST, path, &[("if-match", &tag)], &extend).await;
        assert_eq!(first.0, 200, "{}: {shown}", app.engine);
        let again = program.send(Method::POST, path, &[("if-match", &tag)], &extend).await;
        assert_eq!(again.0, 412, "{}", app.engine);
        // A precondition that cannot be compared is not left out.
        let writer = Program::new(&app, "writer", &[Permission::Operate]).await;
        let (status, ..) = writer.send(Method::POST, path, &[("if-match", &tag)], &extend).await;
        assert_eq!(status, 403, "{}", app.engine);
        // Where the service compares, whoever may write need not be allowed to read.
        let (_, tag, _) = program.get("/programmes/p26").await;
        let rules = json!({ "name": { "zh": "评价", "en": "Rating" }, "fee_first": true });
        let headers = [("if-match", tag.as_str())];
        let (status, ..) = writer.send(Method::PUT, "/programmes/p26", &headers, &rules).await;
        assert_eq!(status, 200, "{}", app.engine);
        let (status, ..) = writer.send(Method::PUT, "/programmes/p26", &headers, &rules).await;
        assert_eq!(status, 412, "{}", app.engine);
    }
}

/// Of eight writers with the same tag at the same moment, one is the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_eight_writers_at_once_one_succeeds() {
    for app in apps().await {
        let program = Program::new(&app, "all", &Permission::ALL).await;
        let one = [("if-none-match", "*")];
        let eight =
            (0..8).map(async |n| program.send(Method::PUT, "/drafts/D1", &one, &draft(n)).await.0);
        let created = futures_util::future::join_all(eight).await;
        assert_eq!(created.iter().filter(|status| **status == 200).count(), 1, "{created:?}");
        for round in 0..16 {
            let (_, tag, _) = program.get("/drafts/D1").await;
            let headers = [("if-match", tag.as_str())];
            let eight = (0..8).map(async |n| {
                let body = draft(1_000 + round * 8 + n);
                program.send(Method::PUT, "/drafts/D1", &headers, &body).await
            });
            let all = futures_util::future::join_all(eight).await;
            let won: Vec<_> = all.iter().filter(|(status, ..)| *status == 200).collect();
            let lost = all.iter().filter(|(status, ..)| *status == 412).count();
            assert_eq!((won.len(), lost), (1, 7), "{} {round}", app.engine);
            let (_, tag, shown) = program.get("/drafts/D1").await;
            assert_eq!((&won[0].1, &won[0].2), (&tag, &shown), "{} {round}", app.engine);
        }
    }
}

/// Two people have the same page open: the second sees both texts, and loses neither.
#[tokio::test]
async fn on_the_console_both_texts_are_shown() {
    for app in apps().await {
        for name in ["qian", "sun"] {
            add_account(&app, name, Role::Operator).await;
        }
        let qian = Browser::signed_in(&app, "qian").await;
        let sun = Browser::signed_in(&app, "sun").await;
        let new = [("code", "D1"), ("gateway", "simulator"), ("application-B1", "on")];
        assert_eq!(qian.submit("/drafts", &new).await.0, 303);
        let page = qian.get("/drafts/D1").await.2;
        let version = page.split("name=\"version\" value=\"").nth(1).unwrap();
        let version = version.split('"').next().unwrap().to_owned();
        let first = [("plan-name", "钱的计划"), ("signature", "质协"), ("version", &version)];
        assert_eq!(qian.submit("/drafts/D1", &first).await.0, 303, "{}", app.engine);
        let second = [("plan-name", "孙的计划"), ("signature", "质协"), ("version", &version)];
        let (status, _, shown) = sun.submit("/drafts/D1", &second).await;
        assert_eq!(status, 409, "{}", app.engine);
        assert!(
            shown.contains("他人已先保存")
                && shown.contains("<td>孙的计划</td><td>钱的计划</td>")
                && shown.contains("value=\"孙的计划\""),
            "{}: {shown}",
            app.engine
        );
        assert!(qian.get("/drafts/D1").await.2.contains("value=\"钱的计划\""));
        // Having seen both, the second decides.
        let now = shown.split("name=\"version\" value=\"").nth(1).unwrap();
        let now = now.split('"').next().unwrap().to_owned();
        let decided = [("plan-name", "孙的计划"), ("signature", "质协"), ("version", &now)];
        assert_eq!(sun.submit("/drafts/D1", &decided).await.0, 303, "{}", app.engine);
        // The budget, and a programme whose code there is already.
        let page = qian.get("/campaigns/C1").await.2;
        let version = page.split("name=\"version\" value=\"").nth(1).unwrap();
        let version = version.split('"').next().unwrap().to_owned();
        let budget = async |browser: &Browser<'_>, amount: &str| {
            let fields = [("amount", amount), ("version", &version)];
            browser.submit("/campaigns/C1/budget", &fields).await
        };
        assert_eq!(budget(&qian, "100").await.0, 303, "{}", app.engine);
        let (status, _, shown) = budget(&sun, "70").await;
        assert!(status == 409 && shown.contains("<td>70</td><td>100.00</td>"), "{shown}");
        let programme = [("code", "p26"), ("name_zh", "别的"), ("certificate_months", "4")];
        let (status, _, shown) = qian.submit("/programmes", &programme).await;
        assert!(status == 409 && shown.contains("<td>别的</td><td>评价</td>"), "{status} {shown}");
    }
}
