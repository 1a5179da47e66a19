//! Registers programmes and applications from their files, forms and API requests.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::applications::{self, Application, Declaration};
use crate::adapters::database::programmes::KnownApplicant;
use crate::adapters::database::{DatabaseError, consents, programmes};
use crate::domain::category::Category;
use crate::domain::logo::{Logo, LogoError};
use crate::domain::organiser::Organiser;
use crate::domain::personal::Personal;
use crate::domain::programme::{Programme, ProgrammeError, is_code};
use crate::domain::questionnaire::{ROUTING_FACTS, is_field_name};
use crate::domain::quota::{QuotaError, QuotaFile, QuotaPlan};
use crate::domain::subject::{Subject, SubjectError};
use crate::domain::time::{Timestamp, days};
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;
use crate::services::versions::{self, ExpectedVersion, VersionConflict, version_of};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "registration.", serialize_all = "snake_case")]
pub enum RegistrationError {
    #[error(transparent)]
    #[strum(transparent)]
    Version(#[from] VersionConflict),
    #[error("{0}")]
    Toml(String),
    #[error(transparent)]
    #[strum(transparent)]
    Programme(#[from] ProgrammeError),
    #[error(
        "privacy: another notice stands under version {0} already, and respondents may have \
            agreed to it; raise the version"
    )]
    ChangedNotice(String),
    #[error("organiser.logo: {0}")]
    #[strum(transparent)]
    Logo(#[from] LogoError),
    #[error(
        "organiser.logo: only `programme apply` reads a file beside it; leave the key out, and \
            upload the logo on the console"
    )]
    LogoFile,
    #[error("no programme has the code {0}")]
    UnknownProgramme(String),
    #[error("the file has no [[application]]")]
    NoApplications,
    #[error(
        "application {0}: code and applicant.code take letters, digits, «-» and «_», at most 40"
    )]
    InvalidCode(String),
    #[error("application {0}: applicant.name is empty; respondents read it on the page")]
    NoApplicantName(String),
    #[error("application {code}: {problem}")]
    Field { code: String, problem: String },
    #[error("application {code}: {error}")]
    Subject { code: String, error: SubjectError },
    #[error("application {code}: {error}")]
    Quota { code: String, error: QuotaError },
    #[error(
        "the personal data of applicant {code} was deleted on {day}, and its key is destroyed; \
            register it under another code"
    )]
    ApplicantErased { code: String, day: NaiveDate },
    #[error(
        "the applicant {code} is registered as «{known}», not as «{name}»; use another code for \
            another applicant, or rename it (rename = true)"
    )]
    OtherName { code: String, known: String, name: String },
    #[error(
        "application {0} is in the field, or belongs to another applicant; its declaration can \
            no longer change"
    )]
    NotOpen(String),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

