//! A person's rights (Personal Information Protection Law, articles 45 and 47): access to the data
//! held about them, and its erasure.

use std::collections::{BTreeMap, HashMap};

use phonenumber::country;
use serde_json::{Value, json};

use super::{ErasureError, ErasureOrder, certificate, purge, scrub};
use crate::adapters::crypto::KeyRingError;
use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::datasets::{self, DatasetKind, FreezeReason};
use crate::adapters::database::erasure::{self, Applicant, CertificateKind, ErasedCounts};
use crate::adapters::database::further_numbers::{self, FurtherNumberOwner};
use crate::adapters::database::responses::{self, StoredValue};
use crate::adapters::database::subject_access_export::{self, SubjectAccessExport};
use crate::adapters::database::{WriteTx, campaigns, consents, quotas, suppressions};
use crate::domain::audit::{Action, Actor};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicantId, CaseId, RespondentId};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::questionnaire::{Answer, Item, ItemKind, Questionnaire};
use crate::domain::words::Words;
use crate::services;
use crate::services::context::AppContext;
use crate::services::interviews;
use crate::services::list_import::further_numbers::hash_missing;
use crate::services::sealing::{open_fields, open_person, open_phone, seal_context};
use crate::services::suppressions::opt_out;

/// Parses and hashes a number as typed.
fn hash_number(context: &AppContext, number: &str) -> Result<String, ErasureError> {
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let phone = Phone::parse(number.trim(), region)
        .map_err(|error| ErasureError::InvalidNumber(error.to_string()))?;
    Ok(context.keys.hasher().phone_hash(&phone))
}

/// Exports all data held about the person with a number, as JSON for that person; of people who have
/// it as a further number, with `by_further_number`. The access is audited first.
pub async fn export(
    context: &AppContext,
    number: &str,
    actor: &Actor,
) -> Result<Value, ErasureError> {
    let phone_hash = hash_number(context, number)?;
    hash_missing(context).await?;
    let mut tx = context.database.write().await?;
    let own = erasure::list_by_phone(&mut tx, &phone_hash).await?;
    let mut people: Vec<(RespondentId, bool)> = own.iter().map(|(id, _)| (*id, false)).collect();
    for owner in further_numbers::owners(&mut tx, &phone_hash, None).await? {
        if !people.iter().any(|(person, _)| *person == owner.person) {
            people.push((owner.person, true));
        }
    }
    if people.is_empty() {
        return Err(ErasureError::UnknownNumber);
    }
    let (mut exports, mut records) = (Vec::new(), Vec::new());
    let mut questionnaires: BTreeMap<String, Questionnaire> = BTreeMap::new();
    for (person, is_further) in people {
        let export = subject_access_export::collect(&mut tx, person).await?;
        for case in &export.cases {
            let application = applications::find(&mut tx, &case.application).await?;
            let id = application.and_then(|application| application.questionnaire_id);
            if let Some(id) = id.filter(|_| !questionnaires.contains_key(&case.application)) {
                let source = campaigns::questionnaire_source(&mut tx, id).await?;
                // One that cannot be read any more leaves the answers in codes.
                if let Ok(read) = Questionnaire::parse(&source) {
                    questionnaires.insert(case.application.clone(), read);
                }
            }
        }
        exports.push((person, is_further, export));
    }
    let suppressed = suppressions::of_number(&mut tx, &phone_hash).await?;
    for (person, ..) in &exports {
        context
            .audit(&mut tx, actor, Action::PersonExported, &format!("person:{}", person.0))
            .await?;
    }
    tx.commit().await?;
    for (_, is_further, export) in exports {
        let mut record = open_export(context, export, &questionnaires)?;
        if is_further {
            record["by_further_number"] = json!(true);
        }
        records.push(record);
    }
    let utc = |at: crate::domain::time::Timestamp| at.rfc3339(chrono_tz::UTC);
    let suppressed =
        suppressed.into_iter().map(|s| json!({ "scope": s.scope, "reason": s.reason, "since": utc(s.created_at), "until": s.expires_at.map(utc) }));
    Ok(json!({ "records": records, "suppressions": suppressed.collect::<Vec<_>>() }))
}

