//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use cookie::{Cookie, SameSite};
use serde::Deserialize;

use super::super::Failure;
use super::super::state::Site;
use crate::interfaces::http::page_layout::{Message, page};
use super::authorize::{LANGUAGE, SESSION, cookie_of, is_same_site, language_of, refused, with_policy, within_site};
use super::{Sent, Staff};
use crate::interfaces::http::page_layout::{Frame, Say};
use crate::services::accounts::{self, AccountError, Session, SignedIn};
use crate::domain::language::Language;
use crate::domain::personal::Personal;

#[derive(Template)]
#[template(path = "staff/sign-in.html")]
struct SignInPage<'a> {
    f: Frame<'a>,
    problem: Option<&'a str>,
    tried: &'a str,
    next: &'a str,
}

#[derive(Template)]
#[template(path = "staff/code.html")]
struct CodePage<'a> {
    f: Frame<'a>,
    problem: Option<&'a str>,
    next: &'a str,
}

#[derive(Deserialize)]
pub struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct Code {
    code: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

pub async fn form(Query(wanted): Query<Wanted>, headers: HeaderMap) -> Response {
    let say = Say(language_of(&headers).unwrap_or_default());
    with_policy(page(StatusCode::OK, &SignInPage { f: Frame::outside(say), problem: None, tried: "", next: within_site(&wanted.next) }))
}

pub async fn sign_in(State(site): State<Arc<Site>>, headers: HeaderMap, Form(form): Form<SignIn>) -> Result<Response, Failure> {
    let say = Say(language_of(&headers).unwrap_or_default());
    if !is_same_site(&headers) {
        return Ok(refused(StatusCode::FORBIDDEN, say, Message::OtherSession));
    }
    let (name, next) = (form.name.trim(), within_site(&form.next));
    let again = |status, problem| Ok(with_policy(page(status, &SignInPage { f: Frame::outside(say), problem: Some(problem), tried: name, next })));
    if !site.sign_ins.count() {
        return again(StatusCode::TOO_MANY_REQUESTS, too_many(say));
    }
    match accounts::sign_in(&site.installation, name, Personal::new(form.password)).await {
        Ok(SignedIn::Wholly(session)) => Ok(signed_in(&site, &session, next)),
        Ok(SignedIn::AwaitsCode(token)) => {
            let to = format!("/staff/code?next={}", form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
            Ok(([(header::SET_COOKIE, kept(&site, SESSION, token.reveal().to_owned()))], Redirect::to(&to)).into_response())
        }
        Err(AccountError::Wrong) => again(StatusCode::UNAUTHORIZED, say.t("用户名或密码不正确。", "The name or the password is wrong.")),
        Err(AccountError::Locked) => again(StatusCode::TOO_MANY_REQUESTS, locked(say)),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

fn too_many(say: Say) -> &'static str {
    say.t("尝试次数过多，请稍后再试。", "Too many attempts; try again in a while.")
}

fn locked(say: Say) -> &'static str {
    say.t("密码或口令多次错误，请一刻钟后再试。", "The password or code was wrong too often; try again in a quarter of an hour.")
}

fn signed_in(site: &Site, session: &Session, next: &str) -> Response {
    ([(header::SET_COOKIE, kept(site, SESSION, session.token.reveal().to_owned()))], Redirect::to(next)).into_response()
}

/// After the password: the one-time code.
pub async fn code_form(Query(wanted): Query<Wanted>, headers: HeaderMap) -> Response {
    let say = Say(language_of(&headers).unwrap_or_default());
    with_policy(page(StatusCode::OK, &CodePage { f: Frame::outside(say), problem: None, next: within_site(&wanted.next) }))
}

pub async fn code(State(site): State<Arc<Site>>, headers: HeaderMap, Form(form): Form<Code>) -> Result<Response, Failure> {
    let say = Say(language_of(&headers).unwrap_or_default());
    if !is_same_site(&headers) {
        return Ok(refused(StatusCode::FORBIDDEN, say, Message::OtherSession));
    }
    let next = within_site(&form.next);
    let again = |status, problem| Ok(with_policy(page(status, &CodePage { f: Frame::outside(say), problem: Some(problem), next })));
    if !site.sign_ins.count() {
        return again(StatusCode::TOO_MANY_REQUESTS, too_many(say));
    }
    let token = Personal::new(cookie_of(&headers, SESSION).unwrap_or_default());
    match accounts::confirm(&site.installation, token, form.code.trim()).await {
        Ok(session) => Ok(signed_in(&site, &session, next)),
        // The password is too long ago, or was never given.
        Err(AccountError::Wrong) => Ok(Redirect::to("/staff/sign-in").into_response()),
        Err(AccountError::WrongCode) => again(StatusCode::UNAUTHORIZED, say.t("动态口令不正确或已使用。", "The code is wrong, or was used already.")),
        Err(AccountError::Locked) => again(StatusCode::TOO_MANY_REQUESTS, locked(say)),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// The way to what somebody may do.
pub async fn home(Extension(staff): Extension<Staff>) -> Response {
    match Frame::of(&staff).ways.first() {
        Some(way) => Redirect::to(way.to).into_response(),
        None => refused(StatusCode::OK, staff.say, Message::NotAllowed),
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
