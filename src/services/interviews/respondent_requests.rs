//! What a respondent wants instead of answering now: never, not as a user, later, or by telephone. Each is one transaction.

use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::invitation_cases::{Bundle, Noted};
use super::save_page::{Sitting, stop_when_nothing_is_open};
use super::{CollectError, Collector};
use crate::services::campaigns::read_plan;
use crate::services::suppressions::opt_out;
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::mode::Mode;
use crate::domain::reply::ReplyMeaning;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::sealing::place;
use crate::adapters::database::cases::{self, Source, TakenBack};
use crate::adapters::database::replies::{self, NewReply};
use crate::adapters::database::{StoreError, WriteTx, campaigns, consents, invitations, links, quotas, responses};

/// When somebody would rather be reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    ThisEvening,
    Tomorrow,
    InAWeek,
}

impl Later {
    pub fn parse(raw: &str) -> Option<Later> {
        match raw {
            "evening" => Some(Later::ThisEvening),
            "tomorrow" => Some(Later::Tomorrow),
            "week" => Some(Later::InAWeek),
            _ => None,
        }
    }

    fn from(self, now: Timestamp, zone: Tz) -> Timestamp {
        const DAY: Duration = Duration::from_secs(86_400);
        match self {
            Later::ThisEvening => {
                let seven = NaiveTime::from_hms_opt(19, 0, 0).unwrap_or_default();
                let evening = Timestamp::from_local(now.date(zone).and_time(seven), zone);
                if evening > now { evening } else { evening + DAY }
            }
            Later::Tomorrow => now + DAY,
            Later::InAWeek => now + DAY * 7,
        }
    }
}

/// When somebody would like to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallWhen {
    AnyTime,
    Morning,
    Afternoon,
    Evening,
}

impl CallWhen {
    pub fn parse(raw: &str) -> Option<CallWhen> {
        match raw {
            "any" => Some(CallWhen::AnyTime),
            "morning" => Some(CallWhen::Morning),
            "afternoon" => Some(CallWhen::Afternoon),
            "evening" => Some(CallWhen::Evening),
            _ => None,
        }
    }

    /// As the staff reads it in its inbox.
    fn told(self) -> &'static str {
        match self {
            CallWhen::AnyTime => "请致电：任何时间 · please call at any time",
            CallWhen::Morning => "请致电：上午 · please call in the morning",
            CallWhen::Afternoon => "请致电：下午 · please call in the afternoon",
            CallWhen::Evening => "请致电：晚上 · please call in the evening",
        }
    }
}

/// What was answered goes with the consent, whether it had been counted or not (Personal Information Protection Law, articles 15 and 47). Where it stands in
/// a dataset that is frozen, a corrected version follows. The cases are locked by [`cases::answered`].
pub async fn take_back(tx: &mut WriteTx, answered: &[TakenBack], source: Source, now: Timestamp) -> Result<(), StoreError> {
    for taken in answered.iter().filter(|taken| taken.is_complete) {
        quotas::uncount(tx, taken.application, taken.cells).await?;
    }
    let theirs: Vec<CaseId> = answered.iter().map(|taken| taken.case).collect();
    cases::set_withdrawn(tx, &theirs, now).await?;
    cases::correct(tx, &theirs, Disposition::Refusal, source, now).await?;
    responses::erase(tx, &theirs).await
}

impl Collector {
    /// The respondent refuses for good (AAPOR 2.112): all open cases end, and the number is suppressed like after an opt-out by SMS.
    pub async fn refuse(&self, code: &str) -> Result<(), CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code, Mode::Web).await?;
        let programme = bundle.programme_id().filter(|_| !self.installation.config.opt_out_for_all);
        let phone_hash = links::addressee(&mut tx, bundle.invitation.id).await?.phone_hash;
        // Cases are locked before invitations, here as everywhere.
        let answered = cases::answered(&mut tx, bundle.invitation.id).await?;
        opt_out(&mut tx, &phone_hash, programme, Source::Web, now).await?;
        if consents::withdraw(&mut tx, bundle.invitation.id, now).await? {
            take_back(&mut tx, &answered, Source::Web, now).await?;
        }
        invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The respondent is no user of this case's subject (AAPOR 4.1).
    pub async fn not_a_user(&self, code: &str, case_index: usize, sitting: Sitting) -> Result<(), CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code, Mode::Web).await?;
        if let Some(current) = bundle.askable(case_index) {
            cases::dispose(&mut tx, &[current.case.id], Disposition::NotEligible, &[], sitting.source(), now).await?;
            stop_when_nothing_is_open(&mut tx, &bundle).await?;
            invitations::mark_opened(&mut tx, bundle.invitation.id, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The respondent has no time now. The next step of the plan moves to when it suits, within contact hours and before the field closes; what caps forbid
    /// is looked at when it is sent, like always. Where no step is left, the link goes on being good.
    pub async fn later(&self, code: &str, when: Later) -> Result<(), CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code, Mode::Web).await?;
        let Some(closes_at) = bundle.field_closes_at() else { return Ok(()) };
        if let Some((step, _)) = invitations::next_contact(&mut tx, bundle.invitation.id).await? {
            let campaign = campaigns::get(&mut tx, bundle.invitation.campaign_id).await?;
            let plan = read_plan(&campaign.plan).map_err(|error| CollectError::Plan { campaign: campaign.code, error })?;
            let zone = links::addressee(&mut tx, bundle.invitation.id).await?.zone;
            let zones = zone.as_deref().and_then(Zones::parse).unwrap_or_else(|| plan.time_zone.into());
            let wanted = when.from(now, bundle.programme.time_zone);
            let open = plan.hours.next_open(wanted, &zones).filter(|at| *at < closes_at && (step as usize) < plan.steps.len());
            if let Some(at) = open {
                invitations::move_step(&mut tx, bundle.invitation.id, step, at).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The respondent would rather be called: a request in the staff's inbox, one a day.
    pub async fn call_me(&self, code: &str, when: CallWhen) -> Result<(), CollectError> {
        let now = self.installation.clock.now();
        let mut tx = self.installation.store.write().await?;
        let bundle = self.load(&mut tx, code, Mode::Web).await?;
        let which = format!("{}\n{}\n{}", Mode::Web, bundle.invitation.id.0, now.date(bundle.programme.time_zone));
        let request = NewReply {
            gateway: Mode::Web.to_string(),
            dedup_hash: self.installation.keys.hasher().fingerprint(which.as_bytes()),
            phone_hash: links::addressee(&mut tx, bundle.invitation.id).await?.phone_hash,
            invitation: Some(bundle.invitation.id),
            meaning: ReplyMeaning::CallMe.as_str(),
            text_sealed: Some(self.installation.keys.sealer(bundle.key_id())?.seal(place::REPLY, when.told().as_bytes())?),
        };
        replies::add(&mut tx, &request, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What to say of a wish that was written down: for «later», the day of the reminder that will come.
    pub async fn noted_later(&self, bundle: &Bundle) -> Result<Noted, CollectError> {
        let next = invitations::next_contact(&mut *self.installation.store.read().await?, bundle.invitation.id).await?;
        Ok(Noted::Later(next.map(|(_, at)| at)))
    }
}
