//! Replicates: a list that is larger than the need is divided into random parts, and only as many
//! of them are released as the response rate requires.
//!
//! People who are never released are not part of the sample (AAPOR Standard Definitions: outcome
//! rates are computed over released replicates).

use std::time::Duration;

use super::seeded_random::seeded_fraction;

/// The facts that decide how many replicates an application needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicateStatus {
    pub target: u32,
    pub completes: u32,
    /// People of released replicates, and those of them whose case is open with messages still to
    /// be sent.
    pub released: u32,
    pub open: u32,
    /// Average progress of the released people through their plan, from 0 to 1.
    pub maturity: f64,
    /// Held-back people whose cells have room, and the number of their replicates.
    pub held_back: u32,
    pub replicates: u32,
}

/// Delay of the first review of held-back replicates after the launch: by then most people in the
/// field have given their first answers.
pub const FIRST_REVIEW_AFTER: Duration = Duration::from_secs(2 * 86_400);
/// Weight of the prior, in people: after some dozens, the observed rate dominates.
const PRIOR_WEIGHT: f64 = 10.0;
/// Factor on the expected need if there is no time for another round.
const URGENT_SURPLUS: f64 = 1.25;

/// Returns how many more replicates an application needs now. `expected_rate` is the number of
/// completes per released person that is assumed before anything is observed.
pub fn replicates_needed(status: &ReplicateStatus, expected_rate: f64, is_urgent: bool) -> u32 {
    let open = f64::from(status.open);
    let exposed = f64::from(status.released) - open * (1.0 - status.maturity);
    let rate = ((f64::from(status.completes) + expected_rate * PRIOR_WEIGHT)
        / (exposed + PRIOR_WEIGHT))
        .clamp(0.02, 1.0);
    let still_to_come = open * (1.0 - status.maturity) * rate;
    let missing = f64::from(status.target) - f64::from(status.completes) - still_to_come;
    if missing <= 0.0 || status.replicates == 0 || status.held_back == 0 {
        return 0;
    }
    let hurry = if is_urgent { URGENT_SURPLUS } else { 1.0 };
    let people = missing * hurry / rate;
    let in_a_replicate = f64::from(status.held_back) / f64::from(status.replicates);
    // The value is at most some millions.
    ((people / in_a_replicate).ceil() as u32).min(status.replicates)
}

/// Returns the delay until the next review: the time left for new rounds divided by the number of
/// replicates left, at most a week, and every six hours at the end.
pub fn next_review_after(time_left: Duration, plan_length: Duration, replicates: u32) -> Duration {
    const HOUR: Duration = Duration::from_secs(3_600);
    const LEAST: Duration = Duration::from_secs(6 * 3_600);
    (time_left.saturating_sub(plan_length) / (replicates + 1)).clamp(LEAST, HOUR * 24 * 7)
}

/// Returns whether there is no time left for another round after this one.
pub fn is_urgent(time_left: Duration, plan_length: Duration) -> bool {
    time_left < plan_length * 2
}

/// Returns a person's sort key in the draw; the sample is drawn in this order.
pub fn draw_key(seed: &str, phone_hash: &str) -> f64 {
    seeded_fraction(&format!("{seed}\n{phone_hash}"), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn the_need_follows_the_response_rate() {
        let start = ReplicateStatus {
            target: 30,
            held_back: 100,
            replicates: 20,
            ..ReplicateStatus::default()
        };
        // Thirty completes at a rate of one half need sixty people: twelve replicates of five.
        assert_eq!(replicates_needed(&start, 0.5, false), 12);
        let released = |completes, open, maturity| ReplicateStatus {
            target: 30,
            completes,
            released: 60,
            open,
            maturity,
            held_back: 40,
            replicates: 8,
        };
        assert_eq!(replicates_needed(&released(0, 60, 0.0), 0.5, false), 0, "just sent: wait");
        assert_eq!(
            replicates_needed(&released(18, 30, 0.5), 0.5, false),
            3,
            "18 of about 45 answered, some more will"
        );
        assert_eq!(
            replicates_needed(&released(8, 40, 0.9), 0.5, false),
            8,
            "few answer: all that is left"
        );
        assert_eq!(
            replicates_needed(&released(30, 30, 0.5), 0.5, false),
            0,
            "the target is reached"
        );
        assert_eq!(
            replicates_needed(&released(18, 30, 0.5), 0.5, true),
            4,
            "more when there is no time for another round"
        );
    }

    #[test]
    fn looks_come_faster_as_the_deadline_nears() {
        let after = |days: u32| next_review_after(DAY * days, DAY * 14, 4);
        assert_eq!(after(84), DAY * 7);
        assert!(after(30) > after(20) && after(20) > after(15));
        assert_eq!(after(10), Duration::from_secs(6 * 3_600));
        assert!(is_urgent(DAY * 20, DAY * 14) && !is_urgent(DAY * 30, DAY * 14));
    }
}
