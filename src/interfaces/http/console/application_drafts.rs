//! Applications as they were read from an applicant's documents: looked through beside the cells they
//! came from, corrected and registered.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, render_page};
use super::super::state::AppState;
use super::super::upload::{UploadedFile, UploadedFiles};
use super::setup::{category_label, show_with};
use crate::domain::category::Category;
use crate::domain::subject::required_fields;
use crate::interfaces::errors::{LocalizedError, subject_field_zh};
use crate::services::application_forms::draft::{self, DraftView};
use crate::services::application_forms::{ApplicationFormError, Document};

/// A field of a subject, as the form shows it.
struct FieldView<'a> {
    name: &'static str,
    label: &'static str,
    value: &'a str,
    is_missing: bool,
}

struct ApplicationView<'a> {
    number: usize,
    code: &'a str,
    category: String,
    subject: &'a str,
    is_ticked: bool,
    is_doubtful: bool,
    is_left_out: bool,
    fields: Vec<FieldView<'a>>,
}

struct ListView<'a> {
    number: usize,
    heading: String,
    document: &'a str,
    people: usize,
    categories: Vec<(Category, String, bool)>,
}

#[derive(Template)]
#[template(path = "console/application-draft.html")]
struct DraftPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    view: &'a DraftView,
    contact: Vec<(&'static str, &'static str, &'a str)>,
    applications: Vec<ApplicationView<'a>>,
    lists: Vec<ListView<'a>>,
    is_ready: bool,
}

/// The fields of the contact that can be corrected.
pub(super) const CONTACT: [(&str, &str, &str); 5] = [
    ("contact", "经办人", "Contact"),
    ("mobile", "手机", "Mobile"),
    ("phone", "电话", "Telephone"),
    ("email", "邮箱", "Email"),
    ("address", "地址", "Address"),
];

async fn render(
    app: &AppState,
    staff: &Staff,
    id: i64,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let view = match draft::view(&app.context, id).await {
        Ok(view) => view,
        Err(error) => return not_found_or(error),
    };
    let tr = staff.tr;
    let all = view.reading.applications.iter().zip(&view.codes.applications).enumerate();
    let applications: Vec<ApplicationView<'_>> = all
        .map(|(number, (application, code))| {
            let missing = application.missing();
            let field =
                |(name, _, remedy): &(&'static str, &'static str, &'static str)| FieldView {
                    name,
                    label: tr.t(subject_field_zh(name), remedy),
                    value: application.fields.get(*name).map(String::as_str).unwrap_or_default(),
                    is_missing: missing.contains(name),
                };
            ApplicationView {
                number,
                code,
                category: category_label(tr, application.category),
                subject: &application.subject,
                is_ticked: application.is_ticked,
                is_doubtful: application.is_doubtful,
                is_left_out: application.is_left_out,
                fields: required_fields(application.category).iter().map(field).collect(),
            }
        })
        .collect();
    let of_contact = &view.reading.contact;
    let template = DraftPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        contact: CONTACT
            .map(|(field, zh, en)| {
                (field, tr.t(zh, en), of_contact.get(field).map(String::as_str).unwrap_or_default())
            })
            .to_vec(),
        lists: view
            .reading
            .lists
            .iter()
            .enumerate()
            .map(|(number, list)| ListView {
                number,
                heading: list.heading.lines().next().unwrap_or_default().to_owned(),
                document: &list.document,
                people: list.people,
                categories: Category::ALL
                    .map(|category| {
                        let is_for = list.categories.contains(&category);
                        (category, category_label(tr, category), is_for)
                    })
                    .to_vec(),
            })
            .collect(),
        is_ready: !view.reading.applicant.is_empty()
            && applications.iter().any(|application| !application.is_left_out)
            && applications
                .iter()
                .all(|a| a.is_left_out || a.fields.iter().all(|field| !field.is_missing)),
        applications,
        view: &view,
    };
    Ok(render_page(status, &template))
}

fn not_found_or(error: ApplicationFormError) -> Result<Response, Failure> {
    match error {
        ApplicationFormError::NotFound => Err(Failure::NotFound),
        ApplicationFormError::Database(error) => Err(error.into()),
        error => Err(Failure::Internal(error.to_string())),
    }
}

/// Reads the uploaded documents into drafts. What cannot be read changes nothing; the page says why.
pub async fn upload(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Extension(UploadedFiles(files)): Extension<UploadedFiles>,
) -> Result<Response, Failure> {
    let document = |file: UploadedFile| Document { name: file.name, content: file.content.into() };
    let documents = files.into_iter().map(document).collect();
    let actor = &staff.session.account.name;
    let programme = form.text("programme");
    match draft::create(&app.context, actor, programme, documents, false).await {
        Ok(created) => {
            let open = created.iter().filter(|c| !matches!(c.known, Some(Some(_))));
            let ids: Vec<i64> = open.filter_map(|created| created.id).collect();
            match ids.as_slice() {
                [id] => Ok(Redirect::to(&format!("/application-drafts/{id}")).into_response()),
                [] => Ok(Redirect::to("/setup?noted=known").into_response()),
                _ => Ok(Redirect::to("/setup?noted=read").into_response()),
            }
        }
        Err(error @ (ApplicationFormError::Database(_) | ApplicationFormError::Keys(_))) => {
            not_found_or(error)
        }
        Err(error) => {
            let problem = error.localized(staff.tr.0);
            show_with(&app, &staff, StatusCode::UNPROCESSABLE_ENTITY, problem).await
        }
    }
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    render(&app, &staff, id, StatusCode::OK, None, None).await
}

pub async fn correct(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match draft::correct(&app.context, id, &form.0).await {
        Ok(()) => {
            let flash = Some(staff.tr.t("已保存。", "Saved."));
            render(&app, &staff, id, StatusCode::OK, flash, None).await
        }
        Err(error @ ApplicationFormError::Changed) => {
            let problem = Some(error.localized(staff.tr.0));
            render(&app, &staff, id, StatusCode::CONFLICT, None, problem).await
        }
        Err(error) => not_found_or(error),
    }
}

pub async fn register(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match draft::register(&app.context, &staff.session.account.name, id).await {
        Ok(registered) => Ok(match registered.lists.as_slice() {
            [list] => Redirect::to(&format!("/lists/{list}")).into_response(),
            _ => Redirect::to("/setup?noted=registered").into_response(),
        }),
        Err(
            error @ (ApplicationFormError::NotFound
            | ApplicationFormError::Database(_)
            | ApplicationFormError::Keys(_)
            | ApplicationFormError::Seal(_)),
        ) => not_found_or(error),
        Err(error) => {
            let problem = Some(error.localized(staff.tr.0));
            render(&app, &staff, id, StatusCode::UNPROCESSABLE_ENTITY, None, problem).await
        }
    }
}

pub async fn discard(
    State(app): State<Arc<AppState>>,
    Extension(_): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match draft::discard(&app.context, id).await {
        Ok(()) => Ok(Redirect::to("/setup?noted=dropped").into_response()),
        Err(error) => not_found_or(error),
    }
}
