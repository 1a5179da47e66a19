//! The circuit breakers: a gateway that fails again and again is held still for a while, then tried with one message.
//!
//! This process counts the failures in a row; that a circuit is open is written down for all daemons (`store::rates`). A refusal is no failure: the
//! gateway has answered.

use std::collections::HashMap;
use std::sync::Mutex;

use super::lock;
use crate::adapters::sms::Outcome;

/// So many failures in a row open a circuit.
const FAILURES: u32 = 5;

#[derive(Default)]
pub struct Breakers(Mutex<HashMap<String, u32>>);

/// What an outcome means for its gateway's circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    AsItIs,
    /// It has answered after failures: closed, if it was open.
    Closes,
    Opens,
}

impl Breakers {
    pub fn count(&self, gateway: &str, outcome: &Outcome, on_probation: bool) -> Circuit {
        let mut failures = lock(&self.0);
        let count = failures.entry(gateway.to_owned()).or_default();
        if !matches!(outcome, Outcome::PassingFailure { .. } | Outcome::InDoubt { .. }) {
            *count = 0;
            return if on_probation { Circuit::Closes } else { Circuit::AsItIs };
        }
        *count += 1;
        if *count >= FAILURES || on_probation {
            *count = 0;
            return Circuit::Opens;
        }
        Circuit::AsItIs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it_and_one_on_probation_does() {
        let (breakers, failure, answer) =
            (Breakers::default(), Outcome::PassingFailure { code: "x".into() }, Outcome::RefusedNumber { code: "y".into() });
        let four: Vec<Circuit> = (0..4).map(|_| breakers.count("g", &failure, false)).collect();
        assert!(four.iter().all(|&c| c == Circuit::AsItIs));
        assert_eq!(breakers.count("g", &answer, false), Circuit::AsItIs, "an answer begins the count anew");
        (0..4).for_each(|_| assert_eq!(breakers.count("g", &failure, false), Circuit::AsItIs));
        assert_eq!(breakers.count("g", &failure, false), Circuit::Opens);
        assert_eq!(breakers.count("g", &failure, true), Circuit::Opens);
        assert_eq!(breakers.count("g", &answer, true), Circuit::Closes);
    }
}
