//! Writes conditions of XLSForm in the condition language of questionnaires:
//! `${sat} <= 4 and selected(${why}, 'price')` becomes `sat <= 4 && 'price' in why`.
//!
//! An XPath comparison with a missing answer is false, and so is its counterpart in CEL, which
//! fails; but the negation of the first is true. So below a negation, a comparison that can fail is
//! guarded: `not(${n} > 4)` becomes `!(n != null && n > 4)`.

mod agreement;
mod numbers;

use std::cell::RefCell;

use super::evaluate::{Known, evaluate, is_day};
use super::expression::{Expression, Sign, shown_number};
use super::scope::{AnswerKind, Answers, Code};

/// The depth of the condition that is written; deeper ones would try the parsers of conditions.
const MAX_DEPTH: usize = 40;

/// Writes conditions over the answers of a questionnaire.
pub struct CelWriter<'a> {
    pub answers: &'a Answers,
    /// Codes that conditions compare with and that are no option.
    pub strange_codes: RefCell<Vec<String>>,
}

type Written = Result<String, String>;

/// Quotes a text for CEL.
pub fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
    format!("'{escaped}'")
}

fn truth(truth: bool) -> String {
    truth.to_string()
}

impl<'a> CelWriter<'a> {
    pub fn new(answers: &'a Answers) -> CelWriter<'a> {
        CelWriter { answers, strange_codes: RefCell::default() }
    }

    /// Writes a condition. The error names what cannot be expressed.
    pub fn condition(&self, condition: &Expression) -> Written {
        self.boolean(condition, false, 0)
    }

    fn kind(&self, id: &str) -> Result<&AnswerKind, String> {
        self.answers.get(id).ok_or_else(|| format!("{id} is no question of this form"))
    }

    /// Writes a condition; `is_total`: it must not fail where an answer is missing.
    fn boolean(&self, condition: &Expression, is_total: bool, depth: usize) -> Written {
        if depth > MAX_DEPTH {
            return Err("it is nested too deep with its calculations".to_owned());
        }
        let inner = |part: &Expression, is_total| self.boolean(part, is_total, depth + 1);
        let direct = match condition {
            Expression::Truth(value) => Ok(truth(*value)),
            Expression::And(parts) => {
                let part = |part: &Expression| {
                    let written = inner(part, is_total)?;
                    let is_or = matches!(part, Expression::Or(_));
                    Ok(if is_or { format!("({written})") } else { written })
                };
                parts.iter().map(part).collect::<Result<Vec<_>, String>>().map(|p| p.join(" && "))
            }
            Expression::Or(parts) => {
                let part = |part: &Expression| inner(part, is_total);
                parts.iter().map(part).collect::<Result<Vec<_>, String>>().map(|p| p.join(" || "))
            }
            Expression::Call(function, arguments) => {
                self.call(function, arguments, is_total, depth)
            }
            Expression::Compare(sign, left, right) => self.compare(*sign, left, right, is_total),
            // An answer as a condition: whether there is one.
            Expression::Name(id) => self.kind(id).and_then(|kind| match kind {
                AnswerKind::Text => Err(free_text(id)),
                _ => Ok(format!("{id} != null")),
            }),
            other => Err(format!("{} is no condition", described(other))),
        };
        direct.or_else(|problem| self.by_trial(condition, is_total).ok_or(problem)).map_err(
            |problem| {
                let names = condition.names();
                let is_text = |id: &&String| self.answers.get(*id) == Some(&AnswerKind::Text);
                names.iter().find(is_text).map_or(problem, |id| free_text(id))
            },
        )
    }

    fn call(
        &self,
        function: &str,
        arguments: &[Expression],
        is_total: bool,
        depth: usize,
    ) -> Written {
        match (function, arguments) {
            ("not", [inner]) => {
                let inner = self.boolean(inner, true, depth + 1)?;
                Ok(if is_enclosed(&inner) { format!("!{inner}") } else { format!("!({inner})") })
            }
            ("if", [condition, yes, no]) => Ok(format!(
                "({} ? {} : {})",
                self.boolean(condition, true, depth + 1)?,
                self.boolean(yes, is_total, depth + 1)?,
                self.boolean(no, is_total, depth + 1)?
            )),
            ("selected", [Expression::Name(id), Expression::Text(code)]) => match self.kind(id)? {
                AnswerKind::One(codes) => Ok(self.code_test(id, codes, code, Sign::Equal)),
                AnswerKind::Several(codes) | AnswerKind::Ranked(codes) => {
                    match self.ours(id, codes, code) {
                        None => Ok(truth(false)),
                        Some(code) => {
                            Ok(guarded(format!("{} in {id}", quoted(&code)), &[id], is_total))
                        }
                    }
                }
                _ => Err(format!("{id} has no choices")),
            },
            ("selected", [Expression::Name(id), Expression::Number(number)]) => {
                let code = Expression::Text(shown_number(*number));
                self.call("selected", &[Expression::Name(id.clone()), code], is_total, depth)
            }
            ("selected", [Expression::Name(id), Expression::Name(one)]) => {
                match (self.kind(id)?, self.kind(one)?) {
                    (AnswerKind::Several(codes), AnswerKind::One(others))
                        if are_unchanged(codes) && are_unchanged(others) =>
                    {
                        Ok(guarded(format!("{one} in {id}"), &[id, one], is_total))
                    }
                    _ => Err(format!("whether {id} holds the answer to {one} is not known here")),
                }
            }
            ("today" | "now", _) => Err(no_clock(function)),
            (other, _) => Err(format!("the function {other}() is not known here")),
        }
    }

    fn compare(
        &self,
        sign: Sign,
        left: &Expression,
        right: &Expression,
        is_total: bool,
    ) -> Written {
        use Expression::{Call, Name, Number, Text};
        if let Some(clock) = [left, right].into_iter().find_map(reads_clock) {
            return Err(no_clock(clock));
        }
        match (left, right) {
            (Number(_) | Text(_), Name(_) | Call(..) | Expression::Arithmetic(..)) => {
                self.compare(sign.flipped(), right, left, is_total)
            }
            (Name(id), Text(_) | Number(_)) => self.with_constant(sign, id, right, is_total),
            (Name(one), Name(other)) => self.two_answers(sign, one, other, is_total),
            (Call(function, arguments), Number(number)) if function == "count-selected" => {
                let [Name(id)] = arguments.as_slice() else {
                    return Err("count-selected() takes a question".to_owned());
                };
                self.count(sign, id, *number, is_total)
            }
            (Call(function, arguments), Text(code))
                if function == "selected-at" && sign.is_equality() =>
            {
                self.ranked_at(sign, arguments, code)
            }
            _ => self.numbers(sign, left, right, is_total),
        }
    }

    /// Writes a comparison of an answer with a constant.
    fn with_constant(
        &self,
        sign: Sign,
        id: &str,
        constant: &Expression,
        is_total: bool,
    ) -> Written {
        let text = match constant {
            Expression::Text(text) => text.trim().to_owned(),
            Expression::Number(number) => shown_number(*number),
            other => return Err(format!("{} is no constant", described(other))),
        };
        let kind = self.kind(id)?;
        if matches!(kind, AnswerKind::Text) {
            return Err(free_text(id));
        }
        if text.is_empty() {
            return Ok(match sign {
                Sign::Equal => format!("{id} == null"),
                Sign::NotEqual => format!("{id} != null"),
                _ => truth(false),
            });
        }
        let order = |written: String| guarded(written, &[id], is_total && !sign.is_equality());
        match kind {
            AnswerKind::One(codes) if sign.is_equality() => {
                Ok(self.code_test(id, codes, &text, sign))
            }
            AnswerKind::Several(codes) if sign.is_equality() => {
                Ok(match self.ours(id, codes, &text) {
                    Some(code) => format!("{id} {} [{}]", sign.in_cel(), quoted(&code)),
                    None => truth(sign == Sign::NotEqual),
                })
            }
            AnswerKind::Number { .. } => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => {
                    Ok(order(format!("{id} {} {}", sign.in_cel(), shown_number(number))))
                }
                _ => Ok(truth(sign == Sign::NotEqual)),
            },
            AnswerKind::Date if is_day(&text) => {
                Ok(order(format!("{id} {} {}", sign.in_cel(), quoted(&text))))
            }
            AnswerKind::Fact if sign.is_equality() => {
                Ok(format!("{id} {} {}", sign.in_cel(), quoted(&text)))
            }
            _ => Err(format!("{id} cannot be compared with «{text}»")),
        }
    }

