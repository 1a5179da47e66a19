//! Erasure: a purge that is cut off, certificates, a person's rights, backup and restore, and the
//! commands. The purge itself, and what backups reveal after it, is in
//! tests/invariants/i7_never_leak.rs.

use crate::common;
use fieldworkd::services::programmes::apply_programme;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::common::deployment::{Deployment, wait_until};
use crate::common::{TestApp, list, local, number};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database;
use fieldworkd::adapters::database::cases::DispositionSource;
use fieldworkd::adapters::database::erasure::Applicant;
use fieldworkd::adapters::database::{Database, applications, lists, suppressions};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::suppression::SuppressionReason;
use fieldworkd::services;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::deadlines;
use fieldworkd::services::erasure::{ErasureError, ErasureOrder, person, purge};
use fieldworkd::services::suppressions::SuppressionRequest;
use fieldworkd::simulation::Scenario;
use serde_json::Value;

pub(crate) const ORDER: ErasureOrder<'static> =
    ErasureOrder { actor: "tester", reason: "the contract ended" };

/// Closes an application of three people, the first of whom has answered, and writes its dataset;
/// the programme's retention period is a month.
pub(crate) async fn close_field(app: &TestApp) {
    let programme = format!("{}retention_months = 1\n", common::PROGRAMME);
    apply_programme(&app.context, &programme).await.unwrap();
    app.register_brand("A1", "a", "list_fields = { region = [\"地区\"] }").await;
    let rows: String = (0..3).map(|n| format!("受访者{n},{},华东\n", number(n))).collect();
    app.import(&["A1"], format!("姓名,手机,地区\n{rows}").as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], common::PLAN).await.unwrap();
    app.advance_until(local("2026-03-03T12:00:00")).await;
    let link = app.link(0).await;
    app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
    for page in 0..4 {
        let mut answers = common::answers(0, page, "8");
        answers.extend((page == 3).then_some(("open1", "请问我的朋友受访者2")));
        app.post(&format!("{link}/answers"), &answers).await;
    }
    app.post(&format!("{}/call-me", app.link(1).await), &[("when", "evening")]).await;
    deadlines::freeze(&app.context, "A1").await.unwrap();
    services::datasets::write_pending(&app.context).await.unwrap();
}

pub(crate) async fn applicant(app: &TestApp) -> Applicant {
    database::erasure::find(&mut app.context.database.read().await.unwrap(), "p26", "a")
        .await
        .unwrap()
        .unwrap()
}

pub(crate) async fn sealed_people(database: &Database) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut connection = database.read().await.unwrap();
    let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
    lists::sealed_persons(&mut connection, id).await.unwrap()
}

/// Returns the content of SQLite's files; of PostgreSQL, none.
fn database_files(context: &AppContext) -> Vec<(String, Vec<u8>)> {
    let Some(file) = context.config.database_url.strip_prefix("sqlite:") else { return Vec::new() };
    let file = file.trim_start_matches("//").split('?').next().unwrap();
    let files = ["", "-wal"].map(|suffix| format!("{file}{suffix}"));
    let content = files.map(|file| (file.clone(), std::fs::read(file).unwrap_or_default()));
    assert!(!content[0].1.is_empty(), "{file}");
    content.into()
}

/// Another machine's copy of the key ring, or one from a backup, does not keep a destroyed key.
#[tokio::test]
async fn a_destroyed_key_does_not_live_on_in_another_copy_of_the_ring() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        close_field(&app).await;
        let context = &app.context;
        let key = applicant(&app).await.key_id;
        let file = context.config.key_ring.join(format!("{key}.key"));
        let copy = std::fs::read(&file).unwrap();
        purge::purge(context, applicant(&app).await.id, ORDER).await.unwrap();
        let surviving = async || services::erasure::surviving_keys(context).await.unwrap().len();
        assert_eq!((surviving().await, file.exists()), (0, false), "{}", app.engine);
        std::fs::write(&file, copy).unwrap();
        std::fs::remove_file(context.config.key_ring.join(format!("{key}.destroyed"))).unwrap();
        assert_eq!(surviving().await, 1, "{}", app.engine);
        assert_eq!(services::erasure::destroy_surviving_keys(context).await.unwrap(), 1);
        assert_eq!((surviving().await, file.exists()), (0, false), "{}", app.engine);
    }
}

