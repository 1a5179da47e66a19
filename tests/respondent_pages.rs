//! The respondent's pages in a real Chromium: accessible (axe-core, WCAG 2.2 AA), lightweight,
//! self-contained, and usable by keyboard without JavaScript.

use crate::common;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::TestApp;
use crate::common::survey::{DAILY, Survey};
use fieldworkd::simulation::Scenario;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_light_and_usable_by_keyboard_without_script() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), include_str!("fixtures/every_kind.toml"))
        .unwrap();
    let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &settings).await;
    // The quota is 4: anyone after that finds the cell full.
    app.launch_with_people(9, "quota = { target = 4 }").await;

    let send = async |n: usize, steps: &[(&str, &[(&str, &str)])]| {
        let link = app.link(n).await;
        app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        for (page, fields) in steps {
            let fields: Vec<(&str, &str)> = [("case", "0"), ("page", *page)]
                .into_iter()
                .chain(fields.iter().copied())
                .collect();
            assert_eq!(app.post(&format!("{link}/answers"), &fields).await.0, 303);
        }
        link
    };
    let first: (&str, &[(&str, &str)]) = ("0", &[("use", "daily")]);
    let second: (&str, &[(&str, &str)]) = ("1", &[("sat1", "1"), ("g1", "4"), ("g2", "na")]);
    let third: (&str, &[(&str, &str)]) = ("2", &[("why", "price")]);
    let fourth: (&str, &[(&str, &str)]) =
        ("3", &[("paid", "5"), ("rank1.a", "1"), ("rank1.b", "2"), ("rank1.c", "3")]);

    let mut states = vec![("welcome", app.link(0).await, "")];
    let questions_path = send(1, &[first, second, third]).await;
    for page in ["&page=0", "&page=1", "&page=2", "&page=3"] {
        states.push(("questions", questions_path.clone(), page));
    }
    states.push(("thanks", send(2, &[first, second, third, fourth]).await, ""));
    states.push(("no user", send(3, &[("0", &[("use", "never")])]).await, ""));
    let refused = app.link(4).await;
    app.post(&format!("{refused}/refuse"), &[]).await;
    states.push(("refused", refused, ""));
    states.push((
        "wrong link",
        questions_path.replace(questions_path.rsplit('/').next().unwrap(), "0000000000000000"),
        "",
    ));
    for (noted, wish) in [("later", "tomorrow"), ("call-me", "any")] {
        app.post(&format!("{}/{noted}", questions_path), &[("when", wish)]).await;
    }
    states.push(("noted later", questions_path.clone(), "&noted=later"));
    states.push(("noted call", questions_path.clone(), "&noted=call"));
    let withdrawn = send(8, &[first]).await;
    app.post(&format!("{withdrawn}/refuse"), &[]).await;
    states.push(("withdrawn", withdrawn, ""));
    let mistakes = [
        ("with mistakes", send(5, &[]).await, ""),
        ("with mistakes", send(6, &[first, second, third]).await, ""),
    ];

    let mut pages = Vec::new();
    for (is_sent, states) in [(false, states.as_slice()), (true, mistakes.as_slice())] {
        for (name, link, page) in states {
            for language in ["zh", "en"] {
                pages.push(serde_json::json!({ "name": format!("{name} {language}{page}"), "url": format!("{link}?lang={language}{page}"), "submit": is_sent }));
            }
        }
    }
    let interview = format!("{}?lang=en", app.link(7).await);
    if !look_at(pages, Some(interview)).await {
        return;
    }
    assert_eq!(
        app.dispositions("A1").await.into_iter().find(|(code, _)| code == "1.1"),
        Some(("1.1".to_owned(), 2))
    );
}

/// Lets a browser look at pages and fill an interview in by keyboard. Returns whether there is one.
pub(crate) async fn look_at(pages: Vec<serde_json::Value>, interview: Option<String>) -> bool {
    let (Ok(modules), Ok(chromium)) =
        (std::env::var("FIELDWORKD_TEST_NODE_PATH"), std::env::var("FIELDWORKD_TEST_CHROMIUM"))
    else {
        eprintln!(
            "FIELDWORKD_TEST_CHROMIUM is not set: no page is looked at in a browser (use \
                tests/run)"
        );
        return false;
    };
    let count = pages.len() * 4;
    let task = serde_json::json!({ "chromium": chromium, "pages": pages, "interview": interview });
    let said = tokio::task::spawn_blocking(move || {
        let mut node = Command::new("node")
            .arg("tests/external/respondent_pages.js")
            .env("NODE_PATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        node.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    })
    .await
    .unwrap();
    assert_eq!(said.trim(), format!("looked at {count} pages"), "{said}");
    true
}

/// The page of what could not be saved, with a long text on it.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_is_to_be_sent_again_is_accessible() {
    let survey = Survey::start(1).await;
    let link = survey.begin(0).await;
    survey.send(&link, "answers", "0", &[DAILY]).await;
    let text = "师傅上门两次都没有修好，电话里说的和现场做的不一样。\n\n".repeat(4);
    let typed = [("sat1", "2"), ("more", text.as_str()), ("back-to", "0")];
    survey.send(&link, "answers", "1", &typed).await;
    let trigger =
        "CREATE TRIGGER away BEFORE INSERT ON page_visit BEGIN SELECT RAISE(ABORT, 'x'); END";
    survey.app.execute_sql(trigger).await.unwrap();
    let page = |language: &str| {
        serde_json::json!({ "name": format!("send again {language}"), "submit": true,
            "url": format!("{link}?lang={language}&page=1") })
    };
    look_at(vec![page("zh"), page("en")], None).await;
    let (status, ..) = survey.send(&link, "answers", "1", &typed[..2]).await;
    assert_eq!(status, 503);
}
