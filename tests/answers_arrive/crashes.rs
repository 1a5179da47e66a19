//! A second daemon on the same database that dies at any moment: its runtime is thrown away with
//! everything that is under way, as if the process were killed. (The real process is killed in
//! `tests/invariants/i5_never_lose_an_answer.rs`.)

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fieldworkd::adapters::clock::VirtualClock;
use fieldworkd::adapters::config::Config;
use fieldworkd::interfaces::http;
use fieldworkd::services::context::AppContext;
use tokio::runtime::{Builder, Runtime};

use crate::common::TestApp;

pub struct CrashingServer {
    config: Config,
    clock: Arc<VirtualClock>,
    running: Option<(Runtime, SocketAddr)>,
    pub crashes: usize,
}

impl CrashingServer {
    pub async fn start(app: &TestApp) -> CrashingServer {
        let (config, clock) = (app.context.config.clone(), app.clock.clone());
        let mut server = CrashingServer { config, clock, running: None, crashes: 0 };
        server.restart().await;
        server
    }

    async fn restart(&mut self) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let starting = runtime.spawn(async move {
            let context = Arc::new(AppContext::open(config, clock).await.unwrap());
            let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listener = tokio::net::TcpListener::bind(any_port).await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(http::serve(context, listener, std::future::pending()));
            address
        });
        let address = starting.await.unwrap();
        self.running = Some((runtime, address));
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.running.as_ref().expect("it runs").1)
    }

    /// Dies after so many microseconds of a request, and is started again. Returns the status, if
    /// the answer was faster.
    pub async fn crash_during(
        &mut self,
        request: impl Future<Output = reqwest::Result<reqwest::Response>>,
        after_micros: u64,
    ) -> Option<u16> {
        let request = std::pin::pin!(request);
        let dying = async {
            tokio::time::sleep(Duration::from_micros(after_micros)).await;
            let (runtime, _) = self.running.take().expect("it runs");
            runtime.shutdown_background();
        };
        // Whoever waits longer has a dead connection.
        let waiting = tokio::time::timeout(Duration::from_secs(10), request);
        let (answer, ()) = tokio::join!(waiting, dying);
        self.crashes += 1;
        self.restart().await;
        answer.ok()?.ok().map(|answer| answer.status().as_u16())
    }

    pub fn stop(mut self) {
        if let Some((runtime, _)) = self.running.take() {
            runtime.shutdown_background();
        }
    }
}
