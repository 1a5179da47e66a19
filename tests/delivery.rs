//! Deliveries by folder, bucket, signed webhook and pull API to the consumer of examples/: exactly
//! once per version, however often either side dies.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::deployment::{Deployment, free_port, wait_until};
use crate::common::object_storage::{ACCESS_KEY_ID, BUCKET, SECRET_ACCESS_KEY, Storage};
use crate::common::receivers::{Receivers, SECRET};
use crate::common::{TestApp, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::config::{NoticeChannel, S3Config};
use fieldworkd::adapters::database::deliveries::{self, Verdict};
use fieldworkd::adapters::database::{datasets, notices};
use fieldworkd::adapters::transports::Bucket;
use fieldworkd::domain::personal::Personal;
use fieldworkd::services;
use fieldworkd::services::datasets::delivery;
use fieldworkd::services::{alerts, deadlines};
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::Value;

const TOKEN: &str = "made-up-token-of-the-tests-0123456789";

/// Closes an application with one complete, and writes its dataset.
async fn close_field(app: &TestApp) {
    app.launch_with_people(3, "").await;
    app.advance_until(local("2026-03-03T12:00:00")).await;
    app.answer_all(&app.link(0).await, 0, "8").await;
    deadlines::freeze(&app.context, "A1").await.unwrap();
    services::datasets::write_pending(&app.context).await.unwrap();
}

#[tokio::test]
async fn a_version_arrives_by_every_channel_and_failures_are_retried_for_days() {
    let Some(receivers) = Receivers::start() else { return };
    let mut posts = 0;
    for (hook, arrives) in [("hook", true), ("broken", false)] {
        let url = format!("{}/{hook}", receivers.http);
        let shared = tempfile::tempdir().unwrap();
        let folder = shared.path().display().to_string();
        let settings = [
            ("DELIVERY__FOLDER__PATH", folder.as_str()),
            ("DELIVERY__WEBHOOK__URL", url.as_str()),
            ("DELIVERY__WEBHOOK__SECRET", SECRET),
        ];
        for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &settings).await {
            let _ = std::fs::remove_dir_all(shared.path().join("A1"));
            close_field(&app).await;
            let began = app.clock.now();
            let mut tries = 0;
            loop {
                delivery::deliver_due(&app.context).await.unwrap();
                tries += 1;
                let next = deliveries::next_due(&mut app.context.database.read().await.unwrap())
                    .await
                    .unwrap();
                let Some(next) = next else { break };
                app.clock.advance_to(next.max(app.clock.now() + Duration::from_millis(1)));
                assert!(tries < 100);
            }
            services::datasets::verify(&shared.path().join("A1/v1"), None).unwrap();
            let all =
                deliveries::all(&mut app.context.database.read().await.unwrap()).await.unwrap();
            let of = |way: deliveries::DeliveryChannel| {
                all.iter().find(|delivery| delivery.channel == way).unwrap()
            };
            assert!(
                all.len() == 2 && of(deliveries::DeliveryChannel::Folder).arrived_at.is_some(),
                "{}: {all:?}",
                app.engine
            );
            let webhook = of(deliveries::DeliveryChannel::Webhook);
            posts += webhook.attempt_count as usize;
            let came = receivers.came("webhook", posts).await;
            let post = came.last().unwrap();
            assert_eq!(
                (post["signed"].as_bool(), post["id"].as_str()),
                (Some(true), Some("dataset-A1-v1")),
                "{post}"
            );
            assert_eq!(post["body"]["type"], "dataset.ready");
            if arrives {
                assert_eq!((webhook.attempt_count, webhook.arrived_at.is_some()), (1, true));
            } else {
                // Given up after days, and listed; a manual delivery tries it again.
                assert!(
                    webhook.arrived_at.is_none()
                        && webhook.attempt_count == 12
                        && app.clock.now().since(began).as_secs() > 2 * 86_400,
                    "{webhook:?}"
                );
                assert_eq!(webhook.last_error.as_deref(), Some("the endpoint answered 503"));
                let dataset = fieldworkd::adapters::database::datasets::get(
                    &mut app.context.database.read().await.unwrap(),
                    webhook.dataset,
                )
                .await
                .unwrap();
                delivery::deliver_again(&app.context, &dataset).await.unwrap();
                delivery::deliver_due(&app.context).await.unwrap();
                posts += 1;
                receivers.came("webhook", posts).await;
            }
        }
    }
}

