//! What the editor's page shows: cards of pages and items, one of them open with its form, the
//! findings beside them, and the page of the open card as a phone shows it.

use super::super::super::page_layout::Translator;
use super::form::{ConditionForm, TextField};
use super::preview::{Preview, preview};
use crate::domain::language::Language;
use crate::domain::questionnaire::{
    Finding, ItemFile, KindFile, Latent, OptionFile, Order, PageFile, QuestionnaireFile, Severity,
    kind_words,
};
use crate::domain::words::Words;
use crate::services::questionnaires::editor::Checked;
use strum::IntoEnumIterator;

/// Which card is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open {
    Nothing,
    /// Title, introduction, languages, common scale.
    Head,
    /// From 0.
    Page(usize),
    Item(String),
}

impl Open {
    /// Reads it from a link: `head`, `page-2`, `item-sat1`.
    pub fn parse(raw: &str) -> Open {
        if raw == "head" {
            return Open::Head;
        }
        if let Some(id) = raw.strip_prefix("item-") {
            return Open::Item(id.to_owned());
        }
        let page = raw.strip_prefix("page-").and_then(|number| number.parse::<usize>().ok());
        page.map_or(Open::Nothing, |number| Open::Page(number.saturating_sub(1)))
    }

    pub fn link(&self) -> String {
        match self {
            Open::Nothing => String::new(),
            Open::Head => "head".to_owned(),
            Open::Page(number) => format!("page-{}", number + 1),
            Open::Item(id) => format!("item-{id}"),
        }
    }
}

/// A finding beside its card.
pub struct FindingView {
    pub is_mistake: bool,
    pub what: String,
}

/// Title, introduction, languages, common scale.
pub struct HeadView {
    pub texts: Vec<TextField>,
    pub scale: ScaleForm,
    pub list_fields: String,
    pub findings: Vec<FindingView>,
    pub is_open: bool,
}

pub struct ScaleForm {
    pub from: i64,
    pub to: i64,
    pub ends: Vec<TextField>,
}

pub struct PageCard {
    /// From 1.
    pub number: usize,
    pub title: String,
    pub condition: Option<String>,
    pub findings: Vec<FindingView>,
    pub items: Vec<ItemCard>,
    pub form: Option<PageForm>,
    pub is_first: bool,
    pub is_last: bool,
}

pub struct PageForm {
    pub texts: Vec<TextField>,
    pub condition: ConditionForm,
    pub subjects: Vec<(String, String)>,
}

pub struct ItemCard {
    pub id: String,
    /// Its number among the questions; `None`: it asks nothing.
    pub number: Option<usize>,
    pub kind: &'static str,
    pub text: String,
    /// The options, or the ends of the scale.
    pub answers: String,
    pub condition: Option<String>,
    pub screen_out: Option<String>,
    pub marks: Vec<&'static str>,
    pub findings: Vec<FindingView>,
    pub form: Option<Box<ItemForm>>,
    pub is_first: bool,
    pub is_last: bool,
}

/// The open item's fields.
pub struct ItemForm {
    pub kind: KindFile,
    pub kinds: Vec<(&'static str, &'static str)>,
    pub text: TextField,
    pub more_texts: Vec<TextField>,
    pub options: Vec<OptionForm>,
    pub rows: Vec<RowForm>,
    pub is_random: bool,
    pub is_own_scale: bool,
    pub scale: Option<ScaleForm>,
    pub latents: Vec<(&'static str, &'static str)>,
    pub latent: &'static str,
    pub item: ItemFile,
    pub unit: TextField,
    pub min: String,
    pub max: String,
    pub condition: ConditionForm,
    pub subjects: Vec<(String, String)>,
    pub screen_out: ConditionForm,
    pub screen_out_subjects: Vec<(String, String)>,
    /// Whether the folded part has something in it.
    pub has_more: bool,
}

pub struct OptionForm {
    pub option: OptionFile,
    pub text: TextField,
}

pub struct RowForm {
    pub id: String,
    pub variable: String,
    pub text: TextField,
}

