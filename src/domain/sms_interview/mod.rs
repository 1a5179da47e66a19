//! The interview by SMS: one item a message; replies are read as people write them.
//!
//! Pure: [`question`] says what a message asks, [`read`] what a reply means for the item that was asked.

mod question;
mod reading;

pub use question::{Asking, Prefix, goodbye, once_more, question};
pub use reading::{Heard, is_agreement, read, wants_link};
