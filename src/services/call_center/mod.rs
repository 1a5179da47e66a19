//! Telephone interviewing: the queue, the interviewer's screen, and the outcome of each call.
//!
//! The queue ([`crate::adapters::database::call_queue`]) holds the people for whom a contact plan
//! has reached a telephone step. [`queue`] leases a person to one interviewer, and shows the number
//! only when the rules allow a call at that moment (invariant I2). [`outcome`] records the result
//! of a call, moves the cases to their dispositions, and sets the time of the next call.
//!
//! The questions are asked through [`crate::services::interviews`], as on the web. This module does
//! not dial.

pub mod call_screen;
pub mod opening;
pub mod outcome;
pub mod quality;
pub mod queue;
mod queue_scan;
pub mod shifts;
pub mod sitting_beside;
pub mod supervision;
pub mod taking_up_again;
pub mod verification;
pub mod working_days;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::time::Timestamp;
use crate::services::sms_sending::DispatchError;

/// Characters of a call's note, at most: a hint for the next call is no protocol.
pub const MAX_NOTE: usize = 500;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "call.", serialize_all = "snake_case")]
pub enum CallCenterError {
    #[error("the call is over, or its person is with somebody else by now")]
    CallOver,
    #[error("the time for the call-back lies in the past; choose one to come")]
    TimeInPast,
    #[error("at that time nobody is called; the next that is open is {}", .0.map_or("none".to_owned(), |at| format!("{at:?}")))]
    OutsideHours(Option<Timestamp>),
    #[error("the field closes before that; choose an earlier time")]
    AfterFieldCloses,
    #[error("the note has {0} characters; at most {MAX_NOTE} are kept")]
    NoteTooLong(usize),
    #[error(
        "the number that was dialled is none of this person's; choose one of those on the page"
    )]
    OtherNumber,
    #[error("this number gets no SMS, or the plan has no message with a link")]
    NoSms,
    #[error("another message to this person is on its way; send the link when it has gone out")]
    MessageOnItsWay,
    #[error("no call to this person is to come")]
    NotInQueue,
    #[error("no account {0} that interviews")]
    UnknownInterviewer(String),
    #[error("campaign {code}: its stored plan cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
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
