//! The columns of a dataset's tables: names, types and meanings. Every format is written from this
//! layout.

use serde_json::{Value, json};

use super::columns::{ResponseColumn, columns};
use super::disposition_codes;
use super::metadata::DatasetMetadata;
use crate::domain::device::DeviceClass;
use crate::domain::questionnaire::{ItemKind, Questionnaire};

/// Replaces a value that fewer cases have than may be published.
pub const SUPPRESSED: &str = "*";

/// A table of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Complete and partial responses, one row each.
    Responses,
    /// All cases with their dispositions.
    Cases,
    /// Each submission of a page of those responses.
    Paradata,
}

impl Table {
    pub const ALL: [Table; 3] = [Table::Responses, Table::Cases, Table::Paradata];

    pub fn name(self) -> &'static str {
        match self {
            Table::Responses => "responses",
            Table::Cases => "cases",
            Table::Paradata => "paradata",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Table::Responses => "complete and partial responses",
            Table::Cases => "all cases with their dispositions",
            Table::Paradata => "how the pages of these responses were answered",
        }
    }

    /// Returns the columns of the table's key.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Table::Responses | Table::Cases => &["case"],
            Table::Paradata => &["case", "visit"],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Integer,
    Number,
    Boolean,
    Date,
    /// RFC 3339 with the programme's offset.
    Time,
}

impl FieldKind {
    /// Returns the field type of a Table Schema (Frictionless).
    pub fn schema_type(self) -> &'static str {
        match self {
            FieldKind::Text => "string",
            FieldKind::Integer => "integer",
            FieldKind::Number => "number",
            FieldKind::Boolean => "boolean",
            FieldKind::Date => "date",
            FieldKind::Time => "datetime",
        }
    }
}

/// A column of a table.
pub struct Field<'q> {
    pub name: String,
    pub kind: FieldKind,
    pub title: String,
    pub description: Option<String>,
    pub constraints: Value,
    /// Whether the column may contain personal data. Its cells are frozen sealed, and are lost when
    /// the applicant's key is destroyed.
    pub is_sealed: bool,
    /// The response column of the item; `None` for other columns.
    pub column: Option<ResponseColumn<'q>>,
}

impl Field<'_> {
    pub fn is_required(&self) -> bool {
        self.constraints["required"] == true
    }
}

fn field<'q>(name: &str, kind: FieldKind, title: &str, constraints: Value) -> Field<'q> {
    Field {
        name: name.to_owned(),
        kind,
        title: title.to_owned(),
        description: None,
        constraints,
        is_sealed: false,
        column: None,
    }
}

/// Returns the columns of a table of a version, in order, by the edition of its rules.
pub fn layout<'q>(
    table: Table,
    questionnaire: &'q Questionnaire,
    metadata: &DatasetMetadata,
) -> Vec<Field<'q>> {
    match table {
        Table::Responses => responses(questionnaire, metadata.rules_version),
        Table::Cases => cases(metadata),
        Table::Paradata => paradata(),
    }
}

fn devices() -> Value {
    json!(DeviceClass::ALL.map(DeviceClass::as_str))
}

fn responses(questionnaire: &Questionnaire, rules_version: u32) -> Vec<Field<'_>> {
    use FieldKind::{Boolean, Integer, Number, Text, Time};
    // Before edition 4, limits came from the application alone, and nobody looked for clusters.
    let is_reviewed = rules_version >= 4;
    let dispositions = if is_reviewed { &["1.1", "1.2", "2.361"][..] } else { &["1.1", "1.2"] };
    let (speeding, straight_lining) = if is_reviewed {
        (
            "took less than the set share of the usual time of its mode, or than it takes to read",
            "the same point in every page of three ratings or more, or in nearly all ratings",
        )
    } else {
        (
            "took less than the set share of the median",
            "the same point throughout, in every page of three ratings or more",
        )
    };
    let mut fields = vec![
        field(
            "case",
            Text,
            "pseudonym of the case, of this application only",
            json!({ "required": true, "unique": true }),
        ),
        field(
            "disposition",
            Text,
            "AAPOR final disposition",
            json!({ "required": true, "enum": dispositions }),
        ),
        field(
            "language",
            Text,
            "language of the interview",
            json!({ "required": true, "enum": ["zh", "en"] }),
        ),
        field("mode", Text, "mode of the interview", json!({ "required": true })),
        field("started_at", Time, "first page", json!({})),
        field("completed_at", Time, "last page; empty for a partial response", json!({})),
        field(
            "seconds",
            Integer,
            "time on the pages, without the pauses between visits",
            json!({ "minimum": 0 }),
        ),
        field(
            "device",
            Text,
            "kind of device that the last page was sent from",
            json!({ "enum": devices() }),
        ),
        field("speeding", Boolean, speeding, json!({})),
        field("straight_lining", Boolean, straight_lining, json!({})),
        field(
            "item_nonresponse",
            Number,
            "share of the asked items left empty or answered with don't know",
            json!({ "minimum": 0, "maximum": 1 }),
        ),
    ];
    if is_reviewed {
        let reviewed = [
            field(
                "duplicate_answers",
                Boolean,
                "another response of the application has the same answers to all coded items",
                json!({}),
            ),
            field(
                "origin_cluster",
                Integer,
                "cluster of responses from one device or network; empty: in none",
                json!({ "minimum": 1 }),
            ),
            field(
                "review_verdict",
                Text,
                "what staff decided about the response; an excluded one should not be scored",
                json!({ "enum": ["accepted", "excluded"] }),
            ),
        ];
        let place = fields.len() - 1;
        fields.splice(place..place, reviewed);
    }
    fields.extend(columns(questionnaire).into_iter().map(|column| {
        let (kind, constraints) = column.schema();
        let (item, option) = (column.item, column.option_label());
        let title = |text: &str, option: Option<&str>| {
            option.map_or(text.to_owned(), |option| format!("{text} {option}"))
        };
        let english = title(&item.text.en, option.map(|o| o.en.as_str()));
        Field {
            name: column.name.clone(),
            kind,
            title: title(&item.text.zh, option.map(|o| o.zh.as_str())),
            description: Some(
                item.latent
                    .map_or(english.clone(), |latent| format!("{english} [{}]", latent.as_str())),
            ),
            constraints,
            is_sealed: matches!(item.kind, ItemKind::Open { .. }),
            column: Some(column),
        }
    }));
    fields
}

