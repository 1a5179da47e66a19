//! Authorization of API requests: tokens and scopes, audit entries, and idempotent repeats.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use sha2::{Digest, Sha256};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};

use super::Problem;
use crate::adapters::crypto::sha256;
use crate::adapters::database::idempotency;
use crate::domain::audit::{Action, Actor, Via};
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::interfaces::http::state::AppState;
use crate::services::accounts::tokens;

/// Maximum request body in bytes. The largest is a respondent list.
pub(super) const MAX_BODY: usize = 32 * 1024 * 1024;
/// Maximum stored response in bytes. A larger response is not stored for its `Idempotency-Key`.
const MAX_REPLAY_BYTES: usize = 1024 * 1024;
/// How long a response is stored under its `Idempotency-Key`.
const IDEMPOTENCY_TIME: std::time::Duration = std::time::Duration::from_secs(24 * 3_600);
/// A request without a response after this time was cut off when the daemon stopped. How far it
/// came is unknown, so it is not repeated.
const ABANDONED_AFTER: std::time::Duration = std::time::Duration::from_secs(600);

/// The authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    pub actor: Actor,
}

/// The permission that a route requires, and its audit entry.
#[derive(Clone)]
struct RoutePolicy {
    permission: Permission,
    audit: Option<(Action, &'static str)>,
    is_stream: bool,
    /// The response contains personal data or a secret, so it is not stored for repeats.
    is_secret: bool,
}

/// Builds the API router; each route is added with its policy.
pub struct ApiAuth {
    app: Arc<AppState>,
    pub router: OpenApiRouter<Arc<AppState>>,
}

impl ApiAuth {
    pub fn new(app: &Arc<AppState>, router: OpenApiRouter<Arc<AppState>>) -> ApiAuth {
        ApiAuth { app: app.clone(), router }
    }

    /// Adds a route that returns only counts and codes.
    pub fn read_only(
        self,
        permission: Permission,
        routes: UtoipaMethodRouter<Arc<AppState>>,
    ) -> ApiAuth {
        self.add(
            RoutePolicy { permission, audit: None, is_stream: false, is_secret: false },
            routes,
        )
    }

    /// Adds a route whose service writes the audit entry, in the transaction of the change.
    pub fn audited_by_service(
        self,
        permission: Permission,
        routes: UtoipaMethodRouter<Arc<AppState>>,
    ) -> ApiAuth {
        self.read_only(permission, routes)
    }

    /// Adds a route audited by its service whose response holds a secret or personal data. The
    /// response is not stored for repeats (invariant I7).
    pub fn secret(
        self,
        permission: Permission,
        routes: UtoipaMethodRouter<Arc<AppState>>,
    ) -> ApiAuth {
        self.add(RoutePolicy { permission, audit: None, is_stream: false, is_secret: true }, routes)
    }

    /// Adds a route that sends a file.
    pub fn audited_file(
        self,
        permission: Permission,
        audit: (Action, &'static str),
        routes: UtoipaMethodRouter<Arc<AppState>>,
    ) -> ApiAuth {
        self.add(
            RoutePolicy { permission, audit: Some(audit), is_stream: true, is_secret: false },
            routes,
        )
    }

    /// Adds a route that changes something or shows personal data. `{code}` in the object is
    /// replaced by the path parameter of that name.
    pub fn audited(
        self,
        permission: Permission,
        audit: (Action, &'static str),
        routes: UtoipaMethodRouter<Arc<AppState>>,
    ) -> ApiAuth {
        self.add(
            RoutePolicy { permission, audit: Some(audit), is_stream: false, is_secret: false },
            routes,
        )
    }

    fn add(mut self, policy: RoutePolicy, routes: UtoipaMethodRouter<Arc<AppState>>) -> ApiAuth {
        let app = self.app.clone();
        let guarded = routes.map(|methods: MethodRouter<Arc<AppState>>| {
            methods.route_layer(from_fn_with_state((app, Arc::new(policy)), authorize))
        });
        self.router = self.router.routes(guarded);
        self
    }
}

/// Requires a token with the scope `read` for a route outside the API.
pub fn require_read(
    app: &Arc<AppState>,
    route: MethodRouter<Arc<AppState>>,
) -> MethodRouter<Arc<AppState>> {
    let policy = RoutePolicy {
        permission: Permission::Read,
        audit: None,
        is_stream: true,
        is_secret: false,
    };
    route.route_layer(from_fn_with_state((app.clone(), Arc::new(policy)), authorize))
}

async fn authorize(
    State((app, policy)): State<(Arc<AppState>, Arc<RoutePolicy>)>,
    request: Request,
    next: Next,
) -> Response {
    match handle_request(&app, &policy, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn handle_request(
    app: &Arc<AppState>,
    policy: &RoutePolicy,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = authenticate(app, policy.permission, request.headers()).await?;
    let key = request
        .headers()
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .map(str::to_owned)
        .filter(|_| request.method() == Method::POST);
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 200) {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "an Idempotency-Key has 1 to 200 characters",
        ));
    }
    // Reads the whole body once: the request's fingerprint covers it.
    if request.method() != Method::GET {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 32 MB")
        })?;
        let fingerprint = app.context.keys.hasher().fingerprint(
            &[parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body].concat(),
        );
        request = Request::from_parts(parts, Body::from(body));
        if let Some(key) = &key
            && let Some(before) = begin_idempotent(app, &caller, key, &fingerprint).await?
        {
            return before;
        }
    }
    if let Some((action, object)) = policy.audit {
        let (mut parts, body) = request.into_parts();
        let object = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(params) => params.iter().fold(object.to_owned(), |object, (name, value)| {
                object.replace(&format!("{{{name}}}"), value)
            }),
            Err(_) => object.to_owned(),
        };
        request = Request::from_parts(parts, body);
        let object: String = object.chars().filter(|c| !c.is_control()).take(120).collect();
        let entry = app.context.audit_before(&caller.actor, action, &object, "").await?;
        request.extensions_mut().insert(caller.clone());
        let response =
            run_and_store_response(app, policy, &caller, key.as_deref(), request, next).await?;
        if response.status().is_client_error() {
            app.context
                .audit_before(&caller.actor, Action::Refused, &format!("entry:{entry}"), "")
                .await?;
        }
        return Ok(response);
    }
    request.extensions_mut().insert(caller.clone());
    run_and_store_response(app, policy, &caller, key.as_deref(), request, next).await
}

