//! The metrics, and the shipped monitoring files: read, checked and queried by a real Prometheus.

use std::process::{Child, Command, Stdio};

use crate::common::deployment::{free_port, wait_until};
use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::role::Permission;
use fieldworkd::services::accounts::tokens;
use fieldworkd::services::{alerts, forecasting};
use fieldworkd::simulation::Scenario;
use serde_json::Value;

fn people() -> Scenario {
    let mut scenario = Scenario::faultless(5, 500);
    scenario.people.completes = [0.2, 0.05, 0.0];
    scenario
}

async fn token(app: &TestApp, name: &str, scopes: &[Permission]) -> String {
    tokens::create(&app.context, &Actor::command("test"), name, scopes, 30)
        .await
        .unwrap()
        .reveal()
        .to_owned()
}

async fn launch_campaign(app: &TestApp) {
    app.register_brand("A1", "a", "[application.quota]\ntarget = 35").await;
    app.import(&["A1"], list_of(0..40).as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.advance_until(local("2026-03-12T12:00:00")).await;
    forecasting::forecast_campaign(&app.context, "C1").await.unwrap();
    alerts::tick(&app.context).await.unwrap();
}

#[tokio::test]
async fn metrics_need_the_read_scope_and_readiness_is_accurate() {
    for app in TestApp::on_each_engine(people(), &[]).await {
        launch_campaign(&app).await;
        let ask = async |token: &str| {
            let answer = app
                .http
                .get(format!("{}/metrics", app.base))
                .bearer_auth(token)
                .send()
                .await
                .unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(ask("fwd_guess").await.0, 401);
        assert_eq!(
            ask(&token(&app, "scoring", &[Permission::Datasets]).await).await.0,
            403,
            "{}",
            app.engine
        );
        let (status, figures) = ask(&token(&app, "prometheus", &[Permission::Read]).await).await;
        assert_eq!(status, 200);
        for line in [
            "fieldworkd_due_invitations{campaign=\"C1\"}",
            "fieldworkd_messages{gateway=\"simulator\",state=\"delivered\"}",
            "fieldworkd_target_chance_ratio{application=\"A1\"}",
            "fieldworkd_database_up 1",
            "fieldworkd_disk_free_bytes",
            "fieldworkd_interview_duration_median_seconds",
        ] {
            assert!(figures.contains(line), "{}: {line} is not in {figures}", app.engine);
        }
        assert!(figures.ends_with("# EOF\n") && !figures.contains(&number(3)), "{figures}");
        // A clock that was set back, or differs from the database's own, makes the daemon unready.
        let ready = async || {
            let (status, said) = app.get(&format!("{}/readyz", app.base)).await;
            (status, serde_json::from_str::<Value>(&said).unwrap())
        };
        let (status, said) = ready().await;
        let is_off = app.engine == "postgres";
        assert_eq!(
            (status, said["database"].as_str()),
            (if is_off { 503 } else { 200 }, Some("ok")),
            "{}: {said}",
            app.engine
        );
        assert_eq!(
            said["clock"] == "ok",
            !is_off,
            "{}: the tests live in another year than PostgreSQL: {said}",
            app.engine
        );
        app.execute_sql(&format!(
            "INSERT INTO audit_entry VALUES (999, {}, 'x', 'command', 'sign_in', '', '', '')",
            app.clock_now().0 + 3_600_000
        ))
        .await
        .unwrap();
        let (status, said) = ready().await;
        assert!(status == 503 && said["clock"] != "ok", "{}: {said}", app.engine);
    }
}

/// Killed with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns every query of the dashboard.
fn dashboard_queries() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string("config/grafana/fieldworkd.json").unwrap())
            .unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = |panel: &Value| {
        panel["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| target["expr"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    panels.iter().flat_map(queries).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_the_figures_and_answers_the_dashboard_and_the_rules() {
    let Ok(folder) = std::env::var("FIELDWORKD_TEST_PROMETHEUS") else {
        eprintln!("FIELDWORKD_TEST_PROMETHEUS is not set: Prometheus is not run (use tests/run)");
        return;
    };
    let rules = std::fs::canonicalize("config/prometheus/alerts.yml").unwrap();
    let checked = Command::new(format!("{folder}/promtool"))
        .args(["check", "rules"])
        .arg(&rules)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let app = TestApp::on_sqlite(people(), &[]).await;
    launch_campaign(&app).await;
    let (config_file, port) = (app.folder.path().join("prometheus.yml"), free_port());
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: \
            [{}]\nscrape_configs:\n  - job_name: fieldworkd\n    \
         authorization: {{ credentials: {} }}\n    static_configs: [{{ targets: [\"{}\"] }}]\n",
        rules.display(),
        token(&app, "prometheus", &[Permission::Read]).await,
        app.base.trim_start_matches("http://"),
    );
    std::fs::write(&config_file, config).unwrap();
    let child = Command::new(format!("{folder}/prometheus"))
        .arg(format!("--config.file={}", config_file.display()))
        .arg(format!("--storage.tsdb.path={}", app.folder.path().join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _prometheus = Prometheus(child);
    let ask = async |path: &str, query: &str| -> Option<Value> {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let answer = app
            .http
            .get(format!("http://127.0.0.1:{port}/api/v1/{path}?{query}"))
            .send()
            .await
            .ok()?;
        serde_json::from_str(&answer.text().await.ok()?).ok()
    };
    let is_up = async || {
        ask("query", "up{job=\"fieldworkd\"} == 1")
            .await
            .is_some_and(|up| !up["data"]["result"].as_array().unwrap_or(&Vec::new()).is_empty())
    };
    wait_until("Prometheus has read the figures", is_up).await;
    for expression in dashboard_queries() {
        let answer = ask("query", &expression).await.unwrap();
        let found = answer["data"]["result"].as_array().map_or(0, Vec::len);
        assert!(answer["status"] == "success" && found > 0, "{expression}: {answer}");
    }
    // Every rule is evaluated: the alert of the quota in danger is pending, and no alert says (any
    // more) that the daemon is down.
    let evaluated = async || {
        let Some(rules) = ask("rules", "").await else { return false };
        let all = rules["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
        let state = |name: &str| {
            all.iter()
                .find(|rule| rule["name"] == name)
                .map(|rule| rule["state"].clone())
                .unwrap_or_default()
        };
        let as_it_is =
            state("FieldworkdQuotaInDanger") == "pending" && state("FieldworkdDown") == "inactive";
        all.len() == 14 && all.iter().all(|rule| rule["health"] == "ok") && as_it_is
    };
    wait_until("every rule is evaluated", evaluated).await;
    // Every exported metric is queried by a rule or the dashboard.
    let metrics = app
        .http
        .get(format!("{}/metrics", app.base))
        .bearer_auth(token(&app, "me", &[Permission::Read]).await)
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    let names = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next());
    let queries = dashboard_queries().join(" ")
        + &std::fs::read_to_string("config/prometheus/alerts.yml").unwrap();
    let unasked: Vec<&str> = names.filter(|name| !queries.contains(name)).collect();
    assert_eq!(unasked, ["fieldworkd_database_up"], "it says what «up» says");
}
