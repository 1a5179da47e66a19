//! What a launch refuses, and what it reports.

use crate::common::{PLAN, TestApp, list, local};
use fieldworkd::domain::sms_text::measure_parts;
use fieldworkd::simulation::Scenario;

/// The association asks, on behalf of the rating; the applicant is what is rated. The link is as
/// long as an installation's, the names are the demo's.
#[test]
fn the_shipped_plans_say_who_asks_and_keep_to_two_parts() {
    let link = "https://survey.example.org/i/abcdefghijklmnop";
    let subjects = [("山海电器", "山海"), ("云川建设", "江畔花园（滨江区滨江路18号3号楼）")];
    for plan in [
        include_str!("../config/demo/plan.toml"),
        include_str!("../config/demo/plan-telephone.toml"),
    ] {
        let plan: toml::Value = toml::from_str(plan).unwrap();
        let invitation = &plan["step"][0]["text"];
        for (language, name, asks, others) in [
            ("zh", "王小明", "】{name}您好，本会", "{applicant}请"),
            ("en", "Ann Lee", "】{name}, our association asks you", "{applicant} asks"),
        ] {
            let text = invitation[language].as_str().unwrap();
            assert!(text.contains(asks) && !text.contains(others), "{text}");
            for (applicant, subject) in subjects {
                let message = [
                    ("{signature}", plan["signature"].as_str().unwrap()),
                    ("{name}", name),
                    ("{applicant}", applicant),
                    ("{subject}", subject),
                    ("{link}", link),
                ]
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
                // English beside a Chinese subject is billed like Chinese.
                let allowed = if language == "zh" || subject.chars().count() < 5 { 2 } else { 3 };
                assert!(measure_parts(&message).parts <= allowed, "{message}");
            }
        }
    }
}

async fn app() -> TestApp {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    app.register_brand("A1", "a", "").await;
    app
}

#[tokio::test]
async fn each_launch_error_names_the_place_and_the_remedy() {
    let app = app().await;
    let refused = async |codes: &[&str], plan: &str| {
        app.launch("C1", codes, plan).await.expect_err("must be refused").to_string()
    };
    assert_eq!(refused(&["A1"], PLAN).await, "application A1 has no list");
    app.import(&["A1"], list(20).as_bytes()).await.unwrap();
    assert!(refused(&["A9"], PLAN).await.contains("A9"));
    let change = |from: &str, to: &str| PLAN.replace(from, to);
    for (plan, expected) in [
        (change("{link} 退订回T", "退订回T"), "no {link}"),
        (change("：{link} 退订回T", "：{link}"), "no opt-out"),
        (change("{name}您好", "{nmae}您好"), "{nmae} is not a placeholder"),
        (change("【{signature}】", ""), "approved signature"),
        (change("name = \"test\"", "name = \"test\"\ntime_zone = \"Asia/Peking\""), "Asia/Peking"),
        (
            change("再请评价", &"再三请您评价".repeat(40)),
            "step 2 (reminder): for 20 of the people the text takes up to 5 parts, allowed are 3",
        ),
        (change("after = \"7d\"", "after = \"50d\""), "closes on 2026-05-13"),
        (change("after = \"7d\"", "after = \"a week\""), "after = «a week»"),
        (change("monday = [\"09:00-21:00\"]", "monday = [\"21:00-09:00\"]"), "hours.monday"),
        (PLAN.split("[[step]]").next().unwrap().to_owned(), "no [[step]]"),
        (change("max_parts", "max_prats"), "max_prats"),
    ] {
        let error = refused(&["A1"], &plan).await;
        assert!(error.contains(expected), "{error} should say {expected}");
        assert!(!error.contains('\n'), "{error}");
    }
    // None of the refused launches left anything behind.
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    assert!(
        app.launch("C1", &["A1"], PLAN).await.unwrap_err().to_string().contains("exists already")
    );
    assert!(
        app.launch("C2", &["A1"], PLAN)
            .await
            .unwrap_err()
            .to_string()
            .contains("in the field or closed")
    );
}

#[tokio::test]
async fn a_launch_tells_parts_cost_and_days() {
    let app = app().await;
    app.import(
        &["A1"],
        format!("{}外地,+49 151 23456789\n座机,021-61234567\n", list(20)).as_bytes(),
    )
    .await
    .unwrap();
    let report = app.launch("C1", &["A1"], PLAN).await.unwrap();
    assert_eq!((report.invitations, report.without_mobile), (22, 1));
    // 21 people, three steps, one part each (up to 70 characters for any Chinese text), at 0.045 a
    // part.
    assert_eq!((report.parts_at_most, report.cost_at_most), (21 * 3, 2.84));
    assert_eq!(report.applications[0].dataset_due, "2026-05-13");
    assert_eq!(report.steps[1].starts_at, "2026-03-09T09:30:00+08:00");
}

#[tokio::test]
async fn applications_that_share_people_are_launched_together() {
    let app = app().await;
    app.register_brand("A2", "a", "").await;
    app.import(&["A1", "A2"], list(3).as_bytes()).await.unwrap();
    let error = app.launch("C1", &["A1"], PLAN).await.unwrap_err().to_string();
    assert!(error.contains("A2") && error.contains("together"), "{error}");
    assert_eq!(app.launch("C1", &["A1", "A2"], PLAN).await.unwrap().invitations, 3);
}

#[tokio::test]
async fn a_field_whose_due_day_is_over_is_not_opened() {
    let app = app().await;
    app.import(&["A1"], list(3).as_bytes()).await.unwrap();
    app.clock.advance_to(local("2026-05-14T00:00:01"));
    assert!(
        app.launch("C1", &["A1"], PLAN)
            .await
            .unwrap_err()
            .to_string()
            .contains("was due on 2026-05-13")
    );
}
