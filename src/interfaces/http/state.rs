//! State shared by all handlers.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::failed_attempt_limiter::{FailedAttemptLimiter, KeyedLimiter};
use super::{console, metrics, respondent};
use crate::services::context::AppContext;
use crate::services::interviews::InterviewService;
use crate::services::monitoring::answers::AnswerCounts;
use crate::services::monitoring::contact_hours::ContactHourCounts;

/// State shared by all handlers.
pub struct AppState {
    pub context: Arc<AppContext>,
    pub interview_service: InterviewService,
    /// Held by a change with a precondition while it is compared and made.
    pub(super) conditional_change: tokio::sync::Mutex<()>,
    pub(super) failed_links: FailedAttemptLimiter,
    /// True when the daemon is stopping; ends open event streams.
    pub(super) stopping: watch::Sender<bool>,
    /// Cached overview of the home pages.
    pub(super) overview_cache: console::OverviewCache,
    /// Latest counts of the pages «answers» and «contacts».
    pub(super) answer_counts: AnswerCounts,
    pub(super) contact_hours: ContactHourCounts,
    pub(super) metrics_cache: metrics::MetricsCache,
    /// Whom respondents ask, for pages that belong to no invitation.
    pub(super) organisers: respondent::OrganiserCache,
    /// Entries of pushes that could not be read, by gateway and kind.
    pub(super) unreadable_entries: metrics::LabelledCounter,
    /// Limits sign-in attempts by the client's address; many interviewers may share one.
    pub(super) sign_ins_by_address: KeyedLimiter<IpAddr>,
    /// Limits sign-in attempts by the device cookie, which passes an account's lock.
    pub(super) sign_ins_by_device: KeyedLimiter<String>,
}
