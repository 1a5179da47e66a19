//! How people answer: the chance that a contact yields a complete or ends the case otherwise, as
//! far as it is known.
//!
//! Each level is drawn around the one above it: the programme's applications (the prior of each
//! step), this application, its segments. Sparse observations of a level are combined with those of
//! the level above.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution};

use super::contact_ordinal::ContactOrdinal;
use super::delays::{DelayDistribution, DelaysByMode};
use super::prior::{Prior, logit_grid};
use crate::domain::mode::Mode;

/// Assumed difference between applications, as a standard deviation of logits.
pub(super) const ASSUMED_LOGIT_SD: f64 = 0.7;
/// Difference between the segments of one application, likewise.
const GROUP_LOGIT_SD: f64 = 0.3;
/// A step differs from the prediction of its history and the application's level as if they were
/// known from this number of people.
const STEP_WEIGHT: f64 = 60.0;
/// The yield of each further contact relative to the previous one, if nothing is observed.
pub(super) const NEXT_CONTACT_FACTOR: f64 = 0.7;
/// Number of grid points at which the weight of a level is known.
pub(super) const GRID: usize = 61;

/// An uncertain chance: Beta(`successes`, `failures`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaRate {
    successes: f64,
    failures: f64,
}

impl BetaRate {
    /// Creates a rate as if observed in `weight` people.
    pub fn new(mean: f64, weight: f64) -> BetaRate {
        let mean = mean.clamp(0.001, 0.999);
        BetaRate { successes: mean * weight, failures: (1.0 - mean) * weight }
    }

    pub fn mean(self) -> f64 {
        self.successes / (self.successes + self.failures)
    }

    /// Returns the rate updated by an observation.
    fn after(self, observed: ObservedCount) -> BetaRate {
        BetaRate {
            successes: self.successes + observed.occurred,
            failures: self.failures + (observed.exposed - observed.occurred).max(0.0),
        }
    }

    fn sample(self, rng: &mut impl Rng) -> f64 {
        Beta::new(self.successes.max(1e-3), self.failures.max(1e-3))
            .map_or(self.mean(), |beta| beta.sample(rng))
    }
}

/// People exposed to a contact (partial exposure as a fraction), and the number of events among
/// them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ObservedCount {
    pub exposed: f64,
    pub occurred: f64,
}

impl ObservedCount {
    pub fn sum(all: impl Iterator<Item = ObservedCount>) -> ObservedCount {
        all.fold(ObservedCount::default(), |sum, observed| ObservedCount {
            exposed: sum.exposed + observed.exposed,
            occurred: sum.occurred + observed.occurred,
        })
    }
}

/// Observations of a step: completes, and cases that ended otherwise (refused, not eligible, a dead
/// number).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepCounts {
    pub completes: ObservedCount,
    pub dropouts: ObservedCount,
}

/// The outcome of a contact up to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactOutcome {
    Completes,
    DropsOut,
    /// Nothing so far, or not before the next contact.
    Nothing,
}

/// Contacts with the same outcome after the same time.
#[derive(Debug, Clone)]
pub struct Exposure {
    pub step: usize,
    /// The segment, as numbered by the caller.
    pub group: usize,
    pub outcome: ContactOutcome,
    /// Hours to the outcome; for nothing: the observed hours.
    pub hours: f64,
    pub cases: f64,
}

impl StepCounts {
    fn add(&mut self, exposure: &Exposure, delays: &DelayDistribution) {
        let share = if exposure.outcome == ContactOutcome::Nothing {
            delays.share_answered_within(exposure.hours)
        } else {
            1.0
        };
        for (observed, outcome) in [
            (&mut self.completes, ContactOutcome::Completes),
            (&mut self.dropouts, ContactOutcome::DropsOut),
        ] {
            observed.exposed += share * exposure.cases;
            observed.occurred += if exposure.outcome == outcome { exposure.cases } else { 0.0 };
        }
    }

    /// Sums the observations of each contact of a plan over all groups.
    pub fn by_ordinal(
        exposures: &[Exposure],
        ordinals: &[ContactOrdinal],
        delays_by_mode: &DelaysByMode,
    ) -> BTreeMap<ContactOrdinal, StepCounts> {
        let mut observed: BTreeMap<ContactOrdinal, StepCounts> = BTreeMap::new();
        for exposure in exposures {
            if let Some(ordinal) = ordinals.get(exposure.step) {
                observed
                    .entry(*ordinal)
                    .or_default()
                    .add(exposure, delays_by_mode.of(ordinal.mode));
            }
        }
        observed
    }
}

