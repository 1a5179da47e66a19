//! Simulates the months: processes the event that is due next, and advances the clock to it.

use std::time::Duration;

use anyhow::{Result, bail};

use super::fixture::Fixture;
use super::interviewers::Interviewers;
use super::paper::{PaperCounts, PaperForms};
use crate::adapters::database::{campaigns, replies};
use crate::domain::audit::{Action, Actor};
use crate::domain::origin::SharedPlace;
use crate::domain::quality::ReviewVerdict;
use crate::domain::time::Timestamp;
use crate::services::sms_inbound::answer::{self, AnswerError, WrittenAnswer};
use crate::services::sms_sending::Dispatcher;
use crate::services::{alerts, forecasting, response_quality};
use crate::services::{datasets, deadlines};

/// Limit on the virtual time of the fields; a run beyond it is an error, because the last due day
/// is earlier.
const MAX_FIELD_TIME: Duration = Duration::from_secs(200 * 86_400);

/// How often staff look at conspicuous responses.
const LOOK_EVERY: Duration = Duration::from_secs(86_400);

pub struct SimulationOutcome {
    /// Messages in doubt that a query settled.
    pub settled: u64,
    pub paper: PaperCounts,
}

/// Simulates until every campaign is closed. `progress` is called with elapsed and total days.
pub async fn simulate(
    fixture: &Fixture,
    seed: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<SimulationOutcome> {
    let dispatcher = Dispatcher::new(fixture.context.clone());
    let mut interviewers = Interviewers::create(fixture, seed).await?;
    let mut paper_forms = PaperForms::new(fixture);
    let last_day = deadlines::last_closing_at(&fixture.context).await?.unwrap_or(fixture.now());
    let days = |until: Timestamp| until.since(fixture.began_at).as_secs() / 86_400;
    let (mut settled, mut looked_at, mut answered_at) = (0, fixture.now(), fixture.now());
    loop {
        let next_dispatch = dispatcher.next_due().await?;
        if next_dispatch.is_some_and(|at| at <= fixture.now()) {
            let tick = dispatcher.tick().await?;
            settled += tick.settled;
        }
        let has_called = interviewers.next_at().is_some_and(|at| at <= fixture.now())
            && interviewers.advance(fixture).await?;
        // The actions of people may have filled a cell.
        let has_keyed = paper_forms.advance(fixture).await?;
        let has_changed = fixture.simulator.tick().await > 0 || has_called || has_keyed;
        let next_deadline = deadlines::next_due(&fixture.context).await?;
        if has_changed || next_deadline.is_some_and(|at| at <= fixture.now()) {
            deadlines::tick(&fixture.context).await?;
        }
        let next_checks = [
            forecasting::next_due(&fixture.context).await?,
            alerts::next_due(&fixture.context).await?,
        ];
        if next_checks.into_iter().flatten().any(|at| at <= fixture.now()) {
            forecasting::tick(&fixture.context).await?;
            alerts::tick(&fixture.context).await?;
        }
        if has_changed {
            look_at_clusters(fixture, &mut looked_at).await?;
            answer_replies(fixture, &mut answered_at).await?;
        }
        if campaigns::list_open(&mut *fixture.context.database.read().await?).await?.is_empty() {
            break;
        }
        let next = [
            dispatcher.next_due().await?,
            fixture.simulator.next_event_at(),
            next_deadline,
            interviewers.next_at(),
            paper_forms.next_at(),
        ];
        let Some(next) = next_checks.into_iter().chain(next).flatten().min() else {
            bail!("nothing is planned, and the field is still open")
        };
        fixture.clock.advance_to(next.max(fixture.now() + Duration::from_millis(1)));
        if fixture.now().since(fixture.began_at) > MAX_FIELD_TIME {
            bail!("the field should be over by now");
        }
        progress(days(fixture.now()), days(last_day));
    }
    datasets::write_pending(&fixture.context).await?;
    Ok(SimulationOutcome { settled, paper: paper_forms.counts })
}

/// Once a day staff answer by SMS what was not understood.
async fn answer_replies(fixture: &Fixture, answered_at: &mut Timestamp) -> Result<()> {
    if fixture.now() < *answered_at + LOOK_EVERY {
        return Ok(());
    }
    *answered_at = fixture.now();
    let context = &fixture.context;
    let waiting = {
        let mut connection = context.database.read().await?;
        replies::inbox(&mut connection, Some("other"), false).await?
    };
    for reply in waiting.into_iter().filter(|reply| !reply.is_stranger) {
        let mut tx = context.database.write().await?;
        let written =
            WrittenAnswer {
                text: "谢谢您的回复。有疑问请致电本会。", by: "demo", seen: 0
            };
        match answer::answer(context, &mut tx, reply.id, &written).await {
            Ok(_) => {
                let object = format!("reply:{}", reply.id);
                let actor = Actor::console("demo");
                context.audit(&mut tx, &actor, Action::ReplyAnswered, &object).await?;
                tx.commit().await?;
            }
            Err(
                error @ (AnswerError::Database(_)
                | AnswerError::Plan(_)
                | AnswerError::Keys(_)
                | AnswerError::Seal(_)),
            ) => return Err(error.into()),
            // Nothing can be sent to them now.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Once a day staff look at responses that came from one device: called back, nobody has answered
/// herself. What came from one network only is left alone.
async fn look_at_clusters(fixture: &Fixture, looked_at: &mut Timestamp) -> Result<()> {
    if fixture.now() < *looked_at + LOOK_EVERY {
        return Ok(());
    }
    *looked_at = fixture.now();
    let context = &fixture.context;
    response_quality::note_new_clusters(context, fixture.began_at).await?;
    for (code, _) in response_quality::to_be_reviewed(context).await? {
        for response in response_quality::conspicuous(context, &code).await?.responses {
            let is_of_device = matches!(response.cluster, Some((_, SharedPlace::Device)));
            if is_of_device && response.review.is_none() {
                let (actor, verdict) = (Actor::console("demo"), ReviewVerdict::Excluded);
                let reason = "回访确认非本人作答";
                response_quality::decide(context, &actor, &code, &response.case, verdict, reason)
                    .await?;
            }
        }
    }
    Ok(())
}
