//! `/problems/CODE`: the page that the `type` of an API problem is the address of. It is public
//! and shows only the catalogue, in both languages.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::auth::with_security_policy;
use super::error_page::Failure;
use super::page_layout::{PageLayout, Translator, render_page};
use super::state::AppState;
use crate::domain::language::ConsoleLanguage;
use crate::interfaces::errors::{self, Entry};

pub fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/problems", get(list)).route("/problems/{code}", get(show))
}

#[derive(Template)]
#[template(path = "staff/problems.html")]
struct ProblemsPage<'a> {
    layout: PageLayout<'a>,
    /// The code that was asked for; `None` on the list of all.
    code: Option<&'a str>,
    entries: Vec<(String, &'static Entry)>,
}

impl ProblemsPage<'_> {
    /// Takes a text of the catalogue apart at its backquotes: what stands between them is code.
    fn parts(text: &str) -> Vec<(bool, &str)> {
        text.split('`').enumerate().map(|(n, part)| (n % 2 == 1, part)).collect()
    }
}

async fn list() -> Response {
    let layout = PageLayout::signed_out(Translator(ConsoleLanguage::default()));
    let entries = errors::entries().collect();
    let page = ProblemsPage { layout, code: None, entries };
    with_security_policy(render_page(StatusCode::OK, &page))
}

async fn show(Path(code): Path<String>) -> Result<Response, Failure> {
    let entry = errors::entry(&code).ok_or(Failure::NotFound)?;
    let layout = PageLayout::signed_out(Translator(ConsoleLanguage::default()));
    let page = ProblemsPage { layout, code: Some(&code), entries: vec![(code.clone(), entry)] };
    Ok(with_security_policy(render_page(StatusCode::OK, &page)))
}
