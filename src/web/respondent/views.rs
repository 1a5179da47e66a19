//! The pages' contents, ready to be laid out.

use std::collections::BTreeMap;

use askama::Template;

use super::STYLE;
use super::words::{Words, words};
use crate::collect::{Bundle, Finish};
use crate::domain::language::Language;
use crate::domain::questionnaire::{Answer, AnswerProblem, Item, ItemKind};
use crate::domain::time::Timestamp;

#[derive(Template)]
#[template(path = "welcome.html")]
pub struct WelcomePage<'a> {
    style: &'static str,
    w: &'static Words,
    code: &'a str,
    applicant: &'a str,
    subjects: Vec<String>,
    open_until: Option<String>,
}

impl<'a> WelcomePage<'a> {
    pub fn new(bundle: &'a Bundle, code: &'a str, language: Language, now: Timestamp) -> WelcomePage<'a> {
        let askable = bundle.cases.iter().filter(|case| case.is_askable);
        // The field closes when the due day is over; what people read is that day.
        let last_day = |closes: Timestamp| (closes - std::time::Duration::from_secs(1)).date(bundle.zone).to_string();
        WelcomePage {
            style: STYLE,
            w: words(language),
            code,
            applicant: &bundle.invitation.applicant_name,
            subjects: askable.map(|case| case.case.subject.title()).collect(),
            open_until: bundle.field_closes_at().filter(|closes| *closes > now).map(last_day),
        }
    }
}

/// A page that was sent with mistakes: what was wrong, and what was sent.
pub struct Attempt {
    pub problems: BTreeMap<String, AnswerProblem>,
    pub sent: BTreeMap<String, String>,
}

#[derive(Template)]
#[template(path = "questions.html")]
pub struct QuestionsPage<'a> {
    style: &'static str,
    w: &'static Words,
    code: &'a str,
    subject: String,
    introduction: Option<&'a str>,
    title: &'a str,
    case: usize,
    page: usize,
    step: usize,
    steps: usize,
    back: Option<usize>,
    is_last: bool,
    has_problems: bool,
    items: Vec<ItemView<'a>>,
}

struct ItemView<'a> {
    id: &'a str,
    text: &'a str,
    is_optional: bool,
    problem: Option<&'static str>,
    scale: Option<ScaleView<'a>>,
    max_chars: usize,
    value: String,
}

struct ScaleView<'a> {
    low: &'a str,
    high: &'a str,
    points: Vec<i64>,
    not_applicable: bool,
}

impl ItemView<'_> {
    fn is_chosen(&self, point: &i64) -> bool {
        self.value == point.to_string()
    }

    fn is_not_applicable(&self) -> bool {
        self.value == Answer::NOT_APPLICABLE
    }
}

impl<'a> QuestionsPage<'a> {
    pub fn new(bundle: &'a Bundle, code: &'a str, language: Language, case: usize, page: usize, attempt: Option<Attempt>) -> QuestionsPage<'a> {
        let w = words(language);
        let current = &bundle.cases[case];
        let pages = &current.questionnaire.pages;
        let steps: usize = bundle.cases.iter().map(|c| c.questionnaire.pages.len()).sum();
        let before: usize = bundle.cases[..case].iter().map(|c| c.questionnaire.pages.len()).sum();
        let items = pages[page].items.iter().map(|item| item_view(item, current.answers.get(&item.id), attempt.as_ref(), w, language)).collect();
        QuestionsPage {
            style: STYLE,
            w,
            code,
            subject: current.case.subject.title(),
            introduction: (page == 0).then(|| current.questionnaire.introduction.in_language(language)),
            title: pages[page].title.in_language(language),
            case,
            page,
            step: before + page + 1,
            steps,
            back: page.checked_sub(1),
            is_last: page + 1 == pages.len(),
            has_problems: attempt.is_some(),
            items,
        }
    }
}

fn item_view<'a>(item: &'a Item, stored: Option<&Answer>, attempt: Option<&Attempt>, w: &'static Words, language: Language) -> ItemView<'a> {
    let stored = match stored {
        Some(Answer::Number(number)) => number.to_string(),
        Some(Answer::NotApplicable) => Answer::NOT_APPLICABLE.to_owned(),
        Some(Answer::Open(text)) => text.reveal().to_owned(),
        None => String::new(),
    };
    let problem = attempt.and_then(|a| a.problems.get(&item.id)).map(|problem| match problem {
        AnswerProblem::Missing => w.missing,
        AnswerProblem::OutOfRange => w.out_of_range,
        AnswerProblem::TooLong => w.too_long,
    });
    let (scale, max_chars) = match &item.kind {
        ItemKind::Scale(scale) => (
            Some(ScaleView {
                low: scale.low.in_language(language),
                high: scale.high.in_language(language),
                points: scale.points().collect(),
                not_applicable: scale.not_applicable,
            }),
            0,
        ),
        ItemKind::Open { max_chars } => (None, *max_chars),
    };
    ItemView {
        id: &item.id,
        text: item.text.in_language(language),
        is_optional: !item.required,
        problem,
        scale,
        max_chars,
        value: attempt.and_then(|a| a.sent.get(&item.id)).cloned().unwrap_or(stored),
    }
}

#[derive(Template)]
#[template(path = "end.html")]
pub struct EndPage<'a> {
    style: &'static str,
    w: &'static Words,
    code: Option<&'a str>,
    heading: &'static str,
    texts: Vec<String>,
}

impl<'a> EndPage<'a> {
    pub fn finished(finish: Finish, code: &'a str, language: Language) -> EndPage<'a> {
        let w = words(language);
        let (heading, text) = match finish {
            Finish::Thanks => w.thanks,
            Finish::Refused => w.refused,
            Finish::NotAUser => w.not_a_user,
            Finish::CellFull => w.cell_full,
            Finish::Closed => w.closed,
        };
        EndPage { style: STYLE, w, code: Some(code), heading, texts: vec![text.to_owned()] }
    }

    pub fn not_found() -> EndPage<'static> {
        let texts = vec!["请核对短信中的链接。".to_owned(), "Please check the link in your message.".to_owned()];
        EndPage { style: STYLE, w: words(Language::Zh), code: None, heading: "没有这个页面 · Not found", texts }
    }

    pub fn failure(reference: &str) -> EndPage<'static> {
        let texts = vec![format!("请稍后再试。编号 {reference}"), format!("Please try again later. Reference {reference}")];
        EndPage { style: STYLE, w: words(Language::Zh), code: None, heading: "暂时无法处理 · Something went wrong", texts }
    }
}
