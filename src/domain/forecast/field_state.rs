//! How an application stands, as the forecast needs it.

use std::time::Duration;

use crate::domain::quota::CellKind;
use crate::domain::time::Timestamp;

/// Everything that the rest of the field depends on, but how people answer.
#[derive(Debug, Clone)]
pub struct FieldState {
    pub now: Timestamp,
    pub closes_at: Timestamp,
    /// The ends of days until the field closes, in the programme's zone; the last is `closes_at`.
    pub day_ends: Vec<Timestamp>,
    /// The total first.
    pub cells: Vec<CellCount>,
    /// Whose case is open and in the sample.
    pub people: Vec<ForecastPerson>,
    /// The cells of those who are complete already, for people whose cells are not known before
    /// they answer.
    pub completed_cell_masks: Vec<i64>,
    pub held_back: HeldBackReplicates,
}

#[derive(Debug, Clone)]
pub struct CellCount {
    pub kind: CellKind,
    pub target: u32,
    pub completes: u32,
}

/// A case that may still be completed.
#[derive(Debug, Clone)]
pub struct ForecastPerson {
    /// The kind of user, by the numbers that [`super::ResponseModel`] was made with.
    pub group: usize,
    /// The cells it is in, as a mask.
    pub cell_mask: i64,
    /// False: its answers will tell of further cells.
    pub is_decided: bool,
    /// The last contact: its step, and when it was.
    pub last_contact: Option<(usize, Timestamp)>,
    /// The contacts to come, if it goes on as planned.
    pub upcoming_contacts: Vec<(usize, Timestamp)>,
}

/// Replicates that are held back, in the order of their release, and when and how it is decided
/// about them.
#[derive(Debug, Clone, Default)]
pub struct HeldBackReplicates {
    pub replicates: Vec<Vec<ForecastPerson>>,
    pub next_review: Option<Timestamp>,
    /// The contacts of whoever is released on the first, second, … day from now.
    pub schedules: Vec<Vec<(usize, Timestamp)>>,
    pub plan_length: Duration,
    pub expected_rate: f64,
    /// People in the sample by now, whatever has become of them.
    pub released: u32,
}
