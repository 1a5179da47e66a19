//! What a respondent sends: each is one transaction, and thanked for only when it is on disk.

use std::collections::BTreeMap;

use super::invitation_cases::{Bundle, BundleCase};
use super::{CollectError, Collector};
use crate::domain::device::DeviceClass;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{AccountId, CaseId};
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Answer, AnswerProblem, Completion, Item, ItemKind};
use crate::domain::time::Timestamp;
use crate::services::sealing::place;
use crate::services::quotas::{self, Candidate, Place};
use crate::adapters::database::cases::{self, Source};
use crate::adapters::database::paradata::{self, PageVisit};
use crate::adapters::database::responses::{self, By, NewAnswer, StoredValue};
use crate::adapters::database::{WriteTx, applications, consents, invitations, links};

/// A page that stood open for longer was left lying, not answered.
const MOST_ON_A_PAGE: std::time::Duration = std::time::Duration::from_secs(30 * 60);

/// Who sends a page: the respondent on the web, or an interviewer in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sitting {
    pub mode: Mode,
    /// When the call began. An answer that the respondent gives on the web meanwhile stops the call's form.
    pub since: Option<Timestamp>,
    /// The interviewer.
    pub account: Option<AccountId>,
}

impl Sitting {
    pub const WEB: Sitting = Sitting { mode: Mode::Web, since: None, account: None };

    /// Who moves a case by what is sent, as its history tells.
    pub(super) fn source(self) -> Source {
        match self.mode {
            Mode::Web => Source::Web,
            Mode::Telephone => Source::Telephone,
            Mode::Sms => Source::Reply,
        }
    }
}

/// A page as it was sent.
pub struct SentPage<'a> {
    pub sitting: Sitting,
    /// The case's place in the bundle, and the page of its questionnaire; both counted from 0.
    pub case: usize,
    pub page: usize,
    /// Of the page, only this item was asked.
    pub only: Option<&'a str>,
    /// What the form had for each item.
    pub fields: &'a BTreeMap<String, String>,
    pub language: Language,
    pub device: DeviceClass,
    /// When the page was made, as the form says.
    pub shown_at: Option<Timestamp>,
}

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// On disk; go on.
    GoOn,
    /// The good answers are on disk; these items want another look.
    Problems(BTreeMap<String, AnswerProblem>),
    /// The case takes no answers any more; show where the interview stands.
    NotAskable,
    /// What was good is on disk; all places left in a cell are kept for others who have begun.
    Held,
    /// The respondent has answered on the web since the call began; nothing was saved.
    TakenOver,
}

