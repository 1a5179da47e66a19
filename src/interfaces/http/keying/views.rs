//! The templates of the keying page, and what they show.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use super::super::auth::Staff;
use super::super::page_layout::{PageLayout, Translator};
use crate::domain::form_number::FormNumber;
use crate::domain::language::Language;
use crate::domain::paper_form::{PaperItem, SpecialAnswer};
use crate::domain::questionnaire::{AnswerProblem, ItemKind, TextPiping};
use crate::domain::role::Permission;
use crate::domain::words::Words;
use crate::services::paper_forms::comparing::Differences;
use crate::services::paper_forms::keying::{FormOnDesk, Task};
use crate::services::paper_forms::status::KeyingDesk;

#[derive(Template)]
#[template(path = "keying/desk.html")]
pub struct DeskPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    typed: &'a str,
    second: Vec<FormNumber>,
    different: Vec<FormNumber>,
    may_settle: bool,
}

impl<'a> DeskPage<'a> {
    pub fn new(
        staff: &'a Staff,
        noted: &str,
        problem: Option<String>,
        typed: &'a str,
        desk: KeyingDesk,
    ) -> DeskPage<'a> {
        DeskPage {
            layout: PageLayout::for_staff(staff),
            flash: flash_text(staff.tr, noted),
            problem,
            typed,
            second: desk.second,
            different: desk.different,
            may_settle: staff.may(Permission::Supervise),
        }
    }
}

/// Returns the confirmation of the last form.
fn flash_text(tr: Translator, noted: &str) -> Option<&'static str> {
    Some(match noted {
        "complete" => tr.t("已录入：完成。", "Keyed in: complete."),
        "partial" => tr.t("已录入：部分完成。", "Keyed in: partial."),
        "break_off" => tr.t(
            "已录入，但作答过少，个案仍未完成。",
            "Keyed in; too little is answered, and the case stays open.",
        ),
        "not_eligible" => tr.t("已录入：非用户。", "Keyed in: not a user of the subject."),
        "quota_filled" => {
            tr.t("已录入；配额已满，不计入。", "Keyed in; the quota is full, it does not count.")
        }
        "late" => tr.t(
            "已录入；调查已结束，是否计入由后续数据版本决定。",
            "Keyed in after the field closed; a later version of the dataset may count it.",
        ),
        "agreed" => tr.t("复录一致。", "The two keyings agree."),
        "different" => {
            tr.t("复录有不一致，待督导裁定。", "The two keyings differ; a supervisor settles it.")
        }
        "settled" => tr.t("已裁定。", "It is settled."),
        "undelivered" => tr.t("已登记：退回（无法投递）。", "Noted: returned undelivered."),
        "refused" => tr.t(
            "已登记：书面拒绝；不再联系。",
            "Noted: refused on paper; the person is contacted no more.",
        ),
        "blank" => tr.t("已登记：空白退回。", "Noted: returned blank."),
        "came_after" => tr.t(
            "已登记：纸质问卷后到，保留先前的回答。",
            "Noted: the form came after; the answers given before stay.",
        ),
        _ => return None,
    })
}

/// What a handler passes to the form's page.
#[derive(Default)]
pub struct FormState {
    pub fields: BTreeMap<String, String>,
    pub filled_on: String,
    pub problems: BTreeMap<String, AnswerProblem>,
    pub problem: Option<String>,
    /// Items that the routing skips by what is keyed so far.
    pub skipped: BTreeSet<String>,
    /// Items with an answer that will not be kept.
    pub to_confirm: Vec<String>,
    /// Whether the form replaces answers given in another mode, and why.
    pub is_preferred: bool,
    pub reason: String,
}

impl FormState {
    pub fn is_refused(&self) -> bool {
        !self.problems.is_empty() || self.problem.is_some() || !self.to_confirm.is_empty()
    }
}

/// One field of the form.
struct KeyRow<'a> {
    id: &'a str,
    number: u32,
    text: Cow<'a, str>,
    /// The digits with their meanings.
    key: String,
    value: &'a str,
    problem: Option<String>,
    is_open: bool,
    is_skipped: bool,
}

#[derive(Template)]
#[template(path = "keying/form.html")]
pub struct FormPage<'a> {
    layout: PageLayout<'a>,
    number: &'a FormNumber,
    subject: &'a str,
    language: Language,
    task: Task,
    rows: Vec<KeyRow<'a>>,
    problem: Option<&'a str>,
    has_problems: bool,
    /// Numbers of the questions whose answers will not be kept.
    to_confirm: String,
    filled_on: &'a str,
    is_preferred: bool,
    reason: &'a str,
    may_prefer: bool,
}

