//! Data subject requests and the end of retention: export, erasure, retention of each applicant's
//! data, legal holds, certificates.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pending_work::{DONE, Done};
use super::{Body, Caller, Path, Problem, format_utc};
use axum::http::StatusCode;

use crate::adapters::database::erasure::{self, Applicant, LegalHold};
use crate::domain::ids::CaseId;
use crate::domain::phone::Phone;
use crate::interfaces::http::state::AppState;
use crate::services::erasure::purge::{self, PurgeReview};
use crate::services::erasure::{ErasureError, ErasureOrder, is_genuine, person};
use crate::services::monitoring::timeline;

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Problem {
        match error {
            ErasureError::Database(error) => error.into(),
            ErasureError::UnknownApplicant { .. } | ErasureError::UnknownNumber => {
                Problem::not_found()
            }
            ErasureError::NoReason => Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error),
            ErasureError::InField(_)
            | ErasureError::LegalHold { .. }
            | ErasureError::AlreadyErased(_)
            | ErasureError::NoLegalHold(_) => Problem::from_error(StatusCode::CONFLICT, &error),
            other => Problem::internal(&other.to_string()),
        }
    }
}

async fn phone_of(app: &AppState, case: i64) -> Result<Phone, Problem> {
    let (_, phone) = timeline::reveal_person(&app.context, CaseId(case))
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(phone)
}

/// All data about one person.
#[derive(Serialize, ToSchema)]
pub struct PersonExportResponse {
    /// By applicant: name, number, cases with answers, consents, messages, calls, replies. A record
    /// with `by_further_number` is of somebody who has the number as a further one.
    #[schema(value_type = Vec<Object>)]
    records: serde_json::Value,
    /// Suppressions of the number, with start and end.
    #[schema(value_type = Vec<Object>)]
    suppressions: serde_json::Value,
}

/// Exports all data about the person of a case, from every list, for that person.
#[utoipa::path(post, path = "/api/v1/cases/{case}/export", tag = "privacy", params(("case" = i64, Path)), responses((status = 200, body = PersonExportResponse)))]
pub async fn export(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(case): Path<i64>,
) -> Result<Json<PersonExportResponse>, Problem> {
    let phone = phone_of(&app, case).await?;
    let mut all = person::export(&app.context, &phone.stored(), &caller.actor).await?;
    Ok(Json(PersonExportResponse {
        records: all["records"].take(),
        suppressions: all["suppressions"].take(),
    }))
}

/// The reason of an operation, as the certificate states it; give no name and no number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonRequest {
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct CorrectedVersionResponse {
    application: String,
    version: u32,
}

#[derive(Serialize, ToSchema)]
pub struct ErasureResponse {
    /// Number of erased rows: one for each applicant with the person on its lists.
    erased_rows: u64,
    /// Versions frozen again without the person.
    corrected_versions: Vec<CorrectedVersionResponse>,
    /// Applicants whose legal hold prevents the erasure.
    under_legal_hold: Vec<String>,
    /// Other people who had the number as a further one: it is taken out of their data.
    further_numbers: u64,
    /// Applicants with such people whose key is missing: there the number stays.
    unreadable: Vec<String>,
}

/// Erases the person of a case from every list, and suppresses the number. It cannot be undone.
#[utoipa::path(post, path = "/api/v1/cases/{case}/erase", tag = "privacy", params(("case" = i64, Path)), request_body = ReasonRequest,
    responses((status = 200, body = ErasureResponse)))]
pub async fn erase(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(case): Path<i64>,
    Body(request): Body<ReasonRequest>,
) -> Result<Json<ErasureResponse>, Problem> {
    let phone = phone_of(&app, case).await?;
    let erased = person::erase(
        &app.context,
        &phone.stored(),
        ErasureOrder { actor: &caller.actor.name, reason: request.reason.trim() },
    )
    .await?;
    let corrected = erased
        .corrected
        .into_iter()
        .map(|(application, version)| CorrectedVersionResponse { application, version });
    Ok(Json(ErasureResponse {
        erased_rows: erased.people,
        corrected_versions: corrected.collect(),
        under_legal_hold: erased.held,
        further_numbers: erased.further_numbers,
        unreadable: erased.unreadable,
    }))
}

#[derive(Serialize, ToSchema)]
pub struct LegalHoldResponse {
    since: String,
    actor: String,
    reason: String,
}

/// The retention of an applicant's data.
#[derive(Serialize, ToSchema)]
pub struct ApplicantResponse {
    programme: String,
    applicant: String,
    people: u64,
    /// When its last field was closed.
    fieldwork_ended_at: Option<String>,
    purged_at: Option<String>,
    legal_hold: Option<LegalHoldResponse>,
    /// In words.
    purge_status: String,
}

