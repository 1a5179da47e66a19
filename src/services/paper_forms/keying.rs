//! Keying: finds a form by its number, and stores what came back.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use sqlx::AnyConnection;

use super::PaperFormError;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::paper_forms::{self, FormState, SecondKeying, StoredForm};
use crate::adapters::database::{WriteTx, campaigns, invitations, links};
use crate::domain::audit::{Action, Actor};
use crate::domain::disposition::Disposition;
use crate::domain::form_number::FormNumber;
use crate::domain::ids::InvitationId;
use crate::domain::mode::Mode;
use crate::domain::paper_form::PaperForm;
use crate::domain::questionnaire::{AnswerProblem, Questionnaire, ReadingContext, RoutingFacts};
use crate::domain::seeded_random::seeded_fraction;
use crate::services::context::AppContext;
use crate::services::interviews::{FormOutcome, InterviewService, SubmittedForm};
use crate::services::sealing::seal_context;
use crate::services::suppressions::opt_out;

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// What is to be done with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// To be keyed.
    First,
    /// To be keyed again, by somebody else.
    Second,
    /// The person has answered in another mode before.
    AnsweredBefore,
}

/// A form on somebody's desk.
pub struct FormOnDesk {
    pub form: StoredForm,
    pub task: Task,
    pub questionnaire: Arc<Questionnaire>,
    pub facts: RoutingFacts,
    pub subject: String,
    pub applicant: String,
    pub disposition: Disposition,
    /// By which day the keyed days and numbers are read.
    pub today: NaiveDate,
}

impl FormOnDesk {
    /// The form as it was printed.
    pub fn paper_form(&self) -> PaperForm<'_> {
        PaperForm::of(&self.questionnaire, &self.facts, self.form.case.0)
    }

    pub fn reading(&self) -> ReadingContext {
        ReadingContext { today: self.today, language: self.form.language }
    }
}

/// The code of the personal link behind a form.
pub(super) async fn link_code(
    context: &AppContext,
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<String, PaperFormError> {
    let to = links::invited_person(connection, invitation).await?;
    Ok(context.keys.hasher().link_code(&to.campaign, &to.key_id, &to.phone_hash))
}

/// Finds the form with a number, and what this account is to do with it.
///
/// # Errors
///
/// The number is mistyped or unknown, or the form is no longer to be keyed, with the reason.
pub async fn find(
    context: &AppContext,
    interviews: &InterviewService,
    account: &Account,
    number: &str,
) -> Result<FormOnDesk, PaperFormError> {
    let desk = open(context, interviews, number).await?;
    let is_answered = matches!(
        desk.disposition,
        Disposition::Complete | Disposition::Partial | Disposition::Excluded
    );
    let task = match desk.form.state {
        FormState::Keyed => match (desk.form.second_keying, &desk.form.first_keyer) {
            (Some(SecondKeying::Wanted), Some((keyer, _))) if *keyer == account.id => {
                return Err(PaperFormError::OwnKeying);
            }
            (Some(SecondKeying::Wanted), _) => Task::Second,
            (_, keyer) => {
                let name = keyer.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
                return Err(PaperFormError::AlreadyKeyed(name));
            }
        },
        FormState::Printed | FormState::CameAfter if is_answered => Task::AnsweredBefore,
        FormState::Printed => Task::First,
        state => return Err(PaperFormError::AlreadyRecorded(state.labels())),
    };
    Ok(FormOnDesk { task, ..desk })
}

/// Loads the form with a number, whatever is to be done with it.
pub(super) async fn open(
    context: &AppContext,
    interviews: &InterviewService,
    number: &str,
) -> Result<FormOnDesk, PaperFormError> {
    let number = FormNumber::parse(number)?;
    let mut connection = context.database.read().await?;
    let form =
        paper_forms::find(&mut connection, &number).await?.ok_or(PaperFormError::UnknownNumber)?;
    let code = link_code(context, &mut connection, form.invitation).await?;
    drop(connection);
    let invitation_cases = match interviews.open_invitation(&code, Mode::Paper).await {
        // The person's data is deleted, and with it the link.
        Err(crate::services::interviews::InterviewError::UnknownLink) => {
            return Err(PaperFormError::UnknownNumber);
        }
        opened => opened?,
    };
    let today = invitation_cases.today(context.clock.now());
    let current = invitation_cases
        .cases
        .into_iter()
        .find(|known| known.case.id == form.case)
        .ok_or(PaperFormError::UnknownNumber)?;
    Ok(FormOnDesk {
        task: Task::First,
        questionnaire: current.application.questionnaire.clone(),
        facts: current.facts,
        subject: current.application.subject.clone(),
        applicant: current.application.applicant_name.clone(),
        disposition: current.case.disposition,
        today,
        form,
    })
}

/// What somebody keyed.
pub struct Keyed<'a> {
    /// By item.
    pub fields: &'a BTreeMap<String, String>,
    /// The day on the form, as keyed; empty: none.
    pub filled_on: &'a str,
    pub skips_confirmed: bool,
}

