//! Every part of the design at `/staff/styles`, light and dark beside each other, made of the classes
//! and templates that pages use.

use askama::Template;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;

use super::super::charts::{Chart, Curve, Heading, Heat, HeatMap, Point, curve};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::Staff;

/// The colours, by their names in the style sheet.
const COLOURS: [&str; 16] = [
    "ink",
    "muted",
    "page",
    "paper",
    "soft",
    "rule",
    "line",
    "lead",
    "on-lead",
    "lead-soft",
    "bad",
    "bad-soft",
    "good",
    "good-soft",
    "warning",
    "warning-soft",
];

struct Theme {
    id: &'static str,
    name: &'static str,
    columns: Option<Chart>,
    line: Option<Chart>,
    curve: Option<Curve>,
    heat: Option<HeatMap>,
}

#[derive(Template)]
#[template(path = "staff/styles.html")]
struct StylesPage<'a> {
    layout: PageLayout<'a>,
    colours: &'static [&'static str],
    themes: [Theme; 2],
}

fn theme(tr: Translator, id: &'static str, name: &'static str) -> Theme {
    let heading = |chart: &str, title: &'static str| Heading {
        id: format!("{id}-{chart}"),
        title: title.to_owned(),
        x_title: tr.t("评分", "rating").to_owned(),
        y_title: tr.t("人数", "people").to_owned(),
    };
    let points: Vec<Point> = [2, 5, 9, 14, 21, 30, 26, 17, 8, 3]
        .into_iter()
        .zip(1..)
        .map(|(count, point)| Point {
            label: point.to_string(),
            value: Some(f64::from(count)),
            words: match tr.tag() {
                "zh" => format!("{point} 分：{count} 人"),
                _ => format!("{point}: {count} people"),
            },
        })
        .collect();
    let day = |n: u32| NaiveDate::from_ymd_opt(2026, 3, n).unwrap_or_default();
    let days: Vec<(NaiveDate, u32)> = (1..=8).map(|n| (day(n), n * n)).collect();
    let bands: Vec<(NaiveDate, (u32, u32, u32))> =
        (8..=20).map(|n| (day(n), (40 + n * 3, 46 + n * 4, 50 + n * 6))).collect();
    let days_of_week = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
    let english = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let names = if tr.tag() == "zh" { days_of_week } else { english };
    let heat = |day: usize, hour: usize| {
        let contacts = (day * 7 + hour * 5) % 31;
        let is_few = (1..10).contains(&contacts);
        Heat {
            share: (contacts >= 10).then(|| (contacts - 10) as f64 / 20.0),
            is_few,
            label: if contacts == 0 { String::new() } else { contacts.to_string() },
            words: format!("{} {hour}:00: {contacts}", names[day]),
        }
    };
    Theme {
        id,
        name,
        columns: Chart::columns(heading("columns", tr.t("柱形图", "Columns")), &points),
        line: Chart::line(heading("line", tr.t("折线图", "A line")), (0.0, 40.0), &points),
        curve: curve(
            heading("curve", tr.t("进度与预测", "Progress and forecast")),
            &days,
            &bands,
            100,
            |row| row.day.to_string(),
        ),
        heat: HeatMap::new(
            heading("heat", tr.t("热力图", "A heat map")),
            names,
            &[9, 10, 11, 12, 13],
            heat,
        ),
    }
}

pub async fn show(Extension(staff): Extension<Staff>) -> Response {
    let tr = staff.tr;
    let page = StylesPage {
        layout: PageLayout::for_staff(&staff),
        colours: &COLOURS,
        themes: [
            theme(tr, "light", tr.t("浅色", "Light")),
            theme(tr, "dark", tr.t("深色", "Dark")),
        ],
    };
    render_page(StatusCode::OK, &page)
}
