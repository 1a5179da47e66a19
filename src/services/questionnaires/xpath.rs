//! Translates XLSForm conditions (a small subset of XPath) into the condition language of this
//! program: `${sat} <= 4 and selected(${why}, 'price')` becomes `sat <= 4 && 'price' in why`.

use std::collections::HashMap;

/// The XLSForm type of each question, by name.
pub type QuestionTypes = HashMap<String, String>;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Operator(&'static str),
    Call(String),
}

/// Translates a condition. The error names what cannot be translated.
pub fn translate_condition(xpath: &str, question_types: &QuestionTypes) -> Result<String, String> {
    let tokens = tokenize(xpath)?;
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Name(name) if !question_types.contains_key(name) => {
                return Err(format!("{name} is no question of this form"));
            }
            Token::Name(name) => out.push(name.clone()),
            Token::Text(text) if text.is_empty() => out.push("null".to_owned()),
            Token::Text(text) => out.push(format!("'{text}'")),
            // The codes of options are texts, even if they look like numbers.
            Token::Number(number) => {
                let is_next_to_choice = |place: Option<usize>| matches!(place.and_then(|p| tokens.get(p)), Some(Token::Name(name)) if is_choice_question(question_types, name));
                let is_code =
                    at >= 2 && is_next_to_choice(Some(at - 2)) || is_next_to_choice(Some(at + 2));
                out.push(if is_code { format!("'{number}'") } else { number.clone() });
            }
            Token::Operator(sign) => out.push((*sign).to_owned()),
            Token::Call(function) => match (function.as_str(), &tokens[at + 1..]) {
                (
                    "selected",
                    [
                        Token::Name(name),
                        Token::Operator(","),
                        Token::Text(code),
                        Token::Operator(")"),
                        ..,
                    ],
                ) => {
                    let is_many =
                        question_types.get(name).is_some_and(|kind| kind == "select_multiple");
                    out.push(if is_many {
                        format!("'{code}' in {name}")
                    } else {
                        format!("{name} == '{code}'")
                    });
                    at += 4;
                }
                ("count-selected", [Token::Name(name), Token::Operator(")"), ..]) => {
                    out.push(format!("size({name})"));
                    at += 2;
                }
                ("not", _) => out.push("!(".to_owned()),
                ("true", [Token::Operator(")"), ..]) => {
                    out.push("true".to_owned());
                    at += 1;
                }
                ("false", [Token::Operator(")"), ..]) => {
                    out.push("false".to_owned());
                    at += 1;
                }
                (other, _) => return Err(format!("the function {other}() is not known here")),
            },
        }
        at += 1;
    }
    Ok(out.join(" ").replace("( ", "(").replace(" )", ")"))
}

fn is_choice_question(question_types: &QuestionTypes, name: &str) -> bool {
    question_types.get(name).is_some_and(|kind| kind.starts_with("select"))
}

fn tokenize(xpath: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = xpath.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, remaining) = match first {
            '$' => {
                let (name, remaining) = rest
                    .strip_prefix("${")
                    .and_then(|r| r.split_once('}'))
                    .ok_or("a name begins with ${ and ends with }")?;
                (Token::Name(name.trim().replace(['-', '.'], "_")), remaining)
            }
            '\'' | '"' | '‘' | '’' | '“' | '”' => {
                let inner = &rest[first.len_utf8()..];
                let end = inner
                    .find(['\'', '"', '‘', '’', '“', '”'])
                    .ok_or("a quotation mark is opened and not closed")?;
                let close = inner[end..].chars().next().map_or(0, char::len_utf8);
                (Token::Text(inner[..end].to_owned()), &inner[end + close..])
            }
            c if c.is_ascii_digit() => {
                take_token(rest, |c| !c.is_ascii_digit() && c != '.', Token::Number)
            }
            c if c.is_ascii_alphabetic() => {
                let (word, remaining) = rest.split_at(
                    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                        .unwrap_or(rest.len()),
                );
                match (word, remaining.trim_start().strip_prefix('(')) {
                    ("and", _) => (Token::Operator("&&"), remaining),
                    ("or", _) => (Token::Operator("||"), remaining),
                    (function, Some(remaining)) => (Token::Call(function.to_owned()), remaining),
                    (word, None) => return Err(format!("«{word}» is not known here")),
                }
            }
            _ => {
                const SIGNS: [(&str, &str); 12] = [
                    ("!=", "!="),
                    ("<=", "<="),
                    (">=", ">="),
                    ("<", "<"),
                    (">", ">"),
                    ("=", "=="),
                    ("(", "("),
                    (")", ")"),
                    ("+", "+"),
                    ("-", "-"),
                    ("*", "*"),
                    (",", ","),
                ];
                let (sign, translated) = SIGNS
                    .iter()
                    .find(|(sign, _)| rest.starts_with(sign))
                    .ok_or_else(|| format!("«{first}» is not known here"))?;
                (Token::Operator(translated), &rest[sign.len()..])
            }
        };
        tokens.push(token);
        rest = remaining.trim_start();
    }
    Ok(tokens)
}

fn take_token(
    text: &str,
    ends: impl Fn(char) -> bool,
    token: impl Fn(String) -> Token,
) -> (Token, &str) {
    let (word, remaining) = text.split_at(text.find(ends).unwrap_or(text.len()));
    (token(word.to_owned()), remaining)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_translated_or_refused() {
        let question_types: QuestionTypes = [
            ("sat", "range"),
            ("why", "select_multiple"),
            ("use", "select_one"),
            ("q_1", "select_one"),
            ("n", "integer"),
        ]
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .into();
        for (xpath, translated) in [
            ("${sat} <= 4 and selected(${why}, 'price')", "sat <= 4 && 'price' in why"),
            ("selected(${use}, \"daily\") or ${n}>3", "use == 'daily' || n > 3"),
            (
                "not(${use} = 'never') and (${n} != '' or ${sat}=10)",
                "!(use == 'never') && (n != null || sat == 10)",
            ),
            ("${q-1} = 2", "q_1 == '2'"),
            ("2 = ${q-1}", "'2' == q_1"),
            ("count-selected(${why}) >= 2", "size(why) >= 2"),
            ("${use} = ‘daily’", "use == 'daily'"),
        ] {
            assert_eq!(
                translate_condition(xpath, &question_types).as_deref(),
                Ok(translated),
                "{xpath}"
            );
        }
        for (xpath, said) in [
            ("${other} = 1", "other is no question"),
            ("today() > ${n}", "the function today() is not known"),
            ("${n} mod 2 = 0", "«mod» is not known"),
            ("${use} = 'x", "not closed"),
            ("../../n = 1", "«.» is not known"),
        ] {
            assert!(
                translate_condition(xpath, &question_types).unwrap_err().contains(said),
                "{xpath}"
            );
        }
    }
}
