//! fieldworkd: survey fieldwork as a daemon.
//!
//! Four floors; a file imports only from floors below its own (`tests/architecture.rs` holds that): [`domain`] is pure; [`store`], [`gateway`],
//! [`sink`], [`clock`], [`crypto`], [`config`] and [`telemetry`] are the outside world behind small interfaces; the use-cases stand above them;
//! [`cli`] and [`web`] are the faces. `docs/architecture.md` is the map.

pub mod accounts;
pub mod campaign;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod crypto;
pub mod dataset;
pub mod deadline;
pub mod dispatch;
pub mod domain;
pub mod events;
pub mod gateway;
pub mod http_client;
pub mod installation;
pub mod intake;
pub mod quota;
pub mod retention;
pub mod setup;
pub mod sink;
pub mod sms_interview;
pub mod store;
pub mod telemetry;
pub mod telephone;
pub mod watch;
pub mod web;
