//! The order of the call queue.

use std::cmp::Reverse;

use crate::domain::time::Timestamp;

/// The priority of a queue entry, the least first: due call-backs, the earliest appointment first;
/// then people without an attempt in this part of the day; then the fewest attempts; then people in
/// the cell that is furthest from its target; then a random order that is independent of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallPriority {
    is_not_promised: bool,
    promised_at: Timestamp,
    /// After a refusal to this interviewer, somebody else should ask.
    has_refused_to_me: bool,
    is_tried_part: bool,
    calls: u32,
    /// In thousandths of the target.
    still_needed: Reverse<u32>,
    tie_breaker: u64,
}

impl CallPriority {
    /// Creates a priority. `promised_at` is the time of a due call-back. `still_needed` is in
    /// thousandths of the target of its cell with the greatest need.
    pub fn new(
        promised_at: Option<Timestamp>,
        has_refused_to_me: bool,
        is_tried_part: bool,
        calls: u32,
        still_needed: u32,
        tie_breaker: u64,
    ) -> CallPriority {
        CallPriority {
            is_not_promised: promised_at.is_none(),
            promised_at: promised_at.unwrap_or(Timestamp(0)),
            has_refused_to_me,
            is_tried_part,
            calls,
            still_needed: Reverse(still_needed),
            tie_breaker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_come_first_then_new_parts_of_the_day_then_few_attempts_then_need() {
        let promised = CallPriority::new(Some(Timestamp(5)), false, true, 9, 0, 9);
        let promised_later = CallPriority::new(Some(Timestamp(6)), false, false, 0, 1_000, 0);
        let new_part = CallPriority::new(None, false, false, 3, 0, 8);
        let fewer = CallPriority::new(None, false, true, 1, 100, 7);
        let needed = CallPriority::new(None, false, true, 2, 900, 6);
        let rest = CallPriority::new(None, false, true, 2, 100, 0);
        let refused = CallPriority::new(None, true, false, 0, 1_000, 0);
        let mut ranks = [refused, rest, needed, fewer, new_part, promised_later, promised];
        ranks.sort();
        assert_eq!(ranks, [promised, promised_later, new_part, fewer, needed, rest, refused]);
    }
}
