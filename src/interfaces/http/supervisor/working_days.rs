//! Interviewers' working days: of all at `/supervision/days` for supervisors, one's own at
//! `/interview/days`.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{Datelike, Days, NaiveDate};

use super::super::Failure;
use super::super::auth::Staff;
use super::super::charts::{Chart, Heading, Point};
use super::super::csv_download::csv_download;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::call_center::working_days::{WorkingDay, working_days};

/// Days on an interviewer's own page.
const OWN_DAYS: u64 = 14;

struct DayRow {
    /// The interviewer, or the day on one's own page.
    name: String,
    day: WorkingDay,
    minutes: String,
}

#[derive(Template)]
#[template(path = "supervisor/working-days.html")]
struct WorkingDaysPage<'a> {
    layout: PageLayout<'a>,
    is_own: bool,
    title: String,
    path: &'static str,
    previous: NaiveDate,
    next: Option<NaiveDate>,
    day: NaiveDate,
    chart: Option<Chart>,
    rows: Vec<DayRow>,
    sum: DayRow,
}

fn minutes(day: &WorkingDay) -> String {
    format!("{:.0}", day.interviewing.as_secs_f64() / 60.0)
}

fn sum_of(tr: Translator, days: &[WorkingDay]) -> DayRow {
    let mut sum = WorkingDay::default();
    for day in days {
        sum.calls += day.calls;
        sum.contacts += day.contacts;
        sum.interviews += day.interviews;
        sum.refusals += day.refusals;
        sum.interviewing += day.interviewing;
        sum.promises_due += day.promises_due;
        sum.promises_kept += day.promises_kept;
        sum.promises_ahead += day.promises_ahead;
    }
    DayRow { name: tr.t("合计", "all").to_owned(), minutes: minutes(&sum), day: sum }
}

/// Columns of completes by interviewer, or by day.
fn chart(tr: Translator, rows: &[DayRow], is_own: bool) -> Option<Chart> {
    let points: Vec<Point> = rows
        .iter()
        .map(|row| {
            let (name, day) = (&row.name, &row.day);
            Point {
                label: name.chars().take(if is_own { 10 } else { 6 }).collect(),
                value: Some(f64::from(day.interviews)),
                words: match tr.tag() {
                    "zh" => format!("{name}：完成 {}，拨打 {}", day.interviews, day.calls),
                    _ => format!("{name}: {} interviews, {} calls", day.interviews, day.calls),
                },
            }
        })
        .collect();
    let heading = Heading {
        id: "working-days".to_owned(),
        title: tr.t("完成的访问", "Completed interviews").to_owned(),
        x_title: if is_own { tr.t("日期", "day") } else { tr.t("访问员", "interviewer") }
            .to_owned(),
        y_title: tr.t("完成（份）", "interviews").to_owned(),
    };
    Chart::columns(heading, &points)
}

fn day_asked(query: &BTreeMap<String, String>, today: NaiveDate) -> NaiveDate {
    let day = query.get("day").and_then(|day| day.parse::<NaiveDate>().ok());
    day.filter(|day| (1970..2200).contains(&day.year()) && *day <= today).unwrap_or(today)
}

fn is_csv(query: &BTreeMap<String, String>) -> bool {
    query.get("format").is_some_and(|format| format == "csv")
}

/// Shows a day of all interviewers.
pub async fn of_all(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let (tr, today) = (staff.tr, app.context.clock.now().date(chrono_tz::Asia::Shanghai));
    let day = day_asked(&query, today);
    let days = working_days(&app.context, (day, day), None).await?;
    if is_csv(&query) {
        return as_csv(day, &days);
    }
    let colleagues = Colleagues::load(&app.context).await;
    let colleagues = colleagues.map_err(|error| Failure::Internal(error.to_string()))?;
    let sum = sum_of(tr, &days);
    let rows: Vec<DayRow> = days
        .into_iter()
        .map(|day| DayRow {
            name: colleagues.name(&day.name).reveal().to_owned(),
            minutes: minutes(&day),
            day,
        })
        .collect();
    let page = WorkingDaysPage {
        layout: PageLayout::for_staff(&staff),
        is_own: false,
        title: day.to_string(),
        path: "/supervision/days",
        previous: day - Days::new(1),
        next: day.succ_opt().filter(|next| *next <= today),
        day,
        chart: chart(tr, &rows, false),
        rows,
        sum,
    };
    Ok(render_page(StatusCode::OK, &page))
}

/// Shows one's own latest days.
pub async fn own(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let (tr, today) = (staff.tr, app.context.clock.now().date(chrono_tz::Asia::Shanghai));
    let last = day_asked(&query, today);
    let first = last - Days::new(OWN_DAYS - 1);
    let account = &staff.session.account;
    let days = working_days(&app.context, (first, last), Some(account)).await?;
    if is_csv(&query) {
        return as_csv(last, &days);
    }
    let sum = sum_of(tr, &days);
    let rows: Vec<DayRow> = days
        .into_iter()
        .map(|day| DayRow { name: day.day.to_string(), minutes: minutes(&day), day })
        .collect();
    let page = WorkingDaysPage {
        layout: PageLayout::for_staff(&staff),
        is_own: true,
        title: format!("{first} – {}", last.format("%m-%d")),
        path: "/interview/days",
        previous: first - Days::new(1),
        next: (last < today).then(|| (last + Days::new(OWN_DAYS)).min(today)),
        day: last,
        chart: chart(tr, &rows, true),
        rows,
        sum,
    };
    Ok(render_page(StatusCode::OK, &page))
}

fn as_csv(last: NaiveDate, days: &[WorkingDay]) -> Result<Response, Failure> {
    let head = [
        "day",
        "account",
        "calls",
        "contacts",
        "interviews",
        "refusals",
        "minutes",
        "promises_due",
        "promises_kept",
        "promises_ahead",
    ];
    let rows = days.iter().map(|day| {
        vec![
            day.day.to_string(),
            day.name.clone(),
            day.calls.to_string(),
            day.contacts.to_string(),
            day.interviews.to_string(),
            day.refusals.to_string(),
            minutes(day),
            day.promises_due.to_string(),
            day.promises_kept.to_string(),
            day.promises_ahead.to_string(),
        ]
    });
    csv_download(&format!("interviewers-{last}"), &head, rows)
}
