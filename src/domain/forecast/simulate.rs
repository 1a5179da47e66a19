//! Simulates the rest of a field many times.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::field_state::{CellCount, FieldState, ForecastPerson};
use super::response_model::{ResponseModel, SampledRates};
use crate::domain::mode::Mode;
use crate::domain::quota::CellKind;
use crate::domain::replicates::{ReplicateStatus, is_urgent, next_review_after, replicates_needed};
use crate::domain::time::Timestamp;

const HOUR: f64 = 3_600_000.0;

/// The result of the runs.
#[derive(Debug, Clone)]
pub struct Forecast {
    pub runs: u32,
    /// Completes at the end of each day, including the current ones.
    pub days: Vec<Band>,
    /// Completes when the field closes.
    pub completes: Band,
    /// The chance that each cell reaches its target. The first is that of the whole quota: that the
    /// total reaches its target and every cell its minimum.
    pub chances: Vec<f64>,
    /// The chance that each cell reaches its minimum; 1 where it has none.
    pub minimum_chances: Vec<f64>,
    /// Messages sent from now on.
    pub messages: Band,
    /// People added to the call queue from now on.
    pub handed_to_interviewers: Band,
}

/// The median, and the band that contains eight of ten runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Band {
    pub low: u32,
    pub median: u32,
    pub high: u32,
}

impl Band {
    /// Creates a band. Counts are integers: a value represents the middle of its runs, so that the
    /// band has the stated width on average and is not wider by both its ends.
    fn of(mut values: Vec<u32>) -> Band {
        values.sort_unstable();
        let (all, mut before) = (values.len() as f64, 0);
        let (mut low, mut high) = (None, 0);
        for alike in values.chunk_by(|a, b| a == b) {
            let middle = (before as f64 + alike.len() as f64 / 2.0) / all;
            before += alike.len();
            if middle >= 0.1 && low.is_none() {
                low = Some(alike[0]);
            }
            if middle <= 0.9 {
                high = alike[0];
            }
        }
        let low = low.unwrap_or(0);
        Band {
            low,
            median: values.get(values.len() / 2).copied().unwrap_or(0),
            high: high.max(low),
        }
    }
}

/// Simulates `runs` times. The same seed gives the same forecast.
pub fn simulate(state: &FieldState, model: &ResponseModel, seed: u64, runs: u32) -> Forecast {
    let mut rng = SmallRng::seed_from_u64(seed);
    let runs = runs.max(10);
    let mut by_day = vec![Vec::with_capacity(runs as usize); state.day_ends.len()];
    let [mut last, mut messages, mut handed_to_interviewers] =
        std::array::from_fn(|_| Vec::with_capacity(runs as usize));
    let mut reached = vec![0u32; state.cells.len()];
    let mut minimum_reached = vec![0u32; state.cells.len()];
    for _ in 0..runs {
        let run = Run::simulate(state, model, &mut rng);
        for (day, completes) in by_day.iter_mut().zip(&run.by_day) {
            day.push(*completes);
        }
        for ((reached, cell), completes) in reached.iter_mut().zip(&state.cells).zip(&run.cells) {
            *reached += u32::from(*completes >= cell.target);
        }
        let minimum_met =
            |(cell, completes): (&CellCount, &u32)| u32::from(*completes >= cell.minimum);
        let met: Vec<u32> = state.cells.iter().zip(&run.cells).map(minimum_met).collect();
        minimum_reached.iter_mut().zip(&met).for_each(|(count, met)| *count += met);
        let has_missed = met.contains(&0);
        let total_is_reached =
            state.cells.iter().zip(&run.cells).next().is_some_and(|(c, n)| *n >= c.target);
        if has_missed && total_is_reached {
            reached[0] -= 1;
        }
        last.push(run.cells.first().copied().unwrap_or(0));
        messages.push(run.messages);
        handed_to_interviewers.push(run.handed_to_interviewers);
    }
    let shares = |counts: Vec<u32>| -> Vec<f64> {
        counts.into_iter().map(|count| f64::from(count) / f64::from(runs)).collect()
    };
    Forecast {
        runs,
        days: by_day.into_iter().map(Band::of).collect(),
        completes: Band::of(last),
        chances: shares(reached),
        minimum_chances: shares(minimum_reached),
        messages: Band::of(messages),
        handed_to_interviewers: Band::of(handed_to_interviewers),
    }
}

/// One run.
struct Run<'a> {
    state: &'a FieldState,
    rates: SampledRates,
    model: &'a ResponseModel,
    by_day: Vec<u32>,
    cells: Vec<u32>,
    messages: u32,
    handed_to_interviewers: u32,
}

