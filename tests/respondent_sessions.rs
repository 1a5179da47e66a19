//! Sessions, deadlines and zones: whoever finishes in the last minute, after the end with the page
//! still open, with a wrong clock, without cookies, in a private window or on two devices comes to a
//! clear end, and nothing is lost that was thanked for. Through the real web server.
//!
//! Cases from public bug reports of other survey software name their source: `project#number`.

use std::time::Duration;

use crate::common;
use crate::common::survey::{DAILY, Survey};
use crate::common::{TestApp, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::services::{datasets, programmes};

const THANKS: &str = "感谢您的评价";

/// Returns the last day of the field, as the welcome page of somebody who has not begun tells it.
async fn last_day(survey: &Survey, link: &str) -> String {
    let page = survey.page(link).await;
    page.split("截止日期 ").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let mut connection = app.context.database.read().await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut *connection).await.unwrap()
}

/// Sends a page and follows to where that leads. Returns the page that the respondent sees.
async fn send_and_follow(
    survey: &Survey,
    link: &str,
    to: &str,
    page: &str,
    fields: &[(&str, &str)],
) -> String {
    let (status, location, shown) = survey.send(link, to, page, fields).await;
    if status != 303 {
        return shown;
    }
    let (status, shown) = survey.app.get(&format!("{}{location}", survey.app.base)).await;
    assert_eq!(status, 200, "{to} leads to {location}");
    shown
}

/// A client that knows nothing of any request before: no cookie, no connection, no referrer.
async fn stranger(method: &str, url: &str, body: String) -> (u16, String, String) {
    let client = fieldworkd::adapters::http_client::new(Duration::from_secs(60)).unwrap();
    let request = client
        .request(method.parse().unwrap(), url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "null")
        .header("dnt", "1")
        .header("sec-gpc", "1")
        .body(body);
    let answer = request.send().await.unwrap();
    assert!(!answer.headers().contains_key("set-cookie"), "{url} sets a cookie");
    let to = answer.headers().get("location").map_or("", |to| to.to_str().unwrap()).to_owned();
    (answer.status().as_u16(), to, answer.text().await.unwrap())
}

/// codefordurham/school-navigator#443: the last day was not wholly open. rubenarslan/formr.org#305:
/// whoever began before the end may finish after it.
#[tokio::test]
async fn what_was_thanked_for_in_the_last_minute_is_in_the_dataset() {
    let survey = Survey::start(4).await;
    let app = &survey.app;
    let links = [survey.begin(0).await, survey.begin(1).await, survey.begin(2).await];
    for link in &links {
        survey.send(link, "answers", "0", &[DAILY]).await;
    }
    let day = last_day(&survey, &app.link(3).await).await;
    let end = local(&format!("{day}T23:59:59")) + Duration::from_secs(1);
    app.advance_until(end - Duration::from_millis(1)).await;
    let last = [("sat1", "5"), ("more", "最后一刻")];
    assert!(send_and_follow(&survey, &links[0], "answers", "1", &last).await.contains(THANKS));
    // At the very moment of the end it is one too late: said, with all that was typed.
    app.clock.advance_to(end);
    let page = send_and_follow(&survey, &links[1], "answers", "1", &last).await;
    assert!(page.contains("还没有保存") && page.contains("最后一刻"), "{page}");
    // «Later» promises nothing that is not so: the page is not saved.
    for (wish, when) in [("later", "week"), ("call-me", "any")] {
        let fields = [("sat1", "4"), ("more", "我的话在这里"), ("when", when)];
        let page = send_and_follow(&survey, &links[2], wish, "1", &fields).await;
        assert!(page.contains("还没有保存") && page.contains("我的话在这里"), "{page}");
    }
    // Who has not agreed yet is told that it is over, before it is closed and after.
    for _ in 0..2 {
        let (_, to, _) =
            app.post(&format!("{}/begin", app.link(3).await), common::CONSENT_FORM).await;
        let page = survey.page(&format!("{}{to}", app.base)).await;
        assert!(page.contains("调查已结束") && !page.contains("截止日期"), "{page}");
        app.advance_until(end).await;
    }
    // Closed: the same page, sent again, is thanked for, and kept as late.
    assert!(send_and_follow(&survey, &links[1], "answers", "1", &last).await.contains(THANKS));
    assert_eq!(count(app, "SELECT COUNT(*) FROM survey_case WHERE late_at IS NOT NULL").await, 1);
    assert_eq!(count(app, "SELECT COUNT(*) FROM answer WHERE item = 'more'").await, 2);
    assert_eq!(datasets::write_pending(&app.context).await.unwrap(), 1);
    let responses =
        std::fs::read_to_string(app.context.config.datasets.join("A1/v1/responses.csv")).unwrap();
    assert_eq!(responses.matches(",1.1,").count(), 1, "{responses}");
    assert!(responses.contains("最后一刻"), "{responses}");
}

