//! How people answer: the chance that a contact brings a complete, or ends the case otherwise, as far as it is known.
//!
//! Each level is drawn around the one above it: the programme's applications (the prior of each step), this application, its kinds of users. What little is
//! known of a level is mixed with what is known above it.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution};

use super::delays::{Delays, Paces};
use super::history::{Prior, levels};
use super::contact_ordinal::Turn;
use crate::domain::mode::Mode;

/// Applications differ by so much, before it has been seen: a standard deviation of logits.
pub(super) const ASSUMED_SPREAD: f64 = 0.7;
/// The kinds of users of one application differ by so much.
const GROUP_SPREAD: f64 = 0.3;
/// A step differs from what its history and the application's level say as if these had been told by so many people.
const STEP_WEIGHT: f64 = 60.0;
/// Each further contact brings so much of what the one before it brought, where nothing has been seen of it.
pub(super) const NEXT_CONTACT: f64 = 0.7;
/// The points at which the weight of a level is known.
pub(super) const GRID: usize = 61;

/// A chance that is known only so well: Beta(`yes`, `no`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    yes: f64,
    no: f64,
}

impl Rate {
    /// As if seen in `weight` people.
    pub fn new(mean: f64, weight: f64) -> Rate {
        let mean = mean.clamp(0.001, 0.999);
        Rate { yes: mean * weight, no: (1.0 - mean) * weight }
    }

    pub fn mean(self) -> f64 {
        self.yes / (self.yes + self.no)
    }

    /// What is known after so much has been seen.
    fn after(self, seen: Seen) -> Rate {
        Rate { yes: self.yes + seen.happened, no: self.no + (seen.exposed - seen.happened).max(0.0) }
    }

    fn draw(self, rng: &mut impl Rng) -> f64 {
        Beta::new(self.yes.max(1e-3), self.no.max(1e-3)).map_or(self.mean(), |beta| beta.sample(rng))
    }
}

/// People that a contact has had its time with (in part: as a share), and to how many of them it happened.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    pub exposed: f64,
    pub happened: f64,
}

impl Seen {
    pub fn sum(all: impl Iterator<Item = Seen>) -> Seen {
        all.fold(Seen::default(), |sum, seen| Seen { exposed: sum.exposed + seen.exposed, happened: sum.happened + seen.happened })
    }
}

/// What has been seen of a step: completes, and cases that ended otherwise (refused, no user, a dead number).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepSeen {
    pub completes: Seen,
    pub leaves: Seen,
}

/// What a contact came to, until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Completes,
    Leaves,
    /// Nothing yet, or not before the next contact.
    Nothing,
}

/// Contacts that came to the same after the same time.
#[derive(Debug, Clone)]
pub struct Exposure {
    pub step: usize,
    /// The kind of user, as a number of the caller's.
    pub group: usize,
    pub outcome: Outcome,
    /// To the outcome; for nothing: how long it had to come.
    pub hours: f64,
    pub cases: f64,
}

impl StepSeen {
    fn add(&mut self, exposure: &Exposure, delays: &Delays) {
        let share = if exposure.outcome == Outcome::Nothing { delays.share_after(exposure.hours) } else { 1.0 };
        for (seen, outcome) in [(&mut self.completes, Outcome::Completes), (&mut self.leaves, Outcome::Leaves)] {
            seen.exposed += share * exposure.cases;
            seen.happened += if exposure.outcome == outcome { exposure.cases } else { 0.0 };
        }
    }

    /// What has been seen of each contact of a plan, over all groups.
    pub fn by_turn(exposures: &[Exposure], turns: &[Turn], paces: &Paces) -> BTreeMap<Turn, StepSeen> {
        let mut seen: BTreeMap<Turn, StepSeen> = BTreeMap::new();
        for exposure in exposures {
            if let Some(turn) = turns.get(exposure.step) {
                seen.entry(*turn).or_default().add(exposure, paces.of(turn.mode));
            }
        }
        seen
    }
}

/// How the people of one application answer, as far as it is known.
#[derive(Debug, Clone)]
pub struct Behaviour {
    completes: Levels,
    /// Of each step; kinds of users do not differ in it.
    leaves: Vec<Rate>,
    /// Of each step.
    turns: Vec<Turn>,
    paces: Paces,
}

/// The chance of a complete: what is told of each step, moved by the level of the application, and within it of the kind of user, which are the same at all
/// steps (whoever seldom answers the first contact seldom answers the second). Levels are differences of logits, known by their weight on a grid.
#[derive(Debug, Clone)]
struct Levels {
    /// Of each step.
    means: Vec<f64>,
    /// By group, then step.
    seen: Vec<Vec<Seen>>,
    grid: [f64; GRID],
    /// How likely the application has each level; summed up to 1.
    application_up_to: Vec<f64>,
    /// How well each level explains what has been seen of each group, relative to the best.
    fits: Vec<Vec<f64>>,
}

impl Levels {
    fn new(means: Vec<f64>, spread: f64, seen: Vec<Vec<Seen>>) -> Levels {
        let group_spread = if seen.len() > 1 { GROUP_SPREAD } else { 0.0 };
        let grid = levels((spread.powi(2) + group_spread.powi(2)).sqrt());
        let fit = |steps: &Vec<Seen>| {
            let fits: Vec<f64> =
                grid.iter().map(|level| steps.iter().zip(&means).map(|(seen, mean)| fit(*seen, moved(*mean, *level))).sum()).collect();
            let best = fits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            fits.into_iter().map(|fit| (fit - best).exp()).collect::<Vec<f64>>()
        };
        let fits: Vec<Vec<f64>> = seen.iter().map(fit).collect();
        // An application's level explains its groups' levels, which explain what was seen.
        let of_group = |fits: &Vec<f64>, at: usize| match group_spread {
            0.0 => fits[at],
            spread => grid.iter().zip(fits).map(|(level, fit)| bell((level - grid[at]) / spread) * fit).sum::<f64>(),
        };
        let weight = |at: usize| bell(grid[at] / spread) * fits.iter().map(|fits| of_group(fits, at)).product::<f64>();
        let application_up_to = summed((0..GRID).map(weight));
        Levels { means, seen, grid, application_up_to, fits }
    }

