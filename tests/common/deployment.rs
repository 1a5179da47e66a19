//! A deployment for the daemon as a process: a folder with a configuration and a campaign of
//! made-up people, on each engine.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use fieldworkd::adapters::clock::SystemClock;
use fieldworkd::adapters::config::SHIPPED;
use fieldworkd::adapters::database::{Database, messages};
use fieldworkd::simulation::{Scenario, Simulator};

use super::list_of;

/// More people are split into several lists.
const LONGEST_LIST: usize = 100_000;

/// A plan that is always open: these tests run at any hour.
pub fn plan() -> String {
    super::PLAN.replace("09:00-21:00", "00:00-24:00")
}

/// A folder with a configuration, a campaign of made-up people, and a simulator in this process.
pub struct Deployment {
    pub folder: tempfile::TempDir,
    pub url: String,
    pub port: u16,
    pub simulator: Simulator,
}

impl Deployment {
    pub async fn on_each_engine(people: usize, scenario: &Scenario, rate: u32) -> Vec<Deployment> {
        Deployment::with_config(people, scenario, rate, &|_, _| {}).await
    }

    /// `change` can modify the configuration and the gateway's file before anything starts.
    pub async fn with_config(
        people: usize,
        scenario: &Scenario,
        rate: u32,
        change: &dyn Fn(&mut String, &mut String),
    ) -> Vec<Deployment> {
        let scratch = tempfile::tempdir().unwrap();
        let mut deployments = Vec::new();
        for url in super::fresh_urls(scratch.path()).await {
            let folder = tempfile::tempdir().unwrap();
            let url = if url.starts_with("sqlite:") {
                format!("sqlite:{}/test.db", folder.path().display())
            } else {
                url
            };
            let simulator = Simulator::start(
                "127.0.0.1:0".parse().unwrap(),
                scenario.clone(),
                Arc::new(SystemClock),
            )
            .await
            .unwrap();
            tokio::spawn({
                let simulator = simulator.clone();
                async move { simulator.run().await }
            });
            let port = free_port();
            let write =
                |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
            let mut gateway = include_str!("../../config/gateways/simulator.toml")
                .replace("127.0.0.1:9700", &simulator.address().to_string())
                .replace("timeout = \"20s\"", "timeout = \"5s\"")
                .replace("unknown_is_final_after = \"1m\"", "unknown_is_final_after = \"6s\"");
            let mut config = SHIPPED
                .replace("gateways/simulator.toml", "gateway.toml")
                .replace("8080", &port.to_string())
                .replace("rate_per_second = 50", &format!("rate_per_second = {rate}"))
                .replace("tick_every = \"1s\"", "tick_every = \"1s\"\n")
                .replace(
                    "# allow_networks = [\"10.1.0.0/16\"]",
                    "allow_networks = [\"127.0.0.0/8\"]",
                )
                .replace("in_doubt_after = \"5m\"", "in_doubt_after = \"3s\"")
                .replace("query_after = \"2m\"", "query_after = \"2s\"");
            change(&mut config, &mut gateway);
            write("gateway.toml", &gateway);
            write("fieldworkd.toml", &config);
            write(
                "programme.toml",
                &format!("{}caps = {{ brand = {} }}\n", super::PROGRAMME, people.max(100)),
            );
            write(
                "applications.toml",
                "programme = \"p26\"\n[[application]]\ncode = \"A1\"\napplicant = { code = \
                    \"a\", name = \"甲公司\" }\ncategory = \"brand\"\nsubject = { brand = \"甲\" \
                    }\n",
            );
            write("plan.toml", &plan());
            let deployment = Deployment { folder, url, port, simulator };
            deployment.run_command(&["programme", "apply", "programme.toml"]);
            deployment.run_command(&["application", "add", "applications.toml"]);
            for first in (0..people).step_by(LONGEST_LIST) {
                std::fs::write(
                    deployment.path().join("list.csv"),
                    list_of(first..people.min(first + LONGEST_LIST)),
                )
                .unwrap();
                deployment.run_command(&["list", "import", "--application", "A1", "list.csv"]);
            }
            deployment.run_command(&[
                "campaign",
                "launch",
                "C1",
                "--application",
                "A1",
                "--plan",
                "plan.toml",
                "--gateway",
                "simulator",
            ]);
            deployments.push(deployment);
        }
        deployments
    }

    pub fn command_line(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldworkd"));
        command
            .current_dir(self.path())
            .env("FIELDWORKD_DATABASE__URL", &self.url)
            .args(["--config", "fieldworkd.toml"])
            .args(arguments);
        command
    }

    pub fn run_command(&self, arguments: &[&str]) {
        let output = self.command_line(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the daemon and waits until it answers. Its log is appended to `log` in the folder.
    pub async fn start_daemon(&self, environment: &[(&str, &str)]) -> Daemon {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path().join("log"))
            .unwrap();
        let child = self
            .command_line(&["serve"])
            .envs(environment.iter().copied())
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        let daemon = Daemon(child);
        let http = fieldworkd::adapters::http_client::new(Duration::from_secs(5)).unwrap();
        let port = environment
            .iter()
            .find(|(key, _)| key.ends_with("LISTEN"))
            .and_then(|(_, v)| v.rsplit(':').next())
            .map_or(self.port, |p| p.parse().unwrap());
        wait_until("the daemon answers", async || {
            http.get(format!("http://127.0.0.1:{port}/readyz"))
                .send()
                .await
                .is_ok_and(|a| a.status().is_success())
        })
        .await;
        daemon
    }

    pub async fn states(&self) -> Vec<(String, i64)> {
        let database = Database::open(&self.url).await.unwrap();
        let states = messages::count_by_state(&mut database.read().await.unwrap()).await.unwrap();
        database.close().await;
        states
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap()
    }
}

pub struct Daemon(pub Child);

impl Daemon {
    pub fn signal(&self, name: &str) {
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &self.0.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the daemon to exit and returns its exit status.
    pub fn wait_for_exit(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on. It is below those that the system gives to outgoing connections: a
/// daemon is started on it later, and tests open thousands of connections meanwhile.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 100) as u16 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn count(states: &[(String, i64)], state: &str) -> i64 {
    states.iter().find(|(name, _)| name == state).map_or(0, |(_, n)| *n)
}