/// Returns the answers as they were asked and given, in a language, in the questionnaire's order.
fn answers_in_words(
    questionnaire: &Questionnaire,
    answers: &BTreeMap<String, String>,
    language: Language,
) -> Vec<Value> {
    let fixed = Words::of(language);
    let said = |item: &Item, stored: &str| match (Answer::from_stored(item, stored), &item.kind) {
        (Some(Answer::NotApplicable), _) => fixed.not_applicable.clone(),
        (Some(Answer::DontKnow), _) => fixed.dont_know.clone(),
        (Some(Answer::Refused), _) => fixed.refused.0.clone(),
        (_, ItemKind::Choice(choice)) => {
            let option = |code: &str| {
                let known = choice.options.iter().find(|option| option.code == code);
                known.map_or(code.to_owned(), |one| one.text.in_language(language).to_owned())
            };
            stored.split(' ').map(option).collect::<Vec<_>>().join("; ")
        }
        (_, ItemKind::Scale(scale)) => format!("{stored} ({}–{})", scale.from, scale.to),
        _ => stored.to_owned(),
    };
    let asked = questionnaire.items().filter_map(|item| Some((item, answers.get(&item.id)?)));
    let row = |(item, stored): (&Item, &String)| json!({ "question": item.text.in_language(language), "answer": said(item, stored) });
    asked.map(row).collect()
}

fn open_export(
    context: &AppContext,
    export: SubjectAccessExport,
    questionnaires: &BTreeMap<String, Questionnaire>,
) -> Result<Value, ErasureError> {
    let language = Language::parse(&export.language).unwrap_or(Language::ZH);
    let sealer = context.keys.sealer(&export.key_id)?;
    let person = open_person(&sealer, &export.person_sealed)?;
    let utc = |at: crate::domain::time::Timestamp| at.rfc3339(chrono_tz::UTC);
    let mut cases = Vec::new();
    for case in export.cases {
        let mut answers = BTreeMap::new();
        for (item, value) in case.answers {
            let text = match value {
                StoredValue::Plain(text) => text,
                StoredValue::Sealed(sealed) => {
                    sealer.open_text(seal_context::OPEN_ANSWER, &sealed)?
                }
            };
            answers.insert(item, text);
        }
        let in_words = questionnaires
            .get(&case.application)
            .map(|questionnaire| answers_in_words(questionnaire, &answers, language));
        cases.push(json!({
            "answers_in_words": in_words,
            "application": case.application, "category": case.category, "disposition": case.disposition, "since": utc(case.disposed_at),
            "segment": case.segment, "list_fields": open_fields(&sealer, case.fields_sealed.as_deref())?, "answers": answers,
            "origin": case.origin.map(|(device, network)| json!({ "device_code": device, "network_code": network })),
            "review": case.review.map(|(verdict, reason)| json!({ "verdict": verdict, "reason": reason })),
            "paper_form": case.paper_form.map(|(number, state)| json!({ "number": number, "state": state })),
        }));
    }
    let mut replies = Vec::new();
    for (at, meaning, sealed) in export.replies {
        let text =
            sealed.map(|sealed| sealer.open_text(seal_context::REPLY, &sealed)).transpose()?;
        replies.push(json!({ "at": utc(at), "meaning": meaning, "text": text }));
    }
    let mut staff_answers = Vec::new();
    for (at, by, sealed) in export.answers {
        let text = sealed
            .map(|sealed| sealer.open_text(seal_context::STAFF_ANSWER, &sealed))
            .transpose()?;
        staff_answers.push(json!({ "at": utc(at), "answered_by": by, "text": text }));
    }
    let mut calls = Vec::new();
    for call in export.calls {
        let note = call
            .note_sealed
            .map(|sealed| sealer.open_text(seal_context::CALL_NOTE, &sealed))
            .transpose()?;
        calls.push(json!({ "at": utc(call.at), "by": call.interviewer, "outcome": call.outcome, "note": note }));
    }
    let consents = export
        .consents
        .into_iter()
        .map(|(version, given, withdrawn)| json!({ "notice": version, "given": utc(given), "withdrawn": withdrawn.map(utc) }));
    let messages = export.messages.into_iter().map(
        |(at, campaign, slot, gateway, state)| json!({ "at": utc(at), "campaign": campaign, "message": slot.label(), "gateway": gateway, "state": state }),
    );
    Ok(json!({
        "programme": export.programme, "applicant": export.applicant, "since": utc(export.created_at),
        "number": open_phone(&sealer, &export.phone_sealed)?.stored(), "language": export.language,
        "name": person.name.reveal(), "organisation": person.organisation.reveal(), "job_title": person.job_title.reveal(),
        "email": person.email.reveal(), "remark": person.remark.reveal(), "salutation": person.salutation.reveal(),
        "other_numbers": person.other_numbers.reveal().lines().collect::<Vec<_>>(), "address": person.address.reveal(),
        "cases": cases, "consents": consents.collect::<Vec<_>>(), "messages": messages.collect::<Vec<_>>(), "calls": calls, "replies": replies, "staff_answers": staff_answers,
    }))
}