/// Finds the token's caller and checks the permission. The token of `delivery.pull` is valid for
/// datasets only.
async fn authenticate(
    app: &AppState,
    permission: Permission,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let token_sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let token_sent = token_sent.map(|token_sent| Personal::new(token_sent.trim()));
    let api = |name: &str| Caller { actor: Actor { name: name.to_owned(), via: Via::Api } };
    if let Some(token_sent) = &token_sent {
        if let Some(token) = tokens::find_valid(&app.context, token_sent)
            .await
            .map_err(|error| Problem::internal(&error.to_string()))?
        {
            return if token.may(permission) {
                Ok(api(&token.name))
            } else {
                Err(Problem::forbidden(permission))
            };
        }
        // Comparing hashes keeps the duration independent of the token.
        let pull = app.context.config.delivery.token.as_ref();
        if pull.is_some_and(|token| {
            sha256(token_sent.reveal().as_bytes()) == sha256(token.reveal().as_bytes())
        }) {
            return if permission == Permission::Datasets {
                Ok(api("delivery.pull"))
            } else {
                Err(Problem::forbidden(permission))
            };
        }
    }
    Err(if token_sent.is_none() || app.failed_links.allow() {
        Problem::unauthorised()
    } else {
        Problem::too_many()
    })
}

/// Registers a request under its key. Returns the stored response if the same request was answered
/// before.
async fn begin_idempotent(
    app: &AppState,
    caller: &Caller,
    key: &str,
    fingerprint: &str,
) -> Result<Option<Result<Response, Problem>>, Problem> {
    let now = app.context.clock.now();
    let mut tx = app.context.database.write().await?;
    let before = idempotency::begin(
        &mut tx,
        (&caller.actor.name, key, fingerprint),
        now - IDEMPOTENCY_TIME,
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(before.map(|before| {
        if before.fingerprint != fingerprint {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "this Idempotency-Key was used for another request",
            )
            .with_code("api.idempotency_key_reused"));
        }
        if before.status == 0 {
            let says = if now < before.at + ABANDONED_AFTER {
                "the same request is being worked on; ask again in a moment"
            } else {
                "the same request broke off, and may have been done; look, and send it under \
                    another key if it was not"
            };
            return Err(Problem::new(StatusCode::CONFLICT, says));
        }
        let status = StatusCode::from_u16(before.status).unwrap_or(StatusCode::OK);
        let kind =
            if status.is_success() { "application/json" } else { "application/problem+json" };
        Ok((
            status,
            [
                (header::CONTENT_TYPE, kind),
                (header::HeaderName::from_static("idempotency-replayed"), "true"),
            ],
            before.body,
        )
            .into_response())
    }))
}

/// Runs the handler, adds an entity tag to GET responses, and stores the response under the key.
async fn run_and_store_response(
    app: &AppState,
    policy: &RoutePolicy,
    caller: &Caller,
    key: Option<&str>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let is_get = request.method() == Method::GET;
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if policy.is_stream || (!is_get && key.is_none()) {
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let body =
        to_bytes(body, MAX_BODY).await.map_err(|error| Problem::internal(&error.to_string()))?;
    if let Some(key) = key {
        let mut tx = app.context.database.write().await?;
        if parts.status.is_server_error() || body.len() > MAX_REPLAY_BYTES {
            idempotency::discard(&mut tx, &caller.actor.name, key).await?;
        } else if policy.is_secret && parts.status.is_success() {
            let says = Problem::new(
                StatusCode::CONFLICT,
                "it was done, and what it showed is not kept; ask anew under another key if that \
                    was lost",
            );
            idempotency::finish(
                &mut tx,
                &caller.actor.name,
                key,
                StatusCode::CONFLICT.as_u16(),
                &says.to_json(),
            )
            .await?;
        } else {
            idempotency::finish(
                &mut tx,
                &caller.actor.name,
                key,
                parts.status.as_u16(),
                &String::from_utf8_lossy(&body),
            )
            .await?;
        }
        tx.commit().await?;
    }
    if is_get && parts.status == StatusCode::OK {
        // What can be changed has the tag of its version already.
        let own = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let tag = own.map_or_else(
            || format!("\"{}\"", data_encoding::HEXLOWER.encode(&Sha256::digest(&body)[..12])),
            str::to_owned,
        );
        if let Ok(value) = HeaderValue::from_str(&tag) {
            parts.headers.insert(header::ETAG, value);
        }
        if known.is_some_and(|known| {
            known.to_str().is_ok_and(|known| {
                known.split(',').any(|known| known.trim() == tag || known.trim() == "*")
            })
        }) {
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.remove(header::CONTENT_TYPE);
            return Ok(Response::from_parts(parts, Body::empty()));
        }
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}
