//! Invariant I4 under a rush: completes never exceed a hard target, however many people finish at the same moment.

mod common;

use common::{PLAN, TestApp, answers, list};
use fieldworkd::deadline;
use fieldworkd::gateway::simulator::Script;
use fieldworkd::intake;
use fieldworkd::store::{applications, quotas};

/// Five hundred people send their last page at once, for fifty places.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_hundred_at_once_for_fifty_places() {
    for app in TestApp::on_each_engine(Script::faultless(1, 100), &[]).await {
        intake::apply_programme(&app.installation, &format!("{}caps = {{ brand = 500 }}\n", common::PROGRAMME)).await.unwrap();
        app.brand("A1", "a", "quota = { target = 50 }").await;
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
                app.post(&format!("{link}/begin"), common::AGREED).await;
                for page in 0..3 {
                    assert_eq!(app.post(&format!("{link}/answers"), &answers(0, page, "8")).await.0, 303);
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
                assert_eq!(app.post(&format!("{link}/answers"), &answers(0, 3, "8")).await.0, 303, "{n}");
            });
        }
        while let Some(done) = under_way.join_next().await {
            done.unwrap();
        }
        let completes = app.dispositions("A1").await.into_iter().find(|(code, _)| code == "1.1");
        assert_eq!(completes, Some(("1.1".to_owned(), 50)), "{}", app.engine);
        assert_eq!(deadline::tick(&app.installation).await.unwrap(), ["A1"], "the field closes on quota");
        let at_the_end = app.dispositions("A1").await;
        let others: u64 = at_the_end.iter().filter(|(code, _)| code == "1.2" || code == "4.8").map(|(_, cases)| cases).sum();
        assert_eq!((at_the_end.iter().find(|(code, _)| code == "1.1").unwrap().1, others), (50, 450), "{}: {at_the_end:?}", app.engine);
        let mut thanked = 0;
        for link in &links {
            let page = app.get(link).await.1;
            thanked += u32::from(page.contains("感谢您的评价"));
            assert!(page.contains("感谢您的评价") || page.contains("已经收齐"), "{page}");
        }
        assert_eq!(thanked, 50, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_full_cell_takes_its_other_cases_out_of_the_field() {
    for app in TestApp::on_each_engine(Script::faultless(1, 50), &[]).await {
        app.brand("A1", "a", "quota = { target = 10, cells = { \"大业主\" = 1 } }").await;
        let rows = "姓名,手机,业主类型\n甲,13810000000,大业主\n乙,13810000001,开发商\n丙,13810000002,小业主\n";
        app.import(&["A1"], rows.as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.dispatcher.tick().await.unwrap();
        let (first, second) = (app.link(0).await, app.link(1).await);
        assert!(app.answer_all(&first, 0, "9").await.contains("感谢您的评价"));
        assert!(app.get(&second).await.1.contains("已经收齐"), "{}: seen at once, before the case is released", app.engine);
        deadline::tick(&app.installation).await.unwrap();
        let now = app.dispositions("A1").await;
        assert!(now.contains(&("1.1".to_owned(), 1)) && now.contains(&("4.8".to_owned(), 1)), "{now:?}");
        let mut connection = app.installation.store.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let cells: Vec<(String, u32, u32)> =
            quotas::cells(&mut connection, id).await.unwrap().into_iter().map(|c| (c.segment, c.completes, c.target)).collect();
        assert_eq!(cells, [("*".to_owned(), 1, 10), ("large_owner".to_owned(), 1, 1)]);
    }
}

/// One person's last page, sent eight times at once (a dying connection, an impatient thumb): one complete, counted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_page_many_times_at_once_counts_once() {
    for app in TestApp::on_each_engine(Script::faultless(1, 100), &[]).await {
        app.in_field(10, "").await;
        let app = std::sync::Arc::new(app);
        let mut under_way = tokio::task::JoinSet::new();
        for n in 0..5 {
            let link = app.link(n).await;
            app.post(&format!("{link}/begin"), common::AGREED).await;
            for page in 0..3 {
                app.post(&format!("{link}/answers"), &answers(0, page, "8")).await;
            }
            for _ in 0..8 {
                let (app, link) = (app.clone(), link.clone());
                under_way.spawn(async move { app.post(&format!("{link}/answers"), &answers(0, 3, "8")).await.0 });
            }
        }
        while let Some(status) = under_way.join_next().await {
            assert_eq!(status.unwrap(), 303);
        }
        let mut connection = app.installation.store.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        assert_eq!(quotas::cells(&mut connection, id).await.unwrap()[0].completes, 5, "{}", app.engine);
        assert!(app.dispositions("A1").await.contains(&("1.1".to_owned(), 5)));
    }
}
