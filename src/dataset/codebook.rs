//! `codebook.json`: what every variable asked, and what every code means.

use serde_json::{Value, json};

use crate::domain::disposition::Disposition;
use crate::domain::questionnaire::{ItemKind, Questionnaire};

/// In `responses.csv`: the respondent said that the item does not apply. An empty cell: not answered.
pub const NOT_APPLICABLE: &str = "NA";

pub fn codebook(questionnaire: &Questionnaire) -> Value {
    let item = |item: &crate::domain::questionnaire::Item| {
        let mut entry = json!({
            "variable": item.variable,
            "item": item.id,
            "latent": item.latent.map(|latent| latent.as_str()),
            "text": { "zh": item.text.zh, "en": item.text.en },
            "required": item.required,
            "core": item.core,
        });
        match &item.kind {
            ItemKind::Scale(scale) => {
                entry["type"] = json!("scale");
                entry["from"] = json!(scale.from);
                entry["to"] = json!(scale.to);
                entry["low"] = json!({ "zh": scale.low.zh, "en": scale.low.en });
                entry["high"] = json!({ "zh": scale.high.zh, "en": scale.high.en });
                entry["not_applicable"] = if scale.not_applicable { json!(NOT_APPLICABLE) } else { Value::Null };
            }
            ItemKind::Open { max_chars } => {
                entry["type"] = json!("open");
                entry["max_chars"] = json!(max_chars);
            }
        }
        entry
    };
    json!({
        "questionnaire": questionnaire.code,
        "version": questionnaire.version,
        "title": { "zh": questionnaire.title.zh, "en": questionnaire.title.en },
        "model": "GB/T 19038-2009",
        "missing": { "": "not answered", NOT_APPLICABLE: "not applicable" },
        "variables": questionnaire.items().map(item).collect::<Vec<_>>(),
        "dispositions": Disposition::ALL.map(|d| json!({ "code": d.code(), "name": d.name() })),
    })
}