    fn two_answers(&self, sign: Sign, one: &str, other: &str, is_total: bool) -> Written {
        let written = format!("{one} {} {other}", sign.in_cel());
        let is_order = is_total && !sign.is_equality();
        match (self.kind(one)?, self.kind(other)?) {
            (AnswerKind::Number { .. }, AnswerKind::Number { .. })
            | (AnswerKind::Date, AnswerKind::Date) => Ok(guarded(written, &[one, other], is_order)),
            (AnswerKind::One(codes), AnswerKind::One(others))
                if sign.is_equality() && are_unchanged(codes) && are_unchanged(others) =>
            {
                Ok(written)
            }
            (AnswerKind::Text, _) => Err(free_text(one)),
            (_, AnswerKind::Text) => Err(free_text(other)),
            _ => {
                let name = |id: &str| Expression::Name(id.to_owned());
                self.numbers(sign, &name(one), &name(other), is_total)
            }
        }
    }

    /// Writes a test of one option. Numbers as codes are compared as numbers, as XPath does.
    fn code_test(&self, id: &str, codes: &[Code], code: &str, sign: Sign) -> String {
        match self.ours(id, codes, code) {
            Some(code) => format!("{id} {} {}", sign.in_cel(), quoted(&code)),
            None => truth(sign == Sign::NotEqual),
        }
    }

