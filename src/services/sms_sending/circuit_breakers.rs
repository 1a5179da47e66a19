//! The circuit breakers: a gateway that fails again and again is paused for a while, then tried
//! with one message.
//!
//! This process counts the failures in a row; that a circuit is open is written down for all
//! daemons (`store::rates`). A refusal is no failure: the gateway has answered.

use std::collections::HashMap;
use std::sync::Mutex;

use super::lock;
use crate::adapters::sms::SubmitOutcome;

/// So many failures in a row open a circuit.
const FAILURES_TO_OPEN: u32 = 5;

#[derive(Default)]
pub struct CircuitBreakers(Mutex<HashMap<String, u32>>);

/// What an outcome means for its gateway's circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitChange {
    Unchanged,
    /// It has answered after failures: closed, if it was open.
    Closes,
    Opens,
}

impl CircuitBreakers {
    pub fn record_outcome(
        &self,
        gateway: &str,
        outcome: &SubmitOutcome,
        is_half_open: bool,
    ) -> CircuitChange {
        let mut failures = lock(&self.0);
        let count = failures.entry(gateway.to_owned()).or_default();
        if !matches!(
            outcome,
            SubmitOutcome::TemporaryFailure { .. } | SubmitOutcome::InDoubt { .. }
        ) {
            *count = 0;
            return if is_half_open { CircuitChange::Closes } else { CircuitChange::Unchanged };
        }
        *count += 1;
        if *count >= FAILURES_TO_OPEN || is_half_open {
            *count = 0;
            return CircuitChange::Opens;
        }
        CircuitChange::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it_and_one_on_probation_does() {
        let (circuits, failure, answer) = (
            CircuitBreakers::default(),
            SubmitOutcome::TemporaryFailure { code: "x".into() },
            SubmitOutcome::RefusedNumber { code: "y".into() },
        );
        let four: Vec<CircuitChange> =
            (0..4).map(|_| circuits.record_outcome("g", &failure, false)).collect();
        assert!(four.iter().all(|&c| c == CircuitChange::Unchanged));
        assert_eq!(
            circuits.record_outcome("g", &answer, false),
            CircuitChange::Unchanged,
            "an answer begins the count anew"
        );
        (0..4).for_each(|_| {
            assert_eq!(circuits.record_outcome("g", &failure, false), CircuitChange::Unchanged)
        });
        assert_eq!(circuits.record_outcome("g", &failure, false), CircuitChange::Opens);
        assert_eq!(circuits.record_outcome("g", &failure, true), CircuitChange::Opens);
        assert_eq!(circuits.record_outcome("g", &answer, true), CircuitChange::Closes);
    }
}
