//! The page behind an invitation's link, which needs no session: the invited set their password,
//! are signed in, and go on to the second factor.

use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::Failure;
use super::super::state::AppState;
use super::account::describe_problem;
use super::authorize::{error_page, is_same_site, language_of, with_security_policy};
use super::sign_in::{is_address_allowed, signed_in, too_many};
use crate::adapters::database::accounts::Account;
use crate::domain::personal::Personal;
use crate::interfaces::http::page_layout::{ErrorPage, PageLayout, Translator, render_page};
use crate::services::accounts::{
    self, AccountError, SignInAttempt, SignedIn, colleagues, invitations, second_factor,
};

#[derive(Template)]
#[template(path = "staff/invitation.html")]
struct InvitationPage<'a> {
    layout: PageLayout<'a>,
    problem: Option<String>,
    /// Whom the link invites; `None`: it cannot be used.
    invited: Option<Invited<'a>>,
}

struct Invited<'a> {
    full_name: Personal,
    account: &'a Account,
    role: &'static str,
    what: &'static str,
    /// The path of the form.
    path: String,
}

#[derive(Deserialize)]
pub struct NewPassword {
    password: String,
    again: String,
}

fn page(
    app: &AppState,
    tr: Translator,
    (token, account): (&str, Option<&Account>),
    (status, problem): (StatusCode, Option<String>),
) -> Response {
    let invited = account.map(|account| Invited {
        full_name: colleagues::name_of(&app.context, account),
        role: tr.pair(account.role.labels()),
        what: tr.pair(account.role.descriptions()),
        path: format!("/staff/invitation/{token}"),
        account,
    });
    with_security_policy(render_page(
        status,
        &InvitationPage { layout: PageLayout::signed_out(tr), problem, invited },
    ))
}

/// Returns the page of a link that cannot be used.
fn unusable(app: &AppState, tr: Translator, error: AccountError) -> Result<Response, Failure> {
    let problem = describe_problem(tr, error)?;
    Ok(page(app, tr, ("", None), (StatusCode::NOT_FOUND, Some(problem))))
}

/// Shows the form. It changes nothing: chats open links for their previews.
pub async fn show(
    State(app): State<Arc<AppState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let tr = Translator(language_of(&headers).unwrap_or_default());
    if !is_address_allowed(&app, peer, &headers) {
        let problem = Some(too_many(tr).to_owned());
        return Ok(page(&app, tr, ("", None), (StatusCode::TOO_MANY_REQUESTS, problem)));
    }
    match invitations::open(&app.context, &token).await {
        Ok(account) => Ok(page(&app, tr, (&token, Some(&account)), (StatusCode::OK, None))),
        Err(error) => unusable(&app, tr, error),
    }
}

/// Sets the password, uses the link up and signs in. An account that has a second factor is sent to
/// sign in with it; others go on to set one up.
pub async fn accept(
    State(app): State<Arc<AppState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Form(form): Form<NewPassword>,
) -> Result<Response, Failure> {
    let tr = Translator(language_of(&headers).unwrap_or_default());
    if !is_same_site(&headers) {
        return Ok(error_page(StatusCode::FORBIDDEN, tr, ErrorPage::OtherSession));
    }
    let account = match invitations::open(&app.context, &token).await {
        Ok(account) => account,
        Err(error) => return unusable(&app, tr, error),
    };
    let again =
        |status, problem| Ok(page(&app, tr, (&token, Some(&account)), (status, Some(problem))));
    if !is_address_allowed(&app, peer, &headers) {
        return again(StatusCode::TOO_MANY_REQUESTS, too_many(tr).to_owned());
    }
    if form.password != form.again {
        let problem = tr.t("两次输入的密码不同。", "The two passwords differ.");
        return again(StatusCode::UNPROCESSABLE_ENTITY, problem.to_owned());
    }
    let password = Personal::new(form.password);
    match invitations::accept(&app.context, &token, password.clone()).await {
        Ok(_) => {}
        Err(error @ AccountError::UnknownInvitation) => return unusable(&app, tr, error),
        Err(error) => {
            return again(StatusCode::UNPROCESSABLE_ENTITY, describe_problem(tr, error)?);
        }
    }
    let internal = |error: AccountError| Failure::Internal(error.to_string());
    let attempt = SignInAttempt {
        name: &account.name,
        password: password.clone(),
        code: None,
        device: None,
        before: None,
    };
    // A code may be needed, or somebody may be guessing at this account: its own page says so.
    let Ok(SignedIn::Complete(session)) = accounts::sign_in(&app.context, attempt).await else {
        return Ok(Redirect::to("/staff/sign-in").into_response());
    };
    second_factor::draw_secret(&app.context, &session, password).await.map_err(internal)?;
    signed_in(&app, &session, "/staff/account?noted=welcome").await
}