/// The limit of list fields: an applicant's list is confidential, and a few fields are enough for
/// cells.
const MAX_LIST_FIELDS: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationsFile {
    programme: String,
    #[serde(default, rename = "application")]
    applications: Vec<ApplicationFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationFile {
    code: String,
    applicant: ApplicantFile,
    category: String,
    subject: BTreeMap<String, String>,
    #[serde(default)]
    quota: QuotaFile,
    /// The list fields for conditions and cells, such as `{ region = ["地区"] }`: the name, and the
    /// header words of the column.
    #[serde(default)]
    list_fields: BTreeMap<String, Vec<String>>,
    /// The day on which the list was received, if that was before its import.
    #[serde(default, deserialize_with = "days::optional")]
    list_received: Option<NaiveDate>,
    /// The day on which the survey fee was settled.
    #[serde(default, deserialize_with = "days::optional")]
    fee_settled: Option<NaiveDate>,
    /// The title that the applicant asks for, and whether the result may be made public.
    #[serde(default)]
    requested_title: String,
    #[serde(default)]
    may_publish: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicantFile {
    code: String,
    name: String,
    /// The applicant has this code already, under another name, which this one replaces.
    #[serde(default)]
    rename: bool,
    /// Whom to ask: `contact`, `phone`, `mobile`, `email`, `address`; stored sealed.
    #[serde(default)]
    contact: BTreeMap<String, String>,
}

/// What is known of an applicant's contact, in this order.
pub const CONTACT_FIELDS: [&str; 5] = ["contact", "mobile", "phone", "email", "address"];
/// A longer value is no name and no address.
const MAX_CONTACT_CHARS: usize = 400;

/// Creates a programme or replaces its rules. Returns its code.
pub async fn apply_programme(
    context: &AppContext,
    toml_text: &str,
) -> Result<Programme, RegistrationError> {
    put_programme(context, Programme::parse(toml_text)?, &ExpectedVersion::Any).await
}

/// Like [`apply_programme`], with the content of the file that `organiser.logo` names.
pub async fn apply_with_logo(
    context: &AppContext,
    mut programme: Programme,
    logo: Option<Vec<u8>>,
) -> Result<Programme, RegistrationError> {
    programme.organiser.logo = None;
    let logo = logo.map(Logo::parse).transpose()?;
    put_with_logo(context, programme, logo, &ExpectedVersion::Any).await
}

/// Stores a parsed programme over the version that is expected, like [`apply_programme`]. Its logo
/// stays.
pub async fn put_programme(
    context: &AppContext,
    programme: Programme,
    expected: &ExpectedVersion,
) -> Result<Programme, RegistrationError> {
    put_with_logo(context, programme, None, expected).await
}

/// Sets or removes the logo of a programme.
pub async fn set_logo(
    context: &AppContext,
    code: &str,
    content: Option<Vec<u8>>,
) -> Result<(), RegistrationError> {
    let logo = content.map(Logo::parse).transpose()?;
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "programme", code).await?;
    let (id, mut programme) = programmes::find(&mut tx, code)
        .await?
        .ok_or_else(|| RegistrationError::UnknownProgramme(code.to_owned()))?;
    programme.organiser.logo = logo.as_ref().map(logo_name);
    programmes::put(&mut tx, &programme, context.clock.now()).await?;
    match (logo, &programme.organiser.logo) {
        (Some(logo), Some(name)) => {
            programmes::put_logo(&mut tx, id, name, logo.content).await?;
        }
        _ => programmes::remove_logo(&mut tx, id).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// The name of a stored logo: its size, so that pages need not move when it is loaded, and the hash
/// of its bytes, so that it can be cached for good.
fn logo_name(logo: &Logo) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(&logo.content)[..10]);
    format!("{}x{}-{hash}.{}", logo.width, logo.height, logo.kind.extension())
}

/// Returns the organisers of all programmes, without repetitions.
pub async fn organisers(context: &AppContext) -> Result<Vec<Organiser>, RegistrationError> {
    let mut connection = context.database.read().await?;
    let mut all: Vec<Organiser> = Vec::new();
    for code in programmes::codes(&mut connection).await? {
        let found = programmes::find(&mut connection, &code).await?;
        let organiser = found.map(|(_, programme)| programme.organiser).unwrap_or_default();
        if !organiser.is_empty() && !all.contains(&organiser) {
            all.push(organiser);
        }
    }
    Ok(all)
}

async fn put_with_logo(
    context: &AppContext,
    mut programme: Programme,
    logo: Option<Logo>,
    expected: &ExpectedVersion,
) -> Result<Programme, RegistrationError> {
    programme.check()?;
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "programme", &programme.code).await?;
    let current = programmes::find(&mut tx, &programme.code).await?;
    let earlier = current.as_ref().map(|(_, current)| current.privacy.clone());
    let stored = current.as_ref().and_then(|(_, current)| current.organiser.logo.clone());
    expected.check(current.map(|(_, current)| version_of(&current)))?;
    programme.organiser.logo = match (&logo, programme.organiser.logo.take()) {
        (Some(logo), _) => Some(logo_name(logo)),
        (None, Some(said)) if Some(&said) != stored.as_ref() => {
            return Err(RegistrationError::LogoFile);
        }
        (None, _) => stored,
    };
    let id = programmes::put(&mut tx, &programme, context.clock.now()).await?;
    if let (Some(logo), Some(name)) = (logo, &programme.organiser.logo) {
        programmes::put_logo(&mut tx, id, name, logo.content).await?;
    }
    let notice = &programme.privacy;
    let text =
        serde_json::to_string(&notice.text).map_err(|e| RegistrationError::Toml(e.to_string()))?;
    // What is done with answers is part of what was agreed to, like the text.
    let is_changed = earlier.is_some_and(|earlier| {
        earlier.version == notice.version
            && (earlier.records_origin, earlier.panel) != (notice.records_origin, notice.panel)
    });
    if is_changed || !consents::store_notice(&mut tx, id, &notice.version, &text).await? {
        return Err(RegistrationError::ChangedNotice(notice.version.clone()));
    }
    tx.commit().await?;
    Ok(programme)
}

