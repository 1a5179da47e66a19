//! Interviewers' shifts and targets at `/supervision/shifts`, and what an interviewer sees of the own
//! ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{NaiveTime, Weekday};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::{colleagues, interviewer_names};
use crate::domain::shift::{Shift, ShiftDay, Target};
use crate::domain::time::Timestamp;
use crate::services::call_center::CallCenterError;
use crate::services::call_center::shifts::{
    CurrentShift, OwnShifts, Presence, add_shift, remove_shift, shift_plan,
};

fn day_name(tr: Translator, day: Weekday) -> &'static str {
    tr.pair(match day {
        Weekday::Mon => ("周一", "Monday"),
        Weekday::Tue => ("周二", "Tuesday"),
        Weekday::Wed => ("周三", "Wednesday"),
        Weekday::Thu => ("周四", "Thursday"),
        Weekday::Fri => ("周五", "Friday"),
        Weekday::Sat => ("周六", "Saturday"),
        Weekday::Sun => ("周日", "Sunday"),
    })
}

fn day_text(tr: Translator, shift: &Shift) -> String {
    let name = day_name(tr, shift.day.weekday());
    match shift.day {
        ShiftDay::Weekly(_) => format!("{}{name}", tr.t("每", "every ")),
        ShiftDay::Once(day) => format!("{day} {name}"),
    }
}

fn hours_text(tr: Translator, shift: &Shift) -> String {
    let next = if shift.ends_next_day() { tr.t("次日 ", "next day ") } else { "" };
    format!("{}–{next}{}", shift.from.format("%H:%M"), shift.to.format("%H:%M"))
}

fn target_text(tr: Translator, target: Option<Target>) -> String {
    match target {
        None => "–".to_owned(),
        Some(Target::Interviews(count)) => match tr.tag() {
            "zh" => format!("完成 {count} 份"),
            _ => format!("{count} interviews"),
        },
        Some(Target::Calls(count)) => match tr.tag() {
            "zh" => format!("拨打 {count} 次"),
            _ => format!("{count} calls"),
        },
    }
}

/// Returns what is done of a target, as `3/10`, and whether it is reached.
fn done_of(current: &CurrentShift) -> Option<(String, bool)> {
    let target = current.shift.target?;
    let done = match target {
        Target::Interviews(_) => current.interviews,
        Target::Calls(_) => current.calls,
    };
    Some((format!("{done}/{}", target.count()), done >= target.count()))
}

struct NowRow {
    name: String,
    hours: String,
    presence: &'static str,
    is_away: bool,
    interviews: u32,
    calls: u32,
    target: String,
    done: Option<(String, bool)>,
}

struct ShiftRow {
    id: i64,
    name: String,
    day: String,
    hours: String,
    target: String,
}

#[derive(Template)]
#[template(path = "supervisor/shifts.html")]
struct ShiftsPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<&'static str>,
    present: usize,
    now: Vec<NowRow>,
    unexpected: String,
    rows: Vec<ShiftRow>,
    /// Account and real name.
    names: Vec<(String, String)>,
    days: Vec<(u8, &'static str)>,
    form: &'a FormFields,
}

impl ShiftsPage<'_> {
    fn is_chosen(&self, field: &str, value: &str) -> bool {
        self.form.text(field) == value
    }

    fn is_day(&self, day: &u8) -> bool {
        self.is_chosen("weekday", &day.to_string())
    }
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = match query.get("noted").map(String::as_str) {
        Some("added") => Some(staff.tr.t("已排班。", "The shift is added.")),
        Some("removed") => Some(staff.tr.t("已删除该班次。", "The shift is removed.")),
        Some("gone") => Some(staff.tr.t("该班次已不在。", "That shift is gone.")),
        _ => None,
    };
    render(&app, &staff, (flash, None), &FormFields::default()).await
}

