//! Public holidays: a year as twelve months in which each day can be chosen, or read from the pasted
//! notice. Campaigns follow what is saved.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{Datelike, NaiveDate};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use super::conflict::{Conflict, expected_version};
use crate::domain::contact_window::Calendar;
use crate::domain::holidays::{HolidayYear, is_weekend, read_notice, stretches};
use crate::interfaces::errors::LocalizedError;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::holidays::{self, KnownYear, SaveYearError, year_version};

/// How far ahead a year can be entered.
const YEARS_AHEAD: i32 = 2;

/// A year in the list.
struct YearRow {
    year: i32,
    is_open: bool,
    /// `None`: nobody has entered it.
    known: Option<YearSummary>,
}

struct YearSummary {
    holidays: usize,
    workdays: usize,
    source: String,
}

/// A month as a calendar shows it.
pub struct Month {
    pub name: String,
    /// Weeks from Monday to Sunday; `None` before the first and after the last.
    pub weeks: Vec<Vec<Option<DayCell>>>,
}

pub struct DayCell {
    pub day: NaiveDate,
    pub number: u32,
    /// `""`, `holiday` or `workday`.
    pub kind: &'static str,
    pub is_weekend: bool,
    pub is_closed: bool,
    /// `2月15日（周日）`.
    pub label: String,
}

impl Month {
    pub fn has(&self, day: NaiveDate) -> bool {
        self.weeks.iter().flatten().flatten().any(|cell| cell.day == day)
    }
}

/// The months from that of a day on.
pub fn months_from(tr: Translator, first: NaiveDate, count: u32, days: &Calendar) -> Vec<Month> {
    let at = |n: u32| first.checked_add_months(chrono::Months::new(n));
    let months = (0..count).filter_map(at);
    months.map(|day| month(tr, day.year(), day.month(), days)).collect()
}

#[derive(Template)]
#[template(path = "console/holidays.html")]
struct HolidaysPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<String>,
    problems: Vec<String>,
    conflict: Option<Conflict>,
    /// What a pasted notice says, to be saved.
    is_read: bool,
    years: Vec<YearRow>,
    year: i32,
    version: String,
    stretches: Vec<String>,
    workdays: Vec<String>,
    months: Vec<Month>,
    notice: String,
}

/// What a page shows of a year: the stored days, or those that somebody has typed.
struct Shown {
    year: i32,
    days: Calendar,
    notice: String,
    is_read: bool,
    problems: Vec<String>,
    conflict: Option<Conflict>,
    flash: Option<String>,
}

const WEEKDAYS: [(&str, &str); 7] = [
    ("周一", "Mon"),
    ("周二", "Tue"),
    ("周三", "Wed"),
    ("周四", "Thu"),
    ("周五", "Fri"),
    ("周六", "Sat"),
    ("周日", "Sun"),
];

/// A day as it is said: `2月15日（周日）`.
pub fn day_label(tr: Translator, day: NaiveDate) -> String {
    let weekday = tr.pair(WEEKDAYS[day.weekday().num_days_from_monday() as usize % 7]);
    match tr.tag() {
        "zh" => format!("{}月{}日（{weekday}）", day.month(), day.day()),
        _ => format!("{weekday} {}", day.format("%-d %b")),
    }
}

/// A stretch of days as it is said.
pub fn stretch_label(tr: Translator, (first, last): (NaiveDate, NaiveDate)) -> String {
    if first == last {
        return day_label(tr, first);
    }
    format!("{}{}{}", day_label(tr, first), tr.t("至", " – "), day_label(tr, last))
}

fn month(tr: Translator, year: i32, month: u32, days: &Calendar) -> Month {
    let cell = |day: NaiveDate| DayCell {
        day,
        number: day.day(),
        kind: if days.holidays.contains(&day) {
            "holiday"
        } else if days.workdays.contains(&day) {
            "workday"
        } else {
            ""
        },
        is_weekend: is_weekend(day),
        is_closed: days.closed.contains(&day),
        label: day_label(tr, day),
    };
    let first = NaiveDate::from_ymd_opt(year, month, 1);
    let mut cells: Vec<Option<DayCell>> = Vec::new();
    if let Some(first) = first {
        cells.extend((0..first.weekday().num_days_from_monday()).map(|_| None));
        cells.extend(
            first.iter_days().take_while(|day| day.month() == month).map(|d| Some(cell(d))),
        );
    }
    let mut weeks: Vec<Vec<Option<DayCell>>> = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(cells.len().min(7));
        let mut week = std::mem::replace(&mut cells, rest);
        week.resize_with(7, || None);
        weeks.push(week);
    }
    let name = match tr.tag() {
        "zh" => format!("{month}月"),
        _ => first.map(|first| first.format("%B").to_string()).unwrap_or_default(),
    };
    Month { name, weeks }
}

