//! Retention: each applicant's purge status, deletion by hand, legal holds and certificates of
//! deletion.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use crate::adapters::database::erasure::{self, Applicant, CertificateKind};
use crate::domain::time::Timestamp;
use crate::services::erasure::purge::{self, PurgeReview};
use crate::services::erasure::{ErasureError, ErasureOrder, certificate_files, is_genuine};

struct ApplicantRow {
    applicant: Applicant,
    status_text: String,
    hold: Option<String>,
    /// Whether its data may be deleted by hand.
    may_purge: bool,
}

struct CertificateRow {
    id: i64,
    kind: &'static str,
    applicant: String,
    issued: String,
    status_text: &'static str,
    status_class: &'static str,
}

#[derive(Template)]
#[template(path = "console/privacy.html")]
struct PrivacyPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    applicants: Vec<ApplicantRow>,
    certificates: Vec<CertificateRow>,
}

fn day(at: Timestamp) -> String {
    at.date(ZONE).to_string()
}

async fn render(
    app: &AppState,
    staff: &Staff,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let reviews = purge::review_applicants(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let certificates = erasure::certificates(&mut *app.context.database.read().await?).await?;
    let row = |review: PurgeReview| {
        let (zh, en) = review.status.labels(day);
        ApplicantRow {
            status_text: tr.t(&zh, &en).to_owned(),
            hold: review
                .applicant
                .hold
                .as_ref()
                .map(|hold| format!("{} · {} · {}", day(hold.since), hold.actor, hold.reason)),
            may_purge: review.applicant.purged_at.is_none()
                && review.applicant.in_field == 0
                && review.applicant.hold.is_none()
                && review.applicant.people > 0,
            applicant: review.applicant,
        }
    };
    let certificate = |certificate: &erasure::Certificate| {
        let (status_text, status_class) = match (certificate.issued_at, is_genuine(certificate)) {
            (None, _) => (tr.t("尚未完成", "not done to the end"), "warning"),
            (Some(_), true) => (tr.t("签名有效", "signed"), "good"),
            (Some(_), false) => (tr.t("签名无效", "the signature is broken"), "bad"),
        };
        CertificateRow {
            id: certificate.id,
            kind: match certificate.kind {
                CertificateKind::Purge => tr.t("整个单位", "all people of an applicant"),
                CertificateKind::Erasure => tr.t("一人", "one person"),
            },
            applicant: format!("{}/{}", certificate.programme_code, certificate.applicant_code),
            issued: certificate.issued_at.map(day).unwrap_or_default(),
            status_text,
            status_class,
        }
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let template = PrivacyPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        applicants: reviews.into_iter().map(row).collect(),
        certificates: certificates.iter().rev().map(certificate).collect(),
    };
    Ok(render_page(status, &template))
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "purged" => {
            tr.t("已清除，证明见下方。", "Personal data deleted; the certificate is below.")
        }
        "held" => tr.t("已设法律保全。", "It is under a legal hold."),
        "lifted" => tr.t("法律保全已解除。", "The legal hold is lifted."),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render(&app, &staff, flash, None).await
}

async fn applicant(app: &AppState, programme: &str, code: &str) -> Result<Applicant, Failure> {
    erasure::find(&mut *app.context.database.read().await?, programme, code)
        .await?
        .ok_or(Failure::NotFound)
}

/// Returns the text of a refusal. `None` for internal errors.
fn refusal_text(tr: Translator, error: &ErasureError) -> Option<&'static str> {
    Some(match error {
        ErasureError::NoReason => {
            tr.t("请写明原因，它会留在证明中。", "Say why; it stands in the certificate.")
        }
        ErasureError::InField(_) => tr.t(
            "仍有申报在进行中，请先结束。",
            "It has applications in the field; close them first.",
        ),
        ErasureError::LegalHold { .. } => {
            tr.t("处于法律保全中，不能清除。", "It is under a legal hold; nothing is deleted.")
        }
        ErasureError::AlreadyErased(_) => tr.t("已经清除。", "The data is deleted already."),
        ErasureError::NoLegalHold(_) => tr.t("没有法律保全。", "It is under no legal hold."),
        _ => return None,
    })
}

async fn respond(
    app: &AppState,
    staff: &Staff,
    done: Result<(), ErasureError>,
    flash: &str,
) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/privacy?noted={flash}")).into_response()),
        Err(error) => match refusal_text(staff.tr, &error) {
            Some(problem) => render(app, staff, None, Some(problem.to_owned())).await,
            None => Err(Failure::Internal(error.to_string())),
        },
    }
}

/// Deletes all personal data of an applicant now, before its retention period ends.
pub async fn purge_applicant(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path((programme, code)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let applicant = applicant(&app, &programme, &code).await?;
    if form.text("sure").trim() != code {
        let problem = staff
            .tr
            .t("请输入申报单位代码以确认清除。", "To delete the data, type the applicant's code.")
            .to_owned();
        return render(&app, &staff, None, Some(problem)).await;
    }
    let order =
        ErasureOrder { actor: &staff.session.account.name, reason: form.text("reason").trim() };
    let done = purge::purge(&app.context, applicant.id, order).await;
    respond(&app, &staff, done, "purged").await
}

/// Sets or lifts a legal hold.
pub async fn set_legal_hold(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path((programme, code)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let applicant = applicant(&app, &programme, &code).await?;
    let (hold, flash) = match form.text("do") {
        "set" => (
            Some(ErasureOrder {
                actor: &staff.session.account.name,
                reason: form.text("reason").trim(),
            }),
            "held",
        ),
        "lift" => (None, "lifted"),
        _ => return Err(Failure::BadRequest("the form names no change".into())),
    };
    let done = purge::set_hold(&app.context, applicant.id, hold).await;
    respond(&app, &staff, done, flash).await
}

/// Returns a certificate or its signature; openssl verifies them (docs/privacy.md).
pub async fn certificate(
    State(app): State<Arc<AppState>>,
    Path((id, part)): Path<(i64, String)>,
) -> Result<Response, Failure> {
    let all = erasure::certificates(&mut *app.context.database.read().await?).await?;
    let found = all
        .iter()
        .find(|certificate| certificate.id == id && certificate.signature.is_some())
        .ok_or(Failure::NotFound)?;
    let [body, signature] = certificate_files(found);
    let (name, content) = match part.as_str() {
        "text" => body,
        "signature" => signature,
        _ => return Err(Failure::NotFound),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, content).into_response())
}
