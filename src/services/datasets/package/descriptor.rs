//! `datapackage.json`: a Frictionless Tabular Data Package over the CSV tables.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::codebook::{DONT_KNOW, NOT_APPLICABLE};
use crate::services::datasets::metadata::About;
use crate::services::datasets::layout::{Field, FieldKind, SUPPRESSED, Table, layout};
use crate::domain::questionnaire::Questionnaire;
use crate::adapters::transports::FileFacts;

pub fn descriptor(about: &About, questionnaire: &Questionnaire, files: &BTreeMap<String, FileFacts>) -> Value {
    let resource = |table: Table| {
        let path = format!("{}.csv", table.name());
        let facts = files.get(&path);
        let fields = layout(table, questionnaire, &about.list_fields);
        let mut schema = json!({
            "fields": fields.iter().map(described).collect::<Vec<_>>(),
            "missingValues": if table == Table::Responses { vec!["", NOT_APPLICABLE, DONT_KNOW] } else { vec!["", SUPPRESSED] },
            "primaryKey": table.key(),
        });
        if table != Table::Cases {
            schema["foreignKeys"] = json!([{ "fields": ["case"], "reference": { "resource": "cases", "fields": ["case"] } }]);
        }
        json!({
            "name": table.name(), "path": path, "title": table.title(), "profile": "tabular-data-resource",
            "format": "csv", "mediatype": "text/csv", "encoding": "utf-8",
            "bytes": facts.map(|facts| facts.bytes), "hash": facts.map(|facts| format!("sha256:{}", facts.sha256)), "schema": schema,
        })
    };
    json!({
        "profile": "tabular-data-package",
        "name": format!("{}-{}{}", about.application.to_lowercase(), if about.kind == "final" { "v" } else { "interim-" }, about.version),
        "title": about.subject,
        "created": about.frozen_at,
        "version": about.version.to_string(),
        "fieldwork": {
            "application": about.application, "category": about.category, "questionnaire": about.questionnaire,
            "questionnaire_version": about.questionnaire_version, "target": about.target, "closed_by": about.closed_by,
            "rr1": about.rates.get("RR1").copied().flatten(), "kind": about.kind, "reason": about.reason,
        },
        "resources": Table::ALL.map(resource),
    })
}

fn described(field: &Field<'_>) -> Value {
    let mut described = json!({ "name": field.name, "type": field.kind.schema_type(), "title": field.title, "constraints": field.constraints });
    if field.kind == FieldKind::Time {
        described["format"] = json!("%Y-%m-%dT%H:%M:%S%z");
    }
    if let Some(description) = &field.description {
        described["description"] = json!(description);
    }
    described
}
