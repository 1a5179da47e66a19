//! What a respondent sends: each is one transaction, and thanked for only when it is on disk.

use std::collections::BTreeMap;

use super::bundle::{Bundle, BundleCase};
use super::{CollectError, Collector};
use crate::dispatch::incoming::opt_out;
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::language::Language;
use crate::domain::questionnaire::{Answer, AnswerProblem, Completion, Item, ItemKind};
use crate::installation::place;
use crate::quota;
use crate::store::cases::{self, Source};
use crate::store::responses::{self, NewAnswer, StoredValue};
use crate::store::{WriteTx, invitations};

pub(super) const WEB: &str = "web";

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// On disk; go on.
    GoOn,
    /// The good answers are on disk; these items want another look.
    Problems(BTreeMap<String, AnswerProblem>),
    /// The case takes no answers any more; show where the interview stands.
    NotAskable,
}

impl Collector {
    /// The respondent begins. Until then a link that was opened, by a person or by a scanner, has left no trace.
    pub async fn begin(&self, code: &str, language: Language) -> Result<(), CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code).await?;
        if let Some(first) = bundle.cases.iter().find(|case| case.is_askable) {
            if cases::lock_open(&mut tx, first.case.id).await? {
                responses::begin(&mut tx, first.case.id, language, WEB, now).await?;
                mark_begun(&mut tx, first, now).await?;
            }
            invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Saves a page of one case: `sent` holds what the form had for each item. The last page completes the case, if there is room in its cells.
    pub async fn save_page(
        &self,
        code: &str,
        case_index: usize,
        page: usize,
        sent: &BTreeMap<String, String>,
        language: Language,
    ) -> Result<Saved, CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let hash = self.installation.keys.hasher().link_hash(code);
        let invitation = invitations::find_by_link(&mut tx, &hash).await?.ok_or(CollectError::UnknownLink)?.id;
        let Some(case) = invitations::cases_of(&mut tx, &[invitation]).await?.get(case_index).map(|case| case.id) else {
            return Err(CollectError::BadForm);
        };
        // Whoever sends the same page a second time waits here, and then sees what the first one did.
        if !cases::lock_open(&mut tx, case).await? {
            return Ok(Saved::NotAskable);
        }
        let bundle = self.load(&mut tx, code).await?;
        let Some(current) = bundle.askable(case_index) else { return Ok(Saved::NotAskable) };
        let path = current.path();
        let items = path.on_page(page);
        if items.is_empty() {
            // Another answer, on another page or phone, has led past this page meanwhile.
            return if page < current.questionnaire.pages.len() { Ok(Saved::NotAskable) } else { Err(CollectError::BadForm) };
        }
        let sealer = self.installation.keys.sealer(&bundle.invitation.key_id)?;

        let (mut stored, mut emptied, mut problems) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut answers = current.answers.clone();
        for item in items {
            match Answer::parse(item, sent.get(&item.id).map(String::as_str)) {
                Ok(Some(answer)) => {
                    let value = match (&answer, answer.stored()) {
                        (Answer::Open(text), _) => StoredValue::Sealed(sealer.seal(place::OPEN_ANSWER, text.reveal().as_bytes())?),
                        (_, stored) => StoredValue::Plain(stored.unwrap_or_default()),
                    };
                    stored.push(NewAnswer { item: item.id.clone(), value, shown: shown_order(item, case) });
                    answers.insert(item.id.clone(), answer);
                }
                Ok(None) => {
                    answers.remove(&item.id);
                    emptied.push(item.id.clone());
                }
                Err(problem) => _ = problems.insert(item.id.clone(), problem),
            }
        }
        let response = responses::begin(&mut tx, case, language, WEB, now).await?;
        mark_begun(&mut tx, current, now).await?;
        responses::save_answers(&mut tx, response, &stored, WEB, now).await?;
        responses::clear_answers(&mut tx, response, &emptied).await?;
        // By what is answered now, the way may be another one.
        let path = current.questionnaire.path(&answers, &current.facts);
        if path.is_screened_out {
            cases::dispose(&mut tx, &[case], Disposition::NotEligible, &[], Source::Web, now).await?;
            stop_when_nothing_is_open(&mut tx, &bundle).await?;
        } else if problems.is_empty() && path.is_last(page) && path.completion() == Completion::Complete {
            // What was answered on a way that was left is no answer.
            let left: Vec<String> = answers.keys().filter(|id| !path.asks(id)).cloned().collect();
            responses::clear_answers(&mut tx, response, &left).await?;
            if quota::count_complete(&mut tx, current.case.application, &current.case.segment).await? {
                responses::complete(&mut tx, response, now).await?;
                cases::dispose(&mut tx, &[case], Disposition::Complete, &[], Source::Web, now).await?;
            } else {
                cases::dispose(&mut tx, &[case], Disposition::QuotaFilled, &[], Source::Web, now).await?;
            }
            stop_when_nothing_is_open(&mut tx, &bundle).await?;
        }
        invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        tx.commit().await?;
        Ok(if problems.is_empty() { Saved::GoOn } else { Saved::Problems(problems) })
    }

    /// The respondent refuses for good (AAPOR 2.112): all open cases end, and the number is suppressed like after an opt-out by SMS.
    pub async fn refuse(&self, code: &str) -> Result<(), CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code).await?;
        let programme = (!self.installation.config.opt_out_for_all).then_some(bundle.invitation.programme_id);
        opt_out(&mut tx, &bundle.invitation.phone_hash, programme, Source::Web, now).await?;
        invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The respondent is no user of this case's subject (AAPOR 4.1).
    pub async fn not_a_user(&self, code: &str, case_index: usize) -> Result<(), CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code).await?;
        if let Some(current) = bundle.askable(case_index) {
            cases::dispose(&mut tx, &[current.case.id], Disposition::NotEligible, &[], Source::Web, now).await?;
            stop_when_nothing_is_open(&mut tx, &bundle).await?;
            invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The order in which this case saw the options, where it differs from one to the next.
fn shown_order(item: &Item, case: CaseId) -> Option<String> {
    let ItemKind::Choice(choice) = &item.kind else { return None };
    let order = || choice.order_for(case.0, &item.id).into_iter().map(|option| option.code.as_str()).collect::<Vec<_>>().join(" ");
    choice.is_shuffled.then(order)
}

/// A case that was begun is a break-off until it is more (AAPOR 2.12).
async fn mark_begun(tx: &mut WriteTx, case: &BundleCase, now: crate::domain::time::Timestamp) -> Result<(), CollectError> {
    let before = [Disposition::NotAttempted, Disposition::NothingHeard, Disposition::NonContact];
    cases::dispose(tx, &[case.case.id], Disposition::BreakOff, &before, Source::Web, now).await?;
    Ok(())
}

async fn stop_when_nothing_is_open(tx: &mut WriteTx, bundle: &Bundle) -> Result<(), CollectError> {
    if cases::open_of_invitations(tx, &[bundle.invitation.id]).await?.is_empty() {
        invitations::stop(tx, &[bundle.invitation.id]).await?;
    }
    Ok(())
}
