//! Restoring backups through the real binary: of every earlier schema, and refusals, full disks and
//! kills that leave nothing behind.
//!
//! Public reports: stevechen/HWIS#100 and chobbledotcom/tickets#1581 (refuse a newer schema before
//! anything is written), atomantic/PortOS#7227 and mikkelkrogsholm/rentemester#549 (an older backup
//! is migrated before it is checked), AzuraCast/AzuraCast#3833 (a failed restore must not leave
//! tables in the way of the next), libsql/sqld#732 (restore beside, replace on success).

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::deployment::Deployment;
use crate::common::{self, TestApp};
use fieldworkd::adapters::database::backup::BackupError;
use fieldworkd::adapters::database::restore::{StageError, stage};
use fieldworkd::adapters::database::{Database, events, suppressions};
use fieldworkd::simulation::Scenario;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, Executor, SqlSafeStr};

/// A fresh database of the same engine as `url`; the folder holds it, if it is a file.
async fn fresh_url(url: &str, folder: &Path) -> String {
    let is_file = |url: &str| url.starts_with("sqlite:");
    let urls = common::fresh_urls(folder).await;
    urls.into_iter().find(|fresh| is_file(fresh) == is_file(url)).unwrap()
}

/// Runs the binary of a deployment on another database. Returns its status and all that it says.
fn run_on(deployment: &Deployment, url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = deployment
        .command_line(arguments)
        .env("FIELDWORKD_DATABASE__URL", url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said.into_owned())
}

/// The names in a folder, except the key ring's.
fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Whether nothing is in the database: no file, or no table, function or sequence.
async fn is_empty(url: &str, folder: &Path) -> bool {
    if url.starts_with("sqlite:") {
        return names(folder).is_empty();
    }
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    let sql = "SELECT (SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = \
        c.relnamespace WHERE n.nspname = current_schema()) + (SELECT COUNT(*) FROM pg_proc p JOIN \
        pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = current_schema())";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    count == 0
}

/// Executes statements in a database that nobody else has open.
async fn execute(url: &str, sql: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned()).into_sql_str()).await.unwrap();
    connection.close().await.unwrap();
}

/// Makes a backup of a database whatever its schema, as the command does.
async fn back_up(url: &str, file: &Path) {
    if url.starts_with("sqlite:") {
        execute(url, &format!("VACUUM INTO '{}'", file.display())).await;
        return;
    }
    let dumped = Command::new("pg_dump")
        .args(["--format=custom", "--no-owner", "--no-privileges", "--dbname", url, "--file"])
        .arg(file)
        .output()
        .unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
}

/// The migrations of an engine in the order of their numbers.
fn migrations(engine: &str) -> Vec<Migration> {
    let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
    let read = |name: &String| {
        let (number, description) = name.trim_end_matches(".sql").split_once('_').unwrap();
        let sql = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        Migration::new(
            number.parse().unwrap(),
            description.replace('_', " ").into(),
            MigrationType::Simple,
            AssertSqlSafe(sql).into_sql_str(),
            false,
        )
    };
    names(Path::new(&folder)).iter().map(read).collect()
}

/// Rows that every schema has room for.
const ROWS: &str = "
    INSERT INTO programme (id, code, definition, updated_at) VALUES (7, 'old', '', 1);
    INSERT INTO applicant (id, programme_id, code, name, key_id) VALUES (7, 7, 'x', 'x', 'KEY');
    INSERT INTO event_endpoint (id, name, url, kinds, created_by, created_at)
        VALUES (7, 'scoring', 'https://scoring.example/', 'list.imported', 'zhao', 1700000000000);
    INSERT INTO event_delivery (id, endpoint_id, kind, body, created_at, next_at)
        VALUES (7, 7, 'list.imported', '{}', 1700000000000, 1700000000000);
    INSERT INTO suppression (phone_hash, scope, reason, created_at) VALUES ('h', '', 'r', 1);
    INSERT INTO reply (id, gateway, dedup_hash, phone_hash, meaning, received_at)
        VALUES (7, 'simulator', 'd', 'h', 'other', 1700000000000);
    INSERT INTO gateway_rate (gateway, arrival_micros) VALUES ('simulator', 0);
";

