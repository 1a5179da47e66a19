//! The gateway simulator: an HTTP server on loopback that behaves like a carrier, with simulated
//! people who open links and answer.
//!
//! It accepts submits (`POST /v1/messages`) and queries (`GET /v1/messages/REFERENCE`), as
//! described by `config/gateways/simulator.toml`. It pushes receipts and replies to the addresses
//! named in a submit, and its people send HTTP requests to the links in their messages. Its
//! behaviour is configured by a [`Scenario`] and drawn from a seed by number and message, so the
//! same seed gives the same run. A [`TrafficRecord`] of all requests lets the demo and the tests
//! verify the daemon. It connects to loopback addresses only. `cmpp.rs` lets the same carrier speak
//! CMPP.

mod carrier;
mod cmpp;
pub mod demo;
mod people;
mod scenario;
mod server;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::adapters::clock::Clock;
use crate::domain::time::Timestamp;
use people::Person;
pub use scenario::{DishonestApplicant, PeopleScenario, Scenario};

/// A running simulator.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    scenario: Scenario,
    clock: Arc<dyn Clock>,
    client: reqwest::Client,
    state: Mutex<State>,
    cmpp: cmpp::CmppGateway,
}

#[derive(Default)]
struct State {
    record: TrafficRecord,
    /// Accepted messages, by reference.
    accepted: HashMap<String, AcceptedMessage>,
    /// Number of attempts for each number, so that every attempt has its own draw.
    attempt_counts: HashMap<String, u32>,
    people: HashMap<String, Person>,
    events: BTreeMap<(Timestamp, u64), Event>,
    event_count: u64,
}

struct AcceptedMessage {
    id: String,
    state: &'static str,
}

enum Event {
    Receipt {
        reference: String,
        delivered: bool,
        url: String,
        pushes_left: u8,
    },
    Reply {
        from: String,
        text: String,
        url: String,
        id: String,
        sent_at: Timestamp,
        pushes_left: u8,
    },
    /// A person opens a link, on the page that the browser has reached.
    OpenPage {
        number: String,
        link: String,
    },
    /// A person submits a form of a page.
    SubmitForm {
        number: String,
        link: String,
        /// The address, and the fields.
        form: (String, Vec<(String, String)>),
    },
}

/// Observations of the simulator, for verifying the daemon.
#[derive(Debug, Clone, Default)]
pub struct TrafficRecord {
    /// Time and reference of every submit.
    pub submits: Vec<(Timestamp, String)>,
    /// How often each reference was accepted; more than once means a duplicate message.
    pub accepted: BTreeMap<String, u32>,
    /// How often each text was sent to each number, by fingerprint; a second way to detect
    /// duplicates.
    pub text_fingerprints: HashMap<u64, u32>,
    /// Number of pushed receipts and replies.
    pub pushes: u64,
    /// Number of page visits.
    pub visits: u64,
    /// The numbers of people for whom somebody else answered.
    pub answered_for: BTreeSet<String>,
    /// The last one-time code that was sent to each number.
    pub one_time_codes: BTreeMap<String, String>,
}

impl TrafficRecord {
    /// Returns the number of messages that were sent more than once.
    pub fn duplicates(&self) -> u64 {
        let repeats = |counts: &mut dyn Iterator<Item = u32>| {
            counts.map(|n| u64::from(n.saturating_sub(1))).sum::<u64>()
        };
        repeats(&mut self.accepted.values().copied())
            .max(repeats(&mut self.text_fingerprints.values().copied()))
    }

    /// Returns how often this text was sent to a number, as `+8613800138000`.
    pub fn times_sent(&self, number: &str, text: &str) -> u32 {
        let fingerprint = carrier::text_fingerprint(number, text);
        self.text_fingerprints.get(&fingerprint).copied().unwrap_or(0)
    }

