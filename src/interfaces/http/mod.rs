//! The HTTP interface: respondents at `/i/CODE`, applicants at `/applicant/TOKEN`, interviewers at
//! `/interview`, paper forms at `/paper`, supervisors at `/supervision`, staff at `/staff` and
//! `/home`, gateways at `/hooks/…`, programs at `/api/v1/…`, probes at `/healthz` and `/readyz`,
//! and metrics at `/metrics`.
//!
//! A handler parses the request, calls one service and renders the response. URLs, headers, log
//! lines and error pages contain no personal data. An internal error shows a reference to its log
//! line.

pub mod api;
mod applicant;
pub mod auth;
pub mod callbacks;
mod charts;
mod client_address;
mod console;
mod csv_download;
mod download;
mod error_page;
mod failed_attempt_limiter;
mod framework_errors;
pub mod handbook;
mod health;
pub mod interviewer;
mod items;
mod keying;
mod metrics;
pub mod page_layout;
mod problem_pages;
pub mod respondent;
mod server;
mod state;
pub mod supervisor;
mod upload;

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use tracing::Instrument;

use crate::services::context::AppContext;
use crate::services::interviews::InterviewService;
use crate::services::monitoring::answers::AnswerCounts;
use crate::services::monitoring::contact_hours::ContactHourCounts;
pub use auth::cookie_of;
use auth::{RouteSpec, StaffRouter};
pub use client_address::client_address;
use error_page::Failure;
use failed_attempt_limiter::{FailedAttemptLimiter, KeyedLimiter};
use page_layout::{ErrorPage, Translator};
use state::AppState;

/// Sign-in attempts of an address and of a browser: so many at once, and one more after each period.
const ADDRESS_ATTEMPTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
const ADDRESS_PERIOD: Duration = Duration::from_secs(2);
const DEVICE_ATTEMPTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const DEVICE_PERIOD: Duration = Duration::from_secs(90);

/// Returns the router of the whole site.
pub fn router(context: Arc<AppContext>) -> Router {
    build_router(build_state(context))
}

fn build_router(app: Arc<AppState>) -> Router {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(respondent::routes())
        .merge(applicant::routes())
        .merge(callbacks::routes())
        .merge(problem_pages::routes())
        .merge(api::routes(&app))
        .merge(auth::public_routes())
        .merge(console::public_routes())
        .merge(handbook::public_routes())
        .merge(staff_routes(&app).router())
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(app.clone(), add_headers_and_trace))
        .with_state(app)
}

/// An address that there is not: told to staff as to staff, and to anybody else as to a respondent.
async fn not_found(State(app): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    match auth::is_staff(&app, &headers) {
        true => auth::error_page(
            StatusCode::NOT_FOUND,
            Translator(auth::language_of(&headers).unwrap_or_default()),
            ErrorPage::NotFound,
        ),
        false => Failure::NotFound.into_response(),
    }
}

/// Returns all staff routes.
fn staff_routes(app: &Arc<AppState>) -> StaffRouter {
    auth::routes(app)
        .merge(interviewer::routes(app))
        .merge(supervisor::routes(app))
        .merge(keying::routes(app))
        .merge(console::routes(app))
        .merge(handbook::routes(app))
}

/// Returns the API description (OpenAPI 3.1).
pub fn openapi(context: Arc<AppContext>) -> utoipa::openapi::OpenApi {
    api::openapi(&build_state(context))
}

/// Returns the table of staff routes, with permissions and audit entries.
pub fn staff_route_table(context: Arc<AppContext>) -> Vec<RouteSpec> {
    staff_routes(&build_state(context)).table()
}

fn build_state(context: Arc<AppContext>) -> Arc<AppState> {
    let interview_service = InterviewService::new(context.clone());
    let failed_links = FailedAttemptLimiter::new(context.clock.clone());
    let sign_ins_by_address =
        KeyedLimiter::new(context.clock.clone(), ADDRESS_ATTEMPTS, ADDRESS_PERIOD);
    let sign_ins_by_device =
        KeyedLimiter::new(context.clock.clone(), DEVICE_ATTEMPTS, DEVICE_PERIOD);
    Arc::new(AppState {
        conditional_change: tokio::sync::Mutex::default(),
        context,
        interview_service,
        failed_links,
        sign_ins_by_address,
        sign_ins_by_device,
        overview_cache: console::OverviewCache::default(),
        answer_counts: AnswerCounts::default(),
        contact_hours: ContactHourCounts::default(),
        metrics_cache: metrics::MetricsCache::default(),
        organisers: respondent::OrganiserCache::default(),
        unreadable_entries: metrics::LabelledCounter::default(),
        stopping: watch::Sender::new(false),
    })
}

/// Serves requests until `stop` completes, then finishes open requests.
pub async fn serve(
    context: Arc<AppContext>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let proxies = context.config.proxies.clone();
    let app = build_state(context);
    let router = build_router(app.clone());
    let stop = async move {
        stop.await;
        app.stopping.send_replace(true);
    };
    server::serve(router, listener, proxies, stop).await;
    Ok(())
}

/// Headers of every response. Cloning the values does not copy.
static SECURITY_HEADERS: LazyLock<Vec<(HeaderName, HeaderValue)>> = LazyLock::new(|| {
    let policy = HeaderValue::from_str(respondent::content_security_policy());
    let fixed = [
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
    ];
    policy
        .into_iter()
        .map(|policy| (header::CONTENT_SECURITY_POLICY, policy))
        .chain(fixed)
        .collect()
});

/// Adds the security headers, and logs one line per request: its route, never its URL.
async fn add_headers_and_trace(
    State(app): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let path = route.as_ref().map_or("(none)", MatchedPath::as_str);
    // Names follow OpenTelemetry's HTTP conventions.
    let span = tracing::debug_span!(
        "http_request",
        otel.name = format!("{method} {path}"),
        otel.kind = "server",
        http.request.method = %method,
        http.route = path,
        http.response.status_code = tracing::field::Empty
    );
    let mut response = framework_errors::replace(request, next).instrument(span.clone()).await;
    response = respondent::name_organisers(&app, response).await;
    let status = response.status().as_u16();
    // The value is signed because an unsigned one would be exported as text.
    span.record("http.response.status_code", i64::from(status));
    tracing::debug!(%method, route = path, status, "request");
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS.iter() {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    // Browsers are to come by TLS only, if the public URL uses it (RFC 6797).
    if app.context.config.public_url.starts_with("https:") {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}
