//! What columns and codes mean, in Chinese and in English, for the formats that people read.

use std::collections::BTreeMap;

use super::FormatContext;
use crate::domain::device::DeviceClass;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Choice, Item, ItemKind, Questionnaire, Selection, TextPiping};
use crate::services::datasets::disposition_codes;
use crate::services::datasets::layout::{Field, FieldKind, MIXED, SUPPRESSED, WEIGHT_COLUMNS};
use crate::services::datasets::metadata::DatasetMetadata;

/// The Chinese titles of the columns that are the same in every dataset; their English ones are in
/// the layout.
const TITLES: [(&str, &str); 35] = [
    ("case", "个案化名（仅限本申报）"),
    ("disposition", "最终结果（AAPOR 代码）"),
    ("language", "答题语言"),
    ("mode", "答题方式"),
    ("started_at", "打开首页的时间"),
    ("completed_at", "完成时间；未完成为空"),
    ("seconds", "答题用时（秒），不含两次打开之间的间隔"),
    ("device", "受访者所用设备（按末页或末条短信；电话访问为空）"),
    ("speeding", "答题过快"),
    ("straight_lining", "直线作答"),
    ("duplicate_answers", "与本申报另一份答卷的各题答案全同"),
    ("origin_cluster", "同一设备或网络答卷群的编号；空：不在群内"),
    ("review_verdict", "人工核实结论；已剔除的不宜计分"),
    ("item_nonresponse", "已到达的题目中未答、拒答或答“不知道”的比例"),
    ("items_answered", "有回答的题数（含开放题，不含“不知道”“拒答”“不适用”）"),
    ("panel_id", "同一申报单位各年度项目中此人的化名；仅限同意者"),
    ("bundle_position", "此问卷在同一链接各份问卷中的次序"),
    ("bundle_size", "同一链接的问卷份数"),
    ("segment", "用户类型（按名单）"),
    ("disposition_name", "最终结果名称"),
    ("disposed_at", "得出最终结果的时间"),
    ("attempts", "接触次数：方案内的短信和电话"),
    ("questions", "短信发出的题数"),
    ("first_attempt_at", "首次接触时间"),
    ("last_attempt_at", "末次接触时间"),
    ("delivered", "有回执说明短信已送达"),
    ("opened_at", "受访者开始答题的时间"),
    ("stratum", WEIGHT_COLUMNS[0].zh),
    ("stratum_size", WEIGHT_COLUMNS[1].zh),
    ("stratum_sample", WEIGHT_COLUMNS[2].zh),
    ("replicate", WEIGHT_COLUMNS[3].zh),
    ("selection_probability", WEIGHT_COLUMNS[4].zh),
    ("w_base", WEIGHT_COLUMNS[5].zh),
    ("w_nr", WEIGHT_COLUMNS[6].zh),
    ("w_raked", WEIGHT_COLUMNS[7].zh),
];

/// A code of a column, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueLabel {
    /// As in the CSV files.
    pub code: String,
    pub text: LocalizedText,
}

/// The words of one version.
pub struct Wording<'a> {
    questionnaire: &'a Questionnaire,
    metadata: &'a DatasetMetadata,
}

fn words(zh: &str, en: &str) -> LocalizedText {
    LocalizedText::zh_en(zh, en)
}

fn labels<'w>(of: impl IntoIterator<Item = (&'w str, &'w str, &'w str)>) -> Vec<ValueLabel> {
    let label = |(code, zh, en): (&str, &str, &str)| ValueLabel {
        code: code.to_owned(),
        text: words(zh, en),
    };
    of.into_iter().map(label).collect()
}

/// Returns the text in its first two languages.
pub fn both(text: &LocalizedText) -> String {
    format!("{} {}", text.first(), text.second()).trim().to_owned()
}

fn mode_label(mode: Mode) -> (&'static str, &'static str, &'static str) {
    match mode {
        Mode::Web => (mode.as_str(), "网页", "web"),
        Mode::Telephone => (mode.as_str(), "电话", "telephone"),
        Mode::Sms => (mode.as_str(), "短信", "SMS"),
        Mode::Paper => (mode.as_str(), "纸质问卷", "paper"),
    }
}

/// Returns the name of a mode.
pub fn mode_words(mode: Mode) -> LocalizedText {
    let (_, zh, en) = mode_label(mode);
    words(zh, en)
}

fn device_label(device: DeviceClass) -> (&'static str, &'static str, &'static str) {
    match device {
        DeviceClass::Phone => (device.as_str(), "手机", "phone"),
        DeviceClass::Tablet => (device.as_str(), "平板", "tablet"),
        DeviceClass::Computer => (device.as_str(), "电脑", "computer"),
        DeviceClass::Unknown => (device.as_str(), "未知", "unknown"),
    }
}

