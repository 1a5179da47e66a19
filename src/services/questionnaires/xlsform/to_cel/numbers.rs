//! Comparisons of numbers that are computed. CEL tells whole numbers from others, XPath does not.

use super::super::expression::{Expression, Operator, Sign, shown_number};
use super::super::scope::AnswerKind;
use super::{CelWriter, Written, are_unchanged, described, free_text, guarded};

impl CelWriter<'_> {
    /// Writes a comparison of numbers that are computed.
    pub(super) fn numbers(
        &self,
        sign: Sign,
        left: &Expression,
        right: &Expression,
        is_total: bool,
    ) -> Written {
        let is_whole = self.is_whole(left) && self.is_whole(right);
        let written = format!(
            "{} {} {}",
            self.number(left, is_whole)?,
            sign.in_cel(),
            self.number(right, is_whole)?
        );
        let mut names = left.names();
        names.extend(right.names());
        names.dedup();
        if sign == Sign::NotEqual {
            let missing: Vec<String> = names.iter().map(|id| format!("{id} == null")).collect();
            return Ok(format!("({} || {written})", missing.join(" || ")));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(guarded(written, &names, is_total))
    }

    fn is_whole(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Number(number) => number.fract() == 0.0,
            Expression::Name(id) => match self.answers.get(id) {
                Some(AnswerKind::Number { is_whole, .. }) => *is_whole,
                Some(AnswerKind::One(codes)) => {
                    codes.iter().all(|code| code.ours.parse::<i64>().is_ok())
                }
                _ => false,
            },
            Expression::Arithmetic(operator, left, right) => {
                *operator != Operator::Divide && self.is_whole(left) && self.is_whole(right)
            }
            Expression::Negative(inner) => self.is_whole(inner),
            Expression::Call(function, inner) => match function.as_str() {
                "count-selected" => true,
                "number" | "int" => inner.iter().all(|inner| self.is_whole(inner)),
                _ => false,
            },
            _ => false,
        }
    }

    fn number(&self, expression: &Expression, is_whole: bool) -> Written {
        let number = |inner: &Expression| self.number(inner, is_whole);
        match expression {
            Expression::Number(number) if is_whole => Ok(shown_number(*number)),
            Expression::Number(number) => Ok(format!("{number:?}")),
            Expression::Name(id) => match self.kind(id)? {
                AnswerKind::Number { .. } if is_whole => Ok(id.clone()),
                AnswerKind::Number { .. } => Ok(format!("double({id})")),
                AnswerKind::One(codes)
                    if are_unchanged(codes)
                        && codes.iter().all(|code| code.ours.parse::<f64>().is_ok()) =>
                {
                    Ok(if is_whole { format!("int({id})") } else { format!("double({id})") })
                }
                AnswerKind::Text => Err(free_text(id)),
                _ => Err(format!("{id} is no number")),
            },
            Expression::Arithmetic(operator, left, right) => {
                let sign = match operator {
                    Operator::Add => "+",
                    Operator::Subtract => "-",
                    Operator::Multiply => "*",
                    Operator::Divide => "/",
                    Operator::Modulo if is_whole => "%",
                    Operator::Modulo => return Err("mod is for whole numbers here".to_owned()),
                };
                let part = |side: &Expression| {
                    let written = number(side)?;
                    let is_chain = ["+", "*"].contains(&sign);
                    let is_nested = matches!(
                        side,
                        Expression::Arithmetic(inner, ..) if inner != operator || !is_chain
                    );
                    Ok::<String, String>(if is_nested { format!("({written})") } else { written })
                };
                Ok(format!("{} {sign} {}", part(left)?, part(right)?))
            }
            Expression::Negative(inner) => Ok(format!("-({})", number(inner)?)),
            Expression::Call(function, arguments) => {
                match (function.as_str(), arguments.as_slice()) {
                    ("number", [inner]) => number(inner),
                    ("int", [inner]) if is_whole => number(inner),
                    ("count-selected", [Expression::Name(id)]) => Ok(if is_whole {
                        format!("size({id})")
                    } else {
                        format!("double(size({id}))")
                    }),
                    (other, _) => Err(format!("the function {other}() is not known here")),
                }
            }
            other => Err(format!("{} is no number", described(other))),
        }
    }
}
