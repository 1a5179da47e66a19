//! The prior from a programme's other applications: how much each contact yields, and how much
//! applications differ.

use std::collections::BTreeMap;

use super::contact_ordinal::ContactOrdinal;
use super::response_model::{
    ASSUMED_LOGIT_SD, BetaRate, GRID, NEXT_CONTACT_FACTOR, ObservedCount, StepCounts, gaussian,
    log_likelihood, shift_logit,
};
use crate::domain::mode::Mode;

/// Weight of the assumptions, in people of each step and in applications.
const ASSUMED_PEOPLE: f64 = 4.0;
const ASSUMED_APPLICATIONS: f64 = 4.0;
/// Dropout rates differ between applications as if each were known from this number of people.
const DROPOUT_WEIGHT: f64 = 30.0;
const ASSUMED_DROPOUTS: f64 = 0.05;
/// Number of iterations after which the estimate has converged.
const ROUNDS: usize = 8;

/// How a further application may answer, before anything is observed in it.
#[derive(Debug, Clone)]
pub struct Prior {
    /// The ordinal of each step.
    pub ordinals: Vec<ContactOrdinal>,
    /// The chance of a complete at each step, for an application in the middle.
    pub means: Vec<f64>,
    /// How much applications differ from the middle, as a standard deviation of logits.
    pub logit_sd: f64,
    pub dropouts: Vec<BetaRate>,
}

impl Prior {
    /// The prior before anything is observed: `rate` completes per invited person, with a plan of
    /// these steps.
    pub fn assumed(rate: f64, ordinals: &[ContactOrdinal]) -> Prior {
        Prior::learn(&[], rate, ordinals)
    }

    /// Learns from other applications. An application in which many answer has few people left for
    /// the next step, so averages over people would underestimate it: levels and means are
    /// estimated together, each iteration from the other (expectation and maximisation).
    pub fn learn(
        others: &[BTreeMap<ContactOrdinal, StepCounts>],
        rate: f64,
        ordinals: &[ContactOrdinal],
    ) -> Prior {
        let (assumed, steps) = (assumed_means(rate, ordinals), ordinals.len());
        let ordinals = ordinals.to_vec();
        let of = |step: usize| {
            others
                .iter()
                .filter_map(|observed| observed.get(ordinals.get(step)?))
                .collect::<Vec<_>>()
        };
        let completes: Vec<ObservedCount> = (0..steps)
            .map(|step| ObservedCount::sum(of(step).into_iter().map(|observed| observed.completes)))
            .collect();
        let dropouts = (0..steps).map(|step| {
            let observed =
                ObservedCount::sum(of(step).into_iter().map(|observed| observed.dropouts));
            BetaRate::new(
                (observed.occurred + ASSUMED_DROPOUTS * ASSUMED_PEOPLE)
                    / (observed.exposed + ASSUMED_PEOPLE),
                DROPOUT_WEIGHT,
            )
        });
        let dropouts = dropouts.collect();
        let wanted: Vec<f64> = completes
            .iter()
            .zip(&assumed)
            .map(|(observed, assumed)| observed.occurred + assumed * ASSUMED_PEOPLE)
            .collect();
        let mut means: Vec<f64> = wanted
            .iter()
            .zip(&completes)
            .map(|(wanted, observed)| wanted / (observed.exposed + ASSUMED_PEOPLE))
            .collect();
        let mut logit_sd = ASSUMED_LOGIT_SD;
        if others.is_empty() {
            return Prior { ordinals, means, logit_sd, dropouts };
        }
        for _ in 0..ROUNDS {
            let grid = logit_grid(logit_sd);
            // Number of people of each step that were contacted at each level.
            let mut exposed_at = vec![[0.0; GRID]; steps];
            let mut squares = ASSUMED_APPLICATIONS * ASSUMED_LOGIT_SD.powi(2);
            for other in others {
                let observed = |step: usize| {
                    ordinals
                        .get(step)
                        .and_then(|ordinal| other.get(ordinal))
                        .map_or(ObservedCount::default(), |observed| observed.completes)
                };
                let fits = grid.map(|level| {
                    (0..steps)
                        .map(|step| log_likelihood(observed(step), shift_logit(means[step], level)))
                        .sum::<f64>()
                });
                let best = fits.into_iter().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = grid
                    .iter()
                    .zip(fits)
                    .map(|(level, fit)| gaussian(level / logit_sd) * (fit - best).exp())
                    .collect();
                let all: f64 = weights.iter().sum();
                for (at, weight) in weights.into_iter().enumerate() {
                    squares += grid[at].powi(2) * weight / all;
                    (0..steps).for_each(|step| {
                        exposed_at[step][at] += observed(step).exposed * weight / all
                    });
                }
            }
            for (step, mean) in means.iter_mut().enumerate() {
                let expected_completes = |mean: f64| {
                    ASSUMED_PEOPLE * mean
                        + exposed_at[step]
                            .iter()
                            .zip(grid)
                            .map(|(n, level)| n * shift_logit(mean, level))
                            .sum::<f64>()
                };
                *mean = solve(|mean| expected_completes(mean) < wanted[step]);
            }
            logit_sd = (squares / (others.len() as f64 + ASSUMED_APPLICATIONS)).sqrt();
        }
        Prior { ordinals, means, logit_sd, dropouts }
    }

    /// Treats the prior as certain, for trying out an assumption.
    pub fn as_certain(mut self) -> Prior {
        self.logit_sd = 0.1;
        self
    }

