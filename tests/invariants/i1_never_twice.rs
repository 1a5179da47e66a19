//! I1, never twice: a step goes to a gateway at most once per person, whatever crashes when.
//! These tests kill the daemon at any moment, play every fault of a gateway, take the database away
//! and fill the disk, and count at the simulator; `tests/sms_sending.rs` lets two daemons share one
//! database, and `tests/invariants/i8_time_is_a_parameter.rs` counts in the demo.
//! To see one fail, send again what is in doubt: in `effect_of` of
//! `src/services/sms_sending/settle.rs`, give `SubmitOutcome::InDoubt { code }` the value
//! `not_taken(code, FAILOVER_DELAY)`, and
//! `through_every_fault_nobody_gets_a_step_twice_and_everybody_gets_an_outcome` fails.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::common::deployment::{Deployment, count, wait_until};
use crate::common::{TestApp, by_size, local, monday};
use fieldworkd::domain::seeded_random::seeded_fraction;
use fieldworkd::services::sms_sending::Dispatcher;
use fieldworkd::simulation::Scenario;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A gateway with every kind of fault.
fn faulty(seed: u64) -> Scenario {
    Scenario {
        throttled: 0.1,
        unavailable: 0.1,
        response_lost: 0.1,
        request_lost: 0.05,
        invalid_numbers: 0.05,
        number_frequency: 0.05,
        undelivered: 0.05,
        no_receipt: 0.05,
        duplicate_receipts: 0.3,
        early_receipts: 0.2,
        ..Scenario::faultless(seed, 20)
    }
}

#[tokio::test]
async fn through_every_fault_nobody_gets_a_step_twice_and_everybody_gets_an_outcome() {
    for app in
        TestApp::on_each_engine(faulty(7), &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "20")]).await
    {
        app.launch_with_people(100, "").await;
        app.advance_until(local("2026-03-25T12:00:00")).await;
        let record = app.simulator.record();
        assert_eq!(record.duplicates(), 0, "{}", app.engine);
        assert_eq!(record.over_rate(20), 0, "{}", app.engine);
        let outside = record
            .submits
            .iter()
            .filter(|(at, _)| {
                !(9..21).contains(&chrono::Timelike::hour(&at.in_zone(chrono_tz::Asia::Shanghai)))
            })
            .count();
        assert_eq!(outside, 0, "{}", app.engine);
        let states = app.states().await;
        assert_eq!(
            count(&states, "submitting") + count(&states, "in_doubt") + count(&states, "deferred"),
            0,
            "{}: {states:?}",
            app.engine
        );
        assert!(
            count(&states, "delivered") > 200
                && count(&states, "refused") > 0
                // What the gateway has never seen goes out again: nobody is skipped.
                && count(&states, "failed") == 0,
            "{states:?}"
        );
        // The messages accepted by the gateway are those recorded as accepted: no message is lost
        // either.
        let submitted = count(&states, "delivered")
            + count(&states, "undelivered")
            + count(&states, "accepted");
        assert_eq!(submitted, record.accepted.len() as i64, "{}", app.engine);
    }
}

#[tokio::test]
async fn a_submit_whose_daemon_died_is_asked_after_and_never_sent_again() {
    // The response is delayed, so that the daemon can be aborted while it waits.
    let scenario = Scenario { latency_millis: 300, ..Scenario::faultless(3, 50) };
    for app in TestApp::on_each_engine(scenario, &[]).await {
        app.launch_with_people(4, "").await;
        // A daemon marks the messages and dies before it submits them: the task is aborted in its
        // first HTTP request.
        let dying = tokio::spawn({
            let context = app.context.clone();
            async move { Dispatcher::new(context).tick().await }
        });
        while count(&app.states().await, "submitting") == 0 {
            tokio::task::yield_now().await;
        }
        dying.abort();
        assert!(dying.await.is_err());
        let stuck = count(&app.states().await, "submitting");
        assert!(stuck > 0);
        app.advance_until(monday() + Duration::from_secs(3600)).await;
        let record = app.simulator.record();
        assert_eq!(record.duplicates(), 0, "{}", app.engine);
        let states = app.states().await;
        assert_eq!(
            count(&states, "submitting") + count(&states, "in_doubt"),
            0,
            "{}: {states:?}",
            app.engine
        );
        // Messages that the gateway accepted are known as such; the others are failed, and the
        // reminder follows.
        assert_eq!(
            count(&states, "failed"),
            4 - record.accepted.len() as i64,
            "{}: {states:?}",
            app.engine
        );
        app.advance_until(monday() + Duration::from_secs(8 * 86_400)).await;
        assert_eq!(app.simulator.record().duplicates(), 0);
    }
}

