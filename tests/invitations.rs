//! Invitations of colleagues: a link that is used once, instead of a password that somebody else
//! knows; real names; several people at once; what a supervisor may do.
//!
//! Public reports of the kind: one-click-orgs/one-click-orgs and nextlyhq/nextly#178 (a link instead
//! of a password), cloudfoundry/uaa#1374, supabase/auth#368 and coollabsio/coolify#11375 (a preview
//! opens the link and uses it up), natlas/natlas#21 (a reset's ten minutes are no time for an
//! invitation), unacms/UNA#4846 (a link that opens twice).

use std::time::Duration;

use serde_json::json;

use crate::access_control::{link_in, silent};
use crate::common::TestApp;
use crate::common::browser::{Browser, PASSWORD, add_account, run_in_chromium};
use crate::common::number;
use fieldworkd::adapters::database::accounts as stored;
use fieldworkd::adapters::database::audit::{self, AuditFilter};
use fieldworkd::domain::audit::{Action, Actor};
use fieldworkd::domain::role::{Permission, Role};
use fieldworkd::services::accounts::colleagues::Colleagues;
use fieldworkd::services::accounts::invitations::{self, LineProblem, WrongLine};
use fieldworkd::services::accounts::{self, AccountError, TokensOfDisabled};

const OWN: &str = "a word that nobody else knows";

fn password(password: &str) -> [(&str, &str); 2] {
    [("password", password), ("again", password)]
}

async fn accept(app: &TestApp, link: &str, own: &str) -> u16 {
    Browser::new(app).post(link, &password(own)).await.0
}

#[tokio::test]
async fn a_link_sets_the_password_once_within_72_hours_and_previews_do_not_use_it_up() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        add_account(&app, "zhao", Role::Administrator).await;
        let zhao = Browser::signed_in(&app, "zhao").await;
        let telephone = number(7);
        let fields = [("full_name", "陈晓"), ("phone", telephone.as_str()), ("role", "supervisor")];
        let (status, _, page) = zhao.submit("/accounts", &fields).await;
        let links = link_in(&page);
        assert_eq!((status, links.len()), (200, 1), "{}: {page}", app.engine);
        let link = &links[0];
        assert!(page.contains("陈晓，您好") && page.contains("dd01"), "{page}");
        assert!(!zhao.get("/accounts").await.2.contains(link), "{}: shown once", app.engine);

        // Nobody signs in without a password, whatever it may be.
        for nothing in ["", " ", PASSWORD] {
            let fields = [("name", "dd01"), ("password", nothing)];
            let status = Browser::new(&app).post("/staff/sign-in", &fields).await.0;
            assert_eq!(status, 401, "{}: {nothing:?}", app.engine);
        }
        // A chat opens the link for its preview, and the person opens it again.
        let nobody = Browser::new(&app);
        for _ in 0..3 {
            let (status, _, page) = nobody.get(link).await;
            assert!(status == 200 && page.contains("陈晓") && page.contains("dd01"), "{page}");
        }
        // What is wrong with a password leaves the link as it is.
        assert_eq!(accept(&app, link, "short").await, 422);
        assert_eq!(accept(&app, link, "123456789012345678").await, 422, "{}", app.engine);
        let different = [("password", OWN), ("again", "another word that nobody knows")];
        assert_eq!(nobody.post(link, &different).await.0, 422);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(72 * 3_600 - 1));
        let mut chen = Browser::new(&app);
        let (status, to, _) = chen.post(link, &password(OWN)).await;
        assert!(status == 303 && to.starts_with("/staff/account?noted=welcome"), "{to}");
        // Signed in at once, with a second factor to set up.
        chen.cookie =
            to.find("fieldworkd_session=").map(|at| to[at..].split(';').next().unwrap().to_owned());
        let welcome = chen.get("/staff/account?noted=welcome").await.2;
        assert!(welcome.contains("<svg") && welcome.contains("陈晓"), "{}: {welcome}", app.engine);
        // The link works once.
        assert_eq!(nobody.get(link).await.0, 404, "{}: used", app.engine);
        assert_eq!(accept(&app, link, "another word that nobody knows").await, 404);
        let mut again = Browser::new(&app);
        assert_eq!(again.sign_in("dd01", OWN).await, 303);

        // A new link voids the password, the sessions and earlier links at once.
        let zhao = Browser::signed_in(&app, "zhao").await;
        let first = link_in(&zhao.submit("/accounts/dd01/link", &[]).await.2).remove(0);
        assert_eq!(again.get("/home").await.0, 303, "{}: signed out", app.engine);
        assert_eq!(Browser::new(&app).sign_in("dd01", OWN).await, 401);
        let second = link_in(&zhao.submit("/accounts/dd01/link", &[]).await.2).remove(0);
        assert_eq!(nobody.get(&first).await.0, 404, "{}: a newer one was made", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(72 * 3_600));
        assert_eq!(nobody.get(&second).await.0, 404, "{}: 72 hours are over", app.engine);
        assert_eq!(accept(&app, &second, OWN).await, 404);
        // Revoked, and disabled with the account.
        let zhao = Browser::signed_in(&app, "zhao").await;
        let third = link_in(&zhao.submit("/accounts/dd01/link", &[]).await.2).remove(0);
        assert_eq!(zhao.submit("/accounts/dd01/link/revoke", &[]).await.0, 303);
        assert_eq!(accept(&app, &third, OWN).await, 404, "{}: revoked", app.engine);
        assert_eq!(zhao.submit("/accounts/dd01/link/revoke", &[]).await.0, 422, "there is none");
        let fourth = link_in(&zhao.submit("/accounts/dd01/link", &[]).await.2).remove(0);
        zhao.submit("/accounts/dd01/disable", &[]).await;
        assert_eq!(accept(&app, &fourth, OWN).await, 404, "{}: disabled", app.engine);
        assert_eq!(zhao.submit("/accounts/dd01/link", &[]).await.0, 422);
        let token = fourth.rsplit('/').next().unwrap();
        let stored_plainly = format!(
            "SELECT 1 / CASE WHEN count(*) = 0 THEN 1 ELSE 0 END FROM account_invitation WHERE \
                token_hash LIKE '%{token}%'"
        );
        app.execute_sql(&stored_plainly).await.unwrap();
    }
}

