//! Raking (iterative proportional fitting) and trimming.
//!
//! Deming and Stephan, «On a least squares adjustment of a sampled frequency table when the expected
//! marginal totals are known», Annals of Mathematical Statistics 11 (1940). Trimming at five times
//! the mean: DeBell and Krosnick, «Computing weights for American National Election Study survey
//! data», ANES Technical Report nes012427 (2009).

/// Weights above so many times the mean weight are trimmed.
pub const TRIM_AT: f64 = 5.0;
/// The fit ends when no total is off by more than this share of the population.
const TOLERANCE: f64 = 1e-12;
const MAX_ITERATIONS: u32 = 1_000;

/// A variable with the total that each of its categories must have.
#[derive(Debug, Clone, PartialEq)]
pub struct Margin {
    /// The category of each unit.
    pub category_of: Vec<usize>,
    /// The total of each category; one without units cannot be met and must be 0.
    pub totals: Vec<f64>,
}

/// The result of raking.
#[derive(Debug, Clone, PartialEq)]
pub struct Raked {
    pub weights: Vec<f64>,
    pub iterations: u32,
    /// Whether every margin is met. If not, the weights are those before raking.
    pub has_converged: bool,
}

/// Rakes weights to margins. Unit `i` stands for `counts[i]` people with the same weight.
pub fn rake(weights: &[f64], counts: &[f64], margins: &[Margin]) -> Raked {
    let population: f64 = weights.iter().zip(counts).map(|(w, n)| w * n).sum();
    let mut raked = weights.to_vec();
    for iterations in 0..=MAX_ITERATIONS {
        let worst = margins
            .iter()
            .map(|margin| largest_difference(&raked, counts, margin))
            .fold(0.0, f64::max);
        if worst <= TOLERANCE * population {
            return Raked { weights: raked, iterations, has_converged: true };
        }
        for margin in margins {
            let sums = sums_of(&raked, counts, margin);
            for (weight, &category) in raked.iter_mut().zip(&margin.category_of) {
                if sums[category] > 0.0 {
                    *weight *= margin.totals[category] / sums[category];
                }
            }
        }
    }
    Raked { weights: weights.to_vec(), iterations: MAX_ITERATIONS, has_converged: false }
}

/// Returns the weighted sum of each category.
pub(super) fn sums_of(weights: &[f64], counts: &[f64], margin: &Margin) -> Vec<f64> {
    let mut sums = vec![0.0; margin.totals.len()];
    for ((weight, count), &category) in weights.iter().zip(counts).zip(&margin.category_of) {
        sums[category] += weight * count;
    }
    sums
}

/// Returns by how much the category that is farthest off misses its total, in people.
pub(super) fn largest_difference(weights: &[f64], counts: &[f64], margin: &Margin) -> f64 {
    let sums = sums_of(weights, counts, margin);
    sums.iter().zip(&margin.totals).map(|(sum, total)| (sum - total).abs()).fold(0.0, f64::max)
}

