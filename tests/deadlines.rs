//! Changes of deadlines: the fee, holds, extensions. A held application is neither contacted nor
//! closed; those in most danger come first.

use crate::common;
use fieldworkd::services::programmes::apply_programme;
use std::process::Command;
use std::time::Duration;

use crate::common::{CONSENT_FORM, PLAN, PROGRAMME, TestApp, answers, list, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::{application_events, applications};
use fieldworkd::services::campaigns;
use fieldworkd::services::deadlines;
use fieldworkd::services::deadlines::changes::{self, ChangedBy};
use fieldworkd::simulation::Scenario;

const BY: ChangedBy<'_> = ChangedBy { actor: "王", reason: "名单有争议" };

async fn events(app: &TestApp, code: &str) -> Vec<(String, Option<u32>, String)> {
    let mut connection = app.context.database.read().await.unwrap();
    let id = applications::find(&mut connection, code).await.unwrap().unwrap().id;
    let all = application_events::of_application(&mut connection, id).await.unwrap();
    all.into_iter().map(|e| (e.kind.as_str().to_owned(), e.days, e.actor)).collect()
}

#[tokio::test]
async fn a_hold_stops_contacts_keeps_the_field_open_and_adds_its_days() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        // Received on 2 March: the dataset is due on 13 May.
        app.launch_with_people(4, "").await;
        app.advance_until(local("2026-03-02T12:00:00")).await;
        let sent = || app.simulator.record().submits.len();
        assert_eq!(sent(), 4);
        assert!(
            changes::hold(&app.context, "A1", ChangedBy { actor: "王", reason: "  " })
                .await
                .unwrap_err()
                .to_string()
                .contains("reason")
        );
        changes::hold(&app.context, "A1", BY).await.unwrap();
        assert!(
            changes::hold(&app.context, "A1", BY)
                .await
                .unwrap_err()
                .to_string()
                .contains("on hold already")
        );
        app.advance_until(local("2026-03-20T12:00:00")).await;
        assert_eq!(sent(), 4, "{}: no reminder while it is held", app.engine);
        // A respondent with the link may still answer.
        let link = app.link(0).await;
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        for page in 0..4 {
            assert_eq!(app.post(&format!("{link}/answers"), &answers(0, page, "8")).await.0, 303);
        }
        assert!(app.get(&link).await.1.contains("感谢您的评价"));
        // Past its due day, and still not closed.
        app.advance_until(local("2026-05-20T12:00:00")).await;
        let status =
            changes::release(&app.context, "A1", ChangedBy { actor: "李", reason: "已澄清" })
                .await
                .unwrap();
        assert_eq!(status.extended_days, 79, "{}: from 2 March to 20 May", app.engine);
        assert_eq!(status.dataset_due.unwrap().to_string(), "2026-07-31");
        app.advance_until(local("2026-05-22T12:00:00")).await;
        assert_eq!(sent(), 4 + 3, "{}: whoever has not answered is reminded again", app.engine);
        let more =
            changes::extend(&app.context, "A1", 5, ChangedBy { actor: "李", reason: "节假日" })
                .await
                .unwrap();
        assert_eq!(more.dataset_due.unwrap().to_string(), "2026-08-05");
        app.advance_until(local("2026-08-05T23:59:59")).await;
        assert!(changes::extend(&app.context, "A1", 0, BY).await.is_err());
        assert_eq!(deadlines::tick(&app.context).await.unwrap(), Vec::<String>::new());
        app.advance_until(local("2026-08-06T00:00:00")).await;
        let names: Vec<(String, Option<u32>, String)> = events(&app, "A1").await;
        let event = |what: &str, days, actor: &str| (what.to_owned(), days, actor.to_owned());
        assert_eq!(
            names,
            [
                event("launched", None, "campaign launch"),
                event("held", None, "王"),
                event("released", Some(79), "李"),
                event("extended", Some(5), "李"),
                event("closed", None, "fieldworkd")
            ],
            "{}",
            app.engine
        );
        assert!(
            changes::hold(&app.context, "A1", BY).await.unwrap_err().to_string().contains("closed")
        );
    }
}

#[tokio::test]
async fn where_the_fee_comes_first_nothing_is_launched_before_it() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        apply_programme(&app.context, &format!("{PROGRAMME}fee_first = true\n")).await.unwrap();
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list(2).as_bytes()).await.unwrap();
        let error = app.launch("C1", &["A1"], PLAN).await.unwrap_err().to_string();
        assert!(error.contains("A1: its survey fee is not settled"), "{error}");
        let state = async || {
            deadlines::programme_overview(&app.context, "p26").await.unwrap().unwrap()[0].state
        };
        assert_eq!(state().await, "waits_for_fee");
        let status = changes::settle_fee(&app.context, "A1", "2026-03-09".parse().unwrap(), "王")
            .await
            .unwrap();
        assert_eq!(
            (status.begins, status.certificate_due),
            ("2026-03-09".parse().ok(), "2026-06-09".parse().ok())
        );
        let report = app.launch("C1", &["A1"], PLAN).await.unwrap();
        assert_eq!(report.applications[0].dataset_due, "2026-05-20", "{}", app.engine);
        assert_eq!(state().await, "in_field");
        let again = changes::settle_fee(&app.context, "A1", "2026-03-10".parse().unwrap(), "王")
            .await
            .unwrap_err()
            .to_string();
        assert!(again.contains("2026-03-09"), "{again}");
    }
}

