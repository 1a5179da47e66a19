//! The dispatcher, on both engines, against the simulator over HTTP: several daemons share the
//! work, replies opt out, accounts fail, campaigns pause, pushes are checked.

use std::time::Duration;

use crate::common::deployment::count;
use crate::common::{PLAN, TestApp, list, monday};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::invitations;
use fieldworkd::adapters::database::messages::{self, NewMessage, Settlement};
use fieldworkd::adapters::sms;
use fieldworkd::domain::contact_plan::MessageSlot;
use fieldworkd::domain::ids::{InvitationId, MessageKey};
use fieldworkd::services::sms_inbound::process_receipts;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::services::sms_sending::receipts::apply_late_receipts;
use fieldworkd::simulation::{PeopleScenario, Scenario};

#[tokio::test]
async fn two_daemons_on_one_database_share_the_work_and_the_caps() {
    for app in TestApp::on_each_engine(
        Scenario::faultless(3, 200),
        &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "200")],
    )
    .await
    {
        // The same hundred people on the lists of two applicants, due in the same second.
        for (application, applicant, campaign) in [("A1", "a", "C1"), ("B1", "b", "C2")] {
            app.register_brand(application, applicant, "").await;
            app.import(&[application], list(100).as_bytes()).await.unwrap();
            app.launch(campaign, &[application], PLAN).await.unwrap();
        }
        let other = Dispatcher::new(app.context.clone());
        for _ in 0..10 {
            let (one, two) = tokio::join!(app.dispatcher.tick(), other.tick());
            one.unwrap();
            two.unwrap();
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1));
        }
        let record = app.simulator.record();
        assert_eq!(
            (record.duplicates(), record.accepted.len()),
            (0, 100),
            "{}: each person once a day",
            app.engine
        );
        app.advance_until(monday() + Duration::from_secs(2 * 86_400)).await;
        assert_eq!(
            app.simulator.record().accepted.len(),
            200,
            "{}: and the other applicant's a day later",
            app.engine
        );
    }
}

/// The caps of one daemon must see the claims of another, so daemons claim one after another.
#[tokio::test]
async fn daemons_claim_one_after_another() {
    for app in TestApp::on_each_engine(Scenario::faultless(3, 50), &[]).await {
        app.launch_with_people(3, "").await;
        let other_daemon = app.context.database.claim_lock().await.unwrap();
        assert!(
            tokio::time::timeout(Duration::from_millis(300), app.dispatcher.tick()).await.is_err(),
            "{}",
            app.engine
        );
        assert!(app.simulator.record().submits.is_empty());
        drop(other_daemon);
        app.dispatcher.tick().await.unwrap();
        assert_eq!(app.simulator.record().accepted.len(), 3, "{}", app.engine);
    }
}

