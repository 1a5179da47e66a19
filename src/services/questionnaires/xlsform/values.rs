//! Values that nobody is asked: hidden ones, calculations, and columns without a counterpart.

use std::collections::BTreeSet;

use super::columns::collapsed;
use super::expression::{Expression, parse};
use super::findings::{Place, shortened};
use super::import::Importer;
use super::scope::{AnswerKind, Meaning};
use super::simplify::simplify;
use super::workbook::Row;
use crate::domain::questionnaire::{ROUTING_FACTS, is_field_name};

/// The columns of pictures, sounds and films; what becomes of them, and the remedy.
const MEDIA: [&str; 4] = ["image", "audio", "video", "big-image"];
const NO_MEDIA: (&str, &str) =
    ("pictures, sounds and films are not shown", "say in the label what they show");

impl Importer {
    /// A hidden value comes from outside: a fact, or a field of the list.
    pub fn read_hidden(&mut self, row: &Row, name: &str, suffix: &str) {
        if ROUTING_FACTS.contains(&name) || is_field_name(name) {
            self.names.take(name, name, &[]);
            self.scope.answers.insert(name.to_owned(), AnswerKind::Fact);
            self.define(name, suffix, Meaning::Item(name.to_owned()));
        } else {
            let what = format!("the hidden {name} is left out");
            self.findings.remark(
                Place::survey(row.number, "name"),
                what,
                "to use a field of the list, name it in small letters, digits and «_», at most 20",
            );
            self.define_unknown(name, suffix, format!("{name} is no field of the list"));
        }
    }

    pub fn read_calculation(&mut self, row: &Row, name: &str, suffix: &str) {
        let at = Place::survey(row.number, "calculation");
        if name.is_empty() {
            return self.findings.remark(at, "a calculation without a name is left out", "");
        }
        self.calculations.push(name.to_owned());
        let raw = row.get("calculation");
        let read = parse(raw).and_then(|value| self.scope.resolve(value, suffix));
        let relevant = match row.get("relevant") {
            "" => Ok(None),
            own => parse(own).and_then(|own| self.scope.resolve(own, suffix)).map(Some),
        };
        let meaning = match (read, relevant) {
            (Ok(value), Ok(own)) => {
                // Where it is not relevant, it has no value.
                let within = |condition: Option<Expression>, value: Expression| match condition {
                    None => Ok(value),
                    Some(condition) => simplify(Expression::call(
                        "if",
                        vec![condition, value, Expression::text("")],
                    )),
                };
                let group = self.group_number();
                let whole = self.groups_condition();
                within(own, value)
                    .and_then(|inside| {
                        let outside = within(whole, inside.clone())?;
                        Ok(Meaning::InGroup { group, inside, outside })
                    })
                    .unwrap_or_else(Meaning::Unknown)
            }
            (Err(why), _) | (_, Err(why)) => {
                Meaning::Unknown(format!("{name} is computed («{}»), and {why}", shortened(raw)))
            }
        };
        self.define(name, suffix, meaning);
    }

    /// Says what columns of the form have no counterpart here, once for each.
    pub fn remark_on_columns(&mut self, survey: &[Row], choices: &[Row]) {
        let rows_with = |rows: &[Row], columns: &[&str]| {
            rows.iter()
                .filter(|row| !row.get("type").is_empty() || !row.get("list_name").is_empty())
                .filter(|row| columns.iter().any(|column| row.has(column)))
                .map(|row| row.number.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        for (columns, what, remedy) in [
            (&MEDIA[..], NO_MEDIA.0, NO_MEDIA.1),
            (&["hint"], "hints are shown to interviewers, not to respondents", ""),
            (&["default"], "answers given in advance are left out", ""),
            (&["trigger"], "triggers of calculations are left out", ""),
        ] {
            let rows = rows_with(survey, columns);
            if !rows.is_empty() {
                let what = format!("{what} (rows {rows})");
                self.findings.remark(Place::survey(0, columns[0]), what, remedy);
            }
        }
        let rows = rows_with(choices, &MEDIA);
        if !rows.is_empty() {
            let what = format!("{} (rows {rows})", NO_MEDIA.0);
            self.findings.remark(Place::choices(0, MEDIA[0]), what, NO_MEDIA.1);
        }
        for row in survey {
            let is_calculation = collapsed(row.get("type")).to_lowercase().contains("calculate");
            if row.has("calculation") && row.has("label") && !is_calculation {
                let what =
                    format!("the calculation of {} is left out; it is asked", row.get("name"));
                self.findings.remark(Place::survey(row.number, "calculation"), what, "");
            }
        }
        let used = self.scope.used.borrow();
        let unused: BTreeSet<&str> = self
            .calculations
            .iter()
            .filter(|name| !used.contains(*name))
            .map(String::as_str)
            .collect();
        if !unused.is_empty() {
            let names = unused.into_iter().collect::<Vec<_>>().join(", ");
            drop(used);
            self.findings.remark(
                Place::survey(0, "calculation"),
                format!("calculations that nothing depends on are left out: {names}"),
                "compute them from the dataset",
            );
        }
    }
}
