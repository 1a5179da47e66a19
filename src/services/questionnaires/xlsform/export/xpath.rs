//! Writes expressions as XPath.

use super::super::expression::{Expression, Operator, shown_number};

/// Writes an expression; `name` gives the form's name of an item. The error says what cannot be
/// written.
pub fn write(expression: &Expression, name: &dyn Fn(&str) -> String) -> Result<String, String> {
    let inner = |part: &Expression| write(part, name);
    let all = |parts: &[Expression], word: &str| {
        let part = |part: &Expression| {
            let written = inner(part)?;
            let is_or = matches!(part, Expression::Or(_));
            Ok::<String, String>(if is_or { format!("({written})") } else { written })
        };
        Ok::<String, String>(parts.iter().map(part).collect::<Result<Vec<_>, _>>()?.join(word))
    };
    match expression {
        Expression::Number(number) => Ok(shown_number(*number)),
        Expression::Truth(truth) => Ok(format!("{truth}()")),
        Expression::Name(id) => Ok(format!("${{{}}}", name(id))),
        Expression::Current => Ok(".".to_owned()),
        Expression::Column(column) => Ok(column.clone()),
        Expression::Text(text) => match (text.contains('\''), text.contains('"')) {
            _ if text.contains("${") => Err("a text with ${".to_owned()),
            (false, _) => Ok(format!("'{text}'")),
            (true, false) => Ok(format!("\"{text}\"")),
            _ => Err("a text with both quotation marks".to_owned()),
        },
        Expression::And(parts) => all(parts, " and "),
        Expression::Or(parts) => all(parts, " or "),
        Expression::Compare(sign, left, right) => {
            let side = |side: &Expression| {
                let written = inner(side)?;
                let is_nested = matches!(
                    side,
                    Expression::Compare(..) | Expression::And(_) | Expression::Or(_)
                );
                Ok::<String, String>(if is_nested { format!("({written})") } else { written })
            };
            Ok(format!("{} {} {}", side(left)?, sign.in_xpath(), side(right)?))
        }
        Expression::Arithmetic(operator, left, right) => {
            let sign = match operator {
                Operator::Add => "+",
                Operator::Subtract => "-",
                Operator::Multiply => "*",
                Operator::Divide => "div",
                Operator::Modulo => "mod",
            };
            let side = |side: &Expression| {
                let written = inner(side)?;
                let is_nested = matches!(side, Expression::Arithmetic(..));
                Ok::<String, String>(if is_nested { format!("({written})") } else { written })
            };
            Ok(format!("{} {sign} {}", side(left)?, side(right)?))
        }
        Expression::Negative(negative) => Ok(format!("-({})", inner(negative)?)),
        // Ours does not hold where an answer that is compared is missing; XPath's negation would.
        Expression::Call(function, arguments) if function == "not" && arguments.len() == 1 => {
            let mut there: Vec<String> = Vec::new();
            for id in compared_names(&arguments[0]) {
                there.push(format!("${{{}}} != ''", name(&id)));
            }
            there.push(format!("not({})", inner(&arguments[0])?));
            Ok(there.join(" and "))
        }
        Expression::Call(function, arguments) => {
            let arguments = arguments.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
            Ok(format!("{function}({})", arguments.join(", ")))
        }
    }
}

/// Returns the names whose comparison fails here if they have no answer.
fn compared_names(expression: &Expression) -> Vec<String> {
    match expression {
        Expression::Compare(sign, left, right) if !sign.is_equality() => {
            let mut names = left.names();
            names.extend(right.names());
            names
        }
        Expression::Call(function, _) if function == "selected" => expression.names(),
        Expression::And(parts) | Expression::Or(parts) => {
            parts.iter().flat_map(compared_names).collect()
        }
        _ => Vec::new(),
    }
}
