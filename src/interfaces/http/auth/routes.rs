//! The table of staff routes, each with its permission and its audit entry.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use super::super::state::AppState;
use super::authorize::authorize;
use crate::domain::audit::Action;
use crate::domain::role::Permission;

/// The audit entry written before a handler runs. `{code}` in its texts is replaced by the path
/// parameter or form field of that name.
#[derive(Debug, Clone, Copy)]
pub struct AuditSpec {
    pub action: Action,
    /// The object of the action: `"campaign:{code}"`.
    pub object: &'static str,
    pub detail: &'static str,
}

/// One staff route.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    pub method: Method,
    pub path: &'static str,
    /// `None` for any signed-in user.
    pub permission: Option<Permission>,
    pub audit: Option<AuditSpec>,
    /// Whether the form may carry a file.
    pub takes_files: bool,
    /// Whether the page requests it by itself. Such requests do not extend the session.
    pub is_background: bool,
}

/// Builds the router and the table of staff routes.
pub struct StaffRouter {
    app: Arc<AppState>,
    router: Router<Arc<AppState>>,
    table: Vec<RouteSpec>,
}

impl StaffRouter {
    pub fn new(app: &Arc<AppState>) -> StaffRouter {
        StaffRouter { app: app.clone(), router: Router::new(), table: Vec::new() }
    }

    /// Adds a page that shows no personal data that must be audited.
    pub fn page<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: impl Into<Option<Permission>>,
        handler: H,
    ) -> StaffRouter {
        self.add(
            RouteSpec {
                method: Method::GET,
                path,
                permission: permission.into(),
                audit: None,
                takes_files: false,
                is_background: false,
            },
            get(handler),
        )
    }

    /// Adds a page that shows personal data.
    pub fn audited_page<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        (action, object): (Action, &'static str),
        handler: H,
    ) -> StaffRouter {
        let audit = Some(AuditSpec { action, object, detail: "" });
        self.add(
            RouteSpec {
                method: Method::GET,
                path,
                permission: Some(permission),
                audit,
                takes_files: false,
                is_background: false,
            },
            get(handler),
        )
    }

    /// Adds a download of what is not for everybody.
    pub fn audited_download<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        (action, object, detail): (Action, &'static str, &'static str),
        handler: H,
    ) -> StaffRouter {
        let spec = RouteSpec {
            method: Method::GET,
            path,
            permission: Some(permission),
            audit: Some(AuditSpec { action, object, detail }),
            takes_files: false,
            is_background: false,
        };
        self.add(spec, get(handler))
    }

    /// Adds a form that changes something.
    pub fn audited_form<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        (action, object, detail): (Action, &'static str, &'static str),
        handler: H,
    ) -> StaffRouter {
        let audit = Some(AuditSpec { action, object, detail });
        self.add(
            RouteSpec {
                method: Method::POST,
                path,
                permission: Some(permission),
                audit,
                takes_files: false,
                is_background: false,
            },
            post(handler),
        )
    }

    /// Adds a form with a file.
    pub fn audited_upload<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        (action, object, detail): (Action, &'static str, &'static str),
        handler: H,
    ) -> StaffRouter {
        let audit = Some(AuditSpec { action, object, detail });
        self.add(
            RouteSpec {
                method: Method::POST,
                path,
                permission: Some(permission),
                audit,
                takes_files: true,
                is_background: false,
            },
            post(handler),
        )
    }

    /// Adds a form without an [`AuditSpec`]: its service writes the audit entry in the transaction
    /// of the change, or it concerns only the sender.
    pub fn form<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: impl Into<Option<Permission>>,
        handler: H,
    ) -> StaffRouter {
        self.add(
            RouteSpec {
                method: Method::POST,
                path,
                permission: permission.into(),
                audit: None,
                takes_files: false,
                is_background: false,
            },
            post(handler),
        )
    }

    /// Adds a resource that pages request by themselves.
    pub fn background_page<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        handler: H,
    ) -> StaffRouter {
        let spec = RouteSpec {
            method: Method::GET,
            path,
            permission: Some(permission),
            audit: None,
            takes_files: false,
            is_background: true,
        };
        self.add(spec, get(handler))
    }

    /// Adds a form that pages submit by themselves.
    pub fn background_form<H: Handler<T, Arc<AppState>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        handler: H,
    ) -> StaffRouter {
        let spec = RouteSpec {
            method: Method::POST,
            path,
            permission: Some(permission),
            audit: None,
            takes_files: false,
            is_background: true,
        };
        self.add(spec, post(handler))
    }

    fn add(mut self, route: RouteSpec, handler: MethodRouter<Arc<AppState>>) -> StaffRouter {
        let authorized = handler.route_layer(from_fn_with_state(
            (self.app.clone(), Arc::new(route.clone())),
            authorize,
        ));
        self.router = self.router.route(route.path, authorized);
        self.table.push(route);
        self
    }

    pub fn merge(mut self, others: StaffRouter) -> StaffRouter {
        self.router = self.router.merge(others.router);
        self.table.extend(others.table);
        self
    }

    pub fn router(self) -> Router<Arc<AppState>> {
        self.router
    }

    pub fn table(self) -> Vec<RouteSpec> {
        self.table
    }
}