/// How a case ends, if it ends before the field closes.
struct SimulatedEnd {
    at: Timestamp,
    is_complete: bool,
    cell_mask: i64,
}

impl<'a> Run<'a> {
    fn simulate(state: &'a FieldState, model: &'a ResponseModel, rng: &mut SmallRng) -> Run<'a> {
        let mut run = Run {
            state,
            rates: model.sample(rng),
            model,
            by_day: Vec::with_capacity(state.day_ends.len()),
            cells: state.cells.iter().map(|cell| cell.completes).collect(),
            messages: 0,
            handed_to_interviewers: 0,
        };
        let mut ends: Vec<SimulatedEnd> = Vec::with_capacity(state.people.len());
        for person in &state.people {
            ends.extend(run.simulate_person(person, &person.upcoming_contacts, rng));
        }
        run.release_replicates(&mut ends, rng);
        ends.sort_by_key(|end| end.at);
        run.count_completes(&ends);
        run
    }

    /// Simulates one person's contacts.
    fn simulate_person(
        &mut self,
        person: &ForecastPerson,
        upcoming_contacts: &[(usize, Timestamp)],
        rng: &mut SmallRng,
    ) -> Option<SimulatedEnd> {
        let mut last_contact = person.last_contact;
        let mut next = upcoming_contacts.iter();
        loop {
            let following = next.next().copied().filter(|(_, at)| *at < self.state.closes_at);
            if let Some((step, at)) = last_contact {
                let until = following.map_or(self.state.closes_at, |(_, at)| at);
                if let Some(end) = self.outcome_of_contact(person, step, at, until, rng) {
                    return Some(end);
                }
            }
            let (step, at) = following?;
            last_contact = Some((step, at));
            match self.model.mode(step) {
                Mode::Telephone => self.handed_to_interviewers += 1,
                Mode::Sms => self.messages += 1,
                Mode::Web | Mode::Paper => {}
            }
        }
    }

    /// Returns the end that a contact causes before the next one, if any.
    fn outcome_of_contact(
        &self,
        person: &ForecastPerson,
        step: usize,
        at: Timestamp,
        until: Timestamp,
        rng: &mut SmallRng,
    ) -> Option<SimulatedEnd> {
        let completes = self
            .rates
            .completes
            .get(step)
            .and_then(|groups| groups.get(person.group))
            .copied()
            .unwrap_or(0.0);
        // Their sum is at most 1.
        let dropouts = self.rates.dropouts.get(step).copied().unwrap_or(0.0).min(1.0 - completes);
        let delays = self.model.delays(step);
        let age = self.state.now.since(at).as_millis() as f64 / HOUR;
        // Among those who have been silent for this time, fewer will still answer.
        let (silent, left) = (
            1.0 - (completes + dropouts) * delays.share_answered_within(age),
            1.0 - delays.share_answered_within(age),
        );
        let chance = rng.random::<f64>() * silent;
        if chance >= (completes + dropouts) * left {
            return None;
        }
        let hours = delays.sample_after(age, rng);
        let end = at + Duration::from_millis((hours * HOUR) as u64);
        let is_complete = chance < completes * left;
        (end < until).then(|| SimulatedEnd {
            at: end,
            is_complete,
            cell_mask: if is_complete { self.sample_cell_mask(person, rng) } else { 0 },
        })
    }

    /// Draws the cells of a person. If they depend on answers, those of a complete case are used;
    /// before the first complete, cells are drawn in proportion to their targets.
    fn sample_cell_mask(&self, person: &ForecastPerson, rng: &mut SmallRng) -> i64 {
        if person.is_decided {
            return person.cell_mask;
        }
        let known = &self.state.completed_cell_masks;
        if !known.is_empty() {
            return person.cell_mask | known[rng.random_range(0..known.len())];
        }
        let total = self.state.cells.first().map_or(1, |total| total.target.max(1));
        let mut mask = person.cell_mask;
        for (number, cell) in self.state.cells.iter().enumerate().skip(1) {
            // A cell that is capped by the total alone says only how many are wanted of it.
            let has_own_cap = cell.minimum == 0 || cell.target < total;
            let expected = if has_own_cap { cell.target } else { cell.minimum };
            if rng.random::<f64>() < f64::from(expected) / f64::from(total) {
                mask |= 1 << number;
            }
        }
        mask
    }

    /// Releases replicates as the daemon does: at each review_at, as many as the response rate
    /// requires.
    fn release_replicates(&mut self, ends: &mut Vec<SimulatedEnd>, rng: &mut SmallRng) {
        let held = &self.state.held_back;
        let Some(mut review_at) = held.next_review.map(|at| at.max(self.state.now)) else { return };
        let (total, closes_at) =
            (self.state.cells.first().map_or(0, |total| total.target), self.state.closes_at);
        let completes_by_now = self.state.cells.first().map_or(0, |total| total.completes);
        let (mut released, mut open_since) =
            (0, vec![(self.state.now - held.plan_length / 2, self.state.people.len())]);
        let mut in_field = held.released;
        while released < held.replicates.len() && review_at < closes_at {
            let (mut completes, mut gone) = (completes_by_now, 0);
            for end in ends.iter().filter(|end| end.at <= review_at) {
                completes += u32::from(end.is_complete);
                gone += 1;
            }
            let people: usize = open_since.iter().map(|(_, people)| people).sum();
            let through = |at: Timestamp| {
                (review_at.since(at).as_secs_f64() / held.plan_length.as_secs_f64().max(1.0))
                    .min(1.0)
            };
            let maturity =
                open_since.iter().map(|(at, people)| through(*at) * *people as f64).sum::<f64>()
                    / (people as f64).max(1.0);
            let unreleased = &held.replicates[released..];
            let status = ReplicateStatus {
                target: total,
                completes,
                released: in_field,
                open: number(people.saturating_sub(gone)),
                maturity,
                held_back: number(unreleased.iter().map(Vec::len).sum()),
                replicates: number(unreleased.len()),
            };
            let left = closes_at.since(review_at);
            let wanted =
                replicates_needed(&status, held.expected_rate, is_urgent(left, held.plan_length))
                    as usize;
            let day = (review_at.since(self.state.now).as_secs() / 86_400) as usize;
            for replicate in &unreleased[..wanted.min(unreleased.len())] {
                let schedule = held.schedules.get(day).map_or(&[][..], Vec::as_slice);
                for person in replicate {
                    ends.extend(self.simulate_person(person, schedule, rng));
                }
                open_since.push((review_at, replicate.len()));
                in_field += number(replicate.len());
                released += 1;
            }
            review_at = review_at
                + next_review_after(
                    left,
                    held.plan_length,
                    number(held.replicates.len() - released),
                );
        }
    }

    /// Counts completes in chronological order while the cells have room (invariant I4), and their
    /// number at the end of each day.
    fn count_completes(&mut self, ends: &[SimulatedEnd]) {
        let mut days = self.state.day_ends.iter().peekable();
        for end in ends.iter().filter(|end| end.is_complete && end.at < self.state.closes_at) {
            while days.next_if(|day| **day <= end.at).is_some() {
                self.by_day.push(self.cells.first().copied().unwrap_or(0));
            }
            let counts_in = |number: usize| end.cell_mask & (1 << number) != 0;
            let cells = &self.state.cells;
            let is_full = |number: usize| {
                cells[number].kind != CellKind::Soft && self.cells[number] >= cells[number].target
            };
            if (0..cells.len()).any(|number| counts_in(number) && is_full(number)) {
                continue;
            }
            for (number, completes) in self.cells.iter_mut().enumerate() {
                *completes += u32::from(counts_in(number));
            }
        }
        self.by_day.extend(days.map(|_| self.cells.first().copied().unwrap_or(0)));
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forecast::{DelaysByMode, HeldBackReplicates, Prior};
    use std::collections::BTreeMap;

    /// Nobody is left to answer, so that the forecast is what there is.
    #[test]
    fn the_quota_is_met_when_the_total_and_every_minimum_are() {
        let chances = |total: u32, large: u32| {
            let cell = |target, minimum, completes| CellCount {
                kind: CellKind::Hard,
                target,
                minimum,
                completes,
            };
            let state = FieldState {
                now: Timestamp(0),
                closes_at: Timestamp(86_400_000),
                day_ends: vec![Timestamp(86_400_000)],
                cells: vec![cell(6, 0, total), cell(6, 2, large)],
                people: Vec::new(),
                completed_cell_masks: Vec::new(),
                held_back: HeldBackReplicates::default(),
            };
            let prior = Prior::learn(&[], 0.5, &[]);
            let delays = DelaysByMode::from_observed(&BTreeMap::new());
            let model = ResponseModel::new(&prior, &[], 1, delays);
            let forecast = simulate(&state, &model, 1, 10);
            (forecast.chances[0], forecast.minimum_chances)
        };
        assert_eq!(chances(6, 2), (1.0, vec![1.0, 1.0]));
        assert_eq!(chances(6, 1), (0.0, vec![1.0, 0.0]), "full, and the minimum is missed");
        assert_eq!(chances(5, 2), (0.0, vec![1.0, 1.0]));
    }
}
