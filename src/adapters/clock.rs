//! The single source of time (invariant I8).
//!
//! Code that needs the time takes a [`Clock`]. The daemon uses [`SystemClock`]; the demo, the
//! rehearsal and the tests use [`VirtualClock`], in which three months pass in seconds and the same
//! plan gives the same run.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use crate::domain::time::Timestamp;

#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Returns the time since some moment before, by a clock that nobody can set.
    fn steady(&self) -> Duration;

    /// Returns when the clock reads `at` or later.
    async fn sleep_until(&self, at: Timestamp);
}

/// The system clock.
#[derive(Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(0) + since_epoch
    }

    fn steady(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let wait = at.since(self.now());
        // A timer takes a millisecond or two even for a zero duration.
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// A clock that moves only on request or when a task sleeps on it: sleeping advances the time
/// without waiting.
#[derive(Debug)]
pub struct VirtualClock {
    now: AtomicI64,
    /// Milliseconds that have gone by.
    steady: AtomicU64,
}

impl VirtualClock {
    pub fn starting_at(at: Timestamp) -> VirtualClock {
        VirtualClock { now: AtomicI64::new(at.0), steady: AtomicU64::new(0) }
    }

    /// Advances the clock to `at`; never moves it back.
    pub fn advance_to(&self, at: Timestamp) {
        let before = self.now.fetch_max(at.0, Ordering::SeqCst);
        let passed = u64::try_from(at.0 - before).unwrap_or(0);
        self.steady.fetch_add(passed, Ordering::SeqCst);
    }

    /// Sets the clock, as somebody sets a machine's: no time goes by.
    pub fn set_to(&self, at: Timestamp) {
        self.now.store(at.0, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.steady.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, at: Timestamp) {
        self.advance_to(at);
    }
}