    /// Returns our code of an option, and notes one that there is not.
    fn ours(&self, id: &str, codes: &[Code], theirs: &str) -> Option<String> {
        let theirs = theirs.trim();
        let number: Option<f64> = theirs.parse().ok();
        let is_it = |code: &&Code| {
            code.theirs == theirs || number.is_some_and(|number| code.theirs.parse() == Ok(number))
        };
        let found = codes.iter().find(|code| code.theirs == theirs);
        let found = found.or_else(|| codes.iter().find(is_it)).map(|code| code.ours.clone());
        if found.is_none() {
            self.strange_codes.borrow_mut().push(format!("«{theirs}» is no choice of {id}"));
        }
        found
    }

    fn count(&self, sign: Sign, id: &str, number: f64, is_total: bool) -> Written {
        if !matches!(self.kind(id)?, AnswerKind::Several(_) | AnswerKind::Ranked(_)) {
            return Err(format!("{id} does not take several choices"));
        }
        // Without an answer the count is 0; CEL's fails, which does not hold either.
        let holds_for_none = sign.holds(0f64.partial_cmp(&number));
        let test = format!("size({id}) {} {}", sign.in_cel(), shown_number(number));
        Ok(if holds_for_none {
            format!("({id} == null || {test})")
        } else {
            guarded(test, &[id], is_total)
        })
    }

    fn ranked_at(&self, sign: Sign, arguments: &[Expression], code: &str) -> Written {
        let [Expression::Name(id), Expression::Number(place)] = arguments else {
            return Err("selected-at() takes a question and a number here".to_owned());
        };
        let AnswerKind::Ranked(codes) = self.kind(id)? else {
            return Err(format!(
                "selected-at() is known of a rank alone; {id} keeps no order of its choices"
            ));
        };
        let code = self.ours(id, codes, code).filter(|_| (0.0..codes.len() as f64).contains(place));
        Ok(match (code, sign) {
            (Some(code), Sign::Equal) => {
                format!("({id} != null && {id}[{place}] == {})", quoted(&code))
            }
            (Some(code), _) => format!("({id} == null || {id}[{place}] != {})", quoted(&code)),
            (None, sign) => truth(sign == Sign::NotEqual),
        })
    }

