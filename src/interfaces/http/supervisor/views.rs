//! View models of the supervisors' pages.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Weekday};

use super::super::auth::Staff;
use super::super::items::{Field, ItemView, RejectedAnswers, standalone_item_view};
use super::super::page_layout::{PageLayout, Translator};
use crate::adapters::database::verifications::Verification;
use crate::domain::ids::InvitationId;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::domain::words::Words;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::call_center::quality::{InterviewerQuality, ObservedShare};
use crate::services::call_center::supervision::{QueueDashboardRow, SupervisionDashboard};
use crate::services::call_center::verification::{VerificationTask, questionnaire};

/// Returns what the last form has done.
pub fn flash_text(tr: Translator, query: &BTreeMap<String, String>) -> Option<String> {
    let what = query.get("noted").map(String::as_str).unwrap_or_default();
    let count = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    if let ("assigned", Some(done), Some(of)) = (what, count("done"), count("of")) {
        let gone = of.saturating_sub(done);
        let mut text = match tr.tag() {
            "zh" => format!("已转交 {done} 人。"),
            _ => format!("{done} handed over."),
        };
        if gone > 0 {
            text += &match tr.tag() {
                "zh" => format!("另有 {gone} 人已不在排队中。"),
                _ => format!(" {gone} had left the queue."),
            };
        }
        return Some(text);
    }
    // The next time that is open, as it was put into the address.
    let open =
        query.get("open").and_then(|at| NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M").ok());
    if let ("outside_hours", Some(open)) = (what, open) {
        let open = open.format("%Y-%m-%d %H:%M");
        return Some(match tr.tag() {
            "zh" => format!("该时间不可拨打；其后最早可拨打的时间：{open}"),
            _ => format!("At that time nobody is called; the next that is open: {open}"),
        });
    }
    fixed_text(tr, what).map(str::to_owned)
}

fn fixed_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match (what, tr.tag()) {
        ("assigned", "zh") => "已转交。",
        ("assigned", _) => "Handed over.",
        ("nobody", "zh") => "请先勾选要转交的人。",
        ("nobody", _) => "Tick those to hand over first.",
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
        ("moved", "zh") => "预约时间已改。",
        ("moved", _) => "The appointment is moved.",
        ("one_and_time", "zh") => "请只勾选一个预约，并填写新的日期和时间。",
        ("one_and_time", _) => "Tick one appointment alone, and give the new day and hour.",
        ("past", "zh") => "新的时间已过，预约未改。",
        ("past", _) => "That time has passed; nothing was moved.",
        ("after_field", "zh") => "新的时间在调查结束之后，预约未改。",
        ("after_field", _) => "The survey is over by then; nothing was moved.",
        ("outside_hours", "zh") => "该时间不可拨打，预约未改。",
        ("outside_hours", _) => "At that time nobody is called; nothing was moved.",
        ("call_over", "zh") => "这次通话已结束，或是您自己的通话，不能旁观。",
        ("call_over", _) => "That call is over, or is your own: there is nothing to sit beside.",
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
    /// The person's name, if it is shown.
    person: Option<&'a Personal>,
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
    flash: Option<String>,
    may_reveal: bool,
    shows_names: bool,
    dashboard: &'a SupervisionDashboard,
    queue: Vec<QueueRow<'a>>,
    qualities: Vec<QualityRow<'a>>,
    names: &'a [String],
    verifications: Vec<VerificationRow<'a>>,
    colleagues: &'a Colleagues,
    /// The own account.
    own: &'a str,
    /// Interviewers who are expected now, and those of them who call.
    expected: (usize, usize),
}

impl<'a> SupervisionPage<'a> {
    /// Returns the real name behind an account.
    fn name(&self, account: &str) -> String {
        self.colleagues.name(account).reveal().to_owned()
    }

    /// Nobody sits beside themselves.
    fn is_own(&self, account: &str) -> bool {
        self.own == account
    }

    pub fn new(
        (staff, colleagues): (&'a Staff, &'a Colleagues),
        flash: Option<String>,
        (dashboard, people): (&'a SupervisionDashboard, &'a BTreeMap<InvitationId, Personal>),
        qualities: &'a [InterviewerQuality],
        names: &'a [String],
        verifications: &'a [Verification],
        (expected, now): ((usize, usize), Timestamp),
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
            flash,
            may_reveal: staff.may(Permission::Reveal),
            shows_names: !people.is_empty(),
            dashboard,
            queue: dashboard
                .rows
                .iter()
                .map(|row| QueueRow {
                    row,
                    person: people.get(&row.invitation),
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
            own: &staff.session.account.name,
            expected,
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

/// An appointment in the calendar.
struct Appointment<'a> {
    row: &'a QueueDashboardRow,
    time: String,
    is_overdue: bool,
}

struct Day<'a> {
    label: String,
    is_today: bool,
    appointments: Vec<Appointment<'a>>,
}

/// The week of an interviewer, or of nobody in particular.
struct Week<'a> {
    name: String,
    days: Vec<Day<'a>>,
    count: usize,
}

#[derive(Template)]
#[template(path = "supervisor/appointments.html")]
pub struct AppointmentsPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<String>,
    may_reveal: bool,
    week: NaiveDate,
    previous: NaiveDate,
    next: NaiveDate,
    title: String,
    weeks: Vec<Week<'a>>,
    /// Account and real name of those to hand over to.
    names: Vec<(&'a str, String)>,
    /// Appointments of other weeks: before and after.
    elsewhere: (usize, usize),
}

impl<'a> AppointmentsPage<'a> {
    /// Shows the week with `day`, or the present one.
    pub fn new(
        (staff, colleagues): (&'a Staff, &Colleagues),
        flash: Option<String>,
        dashboard: &'a SupervisionDashboard,
        names: &'a [String],
        day: Option<NaiveDate>,
        now: Timestamp,
    ) -> AppointmentsPage<'a> {
        const DAYS: [(&str, &str); 7] = [
            ("周一", "Mon"),
            ("周二", "Tue"),
            ("周三", "Wed"),
            ("周四", "Thu"),
            ("周五", "Fri"),
            ("周六", "Sat"),
            ("周日", "Sun"),
        ];
        let (tr, zone) = (staff.tr, chrono_tz::Asia::Shanghai);
        let today = now.date(zone);
        // A day at the end of the calendar has no week around it.
        let monday = |day: NaiveDate| day.week(Weekday::Mon).checked_first_day();
        let day = day.filter(|day| (1970..2200).contains(&day.year())).unwrap_or(today);
        let first = monday(day).unwrap_or(today);
        let days: Vec<NaiveDate> = first.iter_days().take(7).collect();
        let planned: Vec<(&QueueDashboardRow, Timestamp, NaiveDate)> = dashboard
            .rows
            .iter()
            .filter_map(|row| row.promised_at.map(|at| (row, at, at.date(zone))))
            .collect();
        let week_of = |account: Option<&str>| {
            let of_day = |(index, day): (usize, &NaiveDate)| {
                let mut found: Vec<_> = planned
                    .iter()
                    .filter(|(row, _, on)| on == day && row.assigned_to.as_deref() == account)
                    .collect();
                found.sort_by_key(|(row, at, _)| (*at, row.invitation));
                let appointment =
                    |(row, at, _): &(&'a QueueDashboardRow, Timestamp, _)| Appointment {
                        row,
                        time: at.in_zone(zone).format("%H:%M").to_string(),
                        is_overdue: *at < now && row.on_screen_of.is_none(),
                    };
                Day {
                    label: format!("{} {}", tr.pair(DAYS[index]), day.format("%m-%d")),
                    is_today: *day == today,
                    appointments: found.into_iter().map(appointment).collect(),
                }
            };
            let days: Vec<Day> = days.iter().enumerate().map(of_day).collect();
            Week {
                name: account.map_or_else(
                    || tr.t("未指定访问员", "nobody in particular").to_owned(),
                    |account| colleagues.name(account).reveal().to_owned(),
                ),
                count: days.iter().map(|day| day.appointments.len()).sum(),
                days,
            }
        };
        let mut accounts: Vec<Option<&str>> =
            planned.iter().map(|(row, ..)| row.assigned_to.as_deref()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let last = days.last().copied().unwrap_or(first);
        let outside =
            |is: &dyn Fn(&NaiveDate) -> bool| planned.iter().filter(|(_, _, day)| is(day)).count();
        AppointmentsPage {
            layout: PageLayout::for_staff(staff),
            flash,
            may_reveal: staff.may(Permission::Reveal),
            week: first,
            previous: first - Days::new(7),
            next: first + Days::new(7),
            title: format!("{} – {}", first.format("%Y-%m-%d"), last.format("%m-%d")),
            weeks: accounts.into_iter().map(week_of).filter(|week| week.count > 0).collect(),
            names: names
                .iter()
                .map(|name| (name.as_str(), colleagues.name(name).reveal().to_owned()))
                .collect(),
            elsewhere: (outside(&|day| *day < first), outside(&|day| *day > last)),
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