#[tokio::test]
async fn a_purge_that_was_cut_off_is_done_to_the_end() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        close_field(&app).await;
        let context = &app.context;
        let key = applicant(&app).await.key_id;
        // The key cannot be destroyed: a folder blocks the path of its marker file.
        let obstacle = context.config.key_ring.join(format!("{key}.destroyed"));
        std::fs::create_dir(&obstacle).unwrap();
        let file = context.config.key_ring.join(format!("{key}.key"));
        let hidden = context.config.key_ring.join("hidden");
        std::fs::rename(&file, &hidden).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(purge::purge(context, applicant(&app).await.id, ORDER).await.is_err());
        let owed = database::erasure::certificates(&mut context.database.read().await.unwrap())
            .await
            .unwrap();
        assert!(
            owed.len() == 1
                && owed[0].signature.is_none()
                && applicant(&app).await.purged_at.is_some(),
            "{}",
            app.engine
        );
        std::fs::remove_dir(&obstacle).unwrap();
        std::fs::remove_dir(&file).unwrap();
        std::fs::rename(&hidden, &file).unwrap();
        services::erasure::remove_expired(context).await.unwrap();
        let done = database::erasure::certificates(&mut context.database.read().await.unwrap())
            .await
            .unwrap();
        assert!(
            done.len() == 1 && services::erasure::is_genuine(&done[0]) && !file.exists(),
            "{}",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_person_sees_everything_and_is_erased_from_every_list() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        close_field(&app).await;
        app.register_brand("B1", "b", "").await;
        app.import(&["B1"], list(2).as_bytes()).await.unwrap();
        let context = &app.context;
        let exported =
            person::export(context, &number(0), &Actor::command("tester")).await.unwrap();
        let held = exported["records"].as_array().unwrap();
        assert_eq!(
            (held.len(), held[0]["name"].as_str(), held[1]["applicant"].as_str()),
            (2, Some("受访者0"), Some("b公司")),
            "{exported}"
        );
        assert_eq!(
            (
                held[0]["cases"][0]["disposition"].as_str(),
                held[0]["cases"][0]["answers"]["sat1"].as_str()
            ),
            (Some("1.1"), Some("8")),
            "{exported}"
        );
        assert!(matches!(
            person::export(context, "13900000000", &Actor::command("tester")).await,
            Err(ErasureError::UnknownNumber)
        ));

        let before = sealed_people(&context.database).await;
        let erased = person::erase(context, &number(0), ORDER).await.unwrap();
        let after = sealed_people(&context.database).await;
        let gone = before.into_iter().filter(|row| !after.contains(row)).flat_map(|(a, b)| [a, b]);
        let gone: Vec<Vec<u8>> = gone.filter(|blob| blob.len() > 16).collect();
        assert!(gone.len() >= 2, "{}", app.engine);
        for (file, content) in database_files(context) {
            for blob in &gone {
                assert!(
                    !content.windows(blob.len()).any(|bytes| bytes == blob),
                    "{file}: the erased are still in it byte for byte"
                );
            }
        }
        assert_eq!(
            (erased.people, erased.corrected.as_slice()),
            (2, [("A1".to_owned(), 2)].as_slice()),
            "{}",
            app.engine
        );
        assert!(matches!(
            person::export(context, &number(0), &Actor::command("tester")).await,
            Err(ErasureError::UnknownNumber)
        ));
        services::datasets::write_pending(context).await.unwrap();
        assert_eq!(
            services::datasets::verify(&context.config.datasets.join("A1/v2"), None)
                .unwrap()
                .responses,
            0
        );
        assert_eq!(app.get(&app.link(0).await).await.0, 404);
        assert_eq!(
            (app.get(&app.link(1).await).await.0, sealed_people(&context.database).await.len()),
            (200, 2),
            "{}: the others stay",
            app.engine
        );
        let launched = app.launch("C2", &["B1"], common::PLAN).await;
        assert!(
            launched.is_ok_and(|report| report.invitations == 1),
            "{}: nobody invites the erased",
            app.engine
        );
        let certificates =
            database::erasure::certificates(&mut context.database.read().await.unwrap())
                .await
                .unwrap();
        assert!(certificates.len() == 2 && certificates.iter().all(services::erasure::is_genuine));
        assert!(app.clock.now() > local("2026-03-03T00:00:00"));
    }
}

