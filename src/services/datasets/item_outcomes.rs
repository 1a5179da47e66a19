//! What became of each item in one response: an answer, or the reason why there is none.

use std::collections::{BTreeMap, HashMap};

use super::missing::MissingReason;
use crate::adapters::database::paradata::PageVisit;
use crate::domain::disposition::Disposition;
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Answer, Item, QuestionPath};

/// The items on the path of a response.
pub(super) struct ItemOutcomes<'a> {
    by_item: HashMap<&'a str, Result<&'a Answer, MissingReason>>,
}

impl<'a> ItemOutcomes<'a> {
    /// An item is reached if the response is complete, if it or a later one is answered, or if its
    /// page was sent, with a mistake or without. Questions by SMS are asked one by one, so there a
    /// page says nothing of its other items.
    pub fn of(
        path: &QuestionPath<'a>,
        answers: &'a BTreeMap<String, Answer>,
        visits: &[PageVisit],
        disposition: Disposition,
    ) -> ItemOutcomes<'a> {
        let items: Vec<(usize, &'a Item)> = path
            .pages
            .iter()
            .flat_map(|(page, items)| items.iter().map(|item| (*page, *item)))
            .collect();
        let sent_page = visits
            .iter()
            .filter(|visit| visit.mode != Mode::Sms.as_str())
            .map(|visit| visit.page)
            .max();
        let is_reached = |(page, item): &(usize, &Item)| {
            answers.contains_key(&item.id) || sent_page.is_some_and(|sent| *page <= sent)
        };
        let reached_count = match disposition {
            Disposition::Complete => items.len(),
            _ => items.iter().rposition(is_reached).map_or(0, |last| last + 1),
        };
        let outcome = |(at, (_, item)): (usize, &(usize, &'a Item))| {
            let reason =
                if at < reached_count { MissingReason::Skipped } else { MissingReason::NotReached };
            (item.id.as_str(), answers.get(&item.id).ok_or(reason))
        };
        ItemOutcomes { by_item: items.iter().enumerate().map(outcome).collect() }
    }

    /// Returns the answer to an item. An answer that is no longer on the path is not an answer.
    pub fn answer_or_reason(&self, item: &str) -> Result<&'a Answer, MissingReason> {
        self.by_item.get(item).copied().unwrap_or(Err(MissingReason::NotAsked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::device::DeviceClass;
    use crate::domain::questionnaire::{Questionnaire, RoutingFacts};
    use crate::domain::time::Timestamp;

    const FILE: &str = include_str!("../../../tests/fixtures/every_kind.toml");

    #[test]
    fn what_was_not_answered_says_why() {
        let questionnaire = Questionnaire::parse(FILE).unwrap();
        let read = |(id, raw): (&str, &str)| {
            (id.to_owned(), Answer::from_stored(questionnaire.item(id).unwrap(), raw).unwrap())
        };
        let answers = BTreeMap::from([("use", "daily"), ("sat1", "9")].map(read));
        let facts = RoutingFacts { mode: "web".into(), ..RoutingFacts::default() };
        let path = questionnaire.path(&answers, &facts);
        let visit = |page, mode: Mode| PageVisit {
            page,
            mode: mode.as_str().into(),
            device: DeviceClass::Phone,
            shown_at: Timestamp(0),
            sent_at: Timestamp(1),
            problems: 0,
        };
        let reason = |visits: &[PageVisit], disposition, item: &str| {
            ItemOutcomes::of(&path, &answers, visits, disposition).answer_or_reason(item).err()
        };
        let (skipped, not_reached) = (MissingReason::Skipped, MissingReason::NotReached);
        for (visits, disposition, item, expected) in [
            (vec![], Disposition::Partial, "use", None),
            (vec![], Disposition::Partial, "why", Some(MissingReason::NotAsked)),
            (vec![], Disposition::Partial, "g1", Some(not_reached)),
            (vec![visit(1, Mode::Web)], Disposition::Partial, "g1", Some(skipped)),
            (vec![visit(1, Mode::Sms)], Disposition::Partial, "g1", Some(not_reached)),
            (vec![visit(1, Mode::Web)], Disposition::Partial, "rank1", Some(not_reached)),
            (vec![], Disposition::Complete, "rank1", Some(skipped)),
        ] {
            assert_eq!(reason(&visits, disposition, item), expected, "{item} {visits:?}");
        }
    }
}
