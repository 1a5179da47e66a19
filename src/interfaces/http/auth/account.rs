//! The user's own account: password and second factor.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::state::AppState;
use super::{FormFields, Staff};
use crate::adapters::crypto::totp::TotpSecret;
use crate::domain::personal::Personal;
use crate::domain::role::Role;
use crate::interfaces::errors::LocalizedError;
use crate::interfaces::http::page_layout::{PageLayout, Translator, render_page};
use crate::services::accounts::invitations::{LineProblem, WrongLine};
use crate::services::accounts::{self, AccountError, second_factor};

#[derive(Template)]
#[template(path = "staff/account.html")]
struct AccountPage<'a> {
    layout: PageLayout<'a>,
    role: &'static str,
    account: &'a str,
    flash: Option<&'static str>,
    problem: Option<String>,
    is_needed: bool,
    has_second_factor: bool,
    /// A new TOTP secret to enrol, as a QR code and as text.
    offered: Option<(Personal, Personal)>,
    recovery_codes: Vec<Personal>,
}

impl<'a> AccountPage<'a> {
    fn new(app: &AppState, staff: &'a Staff) -> AccountPage<'a> {
        let account = &staff.session.account;
        AccountPage {
            layout: PageLayout::for_staff(staff),
            role: staff.tr.pair(account.role.labels()),
            account: &account.name,
            flash: None,
            problem: None,
            is_needed: app.context.config.console.needs_second_factor && !account.has_second_factor,
            has_second_factor: account.has_second_factor,
            offered: None,
            recovery_codes: Vec::new(),
        }
    }

    fn with_offer(mut self, offered: &TotpSecret) -> AccountPage<'a> {
        self.offered =
            Some((offered.qr_svg().unwrap_or_else(|| Personal::new("")), offered.grouped_base32()));
        self
    }
}

/// Returns the message for a user error; internal errors become a [`Failure`].
pub(super) fn describe_problem(tr: Translator, error: AccountError) -> Result<String, Failure> {
    let text = match error {
        AccountError::Lines(lines) => return Ok(describe_lines(tr, &lines)),
        AccountError::Phone(error) => return Ok(error.localized(tr.0)),
        AccountError::UnknownInvitation => tr.t(
            "该链接已用过、已撤销，或已超过 72 小时。请向管理员索取新的链接。",
            "This link was used already, was withdrawn, or is older than 72 hours. Ask an \
                administrator for another.",
        ),
        AccountError::FullName => {
            tr.t("请填写姓名，最多 60 个字。", "Write a name of at most 60 characters.")
        }
        AccountError::WrongCredentials => {
            tr.t("现在的密码不正确。", "The present password is wrong.")
        }
        AccountError::Locked => tr
            .t("多次错误，请一刻钟后再试。", "Wrong too often; try again in a quarter of an hour."),
        AccountError::InvalidPassword => tr.t(
            "密码须有 15 至 256 个字符；几个词连在一起便于记忆。",
            "A password has 15 to 256 characters; several words are easy to keep in mind.",
        ),
        AccountError::CommonPassword => tr.t(
            "这样的密码最先被猜到，请选几个互不相干的词。",
            "Such a password is guessed first; choose several words that do not belong together.",
        ),
        AccountError::ReservedName(_) => {
            tr.t("该名称已作他用，请另取。", "The name is used for something else; choose another.")
        }
        AccountError::ScopeNotHeld(_) => {
            tr.t("不能授予自己没有的权限。", "Nobody can give a permission they do not have.")
        }
        AccountError::Busy => tr.t(
            "登录的人较多，请几秒后再试。",
            "Many people are signing in; try again in a few seconds.",
        ),
        AccountError::WrongCode => tr.t(
            "口令不正确，请输入验证器现在显示的 6 位数字。",
            "The code is wrong; enter the six digits that the authenticator shows now.",
        ),
        AccountError::NothingToConfirm => tr.t("请从头开始。", "Begin again."),
        AccountError::InvalidName => tr.t(
            "用户名为 1 至 40 个字母、数字、“-”“_”“.”。",
            "A name has 1 to 40 letters, digits, «-», «_» and «.».",
        ),
        AccountError::Taken(_) => tr.t("已有同名。", "The name is taken."),
        AccountError::Unknown(_) => tr.t(
            "没有此账户或令牌，或已停用。",
            "There is no such account or token, or not any more.",
        ),
        AccountError::InvalidToken => tr.t(
            "令牌至少有一项权限，有效 1 至 730 天。",
            "A token is for one scope at least, and for 1 to 730 days.",
        ),
        other => return Err(Failure::Internal(other.to_string())),
    };
    Ok(text.to_owned())
}

