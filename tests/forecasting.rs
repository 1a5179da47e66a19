//! The forecast through an installation: it detects danger, suggests interventions, and appears in
//! the listings. The forecast against the outcome of five hundred simulated campaigns is in
//! tests/invariants/i6_never_late_unseen.rs.

use std::time::Duration;

use crate::common::interviewers::{
    add_interviewer, ask_all_pages, mixed_plan, next_call, record_outcome,
};
use crate::common::{PLAN, TestApp, list_of, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::services::campaigns;
use fieldworkd::services::deadlines;
use fieldworkd::services::forecasting::{self, Measure};
use fieldworkd::services::interviews::InterviewService;
use fieldworkd::simulation::Scenario;

fn people(completes: [f64; 3]) -> Scenario {
    let mut scenario = Scenario::faultless(5, 500);
    scenario.people.completes = completes;
    scenario
}

/// Launches two applications on 2 March, due on 13 May.
async fn two_applications(app: &TestApp) {
    for (code, people) in [("A1", 0..40), ("B1", 40..80)] {
        app.register_brand(code, code, "[application.quota]\ntarget = 20").await;
        app.import(&[code], list_of(people).as_bytes()).await.unwrap();
    }
    app.launch("C1", &["A1"], PLAN).await.unwrap();
    app.launch("C2", &["B1"], PLAN).await.unwrap();
}

#[tokio::test]
async fn danger_is_forecast_in_time_with_interventions() {
    for app in TestApp::on_each_engine(people([0.2, 0.05, 0.0]), &[("FORECAST__EVERY", "6h")]).await
    {
        two_applications(&app).await;
        let first = forecasting::forecast_campaign(&app.context, "C1").await.unwrap().remove(0);
        assert_eq!(
            (first.target, first.completed, first.due.to_string().as_str()),
            (20, 0, "2026-05-13"),
            "{}",
            app.engine
        );
        assert!(
            (0.2..0.8).contains(&first.chance),
            "half of forty are expected, and little is known: {}",
            first.chance
        );
        assert_eq!(first.days.len(), 73);
        assert!(
            first.days.windows(2).all(|pair| pair[0].completes.median <= pair[1].completes.median),
            "{:?}",
            first.days
        );
        // Everybody has received the invitation and the first reminder, and few have answered.
        app.advance_until(local("2026-03-12T12:00:00")).await;
        assert!(forecasting::next_due(&app.context).await.unwrap().unwrap() <= app.clock.now());
        assert_eq!(forecasting::tick(&app.context).await.unwrap(), 2);
        assert_eq!(
            forecasting::tick(&app.context).await.unwrap(),
            0,
            "{}: the next is due in six hours",
            app.engine
        );
        assert_eq!(
            forecasting::next_due(&app.context).await.unwrap(),
            Some(app.clock.now() + Duration::from_secs(6 * 3_600))
        );
        let now = forecasting::forecast_campaign(&app.context, "C1").await.unwrap().remove(0);
        assert!(now.chance < 0.2 && now.completes.high < 20, "{}: {now:?}", app.engine);
        assert!(now.completes.low >= now.completed && now.completed > 2, "{now:?}");
        let measures: Vec<Measure> =
            now.interventions.iter().map(|intervention| intervention.measure).collect();
        for measure in
            [Measure::ReleaseReplicate, Measure::AddReminder, Measure::NextStepNow, Measure::Extend]
        {
            let could = measure != Measure::ReleaseReplicate
                || now.completed > 0 && has_held_back(&app).await;
            assert_eq!(measures.contains(&measure), could, "{measure:?}: {measures:?}");
        }
        assert!(now.interventions.windows(2).all(|pair| pair[0].chance >= pair[1].chance));
        // Listings show the chance.
        let status = campaigns::status(&app.context, "C1").await.unwrap();
        assert_eq!(status.applications[0].chance, Some(now.chance));
        let overview = deadlines::programme_overview(&app.context, "p26").await.unwrap().unwrap();
        assert!(overview.windows(2).all(|pair| pair[0].chance <= pair[1].chance), "{overview:?}");
        // A paused campaign sends nothing.
        campaigns::change_state(
            &app.context,
            "C1",
            fieldworkd::adapters::database::campaigns::CampaignState::Paused,
        )
        .await
        .unwrap();
        let paused = forecasting::forecast_campaign(&app.context, "C1").await.unwrap().remove(0);
        assert!(paused.is_paused && paused.completes.high <= now.completes.high);
        assert!(
            paused.interventions.iter().any(|intervention| intervention.measure == Measure::Resume)
        );
        // Only the last forecast of a day is stored.
        let mut connection = app.context.database.read().await.unwrap();
        let id = fieldworkd::adapters::database::applications::find(&mut connection, "A1")
            .await
            .unwrap()
            .unwrap()
            .id;
        let stored = fieldworkd::adapters::database::forecasts::of_application(&mut connection, id)
            .await
            .unwrap();
        assert_eq!(
            stored.iter().map(|forecast| forecast.day.to_string()).collect::<Vec<_>>(),
            ["2026-03-02", "2026-03-12"],
            "{}",
            app.engine
        );
    }
}

async fn has_held_back(app: &TestApp) -> bool {
    campaigns::status(&app.context, "C1").await.unwrap().replicates_held_back > 0
}

#[tokio::test]
async fn applications_learn_from_each_other_and_a_rehearsal_repeats() {
    for app in TestApp::on_each_engine(people([0.8, 0.1, 0.0]), &[]).await {
        two_applications(&app).await;
        let before =
            forecasting::rehearse(&app.context, "C2", None, Some(7)).await.unwrap().remove(0);
        assert_eq!((before.people, before.target), (40, 20));
        // C1 runs to its end; its people answer well.
        app.advance_until(local("2026-03-20T12:00:00")).await;
        let chance = |rehearsal: &forecasting::RehearsalForecast| {
            (rehearsal.chance, rehearsal.completes.median)
        };
        let after =
            forecasting::rehearse(&app.context, "C2", None, Some(7)).await.unwrap().remove(0);
        assert!(
            chance(&after) > chance(&before),
            "{}: {:?} {:?}",
            app.engine,
            chance(&before),
            chance(&after)
        );
        let again =
            forecasting::rehearse(&app.context, "C2", None, Some(7)).await.unwrap().remove(0);
        assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&after).unwrap());
        let sent = app.simulator.record().submits.len();
        let poor =
            forecasting::rehearse(&app.context, "C2", Some(0.1), Some(7)).await.unwrap().remove(0);
        assert!(poor.chance < 0.05 && poor.messages.median > after.messages.median, "{poor:?}");
        assert_eq!(app.simulator.record().submits.len(), sent, "{}: nothing is sent", app.engine);
        let unknown =
            forecasting::rehearse(&app.context, "C9", None, None).await.unwrap_err().to_string();
        assert!(unknown.contains("C9"), "{unknown}");
    }
}

