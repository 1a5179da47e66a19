//! Adapters to external systems, each behind a small interface: database, gateways, transports,
//! cryptography, configuration, clock. An adapter does not depend on the services above it.

pub mod clock;
pub mod clock_watch;
pub mod config;
pub mod crypto;
pub mod database;
pub mod http_client;
pub mod outbound_guard;
pub mod qr_code;
pub mod sms;
pub mod spreadsheets;
pub mod telemetry;
pub mod transports;