/// w3c/wbs-design#143: when it closes was told differently from place to place. ONSdigital/eq-survey-
/// runner#991: a time-out saved nothing. Whatever is pressed on a page that was left open.
#[tokio::test]
async fn an_open_page_leads_to_a_clear_end_after_the_field_has_closed() {
    let survey = Survey::start(8).await;
    let app = &survey.app;
    let mut links = Vec::new();
    for n in 0..7 {
        links.push(survey.begin(n).await);
        survey.send(&links[n], "answers", "0", &[DAILY]).await;
    }
    let day = last_day(&survey, &app.link(7).await).await;
    app.advance_until(local(&format!("{day}T23:59:59")) + Duration::from_secs(9 * 3_600)).await;
    let typed = [("sat1", "4"), ("more", "一夜之后")];
    let with = |more: (&'static str, &'static str)| [typed[0], typed[1], more];
    let see = |n: usize, to: &'static str, fields: Vec<(&'static str, &'static str)>| {
        let (survey, link) = (&survey, links[n].clone());
        async move { send_and_follow(survey, &link, to, "1", &fields).await }
    };
    assert!(see(0, "answers", typed.to_vec()).await.contains(THANKS));
    let page = see(1, "answers", with(("in-language", "en")).to_vec()).await;
    assert!(page.contains("Are you satisfied with A1牌") && page.contains("一夜之后"), "{page}");
    let page = see(2, "answers", with(("back-to", "0")).to_vec()).await;
    assert!(page.contains("多久一次"), "{page}");
    assert!(survey.page(&format!("{}?page=1", links[2])).await.contains("一夜之后"));
    // «Later» is kept, and names no day that is over.
    let page = see(3, "later", with(("when", "week")).to_vec()).await;
    assert!(page.contains("好的，稍后继续"), "{page}");
    assert!(!page.contains("截止日期") && !page.contains("提醒日期"), "{page}");
    assert!(survey.page(&format!("{}?page=1", links[3])).await.contains("一夜之后"));
    // A «no» is a «no» after the end, too.
    assert!(see(4, "refuse", Vec::new()).await.contains("已撤回同意"));
    assert!(see(5, "not-a-user", Vec::new()).await.contains("满意吗"));
    // Two weeks later it is over for everybody; what is thanked for stays so.
    let later = app.clock.now() + Duration::from_secs(15 * 86_400);
    app.advance_until(later).await;
    for n in [1, 2, 3, 6] {
        let page = see(n, "answers", typed.to_vec()).await;
        assert!(page.contains("调查已结束"), "{n}: {page}");
        assert!(see(n, "later", with(("when", "week")).to_vec()).await.contains("调查已结束"));
    }
    assert!(survey.page(&links[0]).await.contains(THANKS));
    assert!(see(0, "answers", with(("sat1", "1")).to_vec()).await.contains(THANKS));
}

