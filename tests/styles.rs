//! The page of the design's parts: every class that pages use is on it, in both languages and schemes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::TestApp;
use crate::common::browser::{Browser, add_account, run_in_chromium};
use fieldworkd::domain::role::Role;
use fieldworkd::simulation::Scenario;
use regex::Regex;
use serde_json::json;

/// Classes of pages' parts that `/staff/styles` leaves to the page that has them, with the reason.
const LEFT_OUT: [(&str, &[&str]); 5] = [
    (
        "the respondents' own style, in which staff try a questionnaire (respondent_pages::)",
        &["bar"],
    ),
    (
        "the questionnaire's editor, one page of its own (questionnaire_editor::)",
        &[
            "acts",
            "add",
            "beside",
            "beside-phone",
            "changes",
            "condition",
            "editor",
            "found",
            "handle",
            "item",
            "item-head",
            "items",
            "label",
            "languages",
            "open",
            "option",
            "qpage",
            "qpage-head",
            "sum",
            "term",
            "texting",
            "texts",
            "with",
            "cards",
            "choices",
        ],
    ),
    ("the handbook, one page of its own (handbook::)", &["contents", "handbook"]),
    (
        "keying of paper forms, one page of its own (paper_forms::)",
        &["check", "key", "keying", "keys", "skipped"],
    ),
    ("set up once in the own account (access_control::)", &["codes", "qr-code"]),
];

fn templates(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(templates(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn classes(html: &str) -> BTreeSet<String> {
    let attribute = Regex::new("class=\"([^\"]*)\"").unwrap();
    let code = Regex::new(r"\{[%{].*?[%}]\}").unwrap();
    attribute
        .captures_iter(html)
        .flat_map(|found| {
            let words = code.replace_all(&found[1], " ").into_owned();
            words.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn the_page_of_parts_shows_every_class_that_pages_use() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 10), &[]).await;
    add_account(&app, "zhao", Role::Administrator).await;
    add_account(&app, "qian", Role::Operator).await;
    let zhao = Browser::signed_in(&app, "zhao").await;
    let (status, _, page) = zhao.get("/staff/styles").await;
    assert_eq!(status, 200, "{page}");
    let shown = classes(&page);
    let left_out: BTreeSet<&str> =
        LEFT_OUT.iter().flat_map(|(_, classes)| classes.iter().copied()).collect();
    let mut used = BTreeSet::new();
    for folder in ["applicant", "console", "interviewer", "keying", "shared", "staff", "supervisor"]
    {
        for file in templates(&Path::new("templates").join(folder)) {
            if file.extension().is_some_and(|end| end == "html") {
                used.extend(classes(&std::fs::read_to_string(file).unwrap()));
            }
        }
    }
    let missing: Vec<&String> = used
        .iter()
        .filter(|class| !shown.contains(*class) && !left_out.contains(class.as_str()))
        .collect();
    assert!(missing.is_empty(), "not on /staff/styles: {missing:?}");
    let idle: Vec<&&str> = left_out
        .iter()
        .filter(|class| !used.contains(**class) || shown.contains(**class))
        .collect();
    assert!(idle.is_empty(), "left out, and shown or not used: {idle:?}");
    let qian = Browser::signed_in(&app, "qian").await;
    assert_eq!(qian.get("/staff/styles").await.0, 403);
    assert!(page.contains("设计部件"));
    let in_english = app
        .http
        .get(format!("{}/staff/styles", app.base))
        .header("cookie", "fieldworkd_language=en");
    let english = zhao.send(in_english).await.2;
    assert!(english.contains("Parts of the design") && classes(&english) == shown, "{english}");
}

#[test]
fn the_dark_of_the_parts_is_the_dark_of_the_pages() {
    let style = include_str!("../templates/staff/staff.css");
    let block = |start: &str| {
        let rest = style.split(start).nth(1).unwrap_or_else(|| panic!("{start}"));
        rest.split('}').next().unwrap().trim().to_owned()
    };
    let dark = block("@media(prefers-color-scheme:dark){:root{");
    assert_eq!(dark, block("\n.dark{\n"));
    assert!(dark.contains("--ink:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_are_accessible() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 10), &[]).await;
    add_account(&app, "zhao", Role::Administrator).await;
    let pages = [["/staff/styles", "styles", "设计部件"]];
    let task = json!({
        "base": app.base, "account": "zhao", "widths": [320, 768, 1280], "pages": pages,
    });
    run_in_chromium("tests/external/pages.js", task).await;
}
