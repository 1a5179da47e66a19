//! What respondents type is never lost: too long, in another language, on two devices, in the last
//! minute, while the database is away. Over HTTP like a browser without scripts.
//!
//! Cases from public bug reports of other survey software name their source: `project#number`.

use std::time::Duration;

use crate::common;
use crate::common::local;
use crate::common::survey::{DAILY, Survey, assert_old_browsers_read};
use fieldworkd::adapters::clock::Clock;

/// verbb/formie#1479, AndrewPaglusch/FlashPaper#64, jquery-validation/jquery-validation#1264: a line
/// break is one character for the browser and two in the form.
#[tokio::test]
async fn a_text_is_as_long_as_the_browser_counts_it() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    assert!(survey.page(&link).await.contains("maxlength=\"20\""));
    for (text, kept) in [
        (
            "一\r\n二\r\n三\r\n四\r\n五\r\n六\r\n七\r\n八\r\n九\r\n十十",
            Some("一\n二\n三\n四\n五\n六\n七\n八\n九\n十十"),
        ),
        ("😀😀😀😀😀😀😀😀😀😀", Some("😀😀😀😀😀😀😀😀😀😀")),
        ("😀😀😀😀😀😀😀😀😀😀x", None),
        (
            "一二三四五六七八九十一二三四五六七八九十",
            Some("一二三四五六七八九十一二三四五六七八九十"),
        ),
        ("一二三四五六七八九十一二三四五六七八九十一", None),
        ("a\0b\u{feff}c\u{202e}d\u{1b}", Some("abcd")),
        ("\u{feff}\u{202e}", None),
    ] {
        let note = [DAILY, ("note", text)];
        let (status, _, page) = survey.send(&link, "answers", "0", &note).await;
        let is_nothing = text == "\u{feff}\u{202e}";
        assert_eq!(status, if kept.is_some() || is_nothing { 303 } else { 422 }, "{text:?}");
        match kept {
            Some(kept) => assert_eq!(survey.stored("note").await.as_deref(), Some(kept)),
            None if is_nothing => assert_eq!(survey.stored("note").await, None),
            None => assert!(page.contains(&format!("\n{text}</textarea>")), "{page}"),
        }
    }
}

/// pallets-eco/wtforms#238, dokuwiki/dokuwiki#4652: the HTML parser drops the first line break of a
/// textarea.
#[tokio::test]
async fn a_text_that_begins_with_an_empty_line_keeps_it_when_shown_again() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    let (status, _, page) = survey.send(&link, "answers", "0", &[("note", "\r\n好")]).await;
    assert!(status == 422 && page.contains("maxlength=\"20\">\n\r\n好</textarea>"), "{page}");
}

/// PoetOS/moodle-mod_questionnaire#313: one missing answer lost the whole page.
#[tokio::test]
async fn a_wrong_page_is_shown_again_with_all_that_was_typed() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    let typed = [("mark", "4"), ("paid", "很多<b>"), ("note", "我的话")];
    for (language, words) in [("zh", "请回答此题"), ("en", "Please answer this")] {
        let to = format!("answers?lang={language}");
        let (status, _, page) = survey.send(&link, &to, "0", &typed).await;
        assert!(status == 422 && page.contains(words), "{page}");
        for kept in ["name=\"mark\" value=\"4\" checked", "很多&#60;b&#62;", "我的话"] {
            assert!(page.contains(kept), "{kept}: {page}");
        }
    }
    // A form that does not say which page it is: the page where the interview stands.
    for fields in [vec![("note", "我的话")], vec![("case", "9"), ("page", "0"), ("note", "我的话")]]
    {
        let (status, _, page) = survey.app.post(&format!("{link}/answers"), &fields).await;
        assert!(status == 400 && page.contains("我的话") && page.contains("/answers"), "{page}");
    }
}

/// cityofaustin/techstack#1279, cds-snc/platform-forms-client#6988: another language, and the page
/// was empty.
#[tokio::test]
async fn another_language_in_the_middle_of_a_page_keeps_what_is_typed() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    let typed = [("mark", "4"), ("paid", "abc"), ("note", "我的话"), ("in-language", "en")];
    let (status, _, page) = survey.send(&link, "answers?lang=zh", "0", &typed).await;
    assert!(status == 200 && page.contains("lang=\"en\"") && page.contains("How often?"), "{page}");
    for kept in ["name=\"mark\" value=\"4\" checked", "value=\"abc\"", "我的话"] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    assert!(!page.contains("role=\"alert\""), "nobody has sent it yet: {page}");
    assert_eq!(survey.stored("mark").await, None, "nor is it saved");
    // From there it is sent on, and after that back to Chinese.
    let sent = [DAILY, ("mark", "4"), ("note", "我的话")];
    let (status, to, _) = survey.send(&link, "answers?lang=en", "0", &sent).await;
    assert!(status == 303 && to.contains("lang=en"));
    assert!(survey.page(&format!("{}{to}", survey.app.base)).await.contains("You said Every day"));
    assert!(survey.page(&format!("{link}?lang=zh")).await.contains("您答每天"));
}

