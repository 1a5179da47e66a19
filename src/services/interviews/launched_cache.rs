//! What never changes once it is launched, read once: questionnaires, quotas, subjects; and
//! programmes, until their revision changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use sqlx::AnyConnection;

use super::InterviewError;
use crate::adapters::database::{applications, campaigns, programmes, quotas};
use crate::domain::ids::{ApplicationId, ProgrammeId};
use crate::domain::programme::Programme;
use crate::domain::questionnaire::Questionnaire;
use crate::domain::quota::QuotaPlan;

/// What an application was launched with.
pub struct CachedApplication {
    pub programme_id: ProgrammeId,
    pub category: String,
    pub subject: String,
    pub applicant_name: String,
    pub key_id: String,
    pub questionnaire: Arc<Questionnaire>,
    pub quota: QuotaPlan,
}

#[derive(Default)]
pub struct LaunchedCache(Mutex<CacheEntries>);

#[derive(Default)]
struct CacheEntries {
    applications: HashMap<ApplicationId, Arc<CachedApplication>>,
    questionnaires: HashMap<i64, Arc<Questionnaire>>,
    programmes: HashMap<ProgrammeId, (i64, Arc<Programme>)>,
}

impl LaunchedCache {
    fn entries(&self) -> MutexGuard<'_, CacheEntries> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// An application that is or was in the field.
    pub fn application(&self, id: ApplicationId) -> Option<Arc<CachedApplication>> {
        self.entries().applications.get(&id).cloned()
    }

    pub async fn read_application(
        &self,
        connection: &mut AnyConnection,
        id: ApplicationId,
    ) -> Result<Arc<CachedApplication>, InterviewError> {
        if let Some(known) = self.application(id) {
            return Ok(known);
        }
        let application = applications::get(connection, id).await?;
        let cached = CachedApplication {
            programme_id: application.programme_id,
            category: application.category.to_string(),
            subject: application.subject.title(),
            questionnaire: self
                .read_questionnaire(connection, application.questionnaire_id.unwrap_or(0))
                .await?,
            applicant_name: application.applicant_name,
            key_id: application.key_id,
            quota: quotas::launched_plan(connection, id).await?,
        };
        Ok(self.entries().applications.entry(id).or_insert(Arc::new(cached)).clone())
    }

    async fn read_questionnaire(
        &self,
        connection: &mut AnyConnection,
        id: i64,
    ) -> Result<Arc<Questionnaire>, InterviewError> {
        if let Some(known) = self.entries().questionnaires.get(&id) {
            return Ok(known.clone());
        }
        let source = campaigns::questionnaire_source(connection, id).await?;
        let read = Questionnaire::parse(&source)
            .map_err(|error| InterviewError::Questionnaire { id, error })?;
        Ok(self.entries().questionnaires.entry(id).or_insert(Arc::new(read)).clone())
    }

    /// A programme as of this revision.
    pub fn programme(&self, id: ProgrammeId, revision: i64) -> Option<Arc<Programme>> {
        self.entries()
            .programmes
            .get(&id)
            .filter(|(known, _)| *known == revision)
            .map(|(_, programme)| programme.clone())
    }

    /// A programme as it stands.
    pub async fn read_programme(
        &self,
        connection: &mut AnyConnection,
        id: ProgrammeId,
    ) -> Result<Arc<Programme>, InterviewError> {
        let (revision, programme) = programmes::get_revision(connection, id).await?;
        let programme = Arc::new(programme);
        self.entries().programmes.insert(id, (revision, programme.clone()));
        Ok(programme)
    }
}