impl<'a> FormPage<'a> {
    pub fn new(staff: &'a Staff, desk: &'a FormOnDesk, state: &'a FormState) -> FormPage<'a> {
        let form = desk.paper_form();
        let rows: Vec<KeyRow<'a>> =
            form.questions().map(|paper| key_row(staff.tr, desk, paper, state)).collect();
        let number_of =
            |id: &String| rows.iter().find(|row| row.id == id).map(|row| row.number.to_string());
        let to_confirm: Vec<String> = state.to_confirm.iter().filter_map(number_of).collect();
        FormPage {
            layout: PageLayout::for_staff(staff),
            number: &desk.form.number,
            subject: &desk.subject,
            language: desk.form.language,
            task: desk.task,
            problem: state.problem.as_deref(),
            has_problems: !state.problems.is_empty(),
            to_confirm: to_confirm.join(staff.tr.t("、", ", ")),
            filled_on: &state.filled_on,
            is_preferred: state.is_preferred,
            reason: &state.reason,
            may_prefer: staff.may(Permission::Supervise),
            rows,
        }
    }
}

fn key_row<'a>(
    tr: Translator,
    desk: &'a FormOnDesk,
    paper: &PaperItem<'a>,
    state: &'a FormState,
) -> KeyRow<'a> {
    let item = paper.item;
    let problem = state.problems.get(&item.id);
    KeyRow {
        id: &item.id,
        number: paper.number.unwrap_or(0),
        text: blank_text(desk, &item.text, desk.form.language),
        key: key_text(tr, desk, paper),
        value: state.fields.get(&item.id).map(String::as_str).unwrap_or_default(),
        problem: problem.map(|problem| Words::of(tr.0.into()).problem(item, *problem)),
        is_open: matches!(item.kind, ItemKind::Open { .. }),
        is_skipped: state.skipped.contains(&item.id),
    }
}

fn blank_text<'a>(
    desk: &'a FormOnDesk,
    text: &'a crate::domain::language::LocalizedText,
    language: Language,
) -> Cow<'a, str> {
    let piping = TextPiping {
        questionnaire: &desk.questionnaire,
        subject: &desk.subject,
        applicant: &desk.applicant,
        answers: &BTreeMap::new(),
        language,
        isolates: true,
    };
    piping.fill_blank(text)
}

/// Returns what may be keyed: digits with the options beside them, or the limits of a number.
fn key_text(tr: Translator, desk: &FormOnDesk, paper: &PaperItem<'_>) -> String {
    let language = desk.form.language;
    let mut parts: Vec<String> = match &paper.item.kind {
        ItemKind::Scale(scale) => vec![format!("{}–{}", scale.from, scale.to)],
        ItemKind::Choice(choice) => {
            let option =
                |(digits, option): (String, &&crate::domain::questionnaire::ChoiceOption)| {
                    format!("{digits} {}", blank_text(desk, &option.text, language))
                };
            let mut options: Vec<String> =
                paper.option_digits().into_iter().zip(&paper.options).map(option).collect();
            if choice.selection == crate::domain::questionnaire::Selection::Ranked {
                options = vec![format!(
                    "{} {}",
                    tr.t("按印刷顺序录入名次：", "the ranks in printed order:"),
                    paper
                        .options
                        .iter()
                        .map(|option| blank_text(desk, &option.text, language).into_owned())
                        .collect::<Vec<_>>()
                        .join(" · ")
                )];
            }
            options
        }
        ItemKind::Number(range) => {
            let limit = |limit: Option<f64>| limit.map(|n| n.to_string()).unwrap_or_default();
            vec![format!("{}–{}", limit(range.min), limit(range.max))]
        }
        ItemKind::Date { .. } => {
            vec![tr.t("年月日八位，如 20260513", "eight digits: 20260513").into()]
        }
        ItemKind::Open { .. } => vec![tr.t("照原文录入", "as it is written").into()],
        ItemKind::Info => Vec::new(),
    };
    let label = |special: SpecialAnswer| match special {
        SpecialAnswer::NotApplicable => tr.t("不适用", "does not apply"),
        SpecialAnswer::DontKnow => tr.t("不知道", "don't know"),
        SpecialAnswer::Refused => tr.t("不想回答", "rather not say"),
    };
    let specials = paper.specials().into_iter();
    parts.extend(specials.map(|(special, code)| format!("{code} {}", label(special))));
    parts.join(" · ")
}

struct DifferenceRow<'a> {
    id: &'a str,
    number: u32,
    text: Cow<'a, str>,
    key: String,
    first: &'a str,
    second: &'a str,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "keying/differences.html")]
pub struct DifferencesPage<'a> {
    layout: PageLayout<'a>,
    number: &'a FormNumber,
    language: Language,
    first_keyer: &'a str,
    second_keyer: &'a str,
    rows: Vec<DifferenceRow<'a>>,
}

impl<'a> DifferencesPage<'a> {
    pub fn new(
        staff: &'a Staff,
        found: &'a Differences,
        problems: &BTreeMap<String, AnswerProblem>,
    ) -> DifferencesPage<'a> {
        let (form, desk) = (found.desk.paper_form(), &found.desk);
        let row = |difference: &'a crate::services::paper_forms::comparing::Difference| {
            let paper = form.item(&difference.item)?;
            let problem = problems.get(&difference.item);
            Some(DifferenceRow {
                id: &difference.item,
                number: difference.number,
                text: blank_text(desk, &paper.item.text, desk.form.language),
                key: key_text(staff.tr, desk, paper),
                first: &difference.first,
                second: &difference.second,
                problem: problem.map(|p| Words::of(staff.tr.0.into()).problem(paper.item, *p)),
            })
        };
        DifferencesPage {
            layout: PageLayout::for_staff(staff),
            number: &desk.form.number,
            language: desk.form.language,
            first_keyer: &found.first_keyer,
            second_keyer: &found.second_keyer,
            rows: found.items.iter().filter_map(row).collect(),
        }
    }
}
