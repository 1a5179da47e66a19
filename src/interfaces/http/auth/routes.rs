//! The table of the staff's routes: each stands there once, with who may come through and what is
//! written into the audit log.

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

/// What is written down before a handler does it or shows it. In the texts, `{code}` stands for
/// what the address or the form has under that name.
#[derive(Debug, Clone, Copy)]
pub struct AuditSpec {
    pub action: Action,
    /// What it is done to: `"campaign:{code}"`.
    pub object: &'static str,
    pub detail: &'static str,
}

/// One route.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    pub method: Method,
    pub path: &'static str,
    /// `None`: whoever is signed in.
    pub permission: Option<Permission>,
    pub audit: Option<AuditSpec>,
    /// A file may come with the form.
    pub takes_files: bool,
    /// A page asks by itself, whether or not anybody sits before it: it keeps no session alive.
    pub is_background: bool,
}

/// Routes behind the guard, as they are put together.
pub struct StaffRouter {
    app: Arc<AppState>,
    router: Router<Arc<AppState>>,
    table: Vec<RouteSpec>,
}

impl StaffRouter {
    pub fn new(app: &Arc<AppState>) -> StaffRouter {
        StaffRouter { app: app.clone(), router: Router::new(), table: Vec::new() }
    }

    /// A page; it shows nothing of a person that has to be written down.
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

    /// A page that shows something of a person.
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

    /// A form that does something.
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

    /// A form that brings a file.
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

    /// A form that its use-case writes down itself, in the transaction that does it; or one that
    /// concerns nobody but who sends it.
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

    /// What a page asks for by itself.
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

    /// A form that a page sends by itself.
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
