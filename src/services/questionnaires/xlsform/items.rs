//! Builds items: what all kinds of them have in common.

use toml::{Table, Value};

use super::choices::raw_texts;
use super::columns::collapsed;
use super::conditions::Condition;
use super::findings::Place;
use super::import::Importer;
use super::languages::Texts;
use super::scope::{AnswerKind, Meaning};
use super::texts::pipe;
use super::workbook::Row;
use crate::domain::questionnaire::Latent;

/// The columns for the latent variable that an item measures.
pub const LATENT: [&str; 2] = ["latent", "fieldworkd_latent"];

/// What a row says of an item, before its kind.
pub struct Draft<'r> {
    pub row: &'r Row,
    /// The name in the form, without the suffix of the repeat's round.
    pub name: String,
    pub suffix: String,
    pub text: Texts,
}

/// The end of an item's reading: its kind here.
pub struct Kind {
    /// The `type` of the file.
    pub word: &'static str,
    pub answer: AnswerKind,
    pub keys: Vec<(&'static str, Value)>,
    /// The codes, if each has a column in the dataset.
    pub columns: Vec<String>,
}

impl Kind {
    pub fn of(word: &'static str, answer: AnswerKind) -> Kind {
        Kind { word, answer, keys: Vec::new(), columns: Vec::new() }
    }

    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Kind {
        self.keys.push((key, value.into()));
        self
    }
}

impl Importer {
    /// Notes the ids of exported items, so that no other item gets them.
    pub fn reserve_exact_names(&mut self, survey: &[Row]) {
        for row in survey {
            if let Some(id) = row.raw("fieldworkd_id") {
                // A table has an id, and no column of its own.
                if row.get("appearance") == "table-list" {
                    self.names.take_id(id);
                    continue;
                }
                let variable = row.raw("fieldworkd_variable").unwrap_or(id);
                self.names.take(id, variable, &[]);
            }
        }
    }

    /// Gives an item its id, and says so if the form's name could not be kept.
    fn id_of(&mut self, draft: &Draft, name: &str, columns: &[String]) -> String {
        if let Some(exact) = draft.row.raw("fieldworkd_id") {
            return exact.to_owned();
        }
        let id = self.names.give(name, columns);
        if id != name {
            let what = format!("{name} is called {id} here");
            self.findings.remark(Place::survey(draft.row.number, "name"), what, "");
        }
        id
    }

    /// Reads the condition of an item; `Err`: it has one that cannot be expressed.
    pub fn own_condition(&mut self, draft: &Draft) -> Result<Vec<Condition>, ()> {
        let condition = self.condition_of(draft.row, &draft.suffix, &draft.name)?;
        Ok(condition.into_iter().collect())
    }

    /// Completes an item and places it. Returns its id. `name` is the wanted one.
    pub fn add_item(
        &mut self,
        draft: &Draft,
        name: &str,
        kind: Kind,
        conditions: Vec<Condition>,
    ) -> String {
        let row = draft.row;
        let id = self.id_of(draft, name, &kind.columns);
        let mut item = Table::new();
        let mut set = |key: &str, value: Value| _ = item.insert(key.to_owned(), value);
        let is_question = kind.word != "info";
        set("id", Value::from(id.as_str()));
        let variable = row.raw("fieldworkd_variable").or(is_question.then_some(id.as_str()));
        if let Some(variable) = variable {
            set("variable", Value::from(variable));
        }
        set("type", Value::from(kind.word));
        let latent = first_filled(row, LATENT);
        match Latent::parse(latent) {
            Some(latent) => set("latent", Value::from(latent.as_str())),
            None if latent.is_empty() => {}
            None => {
                let column = if row.get(LATENT[0]).is_empty() { LATENT[1] } else { LATENT[0] };
                let known = Latent::ALL.map(Latent::as_str).join(", ");
                self.findings.refuse(
                    Place::survey(row.number, column),
                    format!("«{latent}» is no latent variable"),
                    format!("take one of {known}, or clear the cell"),
                );
            }
        }
        set("text", draft.text.clone().into_value());
        for (key, value) in kind.keys {
            set(key, value);
        }
        if is_question {
            let required = row.yes_or_no("required");
            if required.is_none() {
                self.findings.remark(
                    Place::survey(row.number, "required"),
                    format!("{name} is required under a condition; here it may be skipped"),
                    "set required to yes if it must not be",
                );
            }
            let is_core = row.is_yes("core") || row.is_yes("fieldworkd_core");
            set("required", Value::from(required == Some(true) || is_core));
            if is_core {
                set("core", Value::from(true));
            }
            for form in ["not_applicable", "dont_know", "refused"] {
                if row.is_yes(&format!("fieldworkd_{form}")) {
                    set(form, Value::from(true));
                }
            }
        }
        if let Some(exact) = row.raw("fieldworkd_screen_out_if") {
            set("screen_out_if", Value::from(exact));
        }
        let mut looks_at = text_names(&draft.text);
        if let Some(hint) = self.hint(draft) {
            looks_at.extend(text_names(&hint));
            item.insert("hint".to_owned(), hint.into_value());
        }
        for (key, column) in
            [("wrong_answer", "constraint_message"), ("missing_answer", "required_message")]
        {
            if is_question && let Some(message) = self.message(draft, key, column) {
                item.insert(key.to_owned(), message.into_value());
            }
        }
        for (key, column) in [("sms", "sms"), ("unit", "unit")] {
            let text = raw_texts(row, column, self.languages.same(""));
            if !text.has_gap() {
                looks_at.extend(text_names(&text));
                item.insert(key.to_owned(), text.into_value());
            }
        }
        self.form_names.insert(id.clone(), draft.name.clone());
        self.scope.answers.insert(id.clone(), kind.answer);
        self.place(item, conditions, looks_at);
        id
    }