/// Returns which of these numbers are suppressed in the test's programme.
async fn suppressed(app: &TestApp, numbers: &[&str]) -> Vec<String> {
    let hash = |n: &str| {
        let phone = Phone::from_e164(&format!("+86{n}")).unwrap();
        app.context.keys.hasher().phone_hash(&phone)
    };
    let hashes: Vec<String> = numbers.iter().map(|n| hash(n)).collect();
    let mut connection = app.context.database.read().await.unwrap();
    let now = app.clock.now();
    let found = suppressions::among(&mut connection, &hashes, "p26", now).await.unwrap();
    let is_found = |n: &&&str| found.contains_key(&hash(n));
    numbers.iter().filter(is_found).map(|n| (**n).to_owned()).collect()
}

/// The Personal Information Protection Law gives access and erasure (articles 45 and 47) to whoever
/// a number identifies, not to whoever it was written down for first. A number that an erasure leaves
/// behind: eventespresso/event-espresso-core 509.
#[tokio::test]
async fn a_further_number_is_found_exported_suppressed_and_erased() {
    const A1: &str = "姓名,手机\n赵一,13917400001/13917400002\n钱二,13917400003/13917400009\n\
        孙三,13917400004/13917400009\n周五,13917400005/13917400006\n";
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        let (context, engine) = (&app.context, app.engine);
        app.register_brand("A1", "a", "").await;
        app.register_brand("A2", "a", "").await;
        app.register_brand("B1", "b", "").await;
        app.import(&["A1"], A1.as_bytes()).await.unwrap();
        app.import(&["B1"], "姓名,手机\n李四,13917400002\n".as_bytes()).await.unwrap();
        let tester = Actor::command("tester");
        let export = async |number: &str| match person::export(context, number, &tester).await {
            Ok(held) => held["records"].as_array().unwrap().clone(),
            Err(ErasureError::UnknownNumber) => Vec::new(),
            Err(error) => panic!("{error}"),
        };
        let named = |records: &[Value]| -> Vec<(String, bool)> {
            let name = |r: &Value| r["name"].as_str().unwrap().to_owned();
            records.iter().map(|r| (name(r), r["by_further_number"] == true)).collect()
        };
        // Of a database from before the hashes, too.
        for sql in
            ["DELETE FROM further_number", "UPDATE respondent SET further_numbers_hashed = 0"]
        {
            app.execute_sql(sql).await.unwrap();
        }
        let found = named(&export("13917400002").await);
        assert_eq!(found, [("李四".to_owned(), false), ("赵一".to_owned(), true)], "{engine}");
        let words = Personal::new("139 1740 0009");
        let cases = services::monitoring::search::search(context, &words, 10).await.unwrap();
        assert_eq!(cases.len(), 2, "{engine}");

        // An opt-out is the person's; a switchboard's says nothing of those behind it, and a dead
        // number nothing of the others.
        let suppress = async |number: &str, reason| {
            let phone = Phone::from_e164(&format!("+86{number}")).unwrap();
            let phone_hash = &context.keys.hasher().phone_hash(&phone);
            let request =
                SuppressionRequest { reason, programme: None, expires_at: None, phone_hash };
            let mut tx = context.database.write().await.unwrap();
            let (source, now) = (DispositionSource::Reply, app.clock.now());
            services::suppressions::suppress(&mut tx, &request, source, now).await.unwrap();
            tx.commit().await.unwrap();
            phone_hash.clone()
        };
        let all = ["13917400003", "13917400004", "13917400005", "13917400006", "13917400009"];
        suppress("13917400009", SuppressionReason::OptOut).await;
        suppress("13917400006", SuppressionReason::Invalid).await;
        assert_eq!(suppressed(&app, &all).await, ["13917400006", "13917400009"], "{engine}");
        app.execute_sql("DELETE FROM suppression").await.unwrap();
        let hash = suppress("13917400006", SuppressionReason::OptOut).await;
        assert_eq!(suppressed(&app, &all).await, ["13917400005", "13917400006"], "{engine}");
        let mut tx = context.database.write().await.unwrap();
        assert!(services::suppressions::resubscribe(&mut tx, &hash, None).await.unwrap());
        tx.commit().await.unwrap();
        assert!(suppressed(&app, &all).await.is_empty(), "{engine}");

        // Erased under its own number, and taken out of the data of the other.
        let erased = person::erase(context, "13917400002", ORDER).await.unwrap();
        assert_eq!((erased.people, erased.further_numbers), (1, 1), "{engine}");
        assert!(export("13917400002").await.is_empty(), "{engine}");
        let other = export("13917400001").await;
        assert_eq!(other[0]["other_numbers"], serde_json::json!([]), "{engine}");
        assert_eq!(suppressed(&app, &["13917400001", "13917400002"]).await, ["13917400002"]);
        let certificates = async || {
            let mut connection = context.database.read().await.unwrap();
            database::erasure::certificates(&mut connection).await.unwrap()
        };
        let deleted = |body: &str, what: &str| -> Value {
            serde_json::from_str::<Value>(body).unwrap()["deleted"][what].clone()
        };
        let issued: Vec<(String, Value, Value)> = certificates()
            .await
            .iter()
            .map(|c| {
                let of = |what| deleted(&c.body, what);
                (c.applicant_code.clone(), of("people"), of("further_numbers"))
            })
            .collect();
        let expected = [("a", 0, 1), ("b", 1, 0)].map(|(code, people, further)| {
            (code.to_owned(), Value::from(people), Value::from(further))
        });
        assert_eq!(issued, expected, "{engine}");
        // A list, or a backup, that brings it again.
        app.import(&["A2"], "姓名,手机\n吴六,13917400007/13917400002\n".as_bytes()).await.unwrap();
        services::erasure::reapply_erasures(context).await.unwrap();
        assert!(export("13917400002").await.is_empty(), "{engine}");
        assert_eq!(export("13917400007").await.len(), 1, "{engine}");

        // Where it cannot be taken out, the applicant is named.
        let hold = async |order| purge::set_hold(context, applicant(&app).await.id, order).await;
        hold(Some(ORDER)).await.unwrap();
        let erased = person::erase(context, "13917400009", ORDER).await.unwrap();
        assert_eq!((erased.further_numbers, erased.held), (0, vec!["a".to_owned()]), "{engine}");
        hold(None).await.unwrap();
        let key = applicant(&app).await.key_id;
        let file = context.config.key_ring.join(format!("{key}.key"));
        let hidden = context.config.key_ring.join("hidden");
        std::fs::rename(&file, &hidden).unwrap();
        let erased = person::erase(context, "13917400009", ORDER).await.unwrap();
        assert_eq!((erased.further_numbers, erased.unreadable), (0, vec!["a".to_owned()]));
        std::fs::rename(&hidden, &file).unwrap();
        assert_eq!(export("13917400009").await.len(), 2, "{engine}");
        let erased = person::erase(context, "13917400009", ORDER).await.unwrap();
        assert_eq!((erased.people, erased.further_numbers), (0, 2), "{engine}");

        purge::purge(context, applicant(&app).await.id, ORDER).await.unwrap();
        let left =
            "INSERT INTO further_number SELECT phone_hash, respondent_id FROM further_number";
        // It would fail on the first row that is left.
        app.execute_sql(left).await.unwrap();
        let last = certificates().await.pop().unwrap();
        assert_eq!(deleted(&last.body, "further_numbers"), 1, "{engine}");
    }
}

