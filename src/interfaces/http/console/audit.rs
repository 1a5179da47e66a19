//! The audit log: who looked at what, and who did what.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::page_layout::{Frame, page};
use super::super::auth::Staff;
use super::super::Failure;
use super::super::state::Site;
use super::{ZONE, csv_download};
use crate::domain::audit::{Action, Entry};
use crate::adapters::database::audit::{self, Asked, Verified};

const LISTED: u32 = 100;
/// In an export.
const EXPORTED: u32 = 100_000;

struct Row {
    of: Entry,
    at: String,
    did: &'static str,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage<'a> {
    f: Frame<'a>,
    verified: Option<Verified>,
    asked: Asked,
    actions: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    export: String,
    next: Option<String>,
}

fn asked_by(query: &BTreeMap<String, String>) -> Asked {
    let text = |key: &str| query.get(key).map(|text| text.trim().to_owned()).unwrap_or_default();
    Asked { who: text("who"), action: Action::parse(&text("action")), object: text("object"), before: text("before").parse().ok() }
}

/// The same question, as an address.
fn address(asked: &Asked, more: &[(&str, String)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("who", &asked.who).append_pair("action", asked.action.map_or("", Action::code)).append_pair("object", &asked.object);
    more.iter().for_each(|(key, value)| {
        query.append_pair(key, value);
    });
    format!("/audit?{}", query.finish())
}

async fn render(site: &Site, staff: &Staff, asked: Asked, verified: Option<Verified>) -> Result<Response, Failure> {
    let entries = audit::entries(&mut *site.installation.store.read().await?, &asked, LISTED).await?;
    let s = staff.say;
    let last = entries.last().filter(|_| entries.len() == LISTED as usize).map(|entry| entry.number);
    let row = |of: Entry| Row { at: of.at.in_zone(ZONE).format("%Y-%m-%d %H:%M:%S").to_string(), did: s.of(of.action.words()), of };
    let mut actions: Vec<_> = Action::ALL.iter().map(|action| (action.code(), s.of(action.words()), asked.action == Some(*action))).collect();
    actions.sort_by_key(|(_, words, _)| *words);
    let shown = AuditPage {
        f: Frame::of(staff),
        verified,
        actions,
        rows: entries.into_iter().map(row).collect(),
        export: address(&asked, &[("format", "csv".into())]),
        next: last.map(|last| address(&asked, &[("before", last.to_string())])),
        asked,
    };
    Ok(page(StatusCode::OK, &shown))
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let asked = asked_by(&query);
    if query.get("format").is_some_and(|format| format == "csv") {
        let entries = audit::entries(&mut *site.installation.store.read().await?, &asked, EXPORTED).await?;
        let is_cut = entries.len() == EXPORTED as usize;
        let cut = vec!["…".to_owned(), format!("only the latest {EXPORTED} entries; ask for less, or «audit list --before»")];
        let cells = |e: Entry| {
            vec![e.number.to_string(), e.at.rfc3339(ZONE), e.who.name, e.who.via.as_str().into(), e.action.code().into(), e.object, e.detail]
        };
        return csv_download::csv(
            "audit",
            &["number", "at", "who", "via", "action", "object", "detail"],
            entries.into_iter().map(cells).chain(is_cut.then_some(cut)),
        );
    }
    render(&site, &staff, asked, None).await
}

/// Reckons every hash again.
pub async fn verify(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>) -> Result<Response, Failure> {
    let verified = audit::verify(&mut *site.installation.store.read().await?, site.installation.keys.hasher(), None).await?;
    render(&site, &staff, Asked::default(), Some(verified)).await
}
