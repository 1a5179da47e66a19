//! The mean over the days of the field: whether who answers late rates differently.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::precision::Moments;
use super::student_t::t_95;

/// The completes of a day and the mean of their ratings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DayMean {
    pub n: u64,
    pub mean: f64,
}

/// The means by day, and the line through them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trend {
    pub days: BTreeMap<NaiveDate, DayMean>,
    /// Points per day, by least squares over the ratings, with the 95 % interval. `None`: fewer
    /// than three ratings, or all of one day.
    pub per_day: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl Trend {
    pub fn of(days: &BTreeMap<NaiveDate, Moments>) -> Trend {
        let first = days.keys().next().copied().unwrap_or_default();
        let since = |day: &NaiveDate| day.signed_duration_since(first).num_days() as f64;
        let points: Vec<(f64, f64, f64, f64)> = days
            .iter()
            .filter_map(|(day, m)| Some((since(day), m.n as f64, m.mean()?, m.squares())))
            .collect();
        let n: f64 = points.iter().map(|(_, n, _, _)| n).sum();
        let center = points.iter().map(|(at, n, _, _)| at * n).sum::<f64>() / n;
        let mean = points.iter().map(|(_, n, mean, _)| mean * n).sum::<f64>() / n;
        let spread: f64 = points.iter().map(|(at, n, _, _)| n * (at - center).powi(2)).sum();
        let slope = points
            .iter()
            .map(|(at, n, of_day, _)| n * (at - center) * (of_day - mean))
            .sum::<f64>()
            / spread;
        let rest: f64 = points
            .iter()
            .map(|(at, n, of_day, squares)| {
                squares + n * (of_day - mean - slope * (at - center)).powi(2)
            })
            .sum();
        let has_line = n >= 3.0 && spread > 0.0;
        let half = (rest / (n - 2.0) / spread).sqrt() * t_95((n as u64).saturating_sub(2));
        let mean_of = |(day, m): (&NaiveDate, &Moments)| {
            (*day, DayMean { n: m.n, mean: m.mean().unwrap_or_default() })
        };
        Trend {
            days: days.iter().map(mean_of).collect(),
            per_day: has_line.then_some(slope),
            low: has_line.then_some(slope - half),
            high: has_line.then_some(slope + half),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(ratings: &[(u32, f64)]) -> Trend {
        let mut days: BTreeMap<NaiveDate, Moments> = BTreeMap::new();
        for (day, rating) in ratings {
            let day = NaiveDate::from_ymd_opt(2026, 3, *day).unwrap();
            days.entry(day).or_default().add(*rating, 1.0);
        }
        Trend::of(&days)
    }

    /// By hand: 6 and 8 on one day, 5 and 7 on the next: −1 a day, residual variance 2, spread 1.
    #[test]
    fn the_line_is_that_of_least_squares() {
        let worked = trend(&[(1, 6.0), (1, 8.0), (2, 5.0), (2, 7.0)]);
        assert_eq!(worked.days.len(), 2);
        assert!((worked.per_day.unwrap() + 1.0).abs() < 1e-12);
        let half = 2.0f64.sqrt() * 4.302_652_729_911_275;
        assert!((worked.high.unwrap() - (-1.0 + half)).abs() < 1e-9);
        assert_eq!(trend(&[(1, 6.0), (1, 8.0), (1, 7.0)]).per_day, None);
        assert_eq!(trend(&[(1, 6.0), (2, 8.0)]).per_day, None);
        assert_eq!(trend(&[]), Trend::default());
    }
}
