//! Limits attempts: those with invalid links and tokens over all clients, sign-ins by address and by
//! browser. Beyond the limit they are answered with 429.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::adapters::clock::Clock;

/// Wrong attempts per second, over all clients. Respondents mistype now and then.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
/// Attempts allowed in a burst.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);
/// Keys that are remembered; beyond them, those that have not been seen lately are forgotten.
const MAX_KEYS: usize = 10_000;

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

/// Limits attempts by a key.
pub struct KeyedLimiter<K: Hash + Eq + Clone>(
    RateLimiter<K, HashMapStateStore<K>, LimiterClock, NoOpMiddleware<Nanos>>,
);

impl<K: Hash + Eq + Clone> KeyedLimiter<K> {
    /// Allows `burst` attempts at once, and one more after each `period`.
    pub fn new(clock: Arc<dyn Clock>, burst: NonZeroU32, period: Duration) -> KeyedLimiter<K> {
        let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(burst));
        let quota = quota.allow_burst(burst);
        KeyedLimiter(RateLimiter::hashmap_with_clock(quota, LimiterClock(clock)))
    }

    /// Counts one attempt. Returns false if there were too many.
    pub fn allow(&self, key: &K) -> bool {
        if self.0.len() > MAX_KEYS {
            self.0.retain_recent();
        }
        self.0.check_key(key).is_ok()
    }
}