/// rubenarslan/formr.org#481, fablabbcn/fablabs.io#521: a long form ended in «413», and was lost.
#[tokio::test]
async fn a_page_that_is_too_large_is_shown_again_and_long_ones_are_not_too_large() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    survey.send(&link, "answers", "0", &[DAILY]).await;
    // 9,000 Chinese characters are 81 kB of a form.
    let long = "字".repeat(9_000);
    let (status, _, page) = survey.send(&link, "answers", "1", &[("more", &long)]).await;
    assert!(status == 422 && page.contains(&long), "{status}");
    let huge = format!("{}尾", "字".repeat(200_000));
    for (language, words) in [("zh", "内容太多"), ("en", "This is too much")] {
        let fields = [("sat1", "5"), ("more", huge.as_str())];
        let to = format!("answers?lang={language}");
        let (status, _, page) = survey.send(&link, &to, "1", &fields).await;
        assert!(status == 413 && page.contains(words), "{status}");
        assert!(page.contains("name=\"sat1\" value=\"5\" checked"));
        assert!(page.contains(&"字".repeat(100_000)) && !page.contains('\u{fffd}'));
    }
    assert_eq!(survey.stored("sat1").await, None);
    // What is cut is sent again, by then at the right length.
    let (status, ..) = survey.send(&link, "answers", "1", &[("sat1", "5"), ("more", &long)]).await;
    assert_eq!((status, survey.stored("more").await), (303, Some(long)));
}

/// sleepepi/slice#116: the page could not be saved, and what was entered was gone.
#[tokio::test]
async fn while_the_database_is_away_a_page_keeps_what_was_typed() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    let typed = [DAILY, ("mark", "4"), ("note", "第一行\r\n<第二行>")];
    for broken in ["response", "survey_case"] {
        survey
            .app
            .execute_sql(&format!("ALTER TABLE {broken} RENAME TO {broken}_elsewhere"))
            .await
            .unwrap();
        for (to, words) in [("answers?lang=en", "Not saved yet"), ("answers?lang=zh", "还没有保存")]
        {
            let (status, _, page) = survey.send(&link, to, "0", &typed).await;
            assert!(status == 503 && page.contains(words), "{status} {page}");
            assert!(
                page.contains("name=\"mark\" value=\"4\"") && page.contains("第一行"),
                "{page}"
            );
            assert!(page.contains("&#60;第二行&#62;"), "{page}");
        }
        let in_english = [("note", "我的话"), ("in-language", "en"), ("back-to", "0")];
        let (status, _, page) = survey.send(&link, "answers", "0", &in_english).await;
        assert!(page.contains("我的话"), "{status} {page}");
        let (status, _, page) = survey.send(&link, "later", "0", &[DAILY, ("when", "week")]).await;
        assert!(status == 503 && page.contains("value=\"daily\""), "{status} {page}");
        survey
            .app
            .execute_sql(&format!("ALTER TABLE {broken}_elsewhere RENAME TO {broken}"))
            .await
            .unwrap();
    }
    assert_eq!(survey.send(&link, "answers", "0", &typed).await.0, 303);
    assert_eq!(survey.stored("note").await.as_deref(), Some("第一行\n<第二行>"));
}

/// chamilo/chamilo-lms#7202, mofog/BootstrapForLimeSurvey#21: «back» lost the page, or sent it on.
#[tokio::test]
async fn back_keeps_the_page_and_asks_for_nothing() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    survey.send(&link, "answers", "0", &[DAILY, ("paid", "12")]).await;
    let last = [("sat1", "5"), ("more", "写了一半"), ("back-to", "0")];
    let (status, to, _) = survey.send(&link, "answers", "1", &last).await;
    assert!(status == 303 && to.ends_with("page=0"), "{to}");
    // The last page was complete, and yet nobody has submitted it.
    assert_eq!(survey.app.dispositions("A1").await, [("2.12".to_owned(), 1)]);
    assert!(survey.page(&format!("{link}?page=1")).await.contains("写了一半"));
    // With an answer missing, it goes back all the same; what cannot be read is shown once.
    assert_eq!(survey.send(&link, "answers", "1", &[("back-to", "0")]).await.0, 303);
    let bad = [DAILY, ("paid", "一些"), ("back-to", "0")];
    let (status, _, page) = survey.send(&link, "answers", "0", &bad).await;
    assert!(status == 422 && page.contains("value=\"一些\""), "{page}");
    // Back from a screening question decides nothing.
    survey.send(&link, "answers", "0", &[("use", "never"), ("back-to", "0")]).await;
    assert_eq!(survey.app.dispositions("A1").await, [("2.12".to_owned(), 1)]);
}

