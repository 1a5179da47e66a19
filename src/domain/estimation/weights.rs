//! The weights of the people who answered everything: base weight, non-response adjustment, raking,
//! trimming.
//!
//! Särndal and Lundström, «Estimation in Surveys with Nonresponse» (2005), for the adjustment by
//! classes; Kish, «Survey Sampling» (1965) and «Weighting for unequal Pi», Journal of Official
//! Statistics 8 (1992), for the design effect of weighting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::frame::{Frame, Group};
use super::raking::{Margin, TRIM_AT, largest_difference, rake, sums_of, trim};

/// A stratum is divided into classes by a field of the list only if every class has this many
/// completes: an adjustment from fewer would be mostly chance.
pub const LEAST_COMPLETES_IN_CLASS: u64 = 5;

/// The weights of the people of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupWeights {
    /// The number of the stratum, from 1 in the order of the segments.
    pub stratum: u64,
    /// N_h and n_h: people of the stratum on the list, and in the sample.
    pub stratum_size: u64,
    pub stratum_sample: u64,
    pub completes: Option<CompleteWeights>,
}

/// The weights of a complete interview.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompleteWeights {
    /// The base weight, adjusted for those of the sample who did not answer.
    pub nonresponse: f64,
    /// Raked to the margins of the list, and trimmed.
    pub raked: f64,
}

impl GroupWeights {
    /// Returns n_h / N_h; `None`: nobody of the stratum is in the sample.
    pub fn selection_probability(&self) -> Option<f64> {
        (self.stratum_sample > 0).then(|| self.stratum_sample as f64 / self.stratum_size as f64)
    }

    /// Returns N_h / n_h.
    pub fn base(&self) -> Option<f64> {
        (self.stratum_sample > 0).then(|| self.stratum_size as f64 / self.stratum_sample as f64)
    }
}

/// How the weights came about, without any word of the list but the segments that may be told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WeightingSummary {
    /// N, n and completes: people on the list and in the sample, without those screened out.
    pub population: u64,
    pub sample: u64,
    pub completes: u64,
    pub strata: Vec<StratumSummary>,
    /// The number of classes of the non-response adjustment.
    pub classes: u64,
    /// People in strata without a complete: all others stand for them.
    pub not_covered: u64,
    pub margins: Vec<MarginSummary>,
    /// Columns of the list with too many values to be used.
    pub left_out: Vec<String>,
    pub iterations: u32,
    /// Whether raking met every margin. If not, the raked weight is the non-response weight.
    pub converged: bool,
    /// Weights above it were cut: five times the mean.
    pub trim_limit: Option<f64>,
    pub trimmed: u64,
    /// By how many people the margin that is farthest off misses its total, after trimming.
    pub largest_margin_difference: f64,
    /// Kish: n Σw² / (Σw)², of the raked weights.
    pub design_effect: Option<f64>,
    pub effective_n: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StratumSummary {
    pub stratum: u64,
    /// The segment; `*`: too few cases have it to tell.
    pub segment: String,
    pub size: u64,
    pub sample: u64,
    pub completes: u64,
}

/// A margin, with its categories in the order of their words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MarginSummary {
    pub variable: String,
    pub categories: Vec<MarginCategory>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MarginCategory {
    pub population: u64,
    pub sample: u64,
    pub completes: u64,
    /// The total that the category was raked to: its people, and its share of those in categories
    /// without a complete.
    pub total: f64,
    /// The sum of the raked and trimmed weights.
    pub weighted: f64,
}

/// The weights by group.
pub struct Weighting {
    by_codes: BTreeMap<Vec<usize>, GroupWeights>,
    pub summary: WeightingSummary,
}

/// Returns Kish's design effect n Σw² / (Σw)² of `counts[i]` people with `weights[i]` each; `None`:
/// there is nobody.
pub fn kish_design_effect(weights: &[f64], counts: &[f64]) -> Option<f64> {
    let n: f64 = counts.iter().sum();
    let sum: f64 = weights.iter().zip(counts).map(|(w, n)| w * n).sum();
    let squares: f64 = weights.iter().zip(counts).map(|(w, n)| w * w * n).sum();
    (sum > 0.0).then(|| n * squares / (sum * sum))
}

