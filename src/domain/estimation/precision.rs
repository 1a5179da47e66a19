//! Means of a finite list, with standard errors and intervals.
//!
//! Cochran, «Sampling Techniques» (1977), 2.5: the standard error of a mean of n out of N is
//! s/√n · √(1 − n/N), so that a census has none. With weights, n is Kish's effective number.

use serde::{Deserialize, Serialize};

use super::student_t::t_95;

/// The two-sided 95 % quantile of the normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Ratings, summed up one by one (Welford 1962, West 1979): they need not be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    pub n: u64,
    mean: f64,
    /// Sum of the squared deviations from the mean.
    squares: f64,
    weights: f64,
    squared_weights: f64,
    weighted_mean: f64,
    weighted_squares: f64,
}

/// A mean and how exact it is. `None`: there are too few answers to say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeanEstimate {
    /// Ratings, and people of the list for whom they stand.
    pub n: u64,
    pub population: u64,
    pub mean: Option<f64>,
    /// s, the standard deviation of the ratings.
    pub deviation: Option<f64>,
    pub standard_error: Option<f64>,
    /// The 95 % interval, by Student's t with n − 1 degrees of freedom.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// The same with the raked weights.
    pub weighted_mean: Option<f64>,
    pub weighted_standard_error: Option<f64>,
    pub weighted_low: Option<f64>,
    pub weighted_high: Option<f64>,
}

/// A mean beside another, as samples of all who might have answered: without the correction for a
/// finite list, because the question is whether the two differ by more than chance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeanDifference {
    pub n: u64,
    pub mean: f64,
    /// The mean minus that of the reference, with its 95 % interval; `None`: it is the reference, or
    /// one of the two has a single answer.
    pub difference: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// Returns √(1 − n/N), the factor on the standard error of a mean of n out of N; 0 for a census.
pub fn finite_population_factor(n: u64, population: u64) -> f64 {
    if population == 0 { 0.0 } else { (1.0 - n as f64 / population as f64).max(0.0).sqrt() }
}

impl Moments {
    /// Adds a rating with its weight.
    pub fn add(&mut self, value: f64, weight: f64) {
        self.n += 1;
        let away = value - self.mean;
        self.mean += away / self.n as f64;
        self.squares += away * (value - self.mean);
        if weight > 0.0 {
            self.weights += weight;
            self.squared_weights += weight * weight;
            let away = value - self.weighted_mean;
            self.weighted_mean += away * weight / self.weights;
            self.weighted_squares += weight * away * (value - self.weighted_mean);
        }
    }

    /// Returns the mean; `None`: there is no rating.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// Returns the sum of squared deviations from the mean.
    pub fn squares(&self) -> f64 {
        self.squares
    }

