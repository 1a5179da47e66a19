//! What a programme's other applications teach: how much each contact brings, and how much applications differ.

use std::collections::BTreeMap;

use super::response_model::{ASSUMED_SPREAD, GRID, NEXT_CONTACT, Rate, Seen, StepSeen, bell, fit, moved};
use super::contact_ordinal::Turn;
use crate::domain::mode::Mode;

/// What is assumed is worth so many people of each step, and so many applications.
const ASSUMED_PEOPLE: f64 = 4.0;
const ASSUMED_APPLICATIONS: f64 = 4.0;
/// Rates of leaving differ between applications as if each had been told by so many people.
const LEAVES_WEIGHT: f64 = 30.0;
const ASSUMED_LEAVES: f64 = 0.05;
/// By then the estimate stands still.
const ROUNDS: usize = 8;

/// How a further application may answer, before anything has been seen of it.
#[derive(Debug, Clone)]
pub struct Prior {
    /// What each step is.
    pub turns: Vec<Turn>,
    /// The chance of a complete at each step, of an application in the middle.
    pub means: Vec<f64>,
    /// How much applications differ from it, as a standard deviation of logits.
    pub spread: f64,
    pub leaves: Vec<Rate>,
}

impl Prior {
    /// Before anything has been seen at all: `rate` completes by people invited, from a plan of these steps.
    pub fn assumed(rate: f64, turns: &[Turn]) -> Prior {
        Prior::learn(&[], rate, turns)
    }

    /// Learns from others. An application with many who answer has few left for the next step, so averages over people would tell too little of it: levels and
    /// means are estimated together, each round from the other (expectation and maximisation).
    pub fn learn(others: &[BTreeMap<Turn, StepSeen>], rate: f64, turns: &[Turn]) -> Prior {
        let (assumed, steps) = (assumed_means(rate, turns), turns.len());
        let turns = turns.to_vec();
        let of = |step: usize| others.iter().filter_map(|seen| seen.get(turns.get(step)?)).collect::<Vec<_>>();
        let completes: Vec<Seen> = (0..steps).map(|step| Seen::sum(of(step).into_iter().map(|seen| seen.completes))).collect();
        let leaves = (0..steps).map(|step| {
            let seen = Seen::sum(of(step).into_iter().map(|seen| seen.leaves));
            Rate::new((seen.happened + ASSUMED_LEAVES * ASSUMED_PEOPLE) / (seen.exposed + ASSUMED_PEOPLE), LEAVES_WEIGHT)
        });
        let leaves = leaves.collect();
        let wanted: Vec<f64> = completes.iter().zip(&assumed).map(|(seen, assumed)| seen.happened + assumed * ASSUMED_PEOPLE).collect();
        let mut means: Vec<f64> = wanted.iter().zip(&completes).map(|(wanted, seen)| wanted / (seen.exposed + ASSUMED_PEOPLE)).collect();
        let mut spread = ASSUMED_SPREAD;
        if others.is_empty() {
            return Prior { turns, means, spread, leaves };
        }
        for _ in 0..ROUNDS {
            let grid = levels(spread);
            // How many people of each step were asked at each level.
            let mut asked = vec![[0.0; GRID]; steps];
            let mut squares = ASSUMED_APPLICATIONS * ASSUMED_SPREAD.powi(2);
            for other in others {
                let seen = |step: usize| turns.get(step).and_then(|turn| other.get(turn)).map_or(Seen::default(), |seen| seen.completes);
                let fits = grid.map(|level| (0..steps).map(|step| fit(seen(step), moved(means[step], level))).sum::<f64>());
                let best = fits.into_iter().fold(f64::NEG_INFINITY, f64::max);
                let weights: Vec<f64> = grid.iter().zip(fits).map(|(level, fit)| bell(level / spread) * (fit - best).exp()).collect();
                let all: f64 = weights.iter().sum();
                for (at, weight) in weights.into_iter().enumerate() {
                    squares += grid[at].powi(2) * weight / all;
                    (0..steps).for_each(|step| asked[step][at] += seen(step).exposed * weight / all);
                }
            }
            for (step, mean) in means.iter_mut().enumerate() {
                let brought = |mean: f64| ASSUMED_PEOPLE * mean + asked[step].iter().zip(grid).map(|(n, level)| n * moved(mean, level)).sum::<f64>();
                *mean = solve(|mean| brought(mean) < wanted[step]);
            }
            spread = (squares / (others.len() as f64 + ASSUMED_APPLICATIONS)).sqrt();
        }
        Prior { turns, means, spread, leaves }
    }

    /// As if it had been seen often: what somebody wants to try out.
    pub fn known_well(mut self) -> Prior {
        self.spread = 0.1;
        self
    }

