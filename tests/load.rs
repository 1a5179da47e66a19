//! A thousand people in their interviews at once, for ten minutes of a virtual campaign, while
//! messages are sent and the deadline is watched: no error page, and the stored answers are those
//! that people were thanked for, counted from outside (invariant I5). A person who finishes is
//! replaced by another. The short form takes two minutes of virtual time; the ten minutes run with
//! `FIELDWORKD_TEST_LONG=1 tests/run --test load`.

use crate::common;
use fieldworkd::services::programmes::apply_programme;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{CONSENT_FORM, PLAN, TestApp, list};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::responses::StoredValue;
use fieldworkd::adapters::database::{applications, cases, responses};
use fieldworkd::domain::questionnaire::Questionnaire;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::deadlines;
use fieldworkd::simulation::Scenario;
use tokio::sync::watch;

const CONCURRENT_PEOPLE: usize = 1_000;
/// The real duration of a virtual second; under load it takes longer for those who wait.
const VIRTUAL_SECOND: Duration = Duration::from_millis(12);

/// The answers that one person saw confirmed as saved, by item, and whether the last page said
/// thanks.
struct SavedAnswers {
    link: String,
    answers: BTreeMap<String, String>,
    is_thanked: bool,
}

struct SimulatedRespondent {
    app: Arc<TestApp>,
    time: watch::Receiver<Timestamp>,
    rng: fastrand::Rng,
    saved: SavedAnswers,
    requests: Arc<AtomicU32>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_at_once_get_no_error_page_and_lose_no_answer() {
    let (people_in_all, seconds) =
        if std::env::var("FIELDWORKD_TEST_LONG").is_ok() { (6_000, 600) } else { (1_500, 120) };
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        apply_programme(
            &app.context,
            &format!("{}caps = {{ brand = {people_in_all} }}\n", common::PROGRAMME),
        )
        .await
        .unwrap();
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list(people_in_all).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        let app = Arc::new(app);
        let (time_sender, time) = watch::channel(app.clock.now());
        let requests = Arc::new(AtomicU32::new(0));
        let mut links = Vec::new();
        for n in 0..people_in_all {
            links.push(app.link(n).await);
        }
        let (links, next) = (Arc::new(links), Arc::new(AtomicUsize::new(0)));
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..CONCURRENT_PEOPLE {
            let (app, time, requests, links, next) =
                (app.clone(), time.clone(), requests.clone(), links.clone(), next.clone());
            workers.spawn(async move {
                let mut saved = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    // The time is over: no further person begins.
                    if n >= links.len() || time.has_changed().is_err() {
                        return saved;
                    }
                    let nothing_saved = SavedAnswers {
                        link: links[n].clone(),
                        answers: BTreeMap::new(),
                        is_thanked: false,
                    };
                    let rng = fastrand::Rng::with_seed(n as u64);
                    let person = SimulatedRespondent {
                        app: app.clone(),
                        time: time.clone(),
                        rng,
                        saved: nothing_saved,
                        requests: requests.clone(),
                    };
                    saved.push(person.interview().await);
                }
            });
        }
        // Meanwhile the campaign continues.
        for _ in 0..seconds {
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
            time_sender.send(app.clock.now()).unwrap();
            app.dispatcher.tick().await.unwrap();
            app.simulator.tick().await;
            deadlines::tick(&app.context).await.unwrap();
            tokio::time::sleep(VIRTUAL_SECOND).await;
        }
        // The ten minutes are over: waiting people leave.
        drop(time_sender);
        let mut saved = Vec::new();
        while let Some(theirs) = workers.join_next().await {
            saved.extend(theirs.unwrap());
        }
        assert_stored(&app, &saved).await;
        let (answers, thanked) = (
            saved.iter().map(|one| one.answers.len()).sum::<usize>(),
            saved.iter().filter(|one| one.is_thanked).count(),
        );
        eprintln!(
            "{}: {} requests, {answers} answers acknowledged and stored, {thanked} thanked",
            app.engine,
            requests.load(Ordering::Relaxed)
        );
        assert!(
            thanked > CONCURRENT_PEOPLE / 10
                && answers > 4 * CONCURRENT_PEOPLE
                && saved.len() >= CONCURRENT_PEOPLE,
            "{}: {thanked} {answers}",
            app.engine
        );
    }
}

