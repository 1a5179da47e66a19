//! The carrier: takes messages or not, and reports what became of them.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::people::Person;
use super::server::Submit;
use super::{Event, Shared, Taken};

/// A push is tried so often, a minute apart.
pub(super) const PUSHES: u8 = 10;

pub(super) enum Verdict {
    Taken {
        id: String,
    },
    Throttled,
    DeadNumber,
    NumberFrequency,
    Unavailable,
    /// The answer never reaches the caller: the message was taken or it was not.
    AnswerLost,
}

/// A generator of its own for every question, so that no draw depends on the order of requests.
pub(super) fn draw(seed: u64, what: &str, number: &str, n: u32) -> fastrand::Rng {
    fastrand::Rng::with_seed(fingerprint(&format!("{seed}\n{what}\n{number}\n{n}")))
}

fn fingerprint(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    u64::from_be_bytes(std::array::from_fn(|n| digest[n]))
}

impl Shared {
    /// Judges one submit; what is taken is recorded before anybody hears of it.
    pub(super) async fn receive(&self, submit: &Submit) -> Verdict {
        let now = self.clock.now();
        let script = &self.script;
        let (verdict, early) = {
            let mut state = self.lock();
            state.record.submits.push((now, submit.reference.clone()));
            let recent = state.record.submits.iter().rev().take_while(|(at, _)| now.0 - at.0 < 1000).count();
            if recent > script.rate_per_second as usize {
                return Verdict::Throttled;
            }
            let tries = state.tries.entry(submit.to.clone()).or_default();
            *tries += 1;
            let mut rng = draw(script.seed, "submit", &submit.to, *tries);
            let mut happens = |share: f64| rng.f64() < share;
            let (throttled, unavailable, frequency) = (happens(script.throttled), happens(script.unavailable), happens(script.number_frequency));
            let (request_lost, answer_lost) = (happens(script.request_lost), happens(script.answer_lost));
            if draw(script.seed, "dead", &submit.to, 0).f64() < script.dead_numbers {
                return Verdict::DeadNumber;
            }
            if throttled {
                return Verdict::Throttled;
            }
            if unavailable {
                return Verdict::Unavailable;
            }
            if frequency {
                return Verdict::NumberFrequency;
            }
            if request_lost {
                return Verdict::AnswerLost;
            }
            let (undelivered, no_receipt) = (happens(script.undelivered), happens(script.no_receipt));
            let (doubled, early) = (happens(script.doubled_receipts), happens(script.early_receipts));
            let delay = Duration::from_millis(2_000 + (rng.f64() * rng.f64() * 60_000.0) as u64);

            *state.record.taken.entry(submit.reference.clone()).or_default() += 1;
            *state.record.texts.entry(fingerprint(&format!("{}\n{}", submit.to, submit.text))).or_default() += 1;
            let id = format!("s{}", state.taken.len() + 1);
            state.taken.insert(submit.reference.clone(), Taken { id: id.clone(), state: "accepted" });
            let receipt =
                || Event::Receipt { reference: submit.reference.clone(), delivered: !undelivered, url: submit.callback.clone(), pushes_left: PUSHES };
            let early = early && !undelivered && !no_receipt;
            if !no_receipt && !early {
                state.plan(now + delay, receipt());
                if doubled {
                    state.plan(now + delay * 3, receipt());
                }
            }
            if !undelivered {
                let person = state.people.entry(submit.to.clone()).or_insert_with(|| Person::drawn(script, &submit.to));
                for (at, event) in person.receives(now + delay, &submit.to, &submit.text, &submit.replies) {
                    state.plan(at, event);
                }
            }
            let verdict = if answer_lost { Verdict::AnswerLost } else { Verdict::Taken { id } };
            (verdict, early)
        };
        if early {
            self.push_receipt(&submit.reference, true, &submit.callback).await;
        }
        verdict
    }

    /// False: nobody answered.
    pub(super) async fn push_receipt(&self, reference: &str, delivered: bool, url: &str) -> bool {
        let state = if delivered { "delivered" } else { "undelivered" };
        let id = match self.lock().taken.get_mut(reference) {
            Some(taken) => {
                taken.state = state;
                taken.id.clone()
            }
            None => return true,
        };
        let error = if delivered { "" } else { "absent_for_now" };
        self.push(url, json!({ "id": id, "reference": reference, "state": state, "error": error }).to_string()).await
    }

    /// Posts to a webhook, if that is on loopback. False: it did not answer with success, and wants to be tried again.
    pub(super) async fn push(&self, url: &str, body: String) -> bool {
        let Ok(parsed) = reqwest::Url::parse(url) else { return true };
        if !matches!(parsed.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")) {
            return true;
        }
        self.lock().record.pushes += 1;
        let sent = self.client.post(parsed).header("content-type", "application/json").body(body).send().await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }
}
