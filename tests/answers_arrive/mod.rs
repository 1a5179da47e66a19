//! Invariant I5, from the other end: what was acknowledged last for each item is what every format
//! of the dataset says. Random questionnaires, random ways through them (back, twice, two tabs,
//! languages, nonsense, daemons that die), on the web, by SMS and on the telephone.
//!
//! The plain run has 200 respondents on each engine; `FIELDWORKD_TEST_LONG=1 tests/run
//! answers_arrive` has thousands. A failure names its seed: `FIELDWORKD_TEST_SEED=N` repeats it.
//! To see it fail, forget an answer that was taken back: leave out `clear_answers` in
//! `store_answers` of `src/services/interviews/save_page.rs`.

mod crashes;
mod generated;
mod messages;
mod model;
mod pages;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use fieldworkd::domain::role::Role;
use fieldworkd::services::datasets;
use fieldworkd::services::programmes::{add_applications, apply_programme};
use fieldworkd::simulation::Scenario;

use crate::common::browser::{Browser, PASSWORD, add_account};
use crate::common::interviewers::mixed_plan;
use crate::common::{self, PROGRAMME, TestApp, by_size, local, number};
use crashes::CrashingServer;
use generated::Generated;
use messages::{Texting, by_sms};
use model::Respondent;

const CATEGORIES: [(&str, &str); 5] = [
    ("organisation", "name = \"甲有限公司\""),
    ("brand", "brand = \"甲\""),
    (
        "product",
        "brand = \"甲\", product = \"燃气热水器\", model = \"H6\", specification = \"16L\"",
    ),
    ("project", "name = \"江畔花园\", place = \"滨江路18号\", number = \"3号楼\""),
    ("service", "service = \"甲\""),
];
/// People of each application: on the web, by SMS, on the telephone.
const WEB: usize = 5;
const SMS: usize = 3;
const TELEPHONE: usize = 2;
const PEOPLE: usize = WEB + SMS + TELEPHONE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_last_is_what_every_format_says() {
    let rounds = by_size(1, 4, 60);
    let first: u64 =
        std::env::var("FIELDWORKD_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + rounds {
        one_round(seed).await;
    }
}

