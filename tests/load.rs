//! A thousand people in their interviews at once, for ten minutes of a virtual campaign, while messages go out and the deadline is watched: no error page,
//! and what people were thanked for is what is stored, counted from outside (invariant I5). Who has finished makes room for somebody else. The usual form takes
//! two minutes of virtual time; the ten come with `FIELDWORKD_TEST_LONG=1 tests/run --test load`.


use fieldworkd::services::programmes::apply_programme;
use crate::common;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{AGREED, PLAN, TestApp, list};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::services::deadlines;
use fieldworkd::domain::questionnaire::Questionnaire;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::simulation::Script;
use fieldworkd::adapters::database::responses::StoredValue;
use fieldworkd::adapters::database::{applications, cases, responses};
use tokio::sync::watch;

const AT_ONCE: usize = 1_000;
/// A virtual second takes so long; under load it takes longer for those who wait.
const A_SECOND: Duration = Duration::from_millis(12);

/// What one person was told is saved, by item; and whether the last page said thanks.
struct Told {
    link: String,
    answers: BTreeMap<String, String>,
    is_thanked: bool,
}

struct Person {
    app: Arc<TestApp>,
    time: watch::Receiver<Timestamp>,
    rng: fastrand::Rng,
    told: Told,
    requests: Arc<AtomicU32>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_at_once_get_no_error_page_and_lose_no_answer() {
    let (people_in_all, seconds) = if std::env::var("FIELDWORKD_TEST_LONG").is_ok() { (6_000, 600) } else { (1_500, 120) };
    for app in TestApp::on_each_engine(Script::faultless(1, 50), &[]).await {
        apply_programme(&app.installation, &format!("{}caps = {{ brand = {people_in_all} }}\n", common::PROGRAMME)).await.unwrap();
        app.brand("A1", "a", "").await;
        app.import(&["A1"], list(people_in_all).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        let app = Arc::new(app);
        let (tell, time) = watch::channel(app.clock.now());
        let requests = Arc::new(AtomicU32::new(0));
        let mut links = Vec::new();
        for n in 0..people_in_all {
            links.push(app.link(n).await);
        }
        let (links, next) = (Arc::new(links), Arc::new(AtomicUsize::new(0)));
        let mut places = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let (app, time, requests, links, next) = (app.clone(), time.clone(), requests.clone(), links.clone(), next.clone());
            places.spawn(async move {
                let mut told = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    // Whoever comes when the time is over comes too late.
                    if n >= links.len() || time.has_changed().is_err() {
                        return told;
                    }
                    let nothing = Told { link: links[n].clone(), answers: BTreeMap::new(), is_thanked: false };
                    let rng = fastrand::Rng::with_seed(n as u64);
                    let person = Person { app: app.clone(), time: time.clone(), rng, told: nothing, requests: requests.clone() };
                    told.push(person.interview().await);
                }
            });
        }
        // Meanwhile the campaign goes on.
        for _ in 0..seconds {
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
            tell.send(app.clock.now()).unwrap();
            app.dispatcher.tick().await.unwrap();
            app.simulator.tick().await;
            deadlines::tick(&app.installation).await.unwrap();
            tokio::time::sleep(A_SECOND).await;
        }
        // The ten minutes are over: whoever waits goes.
        drop(tell);
        let mut told = Vec::new();
        while let Some(theirs) = places.join_next().await {
            told.extend(theirs.unwrap());
        }
        compare(&app, &told).await;
        let (answers, thanked) = (told.iter().map(|one| one.answers.len()).sum::<usize>(), told.iter().filter(|one| one.is_thanked).count());
        eprintln!("{}: {} requests, {answers} answers acknowledged and stored, {thanked} thanked", app.engine, requests.load(Ordering::Relaxed));
        assert!(thanked > AT_ONCE / 10 && answers > 4 * AT_ONCE && told.len() >= AT_ONCE, "{}: {thanked} {answers}", app.engine);
    }
}

