//! Applicants' own pages, as an applicant and a member of staff use them, and as others try to.

use std::time::Duration;

use crate::access_control::silent;
use serde_json::json;

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::{CONSENT_FORM, PLAN, TestApp, list, list_of, local, number};
use fieldworkd::adapters::database::{applicant_links, applications, audit, drafts};
use fieldworkd::domain::audit::Via;
use fieldworkd::domain::role::Role;
use fieldworkd::services::drafts::lists as list_drafts;

const SETTINGS: &[(&str, &str)] =
    &[("APPLICANT_PAGES__GATEWAY", "simulator"), ("APPLICANT_PAGES__SIGNATURE", "质协")];
const MOBILE: &str = "13600136001";

async fn apps() -> Vec<TestApp> {
    let apps = TestApp::on_each_engine(silent(), SETTINGS).await;
    for app in &apps {
        add_account(app, "qian", Role::Operator).await;
        app.register_brand("A1", "a", "").await;
        app.register_brand("B1", "b", "").await;
    }
    apps
}

/// Staff make a link. Returns its path.
async fn make_link(app: &TestApp, application: &str, days: &str) -> String {
    let qian = Browser::signed_in(app, "qian").await;
    let fields = [("mobile", MOBILE), ("days", days)];
    let (status, _, page) =
        qian.submit(&format!("/applications/{application}/links"), &fields).await;
    assert_eq!(status, 200, "{page}");
    let after = page.split("/applicant/").nth(1).expect("a link");
    let token: String =
        after.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    assert_eq!(token.len(), 22, "128 bits");
    format!("/applicant/{token}")
}

fn code(app: &TestApp) -> String {
    app.simulator.record().one_time_codes[&format!("+86{MOBILE}")].clone()
}

/// Signs in by a code.
async fn sign_in<'a>(app: &'a TestApp, link: &str) -> Browser<'a> {
    let mut browser = Browser::new(app);
    assert_eq!(browser.post(&format!("{link}/code"), &[]).await.0, 303);
    let code = code(app);
    let (status, cookie, page) = browser.post(&format!("{link}/sign-in"), &[("code", &code)]).await;
    assert_eq!(status, 303, "{page}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let at = cookie.find("fieldworkd_applicant=").expect("a session");
    browser.cookie = cookie[at..].split(';').next().map(str::to_owned);
    browser
}

