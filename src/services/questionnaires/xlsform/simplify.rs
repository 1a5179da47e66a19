//! Simplifies expressions: puts calculations in the place of their names, moves comparisons into
//! `if` and `coalesce`, and evaluates what is constant.

use super::evaluate::{Known, evaluate};
use super::expression::{Expression, MAX_NODES, Sign};

/// The depth of a tree with its calculations, which is walked recursively.
const MAX_TREE_DEPTH: usize = 150;

/// Replaces names by `meaning`, with a limit on the size of the result.
pub fn substitute(
    expression: Expression,
    meaning: &mut impl FnMut(&str) -> Result<Expression, String>,
) -> Result<Expression, String> {
    let mut size = expression.size();
    let substituted = expression.map(&mut |node| {
        let Expression::Name(name) = &node else { return Ok(node) };
        let meaning = meaning(name)?;
        size += meaning.size();
        if size > MAX_NODES {
            return Err(format!("with its calculations it has more than {MAX_NODES} parts"));
        }
        Ok(meaning)
    })?;
    if substituted.depth() > MAX_TREE_DEPTH {
        return Err("it is nested too deep with its calculations".to_owned());
    }
    Ok(substituted)
}

/// Simplifies a condition or a value.
pub fn simplify(expression: Expression) -> Result<Expression, String> {
    let mut budget = MAX_NODES * 4;
    expression.map(&mut |node| {
        let size = node.size();
        budget = budget
            .checked_sub(size.min(8))
            .ok_or_else(|| "its calculations branch too often".to_owned())?;
        if size > MAX_NODES {
            return Err("its calculations branch too often".to_owned());
        }
        Ok(simplified(node, 0))
    })
}

fn is_true(expression: &Expression) -> bool {
    *expression == Expression::Truth(true)
}

fn is_false(expression: &Expression) -> bool {
    *expression == Expression::Truth(false)
}

fn not(condition: Expression) -> Expression {
    match condition {
        Expression::Truth(truth) => Expression::Truth(!truth),
        Expression::Call(function, mut inner) if function == "not" && inner.len() == 1 => {
            inner.remove(0)
        }
        other => Expression::call("not", vec![other]),
    }
}

fn if_else(condition: Expression, yes: Expression, no: Expression) -> Expression {
    match condition {
        Expression::Truth(true) => yes,
        Expression::Truth(false) => no,
        condition if is_true(&yes) && is_false(&no) => condition,
        condition if is_false(&yes) && is_true(&no) => not(condition),
        condition if is_false(&no) => Expression::And(vec![condition, yes]),
        condition => Expression::call("if", vec![condition, yes, no]),
    }
}

/// Simplifies a node whose children are simple.
fn simplified(node: Expression, depth: usize) -> Expression {
    if depth > 16 {
        return node;
    }
    match node {
        Expression::And(parts) => {
            if parts.iter().any(is_false) {
                return Expression::Truth(false);
            }
            let parts = parts.into_iter().filter(|part| !is_true(part)).collect();
            Expression::all(parts).unwrap_or(Expression::Truth(true))
        }
        Expression::Or(parts) => {
            if parts.iter().any(is_true) {
                return Expression::Truth(true);
            }
            let mut parts: Vec<_> = parts.into_iter().filter(|part| !is_false(part)).collect();
            match parts.len() {
                0 => Expression::Truth(false),
                1 => parts.swap_remove(0),
                _ => Expression::Or(parts),
            }
        }
        Expression::Call(function, mut arguments) => match (function.as_str(), arguments.len()) {
            ("if", 3) => {
                let (no, yes) = (arguments.remove(2), arguments.remove(1));
                if_else(arguments.remove(0), yes, no)
            }
            ("once" | "boolean" | "string", 1) => arguments.remove(0),
            ("not", 1) => not(arguments.remove(0)),
            ("selected" | "regex" | "contains" | "starts-with" | "ends-with", 2)
                if depth < 8 && is_choice(&arguments[0]) =>
            {
                called(&function, arguments, depth)
            }
            _ => constant(Expression::Call(function, arguments)),
        },
        Expression::Compare(sign, left, right) => compared(sign, *left, *right, depth),
        other => constant(other),
    }
}

