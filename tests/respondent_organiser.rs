//! Respondents' pages belong to the organiser: name, logo, colour, thanks, and whom to ask, on every
//! page; and «do not contact me» can be taken back by whoever pressed it.

use std::time::Duration;

use fieldworkd::domain::role::Role;
use fieldworkd::services::programmes::{RegistrationError, apply_programme, apply_with_logo};
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::json;

use crate::common::browser::{Browser, add_account};
use crate::common::{self, CONSENT_FORM, PROGRAMME, TestApp, local};

const ORGANISER: &str = r##"
[organiser]
name = { zh = "示例质量协会", en = "Sample Quality Association" }
phone = "010-5550 0100"
email = "ask@example.org"
colour = "#8a1c1c"
thanks = { zh = "示例协会谢谢您。\n结果将于年底公布。", en = "The association thanks you.\nResults come in December." }
"##;

fn with_organiser() -> String {
    format!("{PROGRAMME}{ORGANISER}")
}

/// A picture of one colour, made by hand: 64 by 32 pixels, stored without compression.
fn png() -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
            })
        };
        !bytes.iter().fold(u32::MAX, step)
    };
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        [&u32::try_from(data.len()).unwrap().to_be_bytes()[..], &body, &crc(&body).to_be_bytes()]
            .concat()
    };
    let row = [vec![0u8], [0x8a, 0x1c, 0x1c].repeat(64)].concat();
    let pixels = row.repeat(32);
    let adler = pixels.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let length = u16::try_from(pixels.len()).unwrap();
    let data = [
        &[0x78, 0x01, 0x01][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        &pixels,
        &((adler.1 << 16) | adler.0).to_be_bytes(),
    ]
    .concat();
    let header = [&64u32.to_be_bytes()[..], &32u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &data),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

/// People who neither open nor answer by themselves.
fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(1, 50);
    scenario.people = PeopleScenario::silent();
    scenario
}

fn has_contact(page: &str) -> bool {
    page.contains("href=\"tel:01055500100\"") && page.contains("href=\"mailto:ask@example.org\"")
}

/// Each way an interview can end, and each page that belongs to none, says whom to ask.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_who_asks_and_whom_to_ask() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    apply_programme(&app.context, &with_organiser()).await.unwrap();
    app.launch_with_people(9, "quota = { target = 2 }").await;
    app.dispatcher.tick().await.unwrap();

    let mut pages = Vec::new();
    let welcome = app.link(0).await;
    pages.push(("welcome", app.get(&format!("{welcome}?lang=en")).await.1));
    let thanks = app.answer_all(&app.link(1).await, 0, "5").await;
    assert!(thanks.contains("<p>示例协会谢谢您。</p><p>结果将于年底公布。</p>"), "{thanks}");
    pages.push(("thanks", thanks));
    let refused = app.link(2).await;
    app.post(&format!("{refused}/refuse"), &[]).await;
    pages.push(("refused", app.get(&refused).await.1));
    let no_user = app.link(3).await;
    app.post(&format!("{no_user}/begin"), CONSENT_FORM).await;
    app.post(&format!("{no_user}/not-a-user"), &[("case", "0")]).await;
    pages.push(("no user", app.get(&no_user).await.1));
    let later = app.link(4).await;
    pages.push(("unreadable", app.post(&format!("{later}/later"), &[]).await.2));
    app.post(&format!("{later}/later"), &[("when", "tomorrow")]).await;
    pages.push(("later", app.get(&format!("{later}?noted=later")).await.1));
    let under_way = app.link(5).await;
    app.post(&format!("{under_way}/begin"), CONSENT_FORM).await;
    pages.push(("questions", app.get(&under_way).await.1));
    let trigger =
        "CREATE TRIGGER away BEFORE INSERT ON page_visit BEGIN SELECT RAISE(ABORT, 'x'); END";
    app.execute_sql(trigger).await.unwrap();
    let unsaved = app.post(&format!("{under_way}/answers"), &common::answers(0, 0, "4")).await;
    assert_eq!(unsaved.0, 503);
    pages.push(("not saved", unsaved.2));
    app.execute_sql("DROP TRIGGER away").await.unwrap();
    let unknown = format!("{}/i/0000000000000000", app.base);
    pages.push(("unknown link", app.get(&unknown).await.1));
    pages.push(("unknown address", app.get(&format!("{}/nothing", app.base)).await.1));
    app.answer_all(&app.link(6).await, 0, "5").await;
    pages.push(("quota full", app.get(&app.link(7).await).await.1));
    app.execute_sql("ALTER TABLE invitation RENAME TO invitation_away").await.unwrap();
    let (status, failed) = app.get(&app.link(8).await).await;
    assert_eq!(status, 500);
    pages.push(("failure", failed));
    for (name, page) in pages {
        assert!(has_contact(&page), "{name}: {page}");
        let organiser =
            if name == "welcome" { "Sample Quality Association" } else { "示例质量协会" };
        assert!(page.contains(&format!("<span>{organiser}</span>")), "{name}: {page}");
        assert!(page.contains("--lead:#8a1c1c"), "{name}");
    }
}

