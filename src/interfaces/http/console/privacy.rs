//! How long people are kept: each applicant's standing, deletion by hand, legal holds, and the certificates of what was deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::{Sent, Staff};
use super::super::Failure;
use super::super::state::Site;
use super::ZONE;
use crate::domain::time::Timestamp;
use crate::services::erasure::purge::{self, Review};
use crate::services::erasure::{Order, RetentionError, exported, is_genuine};
use crate::adapters::database::erasure::{self, Applicant, CertificateKind};

struct ApplicantRow {
    of: Applicant,
    standing: String,
    hold: Option<String>,
    /// It may be forgotten by hand.
    may_purge: bool,
}

struct CertificateRow {
    id: i64,
    kind: &'static str,
    of: String,
    issued: String,
    says: &'static str,
    danger: &'static str,
}

#[derive(Template)]
#[template(path = "console/privacy.html")]
struct PrivacyPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<String>,
    applicants: Vec<ApplicantRow>,
    certificates: Vec<CertificateRow>,
}

fn day(at: Timestamp) -> String {
    at.date(ZONE).to_string()
}

async fn render(site: &Site, staff: &Staff, noted: Option<&'static str>, problem: Option<String>) -> Result<Response, Failure> {
    let s = staff.say;
    let reviews = purge::review(&site.installation).await.map_err(|error| Failure::Internal(error.to_string()))?;
    let certificates = erasure::certificates(&mut *site.installation.store.read().await?).await?;
    let row = |review: Review| {
        let (zh, en) = review.standing.words(day);
        ApplicantRow {
            standing: s.t(&zh, &en).to_owned(),
            hold: review.applicant.hold.as_ref().map(|hold| format!("{} · {} · {}", day(hold.since), hold.who, hold.reason)),
            may_purge: review.applicant.purged_at.is_none()
                && review.applicant.in_field == 0
                && review.applicant.hold.is_none()
                && review.applicant.people > 0,
            of: review.applicant,
        }
    };
    let certificate = |of: &erasure::Certificate| {
        let (says, danger) = match (of.issued_at, is_genuine(of)) {
            (None, _) => (s.t("尚未完成", "not done to the end"), "watch"),
            (Some(_), true) => (s.t("签名有效", "signed"), "good"),
            (Some(_), false) => (s.t("签名无效", "the signature is broken"), "bad"),
        };
        CertificateRow {
            id: of.id,
            kind: match of.kind {
                CertificateKind::Purge => s.t("整个单位", "all people of an applicant"),
                CertificateKind::Erasure => s.t("一人", "one person"),
            },
            of: format!("{}/{}", of.programme_code, of.applicant_code),
            issued: of.issued_at.map(day).unwrap_or_default(),
            says,
            danger,
        }
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shown = PrivacyPage {
        f: Frame::of(staff),
        noted,
        problem,
        applicants: reviews.into_iter().map(row).collect(),
        certificates: certificates.iter().rev().map(certificate).collect(),
    };
    Ok(page(status, &shown))
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "purged" => s.t("已清除，证明见下方。", "They are forgotten; the certificate is below."),
        "held" => s.t("已设法律保全。", "It is under a legal hold."),
        "lifted" => s.t("法律保全已解除。", "The legal hold is lifted."),
        _ => return None,
    })
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    render(&site, &staff, noted, None).await
}

async fn applicant(site: &Site, programme: &str, code: &str) -> Result<Applicant, Failure> {
    erasure::find(&mut *site.installation.store.read().await?, programme, code).await?.ok_or(Failure::NotFound)
}

/// What was refused, in words; `Err`: it is no refusal.
fn refusal(s: Say, error: &RetentionError) -> Option<&'static str> {
    Some(match error {
        RetentionError::NoReason => s.t("请写明原因，它会留在证明中。", "Say why; it stands in the certificate."),
        RetentionError::InField(_) => s.t("仍有申报在进行中，请先结束。", "It has applications in the field; close them first."),
        RetentionError::LegalHold { .. } => s.t("处于法律保全中，不能清除。", "It is under a legal hold; nothing is deleted."),
        RetentionError::Forgotten(_) => s.t("已经清除。", "They are forgotten already."),
        RetentionError::NoHold(_) => s.t("没有法律保全。", "It is under no legal hold."),
        _ => return None,
    })
}

async fn told(site: &Site, staff: &Staff, done: Result<(), RetentionError>, noted: &str) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/privacy?noted={noted}")).into_response()),
        Err(error) => match refusal(staff.say, &error) {
            Some(problem) => render(site, staff, None, Some(problem.to_owned())).await,
            None => Err(Failure::Internal(error.to_string())),
        },
    }
}

/// Forgets all people of an applicant now, whatever the programme's time.
pub async fn forget(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path((programme, code)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let of = applicant(&site, &programme, &code).await?;
    if sent.text("sure").trim() != code {
        let problem = staff.say.t("请输入申报单位代码以确认清除。", "To have them forgotten, type the applicant's code.").to_owned();
        return render(&site, &staff, None, Some(problem)).await;
    }
    let order = Order { who: &staff.session.account.name, reason: sent.text("reason").trim() };
    let done = purge::purge(&site.installation, of.id, order).await;
    told(&site, &staff, done, "purged").await
}

/// Sets a legal hold, or lifts it.
pub async fn hold(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path((programme, code)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let of = applicant(&site, &programme, &code).await?;
    let (hold, noted) = match sent.text("do") {
        "set" => (Some(Order { who: &staff.session.account.name, reason: sent.text("reason").trim() }), "held"),
        "lift" => (None, "lifted"),
        _ => return Err(Failure::Unreadable("the form names no change".into())),
    };
    let done = purge::set_hold(&site.installation, of.id, hold).await;
    told(&site, &staff, done, noted).await
}

/// A certificate, or its signature; openssl checks them (docs/privacy.md).
pub async fn certificate(State(site): State<Arc<Site>>, Path((id, part)): Path<(i64, String)>) -> Result<Response, Failure> {
    let all = erasure::certificates(&mut *site.installation.store.read().await?).await?;
    let found = all.iter().find(|certificate| certificate.id == id && certificate.signature.is_some()).ok_or(Failure::NotFound)?;
    let [body, signature] = exported(found);
    let (name, content) = match part.as_str() {
        "text" => body,
        "signature" => signature,
        _ => return Err(Failure::NotFound),
    };
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    Ok((headers, content).into_response())
}