/// nextcloud/forms#3598: a form was over because the visitor's clock said so. ONSdigital/eq-survey-
/// runner#162, instedd/surveda#958: times of another zone.
#[tokio::test]
async fn the_phones_clock_and_zone_say_nothing() {
    let survey = Survey::start(2).await;
    let app = &survey.app;
    let welcome = survey.page(&app.link(1).await).await;
    let link = survey.begin(0).await;
    // What a phone of another year asks: pages are neither cached nor dated.
    for year in ["1970", "2019", "2038", "2106"] {
        let date = format!("Thu, 01 Jan {year} 00:00:00 GMT");
        for url in [&link, &app.link(1).await] {
            let request = app
                .http
                .get(url)
                .header("date", &date)
                .header("if-modified-since", &date)
                .header("if-unmodified-since", &date)
                .header("if-none-match", "*")
                .header("if-range", &date)
                .header("cache-control", "only-if-cached");
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{year}");
            assert_eq!(answer.headers()["cache-control"], "no-store");
            for dated in ["last-modified", "expires", "etag", "age"] {
                assert!(!answer.headers().contains_key(dated), "{dated}");
            }
            let page = answer.text().await.unwrap();
            assert!(!page.contains("<script") && !page.contains("<time"), "{page}");
        }
    }
    assert_eq!(survey.page(&app.link(1).await).await, welcome, "the same day for every phone");
    // The time that the form tells comes from the server; a form that tells another is taken.
    for shown in ["-1", "0", "99999999999999", "9223372036854775807", "1e300", "昨天", ""] {
        let fields = [DAILY, ("note", "在"), ("shown", shown)];
        assert_eq!(survey.send(&link, "answers", "0", &fields).await.0, 303, "{shown}");
    }
    let odd =
        "SELECT COUNT(*) FROM page_visit WHERE shown_at > sent_at OR sent_at - shown_at > 1800000";
    assert_eq!(count(app, odd).await, 0);
    // «Today» is the day of the programme, shortly after its midnight as well.
    app.clock.advance_to(local("2026-03-04T00:10:00"));
    let fields = [("sat1", "3"), ("day", "今天"), ("back-to", "0")];
    assert_eq!(survey.send(&link, "answers", "1", &fields).await.0, 303);
    assert_eq!(survey.stored("day").await.as_deref(), Some("2026-03-04"));
}

/// instedd/surveda#2241: cookies shut people out of their own survey. sleepepi/slice#116: a session
/// that another tab had begun. episphere/connect#500: private windows.
#[tokio::test]
async fn each_request_stands_alone_without_cookies_and_in_a_private_window() {
    let survey = Survey::start(2).await;
    let app = &survey.app;
    let link = app.link(0).await;
    let (status, _, page) = stranger("GET", &link, String::new()).await;
    assert!(status == 200 && page.contains("同意并开始"), "{page}");
    let send =
        async |to: &str, body: &str| stranger("POST", &format!("{link}/{to}"), body.into()).await;
    assert_eq!(send("begin", "notice=standard-3").await.0, 303);
    let (status, to, _) = send("answers", "case=0&page=0&use=daily&mark=4&note=hello").await;
    assert_eq!(status, 303);
    // A private window next to it goes on where the first one is, and is asked for no consent.
    for url in [format!("{}{to}", app.base), link.clone()] {
        let page = stranger("GET", &url, String::new()).await.2;
        assert!(page.contains("对A1牌满意吗") && page.contains("您答每天"), "{page}");
    }
    // Cookies of others, broken or huge, change nothing.
    for cookie in ["fieldworkd_session=of-somebody-else", "a=b; =; ;;", &"x=y; ".repeat(500)] {
        let answer = app.http.get(&link).header("cookie", cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!answer.headers().contains_key("set-cookie"));
        assert!(answer.text().await.unwrap().contains("您答每天"));
    }
    assert_eq!(send("answers", "case=0&page=1&sat1=5").await.0, 303);
    let page = stranger("GET", &link, String::new()).await.2;
    assert!(page.contains(THANKS), "{page}");
    assert_eq!(survey.stored("note").await.as_deref(), Some("hello"));
    assert_eq!(app.dispositions("A1").await[0], ("1.1".to_owned(), 1));
}

