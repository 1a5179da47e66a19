//! Figures of answers while they come in: distribution and mean of each item, over all and by group.
//!
//! A figure describes at least `minimum` people, and so does every difference of two figures of the
//! same completes. Completes are taken in whole lots of `minimum`, in the order in which they came:
//! of 37 completes at a minimum of 10 the first 30 are shown, of a group with 13 of them the first 10.
//! What is not in a group's figures is then nobody, or at least `minimum` people together; and from
//! one look to the next a figure grows by nobody, or by at least `minimum` people. Days are merged
//! the same way. Within the lots, an item that fewer have answered is hidden, with further groups
//! where it could be found by subtraction ([`small_cells`]).

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::questionnaire::{Answer, Item, ItemKind, Selection};
use super::small_cells;

/// What the completes are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grouping {
    Segment,
    Mode,
    Language,
    Day,
}

impl Grouping {
    pub const ALL: [Grouping; 4] =
        [Grouping::Segment, Grouping::Mode, Grouping::Language, Grouping::Day];

    pub fn as_str(self) -> &'static str {
        match self {
            Grouping::Segment => "segment",
            Grouping::Mode => "mode",
            Grouping::Language => "language",
            Grouping::Day => "day",
        }
    }

    pub fn parse(raw: &str) -> Option<Grouping> {
        Grouping::ALL.into_iter().find(|grouping| grouping.as_str() == raw)
    }
}

/// A complete, without its answers.
#[derive(Debug, Clone)]
pub struct Complete {
    pub segment: String,
    pub mode: String,
    pub language: String,
    /// The day on which it was finished.
    pub day: NaiveDate,
}

impl Complete {
    fn group(&self, grouping: Grouping) -> &str {
        match grouping {
            Grouping::Segment => &self.segment,
            Grouping::Mode => &self.mode,
            Grouping::Language => &self.language,
            Grouping::Day => "",
        }
    }
}

/// The groups that are shown, each with its completes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    pub shown: Vec<(String, u64)>,
    /// How many others there are, each with too few completes.
    pub small: usize,
}

/// The place of a complete in each grouping, in the order of [`Grouping::ALL`]; that of a complete in
/// none of the shown groups is their number.
pub type Places = [usize; 4];

/// Counts of answers by item, stored value and place.
#[derive(Debug, Default)]
pub struct Tally {
    pub minimum: u64,
    /// All completes, and those that the figures describe.
    pub completes: u64,
    pub described: u64,
    groups: [Groups; 4],
    counts: BTreeMap<String, BTreeMap<String, [Vec<u64>; 4]>>,
}

/// Returns the largest number of whole lots, in people.
fn whole_lots(people: u64, minimum: u64) -> u64 {
    people - people % minimum.max(1)
}

impl Tally {
    /// Begins a tally of these completes, given in the order in which they were finished. Returns it
    /// with the places of those that it describes, which are the first ones.
    pub fn begin(completes: &[Complete], minimum: u64) -> (Tally, Vec<Places>) {
        let minimum = minimum.max(1);
        let described = whole_lots(completes.len() as u64, minimum);
        let taken = &completes[..usize::try_from(described).unwrap_or(0)];
        let mut places = vec![[0; 4]; taken.len()];
        let mut groups: [Groups; 4] = Default::default();
        for (at, grouping) in Grouping::ALL.into_iter().enumerate() {
            groups[at] = match grouping {
                Grouping::Day => by_day(taken, minimum, at, &mut places),
                _ => by_name(taken, grouping, minimum, at, &mut places),
            };
        }
        let completes = completes.len() as u64;
        (Tally { minimum, completes, described, groups, counts: BTreeMap::new() }, places)
    }

