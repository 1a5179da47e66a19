//! The contents of the interviewer's pages.

use std::time::Duration;

use askama::Template;

use super::super::items::{Attempt, Field, ItemView, item_view};
use super::super::page_layout::{Frame, Say};
use super::super::auth::Staff;
use super::super::translations::{Words, words};
use crate::services::interviews::Bundle;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::questionnaire::{Path, Piped};
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::call_center::call_screen::Desk;
use crate::services::call_center::quality::Today;

/// What a page has to tell beside its contents: what was just done, what was wrong, what was sent.
#[derive(Default)]
pub struct Slip<'a> {
    pub noted: &'a str,
    pub problem: String,
    pub chosen: String,
    pub at: String,
    pub note: String,
    pub attempt: Option<Attempt>,
}

/// A sentence about what was just done.
fn noted(s: Say, what: &str) -> Option<String> {
    let text = match what {
        "" => return None,
        "nobody" => s.t("现在没有可拨打的受访者。", "Nobody can be called just now."),
        "over" => s.t("该通话已结束，受访者已转给他人。", "That call is over; its person is with somebody else by now."),
        "held" => s.t("名额正由其他人填写，请另约时间。", "All places are being filled by others just now; agree on another time."),
        "web" => s.t("受访者正在网上填写，未保存电话答案。", "The respondent is answering on the web; nothing was saved from here."),
        "dialling" => s.t("正在接通……", "The telephone system is connecting you."),
        "dial_failed" => s.t("未能自动拨号，请手动拨打。", "The telephone system did not connect you; dial by hand."),
        "interviewed" => s.t("访问完成，已保存。", "The interview is complete and saved."),
        other => {
            let outcome = CallOutcome::parse(other).map(|outcome| s.of(outcome.words()))?;
            return Some(format!("{}{outcome}", s.t("已记录：", "Noted: ")));
        }
    };
    Some(text.to_owned())
}

#[derive(Template)]
#[template(path = "interviewer/ready.html")]
pub struct ReadyPage<'a> {
    f: Frame<'a>,
    noted: Option<String>,
    today: Today,
    /// Minutes until somebody can be called.
    wait: Option<u64>,
}

impl<'a> ReadyPage<'a> {
    pub fn new(staff: &'a Staff, what: &str, today: Today, wait: Option<Duration>) -> ReadyPage<'a> {
        ReadyPage { f: Frame::of(staff), noted: noted(staff.say, what), today, wait: wait.map(|wait| wait.as_secs().div_ceil(60)) }
    }
}

/// What is asked.
pub enum Script<'a> {
    Welcome {
        notice: &'a str,
        paragraphs: Vec<String>,
        subjects: Vec<&'a str>,
    },
    Questions(Box<Questions<'a>>),
    TakenOver,
    /// No case can be answered any more.
    Nothing,
}

pub struct Questions<'a> {
    pub subject: &'a str,
    pub title: &'a str,
    pub introduction: Option<&'a str>,
    pub case: usize,
    pub page: usize,
    pub shown: i64,
    pub step: usize,
    pub steps: usize,
    pub back: Option<usize>,
    pub is_last: bool,
    pub has_problems: bool,
    pub items: Vec<ItemView<'a>>,
    pub w: &'static Words,
}

