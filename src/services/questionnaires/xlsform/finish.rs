//! Writes the questionnaire file, and checks it.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::choices::raw_texts;
use super::findings::{Place, Refusals};
use super::import::Importer;
use super::names::to_code;
use super::pages::{Placed, lay_out};
use super::scope::AnswerKind;
use super::workbook::{Row, Workbook};
use super::{ImportedQuestionnaire, XlsFormError};
use crate::domain::language::Language;
use crate::domain::questionnaire::{Questionnaire, ROUTING_FACTS, Severity, review};

fn is_question(placed: &Placed) -> bool {
    placed.item.get("type").and_then(Value::as_str) != Some("info")
}

impl Importer {
    pub fn finish(mut self, workbook: &Workbook) -> Result<ImportedQuestionnaire, XlsFormError> {
        if self.findings.refusals.is_empty() && !self.placed.iter().any(is_question) {
            self.findings.refuse(
                Place { sheet: "survey", row: 0, column: "" },
                "nothing in the form can be asked here",
                "add a question",
            );
        }
        self.mark_core();
        let list_fields = self.list_fields(&workbook.settings);
        let mut file = self.read_settings(&workbook.settings);
        if !list_fields.is_empty() {
            file.insert("list_fields".to_owned(), Value::from(list_fields));
        }
        if self.languages.untranslated > 0 {
            let what = format!(
                "{} texts stand in one language only and were taken for the others",
                self.languages.untranslated
            );
            self.findings.remark(Place::survey(0, "label"), what, "translate them");
        }
        if !self.findings.refusals.is_empty() {
            return Err(XlsFormError::Row(Refusals(self.findings.refusals)));
        }
        file.insert(
            "page".to_owned(),
            Value::Array(lay_out(std::mem::take(&mut self.placed), &self.languages)),
        );
        // A table of texts, numbers and lists can always be written as TOML.
        let toml = toml::to_string_pretty(&file).unwrap_or_default();
        let questionnaire = Questionnaire::parse(&toml)?;
        for finding in review(&questionnaire) {
            if finding.severity == Severity::Error {
                let what = (
                    format!("问卷检查：{}：{}", finding.place, finding.what.zh()),
                    format!("questionnaire check: {}: {}", finding.place, finding.what.en()),
                );
                let at = Place::survey(0, "");
                self.findings.remark_of_check(at, what, "correct it before the launch");
            }
        }
        Ok(ImportedQuestionnaire { toml, remarks: self.findings.remarks })
    }

    /// Without a column `core`, every required item is core; without those, every item.
    fn mark_core(&mut self) {
        if self.has_core {
            return;
        }
        let is_required =
            |placed: &Placed| placed.item.get("required").and_then(Value::as_bool) == Some(true);
        let has_required = self.placed.iter().any(is_required);
        for placed in &mut self.placed {
            if is_question(placed) && (is_required(placed) || !has_required) {
                placed.item.insert("required".to_owned(), Value::from(true));
                placed.item.insert("core".to_owned(), Value::from(true));
            }
        }
        let at = Place::survey(0, "core");
        if has_required {
            self.findings.remark(
                at,
                "there is no column core; every required item counts as core",
                "",
            );
        } else {
            self.findings.remark(
                at,
                "there is no column core and no required item; every item counts as core and \
                 is required",
                "set required, or core, for those that must be answered",
            );
        }
    }

    /// Returns the list fields: those of an exported form, and hidden values that something uses.
    fn list_fields(&self, settings: &Row) -> Vec<String> {
        let exact = settings.get("fieldworkd_list_fields");
        if !exact.is_empty() {
            return exact.split_whitespace().map(str::to_owned).collect();
        }
        let conditions = self.placed.iter().flat_map(|placed| {
            let own = placed.item.get("show_if").and_then(Value::as_str);
            own.into_iter().chain(placed.head.show_if.as_deref())
        });
        let words: BTreeSet<&str> = conditions
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .collect();
        let is_field = |(id, kind): &(&String, &AnswerKind)| {
            **kind == AnswerKind::Fact
                && !ROUTING_FACTS.contains(&id.as_str())
                && words.contains(id.as_str())
        };
        let mut fields: Vec<String> =
            self.scope.answers.iter().filter(is_field).map(|(id, _)| id.clone()).collect();
        fields.sort();
        fields
    }

    fn read_settings(&mut self, settings: &Row) -> Table {
        let untranslated = self.languages.untranslated;
        let title = self.languages.text(settings, "form_title").unwrap_or_else(|| {
            let id = settings.get("form_id");
            self.languages.same(if id.is_empty() { "XLSForm" } else { id })
        });
        self.languages.untranslated = untranslated;
        let title = raw_texts(settings, "title", title);
        let introduction = raw_texts(settings, "introduction", title.clone());
        let id = settings.get("form_id");
        let code = to_code(id).or_else(|| to_code(settings.get("form_title")));
        let code = code.unwrap_or_else(|| "xlsform".to_owned());
        if !id.is_empty() && code != id {
            let what = format!("the form «{id}» is called {code} here");
            self.findings.remark(Place::settings("form_id"), what, "");
        }
        let raw = settings.get("version");
        let version = raw.parse::<u32>().ok();
        if version.is_none() && !raw.is_empty() {
            let what = format!("version «{raw}» is no whole number; it is 1 here");
            self.findings.remark(Place::settings("version"), what, "");
        }
        let mut file = Table::from_iter([
            ("code".to_owned(), Value::from(code)),
            ("version".to_owned(), Value::from(i64::from(version.unwrap_or(1)))),
        ]);
        // Without the key, Chinese comes first, then English.
        let languages: Vec<Language> = self.languages.list().collect();
        if !languages.is_sorted_by_key(|language| match *language {
            Language::ZH => 0,
            Language::EN => 1,
            _ => 2,
        }) {
            let tags = languages.iter().map(|language| Value::from(language.tag()));
            file.insert("languages".to_owned(), Value::Array(tags.collect()));
        }
        file.extend([
            ("title".to_owned(), title.into_value()),
            ("introduction".to_owned(), introduction.into_value()),
        ]);
        file
    }
}
