//! The answers of a campaign as they come: distribution and mean of each item, by group and over time.
//! Figures of few people are not shown (see [`crate::domain::answer_figures`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::Failure;
use super::super::auth::Staff;
use super::super::charts::{Chart, Heading, Point};
use super::super::csv_download::csv_download;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use crate::domain::answer_figures::{Distribution, Grouping, Groups};
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Item, ItemKind, Selection};
use crate::services::monitoring::answers::CampaignAnswers;

struct ValueRow {
    label: String,
    count: u64,
    percent: String,
    /// From 0 to 100.
    share: String,
}

struct GroupRow {
    name: String,
    /// `None`: too few.
    cells: Option<Vec<String>>,
}

struct ItemView {
    id: String,
    text: String,
    /// `None`: too few have answered.
    shown: Option<ShownItem>,
    /// Open texts are never shown here.
    is_open: bool,
    group_heads: Vec<String>,
    groups: Vec<GroupRow>,
    trend: Option<Chart>,
}

struct ShownItem {
    answered: u64,
    mean: Option<String>,
    apart: Vec<(&'static str, u64)>,
    chart: Option<Chart>,
    values: Vec<ValueRow>,
    /// What the shares are, where it is not plain.
    note: &'static str,
}

#[derive(Template)]
#[template(path = "console/answers.html")]
struct AnswersPage<'a> {
    layout: PageLayout<'a>,
    campaign: &'a str,
    applications: Vec<(String, bool)>,
    application: String,
    groupings: Vec<(&'static str, &'static str, bool)>,
    grouping: &'static str,
    is_by_day: bool,
    counted_at: String,
    completes: u64,
    described: u64,
    minimum: u64,
    small_groups: usize,
    items: Vec<ItemView>,
}

fn grouping_label(tr: Translator, grouping: Grouping) -> &'static str {
    match grouping {
        Grouping::Segment => tr.t("分层", "segment"),
        Grouping::Mode => tr.t("作答方式", "mode"),
        Grouping::Language => tr.t("语言", "language"),
        Grouping::Day => tr.t("完成日期", "day of completion"),
    }
}

fn group_name(tr: Translator, grouping: Grouping, name: &str) -> String {
    match grouping {
        Grouping::Segment if name.is_empty() || name == "*" => {
            tr.t("未分层", "no segment").to_owned()
        }
        Grouping::Mode => Mode::parse(name).map_or(name, |mode| tr.pair(mode.labels())).to_owned(),
        Grouping::Language => {
            Language::parse(name).map_or_else(|| name.to_owned(), |known| known.autonym())
        }
        Grouping::Segment => name.to_owned(),
        Grouping::Day => match tr.tag() {
            "zh" => format!("至 {name}"),
            _ => format!("to {name}"),
        },
    }
}

fn percent(share: f64) -> String {
    format!("{share:.1} %")
}

/// The label of a value of an item: the words of an option, the range of numbers.
fn value_label(item: &Item, value: &str, language: Language) -> String {
    match &item.kind {
        ItemKind::Choice(choice) => {
            choice.options.iter().find(|option| option.code == value).map_or_else(
                || value.to_owned(),
                |option| option.text.in_language(language).to_owned(),
            )
        }
        ItemKind::Number(_) => format!("{value}–"),
        _ => value.to_owned(),
    }
}

fn mean_words(mean: Option<f64>) -> Option<String> {
    mean.map(|mean| format!("{mean:.2}"))
}

