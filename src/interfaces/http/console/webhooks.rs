//! Webhooks: add, test and remove endpoints, and see the events sent to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::NaiveDateTime;

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use crate::adapters::database::events::{self as stored, Endpoint, EventDelivery};
use crate::domain::event::EventKind;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::domain::webhook_state::WebhookState;
use crate::services::webhooks::{self, EndpointError};

/// Events of each webhook on the page.
const LISTED: u32 = 20;

struct EventRow {
    at: String,
    kind: String,
    status_text: String,
    status_class: &'static str,
}

struct WebhookView {
    name: String,
    url: String,
    kinds: String,
    status_text: String,
    status_class: &'static str,
    is_disabled: bool,
    events: Vec<EventRow>,
}

/// The secret of a new webhook, or the new secret of one. It is shown once.
struct NewSecret {
    webhook: String,
    secret: Personal,
    is_rotated: bool,
}

#[derive(Template)]
#[template(path = "console/webhooks.html")]
struct WebhooksPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<&'static str>,
    new_secret: Option<NewSecret>,
    webhooks: Vec<WebhookView>,
    kinds: Vec<(&'static str, &'static str)>,
    /// The submitted form, if it was refused.
    form: BTreeMap<String, String>,
}

impl WebhooksPage<'_> {
    fn text(&self, field: &str) -> &str {
        self.form.get(field).map_or("", String::as_str)
    }

    fn is_checked(&self, kind: &str) -> bool {
        self.form.contains_key(&format!("event-{kind}"))
    }
}

fn format_time(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%m-%d %H:%M:%S").to_string()
}

fn view(
    tr: Translator,
    endpoint: Endpoint,
    pending: u64,
    recent_events: Vec<EventDelivery>,
    now: Timestamp,
) -> WebhookView {
    let event = |event: EventDelivery| {
        let (status_text, status_class) = match (event.arrived_at, event.next_at, event.last_error)
        {
            (Some(at), ..) => {
                (format!("{} {}", tr.t("已送达", "arrived"), format_time(at)), "good")
            }
            (None, Some(_), None) => (tr.t("待发送", "waits").to_owned(), ""),
            (None, Some(next), Some(problem)) => (
                format!("{problem}; {} {}", tr.t("再试于", "again at"), format_time(next)),
                "warning",
            ),
            (None, None, problem) => {
                (format!("{}: {}", tr.t("已放弃", "failed"), problem.unwrap_or_default()), "bad")
            }
        };
        let kind = EventKind::parse(&event.kind)
            .map_or(event.kind.clone(), |kind| tr.pair(kind.labels()).to_owned());
        EventRow { at: format_time(event.created_at), kind, status_text, status_class }
    };
    let state = endpoint.state(now);
    let (word, status_class) = match state {
        WebhookState::Ok => (tr.t("正常", "ok"), "good"),
        WebhookState::Retrying => (tr.t("重试中", "being retried"), "warning"),
        WebhookState::Failing => (tr.t("推送失败", "failing"), "bad"),
        WebhookState::Disabled => (
            tr.t(
                "已停止：接收端表示不再接收（410），期间的事件不再推送",
                "disabled: the receiver wants no more (410), and gets no events meanwhile",
            ),
            "bad",
        ),
    };
    let mut status_text = word.to_owned();
    if let Some(since) = endpoint.failing_since {
        status_text.push_str(&format!(" · {} {}", tr.t("始于", "since"), format_time(since)));
    }
    match (state, &endpoint.last_error) {
        (WebhookState::Disabled, _) => {}
        (_, Some(problem)) => status_text.push_str(&format!(" · {problem}")),
        (WebhookState::Failing, None) => status_text.push_str(&format!(
            " · {}",
            tr.t(
                "个别事件一再未被接收，见下表",
                "some events are not accepted again and again, see below"
            )
        )),
        (_, None) => {}
    }
    WebhookView {
        name: endpoint.name,
        url: endpoint.url,
        kinds: match endpoint.kinds.as_slice() {
            [] => tr.t("全部", "everything").to_owned(),
            kinds => kinds
                .iter()
                .map(|kind| tr.pair(kind.labels()))
                .collect::<Vec<_>>()
                .join(tr.t("、", ", ")),
        },
        status_text: if pending > 0 {
            format!("{status_text} · {} {pending}", tr.t("待送", "waiting:"))
        } else {
            status_text
        },
        status_class,
        is_disabled: state == WebhookState::Disabled,
        events: recent_events.into_iter().map(event).collect(),
    }
}

/// What a handler passes to the page: a confirmation, a problem or a secret.
#[derive(Default)]
struct FormState {
    flash: Option<&'static str>,
    problem: Option<&'static str>,
    new_secret: Option<NewSecret>,
    form: BTreeMap<String, String>,
}

