//! One poisoned row never stops the rest: each loop of the daemon gets a row that cannot be worked
//! on, does everything else, and shows what is stuck.

use std::time::Duration;

use fieldworkd::adapters::database::messages::{self, NewMessage};
use fieldworkd::adapters::database::{datasets, notices, stuck_work};
use fieldworkd::domain::contact_plan::MessageSlot;
use fieldworkd::domain::ids::{InvitationId, MessageKey};
use fieldworkd::services::datasets::write_pending;
use fieldworkd::services::monitoring::overview::pending_work;
use fieldworkd::services::{alerts, deadlines, forecasting};
use fieldworkd::simulation::Scenario;

use fieldworkd::adapters::clock::Clock;

use crate::common::deployment::count;
use crate::common::{CONSENT_FORM, PLAN, TestApp, list, list_of, monday};

/// Two applicants with a campaign each.
pub(crate) async fn two_campaigns(settings: &[(&str, &str)]) -> Vec<TestApp> {
    let apps = TestApp::on_each_engine(Scenario::faultless(3, 200), settings).await;
    for app in &apps {
        for (application, applicant, campaign, people) in
            [("A1", "a", "C1", list(3)), ("B1", "b", "C2", list_of(10..13))]
        {
            app.register_brand(application, applicant, "").await;
            app.import(&[application], people.as_bytes()).await.unwrap();
            app.launch(campaign, &[application], PLAN).await.unwrap();
        }
    }
    apps
}

impl TestApp {
    /// Kind, item and attempts of the work that has failed.
    pub(crate) async fn stuck(&self) -> Vec<(String, String, u32)> {
        let mut connection = self.context.database.read().await.unwrap();
        let all = stuck_work::list(&mut connection, 1).await.unwrap();
        all.into_iter().map(|work| (work.kind, work.item, work.attempt_count)).collect()
    }