    /// Counts an answer in its stored form.
    pub fn count(&mut self, places: &Places, item: &str, value: &str) {
        let groups = &self.groups;
        let values = match self.counts.get_mut(item) {
            Some(values) => values,
            None => self.counts.entry(item.to_owned()).or_default(),
        };
        let counts = match values.get_mut(value) {
            Some(counts) => counts,
            None => values
                .entry(value.to_owned())
                .or_insert_with(|| [0, 1, 2, 3].map(|at| vec![0; groups[at].shown.len() + 1])),
        };
        for (counts, place) in counts.iter_mut().zip(places) {
            counts[*place] += 1;
        }
    }

    pub fn groups(&self, grouping: Grouping) -> &Groups {
        &self.groups[grouping as usize]
    }

    /// Returns the figures of an item whose answers can be counted, over all and by group.
    pub fn figures(&self, item: &Item, grouping: Grouping) -> ItemFigures {
        let at = grouping as usize;
        let empty = BTreeMap::new();
        let stored = self.counts.get(&item.id).unwrap_or(&empty);
        let read: Vec<(Answer, &Vec<u64>)> = stored
            .iter()
            .filter_map(|(value, counts)| Some((Answer::from_stored(item, value)?, &counts[at])))
            .collect();
        let labels = labels(item, &read);
        let groups = &self.groups[at].shown;
        let of_place = |place: usize, people: u64| {
            let counts = read.iter().map(|(answer, counts)| (answer, counts[place]));
            Distribution::of(item, people, &labels, counts)
        };
        let rest = self.described - groups.iter().map(|(_, people)| people).sum::<u64>();
        let mut parts: Vec<Distribution> = groups
            .iter()
            .enumerate()
            .map(|(place, (_, people))| of_place(place, *people))
            .collect();
        parts.push(of_place(groups.len(), rest));
        let sums = read.iter().map(|(answer, counts)| (answer, counts.iter().sum()));
        let total = Distribution::of(item, self.described, &labels, sums);
        // The total stands beside them: what is not shown must not follow from it.
        let answered: Vec<u64> = parts.iter().map(|part| part.answered).collect();
        let hidden = small_cells::hidden(&answered, self.minimum);
        parts.pop();
        let is_shown = total.answered >= self.minimum;
        ItemFigures {
            groups: parts
                .into_iter()
                .zip(hidden)
                .map(|(part, is_hidden)| (is_shown && !is_hidden).then_some(part))
                .collect(),
            total: is_shown.then_some(total),
        }
    }
}

fn by_name(
    taken: &[Complete],
    grouping: Grouping,
    minimum: u64,
    at: usize,
    places: &mut [Places],
) -> Groups {
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for complete in taken {
        *sizes.entry(complete.group(grouping)).or_default() += 1;
    }
    let shown: Vec<(String, u64)> = sizes
        .iter()
        .map(|(name, size)| ((*name).to_owned(), whole_lots(*size, minimum)))
        .filter(|(_, size)| *size > 0)
        .collect();
    let mut left: Vec<u64> = shown.iter().map(|(_, size)| *size).collect();
    for (complete, places) in taken.iter().zip(places) {
        let name = complete.group(grouping);
        let place = shown.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok();
        places[at] = match place.filter(|place| left[*place] > 0) {
            Some(place) => {
                left[place] -= 1;
                place
            }
            None => shown.len(),
        };
    }
    Groups { small: sizes.len() - shown.len(), shown }
}

/// A lot belongs to the day of its last complete.
fn by_day(taken: &[Complete], minimum: u64, at: usize, places: &mut [Places]) -> Groups {
    let lot = usize::try_from(minimum).unwrap_or(usize::MAX);
    let mut shown: Vec<(String, u64)> = Vec::new();
    for (completes, places) in taken.chunks(lot).zip(places.chunks_mut(lot)) {
        let Some(day) = completes.last().map(|complete| complete.day.to_string()) else { continue };
        match shown.last_mut() {
            Some((known, people)) if *known == day => *people += minimum,
            _ => shown.push((day, minimum)),
        }
        for places in places {
            places[at] = shown.len() - 1;
        }
    }
    Groups { shown, small: 0 }
}

