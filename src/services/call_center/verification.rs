//! Verification: a random sample of the completed interviews is drawn, and another interviewer asks
//! their respondents whether the interview took place as reported.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::CallCenterError;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::calls::{self, NewCall, Purpose};
use crate::adapters::database::verifications::{self, Verification};
use crate::adapters::database::{campaigns, links, programmes, suppressions};
use crate::domain::audit::{Action, Actor};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::{CallId, InvitationId};
use crate::domain::language::Language;
use crate::domain::person::Person;
use crate::domain::phone::Phone;
use crate::domain::questionnaire::{
    Answer, AnswerProblem, Item, Questionnaire, ReadingContext, RoutingFacts,
};
use crate::domain::seeded_random::seeded_fraction;
use crate::domain::telephone::DayPart;
use crate::services::context::AppContext;
use crate::services::sealing::{open_person, open_phone, seal_context};

/// The default share of the interviews that is drawn.
pub const DEFAULT_SHARE: f64 = 0.1;

/// Returns the questionnaire of a verification.
pub fn questionnaire() -> &'static Questionnaire {
    static QUESTIONNAIRE: LazyLock<Questionnaire> = LazyLock::new(|| {
        // The file is part of the program, and a test parses it.
        Questionnaire::parse(include_str!("../../../config/questionnaires/verification.toml"))
            .expect("the built-in questionnaire is good")
    });
    &QUESTIONNAIRE
}

/// Returns the questions to ask, given the answers so far.
pub fn items(answers: &BTreeMap<String, Answer>) -> Vec<&'static Item> {
    let facts = RoutingFacts {
        category: String::new(),
        segment: String::new(),
        mode: "telephone".into(),
        fields: BTreeMap::new(),
    };
    let path = questionnaire().path(answers, &facts);
    questionnaire().items().filter(|item| path.includes(&item.id)).collect()
}

/// Draws a share of the interviews that are not yet in a sample, at least one of each interviewer.
/// Returns the number drawn.
pub async fn draw(context: &AppContext, share: f64) -> Result<usize, CallCenterError> {
    let mut tx = context.database.write().await?;
    let mut of_each: BTreeMap<_, Vec<(CallId, InvitationId)>> = BTreeMap::new();
    for (call, invitation, account) in verifications::candidates(&mut tx).await? {
        of_each.entry(account).or_default().push((call, invitation));
    }
    let mut drawn = Vec::new();
    for interviews in of_each.values_mut() {
        let lot = |call: &CallId| seeded_fraction("verification", call.0.unsigned_abs());
        interviews.sort_by(|(a, _), (b, _)| lot(a).total_cmp(&lot(b)));
        let count = ((interviews.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize).max(1);
        drawn.extend(interviews.iter().take(count));
    }
    verifications::insert_drawn(&mut tx, &drawn, context.clock.now()).await?;
    tx.commit().await?;
    Ok(drawn.len())
}

/// A respondent to be asked, with the phone number. It is available only to the account that has
/// claimed the verification.
pub struct VerificationTask {
    pub verification: Verification,
    pub person: Person,
    pub phone: Phone,
    pub applicant: String,
    pub language: Language,
}

/// The reason why a respondent cannot be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerificationRefusal {
    /// The verification does not exist, is claimed by another account, or is finished.
    Unavailable,
    /// Nobody verifies their own interviews.
    OwnInterview,
    /// It is outside the contact hours, or the number is suppressed.
    NotAllowed,
}

/// Claims a verification, and returns its id; who has another one gets that one. From then on the
/// number may be on the screen, so the claim is audited (invariants I2, I7).
pub async fn take(
    context: &AppContext,
    account: &Account,
    id: i64,
) -> Result<Result<i64, VerificationRefusal>, CallCenterError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    accounts::hold(&mut tx, account.id).await?;
    if let Some(claimed) = verifications::claimed_by(&mut tx, account.id).await? {
        return Ok(Ok(claimed));
    }
    let Some(verification) = verifications::find(&mut tx, id).await? else {
        return Ok(Err(VerificationRefusal::Unavailable));
    };
    if verification.interviewer == account.id {
        return Ok(Err(VerificationRefusal::OwnInterview));
    }
    let to = links::invited_person(&mut tx, verification.invitation).await?;
    let call = calls::get(&mut tx, verification.call).await?.ok_or(CallCenterError::CallOver)?;
    let campaign =
        campaigns::find(&mut tx, &to.campaign).await?.ok_or(CallCenterError::CallOver)?;
    let plan = ContactPlan::from_stored(&campaign.plan)
        .map_err(|error| CallCenterError::Plan { code: campaign.code.clone(), error })?;
    let zones = plan.zones_of(to.zone.as_deref());
    let programme = programmes::get(&mut tx, campaign.programme_id).await?.code;
    let is_suppressed =
        !suppressions::among(&mut tx, std::slice::from_ref(&to.phone_hash), &programme, now)
            .await?
            .is_empty();
    if is_suppressed || !plan.hours.is_open(now, &zones) {
        return Ok(Err(VerificationRefusal::NotAllowed));
    }
    if !verifications::claim(&mut tx, id, account.id, now).await? {
        return Ok(Err(VerificationRefusal::Unavailable));
    }
    let part = DayPart::of(now, zones.iter().next().unwrap_or(plan.time_zone));
    let new = NewCall {
        invitation: call.invitation,
        campaign: campaign.id,
        step: 0,
        account: account.id,
        purpose: Purpose::Verification,
        day_part: part,
    };
    let begun = calls::record_begin(&mut tx, &new, now).await?;
    context
        .audit(
            &mut tx,
            &Actor::console(&account.name),
            Action::VerificationPersonViewed,
            &format!("call:{}", begun.0),
        )
        .await?;
    tx.commit().await?;
    Ok(Ok(id))
}

