//! People's rights and the end of their data: what is held of a person, deletion, how long applicants' people are kept, legal holds, certificates.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::work::{DONE, Done};
use super::{Body, Caller, Path, Problem, utc};
use crate::domain::ids::CaseId;
use crate::domain::phone::Phone;
use crate::services::erasure::purge::{self, Review};
use crate::services::erasure::{Order, RetentionError, is_genuine, person};
use crate::adapters::database::erasure::{self, Applicant, Hold};
use crate::services::monitoring::timeline;
use crate::interfaces::http::state::Site;

impl From<RetentionError> for Problem {
    fn from(error: RetentionError) -> Problem {
        match error {
            RetentionError::Store(error) => error.into(),
            RetentionError::UnknownApplicant { .. } | RetentionError::Nobody => Problem::not_found(),
            RetentionError::NoReason => Problem::wrong(error.to_string()),
            RetentionError::InField(_) | RetentionError::LegalHold { .. } | RetentionError::Forgotten(_) | RetentionError::NoHold(_) => {
                Problem::conflict(error.to_string())
            }
            other => Problem::internal(&other.to_string()),
        }
    }
}

async fn phone_of(site: &Site, case: i64) -> Result<Phone, Problem> {
    let (_, phone) = timeline::reveal(&site.installation, CaseId(case)).await?.ok_or_else(Problem::not_found)?;
    Ok(phone)
}

/// Everything that is held about one person.
#[derive(Serialize, ToSchema)]
pub struct Held {
    /// By applicant: name, number, cases with answers, consents, messages, calls, replies.
    #[schema(value_type = Vec<Object>)]
    held: serde_json::Value,
    /// Where the number is not contacted, since when and until when.
    #[schema(value_type = Vec<Object>)]
    not_to_be_contacted: serde_json::Value,
}

/// Everything that is held about the person of a case, on every list, for that person to have.
#[utoipa::path(post, path = "/api/v1/cases/{case}/export", tag = "privacy", params(("case" = i64, Path)), responses((status = 200, body = Held)))]
pub async fn export(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(case): Path<i64>) -> Result<Json<Held>, Problem> {
    let phone = phone_of(&site, case).await?;
    let mut all = person::export(&site.installation, phone.e164(), &caller.actor).await?;
    Ok(Json(Held { held: all["held"].take(), not_to_be_contacted: all["not_to_be_contacted"].take() }))
}

/// Why something is done; it stands in the certificate, so no name and no number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    #[schema(min_length = 1)]
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct CorrectedOf {
    application: String,
    version: u32,
}

#[derive(Serialize, ToSchema)]
pub struct ErasedOf {
    /// Rows: one for each applicant that had the person on its lists.
    people: u64,
    /// Versions that were frozen without the person.
    corrected: Vec<CorrectedOf>,
    /// Applicants whose legal hold forbids it.
    held: Vec<String>,
}

/// Deletes whoever a case is about, on every list, and contacts the number no more. It cannot be undone.
#[utoipa::path(post, path = "/api/v1/cases/{case}/erase", tag = "privacy", params(("case" = i64, Path)), request_body = Why,
    responses((status = 200, body = ErasedOf)))]
pub async fn erase(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(case): Path<i64>,
    Body(why): Body<Why>,
) -> Result<Json<ErasedOf>, Problem> {
    let phone = phone_of(&site, case).await?;
    let erased = person::erase(&site.installation, phone.e164(), Order { who: &caller.actor.name, reason: why.reason.trim() }).await?;
    let corrected = erased.corrected.into_iter().map(|(application, version)| CorrectedOf { application, version });
    Ok(Json(ErasedOf { people: erased.people, corrected: corrected.collect(), held: erased.held }))
}

#[derive(Serialize, ToSchema)]
pub struct HoldOf {
    since: String,
    who: String,
    reason: String,
}

/// How long an applicant's people are kept.
#[derive(Serialize, ToSchema)]
pub struct ApplicantOf {
    programme: String,
    applicant: String,
    people: u64,
    /// When its last field was closed.
    done_at: Option<String>,
    forgotten_at: Option<String>,
    legal_hold: Option<HoldOf>,
    /// In words.
    standing: String,
}

