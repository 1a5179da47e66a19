//! Access control: sessions and second factors, accounts and tokens (invariant I7). Every route as
//! every role, and the audit log, are in tests/invariants/i7_never_leak.rs.

use std::time::Duration;

use crate::common::TestApp;
use crate::common::browser::{Browser, PASSWORD, add_account};
use fieldworkd::adapters::crypto::totp::TotpSecret;
use fieldworkd::domain::audit::{Actor, Via};
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::{Permission, Role};
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::accounts::{self, AccountError, TokensOfDisabled, tokens};
use fieldworkd::simulation::{PeopleScenario, Scenario};

pub(crate) fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 100);
    scenario.people = PeopleScenario::silent();
    scenario
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
        // of an hour later. The answers are those for a name that does not exist.
        let mut known = Browser::new(&app);
        assert_eq!(known.sign_in("li", PASSWORD).await, 303);
        let mut thief = Browser::new(&app);
        for _ in 0..5 {
            assert_eq!(thief.sign_in("li", "a wrong password again").await, 401);
        }
        let page = async |name: &str, password: &str| {
            let thief = Browser::new(&app);
            let fields = [("name", name), ("password", password)];
            let (status, _, page) = thief.post("/staff/sign-in", &fields).await;
            (status, page.replace(&format!("value=\"{name}\""), ""))
        };
        let locked = page("li", PASSWORD).await;
        assert_eq!(locked.0, 401, "{}", app.engine);
        assert_eq!(page("nobody", PASSWORD).await, locked);
        assert_eq!(page("li", "a wrong password again").await, locked);
        // A browser that has signed in before is let in, but not with a wrong password, and not to
        // another account.
        known.cookie = known.device.clone();
        assert_eq!(known.sign_in("li", "a wrong password again").await, 401);
        known.cookie = known.device.clone();
        assert_eq!(known.sign_in("li", PASSWORD).await, 303, "{}", app.engine);
        for _ in 0..5 {
            assert_eq!(thief.sign_in("wu", "a wrong password again").await, 401);
        }
        known.cookie = known.device.clone();
        assert_eq!(known.sign_in("wu", PASSWORD).await, 401, "{}", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(16 * 60));
        assert_eq!(thief.sign_in("wu", PASSWORD).await, 303, "{}", app.engine);
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
        accounts::disable(&app.context, &us, "wu", TokensOfDisabled::Revoke).await.unwrap();
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
        let (_, location, _) = nobody
            .post("/staff/sign-in", &[("name", "qian"), ("password", PASSWORD), ("next", next)])
            .await;
        location.split("fieldworkd_session").next().unwrap().to_owned()
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
        let page =
            zhao.submit("/staff/account/second-factor/confirm", &[("code", &code())]).await.2;
        let recovery: Vec<&str> =
            page.split("<li><code>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
        assert_eq!(recovery.len(), 10, "{page}");
        assert_eq!(zhao.get("/accounts").await.0, 200, "{}: now it opens", app.engine);
        // Neither the password alone nor a code that was already used signs in.
        let mut again = Browser::new(&app);
        let (_, location, _) = again
            .post(
                "/staff/sign-in",
                &[("name", "zhao"), ("password", PASSWORD), ("next", "/accounts")],
            )
            .await;
        assert!(location.starts_with("/staff/code?next=%2Faccounts"), "{location}");
        again.cookie = location
            .find("fieldworkd_session=")
            .map(|at| location[at..].split(';').next().unwrap().to_owned());
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
        let (status, location, _) =
            again.post("/staff/code", &[("code", &code()), ("next", "/accounts")]).await;
        assert!(status == 303 && location.starts_with("/accounts"), "{location}");
        let half_cookie = again.cookie.clone();
        again.cookie = location
            .find("fieldworkd_session=")
            .map(|at| location[at..].split(';').next().unwrap().to_owned());
        assert_ne!(half_cookie, again.cookie, "the session has another token than the half one");
        assert_eq!(again.get("/accounts").await.0, 200);
        // A recovery code works once, in any spelling.
        for expected in [303, 401] {
            let mut lost = Browser::new(&app);
            let (_, location, _) =
                lost.post("/staff/sign-in", &[("name", "zhao"), ("password", PASSWORD)]).await;
            lost.cookie = location
                .find("fieldworkd_session=")
                .map(|at| location[at..].split(';').next().unwrap().to_owned());
            let typed = recovery[0].to_uppercase().replace('-', " ");
            assert_eq!(
                lost.post("/staff/code", &[("code", &typed)]).await.0,
                expected,
                "{}",
                app.engine
            );
        }
        // A right one-time code beside the right password passes the lock that strangers made.
        let stranger = Browser::new(&app);
        let attempt = async |password: &str, code: &str| {
            let fields = [("name", "zhao"), ("password", password), ("code", code)];
            stranger.post("/staff/sign-in", &fields).await.0
        };
        for _ in 0..6 {
            assert_eq!(attempt("a wrong password again", "").await, 401);
        }
        assert_eq!(attempt(PASSWORD, "").await, 401, "{}: it is locked", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(30));
        assert_eq!(attempt("a wrong password again", &code()).await, 401);
        assert_eq!(attempt(PASSWORD, "000000").await, 401);
        assert_eq!(attempt(PASSWORD, &code()).await, 303, "{}", app.engine);
        // Five minutes after the password, the code is too late.
        let mut late = Browser::new(&app);
        let (_, location, _) =
            late.post("/staff/sign-in", &[("name", "zhao"), ("password", PASSWORD)]).await;
        late.cookie = location
            .find("fieldworkd_session=")
            .map(|at| location[at..].split(';').next().unwrap().to_owned());
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

/// Returns the paths of the invitations' links on a page.
pub(crate) fn link_in(page: &str) -> Vec<String> {
    let token = |rest: &str| {
        let token = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
        format!("/staff/invitation/{}", rest.chars().take_while(token).collect::<String>())
    };
    page.split("/staff/invitation/").skip(1).map(token).collect()
}

#[tokio::test]
async fn administrators_make_accounts_and_tokens_and_others_change_their_own_password() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    add_account(&app, "zhao", Role::Administrator).await;
    let zhao = Browser::signed_in(&app, "zhao").await;
    let of = |name: &'static str| {
        [("full_name", "孙一"), ("name", name), ("role", "operator"), ("languages", "zh en")]
    };
    let made = zhao.submit("/accounts", &of("sun")).await.2;
    let link = link_in(&made).remove(0);
    assert_eq!(zhao.submit("/accounts", &of("sun")).await.0, 422, "the name is taken");
    assert_eq!(zhao.submit("/accounts", &of("<script>")).await.0, 422);
    let password = "a word that sun alone knows".to_owned();
    let fields = [("password", password.as_str()), ("again", password.as_str())];
    assert_eq!(Browser::new(&app).post(&link, &fields).await.0, 303);
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
            &[("name", "scoring"), ("days", "30"), ("scope-datasets", "on"), ("scope-read", "on")],
        )
        .await
        .2;
    let token = Personal::new(text_between(&made, "<code>", "</code>"));
    assert!(token.reveal().starts_with("fwd_"), "{made}");
    assert!(!zhao.get("/accounts").await.2.contains(token.reveal()));
    let known = tokens::find_valid(&app.context, &token).await.unwrap().unwrap();
    assert!(
        known.may(Permission::Datasets)
            && known.may(Permission::Read)
            && !known.may(Permission::Operate)
    );
    assert!(tokens::find_valid(&app.context, &Personal::new("fwd_guess")).await.unwrap().is_none());
    assert_eq!(
        zhao.submit("/tokens", &[("name", "endless"), ("days", "9999"), ("scope-read", "on")])
            .await
            .0,
        422
    );
    app.clock.advance_to(app.clock_now() + Duration::from_secs(31 * 86_400));
    assert!(tokens::find_valid(&app.context, &token).await.unwrap().is_none(), "its time is over");
}

