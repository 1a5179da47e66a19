//! Collection: what respondents see behind their link, and what becomes of their answers.
//!
//! In goes the code of a personal link and what a form sent; out comes a [`Screen`]. Looking changes nothing (message scanners open links);
//! only what a respondent sends does, each in one transaction that is on disk before anybody is thanked (invariant I5): [`save`] takes pages, [`wishes`]
//! what somebody wants instead. Nothing is asked before the privacy notice is agreed to. A respondent's cases are asked one after another, in the order of their applications' codes. It knows
//! no HTML and sends nothing.

mod bundle;
mod save;
mod wishes;

pub use bundle::{Bundle, BundleCase, Finish, Noted, Screen, read_answers};
pub use save::{Saved, SentPage};
pub use wishes::{CallWhen, Later};

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::crypto::{KeyRingError, SealError};
use crate::dispatch::DispatchError;
use crate::domain::contact_plan::ContactPlanError;
use crate::domain::ids::ApplicationId;
use crate::domain::questionnaire::{Questionnaire, QuestionnaireError};
use crate::domain::quota::QuotaPlan;
use crate::installation::Installation;
use crate::store::{StoreError, campaigns, quotas};

#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("no invitation has this link")]
    UnknownLink,
    #[error("the page sent a field that is none of this questionnaire's")]
    BadForm,
    #[error("questionnaire {id} as launched cannot be read: {error}")]
    Questionnaire { id: i64, error: QuestionnaireError },
    #[error("the plan of campaign {campaign}, as launched, cannot be read: {error}")]
    Plan { campaign: String, error: ContactPlanError },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
}

/// The collection of one installation.
pub struct Collector {
    installation: Arc<Installation>,
    /// Launched questionnaires and quotas never change, so each is read once.
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    questionnaires: HashMap<i64, Arc<Questionnaire>>,
    quotas: HashMap<ApplicationId, Arc<QuotaPlan>>,
}

impl Collector {
    pub fn new(installation: Arc<Installation>) -> Collector {
        Collector { installation, shelf: Mutex::default() }
    }

    async fn questionnaire(&self, connection: &mut sqlx::AnyConnection, id: i64) -> Result<Arc<Questionnaire>, CollectError> {
        if let Some(known) = self.shelf().questionnaires.get(&id) {
            return Ok(known.clone());
        }
        let source = campaigns::questionnaire_source(connection, id).await?;
        let read = Questionnaire::parse(&source).map_err(|error| CollectError::Questionnaire { id, error })?;
        Ok(self.shelf().questionnaires.entry(id).or_insert(Arc::new(read)).clone())
    }

    async fn quota_plan(&self, connection: &mut sqlx::AnyConnection, application: ApplicationId) -> Result<Arc<QuotaPlan>, CollectError> {
        if let Some(known) = self.shelf().quotas.get(&application) {
            return Ok(known.clone());
        }
        let plan = quotas::plan(connection, application).await?;
        Ok(self.shelf().quotas.entry(application).or_insert(Arc::new(plan)).clone())
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
