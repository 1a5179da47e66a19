//! Quality flags of a response. They are reported with it and never used to drop it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::disposition::Disposition;
use super::questionnaire::{Answer, Item, ItemKind, QuestionPath};
use super::time::Timestamp;

/// Minimum number of complete responses for a meaningful median.
pub const MIN_RESPONSES_FOR_MEDIAN: usize = 5;
/// Minimum number of ratings on one page for which a straight line is meaningful.
const MIN_BATTERY_ITEMS: usize = 3;
/// Minimum number of ratings in all for which the length of a run, or the spread of the points, is
/// meaningful.
const MIN_RATINGS_FOR_RUN: usize = 8;
/// The share of the ratings, one after another at the same point, from which on it is a straight
/// line: nine or ten of twelve.
const STRAIGHT_RUN: f64 = 0.8;
/// The standard deviation of the points, as a share of the scale's width, up to which it is one:
/// one of twelve ratings off by a point on a scale from 1 to 10.
const STRAIGHT_SPREAD: f64 = 0.04;

/// The quality of a response. `None`: cannot be determined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Time on the pages in seconds, without the pauses between visits.
    pub seconds: Option<u32>,
    /// Whether a complete response took less than its [`SpeedLimit`].
    pub speeding: Option<bool>,
    /// Whether it rates nearly everything alike: in every battery (a page with at least three
    /// ratings of the same range) all points are the same, or of all ratings of a range nearly all
    /// are, by the length of the longest run or by their spread.
    pub straight_lining: Option<bool>,
    /// Whether another complete response of the application has the same answer to every coded
    /// item, and is no straight line.
    pub duplicate: Option<bool>,
    /// Share of the reached items, among those answered with a code, that were left empty or answered
    /// with «don't know» or «rather not say».
    pub item_nonresponse: Option<f64>,
}

/// What staff decided about a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ReviewVerdict {
    /// It is what it seems: it counts.
    Accepted,
    /// Somebody else answered, or nobody meant it: it is delivered flagged, and does not count.
    Excluded,
}

impl ReviewVerdict {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    pub fn parse(raw: &str) -> Option<ReviewVerdict> {
        [ReviewVerdict::Accepted, ReviewVerdict::Excluded].into_iter().find(|v| v.as_str() == raw)
    }
}

/// A decision about a response. Where two people decide, it waits after the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseReview {
    pub verdict: ReviewVerdict,
    pub reason: String,
    pub requested_by: String,
    pub requested_at: Timestamp,
    pub decided_by: Option<String>,
    pub decided_at: Option<Timestamp>,
    /// The case's disposition by its answers alone.
    pub disposition: Disposition,
}

impl ResponseReview {
    pub fn is_excluded(&self) -> bool {
        self.verdict == ReviewVerdict::Excluded && self.decided_at.is_some()
    }

    /// What datasets say: nothing while a decision waits for a second person.
    pub fn flag(&self) -> &'static str {
        if self.decided_at.is_some() { self.verdict.as_str() } else { "" }
    }
}

/// Returns the median time of the complete responses; `None` if there are too few.
pub fn median(mut times: Vec<Duration>) -> Option<Duration> {
    if times.len() < MIN_RESPONSES_FOR_MEDIAN {
        return None;
    }
    times.sort_unstable();
    Some((times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2)
}

/// The time below which a complete response is speeding: a share of what is usual, and never less
/// than it takes to read. A median alone fails where cheating is common, as it then is the
/// cheaters' own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedLimit {
    /// The median of complete responses of the same mode and questionnaire, over the programme.
    pub median: Option<Duration>,
    /// The fraction of the median.
    pub share: f64,
    /// The time that a rating takes at least.
    pub per_rating: Duration,
}

impl SpeedLimit {
    /// Returns the limit for a response with this number of ratings.
    pub fn for_ratings(&self, ratings: u32) -> Duration {
        let usual = self.median.map_or(Duration::ZERO, |median| median.mul_f64(self.share));
        usual.max(self.per_rating * ratings)
    }
}

