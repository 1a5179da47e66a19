//! The columns of a dataset's tables: names, types and meanings. Every format is written from this
//! layout.

use serde_json::{Value, json};

use super::columns::{ResponseColumn, columns};
use super::disposition_codes;
use super::metadata::DatasetMetadata;
use super::missing::{ANSWERS_FROM, WEIGHTS_FROM};
use crate::domain::device::DeviceClass;
use crate::domain::questionnaire::{ItemKind, Questionnaire};

/// Replaces a value that fewer cases have than may be published.
pub const SUPPRESSED: &str = "*";

/// The column of `responses` with the weight to use.
pub const WEIGHT: &str = "w_raked";
/// Decimals of a weight.
pub const WEIGHT_DECIMALS: u32 = 10;

/// A column of `cases` for weighting, from edition 4 of the rules on.
pub struct WeightColumn {
    pub name: &'static str,
    pub kind: FieldKind,
    pub zh: &'static str,
    pub en: &'static str,
}

pub const WEIGHT_COLUMNS: [WeightColumn; 8] = [
    weight_column(
        "stratum",
        FieldKind::Integer,
        "层编号（按名单上的用户类型）",
        "number of the stratum, by the list's segments",
    ),
    weight_column(
        "stratum_size",
        FieldKind::Integer,
        "该层名单人数 N_h（不含甄别不合格者）",
        "N_h: people of the stratum on the list, without those screened out",
    ),
    weight_column(
        "stratum_sample",
        FieldKind::Integer,
        "该层样本人数 n_h（不含甄别不合格者）",
        "n_h: people of the stratum in the sample, without those screened out",
    ),
    weight_column(
        "replicate",
        FieldKind::Integer,
        "子样本号；空：名单未分批",
        "replicate; empty: the list was not divided",
    ),
    weight_column(
        "selection_probability",
        FieldKind::Number,
        "入样概率 n_h/N_h；空：甄别不合格",
        "n_h/N_h; empty: screened out",
    ),
    weight_column(
        "w_base",
        FieldKind::Number,
        "基础权数 N_h/n_h；空：甄别不合格",
        "base weight N_h/n_h; empty: screened out",
    ),
    weight_column(
        "w_nr",
        FieldKind::Number,
        "无应答调整后的权数；仅完成样本",
        "weight adjusted for non-response; completes only",
    ),
    weight_column(
        WEIGHT,
        FieldKind::Number,
        "按名单边际校准（raking）并截尾后的权数；仅完成样本",
        "weight raked to the list's margins and trimmed; completes only",
    ),
];

const fn weight_column(
    name: &'static str,
    kind: FieldKind,
    zh: &'static str,
    en: &'static str,
) -> WeightColumn {
    WeightColumn { name, kind, zh, en }
}

/// A table of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Complete and partial responses, one row each.
    Responses,
    /// All cases with their dispositions.
    Cases,
    /// Each submission of a page of those responses.
    Paradata,
    /// How, when and by whom each answer of those responses was entered. Its blocks have the numbers
    /// of the responses' blocks, and come before them.
    Answers,
}

impl Table {
    pub const ALL: [Table; 4] = [Table::Responses, Table::Cases, Table::Paradata, Table::Answers];

    /// Returns the tables that a version has by the edition of its rules.
    pub fn of_rules(rules_version: u32) -> &'static [Table] {
        &Table::ALL[..if rules_version >= ANSWERS_FROM { 4 } else { 3 }]
    }

    pub fn name(self) -> &'static str {
        match self {
            Table::Responses => "responses",
            Table::Cases => "cases",
            Table::Paradata => "paradata",
            Table::Answers => "answers",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Table::Responses => "complete and partial responses",
            Table::Cases => "all cases with their dispositions",
            Table::Paradata => "how the pages of these responses were answered",
            Table::Answers => "how, when and by whom each answer of these responses was entered",
        }
    }

    /// Returns the columns of the table's key.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Table::Responses | Table::Cases => &["case"],
            Table::Paradata => &["case", "visit"],
            Table::Answers => &["case", "variable"],
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
        Table::Responses => responses(questionnaire, metadata),
        Table::Cases => cases(metadata),
        Table::Paradata => paradata(metadata),
        Table::Answers => answers(),
    }
}

