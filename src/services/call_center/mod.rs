//! Telephone interviewing: who is called next, what the interviewer sees, and what follows from
//! each call.
//!
//! In go the people whom a contact plan has handed to the interviewers
//! ([`crate::adapters::database::call_queue`]) and what interviewers tell; out come calls, cases
//! moved to their dispositions, and times for the next call. [`queue`] gives somebody to one
//! interviewer alone and shows the number only then, when the rules allow a call at this very
//! moment (invariant I2); [`outcome`] writes down what a call came to. The questions are
//! `collect/`'s, as on the web. It dials nothing itself.

pub mod call_screen;
pub mod outcome;
pub mod quality;
pub mod queue;
pub mod supervision;
pub mod verification;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::time::Timestamp;
use crate::services::sms_sending::DispatchError;

#[derive(Debug, thiserror::Error)]
pub enum CallCenterError {
    #[error("the call is over, or its person is with somebody else by now")]
    CallOver,
    #[error("the time for the call-back lies in the past; choose one to come")]
    TimeInPast,
    #[error("at that time nobody is called; the next that is open is {}", .0.map_or("none".to_owned(), |at| format!("{at:?}")))]
    OutsideHours(Option<Timestamp>),
    #[error("the field closes before that; choose an earlier time")]
    AfterFieldCloses,
    #[error("this number gets no SMS, or the plan has no message with a link")]
    NoSms,
    #[error("no call to this person is to come")]
    NotInQueue,
    #[error("no account {0} that interviews")]
    UnknownInterviewer(String),
    #[error("campaign {code}: its stored plan cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
}
