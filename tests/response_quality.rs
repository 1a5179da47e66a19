//! Responses that did not come from the persons themselves: many from one place, the same answers,
//! and what staff decide about them.
//!
//! Public reports: awsmug/torro-forms#22, nextcloud/polls#2772 and binford2k/showoff#539 (one address
//! is many people: an intranet, a carrier, a proxy, so nobody is kept out or dropped by it),
//! fingerprintjs/fingerprintjs#1083 (different people share a browser's fingerprint),
//! decidim/decidim#7438 (other browsers at the same address), todogroup/osposurvey#108 (an address
//! that is twice in published data: ours leaves the house as a cluster's number only),
//! formbricks/formbricks#7079 (recorded only if it is agreed to).

use std::time::Duration;

use crate::common::browser::{Browser, add_account, run_in_chromium};
use crate::common::{self, CONSENT_FORM, TestApp, answers, local, number};
use fieldworkd::adapters::database::{applications, notices, quotas};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::quality::{ResponseReview, ReviewVerdict};
use fieldworkd::domain::role::{Permission, Role};
use fieldworkd::services::accounts::tokens;
use fieldworkd::services::monitoring::{health, overview};
use fieldworkd::services::response_quality::{
    self, ConspicuousResponses, ResponseQualityError, ReviewOutcome,
};
use fieldworkd::services::{alerts, datasets, deadlines, programmes};
use fieldworkd::simulation::{DishonestApplicant, Scenario};
use serde_json::{Value, json};

const SETTINGS: [(&str, &str); 4] = [
    ("WEB__PROXIES", "127.0.0.1"),
    ("NOTIFY__SMS__GATEWAY", "simulator"),
    ("NOTIFY__SMS__SIGNATURE", "质协"),
    ("NOTIFY__SMS__TO", "+8613900000000"),
];

const OFFICE: (&str, &str) = ("203.0.113.7", "Mozilla/5.0 (Windows NT 6.1) Chrome/109.0");

