//! The simulated carrier: accepts or rejects messages, and sends receipts for them.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::cmpp::is_push_address;
use super::people::Person;
use super::server::SubmitRequest;
use super::{AcceptedMessage, Event, Shared};

/// Maximum number of attempts for a push, a minute apart.
pub(super) const MAX_PUSH_ATTEMPTS: u8 = 10;

pub(super) enum SubmitResponse {
    Accepted {
        id: String,
    },
    Throttled,
    InvalidNumber,
    NumberFrequencyExceeded,
    Unavailable,
    /// The response never reaches the caller; the message was accepted or not.
    ResponseLost,
}

/// Creates a separate generator for every decision, so that no draw depends on the order of
/// requests.
pub(super) fn rng_for(seed: u64, what: &str, number: &str, n: u32) -> fastrand::Rng {
    fastrand::Rng::with_seed(fingerprint(&format!("{seed}\n{what}\n{number}\n{n}")))
}

/// The fingerprint of a text to a number.
pub(super) fn text_fingerprint(number: &str, text: &str) -> u64 {
    fingerprint(&format!("{number}\n{text}"))
}

pub(super) fn fingerprint(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    u64::from_be_bytes(std::array::from_fn(|n| digest[n]))
}

impl Shared {
    /// Handles one submit; an accepted message is recorded before the response is sent.
    pub(super) async fn handle_submit(&self, submit: &SubmitRequest) -> SubmitResponse {
        let now = self.clock.now();
        let scenario = &self.scenario;
        let (response, is_receipt_early) = {
            let mut state = self.lock();
            state.record.submits.push((now, submit.reference.clone()));
            let recent_submits =
                state.record.submits.iter().rev().take_while(|(at, _)| now.0 - at.0 < 1000).count();
            if recent_submits > scenario.rate_per_second as usize {
                return SubmitResponse::Throttled;
            }
            let attempts = state.attempt_counts.entry(submit.to.clone()).or_default();
            *attempts += 1;
            let mut rng = rng_for(scenario.seed, "submit", &submit.to, *attempts);
            let mut is_drawn = |share: f64| rng.f64() < share;
            let (throttled, unavailable, frequency) = (
                is_drawn(scenario.throttled),
                is_drawn(scenario.unavailable),
                is_drawn(scenario.number_frequency),
            );
            let (request_lost, response_lost) =
                (is_drawn(scenario.request_lost), is_drawn(scenario.response_lost));
            if rng_for(scenario.seed, "dead", &submit.to, 0).f64() < scenario.invalid_numbers {
                return SubmitResponse::InvalidNumber;
            }
            if throttled {
                return SubmitResponse::Throttled;
            }
            if unavailable {
                return SubmitResponse::Unavailable;
            }
            if frequency {
                return SubmitResponse::NumberFrequencyExceeded;
            }
            if request_lost {
                return SubmitResponse::ResponseLost;
            }
            let (undelivered, no_receipt) =
                (is_drawn(scenario.undelivered), is_drawn(scenario.no_receipt));
            let (doubled, is_receipt_early) =
                (is_drawn(scenario.duplicate_receipts), is_drawn(scenario.early_receipts));
            let delay = Duration::from_millis(2_000 + (rng.f64() * rng.f64() * 60_000.0) as u64);

            *state.record.accepted.entry(submit.reference.clone()).or_default() += 1;
            *state
                .record
                .text_fingerprints
                .entry(text_fingerprint(&submit.to, &submit.text))
                .or_default() += 1;
            if let Some((_, after)) = submit.text.split_once("验证码") {
                let code = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
                state.record.one_time_codes.insert(submit.to.clone(), code);
            }
            let id = format!("s{}", state.accepted.len() + 1);
            state.accepted.insert(
                submit.reference.clone(),
                AcceptedMessage { id: id.clone(), state: "accepted" },
            );
            let receipt = || Event::Receipt {
                reference: submit.reference.clone(),
                delivered: !undelivered,
                url: submit.callback.clone(),
                pushes_left: MAX_PUSH_ATTEMPTS,
            };
            let is_receipt_early = is_receipt_early && !undelivered && !no_receipt;
            if !no_receipt && !is_receipt_early {
                state.schedule(now + delay, receipt());
                if doubled {
                    state.schedule(now + delay * 3, receipt());
                }
            }
            if !undelivered {
                let person = state
                    .people
                    .entry(submit.to.clone())
                    .or_insert_with(|| Person::random(scenario, &submit.to));
                let (events, is_answered_for) =
                    person.receive_message(now + delay, &submit.to, &submit.text, &submit.replies);
                for (at, event) in events {
                    state.schedule(at, event);
                }
                if is_answered_for {
                    state.record.answered_for.insert(submit.to.clone());
                }
            }
            let response = if response_lost {
                SubmitResponse::ResponseLost
            } else {
                SubmitResponse::Accepted { id }
            };
            (response, is_receipt_early)
        };
        if is_receipt_early {
            self.push_receipt(&submit.reference, true, &submit.callback).await;
        }
        response
    }

    /// Pushes a receipt. Returns false if nobody answered.
    pub(super) async fn push_receipt(&self, reference: &str, delivered: bool, url: &str) -> bool {
        let state = if delivered { "delivered" } else { "undelivered" };
        let id = match self.lock().accepted.get_mut(reference) {
            Some(accepted) => {
                accepted.state = state;
                accepted.id.clone()
            }
            None => return true,
        };
        if is_push_address(url) {
            return self.report_over_cmpp(reference, delivered).await;
        }
        let error = if delivered { "" } else { "absent_for_now" };
        self.push(
            url,
            json!({ "id": id, "reference": reference, "state": state, "error": error }).to_string(),
        )
        .await
    }

    /// Posts to a webhook, if it is on loopback. Returns false if it did not answer with success;
    /// then the push is to be retried.
    pub(super) async fn push(&self, url: &str, body: String) -> bool {
        let Ok(parsed) = reqwest::Url::parse(url) else { return true };
        if !matches!(parsed.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")) {
            return true;
        }
        self.lock().record.pushes += 1;
        let sent = self
            .client
            .post(parsed)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }
}
