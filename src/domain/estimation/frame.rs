//! The list, counted by the values that weights use: its segments and the fields that an application
//! keeps.

use std::collections::{BTreeMap, BTreeSet};

/// A column of the list with more values than this is not used for weights: its categories would be
/// too small, and its values could identify people.
pub const MAX_CATEGORIES: usize = 24;

/// What became of a person on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleState {
    /// In a replicate that was never released.
    HeldBack,
    /// In the sample, without a complete interview.
    Nonrespondent,
    Complete,
    /// Screened out (AAPOR 4.1): no part of the population.
    NotEligible,
}

/// Collects the people on the list. Prints nothing in `Debug`, because it holds words of the list.
pub struct ListFrame {
    names: Vec<String>,
    values: Vec<BTreeSet<String>>,
    groups: BTreeMap<Vec<String>, Counts>,
}

/// People by state.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    listed: u64,
    sampled: u64,
    completes: u64,
    not_eligible: u64,
}

/// The counted list. The first column is the segment, which makes the strata.
pub struct Frame {
    pub columns: Vec<FrameColumn>,
    pub groups: Vec<Group>,
}

pub struct FrameColumn {
    pub name: String,
    /// The values of all people on the list in their order. Empty: there are more than
    /// [`MAX_CATEGORIES`], and the column is not used.
    pub words: Vec<String>,
}

/// People who agree in every column that is used.
pub struct Group {
    /// The index of the value in each column; 0 for a column that is not used.
    pub codes: Vec<usize>,
    /// People on the list, and in the sample, without those who were screened out.
    pub population: u64,
    pub sample: u64,
    pub completes: u64,
}

impl ListFrame {
    /// `fields`: the names of the list fields beside the segment, in their order.
    pub fn new<'n>(fields: impl IntoIterator<Item = &'n str>) -> ListFrame {
        let names: Vec<String> = ["segment"].into_iter().chain(fields).map(str::to_owned).collect();
        ListFrame { values: vec![BTreeSet::new(); names.len()], names, groups: BTreeMap::new() }
    }

    /// Adds a person. `words`: the segment and the values of the fields, in the order of the names;
    /// empty where the list says nothing.
    pub fn add(&mut self, words: &[&str], state: SampleState) {
        let mut key = Vec::with_capacity(self.values.len());
        for (at, values) in self.values.iter_mut().enumerate() {
            let word = words.get(at).copied().unwrap_or_default();
            // One more than is used is enough to know that there are too many.
            if values.len() <= MAX_CATEGORIES && !values.contains(word) {
                values.insert(word.to_owned());
            }
            key.push(if values.len() > MAX_CATEGORIES { "" } else { word }.to_owned());
        }
        let counts = self.groups.entry(key).or_default();
        counts.listed += 1;
        counts.sampled += u64::from(state != SampleState::HeldBack);
        counts.completes += u64::from(state == SampleState::Complete);
        counts.not_eligible += u64::from(state == SampleState::NotEligible);
    }

    pub fn finish(self) -> Frame {
        let columns: Vec<FrameColumn> = self
            .names
            .into_iter()
            .zip(self.values)
            .map(|(name, values)| {
                let is_used = values.len() <= MAX_CATEGORIES;
                let words = values.into_iter().filter(|_| is_used).collect();
                FrameColumn { name, words }
            })
            .collect();
        let mut groups: BTreeMap<Vec<usize>, Group> = BTreeMap::new();
        for (words, counts) in self.groups {
            let codes = codes_of(&columns, words.iter().map(String::as_str));
            let group = groups.entry(codes.clone()).or_insert(Group {
                codes,
                population: 0,
                sample: 0,
                completes: 0,
            });
            group.population += counts.listed - counts.not_eligible;
            group.sample += counts.sampled - counts.not_eligible;
            group.completes += counts.completes;
        }
        Frame { columns, groups: groups.into_values().collect() }
    }
}

/// Returns the codes of a person's words; 0 where a column is not used.
fn codes_of<'w>(columns: &[FrameColumn], words: impl Iterator<Item = &'w str>) -> Vec<usize> {
    let code = |(column, word): (&FrameColumn, &str)| {
        column.words.binary_search_by(|known| known.as_str().cmp(word)).unwrap_or(0)
    };
    columns.iter().zip(words).map(code).collect()
}

impl Frame {
    /// Returns the codes of a person, whose words are given as to [`ListFrame::add`].
    pub fn codes(&self, words: &[&str]) -> Vec<usize> {
        let padded = words.iter().copied().chain(std::iter::repeat("")).take(self.columns.len());
        codes_of(&self.columns, padded)
    }

    /// Returns the number of people in the population, in the sample, and of completes.
    pub fn totals(&self) -> (u64, u64, u64) {
        self.groups.iter().fold((0, 0, 0), |(population, sample, completes), group| {
            (population + group.population, sample + group.sample, completes + group.completes)
        })
    }

    /// Returns the indices of the columns with at least two values, which can be compared.
    pub fn comparable(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&at| self.columns[at].words.len() >= 2)
    }

    /// Returns the columns with too many values to be used.
    pub fn left_out(&self) -> Vec<String> {
        let has_none = |column: &&FrameColumn| column.words.is_empty() && !self.groups.is_empty();
        self.columns.iter().filter(has_none).map(|column| column.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_with_too_many_values_is_not_used() {
        let mut list = ListFrame::new(["region", "shop"]);
        for n in 0..100 {
            let shop = format!("shop {n}");
            let region = if n % 2 == 0 { "north" } else { "south" };
            let state = match n {
                0..10 => SampleState::Complete,
                10 => SampleState::NotEligible,
                11..50 => SampleState::Nonrespondent,
                _ => SampleState::HeldBack,
            };
            list.add(&["", region, &shop], state);
        }
        let frame = list.finish();
        assert_eq!(frame.left_out(), ["shop"]);
        assert_eq!(frame.comparable().collect::<Vec<_>>(), [1]);
        assert_eq!((frame.groups.len(), frame.totals()), (2, (99, 49, 10)));
        assert_eq!(frame.codes(&["", "south", "shop 3"]), [0, 1, 0]);
    }
}
