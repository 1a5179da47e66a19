//! `cargo bench --bench forecast`: forecasts a thousand campaigns of a hundred people, a week into
//! the field, as the daemon does every hour: reads from the database, simulates the field and the
//! interventions, and stores the result. The bound is a minute; the ratio at the end is the bound
//! divided by the time taken, higher is better.
//!
//! `CAMPAIGNS` in the environment reduces the number (the bound shrinks with it);
//! `ONLY=sqlite|postgres` selects one engine. Launching a thousand campaigns takes some minutes.
//! PostgreSQL is measured when FIELDWORKD_TEST_POSTGRES names a server (`tests/run bench --bench
//! forecast` starts one).

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{PLAN, TestApp, list_of, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::forecasts;
use fieldworkd::services::forecasting;
use fieldworkd::simulation::Scenario;

const PEOPLE: usize = 100;
/// The bound for a thousand campaigns.
const BOUND_SECONDS: f64 = 60.0;

fn main() {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(run());
}

async fn run() {
    // Nobody answers; the people with invalid numbers leave the field.
    let mut scenario = Scenario::faultless(1, 1_000_000);
    scenario.invalid_numbers = 0.05;
    let settings =
        [("GATEWAY__SIMULATOR__RATE_PER_SECOND", "1000"), ("GATEWAY__SIMULATOR__IN_FLIGHT", "64")];
    let mut lines = Vec::new();
    let campaigns: usize =
        std::env::var("CAMPAIGNS").ok().and_then(|number| number.parse().ok()).unwrap_or(1_000);
    let bound = BOUND_SECONDS * campaigns as f64 / 1_000.0;
    let only = std::env::var("ONLY").unwrap_or_default();
    for app in TestApp::on_each_engine(scenario, &settings)
        .await
        .into_iter()
        .filter(|app| only.is_empty() || only == app.engine)
    {
        for campaign in 0..campaigns {
            let (code, first) = (format!("A{campaign}"), campaign * PEOPLE);
            app.register_brand(&code, &code, "").await;
            app.import(&[&code], list_of(first..first + PEOPLE).as_bytes())
                .await
                .expect("the list imports");
            app.launch(&format!("C{campaign}"), &[&code], PLAN)
                .await
                .expect("the campaign launches");
        }
        println!("{:<9} {campaigns} campaigns are launched", app.engine);
        app.advance_in_steps(Duration::from_secs(1), local("2026-03-08T12:00:00")).await;
        println!("{:<9} the field is laid out", app.engine);
        let sent = app.simulator.record().submits.len();
        let begun = Instant::now();
        let made = forecasting::tick(&app.context).await.expect("forecasts");
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(made as usize, campaigns);
        let forecast_count =
            forecasts::chances(&mut app.context.database.read().await.expect("a connection"))
                .await
                .expect("the forecasts are kept")
                .len();
        assert_eq!(forecast_count, campaigns, "at {:?}", app.clock.now());
        println!(
            "{:<9} {campaigns} campaigns of {PEOPLE} people ({sent} messages sent): {seconds:.1} \
                s, {:.1} ms each",
            app.engine,
            seconds * 1e3 / campaigns as f64
        );
        lines.push((app.engine, bound / seconds));
    }
    lines.sort_by_key(|(engine, _)| *engine == "sqlite");
    for (engine, ratio) in lines {
        println!(
            "ratio {} {ratio:.2}",
            if engine == "sqlite" { "forecast".to_owned() } else { format!("forecast_{engine}") }
        );
    }
}
