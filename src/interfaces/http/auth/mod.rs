//! What the staff's pages share: signing in and out, the doors that every route is, the frame
//! around every page.
//!
//! A route is open to whoever has its permission ([`crate::domain::role`]) and to nobody else;
//! every POST carries a token of its session that no other site can know; what is done or shown of
//! a person is in the audit log before it happens. The browser holds the session in a cookie that
//! scripts cannot read.

mod account;
mod accounts;
mod authorize;
mod routes;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;

use super::state::AppState;
use crate::domain::role::Permission;
pub use authorize::{FormFields, Staff};
pub use routes::{AuditSpec, RouteSpec, StaffRouter};

/// Forms of the staff; a note to a call is the longest.
const MAX_FORM: usize = 64 * 1024;

/// Signing in, which is open to everybody.
pub fn public_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/staff/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/staff/code", get(sign_in::code_form).post(sign_in::code))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

/// The own account, and everybody's.
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
        .page("/accounts", Permission::ManageAccounts, accounts::show)
        .form("/accounts", Permission::ManageAccounts, accounts::add)
        .form("/accounts/{name}/disable", Permission::ManageAccounts, accounts::disable)
        .form("/accounts/{name}/password", Permission::ManageAccounts, accounts::reset_password)
        .form(
            "/accounts/{name}/second-factor",
            Permission::ManageAccounts,
            accounts::reset_second_factor,
        )
        .form("/tokens", Permission::ManageAccounts, accounts::make_token)
        .form("/tokens/{name}/revoke", Permission::ManageAccounts, accounts::revoke_token)
}