#[tokio::test]
async fn a_version_arrives_in_a_bucket_once_the_storage_is_there() {
    for engine in 0..2 {
        let Some(mut storage) = Storage::new() else { return };
        let endpoint = storage.endpoint();
        let settings = [
            ("DELIVERY__S3__ENDPOINT", endpoint.as_str()),
            ("DELIVERY__S3__BUCKET", BUCKET),
            ("DELIVERY__S3__PREFIX", "surveys/2026/"),
            ("DELIVERY__S3__ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("DELIVERY__S3__SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ];
        let Some(app) = TestApp::on_each_engine(Scenario::faultless(1, 50), &settings)
            .await
            .into_iter()
            .nth(engine)
        else {
            return;
        };
        close_field(&app).await;
        assert_eq!(delivery::deliver_due(&app.context).await.unwrap(), 0);
        let state = async || {
            deliveries::all(&mut app.context.database.read().await.unwrap())
                .await
                .unwrap()
                .remove(0)
        };
        let failed = state().await;
        assert!(
            failed.last_error.as_deref().unwrap().starts_with("scoring/surveys/2026/A1/v1: ")
                && failed.next_at.is_some(),
            "{failed:?}"
        );
        storage.start();
        app.clock.advance_to(failed.next_at.unwrap());
        assert_eq!(delivery::deliver_due(&app.context).await.unwrap(), 1, "{:?}", state().await);
        services::datasets::verify(&storage.path("surveys/2026/A1/v1"), None).unwrap();
        // Delivered again, the same objects are stored.
        let dataset = fieldworkd::adapters::database::datasets::get(
            &mut app.context.database.read().await.unwrap(),
            state().await.dataset,
        )
        .await
        .unwrap();
        delivery::deliver_again(&app.context, &dataset).await.unwrap();
        assert_eq!(delivery::deliver_due(&app.context).await.unwrap(), 1, "{}", app.engine);
        services::datasets::verify(&storage.path("surveys/2026/A1/v1"), None).unwrap();
    }
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts_and_a_wrong_key_is_refused() {
    let Some(mut storage) = Storage::new() else { return };
    storage.start();
    let mut config = S3Config {
        endpoint: storage.endpoint(),
        region: "us-east-1".into(),
        bucket: BUCKET.into(),
        prefix: String::new(),
        access_key_id: ACCESS_KEY_ID.into(),
        secret_access_key: Personal::new(SECRET_ACCESS_KEY),
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..21 * 1024 * 1024_u32).map(|n| (n / 7) as u8).collect();
    std::fs::write(file.path(), &content).unwrap();
    Bucket::open(&config).unwrap().put_file("large/file", file.path()).await.unwrap();
    assert!(std::fs::read(storage.path("large/file")).unwrap() == content);
    config.secret_access_key = Personal::new("another");
    let refused = Bucket::open(&config)
        .unwrap()
        .put_file("large/other", file.path())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("403") || refused.contains("Signature"), "{refused}");
    assert!(!refused.contains("another") && !storage.path("large/other").exists(), "{refused}");
}

/// A rejection and an abandoned delivery are notified once, together with any other problems, and
/// are in the digest until they are resolved.
#[tokio::test]
async fn undelivered_datasets_are_notified() {
    let Some(receivers) = Receivers::start() else { return };
    let (broken, mut mails) = (format!("{}/broken", receivers.http), 0);
    let settings = [
        ("DELIVERY__WEBHOOK__URL", broken.as_str()),
        ("DELIVERY__WEBHOOK__SECRET", SECRET),
        ("NOTIFY__EMAIL__SERVER", receivers.smtp.as_str()),
        ("NOTIFY__EMAIL__FROM", "fieldworkd@example.com"),
        ("NOTIFY__EMAIL__TO", "head@example.com"),
        ("NOTIFY__SMS__GATEWAY", "simulator"),
        ("NOTIFY__SMS__SIGNATURE", "质协"),
        ("NOTIFY__SMS__TO", "+8613912345678"),
    ];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &settings).await {
        close_field(&app).await;
        let problems = async || {
            deliveries::open_problems(&mut app.context.database.read().await.unwrap())
                .await
                .unwrap()
        };
        while let Some(next) =
            deliveries::next_due(&mut app.context.database.read().await.unwrap()).await.unwrap()
        {
            app.clock.advance_to(next.max(app.clock.now()));
            delivery::deliver_due(&app.context).await.unwrap();
        }
        assert_eq!(problems().await.len(), 1, "{}", app.engine);
        let dataset =
            datasets::all(&mut app.context.database.read().await.unwrap()).await.unwrap().remove(0);
        let no = Verdict {
            is_accepted: false,
            reason: "responses.csv: no rows".into(),
            actor: "scoring".into(),
            at: app.clock.now(),
        };
        delivery::record_verdict(&app.context, &dataset, dataset.sha256.as_deref().unwrap(), &no)
            .await
            .unwrap();
        alerts::tick(&app.context).await.unwrap();
        // A digest is due as well.
        let came = receivers.came("email", mails + 2).await.split_off(mails);
        mails += came.len();
        let mail = came
            .iter()
            .find(|mail| mail["subject"].as_str().unwrap().contains("not handed over"))
            .unwrap();
        let body = mail["body"].as_str().unwrap();
        assert!(
            body.contains("A1 final 1")
                && body.contains("rejected: responses.csv: no rows")
                && body.contains("(webhook): the endpoint"),
            "{mail}"
        );
        let notices = async || {
            let latest =
                notices::latest(&mut app.context.database.read().await.unwrap(), 9).await.unwrap();
            latest.into_iter().filter(|notice| notice.kind == "delivery").collect::<Vec<_>>()
        };
        let sms = notices()
            .await
            .into_iter()
            .find(|notice| notice.channel == NoticeChannel::Sms)
            .unwrap();
        assert!(sms.body.contains("A1 1等2个") && !sms.body.contains("no rows"), "{}", sms.body);
        // Not again; but every digest contains them until a later version is frozen and the
        // announcement has arrived or is in progress.
        app.clock.advance_to(app.clock.now() + Duration::from_secs(40 * 86_400));
        alerts::tick(&app.context).await.unwrap();
        assert_eq!(notices().await.len(), 2, "{}", app.engine);
        mails = receivers.came("email", mails + 1).await.len();
        let (digest, text) = alerts::digest(&app.context).await.unwrap();
        assert!(
            digest["not_handed_over"].as_array().unwrap().len() == 2
                && text.contains("datasets not handed over: 2"),
            "{text}"
        );
        delivery::deliver_again(&app.context, &dataset).await.unwrap();
        deadlines::freeze(&app.context, "A1").await.unwrap();
        assert_eq!(
            alerts::digest(&app.context).await.unwrap().0["not_handed_over"],
            serde_json::json!([]),
            "{}",
            app.engine
        );
    }
}