/// Assesses one response. `time` is the time on its pages; without a `limit` (a response that was
/// broken off) nothing is said of its speed. Duplicates are found by [`duplicates`].
pub fn assess(
    path: &QuestionPath<'_>,
    answers: &BTreeMap<String, Answer>,
    time: Option<Duration>,
    limit: Option<SpeedLimit>,
) -> Quality {
    let ratings =
        path.items().filter(|item| matches!(answers.get(&item.id), Some(Answer::Point(_)))).count();
    let ratings = u32::try_from(ratings).unwrap_or(u32::MAX);
    Quality {
        seconds: time.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX)),
        speeding: time.zip(limit).map(|(time, limit)| time < limit.for_ratings(ratings)),
        straight_lining: straight_lining(path, answers),
        duplicate: None,
        item_nonresponse: item_nonresponse(path, answers, limit.is_some()),
    }
}

/// Returns the answers to all coded items in one text, to compare responses by; `None` if there are
/// too few ratings for two equal ones to mean anything.
pub fn answer_vector(
    path: &QuestionPath<'_>,
    answers: &BTreeMap<String, Answer>,
) -> Option<String> {
    let coded: Vec<(&str, &Answer)> = path
        .items()
        .filter(|item| item.is_question() && !matches!(item.kind, ItemKind::Open { .. }))
        .filter_map(|item| Some((item.id.as_str(), answers.get(&item.id)?)))
        .collect();
    let ratings = coded.iter().filter(|(_, answer)| matches!(answer, Answer::Point(_))).count();
    (ratings >= MIN_RATINGS_FOR_RUN).then(|| {
        let cell = |(id, answer): &(&str, &Answer)| {
            format!("{id}={}", answer.to_stored().unwrap_or_default())
        };
        coded.iter().map(cell).collect::<Vec<_>>().join("\n")
    })
}

/// Returns which of these vectors there is more than once; `None` where there is none.
pub fn duplicates(vectors: &[Option<String>]) -> Vec<Option<bool>> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for vector in vectors.iter().flatten() {
        *counts.entry(vector).or_default() += 1;
    }
    let is_double = |vector: &String| counts.get(vector.as_str()).is_some_and(|count| *count > 1);
    vectors.iter().map(|vector| vector.as_ref().map(is_double)).collect()
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
    let by_page = lines.peek().is_some().then(|| lines.all(|is_line| is_line));
    let mut ranges: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
    for ((_, from, to), points) in batteries {
        ranges.entry((from, to)).or_default().extend(points);
    }
    // Of the range with the most ratings.
    let overall = ranges
        .into_iter()
        .filter(|(_, points)| points.len() >= MIN_RATINGS_FOR_RUN)
        .max_by_key(|(_, points)| points.len())
        .map(|((from, to), points)| {
            let share = longest_run(&points) as f64 / points.len() as f64;
            share >= STRAIGHT_RUN || spread(&points) <= STRAIGHT_SPREAD * (to - from) as f64
        });
    match (by_page, overall) {
        (None, overall) => overall,
        (by_page, None) => by_page,
        (Some(by_page), Some(overall)) => Some(by_page || overall),
    }
}

fn longest_run(points: &[i64]) -> usize {
    points.chunk_by(|a, b| a == b).map(<[i64]>::len).max().unwrap_or(0)
}