/// The result of an erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasureResult {
    /// The number of blanked rows: one per applicant that had the person on its lists.
    pub people: u64,
    /// Other people whose data the number was taken out of: it was a further number of theirs.
    pub further_numbers: u64,
    /// The versions frozen without the person: applications with version numbers.
    pub corrected: Vec<(String, u32)>,
    /// The applicants whose legal hold forbids the erasure.
    pub held: Vec<String>,
    /// The applicants with people who have the number as a further one and whose data cannot be
    /// opened: their key is missing, so the number stays in it.
    pub unreadable: Vec<String>,
}

/// Erases the person with a number, on the lists of every applicant: withdraws and uncounts the
/// answers, freezes closed datasets again without them, suppresses the number everywhere, and
/// blanks all personal data. Where the number is a further one of somebody else, it is taken out of
/// their data, and the rest stays. Applicants under a legal hold retain their data, but the
/// suppression applies to them too.
pub async fn erase(
    context: &AppContext,
    number: &str,
    order: ErasureOrder<'_>,
) -> Result<ErasureResult, ErasureError> {
    if order.reason.trim().is_empty() {
        return Err(ErasureError::NoReason);
    }
    let phone_hash = hash_number(context, number)?;
    hash_missing(context).await?;
    let mut connection = context.database.read().await?;
    let people = erasure::list_by_phone(&mut connection, &phone_hash).await?;
    let owners = further_numbers::owners(&mut connection, &phone_hash, None).await?;
    drop(connection);
    if people.is_empty() && owners.is_empty() {
        return Err(ErasureError::UnknownNumber);
    }
    erase_rows(context, &phone_hash, (&people, owners), order).await
}

/// What an erasure does at one applicant.
struct ErasureAtApplicant {
    applicant: Applicant,
    /// The person under the number.
    person: Option<RespondentId>,
    /// People who have it as a further number, sealed again without it.
    rewritten: Vec<(RespondentId, Vec<u8>)>,
}

/// Locks the applicants, and says what is done at each; those where nothing may or can be done are
/// named in `erased`.
async fn prepare_erasure(
    context: &AppContext,
    tx: &mut WriteTx,
    phone_hash: &str,
    (people, owners): (&[(RespondentId, ApplicantId)], Vec<FurtherNumberOwner>),
    erased: &mut ErasureResult,
) -> Result<Vec<ErasureAtApplicant>, ErasureError> {
    let own: HashMap<ApplicantId, RespondentId> =
        people.iter().map(|(person, applicant)| (*applicant, *person)).collect();
    let mut applicants: Vec<ApplicantId> = own.keys().copied().collect();
    applicants.extend(owners.iter().map(|owner| owner.applicant));
    // Locked in this order everywhere.
    applicants.sort_unstable();
    applicants.dedup();
    let mut found = Vec::new();
    for id in applicants {
        let applicant = erasure::lock(tx, id).await?;
        if let Err(ErasureError::LegalHold { code, .. }) = purge::check_legal_hold(&applicant) {
            erased.held.push(code);
            continue;
        }
        let mut rewritten = Vec::new();
        for owner in owners.iter().filter(|owner| owner.applicant == id) {
            match without_number(context, owner, phone_hash) {
                Some(sealed) => rewritten.push((owner.person, sealed)),
                None => erased.unreadable.push(applicant.code.clone()),
            }
        }
        found.push(ErasureAtApplicant { person: own.get(&id).copied(), applicant, rewritten });
    }
    erased.unreadable.dedup();
    Ok(found)
}

/// Returns a person sealed again without a further number; `None`: it does not open.
fn without_number(
    context: &AppContext,
    owner: &FurtherNumberOwner,
    phone_hash: &str,
) -> Option<Vec<u8>> {
    let sealer = match context.keys.sealer(&owner.key_id) {
        // Nobody can read it any more: there is nothing to take out.
        Err(KeyRingError::Destroyed { .. }) => return Some(owner.person_sealed.clone()),
        sealer => sealer.ok()?,
    };
    let mut person = open_person(&sealer, &owner.person_sealed).ok()?;
    let hasher = context.keys.hasher();
    let is_other =
        |n: &&str| Phone::from_e164(n).map_or(true, |n| hasher.phone_hash(&n) != phone_hash);
    let kept: Vec<&str> = person.other_numbers.reveal().lines().filter(is_other).collect();
    person.other_numbers = Personal::new(kept.join("\n"));
    sealer.seal(seal_context::PERSON, person.to_sealable().as_bytes()).ok()
}

