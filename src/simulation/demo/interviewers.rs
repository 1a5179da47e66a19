//! Simulated interviewers: they call the people of the queue, who are at home or not by the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;

use super::fixture::Fixture;
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::accounts::{self as stored, Account};
use crate::domain::device::DeviceClass;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Answer, Item, ItemKind, Selection};
use crate::domain::role::Role;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::accounts;
use crate::services::call_center::call_screen::{CallScreen, load_call_screen};
use crate::services::call_center::outcome::{CallReport, record_outcome};
use crate::services::call_center::{CallCenterError, queue};
use crate::services::interviews::{
    AnswerContext, InterviewService, SaveOutcome, Screen, SubmittedPage,
};

pub const NAMES: [&str; 2] = ["interviewer-1", "interviewer-2"];
const CALL_DURATION: Duration = Duration::from_secs(90);
const PAGE_DURATION: Duration = Duration::from_secs(40);
/// Interval of checking the queue while nobody can be called.
const QUEUE_POLL_INTERVAL: Duration = Duration::from_secs(2 * 3_600);

struct InterviewerState {
    account: Account,
    free_at: Timestamp,
    current_call: Option<(CallScreen, CallOutcome)>,
}

pub struct Interviewers {
    interview_service: InterviewService,
    interviewers: Vec<InterviewerState>,
    /// Links that were sent during a call: nobody asks for the same message again.
    sent_links: BTreeSet<String>,
    rng: fastrand::Rng,
}

impl Interviewers {
    pub async fn create(fixture: &Fixture, seed: u64) -> Result<Interviewers> {
        let context = &fixture.context;
        let mut interviewers = Vec::new();
        for name in NAMES {
            accounts::add(
                context,
                &crate::domain::audit::Actor::command("demo"),
                name,
                Role::Interviewer,
                &[Language::ZH, Language::EN],
                new_token()?,
            )
            .await?;
            let stored_account =
                stored::find_credentials(&mut *context.database.read().await?, name).await?;
            interviewers.extend(stored_account.map(|stored_account| InterviewerState {
                account: stored_account.account,
                free_at: fixture.now(),
                current_call: None,
            }));
        }
        Ok(Interviewers {
            interview_service: InterviewService::new(context.clone()),
            interviewers,
            sent_links: BTreeSet::new(),
            rng: fastrand::Rng::with_seed(seed),
        })
    }

