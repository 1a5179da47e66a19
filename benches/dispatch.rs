//! `cargo bench --bench dispatch`: the dispatcher from stored due invitations to settled messages,
//! compared with a bare HTTP loop that posts the same bodies to the same sink, with the same number
//! in flight and no database. One run; ratios are printed at the end, higher is better.
//!
//! The sink is this program in a separate process: it answers every submit with an id and stores
//! nothing. PostgreSQL is measured when FIELDWORKD_TEST_POSTGRES names a server (`tests/run bench
//! --bench dispatch` starts one).

#[path = "../tests/common/mod.rs"]
mod common;

use fieldworkd::services::programmes::add_applications;
use fieldworkd::services::programmes::apply_programme;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::routing::post;
use fieldworkd::adapters::clock::{Clock, SystemClock};
use fieldworkd::adapters::database::messages;
use fieldworkd::services::context::AppContext;
use fieldworkd::services::list_import::{self, ImportRequest};
use fieldworkd::services::sms_sending::{Dispatcher, WORKERS_PER_ROUTE};

const MESSAGES: usize = 40_000;
const IN_FLIGHT: usize = 32;
/// The number of rounds. Their median is reported, since the machine's speed varies from second to
/// second.
const ROUNDS: usize = 5;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if std::env::args().any(|argument| argument == "--sink") {
        return runtime.block_on(sink());
    }
    runtime.block_on(measure());
}

/// Answers like a carrier that accepts everything.
async fn sink() {
    let taken = Arc::new(AtomicUsize::new(0));
    let answer = move |body: axum::body::Bytes| {
        let id = taken.fetch_add(1, Ordering::Relaxed) + body.len() % 2;
        async move { (axum::http::StatusCode::ACCEPTED, format!("{{\"id\":\"s{id}\"}}")) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    axum::serve(listener, axum::Router::new().route("/v1/messages", post(answer)))
        .await
        .expect("the sink serves");
}

struct Sink(Child, SocketAddr);

impl Sink {
    fn start() -> Sink {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--sink")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sink starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let address = line.trim().parse().expect("an address");
        Sink(child, address)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn measure() {
    let sink = Sink::start();
    let mut ratios = Vec::new();
    for engine in ["sqlite", "postgres"] {
        if std::env::var("ONLY").is_ok_and(|only| only != engine) {
            continue;
        }
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            // Each round has its own database.
            let folder = tempfile::tempdir().expect("a folder");
            let Some(url) = common::fresh_urls(folder.path())
                .await
                .into_iter()
                .find(|url| url.starts_with(engine))
            else {
                continue;
            };
            let before = bare_loop(sink.1).await;
            let own_rate = measure_fieldworkd(&url, sink.1).await;
            let after = bare_loop(sink.1).await;
            println!(
                "dispatcher on {engine:<9} {own_rate:>8.0} messages/s, bare loop before it \
                    {before:.0}, after it {after:.0}"
            );
            rounds.push(own_rate / ((before + after) / 2.0));
        }
        rounds.sort_by(f64::total_cmp);
        ratios.extend(
            rounds
                .get(rounds.len() / 2)
                .map(|median| format!("ratio dispatch_{engine} {median:.2}")),
        );
    }
    ratios.iter().for_each(|ratio| println!("{ratio}"));
}

/// Posts the same bodies at the same concurrency, and does nothing else.
async fn bare_loop(sink: SocketAddr) -> f64 {
    let client = fieldworkd::adapters::http_client::new(Duration::from_secs(20)).expect("a client");
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (client, next) = (client.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= MESSAGES {
                    return;
                }
                let body = format!(
                    "{{\"to\":\"+86{}\",\"text\":\"【质协】受访者{n}您好，请评价A1牌：http://127.0.0.1:8080/i/0123456789abcdef 退订回T\",\"reference\":\"0123456789abcdefghjkmnpq\",\
                     \"callback\":\"http://127.0.0.1:8080/hooks/simulator/0123456789abcdefghjkmnpq/receipts\",\
                     \"replies\":\"http://127.0.0.1:8080/hooks/simulator/0123456789abcdefghjkmnpq/replies\"}}",
                    common::number(n)
                );
                let answer = client.post(format!("http://{sink}/v1/messages")).header("content-type", "application/json").body(body).send().await;
                let answer = answer.expect("the sink answers").bytes().await.expect("a body");
                assert!(!answer.is_empty());
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a task");
    }
    MESSAGES as f64 / begun.elapsed().as_secs_f64()
}

/// Measures from stored due invitations to settled messages.
async fn measure_fieldworkd(url: &str, sink: SocketAddr) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let in_flight = IN_FLIGHT.to_string();
    let settings = [
        ("GATEWAY__SIMULATOR__RATE_PER_SECOND", "100000"),
        ("GATEWAY__SIMULATOR__IN_FLIGHT", in_flight.as_str()),
        ("CONTACT__MESSAGES_PER_HOUR", "0"),
    ];
    let config = common::config_for(folder.path(), url, "http://127.0.0.1:8080", sink, &settings);
    let clock = Arc::new(SystemClock);
    let context =
        Arc::new(AppContext::open(config, clock.clone()).await.expect("the installation opens"));
    let programme = format!("{}caps = {{ brand = {MESSAGES} }}\n", common::PROGRAMME);
    apply_programme(&context, &programme).await.expect("the programme applies");
    let application = "programme = \"p26\"\n[[application]]\ncode = \"A1\"\napplicant = { code = \
        \"a\", name = \"a公司\" }\ncategory = \"brand\"\nsubject = { brand = \"A1牌\" }\n";
    add_applications(&context, application).await.expect("the application registers");
    let list = common::list(MESSAGES);
    let codes = ["A1".to_owned()];
    let request = ImportRequest::of(&codes, "list", list.as_bytes().into());
    list_import::import_list(&context, &request, &mut |_, _| {}).await.expect("the list imports");
    let plan = fieldworkd::domain::contact_plan::PlanFile::parse(
        &common::PLAN.replace("09:00-21:00", "00:00-24:00"),
    )
    .expect("a plan");
    let launch = fieldworkd::services::campaigns::LaunchRequest {
        code: "C1",
        applications: &["A1".to_owned()],
        plan: &plan,
        gateway: "simulator",
        budget: None,
        seed: None,
        dry_run: false,
    };
    fieldworkd::services::campaigns::launch(&context, &launch)
        .await
        .expect("the campaign launches");
    let dispatcher = Arc::new(Dispatcher::new(context.clone()));
    clock.sleep_until(clock.now() + Duration::from_millis(200)).await;
    let begun = Instant::now();
    // As in the daemon: several workers drive the gateway.
    let sent = Arc::new(AtomicUsize::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..WORKERS_PER_ROUTE {
        let (dispatcher, sent) = (dispatcher.clone(), sent.clone());
        workers.spawn(async move {
            while sent.load(Ordering::Relaxed) < MESSAGES {
                let tick = dispatcher.tick_route("simulator").await.expect("a tick");
                sent.fetch_add(usize::try_from(tick.submitted).unwrap_or(0), Ordering::Relaxed);
            }
        });
    }
    workers.join_all().await;
    let took = begun.elapsed().as_secs_f64();
    let states =
        messages::count_by_state(&mut context.database.read().await.expect("a connection"))
            .await
            .expect("states");
    assert_eq!(states, [("accepted".to_owned(), MESSAGES as i64)]);
    MESSAGES as f64 / took
}
