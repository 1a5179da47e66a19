//! What every handler can reach.

use std::sync::Arc;

use tokio::sync::watch;

use super::failed_attempt_limiter::Guesses;
use super::{console, metrics};
use crate::services::context::Installation;
use crate::services::interviews::Collector;

/// What every handler can reach.
pub struct Site {
    pub installation: Arc<Installation>,
    pub collector: Collector,
    pub(super) guesses: Guesses,
    /// True when the daemon stops: what would go on for ever ends.
    pub(super) stopping: watch::Sender<bool>,
    /// What those who watch are told.
    pub(super) latest: console::Latest,
    pub(super) metrics: metrics::Latest,
    /// Attempts to sign in.
    pub(super) sign_ins: Guesses,
}