impl SimulatedRespondent {
    /// Runs until the time or the interview is over: views, answers, hesitates, goes back, taps
    /// twice, changes the language.
    async fn interview(mut self) -> SavedAnswers {
        let pause = self.rng.u64(0..60);
        if !self.wait_seconds(pause).await {
            return self.saved;
        }
        self.open_page("").await;
        let link = self.saved.link.clone();
        assert_eq!(self.send_form(&format!("{link}/begin"), CONSENT_FORM).await, 303);
        let questionnaire =
            Questionnaire::parse(include_str!("../config/questionnaires/brand.toml")).unwrap();
        let pages: Vec<Vec<String>> = questionnaire
            .pages
            .iter()
            .map(|page| {
                page.items
                    .iter()
                    .filter(|item| item.is_coded() && item.show_if.is_none())
                    .map(|i| i.id.clone())
                    .collect()
            })
            .collect();
        let mut page = 0;
        while page < pages.len() {
            let reading = self.rng.u64(5..50);
            if !self.wait_seconds(reading).await {
                return self.saved;
            }
            let language = ["zh", "en"][self.rng.usize(..2)];
            self.open_page(&format!("?lang={language}&page={page}")).await;
            let number = page.to_string();
            let points: Vec<(String, String)> = pages[page]
                .iter()
                .map(|id| (id.clone(), self.rng.u32(5..=10).to_string()))
                .collect();
            let mut fields: Vec<(&str, &str)> = vec![("case", "0"), ("page", &number)];
            fields.extend(points.iter().map(|(id, point)| (id.as_str(), point.as_str())));
            for _ in 0..1 + usize::from(self.rng.u8(..12) == 0) {
                assert_eq!(self.send_form(&format!("{link}/answers"), &fields).await, 303);
            }
            self.saved.answers.extend(points.iter().cloned());
            // Sometimes goes back to view and change the previous page.
            page = if page > 0 && page + 1 < pages.len() && self.rng.u8(..10) == 0 {
                page - 1
            } else {
                page + 1
            };
        }
        self.saved.is_thanked = self.open_page("").await.contains("感谢您的评价");
        self.saved
    }

    /// Waits for `seconds` of virtual time; `false`: the ten minutes are over.
    async fn wait_seconds(&mut self, seconds: u64) -> bool {
        let until = self.app.clock.now() + Duration::from_secs(seconds);
        self.time.wait_for(|now| *now >= until).await.is_ok()
    }

    async fn open_page(&self, query: &str) -> String {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (status, page) = self.app.get(&format!("{}{query}", self.saved.link)).await;
        assert_eq!(status, 200, "{}: {page}", self.app.engine);
        page
    }

    async fn send_form(&self, url: &str, fields: &[(&str, &str)]) -> u16 {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (status, _, page) = self.app.post(url, fields).await;
        assert!(status < 500, "{}: {page}", self.app.engine);
        status
    }
}

/// Asserts that every confirmed answer is stored as last sent, and no other, and that every thanked
/// person is a complete.
async fn assert_stored(app: &TestApp, saved: &[SavedAnswers]) {
    let mut connection = app.context.database.read().await.unwrap();
    let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
    let complete: u64 = cases::by_disposition(&mut connection, id)
        .await
        .unwrap()
        .iter()
        .filter(|(d, _)| d.code() == "1.1")
        .map(|(_, n)| n)
        .sum();
    let mut stored: Vec<BTreeMap<String, String>> = Vec::new();
    for response in responses::of_application(&mut connection, id).await.unwrap() {
        let plain = |(item, value): (String, StoredValue)| match value {
            StoredValue::Plain(value) => (item, value),
            StoredValue::Sealed(_) => (item, "sealed".to_owned()),
        };
        stored.push(
            response.answers.into_iter().map(plain).filter(|(item, _)| item != "why1").collect(),
        );
    }
    let mut acknowledged: Vec<BTreeMap<String, String>> =
        saved.iter().map(|one| one.answers.clone()).filter(|answers| !answers.is_empty()).collect();
    stored.retain(|answers| !answers.is_empty());
    stored.sort();
    acknowledged.sort();
    assert_eq!(stored.len(), acknowledged.len(), "{}", app.engine);
    assert!(
        stored == acknowledged,
        "{}: what is stored differs from what people were told",
        app.engine
    );
    assert_eq!(
        complete,
        saved.iter().filter(|one| one.is_thanked).count() as u64,
        "{}",
        app.engine
    );
}
