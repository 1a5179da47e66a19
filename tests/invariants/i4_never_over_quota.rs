//! I4, never over quota: completes never exceed a hard target, however many people finish at the
//! same moment.
//! Held by 500 last pages at once for fifty places, and by 5,000 people in seven cells; the rules
//! of cells, reserved places and replicates are in `tests/quotas.rs`.
//! To see both fail, count nothing: in `add_complete` of `src/adapters/database/quotas.rs`, replace
//! `SET completes = completes + 1` by `SET completes = completes`, and
//! `five_hundred_at_once_for_fifty_places` ends with 500 completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common;
use crate::common::{PLAN, TestApp, answers, list};
use crate::quotas::{LIST_FIELDS, cells_of, list_with_regions, send, with_short_questionnaire};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::services::deadlines;
use fieldworkd::services::programmes::apply_programme;
use fieldworkd::simulation::Scenario;

/// Five hundred people send their last page at once, for a target of fifty.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_hundred_at_once_for_fifty_places() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 100), &[]).await {
        apply_programme(&app.context, &format!("{}caps = {{ brand = 500 }}\n", common::PROGRAMME))
            .await
            .unwrap();
        app.register_brand("A1", "a", "quota = { target = 50, replicate_size = 500 }").await;
        app.import(&["A1"], list(500).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        let mut links = Vec::new();
        for n in 0..500 {
            links.push(app.link(n).await);
        }
        let app = std::sync::Arc::new(app);
        let mut under_way = tokio::task::JoinSet::new();
        for link in links.clone() {
            let app = app.clone();
            under_way.spawn(async move {
                app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
                for page in 0..3 {
                    assert_eq!(
                        app.post(&format!("{link}/answers"), &answers(0, page, "8")).await.0,
                        303
                    );
                }
            });
        }
        while let Some(done) = under_way.join_next().await {
            done.unwrap();
        }
        // All of them are on their last page now; they send it together, some of them twice.
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(550));
        for (n, link) in links.iter().chain(&links[..50]).enumerate() {
            let (app, link, start) = (app.clone(), link.clone(), start.clone());
            under_way.spawn(async move {
                start.wait().await;
                assert_eq!(
                    app.post(&format!("{link}/answers"), &answers(0, 3, "8")).await.0,
                    303,
                    "{n}"
                );
            });
        }
        while let Some(done) = under_way.join_next().await {
            done.unwrap();
        }
        let completes = app.dispositions("A1").await.into_iter().find(|(code, _)| code == "1.1");
        assert_eq!(completes, Some(("1.1".to_owned(), 50)), "{}", app.engine);
        assert_eq!(
            deadlines::tick(&app.context).await.unwrap(),
            ["A1"],
            "the field closes on quota"
        );
        let at_the_end = app.dispositions("A1").await;
        let others: u64 = at_the_end
            .iter()
            .filter(|(code, _)| code == "1.2" || code == "4.8")
            .map(|(_, cases)| cases)
            .sum();
        assert_eq!(
            (at_the_end.iter().find(|(code, _)| code == "1.1").unwrap().1, others),
            (50, 450),
            "{}: {at_the_end:?}",
            app.engine
        );
        let mut thanked = 0;
        for link in &links {
            let page = app.get(link).await.1;
            thanked += u32::from(page.contains("感谢您的评价"));
            assert!(page.contains("感谢您的评价") || page.contains("已经收齐"), "{page}");
        }
        assert_eq!(thanked, 50, "{}", app.engine);
    }
}

