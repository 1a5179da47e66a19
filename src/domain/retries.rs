//! How often something is tried that others must take: ever more seldom, and given up after some days.

use std::time::Duration;

/// The wait after the first failure; each further one is three times as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(12 * 3_600);
/// With these waits, about three days.
const MOST_TRIES: u32 = 12;

/// The wait after so many tries; `None`: it is given up.
pub fn wait_after(tries: u32) -> Option<Duration> {
    (tries < MOST_TRIES).then(|| (FIRST_WAIT * 3u32.saturating_pow(tries.saturating_sub(1).min(9))).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_for_about_three_days() {
        let waits: Vec<Duration> = (1..).map_while(wait_after).collect();
        assert_eq!(waits.len(), 11);
        assert_eq!(waits[..3].iter().map(Duration::as_secs).collect::<Vec<_>>(), [60, 180, 540]);
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]) && waits.iter().all(|wait| *wait <= LONGEST_WAIT));
        let hours = waits.iter().sum::<Duration>().as_secs() / 3_600;
        assert!((60..84).contains(&hours), "{hours}");
    }
}
