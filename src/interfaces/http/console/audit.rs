//! The audit log page.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::Failure;
use super::super::auth::Staff;
use super::super::page_layout::{PageLayout, render_page};
use super::super::state::AppState;
use super::{ZONE, code_words, csv_download};
use crate::adapters::database::audit::{self, AuditFilter, LogVerification};
use crate::domain::audit::{Action, AuditEntry, Via};
use crate::domain::personal::Personal;
use crate::services::accounts::colleagues::Colleagues;

const LISTED: u32 = 100;
/// Maximum number of entries in an export.
const EXPORTED: u32 = 100_000;

struct Row {
    entry: AuditEntry,
    at: String,
    /// The real name with the account's.
    who: Personal,
    via: &'static str,
    action: &'static str,
    object: String,
    /// The object's page, if the reader may open it.
    page: Option<String>,
    detail: String,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage<'a> {
    layout: PageLayout<'a>,
    verified: Option<LogVerification>,
    filter: AuditFilter,
    /// The filter's object in words.
    object: String,
    actions: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    export: String,
    next: Option<String>,
}

fn filter_from(query: &BTreeMap<String, String>) -> AuditFilter {
    let text = |key: &str| query.get(key).map(|text| text.trim().to_owned()).unwrap_or_default();
    AuditFilter {
        actor: text("who"),
        action: Action::parse(&text("action")),
        object: code_words::object_code(&text("object")),
        before: text("before").parse().ok(),
    }
}

/// Returns the URL of a filter, with further parameters.
fn audit_url(filter: &AuditFilter, more: &[(&str, String)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("who", &filter.actor)
        .append_pair("action", filter.action.map_or("", Action::code))
        .append_pair("object", &filter.object);
    more.iter().for_each(|(key, value)| {
        query.append_pair(key, value);
    });
    format!("/audit?{}", query.finish())
}

async fn render(
    app: &AppState,
    staff: &Staff,
    filter: AuditFilter,
    verified: Option<LogVerification>,
) -> Result<Response, Failure> {
    let entries = audit::entries(&mut *app.context.database.read().await?, &filter, LISTED).await?;
    let tr = staff.tr;
    let colleagues = Colleagues::load(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let page_of = |object: &str| {
        let (page, permission) = code_words::object_page(object)?;
        staff.may(permission).then_some(page)
    };
    let last =
        entries.last().filter(|_| entries.len() == LISTED as usize).map(|entry| entry.number);
    let row = |entry: AuditEntry| Row {
        at: entry.at.in_zone(ZONE).format("%Y-%m-%d %H:%M:%S").to_string(),
        who: match entry.actor.via {
            Via::Console => colleagues.name_and_account(&entry.actor.name),
            _ => Personal::new(entry.actor.name.as_str()),
        },
        via: tr.pair(entry.actor.via.labels()),
        action: tr.pair(entry.action.labels()),
        object: code_words::object_label(tr, &colleagues, &entry.object),
        page: page_of(&entry.object),
        detail: code_words::detail_label(tr, entry.action, &entry.detail),
        entry,
    };
    let mut actions: Vec<_> = Action::ALL
        .iter()
        .map(|action| (action.code(), tr.pair(action.labels()), filter.action == Some(*action)))
        .collect();
    actions.sort_by_key(|(_, words, _)| *words);
    let template = AuditPage {
        layout: PageLayout::for_staff(staff),
        verified,
        actions,
        rows: entries.into_iter().map(row).collect(),
        export: audit_url(&filter, &[("format", "csv".into())]),
        object: code_words::object_label(tr, &Colleagues::default(), &filter.object),
        next: last.map(|last| audit_url(&filter, &[("before", last.to_string())])),
        filter,
    };
    Ok(render_page(StatusCode::OK, &template))
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let filter = filter_from(&query);
    if query.get("format").is_some_and(|format| format == "csv") {
        let entries =
            audit::entries(&mut *app.context.database.read().await?, &filter, EXPORTED).await?;
        let is_cut = entries.len() == EXPORTED as usize;
        let cut = vec![
            "…".to_owned(),
            format!("only the latest {EXPORTED} entries; ask for less, or «audit list --before»"),
        ];
        let cells = |e: AuditEntry| {
            vec![
                e.number.to_string(),
                e.at.rfc3339(ZONE),
                e.actor.name,
                e.actor.via.as_str().into(),
                e.action.code().into(),
                e.object,
                e.detail,
            ]
        };
        return csv_download::csv_download(
            "audit",
            &["number", "at", "actor", "via", "action", "object", "detail"],
            entries.into_iter().map(cells).chain(is_cut.then_some(cut)),
        );
    }
    render(&app, &staff, filter, None).await
}

/// Verifies the hash chain.
pub async fn verify(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
) -> Result<Response, Failure> {
    let verified =
        audit::verify(&mut *app.context.database.read().await?, app.context.keys.hasher(), None)
            .await?;
    render(&app, &staff, AuditFilter::default(), Some(verified)).await
}
