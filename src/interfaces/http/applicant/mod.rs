//! An applicant's own pages at `/applicant/TOKEN`: sign-in by a one-time code, documents and lists,
//! the declaration, and totals afterwards.
//!
//! GET sends no code and changes nothing, so that scanners and previews of the link do no harm. The
//! cookie works only together with the link. Another applicant's data is never found here.

mod home;
mod lists;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::Failure;
use super::auth::{
    FormFields, cookie_of, error_page, is_same_site, language_of, new_cookie, uses_tls,
    with_security_policy,
};
use super::client_address::{client_address, subscriber};
use super::items::merge_form_fields;
use super::page_layout::{ErrorPage, PageLayout, Translator, render_page};
use super::state::AppState;
use super::upload::{MAX_UPLOAD, UploadError, UploadedFiles, read_upload};
use crate::adapters::database::applicant_links::ApplicantLink;
use crate::domain::personal::Personal;
use crate::interfaces::errors::LocalizedError;
use crate::services::applicant_pages::{ApplicantPageError, links, sign_in};

/// Forms without files: a list of 5,000 rows that is corrected cell by cell.
const MAX_FORM: usize = 4 * 1024 * 1024;

pub fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/applicant/{token}", get(home::show))
        .route("/applicant/{token}/code", post(send_code))
        .route("/applicant/{token}/sign-in", post(enter))
        .route("/applicant/{token}/sign-out", post(home::sign_out))
        .route("/applicant/{token}/documents", post(home::upload_documents))
        .route("/applicant/{token}/lists", post(lists::upload))
        .route("/applicant/{token}/list-template", get(lists::template))
        .route("/applicant/{token}/lists/{list}", get(lists::show).post(lists::correct))
        .route("/applicant/{token}/lists/{list}/correction-sheet", get(lists::correction_sheet))
        .route("/applicant/{token}/lists/{list}/hand-in", post(lists::hand_in))
        .route("/applicant/{token}/lists/{list}/discard", post(lists::discard))
}

/// Somebody who may be signed in for an applicant.
pub(super) struct Visitor {
    pub token: String,
    pub link: ApplicantLink,
    pub tr: Translator,
    /// `None`: a code is to be given first.
    pub session: Option<Personal>,
}

/// A signed-in applicant.
pub(super) struct Applicant {
    pub token: String,
    pub link: ApplicantLink,
    pub tr: Translator,
    /// What each form must carry.
    pub form_token: String,
}

impl Applicant {
    pub fn layout(&self) -> PageLayout<'_> {
        PageLayout { token: &self.form_token, ..PageLayout::signed_out(self.tr) }
    }

    pub fn home(&self, noted: &str) -> Response {
        Redirect::to(&format!("/applicant/{}?noted={noted}", self.token)).into_response()
    }
}

type Params = Path<BTreeMap<String, String>>;

fn session_cookie(app: &AppState) -> &'static str {
    if uses_tls(app) { "__Host-fieldworkd_applicant" } else { "fieldworkd_applicant" }
}

impl Visitor {
    /// Opens the link. A wrong one, an ended one and a revoked one are all not there.
    async fn at_link(app: &AppState, token: &str, headers: &HeaderMap) -> Result<Visitor, Failure> {
        let link = match links::open(&app.context, token).await {
            Ok(link) => link,
            Err(ApplicantPageError::UnknownLink) if app.failed_links.allow() => {
                return Err(Failure::NotFound);
            }
            Err(ApplicantPageError::UnknownLink) => return Err(Failure::TooManyAttempts),
            Err(error) => return Err(Failure::Internal(error.to_string())),
        };
        let session = cookie_of(headers, session_cookie(app)).map(Personal::new);
        Ok(Visitor {
            session: session.filter(|session| sign_in::is_signed_in(&app.context, &link, session)),
            token: token.to_owned(),
            tr: Translator(language_of(headers).unwrap_or_default()),
            link,
        })
    }

    fn signed_in(self, app: &AppState) -> Result<Applicant, Box<Response>> {
        match &self.session {
            Some(session) => Ok(Applicant {
                form_token: sign_in::form_token(&app.context, session),
                token: self.token,
                link: self.link,
                tr: self.tr,
            }),
            None => {
                Err(Box::new(Redirect::to(&format!("/applicant/{}", self.token)).into_response()))
            }
        }
    }
}

/// Opens a page of a signed-in applicant; others are led to the sign-in.
pub(super) async fn applicant_of(
    app: &AppState,
    params: &BTreeMap<String, String>,
    headers: &HeaderMap,
) -> Result<Result<Applicant, Box<Response>>, Failure> {
    let token = params.get("token").map(String::as_str).unwrap_or_default();
    Ok(Visitor::at_link(app, token, headers).await?.signed_in(app))
}

