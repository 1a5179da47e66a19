//! Estimation for a finite list: weights, precision and representativity of the people who
//! answered.
//!
//! [`ListFrame`] counts the list by its segments and fields; [`Weighting`] computes the weights
//! from the counts; [`Representativity`] compares the respondents with the sample. [`Moments`]
//! collects the ratings, and gives means with their standard errors. The population is always the
//! applicant's list, without those whom screening found not to be users: nothing here describes
//! other customers.
//!
//! Everything is computed from counts and ratings, without any name or number, and without
//! randomness.

mod frame;
mod interviewer_effects;
mod logistic;
mod precision;
mod raking;
mod representativity;
mod student_t;
mod trend;
mod weights;

pub use frame::{Frame, FrameColumn, ListFrame, MAX_CATEGORIES, SampleState};
pub use interviewer_effects::InterviewerEffect;
pub use precision::{MeanDifference, MeanEstimate, Moments, Z_95, finite_population_factor};
pub use raking::{Margin, Raked, TRIM_AT, rake, trim};
pub use representativity::{CategoryCount, Representativity, VariableCounts};
pub use trend::{DayMean, Trend};
pub use weights::{
    CompleteWeights, GroupWeights, LEAST_COMPLETES_IN_CLASS, MarginCategory, MarginSummary,
    StratumSummary, Weighting, WeightingSummary, kish_design_effect,
};
