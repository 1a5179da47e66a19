//! The interview by SMS: one item a message; replies are read as people write them.
//!
//! Pure: [`compose_question`] says what a message asks, [`parse_reply`] what a reply means for the
//! item that was asked.

mod messages;
mod parse_reply;

pub use messages::{Prefix, QuestionMessage, compose_goodbye, compose_question, compose_reminder};
pub use parse_reply::{ParsedReply, is_agreement, parse_reply, requests_link};
