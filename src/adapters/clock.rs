//! The single source of time (invariant I8).
//!
//! Code that needs the time takes a [`Clock`]. The daemon uses [`SystemClock`]; the demo, the
//! rehearsal and the tests use [`VirtualClock`], in which three months pass in seconds and the same
//! plan gives the same run.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use crate::domain::time::Timestamp;

#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

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
pub struct VirtualClock(AtomicI64);

impl VirtualClock {
    pub fn starting_at(at: Timestamp) -> VirtualClock {
        VirtualClock(AtomicI64::new(at.0))
    }

    /// Advances the clock to `at`; never moves it back.
    pub fn advance_to(&self, at: Timestamp) {
        self.0.fetch_max(at.0, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, at: Timestamp) {
        self.advance_to(at);
    }
}
