//! One-time codes by SMS, and the sessions that they open.
//!
//! A code is valid for ten minutes and for five attempts; five are sent in a day, one a minute. A
//! session is a keyed hash of its link and its end, so that it ends with the link.

use std::sync::Arc;
use std::time::Duration;

use super::ApplicantPageError;
use super::links::mobile_of;
use crate::adapters::database::applicant_links::{self, ApplicantLink};
use crate::adapters::sms::{APPLICANT_CODE, OutgoingMessage};
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::{Personal, masked};
use crate::domain::sms_text::{Placeholder, measure_parts};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sms_sending::one_off::{OneOffResult, send_one_message};

const CODE_LIFETIME: Duration = Duration::from_secs(600);
const CODE_PAUSE: Duration = Duration::from_secs(60);
const CODES_A_DAY: u32 = 5;
const DAY: Duration = Duration::from_secs(86_400);
const MAX_ATTEMPTS: u32 = 5;
const SESSION_LIFETIME: Duration = Duration::from_secs(2 * 3_600);

/// Sends a code to the contact. Returns its number, masked.
pub async fn send_code(
    context: &Arc<AppContext>,
    link: &ApplicantLink,
) -> Result<String, ApplicantPageError> {
    let config =
        context.config.applicant_pages.as_ref().ok_or(ApplicantPageError::NotConfigured)?;
    let now = context.clock.now();
    if link.code_sent_at.is_some_and(|at| at + CODE_PAUSE > now) {
        return Err(ApplicantPageError::CodeTooSoon);
    }
    let is_new_day = link.counted_since + DAY <= now;
    let (sent, since) = if is_new_day { (0, now) } else { (link.codes_sent, link.counted_since) };
    if sent >= CODES_A_DAY {
        return Err(ApplicantPageError::TooManyCodes);
    }
    let to = mobile_of(context, link)?;
    let code = new_code()?;
    // Counted before it is sent: whoever presses twice gets one message.
    let mut tx = context.database.write().await?;
    let hash = code_hash(context, link.id, code.reveal());
    if !applicant_links::set_code(&mut tx, link, &hash, (sent + 1, since), now).await? {
        return Err(ApplicantPageError::CodeTooSoon);
    }
    tx.commit().await?;
    let actor = Actor::applicant(&link.applicant_code);
    let object = format!("applicant:{}", link.applicant_code);
    context.audit_before(&actor, Action::ApplicantCodeSent, &object, "").await?;
    let text = format!(
        "【{}】验证码 {}，10 分钟内有效，用于填报被访者名单。请勿转告他人。",
        config.signature,
        code.reveal()
    );
    let masked = masked(to.e164());
    let message = OutgoingMessage {
        reference: format!("applicant{}t{}", link.id, now.0),
        to,
        parts: measure_parts(&text).parts,
        text: Personal::new(text),
        step: APPLICANT_CODE.into(),
        fields: [
            (Placeholder::Signature, Personal::new(config.signature.clone())),
            (Placeholder::Code, code),
        ]
        .into(),
        must_be_alone: true,
        part: None,
    };
    match send_one_message(context, &config.gateway, &message).await {
        OneOffResult::Accepted => Ok(masked),
        OneOffResult::DoNotRetry(why) | OneOffResult::RetryLater(why) => {
            Err(ApplicantPageError::CodeNotSent(why.to_string()))
        }
    }
}

/// Six digits, each number as likely as any other.
fn new_code() -> Result<Personal, ApplicantPageError> {
    let no_random = |_| ApplicantPageError::CodeNotSent("the system has no random bytes".into());
    // The largest multiple of a million: numbers above it would favour small codes.
    const MOST: u32 = u32::MAX - u32::MAX % 1_000_000;
    loop {
        let mut bytes = [0u8; 4];
        getrandom::fill(&mut bytes).map_err(no_random)?;
        let number = u32::from_le_bytes(bytes);
        if number < MOST {
            return Ok(Personal::new(format!("{:06}", number % 1_000_000)));
        }
    }
}

fn code_hash(context: &AppContext, link: i64, code: &str) -> String {
    context.keys.hasher().fingerprint(format!("applicant code\n{link}\n{code}").as_bytes())
}

/// Whether a code was sent that can still be given.
pub fn awaits_code(link: &ApplicantLink, now: Timestamp) -> bool {
    link.code_hash.is_some() && link.code_sent_at.is_some_and(|at| at + CODE_LIFETIME > now)
}

/// Checks a code, and opens a session. Returns what the browser keeps.
pub async fn sign_in(
    context: &AppContext,
    link: &ApplicantLink,
    code: &str,
) -> Result<Personal, ApplicantPageError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    // Counted before it is compared, and whatever it is: attempts at the same time count each.
    if !applicant_links::count_wrong_code(&mut tx, link.id, MAX_ATTEMPTS).await?
        || !awaits_code(link, now)
    {
        tx.commit().await?;
        return Err(ApplicantPageError::WrongCode);
    }
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let given = code_hash(context, link.id, &digits);
    // Two keyed hashes are compared: what their time tells is nothing of the code.
    if !applicant_links::use_code(&mut tx, link.id, &given, now).await? {
        tx.commit().await?;
        return Err(ApplicantPageError::WrongCode);
    }
    tx.commit().await?;
    let actor = Actor::applicant(&link.applicant_code);
    let object = format!("applicant:{}", link.applicant_code);
    context.audit_before(&actor, Action::ApplicantSignedIn, &object, "").await?;
    // A session that begins in the moment in which others ended is none of those.
    let begins = link.sessions_ended_at.map_or(now, |ended| now.max(Timestamp(ended.0 + 1)));
    let ends = begins + SESSION_LIFETIME;
    Ok(Personal::new(format!("{}.{}", ends.0, session_hash(context, link.id, ends))))
}

fn session_hash(context: &AppContext, link: i64, ends: Timestamp) -> String {
    let text = format!("applicant session\n{link}\n{}", ends.0);
    context.keys.hasher().fingerprint(text.as_bytes())
}

/// Whether a browser's session belongs to this link and has not ended.
pub fn is_signed_in(context: &AppContext, link: &ApplicantLink, session: &Personal) -> bool {
    let Some((ends, hash)) = session.reveal().split_once('.') else { return false };
    let Some(ends) = ends.parse().ok().map(Timestamp) else { return false };
    // Hashed once more, so that the time of the comparison tells nothing.
    let again = |text: &str| context.keys.hasher().fingerprint(text.as_bytes());
    let is_signed = again(&session_hash(context, link.id, ends)) == again(hash);
    let has_ended = |ended: Timestamp| ended + SESSION_LIFETIME >= ends;
    is_signed && ends > context.clock.now() && !link.sessions_ended_at.is_some_and(has_ended)
}

/// Ends the session, and all others of its link.
pub async fn sign_out(
    context: &AppContext,
    link: &ApplicantLink,
) -> Result<(), ApplicantPageError> {
    let mut tx = context.database.write().await?;
    applicant_links::end_sessions(&mut tx, link.id, context.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// The token that every form of a session must carry.
pub fn form_token(context: &AppContext, session: &Personal) -> String {
    let text = format!("applicant form\n{}", session.reveal());
    context.keys.hasher().fingerprint(text.as_bytes())
}
