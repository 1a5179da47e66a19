//! Access control: every route for every role, sessions and second factors, tokens, and the audit
//! log (invariant I7).

use std::time::Duration;

use crate::common::TestApp;
use crate::common::browser::{Browser, PASSWORD, add_account};
use fieldworkd::adapters::crypto::totp::TotpSecret;
use fieldworkd::adapters::database::audit::{self, AuditFilter, LogVerification};
use fieldworkd::domain::audit::{Action, Actor};
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::{Permission, Role};
use fieldworkd::interfaces::http;
use fieldworkd::services::accounts::{self, tokens};
use fieldworkd::simulation::{PeopleScenario, Scenario};

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 100);
    scenario.people = PeopleScenario::silent();
    scenario
}

const STAFF: [(&str, Role); 4] = [
    ("wu", Role::Interviewer),
    ("li", Role::Auditor),
    ("qian", Role::Operator),
    ("zhao", Role::Administrator),
];

/// Forms without an audit entry ahead of the action: their services write one in the transaction of
/// the change, or change only the own session or call.
const AUDITED_BY_SERVICE: [&str; 24] = [
    "/accounts",
    "/accounts/{name}/disable",
    "/accounts/{name}/password",
    "/accounts/{name}/second-factor",
    "/cases/{case}/export",
    "/datasets/{application}/{version}/review",
    "/interview/next",
    "/interview/{call}/alive",
    "/interview/{call}/answers",
    "/interview/{call}/begin",
    "/interview/{call}/dial",
    "/staff/account/password",
    "/staff/account/second-factor",
    "/staff/account/second-factor/confirm",
    "/staff/account/second-factor/remove",
    "/staff/language",
    "/staff/sign-out",
    "/supervision/assign",
    "/supervision/verifications/{id}/call",
    "/tokens",
    "/tokens/{name}/revoke",
    "/webhooks",
    "/webhooks/{name}/remove",
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
async fn unauthorised_requests_and_cross_site_forms_change_nothing() {
    let us = Actor::command("test");
    for app in TestApp::on_each_engine(silent(), &[]).await {
        for (name, role) in [
            ("wu", Role::Interviewer),
            ("li", Role::Auditor),
            ("qian", Role::Operator),
            ("zhao", Role::Administrator),
        ] {
            add_account(&app, name, role).await;
        }
        let nobody = Browser::new(&app);
        assert_eq!(nobody.get("/interview").await.0, 303);
        assert_eq!(nobody.post("/interview/next", &[]).await.0, 401);
        // A form without the session's token, with another session's, or from another site has no
        // effect.
        let (mut wu, mut qian) = (Browser::new(&app), Browser::new(&app));
        wu.sign_in("wu", PASSWORD).await;
        qian.sign_in("qian", PASSWORD).await;
        let (token, other) = (wu.token("/interview").await, qian.token("/interview").await);
        assert!(!token.is_empty() && token != other);
        assert_eq!(wu.post("/interview/next", &[]).await.0, 403);
        assert_eq!(wu.post("/interview/next", &[("token", &other)]).await.0, 403);
        assert_eq!(wu.post("/interview/next", &[("token", &token)]).await.0, 303);
        let elsewhere = app
            .http
            .post(format!("{}/interview/next", app.base))
            .header("sec-fetch-site", "cross-site")
            .body(format!("token={token}"));
        assert_eq!(
            wu.send(elsewhere.header("content-type", "application/x-www-form-urlencoded")).await.0,
            403
        );
        // Five wrong passwords lock the account, even for the right password; it unlocks a quarter
        // of an hour later.
        let mut thief = Browser::new(&app);
        for _ in 0..5 {
            assert_eq!(thief.sign_in("li", "a wrong password again").await, 401);
        }
        assert_eq!(thief.sign_in("li", PASSWORD).await, 429, "{}", app.engine);
        assert_eq!(thief.sign_in("nobody of that name", PASSWORD).await, 401);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(16 * 60));
        assert_eq!(thief.sign_in("li", PASSWORD).await, 303, "{}", app.engine);
        // Sessions end when idle, signed out, disabled, or with a new password.
        app.clock.advance_to(app.clock_now() + Duration::from_secs(90 * 60));
        assert_eq!(wu.get("/interview").await.0, 200, "it goes on while it is used");
        app.clock.advance_to(app.clock_now() + Duration::from_secs(90 * 60));
        assert_eq!(
            (wu.get("/interview").await.0, qian.get("/interview").await.0),
            (200, 303),
            "{}",
            app.engine
        );
        let token = wu.token("/interview").await;
        assert_eq!(wu.post("/staff/sign-out", &[("token", &token)]).await.0, 303);
        assert_eq!(wu.get("/interview").await.0, 303);
        qian.sign_in("qian", PASSWORD).await;
        accounts::set_password(&app.context, &us, "qian", Personal::new("another good password"))
            .await
            .unwrap();
        assert_eq!(qian.get("/interview").await.0, 303);
        wu.sign_in("wu", PASSWORD).await;
        accounts::disable(&app.context, &us, "wu").await.unwrap();
        assert_eq!(
            (wu.get("/interview").await.0, wu.sign_in("wu", PASSWORD).await),
            (303, 401),
            "{}",
            app.engine
        );
        assert!(matches!(
            accounts::add(&app.context, &us, "x y", Role::Operator, &[], Personal::new(PASSWORD))
                .await,
            Err(accounts::AccountError::InvalidName)
        ));
        assert!(matches!(
            accounts::add(&app.context, &us, "sun", Role::Operator, &[], Personal::new("short"))
                .await,
            Err(accounts::AccountError::InvalidPassword)
        ));
    }
}

