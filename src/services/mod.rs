//! What fieldworkd can do, one capability per folder. Every function takes the
//! [`context::AppContext`]; SQL, HTML and HTTP are elsewhere.
//!
//! Services have an order (`tests/architecture.rs`): a service calls only those before it.

pub mod accounts;
pub mod alerts;
pub mod applicant_pages;
pub mod application_forms;
pub mod call_center;
pub mod campaigns;
pub mod clock_steps;
pub mod context;
pub mod datasets;
pub mod deadlines;
pub mod drafts;
pub mod erasure;
pub mod forecasting;
pub mod holidays;
pub mod interviews;
pub mod list_import;
pub mod monitoring;
pub mod paper_forms;
pub mod programmes;
pub mod questionnaires;
pub mod quotas;
pub mod response_quality;
pub mod restore;
pub mod sealing;
pub mod sms_inbound;
pub mod sms_sending;
pub mod stuck_work;
pub mod suppressions;
pub mod versions;
pub mod webhooks;