/// What an account has made goes with it; nobody gives what they do not have, under a name that is
/// somebody else's.
#[tokio::test]
async fn tokens_go_with_their_maker_and_give_no_more_than_it_has() {
    use Permission::{ManageAccounts, Read, Reveal};
    for app in TestApp::on_each_engine(silent(), &[]).await {
        for name in ["zhao", "li"] {
            add_account(&app, name, Role::Administrator).await;
        }
        let (context, us) = (&app.context, Actor::command("root"));
        let zhao = Actor::console("zhao");
        let by = |name: &str| Actor { name: name.to_owned(), via: Via::Api };
        let create = async |actor: &Actor, name: &str, scopes: &[Permission]| {
            tokens::create(context, actor, name, scopes, 30).await
        };
        let first = create(&zhao, "first", &[ManageAccounts, Read]).await.unwrap();
        // A token gives no scope, no role and no password beyond its own.
        let refused = create(&by("first"), "more", &[Reveal]).await;
        assert!(matches!(refused, Err(AccountError::ScopeNotHeld(Reveal))), "{}", app.engine);
        let password = || Personal::new("four words of a stranger");
        let role = Role::Administrator;
        let made = accounts::add(context, &by("first"), "sun", role, &[], password()).await;
        assert!(matches!(made, Err(AccountError::ScopeNotHeld(_))), "{}", app.engine);
        let set = accounts::set_password(context, &by("first"), "li", password()).await;
        assert!(matches!(set, Err(AccountError::ScopeNotHeld(_))), "{}", app.engine);
        let reset = accounts::second_factor::reset(context, &by("first"), "li").await;
        assert!(matches!(reset, Err(AccountError::ScopeNotHeld(_))), "{}", app.engine);
        let second = create(&by("first"), "second", &[Read]).await.unwrap();
        let other = create(&Actor::console("li"), "other", &[Read]).await.unwrap();
        for name in ["delivery.pull", "fieldworkd", "li"] {
            let taken = create(&us, name, &[Read]).await;
            assert!(matches!(taken, Err(AccountError::ReservedName(_))), "{name}");
        }
        // Those it made, and those made with them.
        let revoked =
            accounts::disable(context, &us, "zhao", TokensOfDisabled::Revoke).await.unwrap();
        assert_eq!(revoked, ["first", "second"], "{}", app.engine);
        for (token, is_valid) in [(&first, false), (&second, false), (&other, true)] {
            let found = tokens::find_valid(context, token).await.unwrap();
            assert_eq!(found.is_some(), is_valid, "{}", app.engine);
        }
        accounts::disable(context, &us, "li", TokensOfDisabled::Keep).await.unwrap();
        assert!(tokens::find_valid(context, &other).await.unwrap().is_some());
    }
}