/// Through the real program: killed twice without warning, it sends nothing twice, loses nothing,
/// and leaves nothing stuck.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_sends_nothing_twice_and_forgets_nobody() {
    let scenario = Scenario { latency_millis: 60, ..Scenario::faultless(1, 100) };
    for deployment in Deployment::on_each_engine(100, &scenario, 40).await {
        for killed_at in [20, 50] {
            let daemon = deployment.start_daemon(&[]).await;
            wait_until("messages go out", async || {
                deployment.simulator.record().accepted.len() >= killed_at
            })
            .await;
            daemon.signal("KILL");
            daemon.wait_for_exit();
        }
        assert!(
            count(&deployment.states().await, "submitting") > 0,
            "{}: it was killed with submits under way",
            deployment.url
        );
        let daemon = deployment.start_daemon(&[]).await;
        wait_until("everybody is settled", async || {
            let states = deployment.states().await;
            states.iter().map(|(_, n)| n).sum::<i64>() == 100
                && ["submitting", "in_doubt", "deferred"].iter().all(|s| count(&states, s) == 0)
        })
        .await;
        let record = deployment.simulator.record();
        let states = deployment.states().await;
        assert_eq!(record.duplicates(), 0, "{}", deployment.url);
        assert_eq!(
            record.accepted.len() as i64 + count(&states, "failed"),
            100,
            "{}: {states:?}",
            deployment.url
        );
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
    }
}

/// Do the long forms run, with more kills and a minute for each outage?
/// `FIELDWORKD_TEST_LONG=1 tests/run i1_never_twice`
fn is_long() -> bool {
    by_size(false, false, true)
}

/// The daemon is killed repeatedly in the middle of a campaign while receipts arrive: nothing is
/// sent twice, nothing is lost, nothing is stuck.
///
/// The short form runs with all tests. The long one, thirty kills in a campaign of 5,000 messages
/// on each engine: `FIELDWORKD_TEST_LONG=1 tests/run i1_never_twice`.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_sends_nothing_twice_and_loses_nothing() {
    let (people, kills, rate) = if is_long() { (5_000, 30, 100) } else { (300, 6, 50) };
    let scenario = Scenario {
        latency_millis: 30,
        response_lost: 0.02,
        request_lost: 0.01,
        duplicate_receipts: 0.2,
        early_receipts: 0.2,
        undelivered: 0.03,
        no_receipt: 0.02,
        ..Scenario::faultless(11, 10_000)
    };
    for deployment in Deployment::on_each_engine(people, &scenario, rate).await {
        let mut daemon = deployment.start_daemon(&[]).await;
        let mut killed = 0;
        while killed < kills {
            // At any point in the life of a batch: while it is claimed, sent or settled, or while
            // receipts arrive.
            tokio::time::sleep(
                Duration::from_millis(150).mul_f64(1.0 + 9.0 * seeded_fraction("kill", killed)),
            )
            .await;
            daemon.signal("KILL");
            daemon.wait_for_exit();
            killed += 1;
            daemon = deployment.start_daemon(&[]).await;
        }
        wait_until("everybody is settled", async || {
            let states = deployment.states().await;
            states.iter().map(|(_, n)| n).sum::<i64>() == people as i64
                && ["submitting", "in_doubt", "deferred"]
                    .iter()
                    .all(|state| count(&states, state) == 0)
        })
        .await;
        let (record, states) = (deployment.simulator.record(), deployment.states().await);
        println!(
            "{} kills, {} submits, {} taken, {states:?}",
            killed,
            record.submits.len(),
            record.accepted.len()
        );
        assert_eq!(record.duplicates(), 0, "{}: no person got a step twice", deployment.url);
        // The messages that the gateway accepted are those recorded as accepted. Receipts have
        // moved most of them on.
        let submitted = count(&states, "accepted")
            + count(&states, "delivered")
            + count(&states, "undelivered");
        assert_eq!(submitted, record.accepted.len() as i64, "{}: {states:?}", deployment.url);
        // Those whose submit was under way, and whom the gateway has never seen, are reached too.
        assert_eq!(record.accepted.len(), people, "{}: {states:?}", deployment.url);
        assert!(
            count(&states, "delivered") > people as i64 / 20,
            "{}: receipts came in between: {states:?}",
            deployment.url
        );
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
    }
}

