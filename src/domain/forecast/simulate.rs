//! Plays the rest of a field, many times.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::response_model::{Behaviour, Drawn};
use super::field_state::{Outlook, Person};
use crate::domain::mode::Mode;
use crate::domain::quota::CellKind;
use crate::domain::replicates::{Standing, is_urgent, look_again_after, needed};
use crate::domain::time::Timestamp;

const HOUR: f64 = 3_600_000.0;

/// What the runs came to.
#[derive(Debug, Clone)]
pub struct Forecast {
    pub runs: u32,
    /// Completes at the end of each day, those of now among them.
    pub days: Vec<Band>,
    /// Completes when the field closes.
    pub completes: Band,
    /// The chance that each cell reaches its target, the total first.
    pub chances: Vec<f64>,
    /// Messages that go out from now on.
    pub messages: Band,
    /// People who are handed to the interviewers from now on.
    pub handed_over: Band,
}

/// The median, and the band that holds eight runs of ten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Band {
    pub low: u32,
    pub median: u32,
    pub high: u32,
}

impl Band {
    /// Counts are whole: a value stands for the middle of its runs, so that the band is as wide as it says on average, not wider by both its ends.
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
        Band { low, median: values.get(values.len() / 2).copied().unwrap_or(0), high: high.max(low) }
    }
}

/// Plays `runs` times. The same seed gives the same forecast.
pub fn play(outlook: &Outlook, behaviour: &Behaviour, seed: u64, runs: u32) -> Forecast {
    let mut rng = SmallRng::seed_from_u64(seed);
    let runs = runs.max(10);
    let mut by_day = vec![Vec::with_capacity(runs as usize); outlook.day_ends.len()];
    let [mut last, mut messages, mut handed_over] = std::array::from_fn(|_| Vec::with_capacity(runs as usize));
    let mut reached = vec![0u32; outlook.cells.len()];
    for _ in 0..runs {
        let run = Run::play(outlook, behaviour, &mut rng);
        for (day, completes) in by_day.iter_mut().zip(&run.by_day) {
            day.push(*completes);
        }
        for ((reached, cell), completes) in reached.iter_mut().zip(&outlook.cells).zip(&run.cells) {
            *reached += u32::from(*completes >= cell.target);
        }
        last.push(run.cells.first().copied().unwrap_or(0));
        messages.push(run.messages);
        handed_over.push(run.handed_over);
    }
    Forecast {
        runs,
        days: by_day.into_iter().map(Band::of).collect(),
        completes: Band::of(last),
        chances: reached.into_iter().map(|reached| f64::from(reached) / f64::from(runs)).collect(),
        messages: Band::of(messages),
        handed_over: Band::of(handed_over),
    }
}

/// One run.
struct Run<'a> {
    outlook: &'a Outlook,
    drawn: Drawn,
    behaviour: &'a Behaviour,
    by_day: Vec<u32>,
    cells: Vec<u32>,
    messages: u32,
    handed_over: u32,
}

/// How a case ends, if it does before the field closes.
struct End {
    at: Timestamp,
    is_complete: bool,
    cells: i64,
}

