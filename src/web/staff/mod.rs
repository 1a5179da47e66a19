//! What the staff's pages share: signing in and out, the guard that every route stands behind, the frame around every page.
//!
//! A route is open to whoever has its permission ([`crate::domain::role`]) and to nobody else; every POST carries a token of its session that no other site can
//! know. The browser holds the session in a cookie that scripts cannot read.

mod frame;
mod guard;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::Site;
pub use frame::{Frame, Say, page};
pub use guard::{Sent, Staff, behind};

/// Forms of the staff; a note to a call is the longest.
const MAX_FORM: usize = 64 * 1024;

/// Signing in and out, and the way to what somebody may do.
pub fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    let inside = Router::new()
        .route("/staff", get(sign_in::home))
        .route("/staff/sign-out", post(sign_in::sign_out))
        .route("/staff/language", post(sign_in::set_language));
    Router::new()
        .route("/staff/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .merge(behind(site, None, inside))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}