impl ItemForm {
    pub fn kind_code(&self) -> &'static str {
        self.kind.into()
    }

    pub fn is_choice(&self) -> bool {
        matches!(self.kind, KindFile::Single | KindFile::Multiple | KindFile::Rank)
    }

    pub fn is_grid(&self) -> bool {
        self.kind == KindFile::Grid
    }

    pub fn asks(&self) -> bool {
        self.kind != KindFile::Info
    }

    pub fn is(&self, kind: &str) -> bool {
        self.kind_code() == kind
    }

    pub fn variable(&self) -> &str {
        self.item.variable.as_deref().unwrap_or_default()
    }
}

/// The editor's cards, with what was found beside each.
pub struct Cards {
    pub head: HeadView,
    pub pages: Vec<PageCard>,
    pub mistakes: usize,
    pub remarks: usize,
    pub questions: usize,
}

/// Makes the cards.
pub fn cards(
    file: &QuestionnaireFile,
    checked: &Checked,
    open: &Open,
    shown: Language,
    tr: Translator,
) -> Cards {
    let all: Vec<Finding> = checked.all().collect();
    let found_at = |places: &[String]| -> Vec<FindingView> {
        let is_here = |finding: &&Finding| places.contains(&finding.place);
        let view = |finding: &Finding| FindingView {
            is_mistake: finding.severity == Severity::Error,
            what: finding.what.in_language(Language::from(tr.0)).to_owned(),
        };
        all.iter().filter(is_here).map(view).collect()
    };
    let mut number = 0;
    let mut pages = Vec::new();
    let last_page = file.pages.len().saturating_sub(1);
    for (at, page) in file.pages.iter().enumerate() {
        let mut items = Vec::new();
        for (place, item) in page.items.iter().enumerate() {
            let asked = match item.kind {
                KindFile::Info => 0,
                KindFile::Grid => item.rows.len(),
                _ => 1,
            };
            let mut places = vec![format!("item {}", item.id)];
            places.extend(item.rows.iter().map(|row| format!("item {}", row.id)));
            let is_open = *open == Open::Item(item.id.clone());
            items.push(ItemCard {
                number: (asked > 0).then_some(number + 1),
                is_first: at == 0 && place == 0,
                is_last: at == last_page && place + 1 == page.items.len(),
                findings: found_at(&places),
                form: is_open.then(|| Box::new(item_form(file, item, at, tr))),
                ..item_card(file, item, shown, tr)
            });
            number += asked;
        }
        let condition = page.show_if.as_ref().map(|source| said(file, source, tr));
        let is_open = *open == Open::Page(at);
        pages.push(PageCard {
            number: at + 1,
            title: page.title.in_language(shown).to_owned(),
            condition,
            findings: found_at(&[format!("page {}", at + 1)]),
            items,
            form: is_open.then(|| page_form(file, page, at, tr)),
            is_first: at == 0,
            is_last: at == last_page,
        });
    }
    let head_places =
        ["title", "introduction", "scale", "languages", "list_fields", "code", "core", "page"]
            .map(str::to_owned);
    Cards {
        head: head_view(file, found_at(&head_places), *open == Open::Head, tr),
        pages,
        mistakes: all.iter().filter(|finding| finding.severity == Severity::Error).count(),
        remarks: all.iter().filter(|finding| finding.severity == Severity::Warning).count(),
        questions: number,
    }
}

/// A condition in words, or as it is written.
fn said(file: &QuestionnaireFile, source: &str, tr: Translator) -> String {
    file.condition_words(source, tr.0).unwrap_or_else(|| source.to_owned())
}

fn head_view(
    file: &QuestionnaireFile,
    findings: Vec<FindingView>,
    is_open: bool,
    tr: Translator,
) -> HeadView {
    let languages = file.all_languages();
    HeadView {
        texts: vec![
            TextField::new(tr.t("标题", "Title"), "title", 1, &languages, Some(&file.title)),
            TextField::new(
                tr.t("开头语", "Introduction"),
                "introduction",
                3,
                &languages,
                Some(&file.introduction),
            ),
        ],
        scale: scale_form(file.scale.as_ref(), &languages, tr),
        list_fields: file.list_fields.join(" "),
        findings,
        is_open,
    }
}