/// How the people of one application answer, as far as it is known.
#[derive(Debug, Clone)]
pub struct ResponseModel {
    completes: LogitLevels,
    /// By step; segments do not differ in it.
    dropouts: Vec<BetaRate>,
    /// By step.
    ordinals: Vec<ContactOrdinal>,
    delays_by_mode: DelaysByMode,
}

/// The chance of a complete: the prior of each step, shifted by the level of the application and of
/// the segment within it. A level is the same at all steps, because people who seldom answer the
/// first contact seldom answer the second. Levels are differences of logits, known by their weight
/// on a grid.
#[derive(Debug, Clone)]
struct LogitLevels {
    /// By step.
    means: Vec<f64>,
    /// By group, then step.
    observed: Vec<Vec<ObservedCount>>,
    grid: [f64; GRID],
    /// Cumulative probability of the application's levels; the last is 1.
    application_cumulative: Vec<f64>,
    /// Likelihood of each group's observations at each level, relative to the best.
    likelihoods: Vec<Vec<f64>>,
}

impl LogitLevels {
    fn new(means: Vec<f64>, logit_sd: f64, observed: Vec<Vec<ObservedCount>>) -> LogitLevels {
        let group_spread = if observed.len() > 1 { GROUP_LOGIT_SD } else { 0.0 };
        let grid = logit_grid((logit_sd.powi(2) + group_spread.powi(2)).sqrt());
        let fit = |steps: &Vec<ObservedCount>| {
            let likelihoods: Vec<f64> = grid
                .iter()
                .map(|level| {
                    steps
                        .iter()
                        .zip(&means)
                        .map(|(observed, mean)| {
                            log_likelihood(*observed, shift_logit(*mean, *level))
                        })
                        .sum()
                })
                .collect();
            let best = likelihoods.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            likelihoods.into_iter().map(|fit| (fit - best).exp()).collect::<Vec<f64>>()
        };
        let likelihoods: Vec<Vec<f64>> = observed.iter().map(fit).collect();
        // An application's level explains its groups' levels, which explain the observations.
        let of_group = |likelihoods: &Vec<f64>, at: usize| match group_spread {
            0.0 => likelihoods[at],
            logit_sd => grid
                .iter()
                .zip(likelihoods)
                .map(|(level, fit)| gaussian((level - grid[at]) / logit_sd) * fit)
                .sum::<f64>(),
        };
        let weight = |at: usize| {
            gaussian(grid[at] / logit_sd)
                * likelihoods.iter().map(|likelihoods| of_group(likelihoods, at)).product::<f64>()
        };
        let application_cumulative = cumulative_sums((0..GRID).map(weight));
        LogitLevels { means, observed, grid, application_cumulative, likelihoods }
    }

    /// Draws the chances of one run, by step, then group.
    fn sample(&self, rng: &mut impl Rng) -> Vec<Vec<f64>> {
        let application = self.sample_level(&self.application_cumulative, rng);
        let level_of = |likelihoods: &Vec<f64>, rng: &mut _| {
            let weight =
                |(level, fit): (&f64, &f64)| gaussian((level - application) / GROUP_LOGIT_SD) * fit;
            if self.observed.len() > 1 {
                self.sample_level(
                    &cumulative_sums(self.grid.iter().zip(likelihoods).map(weight)),
                    rng,
                )
            } else {
                application
            }
        };
        let levels: Vec<f64> =
            self.likelihoods.iter().map(|likelihoods| level_of(likelihoods, rng)).collect();
        let mut rates = Vec::with_capacity(self.means.len());
        for (step, mean) in self.means.iter().enumerate() {
            let of_group = |(level, observed): (&f64, &Vec<ObservedCount>)| {
                BetaRate::new(shift_logit(*mean, *level), STEP_WEIGHT)
                    .after(observed[step])
                    .sample(rng)
            };
            rates.push(levels.iter().zip(&self.observed).map(of_group).collect());
        }
        rates
    }

    /// Draws a level between two points of the grid.
    fn sample_level(&self, cumulative: &[f64], rng: &mut impl Rng) -> f64 {
        let share = rng.random::<f64>() * cumulative.last().copied().unwrap_or(1.0);
        let at = cumulative.partition_point(|sum| *sum < share).min(GRID - 1);
        self.grid[at] + (self.grid[1] - self.grid[0]) * (rng.random::<f64>() - 0.5)
    }
}