#[tokio::test]
async fn two_who_use_a_link_at_once_do_not_both_set_a_password() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let people = invitations::parse_list(&app.context, "陈晓").unwrap();
        let us = Actor::command("test");
        let made = invitations::invite(&app.context, &us, &people).await.unwrap();
        let token = made[0].link.reveal().rsplit('/').next().unwrap();
        let one = |n: usize| {
            let own = fieldworkd::domain::personal::Personal::new(format!("{OWN} and {n} besides"));
            invitations::accept(&app.context, token, own)
        };
        let done = futures_util::future::join_all((0..4).map(one)).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_pasted_list_invites_everybody_or_nobody() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        add_account(&app, "zhao", Role::Administrator).await;
        let (one, two) = (number(1), number(2));
        let wrong = format!(
            "姓名，电话，角色\n陈晓，{one}，督导\n\n，{two}\n李梅,12,访问员\n王强\t{two}\t经理\n陈晓，{one}"
        );
        let error = invitations::parse_list(&app.context, &wrong).unwrap_err();
        let AccountError::Lines(lines) = error else { panic!("{error}") };
        let lines: Vec<(usize, &LineProblem)> =
            lines.iter().map(|WrongLine { line, problem }| (*line, problem)).collect();
        assert!(
            matches!(
                lines[..],
                [
                    (4, LineProblem::FullName),
                    (5, LineProblem::Phone(_)),
                    (6, LineProblem::Role),
                    (7, LineProblem::SameAs(2))
                ]
            ),
            "{lines:?}"
        );
        let zhao = Browser::signed_in(&app, "zhao").await;
        let (status, _, page) = zhao.submit("/accounts", &[("people", &wrong)]).await;
        assert!(status == 422 && page.contains("第 4 行：请填写姓名。"), "{page}");
        assert!(page.contains("王强"), "{}: what was typed stays", app.engine);
        let people = format!("姓名\t电话\t角色\n陈晓\t{one}\t督导\n李梅；{two}；访问员\n王强\n");
        let page = zhao.submit("/accounts", &[("people", &people)]).await.2;
        assert_eq!(link_in(&page).len(), 3, "{}: {page}", app.engine);
        for name in ["dd01", "fw01", "fw02"] {
            assert!(page.contains(name), "{}: {name}", app.engine);
        }
        // A name that is taken leaves nobody.
        let more = "赵云，，访问员\n钱多，，访问员，dd01\n";
        assert_eq!(zhao.submit("/accounts", &[("people", more)]).await.0, 422);
        let all = stored::all(&mut app.context.database.read().await.unwrap()).await.unwrap();
        assert_eq!(all.len(), 4, "{}: none of the two", app.engine);
        // The real names are nowhere in the database, nor in the log.
        let read = "SELECT 1 / CASE WHEN count(*) = 0 THEN 1 ELSE 0 END FROM audit_entry WHERE \
            object LIKE '%陈晓%' OR detail LIKE '%陈晓%'";
        app.execute_sql(read).await.unwrap_or_else(|error| panic!("{}: {error}", app.engine));
        for account in &all {
            let sealed = account.full_name_sealed.clone().unwrap_or_default();
            assert!(!String::from_utf8_lossy(&sealed).contains('陈'), "{}", app.engine);
        }
        let colleagues = Colleagues::load(&app.context).await.unwrap();
        assert_eq!(colleagues.name("dd01").reveal(), "陈晓");
        assert_eq!(colleagues.name("scoring").reveal(), "scoring", "a token has no other name");
        // Nobody gives what they do not have; a disabled account loses its telephone.
        let operator = Actor::console("fw01");
        let people = invitations::parse_list(&app.context, "孙一，，管理员").unwrap();
        let refused = invitations::invite(&app.context, &operator, &people).await;
        assert!(matches!(refused, Err(AccountError::ScopeNotHeld(_))), "{}", app.engine);
        let us = Actor::command("test");
        accounts::disable(&app.context, &us, "dd01", TokensOfDisabled::Revoke).await.unwrap();
        let all = stored::all(&mut app.context.database.read().await.unwrap()).await.unwrap();
        let chen = all.iter().find(|account| account.name == "dd01").unwrap();
        assert!(chen.phone_sealed.is_none() && chen.full_name_sealed.is_some(), "{}", app.engine);
    }
}

