//! Weights, means, design effects and R-indicators: worked in the files of `estimates/`, each with
//! its source, and computed again by numpy and statsmodels from the files of datasets
//! (`tests/external/recompute_estimates.py`).
//!
//! To see them fail: in `Weighting::of` (`src/domain/estimation/weights.rs`) leave out the base
//! weight; in `finite_population_factor` leave out the root; in `SmallCellSuppression::of`
//! (`src/services/datasets/freeze.rs`) suppress before weighting.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::common::{self, CONSENT_FORM, PLAN, TestApp, answers, local, number};
use fieldworkd::domain::estimation::{
    Frame, ListFrame, Moments, Representativity, SampleState, Weighting,
};
use fieldworkd::services::{self, datasets};
use fieldworkd::simulation::Scenario;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedEstimate {
    /// Where the expected figures come from.
    source: String,
    #[serde(default)]
    fields: Vec<String>,
    people: Vec<People>,
    #[serde(default)]
    ratings: Vec<Ratings>,
    expected: Expected,
}

/// How many people with the same words do what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct People {
    words: Vec<String>,
    #[serde(default)]
    complete: usize,
    #[serde(default)]
    silent: usize,
    #[serde(default)]
    held_back: usize,
    #[serde(default)]
    not_a_user: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratings {
    value: f64,
    count: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// N, n and completes.
    totals: (u64, u64, u64),
    design_effect: f64,
    effective_n: f64,
    r_indicator: Option<f64>,
    groups: Vec<ExpectedGroup>,
    mean: Option<ExpectedMean>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedGroup {
    words: Vec<String>,
    base: f64,
    nonresponse: f64,
    raked: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedMean {
    mean: f64,
    standard_error: f64,
    half_width: f64,
}

const ESTIMATES: [(&str, &str); 5] = [
    ("small_and_large_owners", include_str!("estimates/small_and_large_owners.toml")),
    ("fifty_of_sixty", include_str!("estimates/fifty_of_sixty.toml")),
    ("census", include_str!("estimates/census.toml")),
    ("held_back_replicates", include_str!("estimates/held_back_replicates.toml")),
    ("two_fields", include_str!("estimates/two_fields.toml")),
];

fn frame_of(example: &WorkedEstimate) -> Frame {
    let fields = match example.people[0].words.len() {
        3 => example.fields.clone(),
        columns => (1..columns).map(|n| format!("field{n}")).collect(),
    };
    let mut list = ListFrame::new(fields.iter().map(String::as_str));
    for people in &example.people {
        let words: Vec<&str> = people.words.iter().map(String::as_str).collect();
        for (state, count) in [
            (SampleState::Complete, people.complete),
            (SampleState::Nonrespondent, people.silent),
            (SampleState::HeldBack, people.held_back),
            (SampleState::NotEligible, people.not_a_user),
        ] {
            (0..count).for_each(|_| list.add(&words, state));
        }
    }
    list.finish()
}

#[test]
fn estimates_come_to_the_figures_of_their_source() {
    for (name, text) in ESTIMATES {
        let example: WorkedEstimate = toml::from_str(text).unwrap();
        let expected = &example.expected;
        assert!(!example.source.is_empty());
        let frame = frame_of(&example);
        let weighting = Weighting::of(&frame);
        let near = |what: &str, told: Option<f64>, expected: f64| {
            let told = told.unwrap_or_else(|| panic!("{name}, {what}: nothing"));
            assert!((told - expected).abs() < 1e-9, "{name}, {what}: {told}, not {expected}");
        };
        assert_eq!(frame.totals(), expected.totals, "{name}");
        for group in &expected.groups {
            let words: Vec<&str> = group.words.iter().map(String::as_str).collect();
            let weights = weighting.of_codes(&frame.codes(&words)).unwrap();
            near("w_base", weights.base(), group.base);
            near("w_nr", weights.completes.map(|w| w.nonresponse), group.nonresponse);
            near("w_raked", weights.completes.map(|w| w.raked), group.raked);
        }
        near("design effect", weighting.summary.design_effect, expected.design_effect);
        near("effective n", weighting.summary.effective_n, expected.effective_n);
        let representativity = Representativity::of(&frame);
        if let Some(r_indicator) = expected.r_indicator {
            near("R", representativity.r_indicator, r_indicator);
        }
        if let Some(mean) = &expected.mean {
            let mut moments = Moments::default();
            for ratings in &example.ratings {
                (0..ratings.count).for_each(|_| moments.add(ratings.value, 1.0));
            }
            let estimate = moments.estimate(expected.totals.0);
            near("mean", estimate.mean, mean.mean);
            near("standard error", estimate.standard_error, mean.standard_error);
            let half = estimate.high.unwrap() - estimate.mean.unwrap();
            assert!((half - mean.half_width).abs() < 1e-6, "{name}: {half}");
        }
    }
}

fn rows(folder: &Path, file: &str) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("manifest.json")).unwrap()).unwrap()
}

