//! Layer 1: the pure types and rules of fieldwork.
//!
//! Raw text is parsed at the edge (`parse`, `new`) into values that are known to be valid. Nothing
//! in this module reads a clock, a file, a socket or a database, and nothing is async. A rule of a
//! standard, a law or a provider cites its source.

pub mod answer_figures;
pub mod audit;
pub mod category;
pub mod condition;
pub mod contact_plan;
pub mod contact_window;
pub mod deadline;
pub mod device;
pub mod disposition;
pub mod estimation;
pub mod event;
pub mod forecast;
pub mod form_number;
pub mod holidays;
pub mod ids;
pub mod language;
pub mod logo;
pub mod mentioned_number;
pub mod mode;
pub mod organiser;
pub mod origin;
pub mod outcome_rates;
pub mod paper_form;
pub mod person;
pub mod personal;
pub mod phone;
pub mod privacy;
pub mod programme;
pub mod quality;
pub mod questionnaire;
pub mod quota;
pub mod recurrence;
pub mod replicates;
pub mod reply;
pub mod retry_delay;
pub mod role;
pub mod seeded_random;
pub mod segment;
pub mod shift;
pub mod shortening;
pub mod small_cells;
pub mod sms_interview;
pub mod sms_text;
pub mod subject;
pub mod suppression;
pub mod telephone;
pub mod time;
pub mod webhook_state;
pub mod words;
pub mod zones;
