//! The export of a person's data in words, for printing. Every value of the export is in it; the
//! JSON beside it is the same for programs.

use chrono::DateTime;
use serde_json::Value;

use super::ZONE;
use super::code_words::source_label;
use super::inbox::meaning_label;
use crate::domain::category::Category;
use crate::domain::disposition::Disposition;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::telephone::CallOutcome;
use crate::interfaces::http::page_layout::Translator;

/// A heading with its rows.
pub struct Section {
    pub heading: String,
    pub rows: Vec<(String, Personal)>,
}

/// The fields of the export, in Chinese and English.
const FIELDS: [(&str, (&str, &str)); 50] = [
    ("programme", ("评价项目", "programme")),
    ("applicant", ("申报单位", "applicant")),
    ("since", ("自", "since")),
    ("number", ("号码", "number")),
    ("language", ("语言", "language")),
    ("name", ("姓名", "name")),
    ("organisation", ("单位", "organisation")),
    ("job_title", ("职务", "job title")),
    ("email", ("电子邮箱", "e-mail")),
    ("remark", ("备注", "remark")),
    ("salutation", ("称谓", "salutation")),
    ("other_numbers", ("其他号码", "other numbers")),
    ("by_further_number", ("按其他号码查到", "found by a further number")),
    ("address", ("地址", "address")),
    ("cases", ("参与的调查", "surveys")),
    ("consents", ("同意记录", "consents")),
    ("messages", ("发给此人的短信", "messages sent")),
    ("calls", ("通话", "calls")),
    ("replies", ("此人的回复", "replies")),
    ("staff_answers", ("对回复的答复", "answers to the replies")),
    ("records", ("名单记录", "records")),
    ("suppressions", ("免打扰", "suppressions")),
    ("application", ("申报", "application")),
    ("category", ("类别", "category")),
    ("disposition", ("结果", "outcome")),
    ("segment", ("分组", "segment")),
    ("list_fields", ("名单所列", "on the list")),
    ("answers", ("回答（代码）", "answers in codes")),
    ("answers_in_words", ("回答", "answers")),
    ("origin", ("设备与网络标记", "device and network")),
    ("device_code", ("设备标记", "device")),
    ("network_code", ("网络标记", "network")),
    ("review", ("核查", "review")),
    ("verdict", ("结论", "verdict")),
    ("reason", ("原因", "reason")),
    ("paper_form", ("纸质问卷", "paper form")),
    ("state", ("状态", "state")),
    ("notice", ("告知书版本", "notice")),
    ("given", ("同意时间", "given")),
    ("withdrawn", ("撤回时间", "withdrawn")),
    ("at", ("时间", "at")),
    ("campaign", ("活动", "campaign")),
    ("message", ("第几条", "message")),
    ("gateway", ("短信网关", "gateway")),
    ("by", ("访问员", "by")),
    ("answered_by", ("答复人", "answered by")),
    ("outcome", ("结果", "outcome")),
    ("note", ("备注", "note")),
    ("meaning", ("含义", "meaning")),
    ("text", ("内容", "text")),
];

fn label(tr: Translator, field: &str) -> String {
    let known = match field {
        "scope" => Some(("范围", "scope")),
        "until" => Some(("至", "until")),
        _ => FIELDS.iter().find(|(name, _)| *name == field).map(|(_, label)| *label),
    };
    known.map_or_else(|| field.to_owned(), |label| tr.pair(label).to_owned())
}

/// Returns a value of a field in words.
fn words(tr: Translator, field: &str, value: &str) -> String {
    let time = || {
        let at = DateTime::parse_from_rfc3339(value).ok()?;
        Some(at.with_timezone(&ZONE).format("%Y-%m-%d %H:%M").to_string())
    };
    let known = match field {
        "at" | "since" | "until" | "given" | "withdrawn" => time(),
        "category" => Category::parse(value).map(|one| super::setup::category_label(tr, one)),
        "disposition" => {
            Disposition::from_code(value).map(|one| format!("{value} {}", tr.pair(one.labels())))
        }
        "outcome" => CallOutcome::parse(value).map(|one| tr.pair(one.labels()).to_owned()),
        "meaning" => Some(tr.pair(meaning_label(value)).to_owned()),
        "state" => Some(tr.pair(super::cases::state_of_message(value)).to_owned()),
        "language" => Language::parse(value).map(|one| one.autonym()),
        "scope" => Some(source_label(tr, value).to_owned()),
        _ => None,
    };
    known.unwrap_or_else(|| value.to_owned())
}

/// Returns the sections of an export, in its order. Empty values are left out.
pub fn sections(tr: Translator, held: &Value) -> Vec<Section> {
    let mut sections = Vec::new();
    let records = held["records"].as_array().map(Vec::as_slice).unwrap_or_default();
    for record in records {
        let Some(fields) = record.as_object() else { continue };
        let of = record["applicant"].as_str().unwrap_or_default();
        let heading = format!("{} · {of}", tr.t("基本信息", "The person"));
        let mut plain = Section { heading, rows: Vec::new() };
        let mut lists = Vec::new();
        for (field, value) in fields {
            let is_list = value.as_array().is_some_and(|all| all.iter().any(Value::is_object));
            if is_list {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                lists.extend(items.iter().enumerate().map(|(index, item)| {
                    let mut rows = Vec::new();
                    flatten(tr, "", item, &mut rows);
                    let heading = format!("{} {}", label(tr, field), index + 1);
                    Section { heading, rows }
                }));
            } else {
                flatten(tr, field, value, &mut plain.rows);
            }
        }
        sections.push(plain);
        sections.extend(lists);
    }
    let suppressions = held["suppressions"].as_array().map(Vec::as_slice).unwrap_or_default();
    sections.extend(suppressions.iter().map(|one| {
        let mut rows = Vec::new();
        flatten(tr, "", one, &mut rows);
        Section { heading: label(tr, "suppressions"), rows }
    }));
    sections
}

/// Adds the rows of a value. A question with its answer is one row.
fn flatten(tr: Translator, field: &str, value: &Value, rows: &mut Vec<(String, Personal)>) {
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => {
            rows.push((label(tr, field), Personal::new(words(tr, field, text))));
        }
        Value::Bool(true) => rows.push((label(tr, field), Personal::new(tr.t("是", "yes")))),
        Value::Bool(_) | Value::Number(_) => {
            rows.push((label(tr, field), Personal::new(value.to_string())));
        }
        Value::Array(all) => all.iter().for_each(|one| flatten(tr, field, one, rows)),
        Value::Object(fields) => {
            if let (Some(question), Some(answer)) =
                (value["question"].as_str(), value["answer"].as_str())
            {
                rows.push((question.to_owned(), Personal::new(answer)));
                return;
            }
            for (name, value) in fields {
                // The codes of the answers stand in the JSON; here they are said.
                let is_said = name == "answers" && fields.contains_key("answers_in_words");
                if !is_said {
                    flatten(tr, name, value, rows);
                }
            }
        }
    }
}
