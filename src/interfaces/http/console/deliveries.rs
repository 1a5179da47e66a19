//! Datasets: their versions, where they went, and what the scoring step said.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::Staff;
use super::super::Failure;
use super::super::state::Site;
use super::ZONE;
use crate::services::datasets::{DatasetError, delivery};
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::deliveries::{self, Delivery};

struct VersionRow {
    of: Dataset,
    version: String,
    frozen: String,
    /// Each way, in words, and how endangered it is.
    ways: Vec<(String, &'static str)>,
    verdict: String,
    danger: &'static str,
}

#[derive(Template)]
#[template(path = "console/deliveries.html")]
struct DeliveriesPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    may_operate: bool,
    rows: Vec<VersionRow>,
    /// Applications that a version can be frozen of, and whether their fields are open.
    freezable: Vec<(String, bool)>,
}

fn shown(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%m-%d %H:%M").to_string()
}

fn way(s: Say, of: &Delivery) -> (String, &'static str) {
    let name = of.way.as_str();
    let problem = of.problem.as_deref().unwrap_or_default();
    match (of.arrived_at, of.next_at) {
        (Some(at), _) => (format!("{name}: {} {}", s.t("已送达", "arrived"), shown(at)), "good"),
        (None, Some(at)) => (format!("{name}: {} {} {problem}", s.t("将重试于", "tried again at"), shown(at)), "watch"),
        (None, None) => (format!("{name}: {} {problem}", s.t("已放弃", "given up")), "bad"),
    }
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "again" => s.t("将再次交付。", "It is handed over once more."),
        "no-way" => s.t("没有配置交付方式。", "No way of handing over is set up."),
        "released" => s.t("已放行，稍后写出并交付。", "It may go out; it is written and handed over in a moment."),
        "no-review" => s.t("没有待审阅的版本，或它刚变化，请再看一遍。", "No version waits to be read, or it has just changed; look again."),
        "frozen" => s.t("已冻结。", "It is frozen."),
        "nothing-new" => s.t("自上一版本以来没有变化，未冻结。", "Nothing has changed since the last version; nothing was frozen."),
        _ => return None,
    })
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let s = staff.say;
    let mut connection = site.installation.store.read().await?;
    let mut all = datasets::all(&mut connection).await?;
    all.sort_by_key(|dataset| std::cmp::Reverse((dataset.frozen_at, dataset.id)));
    let sent = deliveries::all(&mut connection).await?;
    let mut rows = Vec::with_capacity(all.len());
    for of in all {
        let verdict = deliveries::verdict(&mut connection, of.id).await?;
        let (verdict, danger) = match verdict {
            Some(verdict) if verdict.is_accepted => (format!("{} {}", s.t("已接受", "accepted"), shown(verdict.at)), "good"),
            Some(verdict) => (format!("{} {}: {}", s.t("被退回", "rejected"), shown(verdict.at), verdict.reason), "bad"),
            None if of.folder.is_none() => (s.t("待审阅或写出", "waits to be read, or written").to_owned(), "watch"),
            None => (s.t("尚无反馈", "nothing yet").to_owned(), ""),
        };
        let ways = sent.iter().filter(|delivery| delivery.dataset == of.id).map(|delivery| way(s, delivery)).collect();
        rows.push(VersionRow { version: of.version_name(), frozen: shown(of.frozen_at), ways, verdict, danger, of });
    }
    let freezable = applications::all(&mut connection).await?.into_iter().filter(|application| application.state != ApplicationState::Registered);
    let freezable = freezable.map(|application| (application.code, application.state == ApplicationState::InField)).collect();
    drop(connection);
    let noted = query.get("noted").and_then(|what| noted(s, what));
    Ok(page(StatusCode::OK, &DeliveriesPage { f: Frame::of(&staff), noted, may_operate: staff.may(Permission::Operate), rows, freezable }))
}

pub async fn again(State(site): State<Arc<Site>>, Path((application, version)): Path<(String, String)>) -> Result<Redirect, Failure> {
    let all = datasets::all(&mut *site.installation.store.read().await?).await?;
    let dataset = all.into_iter().find(|dataset| dataset.application_code == application && dataset.version_name() == version);
    match delivery::deliver_again(&site.installation, &dataset.ok_or(Failure::NotFound)?).await {
        Ok(()) => Ok(Redirect::to("/deliveries?noted=again")),
        Err(DatasetError::NoWay) => Ok(Redirect::to("/deliveries?noted=no-way")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
