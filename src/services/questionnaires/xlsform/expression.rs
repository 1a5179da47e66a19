//! Expressions of XLSForm: a subset of XPath 1.0 with the functions of ODK XForms
//! (<https://getodk.github.io/xforms-spec/#xpath-functions>), parsed into a tree.
//!
//! Conditions of questionnaires (CEL) are parsed into the same tree when they are exported.

mod lexer;
mod parser;

pub use parser::parse;

/// Limits of one expression: what people write is far shorter, and a tree of this size can be
/// walked recursively on any thread's stack.
pub const MAX_BYTES: usize = 10_000;
pub const MAX_DEPTH: usize = 32;
pub const MAX_NODES: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Sign {
    /// Returns the sign with its sides exchanged.
    pub fn flipped(self) -> Sign {
        match self {
            Sign::Less => Sign::Greater,
            Sign::AtMost => Sign::AtLeast,
            Sign::Greater => Sign::Less,
            Sign::AtLeast => Sign::AtMost,
            same => same,
        }
    }

    pub fn in_cel(self) -> &'static str {
        if self == Sign::Equal { "==" } else { self.in_xpath() }
    }

    pub fn in_xpath(self) -> &'static str {
        match self {
            Sign::Equal => "=",
            Sign::NotEqual => "!=",
            Sign::Less => "<",
            Sign::AtMost => "<=",
            Sign::Greater => ">",
            Sign::AtLeast => ">=",
        }
    }

    pub fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        use std::cmp::Ordering;
        match self {
            Sign::Equal => order == Some(Ordering::Equal),
            Sign::NotEqual => order != Some(Ordering::Equal),
            Sign::Less => order == Some(Ordering::Less),
            Sign::AtMost => order.is_some_and(Ordering::is_le),
            Sign::Greater => order == Some(Ordering::Greater),
            Sign::AtLeast => order.is_some_and(Ordering::is_ge),
        }
    }

    pub fn is_equality(self) -> bool {
        matches!(self, Sign::Equal | Sign::NotEqual)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A tree of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Number(f64),
    Text(String),
    Truth(bool),
    /// `${name}`: a question, a calculation or a hidden value.
    Name(String),
    /// `.`: the answer that a constraint checks.
    Current,
    /// A bare word: in a `choice_filter`, a column of the sheet choices.
    Column(String),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Compare(Sign, Box<Expression>, Box<Expression>),
    Arithmetic(Operator, Box<Expression>, Box<Expression>),
    Negative(Box<Expression>),
    Call(String, Vec<Expression>),
}

impl Expression {
    pub fn call(function: &str, arguments: Vec<Expression>) -> Expression {
        Expression::Call(function.to_owned(), arguments)
    }

    pub fn text(text: &str) -> Expression {
        Expression::Text(text.to_owned())
    }

    pub fn compare(sign: Sign, left: Expression, right: Expression) -> Expression {
        Expression::Compare(sign, Box::new(left), Box::new(right))
    }

    /// Joins conditions that must all hold; `None` if there are none.
    pub fn all(mut conditions: Vec<Expression>) -> Option<Expression> {
        match conditions.len() {
            0 => None,
            1 => conditions.pop(),
            _ => Some(Expression::And(conditions)),
        }
    }

    fn children(&self) -> Vec<&Expression> {
        match self {
            Expression::And(parts) | Expression::Or(parts) | Expression::Call(_, parts) => {
                parts.iter().collect()
            }
            Expression::Compare(_, left, right) | Expression::Arithmetic(_, left, right) => {
                vec![left, right]
            }
            Expression::Negative(inner) => vec![inner],
            _ => Vec::new(),
        }
    }

    /// Returns the number of nodes.
    pub fn size(&self) -> usize {
        1 + self.children().into_iter().map(Expression::size).sum::<usize>()
    }

    /// Returns the number of nodes from here to the deepest one.
    pub fn depth(&self) -> usize {
        1 + self.children().into_iter().map(Expression::depth).max().unwrap_or(0)
    }

    /// Returns the names that it uses, each once, in order.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.add_names(&mut names);
        names
    }

    fn add_names(&self, names: &mut Vec<String>) {
        if let Expression::Name(name) = self
            && !names.contains(name)
        {
            names.push(name.clone());
        }
        self.children().into_iter().for_each(|child| child.add_names(names));
    }

    /// Rebuilds it from below: `change` receives every node with its children already changed.
    pub fn map(
        self,
        change: &mut impl FnMut(Expression) -> Result<Expression, String>,
    ) -> Result<Expression, String> {
        let mut all = |parts: Vec<Expression>| {
            parts.into_iter().map(|part| part.map(change)).collect::<Result<Vec<_>, _>>()
        };
        let rebuilt = match self {
            Expression::And(parts) => Expression::And(all(parts)?),
            Expression::Or(parts) => Expression::Or(all(parts)?),
            Expression::Call(function, parts) => Expression::Call(function, all(parts)?),
            Expression::Compare(sign, left, right) => {
                Expression::compare(sign, left.map(change)?, right.map(change)?)
            }
            Expression::Arithmetic(operator, left, right) => Expression::Arithmetic(
                operator,
                Box::new(left.map(change)?),
                Box::new(right.map(change)?),
            ),
            Expression::Negative(inner) => Expression::Negative(Box::new(inner.map(change)?)),
            leaf => leaf,
        };
        change(rebuilt)
    }
}

/// Returns a number as people write it: whole ones without a fraction.
pub fn shown_number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}