/// Five questionnaires with ten people each, on each engine.
async fn one_round(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let questionnaires: Vec<Generated> =
        CATEGORIES.iter().map(|(category, _)| Generated::new(&mut rng, category)).collect();
    for ((category, _), generated) in CATEGORIES.iter().zip(&questionnaires) {
        std::fs::write(folder.path().join(format!("{category}.toml")), &generated.file).unwrap();
    }
    let settings = [
        ("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap()),
        ("DATASET__SMALLEST_CELL", "1"),
        ("GATEWAY__SIMULATOR__RATE_PER_SECOND", "1000"),
    ];
    for app in TestApp::on_each_engine(Scenario::faultless(seed, 1_000), &settings).await {
        let mut rng = fastrand::Rng::with_seed(seed);
        launch(&app).await;
        let mut server = CrashingServer::start(&app).await;
        let mut respondents: HashMap<usize, (Respondent, &str)> = HashMap::new();
        app.advance_until(app.clock_now() + Duration::from_secs(60)).await;
        let mut texting = Vec::new();
        for (number_of, generated) in questionnaires.iter().enumerate() {
            let first = number_of * PEOPLE;
            for person in first..first + WEB {
                let link = app.link_of("C1", &code(number_of), &number(person)).await;
                let respondent =
                    pages::on_the_web(&mut rng, &app, &mut server, generated, &link).await;
                respondents.insert(person, (respondent, "web"));
            }
            for person in first + WEB..first + WEB + SMS {
                texting.push(Texting::new(&mut rng, generated, person));
            }
        }
        by_sms(&mut rng, &app, &mut texting).await;
        for one in texting {
            respondents.insert(one.person, (one.respondent, "sms"));
        }
        app.advance_until(local("2026-03-04T15:00:00")).await;
        for (person, respondent) in call(&mut rng, &app, &questionnaires).await {
            respondents.insert(person, (respondent, "telephone"));
        }
        eprintln!("{}, seed {seed}: {} crashes", app.engine, server.crashes);
        server.stop();
        app.advance_until(local("2026-05-14T00:00:00")).await;
        assert_eq!(datasets::write_pending(&app.context).await.unwrap(), CATEGORIES.len() as u64);
        let mut folders = Vec::new();
        for (number_of, generated) in questionnaires.iter().enumerate() {
            let folder = app.context.config.datasets.join(format!("{}/v1", code(number_of)));
            let place = format!("{}, seed {seed}, {}", app.engine, code(number_of));
            let mine = respondents.iter().filter(|(person, _)| **person / PEOPLE == number_of);
            let mine = mine.map(|(person, respondent)| (number(*person), respondent)).collect();
            compare(&place, generated, &folder, &mine);
            datasets::verify(&folder, None).unwrap_or_else(|error| panic!("{place}: {error}"));
            folders.push(folder);
        }
        common::validate_datasets(&folders);
    }
}

fn code(number_of: usize) -> String {
    format!("A{number_of}")
}

async fn launch(app: &TestApp) {
    let caps = CATEGORIES.map(|(category, _)| format!("{category} = 100"));
    apply_programme(&app.context, &format!("{PROGRAMME}caps = {{ {} }}\n", caps.join(", ")))
        .await
        .unwrap();
    let mut codes = Vec::new();
    for (number_of, (category, subject)) in CATEGORIES.iter().enumerate() {
        let code = code(number_of);
        let file = format!(
            "programme = \"p26\"\n[[application]]\ncode = \"{code}\"\napplicant = {{ code = \
             \"{}\", name = \"公司\" }}\ncategory = \"{category}\"\nsubject = {{ {subject} }}\n\
             list_fields = {{ who = [\"编号\"] }}\n",
            code.to_lowercase(),
        );
        add_applications(&app.context, &file).await.unwrap();
        let first = number_of * PEOPLE;
        let mut list = String::from("姓名,手机,编号\n");
        for person in first..first + PEOPLE {
            list += &format!("某某,{0},'{0}'\n", number(person));
        }
        app.import(&[&code], list.as_bytes()).await.unwrap();
        codes.push(code);
    }
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    app.launch("C1", &codes, &plan()).await.unwrap();
}

/// An offer of an interview by SMS with the link beside it, then one call.
fn plan() -> String {
    let offer = "mode = \"interview\"\nafter = \"0d\"\ntext.zh = \
        \"【{signature}】{name}您好，请评价{subject}。回复1同意并用短信作答，或点{link}（含隐私告知）；退订回T\"\n";
    let mixed = mixed_plan(1);
    let (head, rest) = mixed.split_once("[[step]]\nname = \"invitation\"\n").unwrap();
    let rest = &rest[rest.find("[[step]]").unwrap()..];
    format!("{head}[[step]]\nname = \"offer\"\n{offer}{rest}")
}

/// Calls everybody who waits in the queue.
async fn call(
    rng: &mut fastrand::Rng,
    app: &TestApp,
    questionnaires: &[Generated],
) -> Vec<(usize, Respondent)> {
    add_account(app, "wu", Role::Interviewer).await;
    let mut browser = Browser::new(app);
    browser.sign_in("wu", PASSWORD).await;
    let token = browser.token("/interview").await;
    let mut called = Vec::new();
    while browser.post("/interview/next", &[("token", &token)]).await.1.ends_with("/interview") {
        let page = browser.get("/interview").await.2;
        let after = |mark: &str| page.split(mark).nth(1)?.split('"').next().map(str::to_owned);
        let (call, phone) = (after("data-call=\"").unwrap(), after("href=\"tel:+86").unwrap());
        let person = (0..PEOPLE * CATEGORIES.len()).find(|n| number(*n) == phone).unwrap();
        let generated = &questionnaires[person / PEOPLE];
        let respondent = pages::on_the_telephone(rng, &browser, &token, &call, generated).await;
        called.push((person, respondent));
    }
    called
}

/// Compares a dataset with what the respondents were told.
fn compare(
    place: &str,
    generated: &Generated,
    folder: &Path,
    respondents: &BTreeMap<String, &(Respondent, &str)>,
) {
    let read = |file: &str| -> Vec<HashMap<String, String>> {
        let mut reader = csv::Reader::from_path(folder.join(file)).unwrap();
        reader.deserialize().map(Result::unwrap).collect()
    };
    let rows: HashMap<String, HashMap<String, String>> =
        read("responses.csv").into_iter().map(|row| (row["case"].clone(), row)).collect();
    let mut seen = 0;
    for case in read("cases.csv") {
        let who = case["who"].trim_matches('\'');
        let Some((respondent, mode)) = respondents.get(who) else {
            panic!("{place}: nobody knows {who}")
        };
        let row = rows.get(&case["case"]);
        seen += usize::from(row.is_some());
        let is_told = respondent.states.iter().any(|state| {
            let cells = state.cells(generated, *mode == "sms");
            match (state.disposition(generated), row) {
                (None, None) => true,
                (Some(disposition), Some(row)) => {
                    row["disposition"] == disposition
                        && cells.iter().all(|(column, cell)| row[column] == *cell)
                }
                _ => false,
            }
        });
        let expected: Vec<_> = respondent
            .states
            .iter()
            .map(|state| (state.disposition(generated), state.cells(generated, *mode == "sms")))
            .collect();
        assert!(
            is_told,
            "{place}, {mode}: {} {row:#?}\nexpected one of {expected:#?}\n{:#?}\n{}",
            case["disposition"], respondent.log, generated.file
        );
    }
    assert_eq!(seen, rows.len(), "{place}");
}