fn devices() -> Value {
    json!(DeviceClass::ALL.map(DeviceClass::as_str))
}

fn responses<'q>(questionnaire: &'q Questionnaire, metadata: &DatasetMetadata) -> Vec<Field<'q>> {
    use FieldKind::{Boolean, Integer, Number, Text, Time};
    // Before edition 4, limits came from the application alone, and nobody looked for clusters.
    let is_reviewed = metadata.rules_version >= 4;
    let dispositions = if is_reviewed { &["1.1", "1.2", "2.361"][..] } else { &["1.1", "1.2"] };
    let (speeding, straight_lining, item_nonresponse) = if is_reviewed {
        (
            "took less than the set share of the usual time of its mode, or than it takes to read",
            "the same point in every page of three ratings or more, or in nearly all ratings",
            "share of the reached items left empty, refused or answered with don't know",
        )
    } else {
        (
            "took less than the set share of the median",
            "the same point throughout, in every page of three ratings or more",
            "share of the asked items left empty or answered with don't know",
        )
    };
    let (mode, modes, device) = if metadata.has_answers() {
        (
            "mode of the answers; mixed: of several modes, see answers.csv",
            json!({ "required": true, "enum": ["web", "telephone", "sms", "paper", MIXED] }),
            "kind of the respondent's device, by the last page or message; empty by telephone and on \
                paper",
        )
    } else {
        (
            "mode of the interview",
            json!({ "required": true }),
            "kind of device that the last page was sent from",
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
            json!({ "required": true, "enum": questionnaire.languages }),
        ),
        field("mode", Text, mode, modes),
        field("started_at", Time, "first page", json!({})),
        field("completed_at", Time, "last page; empty for a partial response", json!({})),
        field(
            "seconds",
            Integer,
            "time on the pages, without the pauses between visits",
            json!({ "minimum": 0 }),
        ),
        field("device", Text, device, json!({ "enum": devices() })),
        field("speeding", Boolean, speeding, json!({})),
        field("straight_lining", Boolean, straight_lining, json!({})),
        field("item_nonresponse", Number, item_nonresponse, json!({ "minimum": 0, "maximum": 1 })),
    ];
    if metadata.has_answers() {
        fields.push(field(
            "items_answered",
            Integer,
            "items with an answer, open ones included; don't know, refused and not applicable are none",
            json!({ "minimum": 0 }),
        ));
    }
    if metadata.has_panel {
        fields.push(field(
            "panel_id",
            Text,
            "pseudonym of the person in all programmes of the applicant, for those who agreed to it",
            json!({}),
        ));
    }
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
        let place = fields.iter().position(|field| field.name == "item_nonresponse");
        let place = place.unwrap_or(fields.len());
        fields.splice(place..place, reviewed);
    }
    fields.extend(columns(questionnaire).into_iter().map(|column| {
        let (kind, constraints) = column.schema();
        let (item, option) = (column.item, column.option_label());
        let title = |text: &str, option: Option<&str>| {
            option.map_or(text.to_owned(), |option| format!("{text} {option}"))
        };
        let english = title(item.text.second(), option.map(|o| o.second()));
        Field {
            name: column.name.clone(),
            kind,
            title: title(item.text.first(), option.map(|o| o.first())),
            description: Some(
                item.latent
                    .map_or(english.clone(), |latent| format!("{english} [{}]", latent.as_str())),
            ),
            constraints,
            is_sealed: matches!(item.kind, ItemKind::Open { .. }),
            column: Some(column),
        }
    }));
    if metadata.has_weights() && !has_item_column(questionnaire, WEIGHT) {
        let title = "weight raked to the list's margins and trimmed; empty for a partial response";
        fields.push(field(WEIGHT, Number, title, json!({ "minimum": 0 })));
    }
    fields
}

/// Returns whether an item of a questionnaire has this column.
pub fn has_item_column(questionnaire: &Questionnaire, name: &str) -> bool {
    columns(questionnaire).iter().any(|column| column.name == name)
}

/// Returns the column of a list field in `cases`. One that has the name of another column is
/// `list_NAME`.
pub fn list_column(name: &str, rules_version: u32) -> String {
    let is_taken = CASE_COLUMNS.contains(&name)
        || WEIGHT_COLUMNS.iter().any(|w| w.name == name)
        || BUNDLE_COLUMNS.iter().any(|(bundle, _)| *bundle == name);
    if is_taken && rules_version >= WEIGHTS_FROM { format!("list_{name}") } else { name.to_owned() }
}

