//! The pages' contents, ready to be laid out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use askama::Template;

use super::STYLE;
use super::words::{Words, words};
use crate::collect::{Bundle, BundleCase, Finish, Noted};
use crate::domain::language::Language;
use crate::domain::questionnaire::{Answer, AnswerProblem, Item, ItemKind, Path, Piped, Take};
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
    notice: &'a str,
    notice_paragraphs: Vec<String>,
}

/// The day that people read of a field that closes when the due day is over.
fn last_day(bundle: &Bundle, closes: Timestamp) -> String {
    (closes - std::time::Duration::from_secs(1)).date(bundle.programme.time_zone).to_string()
}

impl<'a> WelcomePage<'a> {
    pub fn new(bundle: &'a Bundle, code: &'a str, language: Language, now: Timestamp) -> WelcomePage<'a> {
        let askable = bundle.cases.iter().filter(|case| case.is_askable);
        let privacy = &bundle.programme.privacy;
        WelcomePage {
            style: STYLE,
            w: words(language),
            code,
            applicant: bundle.applicant_name(),
            subjects: askable.map(|case| case.application.subject.clone()).collect(),
            open_until: bundle.field_closes_at().filter(|closes| *closes > now).map(|closes| last_day(bundle, closes)),
            notice: &privacy.version,
            notice_paragraphs: privacy.paragraphs(language, bundle.applicant_name(), &bundle.programme.name),
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
    subject: &'a str,
    introduction: Option<&'a str>,
    title: &'a str,
    case: usize,
    page: usize,
    /// When the page was made, in UTC milliseconds.
    shown: i64,
    step: usize,
    steps: usize,
    back: Option<usize>,
    is_last: bool,
    has_problems: bool,
    items: Vec<ItemView<'a>>,
}

struct ItemView<'a> {
    id: &'a str,
    heading: Option<Cow<'a, str>>,
    text: Cow<'a, str>,
    is_optional: bool,
    problem: Option<String>,
    /// What stands in the item's own field, or which of its choices are taken.
    value: String,
    not_applicable: bool,
    dont_know: bool,
    field: Field<'a>,
}

/// How an item is answered.
enum Field<'a> {
    Scale { low: &'a str, high: &'a str, points: Vec<i64> },
    One(Vec<(&'a str, &'a str)>),
    Several(Vec<(&'a str, &'a str)>),
    Ranking(Vec<(&'a str, &'a str)>),
    Number { unit: Option<&'a str> },
    Date { first: Option<String>, last: Option<String> },
    Open { max_chars: usize },
    Info,
}

impl ItemView<'_> {
    fn is_taken(&self, code: &str) -> bool {
        self.value.split(' ').any(|taken| taken == code)
    }

    fn is_chosen(&self, point: &i64) -> bool {
        self.value.parse() == Ok(*point)
    }

    /// Is there one field that the question is the label of? Otherwise each choice has its own.
    fn has_own_field(&self) -> bool {
        matches!(self.field, Field::Number { .. } | Field::Date { .. } | Field::Open { .. })
    }

    /// The kind of field that «not applicable» is beside the others.
    fn beside(&self) -> &'static str {
        if matches!(self.field, Field::Scale { .. } | Field::One(_)) { "radio" } else { "checkbox" }
    }

    fn places(&self, options: &[(&str, &str)]) -> Vec<usize> {
        (1..=options.len()).collect()
    }

    /// The value of a field of its own, beside which «not applicable» may be taken.
    fn own_value(&self) -> &str {
        if [Answer::NOT_APPLICABLE, Answer::DONT_KNOW].contains(&self.value.as_str()) { "" } else { &self.value }
    }

    /// The place that an option has in a ranking: as it was sent (`code:place`), or as it is stored (codes in their order).
    fn has_place(&self, code: &str, place: &usize) -> bool {
        self.value.split(' ').zip(1..).any(|(part, at)| match part.split_once(':') {
            Some((sent, chosen)) => sent == code && chosen.parse() == Ok(*place),
            None => part == code && at == *place,
        })
    }
}

/// Where in a bundle somebody stands.
#[derive(Clone, Copy)]
pub struct Place {
    pub case: usize,
    pub page: usize,
}

impl<'a> QuestionsPage<'a> {
    pub fn new(
        bundle: &'a Bundle,
        paths: &[Path<'a>],
        code: &'a str,
        language: Language,
        place: Place,
        now: Timestamp,
        attempt: Option<Attempt>,
    ) -> QuestionsPage<'a> {
        let Place { case, page } = place;
        let w = words(language);
        let current = &bundle.cases[case];
        let path = &paths[case];
        let steps: usize = paths.iter().map(|path| path.pages.len()).sum();
        let before: usize = paths[..case].iter().map(|path| path.pages.len()).sum();
        let subject = &current.application.subject;
        let piped = Piped {
            questionnaire: &current.application.questionnaire,
            subject,
            applicant: bundle.applicant_name(),
            answers: &current.answers,
            language,
        };
        let items = path.on_page(page).iter().map(|item| item_view(item, current, &piped, attempt.as_ref(), w)).collect();
        QuestionsPage {
            style: STYLE,
            w,
            code,
            introduction: (page == 0).then(|| current.application.questionnaire.introduction.in_language(language)),
            title: current.application.questionnaire.pages[page].title.in_language(language),
            case,
            page,
            shown: now.0,
            step: before + path.pages_before(page) + 1,
            steps,
            back: path.page_before(page),
            is_last: path.is_last(page),
            has_problems: attempt.is_some(),
            items,
            subject,
        }
    }
}

