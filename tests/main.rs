//! All integration tests in one binary, one module per capability; `invariants` tests the promises
//! of the README.

mod access_control;
mod alerts;
mod api;
mod architecture;
mod call_center;
mod campaigns;
mod cli;
mod common;
mod console;
mod database;
mod datasets;
mod deadlines;
mod delivery;
mod drafts;
mod erasure;
mod forecasting;
mod gateways;
mod hostile;
mod interviewer_pages;
mod interviews;
mod invariants;
mod list_import;
mod metrics;
mod proxies;
mod questionnaires;
mod quotas;
mod replies;
mod respondent_pages;
mod routes;
mod serve;
mod sms_conversations;
mod sms_sending;
mod smsc;
mod snapshots;
mod webhooks;
