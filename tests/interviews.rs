//! Interviews on the web, over HTTP like a browser without scripts, on both engines.

use crate::common;
use crate::common::{PLAN, TestApp, answers, list, local, number};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::responses::StoredValue;
use fieldworkd::adapters::database::{applications, responses};
use fieldworkd::simulation::Scenario;

async fn apps(people: usize) -> Vec<TestApp> {
    let apps = TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await;
    for app in &apps {
        app.launch_with_people(people, "").await;
        app.dispatcher.tick().await.unwrap();
    }
    apps
}

#[tokio::test]
async fn opening_a_link_changes_nothing_and_beginning_does() {
    for app in apps(1).await {
        let link = app.link(0).await;
        let before = app.dispositions("A1").await;
        for url in [link.clone(), format!("{link}?lang=en"), format!("{link}?page=3")] {
            let (status, page) = app.get(&url).await;
            assert!(status == 200 && page.contains("/begin"), "{}", app.engine);
        }
        assert_eq!(app.dispositions("A1").await, before);
        let (status, to, _) = app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        assert_eq!((status, to.contains("lang=zh")), (303, true));
        assert_eq!(app.dispositions("A1").await, [("2.12".to_owned(), 1)]);
        assert!(app.get(&link).await.1.contains("name=\"img1\""));
    }
}

