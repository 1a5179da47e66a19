//! All accounts and API tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::state::AppState;
use super::account::describe_problem;
use super::{FormFields, Staff};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::api_tokens::{self, ApiToken};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::{Permission, Role};
use crate::domain::time::Timestamp;
use crate::interfaces::http::page_layout::{PageLayout, Translator, render_page};
use crate::services::accounts::{self, AccountError, TokensOfDisabled, second_factor, tokens};

struct AccountRow {
    account: Account,
    role: &'static str,
    state: &'static str,
    is_self: bool,
    /// The valid tokens that it has made.
    tokens: String,
}

struct TokenRow {
    token: ApiToken,
    scopes: String,
    expires: String,
    used: String,
    is_valid: bool,
    /// Its maker is disabled.
    is_orphan: bool,
}

/// A password or token that is shown once.
struct OneTimeSecret {
    what: &'static str,
    name: String,
    secret: Personal,
}

#[derive(Template)]
#[template(path = "staff/accounts.html")]
struct AccountsPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<&'static str>,
    one_time_secret: Option<OneTimeSecret>,
    accounts: Vec<AccountRow>,
    tokens: Vec<TokenRow>,
    roles: Vec<(&'static str, &'static str)>,
    scopes: Vec<(&'static str, &'static str)>,
}

/// What a handler passes to the page: a confirmation, a problem or a secret.
#[derive(Default)]
struct FormState {
    flash: Option<&'static str>,
    problem: Option<&'static str>,
    one_time_secret: Option<OneTimeSecret>,
}

async fn render(app: &AppState, staff: &Staff, form_state: FormState) -> Result<Response, Failure> {
    let internal =
        |error: crate::adapters::database::DatabaseError| Failure::Internal(error.to_string());
    let mut connection = app.context.database.read().await.map_err(internal)?;
    let all = crate::adapters::database::accounts::all(&mut connection).await.map_err(internal)?;
    let all_tokens = api_tokens::all(&mut connection).await.map_err(internal)?;
    let (tr, now) = (staff.tr, app.context.clock.now());
    let day = |at: Timestamp| at.date(chrono_tz::Asia::Shanghai).to_string();
    let account = |account: Account| AccountRow {
        role: tr.pair(account.role.labels()),
        state: match (account.disabled_at, account.has_second_factor) {
            (Some(_), _) => tr.t("已停用", "disabled"),
            (None, true) => tr.t("密码 + 口令", "password and code"),
            (None, false) => tr.t("仅密码", "password only"),
        },
        is_self: account.id == staff.session.account.id,
        tokens: tokens::made_by(&all_tokens, &account.name, now).join(", "),
        account,
    };
    let disabled: Vec<String> = all
        .iter()
        .filter(|account| account.disabled_at.is_some())
        .map(|account| account.name.clone())
        .collect();
    let token = |token: ApiToken| TokenRow {
        scopes: token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        expires: day(token.expires_at),
        used: token.last_used_at.map(day).unwrap_or_default(),
        is_valid: tokens::is_valid(&token, now),
        is_orphan: disabled.contains(&tokens::person_behind(&all_tokens, &token.name)),
        token,
    };
    let status = if form_state.problem.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let template = AccountsPage {
        layout: PageLayout::for_staff(staff),
        flash: form_state.flash,
        problem: form_state.problem,
        one_time_secret: form_state.one_time_secret,
        accounts: all.into_iter().map(account).collect(),
        tokens: all_tokens.iter().cloned().map(token).collect(),
        roles: Role::ALL.into_iter().map(|role| (role.as_str(), tr.pair(role.labels()))).collect(),
        scopes: Permission::ALL
            .into_iter()
            .map(|permission| (permission.as_str(), tr.pair(permission.labels())))
            .collect(),
    };
    Ok(render_page(status, &template))
}