    pub(crate) async fn retry_all(&self) {
        let mut tx = self.context.database.write().await.unwrap();
        stuck_work::retry_all(&mut tx, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_plan_that_cannot_be_read_holds_up_its_campaign_alone() {
    for app in two_campaigns(&[]).await {
        app.execute_sql("UPDATE campaign SET plan = '{' WHERE code = 'C1'").await.unwrap();
        for _ in 0..5 {
            app.dispatcher.tick().await.unwrap();
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
        }
        assert_eq!(app.simulator.record().accepted.len(), 3, "{}: those of C2", app.engine);
        assert_eq!(app.stuck().await, [("dispatch".into(), "C1".into(), 1)], "not each second");
        // Its forecast fails too, and the other application's is made.
        app.clock.advance_to(app.clock.now() + Duration::from_secs(3_600));
        assert_eq!(forecasting::tick(&app.context).await.unwrap(), 1, "{}", app.engine);

        app.dispatcher.tick().await.unwrap();
        let pending = pending_work(&app.context).await.unwrap();
        let shown: Vec<&str> = pending.stuck.iter().map(|work| work.item.as_str()).collect();
        assert_eq!(shown, ["C1"], "{}: what has failed twice", app.engine);
        let (_, metrics) = app.get(&format!("{}/healthz", app.base)).await;
        assert!(!metrics.contains("C1"));

        let whole = "UPDATE campaign SET plan = (SELECT plan FROM campaign WHERE code = 'C2') WHERE \
            code = 'C1'";
        app.execute_sql(whole).await.unwrap();
        app.retry_all().await;
        app.dispatcher.tick().await.unwrap();
        assert_eq!(app.simulator.record().accepted.len(), 6, "{}", app.engine);
        forecasting::forecast_campaign(&app.context, "C1").await.unwrap();
        let stuck = app.stuck().await;
        assert!(stuck.iter().all(|(kind, ..)| kind != "dispatch"), "{stuck:?}");
    }
}

#[tokio::test]
async fn a_questionnaire_that_cannot_be_read_holds_up_its_field_alone() {
    for app in two_campaigns(&[]).await {
        app.advance_until(monday() + Duration::from_secs(600)).await;
        let link = app.link(0).await;
        app.post(&format!("{link}/consent"), CONSENT_FORM).await;
        let poison = "INSERT INTO questionnaire (code, version, sha256, source) VALUES ('bad', 1, \
            'x', '[')";
        app.execute_sql(poison).await.unwrap();
        let poison = "UPDATE application SET questionnaire_id = (SELECT id FROM questionnaire WHERE \
            code = 'bad') WHERE code = 'A1'";
        app.execute_sql(poison).await.unwrap();
        app.clock.advance_to(monday() + Duration::from_secs(200 * 86_400));
        let closed = deadlines::tick(&app.context).await.unwrap();
        assert_eq!(closed, ["B1"], "{}", app.engine);
        assert_eq!(app.stuck().await, [("close_field".into(), "A1".into(), 1)], "{}", app.engine);
        assert_eq!(deadlines::tick(&app.context).await.unwrap(), [""; 0]);

        let whole = "UPDATE application SET questionnaire_id = (SELECT questionnaire_id FROM \
            application WHERE code = 'B1') WHERE code = 'A1'";
        app.execute_sql(whole).await.unwrap();
        app.clock.advance_to(app.clock.now() + Duration::from_secs(120));
        assert_eq!(deadlines::tick(&app.context).await.unwrap(), ["A1"], "{}", app.engine);
        assert_eq!(app.stuck().await, []);
    }
}

#[tokio::test]
async fn a_version_that_cannot_be_written_holds_up_no_other() {
    // Nothing listens there: the notice is written, and sent in vain.
    let notify = [
        ("NOTIFY__EMAIL__SERVER", "smtp://127.0.0.1:1"),
        ("NOTIFY__EMAIL__FROM", "fieldworkd@example.com"),
        ("NOTIFY__EMAIL__TO", "head@example.com"),
    ];
    for app in two_campaigns(&notify).await {
        app.clock.advance_to(monday() + Duration::from_secs(200 * 86_400));
        deadlines::tick(&app.context).await.unwrap();
        let folder = app.context.config.datasets.clone();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("A1"), "in the way").unwrap();
        assert_eq!(write_pending(&app.context).await.unwrap(), 1, "{}", app.engine);
        assert_eq!(write_pending(&app.context).await.unwrap(), 0, "not tried each second");
        assert_eq!(app.stuck().await, [("write_dataset".into(), "A1 v1".into(), 1)]);
        app.clock.advance_to(app.clock.now() + Duration::from_secs(61));
        assert_eq!(write_pending(&app.context).await.unwrap(), 0);
        let pending = pending_work(&app.context).await.unwrap();
        assert_eq!(pending.stuck.len(), 1, "{}", app.engine);
        for _ in 0..2 {
            alerts::tick(&app.context).await.unwrap();
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
        }
        let mut connection = app.context.database.read().await.unwrap();
        let notices = notices::latest(&mut connection, 10).await.unwrap();
        let told = notices.iter().filter(|notice| notice.body.contains("write_dataset A1 v1"));
        assert_eq!(told.count(), 1, "{}: told once", app.engine);
        drop(connection);

        std::fs::remove_file(folder.join("A1")).unwrap();
        app.retry_all().await;
        assert_eq!(write_pending(&app.context).await.unwrap(), 1, "{}", app.engine);
        assert_eq!(app.stuck().await, []);
        let mut connection = app.context.database.read().await.unwrap();
        let all = datasets::all(&mut connection).await.unwrap();
        assert!(all.iter().all(|dataset| dataset.folder.is_some()));
    }
}

#[tokio::test]
async fn a_number_that_cannot_be_opened_holds_up_no_other_query() {
    for app in two_campaigns(&[]).await {
        let now = app.clock.now();
        let message = |invitation: i64| NewMessage {
            key: MessageKey { invitation: InvitationId(invitation), slot: MessageSlot::step(0) },
            gateway: "simulator".into(),
            reference: format!("{invitation:0>8}-x"),
            parts: 1,
            cost_micros: 0,
        };
        let mut tx = app.context.database.write().await.unwrap();
        messages::mark_submitting(&mut tx, &[message(1), message(2)], now).await.unwrap();
        tx.commit().await.unwrap();
        let first = "UPDATE respondent SET phone_sealed = person_sealed WHERE id = (SELECT \
            respondent_id FROM invitation WHERE id = 1)";
        app.execute_sql(first).await.unwrap();
        app.clock.advance_to(now + Duration::from_secs(3_600));
        app.dispatcher.tick_in_doubt().await.unwrap();
        app.clock.advance_to(now + Duration::from_secs(7_200));
        app.dispatcher.tick_in_doubt().await.unwrap();
        let states = app.states().await;
        assert_eq!(count(&states, "in_doubt"), 1, "{}: {states:?}", app.engine);
        let stuck = app.stuck().await;
        assert_eq!(stuck[0].0, "query", "{}: {stuck:?}", app.engine);
    }
}
