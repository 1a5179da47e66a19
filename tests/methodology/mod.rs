//! What a methodologist signs: dispositions and outcome rates, worked by hand from the AAPOR
//! Standard Definitions in the files beside this one, and played through the real services.
//!
//! To see them fail: in `close_field` (`src/services/deadlines/mod.rs`) set the rest to
//! `Disposition::QuotaFilled`; in `Disposition::group` make `Undeliverable` not eligible.
//! [`estimates`] does the same for weights, means and representativity.

mod estimates;
mod plays;

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::Row;

use crate::common::{CONSENT_FORM, PLAN, TestApp, local, number};
use crate::quotas::{LIST_FIELDS, list_with_regions, send};
use fieldworkd::adapters::database::{applications, datasets};
use fieldworkd::domain::disposition::Disposition;
use fieldworkd::domain::phone::Phone;
use fieldworkd::services::datasets::metadata::{DatasetMetadata, EligibilityEstimate};
use fieldworkd::services::deadlines;
use fieldworkd::simulation::Scenario;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedExample {
    quota: u32,
    /// How many people do what.
    people: BTreeMap<Behaviour, usize>,
    expected: Expected,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Behaviour {
    Completes,
    NotAUser,
    StaysAway,
    DeadNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    closed_by: String,
    dispositions: BTreeMap<String, u64>,
    rates: BTreeMap<String, f64>,
    not_available: Vec<String>,
    eligibility: EligibilityEstimate,
}

const EXAMPLES: [(&str, &str); 3] = [
    ("closes_on_quota", include_str!("closes_on_quota.toml")),
    ("dead_numbers", include_str!("dead_numbers.toml")),
    ("screened_out", include_str!("screened_out.toml")),
];

/// alphagov/notifications-admin#3471: people whose numbers did exist were reported as «does not exist»
/// after a permanent failure. CALLE-AI/awesome-phone-call-agents#78: shares of those who were reached
/// instead of those who were drawn flatter the result.
#[tokio::test]
async fn fields_come_to_the_rates_that_were_worked_by_hand() {
    for (name, text) in EXAMPLES {
        let example: WorkedExample = toml::from_str(text).unwrap();
        let mut scenario = Scenario::faultless(1, 1_000);
        // The test pushes the receipts.
        scenario.no_receipt = 1.0;
        for app in TestApp::on_each_engine(scenario, &[]).await {
            let of = format!("{name}, {}", app.engine);
            let people: Vec<Behaviour> = example
                .people
                .iter()
                .flat_map(|(does, count)| std::iter::repeat_n(*does, *count))
                .collect();
            let quota = format!("quota = {{ target = {} }}", example.quota);
            app.launch_with_people(people.len(), &quota).await;
            app.advance_until(local("2026-03-02T12:00:00")).await;
            for (n, does) in people.iter().enumerate() {
                let (state, error) = match does {
                    Behaviour::DeadNumber => ("undelivered", "unknown_subscriber"),
                    _ => ("delivered", ""),
                };
                push_receipt(&app, n, state, error).await;
            }
            for (n, does) in people.iter().enumerate() {
                let link = app.link(n).await;
                match does {
                    Behaviour::Completes => _ = app.answer_all(&link, 0, "8").await,
                    Behaviour::NotAUser => {
                        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
                        app.post(&format!("{link}/not-a-user"), &[("case", "0")]).await;
                    }
                    Behaviour::StaysAway | Behaviour::DeadNumber => {}
                }
            }
            // Past the due day, with every reminder sent and delivered to whom it can be.
            app.advance_until(local("2026-06-30T12:00:00")).await;
            let metadata = closed_dataset(&app).await;
            assert_eq!(metadata.dispositions, example.expected.dispositions, "{of}");
            assert_eq!(metadata.closed_by.as_deref(), Some(&*example.expected.closed_by), "{of}");
            for (rate, by_hand) in &example.expected.rates {
                let rounded = metadata.rates[rate].map(|rate| (rate * 1e4).round() / 1e4);
                assert_eq!(rounded, Some(*by_hand), "{of}: {rate}");
            }
            let missing = metadata.rates.iter().filter(|(_, rate)| rate.is_none());
            let missing: Vec<&String> = missing.map(|(name, _)| name).collect();
            let mut expected: Vec<&String> = example.expected.not_available.iter().collect();
            expected.sort();
            assert_eq!(missing, expected, "{of}");
            assert_eq!(metadata.eligibility.as_ref(), Some(&example.expected.eligibility), "{of}");
        }
    }
}

/// Pushes a receipt of the only message of the `n`th person.
async fn push_receipt(app: &TestApp, n: usize, state: &str, error: &str) {
    let phone = Phone::parse(&number(n), phonenumber::country::CN).unwrap();
    let hash = app.context.keys.hasher().phone_hash(&phone);
    let sql = "SELECT m.reference, m.gateway_message_id FROM message m
               JOIN invitation i ON i.id = m.invitation_id JOIN respondent r ON r.id = \
               i.respondent_id WHERE r.phone_hash = $1";
    let mut connection = app.context.database.read().await.unwrap();
    let row = sqlx::query(sql).bind(hash.clone()).fetch_one(&mut *connection).await.unwrap();
    drop(connection);
    let (reference, id): (String, String) = (row.get(0), row.get(1));
    let body =
        serde_json::json!({ "id": id, "reference": reference, "state": state, "error": error });
    let url = format!("{}/receipts", app.context.webhook_base_url("simulator"));
    let answer = app.http.post(url).body(body.to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

async fn closed_dataset(app: &TestApp) -> DatasetMetadata {
    let mut connection = app.context.database.read().await.unwrap();
    let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
    let versions = datasets::final_versions(&mut connection, id).await.unwrap();
    let last = versions.last().expect("the field is closed");
    let (metadata, _) = datasets::metadata(&mut connection, last.id).await.unwrap();
    serde_json::from_str(&metadata).unwrap()
}

/// One core item on the third page, and one more page.
fn questionnaire() -> String {
    format!(
        "{}\n[[page]]\ntitle = {{ zh = \"以后\", en = \"Later\" }}\nitem = [\n  {{ id = \"loy1\", \
         variable = \"LOY1\", latent = \"loyalty\", type = \"scale\", text = {{ zh = \"还会买吗？\", \
         en = \"Will you buy again?\" }} }},\n]\n",
        include_str!("../fixtures/cells.toml")
    )
}

/// A cell fills: whoever has answered the core items is a partial response, whoever is turned away
/// is 4.8, and everybody else keeps what the contacts came to. instedd/surveda#1754: partial interviews
/// were rejected when their own quota was reached; instedd/surveda#410: people turned away counted as
/// completed; instedd/surveda#1156: everything that cells depend on is asked before.
#[tokio::test]
async fn a_cell_that_fills_changes_nobodys_outcome_but_of_those_it_turns_away() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), questionnaire()).unwrap();
    let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 1_000), &settings).await {
        let quota = "quota = { target = 9, cell = [{ name = \"north\", if = \"region == '北'\", \
            target = 1 }] }";
        app.register_brand("A1", "a", &format!("{quota}\n{LIST_FIELDS}")).await;
        app.import(&["A1"], list_with_regions(16).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.advance_until(local("2026-03-02T09:40:00")).await;
        let begin = async |n: usize| {
            let link = app.link(n).await;
            app.post(&format!("{link}/begin"), CONSENT_FORM).await;
            link
        };
        let pages = [
            ("0", ("use", "daily")),
            ("1", ("age", "40")),
            ("2", ("sat1", "7")),
            ("3", ("loy1", "7")),
        ];
        let answer = async |link: &str, count: usize| {
            for (page, field) in &pages[..count] {
                send(&app, link, page, *field).await;
            }
        };
        let (fills, goes_on, stays_away) = (begin(0).await, begin(2).await, begin(4).await);
        let (is_early, leaves) = (begin(6).await, begin(8).await);
        answer(&goes_on, 3).await;
        answer(&stays_away, 3).await;
        answer(&is_early, 1).await;
        answer(&leaves, 1).await;
        answer(&fills, 4).await;
        deadlines::tick(&app.context).await.unwrap();
        // The last page of a core-complete response, and the second page of another.
        send(&app, &goes_on, "3", ("loy1", "7")).await;
        send(&app, &is_early, "1", ("age", "40")).await;
        // Had the page on the screen and presses the button; only opens the link.
        let pressed = begin(10).await;
        let opened = app.link(12).await;
        for link in [&goes_on, &is_early, &pressed, &opened] {
            assert!(app.get(link).await.1.contains("已经收齐"), "{}", app.engine);
        }
        deadlines::tick(&app.context).await.unwrap();
        let counts = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
            counts.iter().map(|(code, cases)| ((*code).to_owned(), *cases)).collect()
        };
        let now: BTreeMap<String, u64> = app.dispositions("A1").await.into_iter().collect();
        let expected = counts(&[("1.1", 1), ("1.2", 1), ("2.12", 2), ("2.20", 10), ("4.8", 2)]);
        assert_eq!(now, expected, "{}", app.engine);
        // Nobody of a full cell is reminded; those of the south are.
        let before = app.simulator.record().submits.len();
        app.advance_until(local("2026-03-10T12:00:00")).await;
        assert_eq!(app.simulator.record().submits.len(), before + 8, "{}", app.engine);
        deadlines::close_campaign(&app.context, "C1").await.unwrap();
        let metadata = closed_dataset(&app).await;
        let expected = counts(&[("1.1", 1), ("1.2", 2), ("2.12", 1), ("2.20", 10), ("4.8", 2)]);
        assert_eq!(metadata.dispositions, expected, "{}", app.engine);
        assert_eq!((metadata.responses, metadata.partial), (3, 2), "{}: none dropped", app.engine);
    }
}