#[tokio::test]
async fn replies_opt_out_at_once_and_are_taken_once() {
    let people = PeopleScenario { replies_opt_out: 1.0, ..PeopleScenario::silent() };
    for app in TestApp::on_each_engine(Scenario { people, ..Scenario::faultless(5, 50) }, &[]).await
    {
        app.launch_with_people(5, "").await;
        app.advance_until(monday() + Duration::from_secs(20 * 86_400)).await;
        assert_eq!(app.simulator.record().accepted.len(), 5, "{}: nobody is reminded", app.engine);
        assert_eq!(app.dispositions("A1").await, [("2.112".to_owned(), 5)]);
        let replies = fieldworkd::adapters::database::replies::count_by_meaning(
            &mut app.context.database.read().await.unwrap(),
        )
        .await
        .unwrap();
        assert_eq!(replies, [("opt_out".to_owned(), 5)], "{}", app.engine);
        // The same person on a later list of the programme is not contacted either.
        app.register_brand("B1", "b", "").await;
        let outcome = app.import(&["B1"], list(5).as_bytes()).await.unwrap();
        assert_eq!(outcome.suppressed, 5);
        app.launch("C2", &["B1"], PLAN).await.unwrap();
        app.advance_until(monday() + Duration::from_secs(40 * 86_400)).await;
        assert_eq!(app.simulator.record().accepted.len(), 5, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_wrong_account_pauses_the_gateway_and_fails_nobody() {
    let scenario = Scenario { secret: "right".into(), ..Scenario::faultless(5, 50) };
    let app = TestApp::on_sqlite(scenario, &[("GATEWAY__SIMULATOR__SECRET", "wrong")]).await;
    app.launch_with_people(3, "").await;
    app.advance_until(monday() + Duration::from_secs(3600)).await;
    let states = app.states().await;
    assert_eq!((count(&states, "deferred"), states.len()), (3, 1), "{states:?}");
    assert!(app.simulator.record().submits.is_empty(), "a refused account is no message");
    assert_eq!(app.dispositions("A1").await, [("3.11".to_owned(), 3)]);
    let (status, ready) = app.get(&format!("{}/readyz", app.base)).await;
    assert!(status == 200 && ready.contains("simulator"), "{ready}");
}

#[tokio::test]
async fn a_pause_holds_everything_and_resuming_goes_on() {
    use fieldworkd::adapters::database::campaigns::CampaignState;
    for app in TestApp::on_each_engine(Scenario::faultless(5, 50), &[]).await {
        app.launch_with_people(3, "").await;
        fieldworkd::services::campaigns::change_state(&app.context, "C1", CampaignState::Paused)
            .await
            .unwrap();
        assert!(
            fieldworkd::services::campaigns::change_state(
                &app.context,
                "C1",
                CampaignState::Paused
            )
            .await
            .unwrap_err()
            .to_string()
            .contains("cannot be paused")
        );
        app.advance_until(monday() + Duration::from_secs(3600)).await;
        assert!(app.simulator.record().submits.is_empty());
        fieldworkd::services::campaigns::change_state(&app.context, "C1", CampaignState::Running)
            .await
            .unwrap();
        app.advance_until(monday() + Duration::from_secs(7200)).await;
        assert_eq!(app.simulator.record().accepted.len(), 3, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_push_with_a_wrong_secret_or_shape_changes_nothing() {
    let app = TestApp::on_sqlite(Scenario::faultless(5, 50), &[]).await;
    let secret = app.context.keys.hasher().webhook_secret("simulator");
    let post = async |path: String, body: &'static str| {
        app.http
            .post(format!("{}{path}", app.base))
            .body(body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(post("/hooks/simulator/wrong/receipts".into(), "{}").await, 404);
    assert_eq!(post(format!("/hooks/other/{secret}/receipts"), "{}").await, 404);
    assert_eq!(post(format!("/hooks/simulator/{secret}/receipts"), "no json").await, 400);
    assert_eq!(
        post(format!("/hooks/simulator/{secret}/receipts"), r#"{"id":"x","state":"delivered"}"#)
            .await,
        200
    );
    assert_eq!(
        post(format!("/hooks/simulator/{secret}/replies"), r#"{"from":"not a number","text":"R"}"#)
            .await,
        200
    );
    let huge: &'static str = Box::leak("x".repeat(2_000_000).into_boxed_str());
    assert_eq!(post(format!("/hooks/simulator/{secret}/receipts"), huge).await, 413);
}

/// On PostgreSQL a receipt and the answer to its submit may be written at the same time, each
/// without seeing the other: neither changes the message, and both are on disk.
#[tokio::test]
async fn a_receipt_that_crossed_its_answer_is_applied_later() {
    for app in TestApp::on_each_engine(Scenario::faultless(3, 50), &[]).await {
        app.launch_with_people(1, "").await;
        let key = MessageKey { invitation: InvitationId(1), slot: MessageSlot::step(0) };
        let message = NewMessage {
            key,
            gateway: "simulator".into(),
            reference: "m1-1".into(),
            parts: 1,
            cost_micros: 0,
        };
        let now = app.clock.now();
        let mut tx = app.context.database.write().await.unwrap();
        messages::mark_submitting(&mut tx, &[message], now).await.unwrap();
        tx.commit().await.unwrap();

        let dead = sms::Receipt {
            id: Some("late".into()),
            dead_number: true,
            code: Some("001".into()),
            reference: None,
            to: None,
            delivered: false,
        };
        process_receipts(&app.context, "simulator", vec![dead]).await.unwrap();
        let mut tx = app.context.database.write().await.unwrap();
        let answer = Settlement {
            key,
            state: "accepted",
            gateway_message_id: Some("late".into()),
            code: None,
            submitted_at: now,
            part_ids: Vec::new(),
        };
        messages::settle(&mut tx, &[answer], now).await.unwrap();
        tx.commit().await.unwrap();

        let states = async || {
            let mut connection = app.context.database.read().await.unwrap();
            messages::count_by_state(&mut connection).await.unwrap()
        };
        assert_eq!(apply_late_receipts(&app.context).await.unwrap(), 0, "it may still be written");
        assert_eq!(states().await, [("accepted".to_owned(), 1)], "{}", app.engine);
        app.clock.advance_to(now + Duration::from_secs(5));
        assert_eq!(apply_late_receipts(&app.context).await.unwrap(), 1, "{}", app.engine);
        assert_eq!(states().await, [("undelivered".to_owned(), 1)], "{}", app.engine);
        let mut connection = app.context.database.read().await.unwrap();
        let due = invitations::next_due_after(&mut connection, now).await.unwrap();
        assert_eq!(due, None, "{}: the number does not work, as the receipt said", app.engine);
        assert_eq!(apply_late_receipts(&app.context).await.unwrap(), 0);
    }
}

/// Where an HTTP gateway's rate counts parts, a message of three takes three slots.
#[tokio::test]
async fn a_rate_may_count_parts_where_messages_go_out_whole() {
    let settings = [
        ("GATEWAY__SIMULATOR__RATE_PER_SECOND", "6"),
        ("GATEWAY__SIMULATOR__RATE_COUNTS", "parts"),
    ];
    for app in TestApp::on_each_engine(Scenario::faultless(3, 50), &settings).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list(12).as_bytes()).await.unwrap();
        let long = format!("请评价{}{{subject}}", "您".repeat(100));
        let plan = PLAN.replacen("请评价{subject}", &long, 1);
        app.launch("C1", &["A1"], &plan).await.unwrap();
        app.advance_until(monday() + Duration::from_secs(60)).await;
        let record = app.simulator.record();
        let mut at: Vec<i64> = record.submits.iter().map(|(at, _)| at.0).collect();
        at.sort_unstable();
        assert_eq!(at.len(), 12, "{}", app.engine);
        let gaps: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= 500), "{}: {gaps:?}", app.engine);
    }
}
