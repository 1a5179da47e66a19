//! The table of the staff's routes: each stands there once, with who may come through and what is written into the audit log.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use super::super::state::Site;
use super::authorize::guard;
use crate::domain::audit::Action;
use crate::domain::role::Permission;

/// What is written down before a handler does it or shows it. In the texts, `{code}` stands for what the address or the form has under that name.
#[derive(Debug, Clone, Copy)]
pub struct Deed {
    pub action: Action,
    /// What it is done to: `"campaign:{code}"`.
    pub object: &'static str,
    pub detail: &'static str,
}

/// One route.
#[derive(Debug, Clone)]
pub struct Door {
    pub method: Method,
    pub path: &'static str,
    /// `None`: whoever is signed in.
    pub permission: Option<Permission>,
    pub deed: Option<Deed>,
    /// A file may come with the form.
    pub takes_files: bool,
    /// A page asks by itself, whether or not anybody sits before it: it keeps no session alive.
    pub is_background: bool,
}

/// Routes behind the guard, as they are put together.
pub struct Doors {
    site: Arc<Site>,
    router: Router<Arc<Site>>,
    table: Vec<Door>,
}

impl Doors {
    pub fn new(site: &Arc<Site>) -> Doors {
        Doors { site: site.clone(), router: Router::new(), table: Vec::new() }
    }

    /// A page; it shows nothing of a person that has to be written down.
    pub fn page<H: Handler<T, Arc<Site>>, T: 'static>(self, path: &'static str, permission: impl Into<Option<Permission>>, handler: H) -> Doors {
        self.add(
            Door { method: Method::GET, path, permission: permission.into(), deed: None, takes_files: false, is_background: false },
            get(handler),
        )
    }

    /// A page that shows something of a person.
    pub fn reveal<H: Handler<T, Arc<Site>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        (action, object): (Action, &'static str),
        handler: H,
    ) -> Doors {
        let deed = Some(Deed { action, object, detail: "" });
        self.add(Door { method: Method::GET, path, permission: Some(permission), deed, takes_files: false, is_background: false }, get(handler))
    }

    /// A form that does something.
    pub fn deed<H: Handler<T, Arc<Site>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        (action, object, detail): (Action, &'static str, &'static str),
        handler: H,
    ) -> Doors {
        let deed = Some(Deed { action, object, detail });
        self.add(Door { method: Method::POST, path, permission: Some(permission), deed, takes_files: false, is_background: false }, post(handler))
    }

    /// A form that brings a file.
    pub fn upload<H: Handler<T, Arc<Site>>, T: 'static>(
        self,
        path: &'static str,
        permission: Permission,
        (action, object, detail): (Action, &'static str, &'static str),
        handler: H,
    ) -> Doors {
        let deed = Some(Deed { action, object, detail });
        self.add(Door { method: Method::POST, path, permission: Some(permission), deed, takes_files: true, is_background: false }, post(handler))
    }

    /// A form that its use-case writes down itself, in the transaction that does it; or one that concerns nobody but who sends it.
    pub fn form<H: Handler<T, Arc<Site>>, T: 'static>(self, path: &'static str, permission: impl Into<Option<Permission>>, handler: H) -> Doors {
        self.add(
            Door { method: Method::POST, path, permission: permission.into(), deed: None, takes_files: false, is_background: false },
            post(handler),
        )
    }

    /// What a page asks for by itself.
    pub fn background<H: Handler<T, Arc<Site>>, T: 'static>(self, path: &'static str, permission: Permission, handler: H) -> Doors {
        let door = Door { method: Method::GET, path, permission: Some(permission), deed: None, takes_files: false, is_background: true };
        self.add(door, get(handler))
    }

    /// A form that a page sends by itself.
    pub fn background_form<H: Handler<T, Arc<Site>>, T: 'static>(self, path: &'static str, permission: Permission, handler: H) -> Doors {
        let door = Door { method: Method::POST, path, permission: Some(permission), deed: None, takes_files: false, is_background: true };
        self.add(door, post(handler))
    }

    fn add(mut self, door: Door, handler: MethodRouter<Arc<Site>>) -> Doors {
        let guarded = handler.route_layer(from_fn_with_state((self.site.clone(), Arc::new(door.clone())), guard));
        self.router = self.router.route(door.path, guarded);
        self.table.push(door);
        self
    }

    pub fn merge(mut self, others: Doors) -> Doors {
        self.router = self.router.merge(others.router);
        self.table.extend(others.table);
        self
    }

    pub fn router(self) -> Router<Arc<Site>> {
        self.router
    }

    pub fn table(self) -> Vec<Door> {
        self.table
    }
}
