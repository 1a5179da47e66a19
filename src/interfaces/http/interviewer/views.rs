//! View models of the interviewer's pages.

use std::borrow::Cow;
use std::time::Duration;

use askama::Template;

use super::super::auth::Staff;
use super::super::items::{Field, ItemView, RejectedAnswers, item_view};
use super::super::page_layout::{PageLayout, Translator};
use super::super::supervisor::shifts::{OwnShiftText, own_shift_text};
use crate::domain::ids::CallId;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::questionnaire::{QuestionPath, TextPiping};
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::domain::words::Words;
use crate::services::call_center::call_screen::CallScreen;
use crate::services::call_center::opening::SpokenWords;
use crate::services::call_center::quality::Today;
use crate::services::call_center::shifts::OwnShifts;
use crate::services::interviews::InvitationCases;

/// State of the page beside its content: confirmation, problem and submitted values.
#[derive(Default)]
pub struct FormState<'a> {
    pub flash: &'a str,
    pub problem: String,
    pub chosen: String,
    pub at: String,
    pub note: String,
    pub dialled: String,
    pub rejected: Option<RejectedAnswers>,
}

/// Returns the confirmation of the last action.
fn flash_text(tr: Translator, what: &str) -> Option<String> {
    let text = match what {
        "" => return None,
        "nobody" => tr.t("现在没有可拨打的受访者。", "Nobody can be called just now."),
        "over" => tr.t(
            "该通话已结束，无法继续：受访者已转给他人、已在别处作答、此刻不可拨打，或中断太久。已保存的页不受影响。",
            "That call is over and cannot be taken up again: its person is with somebody else, has \
                answered elsewhere or may not be called now, or it is too long ago. Pages that were saved stay.",
        ),
        "resumed" => tr.t(
            "已继续刚才中断的访问；此前已保存的答案都在。",
            "The interview that broke off goes on; the answers saved before are there.",
        ),
        "held" => tr.t(
            "名额正由其他人填写，请另约时间。",
            "All places are being filled by others just now; agree on another time.",
        ),
        "web" => tr.t(
            "受访者正在网上填写，未保存电话答案。",
            "The respondent is answering on the web; nothing was saved from here.",
        ),
        "dialling" => tr.t("正在接通……", "The telephone system is connecting you."),
        "dial_failed" => tr.t(
            "未能自动拨号，请手动拨打。",
            "The telephone system did not connect you; dial by hand.",
        ),
        "interviewed" => tr.t("访问完成，已保存。", "The interview is complete and saved."),
        other => {
            let outcome = CallOutcome::parse(other).map(|outcome| tr.pair(outcome.labels()))?;
            return Some(format!("{}{outcome}", tr.t("已记录：", "Noted: ")));
        }
    };
    Some(text.to_owned())
}

#[derive(Template)]
#[template(path = "interviewer/ready.html")]
pub struct ReadyPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<String>,
    today: Today,
    /// Minutes until the next person can be called.
    wait: Option<u64>,
    /// The call that broke off because its page was left alone.
    broken_off: Option<CallId>,
    /// The own shifts, if there are some.
    shift: Option<OwnShiftText>,
}

impl<'a> ReadyPage<'a> {
    pub fn new(
        staff: &'a Staff,
        what: &str,
        today: Today,
        wait: Option<Duration>,
        broken_off: Option<CallId>,
        own: &OwnShifts,
    ) -> ReadyPage<'a> {
        ReadyPage {
            layout: PageLayout::for_staff(staff),
            flash: flash_text(staff.tr, what),
            today,
            wait: wait.map(|wait| wait.as_secs().div_ceil(60)),
            broken_off,
            shift: own_shift_text(staff.tr, own),
        }
    }
}

/// The part of the interview that the page shows.
pub enum Script<'a> {
    Welcome {
        notice: &'a str,
        paragraphs: Vec<String>,
        subjects: Vec<&'a str>,
    },
    Questions(Box<Questions<'a>>),
    AnsweredOnWeb,
    /// No case accepts answers any more.
    NothingToAsk,
}

