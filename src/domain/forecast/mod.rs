//! The forecast: the rest of an application's fieldwork, played many times by its own plan.
//!
//! In goes how it stands ([`Outlook`]: who is still open, what each of them has got and will get, the cells) and how people answer ([`Behaviour`]: drawn
//! anew for each run, so that what is not known well makes the result wide). Out come bands of completes by day, and the chance of meeting each quota.
//! It knows no clock and no chance of its own: the same outlook and seed give the same forecast. The rehearsal is the same play from the first day.

mod response_model;
mod delays;
mod history;
mod field_state;
mod simulate;
mod contact_ordinal;

pub use response_model::{Behaviour, Exposure, Outcome, Rate, Seen, StepSeen};
pub use delays::{BINS, Delays, Paces, bin_of};
pub use history::Prior;
pub use field_state::{CellState, HeldBack, Outlook, Person};
pub use simulate::{Band, Forecast, play};
pub use contact_ordinal::Turn;
