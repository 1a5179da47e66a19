//! The respondent's side, over HTTP as a browser without script does it, on both engines.

mod common;

use common::{PLAN, TestApp, answers, list, local, number};
use fieldworkd::gateway::simulator::Script;

async fn apps(people: usize) -> Vec<TestApp> {
    let apps = TestApp::on_each_engine(Script::faultless(1, 50), &[]).await;
    for app in &apps {
        app.in_field(people, "").await;
        app.dispatcher.tick().await.unwrap();
    }
    apps
}

#[tokio::test]
async fn looking_changes_nothing_and_beginning_does() {
    for app in apps(1).await {
        let link = app.link(0).await;
        let before = app.dispositions("A1").await;
        for url in [link.clone(), format!("{link}?lang=en"), format!("{link}?page=3")] {
            let (status, page) = app.get(&url).await;
            assert!(status == 200 && page.contains("/begin"), "{}", app.engine);
        }
        assert_eq!(app.dispositions("A1").await, before);
        let (status, to, _) = app.post(&format!("{link}/begin"), &[]).await;
        assert_eq!((status, to.contains("lang=zh")), (303, true));
        assert_eq!(app.dispositions("A1").await, [("2.12".to_owned(), 1)]);
        assert!(app.get(&link).await.1.contains("name=\"img1\""));
    }
}

#[tokio::test]
async fn an_interview_saves_each_page_resumes_validates_and_thanks() {
    for app in apps(1).await {
        let link = app.link(0).await;
        app.post(&format!("{link}/begin?lang=en"), &[]).await;
        let to = format!("{link}/answers?lang=en");
        // One item is missing and one is no point of the scale: the page comes back and says so; nothing is lost that was good.
        let (status, _, page) = app.post(&to, &[("case", "0"), ("page", "0"), ("img1", "7")]).await;
        assert!(status == 422 && page.contains("Please answer this.") && page.contains("value=\"7\" checked"));
        let (status, _, page) = app.post(&to, &[("case", "0"), ("page", "0"), ("img1", "7"), ("exp1", "11")]).await;
        assert!(status == 422 && page.contains("Please answer in the form that is asked for."));
        let (status, location, _) = app.post(&to, &[("case", "0"), ("page", "0"), ("img1", "7"), ("exp1", "10")]).await;
        assert!(status == 303 && location.ends_with("lang=en&page=1"), "{location}");
        // Another phone, later: the same link goes on where it was left, in either language.
        assert!(app.get(&link).await.1.contains("name=\"pq1\""));
        assert!(app.get(&format!("{link}?lang=en")).await.1.contains("How good is the quality"));
        // Back without losing.
        assert!(app.get(&format!("{link}?page=0")).await.1.contains("name=\"img1\" value=\"7\" checked"));
        // A page that is not reached yet is not shown, and a form that skips ahead completes nothing.
        assert!(app.get(&format!("{link}?page=3")).await.1.contains("name=\"pq1\""));
        app.post(&to, &answers(0, 3, "9")).await;
        assert_eq!(app.dispositions("A1").await, [("2.12".to_owned(), 1)]);
        for page in 1..4 {
            assert_eq!(app.post(&to, &answers(0, page, if page == 1 { "5" } else { "9" })).await.0, 303);
        }
        let (status, page) = app.get(&link).await;
        assert!(status == 200 && page.contains("感谢您的评价"));
        assert_eq!(app.dispositions("A1").await, [("1.1".to_owned(), 1)], "{}", app.engine);
        // Sent again, by a double tap or the back button: nothing changes.
        assert_eq!(app.post(&to, &answers(0, 3, "1")).await.0, 303);
        assert_eq!(app.dispositions("A1").await, [("1.1".to_owned(), 1)]);
        let before = app.simulator.record().taken.len();
        app.play_until(local("2026-03-20T12:00:00")).await;
        assert_eq!(app.simulator.record().taken.len(), before, "{}: who has answered is not reminded", app.engine);
    }
}

#[tokio::test]
async fn a_shared_list_is_one_link_with_the_questionnaires_one_after_another() {
    for app in TestApp::on_each_engine(Script::faultless(1, 50), &[]).await {
        app.brand("A1", "a", "").await;
        app.brand("A2", "a", "").await;
        app.import(&["A1", "A2"], list(1).as_bytes()).await.unwrap();
        app.launch("C1", &["A1", "A2"], PLAN).await.unwrap();
        app.dispatcher.tick().await.unwrap();
        assert_eq!(app.simulator.record().taken.len(), 1, "{}: one message", app.engine);
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
        app.post(&format!("{no_user}/begin"), &[]).await;
        app.post(&format!("{no_user}/not-a-user"), &[("case", "0")]).await;
        assert!(app.get(&no_user).await.1.contains("您不是其用户"));
        let now = app.dispositions("A1").await;
        assert!(now.contains(&("2.112".to_owned(), 1)) && now.contains(&("4.1".to_owned(), 1)), "{}: {now:?}", app.engine);
        let before = app.simulator.record().taken.len();
        app.play_until(local("2026-03-20T12:00:00")).await;
        assert_eq!(app.simulator.record().taken.len(), before + 2, "{}: only the third one is reminded, twice", app.engine);
    }
}

#[tokio::test]
async fn wrong_links_and_forms_get_a_polite_page_and_closed_fields_too() {
    let app = apps(1).await.remove(0);
    for path in ["/i/0000000000000000", "/i/short", "/i/../etc", "/nothing", "/i/%E7%8E%8B%E5%B0%8F%E6%98%8E00000"] {
        let (status, page) = app.get(&format!("{}{path}", app.base)).await;
        assert!(status == 404 && page.contains("没有这个页面"), "{path}: {status}");
    }
    // Somebody who tries many is slowed down; real links still work.
    let mut slowed = 0;
    for n in 0..60 {
        slowed += u32::from(app.get(&format!("{}/i/00000000000000{n:02}", app.base)).await.0 == 429);
    }
    assert!(slowed >= 5, "{slowed}");
    let link = app.link(0).await;
    app.post(&format!("{link}/begin"), &[]).await;
    assert_eq!(app.post(&format!("{link}/answers"), &[("case", "7"), ("page", "0")]).await.0, 400);
    assert_eq!(app.post(&format!("{link}/answers"), &[("case", "0"), ("page", "77")]).await.0, 400);
    assert_eq!(app.post(&format!("{link}/answers"), &[]).await.0, 400);
    assert_eq!(app.post(&format!("{link}/answers"), &[("open1", &"字".repeat(40_000))]).await.0, 413);
    app.play_until(local("2026-06-01T12:00:00")).await;
    assert!(app.get(&link).await.1.contains("调查已结束"));
    assert_eq!(app.post(&format!("{link}/answers"), &answers(0, 0, "5")).await.0, 303);
    assert_eq!(app.dispositions("A1").await, [("2.12".to_owned(), 1)]);
}

#[tokio::test]
async fn pages_are_small_load_nothing_and_are_kept_from_search_engines() {
    let app = apps(1).await.remove(0);
    let link = app.link(0).await;
    let check = async |url: &str| {
        let answer = app.http.get(url).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
        assert_eq!((header("referrer-policy").as_str(), header("cache-control").as_str()), ("no-referrer", "no-store"));
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
    app.post(&format!("{link}/begin"), &[]).await;
    for page in 0..4 {
        check(&format!("{link}?page={page}&lang=en")).await;
        app.post(&format!("{link}/answers"), &answers(0, page, "8")).await;
    }
    check(&link).await;
}