    /// Returns s².
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.squares / (self.n - 1) as f64)
    }

    /// Estimates the mean of a list of `population` people. Where everybody has answered, there is
    /// nothing to estimate: the standard error is 0, even of a single answer.
    pub fn estimate(&self, population: u64) -> MeanEstimate {
        let factor = finite_population_factor(self.n, population);
        let is_census = self.n > 0 && factor == 0.0;
        let n = self.n as f64;
        let error = |variance: Option<f64>, n: f64| {
            if is_census { Some(0.0) } else { variance.map(|v| (v / n).sqrt() * factor) }
        };
        let interval = |mean: Option<f64>, error: Option<f64>| {
            let half = error.map(|e| if e == 0.0 { 0.0 } else { e * t_95(self.n - 1) });
            let both = mean.zip(half);
            (both.map(|(mean, half)| mean - half), both.map(|(mean, half)| mean + half))
        };
        let mean = self.mean();
        let standard_error = error(self.variance(), n);
        let (low, high) = interval(mean, standard_error);
        let has_weights = self.weights > 0.0;
        let weighted_mean = has_weights.then_some(self.weighted_mean);
        let weighted_variance = (has_weights && self.n > 1)
            .then(|| self.weighted_squares / self.weights * n / (n - 1.0));
        let effective = self.weights * self.weights / self.squared_weights;
        let weighted_standard_error =
            if has_weights { error(weighted_variance, effective) } else { None };
        let (weighted_low, weighted_high) = interval(weighted_mean, weighted_standard_error);
        MeanEstimate {
            n: self.n,
            population,
            mean,
            deviation: self.variance().map(f64::sqrt),
            standard_error,
            low,
            high,
            weighted_mean,
            weighted_standard_error,
            weighted_low,
            weighted_high,
        }
    }

    /// Compares the mean with that of a reference (Welch), with the degrees of freedom of the
    /// smaller of the two, which is the cautious choice.
    pub fn difference_from(&self, reference: &Moments) -> MeanDifference {
        let both = self.variance().zip(reference.variance());
        let half = both.map(|(own, other)| {
            let error = (own / self.n as f64 + other / reference.n as f64).sqrt();
            error * t_95(self.n.min(reference.n) - 1)
        });
        let difference = self.mean - reference.mean;
        MeanDifference {
            n: self.n,
            mean: self.mean,
            difference: half.map(|_| difference),
            low: half.map(|half| difference - half),
            high: half.map(|half| difference + half),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.add(*value, 1.0));
        moments
    }

    /// Lakens/statistical_inferences#147: a correction without its root, or of N − 1 instead of N.
    /// Worked by hand: 50 of 60 names, √(1 − 50/60) = 0.408.
    #[test]
    fn the_finite_population_factor_is_that_of_the_standard_error() {
        assert!((finite_population_factor(50, 60) - 0.408_248_290_463_863).abs() < 1e-15);
        assert_eq!((finite_population_factor(60, 60), finite_population_factor(0, 0)), (0.0, 0.0));
        let all = moments(&[3.0, 9.0, 6.0]).estimate(3);
        assert_eq!((all.standard_error, all.low, all.high), (Some(0.0), Some(6.0), Some(6.0)));
        let single = moments(&[7.0]);
        assert_eq!(single.estimate(1).standard_error, Some(0.0));
        assert_eq!((single.estimate(2).standard_error, single.estimate(2).low), (None, None));
        assert_eq!(moments(&[]).estimate(5).mean, None);
    }

    /// samplics-org/samplics#60: with the correction, a standard error came out as 167 instead of 2.
    /// By hand: 2, 4, 6, 8 of 16: s² = 20/3, s/√4 · √(3/4) = 1.118, t with 3 degrees 3.182.
    #[test]
    fn a_mean_has_the_interval_that_was_worked_by_hand() {
        let estimate = moments(&[2.0, 4.0, 6.0, 8.0]).estimate(16);
        assert_eq!(estimate.mean, Some(5.0));
        let error = estimate.standard_error.unwrap();
        assert!((error - (20.0f64 / 3.0 / 4.0 * 0.75).sqrt()).abs() < 1e-12);
        assert!((estimate.high.unwrap() - (5.0 + 3.182 * error)).abs() < 1e-3);
        let (mean, weighted) = (estimate.weighted_mean, estimate.weighted_standard_error);
        assert!(mean == Some(5.0) && (weighted.unwrap() - error).abs() < 1e-12, "equal weights");
    }

    #[test]
    fn a_difference_needs_two_answers_on_either_side() {
        let (web, telephone) = (moments(&[4.0, 6.0, 8.0]), moments(&[7.0, 9.0]));
        let difference = telephone.difference_from(&web);
        assert_eq!((difference.mean, difference.difference), (8.0, Some(2.0)));
        // √(2/2 + 4/3) · t with one degree of freedom.
        let half = (7.0f64 / 3.0).sqrt() * 12.706_204_736_432_095;
        assert!((difference.high.unwrap() - (2.0 + half)).abs() < 1e-9);
        assert_eq!(moments(&[7.0]).difference_from(&web).difference, None);
    }

    proptest! {
        #[test]
        fn moments_agree_with_two_passes(values in prop::collection::vec((-100.0f64..100.0, 0.1f64..9.0), 2..50)) {
            let mut moments = Moments::default();
            values.iter().for_each(|(value, weight)| moments.add(*value, *weight));
            let n = values.len() as f64;
            let mean = values.iter().map(|v| v.0).sum::<f64>() / n;
            let variance = values.iter().map(|v| (v.0 - mean).powi(2)).sum::<f64>() / (n - 1.0);
            prop_assert!((moments.variance().unwrap() - variance).abs() < 1e-9 * (1.0 + variance));
            let weights: f64 = values.iter().map(|v| v.1).sum();
            let weighted = values.iter().map(|v| v.0 * v.1).sum::<f64>() / weights;
            let estimate = moments.estimate(values.len() as u64 * 3);
            prop_assert!((estimate.weighted_mean.unwrap() - weighted).abs() < 1e-9);
            // The larger the share of the list that answered, the smaller the error.
            let closer = moments.estimate(values.len() as u64 * 2);
            prop_assert!(closer.standard_error <= estimate.standard_error);
        }
    }
}
