//! The state of an application's field, as input of the forecast.

use std::time::Duration;

use crate::domain::quota::CellKind;
use crate::domain::time::Timestamp;

/// Everything on which the rest of the field depends, except how people answer.
#[derive(Debug, Clone)]
pub struct FieldState {
    pub now: Timestamp,
    pub closes_at: Timestamp,
    /// The ends of days until the field closes, in the programme's zone; the last is `closes_at`.
    pub day_ends: Vec<Timestamp>,
    /// The total first.
    pub cells: Vec<CellCount>,
    /// People whose case is open and in the sample.
    pub people: Vec<ForecastPerson>,
    /// The cell masks of complete cases, for people whose cells are unknown before they answer.
    pub completed_cell_masks: Vec<i64>,
    pub held_back: HeldBackReplicates,
}

#[derive(Debug, Clone)]
pub struct CellCount {
    pub kind: CellKind,
    pub target: u32,
    /// The completes that are wanted at least; 0: no minimum.
    pub minimum: u32,
    pub completes: u32,
}

/// A case that may still be completed.
#[derive(Debug, Clone)]
pub struct ForecastPerson {
    /// The segment, as numbered in [`super::ResponseModel`].
    pub group: usize,
    /// The mask of its cells.
    pub cell_mask: i64,
    /// False if its answers will determine further cells.
    pub is_decided: bool,
    /// The last contact: its step and its time.
    pub last_contact: Option<(usize, Timestamp)>,
    /// The contacts to come by the plan: step and time.
    pub upcoming_contacts: Vec<(usize, Timestamp)>,
}

/// Held-back replicates in the order of their release, and the inputs of the decision about them.
#[derive(Debug, Clone, Default)]
pub struct HeldBackReplicates {
    pub replicates: Vec<Vec<ForecastPerson>>,
    pub next_review: Option<Timestamp>,
    /// The contacts of people released on the first, second, … day from now.
    pub schedules: Vec<Vec<(usize, Timestamp)>>,
    pub plan_length: Duration,
    pub expected_rate: f64,
    /// People in the sample so far, whatever their disposition.
    pub released: u32,
}
