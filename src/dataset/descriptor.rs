//! `datapackage.json`: a Frictionless Tabular Data Package over the tables.

use serde_json::{Value, json};

use super::codebook::{DONT_KNOW, NOT_APPLICABLE};
use super::columns::columns;
use crate::crypto::sha256_hex;
use crate::domain::disposition::Disposition;
use crate::domain::questionnaire::Questionnaire;

/// What the descriptor tells of the fieldwork.
pub struct About<'a> {
    pub application: &'a str,
    pub category: &'a str,
    pub subject: String,
    pub version: u32,
    pub created: String,
    pub target: u32,
    pub closed_by: Option<&'static str>,
    pub rr1: Option<f64>,
}

fn field(name: &str, kind: &str, title: &str, constraints: Value) -> Value {
    json!({ "name": name, "type": kind, "title": title, "constraints": constraints })
}

fn time(name: &str, title: &str) -> Value {
    let mut time = field(name, "datetime", title, json!({}));
    time["format"] = json!("%Y-%m-%dT%H:%M:%S%z");
    time
}

pub fn descriptor<'a>(
    about: &About<'_>,
    questionnaire: &Questionnaire,
    list_fields: impl Iterator<Item = &'a String>,
    files: &[(String, Vec<u8>)],
) -> Value {
    let codes: Vec<&str> = Disposition::ALL.iter().map(|d| d.code()).collect();
    let names: Vec<&str> = Disposition::ALL.iter().map(|d| d.name()).collect();
    let resource = |name: &str, title: &str, schema: Value| {
        let path = format!("{name}.csv");
        let content = files.iter().find(|(file, _)| *file == path).map(|(_, content)| content.as_slice()).unwrap_or_default();
        json!({
            "name": name, "path": path, "title": title, "profile": "tabular-data-resource",
            "format": "csv", "mediatype": "text/csv", "encoding": "utf-8",
            "bytes": content.len(), "hash": format!("sha256:{}", sha256_hex(content)), "schema": schema,
        })
    };
    let case = field("case", "string", "pseudonym of the case, of this application only", json!({ "required": true, "unique": true }));
    let mut response_fields = vec![
        case.clone(),
        field("disposition", "string", "AAPOR final disposition", json!({ "required": true, "enum": ["1.1", "1.2"] })),
        field("language", "string", "language of the interview", json!({ "required": true, "enum": ["zh", "en"] })),
        field("mode", "string", "mode of the interview", json!({ "required": true })),
        time("started_at", "first page"),
        time("completed_at", "last page; empty for a partial response"),
        field("seconds", "integer", "time on the pages, without the pauses between visits", json!({ "minimum": 0 })),
        field("device", "string", "kind of device that the last page was sent from", json!({ "enum": ["phone", "tablet", "computer", "unknown"] })),
        field("speeding", "boolean", "took less than the set share of the median", json!({})),
        field("straight_lining", "boolean", "the same point throughout, in every page of three ratings or more", json!({})),
        field("item_nonresponse", "number", "share of the asked items left empty or answered with don't know", json!({ "minimum": 0, "maximum": 1 })),
    ];
    response_fields.extend(columns(questionnaire).iter().map(|column| {
        let (kind, constraints) = column.schema();
        let (item, option) = (column.item, column.option_label());
        let title = |text: &str, option: Option<&str>| option.map_or(text.to_owned(), |option| format!("{text} {option}"));
        let mut described = field(&column.name, kind, &title(&item.text.zh, option.map(|o| o.zh.as_str())), constraints);
        let english = title(&item.text.en, option.map(|o| o.en.as_str()));
        described["description"] = json!(item.latent.map_or(english.clone(), |latent| format!("{english} [{}]", latent.as_str())));
        described
    }));
    let mut case_fields = vec![
        case,
        field("segment", "string", "kind of user, as on the list", json!({})),
        field("disposition", "string", "AAPOR final disposition", json!({ "required": true, "enum": codes })),
        field("disposition_name", "string", "its name", json!({ "required": true, "enum": names })),
        time("disposed_at", "when it got there"),
        field("attempts", "integer", "messages submitted", json!({ "required": true, "minimum": 0 })),
        time("first_attempt_at", "first message"),
        time("last_attempt_at", "last message"),
        field("delivered", "boolean", "a receipt said delivered", json!({ "required": true })),
        time("opened_at", "when the respondent began"),
    ];
    case_fields.extend(list_fields.map(|name| field(name, "string", "as on the list", json!({}))));
    let paradata_fields = vec![
        field("case", "string", "pseudonym of the case", json!({ "required": true })),
        field("visit", "integer", "the case's sendings of pages, in their order", json!({ "required": true, "minimum": 1 })),
        field("page", "integer", "page of the questionnaire", json!({ "required": true, "minimum": 1 })),
        field("mode", "string", "mode of the interview", json!({ "required": true })),
        field("device", "string", "kind of device", json!({ "required": true, "enum": ["phone", "tablet", "computer", "unknown"] })),
        time("sent_at", "when it was sent"),
        field("seconds", "integer", "time on the page", json!({ "required": true, "minimum": 0 })),
        field("problems", "integer", "items that were sent back", json!({ "required": true, "minimum": 0 })),
    ];
    json!({
        "profile": "tabular-data-package",
        "name": format!("{}-v{}", about.application.to_lowercase(), about.version),
        "title": about.subject,
        "created": about.created,
        "version": about.version.to_string(),
        "fieldwork": {
            "application": about.application, "category": about.category, "questionnaire": questionnaire.code,
            "questionnaire_version": questionnaire.version, "target": about.target, "closed_by": about.closed_by, "rr1": about.rr1,
        },
        "resources": [
            resource("responses", "complete and partial responses", json!({
                "fields": response_fields, "missingValues": ["", NOT_APPLICABLE, DONT_KNOW], "primaryKey": ["case"],
                "foreignKeys": [{ "fields": ["case"], "reference": { "resource": "cases", "fields": ["case"] } }],
            })),
            resource("cases", "all cases with their dispositions", json!({
                "fields": case_fields, "missingValues": [""], "primaryKey": ["case"],
            })),
            resource("paradata", "how the pages of these responses were answered", json!({
                "fields": paradata_fields, "missingValues": [""], "primaryKey": ["case", "visit"],
                "foreignKeys": [{ "fields": ["case"], "reference": { "resource": "cases", "fields": ["case"] } }],
            })),
        ],
    })
}