// The daemon as a process while its environment fails.

/// The modes of the proxy between two programs. This one forwards everything.
const PASS: u8 = 0;
/// The request is forwarded, and half of the response returns.
const CUT_RESPONSE: u8 = 1;
/// The request is forwarded, and garbage returns.
const GARBAGE_RESPONSE: u8 = 2;
/// The response returns after the client's timeout.
const LATE_RESPONSE: u8 = 3;
/// Nothing is forwarded.
const STORM_500: u8 = 4;
const STORM_429: u8 = 5;
/// No connection is accepted.
const GONE: u8 = 6;

/// A proxy on loopback that can be set to misbehave.
struct FaultyProxy {
    port: u16,
    mode: Arc<AtomicU8>,
}

impl FaultyProxy {
    async fn to(target: String) -> FaultyProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, mode) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU8::new(PASS)));
        let shared = mode.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(proxy_connection(client, target.clone(), shared.clone()));
            }
        });
        FaultyProxy { port, mode }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn proxy_connection(mut client: TcpStream, target: String, mode: Arc<AtomicU8>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut request, mut response) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut watch = tokio::time::interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(n @ 1..) = read else { return };
                let storm = match mode.load(Ordering::SeqCst) {
                    STORM_500 => Some("HTTP/1.1 503 Service Unavailable\r\ncontent-length: \
                        0\r\n\r\n"),
                    STORM_429 => Some("HTTP/1.1 429 Too Many Requests\r\nretry-after: \
                        1\r\ncontent-length: 0\r\n\r\n"),
                    _ => None,
                };
                match storm {
                    Some(answer) => { let _ = client.write_all(answer.as_bytes()).await; }
                    None => if server.write_all(&request[..n]).await.is_err() { return },
                }
            }
            read = server.read(&mut response) => {
                let Ok(n @ 1..) = read else { return };
                match mode.load(Ordering::SeqCst) {
                    CUT_RESPONSE => { let _ = client.write_all(&response[..n / 2]).await; return }
                    GARBAGE_RESPONSE => { let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n\xff\x00{[<?!").await; }
                    LATE_RESPONSE => { tokio::time::sleep(Duration::from_secs(4)).await; let _ = client.write_all(&response[..n]).await; }
                    _ => if client.write_all(&response[..n]).await.is_err() { return },
                }
            }
            // An outage closes the open connections too.
            _ = watch.tick() => if mode.load(Ordering::SeqCst) == GONE { return },
        }
    }
}