#[tokio::test]
async fn signing_in_leads_back_within_the_site_and_nowhere_else() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let nobody = Browser::new(&app);
    assert_eq!(nobody.get("/supervision").await.1, "/staff/sign-in?next=%2Fsupervision");
    assert!(
        nobody
            .get("/staff/sign-in?next=%2Fsupervision")
            .await
            .2
            .contains("name=\"next\" value=\"/supervision\"")
    );
    let goes_to = async |next: &str| {
        let (_, told, _) = nobody
            .post("/staff/sign-in", &[("name", "qian"), ("password", PASSWORD), ("next", next)])
            .await;
        told.split("fieldworkd_session").next().unwrap().to_owned()
    };
    assert_eq!(goes_to("/supervision").await, "/supervision");
    for elsewhere in [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "evil",
        "/\t/evil.example",
        "/staff/sign-out",
    ] {
        assert_eq!(goes_to(elsewhere).await, "/staff", "{elsewhere}");
        let page = nobody
            .get(&format!(
                "/staff/sign-in?next={}",
                form_urlencoded::byte_serialize(elsewhere.as_bytes()).collect::<String>()
            ))
            .await
            .2;
        assert!(!page.contains("evil"), "{elsewhere}");
    }
    let headers =
        app.http.get(format!("{}/staff/sign-in", app.base)).send().await.unwrap().headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("frame-ancestors 'none'")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(
        (&headers["x-frame-options"], &headers["cache-control"]),
        (&"DENY".parse().unwrap(), &"no-store".parse().unwrap())
    );
}

/// Returns the text between two marks of a page.
fn text_between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    page.split_once(before)
        .and_then(|(_, rest)| rest.split_once(after))
        .map(|(found, _)| found)
        .unwrap_or_default()
}

