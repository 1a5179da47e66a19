//! Quota cells by list and by answers: what is counted, who is let go, reserved places, soft cells,
//! replicates. Completes under load (invariant I4) are in tests/invariants/i4_never_over_quota.rs.

use crate::common;
use fieldworkd::services::programmes::add_applications;
use std::time::Duration;

use crate::common::{CONSENT_FORM, PLAN, TestApp, answers, list, local, number};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::{applications, quotas};
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::{alerts, campaigns, datasets, deadlines, forecasting};
use fieldworkd::simulation::Scenario;

#[tokio::test]
async fn a_full_cell_turns_away_who_comes_to_it() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.register_brand("A1", "a", "quota = { target = 10, cells = { \"大业主\" = 1 } }").await;
        let rows = "姓名,手机,业主类型\n甲,13810000000,大业主\n乙,13810000001,开发商\n丙,13810000002,小业主\n";
        app.import(&["A1"], rows.as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.dispatcher.tick().await.unwrap();
        let (first, second) = (app.link(0).await, app.link(1).await);
        assert!(app.answer_all(&first, 0, "9").await.contains("感谢您的评价"));
        assert!(
            app.get(&second).await.1.contains("已经收齐"),
            "{}: seen at once, before the case is released",
            app.engine
        );
        deadlines::tick(&app.context).await.unwrap();
        // A link that was opened says nothing, as scanners open links too.
        let now = app.dispositions("A1").await;
        assert_eq!(now, [("1.1".to_owned(), 1), ("3.19".to_owned(), 2)], "{}", app.engine);
        app.post(&format!("{second}/begin"), CONSENT_FORM).await;
        let now = app.dispositions("A1").await;
        assert_eq!(now, ["1.1", "3.19", "4.8"].map(|code| (code.to_owned(), 1)), "{}", app.engine);
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let cells: Vec<(String, u32, u32)> = quotas::cells(&mut connection, id)
            .await
            .unwrap()
            .into_iter()
            .map(|c| (c.name, c.completes, c.target))
            .collect();
        assert_eq!(cells, [("*".to_owned(), 1, 10), ("large_owner".to_owned(), 1, 1)]);
    }
}

/// One person's last page, sent eight times at once (a dying connection, an impatient thumb): one
/// complete, counted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_page_many_times_at_once_counts_once() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 100), &[]).await {
        app.launch_with_people(10, "").await;
        let app = std::sync::Arc::new(app);
        let mut under_way = tokio::task::JoinSet::new();
        for n in 0..5 {
            let link = app.link(n).await;
            app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
            for page in 0..3 {
                app.post(&format!("{link}/answers"), &answers(0, page, "8")).await;
            }
            for _ in 0..8 {
                let (app, link) = (app.clone(), link.clone());
                under_way.spawn(async move {
                    app.post(&format!("{link}/answers"), &answers(0, 3, "8")).await.0
                });
            }
        }
        while let Some(status) = under_way.join_next().await {
            assert_eq!(status.unwrap(), 303);
        }
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        assert_eq!(
            quotas::cells(&mut connection, id).await.unwrap()[0].completes,
            5,
            "{}",
            app.engine
        );
        assert!(app.dispositions("A1").await.contains(&("1.1".to_owned(), 5)));
    }
}

const CELLS: &str = include_str!("fixtures/cells.toml");

/// Starts installations with the short questionnaire. Returns them with the questionnaire's folder.
pub(crate) async fn with_short_questionnaire(
    more: &[(&str, &str)],
) -> (Vec<TestApp>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("brand.toml"), CELLS).unwrap();
    let questionnaires = ("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap());
    let settings: Vec<(&str, &str)> =
        [questionnaires].into_iter().chain(more.iter().copied()).collect();
    (TestApp::on_each_engine(Scenario::faultless(1, 1_000), &settings).await, folder)
}