/// Asserts that at the end everybody is settled, nobody got a step twice, and the messages that the
/// gateway accepted are those recorded as accepted.
async fn assert_ends_well(deployment: &Deployment, people: i64) {
    wait_until("everybody is settled", async || {
        let states = deployment.states().await;
        states.iter().map(|(_, n)| n).sum::<i64>() == people
            && ["submitting", "in_doubt", "deferred"].iter().all(|state| count(&states, state) == 0)
    })
    .await;
    let (record, states) = (deployment.simulator.record(), deployment.states().await);
    assert_eq!(record.duplicates(), 0, "{}", deployment.url);
    let submitted =
        count(&states, "accepted") + count(&states, "delivered") + count(&states, "undelivered");
    assert_eq!(submitted, record.accepted.len() as i64, "{}: {states:?}", deployment.url);
    assert_eq!(submitted + count(&states, "failed"), people, "{}: {states:?}", deployment.url);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_every_fault() {
    let change = |config: &mut String, gateway: &mut String| {
        // The gateway's timeout is short here; its responses come later than that.
        *gateway = gateway.replace("timeout = \"5s\"", "timeout = \"2s\"");
        *config = config.replace("in_doubt_after = \"3s\"", "in_doubt_after = \"6s\"");
    };
    let scenario = Scenario { latency_millis: 5, ..Scenario::faultless(1, 1_000) };
    for deployment in Deployment::with_config(80, &scenario, 20, &change).await {
        let proxy = FaultyProxy::to(deployment.simulator.address().to_string()).await;
        let file = deployment.folder.path().join("gateway.toml");
        let through_line = std::fs::read_to_string(&file).unwrap().replace(
            &deployment.simulator.address().to_string(),
            &format!("127.0.0.1:{}", proxy.port),
        );
        std::fs::write(&file, through_line).unwrap();
        let daemon = deployment.start_daemon(&[]).await;
        for mode in [
            PASS,
            CUT_RESPONSE,
            GARBAGE_RESPONSE,
            PASS,
            LATE_RESPONSE,
            STORM_500,
            PASS,
            STORM_429,
            CUT_RESPONSE,
        ] {
            proxy.set(mode);
            tokio::time::sleep(Duration::from_millis(if is_long() { 5_000 } else { 500 })).await;
        }
        proxy.set(PASS);
        // The test does not wait for retries delayed by half a minute or more; messages not sent by
        // then are retried at once.
        wait_until("the gateway is used again", async || {
            deployment.simulator.record().accepted.len() > 40
        })
        .await;
        assert_ends_well(&deployment, 80).await;
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_for_a_while() {
    let scenario = Scenario { latency_millis: 20, ..Scenario::faultless(1, 1_000) };
    for deployment in Deployment::on_each_engine(120, &scenario, 20).await {
        let Some((before, database)) = deployment
            .url
            .split_once('@')
            .and_then(|(before, rest)| Some((before, rest.split_once('/')?)))
        else {
            continue;
        };
        let proxy = FaultyProxy::to(database.0.to_owned()).await;
        let through_line = format!("{before}@127.0.0.1:{}/{}", proxy.port, database.1);
        let daemon = deployment.start_daemon(&[("FIELDWORKD_DATABASE__URL", &through_line)]).await;
        wait_until("messages go out", async || deployment.simulator.record().accepted.len() > 20)
            .await;
        proxy.set(GONE);
        tokio::time::sleep(Duration::from_secs(if is_long() { 60 } else { 3 })).await;
        let while_gone = deployment.simulator.record().accepted.len();
        proxy.set(PASS);
        assert!(while_gone < 120, "nothing is sent that cannot be written down");
        assert_ends_well(&deployment, 120).await;
        daemon.signal("TERM");
        assert_eq!(daemon.wait_for_exit(), Some(0));
    }
}

/// A small disk, if this machine permits one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: std::path::PathBuf) -> Option<SmallDisk> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(&at)
            .status()
            .is_ok_and(|status| status.success());
        mounted.then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full() {
    let scenario = Scenario { latency_millis: 20, ..Scenario::faultless(1, 1_000) };
    let mut deployments = Deployment::on_each_engine(120, &scenario, 20).await;
    let deployment = deployments.remove(0);
    let Some(disk) = SmallDisk::mount(deployment.folder.path().join("disk")) else {
        return eprintln!("no disk can be mounted here: a full one is not tested (run as root)");
    };
    let database = disk.0.join("test.db");
    for end in ["", "-wal"] {
        let name = format!("test.db{end}");
        let _ = std::fs::copy(deployment.folder.path().join(&name), disk.0.join(&name));
    }
    let deployment = Deployment { url: format!("sqlite:{}", database.display()), ..deployment };
    let daemon = deployment.start_daemon(&[]).await;
    wait_until("messages go out", async || deployment.simulator.record().accepted.len() > 20).await;
    // The remaining space is filled.
    let _ = std::fs::write(disk.0.join("ballast"), vec![0u8; 16 << 20]);
    wait_until("the failure is told", async || deployment.log().contains("failed")).await;
    tokio::time::sleep(Duration::from_secs(if is_long() { 60 } else { 2 })).await;
    assert!(
        deployment.simulator.record().accepted.len() < 120,
        "nothing is sent that cannot be written down"
    );
    std::fs::remove_file(disk.0.join("ballast")).unwrap();
    assert_ends_well(&deployment, 120).await;
    daemon.signal("TERM");
    assert_eq!(daemon.wait_for_exit(), Some(0));
}