/// Five thousand people, 64 at a time, in cells by a list field and answers, interlocked, one soft
/// and one reserved: every thanked person is counted once, and no hard cell exceeds its target. The
/// people's actions are counted from outside.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_thousand_people_leave_no_hard_cell_with_an_excess() {
    const PEOPLE: usize = 5_000;
    let quota = "quota = { target = 500, replicate_size = 5000, cell = [\n\
        { name = \"north daily\", if = \"region == '北' && use == 'daily'\", target = 40 },\n\
        { name = \"south daily\", if = \"region == '南' && use == 'daily'\", target = 30 },\n\
        { name = \"weekly young\", if = \"use == 'weekly' && age < 35\", target = 25, kind = \
        \"reserved\" },\n\
        { name = \"weekly old\", if = \"use == 'weekly' && age >= 35\", target = 60 },\n\
        { name = \"rarely\", if = \"use == 'rarely'\", target = 45, kind = \"soft\" },\n\
        { name = \"south\", if = \"region == '南'\", target = 140 },\n] }";
    let (apps, _folder) = with_short_questionnaire(&[]).await;
    for app in apps {
        apply_programme(
            &app.context,
            &format!("{}caps = {{ brand = {PEOPLE} }}\n", common::PROGRAMME),
        )
        .await
        .unwrap();
        app.register_brand("A1", "a", &format!("{quota}\n{LIST_FIELDS}")).await;
        app.import(&["A1"], list_with_regions(PEOPLE).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        let mut links = Vec::new();
        for n in 0..PEOPLE {
            links.push(app.link(n).await);
        }
        let (app, links, next) = (Arc::new(app), Arc::new(links), Arc::new(AtomicUsize::new(0)));
        let mut under_way = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (app, links, next) = (app.clone(), links.clone(), next.clone());
            under_way.spawn(async move {
                let mut thanked = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    let Some(link) = links.get(n) else { return thanked };
                    // Time advances, so that the reservations of those who stop half-way expire.
                    if n % 50 == 0 {
                        app.clock.advance_to(app.clock.now() + Duration::from_secs(180));
                    }
                    let mut rng = fastrand::Rng::with_seed(n as u64);
                    let (usage, age) = (
                        ["daily", "weekly", "rarely"][rng.usize(..3)],
                        rng.u32(18..60).to_string(),
                    );
                    app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
                    for (page, field) in
                        [("0", ("use", usage)), ("1", ("age", age.as_str())), ("2", ("sat1", "7"))]
                    {
                        // Some stop half-way, some tap twice.
                        if page == "2" && rng.u8(..10) == 0 {
                            break;
                        }
                        for _ in 0..1 + usize::from(rng.u8(..20) == 0) {
                            assert_eq!(send(&app, link, page, field).await.0, 303);
                        }
                    }
                    if app.get(link).await.1.contains("感谢您的评价") {
                        thanked.push((n, usage, age.parse::<u32>().unwrap()));
                    }
                }
            });
        }
        let mut thanked = Vec::new();
        while let Some(thanked_by_worker) = under_way.join_next().await {
            thanked.extend(thanked_by_worker.unwrap());
        }
        let count = |is_in: &dyn Fn(usize, &str, u32) -> bool| {
            thanked.iter().filter(|(n, usage, age)| is_in(*n, usage, *age)).count() as u32
        };
        let outside = [
            ("*", count(&|_, _, _| true), 500),
            ("north daily", count(&|n, usage, _| n % 2 == 0 && usage == "daily"), 40),
            ("south daily", count(&|n, usage, _| n % 2 == 1 && usage == "daily"), 30),
            ("weekly young", count(&|_, usage, age| usage == "weekly" && age < 35), 25),
            ("weekly old", count(&|_, usage, age| usage == "weekly" && age >= 35), 60),
            ("rarely", count(&|_, usage, _| usage == "rarely"), 45),
            ("south", count(&|n, _, _| n % 2 == 1), 140),
        ];
        let inside = cells_of(&app).await;
        assert_eq!(
            inside,
            outside.map(|(name, n, target)| (name.to_owned(), n, target)),
            "{}",
            app.engine
        );
        let excess: u32 = outside
            .iter()
            .filter(|(name, ..)| *name != "rarely")
            .map(|(_, n, target)| n.saturating_sub(*target))
            .sum();
        assert_eq!(excess, 0, "{}", app.engine);
        // Enough people came for every cell but the total: each hard cell is filled exactly, the
        // soft one is exceeded.
        assert!(
            outside[1..4].iter().all(|(_, n, target)| n == target) && outside[5].1 > 45,
            "{}: {outside:?}",
            app.engine
        );
        let at_the_end = app.dispositions("A1").await;
        let of = |code: &str| {
            at_the_end.iter().find(|(known, _)| known == code).map_or(0, |(_, cases)| *cases)
        };
        assert_eq!(of("1.1"), thanked.len() as u64, "{}: {at_the_end:?}", app.engine);
        assert!(of("4.8") > 300, "{}: {at_the_end:?}", app.engine);
        // Nobody who was thanked sees later that there was no room.
        for (n, ..) in &thanked {
            assert!(app.get(&links[*n]).await.1.contains("感谢您的评价"), "{}", app.engine);
        }
    }
}
