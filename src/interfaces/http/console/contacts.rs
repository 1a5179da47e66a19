//! When people answer and when contacts succeed: by weekday and hour, and by the time since the
//! message.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::Failure;
use super::super::auth::Staff;
use super::super::charts::{Chart, Heading, Heat, HeatMap, Point};
use super::super::csv_download::csv_download;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use crate::services::monitoring::contact_hours::{ContactHours, DELAY_HOURS, Week};

const DAYS: [(&str, &str); 7] = [
    ("周一", "Mon"),
    ("周二", "Tue"),
    ("周三", "Wed"),
    ("周四", "Thu"),
    ("周五", "Fri"),
    ("周六", "Sat"),
    ("周日", "Sun"),
];

struct HourRow {
    hour: usize,
    cells: Vec<String>,
}

/// A heat map with the table of its figures.
struct MapView {
    id: &'static str,
    title: &'static str,
    note: &'static str,
    /// What the page says where there is nothing.
    empty: &'static str,
    all: String,
    map: Option<HeatMap>,
    rows: Vec<HourRow>,
}

#[derive(Template)]
#[template(path = "console/contacts.html")]
struct ContactsPage<'a> {
    layout: PageLayout<'a>,
    campaign: &'a str,
    counted_at: String,
    zone: String,
    minimum: u64,
    days: [&'static str; 7],
    maps: Vec<MapView>,
    delays: Option<Chart>,
    delay_rows: Vec<(String, u64, String)>,
    without_message: u64,
}

/// The hours between the first and the last in which there is something.
fn hours_of(week: &Week) -> Vec<usize> {
    let is_busy = |hour: &usize| week.iter().any(|day| day[*hour] > 0);
    let (first, last) = ((0..24).find(is_busy), (0..24).rev().find(is_busy));
    first.zip(last).map_or_else(Vec::new, |(first, last)| (first..=last).collect())
}

fn sum(week: &Week) -> u64 {
    week.iter().flatten().sum()
}

fn day_names(tr: Translator) -> [&'static str; 7] {
    DAYS.map(|day| tr.pair(day))
}

fn heading(tr: Translator, id: &str, title: &str) -> Heading {
    Heading {
        id: format!("map-{id}"),
        title: title.to_owned(),
        x_title: String::new(),
        y_title: tr.t("星期 × 时（每格一小时）", "weekday × hour of the day").to_owned(),
    }
}

fn count_map(tr: Translator, (id, title): (&'static str, &'static str), week: &Week) -> MapView {
    let most = week.iter().flatten().max().copied().unwrap_or(0).max(1);
    let hours = hours_of(week);
    let names = day_names(tr);
    let map = HeatMap::new(heading(tr, id, title), names, &hours, |day, hour| {
        let count = week[day][hour];
        Heat {
            share: (count > 0).then(|| count as f64 / most as f64),
            is_few: false,
            label: if count > 0 { count.to_string() } else { String::new() },
            words: match tr.tag() {
                "zh" => format!("{} {hour}:00：{count} 人", names[day]),
                _ => format!("{} {hour}:00: {count} people", names[day]),
            },
        }
    });
    let rows = hours.iter().map(|hour| HourRow {
        hour: *hour,
        cells: week.iter().map(|day| day[*hour].to_string()).collect(),
    });
    MapView {
        id,
        title,
        note: tr.t(
            "网页和短信作答；每人只计第一次开始。",
            "By web and SMS; each person counts once, when they first began.",
        ),
        empty: tr.t("还没有人自行作答。", "Nobody has answered by themselves yet."),
        all: sum(week).to_string(),
        map,
        rows: rows.collect(),
    }
}

fn rate_map(
    tr: Translator,
    (id, title, note, empty): (&'static str, &'static str, &'static str, &'static str),
    (made, succeeded): (&Week, &Week),
    minimum: u64,
) -> MapView {
    let hours = hours_of(made);
    let names = day_names(tr);
    let rate = |day: usize, hour: usize| {
        let (all, good) = (made[day][hour], succeeded[day][hour]);
        (all >= minimum).then(|| good as f64 / all as f64)
    };
    let best = (0..7)
        .flat_map(|day| (0..24).map(move |hour| (day, hour)))
        .filter_map(|(day, hour)| rate(day, hour))
        .fold(0.0, f64::max)
        .max(1e-9);
    let map = HeatMap::new(heading(tr, id, title), names, &hours, |day, hour| {
        let (all, good) = (made[day][hour], succeeded[day][hour]);
        let rate = rate(day, hour);
        let told = rate.map_or_else(
            || tr.t("太少，不计比率", "too few for a rate").to_owned(),
            |rate| format!("{:.0} %", rate * 100.0),
        );
        Heat {
            share: rate.map(|rate| rate / best),
            is_few: all > 0 && rate.is_none(),
            label: match rate {
                Some(rate) => format!("{:.0}%", rate * 100.0),
                None if all > 0 => all.to_string(),
                None => String::new(),
            },
            words: match tr.tag() {
                "zh" => format!("{} {hour}:00：{good}/{all}，{told}", names[day]),
                _ => format!("{} {hour}:00: {good} of {all}, {told}", names[day]),
            },
        }
    });
    let cell = |day: usize, hour: usize| match made[day][hour] {
        0 => String::new(),
        all => format!("{}/{all}", succeeded[day][hour]),
    };
    let rows = hours
        .iter()
        .map(|hour| HourRow { hour: *hour, cells: (0..7).map(|day| cell(day, *hour)).collect() });
    let all = format!("{}/{}", sum(succeeded), sum(made));
    MapView { id, title, note, empty, all, map, rows: rows.collect() }
}