/// Returns the standard deviation (of the ratings themselves, not estimated for others).
fn spread(points: &[i64]) -> f64 {
    let count = points.len() as f64;
    let mean = points.iter().map(|point| *point as f64).sum::<f64>() / count;
    (points.iter().map(|point| (*point as f64 - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// Of the items that were reached: all of a complete response, and up to the last answered one of
/// another.
fn item_nonresponse(
    path: &QuestionPath<'_>,
    answers: &BTreeMap<String, Answer>,
    is_complete: bool,
) -> Option<f64> {
    let coded = |item: &&&Item| item.is_question() && !matches!(item.kind, ItemKind::Open { .. });
    let questions: Vec<&Item> =
        path.pages.iter().flat_map(|(_, items)| items.iter().filter(coded).copied()).collect();
    let last = questions.iter().rposition(|item| answers.contains_key(&item.id));
    let reached = if is_complete { questions.len() } else { last.map_or(0, |last| last + 1) };
    let questions = &questions[..reached];
    let is_missing = |item: &&&Item| {
        matches!(answers.get(&item.id), None | Some(Answer::DontKnow | Answer::Refused))
    };
    let missing = questions.iter().filter(is_missing).count();
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
            let context = ReadingContext::sample(Language::ZH);
            ((*id).to_owned(), Answer::parse(item, Some(raw), context).unwrap().unwrap())
        };
        let answers: BTreeMap<String, Answer> = points.iter().map(read).collect();
        let facts = RoutingFacts::default();
        let path = questionnaire.path(&answers, &facts);
        let limit = SpeedLimit {
            median: median.map(Duration::from_secs),
            share: 0.4,
            per_rating: Duration::from_secs(2),
        };
        assess(&path, &answers, Some(Duration::from_secs(seconds)), Some(limit))
    }

    #[test]
    fn equal_vectors_are_duplicates() {
        let vectors = ["a", "b", "a", "", "c"].map(|v| (!v.is_empty()).then(|| v.to_owned()));
        let found = duplicates(&vectors);
        assert_eq!(found, [Some(true), Some(false), Some(true), None, Some(false)]);
    }

    const BATTERIES: [&str; 12] = [
        "img1", "img2", "exp1", "exp2", "pq1", "pq2", "val1", "val2", "sat1", "sat2", "sat3",
        "loy1",
    ];

    #[test]
    fn a_straight_line_is_one_in_every_battery() {
        let all_eight: Vec<_> = BATTERIES.iter().map(|id| (*id, "8")).collect();
        assert_eq!(assessed(&all_eight, 90, None).straight_lining, Some(true));
        let mut one_off = all_eight.clone();
        one_off[0] = ("img1", "7");
        assert_eq!(assessed(&one_off, 90, None).straight_lining, Some(true), "a run of eleven");
        // Two apart from each other, so that no run is long: by their spread it is none.
        let mut two_off = one_off.clone();
        two_off[6] = ("val1", "9");
        assert_eq!(assessed(&two_off, 90, None).straight_lining, Some(false));
        one_off[6] = ("val1", "7");
        one_off[0] = ("img1", "8");
        assert_eq!(assessed(&one_off, 90, None).straight_lining, Some(true), "one of twelve");
        // A different point on each page is still straight-lining.
        let by_page: Vec<_> = BATTERIES
            .iter()
            .map(|id| (*id, if ["pq", "va"].contains(&&id[..2]) { "3" } else { "9" }))
            .collect();
        assert_eq!(assessed(&by_page, 90, None).straight_lining, Some(true));
        assert_eq!(
            assessed(&[("pq1", "8"), ("pq2", "8")], 90, None).straight_lining,
            None,
            "two ratings are no battery"
        );
        assert_eq!(
            assessed(&[("pq1", "8"), ("pq2", "8"), ("val1", "na"), ("val2", "na")], 90, None)
                .straight_lining,
            None
        );
    }

    #[test]
    fn speeding_is_measured_against_the_median_and_nonresponse_by_what_was_asked() {
        assert_eq!(assessed(&[], 39, Some(100)).speeding, Some(true));
        assert_eq!(assessed(&[], 40, Some(100)).speeding, Some(false));
        assert_eq!(assessed(&[], 40, None).speeding, Some(false));
        // Twelve ratings take 24 seconds at least, whatever the others took.
        let all_eight: Vec<_> = BATTERIES.iter().map(|id| (*id, "8")).collect();
        assert_eq!(assessed(&all_eight, 23, None).speeding, Some(true));
        assert_eq!(assessed(&all_eight, 23, Some(20)).speeding, Some(true));
        assert_eq!(assessed(&all_eight, 24, Some(20)).speeding, Some(false));
        assert_eq!(assessed(&all_eight, 24, Some(61)).speeding, Some(true));
        let seconds = |all: &[u64]| median(all.iter().map(|s| Duration::from_secs(*s)).collect());
        assert_eq!(seconds(&[1, 2, 3, 4]), None);
        assert_eq!(seconds(&[9, 1, 5, 3, 7]), Some(Duration::from_secs(5)));
        assert_eq!(seconds(&[9, 1, 5, 3, 7, 100]), Some(Duration::from_secs(6)));
        // Sixteen items are asked of everybody; the open question does not count.
        assert_eq!(assessed(&[], 1, None).item_nonresponse, Some(1.0));
        let eight: Vec<_> = BATTERIES[..8].iter().map(|id| (*id, "8")).collect();
        assert_eq!(assessed(&eight, 1, None).item_nonresponse, Some(0.5));
    }
}