/// What became of a keyed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyingOutcome {
    Stored(Disposition),
    /// Stored after the field closed.
    Late,
    /// A second keying is stored; so many items differ.
    Compared {
        different: usize,
    },
    /// Nothing is stored: these items were keyed with what is no answer.
    Problems(BTreeMap<String, AnswerProblem>),
    /// Nothing is stored until the keyer confirms: the routing skips these items.
    Skipped(Vec<String>),
}

/// Reads the day on the form.
fn filled_on(keyed: &str, today: NaiveDate) -> Result<Option<String>, PaperFormError> {
    let keyed = keyed.trim();
    if keyed.is_empty() {
        return Ok(None);
    }
    let digits: String = keyed.chars().filter(char::is_ascii_digit).collect();
    let day = NaiveDate::parse_from_str(&digits, "%Y%m%d").ok();
    let day = day.filter(|day| digits.len() == 8 && *day <= today);
    day.map(|day| Some(day.to_string())).ok_or(PaperFormError::FilledOn)
}

/// Stores the first keying of a form: once, whoever keys it at the same moment.
pub async fn key(
    context: &AppContext,
    interviews: &InterviewService,
    account: &Account,
    number: &str,
    keyed: &Keyed<'_>,
) -> Result<KeyingOutcome, PaperFormError> {
    let desk = find(context, interviews, account, number).await?;
    match desk.task {
        Task::First => {}
        Task::AnsweredBefore => return Err(PaperFormError::AnsweredBefore),
        Task::Second => {
            return super::comparing::key_second(context, account, &desk, keyed.fields).await;
        }
    }
    let filled_on = filled_on(keyed.filled_on, desk.today)?;
    let (form, now) = (&desk.form, context.clock.now());
    let mut tx = context.database.write().await?;
    let code = link_code(context, &mut tx, form.invitation).await?;
    let submitted = SubmittedForm {
        case: form.case,
        account: account.id,
        language: form.language,
        notice: &form.notice,
        fields: keyed.fields,
        skips_confirmed: keyed.skips_confirmed,
    };
    let outcome = interviews.store_form(&mut tx, &code, &submitted).await?;
    let outcome = match outcome {
        FormOutcome::Stored(disposition) => KeyingOutcome::Stored(disposition),
        FormOutcome::StoredLate => KeyingOutcome::Late,
        FormOutcome::NotAccepting => {
            // Somebody has keyed it, or answered, at the same moment.
            let now_stored = paper_forms::find(&mut tx, &form.number).await?;
            return Err(match now_stored {
                Some(now_stored) if now_stored.state == FormState::Keyed => {
                    already_keyed(&now_stored)
                }
                _ => closed(&mut tx, form).await?,
            });
        }
        other => return refused(other),
    };
    paper_forms::lock(&mut tx, form.case).await?;
    let stored = paper_forms::find(&mut tx, &form.number).await?;
    if let Some(stored) = stored.filter(|stored| stored.state != FormState::Printed) {
        return Err(already_keyed(&stored));
    }
    let sealed = seal_fields(context, &mut tx, form.invitation, keyed.fields).await?;
    paper_forms::save_keying(&mut tx, form.case, 1, account.id, sealed, now).await?;
    paper_forms::set_state(&mut tx, form.case, FormState::Keyed, now).await?;
    let is_drawn = is_drawn(context, &mut tx, form).await?;
    paper_forms::set_first_keying(&mut tx, form.case, filled_on.as_deref(), is_drawn).await?;
    record(context, &mut tx, account, form, "keyed").await?;
    tx.commit().await?;
    Ok(outcome)
}

/// A form that somebody has dealt with meanwhile.
fn already_keyed(form: &StoredForm) -> PaperFormError {
    match &form.first_keyer {
        Some((_, name)) if form.state == FormState::Keyed => {
            PaperFormError::AlreadyKeyed(name.clone())
        }
        _ => PaperFormError::AlreadyRecorded(form.state.labels()),
    }
}

