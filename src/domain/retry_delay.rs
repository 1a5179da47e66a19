//! The backoff of deliveries to other systems: longer with every attempt, and given up after some
//! days.

use std::time::Duration;

/// No attempt waits longer for the next one.
pub const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(12 * 3_600);
/// The delay after the first failure; each further one is three times as long, up to the maximum.
const FIRST_DELAY: Duration = Duration::from_secs(60);
const MAX_DELAY: Duration = LONGEST_RETRY_DELAY;
/// With these delays, about three days.
const MAX_ATTEMPTS: u32 = 12;

/// Returns the delay after a number of attempts; `None`: give up.
pub fn retry_delay(attempts: u32) -> Option<Duration> {
    (attempts < MAX_ATTEMPTS).then(|| {
        (FIRST_DELAY * 3u32.saturating_pow(attempts.saturating_sub(1).min(9))).min(MAX_DELAY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_for_about_three_days() {
        let waits: Vec<Duration> = (1..).map_while(retry_delay).collect();
        assert_eq!(waits.len(), 11);
        assert_eq!(waits[..3].iter().map(Duration::as_secs).collect::<Vec<_>>(), [60, 180, 540]);
        assert!(
            waits.windows(2).all(|pair| pair[0] <= pair[1])
                && waits.iter().all(|wait| *wait <= MAX_DELAY)
        );
        let hours = waits.iter().sum::<Duration>().as_secs() / 3_600;
        assert!((60..84).contains(&hours), "{hours}");
    }
}