/// What the cases of [`OLD_DISPOSITIONS`] belong to.
const OLD_FIELD: &str = "
    INSERT INTO campaign (id, programme_id, code, plan, gateway, state, launched_at)
        VALUES (7, 7, 'c', '', 'simulator', 'closed', 1);
    INSERT INTO application (id, applicant_id, code, category, subject, quota, campaign_id, state)
        VALUES (7, 7, 'A', 'service', 's', '', 7, 'closed');
    INSERT INTO quota_cell (application_id, number, name, condition, kind, target)
        VALUES (7, 0, 'total', '', 'hard', 9);
    INSERT INTO account (id, name, role, languages, password_hash, created_at)
        VALUES (7, 'wang', 'interviewer', 'zh', 'x', 1);
";

/// A disposition, its source and its time.
type OldChange = (&'static str, &'static str, i64);

/// What was noted of a case under the old rules, and its disposition under the present ones.
const OLD_DISPOSITIONS: [(&str, &[OldChange], (&str, i64)); 8] = [
    ("4.8", &[("2.20", "receipt", 10), ("4.8", "close", 20)], ("2.20", 10)),
    ("4.8", &[("4.8", "close", 20)], ("3.11", 20)),
    ("4.8", &[("2.20", "receipt", 10), ("4.8", "web", 20)], ("4.8", 20)),
    ("4.31", &[("4.31", "telephone", 20)], ("3.31", 20)),
    ("4.31", &[("4.31", "receipt", 20)], ("3.30", 20)),
    ("4.32", &[("4.32", "telephone", 20)], ("3.32", 20)),
    ("4.33", &[("4.33", "telephone", 20)], ("3.33", 20)),
    ("4.7", &[("4.7", "telephone", 20)], ("3.34", 20)),
];

/// The statements that fill a database of this schema, up to the migration with this number.
fn old_rows(engine: &str, version: i64, key: &str) -> Vec<String> {
    let mut rows: Vec<String> =
        ROWS.replace("KEY", key).split(';').map(|sql| sql.trim().to_owned()).collect();
    rows.extend(OLD_FIELD.split(';').map(|sql| sql.trim().to_owned()));
    for (nth, (old, changes, (new, disposed_at))) in OLD_DISPOSITIONS.iter().enumerate() {
        let id = nth + 1;
        let is_old = version < 8;
        let (disposition, at) = if is_old { (*old, 20) } else { (*new, *disposed_at) };
        rows.push(format!(
            "INSERT INTO respondent (id, applicant_id, phone_hash, phone_kind, phone_sealed, \
                person_sealed, language, created_at, erased_at) \
                VALUES ({id}, 7, 'p{id}', 'mobile', EMPTY, EMPTY, 'zh', 1, 2)"
        ));
        rows.push(format!(
            "INSERT INTO invitation (id, campaign_id, respondent_id, token_hash) \
                VALUES ({id}, 7, {id}, 't{id}')"
        ));
        rows.push(format!(
            "INSERT INTO survey_case (id, application_id, respondent_id, invitation_id, segment, \
                pseudonym, disposition, disposed_at, is_open) \
                VALUES ({id}, 7, {id}, {id}, 's', 'r{id}', '{disposition}', {at}, 0)"
        ));
        for (disposition, source, at) in changes.iter().filter(|_| is_old) {
            rows.push(format!(
                "INSERT INTO disposition_change (case_id, disposition, source, changed_at) \
                    VALUES ({id}, '{disposition}', '{source}', {at})"
            ));
        }
        if nth < 2 {
            // The second lease runs longer, and the second verification was claimed later.
            let holder = if version < 6 || nth == 1 { "7" } else { "NULL" };
            rows.push(format!(
                "INSERT INTO call_queue (invitation_id, campaign_id, step, entered_at, max_calls, \
                    language, leased_by, leased_until) \
                    VALUES ({id}, 7, 0, 1, 9, 'zh', {holder}, {id}00)"
            ));
            rows.push(format!(
                "INSERT INTO verification (id, call_id, invitation_id, drawn_at, taken_by, \
                    taken_at) VALUES ({id}, {id}, {id}, 1, {holder}, {id})"
            ));
        }
    }
    let empty = if engine == "sqlite" { "x''" } else { "''" };
    rows.retain(|sql| !sql.is_empty());
    rows.iter().map(|sql| sql.replace("EMPTY", empty)).collect()
}