/// Answers everything; each page is sent from this place.
async fn answer_from(app: &TestApp, link: &str, (address, agent): (&str, &str), points: &[&str]) {
    app.post(&format!("{link}/begin"), CONSENT_FORM).await;
    for page in 0..4 {
        app.clock.advance_to(app.clock_now() + Duration::from_secs(30));
        let shown = (app.clock_now().0 - 30_000).to_string();
        let mut fields = answers(0, page, points[page % points.len()]);
        fields.push(("shown", &shown));
        let body: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = app
            .http
            .post(format!("{link}/answers"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-forwarded-for", address)
            .header("user-agent", agent);
        assert_eq!(request.body(body).send().await.unwrap().status(), 303);
    }
}

/// Launches a campaign of ten people, of whom three answer from their own phones and five from one
/// office.
async fn with_an_office(app: &TestApp) {
    app.launch_with_people(10, "quota = { target = 9 }").await;
    app.dispatcher.tick().await.unwrap();
    let points = ["7", "8", "9"];
    for n in 0..3 {
        let own = (format!("198.51.100.{n}"), format!("Mozilla/5.0 (Linux; Android 14; V2{n}A)"));
        let mut points = points;
        points.rotate_left(n);
        answer_from(app, &app.link(n).await, (&own.0, &own.1), &points).await;
    }
    for n in 3..8 {
        let points = [["9", "10"], ["10", "9"], ["8", "10"], ["9", "10"], ["9", "8"]][n - 3];
        answer_from(app, &app.link(n).await, OFFICE, &points).await;
    }
}

async fn conspicuous(app: &TestApp) -> ConspicuousResponses {
    response_quality::conspicuous(&app.context, "A1").await.unwrap()
}

fn pseudonym(app: &TestApp, n: usize) -> String {
    let hasher = app.context.keys.hasher();
    let phone = Phone::parse(&number(n), phonenumber::country::CN).unwrap();
    hasher.pseudonym("A1", &hasher.phone_hash(&phone))
}

async fn decide(
    app: &TestApp,
    who: &str,
    n: usize,
    verdict: ReviewVerdict,
    reason: &str,
) -> Result<ReviewOutcome, ResponseQualityError> {
    let (actor, case) = (Actor::console(who), pseudonym(app, n));
    response_quality::decide(&app.context, &actor, "A1", &case, verdict, reason).await
}

/// The completes counted in the total.
async fn counted(app: &TestApp) -> u32 {
    let mut connection = app.context.database.read().await.unwrap();
    let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
    quotas::cells(&mut connection, id).await.unwrap()[0].completes
}

#[tokio::test]
async fn many_from_one_device_are_seen_and_those_excluded_give_their_places_back() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &SETTINGS).await {
        with_an_office(&app).await;
        alerts::tick(&app.context).await.unwrap();
        alerts::tick(&app.context).await.unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        let told = notices::latest(&mut connection, 500).await.unwrap();
        drop(connection);
        let told = told.iter().filter(|notice| notice.kind == "cluster").count();
        assert_eq!(told, 1, "{}: once", app.engine);
        let pending = overview::pending_work(&app.context).await.unwrap();
        assert_eq!(pending.clusters, [("A1".to_owned(), 5)], "{}", app.engine);
        let metrics = health::collect_health_metrics(&app.context).await.unwrap();
        assert_eq!(metrics.to_be_reviewed, [("A1".to_owned(), 5)], "{}", app.engine);
        let found = conspicuous(&app).await;
        let cases: Vec<&str> = found.responses.iter().map(|one| one.case.as_str()).collect();
        let mut office: Vec<String> = (3..8).map(|n| pseudonym(&app, n)).collect();
        office.sort_unstable();
        assert_eq!((cases, found.cases.len()), (office.iter().map(String::as_str).collect(), 8));
        assert_eq!((found.clusters.len(), found.clusters[0].people), (1, 5), "{}", app.engine);

        // Three are excluded, over the API and on the console; two are accepted.
        let exclude = ReviewVerdict::Excluded;
        let refused = decide(&app, "qian", 3, exclude, " ").await;
        assert!(matches!(refused, Err(ResponseQualityError::Reason)), "{}", app.engine);
        let actor = Actor::command("test");
        let scopes = [Permission::Read, Permission::Operate];
        let token = tokens::create(&app.context, &actor, "t", &scopes, 30).await.unwrap();
        let url = format!("{}/api/v1/applications/A1/responses", app.base);
        let listed = app.http.get(&url).bearer_auth(token.reveal()).send().await.unwrap();
        let listed: Value = serde_json::from_str(&listed.text().await.unwrap()).unwrap();
        assert_eq!(listed["clusters"][0]["shared"], "device", "{listed}");
        let body = json!({ "verdict": "excluded", "reason": "called back" }).to_string();
        let request = app.http.put(format!("{url}/{}/review", pseudonym(&app, 3)));
        let request = request.bearer_auth(token.reveal()).body(body);
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", app.engine);
        add_account(&app, "qian", Role::Operator).await;
        let qian = Browser::signed_in(&app, "qian").await;
        for n in [4, 5] {
            let path = format!("/applications/A1/responses/{}", pseudonym(&app, n));
            let fields = [("verdict", "excluded"), ("reason", "回访确认非本人作答")];
            assert_eq!(qian.submit(&path, &fields).await.0, 303, "{}", app.engine);
        }
        for n in [6, 7] {
            decide(&app, "qian", n, ReviewVerdict::Accepted, "called back").await.unwrap();
        }
        let page = qian.get("/applications/A1/responses").await.2;
        assert!(page.contains("同一设备") && page.contains("已剔除 (qian)"), "{page}");
        assert!(!page.contains("138100000") && !page.contains(OFFICE.0), "{page}");
        assert_eq!(counted(&app).await, 5, "{}: three places are free again", app.engine);
        let now = app.dispositions("A1").await;
        let expected = [("1.1", 5), ("2.361", 3), ("3.11", 2)].map(|(c, n)| (c.to_owned(), n));
        assert_eq!(now, expected, "{}", app.engine);
        assert!(overview::pending_work(&app.context).await.unwrap().clusters.is_empty());
        // Whose answers are excluded sees nothing of it; who withdraws is counted out once only.
        let excluded = app.link(3).await;
        assert!(app.get(&excluded).await.1.contains("感谢您的评价"), "{}", app.engine);
        app.post(&format!("{excluded}/refuse"), &[]).await;
        assert_eq!(counted(&app).await, 5, "{}: it was not counted any more", app.engine);
        let gone = decide(&app, "qian", 3, ReviewVerdict::Accepted, "a mistake").await;
        assert!(matches!(gone, Err(ResponseQualityError::NoResponse { .. })), "{}", app.engine);
        // Accepted again: counted again.
        decide(&app, "qian", 4, ReviewVerdict::Accepted, "it was herself").await.unwrap();
        decide(&app, "qian", 4, ReviewVerdict::Accepted, "it was herself").await.unwrap();
        assert_eq!(counted(&app).await, 6, "{}", app.engine);

        // In the dataset: flagged, and no address.
        app.advance_until(local("2026-06-01T12:00:00")).await;
        datasets::write_pending(&app.context).await.unwrap();
        let folder = app.folder.path().join("datasets/A1/v1");
        common::validate_dataset(&folder);
        let csv = std::fs::read_to_string(folder.join("responses.csv")).unwrap();
        let row = |n: usize| csv.lines().find(|row| row.starts_with(&pseudonym(&app, n)));
        let cells = |n: usize| -> Vec<String> {
            let row: Vec<&str> = row(n).unwrap().split(',').collect();
            [1, 11, 12].map(|at| row[at].to_owned()).to_vec()
        };
        assert_eq!(cells(0), ["1.1", "", ""], "{csv}");
        assert_eq!(cells(4), ["1.1", "1", "accepted"], "{csv}");
        assert_eq!(cells(5), ["2.361", "1", "excluded"], "{csv}");
        assert_eq!((row(3), csv.contains("203.0.113")), (None, false), "{csv}");
        let report = std::fs::read_to_string(folder.join("fieldwork-report.html")).unwrap();
        assert!(report.contains("核实后剔除"), "{}", app.engine);
        // A decision after the freeze is in the next version.
        let nothing_new = deadlines::freeze_current_answers(&app.context, "A1").await;
        assert!(nothing_new.is_err(), "{}", app.engine);
        app.clock.advance_to(app.clock_now() + Duration::from_secs(60));
        decide(&app, "qian", 6, exclude, "called again").await.unwrap();
        let next = deadlines::freeze_current_answers(&app.context, "A1").await.unwrap();
        assert_eq!(next.1, 2, "{}", app.engine);
        datasets::write_pending(&app.context).await.unwrap();
        let manifest = app.folder.path().join("datasets/A1/v2/manifest.json");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        assert!(manifest.contains("\"reason\": \"reviewed\""), "{manifest}");
    }
}