#[tokio::test]
async fn a_supervisor_sees_the_work_and_neither_sets_up_nor_exports() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    add_account(&app, "zheng", Role::Supervisor).await;
    add_account(&app, "wu", Role::Interviewer).await;
    let us = Actor::command("test");
    let named = accounts::colleagues::Colleague::parse(&app.context, "吴桐", "").unwrap();
    accounts::colleagues::set(&app.context, &us, "wu", &named).await.unwrap();
    let zheng = Browser::signed_in(&app, "zheng").await;
    for open in ["/home", "/campaigns", "/supervision", "/supervision/appointments", "/interview"] {
        assert!([200, 303].contains(&zheng.get(open).await.0), "{open}");
    }
    for closed in ["/setup", "/cases", "/accounts", "/privacy", "/audit", "/inbox", "/new-campaign"]
    {
        assert_eq!(zheng.get(closed).await.0, 403, "{closed}");
    }
    assert!(
        !Role::Supervisor.may(Permission::Datasets) && !Role::Supervisor.may(Permission::Reveal)
    );
    // A colleague's name stands where the account's stood, for the colleague as well.
    let wu = Browser::signed_in(&app, "wu").await;
    assert!(wu.get("/staff/account").await.2.contains("吴桐"));
    let filter = AuditFilter { action: Some(Action::StaffPersonChanged), ..AuditFilter::default() };
    let mut connection = app.context.database.read().await.unwrap();
    assert_eq!(audit::entries(&mut connection, &filter, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn colleagues_are_invited_and_come_in() {
    let app = TestApp::on_sqlite(silent(), &[]).await;
    add_account(&app, "zhao", Role::Administrator).await;
    let people = format!("陈晓\t{}\t督导\n李梅\t{}\t访问员\n", number(1), number(2));
    let task = json!({ "base": app.base, "people": people, "own": OWN });
    run_in_chromium("tests/external/invitations.js", task).await;
}