/// The API's rules: the token, unknown versions, and a single verdict.
#[tokio::test]
async fn the_pull_api_hands_out_and_takes_one_verdict() {
    for app in
        TestApp::on_each_engine(Scenario::faultless(1, 50), &[("DELIVERY__PULL__TOKEN", TOKEN)])
            .await
    {
        close_field(&app).await;
        let get = async |path: &str, token: &str| {
            let answer = app
                .http
                .get(format!("{}/api/v1/{path}", app.base))
                .header("authorization", format!("Bearer {token}"))
                .send()
                .await
                .unwrap();
            let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
            (answer.status().as_u16(), kind, answer.bytes().await.unwrap())
        };
        let (status, kind, body) = get("datasets", "wrong-token").await;
        assert_eq!((status, kind.as_str()), (401, "application/problem+json"), "{body:?}");
        let listed: Value = serde_json::from_slice(&get("datasets", TOKEN).await.2).unwrap();
        let version = &listed["datasets"][0];
        assert_eq!(
            (version["application"].as_str(), version["version"].as_u64(), &version["verdict"]),
            (Some("A1"), Some(1), &Value::Null)
        );
        let shown: Value = serde_json::from_slice(&get("datasets/A1/v1", TOKEN).await.2).unwrap();
        assert_eq!(shown["files"].as_array().unwrap().len(), 19);
        let folder = app.context.config.datasets.join("A1/v1");
        for name in shown["files"].as_array().unwrap().iter().filter_map(Value::as_str) {
            let (status, _, content) = get(&format!("datasets/A1/v1/files/{name}"), TOKEN).await;
            assert!(
                status == 200 && content == std::fs::read(folder.join(name)).unwrap(),
                "{name}"
            );
        }
        for nothing in [
            "datasets/A1/v2",
            "datasets/A1/v1/files/none.csv",
            "datasets/A1/v1/files/..%2f..%2ftest.db",
            "datasets/A1/v1/files/.%2e",
        ] {
            assert_eq!(get(nothing, TOKEN).await.0, 404, "{nothing}");
        }
        let judge = async |body: &str| {
            let url = format!("{}/api/v1/datasets/A1/v1/verdict", app.base);
            let request = app
                .http
                .post(url)
                .header("authorization", format!("Bearer {TOKEN}"))
                .body(body.to_owned());
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let sha256 = version["sha256"].as_str().unwrap();
        assert_eq!(judge("{").await.0, 400);
        assert_eq!(
            judge("{\"accepted\":true,\"sha256\":\"00\"}").await.0,
            409,
            "of something else"
        );
        assert_eq!(
            judge(&format!("{{\"accepted\":false,\"sha256\":\"{sha256}\"}}")).await.0,
            422,
            "without a reason"
        );
        let yes = format!("{{\"accepted\":true,\"sha256\":\"{sha256}\"}}");
        assert_eq!(
            (judge(&yes).await.0, judge(&yes).await.0),
            (200, 200),
            "said again, it changes nothing"
        );
        let (status, problem) =
            judge(&format!("{{\"accepted\":false,\"reason\":\"x\",\"sha256\":\"{sha256}\"}}"))
                .await;
        assert!(
            status == 409 && problem.contains("its verdict already"),
            "{}: {problem}",
            app.engine
        );
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_handed_out() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    assert_eq!(app.get(&format!("{}/api/v1/datasets", app.base)).await.0, 401);
}

#[tokio::test]
async fn interim_versions_are_frozen_by_the_calendar() {
    for app in TestApp::on_each_engine(
        Scenario::faultless(1, 50),
        &[("DELIVERY__INTERIM__AT", "0 0 6 * * Mon")],
    )
    .await
    {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-20T12:00:00")).await;
        services::datasets::write_pending(&app.context).await.unwrap();
        let folder = |name: &str| app.context.config.datasets.join("A1").join(name);
        let manifest = |name: &str| {
            serde_json::from_slice::<Value>(
                &std::fs::read(folder(name).join("manifest.json")).unwrap(),
            )
            .unwrap()
        };
        assert_eq!(
            manifest("interim-1")["frozen_at"],
            "2026-03-09T06:00:00+08:00",
            "{}",
            app.engine
        );
        assert_eq!(
            manifest("interim-2")["frozen_at"],
            "2026-03-16T06:00:00+08:00",
            "{}",
            app.engine
        );
        assert!(!folder("interim-3").exists());
    }
}

/// The consumer of examples/, as a process.
struct Consumer {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Consumer {
    fn start(python: &str, deployment: &Deployment, port: u16) -> Consumer {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scoring_consumer.py"))
            .args([
                "--api",
                &format!("http://127.0.0.1:{}", deployment.port),
                "--key",
                "key.pem",
                "--into",
                "scored",
                "--listen",
                &port.to_string(),
            ])
            .current_dir(deployment.path())
            .env("FIELDWORKD_TOKEN", TOKEN)
            .env("FIELDWORKD_WEBHOOK_SECRET", SECRET)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (out, lines_seen) = (BufReader::new(child.stdout.take().unwrap()), lines.clone());
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).for_each(|line| lines_seen.lock().unwrap().push(line))
        });
        Consumer { child, lines }
    }

    fn count_lines(&self, what: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.starts_with(what)).count()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(
    deployment: &Deployment,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> (bool, String) {
    let output =
        deployment.command_line(arguments).envs(environment.iter().copied()).output().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr),
    )
}