    /// Returns the time of the next action of any interviewer.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.interviewers.iter().map(|interviewer| interviewer.free_at).min()
    }

    /// Lets interviewers who are free by now end their call and take the next person. Returns true
    /// if a case may have changed.
    pub async fn advance(&mut self, fixture: &Fixture) -> Result<bool> {
        let now = fixture.now();
        let mut has_moved = false;
        for index in 0..self.interviewers.len() {
            if self.interviewers[index].free_at > now {
                continue;
            }
            if let Some((call_screen, mut outcome)) = self.interviewers[index].current_call.take() {
                has_moved = true;
                if outcome == CallOutcome::Interviewed {
                    match self.ask_page(fixture, index, &call_screen).await? {
                        // There is another page.
                        Some(true) => {
                            self.interviewers[index].free_at = now + PAGE_DURATION;
                            self.interviewers[index].current_call = Some((call_screen, outcome));
                            continue;
                        }
                        Some(false) => outcome = CallOutcome::SoftRefusal,
                        None => {}
                    }
                }
                self.record_outcome(fixture, index, &call_screen, outcome).await?;
            }
            self.interviewers[index].free_at =
                match queue::lease_next(&fixture.context, &self.interviewers[index].account).await?
                {
                    Some(lease) => {
                        let call_screen = load_call_screen(
                            &fixture.context,
                            &self.interviewers[index].account,
                            lease,
                        )
                        .await?;
                        let outcome = self.draw_outcome(&call_screen);
                        self.interviewers[index].current_call = Some((call_screen, outcome));
                        now + CALL_DURATION
                    }
                    None => queue::next_due(&fixture.context)
                        .await?
                        .map_or(now + QUEUE_POLL_INTERVAL, |due| {
                            due.min(now + QUEUE_POLL_INTERVAL)
                        }),
                };
        }
        Ok(has_moved)
    }

    /// Draws the outcome of a call. A person with an agreed call-back is always reached.
    fn draw_outcome(&mut self, call_screen: &CallScreen) -> CallOutcome {
        let chance = self.rng.u32(0..100);
        match chance {
            _ if call_screen.promised_at.is_some() => CallOutcome::Interviewed,
            0..=29 => CallOutcome::Interviewed,
            30..=47 => CallOutcome::NoAnswer,
            48..=54 => CallOutcome::Busy,
            55..=84 => CallOutcome::CallBack,
            85..=88
                if call_screen.can_send_link
                    && self.sent_links.insert(call_screen.code.clone()) =>
            {
                CallOutcome::LinkSent
            }
            85..=93 => CallOutcome::SoftRefusal,
            94..=95 => CallOutcome::HardRefusal,
            _ => CallOutcome::NoAnswer,
        }
    }

    async fn record_outcome(
        &mut self,
        fixture: &Fixture,
        index: usize,
        call_screen: &CallScreen,
        outcome: CallOutcome,
    ) -> Result<()> {
        let account = self.interviewers[index].account.clone();
        let mut report = CallReport::default();
        if outcome == CallOutcome::CallBack {
            let call_back_time =
                fixture.now() + Duration::from_secs(self.rng.u64(3_600..4 * 86_400));
            report.call_back_at =
                fixture.plan.hours.next_open(call_back_time, &fixture.plan.time_zone.into());
        }
        match record_outcome(&fixture.context, &account, call_screen.lease, outcome, &report).await
        {
            // The field has closed, or closes before that time.
            Err(CallCenterError::AfterFieldCloses) => Ok(record_outcome(
                &fixture.context,
                &account,
                call_screen.lease,
                CallOutcome::NoAnswer,
                &CallReport::default(),
            )
            .await?),
            done => Ok(done?),
        }
    }

    /// Asks a page. Returns true if there is another one, false if the interview cannot continue,
    /// and `None` if nothing is left to ask.
    async fn ask_page(
        &mut self,
        fixture: &Fixture,
        index: usize,
        call_screen: &CallScreen,
    ) -> Result<Option<bool>> {
        let account = &self.interviewers[index].account;
        queue::renew(&fixture.context, account, call_screen.lease.call, false).await?;
        let answer_context = AnswerContext {
            mode: Mode::Telephone,
            since: Some(call_screen.since),
            account: Some(account.id),
        };
        let mut invitation_cases =
            self.interview_service.open_invitation(&call_screen.code, Mode::Telephone).await?;
        if !invitation_cases.has_current_consent() {
            let notice = invitation_cases.programme.privacy.version.clone();
            self.interview_service
                .begin(&call_screen.code, call_screen.language, &notice, answer_context)
                .await?;
            invitation_cases =
                self.interview_service.open_invitation(&call_screen.code, Mode::Telephone).await?;
        }
        let paths = invitation_cases.paths();
        let Screen::Page { case, page } = invitation_cases.screen(&paths, None) else {
            return Ok(None);
        };
        let mut fields = BTreeMap::new();
        for item in paths[case].items_on_page(page) {
            if let Some(answer) = self.draw_answer(item) {
                fields.insert(item.id.clone(), answer);
            }
        }
        let (device, shown_at) = (DeviceClass::Computer, Some(fixture.now() - PAGE_DURATION));
        let sent = SubmittedPage {
            answer_context,
            case,
            page,
            single_item: None,
            fields: &fields,
            language: call_screen.language,
            device,
            origin: None,
            shown_at,
        };
        if self.interview_service.save_page(&call_screen.code, &sent).await?
            != SaveOutcome::Accepted
        {
            return Ok(Some(false));
        }
        let invitation_cases =
            self.interview_service.open_invitation(&call_screen.code, Mode::Telephone).await?;
        Ok(matches!(invitation_cases.screen(&invitation_cases.paths(), None), Screen::Page { .. })
            .then_some(true))
    }

    fn draw_answer(&mut self, item: &Item) -> Option<String> {
        match &item.kind {
            ItemKind::Scale(scale) => {
                let points: Vec<i64> = scale.points().collect();
                points.get(self.rng.usize(points.len() / 2..points.len())).map(i64::to_string)
            }
            // Somebody who does not know is heard, not pressed.
            ItemKind::Choice(_) if item.dont_know && self.rng.u32(0..25) == 0 => {
                Some(Answer::DONT_KNOW.to_owned())
            }
            ItemKind::Choice(choice) => match choice.selection {
                // Few have complained.
                Selection::One if choice.options.len() == 2 && choice.has("no") => {
                    Some(if self.rng.u32(0..6) == 0 { "yes" } else { "no" }.to_owned())
                }
                Selection::One | Selection::Several { .. } => choice
                    .options
                    .get(self.rng.usize(0..choice.options.len()))
                    .map(|option| option.code.clone()),
                Selection::Ranked => {
                    let ranks = choice
                        .options
                        .iter()
                        .zip(1..)
                        .map(|(option, rank)| format!("{}:{rank}", option.code));
                    Some(ranks.collect::<Vec<_>>().join(" "))
                }
            },
            ItemKind::Number(_) if item.required => Some("1".to_owned()),
            _ => None,
        }
    }
}
