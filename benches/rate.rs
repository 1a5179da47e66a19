//! `tests/run bench --bench rate`: how well a gateway's rate is used, and that it is never exceeded
//! (invariant I3).
//!
//! Real daemons run against the simulator in real time: at 7, 100 and 1,000 messages a second, one
//! daemon on SQLite, one and three on one PostgreSQL. The bench counts the submit times in the
//! database (no sliding second may contain more than the limit) and the simulator's log of arrivals
//! (limit + 1 % + 1, for the network's jitter). `used` is the share of the possible messages that
//! was sent while work waited. One of three daemons is killed in the middle of the last run: its
//! share must be in use again within seconds.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Duration;

use common::deployment::{Deployment, free_port};
use fieldworkd::adapters::database::Database;
use fieldworkd::simulation::Scenario;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut worst: f64 = 1.0;
        // `tests/run bench --bench rate killed`: only the last part.
        let all = [(7, 20), (100, 10), (1_000, 8)];
        let parts =
            if std::env::args().any(|argument| argument == "killed") { &[][..] } else { &all[..] };
        for &(rate, seconds) in parts {
            for daemons in [1, 3] {
                let people = rate as usize * (seconds + 4);
                let scenario = Scenario { no_receipt: 1.0, ..Scenario::faultless(1, 100_000) };
                for deployment in Deployment::on_each_engine(people, &scenario, rate).await {
                    if daemons == 1 || deployment.url.starts_with("postgres") {
                        worst =
                            worst.min(run(&deployment, rate, seconds as u64, daemons, false).await);
                    }
                }
            }
        }
        let scenario = Scenario { no_receipt: 1.0, ..Scenario::faultless(1, 100_000) };
        if let Some(deployment) = Deployment::on_each_engine(2_000, &scenario, 100)
            .await
            .into_iter()
            .find(|deployment| deployment.url.starts_with("postgres"))
        {
            run(&deployment, 100, 12, 3, true).await;
        }
        if !parts.is_empty() {
            println!("ratio rate_used {worst:.3}");
        }
    });
}

/// Lets daemons send for `seconds`. Returns the used share of the rate.
async fn run(deployment: &Deployment, rate: u32, seconds: u64, daemons: u32, kill: bool) -> f64 {
    let mut running = Vec::new();
    for n in 0..daemons {
        let listen = format!("127.0.0.1:{}", if n == 0 { deployment.port } else { free_port() });
        running.push(deployment.start_daemon(&[("FIELDWORKD_WEB__LISTEN", &listen)]).await);
    }
    if kill {
        tokio::time::sleep(Duration::from_secs(seconds / 2)).await;
        let killed = running.remove(0);
        killed.signal("KILL");
        killed.wait_for_exit();
        tokio::time::sleep(Duration::from_secs(seconds / 2)).await;
    } else {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    drop(running);
    let database = Database::open(&deployment.url).await.expect("the database opens");
    let mut submitted = fieldworkd::adapters::database::messages::submit_times(
        &mut database.read().await.expect("a connection"),
    )
    .await
    .expect("times");
    database.close().await;
    let mut arrived: Vec<i64> =
        deployment.simulator.record().submits.iter().map(|(at, _)| at.0).collect();
    submitted.sort_unstable();
    arrived.sort_unstable();
    // The time in which work waited and all daemons ran: without the first 1.5 seconds and the last
    // half second.
    let (from, to) = (arrived[0] + 1_500, arrived[arrived.len() - 1] - 500);
    let within = arrived.iter().filter(|at| (from..to).contains(at)).count();
    let used = within as f64 / ((to - from) as f64 / 1000.0 * f64::from(rate));
    let engine = if deployment.url.starts_with("sqlite") { "sqlite" } else { "postgres" };
    let (by_submit, by_arrival) = (most_in_a_second(&submitted), most_in_a_second(&arrived));
    println!(
        "{rate:>5}/s, {daemons} daemon(s) on {engine:<8}{} used {:.1} %, most in a sliding \
            second: {by_submit} submitted, {by_arrival} arrived",
        if kill { ", one killed," } else { "," },
        used * 100.0
    );
    assert!(by_submit <= rate as usize, "more than the rate was submitted");
    assert!(by_arrival <= rate as usize + rate as usize / 100 + 1, "more than the rate arrived");
    assert_eq!(deployment.simulator.record().duplicates(), 0);
    used
}

fn most_in_a_second(times: &[i64]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in times.iter().enumerate() {
        while at - times[first] >= 1_000 {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}
