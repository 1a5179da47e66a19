//! All accounts, invitations of colleagues, and API tokens.

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
use crate::adapters::database::accounts::Account;
use crate::adapters::database::api_tokens::{self, ApiToken};
use crate::domain::ids::AccountId;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::{Permission, Role};
use crate::domain::time::Timestamp;
use crate::interfaces::http::page_layout::{PageLayout, Translator, render_page};
use crate::services::accounts::colleagues::{self, Colleague};
use crate::services::accounts::invitations::{self, Invited, Invitee};
use crate::services::accounts::{self, AccountError, TokensOfDisabled, second_factor, tokens};

struct AccountRow {
    account: Account,
    /// The real name; empty where none is stored.
    full_name: Personal,
    phone: String,
    role: &'static str,
    state: String,
    is_self: bool,
    /// Its link can still be used.
    has_link: bool,
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

/// Somebody who has just been invited, with the link, which is shown once.
struct InvitedRow {
    invited: Invited,
    role: &'static str,
    /// What to send the person, link included.
    message: Personal,
}

/// A token that is shown once.
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
    problem: Option<String>,
    one_time_secret: Option<OneTimeSecret>,
    invited: Vec<InvitedRow>,
    /// A refused form, so that nothing must be typed again.
    form: BTreeMap<String, String>,
    accounts: Vec<AccountRow>,
    tokens: Vec<TokenRow>,
    /// Code, label and what the role is for, the least first.
    roles: Vec<(&'static str, &'static str, &'static str)>,
    scopes: Vec<(&'static str, &'static str)>,
}

impl AccountsPage<'_> {
    fn form_value(&self, field: &str) -> &str {
        self.form.get(field).map(String::as_str).unwrap_or_default()
    }
}

/// What a handler passes to the page: a confirmation, a problem, a secret or invitations.
#[derive(Default)]
struct FormState {
    flash: Option<&'static str>,
    problem: Option<String>,
    one_time_secret: Option<OneTimeSecret>,
    invited: Vec<Invited>,
    form: BTreeMap<String, String>,
}