fn cumulative_sums(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

pub(super) fn gaussian(z: f64) -> f64 {
    (-0.5 * z * z).exp()
}

/// Returns a chance shifted by a difference of logits.
pub(super) fn shift_logit(mean: f64, level: f64) -> f64 {
    1.0 / (1.0 + (1.0 - mean) / mean * (-level).exp())
}

/// Returns the log likelihood of a step's observations; they have less weight if the step may have
/// a chance of its own.
pub(super) fn log_likelihood(observed: ObservedCount, chance: f64) -> f64 {
    let chance = chance.clamp(1e-6, 1.0 - 1e-6);
    let counts = (STEP_WEIGHT + 1.0) / (STEP_WEIGHT + observed.exposed.max(1.0));
    counts
        * (observed.occurred * chance.ln()
            + (observed.exposed - observed.occurred).max(0.0) * (1.0 - chance).ln())
}

/// The chances of one run: of completes by step, then group; of dropouts by step.
pub(super) struct SampledRates {
    pub completes: Vec<Vec<f64>>,
    pub dropouts: Vec<f64>,
}

impl ResponseModel {
    /// Creates the model. `prior` has as many steps as the plan, or one more for a reminder that
    /// could be added; `groups` is the number of segments in the exposures.
    pub fn new(
        prior: &Prior,
        exposures: &[Exposure],
        groups: usize,
        delays_by_mode: DelaysByMode,
    ) -> ResponseModel {
        let mut observed = vec![vec![StepCounts::default(); prior.means.len()]; groups.max(1)];
        for exposure in exposures {
            let ordinal = prior.ordinals.get(exposure.step);
            if let Some((step, ordinal)) = observed
                .get_mut(exposure.group)
                .and_then(|steps| steps.get_mut(exposure.step))
                .zip(ordinal)
            {
                step.add(exposure, delays_by_mode.of(ordinal.mode));
            }
        }
        let left =
            |step: usize| ObservedCount::sum(observed.iter().map(|steps| steps[step].dropouts));
        let dropouts = prior
            .dropouts
            .iter()
            .enumerate()
            .map(|(step, dropouts)| dropouts.after(left(step)))
            .collect();
        let observed = observed
            .iter()
            .map(|steps| steps.iter().map(|observed| observed.completes).collect())
            .collect();
        ResponseModel {
            completes: LogitLevels::new(prior.means.clone(), prior.logit_sd, observed),
            dropouts,
            ordinals: prior.ordinals.clone(),
            delays_by_mode,
        }
    }

    /// Returns the mode of a step; a step past the plan is a message.
    pub(super) fn mode(&self, step: usize) -> Mode {
        self.ordinals.get(step).map_or(Mode::Sms, |ordinal| ordinal.mode)
    }

    pub(super) fn delays(&self, step: usize) -> &DelayDistribution {
        self.delays_by_mode.of(self.mode(step))
    }

    pub(super) fn sample(&self, rng: &mut impl Rng) -> SampledRates {
        let completes = self.completes.sample(rng);
        let dropouts = self.dropouts.iter().map(|rate| rate.sample(rng)).collect();
        SampledRates { completes, dropouts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(exposed: f64, occurred: f64) -> ObservedCount {
        ObservedCount { exposed, occurred }
    }

    #[test]
    fn silence_counts_as_far_as_its_time_has_come() {
        let (delays_by_mode, ordinals) =
            (DelaysByMode::from_observed(&BTreeMap::new()), ContactOrdinal::of_plan([Mode::Sms]));
        let exposure =
            |outcome, hours, cases| Exposure { step: 0, group: 0, outcome, hours, cases };
        let young = [
            exposure(ContactOutcome::Completes, 1.0, 10.0),
            exposure(ContactOutcome::Nothing, 1.0, 90.0),
        ];
        let old = [
            exposure(ContactOutcome::Completes, 1.0, 10.0),
            exposure(ContactOutcome::Nothing, 900.0, 90.0),
        ];
        let exposed = |exposures: &[Exposure]| {
            StepCounts::by_ordinal(exposures, &ordinals, &delays_by_mode)[&ordinals[0]].completes
        };
        assert_eq!(exposed(&old), observed(100.0, 10.0));
        assert!(
            (exposed(&young).exposed - 37.0).abs() < 0.1,
            "three in ten answer within an hour: {:?}",
            exposed(&young)
        );
    }
}
