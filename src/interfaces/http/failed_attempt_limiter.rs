//! Limits attempts with invalid links: beyond a few per second, they are answered with 429.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::adapters::clock::Clock;

/// Wrong attempts per second, over all clients. Respondents mistype now and then.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
/// Attempts allowed in a burst.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

/// Adapts the installation's clock to `governor`.
#[derive(Clone)]
struct LimiterClock(Arc<dyn Clock>);

impl GovernorClock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(Duration::from_millis(u64::try_from(self.0.now().0).unwrap_or(0)))
    }
}

pub struct FailedAttemptLimiter(
    RateLimiter<NotKeyed, InMemoryState, LimiterClock, NoOpMiddleware<Nanos>>,
);

impl FailedAttemptLimiter {
    pub fn new(clock: Arc<dyn Clock>) -> FailedAttemptLimiter {
        FailedAttemptLimiter(RateLimiter::direct_with_clock(
            Quota::per_second(PER_SECOND).allow_burst(BURST),
            LimiterClock(clock),
        ))
    }

    /// Counts one wrong attempt. Returns false if there were too many.
    pub fn allow(&self) -> bool {
        self.0.check().is_ok()
    }
}