/// Cuts weights above `limit` down to it, and gives what is cut to the others in proportion, so that
/// the sum stays. Returns the number of people whose weight was cut. A limit below the mean cuts
/// nothing, because it could not keep the sum.
pub fn trim(weights: &mut [f64], counts: &[f64], limit: f64) -> f64 {
    let people: f64 = counts.iter().sum();
    let sum: f64 = weights.iter().zip(counts).map(|(w, n)| w * n).sum();
    if limit * people < sum {
        return 0.0;
    }
    let mut is_cut = vec![false; weights.len()];
    // Each round cuts at least one more unit.
    for _ in 0..weights.len() {
        let mut excess = 0.0;
        for (at, weight) in weights.iter_mut().enumerate() {
            if *weight > limit {
                excess += (*weight - limit) * counts[at];
                (*weight, is_cut[at]) = (limit, true);
            }
        }
        let rest: f64 =
            (0..weights.len()).filter(|&at| !is_cut[at]).map(|at| weights[at] * counts[at]).sum();
        if excess == 0.0 || rest <= 0.0 {
            break;
        }
        for at in (0..weights.len()).filter(|&at| !is_cut[at]) {
            weights[at] *= 1.0 + excess / rest;
        }
    }
    is_cut.iter().zip(counts).filter(|(is_cut, _)| **is_cut).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table that raking cannot fit: the totals ask for people where there is nobody.
    #[test]
    fn what_cannot_be_met_is_told_and_changes_nothing() {
        let margins = [
            Margin { category_of: vec![0, 1], totals: vec![6.0, 4.0] },
            Margin { category_of: vec![0, 1], totals: vec![5.0, 5.0] },
        ];
        let raked = rake(&[5.0, 5.0], &[1.0, 1.0], &margins);
        assert_eq!((raked.has_converged, raked.weights), (false, vec![5.0, 5.0]));
    }

    /// facebookresearch/balance#431: raking forgot each unit's own weight, so that units of one
    /// category came out alike. Here 1 and 3 in one category keep their ratio.
    #[test]
    fn raking_keeps_the_ratio_of_weights_within_a_category() {
        let margins = [Margin { category_of: vec![0, 0, 1], totals: vec![8.0, 2.0] }];
        let raked = rake(&[1.0, 3.0, 6.0], &[1.0, 1.0, 1.0], &margins);
        assert_eq!((raked.weights, raked.has_converged), (vec![2.0, 6.0, 2.0], true));
    }

    proptest! {
        /// Margins that come from weights over the same units can be met, and are.
        #[test]
        fn raked_margins_meet_their_totals(
            units in prop::collection::vec((0usize..3, 0usize..4, 1u32..9, 0.5f64..4.0, 0.2f64..5.0), 2..40),
        ) {
            let counts: Vec<f64> = units.iter().map(|unit| f64::from(unit.2)).collect();
            let start: Vec<f64> = units.iter().map(|unit| unit.3).collect();
            let target: Vec<f64> = units.iter().map(|unit| unit.4).collect();
            let margin = |category_of: Vec<usize>, size: usize| {
                let mut margin = Margin { category_of, totals: vec![0.0; size] };
                margin.totals = sums_of(&target, &counts, &margin);
                margin
            };
            let margins = [
                margin(units.iter().map(|unit| unit.0).collect(), 3),
                margin(units.iter().map(|unit| unit.1).collect(), 4),
            ];
            let raked = rake(&start, &counts, &margins);
            if raked.has_converged {
                for margin in &margins {
                    prop_assert!(largest_difference(&raked.weights, &counts, margin) < 1e-9);
                }
            }
            let is_full = (0..3).all(|a| (0..4).all(|b| units.iter().any(|unit| (unit.0, unit.1) == (a, b))));
            prop_assert!(raked.has_converged || !is_full, "a full table can always be fitted");
        }

        #[test]
        fn trimming_keeps_the_sum_and_the_limit(
            units in prop::collection::vec((0.01f64..100.0, 1u32..5), 1..60),
            times in 1.001f64..6.0,
        ) {
            let counts: Vec<f64> = units.iter().map(|unit| f64::from(unit.1)).collect();
            let mut weights: Vec<f64> = units.iter().map(|unit| unit.0).collect();
            let sum = |weights: &[f64]| -> f64 { weights.iter().zip(&counts).map(|(w, n)| w * n).sum() };
            let before = sum(&weights);
            let limit = times * before / counts.iter().sum::<f64>();
            let cut = trim(&mut weights, &counts, limit);
            prop_assert!((sum(&weights) - before).abs() < 1e-9 * before);
            prop_assert!(weights.iter().all(|weight| *weight <= limit * (1.0 + 1e-12)));
            prop_assert!(cut > 0.0 || units.iter().zip(&weights).all(|(unit, weight)| unit.0 == *weight));
        }
    }
}