impl<'a> Wording<'a> {
    pub(super) fn of(format_context: FormatContext<'a>) -> Wording<'a> {
        let FormatContext { metadata, questionnaire, .. } = format_context;
        Wording { questionnaire, metadata }
    }

    /// Returns a text of the questionnaire on one line, with the names of the subject and the
    /// applicant; an earlier answer in it is «…».
    pub fn text(&self, text: &LocalizedText) -> LocalizedText {
        let answers = BTreeMap::new();
        text.map(|language, _| {
            let piping = TextPiping {
                questionnaire: self.questionnaire,
                subject: &self.metadata.subject,
                applicant: &self.metadata.applicant,
                answers: &answers,
                language,
                isolates: false,
            };
            piping.fill(text).split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    /// Returns the question of an item, with the text of its grid.
    pub fn question(&self, item: &Item) -> LocalizedText {
        let own = self.text(&item.text);
        let Some(grid) = &item.grid else { return own };
        let heading = self.text(grid);
        own.map(|language, own| {
            let mark = if language.is_chinese() { "：" } else { ": " };
            let heading = heading.in_language(language).trim_end_matches([':', '：', ' ']);
            format!("{heading}{mark}{own}")
        })
    }

    /// Returns what a column holds: the question, with the option where it has one.
    pub fn title(&self, field: &Field<'_>) -> LocalizedText {
        if let Some(column) = &field.column {
            let question = self.question(column.item);
            return match column.option_label().map(|option| self.text(option)) {
                Some(option) => question.map(|language, question| {
                    let mark = if language.is_chinese() { "——" } else { " – " };
                    format!("{question}{mark}{}", option.in_language(language))
                }),
                None => question,
            };
        }
        // A list may have a column with the name of one of ours.
        match TITLES.iter().find(|(name, _)| *name == field.name && !field.is_sealed) {
            Some((_, zh)) => words(zh, &field.title),
            None => {
                words(&format!("名单字段“{}”", field.name), &format!("list field {}", field.name))
            }
        }
    }

    /// Returns the codes of a column with their meanings, without the reasons for a missing value.
    pub fn value_labels(&self, field: &Field<'_>) -> Vec<ValueLabel> {
        if let Some(column) = &field.column {
            return match &column.item.kind {
                ItemKind::Choice(Choice { selection: Selection::Several { .. }, .. }) => {
                    labels([("1", "是", "yes"), ("0", "否", "no")])
                }
                ItemKind::Choice(Choice { selection: Selection::One, options, .. }) => options
                    .iter()
                    .map(|o| ValueLabel { code: o.code.clone(), text: self.text(&o.text) })
                    .collect(),
                ItemKind::Scale(scale) => [(scale.from, &scale.low), (scale.to, &scale.high)]
                    .map(|(point, text)| ValueLabel {
                        code: point.to_string(),
                        text: self.text(text),
                    })
                    .into(),
                _ => Vec::new(),
            };
        }
        let suppressed = [(SUPPRESSED, "人数过少，不列出", "too few people to show")];
        if field.is_sealed {
            return labels(suppressed);
        }
        let known = disposition_codes::of_rules(self.metadata.rules_version);
        let mut labels = match (field.name.as_str(), field.kind) {
            ("disposition", _) => labels(known.iter().map(|d| (d.code, d.labels.0, d.labels.1))),
            ("disposition_name", _) => {
                labels(known.iter().map(|d| (d.name, d.labels.0, d.labels.1)))
            }
            ("language", _) => {
                let known = labels([("zh", "中文", "Chinese"), ("en", "英文", "English")]);
                let is_other = |language: &&Language| !["zh", "en"].contains(&language.tag());
                let others = self.questionnaire.languages.iter().filter(is_other);
                let others = others.map(|language| ValueLabel {
                    code: language.to_string(),
                    text: LocalizedText::only(*language, language.autonym()),
                });
                known.into_iter().chain(others).collect()
            }
            ("mode", _) => {
                let modes = Mode::ALL.map(mode_label);
                labels(modes.into_iter().chain([(MIXED, "多种方式", "mixed")]))
            }
            ("device", _) => labels(DeviceClass::ALL.map(device_label)),
            ("review_verdict", _) => {
                labels([("accepted", "保留", "accepted"), ("excluded", "剔除", "excluded")])
            }
            (_, FieldKind::Boolean) => labels([("true", "是", "yes"), ("false", "否", "no")]),
            ("segment", _) => labels(suppressed),
            _ => Vec::new(),
        };
        if let Some(possible) = field.constraints["enum"].as_array() {
            labels.retain(|label| possible.iter().any(|code| code == label.code.as_str()));
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::datasets::layout::{Table, layout};
    use crate::services::datasets::missing::CURRENT_RULES;

    #[test]
    fn every_fixed_column_has_a_title_in_both_languages() {
        let questionnaire =
            Questionnaire::parse(include_str!("../../../../tests/fixtures/every_kind.toml"))
                .unwrap();
        let metadata = DatasetMetadata {
            rules_version: CURRENT_RULES,
            subject: "甲牌".into(),
            applicant: "甲公司".into(),
            ..DatasetMetadata::default()
        };
        let wording = Wording { questionnaire: &questionnaire, metadata: &metadata };
        for table in [Table::Responses, Table::Cases] {
            for field in layout(table, &questionnaire, &metadata) {
                let title = wording.title(&field);
                assert!(
                    !title.zh().is_ascii() && !title.en().is_empty(),
                    "{}: {title:?}",
                    field.name
                );
                assert!(!title.zh().contains("名单字段"), "{}", field.name);
                for ValueLabel { code, text } in wording.value_labels(&field) {
                    assert!(
                        !text.zh().is_empty() && !text.en().is_empty(),
                        "{}: {code}",
                        field.name
                    );
                }
            }
        }
        let fields = layout(Table::Responses, &questionnaire, &metadata);
        let title =
            |name: &str| wording.title(fields.iter().find(|field| field.name == name).unwrap());
        assert_eq!(title("G1").zh(), "请评价：外观");
        assert_eq!(title("G2").en(), "Please rate: Durability");
        assert_eq!(title("WHY_price").zh(), "…使用，为什么不满意？——价格");
    }
}
