//! I7, never leak: no name, number or answer in a log, address or dataset; at rest they are sealed,
//! and forgotten when the time is over.
//! Held by a search for every name and number in all that the demo leaves behind, backups after a
//! purge, every route as every role, an audit log that is tampered with, and people who are masked
//! at the console; and by traces in `tests/serve.rs` and interviewers' notes in
//! `tests/call_center.rs`.
//! To see one fail, show a number: in `mask` of `src/services/monitoring/search.rs`, replace
//! `masked(&number.national())` by `number.national()`, and
//! `people_are_found_by_number_or_name_and_are_masked_until_somebody_asks` fails.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::access_control::silent;
use crate::common;
use crate::common::browser::{Browser, add_account};
use crate::common::{TestApp, demo, list_of, local, number};
use crate::console::{EARLY_ALARMS, advance_ten_days, entries, people};
use crate::erasure::{ORDER, applicant, close_field, sealed_people};
use fieldworkd::adapters::database;
use fieldworkd::adapters::database::audit::{self, AuditFilter, LogVerification};
use fieldworkd::adapters::database::{backup, datasets, restore};
use fieldworkd::domain::audit::{Action, Actor};
use fieldworkd::domain::role::Role;
use fieldworkd::interfaces::http;
use fieldworkd::services;
use fieldworkd::services::erasure::{ErasureError, purge};
use fieldworkd::services::programmes::add_applications;
use fieldworkd::services::sealing::open_phone;
use fieldworkd::simulation::Scenario;
use serde_json::Value;
use sqlx::Connection;

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Returns every name and number on the demo's lists, including rejected rows: as written, and the
/// number's bare digits.
fn everything_personal() -> BTreeSet<String> {
    let mut personal = BTreeSet::new();
    for list in files_below(Path::new("config/demo/lists")) {
        let rows =
            fieldworkd::services::list_import::read_table(&std::fs::read(&list).unwrap()).unwrap();
        let header =
            rows.iter().find(|row| row.cells.iter().any(|c| c.contains("姓名") || c == "Name"));
        let columns: Vec<usize> = match header {
            // The one list without a header has a name and a number in each row.
            None => vec![0, 1],
            Some(header) => (0..header.cells.len())
                .filter(|&i| {
                    ["姓名", "Name", "手机", "Mobile", "电话", "固话"]
                        .iter()
                        .any(|word| header.cells[i].contains(word))
                })
                .collect(),
        };
        let first = header.map_or(0, |header| header.number);
        for row in rows.iter().filter(|row| row.number > first) {
            for cell in columns
                .iter()
                .filter_map(|&i| row.cells.get(i))
                .map(|c| c.trim())
                .filter(|c| c.chars().count() >= 2)
            {
                personal.insert(cell.to_owned());
                let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
                if digits.len() >= 7 {
                    let digits = digits.trim_start_matches("0086");
                    personal.insert(
                        digits
                            .strip_prefix("86")
                            .filter(|d| d.len() == 11)
                            .unwrap_or(digits)
                            .to_owned(),
                    );
                }
            }
        }
    }
    // Texts in number columns instead of a number, which a page or a list may contain as well.
    for word in ["见备注", "号码有误", "not yet known"] {
        assert!(personal.remove(word), "{word}");
    }
    personal
}

/// At the most verbose log level, no name and no number of the lists is in the database's files,
/// the log, the datasets or the output.
#[test]
fn no_name_and_no_number_leaks() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("d");
    let output = demo(&folder, &["--seed", "3"], &[("FIELDWORKD_LOG__LEVEL", "trace")]);
    let report = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        report.contains("sent twice 0, outside hours 0, over the rate 0, over quota 0")
            && report.contains("One interview about"),
        "{report}"
    );
    let personal = everything_personal();
    assert!(personal.len() > 600, "{}", personal.len());
    let mut haystacks = vec![
        ("standard output".to_owned(), output.stdout),
        ("standard error".to_owned(), output.stderr),
    ];
    for file in files_below(&folder) {
        haystacks.push((file.display().to_string(), std::fs::read(&file).unwrap()));
    }
    let log = haystacks.iter().find(|(name, _)| name.ends_with("fieldworkd.log")).unwrap();
    assert!(
        String::from_utf8_lossy(&log.1).contains("\"route\":\"/i/{code}\""),
        "the log is talkative"
    );
    assert!(
        haystacks.iter().any(|(name, _)| name.ends_with("fieldworkd.db"))
            && haystacks.iter().any(|(name, _)| name.ends_with("responses.csv"))
    );
    for (name, content) in &haystacks {
        let text = String::from_utf8_lossy(content);
        let leaks = personal.iter().filter(|secret| text.contains(secret.as_str())).count();
        assert_eq!(leaks, 0, "{name} holds {leaks} of the lists' names and numbers");
    }
}