    /// With a further message at the end.
    pub fn with_one_more(mut self) -> Prior {
        let last = self.turns.iter().rposition(|turn| turn.mode == Mode::Sms);
        let mean = last.and_then(|last| self.means.get(last)).map_or(0.1, |mean| mean * NEXT_CONTACT);
        let leaves = last.and_then(|last| self.leaves.get(last)).map_or(ASSUMED_LEAVES, |rate| rate.mean());
        self.means.push(mean);
        self.leaves.push(Rate::new(leaves, LEAVES_WEIGHT));
        self.turns.push(Turn { mode: Mode::Sms, nth: last.and_then(|last| self.turns.get(last)).map_or(0, |turn| turn.nth + 1) });
        self
    }
}

/// The points at which the weight of a level is known.
pub(super) fn levels(spread: f64) -> [f64; GRID] {
    std::array::from_fn(|n| 3.5 * spread * (2.0 * n as f64 / (GRID - 1) as f64 - 1.0))
}

/// What each step is assumed to bring of a plan that brings `rate` completes by people invited: each further one of a mode a part of the one before,
/// and the first call as much as the first message, since it reaches people otherwise.
fn assumed_means(rate: f64, turns: &[Turn]) -> Vec<f64> {
    let of = |first: f64| turns.iter().map(move |turn| first * NEXT_CONTACT.powi(i32::try_from(turn.nth).unwrap_or(i32::MAX)));
    let first = solve(|first| 1.0 - of(first).map(|chance| 1.0 - chance).product::<f64>() < rate);
    of(first).collect()
}

/// The chance from which on it is not `too_little` any more.
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

    fn messages(count: usize) -> Vec<Turn> {
        Turn::of_plan(vec![Mode::Sms; count])
    }

    fn application(rates: &[(f64, f64)]) -> BTreeMap<Turn, StepSeen> {
        let step = |(exposed, happened): (f64, f64)| StepSeen { completes: Seen { exposed, happened }, leaves: Seen { exposed, happened: 2.0 } };
        messages(rates.len()).into_iter().zip(rates.iter().map(|rate| step(*rate))).collect()
    }

    #[test]
    fn others_teach_the_middle_and_how_much_they_differ() {
        let alike: Vec<_> = (0..80).map(|n| application(&[(100.0, 30.0 + f64::from(n % 3))])).collect();
        let unlike: Vec<_> = (0..80).map(|n| application(&[(100.0, if n % 2 == 0 { 10.0 } else { 50.0 })])).collect();
        let (narrow, wide) = (Prior::learn(&alike, 0.5, &messages(1)), Prior::learn(&unlike, 0.5, &messages(1)));
        assert!((narrow.means[0] - 0.31).abs() < 0.02, "{narrow:?}");
        assert!(narrow.spread < 0.3 && wide.spread > 0.8, "{} {}", narrow.spread, wide.spread);
        assert!((narrow.leaves[0].mean() - 0.02).abs() < 0.005);
    }

    #[test]
    fn who_answers_at_once_is_not_missed_at_the_next_step() {
        // Half of the applications answer well and have few left to remind; both halves answer a reminder half as often as the invitation.
        let good = application(&[(100.0, 80.0), (20.0, 8.0)]);
        let bad = application(&[(100.0, 10.0), (90.0, 4.5)]);
        let others: Vec<_> = (0..40).map(|n| if n % 2 == 0 { good.clone() } else { bad.clone() }).collect();
        let prior = Prior::learn(&others, 0.5, &messages(2));
        assert!(prior.means[1] > 12.5 / 110.0 * 1.2, "an average over people says {:.2}, the middle is {:.2}", 12.5 / 110.0, prior.means[1]);
    }

    #[test]
    fn the_steps_together_bring_what_is_assumed_of_the_plan() {
        let steps = Prior::assumed(0.5, &messages(3)).means;
        let whole = 1.0 - steps.iter().map(|step| 1.0 - step).product::<f64>();
        assert!((whole - 0.5).abs() < 1e-6 && steps[0] > steps[1] && steps[1] > steps[2], "{steps:?}");
        assert_eq!(Prior::assumed(0.5, &messages(3)).with_one_more().means.len(), 4);
    }

    #[test]
    fn calls_are_learnt_from_calls_wherever_they_stand_in_a_plan() {
        let with_call = Turn::of_plan([Mode::Sms, Mode::Telephone]);
        let seen = |happened| StepSeen { completes: Seen { exposed: 100.0, happened }, leaves: Seen { exposed: 100.0, happened: 2.0 } };
        let other: BTreeMap<Turn, StepSeen> = with_call.into_iter().zip([seen(10.0), seen(60.0)]).collect();
        let prior = Prior::learn(&vec![other; 20], 0.5, &Turn::of_plan([Mode::Sms, Mode::Sms, Mode::Telephone]));
        assert!(prior.means[1] < 0.3 && (prior.means[2] - 0.6).abs() < 0.05, "{prior:?}");
        let further = prior.with_one_more();
        assert_eq!(further.turns[3], Turn { mode: Mode::Sms, nth: 2 });
        assert!(further.means[3] < further.means[1], "a further message, not a further call: {further:?}");
    }
}
