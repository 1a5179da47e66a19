//! Everybody's accounts, and the tokens of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::state::Site;
use super::account::problem_of;
use super::{Sent, Staff};
use crate::interfaces::http::page_layout::{Frame, Say, page};
use crate::services::accounts::{self, AccountError, second_factor, tokens};
use crate::adapters::crypto::password::new_token;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::{Permission, Role};
use crate::domain::time::Timestamp;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::api_tokens::{self, ApiToken};

struct AccountRow {
    account: Account,
    role: &'static str,
    state: &'static str,
    is_self: bool,
}

struct TokenRow {
    token: ApiToken,
    scopes: String,
    expires: String,
    used: String,
    counts: bool,
}

/// Something that is shown once.
struct Shown {
    what: &'static str,
    of: String,
    secret: Personal,
}

#[derive(Template)]
#[template(path = "staff/accounts.html")]
struct AccountsPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<&'static str>,
    shown: Option<Shown>,
    accounts: Vec<AccountRow>,
    tokens: Vec<TokenRow>,
    roles: Vec<(&'static str, &'static str)>,
    scopes: Vec<(&'static str, &'static str)>,
}

/// What a handler leaves to be said on the page.
#[derive(Default)]
struct Slip {
    noted: Option<&'static str>,
    problem: Option<&'static str>,
    shown: Option<Shown>,
}

async fn render(site: &Site, staff: &Staff, slip: Slip) -> Result<Response, Failure> {
    let internal = |error: crate::adapters::database::StoreError| Failure::Internal(error.to_string());
    let mut connection = site.installation.store.read().await.map_err(internal)?;
    let all = crate::adapters::database::accounts::all(&mut connection).await.map_err(internal)?;
    let tokens = api_tokens::all(&mut connection).await.map_err(internal)?;
    let (say, now) = (staff.say, site.installation.clock.now());
    let day = |at: Timestamp| at.date(chrono_tz::Asia::Shanghai).to_string();
    let account = |account: Account| AccountRow {
        role: say.of(account.role.words()),
        state: match (account.disabled_at, account.has_second_factor) {
            (Some(_), _) => say.t("已停用", "disabled"),
            (None, true) => say.t("密码 + 口令", "password and code"),
            (None, false) => say.t("仅密码", "password only"),
        },
        is_self: account.id == staff.session.account.id,
        account,
    };
    let token = |token: ApiToken| TokenRow {
        scopes: token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        expires: day(token.expires_at),
        used: token.last_used_at.map(day).unwrap_or_default(),
        counts: token.revoked_at.is_none() && token.expires_at > now,
        token,
    };
    let status = if slip.problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shown = AccountsPage {
        f: Frame::of(staff),
        noted: slip.noted,
        problem: slip.problem,
        shown: slip.shown,
        accounts: all.into_iter().map(account).collect(),
        tokens: tokens.into_iter().map(token).collect(),
        roles: Role::ALL.into_iter().map(|role| (role.as_str(), say.of(role.words()))).collect(),
        scopes: Permission::ALL.into_iter().map(|permission| (permission.as_str(), say.of(permission.words()))).collect(),
    };
    Ok(page(status, &shown))
}

/// What a change came to: a page that says so once, or what was wrong.
async fn told(site: &Site, staff: &Staff, done: Result<Option<Shown>, AccountError>, noted: &'static str) -> Result<Response, Failure> {
    match done {
        Ok(None) => Ok(Redirect::to(&format!("/accounts?noted={noted}")).into_response()),
        Ok(shown) => render(site, staff, Slip { shown, ..Slip::default() }).await,
        Err(error) => render(site, staff, Slip { problem: Some(problem_of(staff.say, error)?), ..Slip::default() }).await,
    }
}

fn noted(say: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "disabled" => say.t("已停用，其登录已失效。", "Disabled; whoever was signed in is not any more."),
        "reset" => say.t("动态口令已停用，请其重新设置。", "Codes are off for them; ask them to set up new ones."),
        "revoked" => say.t("令牌已吊销。", "The token is revoked."),
        _ => return None,
    })
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    render(&site, &staff, Slip { noted, ..Slip::default() }).await
}

/// A new account; its password is made here and shown once.
pub async fn add(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Extension(sent): Extension<Sent>) -> Result<Response, Failure> {
    let Some(role) = Role::parse(sent.text("role")) else { return Err(Failure::Unreadable("the form names no role".into())) };
    let (name, password) = (sent.text("name").trim().to_owned(), new_token().map_err(|error| Failure::Internal(error.to_string()))?);
    let languages: Vec<Language> = sent.text("languages").split_whitespace().filter_map(Language::parse).collect();
    let languages = if languages.is_empty() { vec![Language::Zh] } else { languages };
    let done = accounts::add(&site.installation, &staff.session.actor(), &name, role, &languages, password.clone()).await;
    let what = staff.say.t("新账户的密码", "The new account's password");
    told(&site, &staff, done.map(|()| Some(Shown { what, of: name, secret: password })), "").await
}

pub async fn disable(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(name): Path<String>) -> Result<Response, Failure> {
    if name == staff.session.account.name {
        let problem = Some(staff.say.t("不能停用自己。", "Nobody disables themselves."));
        return render(&site, &staff, Slip { problem, ..Slip::default() }).await;
    }
    let done = accounts::disable(&site.installation, &staff.session.actor(), &name).await;
    told(&site, &staff, done.map(|()| None), "disabled").await
}

pub async fn reset_password(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let password = new_token().map_err(|error| Failure::Internal(error.to_string()))?;
    let done = accounts::set_password(&site.installation, &staff.session.actor(), &name, password.clone()).await;
    let what = staff.say.t("新密码", "The new password");
    told(&site, &staff, done.map(|()| Some(Shown { what, of: name, secret: password })), "").await
}

pub async fn reset_second_factor(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let done = second_factor::reset(&site.installation, &staff.session.actor(), &name).await;
    told(&site, &staff, done.map(|()| None), "reset").await
}

pub async fn make_token(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    let scopes: Vec<Permission> =
        Permission::ALL.into_iter().filter(|permission| sent.0.contains_key(&format!("scope-{}", permission.as_str()))).collect();
    let name = sent.text("name").trim().to_owned();
    let days = sent.text("days").trim().parse().unwrap_or(0);
    let done = tokens::make(&site.installation, &staff.session.actor(), &name, &scopes, days).await;
    let what = staff.say.t("接口令牌", "The token");
    told(&site, &staff, done.map(|secret| Some(Shown { what, of: name, secret })), "").await
}

pub async fn revoke_token(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(name): Path<String>) -> Result<Response, Failure> {
    let done = tokens::revoke(&site.installation, &staff.session.actor(), &name).await;
    told(&site, &staff, done.map(|()| None), "revoked").await
}
