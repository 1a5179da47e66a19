//! The own account: another password, the second factor.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::state::Site;
use super::{Sent, Staff};
use crate::interfaces::http::page_layout::{Frame, Say, page};
use crate::services::accounts::{self, AccountError, second_factor};
use crate::adapters::crypto::one_time::OneTime;
use crate::domain::personal::Personal;

#[derive(Template)]
#[template(path = "staff/account.html")]
struct AccountPage<'a> {
    f: Frame<'a>,
    role: &'static str,
    noted: Option<&'static str>,
    problem: Option<&'static str>,
    is_needed: bool,
    has_second_factor: bool,
    /// The secret to take over into an authenticator: its picture, and as it is typed.
    offered: Option<(Personal, Personal)>,
    recovery_codes: Vec<Personal>,
}

impl<'a> AccountPage<'a> {
    fn new(site: &Site, staff: &'a Staff) -> AccountPage<'a> {
        let account = &staff.session.account;
        AccountPage {
            f: Frame::of(staff),
            role: staff.say.of(account.role.words()),
            noted: None,
            problem: None,
            is_needed: site.installation.config.console.needs_second_factor && !account.has_second_factor,
            has_second_factor: account.has_second_factor,
            offered: None,
            recovery_codes: Vec::new(),
        }
    }

    fn with_offer(mut self, offered: &OneTime) -> AccountPage<'a> {
        self.offered = Some((offered.picture().unwrap_or_else(|| Personal::new("")), offered.in_groups()));
        self
    }
}

/// What somebody did wrong, as the page says it; an error of ours goes on.
pub(super) fn problem_of(say: Say, error: AccountError) -> Result<&'static str, Failure> {
    Ok(match error {
        AccountError::Wrong => say.t("现在的密码不正确。", "The present password is wrong."),
        AccountError::Locked => say.t("多次错误，请一刻钟后再试。", "Wrong too often; try again in a quarter of an hour."),
        AccountError::Password => say
            .t("密码须有 15 至 256 个字符；几个词连在一起便于记忆。", "A password has 15 to 256 characters; several words are easy to keep in mind."),
        AccountError::WrongCode => {
            say.t("口令不正确，请输入验证器现在显示的 6 位数字。", "The code is wrong; enter the six digits that the authenticator shows now.")
        }
        AccountError::NothingToConfirm => say.t("请从头开始。", "Begin again."),
        AccountError::Name => say.t("用户名为 1 至 40 个字母、数字、“-”“_”“.”。", "A name has 1 to 40 letters, digits, «-», «_» and «.»."),
        AccountError::Taken(_) => say.t("已有同名。", "The name is taken."),
        AccountError::Unknown(_) => say.t("没有此账户或令牌，或已停用。", "There is no such account or token, or not any more."),
        AccountError::Token => say.t("令牌至少有一项权限，有效 1 至 730 天。", "A token is for one scope at least, and for 1 to 730 days."),
        other => return Err(Failure::Internal(other.to_string())),
    })
}

fn noted(say: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "password" => say.t("密码已修改，其他登录已失效。", "The password is another one now; you are signed out elsewhere."),
        "removed" => say.t("动态口令已停用。", "Codes are not asked for any more."),
        _ => return None,
    })
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let mut shown = AccountPage::new(&site, &staff);
    shown.noted = query.get("noted").and_then(|what| noted(staff.say, what));
    Ok(page(StatusCode::OK, &shown))
}

fn again(site: &Site, staff: &Staff, error: AccountError) -> Result<Response, Failure> {
    let mut shown = AccountPage::new(site, staff);
    shown.problem = Some(problem_of(staff.say, error)?);
    Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &shown))
}

fn password(sent: &Sent, field: &str) -> Personal {
    Personal::new(sent.text(field))
}

pub async fn change_password(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    match accounts::change_own_password(&site.installation, &staff.session, password(&sent, "present"), password(&sent, "new")).await {
        Ok(()) => Ok(Redirect::to("/staff/account?noted=password").into_response()),
        Err(error) => again(&site, &staff, error),
    }
}

pub async fn offer_second_factor(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    match second_factor::offer(&site.installation, &staff.session, password(&sent, "present")).await {
        Ok(offered) => Ok(page(StatusCode::OK, &AccountPage::new(&site, &staff).with_offer(&offered))),
        Err(error) => again(&site, &staff, error),
    }
}

pub async fn confirm_second_factor(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    match second_factor::confirm(&site.installation, &staff.session, sent.text("code")).await {
        Ok(codes) => {
            let mut shown = AccountPage::new(&site, &staff);
            (shown.has_second_factor, shown.is_needed, shown.recovery_codes) = (true, false, codes);
            Ok(page(StatusCode::OK, &shown))
        }
        Err(error) => {
            let offered = second_factor::offered(&site.installation, &staff.session).await.map_err(|error| Failure::Internal(error.to_string()))?;
            let Some(offered) = offered else { return again(&site, &staff, error) };
            let mut shown = AccountPage::new(&site, &staff).with_offer(&offered);
            shown.problem = Some(problem_of(staff.say, error)?);
            Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &shown))
        }
    }
}

pub async fn remove_second_factor(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    match second_factor::remove(&site.installation, &staff.session, password(&sent, "present")).await {
        Ok(()) => Ok(Redirect::to("/staff/account?noted=removed").into_response()),
        Err(error) => again(&site, &staff, error),
    }
}
