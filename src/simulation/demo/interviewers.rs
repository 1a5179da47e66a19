//! The demo's interviewers: they take whom the queue gives them, and people are at home or not, as the seed has it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::fixture::World;
use crate::services::accounts;
use crate::services::interviews::{Collector, Saved, Screen, SentPage, Sitting};
use crate::adapters::crypto::password::new_token;
use crate::domain::device::DeviceClass;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire::{Item, ItemKind, Take};
use crate::domain::role::Role;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::adapters::database::accounts::{self as stored, Account};
use crate::services::call_center::call_screen::{Desk, desk};
use crate::services::call_center::outcome::{Told, record};
use crate::services::call_center::{TelephoneError, queue};

const NAMES: [&str; 2] = ["interviewer-1", "interviewer-2"];
const CALL: Duration = Duration::from_secs(90);
const PAGE: Duration = Duration::from_secs(40);
/// When nobody can be called, they look again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(2 * 3_600);

struct Seat {
    account: Account,
    free_at: Timestamp,
    on_the_line: Option<(Desk, CallOutcome)>,
}

pub struct Interviewers {
    collector: Collector,
    seats: Vec<Seat>,
    rng: fastrand::Rng,
}

impl Interviewers {
    pub async fn hire(world: &World, seed: u64) -> Result<Interviewers> {
        let installation = &world.installation;
        let mut seats = Vec::new();
        for name in NAMES {
            accounts::add(installation, &crate::domain::audit::Actor::command("demo"), name, Role::Interviewer, &Language::ALL, new_token()?).await?;
            let known = stored::find(&mut *installation.store.read().await?, name).await?;
            seats.extend(known.map(|known| Seat { account: known.account, free_at: world.now(), on_the_line: None }));
        }
        Ok(Interviewers { collector: Collector::new(installation.clone()), seats, rng: fastrand::Rng::with_seed(seed) })
    }

    /// When one of them does something next.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.seats.iter().map(|seat| seat.free_at).min()
    }

    /// Whoever is free by now ends the call and takes the next person. True: a case may have moved.
    pub async fn work(&mut self, world: &World) -> Result<bool> {
        let now = world.now();
        let mut has_moved = false;
        for seat in 0..self.seats.len() {
            if self.seats[seat].free_at > now {
                continue;
            }
            if let Some((desk, mut outcome)) = self.seats[seat].on_the_line.take() {
                has_moved = true;
                if outcome == CallOutcome::Interviewed {
                    match self.ask(world, seat, &desk).await? {
                        // Another page.
                        Some(true) => {
                            self.seats[seat].free_at = now + PAGE;
                            self.seats[seat].on_the_line = Some((desk, outcome));
                            continue;
                        }
                        Some(false) => outcome = CallOutcome::SoftRefusal,
                        None => {}
                    }
                }
                self.end(world, seat, &desk, outcome).await?;
            }
            self.seats[seat].free_at = match queue::next(&world.installation, &self.seats[seat].account).await? {
                Some(lease) => {
                    let desk = desk(&world.installation, &self.seats[seat].account, lease).await?;
                    let outcome = self.outcome(&desk);
                    self.seats[seat].on_the_line = Some((desk, outcome));
                    now + CALL
                }
                None => queue::next_due(&world.installation).await?.map_or(now + LOOK_AGAIN, |due| due.min(now + LOOK_AGAIN)),
            };
        }
        Ok(has_moved)
    }

    /// Who has promised to be there is.
    fn outcome(&mut self, desk: &Desk) -> CallOutcome {
        let chance = self.rng.u32(0..100);
        match chance {
            _ if desk.promised_at.is_some() => CallOutcome::Interviewed,
            0..=29 => CallOutcome::Interviewed,
            30..=47 => CallOutcome::NoAnswer,
            48..=54 => CallOutcome::Busy,
            55..=84 => CallOutcome::CallBack,
            85..=88 if desk.can_send_link => CallOutcome::LinkSent,
            85..=93 => CallOutcome::SoftRefusal,
            94..=95 => CallOutcome::HardRefusal,
            _ => CallOutcome::NoAnswer,
        }
    }

    async fn end(&mut self, world: &World, seat: usize, desk: &Desk, outcome: CallOutcome) -> Result<()> {
        let account = self.seats[seat].account.clone();
        let mut told = Told::default();
        if outcome == CallOutcome::CallBack {
            let wanted = world.now() + Duration::from_secs(self.rng.u64(3_600..4 * 86_400));
            told.call_back_at = world.plan.hours.next_open(wanted, &world.plan.time_zone.into());
        }
        match record(&world.installation, &account, desk.lease, outcome, &told).await {
            // The field has closed meanwhile, or closes before that.
            Err(TelephoneError::AfterTheField) => {
                Ok(record(&world.installation, &account, desk.lease, CallOutcome::NoAnswer, &Told::default()).await?)
            }
            done => Ok(done?),
        }
    }

    /// Asks a page. True: there is another one. False: it cannot go on. `None`: nothing is left to ask.
    async fn ask(&mut self, world: &World, seat: usize, desk: &Desk) -> Result<Option<bool>> {
        let account = &self.seats[seat].account;
        queue::renew(&world.installation, account, desk.lease.call, false).await?;
        let sitting = Sitting { mode: Mode::Telephone, since: Some(desk.since), account: Some(account.id) };
        let mut bundle = self.collector.open(&desk.code, Mode::Telephone).await?;
        if !bundle.is_agreed() {
            let notice = bundle.programme.privacy.version.clone();
            self.collector.begin(&desk.code, desk.language, &notice, sitting).await?;
            bundle = self.collector.open(&desk.code, Mode::Telephone).await?;
        }
        let paths = bundle.paths();
        let Screen::Page { case, page } = bundle.screen(&paths, None) else { return Ok(None) };
        let mut fields = BTreeMap::new();
        for item in paths[case].on_page(page) {
            if let Some(answer) = self.answer(item) {
                fields.insert(item.id.clone(), answer);
            }
        }
        let (device, shown_at) = (DeviceClass::Computer, Some(world.now() - PAGE));
        let sent = SentPage { sitting, case, page, only: None, fields: &fields, language: desk.language, device, shown_at };
        if self.collector.save_page(&desk.code, &sent).await? != Saved::GoOn {
            return Ok(Some(false));
        }
        let bundle = self.collector.open(&desk.code, Mode::Telephone).await?;
        Ok(matches!(bundle.screen(&bundle.paths(), None), Screen::Page { .. }).then_some(true))
    }

    fn answer(&mut self, item: &Item) -> Option<String> {
        match &item.kind {
            ItemKind::Scale(scale) => {
                let points: Vec<i64> = scale.points().collect();
                points.get(self.rng.usize(points.len() / 2..points.len())).map(i64::to_string)
            }
            ItemKind::Choice(choice) => match choice.take {
                Take::One | Take::Several { .. } => choice.options.get(self.rng.usize(0..choice.options.len())).map(|option| option.code.clone()),
                Take::AllInOrder => {
                    let places = choice.options.iter().zip(1..).map(|(option, place)| format!("{}:{place}", option.code));
                    Some(places.collect::<Vec<_>>().join(" "))
                }
            },
            ItemKind::Number(_) if item.required => Some("1".to_owned()),
            _ => None,
        }
    }
}
