//! The forecast against the outcome: in five hundred simulated campaigns the band contains it eight
//! times of ten. Through an installation, the forecast detects danger, suggests interventions, and
//! appears in the listings.

use std::time::Duration;

use crate::common::interviewers::{
    add_interviewer, ask_all_pages, mixed_plan, next_call, record_outcome,
};
use crate::common::{PLAN, TestApp, list_of, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::services::campaigns;
use fieldworkd::services::deadlines;
use fieldworkd::services::forecasting::{self, Measure};
use fieldworkd::simulation::Scenario;

use fieldworkd::domain::forecast::{
    BINS, CellCount, ContactOrdinal, ContactOutcome, DelaysByMode, Exposure, FieldState,
    ForecastPerson, HeldBackReplicates, Prior, ResponseModel, StepCounts, bin_of, simulate,
};
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::quota::CellKind;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::interviews::InterviewService;

/// The truth of the backtest: simulated people of an application with its own response rate, whose
/// delays follow another distribution than the forecast assumes.
mod truth {
    pub const PEOPLE: usize = 100;
    pub const STEPS: usize = 3;
    const STEP: f64 = 7.0 * 24.0;
    pub const CLOSES: f64 = 40.0 * 24.0;

    /// A person's history: the hours of their contacts and of their end, and whether it is a
    /// complete.
    pub struct SimulatedPerson {
        pub group: usize,
        pub contacts: Vec<f64>,
        pub planned: Vec<f64>,
        pub end: Option<(f64, bool)>,
    }

    fn normal(rng: &mut fastrand::Rng) -> f64 {
        (-2.0 * rng.f64().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
    }

    fn logistic(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// Draws the hours until an answer: lognormal, most within the day, a long tail.
    fn delay(rng: &mut fastrand::Rng) -> f64 {
        (1.2 + 1.4 * normal(rng)).exp().min(30.0 * 24.0)
    }

    /// Simulates an application's whole field, from the launch at hour 0.
    pub fn simulated_people(rng: &mut fastrand::Rng) -> Vec<SimulatedPerson> {
        let base_logit = -1.2 + 0.6 * normal(rng);
        let by_group = [base_logit + 0.3 * normal(rng), base_logit + 0.3 * normal(rng)];
        let later_step_logit = -0.4 + 0.2 * normal(rng);
        let dropout_rate = 0.03 + 0.04 * rng.f64();
        let person_history = |person: usize| {
            let group = usize::from(person.is_multiple_of(3));
            let first = 10.0 * rng.f64();
            let planned: Vec<f64> = (0..STEPS).map(|step| first + step as f64 * STEP).collect();
            let (mut contacts, mut end) = (Vec::new(), None);
            for step in 0..STEPS {
                contacts.push(planned[step]);
                let chance = logistic(by_group[group] + later_step_logit * step as f64);
                let random = rng.f64();
                if random < chance + dropout_rate {
                    let at = planned[step] + delay(rng);
                    if planned.get(step + 1).is_none_or(|next| at < *next) && at < CLOSES {
                        end = Some((at, random < chance));
                        break;
                    }
                }
            }
            SimulatedPerson { group, contacts, planned, end }
        };
        (0..PEOPLE).map(person_history).collect()
    }

    pub fn completes_by(simulated_people: &[SimulatedPerson], hour: f64) -> u32 {
        simulated_people
            .iter()
            .filter(|person_history| {
                person_history.end.is_some_and(|(at, is_complete)| is_complete && at <= hour)
            })
            .count() as u32
    }
}

fn at(hour: f64) -> Timestamp {
    Timestamp((hour * 3_600_000.0) as i64)
}

/// Returns what can be observed of a field at an hour.
fn exposures(simulated_people: &[truth::SimulatedPerson], now: f64) -> Vec<Exposure> {
    let mut seen = Vec::new();
    for person_history in simulated_people {
        let end = person_history.end.filter(|(at, _)| *at <= now);
        for (step, &contact) in
            person_history.contacts.iter().enumerate().filter(|(_, contact)| **contact <= now)
        {
            let next = person_history.contacts.get(step + 1).copied().filter(|next| *next <= now);
            let (outcome, until) = match (next, end) {
                (Some(next), _) => (ContactOutcome::Nothing, next),
                (None, Some((at, true))) => (ContactOutcome::Completes, at),
                (None, Some((at, false))) => (ContactOutcome::DropsOut, at),
                (None, None) => (ContactOutcome::Nothing, now.min(truth::CLOSES)),
            };
            seen.push(Exposure {
                step,
                group: person_history.group,
                outcome,
                hours: until - contact,
                cases: 1.0,
            });
        }
    }
    seen
}

fn field_state(simulated_people: &[truth::SimulatedPerson], now: f64) -> FieldState {
    let person = |person_history: &truth::SimulatedPerson| {
        let sent = |step: &usize| person_history.planned[*step] <= now;
        ForecastPerson {
            group: person_history.group,
            cell_mask: 1,
            is_decided: true,
            last_contact: (0..truth::STEPS)
                .rfind(sent)
                .map(|step| (step, at(person_history.planned[step]))),
            upcoming_contacts: (0..truth::STEPS)
                .filter(|step| !sent(step))
                .map(|step| (step, at(person_history.planned[step])))
                .collect(),
        }
    };
    let completes = truth::completes_by(simulated_people, now);
    FieldState {
        now: at(now),
        closes_at: at(truth::CLOSES),
        day_ends: (0..)
            .map(|day| at(now + 24.0 * f64::from(day + 1)))
            .take_while(|end| *end < at(truth::CLOSES))
            .chain([at(truth::CLOSES)])
            .collect(),
        cells: vec![CellCount { kind: CellKind::Hard, target: 100, completes }],
        people: simulated_people
            .iter()
            .filter(|person_history| person_history.end.is_none_or(|(at, _)| at > now))
            .map(person)
            .collect(),
        completed_cell_masks: Vec::new(),
        held_back: HeldBackReplicates::default(),
    }
}

/// Learns the prior and the delays from a programme's history.
fn learn(history: &[Vec<truth::SimulatedPerson>]) -> (Prior, DelaysByMode) {
    let all: Vec<Vec<Exposure>> =
        history.iter().map(|simulated_people| exposures(simulated_people, truth::CLOSES)).collect();
    let mut bins = [0.0; BINS];
    for exposure in
        all.iter().flatten().filter(|exposure| exposure.outcome == ContactOutcome::Completes)
    {
        bins[bin_of(exposure.hours)] += exposure.cases;
    }
    let (delays_by_mode, ordinals) = (
        DelaysByMode::from_observed(&[(Mode::Sms, bins)].into()),
        ContactOrdinal::of_plan([Mode::Sms; truth::STEPS]),
    );
    let seen: Vec<_> = all
        .iter()
        .map(|exposures| StepCounts::by_ordinal(exposures, &ordinals, &delays_by_mode))
        .collect();
    (Prior::learn(&seen, 0.5, &ordinals), delays_by_mode)
}

/// In 500 campaigns the 80 % band contains the outcome 75–85 % of the time, and chances are
/// calibrated: of the quotas with a chance of seven in ten, about that share is met.
#[test]
fn the_forecast_band_covers_the_outcome_in_eight_of_ten_cases() {
    let mut rng = fastrand::Rng::with_seed(20_261_124);
    let history: Vec<Vec<truth::SimulatedPerson>> =
        (0..200).map(|_| truth::simulated_people(&mut rng)).collect();
    let (prior, delays_by_mode) = learn(&history);
    const CAMPAIGNS: u32 = 500;
    let (mut at_the_end, mut in_ten_days, mut widths) = (0, 0, 0);
    let mut by_chance = [(0.0, 0.0, 0u32); 5];
    for campaign in 0..CAMPAIGNS {
        let simulated_people = truth::simulated_people(&mut rng);
        let now = rng.f64() * 13.0 * 24.0;
        let mut field_state = field_state(&simulated_people, now);
        let truth_is = truth::completes_by(&simulated_people, truth::CLOSES);
        let model = ResponseModel::new(
            &prior,
            &exposures(&simulated_people, now),
            2,
            delays_by_mode.clone(),
        );
        let forecast = simulate(&field_state, &model, u64::from(campaign), 400);
        let holds = |band: &fieldworkd::domain::forecast::Band, truth: u32| {
            (band.low..=band.high).contains(&truth)
        };
        at_the_end += u32::from(holds(&forecast.completes, truth_is));
        in_ten_days += u32::from(holds(
            &forecast.days[9],
            truth::completes_by(&simulated_people, now + 240.0),
        ));
        widths += forecast.completes.high - forecast.completes.low;
        // A target close to the expected value, so that its chance is neither 0 nor 1.
        let target = (forecast.completes.median + rng.u32(0..13)).saturating_sub(6);
        field_state.cells[0].target = target;
        let chance = simulate(&field_state, &model, u64::from(campaign), 400).chances[0];
        let (said, was, count) = &mut by_chance[((chance * 5.0) as usize).min(4)];
        *said += chance;
        *was += f64::from(u8::from(truth_is >= target));
        *count += 1;
    }
    println!(
        "of {CAMPAIGNS}: {at_the_end} hold the last day's completes, {in_ten_days} those in ten \
            days; mean width {}",
        widths / CAMPAIGNS
    );
    assert!((375..=425).contains(&at_the_end), "the last day: {at_the_end} of {CAMPAIGNS}");
    assert!((375..=425).contains(&in_ten_days), "in ten days: {in_ten_days} of {CAMPAIGNS}");
    for (said, was, count) in by_chance.into_iter().filter(|(_, _, count)| *count >= 30) {
        let (said, was) = (said / f64::from(count), was / f64::from(count));
        println!("chance {said:.2}: met {was:.2} of {count}");
        let error = 2.5 * (said * (1.0 - said) / f64::from(count)).sqrt() + 0.03;
        assert!(
            (said - was).abs() < error,
            "a chance of {said:.2} came true {was:.2} of the time ({count} campaigns)"
        );
    }
}

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
        let kept = fieldworkd::adapters::database::forecasts::of_application(&mut connection, id)
            .await
            .unwrap();
        assert_eq!(
            kept.iter().map(|kept| kept.day.to_string()).collect::<Vec<_>>(),
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