/// Eight large and forty small owners, of whom two and twenty answer.
async fn field_of_owners(app: &TestApp) {
    let fields = "quota = { target = 40 }\nlist_fields = { region = [\"所在地区\"] }";
    app.register_brand("A1", "a", fields).await;
    let row = |n: usize| {
        let owner = if n < 8 { "大业主" } else { "小业主" };
        let region = ["北", "南", "东"][n % 3];
        format!("受访者{n},{},{owner},{region}\n", number(n))
    };
    let list: String = (0..48).map(row).collect();
    let list = format!("姓名,手机,业主类型,所在地区\n{list}");
    app.import(&["A1"], list.as_bytes()).await.unwrap();
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.advance_until(local("2026-03-03T12:00:00")).await;
    for n in (0..2).chain(8..28) {
        // A third of them a week later.
        if n == 20 {
            app.advance_until(local("2026-03-08T12:00:00")).await;
        }
        app.answer_all(&app.link(n).await, 0, ["6", "7", "9", "10"][n % 4]).await;
    }
    let partial = app.link(30).await;
    app.post(&format!("{partial}/begin"), CONSENT_FORM).await;
    for page in 0..3 {
        app.post(&format!("{partial}/answers"), &answers(0, page, "3")).await;
    }
    // As if two interviewers had asked some of them.
    app.execute_sql("UPDATE answer SET account_id = response_id % 2 WHERE response_id % 3 = 0")
        .await
        .unwrap();
    app.advance_until(local("2026-05-14T00:00:00")).await;
    assert_eq!(datasets::write_pending(&app.context).await.unwrap(), 1);
}