#[derive(Serialize, ToSchema)]
pub struct Applicants {
    items: Vec<ApplicantOf>,
}

/// How long every applicant's people are kept.
#[utoipa::path(get, path = "/api/v1/applicants", tag = "privacy", responses((status = 200, body = Applicants)))]
pub async fn applicants(State(site): State<Arc<Site>>) -> Result<Json<Applicants>, Problem> {
    let hold = |hold: Hold| HoldOf { since: utc(hold.since), who: hold.who, reason: hold.reason };
    let of = |Review { applicant, standing }: Review| ApplicantOf {
        programme: applicant.programme_code,
        applicant: applicant.code,
        people: applicant.people,
        done_at: applicant.done_at.map(utc),
        forgotten_at: applicant.purged_at.map(utc),
        legal_hold: applicant.hold.map(hold),
        standing: standing.words(utc).1,
    };
    Ok(Json(Applicants { items: purge::review(&site.installation).await?.into_iter().map(of).collect() }))
}

async fn find(site: &Site, (programme, code): &(String, String)) -> Result<Applicant, Problem> {
    erasure::find(&mut *site.installation.store.read().await?, programme, code).await?.ok_or_else(Problem::not_found)
}

/// Forgets all people of an applicant now, whatever the programme's time. It cannot be undone.
#[utoipa::path(post, path = "/api/v1/applicants/{programme}/{applicant}/forget", tag = "privacy",
    params(("programme" = String, Path), ("applicant" = String, Path)), request_body = Why, responses((status = 200, body = Done)))]
pub async fn forget(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(whose): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Done>, Problem> {
    let applicant = find(&site, &whose).await?;
    purge::purge(&site.installation, applicant.id, Order { who: &caller.actor.name, reason: why.reason.trim() }).await?;
    Ok(DONE)
}

/// Puts an applicant under a legal hold: nothing of its people is deleted until it is lifted.
#[utoipa::path(put, path = "/api/v1/applicants/{programme}/{applicant}/legal-hold", tag = "privacy",
    params(("programme" = String, Path), ("applicant" = String, Path)), request_body = Why, responses((status = 200, body = Done)))]
pub async fn hold(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(whose): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Done>, Problem> {
    let applicant = find(&site, &whose).await?;
    purge::set_hold(&site.installation, applicant.id, Some(Order { who: &caller.actor.name, reason: why.reason.trim() })).await?;
    Ok(DONE)
}

/// Lifts a legal hold.
#[utoipa::path(delete, path = "/api/v1/applicants/{programme}/{applicant}/legal-hold", tag = "privacy",
    params(("programme" = String, Path), ("applicant" = String, Path)), responses((status = 200, body = Done)))]
pub async fn lift(State(site): State<Arc<Site>>, Path(whose): Path<(String, String)>) -> Result<Json<Done>, Problem> {
    let applicant = find(&site, &whose).await?;
    purge::set_hold(&site.installation, applicant.id, None).await?;
    Ok(DONE)
}

/// What was deleted, and by whose order.
#[derive(Serialize, ToSchema)]
pub struct CertificateOf {
    id: i64,
    /// purge or erasure.
    kind: &'static str,
    programme: String,
    applicant: String,
    issued_at: Option<String>,
    is_genuine: bool,
    /// As it is signed (JSON).
    text: String,
    /// Of the text, Ed25519 in base 64; null: the deletion is not done to the end.
    signature: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Certificates {
    items: Vec<CertificateOf>,
}

/// Certificates of deletion.
#[utoipa::path(get, path = "/api/v1/certificates", tag = "privacy", responses((status = 200, body = Certificates)))]
pub async fn certificates(State(site): State<Arc<Site>>) -> Result<Json<Certificates>, Problem> {
    let all = erasure::certificates(&mut *site.installation.store.read().await?).await?;
    let of = |certificate: erasure::Certificate| CertificateOf {
        is_genuine: is_genuine(&certificate),
        id: certificate.id,
        kind: certificate.kind.as_str(),
        programme: certificate.programme_code,
        applicant: certificate.applicant_code,
        issued_at: certificate.issued_at.map(utc),
        text: certificate.body,
        signature: certificate.signature,
    };
    Ok(Json(Certificates { items: all.into_iter().map(of).collect() }))
}
