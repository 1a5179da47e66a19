//! The answers to an application's questionnaire as they come, counted in the background of a page.
//!
//! A count reads each complete and each of its unsealed answers once, in chunks. Pages show the latest
//! count with its time; a new one begins at the earliest after [`SHORTEST_AGE`], and later where the
//! last one took long, so that counting takes a small share of the time however many look on. Only one
//! count runs at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use tokio::sync::Mutex;

use super::MonitoringError;
use crate::adapters::database::applications::{self, Application};
use crate::adapters::database::{DatabaseError, answer_counts, campaigns, programmes};
use crate::domain::answer_figures::{Complete, Places, Tally};
use crate::domain::ids::ApplicationId;
use crate::domain::questionnaire::Questionnaire;
use crate::domain::time::Timestamp;
use crate::services::campaigns::CampaignError;
use crate::services::context::AppContext;

/// How old a count is at least when a new one begins.
pub const SHORTEST_AGE: Duration = Duration::from_secs(60);
/// A count is kept this many times as long as it took.
const AGE_FOR_COST: u32 = 20;
/// Completes whose answers are read at once.
const CHUNK: usize = 2_000;

/// A count of one application's answers.
pub struct AnswerCount {
    pub tally: Tally,
    pub questionnaire: Questionnaire,
    pub counted_at: Timestamp,
    took: Duration,
}

/// The applications of a campaign, and the answers to one of them.
pub struct CampaignAnswers {
    pub applications: Vec<String>,
    pub application: String,
    pub zone: Tz,
    pub count: Arc<AnswerCount>,
}

/// The latest counts.
#[derive(Default)]
pub struct AnswerCounts(Mutex<HashMap<ApplicationId, Arc<AnswerCount>>>);

impl AnswerCounts {
    /// Returns the answers to an application of a campaign: to the given one, or to the first. `None`:
    /// it is none of the campaign.
    pub async fn of_campaign(
        &self,
        context: &AppContext,
        code: &str,
        wanted: Option<&str>,
    ) -> Result<Option<CampaignAnswers>, MonitoringError> {
        let mut connection = context.database.read().await?;
        let campaign = campaigns::find(&mut connection, code)
            .await?
            .ok_or_else(|| CampaignError::UnknownCampaign(code.to_owned()))?;
        let zone = programmes::get(&mut connection, campaign.programme_id).await?.time_zone;
        let all = applications::of_campaign(&mut connection, campaign.id).await?;
        drop(connection);
        let chosen = match wanted {
            None => all.first(),
            Some(wanted) => all.iter().find(|application| application.code == wanted),
        };
        let Some(application) = chosen else { return Ok(None) };
        let Some(count) = self.get(context, application, zone).await? else { return Ok(None) };
        Ok(Some(CampaignAnswers {
            applications: all.iter().map(|application| application.code.clone()).collect(),
            application: application.code.clone(),
            zone,
            count,
        }))
    }

    async fn get(
        &self,
        context: &AppContext,
        application: &Application,
        zone: Tz,
    ) -> Result<Option<Arc<AnswerCount>>, MonitoringError> {
        let mut known = self.0.lock().await;
        let now = context.clock.now();
        if let Some(count) = known.get(&application.id) {
            let keep = SHORTEST_AGE.max(count.took * AGE_FOR_COST);
            if now.since(count.counted_at) < keep {
                return Ok(Some(count.clone()));
            }
        }
        let Some(count) = count_answers(context, application, zone).await? else {
            return Ok(None);
        };
        let count = Arc::new(count);
        known.insert(application.id, count.clone());
        Ok(Some(count))
    }
}

/// Counts the answers to an application; `None` before it has a questionnaire.
async fn count_answers(
    context: &AppContext,
    application: &Application,
    zone: Tz,
) -> Result<Option<AnswerCount>, MonitoringError> {
    let Some(questionnaire) = application.questionnaire_id else { return Ok(None) };
    let (began, counted_at) = (Instant::now(), context.clock.now());
    let mut connection = context.database.read().await?;
    let source = campaigns::questionnaire_source(&mut connection, questionnaire).await?;
    let unreadable =
        |_| DatabaseError::Unreadable { what: "a questionnaire", value: String::new() };
    let questionnaire = Questionnaire::parse(&source).map_err(unreadable)?;
    let rows = answer_counts::completes(&mut connection, application.id).await?;
    let completes: Vec<Complete> = rows
        .iter()
        .map(|row| Complete {
            segment: row.segment.clone(),
            mode: row.mode.clone(),
            language: row.language.clone(),
            day: row.completed_at.date(zone),
        })
        .collect();
    let minimum = u64::from(context.config.console.smallest_group);
    let (mut tally, places) = Tally::begin(&completes, minimum);
    drop(completes);
    for (rows, places) in rows.chunks(CHUNK).zip(places.chunks(CHUNK)) {
        let responses: Vec<_> = rows.iter().map(|row| row.response).take(places.len()).collect();
        let by_response: HashMap<_, &Places> = responses.iter().copied().zip(places).collect();
        for (response, item, value) in
            answer_counts::unsealed_answers(&mut connection, &responses).await?
        {
            if let Some(places) = by_response.get(&response) {
                tally.count(places, &item, &value);
            }
        }
    }
    Ok(Some(AnswerCount { tally, questionnaire, counted_at, took: began.elapsed() }))
}