/// Registers the applications of a file, all or none. Returns their codes. Applications that are
/// not in the field yet can be registered again.
pub async fn add_applications(
    context: &AppContext,
    toml_text: &str,
) -> Result<Vec<String>, RegistrationError> {
    let file: ApplicationsFile = toml::from_str(toml_text)
        .map_err(|e| RegistrationError::Toml(e.to_string().trim().replace('\n', " ")))?;
    if file.applications.is_empty() {
        return Err(RegistrationError::NoApplications);
    }
    register_applications(context, file).await
}

/// An application as declared by a form or a program.
pub struct NewApplication<'a> {
    pub programme: &'a str,
    pub code: &'a str,
    pub applicant_code: &'a str,
    pub applicant_name: &'a str,
    /// The name replaces the one that the applicant has.
    pub rename: bool,
    pub category: &'a str,
    /// The subject by the fields that the category requires.
    pub subject: BTreeMap<String, String>,
    /// The target number of completes; `None`: the category's rule applies.
    pub target: Option<u32>,
    pub requested_title: String,
    pub may_publish: Option<bool>,
    /// Whom to ask, by [`CONTACT_FIELDS`]; empty: what was said before stays.
    pub contact: BTreeMap<String, String>,
}

/// Registers one application. Returns its code.
pub async fn add_application(
    context: &AppContext,
    new: NewApplication<'_>,
) -> Result<String, RegistrationError> {
    let code = new.code.to_owned();
    add_declared(context, new.programme, vec![new]).await?;
    Ok(code)
}

/// Registers applications, all or none. Returns their codes.
pub async fn add_declared(
    context: &AppContext,
    programme: &str,
    new: Vec<NewApplication<'_>>,
) -> Result<Vec<String>, RegistrationError> {
    let declared = |new: NewApplication<'_>| ApplicationFile {
        code: new.code.to_owned(),
        applicant: ApplicantFile {
            code: new.applicant_code.to_owned(),
            name: new.applicant_name.to_owned(),
            rename: new.rename,
            contact: new.contact,
        },
        category: new.category.to_owned(),
        subject: new.subject,
        quota: QuotaFile { target: new.target, ..QuotaFile::default() },
        list_fields: BTreeMap::new(),
        list_received: None,
        fee_settled: None,
        requested_title: new.requested_title,
        may_publish: new.may_publish,
    };
    let applications = new.into_iter().map(declared).collect();
    let file = ApplicationsFile { programme: programme.to_owned(), applications };
    register_applications(context, file).await
}

fn known_contact(said: &BTreeMap<String, String>) -> BTreeMap<&'static str, String> {
    let value = |field: &'static str| {
        let value = said.get(field)?.trim().chars().take(MAX_CONTACT_CHARS).collect::<String>();
        Some((field, value)).filter(|(_, value)| !value.is_empty())
    };
    CONTACT_FIELDS.into_iter().filter_map(value).collect()
}

/// Returns whom to ask about an applicant's applications, in the order of [`CONTACT_FIELDS`].
pub async fn contact_of(
    context: &AppContext,
    application: &Application,
) -> Result<Vec<(&'static str, Personal)>, RegistrationError> {
    let mut connection = context.database.read().await?;
    let Some(sealed) = programmes::contact(&mut connection, application.applicant_id).await? else {
        return Ok(Vec::new());
    };
    let sealer = context.keys.sealer(&application.key_id)?;
    let text = sealer.open_text(seal_context::APPLICANT_CONTACT, &sealed)?;
    let mut contact: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|_| SealError::Broken)?;
    let field = |field: &'static str| Some((field, Personal::new(contact.remove(field)?)));
    Ok(CONTACT_FIELDS.into_iter().filter_map(field).collect())
}

/// Compares names without blanks and signs: «山海（集团）» is «山海(集团)».
fn is_same_name(one: &str, other: &str) -> bool {
    let letters = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    letters(one) == letters(other)
}

