//! Personal links of applicants. Staff see a link once; only its keyed hash is stored.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use phonenumber::country;

use super::ApplicantPageError;
use crate::adapters::database::applicant_links::{self, ApplicantLink, NewLink};
use crate::adapters::database::applications;
use crate::domain::ids::ApplicantId;
use crate::domain::personal::{Personal, masked};
use crate::domain::phone::{Phone, PhoneKind};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;

/// The longest that a link may be valid, in days.
const MAX_DAYS: u32 = 180;
/// 128 bits; no link can be guessed.
const TOKEN_BYTES: usize = 16;

/// A link as staff see it.
pub struct LinkView {
    pub id: i64,
    /// The number that codes go to, masked.
    pub mobile: String,
    pub created_by: String,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub signed_in_at: Option<Timestamp>,
    pub is_open: bool,
}

/// Gives the applicant of an application a link. Returns its address, which is nowhere stored.
pub async fn create(
    context: &AppContext,
    actor: &str,
    application: &str,
    mobile: &str,
    days: Option<u32>,
) -> Result<Personal, ApplicantPageError> {
    let config =
        context.config.applicant_pages.as_ref().ok_or(ApplicantPageError::NotConfigured)?;
    let days = days.unwrap_or(config.link_days);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ApplicantPageError::Days);
    }
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let mobile = Phone::parse(mobile.trim(), region).map_err(ApplicantPageError::Number)?;
    if mobile.kind() != PhoneKind::Mobile {
        return Err(ApplicantPageError::NoMobile);
    }
    let mut token = [0u8; TOKEN_BYTES];
    getrandom::fill(&mut token)
        .map_err(|_| ApplicantPageError::CodeNotSent("the system has no random bytes".into()))?;
    let token = BASE64URL_NOPAD.encode(&token);
    let mut tx = context.database.write().await?;
    let application = applications::find(&mut tx, application)
        .await?
        .ok_or_else(|| ApplicantPageError::UnknownApplication(application.to_owned()))?;
    let sealer = context.keys.sealer(&application.key_id)?;
    let now = context.clock.now();
    let link = NewLink {
        applicant: application.applicant_id,
        token_hash: &token_hash(context, &token),
        mobile_sealed: sealer.seal(seal_context::APPLICANT_MOBILE, mobile.e164().as_bytes())?,
        created_by: actor,
        expires_at: now + Duration::from_secs(u64::from(days) * 86_400),
    };
    applicant_links::add(&mut tx, link, now).await?;
    tx.commit().await?;
    Ok(Personal::new(format!("{}/applicant/{token}", context.config.public_url)))
}

fn token_hash(context: &AppContext, token: &str) -> String {
    context.keys.hasher().fingerprint(format!("applicant link\n{token}").as_bytes())
}

/// Returns the link of a token, if it can be used now.
pub async fn open(context: &AppContext, token: &str) -> Result<ApplicantLink, ApplicantPageError> {
    if token.len() > 64 {
        return Err(ApplicantPageError::UnknownLink);
    }
    let mut connection = context.database.read().await?;
    let hash = token_hash(context, token);
    let found = applicant_links::find_open(&mut connection, &hash, context.clock.now()).await?;
    found.ok_or(ApplicantPageError::UnknownLink)
}

/// Returns the links of an applicant, the latest first.
pub async fn of_applicant(
    context: &AppContext,
    applicant: ApplicantId,
) -> Result<Vec<LinkView>, ApplicantPageError> {
    let now = context.clock.now();
    let links =
        applicant_links::of_applicant(&mut *context.database.read().await?, applicant).await?;
    let view = |link: ApplicantLink| {
        Ok(LinkView {
            id: link.id,
            mobile: masked(mobile_of(context, &link)?.e164()),
            is_open: link.revoked_at.is_none() && link.expires_at > now,
            created_by: link.created_by,
            expires_at: link.expires_at,
            revoked_at: link.revoked_at,
            signed_in_at: link.signed_in_at,
        })
    };
    links.into_iter().map(view).collect()
}

/// The number that the codes of a link go to, masked.
pub fn masked_mobile(
    context: &AppContext,
    link: &ApplicantLink,
) -> Result<String, ApplicantPageError> {
    Ok(masked(mobile_of(context, link)?.e164()))
}

/// The number that the codes of a link go to.
pub(super) fn mobile_of(
    context: &AppContext,
    link: &ApplicantLink,
) -> Result<Phone, ApplicantPageError> {
    let sealer = context.keys.sealer(&link.key_id)?;
    let text = sealer.open_text(seal_context::APPLICANT_MOBILE, &link.mobile_sealed)?;
    Phone::from_e164(&text).map_err(ApplicantPageError::Number)
}

/// Ends a link at once, with whoever is signed in by it.
pub async fn revoke(
    context: &AppContext,
    application: &str,
    id: i64,
) -> Result<(), ApplicantPageError> {
    let mut tx = context.database.write().await?;
    let application = applications::find(&mut tx, application)
        .await?
        .ok_or_else(|| ApplicantPageError::UnknownApplication(application.to_owned()))?;
    let now = context.clock.now();
    if !applicant_links::revoke(&mut tx, application.applicant_id, id, now).await? {
        return Err(ApplicantPageError::UnknownLink);
    }
    tx.commit().await?;
    Ok(())
}
