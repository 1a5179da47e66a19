//! The delays between contacts and their answers.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};

use crate::domain::mode::Mode;

/// The upper bounds of the bins, in hours.
const ENDS: [f64; 11] = [1.0, 3.0, 6.0, 12.0, 24.0, 48.0, 72.0, 120.0, 168.0, 336.0, 720.0];
pub const BINS: usize = ENDS.len();

/// Assumed distribution before anything is observed: most within hours, few after days. It has the
/// weight of [`ASSUMED_WEIGHT`] answers.
const ASSUMED: [f64; BINS] = [0.30, 0.20, 0.12, 0.10, 0.12, 0.07, 0.04, 0.03, 0.01, 0.005, 0.005];
/// Assumed distribution for the call queue: people are called over days, at different times of the
/// day.
const ASSUMED_BY_TELEPHONE: [f64; BINS] =
    [0.05, 0.05, 0.08, 0.08, 0.20, 0.20, 0.12, 0.10, 0.06, 0.05, 0.01];
/// Assumed distribution for paper forms, which go by post both ways.
const ASSUMED_ON_PAPER: [f64; BINS] =
    [0.0, 0.0, 0.0, 0.0, 0.01, 0.03, 0.06, 0.15, 0.20, 0.35, 0.20];
const ASSUMED_WEIGHT: f64 = 20.0;

/// Returns the bin of a delay in hours.
pub fn bin_of(hours: f64) -> usize {
    ENDS.iter().position(|end| hours < *end).unwrap_or(BINS - 1)
}

/// The delay between a contact and its answer: a histogram, uniform within each bin.
#[derive(Debug, Clone)]
pub struct DelayDistribution {
    /// Share of answers up to the end of each bin; the last is 1.
    cumulative: [f64; BINS],
}

impl DelayDistribution {
    /// Creates the distribution for messages from the observed answers in each bin.
    pub fn from_observed(observed: &[f64; BINS]) -> DelayDistribution {
        DelayDistribution::learn(observed, &ASSUMED)
    }

    fn learn(observed: &[f64; BINS], assumed: &[f64; BINS]) -> DelayDistribution {
        let all: f64 = observed.iter().sum::<f64>() + ASSUMED_WEIGHT;
        let mut cumulative = [0.0; BINS];
        let mut sum = 0.0;
        for (bin, end) in cumulative.iter_mut().enumerate() {
            sum += (observed[bin] + assumed[bin] * ASSUMED_WEIGHT) / all;
            *end = sum;
        }
        cumulative[BINS - 1] = 1.0;
        DelayDistribution { cumulative }
    }

    /// Returns the share of answers that arrive within a number of hours.
    pub fn share_answered_within(&self, hours: f64) -> f64 {
        if hours <= 0.0 {
            return 0.0;
        }
        let Some(bin) = ENDS.iter().position(|end| hours < *end) else { return 1.0 };
        let (from, below) = self.lower_edge(bin);
        below + (self.cumulative[bin] - below) * (hours - from) / (ENDS[bin] - from)
    }

    /// Draws a delay in hours, given that it is longer than `already`.
    pub fn sample_after(&self, already: f64, rng: &mut impl Rng) -> f64 {
        let gone = self.share_answered_within(already);
        let share = gone + (1.0 - gone) * rng.random::<f64>();
        let bin = self.cumulative.iter().position(|end| share < *end).unwrap_or(BINS - 1);
        let (from, below) = self.lower_edge(bin);
        let width = self.cumulative[bin] - below;
        let within = if width > 0.0 { (share - below) / width } else { 0.0 };
        (from + within * (ENDS[bin] - from)).max(already)
    }

    fn lower_edge(&self, bin: usize) -> (f64, f64) {
        if bin == 0 { (0.0, 0.0) } else { (ENDS[bin - 1], self.cumulative[bin - 1]) }
    }
}

/// The delays of each mode of contact; for calls, from the time the person was added to the call
/// queue.
#[derive(Debug, Clone)]
pub struct DelaysByMode {
    messages: DelayDistribution,
    telephone: DelayDistribution,
    paper: DelayDistribution,
}

impl DelaysByMode {
    /// Creates the distributions from the observed answers in each bin.
    pub fn from_observed(observed: &BTreeMap<Mode, [f64; BINS]>) -> DelaysByMode {
        let of = |mode: Mode| observed.get(&mode).unwrap_or(&[0.0; BINS]);
        DelaysByMode {
            messages: DelayDistribution::learn(of(Mode::Sms), &ASSUMED),
            telephone: DelayDistribution::learn(of(Mode::Telephone), &ASSUMED_BY_TELEPHONE),
            paper: DelayDistribution::learn(of(Mode::Paper), &ASSUMED_ON_PAPER),
        }
    }

    pub fn of(&self, mode: Mode) -> &DelayDistribution {
        match mode {
            Mode::Telephone => &self.telephone,
            Mode::Paper => &self.paper,
            Mode::Web | Mode::Sms => &self.messages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    #[test]
    fn draws_follow_the_shares() {
        let delays = DelayDistribution::from_observed(&[0.0; BINS]);
        let mut rng = SmallRng::seed_from_u64(1);
        let drawn: Vec<f64> = (0..20_000).map(|_| delays.sample_after(0.0, &mut rng)).collect();
        for hours in [0.5, 2.0, 12.0, 30.0, 200.0] {
            let share = drawn.iter().filter(|delay| **delay < hours).count() as f64 / 20_000.0;
            assert!(
                (share - delays.share_answered_within(hours)).abs() < 0.015,
                "{hours} h: {share} against {}",
                delays.share_answered_within(hours)
            );
        }
        assert!((0..1_000).all(|_| delays.sample_after(30.0, &mut rng) >= 30.0));
        assert_eq!(
            (delays.share_answered_within(0.0), delays.share_answered_within(10_000.0)),
            (0.0, 1.0)
        );
    }
}
