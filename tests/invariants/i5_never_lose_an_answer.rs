//! I5, never lose an answer that somebody was thanked for.
//! Held by a thousand people at once in their interviews, a daemon that is killed while people
//! answer, and replies by SMS that come late, twice or in another order.
//! To see them fail, thank before the answer is on disk: leave out `tx.commit().await?;` in
//! `InterviewService::save_page` of `src/services/interviews/save_page.rs`, and
//! `a_thousand_at_once_get_no_error_page_and_lose_no_answer` finds nothing stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common;
use crate::common::deployment::{Deployment, wait_until};
use crate::common::{CONSENT_FORM, PLAN, TestApp, by_size, list, list_of, local, number};
use crate::sms_conversations::{ITEMS, plan, reply_to};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::responses::StoredValue;
use fieldworkd::adapters::database::{Database, applications, cases, responses};
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::questionnaire::{Item, ItemKind, Questionnaire};
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::deadlines;
use fieldworkd::services::programmes::apply_programme;
use fieldworkd::simulation::{PeopleScenario, Scenario};
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

/// A thousand people in their interviews at once, for ten minutes of a virtual campaign, while
/// messages are sent and the deadline is watched: no error page, and the stored answers are those
/// that people were thanked for, counted from outside. A person who finishes is replaced by
/// another.
///
/// The short form takes two minutes of virtual time; the ten minutes run with
/// `FIELDWORKD_TEST_LONG=1 tests/run i5_never_lose_an_answer`.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_at_once_get_no_error_page_and_lose_no_answer() {
    let (people_in_all, seconds) = by_size((1_500, 120), (1_500, 120), (6_000, 600));
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
        while let Some(saved_by_worker) = workers.join_next().await {
            saved.extend(saved_by_worker.unwrap());
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
            Questionnaire::parse(include_str!("../../config/questionnaires/brand.toml")).unwrap();
        // Of options the last one is chosen: nobody has complained.
        let possible = |item: &Item| match &item.kind {
            ItemKind::Choice(choice) => vec![choice.options.last().unwrap().code.clone()],
            _ => (5..=10).map(|point| point.to_string()).collect(),
        };
        let pages: Vec<Vec<(String, Vec<String>)>> = questionnaire
            .pages
            .iter()
            .map(|page| {
                page.items
                    .iter()
                    .filter(|item| item.is_coded() && item.show_if.is_none())
                    .map(|item| (item.id.clone(), possible(item)))
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
                .map(|(id, values)| (id.clone(), values[self.rng.usize(..values.len())].clone()))
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

/// People answer while the daemon is killed: a person who was thanked is complete in the database.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_were_thanked_for_survives_a_kill() {
    for deployment in Deployment::on_each_engine(30, &Scenario::faultless(1, 100), 100).await {
        let mut daemon = Some(deployment.start_daemon(&[]).await);
        wait_until("the invitations are out", async || {
            deployment.simulator.record().accepted.len() == 30
        })
        .await;
        let http = fieldworkd::adapters::http_client::new(Duration::from_secs(5)).unwrap();
        let links = links(&deployment).await;
        let mut thanked = 0;
        for (n, link) in links.iter().enumerate() {
            let post = async |path: &str, body: String| {
                http.post(format!("{link}/{path}"))
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(body)
                    .send()
                    .await
                    .is_ok()
            };
            post("begin", "notice=standard-3".to_owned()).await;
            for page in 0..4 {
                let body = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(common::answers(0, page, "7"))
                    .finish();
                if n == 15 && page == 3 {
                    // The last page of this one is in flight when the daemon dies.
                    let daemon = daemon.take().unwrap();
                    let (_, ()) =
                        tokio::join!(post("answers", body), async { daemon.signal("KILL") });
                    daemon.wait_for_exit();
                    break;
                }
                post("answers", body).await;
            }
            if daemon.is_none() {
                break;
            }
            let page = http.get(link).send().await.unwrap().text().await.unwrap();
            thanked += i64::from(page.contains("感谢您的评价"));
        }
        assert_eq!(thanked, 15);
        let database = Database::open(&deployment.url).await.unwrap();
        let mut connection = database.read().await.unwrap();
        let complete: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM survey_case WHERE disposition = '1.1'")
                .fetch_one(&mut *connection)
                .await
                .unwrap();
        let counted: i64 = sqlx::query_scalar("SELECT completes FROM quota_cell WHERE number = 0")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert!(
            complete == thanked || complete == thanked + 1,
            "{}: {complete} complete, {thanked} thanked",
            deployment.url
        );
        assert_eq!(complete, counted, "{}", deployment.url);
        drop(connection);
        database.close().await;
    }
}

async fn links(deployment: &Deployment) -> Vec<String> {
    let keys =
        fieldworkd::adapters::crypto::KeyRing::open(&deployment.path().join("var/keyring"), None)
            .unwrap();
    let database = Database::open(&deployment.url).await.unwrap();
    let mut connection = database.read().await.unwrap();
    let key = fieldworkd::adapters::database::applications::find(&mut connection, "A1")
        .await
        .unwrap()
        .unwrap()
        .key_id;
    let link = |n| {
        let phone =
            fieldworkd::domain::phone::Phone::parse(&number(n), phonenumber::country::CN).unwrap();
        format!(
            "http://127.0.0.1:{}/i/{}",
            deployment.port,
            keys.hasher().link_code("C1", &key, &keys.hasher().phone_hash(&phone))
        )
    };
    (0..30).map(link).collect()
}

#[tokio::test]
async fn replies_that_come_late_twice_or_in_another_order_are_the_answers_that_were_meant() {
    const PEOPLE: usize = 60;
    let mut scenario = Scenario::faultless(9, 1_000);
    scenario.people =
        PeopleScenario { answers_by_sms: 1.0, misunderstands: 0.08, ..PeopleScenario::silent() };
    (scenario.duplicate_replies, scenario.delayed_replies, scenario.reordered_replies) =
        (0.25, 0.1, 0.15);
    (scenario.response_lost, scenario.duplicate_receipts) = (0.02, 0.1);
    for app in
        TestApp::on_each_engine(scenario, &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "1000")]).await
    {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..PEOPLE).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        app.advance_until(local("2026-03-12T09:00:00")).await;
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let all = responses::of_application(&mut connection, id).await.unwrap();
        let complete = all.iter().filter(|response| response.completed_at.is_some()).count();
        assert!(
            complete * 10 >= PEOPLE * 8,
            "{}: {complete} of {PEOPLE} were asked to the end",
            app.engine
        );
        assert!(all.iter().all(|response| response.mode == Mode::Sms.as_str()));
        // The last answer of each respondent is stored, also of those who stopped half-way.
        let said: Vec<_> = (0..PEOPLE)
            .map(|n| app.simulator.sms_answers_of(&format!("+86{}", number(n))))
            .collect();
        let mut unmatched: Vec<_> = said.iter().filter(|said| !said.is_empty()).collect();
        for response in &all {
            let stored: Vec<Option<String>> = ITEMS
                .iter()
                .map(|item| match response.answers.get(*item) {
                    Some(StoredValue::Plain(value)) => Some(value.clone()),
                    Some(StoredValue::Sealed(_)) => Some("sealed".into()),
                    None => None,
                })
                .collect();
            let is_theirs = |said: &std::collections::BTreeMap<String, String>| {
                stored.iter().zip(ITEMS).zip(1..).all(|((stored, item), place)| {
                    match said.get(&format!("{place}/17")).map(String::as_str) {
                        Some("无") | None => stored.is_none(),
                        Some(said) => stored.as_deref() == reply_to(item, said).1,
                    }
                })
            };
            let at = unmatched
                .iter()
                .position(|said| is_theirs(said))
                .unwrap_or_else(|| panic!("{}: nobody said {stored:?}", app.engine));
            unmatched.remove(at);
        }
        assert!(
            unmatched.is_empty(),
            "{}: {} interviews left no answers",
            app.engine,
            unmatched.len()
        );
        let record = app.simulator.record();
        assert!(
            record.submits.len() > PEOPLE * 16,
            "{}: {} messages",
            app.engine,
            record.submits.len()
        );
        let zone = chrono_tz::Asia::Shanghai.into();
        let plan =
            fieldworkd::domain::contact_plan::PlanFile::parse(&plan()).unwrap().check().unwrap();
        assert!(
            record.submits.iter().all(|(at, _)| plan.hours.is_open(*at, &zone)),
            "{}: outside hours",
            app.engine
        );
        assert_eq!(
            record.accepted.values().filter(|times| **times > 1).count(),
            0,
            "{}: twice",
            app.engine
        );
    }
}
