//! I8, time is a parameter: the same seed and plan give the same run.
//! Held by two runs of the demo, which also counts I1 to I4 from outside; `tests/architecture.rs`
//! forbids any clock but the given one, and `tests/forecasting.rs` repeats a rehearsal.
//! To see it fail, draw without the seed: in `rng_for` of `src/simulation/carrier.rs`, replace
//! `fastrand::Rng::with_seed(…)` by `fastrand::Rng::new()`, and
//! `the_same_seed_gives_the_same_figures_and_every_invariant_holds` fails.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use crate::common;
use crate::common::demo;
use serde_json::Value;

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
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    // What an earlier demo left behind.
    let stale = one.join("fieldworkd.db");
    std::fs::create_dir(&one).unwrap();
    std::fs::write(one.join(".fieldworkd-demo"), "").unwrap();
    std::fs::write(&stale, "stale").unwrap();
    let run = |folder: &Path| figures(&demo(folder, &["--seed", "7", "--json"], &[]));
    let (first, again) = std::thread::scope(|scope| {
        let again = scope.spawn(|| run(&other));
        (run(&one), again.join().unwrap())
    });
    let without_folder = |report: &Value, folder: &Path| {
        report.to_string().replace(&folder.display().to_string(), "FOLDER")
    };
    assert_eq!(without_folder(&first, &one), without_folder(&again, &other));
    assert_ne!(std::fs::read(&stale).unwrap(), b"stale", "the demo empties its own folder");
    // Others' tools read each of its versions, and compute its rates, weights and intervals again.
    let versions: Vec<_> = std::fs::read_dir(one.join("datasets"))
        .unwrap()
        .flat_map(|application| std::fs::read_dir(application.unwrap().path()).unwrap())
        .map(|version| version.unwrap().path())
        .filter(|version| version.join("manifest.json").exists())
        .collect();
    assert!(versions.len() >= 8, "{versions:?}");
    crate::common::validate_datasets(&versions);
    crate::common::recompute_estimates(&versions);
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
        "full_cells",
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
        // Some of each list are never heard of: these rates are for samples without such people.
        let is_for_known = |name: &str| matches!(name, "RR5" | "RR6" | "REF3" | "CON3");
        let is_right = |name: &str, rate: &Value| match rate.as_f64() {
            Some(rate) => (0.0..=1.0).contains(&rate),
            None => rate.is_null() && is_for_known(name),
        };
        assert!(
            rates.len() == 16 && rates.iter().all(|(name, rate)| is_right(name, rate)),
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
