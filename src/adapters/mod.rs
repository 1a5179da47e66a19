//! The outside world behind small interfaces: each adapter wraps one thing that is not ours, and
//! knows nothing of the services above it.

pub mod clock;
pub mod config;
pub mod crypto;
pub mod database;
pub mod http_client;
pub mod sms;
pub mod telemetry;
pub mod transports;