async fn render(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    known: &[KnownYear],
    shown: Shown,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let colleagues = Colleagues::load(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let this_year = app.context.clock.now().date(ZONE).year();
    let first = known.first().map_or(this_year, |known| known.year.year.min(this_year));
    let source = |known: &KnownYear| match &known.entered {
        None => tr.t("随程序提供", "comes with the program").to_owned(),
        Some((who, at)) => format!("{} · {}", colleagues.name(who).reveal(), at.date(ZONE)),
    };
    let row = |year: i32| YearRow {
        year,
        is_open: year == shown.year,
        known: known.iter().find(|known| known.year.year == year).map(|known| YearSummary {
            holidays: known.year.days.holidays.len(),
            workdays: known.year.days.workdays.len(),
            source: source(known),
        }),
    };
    let (from, to) = (
        NaiveDate::from_ymd_opt(shown.year, 1, 1).unwrap_or_default(),
        NaiveDate::from_ymd_opt(shown.year, 12, 31).unwrap_or_default(),
    );
    let template = HolidaysPage {
        layout: PageLayout::for_staff(staff),
        flash: shown.flash,
        problems: shown.problems,
        conflict: shown.conflict,
        is_read: shown.is_read,
        years: (first..=this_year + YEARS_AHEAD).map(row).collect(),
        year: shown.year,
        version: year_version(known, shown.year).unwrap_or_default(),
        stretches: stretches(&shown.days, from, to)
            .into_iter()
            .map(|stretch| stretch_label(tr, stretch))
            .collect(),
        workdays: shown.days.workdays.iter().map(|day| day_label(tr, *day)).collect(),
        months: (1..=12).map(|m| month(tr, shown.year, m, &shown.days)).collect(),
        notice: shown.notice,
    };
    Ok(render_page(status, &template))
}

fn stored(known: &[KnownYear], year: i32) -> Shown {
    Shown {
        year,
        days: known
            .iter()
            .find(|known| known.year.year == year)
            .map(|known| known.year.days.clone())
            .unwrap_or_default(),
        notice: String::new(),
        is_read: false,
        problems: Vec::new(),
        conflict: None,
        flash: None,
    }
}

/// Shows the year of the address, or the first one that is missing, or this one.
pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let known = holidays::years(&app.context).await?;
    let this_year = app.context.clock.now().date(ZONE).year();
    let asked = query.get("year").and_then(|year| year.parse().ok());
    let year = asked.filter(|year| (2000..=2100).contains(year)).unwrap_or(this_year);
    let mut shown = stored(&known, year);
    shown.flash = query.get("noted").map(|followed| {
        let words = staff.tr.t("已保存。", "It is kept.");
        if followed.is_empty() {
            return words.to_owned();
        }
        let codes = followed.replace(' ', staff.tr.t("、", ", "));
        format!(
            "{words}{}{codes}",
            staff.tr.t("以下活动已按新的节假日执行：", " These campaigns follow the new days: ")
        )
    });
    if let Some(left) = query.get("left").filter(|left| !left.is_empty()) {
        let codes = left.replace(' ', staff.tr.t("、", ", "));
        shown.problems.push(format!(
            "{}{codes}",
            staff.tr.t(
                "以下活动的计划自带当年节假日，未作改动：",
                "The plans of these campaigns have days of their own for the year, and keep them: "
            )
        ));
    }
    render(&app, &staff, StatusCode::OK, &known, shown).await
}

/// The days of the form: each is chosen by itself.
fn days_of(form: &FormFields) -> Calendar {
    let mut days = Calendar::default();
    for (name, value) in &form.0 {
        let Some(day) = name.strip_prefix("day-").and_then(|day| day.parse().ok()) else {
            continue;
        };
        match value.as_str() {
            "holiday" => _ = days.holidays.insert(day),
            "workday" => _ = days.workdays.insert(day),
            _ => {}
        }
    }
    days
}

/// Saves a year, or reads a pasted notice into the form.
pub async fn save(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(year): Path<i32>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let known = holidays::years(&app.context).await?;
    let mut shown = stored(&known, year);
    shown.days = days_of(&form);
    if form.text("do") == "read" {
        form.text("notice").clone_into(&mut shown.notice);
        let mut status = StatusCode::OK;
        match read_notice(&shown.notice, year) {
            Ok(notice) => {
                shown.days = notice.year.days;
                shown.is_read = true;
                if !notice.in_other_years.is_empty() {
                    let days: Vec<String> =
                        notice.in_other_years.iter().map(ToString::to_string).collect();
                    shown.problems.push(format!(
                        "{}{}",
                        tr.t(
                            "通知中这些日期属于其他年份，请到相应年份填写：",
                            "These days of the notice are in other years; enter them there: "
                        ),
                        days.join(tr.t("、", ", "))
                    ));
                }
            }
            Err(error) => {
                status = StatusCode::UNPROCESSABLE_ENTITY;
                shown.problems.push(error.localized(tr.0));
            }
        }
        return render(&app, &staff, status, &known, shown).await;
    }
    let entered = HolidayYear { year, days: shown.days.clone() };
    let expected = expected_version(&form);
    match holidays::save(&app.context, &staff.session.actor(), &entered, &expected).await {
        Ok(saved) => {
            let to: String = form_urlencoded::Serializer::new(String::new())
                .append_pair("year", &year.to_string())
                .append_pair("noted", &saved.followed.join(" "))
                .append_pair("left", &saved.left_alone.join(" "))
                .finish();
            Ok(Redirect::to(&format!("/holidays?{to}")).into_response())
        }
        Err(SaveYearError::Wrong(errors)) => {
            shown.problems = errors.iter().map(|error| error.localized(tr.0)).collect();
            render(&app, &staff, StatusCode::UNPROCESSABLE_ENTITY, &known, shown).await
        }
        Err(SaveYearError::Version(_)) => {
            let words = |days: &Calendar| -> Vec<(String, String)> {
                let holidays = days.holidays.iter().map(|day| (*day, tr.t("放假", "holiday")));
                let all =
                    holidays.chain(days.workdays.iter().map(|day| (*day, tr.t("上班", "worked"))));
                all.map(|(day, kind)| (day_label(tr, day), kind.to_owned())).collect()
            };
            let theirs = stored(&known, year).days;
            shown.conflict = Some(Conflict::between(&words(&shown.days), &words(&theirs)));
            render(&app, &staff, StatusCode::CONFLICT, &known, shown).await
        }
        Err(SaveYearError::Database(error)) => Err(error.into()),
    }
}