async fn closed(tx: &mut WriteTx, form: &StoredForm) -> Result<PaperFormError, PaperFormError> {
    let records = cases::records(tx, &[form.case]).await?;
    let disposition = records.first().map_or(Disposition::NotAttempted, |case| case.disposition);
    Ok(match disposition {
        Disposition::Complete | Disposition::Partial => PaperFormError::AnsweredBefore,
        other => PaperFormError::CaseClosed(other),
    })
}

/// Converts an outcome by which nothing was stored.
pub(super) fn refused(outcome: FormOutcome) -> Result<KeyingOutcome, PaperFormError> {
    match outcome {
        FormOutcome::Problems(problems) => Ok(KeyingOutcome::Problems(problems)),
        FormOutcome::Skipped(items) => Ok(KeyingOutcome::Skipped(items)),
        FormOutcome::Empty => Err(PaperFormError::Empty),
        FormOutcome::PlacesReserved => Err(PaperFormError::PlacesReserved),
        FormOutcome::NoRoom => Err(PaperFormError::NoRoom),
        FormOutcome::Insufficient => Err(PaperFormError::Insufficient),
        FormOutcome::NotAccepting => Err(PaperFormError::CaseClosed(Disposition::NotAttempted)),
        FormOutcome::Stored(disposition) => Ok(KeyingOutcome::Stored(disposition)),
        FormOutcome::StoredLate => Ok(KeyingOutcome::Late),
    }
}

/// Decides by lot, and by the seed that is recorded with the campaign, whether a form is keyed
/// twice.
async fn is_drawn(
    context: &AppContext,
    tx: &mut WriteTx,
    form: &StoredForm,
) -> Result<bool, PaperFormError> {
    let seed = match campaigns::draw_seed(tx, form.campaign).await? {
        Some(seed) => seed,
        None => campaigns::get(tx, form.campaign).await?.code,
    };
    let lot = seeded_fraction(&format!("{seed}\npaper\n{}", form.number.digits()), 0);
    Ok(lot < context.config.paper.second_keying)
}

pub(super) async fn seal_fields(
    context: &AppContext,
    tx: &mut WriteTx,
    invitation: InvitationId,
    fields: &BTreeMap<String, String>,
) -> Result<Vec<u8>, PaperFormError> {
    let key_id = links::invited_person(tx, invitation).await?.key_id;
    // A map of texts always serializes to JSON.
    let text = serde_json::to_string(fields).unwrap_or_default();
    Ok(context.keys.sealer(&key_id)?.seal(seal_context::PAPER_KEYING, text.as_bytes())?)
}

pub(super) async fn record(
    context: &AppContext,
    tx: &mut WriteTx,
    account: &Account,
    form: &StoredForm,
    detail: &str,
) -> Result<(), PaperFormError> {
    let (actor, object) = (Actor::console(&account.name), form_object(form));
    let what = (object.as_str(), detail);
    context.audit_with_detail(tx, &actor, Action::FormRecorded, what).await?;
    Ok(())
}

pub(super) fn form_object(form: &StoredForm) -> String {
    format!("form:{}", form.number.digits())
}

/// How a form came back without answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnedAs {
    /// By the post: not delivered (AAPOR 3.30).
    Undelivered,
    /// With a refusal, which is the person's own (2.112).
    Refused,
    /// Empty, an implicit refusal (2.113).
    Blank,
}

impl ReturnedAs {
    pub fn parse(raw: &str) -> Option<ReturnedAs> {
        [ReturnedAs::Undelivered, ReturnedAs::Refused, ReturnedAs::Blank]
            .into_iter()
            .find(|known| known.state().as_str() == raw)
    }

    pub fn state(self) -> FormState {
        match self {
            ReturnedAs::Undelivered => FormState::Undelivered,
            ReturnedAs::Refused => FormState::Refused,
            ReturnedAs::Blank => FormState::Blank,
        }
    }
}

