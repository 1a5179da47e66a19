//! What every handler can reach.

use std::sync::Arc;

use tokio::sync::watch;

use super::failed_attempt_limiter::FailedAttemptLimiter;
use super::{console, metrics};
use crate::services::context::AppContext;
use crate::services::interviews::InterviewService;

/// What every handler can reach.
pub struct AppState {
    pub context: Arc<AppContext>,
    pub interview_service: InterviewService,
    pub(super) failed_links: FailedAttemptLimiter,
    /// True when the daemon stops: what would go on for ever ends.
    pub(super) stopping: watch::Sender<bool>,
    /// What the home pages of all staff show.
    pub(super) overview_cache: console::OverviewCache,
    pub(super) metrics_cache: metrics::MetricsCache,
    /// Attempts to sign in.
    pub(super) sign_in_attempts: FailedAttemptLimiter,
}
