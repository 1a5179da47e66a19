//! Where events are told: webhooks are added, tried out and taken away, and one sees what went there.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::{Sent, Staff};
use super::super::Failure;
use super::super::state::Site;
use super::ZONE;
use crate::domain::event::EventKind;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::services::webhooks::{self, EndpointError};
use crate::adapters::database::events::{self as stored, Endpoint, EventDelivery};

/// Events of a webhook on the page.
const LISTED: u32 = 20;

struct EventRow {
    at: String,
    kind: String,
    says: String,
    danger: &'static str,
}

struct WebhookView {
    name: String,
    url: String,
    kinds: String,
    says: String,
    danger: &'static str,
    events: Vec<EventRow>,
}

#[derive(Template)]
#[template(path = "console/webhooks.html")]
struct WebhooksPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<&'static str>,
    /// The name of a new webhook, and its secret, which is shown once.
    made: Option<(String, Personal)>,
    webhooks: Vec<WebhookView>,
    kinds: Vec<(&'static str, &'static str)>,
    /// What somebody filled in, with what was wrong.
    sent: BTreeMap<String, String>,
}

impl WebhooksPage<'_> {
    fn text(&self, field: &str) -> &str {
        self.sent.get(field).map_or("", String::as_str)
    }

    fn is_ticked(&self, kind: &str) -> bool {
        self.sent.contains_key(&format!("event-{kind}"))
    }
}

fn shown(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%m-%d %H:%M:%S").to_string()
}

fn view(s: Say, endpoint: Endpoint, waiting: u64, told: Vec<EventDelivery>) -> WebhookView {
    let event = |event: EventDelivery| {
        let (says, danger) = match (event.arrived_at, event.next_at, event.problem) {
            (Some(at), ..) => (format!("{} {}", s.t("已送达", "arrived"), shown(at)), "good"),
            (None, Some(_), None) => (s.t("待发送", "waits").to_owned(), ""),
            (None, Some(next), Some(problem)) => (format!("{problem}; {} {}", s.t("再试于", "again at"), shown(next)), "watch"),
            (None, None, problem) => (format!("{}: {}", s.t("已放弃", "given up"), problem.unwrap_or_default()), "bad"),
        };
        let kind = EventKind::parse(&event.kind).map_or(event.kind.clone(), |kind| s.of(kind.words()).to_owned());
        EventRow { at: shown(event.created_at), kind, says, danger }
    };
    let (says, danger) = match (endpoint.failing_since, endpoint.problem) {
        (None, _) => (s.t("正常", "well").to_owned(), "good"),
        (Some(since), problem) => (format!("{} {}: {}", s.t("失败始于", "fails since"), shown(since), problem.unwrap_or_default()), "bad"),
    };
    WebhookView {
        name: endpoint.name,
        url: endpoint.url,
        kinds: match endpoint.kinds.as_slice() {
            [] => s.t("全部", "everything").to_owned(),
            kinds => kinds.iter().map(|kind| s.of(kind.words())).collect::<Vec<_>>().join(s.t("、", ", ")),
        },
        says: if waiting > 0 { format!("{says} · {} {waiting}", s.t("待送", "waiting:")) } else { says },
        danger,
        events: told.into_iter().map(event).collect(),
    }
}

/// What a handler leaves to be said on the page.
#[derive(Default)]
struct Slip {
    noted: Option<&'static str>,
    problem: Option<&'static str>,
    made: Option<(String, Personal)>,
    sent: BTreeMap<String, String>,
}

async fn render(site: &Site, staff: &Staff, slip: Slip) -> Result<Response, Failure> {
    let s = staff.say;
    let mut webhooks = Vec::new();
    let mut connection = site.installation.store.read().await?;
    for endpoint in stored::endpoints(&mut connection).await? {
        let waiting = stored::waiting(&mut connection, endpoint.id).await?;
        let told = stored::deliveries(&mut connection, endpoint.id, None, LISTED).await?;
        webhooks.push(view(s, endpoint, waiting, told));
    }
    drop(connection);
    let status = if slip.problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let kinds = EventKind::ALL.iter().map(|kind| (kind.code(), s.of(kind.words()))).collect();
    let Slip { noted, problem, made, sent } = slip;
    Ok(page(status, &WebhooksPage { f: Frame::of(staff), noted, problem, made, webhooks, kinds, sent }))
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "tested" => s.t("测试事件已排队，几秒后刷新可见结果。", "A test is on its way; look again in some seconds."),
        "removed" => s.t("已停用。", "It is taken away."),
        "gone" => s.t("此推送已不存在。", "There is no such webhook any more."),
        _ => return None,
    })
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    render(&site, &staff, Slip { noted, ..Slip::default() }).await
}

/// Adds one; its secret is shown once.
pub async fn add(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Extension(sent): Extension<Sent>) -> Result<Response, Failure> {
    let kinds: Vec<EventKind> = EventKind::ALL.iter().copied().filter(|kind| sent.0.contains_key(&format!("event-{}", kind.code()))).collect();
    let name = sent.text("name").trim().to_owned();
    let s = staff.say;
    let problem = match webhooks::add(&site.installation, &staff.session.actor(), &name, sent.text("url"), &kinds).await {
        Ok(secret) => return render(&site, &staff, Slip { made: Some((name, secret)), ..Slip::default() }).await,
        Err(EndpointError::Store(error)) => return Err(error.into()),
        Err(EndpointError::Name(_)) => s.t("名称为 1–40 个字母、数字、-、_ 或 .。", "A name has 1 to 40 letters, digits, «-», «_» and «.»."),
        Err(EndpointError::Address) => s.t(
            "地址须以 https:// 开头（内网可用 http://），且不含密码。",
            "An address begins with https:// (http:// only within your own network) and holds no password.",
        ),
        Err(EndpointError::Taken(_)) => s.t("已有同名推送。", "There is a webhook of that name already."),
        Err(EndpointError::Unknown(name)) => return Err(Failure::Internal(name)),
    };
    render(&site, &staff, Slip { problem: Some(problem), sent: sent.0, ..Slip::default() }).await
}

fn back(done: Result<(), EndpointError>, noted: &str) -> Result<Redirect, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/webhooks?noted={noted}"))),
        Err(EndpointError::Unknown(_)) => Ok(Redirect::to("/webhooks?noted=gone")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn test(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(name): Path<String>) -> Result<Response, Failure> {
    Ok(back(webhooks::test(&site.installation, &staff.session.actor(), &name).await, "tested")?.into_response())
}

pub async fn remove(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(name): Path<String>) -> Result<Response, Failure> {
    Ok(back(webhooks::remove(&site.installation, &staff.session.actor(), &name).await, "removed")?.into_response())
}