/// The figures of an item; `None`: too few people have answered it.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemFigures {
    pub total: Option<Distribution>,
    /// In the order of the groups.
    pub groups: Vec<Option<Distribution>>,
}

/// How people have answered an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The completes described.
    pub people: u64,
    /// Those among them who said something about what was asked: the base of all shares.
    pub answered: u64,
    pub not_applicable: u64,
    pub dont_know: u64,
    pub refused: u64,
    /// Not asked on their path, or left out.
    pub none: u64,
    /// By point, code of an option, first number of a range, or month; of a ranking, who put the
    /// option first.
    pub counts: Vec<(String, u64)>,
    /// Of a rating or a number; `None` where nobody has given one.
    pub mean: Option<f64>,
}

impl Distribution {
    fn of<'a>(
        item: &Item,
        people: u64,
        labels: &Labels,
        answers: impl Iterator<Item = (&'a Answer, u64)>,
    ) -> Distribution {
        let mut found = Distribution {
            people,
            answered: 0,
            not_applicable: 0,
            dont_know: 0,
            refused: 0,
            none: 0,
            counts: labels.names.iter().map(|name| (name.clone(), 0)).collect(),
            mean: None,
        };
        let (mut sum, mut stated) = (0.0, 0);
        for (answer, count) in answers {
            match answer {
                Answer::NotApplicable => found.not_applicable += count,
                Answer::DontKnow => found.dont_know += count,
                Answer::Refused => found.refused += count,
                _ => found.answered += count,
            }
            let number = match answer {
                #[allow(clippy::cast_precision_loss)]
                Answer::Point(point) => Some(*point as f64),
                Answer::Number(number) => Some(*number),
                _ => None,
            };
            if let Some(number) = number {
                sum += number * count as f64;
                stated += count;
            }
            for name in labels.of(item, answer) {
                if let Some((_, counted)) =
                    found.counts.iter_mut().find(|(known, _)| *known == name)
                {
                    *counted += count;
                }
            }
        }
        found.mean = (stated > 0).then(|| sum / stated as f64);
        let said = found.answered + found.not_applicable + found.dont_know + found.refused;
        found.none = people.saturating_sub(said);
        found
    }

    /// Returns the share of those who answered, in percent; 0 where nobody has.
    pub fn percent(&self, count: u64) -> f64 {
        if self.answered == 0 { 0.0 } else { count as f64 * 100.0 / self.answered as f64 }
    }
}

/// The names of an item's counts, and the width of the ranges of numbers.
struct Labels {
    names: Vec<String>,
    width: f64,
}

/// Ranges of numbers are at most this many.
const MOST_RANGES: f64 = 12.0;

fn labels(item: &Item, read: &[(Answer, &Vec<u64>)]) -> Labels {
    let mut width = 1.0;
    let names = match &item.kind {
        ItemKind::Scale(scale) => scale.points().map(|point| point.to_string()).collect(),
        ItemKind::Choice(choice) => {
            choice.options.iter().map(|option| option.code.clone()).collect()
        }
        ItemKind::Number(_) => {
            let numbers = read.iter().filter_map(|(answer, _)| match answer {
                Answer::Number(number) => Some(*number),
                _ => None,
            });
            let (low, high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), n| {
                (low.min(n), high.max(n))
            });
            if low > high {
                return Labels { names: Vec::new(), width };
            }
            width = range_width(high - low);
            let mut start = (low / width).floor() * width;
            let mut names = Vec::new();
            while start <= high && names.len() < 2 * MOST_RANGES as usize {
                names.push(number_name(start));
                start += width;
            }
            names
        }
        ItemKind::Date { .. } => {
            let mut months: Vec<String> = read
                .iter()
                .filter_map(|(answer, _)| match answer {
                    Answer::Date(day) => Some(day.format("%Y-%m").to_string()),
                    _ => None,
                })
                .collect();
            months.sort_unstable();
            months.dedup();
            months
        }
        ItemKind::Open { .. } | ItemKind::Info => Vec::new(),
    };
    Labels { names, width }
}

