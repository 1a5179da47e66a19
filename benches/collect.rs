//! `cargo bench --bench collect`: respondent pages per second, and whole interviews per second
//! (open, agree, every page, thanks; durable), 64 at a time, compared with a bare axum server that
//! sends the same bytes to the same client. One run; ratios are printed at the end, higher is
//! better.
//!
//! Servers and client share this process and its cores in both cases. PostgreSQL is measured when
//! FIELDWORKD_TEST_POSTGRES names a server (`tests/run bench --bench collect` starts one).

#[path = "../tests/common/mod.rs"]
mod common;

use fieldworkd::services::programmes::apply_programme;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::response::Html;
use axum::routing::get;
use common::{CONSENT_FORM, PLAN, TestApp, answers, list};
use fieldworkd::simulation::Scenario;

const AT_ONCE: usize = 64;
const PEOPLE: usize = 2_000;
const PAGES: usize = 20_000;
/// The number of rounds. Their median is reported, since the machine's speed varies from second to
/// second.
const ROUNDS: usize = 5;
/// The consent, and each of four pages.
const COMMITS: usize = 5;

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let mut ratios = Vec::new();
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        if std::env::var("ONLY").is_ok_and(|only| only != app.engine) {
            continue;
        }
        apply_programme(
            &app.context,
            &format!("{}caps = {{ brand = {PEOPLE} }}\n", common::PROGRAMME),
        )
        .await
        .expect("it applies");
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list(PEOPLE).as_bytes()).await.expect("it imports");
        app.launch("C1", &["A1"], PLAN).await.expect("it launches");
        let app = Arc::new(app);
        let mut links = Vec::new();
        for n in 0..PEOPLE {
            links.push(app.link(n).await);
        }
        let links = Arc::new(links);

        let interviews = measure_interviews(&app, &links).await;
        println!(
            "interviews on {:<9} {interviews:>7.0}/s, {COMMITS} durable commits each ({:.0} \
                commits/s), {AT_ONCE} at a time",
            app.engine,
            interviews * COMMITS as f64
        );

        // Half of the people are on the page with four scales.
        let page_links = Arc::new(begin_all(&app, &links).await);
        let page = app.get(&page_links[0]).await.1;
        let bare = bare_server(page.clone()).await;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let of_bare_server = measure_pages(&app.http, Arc::new(vec![bare.clone()])).await;
            let of_daemon = measure_pages(&app.http, page_links.clone()).await;
            println!(
                "pages on {:<9} {:>7.0}/s, p99 {:.1} ms; a bare server with the same {} bytes \
                    {:.0}/s, p99 {:.1} ms",
                app.engine,
                of_daemon.per_second,
                of_daemon.p99 * 1e3,
                page.len(),
                of_bare_server.per_second,
                of_bare_server.p99 * 1e3
            );
            rounds.push((
                of_daemon.per_second / of_bare_server.per_second,
                of_daemon.p99 / of_bare_server.p99,
            ));
        }
        let median = |mut figures: Vec<f64>| {
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        let p99 = median(rounds.iter().map(|(_, p99)| *p99).collect());
        println!("p99 on {}: {p99:.1} times that of the bare server", app.engine);
        ratios.push(format!(
            "ratio pages_{} {:.2}",
            app.engine,
            median(rounds.iter().map(|(pages, _)| *pages).collect())
        ));
    }
    ratios.iter().for_each(|ratio| println!("{ratio}"));
}

async fn bare_server(page: String) -> String {
    let page: Arc<str> = page.into();
    let router = axum::Router::new().route(
        "/i/{code}",
        get(move || {
            let page = page.clone();
            async move { Html(page.to_string()) }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/i/0123456789abcdef")
}

struct Measured {
    per_second: f64,
    /// The 99th percentile in seconds.
    p99: f64,
}

/// Gets the pages, 64 at a time.
async fn measure_pages(http: &reqwest::Client, urls: Arc<Vec<String>>) -> Measured {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (http, urls, next) = (http.clone(), urls.clone(), next.clone());
        tasks.spawn(async move {
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= PAGES {
                    return times;
                }
                let requested_at = Instant::now();
                let answer = http.get(&urls[n % urls.len()]).send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                assert!(answer.bytes().await.expect("a body").len() > 1_000);
                times.push(requested_at.elapsed());
            }
        });
    }
    let mut times: Vec<Duration> = Vec::with_capacity(PAGES);
    while let Some(of_worker) = tasks.join_next().await {
        times.extend(of_worker.expect("a task"));
    }
    let per_second = PAGES as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable();
    Measured { per_second, p99: times[times.len() * 99 / 100].as_secs_f64() }
}

/// The second half of the people begin and answer the first page.
async fn begin_all(app: &Arc<TestApp>, links: &Arc<Vec<String>>) -> Vec<String> {
    let mut page_links = Vec::new();
    for link in &links[PEOPLE / 2..] {
        app.post(&format!("{link}/begin"), CONSENT_FORM).await;
        app.post(&format!("{link}/answers"), &answers(0, 0, "8")).await;
        page_links.push(format!("{link}?lang=zh&page=1"));
    }
    page_links
}

/// The first half of the people complete their interviews, 64 at a time, viewing every page.
async fn measure_interviews(app: &Arc<TestApp>, links: &Arc<Vec<String>>) -> f64 {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (app, links, next) = (app.clone(), links.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= PEOPLE / 2 {
                    return;
                }
                let link = &links[n];
                app.get(link).await;
                let (_, mut to, _) = app.post(&format!("{link}/begin"), CONSENT_FORM).await;
                for page in 0..4 {
                    app.get(&format!("{}{to}", app.base)).await;
                    let (status, next, _) =
                        app.post(&format!("{link}/answers"), &answers(0, page, "8")).await;
                    assert_eq!(status, 303);
                    to = next;
                }
                assert!(app.get(&format!("{}{to}", app.base)).await.1.contains("感谢您的评价"));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("a task");
    }
    (PEOPLE / 2) as f64 / begun.elapsed().as_secs_f64()
}
