//! Drafts of applications: what was read, looked through beside its cells, corrected in place and
//! registered. A key of its own seals a draft, and is destroyed when it ends.

use std::collections::BTreeMap;

use phonenumber::country;

use super::reading::{ApplicationReading, ReadList, read_documents};
use super::{ApplicationFormError, Document, codes, subjects};
use crate::adapters::crypto::SealError;
use crate::adapters::database::application_drafts::{self, ApplicationDraft, DraftOrigin};
use crate::adapters::database::{applications, programmes};
use crate::domain::category::Category;
use crate::domain::ids::ProgrammeId;
use crate::domain::subject::required_fields;
use crate::services::context::AppContext;
use crate::services::drafts::lists::create_from_rows;
use crate::services::programmes::{NewApplication, add_declared};

const SEAL_CONTEXT: &str = "application_draft.content";
/// A longer value is no name and no address.
const MAX_VALUE_CHARS: usize = 400;

/// What became of the documents of an applicant.
pub struct CreatedDraft {
    /// `None`: a dry run.
    pub id: Option<i64>,
    pub reading: ApplicationReading,
    /// The same documents were read before; nothing was changed. How that draft ended, if it has.
    pub known: Option<Option<String>>,
}

/// A draft as it is looked through.
pub struct DraftView {
    pub draft: ApplicationDraft,
    pub reading: ApplicationReading,
    /// The codes that its applicant and its applications get.
    pub codes: Codes,
}

/// Codes made from the applicant's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    pub applicant: String,
    /// One for each application.
    pub applications: Vec<String>,
}

/// Reads documents, and keeps what they say as drafts, one for each applicant. The same documents
/// again change nothing.
pub async fn create(
    context: &AppContext,
    actor: &str,
    programme: &str,
    documents: Vec<Document>,
    dry_run: bool,
) -> Result<Vec<CreatedDraft>, ApplicationFormError> {
    let programme = find_programme(context, programme).await?;
    let mut fingerprint = context.keys.hasher().begin_fingerprint();
    for document in &documents {
        fingerprint.add(&document.content);
    }
    let content_hash = fingerprint.end();
    let headers = context.config.headers.clone();
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let read = tokio::task::spawn_blocking(move || read_documents(documents, &headers, region));
    let readings = read.await.unwrap_or(Err(ApplicationFormError::Nothing))?;
    let mut created = Vec::new();
    for reading in readings {
        let applicant = crate::domain::personal::Personal::new(reading.applicant.as_str());
        let applicant_hash = context.keys.hasher().name_hash(&applicant);
        let origin = DraftOrigin { content_hash: &content_hash, applicant_hash: &applicant_hash };
        let known =
            application_drafts::known(&mut *context.database.read().await?, programme, origin)
                .await?;
        if let Some((id, ended)) = known {
            created.push(CreatedDraft { id: Some(id), reading, known: Some(ended) });
            continue;
        }
        if dry_run {
            created.push(CreatedDraft { id: None, reading, known: None });
            continue;
        }
        let key_id = context.keys.create_key()?;
        let sealed = seal(context, &key_id, &reading)?;
        let mut tx = context.database.write().await?;
        let now = context.clock.now();
        let id = application_drafts::add(&mut tx, programme, origin, (&key_id, sealed), actor, now)
            .await?;
        tx.commit().await?;
        created.push(CreatedDraft { id, reading, known: None });
    }
    Ok(created)
}

async fn find_programme(
    context: &AppContext,
    code: &str,
) -> Result<ProgrammeId, ApplicationFormError> {
    let found = programmes::find(&mut *context.database.read().await?, code).await?;
    Ok(found.ok_or_else(|| ApplicationFormError::UnknownProgramme(code.to_owned()))?.0)
}

fn seal(
    context: &AppContext,
    key_id: &str,
    reading: &ApplicationReading,
) -> Result<Vec<u8>, ApplicationFormError> {
    let text = serde_json::to_string(reading).map_err(|_| SealError::Broken)?;
    Ok(context.keys.sealer(key_id)?.seal(SEAL_CONTEXT, text.as_bytes())?)
}

async fn open(
    context: &AppContext,
    id: i64,
) -> Result<(ApplicationDraft, ApplicationReading), ApplicationFormError> {
    let draft = application_drafts::find(&mut *context.database.read().await?, id)
        .await?
        .ok_or(ApplicationFormError::NotFound)?;
    let sealer = context.keys.sealer(&draft.key_id)?;
    let text = sealer.open_text(SEAL_CONTEXT, &draft.content_sealed)?;
    let reading = serde_json::from_str(&text).map_err(|_| SealError::Broken)?;
    Ok((draft, reading))
}

/// Returns a draft with the codes that it would get.
pub async fn view(context: &AppContext, id: i64) -> Result<DraftView, ApplicationFormError> {
    let (draft, reading) = open(context, id).await?;
    let codes = propose_codes(context, draft.programme, &reading).await?;
    Ok(DraftView { draft, reading, codes })
}

/// Makes codes that nobody has. An applicant that the programme knows by its name keeps its code.
async fn propose_codes(
    context: &AppContext,
    programme: ProgrammeId,
    reading: &ApplicationReading,
) -> Result<Codes, ApplicationFormError> {
    let mut connection = context.database.read().await?;
    let known = programmes::applicants(&mut connection, programme).await?;
    let same = |name: &str| subjects::label(name) == subjects::label(&reading.applicant);
    let applicant = match known.iter().find(|(_, name)| same(name)) {
        Some((code, _)) => code.clone(),
        None => {
            let is_taken = |code: &str| known.iter().any(|(known, _)| known == code);
            codes::free(&codes::initials(&reading.applicant), is_taken)
        }
    };
    let mut applications = Vec::new();
    for _ in &reading.applications {
        let mut number = applications.len() + 1;
        let code = loop {
            let code = format!("{applicant}-{number}");
            let is_free = !applications.contains(&code)
                && applications::find(&mut connection, &code).await?.is_none();
            if is_free {
                break code;
            }
            number += 1;
        };
        applications.push(code);
    }
    Ok(Codes { applicant, applications })
}

