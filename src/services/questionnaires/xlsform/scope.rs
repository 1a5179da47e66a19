//! What the names in expressions stand for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::expression::Expression;
use super::simplify;

/// A code of an option: as the form has it, and as the questionnaire has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub theirs: String,
    pub ours: String,
}

/// The kind of an answer, which determines how conditions use it.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerKind {
    One(Vec<Code>),
    Several(Vec<Code>),
    Ranked(Vec<Code>),
    Number {
        is_whole: bool,
        max: Option<f64>,
    },
    Date,
    Text,
    /// A fact about the respondent, which is a text.
    Fact,
}

/// The answers that conditions can use, by the id of the item.
pub type Answers = HashMap<String, AnswerKind>;

/// What a name of the form stands for.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// An item, by its id.
    Item(String),
    /// A value made of others, already resolved to ids.
    Calculation(Expression),
    /// A calculation in a group with a condition: its value seen from inside, and from outside,
    /// where it is empty if the condition does not hold.
    InGroup { group: usize, inside: Expression, outside: Expression },
    /// A calculation that cannot be expressed, and why.
    Unknown(String),
}

/// The names that have been read so far. A repeat's round has a suffix (`_2`), which the names in
/// it carry; a name without the suffix stands outside.
#[derive(Debug, Default)]
pub struct Scope {
    meanings: HashMap<(String, String), Meaning>,
    /// All names of the form, for the difference between a later and an unknown name.
    pub all_names: BTreeMap<String, u32>,
    pub answers: Answers,
    /// The items of each question that is divided by its choices; one of them is asked at most.
    pub divided: Vec<Vec<String>>,
    /// The numbers of the open groups.
    pub open_groups: Vec<usize>,
    /// The names that something has looked at.
    pub used: RefCell<BTreeSet<String>>,
}

impl Scope {
    pub fn define(&mut self, name: &str, suffix: &str, meaning: Meaning) {
        self.meanings.insert((name.to_owned(), suffix.to_owned()), meaning);
    }

    pub fn is_defined(&self, name: &str, suffix: &str) -> bool {
        self.meanings.contains_key(&(name.to_owned(), suffix.to_owned()))
    }

    /// Returns the meaning of a name as seen from a repeat's round.
    pub fn find(&self, name: &str, suffix: &str) -> Result<&Meaning, String> {
        self.used.borrow_mut().insert(name.to_owned());
        let mut suffix = suffix;
        loop {
            if let Some(meaning) = self.meanings.get(&(name.to_owned(), suffix.to_owned())) {
                return Ok(meaning);
            }
            match suffix.rfind('_') {
                Some(end) => suffix = &suffix[..end],
                None => break,
            }
        }
        if self.meanings.keys().any(|(other, _)| other == name) {
            return Err(format!("{name} is asked several times, in a repeat"));
        }
        match self.all_names.get(name) {
            Some(row) => Err(format!("{name} comes later (row {row})")),
            None => Err(format!("{name} is no question of this form")),
        }
    }

    /// Returns the value of a name: an answer, or what a calculation stands for from here.
    pub fn value(&self, name: &str, suffix: &str) -> Result<Expression, String> {
        match self.find(name, suffix)? {
            Meaning::Item(id) => Ok(Expression::Name(id.clone())),
            Meaning::Calculation(value) => Ok(value.clone()),
            Meaning::InGroup { group, inside, outside } => {
                let is_inside = self.open_groups.contains(group);
                Ok(if is_inside { inside.clone() } else { outside.clone() })
            }
            Meaning::Unknown(why) => Err(why.clone()),
        }
    }

    /// Replaces the names in an expression by ids and calculations, and simplifies it.
    pub fn resolve(&self, expression: Expression, suffix: &str) -> Result<Expression, String> {
        let resolved = simplify::substitute(expression, &mut |name| self.value(name, suffix))?;
        simplify::simplify(resolved)
    }
}
