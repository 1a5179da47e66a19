//! The applicant's first page: applications and totals, documents, lists.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{new_cookie, with_security_policy};
use super::super::console::state_label;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::super::upload::UploadedFile;
use super::{Applicant, Noted, Params, Visitor, form_of, session_cookie, sign_in_page};
use crate::adapters::database::applications::Application;
use crate::adapters::database::programmes;
use crate::domain::language::Language;
use crate::interfaces::errors::LocalizedError;
use crate::services::applicant_pages::ApplicantPageError;
use crate::services::applicant_pages::lists::{self, OwnList};
use crate::services::applicant_pages::sign_in;
use crate::services::applicant_pages::totals::{self, Totals};
use crate::services::application_forms::{ApplicationFormError, Document};
use crate::services::drafts::lists::ListDraftError;
use crate::services::list_import::{ListImportError, TableError};

/// What was read of a document that was just uploaded.
struct ReadDocument {
    name: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "applicant/home.html")]
struct HomePage<'a> {
    layout: PageLayout<'a>,
    link: &'a str,
    applicant: &'a str,
    flash: Option<&'static str>,
    problem: Option<String>,
    totals: Vec<(Totals, &'static str)>,
    open: Vec<Application>,
    lists: Vec<OwnList>,
    read: Vec<ReadDocument>,
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "sent" => tr.t("验证码已发送，请查收短信。", "The code is sent; look at your messages."),
        "handed-in" => tr.t(
            "名单已提交，工作人员审核后会在此告知结果。",
            "The list is handed in; what the staff decide is told here.",
        ),
        "discarded" => tr.t("名单已删除。", "The list is deleted."),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    Query(query): Noted,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let token = params.get("token").map(String::as_str).unwrap_or_default();
    let visitor = Visitor::at_link(&app, token, &headers).await?;
    let flash = query.get("noted").and_then(|what| flash_text(visitor.tr, what));
    if visitor.session.is_none() {
        return sign_in_page(&app, &visitor, StatusCode::OK, flash, None);
    }
    match visitor.signed_in(&app) {
        Ok(applicant) => render(&app, &applicant, StatusCode::OK, (flash, None), Vec::new()).await,
        Err(response) => Ok(*response),
    }
}

async fn render(
    app: &AppState,
    applicant: &Applicant,
    status: StatusCode,
    (flash, problem): (Option<&'static str>, Option<String>),
    read: Vec<ReadDocument>,
) -> Result<Response, Failure> {
    let internal = |error: ApplicantPageError| Failure::Internal(error.to_string());
    let (context, link) = (&app.context, &applicant.link);
    let totals = totals::of_applicant(context, link).await.map_err(internal)?;
    let state = |totals: Totals| {
        let label = state_label(applicant.tr, totals.overview.state);
        (totals, label)
    };
    let page = HomePage {
        layout: applicant.layout(),
        link: &applicant.token,
        applicant: &link.applicant_name,
        flash,
        problem,
        totals: totals.into_iter().map(state).collect(),
        open: lists::open_applications(context, link).await.map_err(internal)?,
        lists: lists::own_lists(context, link).await.map_err(internal)?,
        read,
    };
    Ok(with_security_policy(render_page(status, &page)))
}

/// Shows the page with what was wrong with an upload.
pub(super) async fn show_problem(
    app: &AppState,
    applicant: &Applicant,
    problem: String,
) -> Result<Response, Failure> {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    render(app, applicant, status, (None, Some(problem)), Vec::new()).await
}

/// Takes documents: they become drafts that staff look through.
pub async fn upload_documents(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    request: Request,
) -> Result<Response, Failure> {
    let (applicant, _, files) = match form_of(&app, &params, request, true).await? {
        Ok(form) => form,
        Err(response) => return Ok(*response),
    };
    let programme =
        programmes::get(&mut *app.context.database.read().await?, applicant.link.programme).await?;
    let document =
        |file: &UploadedFile| Document { name: file.name.clone(), content: file.content.to_vec() };
    let documents = files.0.iter().map(document).collect();
    let created =
        lists::upload_documents(&app.context, &applicant.link, &programme.code, documents);
    match created.await {
        Ok(created) => {
            let documents = created.into_iter().flat_map(|created| created.reading.documents);
            let read = documents
                .map(|(name, problem)| ReadDocument {
                    name,
                    problem: problem.map(|problem| {
                        problem.for_applicant(Language::from(applicant.tr.0)).to_owned()
                    }),
                })
                .collect();
            render(&app, &applicant, StatusCode::OK, (None, None), read).await
        }
        Err(error) => {
            let problem = told_to_applicant(&error, applicant.tr);
            show_problem(&app, &applicant, problem).await
        }
    }
}

/// What is wrong with an upload, in the words for the one who has made the file.
pub(super) fn told_to_applicant(error: &ApplicantPageError, tr: Translator) -> String {
    let foreign = match error {
        ApplicantPageError::Form(ApplicationFormError::Document { name, error }) => {
            Some((name, error))
        }
        ApplicantPageError::List(ListDraftError::Import(ListImportError::Table {
            file,
            error,
        })) => Some((file, error)),
        _ => None,
    };
    match foreign {
        Some((name, TableError::Foreign(kind))) => {
            let (zh, en) = kind.labels_for_sender();
            if name.is_empty() {
                tr.t(zh, en).to_owned()
            } else {
                format!("{name}{}{}", tr.t("：", ": "), tr.t(zh, en))
            }
        }
        _ => error.localized(tr.0),
    }
}

pub async fn sign_out(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    request: Request,
) -> Result<Response, Failure> {
    let applicant = match form_of(&app, &params, request, false).await? {
        Ok((applicant, ..)) => applicant,
        Err(response) => return Ok(*response),
    };
    sign_in::sign_out(&app.context, &applicant.link)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let cookie = new_cookie(&app, session_cookie(&app), String::new(), Some(0));
    let to = Redirect::to(&format!("/applicant/{}", applicant.token));
    Ok(([(header::SET_COOKIE, cookie)], to).into_response())
}