/// Returns 1, 2 or 5 times a power of ten, so that few ranges hold a span.
fn range_width(span: f64) -> f64 {
    let least = (span / (MOST_RANGES - 2.0)).max(1e-6);
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|n| n * power)
        .into_iter()
        .find(|width| *width >= least)
        .unwrap_or(1.0)
}

fn number_name(number: f64) -> String {
    let rounded = (number * 1e6).round() / 1e6;
    if rounded == 0.0 { "0".to_owned() } else { rounded.to_string() }
}

impl Labels {
    /// Returns the counts that an answer belongs to.
    fn of(&self, item: &Item, answer: &Answer) -> Vec<String> {
        match answer {
            Answer::Point(point) => vec![point.to_string()],
            Answer::Number(number) => {
                vec![number_name((number / self.width).floor() * self.width)]
            }
            Answer::Date(day) => vec![day.format("%Y-%m").to_string()],
            Answer::Codes(codes) => match &item.kind {
                ItemKind::Choice(choice) if choice.selection == Selection::Ranked => {
                    codes.first().cloned().into_iter().collect()
                }
                _ => codes.clone(),
            },
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::questionnaire::Questionnaire;
    use proptest::prelude::*;

    const FILE: &str = include_str!("../../tests/fixtures/every_kind.toml");

    fn complete(segment: &str, day: u32) -> Complete {
        Complete {
            segment: segment.to_owned(),
            mode: "web".to_owned(),
            language: "zh".to_owned(),
            day: NaiveDate::from_ymd_opt(2026, 3, day).unwrap(),
        }
    }

    /// formbricks#2908 (who did not answer is no part of the distribution), formbricks#514 (NaN where
    /// nobody did), moodle-mod_questionnaire#135 of PoetOS and posthog#43245 (of several answers, the
    /// base is the people who answered, not the ticks).
    #[test]
    fn shares_are_of_those_who_answered() {
        let questionnaire = Questionnaire::parse(FILE).unwrap();
        let scale = questionnaire.item("sat1").unwrap();
        let completes = vec![complete("a", 1); 10];
        let (mut tally, places) = Tally::begin(&completes, 2);
        for (at, value) in ["3", "3", "4", "dk", "refused", ""].iter().enumerate() {
            if !value.is_empty() {
                tally.count(&places[at], "sat1", value);
            }
        }
        let total = tally.figures(scale, Grouping::Segment).total.unwrap();
        assert_eq!((total.people, total.answered, total.none), (10, 3, 5), "{total:?}");
        assert_eq!((total.dont_know, total.refused, total.not_applicable), (1, 1, 0));
        let three = total.counts.iter().find(|(point, _)| point == "3").unwrap().1;
        assert!((total.percent(three) - 66.67).abs() < 0.01);
        assert!((total.mean.unwrap() - 10.0 / 3.0).abs() < 1e-9);

        let several = questionnaire
            .items()
            .find(|item| {
                matches!(&item.kind, ItemKind::Choice(choice)
                    if matches!(choice.selection, Selection::Several { .. }))
            })
            .unwrap();
        let ItemKind::Choice(choice) = &several.kind else { unreachable!() };
        let two = format!("{} {}", choice.options[0].code, choice.options[1].code);
        for (at, value) in [two.as_str(), two.as_str(), &choice.options[0].code].iter().enumerate()
        {
            tally.count(&places[at], &several.id, value);
        }
        let total = tally.figures(several, Grouping::Segment).total.unwrap();
        let first = total.counts[0].1;
        assert_eq!((total.answered, first), (3, 3));
        assert!((total.percent(first) - 100.0).abs() < 1e-9, "of people, not of five ticks");

        let nobody = Distribution::of(scale, 0, &labels(scale, &[]), std::iter::empty());
        assert_eq!((nobody.percent(0), nobody.mean), (0.0, None), "no NaN");
    }

    #[test]
    fn groups_and_days_come_in_whole_lots() {
        let mut completes = vec![complete("a", 1); 4];
        completes.extend(vec![complete("b", 2); 3]);
        completes.extend(vec![complete("c", 5); 6]);
        // Thirteen: ten of them are described, a lot has five.
        let (tally, places) = Tally::begin(&completes, 5);
        assert_eq!((tally.completes, tally.described), (13, 10));
        let segments = tally.groups(Grouping::Segment);
        assert!(segments.shown.is_empty() && segments.small == 3, "4, 3 and 3 are too few");
        let days = tally.groups(Grouping::Day);
        let day = |n: &str, people| (format!("2026-03-0{n}"), people);
        assert_eq!(days.shown, [day("2", 5), day("5", 5)], "days are merged");
        assert!(places.iter().all(|places| places[0] == 0));
    }

    /// Segment b has ten completes, and two of them have not answered: its eight answers are hidden,
    /// and those of a as well, for the total less a would be b.
    #[test]
    fn an_item_that_few_of_a_group_answered_is_not_found_by_subtraction() {
        let questionnaire = Questionnaire::parse(FILE).unwrap();
        let item = questionnaire.item("sat1").unwrap();
        let mut completes = vec![complete("a", 1); 20];
        completes.extend(vec![complete("b", 1); 10]);
        let (mut tally, places) = Tally::begin(&completes, 10);
        for places in &places[..28] {
            tally.count(places, "sat1", "4");
        }
        let figures = tally.figures(item, Grouping::Segment);
        assert_eq!(figures.total.as_ref().unwrap().answered, 28);
        assert_eq!(figures.groups, [None, None]);
        for places in &places[28..] {
            tally.count(places, "sat1", "4");
        }
        let figures = tally.figures(item, Grouping::Segment);
        assert!(figures.groups.iter().all(Option::is_some));
        // Nobody sees an item that fewer than ten have answered at all.
        let (mut tally, places) = Tally::begin(&completes, 10);
        places[..9].iter().for_each(|places| tally.count(places, "sat1", "4"));
        assert_eq!(tally.figures(item, Grouping::Segment).total, None);
    }

    #[test]
    fn numbers_are_in_few_ranges() {
        for (span, width) in [(0.0, 1e-6), (9.0, 1.0), (10.0, 1.0), (11.0, 2.0), (480.0, 50.0)] {
            assert!((range_width(span) - width).abs() < width / 1e3, "{span}");
        }
    }

    proptest! {
        /// Whatever is shown, and whatever is left when shown groups are taken from the total, is
        /// nobody or at least the minimum; and so is the growth between two looks.
        #[test]
        fn no_difference_describes_few_people(
            segments in prop::collection::vec(0u8..5, 0..120),
            more in 0usize..40,
            minimum in 1u64..12,
        ) {
            let all: Vec<Complete> = segments
                .iter()
                .enumerate()
                .map(|(at, n)| complete(&n.to_string(), 1 + at as u32 / 7))
                .collect();
            let earlier = &all[..all.len().saturating_sub(more)];
            let (now, places) = Tally::begin(&all, minimum);
            let (before, _) = Tally::begin(earlier, minimum);
            let is_allowed = |people: u64| people == 0 || people >= minimum;
            prop_assert_eq!(places.len() as u64, now.described);
            for grouping in Grouping::ALL {
                let sum: u64 = now.groups(grouping).shown.iter().map(|(_, n)| n).sum();
                prop_assert!(is_allowed(now.described - sum), "{grouping:?}: the rest is few");
                for (place, (name, people)) in now.groups(grouping).shown.iter().enumerate() {
                    prop_assert!(*people >= minimum);
                    let at = grouping as usize;
                    let placed = places.iter().filter(|places| places[at] == place).count() as u64;
                    prop_assert_eq!(placed, *people);
                    let was = before.groups(grouping).shown.iter().find(|(known, _)| known == name);
                    prop_assert!(is_allowed(people - was.map_or(0, |(_, n)| *n)), "{grouping:?}");
                }
            }
        }
    }
}
