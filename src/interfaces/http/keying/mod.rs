//! The keying page at `/paper`: staff key paper forms in, number first, digits only.
//!
//! The server decides what is asked and stored; the page's script only moves the focus. The form's
//! first button checks without storing, so that Enter without a script loses nothing.

mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use serde_json::json;

use super::Failure;
use super::auth::{FormFields, Staff, StaffRouter};
use super::page_layout::render_page;
use super::state::AppState;
use crate::adapters::database::accounts::Account;
use crate::domain::audit::Action;
use crate::domain::role::Permission;
use crate::interfaces::errors::LocalizedError;
use crate::services::paper_forms::keying::{
    self, FormOnDesk, Keyed, KeyingOutcome, ReturnedAs, Task,
};
use crate::services::paper_forms::{PaperFormError, comparing, status};
use views::{DeskPage, DifferencesPage, FormPage, FormState};

/// The names of the items' fields begin so, apart from the page's own.
const FIELD: &str = "f-";

pub fn routes(app: &Arc<AppState>) -> StaffRouter {
    const KEY: Permission = Permission::Interview;
    const SETTLE: Permission = Permission::Supervise;
    StaffRouter::new(app)
        .page("/paper", KEY, show)
        .form("/paper", KEY, find)
        .page("/paper/{number}", KEY, form)
        .form("/paper/{number}", KEY, key)
        .background_form("/paper/{number}/asked", KEY, asked)
        .form("/paper/{number}/returned", KEY, record_return)
        .form("/paper/{number}/came-after", KEY, came_after)
        .page("/paper/{number}/prefer", SETTLE, prefer_form)
        .form("/paper/{number}/prefer", SETTLE, prefer)
        .audited_page(
            "/paper/{number}/differences",
            SETTLE,
            (Action::FormsOpened, "form:{number}"),
            differences,
        )
        .form("/paper/{number}/differences", SETTLE, settle)
}

impl From<PaperFormError> for Failure {
    fn from(error: PaperFormError) -> Failure {
        Failure::Internal(error.to_string())
    }
}

/// Whether an error is told on the page: everything but a fault of the installation.
fn is_refusal(error: &PaperFormError) -> bool {
    error.zh().is_some()
}

/// The keyed items of a form.
fn keyed_fields(form: &FormFields) -> BTreeMap<String, String> {
    let item = |(name, value): (&String, &String)| {
        Some((name.strip_prefix(FIELD)?.to_owned(), value.trim().to_owned()))
    };
    form.0.iter().filter_map(item).filter(|(_, value)| !value.is_empty()).collect()
}

async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").map(String::as_str).unwrap_or_default();
    render_desk(&app, &staff, noted, None, "").await
}

async fn render_desk(
    app: &AppState,
    staff: &Staff,
    noted: &str,
    problem: Option<String>,
    typed: &str,
) -> Result<Response, Failure> {
    let desk = status::desk(&app.context, &staff.session.account).await?;
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(render_page(status, &DeskPage::new(staff, noted, problem, typed, desk)))
}

/// Finds a form by the number that was keyed, and leads to its page.
async fn find(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let typed = form.text("number");
    match find_form(&app, &staff.session.account, typed).await {
        Ok(desk) => {
            let number = desk.form.number.digits();
            Ok(Redirect::to(&format!("/paper/{number}")).into_response())
        }
        Err(error) => refuse(&app, &staff, error, typed).await,
    }
}

async fn find_form(
    app: &AppState,
    account: &Account,
    number: &str,
) -> Result<FormOnDesk, PaperFormError> {
    keying::find(&app.context, &app.interview_service, account, number).await
}

/// Tells a refusal on the page where the next number is keyed.
async fn refuse(
    app: &AppState,
    staff: &Staff,
    error: PaperFormError,
    typed: &str,
) -> Result<Response, Failure> {
    if !is_refusal(&error) {
        return Err(error.into());
    }
    render_desk(app, staff, "", Some(error.localized(staff.tr.0)), typed).await
}

async fn form(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    match find_form(&app, &staff.session.account, &number).await {
        Ok(desk) => render_form(&staff, &desk, FormState::default()),
        Err(error) => refuse(&app, &staff, error, &number).await,
    }
}

fn render_form(staff: &Staff, desk: &FormOnDesk, state: FormState) -> Result<Response, Failure> {
    let status = if state.is_refused() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(render_page(status, &FormPage::new(staff, desk, &state)))
}

/// The items that the routing skips, by the answers so far.
fn skipped_items(desk: &FormOnDesk, fields: &BTreeMap<String, String>) -> BTreeSet<String> {
    let form = desk.paper_form();
    let read = form.read(fields, &BTreeMap::new(), desk.reading());
    let path = desk.questionnaire.path(&read.answers, &desk.facts);
    let skipped = form.questions().filter(|paper| !path.includes(&paper.item.id));
    skipped.map(|paper| paper.item.id.clone()).collect()
}