/// Records a form that came back without answers. A refusal suppresses the number, as a refusal in
/// any mode; what was not delivered ends nothing, as other contacts may reach the person.
pub async fn record_return(
    context: &AppContext,
    account: &Account,
    number: &str,
    returned: ReturnedAs,
) -> Result<(), PaperFormError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let form = lock_printed(&mut tx, number).await?;
    let (case, source) = (&[form.case], DispositionSource::Paper);
    match returned {
        ReturnedAs::Undelivered => {
            let (to, before) = (Disposition::Undeliverable, Disposition::Undeliverable.replaces());
            cases::set_disposition(&mut tx, case, to, &before, source, now).await?;
        }
        ReturnedAs::Blank => {
            let to = Disposition::BlankReturned;
            cases::set_disposition(&mut tx, case, to, &[], source, now).await?;
            if cases::open_of_invitations(&mut tx, &[form.invitation]).await?.is_empty() {
                invitations::end_plans(&mut tx, &[form.invitation]).await?;
            }
        }
        ReturnedAs::Refused => {
            let phone_hash = links::invited_person(&mut tx, form.invitation).await?.phone_hash;
            let programme = (!context.config.opts_out_of_all)
                .then_some(campaigns::get(&mut tx, form.campaign).await?.programme_id);
            opt_out(&mut tx, &phone_hash, programme, source, now).await?;
        }
    }
    let state = returned.state();
    paper_forms::set_state(&mut tx, form.case, state, now).await?;
    record(context, &mut tx, account, &form, state.as_str()).await?;
    tx.commit().await?;
    Ok(())
}

/// Records that a form came after its case had been answered in another mode: that answer stays,
/// and nothing of the form is stored.
pub async fn record_came_after(
    context: &AppContext,
    account: &Account,
    number: &str,
) -> Result<(), PaperFormError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let form = lock_printed(&mut tx, number).await?;
    paper_forms::set_state(&mut tx, form.case, FormState::CameAfter, now).await?;
    record(context, &mut tx, account, &form, FormState::CameAfter.as_str()).await?;
    tx.commit().await?;
    Ok(())
}

/// Finds a form that nothing has come back of, and locks its case and it.
async fn lock_printed(tx: &mut WriteTx, number: &str) -> Result<StoredForm, PaperFormError> {
    let number = FormNumber::parse(number)?;
    let find = async |tx: &mut WriteTx| paper_forms::find(tx, &number).await;
    let case = find(tx).await?.ok_or(PaperFormError::UnknownNumber)?.case;
    cases::lock(tx, &[case]).await?;
    paper_forms::lock(tx, case).await?;
    let form = find(tx).await?.ok_or(PaperFormError::UnknownNumber)?;
    match form.state {
        FormState::Printed => Ok(form),
        _ => Err(already_keyed(&form)),
    }
}

/// Takes the answers of a form instead of those given before in another mode, because the person
/// wants it so. The reason goes to the audit log.
pub async fn prefer_paper(
    context: &AppContext,
    interviews: &InterviewService,
    account: &Account,
    number: &str,
    keyed: &Keyed<'_>,
    reason: &str,
) -> Result<KeyingOutcome, PaperFormError> {
    let desk = find(context, interviews, account, number).await?;
    if desk.task != Task::AnsweredBefore {
        return Err(PaperFormError::NothingToSettle);
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(PaperFormError::Reason);
    }
    let filled_on = filled_on(keyed.filled_on, desk.today)?;
    let (form, now) = (&desk.form, context.clock.now());
    let mut tx = context.database.write().await?;
    if paper_forms::has_frozen_dataset(&mut tx, form.application).await? {
        return Err(PaperFormError::CaseClosed(desk.disposition));
    }
    let code = link_code(context, &mut tx, form.invitation).await?;
    let submitted = SubmittedForm {
        case: form.case,
        account: account.id,
        language: form.language,
        notice: &form.notice,
        fields: keyed.fields,
        skips_confirmed: keyed.skips_confirmed,
    };
    let outcome = match interviews.replace_by_form(&mut tx, &code, &submitted, false).await? {
        FormOutcome::Stored(disposition) => KeyingOutcome::Stored(disposition),
        FormOutcome::NotAccepting => return Err(PaperFormError::CaseClosed(desk.disposition)),
        other => return refused(other),
    };
    let sealed = seal_fields(context, &mut tx, form.invitation, keyed.fields).await?;
    paper_forms::save_keying(&mut tx, form.case, 1, account.id, sealed, now).await?;
    paper_forms::set_state(&mut tx, form.case, FormState::Keyed, now).await?;
    let is_drawn = is_drawn(context, &mut tx, form).await?;
    paper_forms::set_first_keying(&mut tx, form.case, filled_on.as_deref(), is_drawn).await?;
    let (actor, object) = (Actor::console(&account.name), form_object(form));
    let what = (object.as_str(), reason);
    context.audit_with_detail(&mut tx, &actor, Action::FormPreferred, what).await?;
    tx.commit().await?;
    Ok(outcome)
}
