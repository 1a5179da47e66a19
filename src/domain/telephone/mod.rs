//! Telephone interviewing: the outcomes of calls and their consequences, the parts of the day, and
//! the order of the call queue.
//!
//! The module is pure: `adapters/database/call_queue` stores the queue, and `services/call_center`
//! changes it.

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
