//! Authentication and authorization of the staff: sign-in, accounts, tokens, and the router to
//! which every staff route is added ([`StaffRouter`]).
//!
//! Each route requires a permission ([`crate::domain::role`]). Every POST carries a token of its
//! session that other sites cannot know. Actions and views of personal data are audited before they
//! happen. The session is in a cookie that scripts cannot read.

mod account;
mod accounts;
mod authorize;
mod invitation;
mod routes;
mod sign_in;
mod styles;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;

use super::state::AppState;
use crate::domain::role::Permission;
pub use authorize::{FormFields, Staff, cookie_of};
pub(super) use authorize::{
    error_page, is_same_site, is_staff, language_of, uses_tls, with_security_policy,
};
pub use routes::{AuditSpec, RouteSpec, StaffRouter};
pub(super) use sign_in::new_cookie;

/// Maximum size of a staff form in bytes. The longest field is the note of a call.
const MAX_FORM: usize = 64 * 1024;

/// Returns the sign-in routes, which need no session.
pub fn public_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/staff/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/staff/code", get(sign_in::code_form).post(sign_in::code))
        .route("/staff/invitation/{token}", get(invitation::show).post(invitation::accept))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

/// Returns the routes of the own account, all accounts and tokens.
pub fn routes(app: &Arc<AppState>) -> StaffRouter {
    StaffRouter::new(app)
        .page("/staff", None, sign_in::home)
        .form("/staff/sign-out", None, sign_in::sign_out)
        .form("/staff/language", None, sign_in::set_language)
        .page("/staff/account", None, account::show)
        .form("/staff/account/password", None, account::change_password)
        .form("/staff/account/second-factor", None, account::offer_second_factor)
        .form("/staff/account/second-factor/confirm", None, account::confirm_second_factor)
        .form("/staff/account/second-factor/remove", None, account::remove_second_factor)
        .page("/staff/styles", Permission::ManageAccounts, styles::show)
        .page("/accounts", Permission::ManageAccounts, accounts::show)
        .form("/accounts", Permission::ManageAccounts, accounts::invite)
        .form("/accounts/{name}/disable", Permission::ManageAccounts, accounts::disable)
        .form("/accounts/{name}/link", Permission::ManageAccounts, accounts::renew_link)
        .form("/accounts/{name}/link/revoke", Permission::ManageAccounts, accounts::revoke_link)
        .form("/accounts/{name}/person", Permission::ManageAccounts, accounts::set_person)
        .form(
            "/accounts/{name}/second-factor",
            Permission::ManageAccounts,
            accounts::reset_second_factor,
        )
        .form("/tokens", Permission::ManageAccounts, accounts::create_token)
        .form("/tokens/{name}/revoke", Permission::ManageAccounts, accounts::revoke_token)
}
