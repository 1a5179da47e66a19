//! View models of the respondent's pages.

use std::borrow::Cow;

use askama::Template;
use axum::http::StatusCode;

use super::super::items::{Field, ItemView, RejectedAnswers, item_view};
use super::STYLE;
use super::brand::Brand;
use crate::domain::language::Language;
use crate::domain::organiser::Organiser;
use crate::domain::questionnaire::{QuestionPath, TextPiping};
use crate::domain::time::Timestamp;
use crate::domain::words::Words;
use crate::services::interviews::{EndScreen, InvitationCases, RequestConfirmation};

/// The language of a page, and those that it can be switched to.
pub struct PageLocale {
    pub language: Language,
    pub others: Vec<Language>,
    /// Whether the page is in Chinese and English, as it is not known who reads it.
    pub is_bilingual: bool,
}

impl PageLocale {
    /// The languages of an invitation's questionnaires; that of the page is one of them.
    pub fn of(invitation_cases: &InvitationCases, wanted: Language) -> PageLocale {
        let language = invitation_cases.language_for(wanted);
        PageLocale::among(&invitation_cases.languages(), language)
    }

    /// A page in one of these languages.
    pub fn among(all: &[Language], language: Language) -> PageLocale {
        let others = all.iter().copied().filter(|other| *other != language).collect();
        PageLocale { language, others, is_bilingual: false }
    }

    /// A page that cannot be switched.
    pub fn only(language: Language) -> PageLocale {
        PageLocale { language, others: Vec::new(), is_bilingual: false }
    }

    fn bilingual() -> PageLocale {
        PageLocale { is_bilingual: true, ..PageLocale::only(Language::ZH) }
    }

    fn words(&self) -> &'static Words {
        Words::of(self.language)
    }
}

/// Why a page is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redisplay {
    /// Some answers are not good; the others are saved.
    Problems,
    /// More was sent than is read. What was read is shown.
    TooLarge,
    /// It is not clear which page was sent.
    Unreadable,
    OtherLanguage,
    /// A wish is noted, and some answers beside it are not good.
    Noted,
}

/// What was typed on a page that is shown again.
#[derive(Default)]
pub struct Typed<'f> {
    pub reason: Option<Redisplay>,
    pub rejected: Option<RejectedAnswers>,
    /// The fields of the form, to be sent along with another one.
    pub carried: Vec<(&'f str, &'f str)>,
    /// Until when a refusal can be taken back, and whether answers were deleted with it.
    pub undo: Option<(Timestamp, bool)>,
}

impl Typed<'_> {
    pub fn status(&self) -> StatusCode {
        match self.reason {
            None | Some(Redisplay::OtherLanguage) => StatusCode::OK,
            Some(Redisplay::Problems | Redisplay::Noted) => StatusCode::UNPROCESSABLE_ENTITY,
            Some(Redisplay::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Some(Redisplay::Unreadable) => StatusCode::BAD_REQUEST,
        }
    }

    fn message(&self, texts: &'static Words) -> Option<&'static str> {
        match self.reason? {
            Redisplay::Problems => Some(&texts.check_marked),
            Redisplay::TooLarge => Some(&texts.page_too_large),
            Redisplay::Unreadable => Some(&texts.page_unreadable),
            Redisplay::OtherLanguage => None,
            Redisplay::Noted => Some(&texts.noted_not_saved),
        }
    }
}

#[derive(Template)]
#[template(path = "respondent/welcome.html")]
pub struct WelcomePage<'a> {
    style: &'static str,
    pub brand: Brand,
    locale: PageLocale,
    texts: &'static Words,
    code: &'a str,
    applicant: &'a str,
    subjects: Vec<String>,
    open_until: Option<String>,
    notice: &'a str,
    notice_paragraphs: Vec<String>,
    carried: Vec<(&'a str, &'a str)>,
}

/// Returns the last day of the field, where the programme is; `None` if it is over. A field closes
/// when its due day is over.
fn open_until(invitation_cases: &InvitationCases, now: Timestamp) -> Option<String> {
    let closes = invitation_cases.field_closes_at().filter(|closes| *closes > now)?;
    let last_second = closes - std::time::Duration::from_secs(1);
    Some(last_second.date(invitation_cases.programme.time_zone).to_string())
}

impl<'a> WelcomePage<'a> {
    pub fn new(
        invitation_cases: &'a InvitationCases,
        code: &'a str,
        language: Language,
        now: Timestamp,
        typed: &Typed<'a>,
    ) -> WelcomePage<'a> {
        let askable = invitation_cases.cases.iter().filter(|case| case.accepts_answers);
        let privacy = &invitation_cases.programme.privacy;
        let locale = PageLocale::of(invitation_cases, language);
        let language = locale.language;
        WelcomePage {
            style: STYLE,
            brand: Brand::of(&invitation_cases.programme.organiser, language),
            texts: locale.words(),
            locale,
            code,
            applicant: invitation_cases.applicant_name(),
            subjects: askable.map(|case| case.application.subject.clone()).collect(),
            open_until: open_until(invitation_cases, now),
            notice: &privacy.version,
            notice_paragraphs: privacy.paragraphs(
                language,
                invitation_cases.applicant_name(),
                &invitation_cases.programme.name,
            ),
            carried: typed.carried.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "respondent/questions.html")]
