//! The interview by SMS: what a reply means where somebody is being asked, and what is asked next.
//!
//! In go replies that are on disk ([`incoming::take_reply`]); out come answers (`collect/`'s, as on the web) and the next question, planned as a step of its own
//! so that the dispatcher sends it within contact hours, once (invariant I1). A number has one interview under way at most, whosever lists it is on: what
//! belongs to one never comes to another. A reply is an answer to the question that had gone out when it was sent; one that was sent before belongs to the
//! question before. Whatever breaks off half-way is done again when the gateway pushes the reply again, and comes to the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::services::campaigns::read_plan;
use crate::services::interviews::{Bundle, CollectError, Collector, Saved, SentPage, Sitting};
use crate::adapters::crypto::{KeyRingError, SealError};
use crate::services::sms_sending::DispatchError;
use crate::services::sms_inbound::TakenReply;
use crate::domain::contact_plan::{ContactPlan, ContactPlanError, LINKS_BY_SMS, goes_on_after, goodbye_step, interview_step, link_step};
use crate::domain::device::DeviceClass;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{InvitationId, MessageKey};
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Choosable, Item, ItemKind, Piped};
use crate::domain::reply::ReplyMeaning;
use crate::domain::sms_interview::{Asking, Heard, Prefix, goodbye, is_agreement, question, read, wants_link};
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::services::sealing::place;
use crate::adapters::database::invitations::{self, NextStep};
use crate::adapters::database::sms_interviews::{self, Asked, SmsInterview};
use crate::adapters::database::{StoreError, campaigns, links, messages, replies};

/// Replies to one question that are answered with «not understood»; after that the respondent is left to the link.
const CORRECTIONS: u32 = 1;
/// Nobody reads a message and answers it within so long of its submit: such a reply was on its way before.
const READING: Duration = Duration::from_secs(4);
/// Replies that come at the same moment are taken one after another; so often one is looked at again.
const AGAIN: usize = 5;

#[derive(Debug, thiserror::Error)]
pub enum SmsInterviewError {
    #[error("campaign {code}: its stored plan cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

const BY_SMS: Sitting = Sitting { mode: Mode::Sms, since: None, account: None };

/// Somebody who may be interviewed.
struct Talk<'a> {
    installation: &'a Installation,
    collector: &'a Collector,
    reply: &'a TakenReply,
    invitation: InvitationId,
    code: String,
    key_id: String,
    plan: ContactPlan,
}

/// Takes a reply as a part of an interview, if it is one.
pub async fn hear(installation: &Installation, collector: &Collector, reply: &TakenReply) -> Result<(), SmsInterviewError> {
    // A wish to be called stays in the staff's inbox.
    if reply.meaning != ReplyMeaning::Other {
        return Ok(());
    }
    for _ in 0..AGAIN {
        if hear_once(installation, collector, reply).await? {
            break;
        }
    }
    Ok(())
}

/// False: another reply of the same number came in between; it is to be looked at again.
async fn hear_once(installation: &Installation, collector: &Collector, reply: &TakenReply) -> Result<bool, SmsInterviewError> {
    let under_way = {
        let mut connection = installation.store.read().await?;
        if replies::is_taken(&mut connection, &reply.dedup_hash).await? != Some(false) {
            return Ok(true);
        }
        sms_interviews::with_number(&mut connection, &reply.phone_hash).await?
    };
    match (under_way, &reply.contacted) {
        (Some(interview), _) => Talk::with(installation, collector, reply, interview.invitation).await?.answer(interview).await,
        (None, Some(contacted)) if is_agreement(reply.text.reveal()) || wants_link(reply.text.reveal()) => {
            Talk::with(installation, collector, reply, contacted.invitation).await?.agree().await
        }
        // Not asked: for the staff's inbox.
        _ => Ok(true),
    }
}

/// What comes after a reply.
enum Next {
    /// The item is asked.
    Ask { asked: Asked, prefix: Prefix, corrections: u32 },
    /// All is asked, or nothing can be answered any more.
    End { is_complete: bool },
    /// The link, for whoever would rather go on there.
    Link,
}

