//! The forecast: simulates the rest of an application's fieldwork many times by its own plan.
//!
//! [`simulate()`] takes the state of the field ([`FieldState`]: open cases with their past and
//! upcoming contacts, and the cells) and a model of how people answer ([`ResponseModel`]: drawn
//! anew for each run, so that uncertainty widens the result). It returns bands of completes by day,
//! and the chance of meeting each quota. It uses no clock and no randomness of its own: the same
//! state and seed give the same forecast. The rehearsal is the same simulation from the first day.

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