pub struct QuestionsPage<'a> {
    style: &'static str,
    pub brand: Brand,
    locale: PageLocale,
    texts: &'static Words,
    code: &'a str,
    subject: &'a str,
    introduction: Option<Cow<'a, str>>,
    title: Cow<'a, str>,
    case: usize,
    page: usize,
    /// When the page was rendered, in UTC milliseconds.
    shown_at: i64,
    page_number: usize,
    page_count: usize,
    back: Option<usize>,
    is_last: bool,
    message: Option<&'static str>,
    items: Vec<ItemView<'a>>,
}

/// A position among the cases and pages of an invitation.
#[derive(Clone, Copy)]
pub struct PageRef {
    pub case: usize,
    pub page: usize,
}

impl<'a> QuestionsPage<'a> {
    pub fn new(
        invitation_cases: &'a InvitationCases,
        paths: &[QuestionPath<'a>],
        code: &'a str,
        language: Language,
        position: PageRef,
        now: Timestamp,
        typed: &Typed<'_>,
    ) -> QuestionsPage<'a> {
        let PageRef { case, page } = position;
        let locale = PageLocale::of(invitation_cases, language);
        let (language, texts) = (locale.language, locale.words());
        let current = &invitation_cases.cases[case];
        let path = &paths[case];
        let page_count: usize = paths.iter().map(|path| path.pages.len()).sum();
        let pages_before_case: usize = paths[..case].iter().map(|path| path.pages.len()).sum();
        let subject = &current.application.subject;
        let piped = TextPiping {
            questionnaire: &current.application.questionnaire,
            subject,
            applicant: invitation_cases.applicant_name(),
            answers: &current.answers,
            language,
            isolates: true,
        };
        let items = path
            .items_on_page(page)
            .iter()
            .map(|item| item_view(item, current, &piped, typed.rejected.as_ref(), texts))
            .collect();
        QuestionsPage {
            style: STYLE,
            brand: Brand::of(&invitation_cases.programme.organiser, language),
            locale,
            texts,
            code,
            introduction: (page == 0)
                .then(|| piped.fill(&current.application.questionnaire.introduction)),
            title: piped.fill(&current.application.questionnaire.pages[page].title),
            case,
            page,
            shown_at: now.0,
            page_number: pages_before_case + path.pages_before(page) + 1,
            page_count,
            back: path.page_before(page),
            is_last: path.is_last(page),
            message: typed.message(texts),
            items,
            subject,
        }
    }
}

/// A page that belongs to no invitation.
#[derive(Debug, Clone)]
pub enum PlainPage {
    NotFound,
    Unreadable,
    /// With the reference of the log line.
    Failure(String),
}

#[derive(Template)]
#[template(path = "respondent/end.html")]
pub struct EndPage<'a> {
    style: &'static str,
    pub brand: Brand,
    locale: PageLocale,
    texts: &'static Words,
    code: Option<&'a str>,
    heading: &'static str,
    paragraphs: Vec<String>,
    /// Whether the respondent can continue from here.
    can_continue: bool,
    /// Whether the consent can still be withdrawn here.
    can_withdraw: bool,
    /// Until when the refusal can be taken back, and whether answers were deleted with it.
    undo: Option<(String, bool)>,
}

