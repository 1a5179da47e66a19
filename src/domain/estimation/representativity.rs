//! How far those who answered resemble those who were asked: the R-indicator.
//!
//! Schouten, Cobben and Bethlehem, «Indicators for the representativeness of survey response», Survey
//! Methodology 35 (2009): R = 1 − 2·S(ρ̂), where ρ̂ are the response propensities estimated from
//! what is known of everybody. 1: answering does not depend on it.

use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::logistic::{Cell, fit};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Representativity {
    /// People in the sample, without those screened out, and completes among them.
    pub sample: u64,
    pub completes: u64,
    /// `None`: the list says nothing by which people differ, or nobody was asked.
    pub r_indicator: Option<f64>,
    /// The mean propensity, and the standard deviation S(ρ̂), both with the base weights.
    pub mean_propensity: Option<f64>,
    pub deviation: Option<f64>,
    /// The columns of the list in the model.
    pub variables: Vec<String>,
}

/// The sample and the completes by the values of one column, as the dataset shows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VariableCounts {
    pub variable: String,
    pub categories: Vec<CategoryCount>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CategoryCount {
    pub word: String,
    pub sample: u64,
    pub completes: u64,
}

impl Representativity {
    pub fn of(frame: &Frame) -> Representativity {
        let (_, sample, completes) = frame.totals();
        let mut strata = vec![(0u64, 0u64); frame.columns[0].words.len().max(1)];
        for group in &frame.groups {
            strata[group.codes[0]].0 += group.population;
            strata[group.codes[0]].1 += group.sample;
        }
        let asked: Vec<_> = frame.groups.iter().filter(|group| group.sample > 0).collect();
        // Columns whose values differ among those who were asked; the first value is the reference.
        let columns: Vec<usize> = frame
            .comparable()
            .filter(|&at| asked.iter().any(|group| group.codes[at] != asked[0].codes[at]))
            .collect();
        let mut width = 0;
        let mut offsets = Vec::new();
        for &column in &columns {
            offsets.push(width);
            width += frame.columns[column].words.len() - 1;
        }
        let cells: Vec<Cell> = asked
            .iter()
            .map(|group| Cell {
                columns: columns
                    .iter()
                    .zip(&offsets)
                    .filter(|(column, _)| group.codes[**column] > 0)
                    .map(|(&column, offset)| offset + group.codes[column] - 1)
                    .collect(),
                size: group.sample as f64,
                successes: group.completes as f64,
            })
            .collect();
        let variables = columns.iter().map(|&at| frame.columns[at].name.clone()).collect();
        let plain = Representativity { sample, completes, variables, ..Default::default() };
        if columns.is_empty() {
            return plain;
        }
        let propensities = fit(&cells, width);
        let weights: Vec<f64> = asked
            .iter()
            .map(|group| {
                let (population, sample) = strata[group.codes[0]];
                group.sample as f64 * population as f64 / sample as f64
            })
            .collect();
        let people: f64 = weights.iter().sum();
        let mean = weights.iter().zip(&propensities).map(|(w, p)| w * p).sum::<f64>() / people;
        let squares: f64 =
            weights.iter().zip(&propensities).map(|(w, p)| w * (p - mean).powi(2)).sum();
        if people <= 1.0 {
            return plain;
        }
        let deviation = (squares / (people - 1.0)).sqrt();
        Representativity {
            r_indicator: Some(1.0 - 2.0 * deviation),
            mean_propensity: Some(mean),
            deviation: Some(deviation),
            ..plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::estimation::{ListFrame, SampleState};

    fn of(people: &[(&[&str], u64, u64)]) -> Representativity {
        let mut list = ListFrame::new(["region"]);
        for (words, completes, others) in people {
            (0..*completes).for_each(|_| list.add(words, SampleState::Complete));
            (0..*others).for_each(|_| list.add(words, SampleState::Nonrespondent));
        }
        Representativity::of(&list.finish())
    }

    /// By hand: 40 people answer at 1/2, 8 at 1/4: mean 22/48, and S² = (40·8/48 · 1/16)/47.
    #[test]
    fn the_indicator_is_that_of_the_propensities() {
        let worked = of(&[(&["small"], 20, 20), (&["large"], 2, 6)]);
        let deviation = (40.0f64 * 8.0 / 48.0 / 16.0 / 47.0).sqrt();
        assert!((worked.r_indicator.unwrap() - (1.0 - 2.0 * deviation)).abs() < 1e-12);
        assert!((worked.mean_propensity.unwrap() - 22.0 / 48.0).abs() < 1e-12);
        assert_eq!(
            (worked.variables.as_slice(), worked.sample),
            (["segment".into()].as_slice(), 48)
        );
    }

    #[test]
    fn equal_shares_are_fully_representative_and_one_kind_of_people_says_nothing() {
        let equal = of(&[(&["a", "n"], 5, 5), (&["a", "s"], 3, 3), (&["b", "n"], 2, 2)]);
        assert!((equal.r_indicator.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(of(&[(&["a"], 5, 5)]).r_indicator, None);
        assert_eq!(of(&[]).r_indicator, None);
        // Half of the people answer for certain, the others never: S is near 1/2, R near 0.
        let opposite = of(&[(&["a"], 500, 0), (&["b"], 0, 500)]);
        assert!(opposite.r_indicator.unwrap().abs() < 2e-3);
    }
}
