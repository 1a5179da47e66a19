//! A real mail server and a Standard Webhooks receiver in a separate process
//! (tests/external/receivers.py).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The made-up secret with which the receiver checks signatures.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub struct Receivers {
    child: Child,
    pub smtp: String,
    pub http: String,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Receivers {
    /// Starts the receivers. Returns `None`, with a notice, if `tests/run` has not installed their
    /// dependencies.
    pub fn start() -> Option<Receivers> {
        let Ok(python) = std::env::var("FIELDWORKD_TEST_PYTHON") else {
            eprintln!(
                "FIELDWORKD_TEST_PYTHON is not set: no mail or webhook is received (use tests/run)"
            );
            return None;
        };
        let mut child = Command::new(python)
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/external/receivers.py"), SECRET])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
        let ready = lines.next().expect("it says that it is ready").unwrap();
        let ports: Vec<&str> = ready.split(' ').collect();
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let received = seen.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                received.lock().unwrap().push(serde_json::from_str(&line).expect("a line of JSON"));
            }
        });
        Some(Receivers {
            child,
            smtp: format!("smtp://127.0.0.1:{}", ports[1]),
            http: format!("http://127.0.0.1:{}", ports[2]),
            seen,
        })
    }

    /// Makes the receiver check signatures with another secret from now on.
    pub fn use_secret(&mut self, secret: &str) {
        writeln!(self.child.stdin.as_mut().expect("its input is ours"), "{secret}").unwrap();
    }

    /// Waits until `at_least` items have arrived on a channel, and returns all of that channel.
    pub async fn wait_for(&self, channel: &str, at_least: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let of_channel: Vec<Value> = self
                .seen
                .lock()
                .unwrap()
                .iter()
                .filter(|seen| seen["way"] == channel)
                .cloned()
                .collect();
            if of_channel.len() >= at_least {
                return of_channel;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{channel}: waited for {at_least}, got {of_channel:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
