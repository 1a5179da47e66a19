//! Splits an expression into tokens.

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
    /// A function, an operator in letters, or a column.
    Word(String),
    Dot,
}

const SIGNS: [&str; 14] = ["!=", "<=", ">=", "<", ">", "=", "(", ")", "+", "-", "*", ",", "|", "["];
const SMART: [char; 4] = ['‘', '’', '“', '”'];

pub fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, remaining) = next_token(first, rest)?;
        tokens.push(token);
        rest = remaining.trim_start();
    }
    Ok(tokens)
}

fn next_token(first: char, rest: &str) -> Result<(Token, &str), String> {
    match first {
        '$' => {
            let (name, remaining) = rest
                .strip_prefix("${")
                .and_then(|rest| rest.split_once('}'))
                .ok_or("a name begins with ${ and ends with }")?;
            Ok((Token::Name(name.trim().to_owned()), remaining))
        }
        '\'' | '"' => quoted(first, rest),
        smart if SMART.contains(&smart) => quoted(smart, rest),
        digit if digit.is_ascii_digit() => number(rest),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest),
        '.' | '/' => path(rest),
        letter if letter.is_alphabetic() || letter == '_' => {
            let is_end = |c: char| !(c.is_alphanumeric() || "-_.:".contains(c));
            let (word, remaining) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
            Ok((Token::Word(word.to_owned()), remaining))
        }
        _ => {
            let sign = SIGNS
                .iter()
                .find(|sign| rest.starts_with(**sign))
                .ok_or_else(|| format!("«{first}» is not known here"))?;
            Ok((Token::Sign(sign), &rest[sign.len()..]))
        }
    }
}

/// Spreadsheet programs replace quotation marks by typographic ones, often only one of the two.
fn quoted(open: char, rest: &str) -> Result<(Token, &str), String> {
    let inner = &rest[open.len_utf8()..];
    let is_close = |c: char| {
        c == open || (SMART.contains(&open) && (SMART.contains(&c) || c == '\'' || c == '"'))
    };
    let end = inner
        .find(is_close)
        .or_else(|| inner.find(SMART))
        .ok_or("a quotation mark is opened and not closed")?;
    let close = inner[end..].chars().next().map_or(0, char::len_utf8);
    Ok((Token::Text(inner[..end].to_owned()), &inner[end + close..]))
}

fn number(rest: &str) -> Result<(Token, &str), String> {
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (word, remaining) = rest.split_at(end);
    let number = word.parse().map_err(|_| format!("«{word}» is no number"))?;
    Ok((Token::Number(number), remaining))
}

/// `.` alone is the answer; `../name` and `/data/group/name` are older ways to write `${name}`.
fn path(rest: &str) -> Result<(Token, &str), String> {
    let is_end = |c: char| !(c.is_alphanumeric() || "-_./:".contains(c));
    let (path, remaining) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
    if path == "." {
        return Ok((Token::Dot, remaining));
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() || name.starts_with('.') || path.contains("//") {
        return Err(format!("the path «{path}» is not known here"));
    }
    Ok((Token::Name(name.to_owned()), remaining))
}
