//! Cases: codes and times for whoever watches; names and numbers for whoever may see people, each look written down.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Page, Path, Problem, Query, utc};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::Personal;
use crate::adapters::database::timeline::{self as stored, By, CaseOf};
use crate::services::monitoring::WatchError;
use crate::services::monitoring::search::search as search_for;
use crate::services::monitoring::timeline::{self, Told, What};
use crate::interfaces::http::state::Site;

impl From<WatchError> for Problem {
    fn from(error: WatchError) -> Problem {
        Problem::internal(&error.to_string())
    }
}

/// A case without its person.
#[derive(Serialize, ToSchema)]
pub struct CaseBrief {
    case: i64,
    application: String,
    campaign: Option<String>,
    /// Its code in datasets.
    pseudonym: String,
    /// Of the AAPOR Standard Definitions: `1.1`.
    disposition: &'static str,
    disposed_at: String,
    is_open: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Cases {
    items: Vec<CaseBrief>,
    /// The cursor of the next page; null on the last.
    next: Option<i64>,
}

fn brief(case: CaseOf) -> CaseBrief {
    CaseBrief {
        case: case.id.0,
        application: case.application,
        campaign: case.campaign,
        pseudonym: case.pseudonym,
        disposition: case.disposition.code(),
        disposed_at: utc(case.disposed_at),
        is_open: case.is_open,
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct At {
    /// Only cases at this disposition: `1.1`.
    disposition: Option<String>,
}

/// Cases of an application, the latest first.
#[utoipa::path(get, path = "/api/v1/applications/{application}/cases", tag = "cases", params(("application" = String, Path), At, Page),
    responses((status = 200, body = Cases)))]
pub async fn of_application(
    State(site): State<Arc<Site>>,
    Path(application): Path<String>,
    Query(at): Query<At>,
    Query(page): Query<Page>,
) -> Result<Json<Cases>, Problem> {
    let unknown = |code: &str| Problem::new(axum::http::StatusCode::BAD_REQUEST, format!("«{code}» is no disposition"));
    let at = at.disposition.as_deref().map(|code| Disposition::from_code(code).ok_or_else(|| unknown(code))).transpose()?;
    let (limit, before) = (page.limit()?, page.cursor()?.map(CaseId));
    let mut connection = site.installation.store.read().await?;
    if crate::adapters::database::applications::find(&mut connection, &application).await?.is_none() {
        return Err(Problem::not_found());
    }
    let found = stored::cases(&mut connection, &By::Application(&application, at), before, limit).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|case| case.id.0);
    Ok(Json(Cases { items: found.into_iter().map(brief).collect(), next }))
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
pub struct Happened {
    at: String,
    /// message, delivered, opened, consented, consent_withdrawn, begun, page, complete, call, reply or disposition.
    what: &'static str,
    /// More of it: the step, the state, the outcome, the code.
    detail: String,
}

#[derive(Serialize, ToSchema)]
pub struct CaseStory {
    #[serde(flatten)]
    case: CaseBrief,
    /// The oldest first.
    story: Vec<Happened>,
}

fn happened(told: &Told) -> Happened {
    let (what, detail) = match &told.what {
        What::Message { step, message, .. } => ("message", format!("{step}: {} by {}", message.state, message.gateway)),
        What::Delivered { step } => ("delivered", step.clone()),
        What::Opened => ("opened", String::new()),
        What::Consented { version, .. } => ("consented", version.clone()),
        What::ConsentWithdrawn { version } => ("consent_withdrawn", version.clone()),
        What::AnswersBegun => ("begun", String::new()),
        What::Page(visit) => ("page", (visit.page + 1).to_string()),
        What::AnswersComplete { items } => ("complete", items.to_string()),
        What::Call { outcome, .. } => ("call", outcome.map(|outcome| outcome.as_str().to_owned()).unwrap_or_default()),
        What::Reply { meaning, .. } => ("reply", meaning.clone()),
        What::Disposition { to, source } => ("disposition", format!("{} ({source})", to.code())),
    };
    Happened { at: utc(told.at), what, detail }
}

/// What has happened to a case.
#[utoipa::path(get, path = "/api/v1/cases/{case}", tag = "cases", params(("case" = i64, Path)), responses((status = 200, body = CaseStory)))]
pub async fn story(State(site): State<Arc<Site>>, Path(case): Path<i64>) -> Result<Json<CaseStory>, Problem> {
    let story = timeline::story(&site.installation, CaseId(case)).await?.ok_or_else(Problem::not_found)?;
    let told = story.told.iter().map(happened).collect();
    Ok(Json(CaseStory { case: brief(story.found.case), story: told }))
}

/// Whom to look for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A number, a name, a case's number, or its code in datasets.
    #[schema(min_length = 1)]
    who: String,
}

/// Finds the cases of a person; what is looked for stands nowhere.
#[utoipa::path(post, path = "/api/v1/cases/search", tag = "cases", request_body = Wanted, responses((status = 200, body = Cases)))]
pub async fn search(State(site): State<Arc<Site>>, Body(wanted): Body<Wanted>) -> Result<Json<Cases>, Problem> {
    let found = search_for(&site.installation, &Personal::new(wanted.who), super::MOST).await?;
    Ok(Json(Cases { items: found.into_iter().map(|found| brief(found.case)).collect(), next: None }))
}

#[derive(Serialize, ToSchema)]
pub struct PersonOf {
    name: String,
    /// E.164.
    number: String,
}

/// Who it is. That it was looked at is in the audit log.
#[utoipa::path(get, path = "/api/v1/cases/{case}/person", tag = "cases", params(("case" = i64, Path)), responses((status = 200, body = PersonOf)))]
pub async fn person(State(site): State<Arc<Site>>, Path(case): Path<i64>) -> Result<Json<PersonOf>, Problem> {
    let (name, phone) = timeline::reveal(&site.installation, CaseId(case)).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(PersonOf { name: name.reveal().to_owned(), number: phone.e164().to_owned() }))
}