#[tokio::test]
async fn a_place_that_others_have_taken_is_not_given_twice() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &SETTINGS).await {
        app.launch_with_people(4, "quota = { target = 3 }").await;
        app.dispatcher.tick().await.unwrap();
        for n in 0..2 {
            answer_from(&app, &app.link(n).await, OFFICE, &["8", "9"]).await;
        }
        decide(&app, "qian", 0, ReviewVerdict::Excluded, "called back").await.unwrap();
        for n in 2..4 {
            answer_from(&app, &app.link(n).await, OFFICE, &["8", "9"]).await;
        }
        assert_eq!(counted(&app).await, 3, "{}", app.engine);
        let again = decide(&app, "qian", 0, ReviewVerdict::Accepted, "a mistake").await;
        assert!(matches!(again, Err(ResponseQualityError::NoRoom(_))), "{}", app.engine);
        let still = conspicuous(&app).await.responses;
        let still = still.iter().find(|one| one.case == pseudonym(&app, 0)).unwrap();
        assert!(still.review.as_ref().is_some_and(ResponseReview::is_excluded), "{}", app.engine);
    }
}

#[tokio::test]
async fn where_two_people_exclude_one_alone_changes_nothing() {
    let settings = [&SETTINGS[..], &[("QUALITY__EXCLUSION_APPROVAL", "second_person")]].concat();
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &settings).await {
        with_an_office(&app).await;
        let exclude = ReviewVerdict::Excluded;
        let first = decide(&app, "qian", 3, exclude, "called back").await.unwrap();
        assert_eq!((first, counted(&app).await), (ReviewOutcome::Waiting, 8), "{}", app.engine);
        let alone = decide(&app, "qian", 3, exclude, "").await;
        assert!(matches!(alone, Err(ResponseQualityError::SecondPerson(_))), "{}", app.engine);
        let second = decide(&app, "sun", 3, exclude, "").await.unwrap();
        assert_eq!((second, counted(&app).await), (ReviewOutcome::Decided, 7), "{}", app.engine);
        // The second person disagrees.
        decide(&app, "qian", 4, exclude, "called back").await.unwrap();
        let other = decide(&app, "sun", 4, ReviewVerdict::Accepted, "").await.unwrap();
        assert_eq!((other, counted(&app).await), (ReviewOutcome::Decided, 7), "{}", app.engine);
    }
}

