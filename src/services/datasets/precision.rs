//! The precision of a version's ratings: means with their standard errors, and what they depend on.
//! The ratings are summed up while the version is frozen, and stay where they are.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::estimation::{
    InterviewerEffect, MeanDifference, MeanEstimate, Moments, Representativity, Trend,
};
use crate::domain::ids::AccountId;
use crate::domain::questionnaire::{Item, ItemKind, Questionnaire};

/// Means over the complete interviews of a version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrecisionSummary {
    /// One for each item with a scale, in the questionnaire's order.
    pub items: Vec<ItemPrecision>,
    /// The variables of the core items, and the mean over them: first of each respondent's core
    /// ratings, then of the respondents. None: no core item has a scale, or they differ in it.
    pub core_items: Vec<String>,
    pub core: Option<MeanEstimate>,
    pub representativity: Representativity,
    /// The means of the core by day, by mode (beside the most frequent one), and how much they
    /// depend on the interviewer.
    pub trend: Trend,
    pub modes: BTreeMap<String, MeanDifference>,
    pub interviewers: Option<InterviewerEffect>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ItemPrecision {
    pub variable: String,
    pub latent: Option<String>,
    #[serde(flatten)]
    pub estimate: MeanEstimate,
}

/// A complete interview, as precision sees it.
pub(super) struct RatedResponse<'r> {
    /// The points given to the items of [`Ratings::items`].
    pub points: Vec<Option<i64>>,
    pub weight: f64,
    pub mode: &'r str,
    pub interviewer: Option<AccountId>,
    pub day: Option<NaiveDate>,
}

/// Sums up the ratings of a version.
pub(super) struct Ratings<'q> {
    items: Vec<(&'q Item, Moments)>,
    /// The places of the core items.
    core_items: Vec<usize>,
    core: Moments,
    days: BTreeMap<NaiveDate, Moments>,
    modes: BTreeMap<String, Moments>,
    interviewers: BTreeMap<AccountId, Moments>,
}

impl<'q> Ratings<'q> {
    pub fn of(questionnaire: &'q Questionnaire) -> Ratings<'q> {
        let items = scale_items(questionnaire);
        let core: Vec<(usize, (i64, i64))> = items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.core)
            .filter_map(|(at, item)| Some((at, range_of(item)?)))
            .collect();
        // A mean over different scales would mean nothing.
        let is_one_scale = core.iter().all(|(_, range)| *range == core[0].1);
        Ratings {
            core_items: core.iter().filter(|_| is_one_scale).map(|(at, _)| *at).collect(),
            items: items.into_iter().map(|item| (item, Moments::default())).collect(),
            core: Moments::default(),
            days: BTreeMap::new(),
            modes: BTreeMap::new(),
            interviewers: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, response: &RatedResponse<'_>) {
        let weight = response.weight;
        for ((_, moments), point) in self.items.iter_mut().zip(&response.points) {
            if let Some(point) = point {
                moments.add(*point as f64, weight);
            }
        }
        let core: Vec<f64> = self
            .core_items
            .iter()
            .filter_map(|&at| response.points.get(at).copied().flatten())
            .map(|point| point as f64)
            .collect();
        if core.is_empty() {
            return;
        }
        let mean = core.iter().sum::<f64>() / core.len() as f64;
        self.core.add(mean, weight);
        self.modes.entry(response.mode.to_owned()).or_default().add(mean, weight);
        if let Some(day) = response.day {
            self.days.entry(day).or_default().add(mean, weight);
        }
        if let Some(interviewer) = response.interviewer {
            self.interviewers.entry(interviewer).or_default().add(mean, weight);
        }
    }

    /// `population`: the people of the list for whom the ratings stand.
    pub fn finish(self, population: u64, representativity: Representativity) -> PrecisionSummary {
        let usual = self
            .modes
            .iter()
            .max_by(|(a, first), (b, second)| first.n.cmp(&second.n).then(b.cmp(a)))
            .map(|(mode, moments)| (mode.clone(), *moments));
        let beside = |(mode, moments): (String, Moments)| {
            let other = usual.as_ref().filter(|(usual, _)| *usual != mode);
            let difference = match other {
                Some((_, reference)) => moments.difference_from(reference),
                None => MeanDifference {
                    n: moments.n,
                    mean: moments.mean().unwrap_or_default(),
                    ..MeanDifference::default()
                },
            };
            (mode, difference)
        };
        let interviewers: Vec<Moments> = self.interviewers.into_values().collect();
        PrecisionSummary {
            core_items: self
                .core_items
                .iter()
                .map(|&at| self.items[at].0.variable.clone())
                .collect(),
            core: (!self.core_items.is_empty()).then(|| self.core.estimate(population)),
            items: self
                .items
                .iter()
                .map(|(item, moments)| ItemPrecision {
                    variable: item.variable.clone(),
                    latent: item.latent.map(|latent| latent.as_str().to_owned()),
                    estimate: moments.estimate(population),
                })
                .collect(),
            representativity,
            trend: Trend::of(&self.days),
            modes: self.modes.into_iter().map(beside).collect(),
            interviewers: InterviewerEffect::of(&interviewers),
        }
    }
}

/// Returns the items whose answers are points of a scale.
pub(super) fn scale_items(questionnaire: &Questionnaire) -> Vec<&Item> {
    questionnaire.items().filter(|item| range_of(item).is_some()).collect()
}

fn range_of(item: &Item) -> Option<(i64, i64)> {
    match &item.kind {
        ItemKind::Scale(scale) => Some((scale.from, scale.to)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_the_mean_of_each_respondents_core_ratings() {
        let questionnaire =
            Questionnaire::parse(include_str!("../../../config/questionnaires/brand.toml"))
                .unwrap();
        let mut ratings = Ratings::of(&questionnaire);
        let variables: Vec<&str> =
            ratings.items.iter().map(|(item, _)| item.variable.as_str()).collect();
        let at = |variable: &str| variables.iter().position(|other| *other == variable).unwrap();
        let (pq1, sat1, sat2, count) = (at("PQ1"), at("SAT1"), at("SAT2"), variables.len());
        for (mode, interviewer, given) in [
            ("web", None, [9, 8, 7]),
            ("web", None, [7, 6, 5]),
            ("telephone", Some(AccountId(4)), [10, 10, 10]),
            ("telephone", Some(AccountId(5)), [8, 8, 8]),
        ] {
            let mut points = vec![None; count];
            for (at, point) in [pq1, sat1, sat2].into_iter().zip(given) {
                points[at] = Some(point);
            }
            ratings.add(&RatedResponse { points, weight: 1.5, mode, interviewer, day: None });
        }
        let summary = ratings.finish(6, Representativity::default());
        assert_eq!(summary.core_items, ["PQ1", "SAT1", "SAT2"]);
        let core = summary.core.unwrap();
        assert_eq!((core.n, core.population, core.mean), (4, 6, Some(8.0)));
        // s² = 8/3, of 4 out of 6.
        let error = (8.0f64 / 3.0 / 4.0 / 3.0).sqrt();
        assert!((core.standard_error.unwrap() - error).abs() < 1e-12);
        let modes = &summary.modes;
        assert_eq!(modes["telephone"].difference, None, "the first of two that are as frequent");
        assert_eq!((modes["web"].mean, modes["web"].difference), (7.0, Some(-2.0)));
        assert_eq!(summary.interviewers.unwrap().interviewers, 2);
        assert_eq!(summary.items.iter().filter(|item| item.estimate.n > 0).count(), 3);
    }
}