#[tokio::test]
async fn an_interview_saves_each_page_resumes_validates_and_thanks() {
    for app in apps(1).await {
        let link = app.link(0).await;
        app.post(&format!("{link}/begin?lang=en"), common::CONSENT_FORM).await;
        let to = format!("{link}/answers?lang=en");
        // One item is missing and one is not a point of the scale: the page returns with the
        // problems, and no valid answer is lost.
        let given = |exp1| {
            let (case, page) = (("case", "0"), ("page", "0"));
            [case, page, ("img1", "7"), ("img2", "7"), ("exp1", exp1), ("exp2", "7")]
        };
        let (status, _, page) = app.post(&to, &given("")[..4]).await;
        assert!(
            status == 422
                && page.contains("Please answer this.")
                && page.contains("value=\"7\" checked")
        );
        let (status, _, page) = app.post(&to, &given("11")).await;
        assert!(status == 422 && page.contains("Please answer in the form that is asked for."));
        let (status, location, _) = app.post(&to, &given("10")).await;
        assert!(status == 303 && location.ends_with("lang=en&page=1"), "{location}");
        // On another phone, later: the same link continues where it was left, in either language.
        assert!(app.get(&link).await.1.contains("name=\"pq1\""));
        assert!(app.get(&format!("{link}?lang=en")).await.1.contains("How good is the quality"));
        // Going back loses nothing.
        assert!(
            app.get(&format!("{link}?page=0"))
                .await
                .1
                .contains("name=\"img1\" value=\"7\" checked")
        );
        // A page that is not reached yet is not shown, and a form that skips ahead completes
        // nothing.
        assert!(app.get(&format!("{link}?page=3")).await.1.contains("name=\"pq1\""));
        app.post(&to, &answers(0, 3, "9")).await;
        assert_eq!(app.dispositions("A1").await, [("2.12".to_owned(), 1)]);
        for page in 1..4 {
            assert_eq!(
                app.post(&to, &answers(0, page, if page == 1 { "5" } else { "9" })).await.0,
                303
            );
        }
        let (status, page) = app.get(&link).await;
        assert!(status == 200 && page.contains("感谢您的评价"));
        assert_eq!(app.dispositions("A1").await, [("1.1".to_owned(), 1)], "{}", app.engine);
        // Sent again, by a double tap or the back button: nothing changes.
        assert_eq!(app.post(&to, &answers(0, 3, "1")).await.0, 303);
        assert_eq!(app.dispositions("A1").await, [("1.1".to_owned(), 1)]);
        let before = app.simulator.record().accepted.len();
        app.advance_until(local("2026-03-20T12:00:00")).await;
        assert_eq!(
            app.simulator.record().accepted.len(),
            before,
            "{}: who has answered is not reminded",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_shared_list_is_one_link_with_the_questionnaires_one_after_another() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.register_brand("A2", "a", "").await;
        app.import(&["A1", "A2"], list(1).as_bytes()).await.unwrap();
        app.launch("C1", &["A1", "A2"], PLAN).await.unwrap();
        app.dispatcher.tick().await.unwrap();
        assert_eq!(app.simulator.record().accepted.len(), 1, "{}: one message", app.engine);
        let link = app.link(0).await;
        let welcome = app.get(&link).await.1;
        assert!(welcome.contains("A1牌") && welcome.contains("A2牌"));
        let second = app.answer_all(&link, 0, "8").await;
        assert!(second.contains("A2牌") && second.contains("5/8"), "{second}");
        assert_eq!(app.dispositions("A1").await, [("1.1".to_owned(), 1)]);
        assert!(app.answer_all(&link, 1, "6").await.contains("感谢您的评价"));
        assert_eq!(app.dispositions("A2").await, [("1.1".to_owned(), 1)], "{}", app.engine);
    }
}

#[tokio::test]
async fn refusing_and_not_being_a_user_end_what_they_should() {
    for app in apps(3).await {
        let (refuses, no_user) = (app.link(0).await, app.link(1).await);
        assert_eq!(app.post(&format!("{refuses}/refuse"), &[]).await.0, 303);
        assert!(app.get(&refuses).await.1.contains("我们不会再就此联系您"));
        app.post(&format!("{no_user}/begin"), common::CONSENT_FORM).await;
        app.post(&format!("{no_user}/not-a-user"), &[("case", "0")]).await;
        assert!(app.get(&no_user).await.1.contains("您不是其用户"));
        let now = app.dispositions("A1").await;
        assert!(
            now.contains(&("2.112".to_owned(), 1)) && now.contains(&("4.1".to_owned(), 1)),
            "{}: {now:?}",
            app.engine
        );
        let before = app.simulator.record().accepted.len();
        app.advance_until(local("2026-03-20T12:00:00")).await;
        assert_eq!(
            app.simulator.record().accepted.len(),
            before + 2,
            "{}: only the third one is reminded, twice",
            app.engine
        );
    }
}

#[tokio::test]
async fn wrong_links_and_forms_get_a_polite_page_and_closed_fields_too() {
    let app = apps(1).await.remove(0);
    for path in [
        "/i/0000000000000000",
        "/i/short",
        "/i/../etc",
        "/nothing",
        "/i/%E7%8E%8B%E5%B0%8F%E6%98%8E00000",
    ] {
        let (status, page) = app.get(&format!("{}{path}", app.base)).await;
        assert!(status == 404 && page.contains("没有这个页面"), "{path}: {status}");
    }
    // A client that guesses many codes is slowed down; real links still work.
    let mut slowed = 0;
    for n in 0..60 {
        slowed +=
            u32::from(app.get(&format!("{}/i/00000000000000{n:02}", app.base)).await.0 == 429);
    }
    assert!(slowed >= 5, "{slowed}");
    let link = app.link(0).await;
    app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
    assert_eq!(app.post(&format!("{link}/answers"), &[("case", "7"), ("page", "0")]).await.0, 400);
    assert_eq!(app.post(&format!("{link}/answers"), &[("case", "0"), ("page", "77")]).await.0, 400);
    assert_eq!(app.post(&format!("{link}/answers"), &[]).await.0, 400);
    assert_eq!(
        app.post(&format!("{link}/answers"), &[("open1", &"字".repeat(200_000))]).await.0,
        413
    );
    app.advance_until(local("2026-06-01T12:00:00")).await;
    assert!(app.get(&link).await.1.contains("调查已结束"));
    assert_eq!(app.post(&format!("{link}/answers"), &answers(0, 0, "5")).await.0, 303);
    assert_eq!(app.dispositions("A1").await, [("2.121".to_owned(), 1)]);
}

#[tokio::test]
async fn pages_are_small_load_nothing_and_are_kept_from_search_engines() {
    let app = apps(1).await.remove(0);
    let link = app.link(0).await;
    let check = async |url: &str| {
        let answer = app.http.get(url).send().await.unwrap();
        let header = |name: &str| {
            answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        assert!(
            header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-")
        );
        assert_eq!(
            (header("referrer-policy").as_str(), header("cache-control").as_str()),
            ("no-referrer", "no-store")
        );
        assert!(header("x-robots-tag").contains("noindex"));
        let page = answer.text().await.unwrap();
        assert!(page.len() <= 14 * 1024, "{url}: {} bytes", page.len());
        for outside in ["<script", "<link", "<img", "src=", "http://", "https://"] {
            assert!(!page.contains(outside), "{url} holds {outside}");
        }
        for private in ["受访者0", &number(0)] {
            assert!(!page.contains(private), "{url} names the respondent");
        }
    };
    check(&link).await;
    app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
    for page in 0..4 {
        check(&format!("{link}?page={page}&lang=en")).await;
        app.post(&format!("{link}/answers"), &answers(0, page, "8")).await;
    }
    check(&link).await;
}

#[tokio::test]
async fn nothing_is_asked_before_the_present_notice_is_agreed_to() {
    for app in apps(2).await {
        let link = app.link(0).await;
        assert!(
            app.get(&link).await.1.contains("a公司提供"),
            "the notice names who gave the number"
        );
        // A form without the notice, or with another version of it, begins nothing; neither does a
        // page that is sent without consent.
        assert_eq!(app.post(&format!("{link}/begin"), &[]).await.0, 400);
        app.post(&format!("{link}/begin"), &[("notice", "standard-0")]).await;
        app.post(&format!("{link}/answers"), &answers(0, 0, "8")).await;
        assert!(app.get(&link).await.1.contains("/begin"));
        assert_eq!(app.dispositions("A1").await, [("3.19".to_owned(), 2)], "{}", app.engine);
        app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        app.post(&format!("{link}/answers"), &answers(0, 0, "8")).await;
        let consents = async || {
            fieldworkd::adapters::database::consents::count(
                &mut app.context.database.read().await.unwrap(),
            )
            .await
            .unwrap()
        };
        assert_eq!(consents().await, [("standard-3".to_owned(), 1, 0)]);

        // The programme gets its own notice: consent is requested again, and the answers remain.
        let own = |version: &str, text: &str| {
            format!(
                "{}[privacy]\nversion = \"{version}\"\ntext = {{ zh = \"{text}\", en = \"Ours, \
                    {{applicant}}\" }}\n",
                common::PROGRAMME
            )
        };
        fieldworkd::services::programmes::apply_programme(&app.context, &own("2026-1", "本会告知"))
            .await
            .unwrap();
        let changed = fieldworkd::services::programmes::apply_programme(
            &app.context,
            &own("2026-1", "另一告知"),
        )
        .await;
        assert!(changed.unwrap_err().to_string().contains("raise the version"));
        assert!(app.get(&format!("{link}?page=1")).await.1.contains("本会告知"));
        app.post(&format!("{link}/answers"), &answers(0, 1, "8")).await;
        app.clock.advance_to(app.clock.now() + std::time::Duration::from_secs(60));
        app.post(&format!("{link}/begin"), &[("notice", "2026-1")]).await;
        assert!(app.get(&link).await.1.contains("name=\"pq1\""));
        assert_eq!(
            consents().await,
            [("2026-1".to_owned(), 1, 0), ("standard-3".to_owned(), 1, 0)]
        );

        // A refusal after that withdraws the consent.
        app.post(&format!("{link}/refuse"), &[]).await;
        assert!(app.get(&link).await.1.contains("已撤回同意"));
        assert_eq!(
            consents().await,
            [("2026-1".to_owned(), 0, 1), ("standard-3".to_owned(), 0, 1)]
        );
    }
}

#[tokio::test]
async fn postponing_moves_the_reminder_and_a_call_request_is_in_the_inbox() {
    for app in apps(2).await {
        let (later, call) = (app.link(0).await, app.link(1).await);
        assert_eq!(app.post(&format!("{later}/later"), &[("when", "never")]).await.0, 400);
        // Monday 09:30: the reminder is due in a week. It moves to tomorrow.
        let (status, to, _) =
            app.post(&format!("{later}/later?lang=en"), &[("when", "tomorrow")]).await;
        assert!(status == 303 && to.ends_with("noted=later"), "{to}");
        let page = app.get(&format!("{}{to}", app.base)).await.1;
        assert!(
            page.contains("All right, later") && page.contains("Reminder on 2026-03-03"),
            "{page}"
        );
        let sent = async || app.simulator.record().submits.len();
        assert_eq!(sent().await, 2);
        app.advance_until(local("2026-03-04T12:00:00")).await;
        assert_eq!(sent().await, 3, "{}: one reminder, brought forward", app.engine);
        assert_eq!(
            app.dispositions("A1").await,
            [("2.20".to_owned(), 2)],
            "a wish is no beginning"
        );

        for _ in 0..2 {
            let (_, to, _) = app.post(&format!("{call}/call-me"), &[("when", "evening")]).await;
            assert!(app.get(&format!("{}{to}", app.base)).await.1.contains("我们会给您打电话"));
        }
        let mut connection = app.context.database.read().await.unwrap();
        let inbox =
            fieldworkd::adapters::database::replies::inbox(&mut connection, Some("call_me"), false)
                .await
                .unwrap();
        assert_eq!(inbox.len(), 1, "{}: asked twice on a day is one request", app.engine);
        assert!(inbox[0].cases[0].1.starts_with("A1/"));
        let sealed =
            fieldworkd::adapters::database::replies::sealed_reply(&mut connection, inbox[0].id)
                .await
                .unwrap()
                .unwrap();
        let (sealed, key) = (sealed.text.unwrap(), sealed.key_id.unwrap());
        let page = app
            .context
            .keys
            .sealer(&key)
            .unwrap()
            .open_text(fieldworkd::services::sealing::seal_context::REPLY, &sealed)
            .unwrap();
        assert!(page.contains("晚上"), "{page}");
    }
}

#[tokio::test]
async fn what_is_asked_for_in_the_evening_keeps_hours_and_the_due_day() {
    let app = apps(1).await.remove(0);
    let link = app.link(0).await;
    let next = async || {
        let mut connection = app.context.database.read().await.unwrap();
        let id = fieldworkd::adapters::database::links::find_by_hashes(
            &mut connection,
            &[hash(&app, &link).as_str()],
        )
        .await
        .unwrap()
        .into_values()
        .next()
        .unwrap()
        .id;
        fieldworkd::adapters::database::invitations::next_contact(&mut connection, id)
            .await
            .unwrap()
            .unwrap()
            .1
    };
    app.post(&format!("{link}/later"), &[("when", "evening")]).await;
    assert_eq!(next().await, local("2026-03-02T19:00:00"));
    // Half an hour before the contact hours end, «this evening» is no longer possible.
    app.clock.advance_to(local("2026-03-02T20:30:00"));
    app.post(&format!("{link}/later"), &[("when", "evening")]).await;
    assert_eq!(next().await, local("2026-03-03T19:00:00"));
    // The last week of the field: a reminder in a week would be too late, so nothing moves.
    app.clock.advance_to(local("2026-05-10T10:00:00"));
    let before = next().await;
    app.post(&format!("{link}/later"), &[("when", "week")]).await;
    assert_eq!(next().await, before);
}

fn hash(app: &TestApp, link: &str) -> String {
    app.context.keys.hasher().link_hash(link.rsplit('/').next().unwrap())
}

/// Times, device and quality flags are in the dataset; a suspicious response remains in it.
#[tokio::test]
async fn paradata_are_recorded_and_exclude_nobody() {
    const PHONE: &str = "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36";
    for app in apps(6).await {
        let app = &app;
        let send = async |n: usize, page: usize, point: &str, seconds: u64| {
            let link = app.link(n).await;
            if page == 0 {
                app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
            }
            let shown_at = app
                .get(&link)
                .await
                .1
                .split("name=\"shown\" value=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_owned();
            app.clock.advance_to(app.clock.now() + std::time::Duration::from_secs(seconds));
            let mut fields = answers(0, page, point);
            fields.push(("shown", &shown_at));
            if page == 1 && n != 5 {
                fields[2].1 = "3";
            }
            let body: String =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let request = app
                .http
                .post(format!("{link}/answers"))
                .header("content-type", "application/x-www-form-urlencoded")
                .header("user-agent", PHONE);
            assert_eq!(request.body(body).send().await.unwrap().status(), 303);
        };
        for page in 0..4 {
            for n in 0..6 {
                send(n, page, "8", if n == 5 { 3 } else { 20 }).await;
            }
        }
        app.advance_until(local("2026-06-01T12:00:00")).await;
        fieldworkd::services::datasets::write_pending(&app.context).await.unwrap();
        let folder = app.folder.path().join("datasets/A1/v1");
        common::validate_dataset(&folder);
        let responses = std::fs::read_to_string(folder.join("responses.csv")).unwrap();
        assert_eq!(responses.lines().count(), 7, "{}: everybody is in it", app.engine);
        assert_eq!(
            responses.matches(",80,phone,false,false,true,,,0.0000,").count(),
            5,
            "{responses}"
        );
        assert_eq!(responses.matches(",12,phone,true,true,,,,0.0000,").count(), 1, "{responses}");
        let paradata = std::fs::read_to_string(folder.join("paradata.csv")).unwrap();
        assert_eq!(
            (paradata.lines().count(), paradata.matches(",web,phone,").count()),
            (25, 24),
            "{paradata}"
        );
    }
}

/// The answers of a page are on disk, or the page can be sent again; in either case nothing is
/// counted twice.
#[tokio::test]
async fn two_tabs_a_dying_connection_and_the_back_button_lose_and_double_nothing() {
    for app in apps(1).await {
        let link = app.link(0).await;
        let to = format!("{link}/answers");
        app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        app.post(&to, &answers(0, 0, "8")).await;
        // A second tab continues while the first still shows page one, which is then sent late.
        app.post(&to, &answers(0, 1, "8")).await;
        app.post(&to, &answers(0, 0, "7")).await;
        assert!(app.get(&link).await.1.contains("name=\"sat1\""), "the second tab's page is kept");
        // The connection dies after the page was sent and before the response.
        let address = app.base.trim_start_matches("http://");
        let body = "case=0&page=2&sat1=8&sat2=8&sat3=8&complained=no";
        let path = to.trim_start_matches(app.base.as_str());
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: \
                application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes()).await.unwrap();
        drop(socket);
        // The respondent taps again.
        app.post(&to, &answers(0, 2, "8")).await;
        app.post(&to, &answers(0, 3, "8")).await;
        assert!(app.get(&link).await.1.contains("感谢您的评价"));
        // Back, and sent again.
        assert!(app.get(&format!("{link}?page=1")).await.1.contains("感谢您的评价"));
        assert_eq!(app.post(&to, &answers(0, 1, "1")).await.0, 303);
        assert_eq!(app.dispositions("A1").await, [("1.1".to_owned(), 1)], "{}", app.engine);
        let mut connection = app.context.database.read().await.unwrap();
        let id = fieldworkd::adapters::database::applications::find(&mut connection, "A1")
            .await
            .unwrap()
            .unwrap()
            .id;
        let responses =
            fieldworkd::adapters::database::responses::of_application(&mut connection, id)
                .await
                .unwrap();
        assert_eq!(responses.len(), 1);
        let value = |item: &str| match &responses[0].answers[item] {
            fieldworkd::adapters::database::responses::StoredValue::Plain(value) => value.clone(),
            fieldworkd::adapters::database::responses::StoredValue::Sealed(_) => String::new(),
        };
        assert_eq!(
            (value("img1"), value("pq1"), value("val1"), value("loy2")),
            ("7".into(), "8".into(), "8".into(), "8".into())
        );
    }
}

/// Far more requests at once than one database query serves: everybody gets the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hundreds_at_the_same_moment_all_get_their_page() {
    for app in apps(3).await {
        let app = std::sync::Arc::new(app);
        let links = [app.link(0).await, app.link(1).await, app.link(2).await];
        let mut under_way = tokio::task::JoinSet::new();
        for n in 0..600 {
            let (app, link) = (app.clone(), links[n % 3].clone());
            under_way.spawn(async move { app.get(&link).await });
        }
        while let Some(page) = under_way.join_next().await {
            let (status, page) = page.unwrap();
            assert!(status == 200 && page.contains("/begin"), "{}: {status}", app.engine);
        }
    }
}

#[tokio::test]
async fn numbers_and_days_are_read_as_people_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let questionnaire =
        include_str!("fixtures/every_kind.toml").replace("show_if = \"segment == '大业主'\", ", "");
    std::fs::write(folder.path().join("brand.toml"), questionnaire).unwrap();
    let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &settings).await {
        app.launch_with_people(1, "").await;
        app.dispatcher.tick().await.unwrap();
        let link = app.link(0).await;
        app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        let send = async |language: &str, page: &str, fields: &[(&str, &str)]| {
            let fields: Vec<(&str, &str)> =
                [("case", "0"), ("page", page)].into_iter().chain(fields.iter().copied()).collect();
            app.post(&format!("{link}/answers?lang={language}"), &fields).await
        };
        send("zh", "0", &[("use", "daily")]).await;
        send("zh", "1", &[("sat1", "-3"), ("g1", "４"), ("g2", "na")]).await;
        send("zh", "2", &[("why", "price")]).await;
        // Two readings: asked again, with the wanted form.
        let (status, _, page) = send("en", "3", &[("paid", "1.299"), ("since", "3/4")]).await;
        let (number, day) = (
            "Please give a number from 0 to 100000 with at most 2 decimals, such as 1200.25.",
            "Please give a day from 2000-01-01 on, such as 2026-05-13 (year-month-day).",
        );
        assert!(status == 422 && page.contains(number) && page.contains(day), "{page}");
        let (status, _, page) = send("zh", "3", &[("paid", "20万"), ("since", "2月30日")]).await;
        let (number, day) = (
            "超出了允许的范围。请填写0至100000之间的数字，小数至多2位，如1200.25。",
            "请填写2000-01-01起的日期，如2026-05-13（年-月-日）。",
        );
        assert!(status == 422 && page.contains(number) && page.contains(day), "{page}");
        let ranks = [("rank1.a", "2"), ("rank1.b", "3"), ("rank1.c", "1")];
        let mut last = vec![("paid", "1299,50"), ("since", "昨天")];
        last.extend(ranks);
        assert_eq!(send("zh", "3", &last).await.0, 303, "{}", app.engine);
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let response = responses::of_application(&mut connection, id).await.unwrap().remove(0);
        let yesterday = app.clock_now().date(chrono_tz::Asia::Shanghai).pred_opt().unwrap();
        for (item, stored) in [
            ("sat1", "-3"),
            ("g1", "4"),
            ("paid", "1299.5"),
            ("since", yesterday.to_string().as_str()),
        ] {
            let answer = response.answers.get(item);
            let is_stored = matches!(answer, Some(StoredValue::Plain(value)) if value == stored);
            assert!(is_stored, "{}: {item} is not {stored}", app.engine);
        }
    }
}
