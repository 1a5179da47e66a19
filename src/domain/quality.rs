//! Quality flags of a response. They are reported with it and never used to drop it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::questionnaire::{Answer, Item, ItemKind, QuestionPath};

/// Minimum number of complete responses for a meaningful median.
pub const MIN_RESPONSES_FOR_MEDIAN: usize = 5;
/// Minimum number of ratings on one page for which a straight line is meaningful.
const MIN_BATTERY_ITEMS: usize = 3;

/// The quality of a response. `None`: cannot be determined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Time on the pages in seconds, without the pauses between visits.
    pub seconds: Option<u32>,
    /// Whether a complete response took less than the configured share of its application's median.
    pub speeding: Option<bool>,
    /// Whether in every battery (a page with at least three ratings of the same range) all points
    /// are the same.
    pub straight_lining: Option<bool>,
    /// Share of the asked items, among those answered with a code, that were left empty or answered
    /// with «don't know».
    pub item_nonresponse: Option<f64>,
}

/// Returns the median time of the complete responses; `None` if there are too few.
pub fn median(mut times: Vec<Duration>) -> Option<Duration> {
    if times.len() < MIN_RESPONSES_FOR_MEDIAN {
        return None;
    }
    times.sort_unstable();
    Some((times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2)
}

/// Assesses one response. `time` is the time on its pages, `median` that of its application, and
/// `share` the fraction of the median below which it is speeding.
pub fn assess(
    path: &QuestionPath<'_>,
    answers: &BTreeMap<String, Answer>,
    time: Option<Duration>,
    median: Option<Duration>,
    share: f64,
) -> Quality {
    Quality {
        seconds: time.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX)),
        speeding: time.zip(median).map(|(time, median)| time < median.mul_f64(share)),
        straight_lining: straight_lining(path, answers),
        item_nonresponse: item_nonresponse(path, answers),
    }
}

fn straight_lining(path: &QuestionPath<'_>, answers: &BTreeMap<String, Answer>) -> Option<bool> {
    let mut batteries: BTreeMap<(usize, i64, i64), Vec<i64>> = BTreeMap::new();
    for (page, items) in &path.pages {
        for item in items {
            if let (ItemKind::Scale(scale), Some(Answer::Point(point))) =
                (&item.kind, answers.get(&item.id))
            {
                batteries.entry((*page, scale.from, scale.to)).or_default().push(*point);
            }
        }
    }
    let mut lines = batteries
        .values()
        .filter(|points| points.len() >= MIN_BATTERY_ITEMS)
        .map(|points| points.iter().all(|point| *point == points[0]))
        .peekable();
    lines.peek().is_some().then(|| lines.all(|is_line| is_line))
}

fn item_nonresponse(path: &QuestionPath<'_>, answers: &BTreeMap<String, Answer>) -> Option<f64> {
    let coded = |item: &&&Item| item.is_question() && !matches!(item.kind, ItemKind::Open { .. });
    let questions: Vec<&Item> =
        path.pages.iter().flat_map(|(_, items)| items.iter().filter(coded).copied()).collect();
    let missing = questions
        .iter()
        .filter(|item| matches!(answers.get(&item.id), None | Some(Answer::DontKnow)))
        .count();
    (!questions.is_empty()).then(|| missing as f64 / questions.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Language;
    use crate::domain::questionnaire::{Questionnaire, ReadingContext, RoutingFacts};

    fn assessed(points: &[(&str, &str)], seconds: u64, median: Option<u64>) -> Quality {
        let questionnaire =
            Questionnaire::parse(include_str!("../../config/questionnaires/brand.toml")).unwrap();
        let read = |(id, raw): &(&str, &str)| {
            let item = questionnaire.item(id).unwrap();
            let context = ReadingContext::sample(Language::Zh);
            ((*id).to_owned(), Answer::parse(item, Some(raw), context).unwrap().unwrap())
        };
        let answers: BTreeMap<String, Answer> = points.iter().map(read).collect();
        let facts = RoutingFacts::default();
        let path = questionnaire.path(&answers, &facts);
        assess(
            &path,
            &answers,
            Some(Duration::from_secs(seconds)),
            median.map(Duration::from_secs),
            0.4,
        )
    }

    const BATTERIES: [&str; 12] = [
        "pq1", "pq2", "pq3", "pq4", "val1", "val2", "sat1", "sat2", "sat3", "com1", "loy1", "loy2",
    ];

    #[test]
    fn a_straight_line_is_one_in_every_battery() {
        let all_eight: Vec<_> = BATTERIES.iter().map(|id| (*id, "8")).collect();
        assert_eq!(assessed(&all_eight, 90, None).straight_lining, Some(true));
        let mut one_off = all_eight.clone();
        one_off[0] = ("pq1", "7");
        assert_eq!(assessed(&one_off, 90, None).straight_lining, Some(false));
        // A different point on each page is still straight-lining.
        let by_page: Vec<_> = BATTERIES
            .iter()
            .map(|id| (*id, if id.starts_with("pq") { "3" } else { "9" }))
            .collect();
        assert_eq!(assessed(&by_page, 90, None).straight_lining, Some(true));
        assert_eq!(
            assessed(&[("pq1", "8"), ("pq2", "8")], 90, None).straight_lining,
            None,
            "two ratings are no battery"
        );
        assert_eq!(
            assessed(&[("pq1", "8"), ("pq2", "8"), ("pq3", "na"), ("pq4", "na")], 90, None)
                .straight_lining,
            None
        );
    }

    #[test]
    fn speeding_is_measured_against_the_median_and_nonresponse_by_what_was_asked() {
        assert_eq!(assessed(&[], 39, Some(100)).speeding, Some(true));
        assert_eq!(assessed(&[], 40, Some(100)).speeding, Some(false));
        assert_eq!(assessed(&[], 40, None).speeding, None);
        let seconds = |all: &[u64]| median(all.iter().map(|s| Duration::from_secs(*s)).collect());
        assert_eq!(seconds(&[1, 2, 3, 4]), None);
        assert_eq!(seconds(&[9, 1, 5, 3, 7]), Some(Duration::from_secs(5)));
        assert_eq!(seconds(&[9, 1, 5, 3, 7, 100]), Some(Duration::from_secs(6)));
        // Fourteen ratings are asked; the open question does not count.
        assert_eq!(assessed(&[], 1, None).item_nonresponse, Some(1.0));
        let seven: Vec<_> = BATTERIES[..7].iter().map(|id| (*id, "8")).collect();
        assert_eq!(assessed(&seven, 1, None).item_nonresponse, Some(0.5));
    }
}
