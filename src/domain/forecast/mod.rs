//! The forecast: the rest of an application's fieldwork, played many times by its own plan.
//!
//! In goes how it stands ([`FieldState`]: who is still open, what each of them has got and will
//! get, the cells) and how people answer ([`ResponseModel`]: drawn anew for each run, so that what
//! is not known well makes the result wide). Out come bands of completes by day, and the chance of
//! meeting each quota. It knows no clock and no chance of its own: the same state and seed give the
//! same forecast. The rehearsal is the same play from the first day.

mod contact_ordinal;
mod delays;
mod field_state;
mod prior;
mod response_model;
mod simulate;

pub use contact_ordinal::ContactOrdinal;
pub use delays::{BINS, DelayDistribution, DelaysByMode, bin_of};
pub use field_state::{CellCount, FieldState, ForecastPerson, HeldBackReplicates};
pub use prior::Prior;
pub use response_model::{
    BetaRate, ContactOutcome, Exposure, ObservedCount, ResponseModel, StepCounts,
};
pub use simulate::{Band, Forecast, simulate};
