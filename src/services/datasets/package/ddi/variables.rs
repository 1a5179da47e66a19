//! The variables: labels, questions, ranges, categories.

use serde_json::Value;

use super::super::FormatContext;
use super::super::wording::{Wording, both};
use super::xml::{Attribute, Xml};
use super::{DescribedTable, study, words};
use crate::domain::questionnaire::{Choice, Item, ItemKind, Selection};
use crate::services::datasets::layout::{Field, FieldKind, WEIGHT, WEIGHT_DECIMALS};

/// Columns that weight responses or cases.
const WEIGHTS: [&str; 3] = ["w_base", "w_nr", WEIGHT];

pub fn describe(
    xml: &mut Xml,
    format_context: FormatContext<'_>,
    wording: &Wording<'_>,
    tables: &[DescribedTable<'_>],
) {
    for table in tables {
        describe_groups(xml, wording, table);
    }
    for table in tables {
        for (field, place) in table.fields.iter().zip(1..) {
            describe_variable(xml, format_context, wording, table, field, place);
        }
    }
}

/// Writes the variables that belong to one question: the options of several, and the rows of a grid.
fn describe_groups(xml: &mut Xml, wording: &Wording<'_>, table: &DescribedTable<'_>) {
    let id = |field: &Field<'_>| format!("{}{}", table.prefix, field.name);
    let of_item = |item: &Item| -> Vec<String> {
        let is_own = |field: &&Field<'_>| {
            field.column.as_ref().is_some_and(|column| column.item.id == item.id)
        };
        table.fields.iter().filter(is_own).map(id).collect()
    };
    let mut items: Vec<&Item> = Vec::new();
    for column in table.fields.iter().filter_map(|field| field.column.as_ref()) {
        if items.last().is_none_or(|last| last.id != column.item.id) {
            items.push(column.item);
        }
    }
    for item in items {
        let ids = of_item(item);
        if ids.len() > 1 {
            let group = [
                ("type", "multipleResp"),
                ("name", item.variable.as_str()),
                ("var", &ids.join(" ")),
            ];
            xml.element("varGrp", &group, |xml| {
                xml.both("labl", &[], &wording.question(item));
            });
        }
    }
}

fn describe_variable(
    xml: &mut Xml,
    format_context: FormatContext<'_>,
    wording: &Wording<'_>,
    table: &DescribedTable<'_>,
    field: &Field<'_>,
    place: usize,
) {
    let item = field.column.as_ref().map(|column| column.item);
    let id = format!("{}{}", table.prefix, field.name);
    let decimals = decimals(field).map(|decimals| decimals.to_string());
    let (interval, nature) = level(field);
    let weight = format!("{}{WEIGHT}", table.prefix);
    let has_weight = |field: &Field<'_>| field.column.is_none() && field.name == WEIGHT;
    let mut attributes: Vec<Attribute<'_>> =
        vec![("ID", &id), ("name", &field.name), ("files", table.file_id), ("intrvl", interval)];
    attributes.extend(nature.map(|nature| ("nature", nature)));
    attributes.extend(decimals.as_deref().map(|decimals| ("dcml", decimals)));
    if item.is_none() && WEIGHTS.contains(&field.name.as_str()) {
        attributes.push(("wgt", "wgt"));
    } else if item.is_some() && table.fields.iter().any(has_weight) {
        attributes.push(("wgt-var", &weight));
    }
    let unit = item.and_then(|item| match &item.kind {
        ItemKind::Number(range) => range.unit.as_ref().map(both),
        _ => None,
    });
    attributes.extend(unit.as_deref().map(|unit| ("measUnit", unit)));
    let start = place.to_string();
    let reasons = field.column.as_ref().map(|column| column.missing_reasons()).unwrap_or_default();
    let codes = format_context.metadata.missing_codes();
    xml.element("var", &attributes, |xml| {
        xml.leaf("location", &[("StartPos", &start), ("fileid", table.file_id)], "");
        xml.both("labl", &[], &wording.title(field));
        if let Some(item) = item {
            describe_question(xml, wording, item);
        }
        if let Some((units, low, high)) = range(field) {
            xml.element("valrng", &[], |xml| {
                let limits = [("min", low), ("max", high)];
                let limits =
                    limits.iter().filter_map(|(name, limit)| Some((*name, limit.as_deref()?)));
                let attributes: Vec<Attribute<'_>> =
                    [("UNITS", units)].into_iter().chain(limits).collect();
                xml.leaf("range", &attributes, "");
            });
        }
        if !reasons.is_empty() {
            xml.element("invalrng", &[], |xml| {
                for reason in &reasons {
                    xml.leaf("item", &[("VALUE", codes.code(*reason))], "");
                }
            });
        }
        let conditions: Vec<&str> = item
            .map(|item| {
                format_context.questionnaire.conditions_of(item).map(|c| c.source()).collect()
            })
            .unwrap_or_default();
        if !conditions.is_empty() {
            xml.leaf(
                "universe",
                &[("level", "variable"), ("clusion", "I")],
                &conditions.join(" && "),
            );
        }
        for label in wording.value_labels(field) {
            xml.element("catgry", &[], |xml| {
                xml.leaf("catValu", &[], &label.code);
                xml.both("labl", &[], &label.text);
            });
        }
        for reason in reasons {
            xml.element("catgry", &[("missing", "Y"), ("missType", reason.name())], |xml| {
                xml.leaf("catValu", &[], codes.code(reason));
                let (zh, en) = reason.label().split_once(' ').unwrap_or((reason.label(), ""));
                xml.both("labl", &[], &words(zh, en));
            });
        }
        if let Some(latent) = item.and_then(|item| item.latent) {
            xml.leaf("concept", &[("vocab", study::MODEL)], latent.as_str());
        }
        let (kind, category) = match field.kind {
            FieldKind::Integer | FieldKind::Number => ("numeric", "other"),
            FieldKind::Date => ("character", "date"),
            FieldKind::Time => ("character", "time"),
            FieldKind::Text | FieldKind::Boolean => ("character", "other"),
        };
        xml.leaf("varFormat", &[("type", kind), ("schema", "ISO"), ("category", category)], "");
    });
}

