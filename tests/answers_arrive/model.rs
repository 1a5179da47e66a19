//! What one respondent's answers are, as far as somebody outside can tell: all states that are
//! possible after what was answered and what was not.

use std::collections::BTreeMap;

use super::generated::{Generated, Given, Value};

/// One state that is possible.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// By question.
    pub answers: BTreeMap<usize, Value>,
    pub is_complete: bool,
    pub has_begun: bool,
    /// The furthest page that was sent.
    pub sent_page: Option<usize>,
}

/// How a page is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sending {
    /// To go on.
    Submit,
    /// To go back: what can be read is kept, and nothing is asked for.
    Back,
    /// One question alone, by SMS.
    Single(usize),
}

/// The questions that are asked, in their order.
pub fn path(generated: &Generated, answers: &BTreeMap<usize, Value>) -> Vec<usize> {
    let mut asked: Vec<usize> = Vec::new();
    for (at, question) in generated.questions.iter().enumerate() {
        let is_asked = question.condition.as_ref().is_none_or(|(on, test)| {
            let value = answers.get(on).filter(|_| asked.contains(on));
            generated.questions[*on].meets(test, value)
        });
        if is_asked {
            asked.push(at);
        }
    }
    asked
}

impl State {
    /// The state after a page, and whether the page is answered with a mistake.
    pub fn after(
        &self,
        generated: &Generated,
        page: usize,
        given: &BTreeMap<usize, Given>,
        sending: Sending,
    ) -> (State, bool) {
        let mut after = self.clone();
        let is_on_page = |at: &usize| match sending {
            Sending::Single(single) => *at == single,
            _ => generated.questions[*at].page == page,
        };
        let asked: Vec<usize> =
            path(generated, &self.answers).into_iter().filter(is_on_page).collect();
        if self.is_complete || asked.is_empty() {
            return (after, false);
        }
        let mut has_mistake = false;
        for at in &asked {
            match given.get(at).unwrap_or(&Given::Empty) {
                Given::Answer(value) => _ = after.answers.insert(*at, value.clone()),
                Given::Empty if !generated.questions[*at].is_required => {
                    after.answers.remove(at);
                }
                Given::Empty => has_mistake |= sending != Sending::Back,
                Given::Nonsense => has_mistake = true,
            }
        }
        if sending == Sending::Submit || sending == Sending::Back {
            after.sent_page = after.sent_page.max(Some(page));
        }
        let path = path(generated, &after.answers);
        let is_last = path.last().is_some_and(|last| match sending {
            Sending::Single(single) => *last == single,
            _ => generated.questions[*last].page <= page,
        });
        let is_whole =
            |at: &usize| !generated.questions[*at].is_required || after.answers.contains_key(at);
        if !has_mistake && is_last && path.iter().all(is_whole) && sending != Sending::Back {
            after.is_complete = true;
            after.answers.retain(|at, _| path.contains(at));
        }
        (after, has_mistake)
    }

    /// The AAPOR code of its row in the dataset; `None`: it has none.
    pub fn disposition(&self, generated: &Generated) -> Option<&'static str> {
        let is_core_answered = path(generated, &self.answers)
            .iter()
            .all(|at| !generated.questions[*at].is_core || self.answers.contains_key(at));
        match (self.is_complete, self.has_begun && is_core_answered) {
            (true, _) => Some("1.1"),
            (false, true) => Some("1.2"),
            (false, false) => None,
        }
    }

    /// The cells of its row, by column.
    pub fn cells(&self, generated: &Generated, by_sms: bool) -> BTreeMap<String, String> {
        let path = path(generated, &self.answers);
        let reached = path.iter().rposition(|at| {
            let is_sent = self.sent_page.is_some_and(|sent| generated.questions[*at].page <= sent);
            self.is_complete || self.answers.contains_key(at) || (is_sent && !by_sms)
        });
        let mut cells = BTreeMap::new();
        for (at, question) in generated.questions.iter().enumerate() {
            let columns = question.columns();
            let place = path.iter().position(|asked| *asked == at);
            let missing = match place {
                None => ".not_asked",
                Some(place) if reached.is_some_and(|reached| place <= reached) => ".skipped",
                Some(_) => ".not_reached",
            };
            let values = match self.answers.get(&at).filter(|_| place.is_some()) {
                Some(value) => question.cells(value),
                None => vec![missing.to_owned(); columns.len()],
            };
            cells.extend(columns.into_iter().zip(values));
        }
        cells
    }
}

/// All states that are possible for one respondent.
#[derive(Debug, Clone)]
pub struct Respondent {
    pub states: Vec<State>,
    /// What was done, for a failure's message.
    pub log: Vec<String>,
}

impl Default for Respondent {
    fn default() -> Respondent {
        Respondent { states: vec![State::default()], log: Vec::new() }
    }
}

impl Respondent {
    /// A page was sent and answered: `has_mistake` as the answer said.
    pub fn sent(&mut self, changed: impl Fn(&State) -> (State, bool), has_mistake: bool) {
        let states: Vec<State> = self
            .states
            .iter()
            .map(changed)
            .filter(|(_, expected)| *expected == has_mistake)
            .map(|(state, _)| state)
            .collect();
        assert!(!states.is_empty(), "a mistake was said: {has_mistake}\n{self:#?}");
        self.set(states);
    }

    /// A page was sent, and no answer came: it was saved or not.
    pub fn sent_into_the_void(&mut self, changed: impl Fn(&State) -> (State, bool)) {
        let saved: Vec<State> = self.states.iter().map(|state| changed(state).0).collect();
        let all = self.states.iter().cloned().chain(saved).collect();
        self.set(all);
    }

    fn set(&mut self, states: Vec<State>) {
        self.states.clear();
        for state in states {
            if !self.states.contains(&state) {
                self.states.push(state);
            }
        }
    }
}