/// The policy of a page allows its own colours by their hash and its own logo, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_logo_comes_from_the_daemon_and_is_kept() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        apply_programme(&app.context, &with_organiser()).await.unwrap();
        app.launch_with_people(1, "").await;
        let link = app.link(0).await;
        add_account(&app, "admin", Role::Administrator).await;
        add_account(&app, "coordinator", Role::Operator).await;
        let coordinator = Browser::signed_in(&app, "coordinator").await;
        let upload = "/programmes/p26/logo";
        let page = "/programmes/p26/organiser";
        let (status, _, text) = coordinator.get(page).await;
        assert!(status == 200 && text.contains("value=\"#8a1c1c\""), "{text}");
        assert!(!text.contains("type=\"file\""), "{text}");
        let admin = Browser::signed_in(&app, "admin").await;
        for (file, words) in [
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), "SVG"),
            (png()[..80].to_vec(), "不是完整的"),
            (vec![0; 200 * 1024], "200 KB"),
        ] {
            let (status, _, text) = admin.upload(upload, &[], "logo.png", &file).await;
            assert!(status == 422 && text.contains(words), "{status} {text}");
        }
        let (status, ..) = admin.upload(upload, &[], "logo.png", &png()).await;
        assert_eq!(status, 303);

        let answer = app.http.get(&link).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let shown = answer.text().await.unwrap();
        assert!(policy.ends_with("; img-src 'self'") && policy.matches("'sha256-").count() == 2);
        assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'"), "{policy}");
        let (_, rest) = shown.split_once("src=\"").unwrap();
        let (address, _) = rest.split_once('"').unwrap();
        assert!(shown.contains("width=\"80\" height=\"40\""), "{shown}");
        let logo = app.http.get(format!("{}{address}", app.base)).send().await.unwrap();
        assert_eq!(logo.headers()["content-type"], "image/png");
        assert_eq!(logo.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(logo.headers()["x-content-type-options"], "nosniff");
        assert_eq!(logo.bytes().await.unwrap(), png());

        // Rules that are saved again keep the logo; only the command line reads a file.
        apply_programme(&app.context, &with_organiser()).await.unwrap();
        assert!(app.get(&link).await.1.contains(address));
        let file = format!("{}logo = \"logo.png\"\n", with_organiser());
        let refused = apply_programme(&app.context, &file).await;
        assert!(matches!(refused, Err(RegistrationError::LogoFile)), "{refused:?}");
        let programme = fieldworkd::domain::programme::Programme::parse(&file).unwrap();
        apply_with_logo(&app.context, programme, Some(png())).await.unwrap();
        assert!(app.get(&link).await.1.contains(address));

        assert_eq!(admin.submit("/programmes/p26/logo/remove", &[]).await.0, 303);
        assert!(!app.get(&link).await.1.contains("<img"));
        assert_eq!(app.get(&format!("{}{address}", app.base)).await.0, 404);
    }
}

/// A colour that is too light is refused with the nearest that is not; two people who change the
/// page at once lose nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_organiser_is_changed_on_the_console() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    add_account(&app, "coordinator", Role::Operator).await;
    let browser = Browser::signed_in(&app, "coordinator").await;
    let page = "/programmes/p26/organiser";
    let (.., before) = browser.get(page).await;
    let (_, rest) = before.split_once("name=\"version\" value=\"").unwrap();
    let version = rest.split('"').next().unwrap().to_owned();
    let form = |colour: &'static str| {
        [
            ("version", version.as_str()),
            ("name_zh", "示例协会"),
            ("phone", "010 5550 0100"),
            ("colour", colour),
            ("thanks_zh", "谢谢"),
        ]
    };
    let (status, _, text) = browser.submit(page, &form("#ffd700")).await;
    assert_eq!(status, 422);
    assert!(text.contains("最接近的可用颜色是 #") && text.contains("value=\"#ffd700\""), "{text}");
    let (status, ..) = browser.submit(page, &form("#006400")).await;
    assert_eq!(status, 303);
    let (status, _, text) = browser.submit(page, &form("#00008b")).await;
    assert!(status == 409 && text.contains("#006400") && text.contains("#00008b"), "{text}");
    app.launch_with_people(1, "").await;
    let shown = app.get(&app.link(0).await).await.1;
    assert!(shown.contains("<span>示例协会</span>") && shown.contains("--lead:#006400"), "{shown}");
}