    /// Writes a condition over one answer with few values by trying them all, whatever functions
    /// it calls.
    fn by_trial(&self, condition: &Expression, is_total: bool) -> Option<String> {
        let names = condition.names();
        let [id] = names.as_slice() else { return None };
        let AnswerKind::One(codes) = self.answers.get(id)? else { return None };
        let holds = |answer: &str| {
            let known = Known {
                name: &|name| (name == id).then(|| answer.to_owned()),
                current: None,
                column: &|_| None,
            };
            Some(evaluate(condition, &known)?.is_true())
        };
        let for_none = holds("")?;
        let mut held = Vec::new();
        for code in codes {
            if holds(&code.theirs)? {
                held.push(quoted(&code.ours));
            }
        }
        let test = match held.as_slice() {
            [] => return Some(if for_none { format!("{id} == null") } else { truth(false) }),
            all if all.len() == codes.len() => {
                return Some(if for_none { truth(true) } else { format!("{id} != null") });
            }
            [one] => format!("{id} == {one}"),
            several => format!("{id} in [{}]", several.join(", ")),
        };
        Some(if for_none {
            format!("({id} == null || {test})")
        } else {
            guarded(test, &[id], is_total && held.len() > 1)
        })
    }
}

/// Adds that the answers are there, where a comparison that fails must not take the rest with it.
fn guarded(test: String, ids: &[&str], is_needed: bool) -> String {
    if !is_needed {
        return test;
    }
    let there: Vec<String> = ids.iter().map(|id| format!("{id} != null")).collect();
    format!("({} && {test})", there.join(" && "))
}

/// Returns whether one pair of parentheses encloses the whole text. (Texts in it may hold
/// parentheses; then another pair does no harm.)
fn is_enclosed(text: &str) -> bool {
    let mut depth = 0usize;
    let closes_at = text.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at)
    });
    let has_texts_with_some =
        text.split('\'').skip(1).step_by(2).any(|literal| literal.contains(['(', ')']));
    text.starts_with('(') && closes_at == Some(text.len() - 1) && !has_texts_with_some
}

fn are_unchanged(codes: &[Code]) -> bool {
    codes.iter().all(|code| code.theirs == code.ours)
}

/// Returns the function by which a value depends on the day of the interview, if it does.
fn reads_clock(value: &Expression) -> Option<&str> {
    match value {
        Expression::Call(function, _) if function == "today" || function == "now" => Some(function),
        Expression::Call(_, parts) => parts.iter().find_map(reads_clock),
        Expression::Arithmetic(_, left, right) => reads_clock(left).or_else(|| reads_clock(right)),
        Expression::Negative(inner) => reads_clock(inner),
        _ => None,
    }
}

fn no_clock(function: &str) -> String {
    format!("{function}() is not possible: conditions look at answers, not at the day")
}

fn free_text(id: &str) -> String {
    format!("it looks at {id}, which is free text")
}

