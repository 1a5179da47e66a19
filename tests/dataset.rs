//! From the closed field to the verified folder, on both engines.

mod common;

use std::path::{Path, PathBuf};

use common::{TestApp, answers, local};
use fieldworkd::campaign::{self, By};
use fieldworkd::dataset;
use fieldworkd::deadline;
use fieldworkd::gateway::simulator::Script;

/// Ten people: three complete, one leaves after the core items, one after the first page, one refuses, the others stay silent.
async fn closed_field(app: &TestApp) -> PathBuf {
    app.in_field(10, "").await;
    app.play_until(local("2026-03-03T12:00:00")).await;
    for n in 0..3 {
        app.answer_all(&app.link(n).await, 0, "8").await;
    }
    for (n, pages) in [(3, 3), (4, 1)] {
        let link = app.link(n).await;
        app.post(&format!("{link}/begin"), common::AGREED).await;
        for page in 0..pages {
            app.post(&format!("{link}/answers"), &answers(0, page, "3")).await;
        }
    }
    app.post(&format!("{}/refuse", app.link(5).await), &[]).await;
    // Received on 2 March: the certificate is due on 2 June, the dataset 20 days before.
    app.play_until(local("2026-05-13T23:59:59")).await;
    assert_eq!(dataset::write_pending(&app.installation).await.unwrap(), 0, "the due day is not over");
    app.play_until(local("2026-05-14T00:00:00")).await;
    assert_eq!(dataset::write_pending(&app.installation).await.unwrap(), 1);
    assert_eq!(dataset::write_pending(&app.installation).await.unwrap(), 0);
    app.installation.config.datasets.join("A1/v1")
}

#[tokio::test]
async fn the_due_day_closes_the_field_and_every_case_has_its_disposition() {
    for app in TestApp::on_each_engine(Script::faultless(1, 50), &[]).await {
        let folder = closed_field(&app).await;
        let expected = [("1.1", 3), ("1.2", 1), ("2.112", 1), ("2.12", 1), ("2.20", 4)].map(|(code, n)| (code.to_owned(), n));
        assert_eq!(app.dispositions("A1").await, expected, "{}", app.engine);
        let verified = dataset::verify(&folder).unwrap();
        assert_eq!((verified.files, verified.responses, verified.cases), (6, 4, 10));
        let cases = std::fs::read_to_string(folder.join("cases.csv")).unwrap();
        assert_eq!(cases.lines().filter(|line| line.contains(",2.20,non_contact,") && line.contains(",3,")).count(), 4, "three attempts each");
        let status = fieldworkd::campaign::status(&app.installation, "C1").await.unwrap();
        assert_eq!((status.state, status.applications[0].closed_by), ("closed", Some("due_day")));
        assert_eq!(status.applications[0].rr1, Some(0.3));
        // I 3, P 1, R 2 (a refusal and a break-off), NC 4.
        let rates = campaign::rates(&app.installation, "C1", By::Wave).await.unwrap();
        let all = &rates[0];
        assert_eq!((all.cases, all.complete, all.partial, all.refusal, all.non_contact), (10, 3, 1, 2, 4));
        let rate = |name: &str| (all.rates[name].unwrap() * 1e4).round() / 1e4;
        assert_eq!(["RR1", "RR2", "COOP1", "REF1", "CON1"].map(rate), [0.3, 0.4, 0.5, 0.2, 0.6], "{}", app.engine);
        // Whoever answered or refused did so after the first message; the others were reminded twice.
        let waves: Vec<(&str, u64, u64)> = rates[1..].iter().map(|of| (of.group.as_str(), of.cases, of.complete)).collect();
        assert_eq!(waves, [("invitation", 6, 3), ("last", 4, 0)], "{}", app.engine);
        assert!(rates.iter().all(|of| of.rates.len() == 16));
        let by = |by| campaign::rates(&app.installation, "C1", by);
        let groups = |rates: Vec<campaign::RatesOf>| rates.into_iter().map(|of| (of.group, of.cases)).collect::<Vec<_>>();
        assert_eq!(groups(by(By::Application).await.unwrap())[1], ("A1".to_owned(), 10));
        assert_eq!(groups(by(By::Mode).await.unwrap())[1..], [("none".to_owned(), 5), ("web".to_owned(), 5)]);
        assert_eq!(groups(by(By::Segment).await.unwrap())[1..], [("none".to_owned(), 10)]);
    }
}

#[tokio::test]
async fn one_flipped_byte_anywhere_is_found() {
    let app = TestApp::on_sqlite(Script::faultless(1, 50), &[]).await;
    let folder = closed_field(&app).await;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        // Every byte of the sums, and a sample of the others.
        let step = if path.ends_with("SHA256SUMS") { 1 } else { 97 };
        for at in (0..content.len()).step_by(step) {
            let mut changed = content.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert!(dataset::verify(&folder).is_err(), "{} at {at}", path.display());
        }
        std::fs::write(&path, &content).unwrap();
    }
    std::fs::write(folder.join("more.txt"), "x").unwrap();
    assert!(dataset::verify(&folder).unwrap_err().to_string().contains("more.txt"));
    std::fs::remove_file(folder.join("more.txt")).unwrap();
    assert!(dataset::verify(&folder).is_ok());
    std::fs::remove_file(folder.join("cases.csv")).unwrap();
    assert!(dataset::verify(&folder).unwrap_err().to_string().contains("cases.csv"));
    assert!(dataset::verify(Path::new("/nowhere")).unwrap_err().to_string().contains("no dataset folder"));
}

#[tokio::test]
async fn the_same_frozen_data_gives_the_same_bytes_after_a_crash_between_writing_and_noting() {
    let app = TestApp::on_sqlite(Script::faultless(1, 50), &[]).await;
    let folder = closed_field(&app).await;
    let before = std::fs::read(folder.join("SHA256SUMS")).unwrap();
    // The daemon dies after the folder is there and before the database knows.
    let mut tx = app.installation.store.write().await.unwrap();
    sqlx::query("UPDATE dataset SET folder = NULL, sha256 = NULL").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(dataset::write_pending(&app.installation).await.unwrap(), 1);
    assert_eq!(std::fs::read(folder.join("SHA256SUMS")).unwrap(), before);
}

#[tokio::test]
async fn closing_by_hand_writes_what_there_is() {
    for app in TestApp::on_each_engine(Script::faultless(1, 50), &[]).await {
        app.in_field(2, "").await;
        app.play_until(local("2026-03-03T12:00:00")).await;
        app.answer_all(&app.link(0).await, 0, "8").await;
        assert_eq!(deadline::close_campaign(&app.installation, "C1").await.unwrap(), ["A1"]);
        assert!(deadline::close_campaign(&app.installation, "C1").await.unwrap_err().to_string().contains("closed already"));
        dataset::write_pending(&app.installation).await.unwrap();
        assert_eq!(dataset::verify(&app.installation.config.datasets.join("A1/v1")).unwrap().responses, 1);
        let sent = app.simulator.record().taken.len();
        app.play_until(local("2026-04-03T12:00:00")).await;
        assert_eq!(app.simulator.record().taken.len(), sent, "{}: nobody is reminded of a closed field", app.engine);
    }
}