    /// The chances of one run, by step, then group.
    fn draw(&self, rng: &mut impl Rng) -> Vec<Vec<f64>> {
        let application = self.pick(&self.application_up_to, rng);
        let level_of = |fits: &Vec<f64>, rng: &mut _| {
            let weight = |(level, fit): (&f64, &f64)| bell((level - application) / GROUP_SPREAD) * fit;
            if self.seen.len() > 1 { self.pick(&summed(self.grid.iter().zip(fits).map(weight)), rng) } else { application }
        };
        let levels: Vec<f64> = self.fits.iter().map(|fits| level_of(fits, rng)).collect();
        let mut rates = Vec::with_capacity(self.means.len());
        for (step, mean) in self.means.iter().enumerate() {
            let of_group = |(level, seen): (&f64, &Vec<Seen>)| Rate::new(moved(*mean, *level), STEP_WEIGHT).after(seen[step]).draw(rng);
            rates.push(levels.iter().zip(&self.seen).map(of_group).collect());
        }
        rates
    }

    /// A level, anywhere between two points of the grid.
    fn pick(&self, up_to: &[f64], rng: &mut impl Rng) -> f64 {
        let share = rng.random::<f64>() * up_to.last().copied().unwrap_or(1.0);
        let at = up_to.partition_point(|sum| *sum < share).min(GRID - 1);
        self.grid[at] + (self.grid[1] - self.grid[0]) * (rng.random::<f64>() - 0.5)
    }
}

fn summed(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

pub(super) fn bell(z: f64) -> f64 {
    (-0.5 * z * z).exp()
}

/// A chance moved by a difference of logits.
pub(super) fn moved(mean: f64, level: f64) -> f64 {
    1.0 / (1.0 + (1.0 - mean) / mean * (-level).exp())
}

/// The log likelihood of what was seen of a step; it counts for less where the step may have a chance of its own.
pub(super) fn fit(seen: Seen, chance: f64) -> f64 {
    let chance = chance.clamp(1e-6, 1.0 - 1e-6);
    let counts = (STEP_WEIGHT + 1.0) / (STEP_WEIGHT + seen.exposed.max(1.0));
    counts * (seen.happened * chance.ln() + (seen.exposed - seen.happened).max(0.0) * (1.0 - chance).ln())
}

/// The chances of one run: of completes by step, then group; of leaving by step.
pub(super) struct Drawn {
    pub completes: Vec<Vec<f64>>,
    pub leaves: Vec<f64>,
}

impl Behaviour {
    /// `prior` has as many steps as the plan, or one more for a reminder that could be added; `groups` is how many kinds of users exposures tell of.
    pub fn new(prior: &Prior, exposures: &[Exposure], groups: usize, paces: Paces) -> Behaviour {
        let mut seen = vec![vec![StepSeen::default(); prior.means.len()]; groups.max(1)];
        for exposure in exposures {
            let turn = prior.turns.get(exposure.step);
            if let Some((step, turn)) = seen.get_mut(exposure.group).and_then(|steps| steps.get_mut(exposure.step)).zip(turn) {
                step.add(exposure, paces.of(turn.mode));
            }
        }
        let left = |step: usize| Seen::sum(seen.iter().map(|steps| steps[step].leaves));
        let leaves = prior.leaves.iter().enumerate().map(|(step, leaves)| leaves.after(left(step))).collect();
        let seen = seen.iter().map(|steps| steps.iter().map(|seen| seen.completes).collect()).collect();
        Behaviour { completes: Levels::new(prior.means.clone(), prior.spread, seen), leaves, turns: prior.turns.clone(), paces }
    }

    /// A step past the plan is a message.
    pub(super) fn mode(&self, step: usize) -> Mode {
        self.turns.get(step).map_or(Mode::Sms, |turn| turn.mode)
    }

    pub(super) fn delays(&self, step: usize) -> &Delays {
        self.paces.of(self.mode(step))
    }

    pub(super) fn draw(&self, rng: &mut impl Rng) -> Drawn {
        let completes = self.completes.draw(rng);
        let leaves = self.leaves.iter().map(|rate| rate.draw(rng)).collect();
        Drawn { completes, leaves }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(exposed: f64, happened: f64) -> Seen {
        Seen { exposed, happened }
    }

    #[test]
    fn silence_counts_as_far_as_its_time_has_come() {
        let (paces, turns) = (Paces::from_seen(&BTreeMap::new()), Turn::of_plan([Mode::Sms]));
        let exposure = |outcome, hours, cases| Exposure { step: 0, group: 0, outcome, hours, cases };
        let young = [exposure(Outcome::Completes, 1.0, 10.0), exposure(Outcome::Nothing, 1.0, 90.0)];
        let old = [exposure(Outcome::Completes, 1.0, 10.0), exposure(Outcome::Nothing, 900.0, 90.0)];
        let exposed = |exposures: &[Exposure]| StepSeen::by_turn(exposures, &turns, &paces)[&turns[0]].completes;
        assert_eq!(exposed(&old), seen(100.0, 10.0));
        assert!((exposed(&young).exposed - 37.0).abs() < 0.1, "three in ten answer within an hour: {:?}", exposed(&young));
    }
}