/// Responds to a change: a redirect, a page with the secret, or a page with the problem.
async fn respond(
    app: &AppState,
    staff: &Staff,
    done: Result<Option<OneTimeSecret>, AccountError>,
    flash: &'static str,
) -> Result<Response, Failure> {
    match done {
        Ok(None) => Ok(Redirect::to(&format!("/accounts?noted={flash}")).into_response()),
        Ok(one_time_secret) => {
            render(app, staff, FormState { one_time_secret, ..FormState::default() }).await
        }
        Err(error) => {
            render(
                app,
                staff,
                FormState {
                    problem: Some(describe_problem(staff.tr, error)?),
                    ..FormState::default()
                },
            )
            .await
        }
    }
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "disabled" => {
            tr.t("已停用，其登录已失效。", "Disabled; whoever was signed in is not any more.")
        }
        "reset" => tr.t(
            "动态口令已停用，请其重新设置。",
            "Codes are off for them; ask them to set up new ones.",
        ),
        "revoked" => tr.t("令牌已吊销。", "The token is revoked."),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render(&app, &staff, FormState { flash, ..FormState::default() }).await
}

/// Adds an account. Its password is generated and shown once.
pub async fn add(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let Some(role) = Role::parse(form.text("role")) else {
        return Err(Failure::BadRequest("the form names no role".into()));
    };
    let (name, password) = (
        form.text("name").trim().to_owned(),
        new_token().map_err(|error| Failure::Internal(error.to_string()))?,
    );
    let languages: Vec<Language> =
        form.text("languages").split_whitespace().filter_map(Language::parse).collect();
    let languages = if languages.is_empty() { vec![Language::ZH] } else { languages };
    let done = accounts::add(
        &app.context,
        &staff.session.actor(),
        &name,
        role,
        &languages,
        password.clone(),
    )
    .await;
    let what = staff.tr.t("新账户的密码", "The new account's password");
    respond(&app, &staff, done.map(|()| Some(OneTimeSecret { what, name, secret: password })), "")
        .await
}

/// Disables an account, and revokes its tokens unless the form says that they are kept.
pub async fn disable(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    if name == staff.session.account.name {
        let problem = Some(staff.tr.t("不能停用自己。", "Nobody disables themselves."));
        return render(&app, &staff, FormState { problem, ..FormState::default() }).await;
    }
    let its_tokens = if form.text("keep_tokens").is_empty() {
        TokensOfDisabled::Revoke
    } else {
        TokensOfDisabled::Keep
    };
    let done = accounts::disable(&app.context, &staff.session.actor(), &name, its_tokens).await;
    respond(&app, &staff, done.map(|_| None), "disabled").await
}

pub async fn reset_password(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let password = new_token().map_err(|error| Failure::Internal(error.to_string()))?;
    let done =
        accounts::set_password(&app.context, &staff.session.actor(), &name, password.clone()).await;
    let what = staff.tr.t("新密码", "The new password");
    respond(&app, &staff, done.map(|()| Some(OneTimeSecret { what, name, secret: password })), "")
        .await
}

pub async fn reset_second_factor(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let done = second_factor::reset(&app.context, &staff.session.actor(), &name).await;
    respond(&app, &staff, done.map(|()| None), "reset").await
}

pub async fn create_token(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let scopes: Vec<Permission> = Permission::ALL
        .into_iter()
        .filter(|permission| form.0.contains_key(&format!("scope-{}", permission.as_str())))
        .collect();
    let name = form.text("name").trim().to_owned();
    let days = form.text("days").trim().parse().unwrap_or(0);
    let done = tokens::create(&app.context, &staff.session.actor(), &name, &scopes, days).await;
    let what = staff.tr.t("接口令牌", "The token");
    respond(&app, &staff, done.map(|secret| Some(OneTimeSecret { what, name, secret })), "").await
}

pub async fn revoke_token(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let done = tokens::revoke(&app.context, &staff.session.actor(), &name).await;
    respond(&app, &staff, done.map(|()| None), "revoked").await
}
