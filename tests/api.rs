//! The API: tokens and their scopes, idempotent requests, tags, cursors, the audit log; and
//! schemathesis, which reads the OpenAPI description and tries to break the API.

use std::process::Command;
use std::time::Duration;

use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::domain::audit::{Action, Actor, Via};
use fieldworkd::domain::contact_plan::PlanFile;
use fieldworkd::domain::role::Permission;
use fieldworkd::services::accounts::tokens;
use fieldworkd::services::{alerts, forecasting};
use fieldworkd::simulation::Scenario;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn token(app: &TestApp, name: &str, scopes: &[Permission]) -> String {
    tokens::create(&app.context, &Actor::command("test"), name, scopes, 30)
        .await
        .unwrap()
        .reveal()
        .to_owned()
}

/// A program with a token.
struct ApiClient<'a> {
    app: &'a TestApp,
    token: String,
}

impl ApiClient<'_> {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.app
            .http
            .request(method, format!("{}/api/v1{path}", self.app.base))
            .bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        send_for_json(self.request(Method::GET, path)).await
    }

    /// The precondition of a change to what is there now, or of its creation.
    async fn precondition(&self, path: &str) -> (&'static str, String) {
        let found = self.request(Method::GET, path).send().await.unwrap();
        match found.headers().get("etag") {
            Some(tag) => ("if-match", tag.to_str().unwrap().to_owned()),
            None if found.status() == StatusCode::NOT_FOUND => ("if-none-match", "*".to_owned()),
            None => ("x-nothing", "1".to_owned()),
        }
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        send_for_json(
            self.request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
        .await
    }
}