/// The class of a delay in words: `1–3 h`.
fn delay_label(class: usize) -> String {
    match (class.checked_sub(1).map(|before| DELAY_HOURS[before]), DELAY_HOURS.get(class)) {
        (None, Some(to)) => format!("0–{to} h"),
        (Some(from), Some(to)) => format!("{from}–{to} h"),
        (from, None) => format!("> {} h", from.unwrap_or(0)),
    }
}

fn maps(tr: Translator, hours: &ContactHours) -> Vec<MapView> {
    let calls = (
        "calls",
        tr.t("电话：接触率", "Telephone: contact rate"),
        tr.t(
            "拨打中找到人的比例；深色为高。",
            "Attempts in which a person was reached; darker is more.",
        ),
        tr.t("还没有拨打。", "Nobody was called yet."),
    );
    let messages = (
        "messages",
        tr.t("短信：回应率", "SMS: response"),
        tr.t(
            "按发出的时刻：下一条之前开始作答的人与发出条数之比。",
            "By the hour of sending: people who began to answer before the next message, of messages sent.",
        ),
        tr.t("还没有发出短信。", "No message was sent yet."),
    );
    let began = ("begun", tr.t("何时开始作答", "When people begin to answer"));
    vec![
        count_map(tr, began, &hours.begun),
        rate_map(tr, messages, (&hours.messages.made, &hours.messages.succeeded), hours.minimum),
        rate_map(tr, calls, (&hours.calls.made, &hours.calls.succeeded), hours.minimum),
    ]
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let hours = app.contact_hours.of_campaign(&app.context, &code).await?;
    if query.get("format").is_some_and(|format| format == "csv") {
        return as_csv(&code, &hours);
    }
    let tr = staff.tr;
    let all: u64 = hours.delays.iter().sum();
    let share = |count: u64| format!("{:.1} %", count as f64 * 100.0 / all.max(1) as f64);
    let points: Vec<Point> = hours
        .delays
        .iter()
        .enumerate()
        .map(|(class, count)| {
            let label = delay_label(class);
            Point {
                words: match tr.tag() {
                    "zh" => format!("{label}：{count} 人，{}", share(*count)),
                    _ => format!("{label}: {count} people, {}", share(*count)),
                },
                label,
                value: Some(*count as f64),
            }
        })
        .collect();
    let delay_heading = Heading {
        id: "delay-chart".to_owned(),
        title: tr.t("短信后多久开始作答", "Time from the message to the first answer").to_owned(),
        x_title: tr.t("最近一条短信之后", "hours after the last message").to_owned(),
        y_title: tr.t("人数", "people").to_owned(),
    };
    let page = ContactsPage {
        layout: PageLayout::for_staff(&staff),
        campaign: &code,
        counted_at: hours.counted_at.in_zone(hours.zone).format("%Y-%m-%d %H:%M").to_string(),
        zone: tr.zone(hours.zone.name()),
        minimum: hours.minimum,
        days: day_names(tr),
        maps: maps(tr, &hours),
        delays: (all > 0).then(|| Chart::columns(delay_heading, &points)).flatten(),
        delay_rows: hours
            .delays
            .iter()
            .enumerate()
            .map(|(class, count)| (delay_label(class), *count, share(*count)))
            .collect(),
        without_message: hours.without_message,
    };
    Ok(render_page(StatusCode::OK, &page))
}

fn as_csv(code: &str, hours: &ContactHours) -> Result<Response, Failure> {
    let mut rows = Vec::new();
    let none = Week::default();
    let weeks = [
        ("begun", &hours.begun, &none),
        ("messages", &hours.messages.made, &hours.messages.succeeded),
        ("calls", &hours.calls.made, &hours.calls.succeeded),
    ];
    for (figure, made, succeeded) in weeks {
        for day in 0..7 {
            for hour in 0..24 {
                let (all, good) = (made[day][hour], succeeded[day][hour]);
                if all == 0 {
                    continue;
                }
                let has_rate = figure != "begun";
                let rate = (has_rate && all >= hours.minimum)
                    .then(|| format!("{:.2}", good as f64 * 100.0 / all as f64));
                rows.push(vec![
                    figure.to_owned(),
                    DAYS[day].1.to_owned(),
                    hour.to_string(),
                    all.to_string(),
                    if has_rate { good.to_string() } else { String::new() },
                    rate.unwrap_or_default(),
                ]);
            }
        }
    }
    for (class, count) in hours.delays.iter().enumerate() {
        let label = delay_label(class);
        rows.push(vec![
            "delay".to_owned(),
            String::new(),
            label,
            count.to_string(),
            String::new(),
            String::new(),
        ]);
    }
    let head = ["figure", "weekday", "hour", "count", "succeeded", "percent"];
    csv_download(&format!("contacts-{code}"), &head, rows)
}