impl Weighting {
    pub fn of(frame: &Frame) -> Weighting {
        let (population, sample, completes) = frame.totals();
        let strata = strata_of(frame);
        let classes = classes_of(frame);
        let answered: Vec<&Group> = frame.groups.iter().filter(|g| g.completes > 0).collect();
        let counts: Vec<f64> = answered.iter().map(|group| group.completes as f64).collect();
        let covered: u64 =
            strata.values().filter(|stratum| stratum.completes > 0).map(|s| s.size).sum();
        // Who is in a stratum without a complete is represented by everybody else.
        let spread = if covered > 0 { population as f64 / covered as f64 } else { 1.0 };
        let nonresponse: Vec<f64> = answered
            .iter()
            .map(|group| {
                let stratum = &strata[&group.codes[0]];
                let class = &classes[&group.codes];
                let base = stratum.size as f64 / stratum.sample as f64;
                base * class.sample as f64 / class.completes as f64 * spread
            })
            .collect();
        let margins: Vec<(usize, Margin)> =
            frame.comparable().map(|column| (column, margin(frame, &answered, column))).collect();
        let only: Vec<Margin> = margins.iter().map(|(_, margin)| margin.clone()).collect();
        let raked = rake(&nonresponse, &counts, &only);
        let mut weights = raked.weights;
        let limit = (completes > 0).then(|| TRIM_AT * population as f64 / completes as f64);
        let trimmed = limit.map_or(0.0, |limit| trim(&mut weights, &counts, limit));
        let design_effect = kish_design_effect(&weights, &counts);
        let summary = WeightingSummary {
            population,
            sample,
            completes,
            strata: strata
                .iter()
                .zip(1..)
                .map(|((code, totals), stratum)| StratumSummary {
                    stratum,
                    segment: frame.columns[0].words.get(*code).cloned().unwrap_or_default(),
                    size: totals.size,
                    sample: totals.sample,
                    completes: totals.completes,
                })
                .collect(),
            classes: class_count(&classes),
            not_covered: population - covered,
            margins: margins
                .iter()
                .map(|(column, margin)| summary_of(frame, *column, margin, &weights, &counts))
                .collect(),
            left_out: frame.left_out(),
            iterations: raked.iterations,
            converged: raked.has_converged,
            trim_limit: limit,
            trimmed: trimmed as u64,
            largest_margin_difference: only
                .iter()
                .map(|margin| largest_difference(&weights, &counts, margin))
                .fold(0.0, f64::max),
            design_effect,
            effective_n: design_effect.map(|effect| completes as f64 / effect),
        };
        let numbers: BTreeMap<usize, u64> = strata.keys().copied().zip(1..).collect();
        let mut of_completes = nonresponse.into_iter().zip(weights);
        let by_codes = frame
            .groups
            .iter()
            .map(|group| {
                let stratum = &strata[&group.codes[0]];
                let completes = if group.completes > 0 { of_completes.next() } else { None };
                let weights = GroupWeights {
                    stratum: numbers[&group.codes[0]],
                    stratum_size: stratum.size,
                    stratum_sample: stratum.sample,
                    completes: completes
                        .map(|(nonresponse, raked)| CompleteWeights { nonresponse, raked }),
                };
                (group.codes.clone(), weights)
            })
            .collect();
        Weighting { by_codes, summary }
    }

    /// Returns the weights of the people with these codes; `None`: nobody on the list has them.
    pub fn of_codes(&self, codes: &[usize]) -> Option<&GroupWeights> {
        self.by_codes.get(codes)
    }
}

/// People of a stratum or class.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    /// Which class of all; strata do not use it.
    number: u64,
    size: u64,
    sample: u64,
    completes: u64,
}

impl Totals {
    fn add(&mut self, group: &Group) {
        self.size += group.population;
        self.sample += group.sample;
        self.completes += group.completes;
    }
}

/// Returns the strata by the code of their segment.
fn strata_of(frame: &Frame) -> BTreeMap<usize, Totals> {
    let mut strata: BTreeMap<usize, Totals> = BTreeMap::new();
    for group in &frame.groups {
        strata.entry(group.codes[0]).or_default().add(group);
    }
    strata
}

/// Returns the class of each group. A stratum is divided by one field after the other, in their
/// order; a field that would make a class with too few completes is passed over.
fn classes_of(frame: &Frame) -> BTreeMap<Vec<usize>, Totals> {
    let mut of_group = BTreeMap::new();
    let mut number = 0;
    for stratum in strata_of(frame).keys() {
        let members: Vec<&Group> =
            frame.groups.iter().filter(|group| group.codes[0] == *stratum).collect();
        let divided = |columns: &[usize]| {
            let mut classes: BTreeMap<Vec<usize>, Totals> = BTreeMap::new();
            for group in &members {
                let key = columns.iter().map(|&column| group.codes[column]).collect();
                classes.entry(key).or_default().add(group);
            }
            // People who are only on the list make no class.
            classes.retain(|_, class| class.sample > 0);
            classes
        };
        let mut chosen: Vec<usize> = Vec::new();
        for column in frame.comparable().filter(|column| *column > 0) {
            chosen.push(column);
            if divided(&chosen).values().any(|c| c.completes < LEAST_COMPLETES_IN_CLASS) {
                chosen.pop();
            }
        }
        let mut classes = divided(&chosen);
        for class in classes.values_mut() {
            number += 1;
            class.number = number;
        }
        for group in &members {
            let key: Vec<usize> = chosen.iter().map(|&column| group.codes[column]).collect();
            if let Some(class) = classes.get(&key) {
                of_group.insert(group.codes.clone(), *class);
            }
        }
    }
    of_group
}