async fn render(app: &AppState, staff: &Staff, form_state: FormState) -> Result<Response, Failure> {
    let tr = staff.tr;
    let mut webhooks = Vec::new();
    let mut connection = app.context.database.read().await?;
    for endpoint in stored::endpoints(&mut connection).await? {
        let pending = stored::count_pending(&mut connection, endpoint.id).await?;
        let recent_events = stored::deliveries(&mut connection, endpoint.id, None, LISTED).await?;
        webhooks.push(view(tr, endpoint, pending, recent_events, app.context.clock.now()));
    }
    drop(connection);
    let status = if form_state.problem.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let kinds = EventKind::ALL.iter().map(|kind| (kind.code(), tr.pair(kind.labels()))).collect();
    let FormState { flash, problem, new_secret, form } = form_state;
    Ok(render_page(
        status,
        &WebhooksPage {
            layout: PageLayout::for_staff(staff),
            flash,
            problem,
            new_secret,
            webhooks,
            kinds,
            form,
        },
    ))
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "tested" => tr.t(
            "测试事件已排队，几秒后刷新可见结果。",
            "A test is on its way; look again in some seconds.",
        ),
        "resent" => tr.t(
            "所选时间之后的事件已排队重新推送，几秒后刷新可见结果。",
            "The events since then are sent again; look again in some seconds.",
        ),
        "none" => tr.t("该时间之后没有事件。", "There is no event since then."),
        "removed" => tr.t("已停用。", "It is taken away."),
        "gone" => tr.t("此推送已不存在。", "There is no such webhook any more."),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render(&app, &staff, FormState { flash, ..FormState::default() }).await
}

/// Adds a webhook. Its secret is shown once.
pub async fn add(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let kinds: Vec<EventKind> = EventKind::ALL
        .iter()
        .copied()
        .filter(|kind| form.0.contains_key(&format!("event-{}", kind.code())))
        .collect();
    let name = form.text("name").trim().to_owned();
    let tr = staff.tr;
    let problem = match webhooks::add(
        &app.context,
        &staff.session.actor(),
        &name,
        form.text("url"),
        &kinds,
    )
    .await
    {
        Ok(secret) => {
            let new_secret = Some(NewSecret { webhook: name, secret, is_rotated: false });
            return render(&app, &staff, FormState { new_secret, ..FormState::default() }).await;
        }
        Err(EndpointError::Database(error)) => return Err(error.into()),
        Err(EndpointError::Name(_)) => tr.t(
            "名称为 1–40 个字母、数字、-、_ 或 .。",
            "A name has \
            1 to 40 letters, digits, «-», «_» and «.».",
        ),
        Err(EndpointError::Address) => tr.t(
            "地址须以 https:// 开头（内网可用 http://），且不含密码。",
            "An address begins with https:// (http:// only within your own network) and holds no \
                password.",
        ),
        Err(EndpointError::Taken(_)) => tr.t(
            "已有同名推送。",
            "There is a webhook of that name \
            already.",
        ),
        Err(error @ (EndpointError::Unknown(_) | EndpointError::Future)) => {
            return Err(Failure::Internal(error.to_string()));
        }
    };
    render(&app, &staff, FormState { problem: Some(problem), form: form.0, ..FormState::default() })
        .await
}

/// Gives a webhook a new secret, which is shown once.
pub async fn rotate_secret(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    match webhooks::rotate_secret(&app.context, &staff.session.actor(), &name).await {
        Ok(secret) => {
            let new_secret = Some(NewSecret { webhook: name, secret, is_rotated: true });
            render(&app, &staff, FormState { new_secret, ..FormState::default() }).await
        }
        Err(error) => Ok(back(Err(error), "gone")?.into_response()),
    }
}

fn back(done: Result<(), EndpointError>, flash: &str) -> Result<Redirect, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/webhooks?noted={flash}"))),
        Err(EndpointError::Unknown(_)) => Ok(Redirect::to("/webhooks?noted=gone")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn test(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    Ok(back(
        webhooks::send_test_event(&app.context, &staff.session.actor(), &name).await,
        "tested",
    )?
    .into_response())
}

/// Sends the events since a time again.
pub async fn resend(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let refuse = async |problem: &'static str| {
        let problem = Some(problem);
        render(&app, &staff, FormState { problem, ..FormState::default() }).await
    };
    // Browsers leave the seconds out where they are zero.
    let raw = form.text("from").trim();
    let Some(from) = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(raw, format).ok())
    else {
        return refuse(
            tr.t("请选择从何时开始重新推送。", "Choose the time from which to send again."),
        )
        .await;
    };
    let from = Timestamp::from_local(from, ZONE);
    match webhooks::send_again(&app.context, &staff.session.actor(), &name, from).await {
        Ok(count) => Ok(back(Ok(()), if count > 0 { "resent" } else { "none" })?.into_response()),
        Err(EndpointError::Future) => {
            refuse(tr.t(
                "所选时间尚未到来，请选择过去的时间。",
                "This time is still to come; choose one that has passed.",
            ))
            .await
        }
        Err(error) => Ok(back(Err(error), "gone")?.into_response()),
    }
}

pub async fn remove(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    Ok(back(webhooks::remove(&app.context, &staff.session.actor(), &name).await, "removed")?
        .into_response())
}