fn scale_form(
    scale: Option<&crate::domain::questionnaire::ScaleFile>,
    languages: &[Language],
    tr: Translator,
) -> ScaleForm {
    ScaleForm {
        from: scale.map_or(1, |scale| scale.from),
        to: scale.map_or(10, |scale| scale.to),
        ends: vec![
            TextField::new(
                tr.t("最低分的说明", "Words at the low end"),
                "scale-low",
                1,
                languages,
                scale.map(|scale| &scale.low),
            ),
            TextField::new(
                tr.t("最高分的说明", "Words at the high end"),
                "scale-high",
                1,
                languages,
                scale.map(|scale| &scale.high),
            ),
        ],
    }
}

fn page_form(file: &QuestionnaireFile, page: &PageFile, at: usize, tr: Translator) -> PageForm {
    let languages = file.all_languages();
    let subjects = file.subjects(at, tr.0);
    let title = tr.t("页标题", "Title of the page");
    PageForm {
        texts: vec![TextField::new(title, "title", 1, &languages, Some(&page.title))],
        condition: ConditionForm::new("if", page.show_if.as_ref(), &subjects, tr.0),
        subjects: subjects.into_iter().map(|subject| (subject.name, subject.text)).collect(),
    }
}

fn item_card(
    file: &QuestionnaireFile,
    item: &ItemFile,
    shown: Language,
    tr: Translator,
) -> ItemCard {
    let mut answers: Vec<&str> =
        item.options.iter().map(|option| option.text.in_language(shown)).collect();
    answers.extend(item.rows.iter().map(|row| row.text.in_language(shown)));
    let mut answers = answers.join(" / ");
    let is_scale = item.kind == KindFile::Scale;
    if let Some(scale) = item.scale.as_ref().or(file.scale.as_ref()).filter(|_| is_scale) {
        answers = format!(
            "{} {} … {} {}",
            scale.from,
            scale.low.in_language(shown),
            scale.to,
            scale.high.in_language(shown)
        );
    }
    let flags = [
        (item.core, tr.t("核心题", "core")),
        (!item.required && item.kind != KindFile::Info, tr.t("选答", "optional")),
        (item.order == Order::Random, tr.t("选项随机", "options in random order")),
    ];
    ItemCard {
        id: item.id.clone(),
        number: None,
        kind: tr.pair(kind_words(item.kind)),
        text: item.text.in_language(shown).to_owned(),
        answers,
        condition: item.show_if.as_ref().map(|source| said(file, source, tr)),
        screen_out: item.screen_out_if.as_ref().map(|source| said(file, source, tr)),
        marks: flags.into_iter().filter(|flag| flag.0).map(|flag| flag.1).collect(),
        findings: Vec::new(),
        form: None,
        is_first: false,
        is_last: false,
    }
}

