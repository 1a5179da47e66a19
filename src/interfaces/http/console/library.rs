//! The library of plans and texts: kept under a name, renamed, deleted and had back.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, render_page};
use super::super::state::AppState;
use super::ZONE;
use super::running_plan::{PlanView, plan_view};
use crate::adapters::database::plan_library::LibraryEntry;
use crate::domain::personal::Personal;
use crate::interfaces::errors::LocalizedError;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::drafts::library::{self, EntryKind, LibraryError, PlanSource};

struct EntryView {
    id: i64,
    name: String,
    kind: &'static str,
    who: Personal,
    when: String,
    /// Of a plan, its steps in words; else the text.
    plan: Option<PlanView>,
    text: String,
}

#[derive(Template)]
#[template(path = "console/library.html")]
struct LibraryPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    /// The form for a text as it was sent.
    form: BTreeMap<String, String>,
    kinds: [(&'static str, &'static str); 2],
    plans: Vec<EntryView>,
    texts: Vec<EntryView>,
    deleted: Vec<EntryView>,
}

impl LibraryPage<'_> {
    fn form_value(&self, field: &str) -> &str {
        self.form.get(field).map(String::as_str).unwrap_or_default()
    }
}

async fn render(
    app: &AppState,
    staff: &Staff,
    (status, flash, problem): (StatusCode, Option<&'static str>, Option<String>),
    form: BTreeMap<String, String>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let all = library::list(&app.context).await.map_err(internal)?;
    let colleagues = Colleagues::load(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let view = |entry: LibraryEntry| {
        let kind = EntryKind::parse(&entry.kind).unwrap_or(EntryKind::Sms);
        EntryView {
            id: entry.id,
            kind: tr.pair(kind.labels()),
            who: colleagues.name(&entry.saved_by),
            when: entry.saved_at.in_zone(ZONE).format("%Y-%m-%d %H:%M").to_string(),
            plan: (kind == EntryKind::Plan).then(|| plan_view(tr, &entry.content)),
            text: entry.content,
            name: entry.name,
        }
    };
    let (deleted, kept): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|entry| entry.deleted_at.is_some());
    let (plans, texts): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|entry| entry.kind == EntryKind::Plan.as_str());
    let template = LibraryPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        form,
        kinds: EntryKind::TEXTS.map(|kind| (kind.as_str(), tr.pair(kind.labels()))),
        plans: plans.into_iter().map(view).collect(),
        texts: texts.into_iter().map(view).collect(),
        deleted: deleted.into_iter().map(view).collect(),
    };
    Ok(render_page(status, &template))
}

fn internal(error: LibraryError) -> Failure {
    Failure::Internal(error.to_string())
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let flash = query.get("noted").map(|what| match what.as_str() {
        "deleted" => {
            tr.t("已删除，30 天内可恢复。", "It is deleted; for 30 days it can be had back.")
        }
        "restored" => tr.t("已恢复。", "It is back."),
        _ => tr.t("已保存到文库。", "It is kept in the library."),
    });
    render(&app, &staff, (StatusCode::OK, flash, None), BTreeMap::new()).await
}

/// Leads back to the library, or says there what is wrong.
async fn answer(
    app: &AppState,
    staff: &Staff,
    done: Result<(), LibraryError>,
    what: &str,
    form: FormFields,
) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/library?noted={what}")).into_response()),
        Err(LibraryError::Database(error)) => Err(error.into()),
        Err(error) => {
            let problem = Some(error.localized(staff.tr.0));
            render(app, staff, (StatusCode::UNPROCESSABLE_ENTITY, None, problem), form.0).await
        }
    }
}

pub async fn save_text(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let kind = EntryKind::parse(form.text("kind")).unwrap_or(EntryKind::Sms);
    let (actor, name) = (&staff.session.account.name, form.text("name"));
    let done = library::save_text(&app.context, actor, kind, name, form.text("text")).await;
    answer(&app, &staff, done, "saved", form).await
}

/// Keeps the plan of a campaign or a draft.
pub async fn save_plan(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let actor = &staff.session.account.name;
    let done = match PlanSource::parse(form.text("from")) {
        Some(source) => library::save_plan(&app.context, actor, &source, form.text("name")).await,
        None => Err(LibraryError::NotFound),
    };
    answer(&app, &staff, done, "saved", FormFields::default()).await
}

/// Renames, deletes or restores an entry.
pub async fn change(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(entry): Path<i64>,
) -> Result<Response, Failure> {
    let (context, actor) = (&app.context, &staff.session.account.name);
    let (done, what) = match form.text("do") {
        "delete" => (library::delete(context, entry).await, "deleted"),
        "restore" => (library::restore(context, entry).await, "restored"),
        _ => (library::rename(context, actor, entry, form.text("name")).await, "saved"),
    };
    answer(&app, &staff, done, what, FormFields::default()).await
}
