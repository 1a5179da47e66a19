//! `datapackage.json`: a Frictionless Tabular Data Package for the CSV tables.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::adapters::transports::FileDigest;
use crate::domain::questionnaire::Questionnaire;
use crate::services::datasets::layout::{Field, FieldKind, SUPPRESSED, Table, layout};
use crate::services::datasets::metadata::DatasetMetadata;

pub fn descriptor(
    metadata: &DatasetMetadata,
    questionnaire: &Questionnaire,
    files: &BTreeMap<String, FileDigest>,
) -> Value {
    let missing: Vec<&str> =
        [""].into_iter().chain(metadata.missing_codes().all().map(|(_, code)| code)).collect();
    let resource = |table: Table| {
        let path = format!("{}.csv", table.name());
        let facts = files.get(&path);
        let fields = layout(table, questionnaire, metadata);
        let mut schema = json!({
            "fields": fields.iter().map(described).collect::<Vec<_>>(),
            "missingValues": if table == Table::Responses { missing.clone() } else { vec!["", SUPPRESSED] },
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
        "name": format!("{}-{}{}", metadata.application.to_lowercase(), if metadata.kind == "final" { "v" } else { "interim-" }, metadata.version),
        "title": metadata.subject,
        "created": metadata.frozen_at,
        "version": metadata.version.to_string(),
        "fieldwork": {
            "application": metadata.application, "category": metadata.category, "questionnaire": metadata.questionnaire,
            "questionnaire_version": metadata.questionnaire_version, "target": metadata.target, "closed_by": metadata.closed_by,
            "rr1": metadata.rates.get("RR1").copied().flatten(), "kind": metadata.kind, "reason": metadata.reason,
        },
        "resources": Table::of_rules(metadata.rules_version).iter().map(|table| resource(*table)).collect::<Vec<_>>(),
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
