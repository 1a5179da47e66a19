//! How people and programs reach the services: HTTP pages and API, and the command line. Thin:
//! parse, call one service, render.

pub mod cli;
pub mod http;