/// The dispositions of the cases, with their times, and who holds leases and verifications.
async fn carried(connection: &mut sqlx::AnyConnection) -> (Vec<(String, i64)>, Vec<String>) {
    let cases = sqlx::query_as("SELECT disposition, disposed_at FROM survey_case ORDER BY id")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let holders = sqlx::query_scalar(
        "SELECT 'lease ' || CAST(invitation_id AS TEXT) FROM call_queue WHERE leased_by = 7 \
            UNION ALL SELECT 'verification ' || CAST(id AS TEXT) FROM verification \
            WHERE taken_by = 7",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    (cases, holders)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_every_earlier_schema_is_migrated() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        let all = migrations(app.engine);
        let key = app.context.keys.create_key().unwrap();
        for count in 1..=all.len() {
            let scratch = tempfile::tempdir().unwrap();
            let old = fresh_url(&app.context.config.database_url, scratch.path()).await;
            sqlx::any::install_default_drivers();
            let pool = sqlx::AnyPool::connect(&if app.engine == "sqlite" {
                format!("{old}?mode=rwc")
            } else {
                old.clone()
            })
            .await
            .unwrap();
            Migrator::with_migrations(all[..count].to_vec()).run(&pool).await.unwrap();
            for sql in old_rows(app.engine, all[count - 1].version, &key) {
                pool.execute(AssertSqlSafe(sql.clone()).into_sql_str())
                    .await
                    .unwrap_or_else(|error| panic!("{} {count}: {sql}: {error}", app.engine));
            }
            pool.close().await;
            let file = scratch.path().join("backup");
            back_up(&old, &file).await;

            let target = tempfile::tempdir().unwrap();
            let url = fresh_url(&old, target.path()).await;
            let config = fieldworkd::adapters::config::Config {
                database_url: url.clone(),
                ..app.context.config.clone()
            };
            let actor = fieldworkd::domain::audit::Actor::command("tester");
            let clock = app.clock.clone();
            fieldworkd::services::restore::restore(config, clock, &actor, &file, false)
                .await
                .unwrap_or_else(|error| panic!("{} {count}: {error}", app.engine));
            let database = Database::open(&url).await.unwrap();
            let mut connection = database.read().await.unwrap();
            let endpoint = events::endpoint(&mut connection, "scoring").await.unwrap().unwrap();
            let sent = events::deliveries(&mut connection, endpoint.id, None, 9).await.unwrap();
            let suppressed = suppressions::list(&mut connection).await.unwrap();
            assert_eq!(
                (endpoint.secret.current.0, sent.len(), suppressed.len()),
                (if count == 1 { 1_700_000_000_000 } else { 0 }, 1, 1),
                "{} {count}",
                app.engine
            );
            let (cases, holders) = carried(&mut connection).await;
            let expected: Vec<(String, i64)> =
                OLD_DISPOSITIONS.iter().map(|(.., (code, at))| ((*code).to_owned(), *at)).collect();
            assert_eq!(cases, expected, "{} {count}", app.engine);
            assert_eq!(holders, ["lease 2", "verification 2"], "{} {count}", app.engine);
            let version: i64 = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_eq!(version, all.last().unwrap().version, "{}", app.engine);
            drop(connection);
            database.close().await;
            if app.engine == "sqlite" {
                let left = names(target.path());
                assert!(left.iter().all(|name| name.starts_with("test.db")), "{left:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_restore_leaves_nothing_and_the_right_backup_restores() {
    for deployment in Deployment::on_each_engine(3, &Scenario::faultless(1, 50), 50).await {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name).display().to_string();
        let (right, ring) = (path("right.backup"), deployment.path().join("var/keyring"));
        deployment.run_command(&["backup", &right]);
        let bytes = std::fs::read(&right).unwrap();

        // A backup of a later version: one migration more.
        let later = tempfile::tempdir().unwrap();
        let later_url = fresh_url(&deployment.url, later.path()).await;
        assert_eq!(run_on(&deployment, &later_url, &["restore", &right]).0, Some(0));
        let one_more = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
            execution_time) SELECT 9999, 'later', success, checksum, execution_time FROM \
            _sqlx_migrations WHERE version = 1";
        execute(&later_url, one_more).await;
        back_up(&later_url, Path::new(&path("later.backup"))).await;
        std::fs::write(path("cut.backup"), &bytes[..bytes.len() * 2 / 3]).unwrap();
        std::fs::write(path("begun.backup"), &bytes[..20]).unwrap();
        let mut damaged = bytes.clone();
        let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 20_000);
        damaged[from..to.min(bytes.len() - 1)].fill(b'z');
        std::fs::write(path("damaged.backup"), damaged).unwrap();
        std::fs::write(path("text.backup"), "hello").unwrap();

        let target = tempfile::tempdir().unwrap();
        let url = fresh_url(&deployment.url, target.path()).await;
        let refused = async |name: &str, code: &str| {
            let (status, said) = run_on(&deployment, &url, &["restore", &path(name)]);
            assert!(status == Some(1) && said.contains(code), "{url} {name}: {said}");
            assert!(!said.contains("backup is restored"), "{url} {name}: {said}");
            assert!(is_empty(&url, target.path()).await, "{url} {name}: something is left");
        };
        refused("later.backup", "[database.newer_schema]").await;
        refused("cut.backup", "[backup.damaged]").await;
        refused("begun.backup", "[backup.damaged]").await;
        refused("damaged.backup", "[backup.damaged]").await;
        refused("text.backup", "[backup.no_backup]").await;
        refused("absent.backup", "[backup.file]").await;

        // No key ring, one of another database, and one without the applicant's key.
        let kept = deployment.path().join("var/kept");
        std::fs::rename(&ring, &kept).unwrap();
        refused("right.backup", "[restore.no_key_ring]").await;
        assert!(!ring.exists(), "a new key ring was made");
        std::fs::create_dir(&ring).unwrap();
        std::fs::write(ring.join("installation.key"), "11".repeat(32)).unwrap();
        refused("right.backup", "[restore.keys_missing]").await;
        std::fs::remove_dir_all(&ring).unwrap();
        std::fs::rename(&kept, &ring).unwrap();

        let (status, said) = run_on(&deployment, &url, &["restore", &right]);
        assert!(status == Some(0) && said.contains("right.backup is restored"), "{url}: {said}");
        assert_eq!(run_on(&deployment, &url, &["doctor"]).0, Some(0), "{url}");
        let (status, said) = run_on(&deployment, &url, &["restore", &right]);
        assert!(status == Some(1) && said.contains("there is a database already"), "{said}");
    }
}

/// A key ring from before a purge, and a backup from after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_certificate_says_is_destroyed_stops_a_restore() {
    for deployment in Deployment::on_each_engine(3, &Scenario::faultless(1, 50), 50).await {
        let ring = deployment.path().join("var/keyring");
        let keys: Vec<_> = names(&ring)
            .into_iter()
            .filter(|name| name.ends_with(".key") && name != "installation.key")
            .map(|name| (ring.join(&name), std::fs::read(ring.join(&name)).unwrap()))
            .collect();
        deployment.run_command(&["campaign", "close", "C1"]);
        let purge = ["purge", "--programme", "p26", "--applicant", "a", "--reason", "it is over"];
        deployment.run_command(&purge);
        deployment.run_command(&["backup", "after.backup"]);
        for (file, content) in &keys {
            std::fs::write(file, content).unwrap();
        }
        let target = tempfile::tempdir().unwrap();
        let url = fresh_url(&deployment.url, target.path()).await;
        let (status, said) = run_on(&deployment, &url, &["restore", "after.backup"]);
        assert!(status == Some(1) && said.contains("[restore.destroyed_keys]"), "{url}: {said}");
        assert!(is_empty(&url, target.path()).await, "{url}: something is left");
        // Deleted by hand, as the message says.
        for (file, _) in keys
            .iter()
            .filter(|(file, _)| said.contains(file.file_name().unwrap().to_str().unwrap()))
        {
            std::fs::remove_file(file).unwrap();
        }
        let (status, said) = run_on(&deployment, &url, &["restore", "after.backup"]);
        assert_eq!(status, Some(0), "{url}: {said}");
    }
}