#[tokio::test]
async fn a_certificate_is_checked_by_openssl() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    close_field(&app).await;
    purge::purge(&app.context, applicant(&app).await.id, ORDER).await.unwrap();
    let certificate =
        database::erasure::certificates(&mut app.context.database.read().await.unwrap())
            .await
            .unwrap()
            .remove(0);
    let at = |name: &str| app.folder.path().join(name);
    let [(body, content), (_, signature)] = services::erasure::certificate_files(&certificate);
    std::fs::write(at(&body), &content).unwrap();
    std::fs::write(at("sig"), data_encoding::BASE64.decode(signature.trim().as_bytes()).unwrap())
        .unwrap();
    std::fs::write(at("key.pem"), app.context.keys.signer().unwrap().public().to_pem()).unwrap();
    let check = || {
        let arguments = [
            "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", &body,
            "-sigfile", "sig",
        ];
        Command::new("openssl")
            .args(arguments)
            .current_dir(app.folder.path())
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(check());
    std::fs::write(at(&body), content.replace("\"people\": 3", "\"people\": 4")).unwrap();
    assert!(!check());
}

/// Through the real binary, with the daemon running: the commands of the staff and their output.
#[tokio::test(flavor = "multi_thread")]
async fn staff_export_erase_back_up_and_purge_by_command() {
    for deployment in Deployment::on_each_engine(4, &Scenario::faultless(1, 50), 50).await {
        let run_on = |url: &str, arguments: &[&str], input: &str| {
            let mut child = deployment.command_line(arguments);
            child
                .env("FIELDWORKD_DATABASE__URL", url)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = child.spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            (
                output.status.code().unwrap(),
                String::from_utf8(output.stdout).unwrap()
                    + &String::from_utf8(output.stderr).unwrap(),
            )
        };
        let run = |arguments: &[&str], input: &str| run_on(&deployment.url, arguments, input);
        let done = |arguments: &[&str]| {
            let (status, said) = run(arguments, "");
            assert_eq!(status, 0, "{arguments:?}: {said}");
        };
        let daemon = deployment.start_daemon(&[]).await;
        wait_until("all are invited", async || {
            deployment.states().await.iter().map(|(_, n)| n).sum::<i64>() == 4
        })
        .await;

        done(&["backup", "before.backup"]);
        let (status, said) = run(&["backup", "before.backup"], "");
        assert!(status == 1 && said.contains("before.backup exists"), "{said}");
        let mode = std::fs::metadata(deployment.path().join("before.backup"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        let (status, said) = run(&["person", "export", "-"], &format!("{}\n", number(1)));
        let exported: Value = serde_json::from_str(&said).unwrap();
        assert!(
            status == 0
                && exported["records"][0]["name"] == "受访者1"
                && exported["records"][0]["messages"].as_array().unwrap().len() == 1,
            "{said}"
        );
        let (status, said) = run(&["person", "export", "12"], "");
        assert!(status == 1 && said.lines().count() == 1 && !said.contains("panicked"), "{said}");
        let (status, said) =
            run(&["person", "erase", "-", "--reason", "asked for it by letter"], &number(1));
        assert!(status == 0 && said.contains("erased from the lists of 1 applicants"), "{said}");
        assert_eq!(run(&["person", "export", "-"], &number(1)).0, 1);

        let purge =
            ["purge", "--programme", "p26", "--applicant", "a", "--reason", "the contract ended"];
        let (status, said) = run(&purge, "");
        assert!(status == 1 && said.contains("in the field"), "{said}");
        done(&["campaign", "close", "C1"]);
        wait_until("the dataset is written", async || {
            deployment.path().join("var/datasets/A1/v1").exists()
        })
        .await;
        assert!(run(&["purge", "--dry-run"], "").1.contains("by hand only"));
        done(&[
            "legal-hold",
            "set",
            "--programme",
            "p26",
            "--applicant",
            "a",
            "--reason",
            "a lawsuit",
        ]);
        let (status, said) = run(&purge, "");
        assert!(status == 1 && said.contains("legal hold") && said.contains("a lawsuit"), "{said}");
        assert!(run(&["legal-hold", "list", "--json"], "").1.contains("a lawsuit"));
        done(&["legal-hold", "lift", "--programme", "p26", "--applicant", "a"]);
        done(&purge);
        let (status, said) = run(&purge, "");
        assert!(status == 1 && said.contains("deleted already"), "{said}");
        assert_eq!(run(&["doctor"], "").0, 0, "{}", run(&["doctor"], "").1);
        let certificates: Value =
            serde_json::from_str(&run(&["certificate", "list", "--json"], "").1).unwrap();
        let kinds: Vec<_> = certificates
            .as_array()
            .unwrap()
            .iter()
            .map(|c| (c["kind"].as_str().unwrap(), c["signature_is_good"] == true))
            .collect();
        assert_eq!(kinds, [("erasure", true), ("purge", true)]);
        done(&["certificate", "export", "2", "certificates"]);
        assert!(deployment.path().join("certificates/certificate-2.json.sig").exists());
        done(&["dataset", "export", "A1", "exported"]);
        done(&["dataset", "verify", "exported"]);
        // The daemon has kept running throughout.
        assert!(!deployment.log().contains("panicked"), "{}", deployment.log());

        // The first backup is restored, and erases both again.
        let scout = tempfile::tempdir().unwrap();
        let url = common::fresh_urls(scout.path())
            .await
            .into_iter()
            .find(|url| url.starts_with("sqlite:") == deployment.url.starts_with("sqlite:"))
            .unwrap();
        let (status, said) = run_on(&url, &["restore", "before.backup"], "");
        assert!(
            status == 0
                && said.contains("deleted again")
                && said.contains("the personal data of 1 applicants"),
            "{said}"
        );
        let (status, said) = run_on(&url, &["restore", "before.backup"], "");
        assert!(status == 1 && said.contains("there is a database already"), "{said}");
        assert!(run_on(&url, &["purge", "--dry-run"], "").1.contains("deleted on"));
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
    }
}