fn item_view<'a>(item: &'a Item, case: &BundleCase, piped: &Piped<'_>, attempt: Option<&Attempt>, w: &'static Words) -> ItemView<'a> {
    let language = piped.language;
    let stored = match case.answers.get(&item.id) {
        Some(Answer::Open(text)) => text.reveal().to_owned(),
        Some(answer) => answer.stored().unwrap_or_default(),
        None => String::new(),
    };
    ItemView {
        id: &item.id,
        heading: item.heading.as_ref().map(|heading| piped.fill(heading)),
        text: piped.fill(&item.text),
        is_optional: item.asks() && !item.required,
        problem: attempt.and_then(|a| a.problems.get(&item.id)).map(|problem| w.problem(*problem)),
        value: attempt.and_then(|a| a.sent.get(&item.id)).cloned().unwrap_or(stored),
        not_applicable: item.not_applicable,
        dont_know: item.dont_know,
        field: field_of(item, case.case.id.0, language),
    }
}

fn field_of(item: &Item, case: i64, language: Language) -> Field<'_> {
    match &item.kind {
        ItemKind::Scale(scale) => {
            Field::Scale { low: scale.low.in_language(language), high: scale.high.in_language(language), points: scale.points().collect() }
        }
        ItemKind::Choice(choice) => {
            let options = choice.order_for(case, &item.id).into_iter().map(|o| (o.code.as_str(), o.text.in_language(language))).collect();
            match choice.take {
                Take::One => Field::One(options),
                Take::Several { .. } => Field::Several(options),
                Take::AllInOrder => Field::Ranking(options),
            }
        }
        ItemKind::Number(range) => Field::Number { unit: range.unit.as_ref().map(|unit| unit.in_language(language)) },
        ItemKind::Date { first, last } => Field::Date { first: first.map(|day| day.to_string()), last: last.map(|day| day.to_string()) },
        ItemKind::Open { max_chars } => Field::Open { max_chars: *max_chars },
        ItemKind::Info => Field::Info,
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
    /// Can one go on here?
    goes_on: bool,
    /// Can the consent still be taken back here?
    can_withdraw: bool,
}

impl<'a> EndPage<'a> {
    pub fn finished(finish: Finish, code: &'a str, language: Language) -> EndPage<'a> {
        let w = words(language);
        let (heading, text) = match finish {
            Finish::Thanks => w.thanks,
            Finish::Refused => w.refused,
            Finish::Withdrawn => w.withdrawn,
            Finish::NotAUser => w.not_a_user,
            Finish::CellFull => w.cell_full,
            Finish::Closed => w.closed,
        };
        EndPage { style: STYLE, w, code: Some(code), heading, texts: vec![text.to_owned()], goes_on: false, can_withdraw: finish == Finish::Thanks }
    }

    pub fn noted(noted: Noted, bundle: &Bundle, code: &'a str, language: Language) -> EndPage<'a> {
        let w = words(language);
        let (heading, text) = match noted {
            Noted::Later(_) => w.noted_later,
            Noted::Call => w.noted_call,
            Noted::Held => w.held,
        };
        let mut texts = vec![text.to_owned()];
        if let Noted::Later(Some(reminder)) = noted {
            texts.push(format!("{} {}", w.reminder_on, reminder.date(bundle.programme.time_zone)));
        }
        texts.extend(bundle.field_closes_at().map(|closes| format!("{} {}", w.open_until, last_day(bundle, closes))));
        EndPage { style: STYLE, w, code: Some(code), heading, texts, goes_on: true, can_withdraw: false }
    }

    pub fn not_found() -> EndPage<'static> {
        let texts = vec!["请核对短信中的链接。".to_owned(), "Please check the link in your message.".to_owned()];
        EndPage {
            style: STYLE, w: words(Language::Zh), code: None, heading: "没有这个页面 · Not found", texts, goes_on: false, can_withdraw: false
        }
    }

    pub fn failure(reference: &str) -> EndPage<'static> {
        let texts = vec![format!("请稍后再试。编号 {reference}"), format!("Please try again later. Reference {reference}")];
        EndPage {
            style: STYLE,
            w: words(Language::Zh),
            code: None,
            heading: "暂时无法处理 · Something went wrong",
            texts,
            goes_on: false,
            can_withdraw: false,
        }
    }
}