#[derive(Serialize, ToSchema)]
pub struct Applicants {
    items: Vec<ApplicantResponse>,
}

/// Lists all applicants with their retention.
#[utoipa::path(get, path = "/api/v1/applicants", tag = "privacy", responses((status = 200, body = Applicants)))]
pub async fn applicants(State(app): State<Arc<AppState>>) -> Result<Json<Applicants>, Problem> {
    let hold = |hold: LegalHold| LegalHoldResponse {
        since: format_utc(hold.since),
        actor: hold.actor,
        reason: hold.reason,
    };
    let to_response = |PurgeReview { applicant, status }: PurgeReview| ApplicantResponse {
        programme: applicant.programme_code,
        applicant: applicant.code,
        people: applicant.people,
        fieldwork_ended_at: applicant.done_at.map(format_utc),
        purged_at: applicant.purged_at.map(format_utc),
        legal_hold: applicant.hold.map(hold),
        purge_status: status.labels(format_utc).1,
    };
    Ok(Json(Applicants {
        items: purge::review_applicants(&app.context).await?.into_iter().map(to_response).collect(),
    }))
}

async fn find(app: &AppState, (programme, code): &(String, String)) -> Result<Applicant, Problem> {
    erasure::find(&mut *app.context.database.read().await?, programme, code)
        .await?
        .ok_or_else(Problem::not_found)
}

/// Deletes all personal data of an applicant now, before its retention period ends. It cannot be
/// undone.
#[utoipa::path(post, path = "/api/v1/applicants/{programme}/{applicant}/purge", tag = "privacy",
    params(("programme" = String, Path), ("applicant" = String, Path)), request_body = ReasonRequest, responses((status = 200, body = Done)))]
pub async fn purge_applicant(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(target): Path<(String, String)>,
    Body(request): Body<ReasonRequest>,
) -> Result<Json<Done>, Problem> {
    let applicant = find(&app, &target).await?;
    purge::purge(
        &app.context,
        applicant.id,
        ErasureOrder { actor: &caller.actor.name, reason: request.reason.trim() },
    )
    .await?;
    Ok(DONE)
}

/// Sets a legal hold: none of the applicant's personal data is deleted until it is lifted.
#[utoipa::path(put, path = "/api/v1/applicants/{programme}/{applicant}/legal-hold", tag = "privacy",
    params(("programme" = String, Path), ("applicant" = String, Path)), request_body = ReasonRequest, responses((status = 200, body = Done)))]
pub async fn set_legal_hold(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(target): Path<(String, String)>,
    Body(request): Body<ReasonRequest>,
) -> Result<Json<Done>, Problem> {
    let applicant = find(&app, &target).await?;
    purge::set_hold(
        &app.context,
        applicant.id,
        Some(ErasureOrder { actor: &caller.actor.name, reason: request.reason.trim() }),
    )
    .await?;
    Ok(DONE)
}

/// Lifts a legal hold.
#[utoipa::path(delete, path = "/api/v1/applicants/{programme}/{applicant}/legal-hold", tag = "privacy",
    params(("programme" = String, Path), ("applicant" = String, Path)), responses((status = 200, body = Done)))]
pub async fn lift_legal_hold(
    State(app): State<Arc<AppState>>,
    Path(target): Path<(String, String)>,
) -> Result<Json<Done>, Problem> {
    let applicant = find(&app, &target).await?;
    purge::set_hold(&app.context, applicant.id, None).await?;
    Ok(DONE)
}

/// A certificate: what was deleted, and by whose order.
#[derive(Serialize, ToSchema)]
pub struct CertificateResponse {
    id: i64,
    /// purge or erasure.
    kind: &'static str,
    programme: String,
    applicant: String,
    issued_at: Option<String>,
    is_genuine: bool,
    /// The signed text (JSON).
    text: String,
    /// Ed25519 signature of the text in base 64; null while the deletion is not complete.
    signature: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Certificates {
    items: Vec<CertificateResponse>,
}

/// Lists certificates of deletion.
#[utoipa::path(get, path = "/api/v1/certificates", tag = "privacy", responses((status = 200, body = Certificates)))]
pub async fn certificates(State(app): State<Arc<AppState>>) -> Result<Json<Certificates>, Problem> {
    let all = erasure::certificates(&mut *app.context.database.read().await?).await?;
    let to_response = |certificate: erasure::Certificate| CertificateResponse {
        is_genuine: is_genuine(&certificate),
        id: certificate.id,
        kind: certificate.kind.as_str(),
        programme: certificate.programme_code,
        applicant: certificate.applicant_code,
        issued_at: certificate.issued_at.map(format_utc),
        text: certificate.body,
        signature: certificate.signature,
    };
    Ok(Json(Certificates { items: all.into_iter().map(to_response).collect() }))
}