fn describe_question(xml: &mut Xml, wording: &Wording<'_>, item: &Item) {
    let domain = match &item.kind {
        ItemKind::Scale(_) | ItemKind::Number(_) => "numeric",
        ItemKind::Choice(Choice { selection: Selection::One, .. }) => "category",
        ItemKind::Choice(_) => "multiple",
        ItemKind::Date { .. } => "datetime",
        ItemKind::Open { .. } | ItemKind::Info => "text",
    };
    xml.element("qstn", &[("responseDomainType", domain)], |xml| {
        if let Some(grid) = &item.grid {
            xml.both("preQTxt", &[], &wording.text(grid));
        }
        xml.both("qstnLit", &[], &wording.text(&item.text));
        if let Some(hint) = &item.hint {
            xml.both("ivuInstr", &[], &wording.text(hint));
        }
    });
}

/// Returns whether a variable is continuous, and its level of measurement.
fn level(field: &Field<'_>) -> (&'static str, Option<&'static str>) {
    let kind = field.column.as_ref().map(|column| &column.item.kind);
    match (kind, field.kind) {
        (Some(ItemKind::Scale(_)), _) => ("discrete", Some("interval")),
        (Some(ItemKind::Number(_)), _) => ("contin", Some("ratio")),
        (Some(ItemKind::Choice(choice)), _) if choice.selection == Selection::Ranked => {
            ("discrete", Some("ordinal"))
        }
        (Some(ItemKind::Choice(_)), _) | (None, FieldKind::Boolean) => {
            ("discrete", Some("nominal"))
        }
        (None, FieldKind::Number) => ("contin", Some("ratio")),
        (_, FieldKind::Date | FieldKind::Time) => ("contin", None),
        (None, FieldKind::Text) if field.constraints["enum"].is_array() => {
            ("discrete", Some("nominal"))
        }
        _ => ("discrete", None),
    }
}

fn decimals(field: &Field<'_>) -> Option<u32> {
    match field.column.as_ref().map(|column| &column.item.kind) {
        Some(ItemKind::Number(range)) => Some(range.decimals),
        None if field.kind == FieldKind::Number => Some(match field.name.as_str() {
            "item_nonresponse" => 4,
            _ => WEIGHT_DECIMALS,
        }),
        _ => None,
    }
}

/// Returns the kind of number, and the lowest and the highest value that are set.
fn range(field: &Field<'_>) -> Option<(&'static str, Option<String>, Option<String>)> {
    let limit = |name: &str| match &field.constraints[name] {
        Value::Null => None,
        limit => Some(limit.to_string()),
    };
    let units = match field.kind {
        FieldKind::Integer => "INT",
        FieldKind::Number => "REAL",
        _ => return None,
    };
    let (low, high) = (limit("minimum"), limit("maximum"));
    (low.is_some() || high.is_some()).then_some((units, low, high))
}