impl Collector {
    /// The respondent agrees to a version of the privacy notice and begins. Until then a link that was opened, by a person or by a scanner, has left
    /// no trace. Another version than the present one changes nothing: the present one is shown.
    pub async fn begin(&self, code: &str, language: Language, notice: &str, sitting: Sitting) -> Result<Saved, CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code, sitting.mode).await?;
        if let Some(first) = bundle.cases.iter().find(|case| case.is_askable).filter(|_| notice == bundle.programme.privacy.version) {
            let text = serde_json::to_string(&bundle.programme.privacy.text).unwrap_or_default();
            consents::keep_notice(&mut tx, first.application.programme_id, notice, &text).await?;
            consents::give(&mut tx, bundle.invitation.id, notice, language, sitting.mode.as_str(), now).await?;
            if cases::lock_open(&mut tx, first.case.id).await? {
                if self.hold(&mut tx, first, first.case.cells, now).await? == Place::Held {
                    return Ok(Saved::Held);
                }
                responses::begin(&mut tx, first.case.id, language, sitting.mode.as_str(), now).await?;
                mark_begun(&mut tx, first, sitting, now).await?;
            }
            invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        }
        tx.commit().await?;
        Ok(Saved::GoOn)
    }

    /// Keeps a place for a case that is under way, where its cells are reserved.
    async fn hold(&self, tx: &mut WriteTx, case: &BundleCase, cells: i64, now: Timestamp) -> Result<Place, CollectError> {
        let candidate = Candidate { case: case.case.id, application: case.case.application, cells };
        Ok(quotas::hold_place(tx, &case.application.quota, candidate, self.installation.config.keep_place_for, now).await?)
    }

    /// Saves a page of one case. The last page completes the case, if there is room in its cells.
    pub async fn save_page(&self, code: &str, sent: &SentPage<'_>) -> Result<Saved, CollectError> {
        let &SentPage { sitting, case: case_index, page, language, .. } = sent;
        let mode = sitting.mode.as_str();
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let hash = self.installation.keys.hasher().link_hash(code);
        let Some(case) = links::case_at(&mut tx, &hash, case_index).await? else {
            return Err(self.why_no_case(&mut tx, code).await);
        };
        // Whoever sends the same page a second time waits here, and then sees what the first one did.
        let is_open = cases::lock_open(&mut tx, case).await?;
        let bundle = self.load(&mut tx, code, sitting.mode).await?;
        if let Some(since) = sitting.since
            && responses::has_answers_since(&mut tx, case, Mode::Web, since).await?
        {
            return Ok(Saved::TakenOver);
        }
        let Some(current) = bundle.askable(case_index).filter(|current| bundle.is_agreed() && is_open != current.is_late) else {
            return Ok(Saved::NotAskable);
        };
        let path = current.path();
        let items: Vec<&Item> = path.on_page(page).iter().filter(|item| sent.only.is_none_or(|only| item.id == only)).copied().collect();
        if items.is_empty() {
            // Another answer, on another page or phone, has led past this page meanwhile.
            return if page < current.application.questionnaire.pages.len() { Ok(Saved::NotAskable) } else { Err(CollectError::BadForm) };
        }
        let sealer = self.installation.keys.sealer(bundle.key_id())?;

        let (mut stored, mut emptied, mut problems) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut answers = current.answers.clone();
        for item in items {
            match Answer::parse(item, sent.fields.get(&item.id).map(String::as_str)) {
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
        let response = responses::begin(&mut tx, case, language, mode, now).await?;
        mark_begun(&mut tx, current, sitting, now).await?;
        responses::save_answers(&mut tx, response, &stored, By { mode: sitting.mode, account: sitting.account }, now).await?;
        responses::clear_answers(&mut tx, response, &emptied).await?;
        // The form's time is the respondent's to send: one that cannot be is no time on the page.
        let shown_at = sent.shown_at.filter(|at| *at <= now && now.since(*at) <= MOST_ON_A_PAGE).unwrap_or(now);
        let visit = PageVisit { page, mode: mode.to_owned(), device: sent.device, shown_at, sent_at: now, problems: problems.len() };
        paradata::add(&mut tx, response, &visit).await?;
        // By what is answered now, the way may be another one.
        let path = current.application.questionnaire.path(&answers, &current.facts);
        let membership = current.application.quota.membership(&path);
        if (membership.cells, membership.is_decided) != (current.case.cells, current.case.quota_asked) {
            cases::set_cells(&mut tx, &[(case, membership)]).await?;
        }
        let candidate = Candidate { case, application: current.case.application, cells: membership.cells };
        let is_last = match sent.only {
            None => path.is_last(page),
            Some(only) => path.items().filter(|item| item.asks()).last().is_some_and(|last| last.id == only),
        };
        let is_finished = problems.is_empty() && is_last && path.completion() == Completion::Complete;
        let mut place = Place::Taken;
        if current.is_late {
            // Kept; whether it counts is decided when a further version of the dataset is asked for.
            if is_finished {
                cases::set_late(&mut tx, case, now).await?;
            }
        } else if path.is_screened_out {
            cases::dispose(&mut tx, &[case], Disposition::NotEligible, &[], sitting.source(), now).await?;
            stop_when_nothing_is_open(&mut tx, &bundle).await?;
        } else if is_finished {
            // What was answered on a way that was left is no answer.
            let left: Vec<String> = answers.keys().filter(|id| !path.asks(id)).cloned().collect();
            responses::clear_answers(&mut tx, response, &left).await?;
            place = quotas::count_complete(&mut tx, candidate, now).await?;
            if place == Place::Taken {
                responses::complete(&mut tx, response, now).await?;
                cases::dispose(&mut tx, &[case], Disposition::Complete, &[], sitting.source(), now).await?;
                stop_when_nothing_is_open(&mut tx, &bundle).await?;
            }
        } else if membership.is_decided && self.is_closed(&mut tx, candidate).await? {
            place = Place::Full;
        } else {
            place = self.hold(&mut tx, current, membership.cells, now).await?;
        }
        // Whoever comes to a full cell is thanked and let go, as soon as everything has been asked that cells depend on.
        if place == Place::Full && membership.is_decided {
            cases::dispose(&mut tx, &[case], Disposition::QuotaFilled, &[], sitting.source(), now).await?;
            stop_when_nothing_is_open(&mut tx, &bundle).await?;
        }
        invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        tx.commit().await?;
        Ok(match place {
            _ if !problems.is_empty() => Saved::Problems(problems),
            Place::Held => Saved::Held,
            Place::Taken | Place::Full => Saved::GoOn,
        })
    }
}

impl Collector {
    /// A link that is none, or a form that names a case that there is not.
    async fn why_no_case(&self, tx: &mut WriteTx, code: &str) -> CollectError {
        self.load(tx, code, Mode::Web).await.err().unwrap_or(CollectError::BadForm)
    }

    /// Is one of these cells closed?
    async fn is_closed(&self, tx: &mut WriteTx, candidate: Candidate) -> Result<bool, CollectError> {
        Ok(applications::closed_cells(tx, candidate.application).await? & candidate.cells != 0)
    }
}

/// The order in which this case saw the options, where it differs from one to the next.
fn shown_order(item: &Item, case: CaseId) -> Option<String> {
    let ItemKind::Choice(choice) = &item.kind else { return None };
    let order = || choice.order_for(case.0, &item.id).into_iter().map(|option| option.code.as_str()).collect::<Vec<_>>().join(" ");
    choice.is_shuffled.then(order)
}

/// A case that was begun is a break-off until it is more (AAPOR 2.12).
async fn mark_begun(tx: &mut WriteTx, case: &BundleCase, sitting: Sitting, now: Timestamp) -> Result<(), CollectError> {
    if case.case.disposition == Disposition::NotAttempted {
        // Somebody of a replicate that is held back, who has come all the same, is in the field.
        cases::draw(tx, case.case.id).await?;
    }
    let before = Disposition::BreakOff.replaces();
    cases::dispose(tx, &[case.case.id], Disposition::BreakOff, &before, sitting.source(), now).await?;
    Ok(())
}

pub(super) async fn stop_when_nothing_is_open(tx: &mut WriteTx, bundle: &Bundle) -> Result<(), CollectError> {
    if cases::open_of_invitations(tx, &[bundle.invitation.id]).await?.is_empty() {
        invitations::stop(tx, &[bundle.invitation.id]).await?;
    }
    Ok(())
}
