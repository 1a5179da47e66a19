//! Evaluates expressions whose values are known: constants, conditions over one answer whose
//! possible values are few, and filters over the columns of a choice.

use regex::RegexBuilder;

use super::expression::{Expression, Operator, Sign, shown_number};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    Truth(bool),
}

impl Value {
    pub fn is_true(&self) -> bool {
        match self {
            Value::Truth(truth) => *truth,
            Value::Number(number) => *number != 0.0 && !number.is_nan(),
            Value::Text(text) => !text.is_empty(),
        }
    }

    pub fn number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            Value::Truth(truth) => f64::from(u8::from(*truth)),
            Value::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Value::Number(number) => shown_number(*number),
            Value::Truth(truth) => truth.to_string(),
            Value::Text(text) => text.clone(),
        }
    }

    pub fn into_expression(self) -> Expression {
        match self {
            Value::Number(number) => Expression::Number(number),
            Value::Text(text) => Expression::Text(text),
            Value::Truth(truth) => Expression::Truth(truth),
        }
    }
}

/// What is known. Each returns `None` for what is not.
pub struct Known<'a> {
    pub name: &'a dyn Fn(&str) -> Option<String>,
    pub current: Option<&'a str>,
    pub column: &'a dyn Fn(&str) -> Option<String>,
}

impl Known<'_> {
    pub const NOTHING: Known<'static> = Known { name: &|_| None, current: None, column: &|_| None };
}

/// Evaluates an expression; `None` if something in it is not known.
pub fn evaluate(expression: &Expression, known: &Known) -> Option<Value> {
    let value = |part: &Expression| evaluate(part, known);
    Some(match expression {
        Expression::Number(number) => Value::Number(*number),
        Expression::Text(text) => Value::Text(text.clone()),
        Expression::Truth(truth) => Value::Truth(*truth),
        Expression::Name(name) => Value::Text((known.name)(name)?),
        Expression::Current => Value::Text(known.current?.to_owned()),
        Expression::Column(column) => Value::Text((known.column)(column)?),
        Expression::And(parts) => Value::Truth(
            parts.iter().try_fold(true, |all, part| Some(value(part)?.is_true() && all))?,
        ),
        Expression::Or(parts) => Value::Truth(
            parts.iter().try_fold(false, |any, part| Some(value(part)?.is_true() || any))?,
        ),
        Expression::Compare(sign, left, right) => {
            Value::Truth(compare(*sign, &value(left)?, &value(right)?))
        }
        Expression::Arithmetic(operator, left, right) => {
            let (left, right) = (value(left)?.number(), value(right)?.number());
            Value::Number(match operator {
                Operator::Add => left + right,
                Operator::Subtract => left - right,
                Operator::Multiply => left * right,
                Operator::Divide => left / right,
                Operator::Modulo => left % right,
            })
        }
        Expression::Negative(inner) => Value::Number(-value(inner)?.number()),
        Expression::Call(function, arguments) => {
            let arguments = arguments.iter().map(value).collect::<Option<Vec<_>>>()?;
            call(function, &arguments)?
        }
    })
}

/// Compares by XPath 1.0: as numbers if the sign is an order or one side is a number, otherwise as
/// texts. Days are compared as days, which ODK does.
pub fn compare(sign: Sign, left: &Value, right: &Value) -> bool {
    let is_truth = |value: &Value| matches!(value, Value::Truth(_));
    let is_number = |value: &Value| matches!(value, Value::Number(_));
    let (one, other) = (left.text(), right.text());
    if sign.is_equality() && (is_truth(left) || is_truth(right)) {
        return sign.holds(Some(left.is_true().cmp(&right.is_true())));
    }
    if is_day(&one) && is_day(&other) {
        return sign.holds(Some(one.cmp(&other)));
    }
    if sign.is_equality() && !is_number(left) && !is_number(right) {
        return sign.holds(Some(one.cmp(&other)));
    }
    sign.holds(left.number().partial_cmp(&right.number()))
}

/// Returns whether a text is a day like `2026-05-13`.
pub fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<chrono::NaiveDate>().is_ok()
}