/// Tells the page's script which items the routing skips.
async fn asked(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let skipped = match find_form(&app, &staff.session.account, &number).await {
        Ok(desk) => skipped_items(&desk, &keyed_fields(&form)),
        Err(error) if is_refusal(&error) => BTreeSet::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(Json(json!({ "skipped": skipped })).into_response())
}

async fn key(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    store(&app, &staff, &form, &number, false).await
}

async fn prefer(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    store(&app, &staff, &form, &number, true).await
}

/// Stores a keyed form, or shows it again with what is wrong about it.
async fn store(
    app: &AppState,
    staff: &Staff,
    form: &FormFields,
    number: &str,
    is_preferred: bool,
) -> Result<Response, Failure> {
    let account = &staff.session.account;
    let desk = match find_form(app, account, number).await {
        Ok(desk) => desk,
        Err(error) => return refuse(app, staff, error, number).await,
    };
    let fields = keyed_fields(form);
    let mut state = FormState {
        fields: fields.clone(),
        filled_on: form.text("filled_on").to_owned(),
        reason: form.text("reason").to_owned(),
        is_preferred,
        ..FormState::default()
    };
    if form.text("do") != "save" {
        state.skipped = skipped_items(&desk, &fields);
        return render_form(staff, &desk, state);
    }
    let keyed = Keyed {
        fields: &fields,
        filled_on: form.text("filled_on"),
        skips_confirmed: form.text("confirmed") == "skips",
    };
    let (context, interviews) = (&app.context, &app.interview_service);
    let outcome = if is_preferred {
        let reason = form.text("reason");
        keying::prefer_paper(context, interviews, account, number, &keyed, reason).await
    } else {
        keying::key(context, interviews, account, number, &keyed).await
    };
    let noted = match outcome {
        Ok(KeyingOutcome::Stored(disposition)) => disposition.name(),
        Ok(KeyingOutcome::Late) => "late",
        Ok(KeyingOutcome::Compared { different: 0 }) => "agreed",
        Ok(KeyingOutcome::Compared { .. }) => "different",
        Ok(KeyingOutcome::Problems(problems)) => {
            state.skipped = skipped_items(&desk, &fields);
            state.problems = problems;
            return render_form(staff, &desk, state);
        }
        Ok(KeyingOutcome::Skipped(items)) => {
            state.skipped = skipped_items(&desk, &fields);
            state.to_confirm = items;
            return render_form(staff, &desk, state);
        }
        Err(error) if !is_refusal(&error) => return Err(error.into()),
        // What stands in the form can be corrected; anything else ends the work on it.
        Err(
            error @ (PaperFormError::Empty
            | PaperFormError::FilledOn
            | PaperFormError::Reason
            | PaperFormError::Insufficient
            | PaperFormError::PlacesReserved),
        ) => {
            state.skipped = skipped_items(&desk, &fields);
            state.problem = Some(error.localized(staff.tr.0));
            return render_form(staff, &desk, state);
        }
        Err(error) => return refuse(app, staff, error, number).await,
    };
    Ok(Redirect::to(&format!("/paper?noted={noted}")).into_response())
}

async fn record_return(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let returned = ReturnedAs::parse(form.text("as"))
        .ok_or_else(|| Failure::BadRequest("the form does not say how it came back".into()))?;
    let account = &staff.session.account;
    match keying::record_return(&app.context, account, &number, returned).await {
        Ok(()) => {
            let noted = returned.state().as_str();
            Ok(Redirect::to(&format!("/paper?noted={noted}")).into_response())
        }
        Err(error) => refuse(&app, &staff, error, &number).await,
    }
}

async fn came_after(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let account = &staff.session.account;
    match keying::record_came_after(&app.context, account, &number).await {
        Ok(()) => Ok(Redirect::to("/paper?noted=came_after").into_response()),
        Err(error) => refuse(&app, &staff, error, &number).await,
    }
}

/// Shows the form to be keyed in place of answers given before in another mode.
async fn prefer_form(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    match find_form(&app, &staff.session.account, &number).await {
        Ok(desk) if desk.task == Task::AnsweredBefore => {
            render_form(&staff, &desk, FormState { is_preferred: true, ..FormState::default() })
        }
        Ok(_) => refuse(&app, &staff, PaperFormError::NothingToSettle, &number).await,
        Err(error) => refuse(&app, &staff, error, &number).await,
    }
}

async fn differences(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    render_differences(&app, &staff, &number, BTreeMap::new()).await
}

async fn render_differences(
    app: &AppState,
    staff: &Staff,
    number: &str,
    problems: BTreeMap<String, crate::domain::questionnaire::AnswerProblem>,
) -> Result<Response, Failure> {
    match comparing::differences(&app.context, &app.interview_service, number).await {
        Ok(found) => {
            let status = match problems.is_empty() {
                true => StatusCode::OK,
                false => StatusCode::UNPROCESSABLE_ENTITY,
            };
            Ok(render_page(status, &DifferencesPage::new(staff, &found, &problems)))
        }
        Err(error) => refuse(app, staff, error, number).await,
    }
}

/// Takes the value of each item: the first keying's, the second one's, or another.
async fn settle(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let (context, interviews) = (&app.context, &app.interview_service);
    let found = match comparing::differences(context, interviews, &number).await {
        Ok(found) => found,
        Err(error) => return refuse(&app, &staff, error, &number).await,
    };
    let mut settled = BTreeMap::new();
    for difference in &found.items {
        let value = match form.text(&format!("choice-{}", difference.item)) {
            "first" => difference.first.as_str(),
            "second" => difference.second.as_str(),
            "other" => form.text(&format!("{FIELD}{}", difference.item)),
            _ => return Err(Failure::BadRequest("the form leaves an item open".into())),
        };
        settled.insert(difference.item.clone(), value.to_owned());
    }
    let account = &staff.session.account;
    match comparing::settle(context, interviews, account, &number, &settled).await {
        Ok(KeyingOutcome::Problems(problems)) => {
            render_differences(&app, &staff, &number, problems).await
        }
        Ok(_) => Ok(Redirect::to("/paper?noted=settled").into_response()),
        Err(error) => refuse(&app, &staff, error, &number).await,
    }
}