fn described(expression: &Expression) -> String {
    match expression {
        Expression::Column(word) => format!("«{word}» is not known here and"),
        Expression::Current => "«.»".to_owned(),
        Expression::Call(function, _) => format!("{function}()"),
        Expression::Text(text) => format!("«'{text}'»"),
        Expression::Number(number) => format!("«{number}»"),
        _ => "a part of it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::expression::parse;
    use super::super::simplify::simplify;
    use super::*;
    use crate::domain::condition::Condition;

    fn codes(codes: &[&str]) -> Vec<Code> {
        codes.iter().map(|code| Code { theirs: (*code).into(), ours: (*code).into() }).collect()
    }

    fn answers() -> Answers {
        [
            ("sat", AnswerKind::Number { is_whole: true, max: None }),
            ("n", AnswerKind::Number { is_whole: true, max: None }),
            ("weight", AnswerKind::Number { is_whole: false, max: None }),
            ("why", AnswerKind::Several(codes(&["price", "service"]))),
            ("use", AnswerKind::One(codes(&["daily", "weekly", "never"]))),
            ("q_1", AnswerKind::One(codes(&["1", "2", "10"]))),
            ("order", AnswerKind::Ranked(codes(&["a", "b"]))),
            ("day", AnswerKind::Date),
            ("open", AnswerKind::Text),
            ("segment", AnswerKind::Fact),
        ]
        .map(|(id, kind)| (id.to_owned(), kind))
        .into()
    }

    fn written(xpath: &str) -> Result<String, String> {
        CelWriter::new(&answers()).condition(&simplify(parse(xpath)?)?)
    }

    #[test]
    fn conditions_are_translated() {
        for (xpath, cel) in [
            ("${sat} <= 4 and selected(${why}, 'price')", "sat <= 4 && 'price' in why"),
            ("selected(${use}, \"daily\") or ${n}>3", "use == 'daily' || n > 3"),
            (
                "not(${use} = 'never') and (${n} != '' or ${sat}=10)",
                "!(use == 'never') && (n != null || sat == 10)",
            ),
            ("${q_1} = 2", "q_1 == '2'"),
            ("2 = ${q_1}", "q_1 == '2'"),
            ("${q_1} = '2.0'", "q_1 == '2'"),
            ("${q_1} >= 2", "q_1 in ['2', '10']"),
            ("count-selected(${why}) >= 2", "size(why) >= 2"),
            ("count-selected(${why}) = 0", "(why == null || size(why) == 0)"),
            ("${use} = ‘daily’", "use == 'daily'"),
            ("not(${n} > 3)", "!(n != null && n > 3)"),
            ("not(selected(${why}, 'price'))", "!(why != null && 'price' in why)"),
            ("regex(${use}, '.*ly')", "use in ['daily', 'weekly']"),
            ("starts-with(${use}, 'n')", "use == 'never'"),
            ("selected-at(${order}, 0) = 'b'", "(order != null && order[0] == 'b')"),
            ("${day} >= date('2026-05-01')", "day >= '2026-05-01'"),
            ("${q_1} + ${n} > 3", "int(q_1) + n > 3"),
            ("${weight} * 2 > ${n}", "double(weight) * 2.0 > double(n)"),
            ("${n} mod 2 = 0", "n % 2 == 0"),
            (
                "if(${sat} > 8, 'p', if(${sat} > 6, 'n', 'd')) = 'd'",
                "((sat != null && sat > 8) ? false : !(sat != null && sat > 6))",
            ),
            ("coalesce(${use}, 'never') = 'never'", "(use != null ? use == 'never' : true)"),
            ("${segment} = 'VIP'", "segment == 'VIP'"),
            ("${why} = 'price'", "why == ['price']"),
            ("${n} > ${sat}", "n > sat"),
            ("string-length(${use}) > 5", "use == 'weekly'"),
            ("${use}", "use != null"),
        ] {
            assert_eq!(written(xpath).as_deref(), Ok(cel), "{xpath}");
            let condition = Condition::parse(cel).unwrap_or_else(|error| panic!("{cel}: {error}"));
            assert!(condition.unknown_functions().is_empty(), "{cel}");
        }
    }

    #[test]
    fn what_cannot_be_expressed_is_named() {
        for (xpath, said) in [
            ("${other} = 1", "other is no question"),
            ("today() > ${day}", "today() is not possible"),
            ("${day} = today()", "today() is not possible"),
            ("${n} + 1 > int(now())", "now() is not possible"),
            ("${open} = 'x'", "open, which is free text"),
            ("selected-at(${why}, 0) = 'price'", "keeps no order"),
            ("pulldata('f', 'a', 'b', 'c') = 1", "pulldata()"),
            ("${weight} mod 2 = 0", "whole numbers"),
            ("yes", "«yes» is not known here"),
        ] {
            let error = written(xpath).unwrap_err();
            assert!(error.contains(said), "{xpath}: {error}");
        }
        let known = answers();
        let writer = CelWriter::new(&known);
        let condition = parse("${use} = 'hourly' or ${n} = 1").unwrap();
        assert_eq!(writer.condition(&condition).as_deref(), Ok("false || n == 1"));
        assert_eq!(*writer.strange_codes.borrow(), ["«hourly» is no choice of use"]);
    }
}