/// (AtalayaLabs/OxiCloud 323, StuMason/polar-flow-server 51, ZerosAndOnesLLC/AiFw 165.) Of many guesses
/// at once no more are judged than of one after the other, and an address that
/// guesses is refused without keeping others out.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_once_are_counted_before_they_are_judged() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        add_account(&app, "li", Role::Operator).await;
        let guess = async |n: usize| {
            let password = format!("guess number {n} of the thief");
            let browser = Browser::new(&app);
            browser.post("/staff/sign-in", &[("name", "li"), ("password", &password)]).await.0
        };
        let answers = futures_util::future::join_all((0..25).map(guess)).await;
        assert!(answers.iter().all(|status| *status == 401), "{}: {answers:?}", app.engine);
        let counted = "SELECT 1 / CASE WHEN failed_sign_ins = 5 THEN 1 ELSE 0 END FROM account";
        app.execute_sql(counted).await.unwrap_or_else(|error| panic!("{}: {error}", app.engine));
        let more = futures_util::future::join_all((0..10).map(guess)).await;
        assert!(more.contains(&429), "{}: {more:?}", app.engine);
    }
}

/// Signs in with a name and a password as they are typed, and a code if one is given.
async fn typed(app: &TestApp, name: &str, password: &str, code: &str) -> u16 {
    let fields = [("name", name), ("password", password), ("code", code)];
    Browser::new(app).post("/staff/sign-in", &fields).await.0
}

/// The same words from another keyboard are the same password; other words are not. Each with the
/// public report.
#[tokio::test]
async fn a_password_is_what_was_typed_on_whatever_keyboard() {
    let long = "long words and more of them ".repeat(9);
    for (source, password, variants) in [
        // Composed and decomposed letters.
        (
            "matrix-org/synapse#3306",
            "caf\u{e9} am \u{dc}berse\u{e9}hafen",
            vec![
                ("cafe\u{301} am U\u{308}bersee\u{301}hafen", 303),
                ("cafe am Uberseehafen", 401),
                ("CAF\u{c9} am \u{dc}berse\u{e9}hafen", 401),
            ],
        ),
        (
            "mattermost/mattermost#36877",
            "pre\u{301}fe\u{301}rence de la maison",
            vec![("pr\u{e9}f\u{e9}rence de la maison", 303)],
        ),
        // The wide space of a Chinese keyboard (RFC 8265, 4.2.2).
        (
            "usnistgov/800-63-3#301",
            "\u{6625}\u{7720}\u{4e0d}\u{89c9}\u{6653} \u{5904}\u{5904}\u{95fb}\u{557c}\u{9e1f} \u{591c}\u{6765}\u{98ce}\u{96e8}\u{58f0}",
            vec![(
                "\u{6625}\u{7720}\u{4e0d}\u{89c9}\u{6653}\u{3000}\u{5904}\u{5904}\u{95fb}\u{557c}\u{9e1f}\u{3000}\u{591c}\u{6765}\u{98ce}\u{96e8}\u{58f0}",
                303,
            )],
        ),
        // A space at an end is part of it.
        (
            "wso2/product-is#4689",
            " quite a lot of words ",
            vec![("quite a lot of words", 401), (" quite a lot of words", 401)],
        ),
        // Nothing is cut off.
        ("eliotsykes/rails-security-checklist#67", &long[..250], vec![(&long[..249], 401)]),
    ] {
        let app = TestApp::on_sqlite(silent(), &[]).await;
        let us = Actor::command("test");
        let personal = Personal::new(password);
        let added = accounts::add(&app.context, &us, "li", Role::Operator, &[], personal).await;
        added.unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(typed(&app, "li", password, "").await, 303, "{source}");
        for (variant, status) in variants {
            assert_eq!(typed(&app, "li", variant, "").await, status, "{source}: {variant:?}");
        }
        // openstreetmap/openstreetmap-website#2173
        assert_eq!(typed(&app, " li ", password, "").await, 303, "{source}: spaces at the name");
        // OWASP/ASVS#756: a megabyte is no password, and no work.
        let began = std::time::Instant::now();
        assert_eq!(typed(&app, "li", &"a".repeat(1 << 20), "").await, 413, "{source}");
        assert_eq!(typed(&app, "li", &"a".repeat(60_000), "").await, 401, "{source}");
        assert!(began.elapsed() < Duration::from_secs(5), "{source}: {:?}", began.elapsed());
    }
}

