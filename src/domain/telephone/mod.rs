//! Telephone interviewing: what a call may come to and what follows from it, the parts of the day,
//! and who is called first.
//!
//! Pure: a queue of the store holds who waits, `telephone/` of the use-cases moves it.

mod binomial;
mod call_priority;
mod day_part;
mod follow_up;
mod outcome;

pub use binomial::binomial_interval;
pub use call_priority::CallPriority;
pub use day_part::DayPart;
pub use follow_up::{CalledPerson, FollowUp, MAX_CALLS_PER_DAY};
pub use outcome::CallOutcome;