/// «Undo» for whoever pressed by mistake, as sendgrid/docs#5568, openaustralia/planningalerts#88 and
/// hizzle-co/noptin#159 ask for it: nothing is sent between, and the case stands as before.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_pressed_by_mistake_takes_it_back_and_stands_as_before() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(4, "").await;
        app.advance_until(local("2026-03-02T12:00:00")).await;
        let before = app.dispositions("A1").await;
        let sent = || async { app.states().await.into_iter().map(|(_, count)| count).sum::<i64>() };
        let invited = sent().await;
        let link = app.link(0).await;
        app.post(&format!("{link}/refuse"), &[]).await;
        assert_ne!(app.dispositions("A1").await, before);
        let page = app.get(&format!("{link}?lang=en")).await.1;
        assert!(
            page.contains("Pressed by mistake?") && page.contains("2026-03-03 12:00"),
            "{page}"
        );
        // GET changes nothing: scanners and previews follow links.
        app.get(&format!("{link}/undo")).await;
        assert_ne!(app.dispositions("A1").await, before);
        assert_eq!(app.post(&format!("{link}/undo"), &[]).await.0, 303);
        assert_eq!(app.dispositions("A1").await, before);
        assert!(app.get(&format!("{link}?lang=en")).await.1.contains("You are invited to rate"));
        // A second press, as of an impatient thumb, changes nothing.
        assert_eq!(app.post(&format!("{link}/undo"), &[]).await.0, 303);
        // The reminder goes to all four on its day, once each.
        app.advance_until(local("2026-03-09T20:00:00")).await;
        assert_eq!(sent().await, invited + 4, "{}", app.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn between_refusing_and_taking_it_back_nothing_is_sent() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(2, "").await;
        app.advance_until(local("2026-03-08T20:00:00")).await;
        let link = app.link(0).await;
        app.post(&format!("{link}/refuse"), &[]).await;
        let states = || async { app.states().await.iter().map(|(_, n)| *n).sum::<i64>() };
        let before = states().await;
        app.advance_until(local("2026-03-09T19:00:00")).await;
        assert_eq!(states().await, before + 1, "only the other one's reminder: {}", app.engine);
        app.post(&format!("{link}/undo"), &[]).await;
        app.advance_until(local("2026-03-09T20:00:00")).await;
        assert_eq!(states().await, before + 2, "then the one that was due: {}", app.engine);
    }
}

/// An opt-out wins: a reply by SMS, or time, makes the refusal on the page final, and another
/// person's link lifts nothing.
#[tokio::test(flavor = "multi_thread")]
async fn another_opt_out_or_a_day_makes_it_final() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T12:00:00")).await;
        let [by_reply, by_time, other] = [app.link(0).await, app.link(1).await, app.link(2).await];
        for link in [&by_reply, &by_time] {
            app.post(&format!("{link}/refuse"), &[]).await;
        }
        // The same button again takes nothing from the first press.
        app.post(&format!("{by_time}/refuse"), &[]).await;
        assert!(app.get(&format!("{by_time}?lang=en")).await.1.contains("Pressed by mistake?"));
        let reply = json!({ "id": "r1", "from": common::number(0), "text": "T" });
        assert!(app.push_replies(&reply).await < 300);
        assert!(!app.get(&format!("{by_reply}?lang=en")).await.1.contains("Pressed by mistake?"));
        app.clock.advance_to(app.clock_now() + Duration::from_secs(24 * 3_600));
        let refused = app.dispositions("A1").await;
        for link in [&by_reply, &by_time, &other] {
            assert_eq!(app.post(&format!("{link}/undo"), &[]).await.0, 303);
        }
        assert_eq!(app.dispositions("A1").await, refused, "{}", app.engine);
        assert!(!app.get(&format!("{by_time}?lang=en")).await.1.contains("Pressed by mistake?"));
    }
}

