//! A recursive descent over the tokens, by the precedence of XPath 1.0.

use super::lexer::{Token, tokenize};
use super::{Expression, MAX_BYTES, MAX_DEPTH, MAX_NODES, Operator, Sign};

/// Parses an expression. The error names what cannot be read.
pub fn parse(text: &str) -> Result<Expression, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let tokens = tokenize(text)?;
    if tokens.len() > MAX_NODES {
        return Err(format!("it has more than {MAX_NODES} parts"));
    }
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let expression = parser.or()?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(format!("{} is not expected there", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("«${{{name}}}»"),
        Token::Text(text) => format!("«'{text}'»"),
        Token::Number(number) => format!("«{number}»"),
        Token::Sign(sign) => format!("«{sign}»"),
        Token::Word(word) => format!("«{word}»"),
        Token::Dot => "«.»".to_owned(),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

type Parsed = Result<Expression, String>;

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(is_it);
        is_it
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn or(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH}"));
        }
        let mut parts = vec![self.and()?];
        while self.takes_word("or") {
            parts.push(self.and()?);
        }
        self.depth -= 1;
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expression::Or(parts) })
    }

    fn and(&mut self) -> Parsed {
        let mut parts = vec![self.equality()?];
        while self.takes_word("and") {
            parts.push(self.equality()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expression::And(parts) })
    }

    fn equality(&mut self) -> Parsed {
        self.comparison(&[("=", Sign::Equal), ("!=", Sign::NotEqual)], |parser: &mut Self| {
            let signs = [
                ("<=", Sign::AtMost),
                (">=", Sign::AtLeast),
                ("<", Sign::Less),
                (">", Sign::Greater),
            ];
            parser.comparison(&signs, Self::sum)
        })
    }

    fn comparison(
        &mut self,
        signs: &[(&str, Sign)],
        inner: impl Fn(&mut Self) -> Parsed,
    ) -> Parsed {
        let left = inner(self)?;
        match signs.iter().find(|(sign, _)| self.takes_sign(sign)) {
            None => Ok(left),
            Some((_, sign)) => Ok(Expression::compare(*sign, left, inner(self)?)),
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut sum = self.product()?;
        let mut terms = 0;
        loop {
            let operator = if self.takes_sign("+") {
                Operator::Add
            } else if self.takes_sign("-") {
                Operator::Subtract
            } else {
                return Ok(sum);
            };
            terms += 1;
            if terms > MAX_DEPTH {
                return Err(format!("it adds more than {MAX_DEPTH} terms"));
            }
            sum = Expression::Arithmetic(operator, Box::new(sum), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed {
        let mut product = self.negation()?;
        let mut factors = 0;
        loop {
            let operator = if self.takes_sign("*") {
                Operator::Multiply
            } else if self.takes_word("div") {
                Operator::Divide
            } else if self.takes_word("mod") {
                Operator::Modulo
            } else {
                return Ok(product);
            };
            factors += 1;
            if factors > MAX_DEPTH {
                return Err(format!("it multiplies more than {MAX_DEPTH} factors"));
            }
            product =
                Expression::Arithmetic(operator, Box::new(product), Box::new(self.negation()?));
        }
    }

    fn negation(&mut self) -> Parsed {
        if !self.takes_sign("-") {
            return self.primary();
        }
        match self.primary()? {
            Expression::Number(number) => Ok(Expression::Number(-number)),
            other => Ok(Expression::Negative(Box::new(other))),
        }
    }

    fn primary(&mut self) -> Parsed {
        let Some(token) = self.peek().cloned() else {
            return Err("it ends too early".to_owned());
        };
        self.at += 1;
        match token {
            Token::Name(name) if name.starts_with("last-saved#") => {
                Err(format!("${{{name}}} looks at an earlier interview, which is not known here"))
            }
            Token::Name(name) => Ok(Expression::Name(name)),
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Dot => Ok(Expression::Current),
            Token::Sign("(") => {
                let inner = self.or()?;
                if self.takes_sign(")") { Ok(inner) } else { Err("a «)» is missing".to_owned()) }
            }
            Token::Word(function) if self.takes_sign("(") => self.call(&function),
            Token::Word(word) if matches!(self.peek(), Some(Token::Name(_) | Token::Word(_))) => {
                Err(format!("«{word}» is not known here"))
            }
            Token::Word(word) => Ok(Expression::Column(word)),
            sign @ Token::Sign(_) => Err(format!("{} is not expected there", shown(&sign))),
        }
    }

    fn call(&mut self, function: &str) -> Parsed {
        let mut arguments = Vec::new();
        if !self.takes_sign(")") {
            loop {
                arguments.push(self.or()?);
                if self.takes_sign(")") {
                    break;
                }
                if !self.takes_sign(",") {
                    return Err(format!("a «)» of {function}() is missing"));
                }
            }
        }
        Ok(match (function, arguments.as_slice()) {
            ("true", []) => Expression::Truth(true),
            ("false", []) => Expression::Truth(false),
            _ => Expression::Call(function.to_owned(), arguments),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_and_older_forms() {
        let same = |one: &str, other: &str| assert_eq!(parse(one), parse(other), "{one}");
        same("${a} = 1 or ${b} = 2 and ${c} = 3", "(${a} = 1) or ((${b} = 2) and (${c} = 3))");
        same("1 + 2 * 3 = 7", "(1 + (2 * 3)) = 7");
        same("../q = 1", "${q} = 1");
        same("/data/group/q=1", "${ q } = 1");
        same("selected (${a}, ‘x’)", "selected(${a}, 'x')");
        same("${a} = 'x’", "${a} = \"x\"");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, said) in [
            ("${a} = 'x", "not closed"),
            ("because it is so", "«because» is not known"),
            ("${a} = ", "ends too early"),
            ("(${a} = 1", "«)» is missing"),
            ("${a} = 1)", "«)» is not expected"),
            ("${a} & ${b}", "«&» is not known"),
            ("${last-saved#a} = 1", "earlier interview"),
        ] {
            assert!(parse(text).unwrap_err().contains(said), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn a_deep_or_long_expression_is_refused_and_no_stack_overflows() {
        let deep = format!("{}1{}", "(".repeat(900), ")".repeat(900));
        assert!(parse(&deep).unwrap_err().contains("nested deeper"));
        let deep = format!("{}1{}", "not(".repeat(600), ")".repeat(600));
        assert!(parse(&deep).unwrap_err().contains("nested deeper"));
        assert!(parse(&"1+".repeat(900)).unwrap_err().contains("more than 32 terms"));
        assert!(parse(&"- ".repeat(900)).is_err());
        assert!(parse(&"x".repeat(20_000)).unwrap_err().contains("bytes"));
        let wide = vec!["${a} = 1"; 400].join(" or ");
        assert!(matches!(parse(&wide), Ok(Expression::Or(parts)) if parts.len() == 400));
    }
}
