//! Second keying: somebody else keys a form again, the two keyings are compared item by item, and a
//! third look settles what differs.

use std::collections::BTreeMap;

use sqlx::AnyConnection;

use super::PaperFormError;
use super::keying::{self, FormOnDesk, KeyingOutcome};
use crate::adapters::database::accounts::Account;
use crate::adapters::database::cases;
use crate::adapters::database::links;
use crate::adapters::database::paper_forms::{self, SecondKeying, StoredKeying};
use crate::domain::audit::{Action, Actor};
use crate::domain::paper_form::PaperItem;
use crate::services::context::AppContext;
use crate::services::interviews::{FormOutcome, InterviewService, SubmittedForm};
use crate::services::sealing::seal_context;

/// An item that was keyed in two ways.
pub struct Difference {
    pub item: String,
    pub number: u32,
    pub first: String,
    pub second: String,
}

/// A form whose two keyings differ.
pub struct Differences {
    pub desk: FormOnDesk,
    pub first_keyer: String,
    pub second_keyer: String,
    pub items: Vec<Difference>,
}

/// Opens what was keyed; empty: it is deleted.
async fn open_fields(
    context: &AppContext,
    connection: &mut AnyConnection,
    desk: &FormOnDesk,
    keying: &StoredKeying,
) -> Result<BTreeMap<String, String>, PaperFormError> {
    let Some(sealed) = &keying.fields_sealed else { return Ok(BTreeMap::new()) };
    let key_id = links::invited_person(connection, desk.form.invitation).await?.key_id;
    let text = context.keys.sealer(&key_id)?.open_text(seal_context::PAPER_KEYING, sealed)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn keyed<'f>(fields: &'f BTreeMap<String, String>, paper: &PaperItem<'_>) -> &'f str {
    fields.get(&paper.item.id).map(|text| text.trim()).unwrap_or_default()
}

/// Compares two keyings: the number of items that somebody keyed, and those that mean different
/// answers. «1 3» and «13» are the same answer.
fn compare(
    desk: &FormOnDesk,
    first: &BTreeMap<String, String>,
    second: &BTreeMap<String, String>,
) -> (usize, Vec<Difference>) {
    let (form, reading) = (desk.paper_form(), desk.reading());
    let (mut compared, mut different) = (0, Vec::new());
    for paper in form.questions() {
        let (one, other) = (keyed(first, paper), keyed(second, paper));
        if one.is_empty() && other.is_empty() {
            continue;
        }
        compared += 1;
        let is_same = one == other
            || match (paper.read(one, reading), paper.read(other, reading)) {
                (Ok(one), Ok(other)) => one == other,
                _ => false,
            };
        if !is_same {
            different.push(Difference {
                item: paper.item.id.clone(),
                number: paper.number.unwrap_or(0),
                first: one.to_owned(),
                second: other.to_owned(),
            });
        }
    }
    (compared, different)
}

/// Stores the second keying of a form, and compares it with the first.
pub(super) async fn key_second(
    context: &AppContext,
    account: &Account,
    desk: &FormOnDesk,
    fields: &BTreeMap<String, String>,
) -> Result<KeyingOutcome, PaperFormError> {
    let (form, reading) = (&desk.form, desk.reading());
    let paper_form = desk.paper_form();
    let problems: BTreeMap<_, _> = paper_form
        .questions()
        .filter_map(|paper| {
            let problem = paper.read(keyed(fields, paper), reading).err()?;
            // An empty field is no answer on paper.
            (!keyed(fields, paper).is_empty()).then(|| (paper.item.id.clone(), problem))
        })
        .collect();
    if !problems.is_empty() {
        return Ok(KeyingOutcome::Problems(problems));
    }
    let mut tx = context.database.write().await?;
    cases::lock(&mut tx, &[form.case]).await?;
    paper_forms::lock(&mut tx, form.case).await?;
    let stored = paper_forms::find(&mut tx, &form.number).await?;
    if stored.is_none_or(|stored| stored.second_keying != Some(SecondKeying::Wanted)) {
        return Err(PaperFormError::NothingToSettle);
    }
    let keyings = paper_forms::keyings(&mut tx, form.case).await?;
    let first = keyings.get(&1).ok_or(PaperFormError::NothingToSettle)?;
    if first.account == account.id {
        return Err(PaperFormError::OwnKeying);
    }
    let first = open_fields(context, &mut tx, desk, first).await?;
    let (compared, different) = compare(desk, &first, fields);
    let sealed = keying::seal_fields(context, &mut tx, form.invitation, fields).await?;
    let now = context.clock.now();
    paper_forms::save_keying(&mut tx, form.case, 2, account.id, sealed, now).await?;
    let state = if different.is_empty() { SecondKeying::Agreed } else { SecondKeying::Different };
    let counts = (compared, different.len());
    paper_forms::set_second_keying(&mut tx, form.case, state, counts).await?;
    keying::record(context, &mut tx, account, form, "keyed again").await?;
    tx.commit().await?;
    Ok(KeyingOutcome::Compared { different: different.len() })
}

/// Loads the differences of a form that nobody has settled.
pub async fn differences(
    context: &AppContext,
    interviews: &InterviewService,
    number: &str,
) -> Result<Differences, PaperFormError> {
    let desk = keying::open(context, interviews, number).await?;
    if desk.form.second_keying != Some(SecondKeying::Different) {
        return Err(PaperFormError::NothingToSettle);
    }
    let mut connection = context.database.read().await?;
    let keyings = paper_forms::keyings(&mut connection, desk.form.case).await?;
    let (Some(first), Some(second)) = (keyings.get(&1), keyings.get(&2)) else {
        return Err(PaperFormError::NothingToSettle);
    };
    let (one, other) = (
        open_fields(context, &mut connection, &desk, first).await?,
        open_fields(context, &mut connection, &desk, second).await?,
    );
    let (_, items) = compare(&desk, &one, &other);
    let (first_keyer, second_keyer) = (first.name.clone(), second.name.clone());
    Ok(Differences { desk, first_keyer, second_keyer, items })
}

/// Settles the differences of a form: `settled` has a value for each item that differs, either
/// keyer's or another one. The stored answers follow.
pub async fn settle(
    context: &AppContext,
    interviews: &InterviewService,
    account: &Account,
    number: &str,
    settled: &BTreeMap<String, String>,
) -> Result<KeyingOutcome, PaperFormError> {
    let found = differences(context, interviews, number).await?;
    let (desk, form) = (&found.desk, &found.desk.form);
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    cases::lock(&mut tx, &[form.case]).await?;
    paper_forms::lock(&mut tx, form.case).await?;
    let stored = paper_forms::find(&mut tx, &form.number).await?;
    if stored.is_none_or(|stored| stored.second_keying != Some(SecondKeying::Different)) {
        return Err(PaperFormError::NothingToSettle);
    }
    let keyings = paper_forms::keyings(&mut tx, form.case).await?;
    let first = keyings.get(&1).ok_or(PaperFormError::NothingToSettle)?;
    let mut fields = open_fields(context, &mut tx, desk, first).await?;
    let before = fields.clone();
    for difference in &found.items {
        let value = settled.get(&difference.item).ok_or(PaperFormError::NothingToSettle)?;
        fields.insert(difference.item.clone(), value.trim().to_owned());
    }
    let changes = compare(desk, &before, &fields).1.len();
    if changes > 0 {
        let code = keying::link_code(context, &mut tx, form.invitation).await?;
        let submitted = SubmittedForm {
            case: form.case,
            account: first.account,
            language: form.language,
            notice: &form.notice,
            fields: &fields,
            skips_confirmed: true,
        };
        let outcome = match interviews.replace_by_form(&mut tx, &code, &submitted, true).await? {
            // Too little was answered to end the case: the form goes on with it.
            FormOutcome::NotAccepting => interviews.store_form(&mut tx, &code, &submitted).await?,
            outcome => outcome,
        };
        match outcome {
            FormOutcome::Stored(_) | FormOutcome::StoredLate => {}
            FormOutcome::NotAccepting => {
                return Err(PaperFormError::CaseClosed(desk.disposition));
            }
            other => return keying::refused(other),
        }
    }
    let sealed = keying::seal_fields(context, &mut tx, form.invitation, &fields).await?;
    paper_forms::save_keying(&mut tx, form.case, 3, account.id, sealed, now).await?;
    paper_forms::settle(&mut tx, form.case).await?;
    let detail = format!("{} items, {changes} changed", found.items.len());
    let (actor, object) = (Actor::console(&account.name), keying::form_object(form));
    let what = (object.as_str(), detail.as_str());
    context.audit_with_detail(&mut tx, &actor, Action::FormSettled, what).await?;
    tx.commit().await?;
    Ok(KeyingOutcome::Compared { different: changes })
}