/// The other columns of `cases`.
const CASE_COLUMNS: [&str; 11] = [
    "case",
    "segment",
    "disposition",
    "disposition_name",
    "disposed_at",
    "attempts",
    "questions",
    "first_attempt_at",
    "last_attempt_at",
    "delivered",
    "opened_at",
];

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
    fields.extend(metadata.list_fields.iter().map(|name| Field {
        is_sealed: true,
        ..field(&list_column(name, metadata.rules_version), Text, "as on the list", json!({}))
    }));
    if metadata.has_weights() {
        let of_weight = |column: &WeightColumn| {
            let minimum = if column.name == "replicate" { 1 } else { 0 };
            field(column.name, column.kind, column.en, json!({ "minimum": minimum }))
        };
        fields.extend(WEIGHT_COLUMNS.iter().map(of_weight));
    }
    if metadata.has_answers() {
        fields.extend(
            BUNDLE_COLUMNS
                .map(|(name, title)| field(name, Integer, title, json!({ "minimum": 1 }))),
        );
    }
    fields
}

/// The columns of `cases` for the bundle of questionnaires behind one link.
const BUNDLE_COLUMNS: [(&str, &str); 2] = [
    ("bundle_position", "place of this questionnaire in the order behind the person's link"),
    ("bundle_size", "number of questionnaires behind the person's link"),
];

/// The `mode` of a response whose answers came by several modes.
pub const MIXED: &str = "mixed";

fn answers<'q>() -> Vec<Field<'q>> {
    use FieldKind::{Text, Time};
    let modes = json!({ "required": true, "enum": ["web", "telephone", "sms", "paper"] });
    vec![
        field("case", Text, "pseudonym of the case", json!({ "required": true })),
        field("variable", Text, "variable of the item", json!({ "required": true })),
        field("mode", Text, "mode in which it was answered", modes),
        field(
            "interviewer",
            Text,
            "pseudonym of the interviewer who entered it, of this programme only",
            json!({}),
        ),
        field("answered_at", Time, "when it was stored", json!({ "required": true })),
    ]
}

fn paradata<'q>(metadata: &DatasetMetadata) -> Vec<Field<'q>> {
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
        if metadata.has_answers() {
            let title = "kind of the respondent's device; empty by telephone";
            field("device", Text, title, json!({ "enum": devices() }))
        } else {
            field("device", Text, "kind of device", json!({ "required": true, "enum": devices() }))
        },
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

    fn current() -> DatasetMetadata {
        let rules_version = CURRENT_RULES;
        DatasetMetadata { rules_version, has_panel: true, ..DatasetMetadata::default() }
    }

    #[test]
    fn the_columns_that_no_item_may_have_are_those_of_the_layout() {
        let file = include_str!("../../../tests/fixtures/every_kind.toml");
        let questionnaire = Questionnaire::parse(file).unwrap();
        let metadata = current();
        let fields = responses(&questionnaire, &metadata);
        let fixed = fields.iter().filter(|field| field.column.is_none());
        assert!(fixed.map(|field| field.name.as_str()).eq(FIXED_COLUMNS));
    }

    #[test]
    fn a_list_field_with_a_taken_name_gets_another_column_and_earlier_editions_have_no_weights() {
        let list_fields = ["case", "region", "stratum", "w_base"].map(str::to_owned).to_vec();
        let names = |rules_version| -> Vec<String> {
            let list_fields = list_fields.clone();
            let metadata = DatasetMetadata { rules_version, list_fields, ..Default::default() };
            cases(&metadata).into_iter().map(|field| field.name).collect()
        };
        assert_eq!(names(3)[11..], ["case", "region", "stratum", "w_base"]);
        let now = names(CURRENT_RULES);
        assert_eq!(now[..11], CASE_COLUMNS);
        assert_eq!(now[11..15], ["list_case", "region", "list_stratum", "list_w_base"]);
        let after = WEIGHT_COLUMNS.map(|w| w.name).into_iter().chain(BUNDLE_COLUMNS.map(|b| b.0));
        assert!(now[15..].iter().eq(after));
    }
}
