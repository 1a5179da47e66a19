//! `codebook.json`: the question of every variable, and the meaning of every code.

use serde_json::{Value, json};

use crate::domain::language::LocalizedText;
use crate::domain::questionnaire::{Choice, ItemKind, Questionnaire, Selection};
use crate::services::datasets::columns::{ResponseColumn, columns};
use crate::services::datasets::disposition_codes;
use crate::services::datasets::layout::{WEIGHT_COLUMNS, WeightColumn};
use crate::services::datasets::metadata::DatasetMetadata;
use crate::services::datasets::missing::MissingReason;

pub fn codebook(questionnaire: &Questionnaire, metadata: &DatasetMetadata) -> Value {
    let missing = metadata.missing_codes();
    let both = |text: &LocalizedText| json!(text);
    let variable = |column: ResponseColumn<'_>| {
        let item = column.item;
        let mut entry = json!({
            "variable": column.name,
            "item": item.id,
            "latent": item.latent.map(|latent| latent.as_str()),
            "text": both(&item.text),
            "required": item.required,
            "core": item.core,
        });
        match &item.kind {
            ItemKind::Scale(scale) => {
                entry["type"] = json!("scale");
                entry["from"] = json!(scale.from);
                entry["to"] = json!(scale.to);
                entry["low"] = both(&scale.low);
                entry["high"] = both(&scale.high);
            }
            ItemKind::Choice(Choice { options, selection, is_shuffled }) => {
                entry["type"] = json!(match selection {
                    Selection::One => "single",
                    Selection::Several { .. } => "multiple",
                    Selection::Ranked => "rank",
                });
                entry["options"] = options.iter().map(|o| json!({ "code": o.code, "text": both(&o.text), "exclusive": o.is_exclusive })).collect();
                entry["order"] = json!(if *is_shuffled { "random" } else { "as_written" });
            }
            ItemKind::Number(range) => {
                entry["type"] = json!("number");
                entry["unit"] = range.unit.as_ref().map_or(Value::Null, both);
            }
            ItemKind::Date { .. } => entry["type"] = json!("date"),
            ItemKind::Info => entry["type"] = json!("info"),
            ItemKind::Open { max_chars } => {
                entry["type"] = json!("open");
                entry["max_chars"] = json!(max_chars);
            }
        }
        entry["not_applicable"] = if item.not_applicable {
            json!(missing.code(MissingReason::NotApplicable))
        } else {
            Value::Null
        };
        if item.dont_know {
            entry["dont_know"] = json!(missing.code(MissingReason::DontKnow));
        }
        if item.refused {
            entry["refused"] = json!(missing.code(MissingReason::Refused));
        }
        if let Some(option) = column.option_label() {
            entry["option"] = both(option);
        }
        if let Some(heading) = &item.heading {
            entry["heading"] = both(heading);
        }
        let conditions: Vec<&str> =
            questionnaire.conditions_of(item).map(|condition| condition.source()).collect();
        if !conditions.is_empty() {
            entry["asked_if"] = json!(conditions.join(" && "));
        }
        entry
    };
    let mut reasons = json!({ "": if missing.is_complete() { "deleted" } else { "not answered" } });
    for (reason, code) in missing.all() {
        reasons[code] = json!(reason.label());
    }
    let dispositions: Vec<Value> = disposition_codes::of_rules(metadata.rules_version)
        .into_iter()
        .map(|known| json!({ "code": known.code, "name": known.name }))
        .collect();
    let mut codebook = json!({
        "questionnaire": questionnaire.code,
        "version": questionnaire.version,
        "title": questionnaire.title,
        "model": "GB/T 19038-2009",
        "missing": reasons,
        "variables": columns(questionnaire).into_iter().map(variable).collect::<Vec<_>>(),
        "dispositions": dispositions,
    });
    if metadata.has_weights() {
        let column = |column: &WeightColumn| json!({ "variable": column.name, "text": { "zh": column.zh, "en": column.en } });
        codebook["weights"] = WEIGHT_COLUMNS.iter().map(column).collect();
    }
    codebook
}