/// Nobody answers messages, everybody answers calls: calling now helps a field that will miss its
/// quota, and the effect of calls is learned from calls.
#[tokio::test]
async fn bringing_the_telephone_forward_helps_and_calls_are_learnt_from_calls() {
    for app in TestApp::on_each_engine(
        people([0.0, 0.0, 0.0]),
        &[("QUOTA__EXPECTED_RESPONSE_RATE", "0.3")],
    )
    .await
    {
        app.register_brand("A1", "A1", "[application.quota]\ntarget = 4\nreplicate_size = 40")
            .await;
        app.import(&["A1"], format!("{}店主,010-65121000\n", list_of(0..30)).as_bytes())
            .await
            .unwrap();
        // The calls are planned for the last day.
        let mixed = mixed_plan(3)
            .replace("after = \"2d\"", "after = \"71d\"")
            .replace("if = \"!begun\"", "if = \"!begun && delivered || fixed_line\"");
        let (steps, link) =
            (mixed.rsplit_once("[[step]]").unwrap().0, mixed.rsplit_once("[link]").unwrap().1);
        let late = format!("{steps}[link]{link}");
        app.launch("C1", &["A1"], &late).await.unwrap();
        app.register_brand("B1", "B1", "[application.quota]\ntarget = 20").await;
        app.import(&["B1"], list_of(40..70).as_bytes()).await.unwrap();
        app.launch("C2", &["B1"], &mixed_plan(3)).await.unwrap();
        app.advance_until(local("2026-03-03T12:00:00")).await;
        let before = forecasting::forecast_campaign(&app.context, "C1").await.unwrap().remove(0);
        let chance = |forecast: &forecasting::ApplicationForecast, measure| {
            forecast
                .interventions
                .iter()
                .find(|intervention| intervention.measure == measure)
                .map(|intervention| intervention.chance)
        };
        let now = chance(&before, Measure::TelephoneNow).expect("calls can be brought forward");
        println!("{}: {:.2} as planned, {now:.2} with the calls now", app.engine, before.chance);
        assert!(now > before.chance + 0.05, "{}: {now} against {}", app.engine, before.chance);
        assert_eq!(
            chance(&before, Measure::NextStepNow),
            None,
            "{}: no message is next",
            app.engine
        );
        let rehearsed =
            forecasting::rehearse(&app.context, "C1", Some(0.3), Some(7)).await.unwrap().remove(0);
        assert!(
            rehearsed.handed_to_interviewers.median >= 15 && rehearsed.messages.median <= 30,
            "{rehearsed:?}"
        );

        // The other application's people are called, and all of them answer.
        app.advance_until(local("2026-03-06T10:00:00")).await;
        let (account, interview_service) =
            (add_interviewer(&app, "wu").await, InterviewService::new(app.context.clone()));
        let mut interviewed = 0;
        while let Some(call_screen) = next_call(&app, &account).await {
            ask_all_pages(&interview_service, &call_screen).await;
            record_outcome(&app, &account, &call_screen, CallOutcome::Interviewed).await;
            interviewed += 1;
        }
        assert!(interviewed >= 10, "{}: {interviewed}", app.engine);
        let of_calls = forecasting::forecast_campaign(&app.context, "C2").await.unwrap();
        assert!(
            of_calls.iter().all(|forecast| forecast.completed >= 20),
            "{}: {of_calls:?}",
            app.engine
        );
        let after = forecasting::forecast_campaign(&app.context, "C1").await.unwrap().remove(0);
        assert!(
            chance(&after, Measure::TelephoneNow).unwrap_or(after.chance) > now + 0.1,
            "{}: {after:?}",
            app.engine
        );
    }
}
