//! `tests/run bench --bench rate`: how well a gateway's rate is used, and that it is never exceeded
//! (invariant I3).
//!
//! Real daemons run against the simulator in real time: at 7, 100 and 1,000 messages a second, one
//! daemon on SQLite, one and three on one PostgreSQL. The bench counts the submit times in the
//! database (no sliding second may contain more than the limit) and the simulator's log of arrivals
//! (limit + 1 % + 1, for the network's jitter). `used` is the share of the possible messages that
//! was sent while work waited. Over SMPP each message has three parts, and what is counted is the
//! submit_sm that arrive at an SMSC. One of three daemons is killed in the middle of the last run: its
//! share must be in use again within seconds.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::deployment::{Deployment, free_port};
use fieldworkd::adapters::clock::{Clock, SystemClock};
use fieldworkd::adapters::database::Database;
use fieldworkd::simulation::Scenario;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut worst: f64 = 1.0;
        // `tests/run bench --bench rate killed`: only the last part.
        let all = [(7, 20), (100, 10), (1_000, 8)];
        let is_asked = |part: &str| std::env::args().any(|argument| argument == part);
        let parts = if is_asked("killed") || is_asked("smpp") { &[][..] } else { &all[..] };
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
        if !is_asked("smpp")
            && let Some(deployment) = Deployment::on_each_engine(2_000, &scenario, 100)
                .await
                .into_iter()
                .find(|deployment| deployment.url.starts_with("postgres"))
        {
            run(&deployment, 100, 12, 3, true).await;
        }
        // `tests/run bench --bench rate smpp`: only this one.
        for daemons in [1, 3] {
            worst = worst.min(run_smpp(60, 8, daemons).await);
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

/// Lets daemons send messages of three parts to an SMSC. Returns the used share of the rate.
async fn run_smpp(rate: u32, seconds: u64, daemons: u32) -> f64 {
    let (address, arrivals) = start_smsc().await;
    let change = |config: &mut String, gateway: &mut String| {
        let host = format!("https://{}.{}.example\" #", "a".repeat(50), "b".repeat(45));
        *config = config
            .replace("public_url = \"http:", &format!("public_url = \"{host}"))
            .replace("in_flight = 8", "in_flight = 8\nuser = \"fieldwork\"")
            .replace("in_doubt_after = \"3s\"", "in_doubt_after = \"30s\"");
        *gateway = format!("kind = \"smpp\"\naddress = \"{address}\"\nsource = \"10690000\"\n");
    };
    let people = rate as usize * (seconds as usize + 4) / 3;
    let deployments =
        Deployment::with_config(people, &Scenario::faultless(1, 100), rate, &change).await;
    let mut worst: f64 = 1.0;
    for deployment in deployments {
        if daemons > 1 && !deployment.url.starts_with("postgres") {
            continue;
        }
        arrivals.lock().expect("nobody panics with it").clear();
        let mut running = Vec::new();
        for n in 0..daemons {
            let listen =
                format!("127.0.0.1:{}", if n == 0 { deployment.port } else { free_port() });
            let secret = ("FIELDWORKD_GATEWAY__SIMULATOR__SECRET", "secret");
            running.push(
                deployment.start_daemon(&[("FIELDWORKD_WEB__LISTEN", &listen), secret]).await,
            );
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        drop(running);
        let arrived = arrivals.lock().expect("nobody panics with it").clone();
        let (from, to) = (arrived[0] + 1_500, arrived[arrived.len() - 1] - 500);
        let within = arrived.iter().filter(|at| (from..to).contains(at)).count();
        let used = within as f64 / ((to - from) as f64 / 1000.0 * f64::from(rate));
        let mut seconds = std::collections::BTreeMap::<i64, usize>::new();
        arrived.iter().for_each(|at| *seconds.entry(at / 1000).or_default() += 1);
        let over = seconds.values().filter(|parts| **parts > rate as usize).count();
        let engine = if deployment.url.starts_with("sqlite") { "sqlite" } else { "postgres" };
        let most = most_in_a_second(&arrived);
        println!(
            "{rate:>5} parts/s over SMPP, {daemons} daemon(s) on {engine:<8}, used {:.1} %, \
             seconds over: {over}, most in a sliding second: {most}",
            used * 100.0
        );
        assert_eq!(over, 0, "more than the rate arrived");
        assert!(most <= rate as usize + rate as usize / 100 + 1);
        worst = worst.min(used);
    }
    worst
}

/// An SMSC that accepts every bind and submit. Returns its address and the arrivals of submit_sm,
/// in milliseconds.
async fn start_smsc() -> (String, Arc<Mutex<Vec<i64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let arrivals: Arc<Mutex<Vec<i64>>> = Arc::default();
    let seen = arrivals.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut number = 0u64;
                while let Ok(length) = stream.read_u32().await {
                    let mut pdu = vec![0; length as usize - 4];
                    if stream.read_exact(&mut pdu).await.is_err() {
                        break;
                    }
                    let id = u32::from_be_bytes([pdu[0], pdu[1], pdu[2], pdu[3]]);
                    number += 1;
                    let body = match id {
                        0x04 => {
                            let at = SystemClock.now().0;
                            seen.lock().expect("nobody panics with it").push(at);
                            format!("{number:x}\0")
                        }
                        0x09 => "smsc\0".to_owned(),
                        _ => String::new(),
                    };
                    let mut answer = (body.len() as u32 + 16).to_be_bytes().to_vec();
                    answer.extend((id | 0x8000_0000).to_be_bytes());
                    answer.extend([0; 4]);
                    answer.extend(&pdu[8..12]);
                    answer.extend(body.bytes());
                    if stream.write_all(&answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (address, arrivals)
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