pub struct Questions<'a> {
    pub subject: &'a str,
    pub title: Cow<'a, str>,
    pub introduction: Option<Cow<'a, str>>,
    pub case: usize,
    pub page: usize,
    pub shown_at: i64,
    pub page_number: usize,
    pub page_count: usize,
    pub back: Option<usize>,
    pub is_last: bool,
    pub has_problems: bool,
    pub items: Vec<ItemView<'a>>,
    pub texts: &'static Words,
}

impl<'a> Script<'a> {
    pub fn welcome(invitation_cases: &'a InvitationCases, language: Language) -> Script<'a> {
        let privacy = &invitation_cases.programme.privacy;
        let subjects = invitation_cases
            .cases
            .iter()
            .filter(|case| case.accepts_answers)
            .map(|case| case.application.subject.as_str())
            .collect();
        let paragraphs = privacy.paragraphs(
            language,
            invitation_cases.applicant_name(),
            &invitation_cases.programme.name,
        );
        Script::Welcome { notice: &privacy.version, paragraphs, subjects }
    }

    pub fn questions(
        invitation_cases: &'a InvitationCases,
        paths: &[QuestionPath<'a>],
        (case, page): (usize, usize),
        language: Language,
        now: Timestamp,
        rejected: Option<&RejectedAnswers>,
    ) -> Script<'a> {
        let (texts, current, path) =
            (Words::of(language), &invitation_cases.cases[case], &paths[case]);
        let questionnaire = &current.application.questionnaire;
        let piped = TextPiping {
            questionnaire,
            subject: &current.application.subject,
            applicant: invitation_cases.applicant_name(),
            answers: &current.answers,
            language,
            isolates: true,
        };
        let with_hint = |item: &&'a crate::domain::questionnaire::Item| {
            let hint = item.hint.as_ref().map(|hint| piped.fill(hint));
            ItemView { hint, ..item_view(item, current, &piped, rejected, texts) }
        };
        Script::Questions(Box::new(Questions {
            subject: &current.application.subject,
            title: piped.fill(&questionnaire.pages[page].title),
            introduction: (page == 0).then(|| piped.fill(&questionnaire.introduction)),
            case,
            page,
            shown_at: now.0,
            page_number: paths[..case].iter().map(|path| path.pages.len()).sum::<usize>()
                + path.pages_before(page)
                + 1,
            page_count: paths.iter().map(|path| path.pages.len()).sum(),
            back: path.page_before(page),
            is_last: path.is_last(page),
            has_problems: rejected.is_some(),
            items: path.items_on_page(page).iter().map(with_hint).collect(),
            texts,
        }))
    }
}

struct PreviousCall<'a> {
    at: String,
    by: &'a str,
    outcome: &'a str,
    note: &'a Personal,
}

#[derive(Template)]
#[template(path = "interviewer/call.html")]
pub struct CallPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<String>,
    problem: &'a str,
    call: i64,
    call_screen: &'a CallScreen,
    /// A supervisor sits beside.
    is_watched: bool,
    /// Whether a telephone system is configured.
    can_dial: bool,
    local_time: String,
    promised: Option<String>,
    previous_calls: Vec<PreviousCall<'a>>,
    script: Script<'a>,
    /// What to say first, and when the respondent asks.
    spoken: Option<SpokenWords>,
    attempts: String,
    /// Outcomes to choose from: value and label.
    outcomes: Vec<(&'static str, Vec<(&'static str, &'static str)>)>,
    dialled: &'a str,
    chosen: &'a str,
    at: &'a str,
    note: &'a str,
    languages: Vec<(String, String)>,
    /// The languages that the questions can be read in besides.
    others: Vec<Language>,
}

