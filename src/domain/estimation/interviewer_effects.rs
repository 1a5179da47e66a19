//! How alike the ratings are that one interviewer took: the intra-interviewer correlation and the
//! design effect that follows from it.
//!
//! Kish, «Studies of interviewer variance for attitudinal variables», Journal of the American
//! Statistical Association 57 (1962): deff = 1 + ρ(m̄ − 1). The correlation is estimated by analysis
//! of variance (Groves, «Survey Errors and Survey Costs», 1989, chapter 8).

use serde::{Deserialize, Serialize};

use super::precision::Moments;

/// The effect of the interviewers on a mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterviewerEffect {
    /// Interviewers and their interviews.
    pub interviewers: u64,
    pub interviews: u64,
    /// ρ; slightly below 0 by chance where there is no effect. `None`: all ratings are the same, or
    /// nobody took two interviews.
    pub correlation: Option<f64>,
    /// 1 + ρ(m̄ − 1), never below 1.
    pub design_effect: Option<f64>,
}

impl InterviewerEffect {
    /// `interviewers`: the ratings of each. `None`: there are fewer than two interviewers.
    pub fn of(interviewers: &[Moments]) -> Option<InterviewerEffect> {
        let groups: Vec<&Moments> = interviewers.iter().filter(|group| group.n > 0).collect();
        if groups.len() < 2 {
            return None;
        }
        let count = groups.len() as f64;
        let n: f64 = groups.iter().map(|group| group.n as f64).sum();
        let mean = groups.iter().map(|g| g.n as f64 * g.mean().unwrap_or(0.0)).sum::<f64>() / n;
        let between = groups
            .iter()
            .map(|group| group.n as f64 * (group.mean().unwrap_or(0.0) - mean).powi(2))
            .sum::<f64>()
            / (count - 1.0);
        let within: f64 = groups.iter().map(|group| group.squares()).sum();
        // The size of a group that stands for all: their mean, less how much they differ.
        let squares: f64 = groups.iter().map(|group| (group.n as f64).powi(2)).sum();
        let size = (n - squares / n) / (count - 1.0);
        let correlation = (n > count)
            .then(|| within / (n - count))
            .filter(|within| between + within > 0.0)
            .map(|within| (between - within) / (between + (size - 1.0) * within));
        Some(InterviewerEffect {
            interviewers: groups.len() as u64,
            interviews: n as u64,
            correlation,
            design_effect: correlation.map(|rho| 1.0 + rho.max(0.0) * (n / count - 1.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(groups: &[&[f64]]) -> Option<InterviewerEffect> {
        let moments = |values: &&[f64]| {
            let mut moments = Moments::default();
            values.iter().for_each(|value| moments.add(*value, 1.0));
            moments
        };
        InterviewerEffect::of(&groups.iter().map(moments).collect::<Vec<_>>())
    }

    /// By hand: means 6 and 8, between 6, within 1: ρ = 5/8 with three interviews each, deff 2.25.
    #[test]
    fn the_correlation_is_that_of_the_analysis_of_variance() {
        let worked = effect(&[&[5.0, 6.0, 7.0], &[7.0, 8.0, 9.0]]).unwrap();
        assert_eq!((worked.interviewers, worked.interviews), (2, 6));
        assert!((worked.correlation.unwrap() - 5.0 / 8.0).abs() < 1e-12);
        assert!((worked.design_effect.unwrap() - 2.25).abs() < 1e-12);
        let alike = effect(&[&[5.0, 7.0], &[5.0, 7.0]]).unwrap();
        assert!(alike.correlation.unwrap() < 0.0);
        assert_eq!(alike.design_effect, Some(1.0));
        assert_eq!(effect(&[&[1.0, 2.0]]), None);
        assert_eq!(effect(&[&[1.0], &[2.0]]).unwrap().correlation, None);
        assert_eq!(effect(&[&[3.0, 3.0], &[3.0, 3.0]]).unwrap().correlation, None);
    }
}
