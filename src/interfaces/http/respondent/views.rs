//! The pages' contents, ready to be laid out.

use askama::Template;

use super::super::items::{Attempt, Field, ItemView, item_view};
use super::super::translations::{Words, words};
use super::STYLE;
use crate::services::interviews::{Bundle, Finish, Noted};
use crate::domain::language::Language;
use crate::domain::questionnaire::{Path, Piped};
use crate::domain::time::Timestamp;

#[derive(Template)]
#[template(path = "respondent/welcome.html")]
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

#[derive(Template)]
#[template(path = "respondent/questions.html")]
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

#[derive(Template)]
#[template(path = "respondent/end.html")]
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