/// An account with a second factor, and its authenticator.
async fn with_second_factor(app: &TestApp) -> TotpSecret {
    add_account(app, "zhao", Role::Administrator).await;
    let zhao = Browser::signed_in(app, "zhao").await;
    let offered = zhao.submit("/staff/account/second-factor", &[("present", PASSWORD)]).await.2;
    let secret = text_between(&offered, "<code>", "</code>").replace(' ', "");
    let bytes = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let one_time = TotpSecret::from_bytes(&bytes, "zhao").unwrap();
    let code = one_time.code_at(app.clock_now());
    let confirmed = zhao.submit("/staff/account/second-factor/confirm", &[("code", &code)]).await;
    assert_eq!(confirmed.0, 200);
    // From here on the setup's own code is of no account.
    app.clock.advance_to(app.clock_now() + Duration::from_secs(300));
    one_time
}

/// One-time codes from clocks that differ and from other keyboards, and the same code twice. Each with
/// the public report.
#[tokio::test]
async fn a_one_time_code_opens_once_within_a_step_of_the_clock() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let one_time = with_second_factor(&app).await;
        let code = |off: i64| one_time.code_at(Timestamp(app.clock_now().0 + off * 1_000));
        let attempt = async |code: &str| typed(&app, "zhao", PASSWORD, code).await;
        let later = || app.clock.advance_to(app.clock_now() + Duration::from_secs(300));
        // lobsters/lobsters#1948, hashicorp/vault#2776: half a minute either way, and no more.
        for (off, status) in [(-30, 303), (30, 303), (-61, 401), (61, 401)] {
            assert_eq!(attempt(&code(off)).await, status, "{}: {off} s", app.engine);
            later();
        }
        // 61131/nginx-http-auth-totp#4, redhook62/adfsmfa#59: nor one from before the one that was used.
        let (before, now) = (code(-30), code(0));
        assert_eq!(attempt(&now).await, 303, "{}", app.engine);
        assert_eq!((attempt(&now).await, attempt(&before).await), (401, 401), "{}", app.engine);
        later();
        // forgekeep/nebula-mesh#237: two at once.
        let now = code(0);
        let mut both: [u16; 2] = tokio::join!(attempt(&now), attempt(&now)).into();
        both.sort_unstable();
        assert_eq!(both, [303, 401], "{}", app.engine);
        later();
        // kjolley/BIGSdb#875: as it is shown, with a space, or in wide digits of a Chinese keyboard.
        let now = code(0);
        assert_eq!(attempt(&format!(" {} {} ", &now[..3], &now[3..])).await, 303, "{}", app.engine);
        later();
        let to_wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap();
        let wide: String = code(0).chars().map(to_wide).collect();
        assert_eq!(attempt(&wide).await, 303, "{}", app.engine);
    }
}

/// (oryx-labs/oryxos#89.) Signing in again ends the session that the browser had.
#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        for name in ["qian", "li"] {
            add_account(&app, name, Role::Operator).await;
        }
        for name in ["qian", "li"] {
            let mut browser = Browser::signed_in(&app, "qian").await;
            let elsewhere = Browser::signed_in(&app, "qian").await;
            let mut before = Browser::new(&app);
            before.cookie = browser.cookie.clone();
            assert_eq!(browser.sign_in(name, "a wrong password again").await, 401);
            assert_eq!(before.get("/home").await.0, 200, "{}: a mistake ends nothing", app.engine);
            assert_eq!(browser.sign_in(name, PASSWORD).await, 303);
            assert_eq!(before.get("/home").await.0, 303, "{}: {name}", app.engine);
            assert_eq!(browser.get("/home").await.0, 200, "{}", app.engine);
            assert_eq!(elsewhere.get("/home").await.0, 200, "{}", app.engine);
        }
    }
}