/// A form of a signed-in applicant: from its own pages, with the session's token.
pub(super) async fn form_of(
    app: &AppState,
    params: &BTreeMap<String, String>,
    request: Request,
    takes_file: bool,
) -> Result<Result<(Applicant, FormFields, UploadedFiles), Box<Response>>, Failure> {
    let (parts, body) = request.into_parts();
    let applicant = match applicant_of(app, params, &parts.headers).await? {
        Ok(applicant) => applicant,
        Err(response) => return Ok(Err(response)),
    };
    let refuse = |status, error| Ok(Err(Box::new(error_page(status, applicant.tr, error))));
    if !is_same_site(&parts.headers) {
        return refuse(StatusCode::FORBIDDEN, ErrorPage::OtherSession);
    }
    let most = if takes_file { MAX_UPLOAD } else { MAX_FORM };
    let Ok(body) = to_bytes(body, most).await else {
        let error = if takes_file { ErrorPage::TooLargeUpload } else { ErrorPage::TooLarge };
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, error);
    };
    let (form, file) = if takes_file {
        match read_upload(&parts.headers, body).await {
            Ok(read) => read,
            Err(UploadError::TooMany) => {
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, ErrorPage::TooLargeUpload);
            }
            Err(UploadError::Unreadable) => {
                return refuse(StatusCode::BAD_REQUEST, ErrorPage::BrokenUpload);
            }
        }
    } else {
        let fields = merge_form_fields(form_urlencoded::parse(&body).into_owned());
        (FormFields(fields), UploadedFiles::default())
    };
    if form.text("token") != applicant.form_token {
        return refuse(StatusCode::FORBIDDEN, ErrorPage::OtherSession);
    }
    Ok(Ok((applicant, form, file)))
}

#[derive(Template)]
#[template(path = "applicant/sign-in.html")]
struct SignInPage<'a> {
    layout: PageLayout<'a>,
    link: &'a str,
    applicant: &'a str,
    /// Where a code goes, masked; `None`: it is not known.
    mobile: String,
    awaits_code: bool,
    flash: Option<&'static str>,
    problem: Option<String>,
}

pub(super) fn sign_in_page(
    app: &AppState,
    visitor: &Visitor,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let mobile = links::masked_mobile(&app.context, &visitor.link)
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let page = SignInPage {
        layout: PageLayout::signed_out(visitor.tr),
        link: &visitor.token,
        applicant: &visitor.link.applicant_name,
        mobile,
        awaits_code: sign_in::awaits_code(&visitor.link, app.context.clock.now()),
        flash,
        problem,
    };
    Ok(with_security_policy(render_page(status, &page)))
}

async fn send_code(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let token = params.get("token").map(String::as_str).unwrap_or_default();
    let visitor = Visitor::at_link(&app, token, &headers).await?;
    if !is_same_site(&headers) {
        return Ok(error_page(StatusCode::FORBIDDEN, visitor.tr, ErrorPage::OtherSession));
    }
    match sign_in::send_code(&app.context, &visitor.link).await {
        Ok(_) => Ok(Redirect::to(&format!("/applicant/{token}?noted=sent")).into_response()),
        Err(
            error @ (ApplicantPageError::CodeTooSoon
            | ApplicantPageError::TooManyCodes
            | ApplicantPageError::NotConfigured
            | ApplicantPageError::CodeNotSent(_)),
        ) => {
            if let ApplicantPageError::CodeNotSent(why) = &error {
                tracing::warn!(why, "an applicant's one-time code was not sent");
            }
            let problem = error.localized(visitor.tr.0);
            sign_in_page(&app, &visitor, StatusCode::TOO_MANY_REQUESTS, None, Some(problem))
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

async fn enter(
    State(app): State<Arc<AppState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(params): Params,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let token = params.get("token").map(String::as_str).unwrap_or_default();
    let visitor = Visitor::at_link(&app, token, &headers).await?;
    if !is_same_site(&headers) {
        return Ok(error_page(StatusCode::FORBIDDEN, visitor.tr, ErrorPage::OtherSession));
    }
    let address = client_address(&app.context.config.proxies, peer, &headers);
    if !app.sign_ins_by_address.allow(&subscriber(address)) {
        return Err(Failure::TooManyAttempts);
    }
    let form = axum::Form::<BTreeMap<String, String>>::from_request(request, &()).await;
    let code = form.map(|axum::Form(mut form)| form.remove("code").unwrap_or_default());
    match sign_in::sign_in(&app.context, &visitor.link, &code.unwrap_or_default()).await {
        Ok(session) => {
            let value = session.reveal().to_owned();
            let cookie = new_cookie(&app, session_cookie(&app), value, None);
            let to = Redirect::to(&format!("/applicant/{token}"));
            Ok(([(header::SET_COOKIE, cookie)], to).into_response())
        }
        Err(error @ ApplicantPageError::WrongCode) => {
            let problem = error.localized(visitor.tr.0);
            sign_in_page(&app, &visitor, StatusCode::UNAUTHORIZED, None, Some(problem))
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// The query of a page that says what has just been done.
type Noted = Query<BTreeMap<String, String>>;