fn class_count(classes: &BTreeMap<Vec<usize>, Totals>) -> u64 {
    classes.values().map(|class| class.number).max().unwrap_or(0)
}

/// Returns the margin of a column over the groups with completes. The people of a category without
/// a complete are spread over the others in proportion.
fn margin(frame: &Frame, answered: &[&Group], column: usize) -> Margin {
    let size = frame.columns[column].words.len();
    let (mut totals, mut completes) = (vec![0.0; size], vec![0u64; size]);
    for group in &frame.groups {
        totals[group.codes[column]] += group.population as f64;
        completes[group.codes[column]] += group.completes;
    }
    let population: f64 = totals.iter().sum();
    totals.iter_mut().zip(&completes).filter(|(_, n)| **n == 0).for_each(|(total, _)| *total = 0.0);
    let covered: f64 = totals.iter().sum();
    if covered > 0.0 {
        totals.iter_mut().for_each(|total| *total *= population / covered);
    }
    Margin { category_of: answered.iter().map(|group| group.codes[column]).collect(), totals }
}

fn summary_of(
    frame: &Frame,
    column: usize,
    margin: &Margin,
    weights: &[f64],
    counts: &[f64],
) -> MarginSummary {
    let mut categories = vec![MarginCategory::default(); margin.totals.len()];
    for group in &frame.groups {
        let category = &mut categories[group.codes[column]];
        category.population += group.population;
        category.sample += group.sample;
        category.completes += group.completes;
    }
    let sums = sums_of(weights, counts, margin);
    for ((category, total), weighted) in categories.iter_mut().zip(&margin.totals).zip(sums) {
        (category.total, category.weighted) = (*total, weighted);
    }
    MarginSummary { variable: frame.columns[column].name.clone(), categories }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::estimation::{ListFrame, SampleState};
    use proptest::prelude::*;

    fn frame(people: &[(&[&str], SampleState, usize)]) -> Frame {
        let mut list = ListFrame::new(["region"]);
        for (words, state, count) in people {
            (0..*count).for_each(|_| list.add(words, *state));
        }
        list.finish()
    }

    fn of(frame: &Frame, weighting: &Weighting, words: &[&str]) -> GroupWeights {
        *weighting.of_codes(&frame.codes(words)).unwrap()
    }

    use SampleState::{Complete, HeldBack, Nonrespondent, NotEligible};

    /// Worked by hand: 40 small and 8 large owners, of whom 20 and 2 answer: 40/20 and 8/2.
    #[test]
    fn the_weight_of_a_stratum_is_its_people_by_its_completes() {
        let frame = frame(&[
            (&["large"], Complete, 2),
            (&["large"], Nonrespondent, 6),
            (&["small"], Complete, 20),
            (&["small"], Nonrespondent, 20),
        ]);
        let weighting = Weighting::of(&frame);
        let (large, small) =
            (of(&frame, &weighting, &["large"]), of(&frame, &weighting, &["small"]));
        assert_eq!((large.base(), small.base()), (Some(1.0), Some(1.0)), "all were asked");
        let both = |weight| CompleteWeights { nonresponse: weight, raked: weight };
        assert_eq!((large.completes, small.completes), (Some(both(4.0)), Some(both(2.0))));
        // 22 · (20 · 4 + 2 · 16) / 48² = 2464/2304.
        let effect = weighting.summary.design_effect.unwrap();
        assert!((effect - 2464.0 / 2304.0).abs() < 1e-12, "{effect}");
        assert!((weighting.summary.effective_n.unwrap() - 22.0 * 2304.0 / 2464.0).abs() < 1e-9);
    }

    /// Of 60 people, 20 were released: the base weight is 3; half of them answer: 6.
    #[test]
    fn held_back_people_are_in_the_base_weight_and_screened_out_ones_in_none() {
        let frame = frame(&[
            (&[""], Complete, 10),
            (&[""], Nonrespondent, 10),
            (&[""], HeldBack, 40),
            (&[""], NotEligible, 5),
        ]);
        let weighting = Weighting::of(&frame);
        let all = of(&frame, &weighting, &[""]);
        assert_eq!((all.stratum_size, all.stratum_sample), (60, 20));
        assert_eq!((all.selection_probability(), all.base()), (Some(1.0 / 3.0), Some(3.0)));
        assert_eq!(all.completes.map(|weights| weights.nonresponse), Some(6.0));
    }

    /// Crunch-io/rcrunch#184: a category without observations kept raking from ever converging.
    #[test]
    fn a_category_without_a_complete_is_spread_over_the_others() {
        let frame = frame(&[
            (&["a", "east"], Complete, 6),
            (&["a", "west"], Complete, 6),
            (&["a", "north"], Nonrespondent, 4),
            (&["b", "east"], Nonrespondent, 4),
        ]);
        let weighting = Weighting::of(&frame);
        let summary = &weighting.summary;
        assert!(summary.converged);
        assert_eq!((summary.not_covered, summary.classes), (4, 2));
        let region = &summary.margins[1].categories;
        // 20 people; north has 4 of them and nobody who answered.
        assert_eq!(region.iter().map(|c| c.total).collect::<Vec<_>>(), [12.5, 0.0, 7.5]);
        let raked = |words: &[&str]| of(&frame, &weighting, words).completes.unwrap().raked;
        assert!((raked(&["a", "east"]) - 12.5 / 6.0).abs() < 1e-9);
        assert!((raked(&["a", "west"]) - 7.5 / 6.0).abs() < 1e-9);
    }

    #[test]
    fn a_field_divides_a_stratum_only_into_classes_that_are_large_enough() {
        let with = |west| {
            frame(&[
                (&["", "east"], Complete, 10),
                (&["", "west"], Complete, west),
                (&["", "west"], Nonrespondent, 10),
            ])
        };
        assert_eq!(Weighting::of(&with(5)).summary.classes, 2);
        let (frame, weighting) = (with(4), Weighting::of(&with(4)));
        assert_eq!(weighting.summary.classes, 1);
        let west = of(&frame, &weighting, &["", "west"]).completes.unwrap();
        assert_eq!(west.nonresponse, 24.0 / 14.0);
        assert!((west.raked - 14.0 / 4.0).abs() < 1e-9, "raking sees the field all the same");
    }

    #[test]
    fn an_extreme_weight_is_cut_and_nobody_gets_one_for_nothing() {
        let frame = frame(&[
            (&["big"], Complete, 1),
            (&["big"], Nonrespondent, 199),
            (&["small"], Complete, 99),
        ]);
        let weighting = Weighting::of(&frame);
        let big = of(&frame, &weighting, &["big"]).completes.unwrap();
        assert_eq!(big.nonresponse, 200.0);
        assert!((big.raked - 5.0 * 299.0 / 100.0).abs() < 1e-9, "five times the mean");
        let summary = &weighting.summary;
        assert_eq!(summary.trimmed, 1);
        assert!((summary.largest_margin_difference - (200.0 - 14.95)).abs() < 1e-9);
        let nobody = Weighting::of(&super::tests::frame(&[(&["x"], Nonrespondent, 3)]));
        assert_eq!((nobody.summary.design_effect, nobody.summary.trim_limit), (None, None));
    }

    proptest! {
        #[test]
        fn weights_sum_to_the_list_and_a_census_has_weight_one(
            people in prop::collection::vec((0usize..3, 0usize..3, 0usize..4), 1..120),
        ) {
            let word = ["", "x", "y"];
            let states = [HeldBack, Nonrespondent, Complete, NotEligible];
            let mut list = ListFrame::new(["region"]);
            let mut census = ListFrame::new(["region"]);
            for (segment, region, state) in &people {
                list.add(&[word[*segment], word[*region]], states[*state]);
                census.add(&[word[*segment], word[*region]], Complete);
            }
            for frame in [list.finish(), census.finish()] {
                let weighting = Weighting::of(&frame);
                let (population, sample, completes) = frame.totals();
                let with_completes: Vec<_> = frame
                    .groups
                    .iter()
                    .filter_map(|g| Some((g.completes as f64, weighting.of_codes(&g.codes)?.completes?)))
                    .collect();
                let sum = |of: fn(&CompleteWeights) -> f64| -> f64 {
                    with_completes.iter().map(|(count, weights)| count * of(weights)).sum()
                };
                let expected = if completes > 0 { population as f64 } else { 0.0 };
                prop_assert!((sum(|w| w.nonresponse) - expected).abs() < 1e-9);
                prop_assert!((sum(|w| w.raked) - expected).abs() < 1e-9);
                prop_assert!(weighting.summary.design_effect.is_none_or(|effect| effect >= 1.0 - 1e-12));
                if completes == population && sample == population {
                    for (_, weights) in &with_completes {
                        prop_assert!((weights.raked - 1.0).abs() < 1e-9 && (weights.nonresponse - 1.0).abs() < 1e-12);
                    }
                }
                if weighting.summary.converged && weighting.summary.trimmed == 0 {
                    prop_assert!(weighting.summary.largest_margin_difference < 1e-9);
                }
            }
        }
    }
}