pub(super) async fn erase_rows(
    context: &AppContext,
    phone_hash: &str,
    found: (&[(RespondentId, ApplicantId)], Vec<FurtherNumberOwner>),
    order: ErasureOrder<'_>,
) -> Result<ErasureResult, ErasureError> {
    let now = context.clock.now();
    let mut erased = ErasureResult::default();
    let mut tx = context.database.write().await?;
    let erasable = prepare_erasure(context, &mut tx, phone_hash, found, &mut erased).await?;
    // Cases are locked before invitations, here as everywhere.
    let (mut all_cases, mut answered) = (Vec::new(), Vec::new());
    let mut invitations = Vec::new();
    for person in erasable.iter().filter_map(|at| at.person) {
        all_cases.extend(erasure::cases_of(&mut tx, person).await?);
        for invitation in erasure::invitations_of(&mut tx, person).await? {
            answered.extend(cases::lock_answered(&mut tx, invitation).await?);
            invitations.push(invitation);
        }
    }
    opt_out(&mut tx, phone_hash, None, DispositionSource::Staff, now).await?;
    let open: Vec<CaseId> =
        all_cases.iter().filter(|(_, is_open)| *is_open).map(|(case, _)| *case).collect();
    cases::set_disposition(
        &mut tx,
        &open,
        Disposition::Refusal,
        &[],
        DispositionSource::Staff,
        now,
    )
    .await?;
    for invitation in invitations {
        consents::withdraw(&mut tx, invitation, now).await?;
    }
    interviews::withdraw_answers(&mut tx, &answered, DispositionSource::Staff, now).await?;
    let all_cases: Vec<CaseId> = all_cases.into_iter().map(|(case, _)| case).collect();
    responses::delete_answers(&mut tx, &all_cases).await?;
    for case in &all_cases {
        quotas::release_reservation(&mut tx, *case).await?;
    }
    // Before the name is erased, so that it can be redacted in the answers of others.
    for id in datasets::to_be_corrected(&mut tx).await? {
        let application = applications::get(&mut tx, id).await?;
        let is_theirs = erasable
            .iter()
            .any(|at| at.person.is_some() && at.applicant.id == application.applicant_id);
        if is_theirs && application.state == ApplicationState::Closed {
            let version = services::datasets::freeze(
                context,
                &mut tx,
                &application,
                DatasetKind::Final,
                FreezeReason::Withdrawal,
            )
            .await?;
            erased.corrected.push((application.code, version));
        }
    }
    for ErasureAtApplicant { applicant, person, rewritten } in &erasable {
        let mut blanked = match person {
            Some(person) => erasure::erase_personal_data(&mut tx, &[*person], now).await?,
            None => ErasedCounts::default(),
        };
        for (person, sealed) in rewritten {
            further_numbers::remove(&mut tx, *person, phone_hash, sealed).await?;
            erasure::delete_drafts(&mut tx, &[*person]).await?;
            blanked.further_numbers += 1;
            erased.further_numbers += 1;
        }
        if person.is_none() && rewritten.is_empty() {
            continue;
        }
        erased.people += blanked.people;
        let applications: Vec<String> = erasure::applications_of(&mut tx, applicant.id)
            .await?
            .into_iter()
            .map(|(_, code)| code)
            .collect();
        let mut body = certificate::begin(
            CertificateKind::Erasure,
            applicant,
            &applications,
            &blanked,
            order,
            now,
        );
        body.insert(
            "answers_taken_back".into(),
            json!(answered.iter().filter(|taken| all_cases.contains(&taken.case)).count()),
        );
        body.insert("corrected".into(), json!(erased.corrected));
        let (text, signature) = certificate::complete_and_sign(context, body, now)?;
        let id = erasure::begin_certificate(&mut tx, applicant.id, CertificateKind::Erasure, &text)
            .await?;
        erasure::issue(&mut tx, id, &text, &signature, now).await?;
        context.keys.record_erasure(&applicant.key_id, phone_hash)?;
    }
    tx.commit().await?;
    scrub(context).await;
    Ok(erased)
}
