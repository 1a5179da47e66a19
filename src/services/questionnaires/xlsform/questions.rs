//! Reads a row of the sheet `survey`.

use std::collections::BTreeSet;

use super::choices::raw_texts;
use super::columns::collapsed;
use super::expression::Expression;
use super::findings::Place;
use super::import::Importer;
use super::items::{Draft, Kind};
use super::languages::Texts;
use super::scope::{AnswerKind, Meaning};
use super::texts::{Losses, losses, pipe};
use super::types::RowType;
use super::workbook::Row;

impl Importer {
    pub fn read_question(&mut self, row: &Row, kind: &RowType, suffix: &str) {
        let written_type = collapsed(row.get("type"));
        let word = written_type.split(' ').next().unwrap_or_default().to_owned();
        let name = collapsed(row.get("name"));
        let at = |column| Place::survey(row.number, column);
        match kind {
            RowType::Metadata => {
                let what = format!(
                    "{written_type} is left out; times, device and mode are kept with every \
                     response anyway"
                );
                self.findings.remark(at("type"), what, "");
                let name = if name.is_empty() { word } else { name };
                return self.define_unknown(
                    &name,
                    suffix,
                    format!("{name} is not kept as an answer"),
                );
            }
            RowType::Hidden => return self.read_hidden(row, &name, suffix),
            RowType::Calculate => return self.read_calculation(row, &name, suffix),
            RowType::Unsupported { remedy } => {
                self.findings.leave_out(
                    at("type"),
                    format!("type {written_type} cannot be asked here"),
                    remedy,
                );
                return self.define_unknown(&name, suffix, format!("{name} cannot be asked here"));
            }
            RowType::Unknown => {
                self.findings.leave_out(
                    at("type"),
                    format!("type {written_type} is not known"),
                    "take one of xlsform.org",
                );
                return self.define_unknown(&name, suffix, format!("{name} has no known type"));
            }
            _ => {}
        }
        let name = match (name.is_empty(), kind) {
            (false, _) => name,
            (true, RowType::Note) => format!("note_{}", row.number),
            (true, _) => {
                self.findings.refuse(at("name"), "the question has no name", "give it one");
                format!("q_{}", row.number)
            }
        };
        let is_twice = !self.is_new_name(row, &name, suffix);
        if is_twice {
            return;
        }
        let Some(draft) = self.draft(row, kind, name.clone(), suffix) else {
            // Its condition may hold a second finding.
            let _ = self.condition_of(row, suffix, &name);
            return;
        };
        let Ok(conditions) = self.own_condition(&draft) else {
            let why = format!("{} is not asked here", draft.name);
            return self.define_unknown(&draft.name, suffix, why);
        };
        let is_shown_only = row.is_yes("readonly") && *kind != RowType::Note;
        if is_shown_only {
            let what = format!("{} can only be read, so it is shown as a text", draft.name);
            self.findings.remark(at("readonly"), what, "");
        }
        self.labels.entry(draft.name.clone()).or_insert_with(|| draft.text.clone());
        if let (RowType::Select { kind, list, or_other }, false) = (kind, is_shown_only) {
            return self.read_select(&draft, *kind, list, *or_other, conditions);
        }
        let item_name = format!("{}{suffix}", draft.name);
        if *kind == RowType::Note || is_shown_only {
            let kind = Kind::of("info", AnswerKind::Text);
            self.add_item(&draft, &item_name, kind, conditions);
            let nothing = Meaning::Calculation(Expression::text(""));
            return self.define(&draft.name, suffix, nothing);
        }
        let Some(kind) = self.kind_of(&draft, kind) else {
            let why = format!("{} is not asked here", draft.name);
            return self.define_unknown(&draft.name, suffix, why);
        };
        let id = self.add_item(&draft, &item_name, kind, conditions);
        self.define(&draft.name, suffix, Meaning::Item(id));
    }

