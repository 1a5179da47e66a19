//! Interviews: what respondents see behind their link, and how their answers are stored.
//!
//! The input is the code of a personal link and a submitted form; the result is a [`Screen`].
//! Viewing changes nothing (message scanners open links). Only a respondent's input does, each in
//! one transaction that is on disk before anybody is thanked (invariant I5). [`save_page`] stores
//! pages, [`keep_page`] the contents of a page that is left, [`paper_answers`] a paper form that
//! staff keyed in, [`respondent_requests`] other requests, [`refusals`] refusals and their
//! withdrawal. Nothing is asked before the respondent agrees to the privacy notice. A respondent's
//! cases are asked one after another, in the order of their applications' codes. The module knows
//! no HTML and sends nothing.

mod inbound;
mod invitation_cases;
mod keep_page;
mod launched_cache;
mod lookup;
mod paper_answers;
mod refusals;
mod respondent_requests;
mod save_page;
pub mod sms_conversation;

pub use invitation_cases::{
    EndScreen, InterviewCase, InvitationCases, RequestConfirmation, Screen, decode_answers,
};
pub use paper_answers::{FormOutcome, SubmittedForm};
pub use respondent_requests::{CallTime, ReminderTime, withdraw_answers};
pub use save_page::{AnswerContext, SaveOutcome, SubmittedPage};

use std::sync::Arc;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::questionnaire::QuestionnaireError;
use crate::services::context::AppContext;
use crate::services::sms_sending::DispatchError;
use launched_cache::LaunchedCache;
use lookup::LinkLookup;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "interview.", serialize_all = "snake_case")]
pub enum InterviewError {
    #[error("no invitation has this link")]
    UnknownLink,
    #[error("the page sent a field that is none of this questionnaire's")]
    InvalidForm,
    #[error("questionnaire {id} as launched cannot be read: {error}")]
    Questionnaire { id: i64, error: QuestionnaireError },
    #[error("the plan of campaign {campaign}, as launched, cannot be read: {error}")]
    Plan { campaign: String, error: ContactPlanError },
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    /// Of a look that served several.
    #[error(transparent)]
    Lookup(#[from] Arc<DatabaseError>),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    #[strum(transparent)]
    Dispatch(#[from] DispatchError),
}

/// The collection of one installation.
pub struct InterviewService {
    context: Arc<AppContext>,
    cache: LaunchedCache,
    lookup: LinkLookup,
}

impl InterviewService {
    pub fn new(context: Arc<AppContext>) -> InterviewService {
        let lookup = LinkLookup::new(context.database.clone());
        InterviewService { context, cache: LaunchedCache::default(), lookup }
    }
}