fn apart(tr: Translator, found: &Distribution) -> Vec<(&'static str, u64)> {
    [
        (tr.t("不知道", "don't know"), found.dont_know),
        (tr.t("不适用", "not applicable"), found.not_applicable),
        (tr.t("拒答", "rather not say"), found.refused),
        (tr.t("未问或未答", "not asked or no answer"), found.none),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .collect()
}

fn shown_item(tr: Translator, item: &Item, text: &str, found: &Distribution) -> ShownItem {
    let language = tr.language();
    let values: Vec<ValueRow> = found
        .counts
        .iter()
        .map(|(value, count)| ValueRow {
            label: value_label(item, value, language),
            count: *count,
            percent: percent(found.percent(*count)),
            share: format!("{:.1}", found.percent(*count)),
        })
        .collect();
    let is_choice = matches!(item.kind, ItemKind::Choice(_));
    let points: Vec<Point> = found
        .counts
        .iter()
        .map(|(value, count)| {
            let label = value_label(item, value, language);
            let share = percent(found.percent(*count));
            Point {
                words: match tr.tag() {
                    "zh" => format!("{label}：{count} 人，{share}"),
                    _ => format!("{label}: {count} people, {share}"),
                },
                label,
                value: Some(*count as f64),
            }
        })
        .collect();
    let x_title = match &item.kind {
        ItemKind::Scale(scale) => format!(
            "{} = {} … {} = {}",
            scale.from,
            scale.low.in_language(language),
            scale.to,
            scale.high.in_language(language)
        ),
        ItemKind::Number(range) => range
            .unit
            .as_ref()
            .map_or_else(|| tr.t("数值", "number"), |unit| unit.in_language(language))
            .to_owned(),
        _ => tr.t("月份", "month").to_owned(),
    };
    let heading = Heading {
        id: format!("c-{}", item.id),
        title: format!("{text}: {}", tr.t("作答分布", "distribution of answers")),
        x_title,
        y_title: tr.t("人数", "people").to_owned(),
    };
    ShownItem {
        answered: found.answered,
        mean: mean_words(found.mean),
        apart: apart(tr, found),
        chart: if is_choice { None } else { Chart::columns(heading, &points) },
        values,
        note: match &item.kind {
            ItemKind::Choice(choice) => match choice.selection {
                Selection::Several { .. } => tr.t(
                    "可多选：百分比以作答人数为底，合计可超过 100%。",
                    "Several answers are possible: shares are of the people who answered and may \
                        add up to more than 100 %.",
                ),
                Selection::Ranked => {
                    tr.t("排序题：统计排在第一位的选项。", "A ranking: who put the option first.")
                }
                Selection::One => "",
            },
            _ => "",
        },
    }
}

fn trend(
    tr: Translator,
    item: &Item,
    text: &str,
    groups: &Groups,
    found: &[Option<Distribution>],
) -> Option<Chart> {
    let range = match &item.kind {
        ItemKind::Scale(scale) => (scale.from as f64, scale.to as f64),
        _ => return None,
    };
    let points: Vec<Point> = groups
        .shown
        .iter()
        .zip(found)
        .map(|((day, _), found)| {
            let mean = found.as_ref().and_then(|found| found.mean);
            let name = group_name(tr, Grouping::Day, day);
            let words = match (found, mean_words(mean)) {
                (Some(found), Some(mean)) => match tr.tag() {
                    "zh" => format!("{name}：均值 {mean}，{} 人", found.answered),
                    _ => format!("{name}: mean {mean}, {} people", found.answered),
                },
                _ => format!("{name}: {}", tr.t("人数过少", "too few")),
            };
            Point { label: day.get(5..).unwrap_or(day).to_owned(), value: mean, words }
        })
        .collect();
    let heading = Heading {
        id: format!("d-{}", item.id),
        title: format!("{text}: {}", tr.t("均值变化", "mean over time")),
        x_title: tr.t("完成日期（月-日）", "completed by (month-day)").to_owned(),
        y_title: tr.t("均值", "mean").to_owned(),
    };
    (points.len() > 1).then(|| Chart::line(heading, range, &points)).flatten()
}

fn item_view(tr: Translator, item: &Item, answers: &CampaignAnswers, by: Grouping) -> ItemView {
    let language = tr.language();
    let figures = answers.count.tally.figures(item, by);
    let groups = answers.count.tally.groups(by);
    let is_choice = matches!(item.kind, ItemKind::Choice(_));
    let mut group_heads = vec![tr.t("作答", "answered").to_owned()];
    match &item.kind {
        ItemKind::Choice(choice) => group_heads.extend(
            choice.options.iter().map(|option| option.text.in_language(language).to_owned()),
        ),
        ItemKind::Scale(_) | ItemKind::Number(_) => {
            group_heads.push(tr.t("均值", "mean").to_owned());
        }
        _ => {}
    }
    let cells = |found: &Distribution| {
        let mut cells = vec![found.answered.to_string()];
        if is_choice {
            cells.extend(found.counts.iter().map(|(_, n)| format!("{:.0} %", found.percent(*n))));
        } else if matches!(item.kind, ItemKind::Scale(_) | ItemKind::Number(_)) {
            cells.push(mean_words(found.mean).unwrap_or_default());
        }
        cells
    };
    let rows = groups.shown.iter().zip(&figures.groups).map(|((name, _), found)| GroupRow {
        name: group_name(tr, by, name),
        cells: found.as_ref().map(cells),
    });
    let text = match &item.grid {
        Some(grid) => format!("{} {}", grid.in_language(language), item.text.in_language(language)),
        None => item.text.in_language(language).to_owned(),
    };
    ItemView {
        id: item.id.clone(),
        is_open: !item.is_coded(),
        group_heads,
        groups: if item.is_coded() && figures.total.is_some() {
            rows.collect()
        } else {
            Vec::new()
        },
        trend: (by == Grouping::Day)
            .then(|| trend(tr, item, &text, groups, &figures.groups))
            .flatten(),
        shown: figures.total.as_ref().map(|found| shown_item(tr, item, &text, found)),
        text,
    }
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let wanted = query.get("application").map(String::as_str).filter(|code| !code.is_empty());
    let by = query.get("by").and_then(|by| Grouping::parse(by)).unwrap_or(Grouping::Segment);
    let answers = app.answer_counts.of_campaign(&app.context, &code, wanted).await?;
    let answers = answers.ok_or(Failure::NotFound)?;
    if query.get("format").is_some_and(|format| format == "csv") {
        return as_csv(staff.tr, &answers, by);
    }
    let tr = staff.tr;
    let tally = &answers.count.tally;
    let groupings = Grouping::ALL
        .map(|grouping| (grouping.as_str(), grouping_label(tr, grouping), grouping == by));
    let items = answers
        .count
        .questionnaire
        .items()
        .filter(|item| item.is_question())
        .map(|item| item_view(tr, item, &answers, by))
        .collect();
    let page = AnswersPage {
        layout: PageLayout::for_staff(&staff),
        campaign: &code,
        applications: answers
            .applications
            .iter()
            .map(|code| (code.clone(), *code == answers.application))
            .collect(),
        application: answers.application.clone(),
        groupings: groupings.into(),
        grouping: grouping_label(tr, by),
        is_by_day: by == Grouping::Day,
        counted_at: answers
            .count
            .counted_at
            .in_zone(answers.zone)
            .format("%Y-%m-%d %H:%M")
            .to_string(),
        completes: tally.completes,
        described: tally.described,
        minimum: tally.minimum,
        small_groups: tally.groups(by).small,
        items,
    };
    Ok(render_page(StatusCode::OK, &page))
}

/// All figures of the page, one row for each value; what the page hides is hidden here.
fn as_csv(tr: Translator, answers: &CampaignAnswers, by: Grouping) -> Result<Response, Failure> {
    const HEAD: [&str; 16] = [
        "application",
        "item",
        "question",
        "group_by",
        "group",
        "people",
        "answered",
        "mean",
        "dont_know",
        "not_applicable",
        "refused",
        "none",
        "value",
        "label",
        "count",
        "percent",
    ];
    let language = tr.language();
    let tally = &answers.count.tally;
    let mut rows = Vec::new();
    for item in answers.count.questionnaire.items().filter(|item| item.is_coded()) {
        let figures = tally.figures(item, by);
        let groups = tally.groups(by).shown.iter().map(|(name, _)| name.as_str());
        let all = std::iter::once(("", "", &figures.total))
            .chain(groups.zip(&figures.groups).map(|(name, found)| (by.as_str(), name, found)));
        for (grouped, group, found) in all {
            let start = [
                answers.application.clone(),
                item.id.clone(),
                item.text.in_language(language).to_owned(),
                grouped.to_owned(),
                group.to_owned(),
            ];
            let Some(found) = found else {
                let mut row = start.to_vec();
                row.push(tr.t("人数过少", "too few").to_owned());
                row.resize(HEAD.len(), String::new());
                rows.push(row);
                continue;
            };
            for (value, count) in &found.counts {
                let mut row = start.to_vec();
                row.extend([
                    found.people.to_string(),
                    found.answered.to_string(),
                    found.mean.map(|mean| format!("{mean:.4}")).unwrap_or_default(),
                    found.dont_know.to_string(),
                    found.not_applicable.to_string(),
                    found.refused.to_string(),
                    found.none.to_string(),
                    value.clone(),
                    value_label(item, value, language),
                    count.to_string(),
                    format!("{:.2}", found.percent(*count)),
                ]);
                rows.push(row);
            }
        }
    }
    csv_download(&format!("answers-{}", answers.application), &HEAD, rows)
}