/// Counts the cells of the database that contain personal data, without using our own code: numbers
/// and names, list fields, open answers, replies, links.
async fn personal_cells(url: &str) -> [i64; 5] {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    let mut counts = [0; 5];
    let tables = [
        "respondent WHERE LENGTH(phone_sealed) + LENGTH(person_sealed) > 0 OR phone_hash NOT \
            LIKE 'erased-%'",
        "survey_case WHERE fields_sealed IS NOT NULL",
        "answer WHERE value_sealed IS NOT NULL",
        "reply WHERE text_sealed IS NOT NULL OR phone_hash <> ''",
        "invitation WHERE token_hash NOT LIKE 'erased-%'",
    ];
    for (count, table) in counts.iter_mut().zip(tables) {
        let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        *count = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    counts
}

#[tokio::test]
async fn people_are_erased_after_retention_and_no_backup_reveals_them() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        close_field(&app).await;
        let context = &app.context;
        let file = app.folder.path().join("before.backup");
        backup::backup(&context.database, &context.config.database_url, &file).await.unwrap();
        let before = sealed_people(&context.database).await;
        assert_eq!(before.len(), 3);
        assert_eq!(
            personal_cells(&context.config.database_url).await,
            [3, 3, 1, 1, 3],
            "{}",
            app.engine
        );
        let key = applicant(&app).await.key_id;

        let responses =
            std::fs::read_to_string(context.config.datasets.join("A1/v1/responses.csv")).unwrap();
        let had_answer = responses.contains("请问我的朋友[…]");
        assert_eq!(
            services::erasure::remove_expired(context).await.unwrap().applicants,
            0,
            "{}: not yet",
            app.engine
        );
        app.clock.advance_to(local("2026-04-04T12:00:00"));
        purge::set_hold(context, applicant(&app).await.id, Some(ORDER)).await.unwrap();
        assert_eq!(
            services::erasure::remove_expired(context).await.unwrap().applicants,
            0,
            "{}: under a hold",
            app.engine
        );
        let refused = purge::purge(context, applicant(&app).await.id, ORDER).await.unwrap_err();
        assert!(matches!(refused, ErasureError::LegalHold { .. }), "{refused}");
        purge::set_hold(context, applicant(&app).await.id, None).await.unwrap();
        assert_eq!(
            services::erasure::remove_expired(context).await.unwrap().applicants,
            1,
            "{}",
            app.engine
        );
        assert_eq!(
            services::erasure::remove_expired(context).await.unwrap().applicants,
            0,
            "{}: once",
            app.engine
        );

        // Nothing can be unsealed any more, wherever it is stored.
        assert!(sealed_people(&context.database).await.is_empty());
        assert_eq!(personal_cells(&context.config.database_url).await, [0; 5], "{}", app.engine);
        assert!(
            context.keys.sealer(&key).is_err()
                && context.keys.destruction_reason(&key).unwrap().is_some()
        );
        assert_eq!(app.get(&app.link(0).await).await.0, 404, "{}", app.engine);
        let certificates =
            database::erasure::certificates(&mut context.database.read().await.unwrap())
                .await
                .unwrap();
        assert!(certificates.len() == 1 && services::erasure::is_genuine(&certificates[0]));
        let body: Value = serde_json::from_str(&certificates[0].body).unwrap();
        assert_eq!(
            (body["deleted"]["people"].as_u64(), body["deleted"]["key"].as_str()),
            (Some(3), Some(key.as_str())),
            "{body}"
        );
        assert!(!certificates[0].body.contains("受访者"));
        // Frozen data remains, under pseudonyms.
        let version =
            datasets::all(&mut context.database.read().await.unwrap()).await.unwrap().remove(0);
        let out = app.folder.path().join("exported");
        services::datasets::export(context, &version, &out).await.unwrap();
        assert_eq!(services::datasets::verify(&out, None).unwrap().responses, 1);
        let has_answer = |folder: &std::path::Path| {
            std::fs::read_to_string(folder.join("responses.csv"))
                .is_ok_and(|csv| csv.contains("请问我的朋友"))
        };
        assert!(
            had_answer && !has_answer(&out) && !context.config.datasets.join("A1/v1").exists(),
            "{}: our copy with open answers is gone",
            app.engine
        );
        // No people can be added to the applicant.
        let again = "programme = \"p26\"\n[[application]]\ncode = \"A2\"\napplicant = { code = \
            \"a\", name = \"a\" }\ncategory = \"brand\"\n\
                     subject = { brand = \"x\" }\n";
        assert!(
            add_applications(context, again)
                .await
                .unwrap_err()
                .to_string()
                .contains("was deleted on 2026-04-04")
        );

        // The earlier backup is restored: its people can never be unsealed, and are erased again.
        let scout = tempfile::tempdir().unwrap();
        let urls = common::fresh_urls(scout.path()).await;
        let url = urls
            .into_iter()
            .find(|url| url.starts_with("sqlite:") == (app.engine == "sqlite"))
            .unwrap();
        restore::stage(&url, &file).await.unwrap().finish().await.unwrap();
        assert!(
            matches!(
                restore::stage(&url, &file).await,
                Err(restore::StageError::Backup(backup::BackupError::NotEmpty(_)))
            ),
            "{}",
            app.engine
        );
        let config =
            fieldworkd::adapters::config::Config { database_url: url, ..context.config.clone() };
        let restored = fieldworkd::services::context::AppContext::open(config, app.clock.clone())
            .await
            .unwrap();
        assert_eq!(sealed_people(&restored.database).await.len(), 3);
        for (_, phone) in before {
            assert!(
                restored
                    .keys
                    .sealer(&key)
                    .and_then(|sealer| open_phone(&sealer, &phone).map_err(Into::into))
                    .is_err()
            );
        }
        assert_eq!(
            services::erasure::reapply_erasures(&restored).await.unwrap(),
            (1, 0),
            "{}",
            app.engine
        );
        assert!(sealed_people(&restored.database).await.is_empty());
    }
}