/// Says what is wrong with the lines of a pasted list, a sentence each.
fn describe_lines(tr: Translator, lines: &[WrongLine]) -> String {
    let describe = |WrongLine { line, problem }: &WrongLine| {
        let said = match problem {
            LineProblem::FullName => tr.t("请填写姓名", "write a name").to_owned(),
            LineProblem::Phone(error) => error.localized(tr.0),
            LineProblem::Role => {
                let roles = Role::ALL.map(|role| tr.pair(role.labels()));
                format!(
                    "{}{}",
                    tr.t("角色请写：", "the role is one of: "),
                    roles.join(tr.t("、", ", "))
                )
            }
            LineProblem::Name => tr
                .t(
                    "用户名为 1 至 40 个字母、数字、“-”“_”“.”",
                    "an account's name has 1 to 40 letters, digits, «-», «_» and «.»",
                )
                .to_owned(),
            LineProblem::SameAs(other) => {
                format!("{} {other} {}", tr.t("与第", "the same as line"), tr.t("行相同", ""))
            }
            LineProblem::TooMany => {
                tr.t("一次最多邀请 100 人", "at most 100 people are invited at once").to_owned()
            }
        };
        match tr.tag() {
            "zh" => format!("第 {line} 行：{}。", said.trim_end()),
            _ => format!("Line {line}: {}.", said.trim_end()),
        }
    };
    let nothing = tr.t("没有创建任何账户。", "No account was made.");
    let lines = lines.iter().map(describe).collect::<Vec<_>>();
    format!("{nothing}{}{}", tr.t("", " "), lines.join(tr.t("", " ")))
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "password" => tr.t(
            "密码已修改，其他登录已失效。",
            "The password is another one now; you are signed out elsewhere.",
        ),
        "welcome" => tr.t(
            "密码已设置。现在请绑定动态口令，以后登录更安全。",
            "Your password is set. Now set up one-time codes, which make signing in safer.",
        ),
        "removed" => tr.t("动态口令已停用。", "Codes are not asked for any more."),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let mut template = AccountPage::new(&app, &staff);
    let noted = query.get("noted").map(String::as_str);
    // The invited go on with the secret that was drawn when they set their password.
    if noted == Some("welcome") && !template.has_second_factor {
        let offered = second_factor::pending_secret(&app.context, &staff.session)
            .await
            .map_err(|error| Failure::Internal(error.to_string()))?;
        if let Some(offered) = offered {
            template = template.with_offer(&offered);
        }
    }
    template.flash = noted.and_then(|what| flash_text(staff.tr, what));
    Ok(render_page(StatusCode::OK, &template))
}

fn render_problem(app: &AppState, staff: &Staff, error: AccountError) -> Result<Response, Failure> {
    let mut template = AccountPage::new(app, staff);
    template.problem = Some(describe_problem(staff.tr, error)?);
    Ok(render_page(StatusCode::UNPROCESSABLE_ENTITY, &template))
}

fn password_from(form: &FormFields, field: &str) -> Personal {
    Personal::new(form.text(field))
}

pub async fn change_password(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    match accounts::change_own_password(
        &app.context,
        &staff.session,
        password_from(&form, "present"),
        password_from(&form, "new"),
    )
    .await
    {
        Ok(()) => Ok(Redirect::to("/staff/account?noted=password").into_response()),
        Err(error) => render_problem(&app, &staff, error),
    }
}

pub async fn offer_second_factor(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    match second_factor::draw_secret(&app.context, &staff.session, password_from(&form, "present"))
        .await
    {
        Ok(offered) => {
            Ok(render_page(StatusCode::OK, &AccountPage::new(&app, &staff).with_offer(&offered)))
        }
        Err(error) => render_problem(&app, &staff, error),
    }
}

pub async fn confirm_second_factor(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    match second_factor::confirm(&app.context, &staff.session, form.text("code")).await {
        Ok(codes) => {
            let mut template = AccountPage::new(&app, &staff);
            (template.has_second_factor, template.is_needed, template.recovery_codes) =
                (true, false, codes);
            Ok(render_page(StatusCode::OK, &template))
        }
        Err(error) => {
            let offered = second_factor::pending_secret(&app.context, &staff.session)
                .await
                .map_err(|error| Failure::Internal(error.to_string()))?;
            let Some(offered) = offered else { return render_problem(&app, &staff, error) };
            let mut template = AccountPage::new(&app, &staff).with_offer(&offered);
            template.problem = Some(describe_problem(staff.tr, error)?);
            Ok(render_page(StatusCode::UNPROCESSABLE_ENTITY, &template))
        }
    }
}

pub async fn remove_second_factor(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    match second_factor::remove(&app.context, &staff.session, password_from(&form, "present")).await
    {
        Ok(()) => Ok(Redirect::to("/staff/account?noted=removed").into_response()),
        Err(error) => render_problem(&app, &staff, error),
    }
}
