//! Paces the submits of this process: one limiter for each gateway, without bursts.
//!
//! The rate is shared by all daemons through the database's slots; this second limiter works on the clock at the very moment of submit, so that a
//! late wake-up cannot press two seconds' messages into one.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Clock;

/// Our clock, as `governor` wants to read it.
#[derive(Clone)]
struct PaceClock(Arc<dyn Clock>);

impl GovernorClock for PaceClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(Duration::from_millis(u64::try_from(self.0.now().0).unwrap_or(0)))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, PaceClock, NoOpMiddleware<Nanos>>;

pub struct Pacers {
    clock: Arc<dyn Clock>,
    limiters: Mutex<HashMap<String, Arc<Limiter>>>,
}

impl Pacers {
    pub fn new(clock: Arc<dyn Clock>) -> Pacers {
        Pacers { clock, limiters: Mutex::default() }
    }

    /// Returns when one more message may go to this gateway.
    pub async fn wait(&self, gateway: &str, per_second: u32) {
        let limiter = {
            let mut limiters = self.limiters.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            limiters.entry(gateway.to_owned()).or_insert_with(|| Arc::new(limiter(per_second, self.clock.clone()))).clone()
        };
        while let Err(not_until) = limiter.check() {
            let now = PaceClock(self.clock.clone()).now();
            let wait = not_until.wait_time_from(now).max(Duration::from_millis(1));
            self.clock.sleep_until(self.clock.now() + wait + Duration::from_micros(999)).await;
        }
    }
}

fn limiter(per_second: u32, clock: Arc<dyn Clock>) -> Limiter {
    let interval = Duration::from_nanos(1_000_000_000u64.div_ceil(u64::from(per_second.max(1))));
    let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(NonZeroU32::MIN);
    RateLimiter::direct_with_clock(quota, PaceClock(clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;
    use crate::domain::time::Timestamp;

    #[tokio::test]
    async fn no_sliding_second_holds_more_than_the_rate_however_late_one_wakes() {
        for per_second in [1, 7, 50, 300, 999] {
            let clock = Arc::new(VirtualClock::starting_at(Timestamp(1_000_000)));
            let pacers = Pacers::new(clock.clone());
            let mut sent = Vec::new();
            for n in 0..2000 {
                pacers.wait("g", per_second).await;
                sent.push(clock.now().0);
                if n % 37 == 0 {
                    clock.advance_to(clock.now() + Duration::from_millis(n % 5 * 130));
                }
            }
            let rate = per_second as usize;
            assert!(sent.windows(rate + 1).all(|w| w[rate] - w[0] >= 1000), "{per_second}/s");
        }
    }
}