async fn render(app: &AppState, staff: &Staff, form_state: FormState) -> Result<Response, Failure> {
    let internal =
        |error: crate::adapters::database::DatabaseError| Failure::Internal(error.to_string());
    let mut connection = app.context.database.read().await.map_err(internal)?;
    let all = crate::adapters::database::accounts::all(&mut connection).await.map_err(internal)?;
    let all_tokens = api_tokens::all(&mut connection).await.map_err(internal)?;
    let (tr, now) = (staff.tr, app.context.clock.now());
    let links: BTreeMap<AccountId, Timestamp> =
        crate::adapters::database::accounts::open_invitations(&mut connection, now)
            .await
            .map_err(internal)?
            .into_iter()
            .collect();
    drop(connection);
    let minute =
        |at: Timestamp| at.in_zone(chrono_tz::Asia::Shanghai).format("%m-%d %H:%M").to_string();
    let day = |at: Timestamp| at.date(chrono_tz::Asia::Shanghai).to_string();
    let account = |account: Account| AccountRow {
        role: tr.pair(account.role.labels()),
        full_name: colleagues::full_name_of(&app.context, &account).unwrap_or_default(),
        phone: colleagues::phone_of(&app.context, &account)
            .map(|phone| phone.displayed())
            .unwrap_or_default(),
        has_link: links.contains_key(&account.id),
        state: match (account.disabled_at, account.has_password, links.get(&account.id)) {
            (Some(_), ..) => tr.t("已停用", "disabled").to_owned(),
            (None, false, Some(until)) => {
                format!("{} {}", tr.t("等待设置密码，链接有效至", "invited until"), minute(*until))
            }
            (None, false, None) => {
                tr.t("链接已失效，请发送新链接", "its link is void; send another").to_owned()
            }
            (None, true, _) if account.has_second_factor => {
                tr.t("密码 + 动态口令", "password and code").to_owned()
            }
            (None, true, _) => tr.t("仅密码", "password only").to_owned(),
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
    let invited = |invited: Invited| {
        let (name, who) = (&invited.name, invited.full_name.reveal());
        let (link, until) = (invited.link.reveal(), minute(invited.expires_at));
        let message = match tr.tag() {
            "zh" => format!(
                "{who}，您好！请在 {until} 前打开以下链接，设置自己的密码（用户名 {name}）。链接只能用一次，请勿转发：{link}"
            ),
            _ => format!(
                "{who}, please open this link before {until} and choose your own password (account \
                    {name}). It works once; do not pass it on: {link}"
            ),
        };
        InvitedRow {
            role: tr.pair(invited.role.labels()),
            message: Personal::new(message),
            invited,
        }
    };
    let template = AccountsPage {
        layout: PageLayout::for_staff(staff),
        flash: form_state.flash,
        problem: form_state.problem,
        one_time_secret: form_state.one_time_secret,
        invited: form_state.invited.into_iter().map(invited).collect(),
        form: form_state.form,
        accounts: all.into_iter().map(account).collect(),
        tokens: all_tokens.iter().cloned().map(token).collect(),
        roles: Role::ALL
            .into_iter()
            .map(|role| (role.as_str(), tr.pair(role.labels()), tr.pair(role.descriptions())))
            .collect(),
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
        "link-revoked" => tr.t("邀请链接已撤销。", "The link is revoked."),
        "person" => tr.t("姓名和电话已保存。", "Name and telephone are kept."),
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

/// Invites one colleague, or those of a pasted list. The links are shown once.
pub async fn invite(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let people = if form.0.contains_key("people") {
        invitations::parse_list(&app.context, form.text("people"))
    } else {
        parse_one(&app, &form).map(|person| vec![person])
    };
    let done = match people {
        Ok(people) => invitations::invite(&app.context, &staff.session.actor(), &people).await,
        Err(error) => Err(error),
    };
    show_links(&app, &staff, done, form.0).await
}

fn parse_one(app: &AppState, form: &FormFields) -> Result<Invitee, AccountError> {
    let colleague = Colleague::parse(&app.context, form.text("full_name"), form.text("phone"))?;
    // A form without a role gives the least.
    let role = Role::parse(form.text("role")).unwrap_or(Role::Interviewer);
    let languages: Vec<Language> =
        form.text("languages").split_whitespace().filter_map(Language::parse).collect();
    Ok(Invitee {
        colleague,
        role,
        name: Some(form.text("name").trim().to_owned()).filter(|name| !name.is_empty()),
        languages: if languages.is_empty() { vec![Language::ZH] } else { languages },
    })
}

/// Shows the links, or the problem with the form as it was typed.
async fn show_links(
    app: &AppState,
    staff: &Staff,
    done: Result<Vec<Invited>, AccountError>,
    form: BTreeMap<String, String>,
) -> Result<Response, Failure> {
    let state = match done {
        Ok(invited) => FormState { invited, ..FormState::default() },
        Err(error) => {
            let problem = Some(describe_problem(staff.tr, error)?);
            FormState { problem, form, ..FormState::default() }
        }
    };
    render(app, staff, state).await
}

/// Makes a new link for somebody who has lost the password or the link.
pub async fn renew_link(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let done = invitations::renew(&app.context, &staff.session.actor(), &name).await;
    show_links(&app, &staff, done.map(|invited| vec![invited]), BTreeMap::new()).await
}

pub async fn revoke_link(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let done = invitations::revoke(&app.context, &staff.session.actor(), &name).await;
    respond(&app, &staff, done.map(|()| None), "link-revoked").await
}

/// Sets the real name and the telephone of an account.
pub async fn set_person(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let done = match Colleague::parse(&app.context, form.text("full_name"), form.text("phone")) {
        Ok(colleague) => {
            colleagues::set(&app.context, &staff.session.actor(), &name, &colleague).await
        }
        Err(error) => Err(error),
    };
    respond(&app, &staff, done.map(|()| None), "person").await
}

/// Disables an account, and revokes its tokens unless the form says that they are kept.
pub async fn disable(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    if name == staff.session.account.name {
        let problem = Some(staff.tr.t("不能停用自己。", "Nobody disables themselves.").to_owned());
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