fn item_form(file: &QuestionnaireFile, item: &ItemFile, page: usize, tr: Translator) -> ItemForm {
    let languages = file.all_languages();
    let field = |label: &'static str, name: &str, lines: u8, text| {
        TextField::new(label, name, lines, &languages, text)
    };
    let option_label = tr.t("选项", "Option");
    let row_label = tr.t("行", "Row");
    let options = item.options.iter().enumerate().map(|(number, option)| OptionForm {
        text: field(option_label, &format!("opt-{number}-text"), 1, Some(&option.text)),
        option: option.clone(),
    });
    let rows = item.rows.iter().enumerate().map(|(number, row)| RowForm {
        id: row.id.clone(),
        variable: row.variable.clone(),
        text: field(row_label, &format!("row-{number}-text"), 1, Some(&row.text)),
    });
    let is_scale =
        item.kind == KindFile::Scale || item.kind == KindFile::Grid && item.options.is_empty();
    let subjects = file.subjects(page, tr.0);
    let mut own = file.subjects_of(item, tr.0);
    own.extend(file.subjects(page, tr.0));
    let names = |subjects: &[crate::domain::questionnaire::Subject]| {
        subjects.iter().map(|subject| (subject.name.clone(), subject.text.clone())).collect()
    };
    let number = |number: Option<f64>| number.map(|n| n.to_string()).unwrap_or_default();
    ItemForm {
        kind: item.kind,
        kinds: KindFile::iter().map(|kind| (kind.into(), tr.pair(kind_words(kind)))).collect(),
        text: field(tr.t("题目", "Question"), "text", 2, Some(&item.text)),
        more_texts: vec![
            field(
                tr.t("给访问员的提示（电话）", "Hint for interviewers"),
                "hint",
                2,
                item.hint.as_ref(),
            ),
            field(tr.t("短信问答用的简短题目", "Short text for SMS"), "sms", 2, item.sms.as_ref()),
            field(
                tr.t("答案不符时的提示", "Message for a wrong answer"),
                "wrong",
                1,
                item.wrong_answer.as_ref(),
            ),
            field(
                tr.t("漏答时的提示", "Message for a missing answer"),
                "missing",
                1,
                item.missing_answer.as_ref(),
            ),
        ],
        options: options.collect(),
        rows: rows.collect(),
        is_random: item.order == Order::Random,
        is_own_scale: item.scale.is_some(),
        scale: is_scale
            .then(|| scale_form(item.scale.as_ref().or(file.scale.as_ref()), &languages, tr)),
        latents: Latent::ALL
            .iter()
            .map(|latent| (latent.as_str(), tr.pair((latent.chinese(), latent.english()))))
            .collect(),
        latent: item.latent.map_or("", Latent::as_str),
        unit: field(tr.t("单位", "Unit"), "unit", 1, item.unit.as_ref()),
        min: number(item.min),
        max: number(item.max),
        condition: ConditionForm::new("if", item.show_if.as_ref(), &subjects, tr.0),
        subjects: names(&subjects),
        screen_out: ConditionForm::new("out", item.screen_out_if.as_ref(), &own, tr.0),
        screen_out_subjects: names(&own),
        has_more: [&item.hint, &item.sms, &item.wrong_answer, &item.missing_answer]
            .into_iter()
            .any(Option::is_some)
            || item.screen_out_if.is_some(),
        item: item.clone(),
    }
}

/// The page of the open card, as a phone shows it; all pages if none is open.
pub struct Phone {
    pub language: Language,
    pub pages: Vec<PhonePage>,
    pub title: String,
    pub introduction: Option<String>,
}

pub struct PhonePage {
    pub title: String,
    pub items: String,
    /// Items that cannot be shown yet.
    pub unfinished: usize,
}

/// Makes the preview.
pub fn phone(
    file: &QuestionnaireFile,
    checked: &Checked,
    open: &Open,
    language: Language,
) -> Phone {
    let questionnaire = &checked.sketch.questionnaire;
    let texts = Words::of(language);
    let Preview { introduction, pages } = preview(questionnaire, language, texts);
    let wanted = match open {
        Open::Page(page) => Some(*page),
        Open::Item(id) => file.place_of(id).map(|place| place.page),
        Open::Nothing | Open::Head => None,
    };
    let is_shown = |number: &usize| match open {
        Open::Head => false,
        _ => wanted.is_none_or(|wanted| wanted == *number),
    };
    let shown = pages.into_iter().enumerate().filter(|(number, _)| is_shown(number));
    let page = |(number, page): (usize, super::preview::PageView<'_>)| PhonePage {
        unfinished: unfinished(file, checked, number),
        title: page.title.into_owned(),
        items: page.items.to_string(),
    };
    Phone {
        language,
        title: questionnaire.title.in_language(language).to_owned(),
        introduction: wanted.is_none().then(|| introduction.into_owned()),
        pages: shown.map(page).collect(),
    }
}

fn unfinished(file: &QuestionnaireFile, checked: &Checked, page: usize) -> usize {
    let Some(written) = file.pages.get(page) else { return 0 };
    let is_missing = |item: &&ItemFile| {
        let id = item.rows.first().map_or(&item.id, |row| &row.id);
        checked.sketch.questionnaire.item(id).is_none()
    };
    written.items.iter().filter(is_missing).count()
}
