//! The conditions of rows and groups.

use super::export::relevant_of;
use super::expression::{Expression, parse};
use super::findings::{Place, shortened};
use super::import::Importer;
use super::to_cel::CelWriter;
use super::workbook::Row;

/// A condition in our words, and what it looks at.
#[derive(Debug, Clone)]
pub struct Condition {
    pub cel: String,
    pub looks_at: Vec<String>,
    /// The condition as a tree, if it was read from the form.
    pub expression: Option<Expression>,
}

impl CelWriter<'_> {
    fn write(&self, condition: Expression) -> Result<Condition, String> {
        let cel = self.condition(&condition)?;
        Ok(Condition { cel, looks_at: condition.names(), expression: Some(condition) })
    }
}

impl Importer {
    /// Reads the condition of a row; `Err`: it has one that cannot be expressed, which is a finding.
    pub fn condition_of(
        &mut self,
        row: &Row,
        suffix: &str,
        whose: &str,
    ) -> Result<Option<Condition>, ()> {
        let relevant = row.get("relevant");
        if let Some(exact) = row.raw("fieldworkd_show_if") {
            return self.exact_condition(row, exact);
        }
        let plain = relevant.trim_start_matches('=').to_lowercase();
        let read = match plain.as_str() {
            "" | "true" | "true()" | "yes" => return Ok(None),
            "false" | "false()" | "no" => Ok(Expression::Truth(false)),
            _ => parse(relevant),
        };
        let at = Place::survey(row.number, "relevant");
        let resolved = read.and_then(|condition| self.scope.resolve(condition, suffix));
        let mut strange = Vec::new();
        let written = resolved.and_then(|condition| match condition {
            Expression::Truth(true) => Ok(None),
            condition => {
                let writer = CelWriter::new(&self.scope.answers);
                let written = writer.write(condition);
                strange = writer.strange_codes.into_inner();
                written.map(Some)
            }
        });
        match written {
            Ok(Some(condition)) if condition.cel == "true" => Ok(None),
            Ok(Some(condition)) if condition.cel == "false" => {
                let what = format!("{whose} is never asked («{}»)", shortened(relevant));
                match strange.first() {
                    // A code that there is not is a slip; what is switched off is meant so.
                    Some(strange) => {
                        let what = format!("{what}: {strange}");
                        self.findings.leave_out(at, what, "correct the condition");
                    }
                    None => self.findings.remark(at, format!("{what}; left out"), ""),
                }
                Err(())
            }
            Ok(condition) => {
                for strange in strange {
                    self.findings.remark(at, strange, "correct the condition");
                }
                Ok(condition)
            }
            Err(problem) => {
                let what = format!("relevant «{}»: {problem}", shortened(relevant));
                self.findings.leave_out(at, what, "change the condition");
                Err(())
            }
        }
    }

    /// Takes the condition of an exported form, if `relevant` still is what was exported.
    fn exact_condition(&mut self, row: &Row, exact: &str) -> Result<Option<Condition>, ()> {
        let at = Place::survey(row.number, "fieldworkd_show_if");
        let name = |id: &str| self.form_names.get(id).cloned().unwrap_or_else(|| id.to_owned());
        if relevant_of(exact, &name) != row.get("relevant") {
            self.findings.refuse(
                at,
                "relevant was changed, and this column still holds the condition from before",
                "delete the cell, so that relevant counts",
            );
            return Err(());
        }
        match crate::domain::condition::Condition::parse(exact) {
            Ok(condition) => Ok(Some(Condition {
                cel: exact.to_owned(),
                looks_at: condition.names().to_vec(),
                expression: None,
            })),
            Err(problem) => {
                self.findings.refuse(at, format!("it cannot be read: {problem}"), "correct it");
                Err(())
            }
        }
    }

    /// Writes a resolved condition in our words.
    pub fn write(&self, condition: Expression) -> Result<Condition, String> {
        CelWriter::new(&self.scope.answers).write(condition)
    }

    /// Returns the condition of everything in the open groups, as a tree; `None`: always.
    pub fn groups_condition(&self) -> Option<Expression> {
        let all =
            self.groups.iter().filter_map(|group| group.condition.as_ref()?.expression.clone());
        Expression::all(all.collect())
    }
}