impl Talk<'_> {
    async fn with<'a>(
        installation: &'a Installation,
        collector: &'a Collector,
        reply: &'a TakenReply,
        invitation: InvitationId,
    ) -> Result<Talk<'a>, SmsInterviewError> {
        let mut connection = installation.store.read().await?;
        let to = links::addressee(&mut connection, invitation).await?;
        let campaign = campaigns::find(&mut connection, &to.campaign).await?;
        let plan = campaign.map(|campaign| read_plan(&campaign.plan)).transpose();
        let plan = plan.map_err(|error| SmsInterviewError::Plan { code: to.campaign.clone(), error })?;
        let plan = plan.ok_or(StoreError::Unreadable { what: "an invitation", value: "without campaign".into() })?;
        let code = installation.keys.hasher().link_code(&to.campaign, &to.key_id, &to.phone_hash);
        Ok(Talk { installation, collector, reply, invitation, code, key_id: to.key_id, plan })
    }

    /// Whoever has been offered an interview and agrees is asked the first question.
    async fn agree(&self) -> Result<bool, SmsInterviewError> {
        let sent = messages::steps_sent(&mut *self.installation.store.read().await?, self.invitation).await?;
        let was_offered = sent.iter().any(|step| self.plan.steps.get(*step as usize).is_some_and(|step| step.is_interview()));
        if !was_offered {
            return Ok(true);
        }
        if wants_link(self.reply.text.reveal()) {
            return self.write(None, Next::Link, None).await;
        }
        let bundle = self.collector.open(&self.code, Mode::Sms).await?;
        let notice = bundle.programme.privacy.version.clone();
        self.collector.begin(&self.code, bundle.language(), &notice, BY_SMS).await?;
        let bundle = self.collector.open(&self.code, Mode::Sms).await?;
        let next = following(&bundle, None);
        self.write(None, next, None).await
    }

    /// A reply to what was asked last, or to what was asked before that.
    async fn answer(&self, interview: SmsInterview) -> Result<bool, SmsInterviewError> {
        let (text, sent_at) = (self.reply.text.reveal(), self.reply.sent_at);
        if wants_link(text) {
            return self.write(Some(&interview), Next::Link, None).await;
        }
        let asked_at =
            messages::submitted_at(&mut *self.installation.store.read().await?, MessageKey { invitation: self.invitation, step: interview.step })
                .await?;
        // Sent before the question had gone out: nobody answers what they have not been asked.
        if asked_at.is_none_or(|asked_at| sent_at <= asked_at + READING) {
            if let Some((before, answered_at)) = &interview.before
                && sent_at > *answered_at
            {
                // Another word on the question before: the later one counts. The same one twice changes nothing.
                if let Some(raw) = self.heard(before, text).await? {
                    self.save(before, &raw).await?;
                }
            }
            return self.taken().await;
        }
        let current = interview.current.clone();
        let again = || match interview.corrections {
            corrections if corrections < CORRECTIONS => {
                Next::Ask { asked: current.clone(), prefix: Prefix::NotUnderstood, corrections: corrections + 1 }
            }
            _ => Next::Link,
        };
        let next = match self.heard(&current, text).await? {
            None => again(),
            Some(raw) => match self.save(&current, &raw).await? {
                Saved::Problems(_) => again(),
                Saved::GoOn | Saved::NotAskable | Saved::Held | Saved::TakenOver => {
                    following(&self.collector.open(&self.code, Mode::Sms).await?, Some(&current))
                }
            },
        };
        let answered = matches!(&next, Next::Ask { prefix: Prefix::None, .. } | Next::End { .. }).then_some((current, sent_at));
        self.write(Some(&interview), next, answered).await
    }

    /// The reply in the form that is stored; empty: it leaves out what may be left out. `None`: it is no answer to this item.
    async fn heard(&self, asked: &Asked, text: &str) -> Result<Option<String>, SmsInterviewError> {
        let bundle = self.collector.open(&self.code, Mode::Sms).await?;
        let Some((item, shown)) = item_of(&bundle, asked) else { return Ok(None) };
        Ok(match read(item, &shown, text) {
            Heard::Answer(raw) => Some(raw),
            Heard::Skip => Some(String::new()),
            Heard::Unclear => None,
        })
    }

    async fn save(&self, asked: &Asked, raw: &str) -> Result<Saved, SmsInterviewError> {
        let bundle = self.collector.open(&self.code, Mode::Sms).await?;
        let Some(case) = bundle.cases.get(asked.place) else { return Ok(Saved::NotAskable) };
        let page = case.application.questionnaire.pages.iter().position(|page| page.items.iter().any(|item| item.id == asked.item)).unwrap_or(0);
        let fields = BTreeMap::from([(asked.item.clone(), raw.to_owned())]);
        let sent = SentPage {
            sitting: BY_SMS,
            case: asked.place,
            page,
            only: Some(&asked.item),
            fields: &fields,
            language: bundle.language(),
            device: DeviceClass::Phone,
            shown_at: None,
        };
        Ok(self.collector.save_page(&self.code, &sent).await?)
    }

    async fn taken(&self) -> Result<bool, SmsInterviewError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        replies::set_taken(&mut tx, &self.reply.dedup_hash, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Plans what comes next, and notes that the reply is taken, in one transaction.
    async fn write(&self, interview: Option<&SmsInterview>, next: Next, answered: Option<(Asked, Timestamp)>) -> Result<bool, SmsInterviewError> {
        let now = self.installation.clock.now();
        let bundle = self.collector.open(&self.code, Mode::Sms).await?;
        let mut tx = self.installation.store.write().await?;
        let planned = invitations::next_step(&mut tx, self.invitation).await?;
        let goes_on = goes_on_after(planned).unwrap_or(planned);
        let before = sms_interviews::find(&mut tx, self.invitation).await?;
        let is_overtaken = match (&before, interview) {
            (Some(known), Some(seen)) => known.nth != seen.nth || !known.is_asking,
            (Some(known), None) => known.is_asking,
            (None, _) => false,
        };
        if is_overtaken {
            return Ok(false);
        }
        let nth = before.as_ref().map_or(0, |known| known.nth + 1);
        let sealer = self.installation.keys.sealer(&self.key_id)?;
        let seal = |text: &str| sealer.seal(place::SMS_QUESTION, text.as_bytes());
        let known =
            |interview: Option<&SmsInterview>| interview.map(|known| known.current.clone()).unwrap_or(Asked { place: 0, item: String::new() });
        let step = interview_step(nth, goes_on);
        let (is_asking, current, text, corrections, step) = match next {
            Next::Ask { asked, prefix, corrections } => {
                let text = self.worded(&bundle, &asked, prefix);
                (true, asked, text, corrections, step)
            }
            Next::End { is_complete } => {
                (false, known(interview), goodbye(&self.plan.signature, bundle.language(), is_complete), 0, goodbye_step(nth, goes_on))
            }
            Next::Link => (false, known(interview), String::new(), 0, link_step(LINKS_BY_SMS + nth, goes_on)),
        };
        let entry = SmsInterview {
            invitation: self.invitation,
            is_asking,
            nth,
            step,
            current,
            text_sealed: seal(&text)?,
            corrections,
            before: answered.or_else(|| interview.and_then(|known| known.before.clone())),
        };
        sms_interviews::put(&mut tx, &entry, &self.reply.phone_hash, now).await?;
        invitations::set_next(&mut tx, &[NextStep { id: self.invitation, step, at: Some(now) }]).await?;
        replies::set_taken(&mut tx, &self.reply.dedup_hash, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    fn worded(&self, bundle: &Bundle, asked: &Asked, prefix: Prefix) -> String {
        let Some((item, shown)) = item_of(bundle, asked) else { return String::new() };
        let (case, language) = (&bundle.cases[asked.place], bundle.language());
        let piped = Piped {
            questionnaire: &case.application.questionnaire,
            subject: &case.application.subject,
            applicant: bundle.applicant_name(),
            answers: &case.answers,
            language,
        };
        let path = case.path();
        let all: Vec<&Item> = path.items().filter(|item| item.asks()).collect();
        let place = (all.iter().position(|other| other.id == item.id).map_or(1, |at| at + 1), all.len());
        let text = piped.fill(item.sms.as_ref().unwrap_or(&item.text));
        let says_what = place.0 == 1 || bundle.cases.len() > 1;
        let subject = says_what.then_some(case.application.subject.as_str());
        question(&Asking { item, text: &text, shown: &shown, place, signature: &self.plan.signature, subject, language, prefix })
    }
}

/// An item that was asked, and its options as this respondent sees them.
fn item_of<'b>(bundle: &'b Bundle, asked: &Asked) -> Option<(&'b Item, Vec<&'b Choosable>)> {
    let case = bundle.cases.get(asked.place)?;
    let item = case.application.questionnaire.item(&asked.item)?;
    let shown = match &item.kind {
        ItemKind::Choice(choice) => choice.order_for(case.case.id.0, &item.id),
        _ => Vec::new(),
    };
    Some((item, shown))
}

/// The item to ask after this one: the next on the way without an answer, in this case or the next one.
fn following(bundle: &Bundle, after: Option<&Asked>) -> Next {
    for (place, case) in bundle.cases.iter().enumerate().filter(|(_, case)| case.is_askable) {
        let path = case.path();
        let items: Vec<&Item> = path.items().filter(|item| item.asks()).collect();
        let from = match after {
            Some(asked) if asked.place == place => items.iter().position(|item| item.id == asked.item).map_or(0, |at| at + 1),
            _ => 0,
        };
        let is_open = |item: &&&Item| !case.answers.contains_key(&item.id);
        // What was left out may be left out; what is required and was passed over is asked all the same.
        let next = items.iter().skip(from).find(is_open).or_else(|| items.iter().filter(|item| item.required).find(is_open));
        if let Some(item) = next {
            return Next::Ask { asked: Asked { place, item: item.id.clone() }, prefix: Prefix::None, corrections: 0 };
        }
    }
    Next::End { is_complete: bundle.cases.iter().any(|case| case.case.disposition == Disposition::Complete) }
}
