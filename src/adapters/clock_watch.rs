//! Notices when somebody sets the machine's clock, by a steady clock that nobody can set.
//!
//! After a step, nothing is done for [`SETTLING_TIME`] that cannot be taken back: no message goes
//! out, no field closes, nothing is deleted, no call is given up. Pages go on, and leases of open
//! pages are renewed meanwhile. A clock that was set by mistake can be set right in this time, and
//! after one that was wrong before, all goes on by itself.

use std::sync::Mutex;
use std::time::Duration;

use super::clock::Clock;
use crate::domain::time::Timestamp;

/// A difference to the steady clock from which the clock was set, and not only corrected a little.
const MIN_STEP: Duration = Duration::from_secs(60);
/// How long what cannot be taken back waits after a step.
pub const SETTLING_TIME: Duration = Duration::from_secs(600);

/// The clock as last looked at.
#[derive(Debug)]
pub struct ClockWatch(Mutex<Watched>);

#[derive(Debug, Clone, Copy)]
struct Watched {
    time: Timestamp,
    steady: Duration,
    last_step: Option<ClockStep>,
}

/// A step of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// Negative: it was set back.
    pub millis: i64,
    /// When it was noticed, by the steady clock.
    pub noticed_at: Duration,
}

impl ClockWatch {
    pub fn new(clock: &dyn Clock) -> ClockWatch {
        let (time, steady) = (clock.now(), clock.steady());
        ClockWatch(Mutex::new(Watched { time, steady, last_step: None }))
    }

    /// Looks at the clock. Returns the last step, while what cannot be taken back waits for it.
    pub fn recent_step(&self, clock: &dyn Clock) -> Option<ClockStep> {
        let (time, steady) = (clock.now(), clock.steady());
        // A panic between two plain assignments is impossible, so the state is sound.
        let mut watched = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let elapsed = steady.saturating_sub(watched.steady);
        let expected = watched.time + elapsed;
        let millis = time.0 - expected.0;
        if millis.unsigned_abs() >= MIN_STEP.as_millis() as u64 {
            tracing::error!(
                seconds = millis / 1000,
                wait_seconds = SETTLING_TIME.as_secs(),
                "the clock was set: nothing that cannot be taken back is done for a while"
            );
            watched.last_step = Some(ClockStep { millis, noticed_at: steady });
        }
        // Little by little, a clock may be corrected.
        (watched.time, watched.steady) = (time, steady);
        watched.last_step.filter(|step| steady.saturating_sub(step.noticed_at) < SETTLING_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::clock::VirtualClock;

    #[test]
    fn a_step_is_noticed_and_passes_and_time_that_goes_by_is_none() {
        let start = Timestamp::from_local("2026-03-02T09:30:00".parse().unwrap(), chrono_tz::UTC);
        for step in [3_600_000, -3_600_000, 2 * 86_400_000, -2 * 86_400_000, 61_000] {
            let clock = VirtualClock::starting_at(start);
            let watch = ClockWatch::new(&clock);
            clock.advance_to(start + Duration::from_secs(7 * 86_400));
            assert_eq!(watch.recent_step(&clock), None, "a week that goes by");
            clock.set_to(Timestamp(clock.now().0 + step));
            assert_eq!(watch.recent_step(&clock).unwrap().millis, step);
            let settled = clock.now() + SETTLING_TIME;
            clock.advance_to(Timestamp(settled.0 - 1));
            assert_eq!(watch.recent_step(&clock).unwrap().millis, step, "it waits");
            clock.advance_to(settled);
            assert_eq!(watch.recent_step(&clock), None, "it goes on");
        }
        let clock = VirtualClock::starting_at(start);
        let watch = ClockWatch::new(&clock);
        for second in 1..100 {
            clock.set_to(start + Duration::from_millis(second * 900));
            assert_eq!(watch.recent_step(&clock), None, "a correction");
        }
    }
}