/// Returns a list with alternating regions.
pub(crate) fn list_with_regions(people: usize) -> String {
    let rows: String = (0..people)
        .map(|n| format!("受访者{n},{},{}\n", number(n), if n % 2 == 0 { "北" } else { "南" }))
        .collect();
    format!("姓名,手机,所在地区\n{rows}")
}

pub(crate) const LIST_FIELDS: &str = "list_fields = { region = [\"地区\", \"所在地区\"] }";

pub(crate) async fn send(
    app: &TestApp,
    link: &str,
    page: &str,
    field: (&str, &str),
) -> (u16, String) {
    let (status, to, _) =
        app.post(&format!("{link}/answers"), &[("case", "0"), ("page", page), field]).await;
    (status, to)
}

pub(crate) async fn cells_of(app: &TestApp) -> Vec<(String, u32, u32)> {
    let mut connection = app.context.database.read().await.unwrap();
    let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
    quotas::cells(&mut connection, id)
        .await
        .unwrap()
        .into_iter()
        .map(|c| (c.name, c.completes, c.target))
        .collect()
}

#[tokio::test]
async fn who_comes_to_a_full_cell_is_let_go_when_everything_has_been_asked_that_cells_depend_on() {
    let (apps, _folder) = with_short_questionnaire(&[]).await;
    for app in apps {
        let quota = "quota = { target = 9, cell = [{ name = \"north\", if = \"region == '北'\", \
            target = 1 }, { name = \"old\", if = \"age > 80\", target = 5 }] }";
        app.register_brand("A1", "a", &format!("{quota}\n{LIST_FIELDS}")).await;
        app.import(&["A1"], list_with_regions(10).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.advance_until(local("2026-03-02T09:40:00")).await;
        let (fills, begun, late) = (app.link(0).await, app.link(2).await, app.link(4).await);
        for link in [&fills, &begun] {
            app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        }
        for (page, field) in [("0", ("use", "daily")), ("1", ("age", "40"))] {
            send(&app, &fills, page, field).await;
        }
        assert!(
            app.get(&fills).await.1.contains("name=\"heating\""),
            "{}: the north is asked, by a field of the list",
            app.engine
        );
        send(&app, &fills, "2", ("sat1", "7")).await;
        deadlines::tick(&app.context).await.unwrap();
        assert!(
            app.get(&late).await.1.contains("已经收齐"),
            "{}: who has not begun is not asked at all",
            app.engine
        );
        // A respondent who has begun is asked as far as the cells need it, and then thanked and
        // released.
        send(&app, &begun, "0", ("use", "weekly")).await;
        assert!(app.get(&begun).await.1.contains("name=\"age\""), "{}", app.engine);
        deadlines::tick(&app.context).await.unwrap();
        send(&app, &begun, "1", ("age", "30")).await;
        assert!(app.get(&begun).await.1.contains("已经收齐"), "{}", app.engine);
        assert!(app.get(&fills).await.1.contains("感谢您的评价"));
        // One complete, one turned away by the full cell; whoever was only contacted keeps that. The
        // five of the south are reminded, nobody of the north.
        let now = app.dispositions("A1").await;
        assert_eq!(
            now,
            [("1.1".to_owned(), 1), ("2.20".to_owned(), 8), ("4.8".to_owned(), 1)],
            "{}",
            app.engine
        );
        let before = app.simulator.record().submits.len();
        app.advance_until(local("2026-03-10T12:00:00")).await;
        assert_eq!(app.simulator.record().submits.len(), before + 5, "{}", app.engine);
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let answers =
            fieldworkd::adapters::database::responses::of_application(&mut connection, id)
                .await
                .unwrap();
        assert!(
            answers.iter().all(|response| response.answers.contains_key("age")),
            "{}: for weighting",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_reserved_place_is_kept_for_a_time_and_a_soft_cell_only_stops_contacts() {
    let (apps, _folder) = with_short_questionnaire(&[]).await;
    for app in apps {
        let quota = "quota = { target = 9, cell = [{ name = \"north\", if = \"region == '北'\", \
            target = 1, kind = \"reserved\" },\n\
            { name = \"south\", if = \"region == '南'\", target = 1, kind = \"soft\" }] }";
        app.register_brand("A1", "a", &format!("{quota}\n{LIST_FIELDS}")).await;
        app.import(&["A1"], list_with_regions(6).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.dispatcher.tick().await.unwrap();
        let minutes = |n: u64| app.clock.advance_to(app.clock.now() + Duration::from_secs(n * 60));
        let rest = [("1", ("age", "40")), ("2", ("sat1", "7"))];
        let (first, second, third) = (app.link(0).await, app.link(2).await, app.link(4).await);
        let begin =
            async |link: &str| app.post(&format!("{link}/begin"), common::CONSENT_FORM).await.1;
        assert!(!begin(&first).await.contains("held"));
        assert!(begin(&second).await.ends_with("noted=held"), "{}", app.engine);
        assert!(app.get(&format!("{second}?noted=held")).await.1.contains("请稍后再来"));
        // Each page extends the reservation; it expires when the respondent stays away.
        minutes(20);
        send(&app, &first, "0", ("use", "daily")).await;
        minutes(20);
        assert!(begin(&second).await.ends_with("noted=held"), "{}", app.engine);
        minutes(11);
        assert!(!begin(&second).await.contains("held"), "{}", app.engine);
        send(&app, &second, "0", ("use", "daily")).await;
        let (_, to) = send(&app, &first, "1", ("age", "40")).await;
        assert!(to.ends_with("noted=held"), "{}: {to}", app.engine);
        for (page, field) in rest {
            send(&app, &second, page, field).await;
        }
        assert!(app.get(&second).await.1.contains("感谢您的评价"), "{}", app.engine);
        send(&app, &first, "2", ("sat1", "7")).await;
        assert!(app.get(&first).await.1.contains("已经收齐"), "{}", app.engine);
        begin(&third).await;
        assert!(app.get(&third).await.1.contains("已经收齐"), "{}", app.engine);

        // The soft cell: two come, both count; the third is not reminded.
        for n in [1, 3] {
            let link = app.link(n).await;
            begin(&link).await;
            for (page, field) in [("0", ("use", "daily"))].into_iter().chain(rest) {
                assert!(
                    !app.get(&link).await.1.contains("name=\"heating\""),
                    "{}: the south is not",
                    app.engine
                );
                send(&app, &link, page, field).await;
            }
            assert!(app.get(&link).await.1.contains("感谢您的评价"), "{}", app.engine);
        }
        let counted = |name: &str, n, target| (name.to_owned(), n, target);
        assert_eq!(
            cells_of(&app).await,
            [counted("*", 3, 9), counted("north", 1, 1), counted("south", 2, 1)]
        );
        let before = app.simulator.record().submits.len();
        app.advance_until(local("2026-03-20T12:00:00")).await;
        assert_eq!(
            app.simulator.record().submits.len(),
            before,
            "{}: nobody is contacted any more",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_launch_refuses_cells_with_unknown_variables() {
    let (mut apps, _folder) = with_short_questionnaire(&[]).await;
    let app = apps.remove(0);
    let cell = |condition: &str| {
        format!(
            "quota = {{ target = 5, cell = [{{ name = \"x\", if = \"{condition}\", target = 1 \
                }}] }}"
        )
    };
    for (code, declared, said) in [
        (
            "A1",
            format!("{}\n{LIST_FIELDS}", cell("district == 'a'")),
            "quota cell x: it looks at district",
        ),
        (
            "A2",
            cell("use == 'daily'"),
            "looks at the list field region, which the application does not keep",
        ),
        ("A3", format!("{}\n{LIST_FIELDS}", cell("now() > 3")), "calls now"),
    ] {
        app.register_brand(code, code, &declared).await;
        app.import(&[code], list_with_regions(3).as_bytes()).await.unwrap();
        let error = app.launch("C1", &[code], PLAN).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    app.register_brand("A4", "a4", LIST_FIELDS).await;
    let error = app.import(&["A4"], list(3).as_bytes()).await.unwrap_err().to_string();
    assert!(error.contains("no column is headed 地区, 所在地区"), "{error}");
    let file = |more: &str| {
        format!(
            "programme = \"p26\"\n[[application]]\ncode = \"B1\"\napplicant = {{ code = \"b\", \
                name = \"b\" }}\ncategory = \"brand\"\nsubject = {{ brand = \"b\" }}\n{more}\n"
        )
    };
    for (more, said) in [
        ("quota = { kind = \"soft\" }", "quota.kind"),
        ("list_fields = { Region = [\"x\"] }", "Region"),
        ("list_fields = { mode = [\"x\"] }", "mode"),
    ] {
        let error = add_applications(&app.context, &file(more)).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// A hundred names for a target of ten: twenty go into the field at first, drawn by the seed; the
/// rest according to the response rate.
#[tokio::test]
async fn a_large_list_goes_into_the_field_by_replicates() {
    for (answers_of_ten, most_contacted) in [(6, 40), (0, 100)] {
        for app in TestApp::on_each_engine(Scenario::faultless(1, 1_000), &[]).await {
            app.register_brand("A1", "a", "quota = { target = 10 }").await;
            app.import(&["A1"], list(100).as_bytes()).await.unwrap();
            let report = app.launch("C1", &["A1"], PLAN).await.unwrap();
            assert_eq!(report.held_back, 80, "{}", app.engine);
            assert_eq!(report.draw_seed.as_ref().map(String::len), Some(16));
            app.advance_until(local("2026-03-02T10:00:00")).await;
            assert_eq!(app.simulator.record().submits.len(), 20, "{}", app.engine);
            let mut released = vec![20];
            let mut day = chrono::NaiveDate::from_ymd_opt(2026, 3, 2).unwrap();
            for _ in 0..71 {
                // People in the field answer on the evening of the first message, or never.
                let contacted = contacted_people(&app).await;
                for n in contacted.into_iter().filter(|n| n % 10 < answers_of_ten) {
                    let link = app.link(n).await;
                    if app.get(&link).await.1.contains("/begin") {
                        app.answer_all(&link, 0, "8").await;
                    }
                }
                day = day.succ_opt().unwrap();
                app.advance_until(Timestamp::start_of_day(day, chrono_tz::Asia::Shanghai)).await;
                released.push(self::contacted_people(&app).await.len());
            }
            let (last, engine) = (*released.last().unwrap(), app.engine);
            assert!(last <= most_contacted, "{engine}: {released:?}");
            let dispositions = app.dispositions("A1").await;
            let cases: u64 = dispositions.iter().map(|(_, cases)| cases).sum();
            if answers_of_ten == 0 {
                assert_eq!(
                    last, 100,
                    "{engine}: nobody answers, so everybody is asked: {released:?}"
                );
                let grown: Vec<usize> =
                    (1..released.len()).filter(|day| released[*day] > released[*day - 1]).collect();
                assert!(grown.len() >= 2, "{engine}: not all at once: {released:?}");
            } else {
                assert!(
                    dispositions.contains(&("1.1".to_owned(), 10)),
                    "{engine}: {dispositions:?}"
                );
                assert_eq!(
                    cases, last as u64,
                    "{engine}: who was never drawn is in no outcome: {dispositions:?}"
                );
            }
        }
    }
}

/// Returns the people who were sent a message, by their index on the list.
async fn contacted_people(app: &TestApp) -> Vec<usize> {
    let hash = |n| {
        app.context
            .keys
            .hasher()
            .phone_hash(&Phone::parse(&number(n), phonenumber::country::CN).unwrap())
    };
    let hashes: Vec<String> = (0..100).map(hash).collect();
    let mut connection = app.context.database.read().await.unwrap();
    let contacts = fieldworkd::adapters::database::messages::recent_contacts(
        &mut connection,
        &hashes,
        Timestamp(0),
    )
    .await
    .unwrap();
    (0..100).filter(|n| contacts.iter().any(|(hash, _)| *hash == hashes[*n])).collect()
}

/// A minimum is watched while the field is open and told afterwards: eight large owners, of whom two
#[tokio::test]
async fn a_minimum_is_watched_forecast_alarmed_and_told() {
    // The mail stays in the list of notices: nobody listens there.
    let settings = [
        ("DATASET__SMALLEST_CELL", "1"),
        ("NOTIFY__EMAIL__SERVER", "smtp://127.0.0.1:9"),
        ("NOTIFY__EMAIL__FROM", "fieldworkd@example.com"),
        ("NOTIFY__EMAIL__TO", "head@example.com"),
    ];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 1_000), &settings).await {
        let quota = "quota = { target = 6, replicate_size = 28, minimums = { \"大业主\" = 2, \
            \"小业主\" = 3 } }";
        app.register_brand("A1", "a", quota).await;
        let row = |n: usize| {
            format!("受访者{n},{},{}\n", number(n), if n < 8 { "大业主" } else { "小业主" })
        };
        let list: String = (0..28).map(row).collect();
        let list = format!("姓名,手机,业主类型\n{list}");
        app.import(&["A1"], list.as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.advance_until(local("2026-03-03T12:00:00")).await;
        for n in 8..12 {
            app.answer_all(&app.link(n).await, 0, "8").await;
        }
        let minimums = async || {
            let status = campaigns::status(&app.context, "C1").await.unwrap();
            let cells = &status.applications[0].cells;
            cells
                .iter()
                .map(|cell| (cell.segment.clone(), cell.completed, cell.target, cell.minimum))
                .collect::<Vec<_>>()
        };
        let cell = |name: &str, completed, minimum| (name.to_owned(), completed, 6, minimum);
        let expected = |completes| {
            [cell("*", completes, 0), cell("large_owner", 0, 2), cell("small_owner", completes, 3)]
        };
        assert_eq!(minimums().await, expected(4), "{}", app.engine);
        // Late in the field, everybody has been reminded.
        app.advance_until(local("2026-04-10T12:00:00")).await;
        let forecast = forecasting::forecast_campaign(&app.context, "C1").await.unwrap().remove(0);
        let of = |name: &str| {
            let cell = forecast.cells.iter().find(|cell| cell.name == name).unwrap();
            cell.minimum_chance.unwrap()
        };
        let (large, small_chance) = (of("large_owner"), of("small_owner"));
        assert_eq!(small_chance, 1.0, "{}: it is reached", app.engine);
        assert!(large < 0.5 && forecast.chance <= large, "{}: {forecast:?}", app.engine);
        alerts::tick(&app.context).await.unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        let alarms: Vec<String> = sqlx::query_scalar("SELECT level FROM alarm")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let mails: Vec<String> = sqlx::query_scalar("SELECT body FROM notice")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        drop(connection);
        assert_eq!(alarms.len(), 1, "{}: {alarms:?}", app.engine);
        assert!(mails[0].contains("最低配额 / minimum large_owner 0 of 2"), "{mails:?}");
        assert!(!mails[0].contains("minimum small_owner"), "{}: it is reached", app.engine);
        for n in 12..14 {
            app.answer_all(&app.link(n).await, 0, "8").await;
        }
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(minimums().await, expected(6), "{}: the total is full", app.engine);
        assert_eq!(datasets::write_pending(&app.context).await.unwrap(), 1, "{}", app.engine);
        let report = app.context.config.datasets.join("A1/v1/fieldwork-report.html");
        let report = std::fs::read_to_string(report).unwrap();
        for told in ["至少 at least 2：未达到 not met", "至少 at least 3：已达到 met"] {
            assert!(report.contains(told), "{}: {told}", app.engine);
        }
    }
}
