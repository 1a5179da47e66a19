//! The handbook, served by the program itself: each page's «?» opens its section. The text is that
//! of `docs/zh` (in English that of `docs`), compiled in, so that it always matches this version.

mod rendering;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;

use super::Failure;
use super::auth::{Staff, StaffRouter, language_of, with_security_policy};
use super::page_layout::{PageLayout, Translator, render_page};
use super::state::AppState;
use rendering::{Heading, RenderedDocument, render};

/// The documents by name.
const DOCUMENTS: [(&str, &str); 7] = [
    ("handbook", include_str!("../../../../docs/zh/handbook.md")),
    ("interviewer", include_str!("../../../../docs/zh/interviewer.md")),
    ("applicant", include_str!("../../../../docs/zh/applicant.md")),
    ("administrator", include_str!("../../../../docs/zh/administrator.md")),
    ("console", include_str!("../../../../docs/console.md")),
    ("telephone", include_str!("../../../../docs/telephone.md")),
    ("operations", include_str!("../../../../docs/operations.md")),
];

/// The documents in each language of the console, with their titles.
const IN_CHINESE: [(&str, &str); 4] = [
    ("handbook", "运营手册"),
    ("interviewer", "访问员手册"),
    ("applicant", "申报单位说明"),
    ("administrator", "管理员手册"),
];
const IN_ENGLISH: [(&str, &str); 3] =
    [("console", "The console"), ("telephone", "Telephone"), ("operations", "Operations")];

macro_rules! pictures {
    ($($name:literal)*) => {
        [$(($name, include_bytes!(concat!("../../../../docs/zh/pictures/", $name, ".webp")) as &[u8])),*]
    };
}

/// The pictures, which a test makes (`tests/run pictures`).
static PICTURES: [(&str, &[u8]); 14] = pictures!(
    "application-draft" "applicant" "campaign" "deliveries" "draft" "home" "inbox" "interviewer"
    "launch" "list" "list-columns" "questionnaire-editor" "respondent" "supervision"
);

/// Returns the text of a document; `None`: there is none of this name.
pub fn document(name: &str) -> Option<&'static str> {
    DOCUMENTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

pub fn routes(app: &Arc<AppState>) -> StaffRouter {
    StaffRouter::new(app).page("/help", None, first).page("/help/{document}", None, show)
}

/// What applicants read too, and the pictures.
pub fn public_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/help/pictures/{name}", get(picture))
        .route("/applicant-guide", get(applicant_guide))
}

#[derive(Template)]
#[template(path = "staff/handbook.html")]
struct HandbookPage<'a> {
    layout: PageLayout<'a>,
    title: String,
    language: &'static str,
    /// Name, title, and whether it is the open one.
    documents: Vec<(&'static str, &'static str, bool)>,
    headings: &'a [Heading],
    body: &'a str,
}

async fn first(Extension(staff): Extension<Staff>) -> Redirect {
    Redirect::to(staff.tr.t("/help/handbook", "/help/console"))
}

async fn show(
    Extension(staff): Extension<Staff>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let text = document(&name).ok_or(Failure::NotFound)?;
    let rendered = render(text);
    let documents = documents_with(&name);
    Ok(render_page(
        StatusCode::OK,
        &page(PageLayout::for_staff(&staff), &rendered, documents, &name),
    ))
}

async fn applicant_guide(State(_): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let tr = Translator(language_of(&headers).unwrap_or_default());
    let rendered = render(document("applicant").unwrap_or_default());
    let layout = PageLayout::signed_out(tr);
    let page = page(layout, &rendered, Vec::new(), "applicant").render();
    match page {
        Ok(html) => with_security_policy(Html(html).into_response()),
        Err(error) => Failure::Internal(error.to_string()).into_response(),
    }
}

fn page<'a>(
    layout: PageLayout<'a>,
    rendered: &'a RenderedDocument,
    documents: Vec<(&'static str, &'static str, bool)>,
    name: &str,
) -> HandbookPage<'a> {
    let is_chinese = IN_CHINESE.iter().any(|(known, _)| *known == name);
    HandbookPage {
        layout,
        title: rendered.title.clone(),
        language: if is_chinese { "zh" } else { "en" },
        documents,
        headings: &rendered.headings,
        body: &rendered.html,
    }
}

/// The documents of the language in which the open one is.
fn documents_with(open: &str) -> Vec<(&'static str, &'static str, bool)> {
    let is_chinese = IN_CHINESE.iter().any(|(name, _)| *name == open);
    let all: &[(&'static str, &'static str)] = if is_chinese { &IN_CHINESE } else { &IN_ENGLISH };
    all.iter().map(|&(name, title)| (name, title, name == open)).collect()
}

async fn picture(Path(name): Path<String>) -> Response {
    let Some((_, bytes)) = PICTURES.iter().find(|(known, _)| *known == name) else {
        return Failure::NotFound.into_response();
    };
    let headers =
        [(header::CONTENT_TYPE, "image/webp"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, *bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_and_picture_of_the_handbook_leads_somewhere() {
        for (name, title) in IN_CHINESE {
            let rendered = render(document(name).unwrap());
            assert!(rendered.title.contains(title), "{name}: {}", rendered.title);
            for part in rendered.html.split("href=\"").skip(1) {
                let to = part.split('"').next().unwrap();
                let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
                let document = match path.strip_prefix("/help/") {
                    None if path.is_empty() => document(name).unwrap(),
                    Some(other) => document(other).unwrap_or_else(|| panic!("{name}: {to}")),
                    None => panic!("{name}: {to} leads out of the program"),
                };
                assert!(
                    anchor.is_empty() || document.contains(&format!("<a id=\"{anchor}\"></a>")),
                    "{name}: {to}"
                );
            }
            for part in rendered.html.split("src=\"").skip(1) {
                let to = part.split('"').next().unwrap();
                let picture = to.strip_prefix("/help/pictures/").unwrap();
                assert!(PICTURES.iter().any(|(known, _)| *known == picture), "{name}: {to}");
            }
        }
    }

    #[test]
    fn every_picture_is_shown_in_the_handbook() {
        let all: String = IN_CHINESE.iter().filter_map(|(name, _)| document(name)).collect();
        for (name, bytes) in PICTURES {
            assert!(all.contains(&format!("](pictures/{name}.webp)")), "{name}");
            assert_eq!(&bytes[..4], b"RIFF", "{name}");
        }
    }
}
