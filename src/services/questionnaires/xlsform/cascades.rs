//! Choices that depend on an earlier answer (`choice_filter`): the question becomes one item for
//! each set of choices, of which a respondent is asked at most one.

use std::collections::BTreeMap;

use super::choices::ListChoice;
use super::columns::read_header;
use super::evaluate::{Known, evaluate};
use super::expression::{Expression, Sign};
use super::scope::{AnswerKind, Scope};

/// Limits: combinations of answers that are tried, and items that a question becomes.
const MAX_COMBINATIONS: usize = 400;
const MAX_PARTS: usize = 60;

/// One of the items: its condition (`None`: always) and its choices.
pub type Part = (Option<Expression>, Vec<ListChoice>);

/// Divides a question by its resolved filter. The error says why that is impossible.
pub fn divide(
    filter: &Expression,
    choices: &[ListChoice],
    scope: &Scope,
) -> Result<Vec<Part>, String> {
    let names = filter.names();
    let mut domains: Vec<Vec<String>> = Vec::new();
    for name in &names {
        let Some(AnswerKind::One(codes)) = scope.answers.get(name) else {
            return Err(format!("its choices depend on {name}, which is no select_one"));
        };
        let missing = std::iter::once(String::new());
        domains.push(missing.chain(codes.iter().map(|code| code.theirs.clone())).collect());
    }
    let combinations = domains.iter().try_fold(1usize, |product, domain| {
        product.checked_mul(domain.len()).filter(|product| *product <= MAX_COMBINATIONS)
    });
    let combinations = combinations.ok_or("its choices depend on too many answers together")?;
    let mut parts: BTreeMap<Vec<usize>, Vec<Vec<String>>> = BTreeMap::new();
    let mut tried = 0;
    for mut number in 0..combinations {
        let values: Vec<String> = domains
            .iter()
            .map(|domain| {
                let value = domain[number % domain.len()].clone();
                number /= domain.len();
                value
            })
            .collect();
        // Of a question that is divided itself, one part is answered at most.
        let answered = |id: &String| {
            names.iter().zip(&values).any(|(name, value)| name == id && !value.is_empty())
        };
        if scope.divided.iter().any(|parts| parts.iter().filter(|id| answered(id)).count() > 1) {
            continue;
        }
        tried += 1;
        let offered = offered(filter, choices, &names, &values)?;
        if !offered.is_empty() {
            parts.entry(offered).or_default().push(values);
        }
    }
    if parts.len() > MAX_PARTS {
        return Err(format!("its choices depend on answers in more than {MAX_PARTS} ways"));
    }
    let mut divided: Vec<(Vec<Vec<String>>, Vec<usize>)> =
        parts.into_iter().map(|(offered, values)| (values, offered)).collect();
    divided.sort();
    let pick = |offered: &[usize]| offered.iter().map(|at| choices[*at].clone()).collect();
    if let [(values, offered)] = divided.as_slice()
        && values.len() == tried
    {
        return Ok(vec![(None, pick(offered))]);
    }
    let part = |(values, offered): &(Vec<Vec<String>>, Vec<usize>)| {
        (Some(any_of(&names, values, &scope.divided)), pick(offered))
    };
    Ok(divided.iter().map(part).collect())
}

/// Returns the places of the choices that a filter offers for these answers.
fn offered(
    filter: &Expression,
    choices: &[ListChoice],
    names: &[String],
    values: &[String],
) -> Result<Vec<usize>, String> {
    let name = |wanted: &str| {
        names.iter().zip(values).find(|(name, _)| *name == wanted).map(|(_, value)| value.clone())
    };
    let mut offered = Vec::new();
    for (place, choice) in choices.iter().enumerate() {
        let column = |column: &str| {
            Some(match column {
                "name" => choice.code.theirs.clone(),
                other => choice.row.get(&column_name(other)).to_owned(),
            })
        };
        let known = Known { name: &name, current: None, column: &column };
        let value = evaluate(filter, &known)
            .ok_or("its choices depend on something that is not known here")?;
        if value.is_true() {
            offered.push(place);
        }
    }
    Ok(offered)
}

/// Returns a column's name as the rows have it.
pub fn column_name(word: &str) -> String {
    read_header(word).map_or_else(String::new, |column| column.name)
}

fn any_of(names: &[String], values: &[Vec<String>], divided: &[Vec<String>]) -> Expression {
    let one = |values: &Vec<String>| {
        let value_of =
            |id: &String| names.iter().zip(values).find(|(n, _)| *n == id).map(|(_, v)| v);
        // That the other parts have no answer goes without saying.
        let is_said = |name: &String| {
            divided.iter().any(|parts| {
                let answered = |id: &String| value_of(id).is_some_and(|value| !value.is_empty());
                parts.contains(name) && !answered(name) && parts.iter().any(answered)
            })
        };
        let tests =
            names.iter().zip(values).filter(|(name, _)| !is_said(name)).map(|(name, value)| {
                Expression::compare(
                    Sign::Equal,
                    Expression::Name(name.clone()),
                    Expression::text(value),
                )
            });
        Expression::all(tests.collect()).unwrap_or(Expression::Truth(true))
    };
    let mut all: Vec<Expression> = values.iter().map(one).collect();
    if all.len() == 1 { all.swap_remove(0) } else { Expression::Or(all) }
}

/// Returns the value of a divided question: the answer to the part that was asked.
pub fn joined(ids: &[String]) -> Expression {
    let name = |id: &String| Expression::Name(id.clone());
    let (last, rest) = match ids.split_last() {
        Some((last, rest)) => (name(last), rest),
        None => return Expression::text(""),
    };
    rest.iter().rev().fold(last, |later, id| Expression::call("coalesce", vec![name(id), later]))
}

/// Takes bare words that are no column of the choices as texts. Returns them.
pub fn words_as_texts(
    filter: Expression,
    has_column: impl Fn(&str) -> bool,
) -> (Expression, Vec<String>) {
    let mut words = Vec::new();
    let changed = filter.clone().map(&mut |node| {
        Ok(match node {
            Expression::Column(word) if word != "name" && !has_column(&column_name(&word)) => {
                words.push(word.clone());
                Expression::Text(word)
            }
            other => other,
        })
    });
    (changed.unwrap_or(filter), words)
}
