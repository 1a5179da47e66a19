//! Conditions in the Common Expression Language (<https://cel.dev>): over earlier answers in a
//! questionnaire (`sat1 <= 4 && category == "brand"`), and over the contact history in a contact
//! plan (`delivered && !begun`).
//!
//! In a questionnaire a condition may use the ids of items, the facts `category`, `segment` and
//! `mode`, and the list fields that the questionnaire declares. An answer is a number, a text (an
//! option's code, a day as `2026-05-13`, `"na"`, `"dk"`), a list of codes, or `null` if there is
//! none. A comparison of incomparable values (a number with «not applicable», anything with no
//! answer) does not hold.

mod expression;

pub use expression::{Comparison, Expression, Operand, Token, negated, tokens};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, Program, Value};

/// The functions that conditions may call, created once.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A parsed condition.
pub struct Condition {
    source: String,
    program: Program,
    names: Vec<String>,
}

impl Condition {
    /// Parses a condition. The error describes the problem in one line.
    pub fn parse(source: &str) -> Result<Condition, String> {
        match Program::compile(source) {
            Ok(program) => {
                let mut names: Vec<String> =
                    program.references().variables().into_iter().map(str::to_owned).collect();
                names.sort();
                Ok(Condition { source: source.to_owned(), program, names })
            }
            Err(error) => Err(error
                .to_string()
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join(" ")),
        }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the names that it uses.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the functions that it calls and that do not exist.
    pub fn unknown_functions(&self) -> Vec<String> {
        const KNOWN: [&str; 9] =
            ["size", "contains", "startsWith", "endsWith", "has", "int", "double", "string", "in"];
        let is_unknown = |name: &&str| {
            name.chars().next().is_some_and(char::is_alphabetic) && !KNOWN.contains(name)
        };
        self.program
            .references()
            .functions()
            .into_iter()
            .filter(is_unknown)
            .map(str::to_owned)
            .collect()
    }

    pub(in crate::domain) fn holds(&self, values: &Values) -> bool {
        self.holds_by(|name| values.0.get(name).cloned())
    }

    /// Returns whether it holds for the values that `known` returns for its names.
    pub(in crate::domain) fn holds_by(&self, known: impl Fn(&str) -> Option<Value>) -> bool {
        let mut context = Context::with_env(FUNCTIONS.clone());
        for name in &self.names {
            context.add_variable_from_value(name.clone(), known(name).unwrap_or(Value::Null));
        }
        matches!(self.program.execute(&context), Ok(Value::Bool(true)))
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.source)
    }
}

/// Converts a number for conditions.
pub(in crate::domain) fn number(number: f64) -> Value {
    let is_whole = number.fract() == 0.0 && number.abs() < 9e15;
    if is_whole { Value::Int(number as i64) } else { Value::Float(number) }
}

/// Converts several codes for conditions.
pub(in crate::domain) fn list(codes: &[String]) -> Value {
    Value::from(codes.iter().map(|code| Value::from(code.as_str())).collect::<Vec<Value>>())
}

/// Values of the names in conditions, for trials. (No `Debug`: it may contain answers.)
#[derive(Clone, Default)]
pub(in crate::domain) struct Values(BTreeMap<String, Value>);

impl Values {
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(source: &str) -> bool {
        let mut values = Values::default();
        for (name, text) in
            [("pq2", "na"), ("use", "never"), ("bought", "2026-05-13"), ("category", "brand")]
        {
            values.set(name, Value::from(text));
        }
        values.set("sat1", number(3.0));
        values.set("weight", number(2.5));
        values.set("uses", list(&["work".to_owned(), "home".to_owned()]));
        Condition::parse(source).unwrap_or_else(|e| panic!("{source}: {e}")).holds(&values)
    }

    #[test]
    fn conditions_over_answers_and_facts() {
        for yes in [
            "sat1 <= 4",
            "sat1 == 3 && category == \"brand\"",
            "use == 'never' || sat1 > 8",
            "'work' in uses",
            "size(uses) == 2",
            "pq2 == 'na'",
            "open == null",
            "!(use == 'daily')",
            "bought >= '2026-01-01'",
            "weight > 2.0",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "sat1 > 4",
            "pq2 > 4",
            "pq2 <= 4",
            "open > 4",
            "open == 'x'",
            "'play' in uses",
            "'x' in open",
            "sat1",
        ] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_in_one_line() {
        let error = Condition::parse("sat1 <=").err().unwrap();
        assert!(!error.contains('\n') && !error.is_empty(), "{error}");
        assert_eq!(
            Condition::parse("sat1 <= 4 && mode == 'web'").unwrap().names(),
            ["mode", "sat1"]
        );
        assert_eq!(Condition::parse("now() > 3").unwrap().unknown_functions(), ["now"]);
    }
}
