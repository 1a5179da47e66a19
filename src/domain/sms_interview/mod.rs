//! The SMS interview: one item per message; replies are parsed leniently.
//!
//! The module is pure: [`compose_question`] composes a message, and [`parse_reply`] interprets a
//! reply to the item that was asked. Sending and state belong to `services/interviews`.

mod choice_table;
mod messages;
mod parse_reply;
mod rating;

pub use messages::{Prefix, QuestionMessage, compose_goodbye, compose_question, compose_reminder};
pub use parse_reply::{
    ParsedReply, is_agreement, parse_reply, requests_link, requests_link_instead,
};