impl<'a> Run<'a> {
    fn play(outlook: &'a Outlook, behaviour: &'a Behaviour, rng: &mut SmallRng) -> Run<'a> {
        let mut run = Run {
            outlook,
            drawn: behaviour.draw(rng),
            behaviour,
            by_day: Vec::with_capacity(outlook.day_ends.len()),
            cells: outlook.cells.iter().map(|cell| cell.completes).collect(),
            messages: 0,
            handed_over: 0,
        };
        let mut ends: Vec<End> = Vec::with_capacity(outlook.people.len());
        for person in &outlook.people {
            ends.extend(run.end_of(person, &person.to_come, rng));
        }
        run.release(&mut ends, rng);
        ends.sort_by_key(|end| end.at);
        run.count(&ends);
        run
    }

    /// Follows one person through the contacts.
    fn end_of(&mut self, person: &Person, to_come: &[(usize, Timestamp)], rng: &mut SmallRng) -> Option<End> {
        let mut since = person.since;
        let mut next = to_come.iter();
        loop {
            let following = next.next().copied().filter(|(_, at)| *at < self.outlook.closes_at);
            if let Some((step, at)) = since {
                let until = following.map_or(self.outlook.closes_at, |(_, at)| at);
                if let Some(end) = self.answer(person, step, at, until, rng) {
                    return Some(end);
                }
            }
            let (step, at) = following?;
            since = Some((step, at));
            let count = if self.behaviour.mode(step) == Mode::Telephone { &mut self.handed_over } else { &mut self.messages };
            *count += 1;
        }
    }

    /// Does a contact bring an end before the next one?
    fn answer(&self, person: &Person, step: usize, at: Timestamp, until: Timestamp, rng: &mut SmallRng) -> Option<End> {
        let completes = self.drawn.completes.get(step).and_then(|groups| groups.get(person.group)).copied().unwrap_or(0.0);
        // Both together are no more than everybody.
        let leaves = self.drawn.leaves.get(step).copied().unwrap_or(0.0).min(1.0 - completes);
        let delays = self.behaviour.delays(step);
        let age = self.outlook.now.since(at).as_millis() as f64 / HOUR;
        // Of those who have been silent for so long, fewer will still answer.
        let (silent, left) = (1.0 - (completes + leaves) * delays.share_after(age), 1.0 - delays.share_after(age));
        let chance = rng.random::<f64>() * silent;
        if chance >= (completes + leaves) * left {
            return None;
        }
        let hours = delays.draw_after(age, rng);
        let end = at + Duration::from_millis((hours * HOUR) as u64);
        let is_complete = chance < completes * left;
        (end < until).then(|| End { at: end, is_complete, cells: if is_complete { self.cells_of(person, rng) } else { 0 } })
    }

    /// Where answers decide, those of somebody who is complete are taken; before there is anybody, cells are as likely as their targets are large.
    fn cells_of(&self, person: &Person, rng: &mut SmallRng) -> i64 {
        if person.is_decided {
            return person.cells;
        }
        let known = &self.outlook.known_cells;
        if !known.is_empty() {
            return person.cells | known[rng.random_range(0..known.len())];
        }
        let total = self.outlook.cells.first().map_or(1, |total| total.target.max(1));
        let mut mask = person.cells;
        for (number, cell) in self.outlook.cells.iter().enumerate().skip(1) {
            if rng.random::<f64>() < f64::from(cell.target) / f64::from(total) {
                mask |= 1 << number;
            }
        }
        mask
    }

    /// Releases replicates as the daemon will: at each look, as many as the response rate asks for.
    fn release(&mut self, ends: &mut Vec<End>, rng: &mut SmallRng) {
        let held = &self.outlook.held_back;
        let Some(mut look) = held.next_look.map(|look| look.max(self.outlook.now)) else { return };
        let (total, closes_at) = (self.outlook.cells.first().map_or(0, |total| total.target), self.outlook.closes_at);
        let completes_by_now = self.outlook.cells.first().map_or(0, |total| total.completes);
        let (mut released, mut open_since) = (0, vec![(self.outlook.now - held.plan_length / 2, self.outlook.people.len())]);
        let mut in_field = held.released;
        while released < held.replicates.len() && look < closes_at {
            let (mut completes, mut gone) = (completes_by_now, 0);
            for end in ends.iter().filter(|end| end.at <= look) {
                completes += u32::from(end.is_complete);
                gone += 1;
            }
            let people: usize = open_since.iter().map(|(_, people)| people).sum();
            let through = |at: Timestamp| (look.since(at).as_secs_f64() / held.plan_length.as_secs_f64().max(1.0)).min(1.0);
            let maturity = open_since.iter().map(|(at, people)| through(*at) * *people as f64).sum::<f64>() / (people as f64).max(1.0);
            let waiting = &held.replicates[released..];
            let standing = Standing {
                target: total,
                completes,
                released: in_field,
                open: number(people.saturating_sub(gone)),
                maturity,
                held_back: number(waiting.iter().map(Vec::len).sum()),
                replicates: number(waiting.len()),
            };
            let left = closes_at.since(look);
            let wanted = needed(&standing, held.expected_rate, is_urgent(left, held.plan_length)) as usize;
            let day = (look.since(self.outlook.now).as_secs() / 86_400) as usize;
            for replicate in &waiting[..wanted.min(waiting.len())] {
                let schedule = held.schedules.get(day).map_or(&[][..], Vec::as_slice);
                for person in replicate {
                    ends.extend(self.end_of(person, schedule, rng));
                }
                open_since.push((look, replicate.len()));
                in_field += number(replicate.len());
                released += 1;
            }
            look = look + look_again_after(left, held.plan_length, number(held.replicates.len() - released));
        }
    }

    /// Counts completes in their order, as far as the cells have room (invariant I4), and how many there are at the end of each day.
    fn count(&mut self, ends: &[End]) {
        let mut days = self.outlook.day_ends.iter().peekable();
        for end in ends.iter().filter(|end| end.is_complete && end.at < self.outlook.closes_at) {
            while days.next_if(|day| **day <= end.at).is_some() {
                self.by_day.push(self.cells.first().copied().unwrap_or(0));
            }
            let theirs = |number: usize| end.cells & (1 << number) != 0;
            let cells = &self.outlook.cells;
            let is_full = |number: usize| cells[number].kind != CellKind::Soft && self.cells[number] >= cells[number].target;
            if (0..cells.len()).any(|number| theirs(number) && is_full(number)) {
                continue;
            }
            for (number, completes) in self.cells.iter_mut().enumerate() {
                *completes += u32::from(theirs(number));
            }
        }
        self.by_day.extend(days.map(|_| self.cells.first().copied().unwrap_or(0)));
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