#[tokio::test]
async fn nothing_is_recorded_that_the_notice_does_not_say_and_it_goes_with_the_person() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &SETTINGS).await {
        with_an_office(&app).await;
        let places = async || {
            let mut connection = app.context.database.read().await.unwrap();
            let sql = "SELECT COUNT(*) FROM response WHERE device_hash IS NOT NULL OR \
                network_hash IS NOT NULL";
            sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *connection).await.unwrap()
        };
        assert_eq!(places().await, 8, "{}", app.engine);
        let order = fieldworkd::services::erasure::ErasureOrder { actor: "li", reason: "asked" };
        fieldworkd::services::erasure::person::erase(&app.context, &number(3), order)
            .await
            .unwrap();
        assert_eq!(places().await, 7, "{}", app.engine);
        let (actor, fourth) = (Actor::console("li"), number(4));
        let held =
            fieldworkd::services::erasure::person::export(&app.context, &fourth, &actor).await;
        let held = held.unwrap()["records"][0]["cases"][0]["origin"].clone();
        assert_eq!(held["device_code"].as_str().map(str::len), Some(32), "{held}");
        // A notice of the programme's own that does not say so.
        let programme = "code = \"p26\"\nname = { zh = \"评价\", en = \"Rating\" }\n\
            [privacy]\nversion = \"own-1\"\ntext = { zh = \"告知\", en = \"Notice\" }\n";
        programmes::apply_programme(&app.context, programme).await.unwrap();
        let link = app.link(8).await;
        app.post(&format!("{link}/begin"), &[("notice", "own-1")]).await;
        let fields = answers(0, 0, "9");
        assert_eq!(app.post(&format!("{link}/answers"), &fields).await.0, 303);
        assert_eq!(places().await, 7, "{}: the notice says nothing of it", app.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_look_at_clusters_in_a_browser() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &SETTINGS).await;
    with_an_office(&app).await;
    alerts::tick(&app.context).await.unwrap();
    add_account(&app, "qian", Role::Operator).await;
    run_in_chromium("tests/external/responses.js", json!({ "base": app.base })).await;
    if std::env::var("FIELDWORKD_TEST_CHROMIUM").is_ok() {
        assert_eq!(counted(&app).await, 7);
    }
}

/// How many answers of a dishonest applicant are found, and how many honest ones are flagged, over
/// many simulated applicants with and without a busy carrier's network.
#[tokio::test(flavor = "multi_thread")]
async fn a_dishonest_applicant_is_found_and_honest_people_are_not_accused() {
    let seeds = common::by_size(2, 4, 30);
    let (mut dishonest, mut too_few, mut found, mut honest, mut accused) = (0, 0, 0, 0, 0);
    for seed in 1..=seeds {
        let mut scenario = Scenario::realistic(seed, 50);
        scenario.people.has_addresses = true;
        scenario.people.dishonest = Some(DishonestApplicant { name: "A1牌".into(), share: 0.6 });
        let app = TestApp::on_sqlite(scenario, &SETTINGS).await;
        app.launch_with_people(100, "quota = { target = 100 }").await;
        app.advance_until(local("2026-04-10T12:00:00")).await;
        let answered_for = app.simulator.record().answered_for;
        let is_answered_for: Vec<String> = (0..100)
            .filter(|n| {
                answered_for.contains(&format!("+86{}", number(*n).trim_start_matches("+86")))
            })
            .map(|n| pseudonym(&app, n))
            .collect();
        let found_here = conspicuous(&app).await;
        let clustered: Vec<&String> = found_here
            .responses
            .iter()
            .filter(|one| one.cluster.is_some())
            .map(|one| &one.case)
            .collect();
        let here = found_here.cases.iter().filter(|case| is_answered_for.contains(case)).count();
        // Three answers from one computer are a family's, too.
        too_few += if here < 4 { here } else { 0 };
        for case in &found_here.cases {
            let is_found = clustered.contains(&case);
            if is_answered_for.contains(case) {
                (dishonest, found) = (dishonest + 1, found + usize::from(is_found));
            } else {
                (honest, accused) = (honest + 1, accused + usize::from(is_found));
            }
        }
    }
    println!(
        "{found} of {dishonest} found ({too_few} were too few), {accused} of {honest} honest ones \
            in a cluster"
    );
    assert!(dishonest > 5 * seeds as usize, "{dishonest}");
    assert!(found * 100 >= (dishonest - too_few) * 98, "{found} of {dishonest} found");
    assert!(accused * 100 <= honest * 2, "{accused} of {honest} honest ones");
}
