//! `cargo bench --bench crowding`: fifty respondents answer at a time, first alone, then while
//! 5,000 connections send their requests a byte a second, in heads and in bodies, and come again
//! when they are closed. One run; p99 of both and their ratio are printed at the end.
//!
//! The slow clients are this program in a separate process, from eight addresses; an eighth of them
//! has the respondents' own.

#[path = "../tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{CONSENT_FORM, TestApp, answers};
use fieldworkd::services::programmes::apply_programme;
use fieldworkd::simulation::Scenario;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

const SLOW_CLIENTS: usize = 5_000;
const AT_ONCE: usize = 50;
const PEOPLE: usize = 1_000;
const SLOW_ARGUMENT: &str = "--slow-clients";

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == SLOW_ARGUMENT) {
        let port = arguments[at + 1].parse().expect("a port");
        return runtime.block_on(crowd(port));
    }
    runtime.block_on(measure());
}

async fn measure() {
    raise_open_files();
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let programme = format!("{}caps = {{ brand = {PEOPLE} }}\n", common::PROGRAMME);
    apply_programme(&app.context, &programme).await.expect("it applies");
    app.launch_with_people(PEOPLE, "").await;
    let port = app.base.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    answer(&app, 0..50).await;
    let alone = answer(&app, 50..50 + PEOPLE / 2 - 50).await;
    let crowd = Crowd::start(port);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let crowded = answer(&app, PEOPLE / 2..PEOPLE).await;
    drop(crowd);
    for (name, times) in [("alone", &alone), ("crowded", &crowded)] {
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "{name:<8} {} requests, p50 {:?}, p99 {:?}, longest {:?}",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    let p99 = |times: &[Duration]| times[(times.len() - 1) * 99 / 100].as_secs_f64();
    println!("ratio crowding_p99 {:.2}", p99(&crowded) / p99(&alone));
}

/// Whole interviews, fifty at a time. Returns the sorted times of their requests; all must succeed.
async fn answer(app: &TestApp, people: std::ops::Range<usize>) -> Vec<Duration> {
    let interviews = people.map(|n| async move {
        let link = app.link(n).await;
        let mut times = Vec::new();
        let mut timed = async |request: std::pin::Pin<Box<dyn Future<Output = u16> + '_>>| {
            let began = Instant::now();
            let status = request.await;
            assert!(status == 200 || status == 303, "{status}");
            times.push(began.elapsed());
        };
        timed(Box::pin(async { app.get(&link).await.0 })).await;
        timed(Box::pin(async { app.post(&format!("{link}/begin"), CONSENT_FORM).await.0 })).await;
        for page in 0..4 {
            let form = answers(0, page, "8");
            timed(Box::pin(async { app.post(&format!("{link}/answers"), &form).await.0 })).await;
        }
        times
    });
    let mut times: Vec<Duration> =
        futures_util::stream::iter(interviews).buffer_unordered(AT_ONCE).concat().await;
    times.sort();
    times
}

struct Crowd(Child);

impl Crowd {
    fn start(port: u16) -> Crowd {
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args([SLOW_ARGUMENT, &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("the slow clients start");
        Crowd(child)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The slow clients. They stop by themselves after five minutes.
async fn crowd(port: u16) {
    raise_open_files();
    let clients = (0..SLOW_CLIENTS).map(|n| async move {
        loop {
            let _ = send_slowly(n, port).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let all = futures_util::future::join_all(clients);
    let _ = tokio::time::timeout(Duration::from_secs(300), all).await;
}

async fn send_slowly(n: usize, port: u16) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1 + (n % 8) as u8], 0)))?;
    let mut stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    if n.is_multiple_of(2) {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await?;
    } else {
        let head = "POST /staff/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: \
                    application/x-www-form-urlencoded\r\nContent-Length: 9000\r\n\r\nname=";
        stream.write_all(head.as_bytes()).await?;
    }
    let mut answer = [0u8; 512];
    loop {
        stream.write_all(b"x").await?;
        let wait = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut answer)).await;
        if let Ok(read) = wait
            && read? == 0
        {
            return Ok(());
        }
    }
}

fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = setrlimit(Resource::Nofile, raised);
}