impl<'a> EndPage<'a> {
    pub fn finished(
        finish: EndScreen,
        invitation_cases: &InvitationCases,
        code: &'a str,
        language: Language,
        typed: &Typed<'_>,
    ) -> EndPage<'a> {
        let zone = invitation_cases.programme.time_zone;
        let locale = PageLocale::of(invitation_cases, language);
        let organiser = &invitation_cases.programme.organiser;
        let texts = locale.words();
        let (heading, text) = match finish {
            EndScreen::Thanks => &texts.thanks,
            EndScreen::Refused => &texts.refused,
            EndScreen::Withdrawn => &texts.withdrawn,
            EndScreen::NotEligible => &texts.not_a_user,
            EndScreen::QuotaFull => &texts.cell_full,
            EndScreen::Closed => &texts.closed,
        };
        let own = organiser.thanks.as_ref().filter(|_| finish == EndScreen::Thanks);
        let paragraphs = match own.map(|thanks| thanks.in_language(locale.language)) {
            Some(own) => own.lines().map(str::trim).filter(|line| !line.is_empty()).collect(),
            None => vec![text.as_str()],
        };
        EndPage {
            style: STYLE,
            brand: Brand::of(organiser, locale.language),
            texts,
            code: Some(code),
            heading,
            paragraphs: paragraphs.into_iter().map(str::to_owned).collect(),
            locale,
            can_continue: false,
            can_withdraw: finish == EndScreen::Thanks,
            undo: typed.undo.map(|(until, is_emptied)| {
                (until.in_zone(zone).format("%Y-%m-%d %H:%M").to_string(), is_emptied)
            }),
        }
    }

    pub fn noted(
        noted: RequestConfirmation,
        invitation_cases: &InvitationCases,
        code: &'a str,
        language: Language,
        now: Timestamp,
    ) -> EndPage<'a> {
        let locale = PageLocale::of(invitation_cases, language);
        let texts = locale.words();
        let (heading, text) = match noted {
            RequestConfirmation::RemindedOn(_) => &texts.reminder_confirmed,
            RequestConfirmation::CallRequested => &texts.call_confirmed,
            RequestConfirmation::PlacesReserved => &texts.cell_reserved,
        };
        let mut paragraphs = vec![text.clone()];
        if let RequestConfirmation::RemindedOn(Some(reminder)) = noted {
            paragraphs.push(format!(
                "{} {}",
                texts.reminder_on,
                reminder.date(invitation_cases.programme.time_zone)
            ));
        }
        paragraphs.extend(
            open_until(invitation_cases, now).map(|day| format!("{} {day}", texts.open_until)),
        );
        EndPage {
            style: STYLE,
            brand: Brand::of(&invitation_cases.programme.organiser, locale.language),
            locale,
            texts,
            code: Some(code),
            heading,
            paragraphs,
            can_continue: true,
            can_withdraw: false,
            undo: None,
        }
    }

    /// A page that belongs to no invitation, with what is known of the organisers.
    pub fn plain(page: &PlainPage, brand: Brand) -> EndPage<'static> {
        match page {
            PlainPage::NotFound => EndPage::not_found(brand),
            PlainPage::Unreadable => EndPage::unreadable(brand),
            PlainPage::Failure(reference) => EndPage::failure(reference, brand),
        }
    }

    fn not_found(brand: Brand) -> EndPage<'static> {
        let paragraphs = vec![
            "请核对短信中的链接。".to_owned(),
            "Please check the link in your message.".to_owned(),
        ];
        EndPage {
            style: STYLE,
            brand,
            locale: PageLocale::bilingual(),
            texts: Words::of(Language::ZH),
            code: None,
            heading: "没有这个页面 · Not found",
            paragraphs,
            can_continue: false,
            can_withdraw: false,
            undo: None,
        }
    }

    fn unreadable(brand: Brand) -> EndPage<'static> {
        let paragraphs = vec![
            "请返回上一页，检查后再提交；您填写的内容还在那里。".to_owned(),
            "Please go back, check the page and send it again; what you typed is still there."
                .to_owned(),
        ];
        EndPage {
            style: STYLE,
            brand,
            locale: PageLocale::bilingual(),
            texts: Words::of(Language::ZH),
            code: None,
            heading: "未能读取 · Could not be read",
            paragraphs,
            can_continue: false,
            can_withdraw: false,
            undo: None,
        }
    }

    fn failure(reference: &str, brand: Brand) -> EndPage<'static> {
        let paragraphs = vec![
            format!("请稍后再试。编号 {reference}"),
            format!("Please try again later. Reference {reference}"),
        ];
        EndPage {
            style: STYLE,
            brand,
            locale: PageLocale::bilingual(),
            texts: Words::of(Language::ZH),
            code: None,
            heading: "暂时无法处理 · Something went wrong",
            paragraphs,
            can_continue: false,
            can_withdraw: false,
            undo: None,
        }
    }
}

/// A page that could not be saved: what was typed, with a button that sends it again.
#[derive(Template)]
#[template(path = "respondent/unsaved.html")]
pub struct UnsavedPage<'a> {
    style: &'static str,
    pub brand: Brand,
    locale: PageLocale,
    texts: &'static Words,
    code: &'a str,
    carried: Vec<(&'a str, &'a str)>,
    /// The reference of the log line.
    reference: Option<String>,
}

impl<'a> UnsavedPage<'a> {
    pub fn new(
        code: &'a str,
        language: Language,
        carried: Vec<(&'a str, &'a str)>,
        reference: Option<String>,
        organisers: &[Organiser],
    ) -> UnsavedPage<'a> {
        let locale = PageLocale::only(language);
        let brand = Brand::of_all(organisers, language);
        UnsavedPage { style: STYLE, brand, texts: locale.words(), locale, code, carried, reference }
    }

    /// Returns whether a value is a text that somebody wrote, rather than a choice.
    fn is_written(&self, value: &str) -> bool {
        value.chars().count() > 20 || value.contains(['\n', '\r'])
    }
}