/// instedd/surveda#870, decidim/decidim#8560: two tabs, and an answer of one was taken for the
/// other's question, or twice.
#[tokio::test]
async fn pages_of_two_devices_may_come_in_any_order() {
    let survey = Survey::start(6).await;
    let (app, done) = (&survey.app, [("sat1", "5"), ("more", "第一台")]);
    // Both stand on the first page; each sends it. What was sent last counts, nothing is asked twice.
    let link = survey.begin(0).await;
    survey.send(&link, "answers", "0", &[DAILY, ("mark", "1"), ("note", "第一台")]).await;
    let in_english = [DAILY, ("mark", "2"), ("note", "第二台")];
    let page = send_and_follow(&survey, &link, "answers?lang=en", "0", &in_english).await;
    assert!(page.contains("You said Every day"), "each device keeps its language: {page}");
    assert_eq!(survey.stored("mark").await.as_deref(), Some("2"));
    assert!(send_and_follow(&survey, &link, "answers", "1", &done).await.contains(THANKS));
    // The second device is a page behind: it is thanked, and overwrites nothing.
    for (page, fields) in [("0", in_english.to_vec()), ("1", vec![("sat1", "1")])] {
        let page = send_and_follow(&survey, &link, "answers?lang=en", page, &fields).await;
        assert!(page.contains("Thank you!"), "{page}");
    }
    for (button, when) in [("later", "week"), ("call-me", "any"), ("not-a-user", "")] {
        let fields = [("sat1", "1"), ("more", "第二台"), ("when", when)];
        let page = send_and_follow(&survey, &link, button, "1", &fields).await;
        assert!(page.contains(THANKS), "{button}: {page}");
    }
    assert_eq!(survey.stored("sat1").await.as_deref(), Some("5"));
    assert_eq!(survey.stored("more").await.as_deref(), Some("第一台"));
    // One device ends it another way while the other stands on a page.
    for (n, to, page, fields, end) in [
        (1, "refuse", "1", vec![], "已撤回同意"),
        (2, "answers", "0", vec![("use", "never")], "谢谢您的说明"),
        (3, "not-a-user", "0", vec![], "谢谢您的说明"),
    ] {
        let link = survey.begin(n).await;
        survey.send(&link, "answers", "0", &[DAILY]).await;
        assert!(send_and_follow(&survey, &link, to, page, &fields).await.contains(end));
        let other = send_and_follow(&survey, &link, "answers", "1", &done).await;
        assert!(other.contains(end) && !other.contains(THANKS), "{other}");
    }
    // One asks to be reminded, the other finishes. One goes back, the other finishes.
    for (n, aside) in [(4, ("later", ("when", "week"))), (5, ("answers", ("back-to", "0")))] {
        let link = survey.begin(n).await;
        survey.send(&link, "answers", "0", &[DAILY]).await;
        survey.send(&link, aside.0, "1", &[("sat1", "2"), aside.1]).await;
        assert!(send_and_follow(&survey, &link, "answers", "1", &done).await.contains(THANKS));
    }
    let dispositions = app.dispositions("A1").await;
    assert!(dispositions.contains(&("1.1".to_owned(), 3)), "{dispositions:?}");
    assert!(dispositions.contains(&("4.1".to_owned(), 2)), "{dispositions:?}");
    assert_eq!(count(app, "SELECT COUNT(*) FROM response").await, 6, "one of each person");
}

/// «Later» on a page that stood open while the privacy notice changed: the page is carried along.
#[tokio::test]
async fn later_does_not_say_saved_of_what_is_not() {
    let survey = Survey::start(1).await;
    let (app, link) = (&survey.app, survey.begin(0).await);
    let text = "text = { zh = \"本会告知\", en = \"Ours\" }";
    let programme = format!("{}[privacy]\nversion = \"2026-1\"\n{text}\n", common::PROGRAMME);
    programmes::apply_programme(&app.context, &programme).await.unwrap();
    let typed = [DAILY, ("note", "我的话"), ("when", "week")];
    let (status, _, page) = survey.send(&link, "later", "0", &typed).await;
    assert!(status == 200 && page.contains("本会告知") && page.contains("我的话"), "{page}");
}