/// Devographics/Monorepo#420: only «next» saved the page. «Later» and «call me» keep it, too.
#[tokio::test]
async fn later_and_call_me_keep_what_stands_on_the_page() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    let page = survey.page(&link).await;
    assert!(page.contains("formaction=\"/i/") && page.contains("form=\"page-form\""), "{page}");
    let (status, to, _) =
        survey.send(&link, "later", "0", &[("mark", "2"), ("when", "tomorrow")]).await;
    assert!(status == 303 && to.ends_with("noted=later"), "{to}");
    assert_eq!(survey.stored("mark").await.as_deref(), Some("2"));
    survey.send(&link, "call-me", "0", &[("mark", "3"), ("when", "any")]).await;
    assert_eq!(survey.stored("mark").await.as_deref(), Some("3"));
    // A form that asks for nothing we know is answered in our words.
    let (status, _, page) = survey.send(&link, "later", "0", &[("when", "never")]).await;
    assert!(status == 400 && page.contains("未能读取") && page.contains("Please go back"));
}

/// A number that cannot be read was dropped without a word by «later» and «call me».
#[tokio::test]
async fn later_and_call_me_tell_what_they_could_not_keep() {
    let survey = Survey::start(2).await;
    for (n, wish, when, words) in [
        (0, "later?lang=zh", "week", "已记下您的要求"),
        (1, "call-me?lang=en", "any", "Your wish is noted"),
    ] {
        let link = survey.begin(n).await;
        let fields = [("mark", "2"), ("paid", "一些"), ("note", "我的话"), ("when", when)];
        let (status, _, page) = survey.send(&link, wish, "0", &fields).await;
        assert!(status == 422 && page.contains(words), "{page}");
        assert!(page.contains("value=\"一些\"") && page.contains("paid-problem"), "{page}");
        assert!(!page.contains("use-problem"), "nothing is asked for that is missing: {page}");
        assert!(survey.page(&link).await.contains("我的话"), "the others are kept");
    }
    assert_eq!(survey.stored("mark").await.as_deref(), Some("2"));
    // The call is asked for all the same, and the reminder moved.
    let mut connection = survey.app.context.database.read().await.unwrap();
    let calls: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM reply WHERE gateway = 'web'")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(calls, 1);
}

/// zofe/rapyd-admin#90: boxes that were unticked were ticked again when the form came back.
#[tokio::test]
async fn boxes_that_were_unticked_stay_so_when_the_page_is_shown_again() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    survey.send(&link, "answers", "0", &[DAILY]).await;
    let both = [("seen", "shop"), ("seen", "web"), ("sat1", "3"), ("back-to", "0")];
    survey.send(&link, "answers", "1", &both).await;
    let ticked = |page: &str| {
        page.matches("checkbox\" name=\"seen\"").count() * 10
            + ["shop", "web"]
                .iter()
                .filter(|code| page.contains(&format!("value=\"{code}\" checked")))
                .count()
    };
    assert_eq!(ticked(&survey.page(&format!("{link}?page=1")).await), 22);
    // Another language, a mistake, and a page that could not be read as one.
    for (fields, left) in [
        (vec![("in-language", "en")], 20),
        (vec![("seen", "web"), ("in-language", "en")], 21),
        (vec![("day", "某日")], 20),
    ] {
        let (_, _, page) = survey.send(&link, "answers", "1", &fields).await;
        assert_eq!(ticked(&page), left, "{page}");
    }
    assert_eq!(survey.stored("seen").await, None, "what was sent last was saved");
    survey.send(&link, "answers", "1", &both).await;
    // A form that was cut, or does not say its page, does not tell what was unticked.
    let huge = "字".repeat(200_000);
    let (status, _, page) = survey.send(&link, "answers", "1", &[("more", &huge)]).await;
    assert_eq!((status, ticked(&page)), (413, 22));
    let (status, _, page) = survey.app.post(&format!("{link}/answers"), &[("more", "话")]).await;
    assert!(status == 400 && [0, 22].contains(&ticked(&page)), "{page}");
    // Sent on: nothing is ticked any more.
    survey.send(&link, "answers", "1", &[("sat1", "4"), ("back-to", "0")]).await;
    assert_eq!(survey.stored("seen").await, None);
}

