//! View models of the supervisors' pages.

use askama::Template;

use super::super::auth::Staff;
use super::super::items::{Field, ItemView, RejectedAnswers, standalone_item_view};
use super::super::page_layout::{PageLayout, Translator};
use crate::adapters::database::verifications::Verification;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::domain::words::Words;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::call_center::quality::{InterviewerQuality, ObservedShare};
use crate::services::call_center::supervision::{QueueDashboardRow, SupervisionDashboard};
use crate::services::call_center::verification::{VerificationTask, questionnaire};

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match (what, tr.tag()) {
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
    row: &'a QueueDashboardRow,
    next: String,
    promised: Option<String>,
}

struct QualityRow<'a> {
    quality: &'a InterviewerQuality,
    shares: [(&'a ObservedShare, String); 3],
    pace: String,
    outcomes: String,
}

struct VerificationRow<'a> {
    verification: &'a Verification,
    at: String,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "supervisor/dashboard.html")]
pub struct SupervisionPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    dashboard: &'a SupervisionDashboard,
    queue: Vec<QueueRow<'a>>,
    qualities: Vec<QualityRow<'a>>,
    names: &'a [String],
    verifications: Vec<VerificationRow<'a>>,
    colleagues: &'a Colleagues,
}

impl<'a> SupervisionPage<'a> {
    /// Returns the real name behind an account.
    fn name(&self, account: &str) -> String {
        self.colleagues.name(account).reveal().to_owned()
    }

    pub fn new(
        (staff, colleagues): (&'a Staff, &'a Colleagues),
        what: &str,
        dashboard: &'a SupervisionDashboard,
        qualities: &'a [InterviewerQuality],
        names: &'a [String],
        verifications: &'a [Verification],
        now: Timestamp,
    ) -> SupervisionPage<'a> {
        let tr = staff.tr;
        let zone = chrono_tz::Asia::Shanghai;
        let format_time = |at: Timestamp| at.in_zone(zone).format("%m-%d %H:%M").to_string();
        let share = |share: &ObservedShare| match share.percent() {
            Some(percent) => format!(
                "{percent}% ({}/{}; {}–{})",
                share.count, share.of, share.expected.0, share.expected.1
            ),
            None => "–".to_owned(),
        };
        let state = |v: &Verification| match (v.outcome.as_deref(), v.taken_by) {
            (Some("sound"), _) => tr.t("可信", "sound"),
            (Some(_), _) => tr.t("存疑", "doubtful"),
            (None, Some(_)) => tr.t("复核中", "being asked"),
            (None, None) => tr.t("待复核", "to be asked"),
        };
        let next = |row: &QueueDashboardRow| match row.next_at {
            Some(at) if at <= now => tr.t("现在", "now").to_owned(),
            Some(at) => format_time(at),
            None => String::new(),
        };
        SupervisionPage {
            layout: PageLayout::for_staff(staff),
            flash: flash_text(tr, what),
            dashboard,
            queue: dashboard
                .rows
                .iter()
                .map(|row| QueueRow {
                    row,
                    next: next(row),
                    promised: row.promised_at.map(format_time),
                })
                .collect(),
            qualities: qualities
                .iter()
                .map(|quality| QualityRow {
                    quality,
                    shares: [&quality.no_answers, &quality.refusals, &quality.short]
                        .map(|known| (known, share(known))),
                    outcomes: quality
                        .outcomes
                        .iter()
                        .map(|(outcome, calls)| format!("{} {calls}", tr.pair(outcome.labels())))
                        .collect::<Vec<_>>()
                        .join(" · "),
                    pace: quality
                        .seconds_per_answer
                        .map_or("–".to_owned(), |seconds| format!("{seconds:.1}")),
                })
                .collect(),
            names,
            colleagues,
            verifications: verifications
                .iter()
                .map(|verification| VerificationRow {
                    verification,
                    at: format_time(verification.interviewed_at),
                    state: state(verification),
                })
                .collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "supervisor/verification.html")]
pub struct VerificationPage<'a> {
    layout: PageLayout<'a>,
    task: &'a VerificationTask,
    /// The real name of who interviewed.
    interviewer: Personal,
    introduction: &'a str,
    texts: &'static Words,
    items: Vec<ItemView<'a>>,
    has_problems: bool,
    comment: &'a str,
}

impl<'a> VerificationPage<'a> {
    pub fn new(
        (staff, colleagues): (&'a Staff, &Colleagues),
        task: &'a VerificationTask,
        rejected: Option<&'a RejectedAnswers>,
    ) -> VerificationPage<'a> {
        let (language, texts) = (task.language, Words::of(task.language));
        VerificationPage {
            layout: PageLayout::for_staff(staff),
            task,
            interviewer: colleagues.name(&task.verification.interviewer_name),
            introduction: questionnaire().introduction.in_language(language),
            texts,
            items: questionnaire()
                .items()
                .map(|item| standalone_item_view(item, language, rejected, texts))
                .collect(),
            has_problems: rejected.is_some(),
            comment: rejected
                .and_then(|rejected| rejected.fields.get("comment"))
                .map(String::as_str)
                .unwrap_or_default(),
        }
    }
}