/// Corrects a draft by the fields of its form: `applicant`, `contact-FIELD`, `subject-N-FIELD`,
/// `out-N` and `list-N-CATEGORY`.
pub async fn correct(
    context: &AppContext,
    id: i64,
    form: &BTreeMap<String, String>,
) -> Result<(), ApplicationFormError> {
    let (draft, mut reading) = open(context, id).await?;
    let value = |name: &str| {
        form.get(name).map(|value| value.trim().chars().take(MAX_VALUE_CHARS).collect::<String>())
    };
    if let Some(applicant) = value("applicant") {
        reading.applicant = applicant;
    }
    for field in ["contact", "phone", "mobile", "email", "address"] {
        match value(&format!("contact-{field}")) {
            Some(text) if text.is_empty() => _ = reading.contact.remove(field),
            Some(text) => _ = reading.contact.insert(field.to_owned(), text),
            None => {}
        }
    }
    for (application, number) in reading.applications.iter_mut().zip(0..) {
        for (field, ..) in required_fields(application.category) {
            if let Some(text) = value(&format!("subject-{number}-{field}")) {
                application.fields.insert((*field).to_owned(), text);
            }
        }
        application.is_left_out = form.contains_key(&format!("out-{number}"));
    }
    for (list, number) in reading.lists.iter_mut().zip(0..) {
        let named = |category: &Category| form.contains_key(&format!("list-{number}-{category}"));
        list.categories = Category::ALL.into_iter().filter(named).collect();
    }
    let sealed = seal(context, &draft.key_id, &reading)?;
    let mut tx = context.database.write().await?;
    let now = context.clock.now();
    if !application_drafts::set_content(&mut tx, id, draft.changed_at, sealed, now).await? {
        return Err(ApplicationFormError::Changed);
    }
    tx.commit().await?;
    Ok(())
}

/// What was registered.
#[derive(Debug)]
pub struct Registered {
    pub applications: Vec<String>,
    /// The lists that are ready to be checked and imported.
    pub lists: Vec<i64>,
}

/// Registers the applications of a draft, all or none, and makes its lists ready to be imported.
pub async fn register(
    context: &AppContext,
    actor: &str,
    id: i64,
) -> Result<Registered, ApplicationFormError> {
    let DraftView { draft, reading, codes } = view(context, id).await?;
    if reading.applicant.trim().is_empty() {
        return Err(ApplicationFormError::NoApplicant);
    }
    let kept: Vec<_> = reading
        .applications
        .iter()
        .zip(&codes.applications)
        .filter(|(application, _)| !application.is_left_out)
        .collect();
    if kept.is_empty() {
        return Err(ApplicationFormError::NothingToRegister);
    }
    if let Some((application, _)) = kept.iter().find(|(a, _)| !a.missing().is_empty()) {
        return Err(ApplicationFormError::Missing {
            category: application.category.as_str(),
            subject: application.subject.clone(),
            missing: application.missing().join(", "),
        });
    }
    let new = kept.iter().map(|(application, code)| NewApplication {
        programme: &draft.programme_code,
        code,
        applicant_code: &codes.applicant,
        applicant_name: &reading.applicant,
        rename: false,
        category: application.category.as_str(),
        subject: application.fields.clone(),
        target: None,
        requested_title: reading.title.clone(),
        may_publish: reading.publicity,
        contact: reading.contact.clone(),
    });
    let registered = add_declared(context, &draft.programme_code, new.collect()).await?;
    let mut lists = Vec::new();
    for list in &reading.lists {
        let is_for =
            |category: Category| list.categories.is_empty() || list.categories.contains(&category);
        let of_list: Vec<String> = kept
            .iter()
            .filter(|(application, _)| is_for(application.category))
            .map(|(_, code)| (*code).clone())
            .collect();
        if !of_list.is_empty() {
            let rows = list.rows.clone();
            lists.push(create_from_rows(context, actor, &of_list, &title_of(list), rows).await?);
        }
    }
    let mut tx = context.database.write().await?;
    application_drafts::end(&mut tx, id).await?;
    tx.commit().await?;
    context.keys.destroy(&draft.key_id, KEY_IS_OVER)?;
    Ok(Registered { applications: registered, lists })
}

/// The name under which a list stands among the lists to be imported.
fn title_of(list: &ReadList) -> String {
    let heading = list.heading.lines().map(str::trim).find(|line| !line.is_empty());
    match heading {
        Some(heading) => {
            format!("{} · {}", list.document, heading.chars().take(40).collect::<String>())
        }
        None => list.document.clone(),
    }
}

/// Discards a draft, with all that it holds.
pub async fn discard(context: &AppContext, id: i64) -> Result<(), ApplicationFormError> {
    let (draft, _) = open(context, id).await?;
    let mut tx = context.database.write().await?;
    application_drafts::discard(&mut tx, id).await?;
    tx.commit().await?;
    context.keys.destroy(&draft.key_id, KEY_IS_OVER)?;
    Ok(())
}

/// Why a draft's key is destroyed.
const KEY_IS_OVER: &str = "an application's draft has ended";
