//! The contents of the supervisors' pages.

use askama::Template;

use super::super::items::{Attempt, Field, ItemView, plain_item_view};
use super::super::page_layout::{Frame, Say};
use super::super::auth::Staff;
use super::super::translations::{Words, words};
use crate::domain::time::Timestamp;
use crate::adapters::database::verifications::Verification;
use crate::services::call_center::quality::{Quality, Share};
use crate::services::call_center::supervision::{Board, BoardRow};
use crate::services::call_center::verification::{Asked, questionnaire};

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match (what, s.tag()) {
        ("assigned", "zh") => "已转交。",
        ("assigned", _) => "Handed over.",
        ("gone", "zh") => "已被他人处理。",
        ("gone", _) => "Somebody else has dealt with it.",
        ("unknown", "zh") => "没有这位访问员。",
        ("unknown", _) => "There is no such interviewer.",
        ("none", "zh") => "没有可抽取的访问。",
        ("none", _) => "There is no interview to draw from.",
        ("drawn", "zh") => "已抽取复核样本。",
        ("drawn", _) => "A sample is drawn.",
        ("own", "zh") => "不能复核自己的访问。",
        ("own", _) => "Nobody verifies their own interviews.",
        ("closed", "zh") => "现在不可拨打该号码。",
        ("closed", _) => "This number may not be called now.",
        ("sound", "zh") => "复核完成：可信。",
        ("sound", _) => "Verified: sound.",
        ("doubtful", "zh") => "复核完成：存疑。",
        ("doubtful", _) => "Verified: doubtful.",
        ("not_reached", "zh") => "未接通，留待下次。",
        ("not_reached", _) => "Not reached; it stays to be made.",
        _ => return None,
    })
}

struct QueueRow<'a> {
    row: &'a BoardRow,
    next: String,
    promised: Option<String>,
}

struct QualityRow<'a> {
    of: &'a Quality,
    shares: [(&'a Share, String); 3],
    pace: String,
    outcomes: String,
}

struct VerificationRow<'a> {
    of: &'a Verification,
    at: String,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "supervisor/dashboard.html")]
pub struct BoardPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    board: &'a Board,
    queue: Vec<QueueRow<'a>>,
    qualities: Vec<QualityRow<'a>>,
    names: &'a [String],
    verifications: Vec<VerificationRow<'a>>,
}

impl<'a> BoardPage<'a> {
    pub fn new(
        staff: &'a Staff,
        what: &str,
        board: &'a Board,
        qualities: &'a [Quality],
        names: &'a [String],
        verifications: &'a [Verification],
        now: Timestamp,
    ) -> BoardPage<'a> {
        let s = staff.say;
        let zone = chrono_tz::Asia::Shanghai;
        let shown = |at: Timestamp| at.in_zone(zone).format("%m-%d %H:%M").to_string();
        let share = |share: &Share| match share.percent() {
            Some(percent) => format!("{percent}% ({}/{}; {}–{})", share.count, share.of, share.expected.0, share.expected.1),
            None => "–".to_owned(),
        };
        let state = |v: &Verification| match (v.outcome.as_deref(), v.taken_by) {
            (Some("sound"), _) => s.t("可信", "sound"),
            (Some(_), _) => s.t("存疑", "doubtful"),
            (None, Some(_)) => s.t("复核中", "being asked"),
            (None, None) => s.t("待复核", "to be asked"),
        };
        let next = |row: &BoardRow| match row.next_at {
            Some(at) if at <= now => s.t("现在", "now").to_owned(),
            Some(at) => shown(at),
            None => String::new(),
        };
        BoardPage {
            f: Frame::of(staff),
            noted: noted(s, what),
            board,
            queue: board.rows.iter().map(|row| QueueRow { row, next: next(row), promised: row.promised_at.map(shown) }).collect(),
            qualities: qualities
                .iter()
                .map(|of| QualityRow {
                    of,
                    shares: [&of.no_answers, &of.refusals, &of.short].map(|known| (known, share(known))),
                    outcomes: of.outcomes.iter().map(|(outcome, calls)| format!("{} {calls}", s.of(outcome.words()))).collect::<Vec<_>>().join(" · "),
                    pace: of.seconds_per_answer.map_or("–".to_owned(), |seconds| format!("{seconds:.1}")),
                })
                .collect(),
            names,
            verifications: verifications.iter().map(|of| VerificationRow { of, at: shown(of.interviewed_at), state: state(of) }).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "supervisor/verification.html")]
pub struct VerificationPage<'a> {
    f: Frame<'a>,
    asked: &'a Asked,
    introduction: &'a str,
    w: &'static Words,
    items: Vec<ItemView<'a>>,
    has_problems: bool,
    comment: &'a str,
}

impl<'a> VerificationPage<'a> {
    pub fn new(staff: &'a Staff, asked: &'a Asked, attempt: Option<&'a Attempt>) -> VerificationPage<'a> {
        let (language, w) = (asked.language, words(asked.language));
        VerificationPage {
            f: Frame::of(staff),
            asked,
            introduction: questionnaire().introduction.in_language(language),
            w,
            items: questionnaire().items().map(|item| plain_item_view(item, language, attempt, w)).collect(),
            has_problems: attempt.is_some(),
            comment: attempt.and_then(|attempt| attempt.sent.get("comment")).map(String::as_str).unwrap_or_default(),
        }
    }
}
