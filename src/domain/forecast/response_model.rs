//! How people answer: the chance that a contact brings a complete, or ends the case otherwise, as
//! far as it is known.
//!
//! Each level is drawn around the one above it: the programme's applications (the prior of each
//! step), this application, its kinds of users. What little is known of a level is mixed with what
//! is known above it.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution};

use super::contact_ordinal::ContactOrdinal;
use super::delays::{DelayDistribution, DelaysByMode};
use super::prior::{Prior, logit_grid};
use crate::domain::mode::Mode;

/// Applications differ by so much, before it has been seen: a standard deviation of logits.
pub(super) const ASSUMED_LOGIT_SD: f64 = 0.7;
/// The kinds of users of one application differ by so much.
const GROUP_LOGIT_SD: f64 = 0.3;
/// A step differs from what its history and the application's level say as if these had been told
/// by so many people.
const STEP_WEIGHT: f64 = 60.0;
/// Each further contact brings so much of what the one before it brought, where nothing has been
/// seen of it.
pub(super) const NEXT_CONTACT_FACTOR: f64 = 0.7;
/// The points at which the weight of a level is known.
pub(super) const GRID: usize = 61;

/// A chance that is known only so well: Beta(`successes`, `failures`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaRate {
    successes: f64,
    failures: f64,
}

impl BetaRate {
    /// As if seen in `weight` people.
    pub fn new(mean: f64, weight: f64) -> BetaRate {
        let mean = mean.clamp(0.001, 0.999);
        BetaRate { successes: mean * weight, failures: (1.0 - mean) * weight }
    }

    pub fn mean(self) -> f64 {
        self.successes / (self.successes + self.failures)
    }

    /// What is known after so much has been seen.
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

/// People that a contact has had its time with (in part: as a share), and to how many of them it
/// happened.
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

/// What has been seen of a step: completes, and cases that ended otherwise (refused, no user, a
/// dead number).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepCounts {
    pub completes: ObservedCount,
    pub dropouts: ObservedCount,
}

/// What a contact came to, until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactOutcome {
    Completes,
    DropsOut,
    /// Nothing yet, or not before the next contact.
    Nothing,
}

/// Contacts that came to the same after the same time.
#[derive(Debug, Clone)]
pub struct Exposure {
    pub step: usize,
    /// The kind of user, as a number of the caller's.
    pub group: usize,
    pub outcome: ContactOutcome,
    /// To the outcome; for nothing: how long it had to come.
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

    /// What has been seen of each contact of a plan, over all groups.
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
    /// Of each step; kinds of users do not differ in it.
    dropouts: Vec<BetaRate>,
    /// Of each step.
    ordinals: Vec<ContactOrdinal>,
    delays_by_mode: DelaysByMode,
}

/// The chance of a complete: what is told of each step, moved by the level of the application, and
/// within it of the kind of user, which are the same at all steps (whoever seldom answers the first
/// contact seldom answers the second). Levels are differences of logits, known by their weight on a
/// grid.
#[derive(Debug, Clone)]
struct LogitLevels {
    /// Of each step.
    means: Vec<f64>,
    /// By group, then step.
    observed: Vec<Vec<ObservedCount>>,
    grid: [f64; GRID],
    /// How likely the application has each level; summed up to 1.
    application_cumulative: Vec<f64>,
    /// How well each level explains what has been seen of each group, relative to the best.
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
        // An application's level explains its groups' levels, which explain what was seen.
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

    /// The chances of one run, by step, then group.
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

    /// A level, anywhere between two points of the grid.
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

/// A chance moved by a difference of logits.
pub(super) fn shift_logit(mean: f64, level: f64) -> f64 {
    1.0 / (1.0 + (1.0 - mean) / mean * (-level).exp())
}

/// The log likelihood of what was seen of a step; it counts for less where the step may have a
/// chance of its own.
pub(super) fn log_likelihood(observed: ObservedCount, chance: f64) -> f64 {
    let chance = chance.clamp(1e-6, 1.0 - 1e-6);
    let counts = (STEP_WEIGHT + 1.0) / (STEP_WEIGHT + observed.exposed.max(1.0));
    counts
        * (observed.occurred * chance.ln()
            + (observed.exposed - observed.occurred).max(0.0) * (1.0 - chance).ln())
}

/// The chances of one run: of completes by step, then group; of leaving by step.
pub(super) struct SampledRates {
    pub completes: Vec<Vec<f64>>,
    pub dropouts: Vec<f64>,
}

impl ResponseModel {
    /// `prior` has as many steps as the plan, or one more for a reminder that could be added;
    /// `groups` is how many kinds of users exposures tell of.
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

    /// A step past the plan is a message.
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