/// Returns the task that this account has claimed; `None` if it has not claimed it, or it is
/// finished.
pub async fn current_task(
    context: &AppContext,
    account: &Account,
    id: i64,
) -> Result<Option<VerificationTask>, CallCenterError> {
    let mut connection = context.database.read().await?;
    let verification = verifications::find(&mut connection, id).await?;
    let Some(verification) =
        verification.filter(|v| v.taken_by == Some(account.id) && v.verified_at.is_none())
    else {
        return Ok(None);
    };
    let to = links::invited_person(&mut connection, verification.invitation).await?;
    let sealer = context.keys.sealer(&to.key_id)?;
    let (person, phone) =
        (open_person(&sealer, &to.person_sealed)?, open_phone(&sealer, &to.phone_sealed)?);
    Ok(Some(VerificationTask {
        verification,
        person,
        phone,
        applicant: to.applicant,
        language: to.language,
    }))
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerificationResult {
    Sound,
    Doubtful,
    /// These items need a valid answer.
    Problems(BTreeMap<String, AnswerProblem>),
}

/// Stores the respondent's answers.
pub async fn finish(
    context: &AppContext,
    task: &VerificationTask,
    fields: &BTreeMap<String, String>,
    comment: &str,
) -> Result<VerificationResult, CallCenterError> {
    let (mut answers, mut problems) = (BTreeMap::new(), BTreeMap::new());
    // The built-in items ask for no day: the zone is not important.
    let reading =
        ReadingContext { today: context.clock.now().date(chrono_tz::UTC), language: task.language };
    // Routing depends on the answers, so the items are parsed in order, each with the answers
    // before it.
    for item in questionnaire().items() {
        if !items(&answers).iter().any(|other| other.id == item.id) {
            continue;
        }
        match Answer::parse(item, fields.get(&item.id).map(String::as_str), reading) {
            Ok(Some(answer)) => _ = answers.insert(item.id.clone(), answer),
            Ok(None) => {}
            Err(problem) => _ = problems.insert(item.id.clone(), problem),
        }
    }
    if !problems.is_empty() {
        return Ok(VerificationResult::Problems(problems));
    }
    let codes: BTreeMap<&String, String> =
        answers.iter().map(|(id, answer)| (id, answer.to_stored().unwrap_or_default())).collect();
    let is = |item: &str, code: &str| {
        codes.iter().any(|(id, stored)| id.as_str() == item && stored == code)
    };
    let is_doubtful = is("took", "no") || is("asked", "some") || is("led", "yes");
    let mut tx = context.database.write().await?;
    let to = links::invited_person(&mut tx, task.verification.invitation).await?;
    let comment_sealed = match comment.trim() {
        "" => None,
        comment => Some(
            context.keys.sealer(&to.key_id)?.seal(seal_context::CALL_NOTE, comment.as_bytes())?,
        ),
    };
    let answers_json = serde_json::to_string(&codes).unwrap_or_default();
    let outcome = if is_doubtful { "doubtful" } else { "sound" };
    if !verifications::finish(
        &mut tx,
        task.verification.id,
        outcome,
        &answers_json,
        comment_sealed,
        context.clock.now(),
    )
    .await?
    {
        return Err(CallCenterError::CallOver);
    }
    tx.commit().await?;
    Ok(if is_doubtful { VerificationResult::Doubtful } else { VerificationResult::Sound })
}

/// Releases the claim because the respondent was not reached; any interviewer may claim the
/// verification again.
pub async fn give_back(
    context: &AppContext,
    task: &VerificationTask,
) -> Result<(), CallCenterError> {
    let mut tx = context.database.write().await?;
    verifications::return_to_pool(&mut tx, task.verification.id).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_questionnaire_asks_further_only_whom_somebody_called() {
        let code = |item: &str, code: &str| {
            let item = questionnaire().item(item).unwrap();
            let context = ReadingContext::sample(Language::ZH);
            Answer::parse(item, Some(code), context).unwrap().unwrap()
        };
        let no = BTreeMap::from([("took".to_owned(), code("took", "no"))]);
        let yes = BTreeMap::from([("took".to_owned(), code("took", "yes"))]);
        assert_eq!((items(&no).len(), items(&yes).len()), (1, 4));
    }
}
