//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use cookie::{Cookie, SameSite};
use serde::Deserialize;

use super::super::{Failure, Site};
use super::frame::{Message, page};
use super::guard::{LANGUAGE, SESSION, is_same_site, language_of, refused, with_policy};
use super::{Frame, Say, Sent, Staff};
use crate::accounts::{self, AccountError};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignInPage<'a> {
    f: Frame<'a>,
    problem: Option<&'a str>,
    tried: &'a str,
}

#[derive(Deserialize)]
pub struct SignIn {
    name: String,
    password: String,
}

pub async fn form(headers: HeaderMap) -> Response {
    let say = Say(language_of(&headers).unwrap_or_default());
    with_policy(page(StatusCode::OK, &SignInPage { f: Frame::outside(say), problem: None, tried: "" }))
}

pub async fn sign_in(State(site): State<Arc<Site>>, headers: HeaderMap, Form(form): Form<SignIn>) -> Result<Response, Failure> {
    let say = Say(language_of(&headers).unwrap_or_default());
    if !is_same_site(&headers) {
        return Ok(refused(StatusCode::FORBIDDEN, say, Message::OtherSession));
    }
    let name = form.name.trim();
    let again = |status, problem| Ok(with_policy(page(status, &SignInPage { f: Frame::outside(say), problem: Some(problem), tried: name })));
    if !site.sign_ins.count() {
        let problem = say.t("尝试次数过多，请稍后再试。", "Too many attempts; try again in a while.");
        return again(StatusCode::TOO_MANY_REQUESTS, problem);
    }
    match accounts::sign_in(&site.installation, name, Personal::new(form.password)).await {
        Ok(session) => {
            let cookie = kept(&site, SESSION, session.token.reveal().to_owned());
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/staff")).into_response())
        }
        Err(AccountError::Wrong) => again(StatusCode::UNAUTHORIZED, say.t("用户名或密码不正确。", "The name or the password is wrong.")),
        Err(AccountError::Locked) => {
            let problem = say.t("密码多次错误，请一刻钟后再试。", "The password was wrong too often; try again in a quarter of an hour.");
            again(StatusCode::TOO_MANY_REQUESTS, problem)
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// The way to what somebody may do.
pub async fn home(Extension(staff): Extension<Staff>) -> Response {
    match (staff.may(Permission::Supervise), staff.may(Permission::Interview)) {
        (true, _) => Redirect::to("/supervision").into_response(),
        (false, true) => Redirect::to("/interview").into_response(),
        _ => refused(StatusCode::OK, staff.say, Message::NotAllowed),
    }
}

pub async fn sign_out(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>) -> Result<Response, Failure> {
    accounts::sign_out(&site.installation, &staff.session).await.map_err(|error| Failure::Internal(error.to_string()))?;
    let mut gone = Cookie::new(SESSION, "");
    gone.set_path("/");
    gone.set_max_age(cookie::time::Duration::ZERO);
    Ok(([(header::SET_COOKIE, gone.to_string())], Redirect::to("/staff/sign-in")).into_response())
}

pub async fn set_language(State(site): State<Arc<Site>>, Extension(sent): Extension<Sent>) -> Response {
    let language = Language::parse(sent.text("to")).unwrap_or_default();
    ([(header::SET_COOKIE, kept(&site, LANGUAGE, language.tag().to_owned()))], Redirect::to("/staff")).into_response()
}

/// A cookie that scripts cannot read and other sites cannot send; over TLS only, where the site is.
fn kept(site: &Site, name: &'static str, value: String) -> String {
    let mut cookie = Cookie::new(name, value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_secure(site.installation.config.public_url.starts_with("https:"));
    cookie.to_string()
}
