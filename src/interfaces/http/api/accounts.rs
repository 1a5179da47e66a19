//! Staff accounts and API tokens. Passwords and tokens are generated here and shown once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::pending_work::{DONE, Done};
use super::{Body, Caller, Path, Problem, Query, format_utc};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::accounts as stored;
use crate::adapters::database::api_tokens;
use crate::domain::ids::AccountId;
use crate::domain::language::Language;
use crate::domain::role::{Permission, Role};
use crate::domain::time::Timestamp;
use crate::interfaces::http::state::AppState;
use crate::services::accounts::colleagues::{self, Colleague};
use crate::services::accounts::invitations::{self, Invited, Invitee};
use crate::services::accounts::{self, AccountError, TokensOfDisabled, second_factor, tokens};

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Problem {
        match error {
            AccountError::Unknown(_) | AccountError::UnknownInvitation => Problem::not_found(),
            AccountError::Taken(_) | AccountError::ReservedName(_) => {
                Problem::from_error(StatusCode::CONFLICT, &error)
            }
            AccountError::ScopeNotHeld(_) => Problem::from_error(StatusCode::FORBIDDEN, &error),
            AccountError::Busy => Problem::from_error(StatusCode::SERVICE_UNAVAILABLE, &error),
            AccountError::InvalidName
            | AccountError::InvalidPassword
            | AccountError::CommonPassword
            | AccountError::FullName
            | AccountError::Phone(_)
            | AccountError::InvalidToken => {
                Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)
            }
            other => Problem::internal(&other.to_string()),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct AccountResponse {
    name: String,
    /// The real name, if one is stored.
    full_name: Option<String>,
    /// administrator, operator, supervisor, interviewer or auditor.
    role: &'static str,
    /// The languages that the user can interview in.
    languages: Vec<String>,
    /// Whether signing in requires a one-time code.
    has_second_factor: bool,
    /// Whether a password is set; the invited have none yet.
    has_password: bool,
    /// Until when the account's link can be used.
    invited_until: Option<String>,
    created_at: String,
    disabled_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Accounts {
    items: Vec<AccountResponse>,
}

/// Lists all accounts.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts", responses((status = 200, body = Accounts)))]
pub async fn list(State(app): State<Arc<AppState>>) -> Result<Json<Accounts>, Problem> {
    let mut connection = app.context.database.read().await?;
    let all = stored::all(&mut connection).await?;
    let links: BTreeMap<AccountId, Timestamp> =
        stored::open_invitations(&mut connection, app.context.clock.now())
            .await?
            .into_iter()
            .collect();
    drop(connection);
    let to_response = |account: stored::Account| AccountResponse {
        full_name: colleagues::full_name_of(&app.context, &account)
            .map(|name| name.reveal().to_owned()),
        has_password: account.has_password,
        invited_until: links.get(&account.id).map(|until| format_utc(*until)),
        name: account.name,
        role: account.role.as_str(),
        languages: account.languages.iter().map(|language| language.to_string()).collect(),
        has_second_factor: account.has_second_factor,
        created_at: format_utc(account.created_at),
        disabled_at: account.disabled_at.map(format_utc),
    };
    Ok(Json(Accounts { items: all.into_iter().map(to_response).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Letters, digits, `-`, `_` and `.`.
    #[schema(min_length = 1, max_length = 40)]
    name: String,
    #[schema(pattern = "^(administrator|operator|supervisor|interviewer|auditor)$")]
    role: String,
    /// zh, en; zh if omitted.
    #[serde(default)]
    languages: Vec<String>,
}

/// The new password of an account, shown once.
#[derive(Serialize, ToSchema)]
pub struct NewPasswordResponse {
    name: String,
    password: String,
}

/// Adds an account.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", request_body = NewAccount, responses((status = 201, body = NewPasswordResponse)))]
pub async fn add(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<NewPasswordResponse>), Problem> {
    let (role, languages) = (parse_role(&new.role)?, parse_languages(&new.languages)?);
    let password = new_token().map_err(AccountError::from)?;
    accounts::add(&app.context, &caller.actor, &new.name, role, &languages, password.clone())
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(NewPasswordResponse { name: new.name, password: password.reveal().to_owned() }),
    ))
}

fn parse_role(raw: &str) -> Result<Role, Problem> {
    Role::parse(raw).ok_or_else(|| {
        Problem::wrong("role is administrator, operator, supervisor, interviewer or auditor")
    })
}

fn parse_languages(tags: &[String]) -> Result<Vec<Language>, Problem> {
    let language = |tag: &String| {
        Language::parse(tag).ok_or_else(|| {
            Problem::wrong(format!("«{tag}» is no language; use a tag such as zh, en or pt"))
        })
    };
    let languages = tags.iter().map(language).collect::<Result<Vec<Language>, Problem>>()?;
    Ok(if languages.is_empty() { vec![Language::ZH] } else { languages })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    #[schema(min_length = 1, max_length = 60)]
    full_name: String,
    /// Empty: none.
    #[serde(default)]
    phone: String,
    #[schema(pattern = "^(administrator|operator|supervisor|interviewer|auditor)$")]
    role: String,
    /// The account's name; a short one is made if it is omitted.
    #[schema(min_length = 1, max_length = 40)]
    name: Option<String>,
    /// zh, en; zh if omitted.
    #[serde(default)]
    languages: Vec<String>,
}

/// A link by which the invited set their own password, shown once.
#[derive(Serialize, ToSchema)]
pub struct InvitationResponse {
    name: String,
    link: String,
    expires_at: String,
}

impl InvitationResponse {
    fn new(invited: &Invited) -> InvitationResponse {
        InvitationResponse {
            name: invited.name.clone(),
            link: invited.link.reveal().to_owned(),
            expires_at: format_utc(invited.expires_at),
        }
    }
}

/// Adds an account whose person sets the password by a link, once, within 72 hours.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "accounts", request_body = NewInvitation, responses((status = 201, body = InvitationResponse)))]
pub async fn invite(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewInvitation>,
) -> Result<(StatusCode, Json<InvitationResponse>), Problem> {
    let invitee = Invitee {
        colleague: Colleague::parse(&app.context, &new.full_name, &new.phone)?,
        role: parse_role(&new.role)?,
        name: new.name,
        languages: parse_languages(&new.languages)?,
    };
    let invited = invitations::invite(&app.context, &caller.actor, &[invitee]).await?;
    // One link for one person.
    let invited = invited.first().ok_or_else(|| Problem::internal("no link was made"))?;
    Ok((StatusCode::CREATED, Json(InvitationResponse::new(invited))))
}

/// Makes a new link for an account; its password and earlier links are void at once.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/invitation", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = InvitationResponse)))]
pub async fn renew_invitation(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
) -> Result<Json<InvitationResponse>, Problem> {
    let invited = invitations::renew(&app.context, &caller.actor, &account).await?;
    Ok(Json(InvitationResponse::new(&invited)))
}

/// Revokes the link of an account.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/invitation", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = Done)))]
pub async fn revoke_invitation(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
) -> Result<Json<Done>, Problem> {
    invitations::revoke(&app.context, &caller.actor, &account).await?;
    Ok(DONE)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DisableParams {
    /// Do not revoke the tokens that the account has made.
    #[serde(default)]
    keep_tokens: bool,
}

/// Disables an account, ends its sessions and revokes its tokens.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/disable", tag = "accounts", params(("account" = String, Path), DisableParams),
    responses((status = 200, body = Done)))]
pub async fn disable(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
    Query(query): Query<DisableParams>,
) -> Result<Json<Done>, Problem> {
    let its_tokens =
        if query.keep_tokens { TokensOfDisabled::Keep } else { TokensOfDisabled::Revoke };
    accounts::disable(&app.context, &caller.actor, &account, its_tokens).await?;
    Ok(DONE)
}

/// Sets a new password, which is shown once.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/password", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = NewPasswordResponse)))]
pub async fn reset_password(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
) -> Result<Json<NewPasswordResponse>, Problem> {
    let password = new_token().map_err(AccountError::from)?;
    accounts::set_password(&app.context, &caller.actor, &account, password.clone()).await?;
    Ok(Json(NewPasswordResponse { name: account, password: password.reveal().to_owned() }))
}

/// Removes a user's one-time codes.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/second-factor", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = Done)))]
pub async fn reset_second_factor(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
) -> Result<Json<Done>, Problem> {
    second_factor::reset(&app.context, &caller.actor, &account).await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct TokenResponse {
    name: String,
    scopes: Vec<&'static str>,
    created_by: String,
    /// The account behind the token is disabled.
    maker_is_disabled: bool,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    /// Accurate to ten minutes.
    last_used_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Tokens {
    items: Vec<TokenResponse>,
}

/// Lists all tokens, including expired and revoked ones.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "accounts", responses((status = 200, body = Tokens)))]
pub async fn list_tokens(State(app): State<Arc<AppState>>) -> Result<Json<Tokens>, Problem> {
    let mut connection = app.context.database.read().await?;
    let all = api_tokens::all(&mut connection).await?;
    let accounts = stored::all(&mut connection).await?;
    let is_disabled = |name: &str| {
        accounts.iter().any(|account| account.name == name && account.disabled_at.is_some())
    };
    let orphans: Vec<bool> =
        all.iter().map(|token| is_disabled(&tokens::person_behind(&all, &token.name))).collect();
    let to_response = |(token, maker_is_disabled): (api_tokens::ApiToken, bool)| TokenResponse {
        maker_is_disabled,
        name: token.name,
        scopes: token.scopes.iter().map(|scope| scope.as_str()).collect(),
        created_by: token.created_by,
        created_at: format_utc(token.created_at),
        expires_at: format_utc(token.expires_at),
        revoked_at: token.revoked_at.map(format_utc),
        last_used_at: token.last_used_at.map(format_utc),
    };
    Ok(Json(Tokens { items: all.into_iter().zip(orphans).map(to_response).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    #[schema(min_length = 1, max_length = 40)]
    name: String,
    /// read, operate, reveal, interview, supervise, datasets, accounts, audit.
    #[schema(min_items = 1)]
    scopes: Vec<String>,
    #[schema(minimum = 1, maximum = 730)]
    days: u32,
}

/// A new token, shown once.
#[derive(Serialize, ToSchema)]
pub struct NewTokenResponse {
    name: String,
    token: String,
}

/// Creates a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "accounts", request_body = NewToken, responses((status = 201, body = NewTokenResponse)))]
pub async fn create_token(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<NewTokenResponse>), Problem> {
    let scope = |code: &String| {
        Permission::parse(code).ok_or_else(|| Problem::wrong(format!("«{code}» is no scope")))
    };
    let scopes = new.scopes.iter().map(scope).collect::<Result<Vec<Permission>, Problem>>()?;
    let token = tokens::create(&app.context, &caller.actor, &new.name, &scopes, new.days).await?;
    Ok((
        StatusCode::CREATED,
        Json(NewTokenResponse { name: new.name, token: token.reveal().to_owned() }),
    ))
}

/// Revokes a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{token}", tag = "accounts", params(("token" = String, Path)), responses((status = 200, body = Done)))]
pub async fn revoke_token(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
) -> Result<Json<Done>, Problem> {
    tokens::revoke(&app.context, &caller.actor, &token).await?;
    Ok(DONE)
}