    fn hint(&mut self, draft: &Draft) -> Option<Texts> {
        let row = draft.row;
        let plain = self.languages.text(row, "hint");
        let plain = plain.or_else(|| self.languages.text(row, "guidance_hint"));
        let blank = self.languages.same("");
        if blank.is_exact(row, "hint") {
            return Some(raw_texts(row, "hint", plain.unwrap_or(blank)));
        }
        match plain?.map(|text| pipe(text, &self.scope, &draft.suffix)) {
            Ok(hint) => Some(hint),
            Err(why) => {
                let what = format!("the hint of {} is left out: {why}", draft.name);
                self.findings.remark(Place::survey(row.number, "hint"), what, "");
                None
            }
        }
    }

    /// A message of the form's own. It is shown as it stands, so names of questions in it become
    /// their labels.
    fn message(&mut self, draft: &Draft, key: &str, column: &str) -> Option<Texts> {
        let row = draft.row;
        let blank = self.languages.same("");
        let plain = self.languages.text(row, column);
        if blank.is_exact(row, key) {
            return Some(raw_texts(row, key, plain.unwrap_or(blank)));
        }
        let message = plain?.map(|text| pipe(text, &self.scope, &draft.suffix)).ok()?;
        let names_nothing = text_names(&message).is_empty();
        if !names_nothing {
            let what = format!("the {column} of {} shows an answer; ours is shown", draft.name);
            self.findings.remark(Place::survey(row.number, column), what, "");
        }
        names_nothing.then_some(message)
    }

    /// Places a group's label as a text between questions.
    pub fn place_heading(&mut self, row: &Row, heading: Texts, suffix: &str) {
        let name = collapsed(row.get("name"));
        let name = if name.is_empty() { format!("group_{}", row.number) } else { name };
        let id = self.names.give(&format!("{name}{suffix}"), &[]);
        let looks_at = text_names(&heading);
        let item = Table::from_iter([
            ("id".to_owned(), Value::from(id)),
            ("type".to_owned(), Value::from("info")),
            ("text".to_owned(), heading.into_value()),
        ]);
        self.place(item, Vec::new(), looks_at);
    }

    /// Defines the name of a question that is not asked here.
    pub fn define_unknown(&mut self, name: &str, suffix: &str, why: String) {
        self.define(name, suffix, Meaning::Unknown(why));
    }
}

pub fn first_filled<'r, const N: usize>(row: &'r Row, columns: [&str; N]) -> &'r str {
    columns.into_iter().map(|column| row.get(column)).find(|cell| !cell.is_empty()).unwrap_or("")
}

/// Returns the ids of the answers that a text shows.
fn text_names(text: &Texts) -> Vec<String> {
    let names = |text: &str| {
        text.split("{answer:")
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(id, _)| id.to_owned())
            .collect::<Vec<_>>()
    };
    text.iter().flat_map(|(_, text)| names(text)).collect()
}