    /// Notes a name; `false`: its group has it already, which is refused.
    fn is_new_name(&mut self, row: &Row, name: &str, suffix: &str) -> bool {
        let group = self.group_number();
        let at = Place::survey(row.number, "name");
        match self.defined_in.insert((name.to_owned(), suffix.to_owned()), group) {
            None => true,
            Some(other) if other == group => {
                let what = format!("the name {name} stands twice");
                self.findings.refuse(at, what, "rename one of the two");
                false
            }
            Some(_) => {
                // The standard allows it in different groups, where `${name}` means neither.
                let what = format!("the name {name} stands in two groups");
                self.findings.remark(at, what, "rename one, if something refers to it");
                true
            }
        }
    }

    /// Says what a label loses here.
    pub fn remark_on_losses(&mut self, at: Place, whose: &str, label: &Texts, suffix: &str) {
        let all: Vec<Losses> =
            label.iter().map(|(_, text)| losses(text, &self.scope, suffix)).collect();
        let empty: BTreeSet<&str> =
            all.iter().flat_map(|losses| losses.empty.iter().map(String::as_str)).collect();
        for name in empty {
            let what = format!("the label of {whose} shows {name}, which has no answer to show");
            self.findings.remark(at, what, "write its text into the label");
        }
        if all.iter().any(|losses| losses.has_braces) {
            let what = format!("braces in the label of {whose} became parentheses");
            self.findings.remark(at, what, "braces stand for {subject} and {applicant} only");
        }
    }

    /// Reads the label; `None`: there is none, which is a finding.
    fn draft<'r>(
        &mut self,
        row: &'r Row,
        kind: &RowType,
        name: String,
        suffix: &str,
    ) -> Option<Draft<'r>> {
        let appearance = row.get("appearance").to_lowercase();
        let has_word = |word: &str| appearance.split_whitespace().any(|own| own == word);
        let label = self.languages.text(row, "label");
        if has_word("list-nolabel")
            && let Some(group) = self.group()
        {
            group.is_grid = true;
            group.heading = group.heading.take().or_else(|| group.title.clone());
        }
        if has_word("label") && matches!(kind, RowType::Select { .. }) && self.group_number() > 0 {
            // The heading of a table of questions, not a question of its own.
            let heading = label.map(|label| label.map(|text| pipe(text, &self.scope, suffix)));
            if let (Some(group), Some(Ok(heading))) = (self.group(), heading) {
                group.heading = Some(heading);
                group.is_grid = true;
            }
            self.define_unknown(&name, suffix, format!("{name} is the heading of a table"));
            return None;
        }
        let label = label
            .or_else(|| self.languages.text(row, "hint"))
            .or_else(|| self.languages.text(row, "guidance_hint"));
        let at = Place::survey(row.number, "label");
        let Some(label) = label.map(|label| raw_texts(row, "text", label)) else {
            let what = format!("{name} has no label");
            if *kind == RowType::Note {
                self.findings.remark(
                    at,
                    format!("{what}; left out"),
                    "give it one if it says something",
                );
                let nothing = Meaning::Calculation(Expression::text(""));
                self.define(&name, suffix, nothing);
            } else {
                self.findings.leave_out(at, what, "give it one");
                self.define_unknown(&name, suffix, format!("{name} is not asked here"));
            }
            return None;
        };
        let text = if label.is_exact(row, "text") {
            Ok(label)
        } else {
            self.remark_on_losses(at, &name, &label, suffix);
            label.map(|text| pipe(text, &self.scope, suffix))
        };
        match text {
            Ok(text) if text.has_gap() => {
                self.findings.remark(
                    at,
                    format!("{name} shows nothing that is kept here; left out"),
                    "",
                );
                self.define_unknown(&name, suffix, format!("{name} is left out"));
                None
            }
            Ok(text) => Some(Draft { row, name, suffix: suffix.to_owned(), text }),
            Err(why) => {
                self.findings.leave_out(
                    at,
                    format!("the label of {name}: {why}"),
                    "change the label",
                );
                self.define_unknown(&name, suffix, format!("{name} is not asked here"));
                None
            }
        }
    }
}