/// Each paragraph of the migration after the new column is played over cases as version 0.1 left
/// them.
#[tokio::test]
async fn cases_stored_under_the_old_codes_are_migrated() {
    /// The code of a case, its changes with their sources, and the code that it gets.
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Row<'_>; 8] = [
        ("4.31", &[("3.19", "gateway"), ("4.31", "gateway")], "3.30"),
        ("4.31", &[("4.31", "telephone")], "3.31"),
        ("4.32", &[("4.32", "telephone")], "3.32"),
        ("4.33", &[("4.33", "telephone")], "3.33"),
        ("4.7", &[("4.7", "telephone")], "3.34"),
        ("4.8", &[("3.19", "gateway"), ("2.20", "gateway"), ("4.8", "close")], "2.20"),
        ("4.8", &[("4.8", "close")], "3.11"),
        ("4.8", &[("2.20", "gateway"), ("2.12", "web"), ("4.8", "web")], "4.8"),
    ];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.launch_with_people(cases.len(), "").await;
        let mut connection = app.context.database.read().await.unwrap();
        let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM survey_case ORDER BY id")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        drop(connection);
        for (id, (code, changes, _)) in ids.iter().zip(cases) {
            let sql = format!("UPDATE survey_case SET disposition = '{code}' WHERE id = {id}");
            app.execute_sql(&sql).await.unwrap();
            for (at, (code, source)) in changes.iter().enumerate() {
                let sql = format!(
                    "INSERT INTO disposition_change (case_id, disposition, source, changed_at) \
                     VALUES ({id}, '{code}', '{source}', {at})"
                );
                app.execute_sql(&sql).await.unwrap();
            }
        }
        let migration = include_str!("../../migrations/sqlite/0008_outcomes_of_persons.sql");
        for statement in migration.split(";\n").filter(|text| !text.contains("ALTER TABLE")) {
            if !statement.trim().is_empty() {
                app.execute_sql(statement).await.unwrap();
            }
        }
        let mut connection = app.context.database.read().await.unwrap();
        let now: Vec<String> =
            sqlx::query_scalar("SELECT disposition FROM survey_case ORDER BY id")
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        assert_eq!(now, cases.map(|(_, _, code)| code), "{}", app.engine);
        let changes: Vec<String> = sqlx::query_scalar("SELECT disposition FROM disposition_change")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        assert!(changes.iter().all(|code| Disposition::from_code(code).is_some()), "{changes:?}");
    }
}

#[test]
fn the_table_of_dispositions_is_that_of_the_program() {
    let document = include_str!("../../docs/dispositions.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells[0].starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    let of_table = rows.iter().map(|cells| {
        assert!(cells.len() == 8 && !cells[7].is_empty(), "{cells:?}");
        assert!(cells[3..6].iter().any(|leads_there| !leads_there.is_empty()), "{cells:?}");
        (cells[0], cells[1].trim_matches('`'), cells[2], cells[6])
    });
    let of_program = Disposition::ALL.map(|d| (d.code(), d.name(), d.labels().0, d.group().name()));
    assert!(of_table.eq(of_program.iter().copied()), "{rows:?}\n{of_program:?}");
}