/// Only SQLite's files are written by this process.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_kill_leave_no_database() {
    let scenario = Scenario::faultless(1, 50);
    let deployment = Deployment::on_each_engine(3, &scenario, 50).await.remove(0);
    deployment.run_command(&["backup", "right.backup"]);
    let target = tempfile::tempdir().unwrap();
    let url = fresh_url(&deployment.url, target.path()).await;
    let size = std::fs::metadata(deployment.path().join("right.backup")).unwrap().len();
    // In blocks of 512 bytes: while it is copied, and while it is migrated and written to.
    for blocks in [size / 1024, size / 512 + 1] {
        let program = env!("CARGO_BIN_EXE_fieldworkd");
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {program} --config fieldworkd.toml restore \
                right.backup"
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(deployment.path())
            .env("FIELDWORKD_DATABASE__URL", &url)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            assert!(blocks > size / 1024, "{said}");
            std::fs::remove_file(target.path().join("test.db")).unwrap();
        } else {
            assert!(output.stdout.is_empty(), "{said}");
        }
        assert_eq!(names(target.path()), Vec::<String>::new(), "{said}");
    }
    // Killed at any moment: no database, and what is left is no hindrance.
    for millis in [5, 15, 30, 60, 90, 120, 160] {
        let mut child = deployment.command_line(&["restore", "right.backup"]);
        child.env("FIELDWORKD_DATABASE__URL", &url).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        child.kill().unwrap();
        let is_done = child.wait().unwrap().success();
        let database = target.path().join("test.db");
        if !is_done && !database.exists() {
            continue;
        }
        // It came into place: then it is whole.
        assert_eq!(run_on(&deployment, &url, &["doctor"]).0, Some(0));
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(target.path().join(format!("test.db{suffix}")));
        }
    }
    let (status, said) = run_on(&deployment, &url, &["restore", "right.backup"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(names(target.path()), ["test.db"]);
}

/// With PostgreSQL, the backup stands in the configured database before it is migrated and checked.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_starts_on_a_restore_that_was_cut_off() {
    let scenario = Scenario::faultless(1, 50);
    for deployment in Deployment::on_each_engine(3, &scenario, 50).await {
        if deployment.url.starts_with("sqlite:") {
            continue;
        }
        deployment.run_command(&["backup", "right.backup"]);
        let file = deployment.path().join("right.backup");
        let target = tempfile::tempdir().unwrap();
        let url = fresh_url(&deployment.url, target.path()).await;
        // As a kill leaves it between the restoring transaction and the checks.
        drop(stage(&url, &file).await.unwrap());
        for command in [&["doctor"][..], &["migrate"], &["campaign", "list"]] {
            let (status, said) = run_on(&deployment, &url, command);
            assert_ne!(status, Some(0), "{command:?}: {said}");
            assert!(
                said.contains("a restore into the database was cut off"),
                "{command:?}: {said}"
            );
        }
        let (status, said) = run_on(&deployment, &url, &["restore", "right.backup"]);
        assert_eq!(status, Some(0), "{said}");
        assert_eq!(run_on(&deployment, &url, &["doctor"]).0, Some(0));
        // Killed at any moment: a database that opens is whole, and a restore begins anew.
        for millis in [20, 60, 120, 200, 280, 360, 440, 520] {
            let url = fresh_url(&deployment.url, target.path()).await;
            let mut child = deployment.command_line(&["restore", "right.backup"]);
            child.env("FIELDWORKD_DATABASE__URL", &url);
            let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(millis)).await;
            child.kill().unwrap();
            let is_done = child.wait().unwrap().success();
            let (status, said) = run_on(&deployment, &url, &["restore", "right.backup"]);
            if status == Some(0) {
                assert!(!is_done, "{millis}: {said}");
            } else {
                // The first one was done but for its last words.
                assert!(said.contains("[backup.not_empty]"), "{millis}: {said}");
            }
            let (status, said) = run_on(&deployment, &url, &["doctor"]);
            assert_eq!(status, Some(0), "{millis}: {said}");
        }
        // A pg_restore whose parent was killed connects only now, beside the next restore.
        for millis in [0, 50, 100, 150, 200, 250, 300] {
            let url = fresh_url(&deployment.url, target.path()).await;
            drop(stage(&url, &file).await.unwrap());
            let mut child = deployment.command_line(&["restore", "right.backup"]);
            child.env("FIELDWORKD_DATABASE__URL", &url);
            let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(millis)).await;
            let _ = std::process::Command::new("pg_restore")
                .args(["--exit-on-error", "--single-transaction", "--no-owner", "--dbname", &url])
                .arg(&file)
                .stderr(Stdio::null())
                .status()
                .unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{millis}: {said}");
            let (status, said) = run_on(&deployment, &url, &["doctor"]);
            assert_eq!(status, Some(0), "{millis}: {said}");
        }
    }
}

#[tokio::test]
async fn what_is_in_the_way_of_a_database_is_not_played_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("new.db").display());
    let file = folder.path().join("file");
    std::fs::write(&file, b"PGDMP and more").unwrap();
    assert!(matches!(
        stage(&url, &file).await,
        Err(StageError::Backup(BackupError::OtherEngine { .. }))
    ));
    std::fs::write(&file, [b"SQLite format 3\0".as_slice(), &[7; 5_000]].concat()).unwrap();
    for suffix in ["-wal", "-journal"] {
        let log = folder.path().join(format!("new.db{suffix}"));
        std::fs::write(&log, "x").unwrap();
        assert!(
            matches!(stage(&url, &file).await, Err(StageError::Backup(BackupError::NotEmpty(_)))),
            "{suffix}"
        );
        std::fs::remove_file(log).unwrap();
    }
    assert_eq!(names(folder.path()), ["file"]);
}