#[tokio::test]
async fn a_second_factor_asks_for_a_code_once_and_recovery_codes_open_once() {
    for app in TestApp::on_each_engine(silent(), &[("CONSOLE__SECOND_FACTOR", "required")]).await {
        add_account(&app, "zhao", Role::Administrator).await;
        let zhao = Browser::signed_in(&app, "zhao").await;
        // Nothing is accessible before the second factor is set up.
        assert_eq!(zhao.get("/accounts").await.1, "/staff/account", "{}", app.engine);
        assert_eq!(
            zhao.submit("/staff/account/second-factor", &[("present", "not the password at all")])
                .await
                .0,
            422
        );
        let offered = zhao.submit("/staff/account/second-factor", &[("present", PASSWORD)]).await.2;
        assert!(offered.contains("<svg"), "{offered}");
        let secret = text_between(&offered, "<code>", "</code>").replace(' ', "");
        let one_time = TotpSecret::from_bytes(
            &data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap(),
            "zhao",
        )
        .unwrap();
        let code = || one_time.code_at(app.clock_now());
        assert_eq!(
            zhao.submit("/staff/account/second-factor/confirm", &[("code", "000000")]).await.0,
            422
        );
        let shown =
            zhao.submit("/staff/account/second-factor/confirm", &[("code", &code())]).await.2;
        let recovery: Vec<&str> =
            shown.split("<li><code>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
        assert_eq!(recovery.len(), 10, "{shown}");
        assert_eq!(zhao.get("/accounts").await.0, 200, "{}: now it opens", app.engine);
        // Neither the password alone nor a code that was already used signs in.
        let mut again = Browser::new(&app);
        let (_, told, _) = again
            .post(
                "/staff/sign-in",
                &[("name", "zhao"), ("password", PASSWORD), ("next", "/accounts")],
            )
            .await;
        assert!(told.starts_with("/staff/code?next=%2Faccounts"), "{told}");
        again.cookie = told
            .find("fieldworkd_session=")
            .map(|at| told[at..].split(';').next().unwrap().to_owned());
        assert_eq!(
            again.get("/accounts").await.0,
            303,
            "{}: half signed in is not signed in",
            app.engine
        );
        assert_eq!(
            again.post("/staff/code", &[("code", &code())]).await.0,
            401,
            "{}: a code opens once",
            app.engine
        );
        app.clock.advance_to(app.clock_now() + Duration::from_secs(30));
        let (status, told, _) =
            again.post("/staff/code", &[("code", &code()), ("next", "/accounts")]).await;
        assert!(status == 303 && told.starts_with("/accounts"), "{told}");
        let waiting = again.cookie.clone();
        again.cookie = told
            .find("fieldworkd_session=")
            .map(|at| told[at..].split(';').next().unwrap().to_owned());
        assert_ne!(waiting, again.cookie, "the session has another token than the half one");
        assert_eq!(again.get("/accounts").await.0, 200);
        // A recovery code works once, in any spelling.
        for expected in [303, 401] {
            let mut lost = Browser::new(&app);
            let (_, told, _) =
                lost.post("/staff/sign-in", &[("name", "zhao"), ("password", PASSWORD)]).await;
            lost.cookie = told
                .find("fieldworkd_session=")
                .map(|at| told[at..].split(';').next().unwrap().to_owned());
            let typed = recovery[0].to_uppercase().replace('-', " ");
            assert_eq!(
                lost.post("/staff/code", &[("code", &typed)]).await.0,
                expected,
                "{}",
                app.engine
            );
        }
        // Five minutes after the password, the code is too late.
        let mut late = Browser::new(&app);
        let (_, told, _) =
            late.post("/staff/sign-in", &[("name", "zhao"), ("password", PASSWORD)]).await;
        late.cookie = told
            .find("fieldworkd_session=")
            .map(|at| told[at..].split(';').next().unwrap().to_owned());
        app.clock.advance_to(app.clock_now() + Duration::from_secs(301));
        let (status, to, _) = late.post("/staff/code", &[("code", &code())]).await;
        assert_eq!((status, to.as_str()), (303, "/staff/sign-in"));
        // The secret cannot be read in the database.
        let stored = fieldworkd::adapters::database::accounts::find_credentials(
            &mut app.context.database.read().await.unwrap(),
            "zhao",
        )
        .await
        .unwrap()
        .unwrap();
        assert!(!String::from_utf8_lossy(&stored.totp_sealed.unwrap()).contains(&secret));
    }
}

#[tokio::test]
async fn administrators_make_accounts_and_tokens_and_others_change_their_own_password() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    add_account(&app, "zhao", Role::Administrator).await;
    let zhao = Browser::signed_in(&app, "zhao").await;
    let made = zhao
        .submit("/accounts", &[("name", "sun"), ("role", "operator"), ("languages", "zh en")])
        .await
        .2;
    let password = text_between(&made, "<code>", "</code>").to_owned();
    assert_eq!(
        zhao.submit("/accounts", &[("name", "sun"), ("role", "operator")]).await.0,
        422,
        "the name is taken"
    );
    assert_eq!(
        zhao.submit("/accounts", &[("name", "<script>"), ("role", "operator")]).await.0,
        422
    );
    assert_eq!(
        zhao.submit("/accounts/zhao/disable", &[]).await.0,
        422,
        "nobody disables themselves"
    );
    let mut sun = Browser::new(&app);
    assert_eq!(sun.sign_in("sun", &password).await, 303);
    assert_eq!(
        sun.submit(
            "/staff/account/password",
            &[("present", "wrong"), ("new", "quite another password")]
        )
        .await
        .0,
        422
    );
    assert_eq!(
        sun.submit("/staff/account/password", &[("present", &password), ("new", "short")]).await.0,
        422
    );
    let elsewhere = {
        let mut other = Browser::new(&app);
        other.sign_in("sun", &password).await;
        other
    };
    assert_eq!(
        sun.submit(
            "/staff/account/password",
            &[("present", &password), ("new", "quite another password")]
        )
        .await
        .0,
        303
    );
    assert_eq!(
        (sun.get("/staff/account").await.0, elsewhere.get("/staff/account").await.0),
        (200, 303),
        "signed out elsewhere, and not here"
    );
    assert_eq!(zhao.submit("/accounts/sun/disable", &[]).await.0, 303);
    assert_eq!(sun.get("/staff/account").await.0, 303);
    // Tokens: shown once, found by hash, limited to their scopes and lifetime.
    let made = zhao
        .submit(
            "/tokens",
            &[("name", "scoring"), ("days", "30"), ("scope-datasets", "on"), ("scope-watch", "on")],
        )
        .await
        .2;
    let token = Personal::new(text_between(&made, "<code>", "</code>"));
    assert!(token.reveal().starts_with("fwd_"), "{made}");
    assert!(!zhao.get("/accounts").await.2.contains(token.reveal()));
    let known = tokens::find_valid(&app.context, &token).await.unwrap().unwrap();
    assert!(
        known.may(Permission::Datasets)
            && known.may(Permission::Watch)
            && !known.may(Permission::Operate)
    );
    assert!(tokens::find_valid(&app.context, &Personal::new("fwd_guess")).await.unwrap().is_none());
    assert_eq!(
        zhao.submit("/tokens", &[("name", "endless"), ("days", "9999"), ("scope-watch", "on")])
            .await
            .0,
        422
    );
    app.clock.advance_to(app.clock_now() + Duration::from_secs(31 * 86_400));
    assert!(tokens::find_valid(&app.context, &token).await.unwrap().is_none(), "its time is over");
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
        let ours = &app.context;
        let hasher = ours.keys.hasher();
        let read = async || ours.database.read().await.unwrap();
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
            ours.audit_before(
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
    let ours = &app.context;
    for n in 0..5 {
        ours.audit_before(
            &Actor::command("test"),
            Action::CasePersonViewed,
            &format!("case:{n}"),
            "",
        )
        .await
        .unwrap();
    }
    let verify = async |kept: Option<&str>| {
        audit::verify(&mut ours.database.read().await.unwrap(), ours.keys.hasher(), kept)
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