impl Person {
    /// Until the time or the interview is over: looks, answers, hesitates, goes back, taps twice, changes the language.
    async fn interview(mut self) -> Told {
        let pause = self.rng.u64(0..60);
        if !self.waits(pause).await {
            return self.told;
        }
        self.looks("").await;
        let link = self.told.link.clone();
        assert_eq!(self.sends(&format!("{link}/begin"), AGREED).await, 303);
        let questionnaire = Questionnaire::parse(include_str!("../config/questionnaires/brand.toml")).unwrap();
        let pages: Vec<Vec<String>> = questionnaire
            .pages
            .iter()
            .map(|page| page.items.iter().filter(|item| item.is_coded() && item.show_if.is_none()).map(|i| i.id.clone()).collect())
            .collect();
        let mut page = 0;
        while page < pages.len() {
            let reading = self.rng.u64(5..50);
            if !self.waits(reading).await {
                return self.told;
            }
            let language = ["zh", "en"][self.rng.usize(..2)];
            self.looks(&format!("?lang={language}&page={page}")).await;
            let number = page.to_string();
            let points: Vec<(String, String)> = pages[page].iter().map(|id| (id.clone(), self.rng.u32(5..=10).to_string())).collect();
            let mut fields: Vec<(&str, &str)> = vec![("case", "0"), ("page", &number)];
            fields.extend(points.iter().map(|(id, point)| (id.as_str(), point.as_str())));
            for _ in 0..1 + usize::from(self.rng.u8(..12) == 0) {
                assert_eq!(self.sends(&format!("{link}/answers"), &fields).await, 303);
            }
            self.told.answers.extend(points.iter().cloned());
            // Now and then back to look at, and change, the page before.
            page = if page > 0 && page + 1 < pages.len() && self.rng.u8(..10) == 0 { page - 1 } else { page + 1 };
        }
        self.told.is_thanked = self.looks("").await.contains("感谢您的评价");
        self.told
    }

    /// Waits so many virtual seconds; false: the ten minutes are over.
    async fn waits(&mut self, seconds: u64) -> bool {
        let until = self.app.clock.now() + Duration::from_secs(seconds);
        self.time.wait_for(|now| *now >= until).await.is_ok()
    }

    async fn looks(&self, query: &str) -> String {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (status, page) = self.app.get(&format!("{}{query}", self.told.link)).await;
        assert_eq!(status, 200, "{}: {page}", self.app.engine);
        page
    }

    async fn sends(&self, url: &str, fields: &[(&str, &str)]) -> u16 {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (status, _, page) = self.app.post(url, fields).await;
        assert!(status < 500, "{}: {page}", self.app.engine);
        status
    }
}

/// Every answer that somebody was told is saved stands there, as it was sent last, and no other; who was thanked is a complete.
async fn compare(app: &TestApp, told: &[Told]) {
    let mut connection = app.installation.store.read().await.unwrap();
    let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
    let complete: u64 = cases::by_disposition(&mut connection, id).await.unwrap().iter().filter(|(d, _)| d.code() == "1.1").map(|(_, n)| n).sum();
    let mut stored: Vec<BTreeMap<String, String>> = Vec::new();
    for response in responses::of_application(&mut connection, id).await.unwrap() {
        let plain = |(item, value): (String, StoredValue)| match value {
            StoredValue::Plain(value) => (item, value),
            StoredValue::Sealed(_) => (item, "sealed".to_owned()),
        };
        stored.push(response.answers.into_iter().map(plain).filter(|(item, _)| item != "why1").collect());
    }
    let mut acknowledged: Vec<BTreeMap<String, String>> = told.iter().map(|one| one.answers.clone()).filter(|answers| !answers.is_empty()).collect();
    stored.retain(|answers| !answers.is_empty());
    stored.sort();
    acknowledged.sort();
    assert_eq!(stored.len(), acknowledged.len(), "{}", app.engine);
    assert!(stored == acknowledged, "{}: what is stored differs from what people were told", app.engine);
    assert_eq!(complete, told.iter().filter(|one| one.is_thanked).count() as u64, "{}", app.engine);
}
