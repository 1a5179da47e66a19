//! Programmes with their rules, and the questionnaires that launches use.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::ProblemDetails;
use super::{Body, Path, Precondition, Problem, Tagged};
use axum::http::StatusCode;

use crate::adapters::database::programmes;
use crate::domain::category::Category;
use crate::domain::programme::Programme;
use crate::interfaces::http::state::AppState;
use crate::services::drafts::trial_link;
use crate::services::programmes::{RegistrationError, put_programme};
use crate::services::questionnaires::load_for_category;
use crate::services::versions::version_of;

impl From<RegistrationError> for Problem {
    fn from(error: RegistrationError) -> Problem {
        match error {
            RegistrationError::Version(conflict) => conflict.into(),
            RegistrationError::Database(error) => error.into(),
            RegistrationError::Keys(error) => Problem::internal(&error.to_string()),
            RegistrationError::Seal(error) => Problem::internal(&error.to_string()),
            error => Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ProgrammeResponse {
    code: String,
    name_zh: String,
    name_en: String,
}

#[derive(Serialize, ToSchema)]
pub struct Programmes {
    items: Vec<ProgrammeResponse>,
}

/// Lists all programmes.
#[utoipa::path(get, path = "/api/v1/programmes", tag = "programmes", responses((status = 200, body = Programmes)))]
pub async fn list(State(app): State<Arc<AppState>>) -> Result<Json<Programmes>, Problem> {
    let mut connection = app.context.database.read().await?;
    let mut items = Vec::new();
    for code in programmes::codes(&mut connection).await? {
        if let Some((_, programme)) = programmes::find(&mut connection, &code).await? {
            items.push(ProgrammeResponse {
                code,
                name_zh: programme.name.zh().to_owned(),
                name_en: programme.name.en().to_owned(),
            });
        }
    }
    Ok(Json(Programmes { items }))
}

/// A programme's rules, with the keys of its file: `name`, `certificate_months`,
/// `dataset_lead_days`, `fee_first`, `cut_off`, `caps`, `retention_months`, `privacy`, `time_zone`.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object)]
#[serde(transparent)]
pub struct Rules(serde_json::Value);

impl Rules {
    fn from_programme(programme: &Programme) -> Result<Rules, Problem> {
        serde_json::to_value(programme)
            .map(Rules)
            .map_err(|error| Problem::internal(&error.to_string()))
    }
}

/// Returns the rules of a programme.
#[utoipa::path(get, path = "/api/v1/programmes/{programme}", tag = "programmes", params(("programme" = String, Path)),
    responses((status = 200, body = Rules)))]
pub async fn show(
    State(app): State<Arc<AppState>>,
    Path(programme): Path<String>,
) -> Result<Tagged<Rules>, Problem> {
    let found = programmes::find(&mut *app.context.database.read().await?, &programme).await?;
    let (_, programme) = found.ok_or_else(Problem::not_found)?;
    tagged(&programme)
}

fn tagged(programme: &Programme) -> Result<Tagged<Rules>, Problem> {
    Ok(Tagged { version: version_of(programme), body: Rules::from_programme(programme)? })
}

/// Creates a programme (`If-None-Match: *`) or replaces its rules (`If-Match`); omitted keys have
/// their defaults.
#[utoipa::path(put, path = "/api/v1/programmes/{programme}", tag = "programmes", params(("programme" = String, Path), ("if-match" = Option<String>, Header, description = "ETag of what is replaced"), ("if-none-match" = Option<String>, Header, description = "* to create")), request_body = Rules,
    responses((status = 200, body = Rules), (status = 428, body = ProblemDetails, content_type = "application/problem+json", description = "it needs If-Match, or If-None-Match: *")))]
pub async fn put(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Precondition(expected): Precondition,
    Body(rules): Body<Rules>,
) -> Result<Tagged<Rules>, Problem> {
    let serde_json::Value::Object(mut rules) = rules.0 else {
        return Err(Problem::wrong("rules are an object"));
    };
    if rules
        .insert("code".to_owned(), code.clone().into())
        .is_some_and(|said| said != code.as_str())
    {
        return Err(Problem::wrong("code is another one than the address has"));
    }
    let programme: Programme = serde_json::from_value(rules.into())
        .map_err(|error| Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error))?;
    let programme = put_programme(&app.context, programme, &expected).await?;
    tagged(&programme)
}

/// The questionnaire of a category.
#[derive(Serialize, ToSchema)]
pub struct QuestionnaireResponse {
    category: &'static str,
    version: u32,
    title_zh: String,
    title_en: String,
    /// Its languages (BCP 47 tags); the first is shown to readers of all others.
    languages: Vec<String>,
    /// Its file (TOML).
    source: String,
    /// Trial link for a telephone, valid for two days; trial answers are not stored.
    try_url: String,
}

#[derive(Serialize, ToSchema)]
pub struct Questionnaires {
    items: Vec<QuestionnaireResponse>,
}

/// Lists the questionnaires that launches would use.
#[utoipa::path(get, path = "/api/v1/questionnaires", tag = "programmes", responses((status = 200, body = Questionnaires)))]
pub async fn questionnaires(
    State(app): State<Arc<AppState>>,
) -> Result<Json<Questionnaires>, Problem> {
    let folder = app.context.config.questionnaires.as_deref();
    let mut items = Vec::new();
    let mut connection =
        app.context.database.read().await.map_err(|error| Problem::internal(&error.to_string()))?;
    for category in Category::ALL {
        let (source, questionnaire) = load_for_category(&mut connection, folder, category)
            .await
            .map_err(|error| Problem::internal(&error.to_string()))?;
        items.push(QuestionnaireResponse {
            category: category.as_str(),
            version: questionnaire.version,
            title_zh: questionnaire.title.zh().to_owned(),
            title_en: questionnaire.title.en().to_owned(),
            languages: questionnaire.languages.iter().map(ToString::to_string).collect(),
            source,
            try_url: trial_link(&app.context, category.as_str()),
        });
    }
    Ok(Json(Questionnaires { items }))
}