async fn send_for_json(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let kind = answer
        .headers()
        .get("content-type")
        .map(|kind| kind.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
    if status >= 400 {
        assert_eq!(kind, "application/problem+json", "{status} {body}");
        assert_eq!(body["status"], status, "{body}");
        assert!(!body["detail"].as_str().unwrap_or_default().is_empty(), "{body}");
    }
    (status, body)
}

fn people() -> Scenario {
    let mut scenario = Scenario::faultless(5, 500);
    scenario.people.completes = [0.2, 0.05, 0.0];
    scenario.people.replies_other = 0.3;
    scenario
}

fn plan() -> Value {
    serde_json::to_value(PlanFile::parse(PLAN).unwrap()).unwrap()
}

async fn launch_campaign(app: &TestApp) {
    app.register_brand("A1", "a", "[application.quota]\ntarget = 35").await;
    app.import(&["A1"], list_of(0..40).as_bytes()).await.unwrap();
    app.register_brand("B1", "b", "").await;
    app.import(&["B1"], list_of(50..60).as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.advance_until(local("2026-03-12T12:00:00")).await;
    forecasting::forecast_campaign(&app.context, "C1").await.unwrap();
    alerts::tick(&app.context).await.unwrap();
}

const EARLY_ALARMS: [(&str, &str); 1] = [("ALARM__WATCH__DAYS_LEFT", "90")];

#[tokio::test]
async fn programs_do_what_the_console_does_within_their_scopes() {
    for app in TestApp::on_each_engine(people(), &EARLY_ALARMS).await {
        launch_campaign(&app).await;
        let watcher =
            ApiClient { app: &app, token: token(&app, "watcher", &[Permission::Read]).await };
        let all = ApiClient { app: &app, token: token(&app, "all", &Permission::ALL).await };
        let nobody = ApiClient { app: &app, token: "fwd_guess".into() };
        assert_eq!(nobody.get("/campaigns").await.0, 401, "{}", app.engine);
        assert_eq!(
            app.http.get(format!("{}/api/v1/campaigns", app.base)).send().await.unwrap().status(),
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(watcher.get("/campaigns/C9").await.0, 404);
        let (status, campaign) = watcher.get("/campaigns/C1").await;
        assert!(
            status == 200 && campaign["applications"][0]["names"] == 40,
            "{}: {campaign}",
            app.engine
        );
        for (path, list) in [
            ("/programmes", "items"),
            ("/programmes/p26/applications", "items"),
            ("/campaigns/C1/forecasts", "items"),
            ("/alarms", "items"),
            ("/gateways", "items"),
        ] {
            let (status, body) = watcher.get(path).await;
            assert!(
                status == 200 && !body[list].as_array().unwrap().is_empty(),
                "{}: {path}: {body}",
                app.engine
            );
        }
        assert_eq!(watcher.get("/campaigns/C1/rates?by=wave").await.1["items"][0]["group"], "all");
        assert_eq!(watcher.get("/campaigns/C1/rates?by=colour").await.0, 400);
        // Requests outside a token's scopes are refused, whatever the path.
        for path in ["/audit", "/replies", "/cases/1/person", "/datasets"] {
            assert_eq!(watcher.get(path).await.0, 403, "{}: {path}", app.engine);
        }
        assert_eq!(watcher.post("/campaigns/C1/state", json!({ "to": "paused" })).await.0, 403);
        assert_eq!(
            all.post("/campaigns/C1/state", json!({ "to": "paused" })).await.1["state"],
            "paused",
            "{}",
            app.engine
        );
        assert_eq!(all.post("/campaigns/C1/state", json!({ "to": "paused" })).await.0, 409);
        assert_eq!(
            all.post("/campaigns/C1/state", json!({ "to": "running", "more": 1 })).await.0,
            400
        );
        assert_eq!(
            all.post(
                "/applications/A1/deadline",
                json!({ "action": "extend", "days": 3, "reason": "asked" })
            )
            .await
            .1["extended_days"],
            3
        );
        assert_eq!(
            all.post(
                "/applications/A1/deadline",
                json!({ "action": "extend", "days": 0, "reason": "asked" })
            )
            .await
            .0,
            422
        );
        assert_eq!(all.post("/alarms/A1/acknowledge", json!({})).await.0, 200, "{}", app.engine);
        assert_eq!(all.post("/alarms/A1/acknowledge", json!({})).await.0, 409);
        // Cases: no names until they are requested.
        let (_, first) = watcher.get("/applications/A1/cases?limit=25").await;
        let (_, second) =
            watcher.get(&format!("/applications/A1/cases?limit=25&cursor={}", first["next"])).await;
        let count = |page: &Value| page["items"].as_array().unwrap().len();
        assert_eq!(
            (count(&first), count(&second), &second["next"]),
            (25, 15, &Value::Null),
            "{}: {first}",
            app.engine
        );
        for wrong in ["limit=0", "limit=501", "cursor=0", "limit=x", "disposition=9.9"] {
            assert_eq!(
                watcher.get(&format!("/applications/A1/cases?{wrong}")).await.0,
                400,
                "{}: {wrong}",
                app.engine
            );
        }
        let case =
            all.post("/cases/search", json!({ "query": number(3) })).await.1["items"][0]["case"]
                .as_i64()
                .unwrap();
        let (_, timeline) = watcher.get(&format!("/cases/{case}")).await;
        assert!(
            timeline["timeline"].as_array().unwrap().len() > 2
                && !timeline.to_string().contains(&number(3)),
            "{}: {timeline}",
            app.engine
        );
        assert_eq!(
            all.get(&format!("/cases/{case}/person")).await.1["number"],
            format!("+86{}", number(3))
        );
        let reply = all.get("/replies").await.1["items"][0]["id"].as_i64().unwrap();
        assert!(
            !all.get(&format!("/replies/{reply}/text")).await.1["text"]
                .as_str()
                .unwrap()
                .is_empty()
        );
        assert_eq!(all.post(&format!("/replies/{reply}/handle"), json!({})).await.0, 200);
        assert_eq!(
            all.post("/suppressions", json!({ "numbers": [number(7)], "reason": "complaint" }))
                .await
                .1["numbers"],
            1
        );
        assert_eq!(
            all.post("/suppressions", json!({ "numbers": ["12"], "reason": "complaint" })).await.0,
            422
        );
        // An application, a list and a launch.
        let new = json!({ "programme": "p26", "code": "E1", "applicant_code": "e", "applicant_name": "E", "category": "brand", "subject": { "brand": "E" } });
        assert_eq!(all.post("/applications", new).await.0, 201, "{}", app.engine);
        let list = async |query: &str| {
            let request = all
                .request(Method::POST, &format!("/applications/E1/list{query}"))
                .header("content-type", "application/octet-stream");
            send_for_json(request.body(list_of(100..110))).await
        };
        assert_eq!(list("?dry_run=true").await.1["accepted"], 10);
        assert_eq!(list("").await.1["accepted"], 10, "{}", app.engine);
        let launch = |dry: bool| json!({ "code": "C2", "applications": ["E1"], "plan": plan(), "gateway": "simulator", "dry_run": dry });
        assert_eq!(all.post("/campaigns", launch(true)).await.1["invitations"], 10);
        assert_eq!(all.post("/campaigns", launch(false)).await.0, 201, "{}", app.engine);
        assert_eq!(all.post("/campaigns", launch(false)).await.0, 409);
        assert_eq!(
            all.post("/campaigns/C2/state", json!({ "to": "closed" })).await.1["state"],
            "closed",
            "{}",
            app.engine
        );
        assert_eq!(all.post("/campaigns/C2/state", json!({ "to": "closed" })).await.0, 409);
        // The log names the actor by the token's name.
        let filter = AuditFilter { actor: "all".into(), ..AuditFilter::default() };
        let log = audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 100)
            .await
            .unwrap();
        let did = |action| {
            log.iter().filter(|entry| entry.action == action && entry.actor.via == Via::Api).count()
        };
        assert_eq!(
            (
                did(Action::CasePersonViewed),
                did(Action::CampaignLaunched),
                did(Action::ListImported)
            ),
            (1, 3, 2),
            "{}: {log:?}",
            app.engine
        );
        assert!(!format!("{log:?}").contains(&number(3)), "{log:?}");
        let (_, body) = all.get("/audit?actor=all&action=case_revealed").await;
        assert_eq!(body["items"][0]["object"], format!("case:{case}"), "{body}");
    }
}

#[tokio::test]
async fn the_api_prepares_campaigns_and_administers_as_the_console_does() {
    for app in TestApp::on_each_engine(people(), &EARLY_ALARMS).await {
        launch_campaign(&app).await;
        let all = ApiClient { app: &app, token: token(&app, "all", &Permission::ALL).await };
        let operator = ApiClient {
            app: &app,
            token: token(&app, "operator", &[Permission::Read, Permission::Operate]).await,
        };
        let send = async |program: &ApiClient<'_>, method: Method, path: &str, body: Value| {
            let (name, tag) = program.precondition(path).await;
            send_for_json(
                program
                    .request(method, path)
                    .header("content-type", "application/json")
                    .header(name, tag)
                    .body(body.to_string()),
            )
            .await
        };
        // A programme's rules: read, changed, read again.
        let (_, mut rules) = operator.get("/programmes/p26").await;
        rules["retention_months"] = json!(24);
        assert_eq!(
            send(&operator, Method::PUT, "/programmes/p26", rules.clone()).await.0,
            200,
            "{}",
            app.engine
        );
        assert_eq!(operator.get("/programmes/p26").await.1["retention_months"], 24);
        rules["certificate_months"] = json!(99);
        assert_eq!(send(&operator, Method::PUT, "/programmes/p26", rules.clone()).await.0, 422);
        rules["code"] = json!("p27");
        assert_eq!(send(&operator, Method::PUT, "/programmes/p26", rules).await.0, 422);
        assert_eq!(
            send(
                &operator,
                Method::PUT,
                "/programmes/p27",
                json!({ "name": { "zh": "新", "en": "New" } })
            )
            .await
            .1["code"],
            "p27"
        );
        let (_, questionnaires) = operator.get("/questionnaires").await;
        assert_eq!(questionnaires["items"].as_array().unwrap().len(), 5);
        let tried = app.get(questionnaires["items"][1]["try_url"].as_str().unwrap()).await;
        assert!(
            tried.0 == 200
                && questionnaires["items"][1]["source"].as_str().unwrap().contains("[[page]]"),
            "{}",
            app.engine
        );
        // An application, then a draft: stored, rehearsed, tested, launched.
        assert_eq!(
            send(
                &operator,
                Method::PUT,
                "/applications/B1/fee",
                json!({ "settled": "2026-03-01" })
            )
            .await
            .0,
            200,
            "{}",
            app.engine
        );
        let (_, of) = operator.get("/applications/B1").await;
        assert!(
            of["names"] == 10
                && of["category"] == "brand"
                && of["history"][0]["kind"] == "fee_settled",
            "{}: {of}",
            app.engine
        );
        let draft = json!({ "applications": ["B1"], "gateway": "simulator", "plan": plan(), "budget": 100.0 });
        assert_eq!(
            send(&operator, Method::PUT, "/drafts/D1", draft.clone()).await.1["created_by"],
            "operator"
        );
        assert_eq!(
            send(
                &operator,
                Method::PUT,
                "/drafts/D1",
                json!({ "applications": ["B1"], "gateway": "simulator", "plan": { "steps": 1 } })
            )
            .await
            .0,
            422
        );
        assert_eq!(
            send(
                &operator,
                Method::PUT,
                "/drafts/D2",
                json!({ "applications": ["X9"], "gateway": "simulator" })
            )
            .await
            .0,
            200
        );
        let (status, body) = operator.get("/drafts/D2/rehearsal").await;
        assert!(
            status == 422 && body["detail"].as_str().unwrap().contains("X9"),
            "{}: {body}",
            app.engine
        );
        assert_eq!(send(&operator, Method::DELETE, "/drafts/D2", json!({})).await.0, 200);
        assert_eq!(operator.get("/drafts/D2").await.0, 404);
        let (_, rehearsed) = operator.get("/drafts/D1/rehearsal").await;
        assert_eq!(
            (&rehearsed["launch"]["invitations"], &rehearsed["applications"][0]["people"]),
            (&json!(10), &json!(10)),
            "{rehearsed}"
        );
        assert!(
            rehearsed["calendar"]
                .as_array()
                .unwrap()
                .iter()
                .any(|day| !day["steps"].as_array().unwrap().is_empty())
        );
        assert_eq!(
            operator.get("/campaigns/D1").await.0,
            404,
            "{}: nothing was launched",
            app.engine
        );
        let sent = app.simulator.record().submits.len();
        assert_eq!(
            operator
                .post("/drafts/D1/test", json!({ "step": 1, "number": "+8613800000001" }))
                .await
                .0,
            200,
            "{}",
            app.engine
        );
        assert_eq!(app.simulator.record().submits.len(), sent + 1);
        assert_eq!(
            operator
                .post("/drafts/D1/test", json!({ "step": 9, "number": "+8613800000001" }))
                .await
                .0,
            422
        );
        assert_eq!(
            operator
                .post("/drafts/D1/test", json!({ "step": 0, "number": "+8613800000001" }))
                .await
                .0,
            422
        );
        assert_eq!(operator.get("/drafts").await.1["items"].as_array().unwrap().len(), 1);
        assert_eq!(operator.post("/drafts/D1/launch", json!({})).await.0, 201, "{}", app.engine);
        assert_eq!(
            send(&operator, Method::PUT, "/campaigns/D1/budget", json!({ "amount": 0.5 })).await.0,
            200
        );
        assert_eq!(
            send(&operator, Method::PUT, "/campaigns/D1/budget", json!({ "amount": -1 })).await.0,
            422
        );
        assert_eq!(
            operator.post("/campaigns/D1/forecasts", json!({})).await.1["items"][0]["application"],
            "B1",
            "{}",
            app.engine
        );
        assert_eq!(operator.post("/campaigns/D9/forecasts", json!({})).await.0, 404);
        // The export of a person's data, the erasure, and the purge.
        let case =
            all.post("/cases/search", json!({ "query": number(5) })).await.1["items"][0]["case"]
                .as_i64()
                .unwrap();
        let (_, held) = all.post(&format!("/cases/{case}/export"), json!({})).await;
        assert!(
            held["records"][0]["number"].as_str().unwrap().ends_with(&number(5)),
            "{}: {held}",
            app.engine
        );
        assert_eq!(operator.post(&format!("/cases/{case}/export"), json!({})).await.0, 403);
        // Personal data is not stored for a repeated request under the same key: it would be in the
        // database in plain text.
        let again = async || {
            let request = all
                .request(Method::POST, &format!("/cases/{case}/export"))
                .header("idempotency-key", "once");
            send_for_json(request).await
        };
        assert_eq!(again().await.0, 200, "{}", app.engine);
        let (status, said) = again().await;
        assert!(status == 409 && !said.to_string().contains(&number(5)), "{}: {said}", app.engine);
        let hold = "/applicants/p26/a/legal-hold";
        assert_eq!(
            send(&all, Method::PUT, hold, json!({ "reason": "a lawsuit" })).await.0,
            200,
            "{}",
            app.engine
        );
        assert_eq!(
            all.post(&format!("/cases/{case}/erase"), json!({ "reason": "asked" })).await.1["under_legal_hold"],
            json!(["a"]),
            "{}",
            app.engine
        );
        assert_eq!(send(&all, Method::PUT, hold, json!({ "reason": "again" })).await.0, 409);
        assert_eq!(send(&all, Method::DELETE, hold, json!({})).await.0, 200);
        assert_eq!(
            all.post(&format!("/cases/{case}/erase"), json!({ "reason": "asked" })).await.1["erased_rows"],
            1,
            "{}",
            app.engine
        );
        assert_eq!(
            all.post(&format!("/cases/{case}/erase"), json!({ "reason": "asked" })).await.0,
            404
        );
        assert_eq!(
            all.get("/certificates").await.1["items"][0]["is_genuine"],
            true,
            "{}",
            app.engine
        );
        assert_eq!(
            all.post("/applicants/p26/a/purge", json!({ "reason": "over" })).await.0,
            409,
            "{}: it is in the field",
            app.engine
        );
        assert_eq!(all.post("/applicants/p26/x/purge", json!({ "reason": "over" })).await.0, 404);
        assert_eq!(
            all.get("/applicants").await.1["items"].as_array().unwrap().len(),
            2,
            "{}",
            app.engine
        );
        assert_eq!(
            all.post("/datasets/A1/freeze", json!({})).await.1["kind"],
            "interim",
            "{}",
            app.engine
        );
        assert_eq!(
            all.post("/datasets/A1/v1/review", json!({})).await.0,
            409,
            "{}: nothing waits",
            app.engine
        );
        assert_eq!(all.post("/datasets/A1/v1/release", json!({})).await.0, 409);
        // Pending work, and suppressions.
        let (_, pending) = operator.get("/pending-work").await;
        assert!(
            pending["alarms"] == 1 && pending["replies"].as_u64() > Some(0),
            "{}: {pending}",
            app.engine
        );
        let more = json!({ "numbers": [number(7), number(8), number(9)], "reason": "complaint" });
        assert_eq!(operator.post("/suppressions", more).await.1["numbers"], 3);
        let (_, first) = operator.get("/suppressions?limit=2").await;
        let (_, rest) =
            operator.get(&format!("/suppressions?limit=500&cursor={}", first["next"])).await;
        assert!(
            first["items"].as_array().unwrap().len() == 2
                && !rest["items"].as_array().unwrap().is_empty(),
            "{}: {first} {rest}",
            app.engine
        );
        assert!(!format!("{first}{rest}").contains(&number(7)));
        // Accounts, tokens and webhooks: not for operators; secrets are returned once, and not to a
        // repeated request.
        for path in ["/accounts", "/tokens", "/webhooks"] {
            assert_eq!(operator.get(path).await.0, 403, "{path}");
        }
        let keyed = async |path: &str, body: Value| {
            let request = all
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .header("idempotency-key", path);
            send_for_json(request.body(body.to_string())).await
        };
        let new = json!({ "name": "wu", "role": "interviewer", "languages": ["zh", "en"] });
        let (status, made) = keyed("/accounts", new.clone()).await;
        assert!(
            status == 201 && made["password"].as_str().unwrap().len() > 15,
            "{}: {status}",
            app.engine
        );
        let (status, again) = keyed("/accounts", new.clone()).await;
        assert!(
            status == 409 && !again.to_string().contains(made["password"].as_str().unwrap()),
            "{}: {again}",
            app.engine
        );
        assert_eq!(all.post("/accounts", new).await.0, 409, "{}: the name is taken", app.engine);
        assert_eq!(all.post("/accounts", json!({ "name": "x", "role": "king" })).await.0, 422);
        assert_ne!(
            all.post("/accounts/wu/password", json!({})).await.1["password"],
            made["password"]
        );
        assert_eq!(
            send(&all, Method::DELETE, "/accounts/wu/second-factor", json!({})).await.0,
            200,
            "{}",
            app.engine
        );
        assert_eq!(all.get("/accounts").await.1["items"][0]["languages"], json!(["zh", "en"]));
        assert_eq!(
            all.post("/telephone/queue/999/assign", json!({ "to": "wu" })).await.0,
            409,
            "{}",
            app.engine
        );
        assert_eq!(all.post("/telephone/queue/1/assign", json!({ "to": "nobody" })).await.0, 422);
        assert_eq!(all.post("/accounts/wu/disable", json!({})).await.0, 200);
        assert_eq!(all.post("/accounts/wu/disable", json!({})).await.0, 404);
        let (status, made) =
            keyed("/tokens", json!({ "name": "short", "scopes": ["watch"], "days": 1 })).await;
        let short = ApiClient { app: &app, token: made["token"].as_str().unwrap().to_owned() };
        assert!(status == 201 && short.get("/campaigns").await.0 == 200, "{}", app.engine);
        assert_eq!(send(&all, Method::DELETE, "/tokens/short", json!({})).await.0, 200);
        assert_eq!(short.get("/campaigns").await.0, 401, "{}", app.engine);
        assert_eq!(
            all.post("/tokens", json!({ "name": "t", "scopes": ["everything"], "days": 1 }))
                .await
                .0,
            422
        );
        assert_eq!(
            all.post("/tokens", json!({ "name": "t", "scopes": ["watch"], "days": 0 })).await.0,
            422
        );
        let hook = json!({ "name": "scoring", "url": "https://scoring.example/hook", "events": ["dataset.ready", "campaign.closed"] });
        let (status, made) = keyed("/webhooks", hook.clone()).await;
        assert!(
            status == 201 && made["secret"].as_str().unwrap().starts_with("whsec_"),
            "{}",
            app.engine
        );
        assert_eq!(keyed("/webhooks", hook).await.0, 409);
        for wrong in [
            json!({ "name": "w", "url": "http://scoring.example/" }),
            json!({ "name": "w", "url": "https://x.example/", "events": ["x"] }),
        ] {
            assert_eq!(all.post("/webhooks", wrong).await.0, 422, "{}", app.engine);
        }
        assert_eq!(all.post("/webhooks/scoring/test", json!({})).await.0, 200);
        assert_eq!(
            all.get("/webhooks/scoring/events").await.1["items"][0]["event"],
            "webhook.test",
            "{}",
            app.engine
        );
        assert_eq!(all.get("/webhooks").await.1["items"][0]["waiting"], 1);
        let (status, rotated) = all.post("/webhooks/scoring/rotate-secret", json!({})).await;
        assert!(
            status == 200
                && rotated["secret"].as_str().unwrap().starts_with("whsec_")
                && rotated["secret"] != made["secret"],
            "{}",
            app.engine
        );
        assert_eq!(all.post("/webhooks/nobody/rotate-secret", json!({})).await.0, 404);
        assert_eq!(send(&all, Method::DELETE, "/webhooks/scoring", json!({})).await.0, 200);
        assert_eq!(all.get("/webhooks/scoring/events").await.0, 404);
        // The telephone queue, and the log.
        assert_eq!(all.get("/telephone/queue").await.1["queued"], 0);
        assert_eq!(
            all.post("/telephone/verifications", json!({})).await.1["interviews"],
            0,
            "{}",
            app.engine
        );
        assert_eq!(all.post("/telephone/verifications", json!({ "share": 2 })).await.0, 422);
        for path in ["/telephone/interviewers", "/telephone/verifications", "/deliveries"] {
            assert!(all.get(path).await.1["items"].is_array(), "{path}");
        }
        let (_, verified) = all.post("/audit/verify", json!({})).await;
        assert!(
            verified["is_intact"] == true && verified["entries"].as_i64() > Some(15),
            "{}: {verified}",
            app.engine
        );
        let filter = AuditFilter { actor: "all".into(), ..AuditFilter::default() };
        let log = audit::entries(&mut app.context.database.read().await.unwrap(), &filter, 100)
            .await
            .unwrap();
        let did = |action| {
            log.iter().filter(|entry| entry.action == action && entry.actor.via == Via::Api).count()
        };
        let done = [
            Action::AccountAdded,
            Action::AccountPasswordReset,
            Action::AccountDisabled,
            Action::TokenCreated,
            Action::WebhookAdded,
        ]
        .map(did);
        assert_eq!(done, [1; 5], "{}: {log:?}", app.engine);
    }
}

#[tokio::test]
async fn a_request_that_comes_twice_is_done_once_and_what_is_unchanged_is_not_sent_again() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        launch_campaign(&app).await;
        let all = ApiClient { app: &app, token: token(&app, "all", &Permission::ALL).await };
        let extend = |key: &str, days: u32| {
            let body = json!({ "action": "extend", "days": days, "reason": "asked" }).to_string();
            all.request(Method::POST, "/applications/A1/deadline")
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body)
        };
        let first = send_for_json(extend("k1", 2)).await;
        assert_eq!(first.1["extended_days"], 2);
        let again = extend("k1", 2).send().await.unwrap();
        assert_eq!(
            (again.status(), again.headers()["idempotency-replayed"].to_str().unwrap()),
            (StatusCode::OK, "true"),
            "{}",
            app.engine
        );
        assert_eq!(
            serde_json::from_str::<Value>(&again.text().await.unwrap()).unwrap(),
            first.1,
            "{}: done once",
            app.engine
        );
        assert_eq!(
            send_for_json(extend("k1", 3)).await.0,
            422,
            "{}: another request under the same key",
            app.engine
        );
        assert_eq!(send_for_json(extend("k2", 2)).await.1["extended_days"], 4);
        // Twenty at once under one key: one of them is executed, the others get its response or are
        // asked to retry.
        let many = (0..20).map(|_| send_for_json(extend("k3", 1)));
        let all_at_once = futures_util::future::join_all(many).await;
        assert!(
            all_at_once.iter().all(|(status, _)| [200, 409].contains(status)),
            "{}: {all_at_once:?}",
            app.engine
        );
        assert_eq!(send_for_json(extend("k4", 1)).await.1["extended_days"], 6, "{}", app.engine);
        // A request that was cut off by the daemon's end may have been executed: it is not
        // repeated.
        app.execute_sql("UPDATE idempotency SET status = 0 WHERE key = 'k2'").await.unwrap();
        app.clock.advance_to(app.clock_now() + Duration::from_secs(3_600));
        let (status, said) = send_for_json(extend("k2", 2)).await;
        assert!(
            status == 409 && said["detail"].as_str().unwrap().contains("may have been done"),
            "{}: {said}",
            app.engine
        );
        // After a day, the key is free.
        app.clock.advance_to(app.clock_now() + Duration::from_secs(25 * 3_600));
        assert_eq!(send_for_json(extend("k1", 3)).await.1["extended_days"], 9, "{}", app.engine);
        let response = all.request(Method::GET, "/campaigns").send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let ask = async || {
            all.request(Method::GET, "/campaigns")
                .header("if-none-match", &tag)
                .send()
                .await
                .unwrap()
                .status()
        };
        assert_eq!(ask().await, StatusCode::NOT_MODIFIED, "{}", app.engine);
        all.post("/campaigns/C1/state", json!({ "to": "paused" })).await;
        assert_eq!(ask().await, StatusCode::OK, "{}", app.engine);
    }
}