fn constant(node: Expression) -> Expression {
    match evaluate(&node, &Known::NOTHING) {
        Some(value) => value.into_expression(),
        None => node,
    }
}

/// Returns whether an expression is one of several values.
fn is_choice(side: &Expression) -> bool {
    matches!(side, Expression::Call(function, arguments)
        if matches!((function.as_str(), arguments.len()), ("if", 3) | ("coalesce", 2)))
}

/// Calls a test on each of the values that `if` and `coalesce` choose from.
fn called(function: &str, mut arguments: Vec<Expression>, depth: usize) -> Expression {
    let tested = arguments.remove(0);
    let (condition, yes, no) = branches(tested);
    let test = |value: Expression| {
        let arguments = std::iter::once(value).chain(arguments.iter().cloned()).collect();
        simplified(Expression::call(function, arguments), depth + 1)
    };
    if_else(condition, test(yes), test(no))
}

/// Takes `if` or `coalesce` apart: the condition, and the values if it holds and if not.
fn branches(choice: Expression) -> (Expression, Expression, Expression) {
    let empty = || Expression::text("");
    match choice {
        Expression::Call(function, mut arguments) => {
            let no = arguments.pop().unwrap_or_else(empty);
            let yes = arguments.pop().unwrap_or_else(empty);
            let condition = match function.as_str() {
                "if" => arguments.pop().unwrap_or_else(empty),
                _ => constant(Expression::compare(Sign::NotEqual, yes.clone(), empty())),
            };
            (condition, yes, no)
        }
        other => (Expression::Truth(true), other, empty()),
    }
}

/// Compares each of the values that `if` and `coalesce` choose from.
fn compared(sign: Sign, left: Expression, right: Expression, depth: usize) -> Expression {
    if !is_choice(&left) && is_choice(&right) {
        return compared(sign.flipped(), right, left, depth + 1);
    }
    if depth >= MAX_TREE_DEPTH || !is_choice(&left) {
        return constant(Expression::compare(sign, left, right));
    }
    let (condition, yes, no) = branches(left);
    let yes = compared(sign, yes, right.clone(), depth + 1);
    if_else(condition, yes, compared(sign, no, right, depth + 1))
}

#[cfg(test)]
mod tests {
    use super::super::expression::parse;
    use super::*;

    #[test]
    fn comparisons_move_into_what_is_compared() {
        for (from, to) in [
            ("if(${a} = 1, 'x', 'y') = 'x'", "${a} = 1"),
            ("'y' = if(${a} = 1, 'x', 'y')", "not(${a} = 1)"),
            (
                "if(${a} > 5, 'hi', if(${a} > 2, 'mid', 'low')) = 'mid'",
                "if(${a} > 5, false(), ${a} > 2)",
            ),
            ("once(${a}) = 1", "${a} = 1"),
            ("true() and ${a} = 1", "${a} = 1"),
            ("1 = 2 or ${a} = 1", "${a} = 1"),
            ("2 + 2 = 4", "true()"),
            ("not(not(${a} = 1))", "${a} = 1"),
        ] {
            assert_eq!(simplify(parse(from).unwrap()), Ok(parse(to).unwrap()), "{from}");
        }
    }

    #[test]
    fn calculations_that_multiply_are_refused() {
        let mut meaning = |_: &str| Ok(parse("${x} + ${x} + ${x} + ${x}").unwrap());
        let mut expression = parse("${x} = 1").unwrap();
        let error = (0..12).find_map(|_| match substitute(expression.clone(), &mut meaning) {
            Ok(next) => {
                expression = next;
                None
            }
            Err(error) => Some(error),
        });
        assert!(error.unwrap().contains("more than 2000 parts"));
    }
}
