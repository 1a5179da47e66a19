//! Texts of the form: `${name}` becomes an earlier answer, a constant or a calculation's text.

use super::expression::{Expression, shown_number};
use super::languages::Texts;
use super::scope::{AnswerKind, Scope};

/// Replaces the names in a text. The error names what cannot be shown.
pub fn pipe(text: &str, scope: &Scope, suffix: &str) -> Result<String, String> {
    let mut piped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        piped.push_str(&without_braces(before));
        let Some((name, behind)) = after.split_once('}') else {
            return Err("its text has a ${ without a }".to_owned());
        };
        piped.push_str(&meaning_in_text(name.trim(), scope, suffix)?);
        rest = behind;
    }
    piped.push_str(&without_braces(rest));
    Ok(piped)
}

/// What a text loses when it is shown here.
#[derive(Debug, Default, PartialEq)]
pub struct Losses {
    /// Names in it that stand for nothing, such as a note's.
    pub empty: Vec<String>,
    /// Whether braces that stand for nothing here become parentheses.
    pub has_braces: bool,
}

/// Returns what [`pipe`] takes from a text without an error.
pub fn losses(text: &str, scope: &Scope, suffix: &str) -> Losses {
    let mut losses = Losses::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        losses.has_braces |= without_braces(before) != before;
        let Some((name, behind)) = after.split_once('}') else { break };
        if meaning_in_text(name.trim(), scope, suffix).is_ok_and(|text| text.is_empty()) {
            losses.empty.push(name.trim().to_owned());
        }
        rest = behind;
    }
    losses.has_braces |= without_braces(rest) != rest;
    losses
}

/// Braces stand for names here; other braces become parentheses.
fn without_braces(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        kept.push_str(before);
        match after.split_once('}') {
            Some((name, behind)) if ["subject", "applicant"].contains(&name) => {
                kept.push_str(&format!("{{{name}}}"));
                rest = behind;
            }
            Some((inner, behind)) if !inner.contains('{') => {
                kept.push_str(&format!("({inner})"));
                rest = behind;
            }
            _ => {
                kept.push('{');
                rest = after;
            }
        }
    }
    kept.push_str(rest);
    kept
}

fn meaning_in_text(name: &str, scope: &Scope, suffix: &str) -> Result<String, String> {
    match scope.value(name, suffix)? {
        Expression::Name(id) => answer(&id, scope),
        value => shown(&value, scope)
            .ok_or_else(|| format!("{name} is computed, and its value cannot be shown")),
    }
}

fn answer(id: &str, scope: &Scope) -> Result<String, String> {
    match scope.answers.get(id) {
        Some(AnswerKind::Fact) => Err(format!("{id} is a fact, which texts cannot show")),
        _ => Ok(format!("{{answer:{id}}}")),
    }
}

/// Returns the text of a calculation that is made of constants and answers.
fn shown(value: &Expression, scope: &Scope) -> Option<String> {
    match value {
        Expression::Text(text) => Some(without_braces(text)),
        Expression::Number(number) => Some(shown_number(*number)),
        Expression::Truth(truth) => Some(truth.to_string()),
        Expression::Name(id) => answer(id, scope).ok(),
        Expression::Call(function, parts) => match (function.as_str(), parts.as_slice()) {
            ("concat", parts) => parts.iter().map(|part| shown(part, scope)).collect(),
            // Texts show the words of a choice anyway.
            ("jr:choice-name", [Expression::Name(id), _]) => answer(id, scope).ok(),
            ("string" | "normalize-space", [part]) => shown(part, scope),
            _ => None,
        },
        _ => None,
    }
}

/// Replaces the names in a text that is shown as it stands, such as a choice, by the labels of the
/// questions. Returns whether there was one.
pub fn name_questions(text: &Texts, label_of: impl Fn(&str) -> Option<Texts>) -> Option<Texts> {
    if !text.iter().any(|(_, text)| text.contains("${")) {
        return None;
    }
    let replaced = |text: &str, word: &dyn Fn(&str) -> Option<String>| {
        let mut whole = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            whole.push_str(before);
            whole.push_str(&word(name.trim()).unwrap_or_else(|| name.trim().to_owned()));
            rest = behind;
        }
        whole.push_str(rest);
        whole
    };
    Some(text.each(|language, text| {
        let named = |name: &str| {
            let label = label_of(name)?;
            let label = label.get(language);
            Some(match language.is_chinese() {
                true => format!("“{label}”的回答"),
                false => format!("the answer to “{label}”"),
            })
        };
        replaced(text, &named)
    }))
}

#[cfg(test)]
mod tests {
    use super::super::scope::Meaning;
    use super::*;

    #[test]
    fn names_in_texts_are_answers_constants_or_refused() {
        let mut scope = Scope::default();
        scope.answers.insert("use_1".into(), AnswerKind::Text);
        scope.define("use", "_1", Meaning::Item("use_1".into()));
        scope.define("four", "", Meaning::Calculation(Expression::Number(4.0)));
        scope.define("start", "", Meaning::Unknown("start is not kept".into()));
        scope.define("note", "", Meaning::Calculation(Expression::text("")));
        let lost = losses("{subject} ${use} {x} ${note}", &scope, "_1");
        assert_eq!(lost, Losses { empty: vec!["note".into()], has_braces: true });
        assert_eq!(losses("{subject} ${use} ${four} {", &scope, "_1"), Losses::default());
        for (text, piped) in [
            ("${use}?", Ok("{answer:use_1}?")),
            ("2+2 = ${ four }", Ok("2+2 = 4")),
            ("{subject} {x} {", Ok("{subject} (x) {")),
            ("${start}", Err("start is not kept")),
            ("${gone}", Err("gone is no question of this form")),
            ("${use", Err("its text has a ${ without a }")),
        ] {
            let expected = piped.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(pipe(text, &scope, "_1"), expected, "{text}");
        }
    }
}