async fn register_applications(
    context: &AppContext,
    file: ApplicationsFile,
) -> Result<Vec<String>, RegistrationError> {
    let mut tx = context.database.write().await?;
    let (programme_id, programme) = programmes::find(&mut tx, &file.programme)
        .await?
        .ok_or_else(|| RegistrationError::UnknownProgramme(file.programme.clone()))?;
    let mut codes = Vec::new();
    for declared in file.applications {
        let (subject, received) = declared.check(&programme)?;
        let applicant =
            match programmes::find_applicant(&mut tx, programme_id, &declared.applicant.code)
                .await?
            {
                Some(KnownApplicant { purged_at: Some(purged), .. }) => {
                    let (code, day) = (declared.applicant.code, purged.date(programme.time_zone));
                    return Err(RegistrationError::ApplicantErased { code, day });
                }
                Some(known) => {
                    let name = declared.applicant.name.trim();
                    if !is_same_name(&known.name, name) && !declared.applicant.rename {
                        return Err(RegistrationError::OtherName {
                            code: declared.applicant.code,
                            known: known.name,
                            name: name.to_owned(),
                        });
                    }
                    if declared.applicant.rename && known.name != name {
                        programmes::rename_applicant(&mut tx, known.id, name).await?;
                    }
                    known.id
                }
                None => {
                    let key_id = context.keys.create_key()?;
                    programmes::add_applicant(
                        &mut tx,
                        programme_id,
                        &declared.applicant.code,
                        declared.applicant.name.trim(),
                        &key_id,
                    )
                    .await?
                }
            };
        let declaration = Declaration {
            code: &declared.code,
            subject: &subject,
            quota: &declared.quota,
            list_fields: &declared.list_fields,
            list_received_at: received,
        };
        if !applications::put(&mut tx, applicant, &declaration).await? {
            return Err(RegistrationError::NotOpen(declared.code));
        }
        let title = declared.requested_title.trim();
        if !title.is_empty() || declared.may_publish.is_some() {
            let title: String = title.chars().take(MAX_CONTACT_CHARS).collect();
            applications::set_requested(&mut tx, &declared.code, &title, declared.may_publish)
                .await?;
        }
        let contact = known_contact(&declared.applicant.contact);
        let stored = applications::find(&mut tx, &declared.code).await?;
        if let (Some(application), false) = (&stored, contact.is_empty()) {
            // A map of strings to strings can always be written as JSON.
            let text = serde_json::to_vec(&contact).unwrap_or_default();
            let sealer = context.keys.sealer(&application.key_id)?;
            let sealed = sealer.seal(seal_context::APPLICANT_CONTACT, &text)?;
            programmes::set_contact(&mut tx, applicant, sealed).await?;
        }
        if let (Some(day), Some(application)) = (declared.fee_settled, stored) {
            applications::set_fee_settled(
                &mut tx,
                application.id,
                Timestamp::start_of_day(day, programme.time_zone),
            )
            .await?;
        }
        codes.push(declared.code);
    }
    tx.commit().await?;
    Ok(codes)
}

impl ApplicationFile {
    fn check(
        &self,
        programme: &Programme,
    ) -> Result<(Subject, Option<Timestamp>), RegistrationError> {
        let field = |problem: &str| RegistrationError::Field {
            code: self.code.clone(),
            problem: problem.to_owned(),
        };
        if !is_code(&self.code) || !is_code(&self.applicant.code) {
            return Err(RegistrationError::InvalidCode(self.code.clone()));
        }
        if self.applicant.name.trim().is_empty() {
            return Err(RegistrationError::NoApplicantName(self.code.clone()));
        }
        let known = Category::ALL.map(Category::as_str).join(", ");
        let category = Category::parse(&self.category).ok_or_else(|| {
            field(&format!("category «{}» is unknown; use {known}", self.category))
        })?;
        let subject = Subject::parse(category, &self.subject)
            .map_err(|error| RegistrationError::Subject { code: self.code.clone(), error })?;
        if self.list_fields.len() > MAX_LIST_FIELDS {
            return Err(field(&format!(
                "list_fields: at most {MAX_LIST_FIELDS}; keep no more of a list than the \
                    fieldwork needs"
            )));
        }
        if let Some(name) = self
            .list_fields
            .keys()
            .find(|name| !is_field_name(name) || ROUTING_FACTS.contains(&name.as_str()))
        {
            return Err(field(&format!(
                "list_fields: {name} is taken or no name; use small letters, digits and «_», at \
                    most 20"
            )));
        }
        if let Some((name, _)) = self
            .list_fields
            .iter()
            .find(|(_, words)| words.is_empty() || words.iter().any(|word| word.trim().is_empty()))
        {
            return Err(field(&format!(
                "list_fields: {name} needs the words that head its column"
            )));
        }
        // The list is not known yet, so only the file's own settings are checked.
        QuotaPlan::new(category, programme.cap(category), &BTreeMap::new(), &self.quota)
            .map_err(|error| RegistrationError::Quota { code: self.code.clone(), error })?;
        let received =
            self.list_received.map(|day| Timestamp::start_of_day(day, programme.time_zone));
        Ok((subject, received))
    }
}