/// Sends a form of the applicant's pages.
async fn submit(
    browser: &Browser<'_>,
    link: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> (u16, String, String) {
    let token = browser.token(link).await;
    let fields: Vec<(&str, &str)> =
        [("token", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
    browser.post(&format!("{link}{path}"), &fields).await
}

async fn upload(browser: &Browser<'_>, link: &str, fields: &[(&str, &str)], text: &str) -> String {
    let token = browser.token(link).await;
    let path = format!("{link}/lists");
    let (status, to, page) =
        browser.upload_with(&path, &token, fields, "名单.csv", text.as_bytes()).await;
    assert_eq!(status, 303, "{page}");
    to
}

#[tokio::test]
async fn an_applicant_hands_its_list_in_and_staff_accept_it() {
    for app in apps().await {
        let link = make_link(&app, "A1", "").await;
        // To open the link sends nothing, whoever opens it.
        let before = app.simulator.record().submits.len();
        let (status, _, page) = Browser::new(&app).get(&link).await;
        assert!(
            status == 200 && page.contains("a公司") && page.contains("+861********01"),
            "{page}"
        );
        assert_eq!(app.simulator.record().submits.len(), before, "{}", app.engine);
        let applicant = sign_in(&app, &link).await;
        let (_, _, home) = applicant.get(&link).await;
        assert!(home.contains("A1牌") && !home.contains("B1牌"), "{home}");

        let people = format!("{}赵六,1381000\n", list(3));
        let to = upload(&applicant, &link, &[("for-A1", "on")], &people).await;
        let (_, _, page) = applicant.get(&to).await;
        assert!(page.contains("没有这样的号码") || page.contains("不是电话号码"), "{page}");
        let id: i64 = to.rsplit('/').next().unwrap().parse().unwrap();
        let right = number(8);
        let list_path = format!("/lists/{id}");
        let corrected = [("cell-5-1", right.as_str())];
        let (status, _, page) = submit(&applicant, &link, &list_path, &corrected).await;
        assert!(status == 200 && page.contains("已更正") && page.contains("可用 4 人"), "{page}");
        // Without the declaration, or a name, nothing is handed in.
        let hand_in = format!("{list_path}/hand-in");
        for fields in [&[("name", "王经理")][..], &[("confirmed", "on"), ("name", " ")][..]] {
            assert_eq!(submit(&applicant, &link, &hand_in, fields).await.0, 422);
        }
        let declared = [("confirmed", "on"), ("name", "王经理")];
        assert_eq!(submit(&applicant, &link, &hand_in, &declared).await.0, 303, "{}", app.engine);
        // It cannot be changed, or deleted, while staff look at it.
        for path in [list_path.clone(), format!("{list_path}/discard"), hand_in.clone()] {
            let (status, ..) = submit(&applicant, &link, &path, &declared).await;
            assert!(status == 409 || status == 422, "{path}: {status}");
        }
        // Staff see who declared what, and send it back with a word.
        let qian = Browser::signed_in(&app, "qian").await;
        let (_, _, page) = qian.get(&format!("/lists/{id}")).await;
        assert!(page.contains("王经理") && page.contains("真实用户"), "{page}");
        assert!(qian.get("/setup").await.2.contains("待审核的名单"), "{}", app.engine);
        let back = format!("/lists/{id}/send-back");
        assert_eq!(qian.submit(&back, &[("word", " ")]).await.0, 422);
        assert_eq!(qian.submit(&back, &[("word", "请补充单位")]).await.0, 303);
        assert!(applicant.get(&link).await.2.contains("请补充单位"), "{}", app.engine);
        assert_eq!(submit(&applicant, &link, &hand_in, &declared).await.0, 303, "{}", app.engine);
        // They accept it: it is imported, and the declaration is kept.
        assert_eq!(qian.submit(&format!("/lists/{id}/import"), &[]).await.0, 303);
        let mut connection = app.context.database.read().await.unwrap();
        let application = applications::find(&mut connection, "A1").await.unwrap().unwrap();
        let kept =
            applicant_links::declarations(&mut connection, application.applicant_id).await.unwrap();
        assert_eq!((kept.len(), kept[0].accepted_by.as_str()), (1, "qian"), "{}", app.engine);
        assert!(drafts::lists(&mut connection).await.unwrap().is_empty(), "{}", app.engine);
        // What the applicant did stands in the audit log, in its name.
        let entries =
            audit::entries(&mut connection, &audit::AuditFilter::default(), 1_000).await.unwrap();
        let own: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.actor.via == Via::Applicant && entry.actor.name == "a")
            .map(|entry| entry.action.code())
            .collect();
        for action in [
            "applicant_code",
            "applicant_signed_in",
            "list_uploaded",
            "list_corrected",
            "list_handed_in",
        ] {
            assert!(own.contains(&action), "{action}: {own:?}");
        }
        drop(connection);
        let (_, _, home) = applicant.get(&link).await;
        assert!(home.contains("名单 4 人"), "{home}");
    }
}

#[tokio::test]
async fn the_page_tells_totals_and_not_who_answered() {
    for app in apps().await {
        app.import(&["A1"], list_of(0..12).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.advance_until(local("2026-03-03T12:00:00")).await;
        let link = make_link(&app, "A1", "").await;
        let applicant = sign_in(&app, &link).await;
        let (_, _, home) = applicant.get(&link).await;
        assert!(home.contains("已联系 12 人"), "{home}");
        for person in 0..2 {
            let page = app.link(person).await;
            app.answer_all(&page, 0, "9").await;
        }
        let _ = CONSENT_FORM;
        let (_, _, home) = applicant.get(&link).await;
        assert!(home.contains("人数太少，不显示"), "two of twelve are too few: {home}");
        for secret in ["受访者1", &number(1)] {
            assert!(!home.contains(secret), "{secret}");
        }
        // A launched list takes nothing more.
        assert!(!home.contains("上传被访者名单"), "{}", app.engine);
    }
}

#[tokio::test]
async fn one_applicant_sees_nothing_of_another() {
    for app in apps().await {
        let (of_a, of_b) = (make_link(&app, "A1", "").await, make_link(&app, "B1", "").await);
        let a = sign_in(&app, &of_a).await;
        app.clock.advance_to(app.clock_now() + Duration::from_secs(120));
        let b = sign_in(&app, &of_b).await;
        let to = upload(&a, &of_a, &[("for-A1", "on")], &list(2)).await;
        let id = to.rsplit('/').next().unwrap().to_owned();
        // By its own link, by the other's, or with the other's session.
        assert_eq!(b.get(&format!("{of_b}/lists/{id}")).await.0, 404, "{}", app.engine);
        assert_eq!(b.get(&format!("{of_a}/lists/{id}")).await.0, 303, "no session of this link");
        assert_eq!(b.get(&format!("{of_b}/lists/{id}/correction-sheet")).await.0, 404);
        for path in ["", "/hand-in", "/discard"] {
            let path = format!("/lists/{id}{path}");
            let declared = [("confirmed", "on"), ("name", "x")];
            assert_eq!(submit(&b, &of_b, &path, &declared).await.0, 404, "{path}");
        }
        assert!(a.get(&to).await.2.contains("受访者1"), "{}", app.engine);
        // Nor does it upload for another's application.
        let token = b.token(&of_b).await;
        let path = format!("{of_b}/lists");
        let people = list(2);
        let (status, ..) =
            b.upload_with(&path, &token, &[("for-A1", "on")], "l.csv", people.as_bytes()).await;
        assert_eq!(status, 422, "{}", app.engine);
        // A list of staff's own is not the applicant's.
        let codes = ["A1".to_owned()];
        let ours = list_drafts::create_list_draft(
            &app.context,
            "qian",
            &codes,
            "x.csv",
            people.as_bytes(),
        );
        let ours = ours.await.unwrap();
        assert_eq!(a.get(&format!("{of_a}/lists/{ours}")).await.0, 404, "{}", app.engine);
    }
}

#[tokio::test]
async fn codes_links_and_sessions_are_limited() {
    for app in apps().await {
        let link = make_link(&app, "A1", "3").await;
        let nobody = Browser::new(&app);
        let (code_path, enter) = (format!("{link}/code"), format!("{link}/sign-in"));
        // Without a code there is nothing to guess.
        assert_eq!(nobody.post(&enter, &[("code", "000000")]).await.0, 401);
        assert_eq!(nobody.post(&code_path, &[]).await.0, 303);
        assert_eq!(nobody.post(&code_path, &[]).await.0, 429, "one a minute");
        let right = code(&app);
        let wrong = if right == "123456" { "654321" } else { "123456" };
        for _ in 0..5 {
            assert_eq!(nobody.post(&enter, &[("code", wrong)]).await.0, 401, "{}", app.engine);
        }
        assert_eq!(nobody.post(&enter, &[("code", &right)]).await.0, 401, "the code is void");
        // A code is good for ten minutes.
        app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
        assert_eq!(nobody.post(&code_path, &[]).await.0, 303);
        let late = code(&app);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(601));
        assert_eq!(nobody.post(&enter, &[("code", &late)]).await.0, 401, "{}", app.engine);
        // And for one sign-in.
        let applicant = sign_in(&app, &link).await;
        let used = code(&app);
        assert_eq!(nobody.post(&enter, &[("code", &used)]).await.0, 401, "{}", app.engine);
        // Five a day.
        for sent in 3..6 {
            app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
            let expected = if sent < 5 { 303 } else { 429 };
            assert_eq!(nobody.post(&code_path, &[]).await.0, expected, "{sent}");
        }
        // A form from elsewhere, or without the session's token, does nothing.
        let path = format!("{link}/documents");
        assert_eq!(applicant.post(&format!("{link}/sign-out"), &[]).await.0, 403);
        let elsewhere = app
            .http
            .post(format!("{}{code_path}", app.base))
            .header("sec-fetch-site", "cross-site");
        assert_eq!(applicant.send(elsewhere).await.0, 403, "{}", app.engine);
        assert_eq!(applicant.upload_with(&path, "no token", &[], "x.docx", b"x").await.0, 403);
        // A session ends, and with its link.
        assert!(applicant.get(&link).await.2.contains("上传被访者名单"), "{}", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(2 * 3_600));
        assert!(!applicant.get(&link).await.2.contains("上传被访者名单"), "{}", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(86_400));
        // Who signs out is out in every browser, also with a cookie that was kept; and can come back.
        let applicant = sign_in(&app, &link).await;
        let page = applicant.get(&link).await.2;
        assert!(page.contains("上传被访者名单"), "{}: {page}", app.engine);
        let token = applicant.token(&link).await;
        let out = applicant.post(&format!("{link}/sign-out"), &[("token", &token)]).await;
        assert_eq!(out.0, 303, "{}: {}", app.engine, out.2);
        assert!(!applicant.get(&link).await.2.contains("上传被访者名单"), "{}", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(61));
        let applicant = sign_in(&app, &link).await;
        assert!(applicant.get(&link).await.2.contains("上传被访者名单"), "{}", app.engine);
        let qian = Browser::signed_in(&app, "qian").await;
        let page = qian.get("/applications/A1").await.2;
        let revoke = page.split("/links/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let revoke = format!("/applications/A1/links/{revoke}/revoke");
        assert_eq!(qian.submit(&revoke, &[]).await.0, 200);
        assert_eq!(applicant.get(&link).await.0, 404, "{}: revoked", app.engine);
        let ended = make_link(&app, "A1", "1").await;
        app.clock.advance_to(app.clock_now() + Duration::from_secs(86_401));
        assert_eq!(nobody.get(&ended).await.0, 404, "{}: ended", app.engine);
        assert_eq!(nobody.get("/applicant/AAAAAAAAAAAAAAAAAAAAAA").await.0, 404);
        for (mobile, days) in [("020-83300000", ""), ("abc", ""), (MOBILE, "0"), (MOBILE, "999")] {
            let fields = [("mobile", mobile), ("days", days)];
            let refused = Browser::signed_in(&app, "qian").await;
            assert_eq!(refused.submit("/applications/A1/links", &fields).await.0, 422, "{mobile}");
        }
    }
}

#[tokio::test]
async fn documents_go_to_the_staff() {
    let app = apps().await.remove(0);
    let link = make_link(&app, "A1", "").await;
    let applicant = sign_in(&app, &link).await;
    let token = applicant.token(&link).await;
    let path = format!("{link}/documents");
    let table = "<table><tr><td>企业/机构名称<td>甲公司<tr><td>申请类别<td>☑品牌<tr><td>申报品牌名称<td>1、远帆</table>";
    let (status, _, page) =
        applicant.upload_with(&path, &token, &[], "申请书.doc", table.as_bytes()).await;
    assert!(status == 200 && page.contains("已收到"), "{page}");
    let (status, _, page) =
        applicant.upload_with(&path, &token, &[], "盖章.jpg", b"\xff\xd8\xff\xe0").await;
    // It is its own file: there is nobody to ask for another.
    assert_eq!(status, 422, "{page}");
    assert!(page.contains("盖章.jpg") && page.contains("请上传盖章前的"), "{page}");
    assert!(!page.contains("请索要"), "{page}");
    let to_lists = applicant
        .upload_with(
            &format!("{link}/lists"),
            &token,
            &[("for-A1", "on")],
            "a.jpg",
            b"\xff\xd8\xff\xe0",
        )
        .await;
    assert!(to_lists.2.contains("请上传盖章前的"), "{to_lists:?}");
    let qian = Browser::signed_in(&app, "qian").await;
    assert!(qian.get("/setup").await.2.contains("/application-drafts/"), "staff look it through");
}

#[tokio::test]
async fn an_applicant_finds_its_way_in_a_browser() {
    let app = TestApp::on_sqlite(silent(), SETTINGS).await;
    add_account(&app, "qian", Role::Operator).await;
    app.register_brand("A1", "a", "").await;
    app.register_brand("A2", "a", "").await;
    let link = make_link(&app, "A1", "").await;
    let applicant = sign_in(&app, &link).await;
    let file = app.folder.path().join("名单.csv");
    let people = format!("{}赵六,1381000\n钱七,\n孙八,李总{}\n", list(8), number(20));
    std::fs::write(&file, people).unwrap();
    let play = json!({ "base": app.base, "link": link, "cookie": applicant.cookie, "list": file });
    let Some(done) = run_in_chromium("tests/external/applicant_pages.js", play).await else {
        return;
    };
    assert_eq!(done["looked"].as_u64(), Some(24), "{done}");
}
