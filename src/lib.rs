//! fieldworkd: survey fieldwork as a daemon.
//!
//! Layers; a file imports only from its own layer and those below (`tests/architecture.rs` checks
//! it): [`domain`] holds pure rules; [`adapters`] wrap the database, gateways, files, keys and
//! clock; [`services`] hold one capability each; [`interfaces`] are HTTP and the command line.
//! [`daemon`] runs the services in supervised loops, [`simulation`] plays the carrier and the
//! people. `docs/architecture.md` is the map.

pub mod adapters;
pub mod daemon;
pub mod domain;
pub mod interfaces;
pub mod services;
pub mod simulation;
