//! Simple conditions as expressions: comparisons of an answer or a fact with a value, and what «and»,
//! «or» and «not» make of them. These can be chosen, and said in words; any other condition cannot.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn parse(sign: &str) -> Option<Comparison> {
        Some(match sign {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        })
    }

    fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// What an answer or a fact is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    Text(String),
    /// As it is written.
    Number(String),
    Nothing,
}

/// A simple condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    Compare {
        name: String,
        comparison: Comparison,
        value: Operand,
    },
    /// An option of several.
    Contains {
        name: String,
        code: String,
    },
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// The opposite of a comparison with an option. That of «4 or less» is not «above 4»: there may be
/// no answer.
pub fn negated(inner: &Expression) -> Option<Expression> {
    match inner {
        Expression::Compare { name, comparison, value } => {
            let comparison = match comparison {
                Comparison::Equal => Comparison::NotEqual,
                Comparison::NotEqual => Comparison::Equal,
                _ => return None,
            };
            Some(Expression::Compare { name: name.clone(), comparison, value: value.clone() })
        }
        Expression::Contains { name, code } => Some(Expression::Compare {
            name: name.clone(),
            comparison: Comparison::NotEqual,
            value: Operand::Text(code.clone()),
        }),
        Expression::Not(inner) => Some((**inner).clone()),
        Expression::All(_) | Expression::Any(_) => None,
    }
}

/// A word of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Name(String),
    Text(String),
    Number(String),
    Sign(String),
}

/// Splits a condition into its words; `None`: it has others than these.
pub fn tokens(source: &str) -> Option<Vec<Token>> {
    let characters: Vec<char> = source.chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(&c) = characters.get(at) {
        let rest = &characters[at..];
        let take = |is_part: &dyn Fn(char) -> bool| -> String {
            rest.iter().take_while(|c| is_part(**c)).collect()
        };
        if c.is_whitespace() {
            at += 1;
        } else if c == '"' || c == '\'' {
            let text: String = rest[1..].iter().take_while(|other| **other != c).collect();
            if text.contains('\\') {
                return None;
            }
            at += text.chars().count() + 2;
            found.push(Token::Text(text));
        } else if c.is_ascii_digit() || (c == '-' && rest.get(1).is_some_and(char::is_ascii_digit))
        {
            let digits: String =
                rest[1..].iter().take_while(|c| c.is_ascii_digit() || **c == '.').collect();
            at += 1 + digits.chars().count();
            found.push(Token::Number(format!("{c}{digits}")));
        } else if c.is_alphabetic() || c == '_' {
            let name = take(&|c: char| c.is_alphanumeric() || c == '_');
            at += name.chars().count();
            found.push(Token::Name(name));
        } else {
            let two: String = rest.iter().take(2).collect();
            let sign = match two.as_str() {
                "&&" | "||" | "==" | "!=" | "<=" | ">=" => two,
                _ if "()!<>".contains(c) => c.to_string(),
                _ => return None,
            };
            at += sign.chars().count();
            found.push(Token::Sign(sign));
        }
    }
    Some(found)
}

impl Expression {
    /// Reads a condition; `None`: it is not a simple one.
    pub fn parse(source: &str) -> Option<Expression> {
        let tokens = tokens(source)?;
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
        let expression = parser.any()?;
        (parser.at == tokens.len()).then_some(expression)
    }
}

/// Writes it as a condition that [`Expression::parse`] reads as the same.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Compare { name, comparison, value } => {
                write!(f, "{name} {} ", comparison.sign())?;
                match value {
                    Operand::Text(text) => f.write_str(&quoted(text)),
                    Operand::Number(number) => f.write_str(number),
                    Operand::Nothing => f.write_str("null"),
                }
            }
            Expression::Contains { name, code } => write!(f, "{} in {name}", quoted(code)),
            Expression::Not(inner) => write!(f, "!({inner})"),
            Expression::All(parts) | Expression::Any(parts) => {
                let sign = if matches!(self, Expression::All(_)) { " && " } else { " || " };
                for (number, part) in parts.iter().enumerate() {
                    if number > 0 {
                        f.write_str(sign)?;
                    }
                    match part {
                        Expression::All(_) | Expression::Any(_) => write!(f, "({part})")?,
                        _ => write!(f, "{part}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// A text between the quotation marks that it does not hold itself. With both kinds in it, the
/// double ones become single: no condition compares with such a text.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "/");
    if text.contains('\'') {
        format!("\"{}\"", text.replace('"', "'"))
    } else {
        format!("'{text}'")
    }
}

/// How deep a condition may nest.
const MAX_DEPTH: usize = 32;

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some(Token::Sign(s)) if s == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Option<Expression>) -> Option<Expression> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let inner = read(self);
        self.depth -= 1;
        inner
    }

    fn any(&mut self) -> Option<Expression> {
        let mut parts = vec![self.all()?];
        while self.takes("||") {
            parts.push(self.all()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
    }

    fn all(&mut self) -> Option<Expression> {
        let mut parts = vec![self.one()?];
        while self.takes("&&") {
            parts.push(self.one()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
    }

    fn one(&mut self) -> Option<Expression> {
        if self.takes("!") {
            let inner = self.deeper(Parser::one)?;
            return Some(Expression::Not(Box::new(inner)));
        }
        if self.takes("(") {
            let inner = self.deeper(Parser::any)?;
            return self.takes(")").then_some(inner);
        }
        match self.tokens.get(self.at..self.at + 3)? {
            [Token::Text(code), Token::Name(word), Token::Name(name)] if word == "in" => {
                self.at += 3;
                Some(Expression::Contains { name: name.clone(), code: code.clone() })
            }
            [Token::Name(name), Token::Sign(sign), value] => {
                let comparison = Comparison::parse(sign)?;
                let value = match value {
                    Token::Text(text) => Operand::Text(text.clone()),
                    Token::Number(number) => Operand::Number(number.clone()),
                    Token::Name(word) if word == "null" => Operand::Nothing,
                    _ => return None,
                };
                self.at += 3;
                Some(Expression::Compare { name: name.clone(), comparison, value })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_condition_is_written_as_it_is_read() {
        for source in [
            "use == 'daily'",
            "!(use == 'never')",
            "sat1 <= 4 && 'price' in why",
            "!(complained == 'yes') && (sat1 == null || sat1 > 4)",
            "(a == 1 && b == 2) || c != null",
            "segment == \"it's\"",
            "weight > -2.5",
        ] {
            let expression = Expression::parse(source).unwrap_or_else(|| panic!("{source}"));
            assert_eq!(expression.to_string(), source);
        }
        for other in ["size(uses) > 1", "use in ['a', 'b']", "a + 1 > 2", "a", "a == 'x\\'", ""] {
            assert_eq!(Expression::parse(other), None, "{other}");
        }
        let deep = format!("{}a == 1{}", "(".repeat(40_000), ")".repeat(40_000));
        assert_eq!(Expression::parse(&deep), None);
    }
}