    /// Returns the number of submits beyond `per_second` in any sliding second (invariant I3).
    pub fn over_rate(&self, per_second: u32) -> u64 {
        let mut times: Vec<i64> = self.submits.iter().map(|(at, _)| at.0).collect();
        times.sort_unstable();
        times
            .windows(per_second as usize + 1)
            .filter(|w| w[per_second as usize] - w[0] < 1000)
            .count() as u64
    }
}

impl Simulator {
    /// Starts the server on a loopback address. Events happen only in [`Simulator::tick`] or
    /// [`Simulator::run`].
    pub async fn start(
        address: SocketAddr,
        scenario: Scenario,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Simulator> {
        if !address.ip().is_loopback() {
            return Err(std::io::Error::other("the simulator listens on loopback only"));
        }
        let client = crate::adapters::http_client::new(Duration::from_secs(30))
            .map_err(std::io::Error::other)?;
        let shared = Arc::new(Shared {
            scenario,
            clock,
            client,
            state: Mutex::default(),
            cmpp: cmpp::CmppGateway::default(),
        });
        let listener = tokio::net::TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = server::router(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Simulator { shared, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the CMPP gateway on a port of loopback; 0 is any.
    pub async fn listen_cmpp(&self, port: u16) -> std::io::Result<SocketAddr> {
        self.shared.clone().listen_cmpp(port).await
    }

    pub fn record(&self) -> TrafficRecord {
        self.shared.lock().record.clone()
    }

    /// Returns a person's last reply to each question of an SMS interview, by its position in the
    /// interview (`3/14`).
    pub fn sms_answers_of(&self, number: &str) -> std::collections::BTreeMap<String, String> {
        self.shared
            .lock()
            .people
            .get(number)
            .map(|person| person.sms_answers.clone())
            .unwrap_or_default()
    }

    /// Returns when the next receipt, reply or action of a person is due.
    pub fn next_event_at(&self) -> Option<Timestamp> {
        self.shared.lock().events.keys().next().map(|(at, _)| *at)
    }

    /// Processes all due events one after another and returns their number.
    pub async fn tick(&self) -> u64 {
        let mut done = 0;
        loop {
            let now = self.shared.clock.now();
            let event = {
                let mut state = self.shared.lock();
                match state.events.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove(),
                    _ => return done,
                }
            };
            self.shared.handle_event(event).await;
            done += 1;
        }
    }

    /// Processes events as time passes, without end.
    pub async fn run(&self) {
        loop {
            self.tick().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn handle_event(&self, event: Event) {
        let retry = match event {
            Event::Receipt { reference, delivered, url, pushes_left } => {
                let is_acknowledged = self.push_receipt(&reference, delivered, &url).await;
                (!is_acknowledged && pushes_left > 1).then(|| Event::Receipt {
                    reference,
                    delivered,
                    url,
                    pushes_left: pushes_left - 1,
                })
            }
            Event::Reply { from, text, url, id, sent_at, pushes_left } => {
                let pushed =
                    serde_json::json!({ "id": id, "from": from, "text": text, "at": sent_at.0 });
                let is_acknowledged = if cmpp::is_push_address(&url) {
                    self.reply_over_cmpp(&id, &from, &text).await
                } else {
                    self.push(&url, pushed.to_string()).await
                };
                (!is_acknowledged && pushes_left > 1).then(|| Event::Reply {
                    from,
                    text,
                    url,
                    id,
                    sent_at,
                    pushes_left: pushes_left - 1,
                })
            }
            Event::OpenPage { number, link } => return self.open_page(number, link).await,
            Event::SubmitForm { number, link, form } => {
                return self.submit_form(number, link, form).await;
            }
        };
        if let Some(event) = retry {
            let at = self.clock.now() + Duration::from_secs(60);
            self.lock().schedule(at, event);
        }
    }
}

impl State {
    fn schedule(&mut self, at: Timestamp, event: Event) {
        self.event_count += 1;
        self.events.insert((at, self.event_count), event);
    }
}