/// surveyjs/survey-library#10909, LimeSurvey/LimeSurvey#1821: a title showed the name in braces.
#[tokio::test]
async fn titles_and_the_introduction_are_filled_in() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    assert!(survey.page(&link).await.contains("<p>关于A1牌</p>"));
    survey.send(&link, "answers", "0", &[DAILY]).await;
    for (language, title) in [("zh", "对A1牌满意吗"), ("en", "Are you satisfied with A1牌")] {
        let page = survey.page(&format!("{link}?lang={language}")).await;
        assert!(
            page.contains(&format!("<h2>{title}</h2>"))
                && page.contains(&format!("· {title}</title>")),
            "{page}"
        );
    }
}

/// formbricks/formbricks#6632, surveyjs/survey-library#1176: an optional choice could not be taken
/// back.
#[tokio::test]
async fn an_optional_choice_can_be_taken_back_without_script() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    let page = survey.page(&link).await;
    assert!(page.contains("name=\"mark\" value=\"\""), "{page}");
    assert!(!page.contains("name=\"use\" value=\"\""), "a required one cannot");
    survey.send(&link, "answers", "0", &[DAILY, ("mark", "4")]).await;
    assert_eq!(survey.stored("mark").await.as_deref(), Some("4"));
    assert_eq!(survey.send(&link, "answers", "0", &[DAILY, ("mark", "")]).await.0, 303);
    assert_eq!(survey.stored("mark").await, None);
}

/// ONSdigital/eq-survey-runner#384, geeksblabla/stateofdev.ma#130: reload and the history lead to
/// where the interview stands, and kannon-email/kannon#412, gophish/gophish#2803: scanners, previews
/// and prefetches leave no trace.
#[tokio::test]
async fn get_leads_to_where_the_interview_stands_and_changes_nothing() {
    let survey = Survey::start(2).await;
    let (app, link) = (&survey.app, survey.app.link(0).await);
    let before = app.dispositions("A1").await;
    let posts = ["begin", "answers", "later", "call-me", "refuse", "not-a-user"];
    for end in ["", "?lang=en"] {
        for path in posts {
            for method in ["GET", "HEAD"] {
                for purpose in ["prefetch", "prefetch;prerender", ""] {
                    let url = format!("{link}/{path}{end}");
                    let request = app
                        .http
                        .request(method.parse().unwrap(), url)
                        .header("sec-purpose", purpose)
                        .header("purpose", purpose)
                        .header("user-agent", "facebookexternalhit/1.1");
                    let answer = request.send().await.unwrap();
                    let to = answer.headers()["location"].to_str().unwrap();
                    assert_eq!(answer.status(), 303, "{method} {path}");
                    assert!(link.ends_with(to.trim_end_matches(end)), "{to}");
                }
            }
        }
    }
    for method in ["GET", "HEAD"] {
        let request =
            app.http.request(method.parse().unwrap(), &link).header("purpose", "prefetch");
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    assert_eq!(app.dispositions("A1").await, before);
    assert!(survey.page(&link).await.contains("/begin"));
    assert_eq!(app.get(&format!("{}/i/0000000000000000/answers", app.base)).await.0, 303);
    assert_eq!(app.get(&format!("{}/i/short/answers", app.base)).await.0, 404);
}

/// odoo/odoo#58691, episphere/connect#1420, surveyproject/surveyproject#50: two devices, two tabs,
/// a double tap and «back» after the thanks.
#[tokio::test]
async fn two_devices_and_double_taps_end_in_one_response() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    // Begun a second time on another device, without cookies: nothing is asked again.
    survey.begin(0).await;
    survey.send(&link, "answers", "0", &[DAILY, ("note", "电话上")]).await;
    let (first, second) = tokio::join!(
        survey.send(&link, "answers", "1", &[("sat1", "5")]),
        survey.send(&link, "answers", "1", &[("sat1", "5")])
    );
    assert_eq!((first.0, second.0), (303, 303));
    for again in [("0", "never"), ("1", "daily")] {
        let (status, to, _) = survey.send(&link, "answers", again.0, &[("use", again.1)]).await;
        let page = survey.page(&format!("{}{to}", survey.app.base)).await;
        assert!(status == 303 && page.contains("感谢您的评价"), "{page}");
        // The other tab changes the language, or goes back.
        let other = [("use", again.1), ("in-language", "en")];
        let (_, _, page) = survey.send(&link, "answers", again.0, &other).await;
        assert!(page.contains("Thank you!"), "{page}");
        assert_eq!(survey.send(&link, "answers", again.0, &[("back-to", "0")]).await.0, 303);
    }
    assert_eq!(survey.app.dispositions("A1").await, [("1.1".to_owned(), 1)]);
    assert_eq!(survey.stored("use").await.as_deref(), Some("daily"));
    assert_eq!(survey.stored("note").await.as_deref(), Some("电话上"));
    let header = survey.app.http.get(&link).send().await.unwrap().headers().clone();
    assert!(!header.contains_key("set-cookie"), "a private window is like any other");
}