fn call(function: &str, arguments: &[Value]) -> Option<Value> {
    let text = |at: usize| arguments.get(at).map(Value::text);
    let number = |at: usize| arguments.get(at).map(Value::number);
    let codes = |at: usize| {
        text(at).map(|codes| codes.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    Some(match function {
        "not" => Value::Truth(!arguments.first()?.is_true()),
        "boolean" => Value::Truth(arguments.first()?.is_true()),
        "if" => arguments.get(if arguments.first()?.is_true() { 1 } else { 2 })?.clone(),
        "coalesce" => {
            let first = arguments.first()?;
            if first.text().is_empty() { arguments.get(1)?.clone() } else { first.clone() }
        }
        "once" => arguments.first()?.clone(),
        "string" => Value::Text(text(0)?),
        "number" => Value::Number(number(0)?),
        "int" => Value::Number(number(0)?.trunc()),
        "round" => {
            let places = 10f64.powf(number(1).unwrap_or(0.0));
            Value::Number((number(0)? * places + 0.5).floor() / places)
        }
        "abs" => Value::Number(number(0)?.abs()),
        "pow" => Value::Number(number(0)?.powf(number(1)?)),
        "floor" => Value::Number(number(0)?.floor()),
        "ceiling" => Value::Number(number(0)?.ceil()),
        "min" | "max" => {
            let numbers = arguments.iter().map(Value::number);
            let is_better = |a: &f64, b: &f64| if function == "min" { a < b } else { a > b };
            Value::Number(numbers.reduce(|a, b| if is_better(&b, &a) { b } else { a })?)
        }
        "selected" => Value::Truth(codes(0)?.contains(&text(1)?.trim().to_owned())),
        "selected-at" => {
            Value::Text(codes(0)?.get(number(1)? as usize).cloned().unwrap_or_default())
        }
        "count-selected" => Value::Number(codes(0)?.len() as f64),
        "concat" => Value::Text(arguments.iter().map(Value::text).collect()),
        "string-length" => Value::Number(text(0)?.encode_utf16().count() as f64),
        "contains" => Value::Truth(text(0)?.contains(&text(1)?)),
        "starts-with" => Value::Truth(text(0)?.starts_with(&text(1)?)),
        "ends-with" => Value::Truth(text(0)?.ends_with(&text(1)?)),
        "normalize-space" => Value::Text(text(0)?.split_whitespace().collect::<Vec<_>>().join(" ")),
        "substr" => {
            let characters: Vec<char> = text(0)?.chars().collect();
            let place = |raw: f64| {
                let length = characters.len() as f64;
                (if raw < 0.0 { raw + length } else { raw }).clamp(0.0, length) as usize
            };
            let (from, to) = (place(number(1)?), number(2).map_or(characters.len(), place));
            Value::Text(characters.get(from..to.max(from))?.iter().collect())
        }
        "regex" => {
            // As JavaRosa does, the whole text has to match.
            let whole = format!("^(?:{})$", text(1)?);
            let regex = RegexBuilder::new(&whole).size_limit(1 << 20).build().ok()?;
            Value::Truth(regex.is_match(&text(0)?))
        }
        "date" if is_day(&text(0)?) => Value::Text(text(0)?),
        "format-date" if is_day(&text(0)?) && text(1)? == "%Y-%m-%d" => Value::Text(text(0)?),
        "boolean-from-string" => Value::Truth(["1", "true"].contains(&text(0)?.as_str())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::expression::parse;
    use super::*;

    #[test]
    fn values_are_those_of_the_standard() {
        let value = |text: &str| {
            let known = Known {
                name: &|name| (name == "many").then(|| "a c".to_owned()),
                current: Some("5"),
                column: &|_| None,
            };
            evaluate(&parse(text).unwrap(), &known).map(|value| value.text())
        };
        for (text, expected) in [
            ("2+2", "4"),
            ("7 div 2", "3.5"),
            ("7 mod 4", "3"),
            ("if(1 = 2, 'a', 'b')", "b"),
            ("coalesce('', 'x')", "x"),
            ("once('y')", "y"),
            ("'' > 3", "false"),
            ("'10' > 9", "true"),
            ("'1' = 1.0", "true"),
            ("selected(${many}, 'c')", "true"),
            ("selected-at(${many}, 1)", "c"),
            ("count-selected(${many})", "2"),
            (". >= 5 and . < 6", "true"),
            ("regex('ab12', '[a-z]+[0-9]{2}')", "true"),
            ("regex('xab12', 'ab12')", "false"),
            ("substr('abcde', 1, 3)", "bc"),
            ("concat('a', 1, 'b')", "a1b"),
            ("date('2026-01-02') > '2026-01-01'", "true"),
            ("round(2.456, 1)", "2.5"),
            ("max(1, 3, 2)", "3"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text}");
        }
        for unknown in ["${other} = 1", "today() > 3", "random()"] {
            assert_eq!(value(unknown), None, "{unknown}");
        }
    }
}