const STAFF: [(&str, Role); 5] = [
    ("wu", Role::Interviewer),
    ("zheng", Role::Supervisor),
    ("li", Role::Auditor),
    ("qian", Role::Operator),
    ("zhao", Role::Administrator),
];

/// Forms without an audit entry ahead of the action: their services write one in the transaction of
/// the change, or change only the own session or call.
const AUDITED_BY_SERVICE: [&str; 56] = [
    "/campaigns/{code}/paper/print",
    "/campaigns/{code}/paper/runs/{run}",
    "/holidays/{year}",
    "/inbox/handle",
    "/inbox/{reply}/answer",
    "/inbox/{reply}/preview",
    "/paper",
    "/paper/{number}",
    "/paper/{number}/asked",
    "/paper/{number}/came-after",
    "/paper/{number}/differences",
    "/paper/{number}/prefer",
    "/paper/{number}/returned",
    "/questionnaires/{category}/edit",
    "/questionnaires/{category}/edit/phone",
    "/questionnaires/{category}/edit/release",
    "/questionnaires/{category}/edit/undo",
    "/applications/{code}/responses/{case}",
    "/drafts/{code}/preview",
    "/drafts/{code}/test",
    "/lists/discard",
    "/accounts",
    "/accounts/{name}/disable",
    "/accounts/{name}/link",
    "/accounts/{name}/link/revoke",
    "/accounts/{name}/person",
    "/accounts/{name}/second-factor",
    "/cases/{case}/export",
    "/datasets/{application}/{version}/review",
    "/interview/next",
    "/interview/{call}/alive",
    "/interview/{call}/answers",
    "/interview/{call}/begin",
    "/interview/{call}/dial",
    "/interview/{call}/resume",
    "/staff/account/password",
    "/staff/account/second-factor",
    "/staff/account/second-factor/confirm",
    "/staff/account/second-factor/remove",
    "/staff/language",
    "/staff/sign-out",
    "/supervision/appointments/move",
    "/supervision/assign",
    "/supervision/calls/{call}/person",
    "/supervision/calls/{call}/sit",
    "/supervision/names",
    "/supervision/shifts",
    "/supervision/shifts/{id}/remove",
    "/supervision/verifications/{id}/call",
    "/tokens",
    "/tokens/{name}/revoke",
    "/webhooks",
    "/webhooks/{name}/remove",
    "/webhooks/{name}/resend",
    "/webhooks/{name}/rotate",
    "/webhooks/{name}/test",
];

