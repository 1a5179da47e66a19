//! Long messages at gateways that take each part by itself (SMPP, CMPP): every part has a slot, a
//! place in flight and an answer of its own. A part that was certainly not accepted is sent again,
//! that part only, since the parts before it are with the gateway already.

use std::time::Duration;

use super::claim::ClaimedMessage;
use super::settle::{SubmitEnding, SubmitResult};
use crate::adapters::sms::{GatewayExchange, MessagePart, OutgoingMessage, SubmitOutcome};
use crate::domain::seeded_random::jittered;
use crate::domain::time::Timestamp;

/// The rest of a message is tried for so long at most.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The code of a message in doubt of whose parts only some were accepted.
const PART_REFUSED: &str = "part_refused";

/// A long message of which some parts are still to be sent.
pub struct LongMessage {
    claimed: ClaimedMessage,
    total: u8,
    reference: u8,
    begun_at: Timestamp,
    patience: Duration,
    /// The next part goes out at this time at the earliest.
    pub not_before: Timestamp,
    /// The gateway's ids of the parts that it has accepted.
    accepted: Vec<Option<String>>,
    requests: Vec<String>,
    responses: Vec<String>,
}

/// How a long message stands after the answer to one of its parts.
pub enum PartProgress {
    /// A part is still to be sent.
    Continues(LongMessage),
    /// The same, and the gateway gets parts too fast.
    Throttled(LongMessage, Option<Duration>),
    Ended(Box<SubmitResult>),
}

impl LongMessage {
    /// `lost_after`: another daemon takes a submit for lost that has no answer for so long.
    pub fn new(
        claimed: ClaimedMessage,
        parts: u32,
        lost_after: Duration,
        now: Timestamp,
    ) -> LongMessage {
        // What the parts have in common; the next message to the same telephone has another one.
        let reference = claimed.message.reference.bytes();
        let reference = reference.fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        LongMessage {
            claimed,
            // A plan's texts have ten parts at most.
            total: u8::try_from(parts).unwrap_or(u8::MAX),
            reference,
            begun_at: now,
            patience: PATIENCE.min(lost_after / 2),
            not_before: now,
            accepted: Vec::new(),
            requests: Vec::new(),
            responses: Vec::new(),
        }
    }

    pub fn seed(&self) -> &str {
        &self.claimed.message.reference
    }

    /// Whether one of its parts has been accepted: then the rest follows, whatever the rules say.
    pub fn is_begun(&self) -> bool {
        !self.accepted.is_empty()
    }

    /// The message as it is submitted now: its next part.
    pub fn next_part(&self) -> OutgoingMessage {
        let number = u8::try_from(self.accepted.len()).unwrap_or(u8::MAX).saturating_add(1);
        let part = MessagePart { number, total: self.total, reference: self.reference };
        OutgoingMessage { part: Some(part), ..self.claimed.message.clone() }
    }

    /// Takes the answer to its next part.
    pub fn record(
        mut self,
        outcome: SubmitOutcome,
        log_entry: GatewayExchange,
        now: Timestamp,
    ) -> PartProgress {
        self.requests.push(log_entry.request);
        self.responses.push(log_entry.response);
        let seed = &self.claimed.message.reference;
        match outcome {
            SubmitOutcome::Accepted { id } => {
                self.accepted.push(id);
                if self.accepted.len() < usize::from(self.total) {
                    return PartProgress::Continues(self);
                }
                self.end(SubmitOutcome::Accepted { id: None })
            }
            outcome if !self.is_begun() => self.end(outcome),
            SubmitOutcome::InDoubt { code } => self.end(SubmitOutcome::InDoubt { code }),
            SubmitOutcome::Throttled { retry_after, .. } if self.may_wait(now) => {
                self.not_before = now + jittered(retry_after.unwrap_or(RETRY_AFTER), seed, 0);
                PartProgress::Throttled(self, retry_after)
            }
            SubmitOutcome::TemporaryFailure { .. } if self.may_wait(now) => {
                self.not_before = now + jittered(RETRY_AFTER, seed, 0);
                PartProgress::Continues(self)
            }
            _ => self.end(SubmitOutcome::InDoubt { code: PART_REFUSED.into() }),
        }
    }

    /// Gives the rest of a message up for which there is no slot.
    pub fn give_up(self) -> PartProgress {
        self.end(SubmitOutcome::InDoubt { code: PART_REFUSED.into() })
    }

    pub fn may_wait(&self, now: Timestamp) -> bool {
        now.since(self.begun_at) < self.patience
    }

    fn end(self, outcome: SubmitOutcome) -> PartProgress {
        let log_entry = GatewayExchange {
            request: self.requests.join("\n"),
            response: self.responses.join("\n"),
        };
        PartProgress::Ended(Box::new(SubmitResult {
            ending: match self.accepted.is_empty() {
                true => SubmitEnding::BatchResult(outcome, log_entry),
                false => SubmitEnding::Parts(outcome, log_entry, self.accepted),
            },
            claimed: self.claimed,
            at: self.begun_at,
        }))
    }
}
