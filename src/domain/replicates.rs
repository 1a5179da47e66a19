//! Replicates: a list that is larger than the need is drawn into random parts, and no more of them
//! go into the field than the response rate asks for.
//!
//! Whoever is never released is no part of the sample (AAPOR Standard Definitions: outcome rates
//! are reckoned over released replicates).

use std::time::Duration;

use super::seeded_random::seeded_fraction;

/// What is known of one application when it is decided how many replicates it needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicateStatus {
    pub target: u32,
    pub completes: u32,
    /// People of released replicates, and those of them whose case is still open with messages to
    /// come.
    pub released: u32,
    pub open: u32,
    /// How far the released people are through their plan, from 0 to 1, on average.
    pub maturity: f64,
    /// People that are held back and whose cells have room, and the replicates that they are spread
    /// over.
    pub held_back: u32,
    pub replicates: u32,
}

/// Replicates that are held back are looked at so long after the launch: by then most of those in
/// the field have had their first answers.
pub const FIRST_REVIEW_AFTER: Duration = Duration::from_secs(2 * 86_400);
/// The prior is worth so many people: after some dozens, what was seen decides.
const PRIOR_WEIGHT: f64 = 10.0;
/// When there is no time for another round, so much more is released than is expected to be needed.
const URGENT_SURPLUS: f64 = 1.25;

/// How many more replicates an application needs now. `expected_rate`: completes by released
/// people, before anything has been seen.
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
    // A value of at most some millions.
    ((people / in_a_replicate).ceil() as u32).min(status.replicates)
}

/// When to look again: the time that is left for new rounds, divided by what may still be released;
/// never longer than a week, and every six hours at the end.
pub fn next_review_after(time_left: Duration, plan_length: Duration, replicates: u32) -> Duration {
    const HOUR: Duration = Duration::from_secs(3_600);
    const LEAST: Duration = Duration::from_secs(6 * 3_600);
    (time_left.saturating_sub(plan_length) / (replicates + 1)).clamp(LEAST, HOUR * 24 * 7)
}

/// Is there no time left for a round after this one?
pub fn is_urgent(time_left: Duration, plan_length: Duration) -> bool {
    time_left < plan_length * 2
}

/// A person's place in the draw; the order of these is the order of the sample.
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
        // Thirty completes at one in two are sixty people, twelve replicates of five.
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