/// The description is complete: a third-party tool reads it, sends valid and invalid requests, and
/// finds no 5xx and no undocumented response.
#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_error_and_no_undocumented_answer() {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else {
        eprintln!("FIELDWORKD_TEST_PYTHON is not set: schemathesis is not run (use tests/run)");
        return;
    };
    let app = TestApp::on_sqlite(people(), &EARLY_ALARMS).await;
    launch_campaign(&app).await;
    let token = token(&app, "schemathesis", &Permission::ALL).await;
    let described: Value =
        serde_json::from_str(&app.get(&format!("{}/api/v1/openapi.json", app.base)).await.1)
            .unwrap();
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"), "{}", described["openapi"]);
    assert!(described["paths"].as_object().unwrap().len() >= 28);
    let examples = if std::env::var_os("FIELDWORKD_TEST_LONG").is_some() { "300" } else { "15" };
    let url = format!("{}/api/v1/openapi.json", app.base);
    let folder = app.folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let tool = std::path::Path::new(&python).with_file_name("schemathesis");
        let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth,unsupported_method";
        Command::new(tool)
            .args([
                "run",
                &url,
                "--header",
                &format!("Authorization: Bearer {token}"),
                "--checks",
                checks,
                "--max-examples",
                examples,
            ])
            .args([
                "--seed",
                "1",
                "--phases",
                "examples,coverage,fuzzing",
                "--suppress-health-check",
                "all",
                "--no-color",
            ])
            .current_dir(folder)
            .output()
            .unwrap()
    });
    // Each operation is tried with a wrong token, more of them than are let through at once: time goes
    // on, as it does for a client.
    let time = tokio::spawn({
        let clock = app.clock.clone();
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                clock.advance_to(clock.now() + Duration::from_secs(1));
            }
        }
    });
    let output = output.await.unwrap();
    time.abort();
    let said = String::from_utf8_lossy(&output.stdout);
    let tail: Vec<&str> = said.lines().collect();
    assert!(
        output.status.success(),
        "{}\n{}",
        tail[tail.len().saturating_sub(120)..].join("\n"),
        String::from_utf8_lossy(&output.stderr)
    );
}
