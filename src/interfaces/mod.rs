//! The interfaces for people and programs: HTTP pages, the HTTP API and the command line. Handlers
//! and commands parse input, call one service and render the result. Business rules are in
//! `services` and `domain`.

pub mod cli;
pub mod errors;
pub mod http;
