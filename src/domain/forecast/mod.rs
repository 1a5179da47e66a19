//! The forecast: the rest of an application's fieldwork, played many times by its own plan.
//!
//! In goes how it stands ([`FieldState`]: who is still open, what each of them has got and will get, the cells) and how people answer ([`ResponseModel`]: drawn
//! anew for each run, so that what is not known well makes the result wide). Out come bands of completes by day, and the chance of meeting each quota.
//! It knows no clock and no chance of its own: the same state and seed give the same forecast. The rehearsal is the same play from the first day.

mod response_model;
mod delays;
mod prior;
mod field_state;
mod simulate;
mod contact_ordinal;

pub use response_model::{ResponseModel, Exposure, ContactOutcome, BetaRate, ObservedCount, StepCounts};
pub use delays::{BINS, DelayDistribution, DelaysByMode, bin_of};
pub use prior::Prior;
pub use field_state::{CellCount, HeldBackReplicates, FieldState, ForecastPerson};
pub use simulate::{Band, Forecast, simulate};
pub use contact_ordinal::ContactOrdinal;
