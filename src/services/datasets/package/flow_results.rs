//! `flow-results.json` and `flow-results-data.json`: a FLOIP Flow Results 1.0.0-rc1 package, one
//! row per answer (<https://floip.gitbook.io/flow-results-specification>).

use std::collections::HashMap;
use std::io::{self, Write};

use csv::StringRecord;
use serde_json::{Map, Value, json};

use super::{FormatContext, TableFormat, pretty};
use crate::adapters::crypto::sha256_hex;
use crate::adapters::transports::NewFile;
use crate::domain::questionnaire::{Choice, Item, ItemKind, Selection};
use crate::services::datasets::layout::{Field, FieldKind, Table, layout};
use crate::services::datasets::missing::{MissingCodes, MissingReason};

const DATA: &str = "flow-results-data.json";
/// All files of the format.
pub(super) const FILES: [&str; 2] = ["flow-results.json", DATA];

pub struct FlowResults {
    out: NewFile,
    questions: Vec<Question>,
    started_at: usize,
    completed_at: usize,
    /// When the questions of the responses of this block were answered, by case.
    answered_at: HashMap<String, HashMap<String, String>>,
    missing: MissingCodes,
    rows: u64,
}

/// A question and the columns of its answer: one, or one per option.
struct Question {
    id: String,
    columns: Vec<(usize, Option<String>)>,
    is_number: bool,
    is_ranking: bool,
}

