//! The demo through the real binary: it does what it announces, the same seed gives the same
//! figures, nothing personal leaks, and its datasets are valid.

use crate::common;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn demo(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fieldworkd"));
    command.args(["demo", "--dir"]).arg(folder).args(arguments).envs(environment.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Returns the report without its run time, which may differ between two runs.
fn figures(output: &Output) -> Value {
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["wall_seconds"].as_f64().unwrap() > 0.0);
    report.as_object_mut().unwrap().remove("wall_seconds");
    report
}

#[test]
fn the_same_seed_gives_the_same_figures_and_every_invariant_holds() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("d");
    let first = figures(&demo(&folder, &["--seed", "7", "--json"], &[]));
    // The demo empties its own folder for the next run.
    let again = figures(&demo(&folder, &["--seed", "7", "--json"], &[]));
    assert_eq!(first, again);
    let number = |key: &str| first[key].as_u64().unwrap_or_else(|| panic!("{key} is no number"));
    for invariant in [
        "duplicate_submits",
        "outside_hours",
        "over_rate",
        "over_quota",
        "calls_outside_hours",
        "call_backs_missed",
    ] {
        assert_eq!(number(invariant), 0, "{invariant}");
    }
    assert_eq!(number("readable_in_backups"), 0);
    assert_eq!(first["audit_whole"], true);
    assert_eq!(first["events_signed"], first["events_told"]);
    assert!(number("messages") > 300 && (60..=95).contains(&number("virtual_days")));
    assert_eq!(number("in_doubt"), number("in_doubt_settled"));
    for something in [
        "routed_answers",
        "consents",
        "consents_withdrawn",
        "web_call_backs",
        "speeding",
        "straight_lining",
        "quota_filled",
        "replicates_released",
        "deadline_changes",
        "forecasts",
        "forecasts_held",
        "alarms",
        "notices",
        "dataset_files",
        "corrected_versions",
        "deliveries_arrived",
        "datasets_accepted",
        "people_forgotten",
        "console_pages",
        "people_revealed",
        "audit_entries",
        "events_told",
        "deletion_certificates",
        "calls",
        "phone_interviews",
        "fixed_line_completes",
        "call_backs_kept",
        "sms_interviews",
        "sms_questions",
    ] {
        assert!(number(something) > 0, "{something}");
    }
    for (campaign, rates) in first["outcome_rates"].as_object().unwrap() {
        let rates = rates.as_object().unwrap();
        assert!(
            rates.len() == 16
                && rates.values().all(|rate| (0.0..=1.0).contains(&rate.as_f64().unwrap())),
            "{campaign}: {rates:?}"
        );
    }
    let applications = first["applications"].as_array().unwrap();
    let categories: BTreeSet<&str> =
        applications.iter().map(|a| a["category"].as_str().unwrap()).collect();
    assert_eq!(
        categories,
        BTreeSet::from(["brand", "organisation", "product", "project", "service"])
    );
    let closings: BTreeSet<&str> =
        applications.iter().map(|a| a["closed_by"].as_str().unwrap()).collect();
    assert_eq!(closings, BTreeSet::from(["due_day", "quota"]));
    for application in applications {
        let number =
            |key: &str| application[key].as_u64().unwrap_or_else(|| panic!("{key} is no number"));
        assert!(number("names") >= number("invited") && number("invited") >= number("delivered"));
        // A person without a mobile gets no message, and is called.
        assert_eq!(number("delivered") > 0, application["code"] != "LQ-HILL", "{application}");
        assert!(
            number("opened") >= number("completed")
                && number("completed") > 0
                && number("completed") <= number("target")
        );
        assert!((0.0..=1.0).contains(&application["rr1"].as_f64().unwrap()));
        common::validate_dataset(Path::new(application["dataset"].as_str().unwrap()));
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Returns every name and number on the demo's lists, including rejected rows: as written, and the
/// number's bare digits.
fn everything_personal() -> BTreeSet<String> {
    let mut personal = BTreeSet::new();
    for list in files_below(Path::new("config/demo/lists")) {
        let rows =
            fieldworkd::services::list_import::read_table(&std::fs::read(&list).unwrap()).unwrap();
        let header =
            rows.iter().find(|row| row.cells.iter().any(|c| c.contains("姓名") || c == "Name"));
        let columns: Vec<usize> = match header {
            // The one list without a header has a name and a number in each row.
            None => vec![0, 1],
            Some(header) => (0..header.cells.len())
                .filter(|&i| {
                    ["姓名", "Name", "手机", "Mobile", "电话", "固话"]
                        .iter()
                        .any(|word| header.cells[i].contains(word))
                })
                .collect(),
        };
        let first = header.map_or(0, |header| header.number);
        for row in rows.iter().filter(|row| row.number > first) {
            for cell in columns
                .iter()
                .filter_map(|&i| row.cells.get(i))
                .map(|c| c.trim())
                .filter(|c| c.chars().count() >= 2)
            {
                personal.insert(cell.to_owned());
                let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
                if digits.len() >= 7 {
                    let digits = digits.trim_start_matches("0086");
                    personal.insert(
                        digits
                            .strip_prefix("86")
                            .filter(|d| d.len() == 11)
                            .unwrap_or(digits)
                            .to_owned(),
                    );
                }
            }
        }
    }
    // Texts in number columns instead of a number, which a page or a list may contain as well.
    for word in ["见备注", "号码有误", "not yet known"] {
        assert!(personal.remove(word), "{word}");
    }
    personal
}

/// Invariant I7: at the most verbose log level, no name and no number of the lists is in the
/// database's files, the log, the datasets or the output.
#[test]
fn no_name_and_no_number_leaks() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("d");
    let told = demo(&folder, &["--seed", "3"], &[("FIELDWORKD_LOG__LEVEL", "trace")]);
    let story = String::from_utf8(told.stdout.clone()).unwrap();
    assert!(
        story.contains("sent twice 0, outside hours 0, over the rate 0, over quota 0")
            && story.contains("One interview about"),
        "{story}"
    );
    let personal = everything_personal();
    assert!(personal.len() > 600, "{}", personal.len());
    let mut haystacks = vec![
        ("standard output".to_owned(), told.stdout),
        ("standard error".to_owned(), told.stderr),
    ];
    for file in files_below(&folder) {
        haystacks.push((file.display().to_string(), std::fs::read(&file).unwrap()));
    }
    let log = haystacks.iter().find(|(name, _)| name.ends_with("fieldworkd.log")).unwrap();
    assert!(
        String::from_utf8_lossy(&log.1).contains("\"route\":\"/i/{code}\""),
        "the log is talkative"
    );
    assert!(
        haystacks.iter().any(|(name, _)| name.ends_with("fieldworkd.db"))
            && haystacks.iter().any(|(name, _)| name.ends_with("responses.csv"))
    );
    for (name, content) in &haystacks {
        let text = String::from_utf8_lossy(content);
        let leaks = personal.iter().filter(|secret| text.contains(secret.as_str())).count();
        assert_eq!(leaks, 0, "{name} holds {leaks} of the lists' names and numbers");
    }
}
