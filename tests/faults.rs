//! The daemon as a process while its environment fails: a gateway that cuts off, returns garbage,
//! is late or storms; a database that is gone; a disk that is full. The short form runs with all
//! tests; `FIELDWORKD_TEST_LONG=1 tests/run --test faults` takes a minute for each outage.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::common::deployment::{Deployment, count, wait_until};
use fieldworkd::simulation::Scenario;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

fn is_long() -> bool {
    std::env::var("FIELDWORKD_TEST_LONG").is_ok()
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
    let ours =
        count(&states, "accepted") + count(&states, "delivered") + count(&states, "undelivered");
    assert_eq!(ours, record.accepted.len() as i64, "{}: {states:?}", deployment.url);
    assert_eq!(ours + count(&states, "failed"), people, "{}: {states:?}", deployment.url);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_every_fault() {
    let change = |config: &mut String, gateway: &mut String| {
        // The gateway's timeout is short here; its responses come later than that.
        *gateway = gateway.replace("timeout = \"20s\"", "timeout = \"2s\"");
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
