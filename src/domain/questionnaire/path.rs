//! The path of one respondent through a questionnaire: the items that are asked, given the answers
//! so far.

use std::collections::BTreeMap;

use cel::Value;

use super::{Answer, Condition, Item, Questionnaire};

/// The facts about a respondent besides the answers.
#[derive(Debug, Clone, Default)]
pub struct RoutingFacts {
    pub category: String,
    /// The segment on the list; empty if there is none.
    pub segment: String,
    pub mode: String,
    /// The list fields that the application stores.
    pub fields: BTreeMap<String, String>,
}

/// The pages and items that are asked, in order.
pub struct QuestionPath<'q> {
    /// The index of the page in the questionnaire, from 0, and its asked items.
    pub pages: Vec<(usize, Vec<&'q Item>)>,
    /// Whether an answer shows that the respondent is not a user of the subject (AAPOR 4.1).
    pub is_screened_out: bool,
    answered: Vec<&'q str>,
    input: RoutingInput<'q>,
}

/// The known values of a respondent.
#[derive(Clone, Copy)]
struct RoutingInput<'q> {
    questionnaire: &'q Questionnaire,
    answers: &'q BTreeMap<String, Answer>,
    facts: &'q RoutingFacts,
}

impl RoutingInput<'_> {
    /// Returns the value of a name for conditions, if only these items count as answered.
    fn value(&self, name: &str, answered: &[&str]) -> Option<Value> {
        let fact = match name {
            "category" => Some(&self.facts.category),
            "segment" => Some(&self.facts.segment),
            "mode" => Some(&self.facts.mode),
            _ => self.facts.fields.get(name),
        };
        if let Some(fact) = fact {
            return Some(Value::from(fact.as_str()));
        }
        answered
            .contains(&name)
            .then(|| self.answers.get(name)?.value(self.questionnaire.item(name)?))
            .flatten()
    }
}

/// The completion status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Every required item that is asked is answered.
    Complete,
    /// Every core item that is asked is answered.
    Partial,
    /// Less than that.
    Insufficient,
}

impl Questionnaire {
    /// Returns the path determined by these answers. Items that are not asked count as not answered
    /// in all later conditions.
    pub fn path<'q>(
        &'q self,
        answers: &'q BTreeMap<String, Answer>,
        facts: &'q RoutingFacts,
    ) -> QuestionPath<'q> {
        let input = RoutingInput { questionnaire: self, answers, facts };
        let (mut pages, mut is_screened_out, mut answered) = (Vec::new(), false, Vec::new());
        for (number, page) in self.pages.iter().enumerate() {
            // Conditions use earlier pages only, so a page is decided as a whole.
            let holds =
                |condition: &Condition| condition.holds_by(|name| input.value(name, &answered));
            let is_shown = page.show_if.as_ref().is_none_or(holds);
            let is_displayed = |item: &&Item| is_shown && item.show_if.as_ref().is_none_or(holds);
            let items: Vec<&Item> = page.items.iter().filter(is_displayed).collect();
            answered.extend(
                items.iter().map(|item| item.id.as_str()).filter(|id| answers.contains_key(*id)),
            );
            let holds =
                |condition: &Condition| condition.holds_by(|name| input.value(name, &answered));
            is_screened_out |=
                items.iter().filter_map(|item| item.screen_out_if.as_ref()).any(holds);
            if !items.is_empty() {
                pages.push((number, items));
            }
        }
        QuestionPath { pages, is_screened_out, answered, input }
    }
}