    /// Adds a further message at the end.
    pub fn with_extra_message(mut self) -> Prior {
        let last = self.ordinals.iter().rposition(|ordinal| ordinal.mode == Mode::Sms);
        let mean = last
            .and_then(|last| self.means.get(last))
            .map_or(0.1, |mean| mean * NEXT_CONTACT_FACTOR);
        let dropouts = last
            .and_then(|last| self.dropouts.get(last))
            .map_or(ASSUMED_DROPOUTS, |rate| rate.mean());
        self.means.push(mean);
        self.dropouts.push(BetaRate::new(dropouts, DROPOUT_WEIGHT));
        self.ordinals.push(ContactOrdinal {
            mode: Mode::Sms,
            index: last
                .and_then(|last| self.ordinals.get(last))
                .map_or(0, |ordinal| ordinal.index + 1),
        });
        self
    }
}

/// Returns the grid points at which the weight of a level is known.
pub(super) fn logit_grid(logit_sd: f64) -> [f64; GRID] {
    std::array::from_fn(|n| 3.5 * logit_sd * (2.0 * n as f64 / (GRID - 1) as f64 - 1.0))
}

/// Returns the assumed yield of each step for a plan that yields `rate` completes per invited
/// person: each further contact of a mode yields a part of the previous one, and the first call as
/// much as the first message, since it reaches people in a different way.
fn assumed_means(rate: f64, ordinals: &[ContactOrdinal]) -> Vec<f64> {
    let of = |first: f64| {
        ordinals.iter().map(move |ordinal| {
            first * NEXT_CONTACT_FACTOR.powi(i32::try_from(ordinal.index).unwrap_or(i32::MAX))
        })
    };
    let first = solve(|first| 1.0 - of(first).map(|chance| 1.0 - chance).product::<f64>() < rate);
    of(first).collect()
}

/// Returns the smallest chance that is not `too_little`.
fn solve(too_little: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if too_little(middle) { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(count: usize) -> Vec<ContactOrdinal> {
        ContactOrdinal::of_plan(vec![Mode::Sms; count])
    }

    fn application(rates: &[(f64, f64)]) -> BTreeMap<ContactOrdinal, StepCounts> {
        let step = |(exposed, occurred): (f64, f64)| StepCounts {
            completes: ObservedCount { exposed, occurred },
            dropouts: ObservedCount { exposed, occurred: 2.0 },
        };
        messages(rates.len()).into_iter().zip(rates.iter().map(|rate| step(*rate))).collect()
    }

    #[test]
    fn others_teach_the_middle_and_how_much_they_differ() {
        let alike: Vec<_> =
            (0..80).map(|n| application(&[(100.0, 30.0 + f64::from(n % 3))])).collect();
        let unlike: Vec<_> = (0..80)
            .map(|n| application(&[(100.0, if n % 2 == 0 { 10.0 } else { 50.0 })]))
            .collect();
        let (narrow, wide) =
            (Prior::learn(&alike, 0.5, &messages(1)), Prior::learn(&unlike, 0.5, &messages(1)));
        assert!((narrow.means[0] - 0.31).abs() < 0.02, "{narrow:?}");
        assert!(
            narrow.logit_sd < 0.3 && wide.logit_sd > 0.8,
            "{} {}",
            narrow.logit_sd,
            wide.logit_sd
        );
        assert!((narrow.dropouts[0].mean() - 0.02).abs() < 0.005);
    }

    #[test]
    fn who_answers_at_once_is_not_missed_at_the_next_step() {
        // Half of the applications answer well and have few people left to remind; both halves
        // answer a reminder half as often as the invitation.
        let good = application(&[(100.0, 80.0), (20.0, 8.0)]);
        let bad = application(&[(100.0, 10.0), (90.0, 4.5)]);
        let others: Vec<_> =
            (0..40).map(|n| if n % 2 == 0 { good.clone() } else { bad.clone() }).collect();
        let prior = Prior::learn(&others, 0.5, &messages(2));
        assert!(
            prior.means[1] > 12.5 / 110.0 * 1.2,
            "an average over people says {:.2}, the middle is {:.2}",
            12.5 / 110.0,
            prior.means[1]
        );
    }

    #[test]
    fn the_steps_together_bring_what_is_assumed_of_the_plan() {
        let steps = Prior::assumed(0.5, &messages(3)).means;
        let whole = 1.0 - steps.iter().map(|step| 1.0 - step).product::<f64>();
        assert!(
            (whole - 0.5).abs() < 1e-6 && steps[0] > steps[1] && steps[1] > steps[2],
            "{steps:?}"
        );
        assert_eq!(Prior::assumed(0.5, &messages(3)).with_extra_message().means.len(), 4);
    }

    #[test]
    fn calls_are_learnt_from_calls_wherever_they_stand_in_a_plan() {
        let with_call = ContactOrdinal::of_plan([Mode::Sms, Mode::Telephone]);
        let observed = |occurred| StepCounts {
            completes: ObservedCount { exposed: 100.0, occurred },
            dropouts: ObservedCount { exposed: 100.0, occurred: 2.0 },
        };
        let other: BTreeMap<ContactOrdinal, StepCounts> =
            with_call.into_iter().zip([observed(10.0), observed(60.0)]).collect();
        let prior = Prior::learn(
            &vec![other; 20],
            0.5,
            &ContactOrdinal::of_plan([Mode::Sms, Mode::Sms, Mode::Telephone]),
        );
        assert!(prior.means[1] < 0.3 && (prior.means[2] - 0.6).abs() < 0.05, "{prior:?}");
        let further = prior.with_extra_message();
        assert_eq!(further.ordinals[3], ContactOrdinal { mode: Mode::Sms, index: 2 });
        assert!(
            further.means[3] < further.means[1],
            "a further message, not a further call: {further:?}"
        );
    }
}