impl<'a> Script<'a> {
    pub fn welcome(bundle: &'a Bundle, desk: &Desk) -> Script<'a> {
        let privacy = &bundle.programme.privacy;
        let subjects = bundle.cases.iter().filter(|case| case.is_askable).map(|case| case.application.subject.as_str()).collect();
        let paragraphs = privacy.paragraphs(desk.language, bundle.applicant_name(), &bundle.programme.name);
        Script::Welcome { notice: &privacy.version, paragraphs, subjects }
    }

    pub fn questions(
        bundle: &'a Bundle,
        paths: &[Path<'a>],
        (case, page): (usize, usize),
        desk: &Desk,
        now: Timestamp,
        attempt: Option<&Attempt>,
    ) -> Script<'a> {
        let (w, current, path) = (words(desk.language), &bundle.cases[case], &paths[case]);
        let questionnaire = &current.application.questionnaire;
        let piped = Piped {
            questionnaire,
            subject: &current.application.subject,
            applicant: bundle.applicant_name(),
            answers: &current.answers,
            language: desk.language,
        };
        let with_hint = |item: &&'a crate::domain::questionnaire::Item| {
            let hint = item.hint.as_ref().map(|hint| hint.in_language(desk.language));
            ItemView { hint, ..item_view(item, current, &piped, attempt, w) }
        };
        Script::Questions(Box::new(Questions {
            subject: &current.application.subject,
            title: questionnaire.pages[page].title.in_language(desk.language),
            introduction: (page == 0).then(|| questionnaire.introduction.in_language(desk.language)),
            case,
            page,
            shown: now.0,
            step: paths[..case].iter().map(|path| path.pages.len()).sum::<usize>() + path.pages_before(page) + 1,
            steps: paths.iter().map(|path| path.pages.len()).sum(),
            back: path.page_before(page),
            is_last: path.is_last(page),
            has_problems: attempt.is_some(),
            items: path.on_page(page).iter().map(with_hint).collect(),
            w,
        }))
    }
}

struct Before<'a> {
    at: String,
    by: &'a str,
    outcome: &'a str,
    note: &'a Personal,
}

#[derive(Template)]
#[template(path = "interviewer/call.html")]
pub struct CallPage<'a> {
    f: Frame<'a>,
    noted: Option<String>,
    problem: &'a str,
    call: i64,
    desk: &'a Desk,
    /// Is there a telephone system that connects?
    can_dial: bool,
    local_time: String,
    promised: Option<String>,
    before: Vec<Before<'a>>,
    script: Script<'a>,
    /// Outcomes to choose from: value, words.
    outcomes: Vec<(&'static str, &'static str)>,
    chosen: &'a str,
    at: &'a str,
    note: &'a str,
    languages: Vec<(&'static str, &'static str)>,
}

/// What an interviewer may say a call came to, in the order of the page; a complete says so itself.
const OUTCOMES: [CallOutcome; 15] = [
    CallOutcome::NoAnswer,
    CallOutcome::Busy,
    CallOutcome::MessageLeft,
    CallOutcome::CallBack,
    CallOutcome::LinkSent,
    CallOutcome::SoftRefusal,
    CallOutcome::HardRefusal,
    CallOutcome::WrongNumber,
    CallOutcome::NonWorking,
    CallOutcome::Disconnected,
    CallOutcome::OutOfService,
    CallOutcome::Language,
    CallOutcome::Unable,
    CallOutcome::Deceased,
    CallOutcome::NotDialled,
];

impl<'a> CallPage<'a> {
    pub fn new(staff: &'a Staff, desk: &'a Desk, script: Script<'a>, slip: &'a Slip<'_>, now: Timestamp, can_dial: bool) -> CallPage<'a> {
        let s = staff.say;
        let shown = |at: Timestamp| at.in_zone(desk.zone).format("%Y-%m-%d %H:%M").to_string();
        let before = |call: &'a crate::services::call_center::call_screen::CallBefore| Before {
            at: shown(call.at),
            by: &call.by,
            outcome: s.of(call.outcome.words()),
            note: &call.note,
        };
        let can = |outcome: &CallOutcome| *outcome != CallOutcome::LinkSent || desk.can_send_link;
        CallPage {
            f: Frame::of(staff),
            noted: noted(s, slip.noted),
            problem: &slip.problem,
            call: desk.lease.call.0,
            desk,
            can_dial,
            local_time: shown(now),
            promised: desk.promised_at.map(shown),
            before: desk.before.iter().map(before).collect(),
            script,
            outcomes: OUTCOMES.into_iter().filter(can).map(|outcome| (outcome.as_str(), s.of(outcome.words()))).collect(),
            chosen: &slip.chosen,
            at: &slip.at,
            note: &slip.note,
            languages: Language::ALL
                .into_iter()
                .filter(|language| *language != desk.language)
                .map(|l| (l.tag(), if l == Language::Zh { "中文" } else { "English" }))
                .collect(),
        }
    }
}
