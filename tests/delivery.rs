//! Deliveries by folder, bucket, signed webhook and pull API. The consumer of examples/, and what
//! happens when it or the daemon dies, is in tests/invariants/i6_never_late_unseen.rs.

use std::time::Duration;

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::object_storage::{ACCESS_KEY_ID, BUCKET, SECRET_ACCESS_KEY, Storage};
use crate::common::receivers::{Receivers, SECRET};
use crate::common::{TestApp, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::config::{NoticeChannel, S3Config};
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::adapters::database::deliveries::{self, Verdict};
use fieldworkd::adapters::database::{datasets, notices};
use fieldworkd::adapters::transports::Bucket;
use fieldworkd::domain::audit::Action;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::Role;
use fieldworkd::services;
use fieldworkd::services::datasets::delivery;
use fieldworkd::services::{alerts, deadlines};
use fieldworkd::simulation::Scenario;
use serde_json::Value;

pub(crate) const TOKEN: &str = "made-up-token-of-the-tests-0123456789";

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
            let mut attempts = 0;
            loop {
                delivery::deliver_due(&app.context).await.unwrap();
                attempts += 1;
                let next = deliveries::next_due(&mut app.context.database.read().await.unwrap())
                    .await
                    .unwrap();
                let Some(next) = next else { break };
                app.clock.advance_to(next.max(app.clock.now() + Duration::from_millis(1)));
                assert!(attempts < 100);
            }
            services::datasets::verify(&shared.path().join("A1/v1"), None).unwrap();
            let all =
                deliveries::all(&mut app.context.database.read().await.unwrap()).await.unwrap();
            let of = |channel: deliveries::DeliveryChannel| {
                all.iter().find(|delivery| delivery.channel == channel).unwrap()
            };
            assert!(
                all.len() == 2 && of(deliveries::DeliveryChannel::Folder).arrived_at.is_some(),
                "{}: {all:?}",
                app.engine
            );
            let webhook = of(deliveries::DeliveryChannel::Webhook);
            posts += webhook.attempt_count as usize;
            let received = receivers.wait_for("webhook", posts).await;
            let post = received.last().unwrap();
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
                receivers.wait_for("webhook", posts).await;
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
        let received = receivers.wait_for("email", mails + 2).await.split_off(mails);
        mails += received.len();
        let mail = received
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
        mails = receivers.wait_for("email", mails + 1).await.len();
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
        assert_eq!(listed["items"], listed["datasets"]);
        let version = &listed["items"][0];
        assert_eq!(
            (version["application"].as_str(), version["version"].as_u64(), &version["verdict"]),
            (Some("A1"), Some(1), &Value::Null)
        );
        let described: Value =
            serde_json::from_slice(&get("datasets/A1/v1", TOKEN).await.2).unwrap();
        assert_eq!(described["files"].as_array().unwrap().len(), 23);
        let folder = app.context.config.datasets.join("A1/v1");
        for name in described["files"].as_array().unwrap().iter().filter_map(Value::as_str) {
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
        let send_verdict = async |body: &str| {
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
        assert_eq!(send_verdict("{").await.0, 400);
        assert_eq!(
            send_verdict("{\"accepted\":true,\"sha256\":\"00\"}").await.0,
            409,
            "of something else"
        );
        assert_eq!(
            send_verdict(&format!("{{\"accepted\":false,\"sha256\":\"{sha256}\"}}")).await.0,
            422,
            "without a reason"
        );
        let yes = format!("{{\"accepted\":true,\"sha256\":\"{sha256}\"}}");
        assert_eq!(
            (send_verdict(&yes).await.0, send_verdict(&yes).await.0),
            (200, 200),
            "said again, it changes nothing"
        );
        let (status, problem) = send_verdict(&format!(
            "{{\"accepted\":false,\"reason\":\"x\",\"sha256\":\"{sha256}\"}}"
        ))
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

/// Every file and the whole version come to a browser, as they are on the disk, for those who may
/// have them; each download is in the audit log. (jshttp/content-disposition#30: Chinese names.)
#[tokio::test]
async fn staff_download_files_and_packages_and_each_is_written_down() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 100), &[]).await {
        close_field(&app).await;
        let all = datasets::all(&mut app.context.database.read().await.unwrap()).await.unwrap();
        let folder = std::path::PathBuf::from(all[0].folder.clone().unwrap());
        for (name, role) in [("qian", Role::Operator), ("zheng", Role::Supervisor)] {
            add_account(&app, name, role).await;
        }
        let qian = Browser::signed_in(&app, "qian").await;
        assert!(qian.get("/deliveries").await.2.contains("href=\"/deliveries/A1/v1\""));
        let page = qian.get("/deliveries/A1/v1").await.2;
        let fetch = async |path: &str| {
            let request = app.http.get(format!("{}{path}", app.base));
            let request = request.header("cookie", qian.cookie.clone().unwrap());
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
            (name, response.bytes().await.unwrap())
        };
        let mut on_disk = std::collections::BTreeMap::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            on_disk.insert(name, std::fs::read(path).unwrap());
        }
        for (name, content) in &on_disk {
            let path = format!("/deliveries/A1/v1/files/{name}");
            assert!(page.contains(&path), "{}: {path} is not on {page}", app.engine);
            assert_eq!(fetch(&path).await.1, content[..], "{}: {name}", app.engine);
        }
        let (named, _) = fetch("/deliveries/A1/v1/files/dataset.xlsx").await;
        let encoded = "filename*=UTF-8''A1-%E7%AC%AC1%E7%89%88-%E6%95%B0%E6%8D%AE%E8%A1%A8.xlsx";
        assert!(named.ends_with(encoded), "{named}");
        let (named, archive) = fetch("/deliveries/A1/v1/package").await;
        assert!(named.contains(".zip"), "{named}");
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        assert_eq!(archive.len(), on_disk.len(), "{}", app.engine);
        for (name, content) in &on_disk {
            let mut read = Vec::new();
            let mut entry = archive.by_name(&format!("A1-v1/{name}")).unwrap();
            std::io::Read::read_to_end(&mut entry, &mut read).unwrap();
            assert_eq!(read, *content, "{}: {name}", app.engine);
        }
        // What is not there, and who may not.
        std::fs::write(folder.parent().unwrap().join("secret.txt"), "no").unwrap();
        for path in ["files/..%2Fsecret.txt", "files/..%2Fv1%2Fdataset.xlsx", "files/none.csv"] {
            assert_eq!(qian.get(&format!("/deliveries/A1/v1/{path}")).await.0, 404, "{path}");
        }
        assert_eq!(qian.get("/deliveries/A1/v9/package").await.0, 404);
        let zheng = Browser::signed_in(&app, "zheng").await;
        assert!(!zheng.get("/deliveries").await.2.contains("/deliveries/A1/v1"));
        for path in ["", "/package", "/files/dataset.xlsx"] {
            assert_eq!(zheng.get(&format!("/deliveries/A1/v1{path}")).await.0, 403, "{path}");
        }
        let filter =
            AuditFilter { action: Some(Action::DatasetDownloaded), ..AuditFilter::default() };
        let mut connection = app.context.database.read().await.unwrap();
        let written = audit::entries(&mut connection, &filter, 100).await.unwrap();
        assert_eq!(written.len(), on_disk.len() + 6, "{}", app.engine);
        assert!(
            written.iter().any(|entry| entry.actor.name == "qian"
                && entry.object == "application:A1"
                && entry.detail == "v1 package"),
            "{written:?}"
        );
        // Nothing is left behind.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), on_disk.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_version_are_named_in_words() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 100), &[]).await;
    close_field(&app).await;
    add_account(&app, "qian", Role::Operator).await;
    let pages = serde_json::json!([
        ["/deliveries", "deliveries-written", "第 1 版"],
        ["/deliveries/A1/v1", "delivery-files", "数据表（Excel）"]
    ]);
    let task = serde_json::json!({ "base": app.base, "account": "qian", "pages": pages });
    run_in_chromium("tests/external/pages.js", task).await;
}
