//! Parses conditions of questionnaires (a subset of CEL) into the tree of XLSForm's expressions.

use super::super::expression::{Expression, MAX_BYTES, MAX_DEPTH, Operator, Sign};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

const SIGNS: [&str; 20] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]",
    ",", "?",
];

type Parsed = Result<Expression, String>;

/// Parses a condition. The error names what XLSForm cannot express.
pub fn parse(source: &str) -> Parsed {
    if source.len() > MAX_BYTES {
        return Err("it is too long".to_owned());
    }
    let tokens = tokenize(source)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let condition = parser.choice()?;
    if parser.at == tokens.len() { Ok(condition) } else { Err(UNKNOWN.to_owned()) }
}

const UNKNOWN: &str = "XLSForm cannot express it";

fn tokenize(source: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = |is_end: fn(char) -> bool| rest.find(is_end).unwrap_or(rest.len());
        let length = match first {
            '\'' | '"' => {
                let (text, length) = read_text(first, rest)?;
                tokens.push(Token::Text(text));
                length
            }
            digit if digit.is_ascii_digit() => {
                let end = end(|c| !c.is_ascii_digit() && c != '.');
                tokens.push(Token::Number(rest[..end].parse().map_err(|_| UNKNOWN)?));
                end
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let end = end(|c| !c.is_ascii_alphanumeric() && c != '_');
                tokens.push(Token::Name(rest[..end].to_owned()));
                end
            }
            ':' => {
                tokens.push(Token::Sign(":"));
                1
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign)).ok_or(UNKNOWN)?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn read_text(quote: char, rest: &str) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some((_, escaped @ ('\'' | '"' | '\\'))) => text.push(escaped),
                Some((_, 'n')) => text.push('\n'),
                _ => return Err(UNKNOWN.to_owned()),
            },
            c if c == quote => return Ok((text, at + 1)),
            c => text.push(c),
        }
    }
    Err(UNKNOWN.to_owned())
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn require(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(UNKNOWN.to_owned()) }
    }

    fn choice(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deep".to_owned());
        }
        let condition = self.or()?;
        let whole = if self.takes("?") {
            let yes = self.choice()?;
            self.require(":")?;
            Expression::call("if", vec![condition, yes, self.choice()?])
        } else {
            condition
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn or(&mut self) -> Parsed {
        let mut parts = vec![self.and()?];
        while self.takes("||") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expression::Or(parts) })
    }

    fn and(&mut self) -> Parsed {
        let mut parts = vec![self.relation()?];
        while self.takes("&&") {
            parts.push(self.relation()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expression::And(parts) })
    }

    fn relation(&mut self) -> Parsed {
        let left = self.sum()?;
        if matches!(self.tokens.get(self.at), Some(Token::Name(word)) if word == "in") {
            self.at += 1;
            return self.membership(left);
        }
        for (written, sign) in [
            ("==", Sign::Equal),
            ("!=", Sign::NotEqual),
            ("<=", Sign::AtMost),
            (">=", Sign::AtLeast),
            ("<", Sign::Less),
            (">", Sign::Greater),
        ] {
            if self.takes(written) {
                return Ok(Expression::compare(sign, left, self.sum()?));
            }
        }
        Ok(left)
    }

    /// `'price' in why`, or `use in ['daily', 'weekly']`.
    fn membership(&mut self, left: Expression) -> Parsed {
        if !self.takes("[") {
            let Expression::Name(list) = self.primary()? else { return Err(UNKNOWN.to_owned()) };
            return Ok(Expression::call("selected", vec![Expression::Name(list), left]));
        }
        let mut tests = Vec::new();
        while !self.takes("]") {
            tests.push(Expression::compare(Sign::Equal, left.clone(), self.sum()?));
            if !self.takes(",") {
                self.require("]")?;
                break;
            }
        }
        match tests.len() {
            0 => Ok(Expression::Truth(false)),
            1 => Ok(tests.swap_remove(0)),
            _ => Ok(Expression::Or(tests)),
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut sum = self.product()?;
        for _ in 0..MAX_DEPTH {
            let operator = if self.takes("+") {
                Operator::Add
            } else if self.takes("-") {
                Operator::Subtract
            } else {
                return Ok(sum);
            };
            sum = Expression::Arithmetic(operator, Box::new(sum), Box::new(self.product()?));
        }
        Err("it adds too many terms".to_owned())
    }

    fn product(&mut self) -> Parsed {
        let mut product = self.unary()?;
        for _ in 0..MAX_DEPTH {
            let operator = if self.takes("*") {
                Operator::Multiply
            } else if self.takes("%") {
                Operator::Modulo
            } else {
                return Ok(product);
            };
            product = Expression::Arithmetic(operator, Box::new(product), Box::new(self.unary()?));
        }
        Err("it multiplies too many factors".to_owned())
    }

    fn unary(&mut self) -> Parsed {
        if self.takes("!") {
            return Ok(Expression::call("not", vec![self.primary()?]));
        }
        if self.takes("-") {
            return Ok(match self.primary()? {
                Expression::Number(number) => Expression::Number(-number),
                other => Expression::Negative(Box::new(other)),
            });
        }
        self.primary()
    }

    fn primary(&mut self) -> Parsed {
        let token = self.tokens.get(self.at).cloned().ok_or(UNKNOWN)?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Sign("(") => {
                let inner = self.choice()?;
                self.require(")")?;
                Ok(inner)
            }
            Token::Sign(_) => Err(UNKNOWN.to_owned()),
            Token::Name(name) if self.takes("(") => {
                let argument = self.choice()?;
                self.require(")")?;
                match name.as_str() {
                    "size" => Ok(Expression::call("count-selected", vec![argument])),
                    "int" | "double" => Ok(Expression::call("number", vec![argument])),
                    _ => Err(format!("XLSForm has no {name}()")),
                }
            }
            Token::Name(name) if self.takes("[") => {
                let place = self.sum()?;
                self.require("]")?;
                Ok(Expression::call("selected-at", vec![Expression::Name(name), place]))
            }
            Token::Name(name) => Ok(match name.as_str() {
                "true" => Expression::Truth(true),
                "false" => Expression::Truth(false),
                "null" => Expression::text(""),
                _ => Expression::Name(name),
            }),
        }
    }
}