impl<'q> QuestionPath<'q> {
    /// Returns the asked items in order.
    pub fn items(&self) -> impl Iterator<Item = &'q Item> {
        self.pages.iter().flat_map(|(_, items)| items.iter().copied())
    }

    fn is_answered(&self, item: &Item) -> bool {
        self.answered.contains(&item.id.as_str())
    }

    /// Returns whether a condition holds by the current values.
    pub fn satisfies(&self, condition: &Condition) -> bool {
        condition.holds_by(|name| self.input.value(name, &self.answered))
    }

    /// Returns whether the value of a name is final: its item is answered or its page has been
    /// passed. A name that is not an item is final from the start.
    pub fn is_settled(&self, name: &str) -> bool {
        let page = self
            .input
            .questionnaire
            .pages
            .iter()
            .position(|page| page.items.iter().any(|item| item.id == name));
        // The pages before a page decide which of its items are asked.
        let has_gone_by = |page: usize| {
            page < self.furthest_page() || (page == self.furthest_page() && !self.includes(name))
        };
        page.is_none_or(|page| {
            self.answered.contains(&name)
                || has_gone_by(page)
                || self.completion() == Completion::Complete
        })
    }

    pub fn includes(&self, id: &str) -> bool {
        self.items().any(|item| item.id == id)
    }

    /// Returns the asked items of a page; empty if the page is not on the path.
    pub fn items_on_page(&self, page: usize) -> &[&'q Item] {
        self.pages
            .iter()
            .find(|(number, _)| *number == page)
            .map_or(&[], |(_, items)| items.as_slice())
    }

    /// Returns the completion status (AAPOR 1.1, 1.2 or less).
    pub fn completion(&self) -> Completion {
        if self.items().filter(|item| item.required).all(|item| self.is_answered(item)) {
            Completion::Complete
        } else if self.items().filter(|item| item.core).all(|item| self.is_answered(item)) {
            Completion::Partial
        } else {
            Completion::Insufficient
        }
    }

    /// Returns the first page on which a required item lacks an answer, otherwise the last one: no
    /// respondent gets further than this.
    pub fn furthest_page(&self) -> usize {
        let is_open = |(_, items): &&(usize, Vec<&Item>)| {
            items.iter().any(|item| item.required && !self.is_answered(item))
        };
        self.pages.iter().find(is_open).or(self.pages.last()).map_or(0, |(number, _)| *number)
    }

    /// Returns the page to display for a request of page `wanted`: that one or the next on the
    /// path, and never beyond the furthest one.
    pub fn page_for(&self, wanted: usize) -> usize {
        let reached = self.furthest_page();
        self.pages
            .iter()
            .map(|(number, _)| *number)
            .find(|number| *number >= wanted)
            .map_or(reached, |page| page.min(reached))
    }

    pub fn page_before(&self, page: usize) -> Option<usize> {
        self.pages.iter().map(|(number, _)| *number).rfind(|number| *number < page)
    }

    pub fn is_last(&self, page: usize) -> bool {
        self.pages.last().is_some_and(|(number, _)| *number <= page)
    }

    /// Returns the number of pages of the path before this one.
    pub fn pages_before(&self, page: usize) -> usize {
        self.pages.iter().filter(|(number, _)| *number < page).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Language;
    use crate::domain::questionnaire::{AnswerProblem, ReadingContext};

    const FILE: &str = include_str!("../../../tests/fixtures/every_kind.toml");

    fn questionnaire() -> Questionnaire {
        Questionnaire::parse(FILE).unwrap_or_else(|e| panic!("{e}"))
    }

    fn path_ids(answers: &[(&str, &str)], segment: &str) -> (Vec<String>, bool) {
        let q = questionnaire();
        let read = |(id, raw): &(&str, &str)| {
            ((*id).to_owned(), Answer::from_stored(q.item(id).unwrap(), raw).unwrap())
        };
        let answers: BTreeMap<String, Answer> = answers.iter().map(read).collect();
        let facts = RoutingFacts {
            segment: segment.to_owned(),
            mode: "web".to_owned(),
            ..RoutingFacts::default()
        };
        let path = q.path(&answers, &facts);
        (path.items().map(|item| item.id.clone()).collect(), path.is_screened_out)
    }

    #[test]
    fn the_way_follows_the_answers() {
        let (satisfied, _) = path_ids(&[("use", "daily"), ("sat1", "9")], "");
        assert!(
            !satisfied.contains(&"why".to_owned()) && !satisfied.contains(&"since".to_owned()),
            "{satisfied:?}"
        );
        let (dissatisfied, _) = path_ids(&[("use", "daily"), ("sat1", "2")], "");
        assert!(dissatisfied.contains(&"why".to_owned()), "{dissatisfied:?}");
        let (chain, _) =
            path_ids(&[("use", "daily"), ("sat1", "2"), ("why", "price other")], "大业主");
        assert!(
            ["why", "paid", "since", "rank1"].iter().all(|id| chain.contains(&(*id).to_owned())),
            "{chain:?}"
        );
        // An answer on an abandoned path decides nothing.
        let (changed, _) = path_ids(&[("use", "daily"), ("sat1", "9"), ("why", "price")], "");
        assert!(!changed.contains(&"paid".to_owned()), "{changed:?}");
        assert!(path_ids(&[("use", "never")], "").1 && !path_ids(&[("use", "daily")], "").1);
    }

    #[test]
    fn every_kind_of_answer_is_checked_and_comes_back() {
        let q = questionnaire();
        let parse = |id: &str, raw: &str| {
            Answer::parse(q.item(id).unwrap(), Some(raw), ReadingContext::sample(Language::ZH))
        };
        for (id, raw, stored) in [
            ("use", "daily", "daily"),
            ("sat1", "-3", "-3"),
            ("sat1", "dk", "dk"),
            ("why", "other price", "price other"),
            ("why", "none", "none"),
            ("paid", "1,299.50", "1299.5"),
            ("paid", "１２", "12"),
            ("since", "2026-02-28", "2026-02-28"),
            ("rank1", "b:1 c:2 a:3", "b c a"),
            ("g1", "5", "5"),
        ] {
            let answer = parse(id, raw).unwrap_or_else(|p| panic!("{id} {raw}: {p:?}")).unwrap();
            assert_eq!(answer.to_stored().as_deref(), Some(stored), "{id} {raw}");
            assert!(
                Answer::from_stored(q.item(id).unwrap(), stored) == Some(answer),
                "{id} {stored} comes back"
            );
        }
        for (id, raw, problem) in [
            ("use", "often", AnswerProblem::OutOfRange),
            ("use", "daily never", AnswerProblem::TooMany(1)),
            ("sat1", "6", AnswerProblem::OutOfRange),
            ("sat1", "na", AnswerProblem::OutOfRange),
            ("why", "price quality other", AnswerProblem::TooMany(2)),
            ("why", "none price", AnswerProblem::Exclusive),
            ("why", "", AnswerProblem::Missing),
            ("paid", "12.345", AnswerProblem::OutOfRange),
            ("paid", "1e3", AnswerProblem::OutOfRange),
            ("paid", "-1", AnswerProblem::BeyondLimits),
            ("since", "2026-02-30", AnswerProblem::OutOfRange),
            ("since", "1999-12-31", AnswerProblem::BeyondLimits),
            ("rank1", "a:1 b:1 c:2", AnswerProblem::NotRanked),
            ("rank1", "a:1 b:2", AnswerProblem::NotRanked),
            ("rank1", "a:1 b:2 a:3", AnswerProblem::NotRanked),
            ("rank1", "a:1 b:2 c:4", AnswerProblem::NotRanked),
            ("rank1", "a: b: c:", AnswerProblem::Missing),
        ] {
            assert_eq!(parse(id, raw).err(), Some(problem), "{id} {raw}");
        }
    }

    #[test]
    fn options_come_in_an_order_of_their_own_and_the_exclusive_one_last() {
        let q = questionnaire();
        let crate::domain::questionnaire::ItemKind::Choice(choice) = &q.item("why").unwrap().kind
        else {
            panic!()
        };
        let order = |case: i64| {
            choice.order_for(case, "why").iter().map(|o| o.code.clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(7), order(7));
        let orders: std::collections::BTreeSet<Vec<String>> = (0..50).map(order).collect();
        assert_eq!(orders.len(), 6, "all orders of three options");
        assert!(orders.iter().all(|order| order.last().unwrap() == "none"));
    }
}