impl FlowResults {
    pub(super) fn begin(format_context: FormatContext<'_>) -> io::Result<FlowResults> {
        let fields =
            layout(Table::Responses, format_context.questionnaire, format_context.metadata);
        format_context.folder.write("flow-results.json", &pretty(&descriptor(format_context)))?;
        let mut questions: Vec<Question> = Vec::new();
        for (field, at) in fields.iter().zip(0..) {
            let Some(column) = &field.column else { continue };
            let code = column.option.map(str::to_owned);
            match questions.last_mut().filter(|question| question.id == column.item.variable) {
                Some(question) => question.columns.push((at, code)),
                None => questions.push(Question {
                    id: column.item.variable.clone(),
                    columns: vec![(at, code)],
                    is_number: matches!(field.kind, FieldKind::Integer | FieldKind::Number),
                    is_ranking: matches!(&column.item.kind, ItemKind::Choice(choice) if choice.selection == Selection::Ranked),
                }),
            }
        }
        let place = |name: &str| {
            fields.iter().position(|field: &Field<'_>| field.name == name).unwrap_or(0)
        };
        let mut out = format_context.folder.file(DATA)?;
        out.write_all(b"[")?;
        Ok(FlowResults {
            out,
            started_at: place("started_at"),
            completed_at: place("completed_at"),
            questions,
            answered_at: HashMap::new(),
            missing: format_context.metadata.missing_codes(),
            rows: 0,
        })
    }
}

fn descriptor(format_context: FormatContext<'_>) -> Value {
    let metadata = format_context.metadata;
    let language = format_context.questionnaire.languages.first().copied().unwrap_or_default();
    let text =
        |name: &str, title: &str, kind: &str| json!({ "name": name, "title": title, "type": kind });
    let questions: Map<String, Value> = format_context
        .questionnaire
        .items()
        .filter(|item| item.is_question())
        .map(|item| (item.variable.clone(), question(item)))
        .collect();
    let id = uuid_of(&format!("{} {} {}", metadata.application, metadata.kind, metadata.version));
    json!({
        "profile": "flow-results-package",
        "name": format!("{}-{}-{}", metadata.application, metadata.kind, metadata.version).to_lowercase(),
        "flow_results_specification_version": "1.0.0-rc1",
        "created": metadata.frozen_at,
        "modified": metadata.frozen_at,
        "id": id,
        "title": metadata.subject,
        "resources": [{
            "path": DATA,
            "api_data_url": null,
            "mediatype": "application/json",
            "encoding": "utf-8",
            "schema": {
                "language": language.three_letters(),
                "fields": [
                    text("timestamp", "Timestamp", "datetime"), text("row_id", "Row ID", "string"), text("contact_id", "Contact ID", "string"),
                    text("session_id", "Session ID", "string"), text("question_id", "Question ID", "string"), text("response", "Response", "any"),
                    text("response_metadata", "Response Metadata", "object"),
                ],
                "questions": questions,
            },
        }],
    })
}

fn question(item: &Item) -> Value {
    let (kind, options) = match &item.kind {
        ItemKind::Scale(scale) => ("numeric", json!({ "range": [scale.from, scale.to] })),
        ItemKind::Choice(Choice { options, selection, .. }) => {
            let kind = if *selection == Selection::One { "select_one" } else { "select_many" };
            (
                kind,
                json!({ "choices": options.iter().map(|option| option.code.as_str()).collect::<Vec<_>>() }),
            )
        }
        ItemKind::Number(range) => match (range.min, range.max) {
            (Some(min), Some(max)) => ("numeric", json!({ "range": [min, max] })),
            _ => ("numeric", json!({})),
        },
        ItemKind::Date { .. } => ("date", json!({})),
        ItemKind::Open { .. } => ("text", json!({})),
        ItemKind::Info => ("message", json!({})),
    };
    json!({ "type": kind, "label": item.text.first(), "type_options": options })
}

/// Returns a UUID in the form of version 4 that is derived from the name, so that it is the same
/// for the same version of a dataset.
fn uuid_of(name: &str) -> String {
    let hash = sha256_hex(name.as_bytes());
    // The version (4) and variant fields of RFC 9562.
    format!(
        "{}-{}-4{}-a{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[13..16],
        &hash[17..20],
        &hash[20..32]
    )
}

impl Question {
    /// Returns the answer and its metadata; `None`: the question was not asked.
    fn response(&self, row: &StringRecord, missing: MissingCodes) -> Option<(Value, Value)> {
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let first = cell(self.columns.first()?.0);
        if first.is_empty() {
            return None;
        }
        match missing.reason(first) {
            Some(MissingReason::NotAsked | MissingReason::NotReached) => return None,
            Some(reason) => return Some((Value::Null, json!({ "missing": reason.name() }))),
            None => {}
        }
        if self.is_ranking {
            let mut ranked: Vec<(u32, &str)> = self
                .columns
                .iter()
                .filter_map(|(at, code)| Some((cell(*at).parse().ok()?, code.as_deref()?)))
                .collect();
            ranked.sort_unstable();
            return Some((
                ranked.into_iter().map(|(_, code)| code).collect(),
                json!({ "order": "ranked" }),
            ));
        }
        if self.columns.iter().any(|(_, code)| code.is_some()) {
            let taken = self
                .columns
                .iter()
                .filter(|(at, _)| cell(*at) == "1")
                .filter_map(|(_, code)| code.as_deref());
            return Some((taken.collect(), json!({})));
        }
        let number = || {
            first
                .parse::<i64>()
                .map(Value::from)
                .or_else(|_| first.parse::<f64>().map(Value::from))
                .ok()
        };
        Some((if self.is_number { number()? } else { Value::from(first) }, json!({})))
    }
}

impl TableFormat for FlowResults {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        let cell = |at: usize| row.get(at).unwrap_or_default();
        match table {
            Table::Responses => {}
            Table::Answers => {
                let [case, variable, at] = [0, 1, 4].map(|place| cell(place).to_owned());
                self.answered_at.entry(case).or_default().insert(variable, at);
                return Ok(());
            }
            Table::Cases | Table::Paradata => return Ok(()),
        }
        let answered_at = self.answered_at.remove(cell(0)).unwrap_or_default();
        let at = if cell(self.completed_at).is_empty() {
            cell(self.started_at)
        } else {
            cell(self.completed_at)
        };
        for question in &self.questions {
            let Some((response, metadata)) = question.response(row, self.missing) else { continue };
            self.out.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
            self.rows += 1;
            // A question without an answer was over with the interview.
            let at = answered_at.get(&question.id).map_or(at, String::as_str);
            let row = json!([
                at,
                self.rows.to_string(),
                cell(0),
                cell(0),
                question.id,
                response,
                metadata
            ]);
            serde_json::to_writer(&mut self.out, &row)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.write_all(b"\n]\n")?;
        self.out.finish().map(|_| ())
    }
}