fn count_scored_versions(path: &Path) -> usize {
    std::fs::read_dir(path.join("scored/A1")).map_or(0, |entries| entries.count())
}

/// Through the real binary: the daemon is killed while it delivers, the consumer while it fetches;
/// every version is scored once and acknowledged once.
#[tokio::test(flavor = "multi_thread")]
async fn each_version_is_taken_exactly_once_whoever_dies() {
    let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else {
        eprintln!("FIELDWORKD_TEST_PYTHON is not set: nobody takes the datasets (use tests/run)");
        return;
    };
    let mut scenario = Scenario::faultless(3, 50);
    scenario.people = PeopleScenario::silent();
    for deployment in Deployment::on_each_engine(4, &scenario, 50).await {
        let port = free_port();
        let hook = format!("http://127.0.0.1:{port}/");
        let environment = [
            ("FIELDWORKD_DELIVERY__PULL__TOKEN", TOKEN),
            ("FIELDWORKD_DELIVERY__WEBHOOK__URL", hook.as_str()),
            ("FIELDWORKD_DELIVERY__WEBHOOK__SECRET", SECRET),
        ];
        let (_, key) = run(&deployment, &environment, &["signing-key", "show"]);
        std::fs::write(deployment.path().join("key.pem"), &key[..key.find("key ").unwrap()])
            .unwrap();
        let mut taken = 0;
        let mut daemon = deployment.start_daemon(&environment).await;
        for round in 0..6 {
            let (done, count_lines) =
                run(&deployment, &environment, &["dataset", "freeze", "A1", "--interim"]);
            assert!(done, "{count_lines}");
            // The announcement is lost with the killed process.
            if round % 2 == 0 {
                daemon.signal("KILL");
                daemon.wait_for_exit();
                daemon = deployment.start_daemon(&environment).await;
            }
            let consumer = Consumer::start(&python, &deployment, port);
            if round % 3 == 1 {
                // Dies somewhere between fetching and acknowledging.
                tokio::time::sleep(Duration::from_millis(900 + 150 * round)).await;
                drop(consumer);
                let consumer = Consumer::start(&python, &deployment, port);
                wait_until("what was begun is finished", async || {
                    count_scored_versions(deployment.path()) == round as usize + 1
                        && consumer.count_lines("listening") == 1
                })
                .await;
                taken += consumer.count_lines("acknowledged").min(1);
            } else {
                wait_until("the version is taken", async || {
                    consumer.count_lines("acknowledged") == 1
                })
                .await;
                assert_eq!(consumer.count_lines("scored"), 1, "round {round}");
                taken += 1;
            }
        }
        assert!(taken >= 4 && count_scored_versions(deployment.path()) == 6, "{}", deployment.url);
        let (_, listed) = run(&deployment, &environment, &["dataset", "list", "--json"]);
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        assert!(
            listed.len() == 6
                && listed.iter().all(|version| version["verdict"]["accepted"] == true),
            "{listed:#?}"
        );
        // A listening consumer is notified of the next version by the signed webhook.
        let consumer = Consumer::start(&python, &deployment, port);
        wait_until("it listens", async || consumer.count_lines("listening") == 1).await;
        assert!(run(&deployment, &environment, &["dataset", "freeze", "A1", "--interim"]).0);
        wait_until("it has heard", async || consumer.count_lines("acknowledged A1 interim-7") == 1)
            .await;
        drop(consumer);
        // A damaged version is rejected with the reason, which the staff see.
        let (done, _) = run(&deployment, &environment, &["dataset", "freeze", "A1"]);
        assert!(done);
        wait_until("the last version is written", async || {
            deployment.path().join("var/datasets/A1/v1").exists()
        })
        .await;
        std::fs::write(deployment.path().join("var/datasets/A1/v1/cases.csv"), "case\n").unwrap();
        let consumer = Consumer::start(&python, &deployment, port);
        wait_until("it is rejected", async || {
            consumer.count_lines("rejected A1 v1: cases.csv") == 1
        })
        .await;
        let (_, listed) = run(&deployment, &environment, &["dataset", "list"]);
        assert!(listed.contains("rejected: cases.csv"), "{listed}");
        daemon.signal("TERM");
        daemon.wait_for_exit();
    }
}