fn cases<'q>(metadata: &DatasetMetadata) -> Vec<Field<'q>> {
    use FieldKind::{Boolean, Integer, Text, Time};
    let known = disposition_codes::of_rules(metadata.rules_version);
    let codes: Vec<&str> = known.iter().map(|known| known.code).collect();
    let names: Vec<&str> = known.iter().map(|known| known.name).collect();
    // Before edition 3, every message was an attempt.
    let counts_contacts = metadata.rules_version >= 3;
    let [attempts, first, last] = match counts_contacts {
        true => ["contacts: messages of the plan, and calls", "first contact", "last contact"],
        false => ["messages submitted", "first message", "last message"],
    };
    let mut fields = vec![
        field(
            "case",
            Text,
            "pseudonym of the case, of this application only",
            json!({ "required": true, "unique": true }),
        ),
        field("segment", Text, "kind of user, as on the list", json!({})),
        field(
            "disposition",
            Text,
            "AAPOR final disposition",
            json!({ "required": true, "enum": codes }),
        ),
        field("disposition_name", Text, "its name", json!({ "required": true, "enum": names })),
        field("disposed_at", Time, "when it got there", json!({})),
        field("attempts", Integer, attempts, json!({ "required": true, "minimum": 0 })),
        field("first_attempt_at", Time, first, json!({})),
        field("last_attempt_at", Time, last, json!({})),
        field("delivered", Boolean, "a receipt said delivered", json!({ "required": true })),
        field("opened_at", Time, "when the respondent began", json!({})),
    ];
    if counts_contacts {
        let questions = field(
            "questions",
            Integer,
            "questions sent by SMS",
            json!({ "required": true, "minimum": 0 }),
        );
        fields.insert(6, questions);
    }
    fields.extend(
        metadata.list_fields.iter().map(|name| Field {
            is_sealed: true,
            ..field(name, Text, "as on the list", json!({}))
        }),
    );
    fields
}

fn paradata<'q>() -> Vec<Field<'q>> {
    use FieldKind::{Integer, Text, Time};
    vec![
        field("case", Text, "pseudonym of the case", json!({ "required": true })),
        field(
            "visit",
            Integer,
            "the case's sendings of pages, in their order",
            json!({ "required": true, "minimum": 1 }),
        ),
        field(
            "page",
            Integer,
            "page of the questionnaire",
            json!({ "required": true, "minimum": 1 }),
        ),
        field("mode", Text, "mode of the interview", json!({ "required": true })),
        field("device", Text, "kind of device", json!({ "required": true, "enum": devices() })),
        field("sent_at", Time, "when it was sent", json!({})),
        field("seconds", Integer, "time on the page", json!({ "required": true, "minimum": 0 })),
        field(
            "problems",
            Integer,
            "items that were sent back",
            json!({ "required": true, "minimum": 0 }),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::questionnaire::FIXED_COLUMNS;
    use crate::services::datasets::missing::CURRENT_RULES;

    #[test]
    fn the_columns_that_no_item_may_have_are_those_of_the_layout() {
        let file = include_str!("../../../tests/fixtures/every_kind.toml");
        let questionnaire = Questionnaire::parse(file).unwrap();
        let fields = responses(&questionnaire, CURRENT_RULES);
        let fixed = fields.iter().filter(|field| field.column.is_none());
        assert!(fixed.map(|field| field.name.as_str()).eq(FIXED_COLUMNS));
    }
}