/// Returns a path with its parameters filled in.
fn fill_path(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_route_is_open_to_its_roles_and_to_nobody_else() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    for (name, role) in STAFF {
        add_account(&app, name, role).await;
    }
    let table = http::staff_route_table(app.context.clone());
    assert!(table.len() > 25, "{}", table.len());
    let nobody = Browser::new(&app);
    for route in &table {
        let path = fill_path(route.path);
        if route.method == "GET" {
            let (status, to, _) = nobody.get(&path).await;
            assert!(
                status == 303 && to.starts_with("/staff/sign-in"),
                "nobody at {path}: {status} {to}"
            );
        } else {
            assert_eq!(nobody.post(&path, &[]).await.0, 401, "nobody at {path}");
            let is_listed = AUDITED_BY_SERVICE.contains(&route.path);
            assert!(
                route.audit.is_some() != is_listed,
                "{}: every form is written down, ahead or by its use-case",
                route.path
            );
        }
    }
    for (name, role) in STAFF {
        let browser = Browser::signed_in(&app, name).await;
        for route in &table {
            let path = fill_path(route.path);
            let may = route.permission.is_none_or(|permission| role.may(permission));
            if route.method == "GET" {
                let status = browser.status(&path).await;
                assert_eq!(status == 403, !may, "{name} at {path}: {status}");
                assert!(status < 500, "{name} at {path}: {status}");
            } else {
                let sent = if route.takes_files {
                    browser.upload_with(&path, "", &[], "a.csv", b"a").await
                } else {
                    browser.post(&path, &[]).await
                };
                let (status, _, said) = sent;
                assert_eq!(status, 403, "{name} at {path}, without a token");
                assert_eq!(
                    said.contains("未处理") || said.contains("Nothing was done"),
                    may,
                    "{name} at {path}: {said}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_audit_log_is_append_only_and_reveals_tampering() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        for (name, role) in STAFF {
            add_account(&app, name, role).await;
        }
        let qian = Browser::signed_in(&app, "qian").await;
        qian.submit("/supervision/verifications", &[("percent", "10")]).await;
        qian.submit("/staff/sign-out", &[]).await;
        let context = &app.context;
        let hasher = context.keys.hasher();
        let read = async || context.database.read().await.unwrap();
        let entries = audit::entries(
            &mut *read().await,
            &AuditFilter { actor: "qian".into(), ..AuditFilter::default() },
            10,
        )
        .await
        .unwrap();
        let did: Vec<Action> = entries.iter().map(|entry| entry.action).collect();
        assert_eq!(
            did,
            [Action::SignOut, Action::VerificationsDrawn, Action::SignIn],
            "{}",
            app.engine
        );
        let LogVerification::Intact { entries, head } =
            audit::verify(&mut *read().await, hasher, None).await.unwrap()
        else {
            panic!("{}", app.engine)
        };
        assert!(entries >= 7);
        // Many at once: each entry contains the hash of the one before.
        let many = (0..20).map(|n| async move {
            context
                .audit_before(
                    &Actor::command("test"),
                    Action::CasePersonViewed,
                    &format!("case:{n}"),
                    "",
                )
                .await
                .unwrap()
        });
        let mut numbers = futures_util::future::join_all(many).await;
        numbers.sort_unstable();
        assert_eq!(numbers, (entries + 1..=entries + 20).collect::<Vec<_>>(), "{}", app.engine);
        assert!(matches!(
            audit::verify(&mut *read().await, hasher, Some(&head)).await.unwrap(),
            LogVerification::Intact { .. }
        ));
        // The database refuses to change the log.
        let execute = async |sql: &str| app.execute_sql(sql).await;
        for sql in [
            "UPDATE audit_entry SET actor = 'nobody' WHERE number = 3",
            "DELETE FROM audit_entry WHERE number = 3",
        ] {
            let refused = execute(sql).await.unwrap_err();
            assert!(refused.contains("only added to"), "{}: {refused}", app.engine);
        }
        // A change that circumvents this is detected, wherever it is.
        let drop = match app.engine {
            "sqlite" => {
                "DROP TRIGGER audit_entry_is_not_updated; DROP TRIGGER audit_entry_is_not_deleted"
            }
            _ => "DROP TRIGGER audit_entry_stays ON audit_entry",
        };
        for sql in drop.split("; ") {
            execute(sql).await.unwrap();
        }
        execute("UPDATE audit_entry SET actor = 'nobody' WHERE number = 3").await.unwrap();
        assert_eq!(
            audit::verify(&mut *read().await, hasher, None).await.unwrap(),
            LogVerification::Broken { at: 3 },
            "{}",
            app.engine
        );
        execute("DELETE FROM audit_entry WHERE number = 2").await.unwrap();
        assert_eq!(
            audit::verify(&mut *read().await, hasher, None).await.unwrap(),
            LogVerification::Broken { at: 2 },
            "{}",
            app.engine
        );
    }
}

/// Entries removed from the end, including the head, are detected with a head stored elsewhere.
#[tokio::test]
async fn an_audit_head_kept_elsewhere_reveals_a_truncated_log() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    let context = &app.context;
    for n in 0..5 {
        context
            .audit_before(
                &Actor::command("test"),
                Action::CasePersonViewed,
                &format!("case:{n}"),
                "",
            )
            .await
            .unwrap();
    }
    let verify = async |known_head: Option<&str>| {
        audit::verify(
            &mut context.database.read().await.unwrap(),
            context.keys.hasher(),
            known_head,
        )
        .await
        .unwrap()
    };
    let LogVerification::Intact { head, .. } = verify(None).await else { panic!() };
    app.execute_sql("DROP TRIGGER audit_entry_is_not_deleted").await.unwrap();
    app.execute_sql("DELETE FROM audit_entry WHERE number > 3").await.unwrap();
    assert_eq!(verify(None).await, LogVerification::Broken { at: 4 });
    app.execute_sql(
        "UPDATE audit_head SET number = 3, hash = (SELECT hash FROM audit_entry WHERE number = 3)",
    )
    .await
    .unwrap();
    assert!(
        matches!(verify(None).await, LogVerification::Intact { entries: 3, .. }),
        "the log alone cannot tell"
    );
    assert_eq!(verify(Some(&head)).await, LogVerification::HeadNotFound);
}

#[tokio::test]
async fn people_are_found_by_number_or_name_and_are_masked_until_somebody_asks() {
    for app in TestApp::on_each_engine(people(), &EARLY_ALARMS).await {
        advance_ten_days(&app).await;
        let qian = Browser::signed_in(&app, "qian").await;
        let (name, phone) = ("受访者3", number(3));
        let listed = list_of(3..4);
        let name = listed
            .lines()
            .nth(1)
            .and_then(|line| line.split(',').next())
            .unwrap_or(name)
            .to_owned();
        let case_of = |page: &str| {
            page.split("href=\"/cases/")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_default()
                .to_owned()
        };
        let by_number = qian.submit("/cases/search", &[("who", &phone)]).await.2;
        let case = case_of(&by_number);
        assert!(
            !case.is_empty() && !by_number.contains(&phone) && !by_number.contains(&name),
            "{}: {by_number}",
            app.engine
        );
        let spaced: String = name.chars().flat_map(|c| [c, ' ']).collect();
        assert_eq!(
            case_of(&qian.submit("/cases/search", &[("who", &spaced)]).await.2),
            case,
            "{}: by name",
            app.engine
        );
        assert_eq!(
            case_of(&qian.submit("/cases/search", &[("who", &format!("#{case}"))]).await.2),
            case
        );
        let timeline = qian.get(&format!("/cases/{case}")).await.2;
        assert!(
            timeline.contains("invitation")
                && !timeline.replace(' ', "").contains(&phone)
                && !timeline.contains(&name),
            "{}: {timeline}",
            app.engine
        );
        let pseudonym =
            timeline.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
        assert_eq!(case_of(&qian.submit("/cases/search", &[("who", pseudonym)]).await.2), case);
        assert!(
            qian.submit("/cases/search", &[("who", "13999999999")]).await.2.contains("没有找到")
        );
        let revealed = qian.submit(&format!("/cases/{case}/reveal"), &[]).await.2;
        assert!(
            revealed.replace(' ', "").contains(&phone) && revealed.contains(&name),
            "{}: {revealed}",
            app.engine
        );
        // The auditor finds the viewer; the search text is stored nowhere.
        let zhao = Browser::signed_in(&app, "zhao").await;
        assert!(zhao.get(&format!("/cases/{case}")).await.2.contains("qian: 查看受访者"));
        let li = Browser::signed_in(&app, "li").await;
        let log = li.get(&format!("/audit?object=case%3A{case}&action=case_revealed")).await.2;
        assert!(log.contains("<td>qian</td>"), "{log}");
        let everything = li.get("/audit?format=csv").await.2;
        assert!(
            !everything.contains(&phone)
                && !everything.contains(&name)
                && everything.contains("searched"),
            "{}: {everything}",
            app.engine
        );
        assert!(li.submit("/audit/verify", &[]).await.2.contains("条记录全部完好"));
        // The list of an application's cases is paginated.
        let all = qian.get("/cases?application=A1").await.2;
        assert!(all.matches("href=\"/cases/").count() >= 40 && !all.contains(&phone), "{all}");
        // All of them for a spreadsheet, without names and numbers; and those of one disposition.
        let csv = qian.get("/cases?application=A1&format=csv").await.2;
        assert!(csv.lines().count() >= 41 && csv.contains("pseudonym"), "{csv}");
        assert!(!csv.contains(&phone) && !csv.contains(&name), "{csv}");
        let complete = qian.get("/cases?application=A1&disposition=1.1&format=csv").await.2;
        assert!(complete.lines().skip(1).all(|line| line.contains(",1.1,")), "{complete}");
        // Name hashes missing from an older version are computed on the first search.
        app.execute_sql("UPDATE respondent SET name_hash = ''").await.unwrap();
        assert_eq!(
            case_of(&qian.submit("/cases/search", &[("who", &name)]).await.2),
            case,
            "{}: after an upgrade",
            app.engine
        );
        // Replies: the text is shown to whom it is allowed, and the access is audited.
        let inbox = qian.get("/inbox").await.2;
        let something_else = inbox.split("<tr id=").find(|row| row.contains("没看懂</a>")).unwrap();
        let reply = something_else
            .split("href=\"/inbox/")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap()
            .to_owned();
        let listed = entries(&app, "qian").await;
        assert!(
            listed.iter().any(|(action, object, detail)| *action == Action::ReplyViewed
                && object == "inbox"
                && detail.split(' ').any(|number| number == reply)),
            "{listed:?}"
        );
        let read = qian.get(&format!("/inbox/{reply}")).await.2;
        assert!(read.contains("class=\"bubble\""), "{}: {read}", app.engine);
        assert_eq!(
            qian.submit(&format!("/inbox/{reply}/handle"), &[]).await.1,
            "/inbox?noted=done"
        );
        assert_eq!(
            qian.submit(&format!("/inbox/{reply}/handle"), &[]).await.1,
            "/inbox?noted=gone"
        );
        assert!(entries(&app, "qian").await.contains(&(
            Action::ReplyViewed,
            format!("reply:{reply}"),
            String::new()
        )));
        // Suppressions: entered one number per line, shown as counts.
        let numbers = format!("{}\n13811112222", number(5));
        assert_eq!(
            qian.submit(
                "/suppressions",
                &[("numbers", &numbers), ("reason", "complaint"), ("scope", ""), ("until", "")]
            )
            .await
            .0,
            303
        );
        assert_eq!(
            qian.submit("/suppressions", &[("numbers", "12"), ("reason", "complaint")]).await.0,
            422
        );
        let page = qian.get("/suppressions").await.2;
        assert!(page.contains("投诉") && !page.contains("13811112222"), "{page}");
    }
}