#[tokio::test]
async fn the_application_furthest_behind_is_listed_first() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        for code in ["A1", "B1", "C1"] {
            app.register_brand(code, code, "").await;
        }
        for (code, people) in [("A1", 0..2), ("B1", 2..4), ("C1", 4..6)] {
            app.import(&[code], common::list_of(people).as_bytes()).await.unwrap();
        }
        app.launch("K1", &["A1", "B1"], PLAN).await.unwrap();
        app.advance_until(local("2026-03-10T12:00:00")).await;
        for person in 0..2 {
            let link = app.link_of("K1", "A1", &common::number(person)).await;
            app.post(&format!("{link}/begin"), CONSENT_FORM).await;
            for page in 0..4 {
                app.post(&format!("{link}/answers"), &answers(0, page, "8")).await;
            }
        }
        let status = campaigns::status(&app.context, "K1").await.unwrap();
        let order: Vec<&str> = status.applications.iter().map(|a| a.code.as_str()).collect();
        assert_eq!(order, ["B1", "A1"], "{}", app.engine);
        let all = deadlines::programme_overview(&app.context, "p26").await.unwrap().unwrap();
        let order: Vec<(&str, &str)> =
            all.iter().map(|o| (o.application.as_str(), o.state)).collect();
        assert_eq!(
            order,
            [("B1", "in_field"), ("A1", "in_field"), ("C1", "registered")],
            "{}",
            app.engine
        );
        assert!(
            all[0].behind.unwrap() > 0.1
                && all[1].behind.unwrap() < -0.8
                && all[0].days_left == Some(65),
            "{all:?}"
        );
        assert!(deadlines::programme_overview(&app.context, "none").await.unwrap().is_none());
        app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
    }
}

/// Through the real binary.
#[tokio::test]
async fn the_command_line_moves_deadlines_with_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldworkd"));
        command
            .current_dir(folder.path())
            .env("USER", "forged")
            .env("SUDO_USER", "wang")
            .env("FIELDWORKD_DATABASE__URL", "sqlite:x.db")
            .env("FIELDWORKD_KEYS__RING", "ring");
        let output = command.args(arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    std::fs::write(folder.path().join("p.toml"), PROGRAMME).unwrap();
    std::fs::write(
        folder.path().join("a.toml"),
        "programme = \"p26\"\n[[application]]\ncode = \"A1\"\napplicant = { code = \"a\", name = \
            \"甲\" }\ncategory = \"brand\"\nsubject = { brand = \"甲\" }\nlist_received = \
            2026-11-01\n",
    )
    .unwrap();
    assert_eq!(run(&["programme", "apply", "p.toml"]).0, Some(0));
    assert_eq!(run(&["application", "add", "a.toml"]).0, Some(0));
    let (status, said, error) =
        run(&["application", "extend", "A1", "--days", "9", "--reason", "春节"]);
    assert!(
        status == Some(0) && said.contains("the certificate on 2027-02-10; 9 days were added"),
        "{said}{error}"
    );
    let (status, said, _) = run(&["application", "hold", "A1", "--reason", "争议"]);
    assert!(status == Some(0) && said.contains("on hold since"), "{said}");
    assert_eq!(run(&["application", "release", "A1", "--reason", "澄清"]).0, Some(0));
    let (status, _, error) = run(&["application", "release", "A1", "--reason", "x"]);
    assert!(
        status == Some(1)
            && error.contains("A1 is not on hold")
            && error.trim().lines().count() == 1,
        "{error}"
    );
    assert_eq!(run(&["application", "extend", "A1", "--days", "9", "--reason", ""]).0, Some(1));
    let (_, said, _) = run(&["application", "history", "A1", "--json"]);
    let history: serde_json::Value = serde_json::from_str(&said).unwrap();
    let changes: Vec<(&str, &str)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["kind"].as_str().unwrap(), e["actor"].as_str().unwrap()))
        .collect();
    // The actor comes from the system, not from the environment.
    assert_eq!(
        changes.iter().map(|(what, _)| *what).collect::<Vec<_>>(),
        ["extended", "held", "released"]
    );
    assert!(
        changes.iter().all(|(_, actor)| actor.starts_with("wang as ") && !actor.contains("forged")),
        "{changes:?}"
    );
    let (status, said, _) = run(&["programme", "status", "p26", "--json"]);
    let overview: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(
        status == Some(0)
            && overview[0]["state"] == "registered"
            && overview[0]["application"] == "A1",
        "{said}"
    );
}