pub async fn add(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let shift = match read_form(tr, &form) {
        Ok(shift) => shift,
        Err(problem) => return render(&app, &staff, (None, Some(problem)), &form).await,
    };
    let who = form.text("who").trim();
    match add_shift(&app.context, &staff.session.actor(), who, &shift).await {
        Ok(()) => Ok(Redirect::to("/supervision/shifts?noted=added").into_response()),
        Err(CallCenterError::UnknownInterviewer(_)) => {
            let problem = tr.t("请选择访问员。", "Choose an interviewer.");
            render(&app, &staff, (None, Some(problem)), &form).await
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn remove(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Redirect, Failure> {
    let removed = remove_shift(&app.context, &staff.session.actor(), id).await?;
    let noted = if removed { "removed" } else { "gone" };
    Ok(Redirect::to(&format!("/supervision/shifts?noted={noted}")))
}

/// Reads a shift, or says what is wrong. A date that is filled in counts before the weekday.
fn read_form(tr: Translator, form: &FormFields) -> Result<Shift, &'static str> {
    let date = form.text("date").trim();
    let day = if date.is_empty() { form.text("weekday") } else { date };
    let day = ShiftDay::parse(day)
        .ok_or_else(|| tr.t("请选择星期，或填写日期。", "Choose a weekday or give a date."))?;
    let time = |field: &str| NaiveTime::parse_from_str(form.text(field).trim(), "%H:%M").ok();
    let (Some(from), Some(to)) = (time("from"), time("to")) else {
        return Err(tr.t("请填写起止时间。", "Give the hours: from and to."));
    };
    if from == to {
        return Err(tr.t("起止时间不能相同。", "From and to are the same."));
    }
    let target = match form.text("target").trim() {
        "" => None,
        count => Some(
            count
                .parse()
                .ok()
                .and_then(|count| Target::parse(form.text("kind"), count))
                .ok_or_else(|| tr.t("目标应为 1 至 999 的整数。", "The target is 1 to 999."))?,
        ),
    };
    Ok(Shift { day, from, to, target })
}

async fn render(
    app: &AppState,
    staff: &Staff,
    (flash, problem): (Option<&'static str>, Option<&'static str>),
    form: &FormFields,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let plan = shift_plan(&app.context).await?;
    let (colleagues, names) = (colleagues(app).await?, interviewer_names(app).await?);
    let name = |account: &str| colleagues.name(account).reveal().to_owned();
    let now_row = |current: &CurrentShift| NowRow {
        name: name(&current.name),
        hours: hours_text(tr, &current.shift),
        presence: tr.pair(match current.presence {
            Presence::OnCall => ("通话中", "on a call"),
            Presence::Recent => ("在拨打", "calling"),
            Presence::Away => ("未见拨打", "no calls"),
        }),
        is_away: current.presence == Presence::Away,
        interviews: current.interviews,
        calls: current.calls,
        target: target_text(tr, current.shift.target),
        done: done_of(current),
    };
    let unexpected: Vec<String> = plan.unexpected.iter().map(|account| name(account)).collect();
    let page = ShiftsPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        present: plan.present(),
        now: plan.current.iter().map(now_row).collect(),
        unexpected: unexpected.join(tr.t("、", ", ")),
        rows: plan
            .all
            .iter()
            .map(|one| ShiftRow {
                id: one.id,
                name: name(&one.name),
                day: day_text(tr, &one.shift),
                hours: hours_text(tr, &one.shift),
                target: target_text(tr, one.shift.target),
            })
            .collect(),
        names: names.iter().map(|account| (account.clone(), name(account))).collect(),
        days: (1..=7).map(|day| (day, day_name(tr, ShiftDay::Weekly(day).weekday()))).collect(),
        form,
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(render_page(status, &page))
}

/// What an interviewer reads of the own shifts; `None`: none are set.
pub struct OwnShiftText {
    /// The shift that is on.
    pub current: Option<String>,
    pub done: Option<(String, bool)>,
    pub next: Option<String>,
}

pub fn own_shift_text(tr: Translator, own: &OwnShifts) -> Option<OwnShiftText> {
    let span = |(from, to): (Timestamp, Timestamp)| {
        let (from, to) =
            (from.in_zone(chrono_tz::Asia::Shanghai), to.in_zone(chrono_tz::Asia::Shanghai));
        format!("{} {}–{}", from.format("%m-%d"), from.format("%H:%M"), to.format("%H:%M"))
    };
    own.has_any.then(|| OwnShiftText {
        current: own.current.as_ref().map(|current| {
            let target = current.shift.target.map(|_| target_text(tr, current.shift.target));
            let hours = hours_text(tr, &current.shift);
            match target {
                Some(target) => format!("{hours} · {}{target}", tr.t("目标：", "target: ")),
                None => hours,
            }
        }),
        done: own.current.as_ref().and_then(done_of),
        next: own.next.map(span),
    })
}
