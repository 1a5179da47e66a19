//! Datasets: versions, their deliveries, and the scoring step's verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};

use super::super::Failure;
use super::super::auth::Staff;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::deliveries::{self, Delivery};
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::datasets::{DatasetError, delivery};

struct VersionRow {
    dataset: Dataset,
    version: String,
    frozen: String,
    /// Text and status class of each channel.
    channels: Vec<(String, &'static str)>,
    verdict: String,
    status_class: &'static str,
}

#[derive(Template)]
#[template(path = "console/deliveries.html")]
struct DeliveriesPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    may_operate: bool,
    rows: Vec<VersionRow>,
    /// Applications of which a version can be frozen, each with whether its field is open.
    freezable: Vec<(String, bool)>,
}

fn format_time(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%m-%d %H:%M").to_string()
}

fn channel_status(tr: Translator, delivery: &Delivery) -> (String, &'static str) {
    let name = delivery.channel.as_str();
    let problem = delivery.last_error.as_deref().unwrap_or_default();
    match (delivery.arrived_at, delivery.next_at) {
        (Some(at), _) => {
            (format!("{name}: {} {}", tr.t("已送达", "arrived"), format_time(at)), "good")
        }
        (None, Some(at)) => (
            format!("{name}: {} {} {problem}", tr.t("将重试于", "tried again at"), format_time(at)),
            "warning",
        ),
        (None, None) => (format!("{name}: {} {problem}", tr.t("已放弃", "failed")), "bad"),
    }
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "again" => tr.t("将再次交付。", "It is handed over once more."),
        "no-way" => tr.t("没有配置交付方式。", "No way of handing over is set up."),
        "released" => tr.t(
            "已放行，稍后写出并交付。",
            "It may go out; it is written and handed over in a moment.",
        ),
        "no-review" => tr.t(
            "没有待审阅的版本，或它刚变化，请再看一遍。",
            "No version waits to be read, or it has just changed; look again.",
        ),
        "frozen" => {
            tr.t("已冻结。文件将自动生成。", "It is frozen. Its files follow by themselves.")
        }
        "nothing-new" => tr.t(
            "自上一版本以来没有变化，未冻结。",
            "Nothing has changed since the last version; nothing was frozen.",
        ),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let mut connection = app.context.database.read().await?;
    let mut all = datasets::all(&mut connection).await?;
    all.sort_by_key(|dataset| std::cmp::Reverse((dataset.frozen_at, dataset.id)));
    let sent = deliveries::all(&mut connection).await?;
    let mut rows = Vec::with_capacity(all.len());
    for dataset in all {
        let verdict = deliveries::verdict(&mut connection, dataset.id).await?;
        let (verdict, status_class) = match verdict {
            Some(verdict) if verdict.is_accepted => {
                (format!("{} {}", tr.t("已接受", "accepted"), format_time(verdict.at)), "good")
            }
            Some(verdict) => (
                format!(
                    "{} {}: {}",
                    tr.t("被退回", "rejected"),
                    format_time(verdict.at),
                    verdict.reason
                ),
                "bad",
            ),
            None if dataset.folder.is_none() => {
                (tr.t("待审阅或写出", "waits to be read, or written").to_owned(), "warning")
            }
            None => (tr.t("尚无反馈", "nothing yet").to_owned(), ""),
        };
        let channels = sent
            .iter()
            .filter(|delivery| delivery.dataset == dataset.id)
            .map(|delivery| channel_status(tr, delivery))
            .collect();
        rows.push(VersionRow {
            version: dataset.version_name(),
            frozen: format_time(dataset.frozen_at),
            channels,
            verdict,
            status_class,
            dataset,
        });
    }
    let freezable = applications::all(&mut connection)
        .await?
        .into_iter()
        .filter(|application| application.state != ApplicationState::Registered);
    let freezable = freezable
        .map(|application| (application.code, application.state == ApplicationState::InField))
        .collect();
    drop(connection);
    let flash = query.get("noted").and_then(|what| flash_text(tr, what));
    Ok(render_page(
        StatusCode::OK,
        &DeliveriesPage {
            layout: PageLayout::for_staff(&staff),
            flash,
            may_operate: staff.may(Permission::Operate),
            rows,
            freezable,
        },
    ))
}

pub async fn again(
    State(app): State<Arc<AppState>>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Redirect, Failure> {
    let all = datasets::all(&mut *app.context.database.read().await?).await?;
    let dataset = all.into_iter().find(|dataset| {
        dataset.application_code == application && dataset.version_name() == version
    });
    match delivery::deliver_again(&app.context, &dataset.ok_or(Failure::NotFound)?).await {
        Ok(()) => Ok(Redirect::to("/deliveries?noted=again")),
        Err(DatasetError::NoDeliveryChannel) => Ok(Redirect::to("/deliveries?noted=no-way")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