/// The last minute, the moments before the field is closed, and a page left open overnight.
#[tokio::test]
async fn answers_around_the_end_of_the_field_are_taken_or_clearly_are_not() {
    let survey = Survey::start(4).await;
    let app = &survey.app;
    let mut links = Vec::new();
    for n in 0..3 {
        links.push(survey.begin(n).await);
        survey.send(&links[n], "answers", "0", &[DAILY]).await;
    }
    let unopened = app.link(3).await;
    let day = survey.page(&unopened).await;
    let day = day.split("截止日期 ").nth(1).unwrap().split('<').next().unwrap();
    app.advance_until(local(&format!("{day}T23:59:30"))).await;
    // A phone with a wrong clock, or in another zone, says nothing of it: the page's time is ours.
    let wrong = [("sat1", "5"), ("shown", "99999999999999")];
    assert_eq!(survey.send(&links[0], "answers", "1", &wrong).await.0, 303);
    assert!(survey.page(&links[0]).await.contains("感谢您的评价"));
    // Past the end, and not closed yet.
    app.clock.advance_to(app.clock.now() + Duration::from_secs(40));
    let typed = [("sat1", "4"), ("more", "最后的话还没有说完，请务必把它一字不差地保存下来。")];
    let (status, _, page) = survey.send(&links[1], "answers", "1", &typed).await;
    assert!(status == 503 && page.contains("最后的话") && page.contains("再次提交"), "{page}");
    app.advance_until(app.clock.now() + Duration::from_secs(3_600)).await;
    // Sent again, and from a page that stood open overnight.
    for link in &links[1..] {
        app.clock.advance_to(app.clock.now() + Duration::from_secs(8 * 3_600));
        assert_eq!(survey.send(link, "answers", "1", &typed).await.0, 303);
        assert!(survey.page(link).await.contains("感谢您的评价"));
    }
    // Who had not begun is told that it is over.
    survey.app.post(&format!("{unopened}/begin"), common::CONSENT_FORM).await;
    assert!(survey.page(&unopened).await.contains("调查已结束"));
}

/// A page that stood open while the privacy notice changed is saved after the new one is agreed to.
#[tokio::test]
async fn a_page_that_was_open_while_the_notice_changed_is_carried_along() {
    let survey = Survey::start(1).await;
    let (app, link) = (&survey.app, survey.begin(0).await);
    let programme = format!(
        "{}[privacy]\nversion = \"2026-1\"\ntext = {{ zh = \"本会告知\", en = \"Ours, \
            {{applicant}}\" }}\n",
        common::PROGRAMME
    );
    fieldworkd::services::programmes::apply_programme(&app.context, &programme).await.unwrap();
    let typed = [DAILY, ("note", "我的\"话\"")];
    let (status, _, page) = survey.send(&link, "answers", "0", &typed).await;
    assert!(
        status == 200 && page.contains("本会告知") && page.contains("我的&#34;话&#34;"),
        "{page}"
    );
    assert_eq!(survey.stored("note").await, None, "nothing is saved without consent");
    let agreed: Vec<(&str, &str)> = typed.into_iter().chain([("notice", "2026-1")]).collect();
    let (status, to, _) = survey.send(&link, "begin", "0", &agreed).await;
    assert!(status == 303 && to.ends_with("page=1"), "{to}");
    assert_eq!(survey.stored("note").await.as_deref(), Some("我的\"话\""));
}

/// The chosen point is seen by old browsers, in forced colours and on paper.
#[tokio::test]
async fn the_style_needs_no_new_selector_and_knows_paper_and_forced_colours() {
    let survey = Survey::start(1).await;
    let page = survey.page(&survey.begin(0).await).await;
    assert_old_browsers_read(&page);
    // The first button of the form is the one that Enter presses.
    let first = page.split("<button form=\"page-form\"").nth(1).unwrap();
    assert!(first.starts_with(" class=\"enter\""), "{first}");
}
