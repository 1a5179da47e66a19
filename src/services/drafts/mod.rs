//! Drafts that staff prepare on the console: lists that are previewed and corrected row by row
//! ([`lists`]), and campaigns that are checked, tested, rehearsed and launched ([`campaigns`]).
//! Nothing is sent from here except the test message to oneself.

pub mod campaigns;
pub mod library;
pub mod lists;
pub mod plan_form;
pub mod previews;

use std::time::Duration;

use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// How long the link to try out a questionnaire is valid.
pub const TRIAL_LINK_LIFETIME: Duration = Duration::from_secs(2 * 86_400);

/// Returns the signature of a link to try out a category's questionnaire until a moment. It
/// identifies nobody.
pub fn trial_signature(context: &AppContext, category: &str, until: Timestamp) -> String {
    context.keys.hasher().fingerprint(format!("try\n{category}\n{}", until.0).as_bytes())
}

/// Returns the link to try out a category's questionnaire on one's own phone.
pub fn trial_link(context: &AppContext, category: &str) -> String {
    let until = context.clock.now() + TRIAL_LINK_LIFETIME;
    format!(
        "{}/try/{category}/{}/{}",
        context.config.public_url,
        until.0,
        trial_signature(context, category, until)
    )
}
