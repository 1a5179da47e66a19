//! `tests/run bench --bench claim`: the cost of a dispatcher tick and the memory of the daemon,
//! with 10,000 and with 1,000,000 waiting invitations.
//!
//! The real program imports the lists and launches the campaigns. The ticks (claim, submit to the
//! simulator, settle; 500 messages each) are timed one by one in this process. Then the real daemon
//! sends at full speed for some seconds, and its peak resident memory is read from the kernel. The
//! ratio is the median tick at 10,000 divided by the median tick at 1,000,000: 1 is flat, and 0.67
//! is the goal (a tick costs at most 1.5 times as much).

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::deployment::Deployment;
use fieldworkd::adapters::clock::SystemClock;
use fieldworkd::adapters::config::Config;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::simulation::Scenario;

const FEW: usize = 10_000;
const MANY: usize = 1_000_000;
const TICKS: usize = 15;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut medians: HashMap<(&str, usize), f64> = HashMap::new();
        for people in [FEW, MANY] {
            let scenario = Scenario { no_receipt: 1.0, ..Scenario::faultless(1, 1_000_000) };
            for deployment in
                Deployment::with_config(people, &scenario, 100_000, &raise_rates).await
            {
                let engine =
                    if deployment.url.starts_with("sqlite:") { "sqlite" } else { "postgres" };
                let tick = measure_ticks(&deployment).await;
                let memory = memory_of_the_daemon(&deployment).await;
                println!(
                    "{people:>9} waiting on {engine:<9} {tick:>6.1} ms a tick, daemon \
                    {memory} MB at most"
                );
                medians.insert((engine, people), tick);
            }
        }
        for engine in ["sqlite", "postgres"] {
            if let (Some(few), Some(many)) =
                (medians.get(&(engine, FEW)), medians.get(&(engine, MANY)))
            {
                println!("ratio claim_{engine} {:.2}", few / many);
            }
        }
    });
}

fn raise_rates(config: &mut String, _: &mut String) {
    *config = config.replace("in_flight = 8", "in_flight = 32");
}

/// Returns the median of some ticks, in milliseconds.
async fn measure_ticks(deployment: &Deployment) -> f64 {
    // The paths in the deployment's files are relative to its folder.
    std::env::set_current_dir(deployment.path()).expect("the site's folder");
    let environment =
        std::iter::once(("FIELDWORKD_DATABASE__URL".to_owned(), deployment.url.clone()));
    let config = Config::load(Some("fieldworkd.toml".as_ref()), environment)
        .expect("the configuration is good");
    let context = Arc::new(
        AppContext::open(config, Arc::new(SystemClock)).await.expect("the installation opens"),
    );
    let dispatcher = Dispatcher::new(context.clone());
    let mut took = Vec::new();
    while took.len() < TICKS {
        let begun = Instant::now();
        let tick = dispatcher.tick_route("simulator").await.expect("a tick");
        if tick.submitted >= 400 {
            took.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    context.database.close().await;
    took.sort_by(f64::total_cmp);
    took[TICKS / 2]
}

/// Returns the peak resident memory of the daemon while it sends, in megabytes.
async fn memory_of_the_daemon(deployment: &Deployment) -> u64 {
    let daemon = deployment.start_daemon(&[]).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.0.id()))
        .expect("the daemon runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1000
}
