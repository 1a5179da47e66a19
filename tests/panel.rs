//! Who answered in several programmes of an applicant, and in several questionnaires behind one link.

use std::collections::HashMap;

use crate::common::{PLAN, PROGRAMME, TestApp, answers, list, local, validate_dataset};
use fieldworkd::services::programmes::{add_applications, apply_programme};
use fieldworkd::services::{datasets, deadlines};
use fieldworkd::simulation::Scenario;

/// A programme whose notice tells of the panel, or does not.
fn programme(code: &str, notice: &str, panel: bool) -> String {
    let head = PROGRAMME.replace("p26", code);
    let text = "{ zh = \"多年的回答可以合并\", en = \"Answers of several years are linked\" }";
    format!("{head}privacy = {{ version = \"{notice}\", panel = {panel}, text = {text} }}\n")
}

async fn answer(
    app: &TestApp,
    campaign: &str,
    application: &str,
    n: usize,
    notice: &str,
    cases: usize,
) {
    let number = crate::common::number(n);
    let link = app.link_of(campaign, application, &number).await;
    app.post(&format!("{link}/begin"), &[("notice", notice)]).await;
    for case in 0..cases {
        for page in 0..4 {
            app.post(&format!("{link}/answers"), &answers(case, page, "8")).await;
        }
    }
}

fn rows(app: &TestApp, application: &str, file: &str) -> Vec<HashMap<String, String>> {
    let folder = app.context.config.datasets.join(application).join("v1");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_person_of_two_programmes_is_told_only_where_the_notice_said_so() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        let register = async |programme: &str, code: &str| {
            let file = format!(
                "programme = \"{programme}\"\n[[application]]\ncode = \"{code}\"\napplicant = {{ \
                    code = \"a\", name = \"甲公司\" }}\ncategory = \"brand\"\nsubject = {{ brand = \
                    \"{code}牌\" }}\n"
            );
            add_applications(&app.context, &file).await.unwrap();
        };
        let apply = async |text: &str| {
            apply_programme(&app.context, text).await.unwrap();
        };
        apply(&programme("p26", "n1", true)).await;
        register("p26", "A1").await;
        register("p26", "A2").await;
        app.import(&["A1", "A2"], list(4).as_bytes()).await.unwrap();
        app.launch("C1", &["A1", "A2"], PLAN).await.unwrap();
        app.advance_until(local("2026-03-03T12:00:00")).await;
        for n in 0..2 {
            answer(&app, "C1", "A1", n, "n1", 2).await;
        }
        for code in ["A1", "A2"] {
            deadlines::freeze(&app.context, code).await.unwrap();
        }

        // The next programme, and another one whose notice says nothing of it.
        apply(&programme("p27", "m1", true)).await;
        apply(&programme("p28", "o1", false)).await;
        for (programme, code, campaign) in [("p27", "B1", "C2"), ("p28", "D1", "C3")] {
            register(programme, code).await;
            app.import(&[code], list(4).as_bytes()).await.unwrap();
            app.launch(campaign, &[code], PLAN).await.unwrap();
        }
        app.advance_until(local("2026-03-20T12:00:00")).await;
        answer(&app, "C2", "B1", 0, "m1", 1).await;
        answer(&app, "C2", "B1", 2, "m1", 1).await;
        answer(&app, "C3", "D1", 0, "o1", 1).await;
        deadlines::freeze(&app.context, "B1").await.unwrap();
        deadlines::freeze(&app.context, "D1").await.unwrap();
        while datasets::write_pending(&app.context).await.unwrap() > 0 {}

        let panel = |code: &str| -> Vec<String> {
            let rows = rows(&app, code, "responses.csv");
            rows.iter().map(|row| row.get("panel_id").cloned().unwrap_or("none".into())).collect()
        };
        let (first, second, next) = (panel("A1"), panel("A2"), panel("B1"));
        assert_eq!((first.len(), next.len()), (2, 2), "{}", app.engine);
        let both = |one: &[String], other: &[String]| {
            one.iter().filter(|id| !id.is_empty() && other.contains(id)).count()
        };
        assert_eq!((both(&first, &second), both(&first, &next)), (2, 1), "{}", app.engine);
        assert_eq!(panel("D1"), ["none"], "{}: no column", app.engine);
        // Cases keep a pseudonym of their own.
        let cases = |code: &str| -> Vec<String> {
            rows(&app, code, "responses.csv").iter().map(|row| row["case"].clone()).collect()
        };
        assert_eq!(both(&cases("A1"), &cases("B1")), 0, "{}", app.engine);
        let manifest: serde_json::Value = serde_json::from_str(
            &std::fs::read_to_string(app.context.config.datasets.join("B1/v1/manifest.json"))
                .unwrap(),
        )
        .unwrap();
        let overlap = manifest["panel_overlap"].as_array().unwrap();
        let told: Vec<String> = overlap
            .iter()
            .map(|of| {
                let text = |key: &str| of[key].as_str().unwrap().to_owned();
                format!(
                    "{} {} {} {}",
                    text("programme"),
                    text("application"),
                    of["responses"],
                    of["completes"]
                )
            })
            .collect();
        assert_eq!(told, ["p26 A1 1 1", "p26 A2 1 1"], "{}", app.engine);

        // The place in the bundle of one link.
        for (code, position) in [("A1", "1"), ("A2", "2")] {
            let cases = rows(&app, code, "cases.csv");
            let all = cases.iter().all(|row| {
                (row["bundle_position"].as_str(), row["bundle_size"].as_str()) == (position, "2")
            });
            assert!(all && cases.len() == 4, "{}: {cases:?}", app.engine);
        }
        for code in ["A2", "B1", "D1"] {
            validate_dataset(&app.context.config.datasets.join(code).join("v1"));
        }
    }
}

/// Whoever agreed to an earlier version of the notice is not in the panel.
#[tokio::test]
async fn who_agreed_before_the_notice_told_of_it_is_in_no_panel() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        apply_programme(&app.context, &programme("p26", "n1", false)).await.unwrap();
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        answer(&app, "C1", "A1", 0, "n1", 1).await;
        // The same version cannot come to mean something else.
        let refused = apply_programme(&app.context, &programme("p26", "n1", true)).await;
        assert!(refused.is_err_and(|e| e.to_string().contains("raise the version")));
        apply_programme(&app.context, &programme("p26", "n2", true)).await.unwrap();
        answer(&app, "C1", "A1", 1, "n2", 1).await;
        deadlines::freeze(&app.context, "A1").await.unwrap();
        datasets::write_pending(&app.context).await.unwrap();
        let mut ids: Vec<String> =
            rows(&app, "A1", "responses.csv").iter().map(|row| row["panel_id"].clone()).collect();
        ids.sort();
        assert!(ids[0].is_empty() && ids[1].len() == 16, "{}: {ids:?}", app.engine);
    }
}
