//! What staff prepare on the console before anything goes out: lists that are looked at and
//! corrected row by row, campaigns that are drawn up, tried out, rehearsed and launched. Nothing
//! here sends but the test message to oneself.

pub mod campaigns;
pub mod lists;
pub mod plan_form;

use std::time::Duration;

use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// A link to try a questionnaire out is good for so long.
pub const TRIAL_LINK_LIFETIME: Duration = Duration::from_secs(2 * 86_400);

/// The signature of a link to try a category's questionnaire out until a moment; it names nobody.
pub fn trial_signature(context: &AppContext, category: &str, until: Timestamp) -> String {
    context.keys.hasher().fingerprint(format!("try\n{category}\n{}", until.0).as_bytes())
}

/// Where somebody tries a questionnaire out on their own telephone.
pub fn trial_link(context: &AppContext, category: &str) -> String {
    let until = context.clock.now() + TRIAL_LINK_LIFETIME;
    format!(
        "{}/try/{category}/{}/{}",
        context.config.public_url,
        until.0,
        trial_signature(context, category, until)
    )
}