/// Outcomes that an interviewer can choose, in the order of the page and by what was heard. A
/// complete interview is recorded automatically.
const OUTCOMES: [((&str, &str), &[CallOutcome]); 4] = [
    (
        ("没人应答", "No answer by a person"),
        &[
            CallOutcome::NoAnswer,
            CallOutcome::Busy,
            CallOutcome::Unreachable,
            CallOutcome::MessageLeft,
        ],
    ),
    (
        ("号码有问题", "The number"),
        &[
            CallOutcome::NonWorking,
            CallOutcome::Disconnected,
            CallOutcome::OutOfService,
            CallOutcome::Barred,
            CallOutcome::Fax,
            CallOutcome::WrongNumber,
        ],
    ),
    (
        ("接通了", "Somebody was reached"),
        &[
            CallOutcome::CallBack,
            CallOutcome::LinkSent,
            CallOutcome::HungUp,
            CallOutcome::SoftRefusal,
            CallOutcome::HardRefusal,
            CallOutcome::RefusedByOther,
            CallOutcome::Language,
            CallOutcome::Unable,
            CallOutcome::Deceased,
            CallOutcome::Other,
        ],
    ),
    (("没有拨", "No call"), &[CallOutcome::NotDialled]),
];

impl<'a> CallPage<'a> {
    /// Nothing was asked yet: the opening words are what comes next.
    fn is_at_beginning(&self) -> bool {
        matches!(self.script, Script::Welcome { .. })
    }

    pub fn new(
        staff: &'a Staff,
        call_screen: &'a CallScreen,
        (script, spoken): (Script<'a>, SpokenWords),
        form_state: &'a FormState<'_>,
        now: Timestamp,
        (can_dial, is_watched, asked_in): (bool, bool, &[Language]),
    ) -> CallPage<'a> {
        let tr = staff.tr;
        let format_time =
            |at: Timestamp| at.in_zone(call_screen.zone).format("%Y-%m-%d %H:%M").to_string();
        let previous_call =
            |call: &'a crate::services::call_center::call_screen::PreviousCall| PreviousCall {
                at: format_time(call.at),
                by: &call.by,
                outcome: tr.pair(call.outcome.labels()),
                note: &call.note,
            };
        let is_possible =
            |outcome: &CallOutcome| *outcome != CallOutcome::LinkSent || call_screen.can_send_link;
        CallPage {
            layout: PageLayout::for_staff(staff),
            flash: flash_text(tr, form_state.flash),
            problem: &form_state.problem,
            call: call_screen.lease.call.0,
            call_screen,
            is_watched,
            can_dial,
            local_time: format_time(now),
            promised: call_screen.promised_at.map(format_time),
            previous_calls: call_screen.previous_calls.iter().map(previous_call).collect(),
            spoken: match script {
                Script::Welcome { .. } | Script::Questions(_) => Some(spoken),
                Script::AnsweredOnWeb | Script::NothingToAsk => None,
            },
            script,
            attempts: call_screen
                .attempts_by_day_part()
                .into_iter()
                .map(|(part, count)| format!("{} {count}", tr.pair(part.labels())))
                .collect::<Vec<_>>()
                .join(" · "),
            outcomes: OUTCOMES
                .into_iter()
                .map(|(heard, outcomes)| {
                    let possible = outcomes.iter().filter(|outcome| is_possible(outcome));
                    let label =
                        |outcome: &CallOutcome| (outcome.as_str(), tr.pair(outcome.labels()));
                    (tr.pair(heard), possible.map(label).collect())
                })
                .collect(),
            dialled: &form_state.dialled,
            chosen: &form_state.chosen,
            at: &form_state.at,
            note: &form_state.note,
            others: asked_in.iter().copied().filter(|l| *l != call_screen.language).collect(),
            languages: asked_in
                .iter()
                .copied()
                .chain(Language::USUAL.into_iter().filter(|usual| !asked_in.contains(usual)))
                .filter(|language| *language != call_screen.language)
                .map(|language| (language.to_string(), language.autonym()))
                .collect(),
        }
    }
}