/// Answers are deleted with the consent and stay deleted; whoever takes it back begins again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_does_not_come_back() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(2, "").await;
        app.dispatcher.tick().await.unwrap();
        let link = app.link(0).await;
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        app.post(&format!("{link}/answers"), &common::answers(0, 0, "4")).await;
        app.post(&format!("{link}/refuse"), &[]).await;
        let page = app.get(&format!("{link}?lang=en")).await.1;
        assert!(page.contains("you would begin again"), "{page}");
        app.post(&format!("{link}/undo"), &[]).await;
        assert!(app.get(&format!("{link}?lang=en")).await.1.contains("Agree"));
        let thanks = app.answer_all(&link, 0, "5").await;
        assert!(thanks.contains("感谢您的评价"), "{} {thanks}", app.engine);
        // A response that is complete is not brought back: its answers are gone.
        app.post(&format!("{link}/refuse"), &[]).await;
        assert!(!app.get(&format!("{link}?lang=en")).await.1.contains("Pressed by mistake?"));
    }
}

/// Many in-app browsers fetch a page again and again: without cookies and without script, a page is
/// one answer without a redirect, which is not kept. An ended interview does not begin again
/// (instedd/surveda#841).
#[tokio::test(flavor = "multi_thread")]
async fn an_in_app_browser_gets_one_answer_and_no_link_in_the_title() {
    const WECHAT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) \
        AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.44 Language/zh_CN";
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    apply_programme(&app.context, &with_organiser()).await.unwrap();
    app.launch_with_people(2, "").await;
    app.dispatcher.tick().await.unwrap();
    let link = app.link(0).await;
    let code = link.rsplit('/').next().unwrap().to_owned();
    app.post(&format!("{link}/begin"), CONSENT_FORM).await;
    for _ in 0..3 {
        for address in [link.clone(), format!("{link}?from=singlemessage&isappinstalled=0")] {
            let answer = app.http.get(address).header("user-agent", WECHAT).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            assert!(answer.headers().get("set-cookie").is_none());
            assert_eq!(answer.headers()["cache-control"], "no-store");
            assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
            let page = answer.text().await.unwrap();
            let head = page.split_once("<body>").unwrap().0;
            assert!(!head.contains(&code) && !head.contains("http-equiv"), "{head}");
            assert!(
                head.contains("<meta property=\"og:title\" content=\"示例质量协会\">"),
                "{head}"
            );
            assert!(head.contains("-webkit-text-size-adjust:100%"), "{head}");
            assert!(!head.contains("position:fixed") && !page.contains("<script"), "{head}");
        }
    }
    let thanks = app.answer_all(&link, 0, "5").await;
    for _ in 0..2 {
        assert_eq!(app.get(&format!("{link}?from=timeline")).await.1, thanks);
    }
}

/// In a real browser: accessible and not too wide, in both schemes, with name, logo and colour, and
/// with the larger letters of an in-app browser's font setting (amfe/lib-flexible#202).
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_an_organiser_are_accessible() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let long =
        with_organiser().replace("示例质量协会", "示例省示例市产品质量与市场信用评价促进协会");
    let programme = fieldworkd::domain::programme::Programme::parse(&long).unwrap();
    apply_with_logo(&app.context, programme, Some(png())).await.unwrap();
    app.launch_with_people(5, "").await;
    app.dispatcher.tick().await.unwrap();
    let mut pages = Vec::new();
    let mut add = |name: &str, link: &str| {
        for language in ["zh", "en"] {
            pages.push(json!({ "name": format!("organiser {name} {language}"), "submit": false,
                "url": format!("{link}?lang={language}"), "logo": "/logo/", "enlarged": true }));
        }
    };
    add("welcome", &app.link(0).await);
    let questions = app.link(1).await;
    app.post(&format!("{questions}/begin"), CONSENT_FORM).await;
    add("questions", &questions);
    let thanks = app.link(2).await;
    app.answer_all(&thanks, 0, "5").await;
    add("thanks", &thanks);
    let refused = app.link(3).await;
    app.post(&format!("{refused}/refuse"), &[]).await;
    add("refused", &refused);
    let withdrawn = app.link(4).await;
    app.post(&format!("{withdrawn}/begin"), CONSENT_FORM).await;
    app.post(&format!("{withdrawn}/refuse"), &[]).await;
    add("withdrawn", &withdrawn);
    add("unknown", &format!("{}/i/0000000000000000", app.base));
    crate::respondent_pages::look_at(pages, None).await;
}
