//! A questionnaire on paper: the items of one case in printed order, the digits to key beside each
//! option, and the routing in words.
//!
//! [`PaperForm::of`] lays out a case's form, always in the same way, so that keyed digits are read
//! by the form that was printed. [`PaperForm::read`] reads what staff keyed in.

mod digits;
mod instructions;

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Condition;
use super::language::Language;
use super::questionnaire::{
    Answer, AnswerProblem, ChoiceOption, Item, ItemKind, Questionnaire, ReadingContext,
    RoutingFacts,
};

pub use digits::SpecialAnswer;
pub use instructions::RoutingInstruction;

/// The language of what stands on every form beside the questions: its instructions, the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormLanguage {
    Zh,
    En,
}

impl FormLanguage {
    /// Returns the one for a reader of a language; whoever reads no Chinese gets English.
    pub fn of(language: Language) -> FormLanguage {
        if language.is_chinese() { FormLanguage::Zh } else { FormLanguage::En }
    }
}

/// The form of one case.
pub struct PaperForm<'q> {
    questionnaire: &'q Questionnaire,
    facts: &'q RoutingFacts,
    pub items: Vec<PaperItem<'q>>,
}

/// An item as printed.
pub struct PaperItem<'q> {
    pub item: &'q Item,
    /// The number of the question, from 1; `None` for a text between questions.
    pub number: Option<u32>,
    /// The page of the questionnaire, from 0.
    pub page: usize,
    /// The options in printed order.
    pub options: Vec<&'q ChoiceOption>,
}

/// What was read from a keyed form.
pub struct ReadForm {
    /// The answers to items that are asked by the keyed answers.
    pub answers: BTreeMap<String, Answer>,
    pub problems: BTreeMap<String, AnswerProblem>,
    /// Items that the routing skips, and that were answered all the same. Their answers are not
    /// kept.
    pub skipped: Vec<String>,
}

impl<'q> PaperForm<'q> {
    /// Lays out the form of a case. Items that the case's facts rule out, such as those of other
    /// modes, are not on it. Options in random order stand in the case's own order.
    pub fn of(
        questionnaire: &'q Questionnaire,
        facts: &'q RoutingFacts,
        case: i64,
    ) -> PaperForm<'q> {
        let nothing = BTreeMap::new();
        let path = questionnaire.path(&nothing, facts);
        let is_ruled_out = |condition: &Condition| {
            let is_known = |name: &String| questionnaire.item(name).is_none();
            condition.names().iter().all(is_known) && !path.satisfies(condition)
        };
        let mut items = Vec::new();
        let mut number = 0;
        for (page_number, page) in questionnaire.pages.iter().enumerate() {
            if page.show_if.as_ref().is_some_and(is_ruled_out) {
                continue;
            }
            for item in &page.items {
                if item.show_if.as_ref().is_some_and(is_ruled_out) {
                    continue;
                }
                number += u32::from(item.is_question());
                let options = match &item.kind {
                    ItemKind::Choice(choice) => choice.order_for(case, &item.id),
                    _ => Vec::new(),
                };
                items.push(PaperItem {
                    item,
                    number: item.is_question().then_some(number),
                    page: page_number,
                    options,
                });
            }
        }
        PaperForm { questionnaire, facts, items }
    }

    pub fn questions(&self) -> impl Iterator<Item = &PaperItem<'q>> {
        self.items.iter().filter(|item| item.number.is_some())
    }

    pub fn item(&self, id: &str) -> Option<&PaperItem<'q>> {
        self.items.iter().find(|item| item.item.id == id)
    }

    /// Reads the keyed fields, by item; an empty field is no answer. `before`: the answers that the
    /// case has already, which a field left empty does not take back.
    pub fn read(
        &self,
        keyed: &BTreeMap<String, String>,
        before: &BTreeMap<String, Answer>,
        context: ReadingContext,
    ) -> ReadForm {
        let mut answers = before.clone();
        let mut problems = BTreeMap::new();
        let mut read: BTreeSet<&str> = BTreeSet::new();
        // Conditions use earlier pages only.
        for page in 0..self.questionnaire.pages.len() {
            let path = self.questionnaire.path(&answers, self.facts);
            let asked: Vec<String> =
                path.items_on_page(page).iter().map(|item| item.id.clone()).collect();
            for paper in self.items.iter().filter(|paper| paper.page == page) {
                let id = &paper.item.id;
                let Some(text) = keyed.get(id).map(|text| text.trim()).filter(|t| !t.is_empty())
                else {
                    continue;
                };
                if !asked.contains(id) {
                    continue;
                }
                match paper.read(text, context) {
                    Ok(Some(answer)) => {
                        answers.insert(id.clone(), answer);
                        read.insert(id);
                    }
                    Ok(None) => {}
                    Err(problem) => _ = problems.insert(id.clone(), problem),
                }
            }
        }
        let is_keyed = |paper: &&PaperItem<'_>| {
            keyed.get(&paper.item.id).is_some_and(|text| !text.trim().is_empty())
        };
        let skipped = self
            .questions()
            .filter(is_keyed)
            .map(|paper| paper.item.id.as_str())
            .filter(|id| !read.contains(id) && !problems.contains_key(*id))
            .map(str::to_owned)
            .collect();
        answers.retain(|id, _| read.contains(id.as_str()));
        ReadForm { answers, problems, skipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../tests/fixtures/every_kind.toml");

    fn facts() -> RoutingFacts {
        RoutingFacts { mode: "paper".into(), ..RoutingFacts::default() }
    }

    fn keyed(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        fields.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
    }

    fn read(fields: &[(&str, &str)]) -> ReadForm {
        let (questionnaire, facts) = (Questionnaire::parse(FILE).unwrap(), facts());
        let form = PaperForm::of(&questionnaire, &facts, 7);
        form.read(&keyed(fields), &BTreeMap::new(), ReadingContext::sample(Language::ZH))
    }

    #[test]
    fn questions_are_numbered_and_what_the_facts_rule_out_is_not_printed() {
        let questionnaire = Questionnaire::parse(FILE).unwrap();
        let of = |segment: &str| {
            let facts = RoutingFacts { segment: segment.into(), ..facts() };
            let form = PaperForm::of(&questionnaire, &facts, 7);
            form.items.iter().map(|item| (item.item.id.clone(), item.number)).collect::<Vec<_>>()
        };
        let (all, few) = (of("大业主"), of(""));
        assert_eq!(all[..2], [("hello".to_owned(), None), ("use".to_owned(), Some(1))]);
        assert_eq!(all.last(), Some(&("open1".to_owned(), Some(9))));
        assert!(!few.iter().any(|(id, _)| id == "since"), "{few:?}");
        assert_eq!(few.last(), Some(&("open1".to_owned(), Some(8))));
    }

    /// Tangerine-Community/Tangerine-legacy#254: data stay although the answer before them makes
    /// their questions skipped.
    #[test]
    fn an_answer_that_the_routing_skips_is_named_and_not_kept() {
        let form = read(&[("use", "1"), ("sat1", "5"), ("why", "1"), ("paid", "12")]);
        assert_eq!(form.skipped, ["why", "paid"]);
        assert!(form.answers.keys().eq(["sat1", "use"]), "{:?}", form.answers.keys());
        let form = read(&[("use", "1"), ("sat1", "1"), ("why", "9"), ("g1", "3")]);
        assert_eq!(form.problems.keys().collect::<Vec<_>>(), ["why"], "a digit of no option");
        assert!(form.skipped.is_empty() && form.answers.contains_key("g1"));
    }
}