/// The weights do not depend on what is suppressed: eight large owners are too few to tell in the
/// second case, and weigh 4 all the same.
#[tokio::test]
async fn a_dataset_has_weights_and_the_precision_of_its_means() {
    for smallest in ["1", "9"] {
        let settings = [("DATASET__SMALLEST_CELL", smallest)];
        for app in TestApp::on_each_engine(Scenario::faultless(1, 1_000), &settings).await {
            let of = format!("{smallest}, {}", app.engine);
            field_of_owners(&app).await;
            let folder = app.context.config.datasets.join("A1/v1");
            services::datasets::verify(&folder, None).unwrap();
            let cases = rows(&folder, "cases.csv");
            let is_told = cases.iter().any(|row| row["segment"] == "large_owner");
            assert_eq!(is_told, smallest == "1", "{of}");
            let told = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
            assert_eq!(told.contains("large_owner"), smallest == "1", "{of}");
            // The words of list fields are sealed with the rows, and in no metadata.
            let mut connection = app.context.database.read().await.unwrap();
            let metadata: Vec<String> = sqlx::query_scalar("SELECT metadata FROM dataset")
                .fetch_all(&mut *connection)
                .await
                .unwrap();
            drop(connection);
            assert!(!metadata[0].contains('北') && !told.contains('北'), "{of}: {metadata:?}");
            let mut by_stratum: BTreeMap<(String, String), usize> = BTreeMap::new();
            let mut sum = 0.0;
            for row in &cases {
                let is_complete = row["disposition"] == "1.1";
                assert_eq!(row["w_nr"].is_empty(), !is_complete, "{of}: {row:?}");
                assert_eq!((&*row["w_base"], &*row["replicate"]), ("1", ""), "{of}");
                assert_eq!(row["stratum_size"], row["stratum_sample"], "{of}");
                sum += row["w_raked"].parse::<f64>().unwrap_or(0.0);
                let key = (row["stratum_size"].clone(), row["w_nr"].clone());
                *by_stratum.entry(key).or_default() += usize::from(is_complete);
            }
            let key = |size: &str, weight: &str| (size.to_owned(), weight.to_owned());
            // The small owners are divided by their region, with seven, seven and six completes.
            assert_eq!(by_stratum[&key("8", "4")], 2, "{of}: {by_stratum:?}");
            assert!((sum - 48.0).abs() < 1e-8, "{of}: {sum}");
            let by_case: BTreeMap<&str, &str> =
                cases.iter().map(|row| (&*row["case"], &*row["w_raked"])).collect();
            for row in rows(&folder, "responses.csv") {
                assert_eq!(row["w_raked"], by_case[&*row["case"]], "{of}");
                assert_eq!(row["w_raked"].is_empty(), row["disposition"] == "1.2", "{of}");
            }
            let manifest = manifest(&folder);
            let (weights, precision) = (&manifest["weights"], &manifest["precision"]);
            assert_eq!(
                (&weights["population"], &weights["completes"], &weights["converged"]),
                (&48.into(), &22.into(), &true.into()),
                "{of}"
            );
            assert!(weights["design_effect"].as_f64().unwrap() >= 1.0, "{of}");
            assert_eq!(precision["core"]["n"], 22, "{of}");
            assert_eq!(precision["core"]["population"], 48, "{of}");
            assert_eq!(precision["interviewers"]["interviewers"], 2, "{of}");
            assert_eq!(precision["trend"]["days"].as_object().unwrap().len(), 2, "{of}");
            let triple_s = std::fs::read_to_string(folder.join("triple-s.xml")).unwrap();
            assert_eq!(triple_s.matches("use=\"serial\"").count(), 1, "{of}");
            let weight = triple_s.split("use=\"weight\"").nth(1).unwrap();
            assert!(weight.trim_start_matches('>').trim().starts_with("<name>w_raked"), "{of}");
            let report = std::fs::read_to_string(folder.join("fieldwork-report.html")).unwrap();
            for text in ["名单上 48 人", "nobody else", "R-indicator", "interviewers"] {
                assert!(report.contains(text), "{of}: {text}");
            }
            assert_eq!(report.contains("large_owner"), smallest == "1", "{of}");
            common::recompute_estimates(std::slice::from_ref(&folder));
            common::validate_dataset(&folder);
        }
    }
}

/// A list of sixty for a target of ten: the people of replicates that are never released are in N_h
/// and in no row.
#[tokio::test]
async fn people_who_are_held_back_raise_the_base_weight() {
    let settings = [("DATASET__SMALLEST_CELL", "1")];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 1_000), &settings).await {
        app.launch_with_people(60, "quota = { target = 10 }").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        for n in 0..60 {
            // Who is held back has no link yet.
            app.answer_all(&app.link(n).await, 0, ["6", "9"][n % 2]).await;
        }
        app.advance_until(local("2026-05-14T00:00:00")).await;
        assert_eq!(datasets::write_pending(&app.context).await.unwrap(), 1);
        let folder = app.context.config.datasets.join("A1/v1");
        let cases = rows(&folder, "cases.csv");
        assert!(cases.len() < 60, "{}", app.engine);
        let base = 60.0 / cases.len() as f64;
        for row in &cases {
            assert_eq!(row["stratum_size"], "60", "{}", app.engine);
            assert_eq!(row["stratum_sample"], cases.len().to_string(), "{}", app.engine);
            assert!((row["w_base"].parse::<f64>().unwrap() - base).abs() < 1e-9);
            assert!(row["replicate"].parse::<u32>().unwrap() >= 1, "{row:?}");
        }
        assert_eq!(manifest(&folder)["precision"]["core"]["population"], 60, "{}", app.engine);
        common::recompute_estimates(std::slice::from_ref(&folder));
    }
}
