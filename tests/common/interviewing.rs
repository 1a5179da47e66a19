//! Interviewers at work, without their pages: whoever waits is called, asked, and told of.

use std::collections::BTreeMap;

use fieldworkd::services::accounts;
use fieldworkd::services::interviews::{Collector, Saved, SentPage, Sitting};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::device::DeviceClass;
use fieldworkd::domain::language::Language;
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::Role;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::adapters::database::accounts as stored;
use fieldworkd::adapters::database::accounts::Account;
use fieldworkd::services::call_center::call_screen::{Desk, desk};
use fieldworkd::services::call_center::outcome::{Told, record};
use fieldworkd::services::call_center::queue;

use super::{AGREED, PLAN, TestApp, answers};

pub const PASSWORD: &str = "many words make a good password";

/// An invitation by SMS, the telephone two days later, a last message.
pub fn mixed_plan(calls: u32) -> String {
    let (head, last) = (PLAN.split("[[step]]\nname = \"reminder\"").next().unwrap(), PLAN.rsplit("[[step]]").next().unwrap());
    let telephone = format!("[[step]]\nname = \"calls\"\nmode = \"telephone\"\nafter = \"2d\"\ncalls = {calls}\nif = \"!begun\"\n");
    let link = "[link]\ntext.zh = \"【{signature}】{name}您好，您要的链接：{link} 退订回T\"\n";
    format!("{head}{telephone}[[step]]{}{link}", last.replace("7d", "20d"))
}

pub async fn interviewer(app: &TestApp, name: &str) -> Account {
    accounts::add(&app.installation, &Actor::command("test"), name, Role::Interviewer, &Language::ALL, Personal::new(PASSWORD)).await.unwrap();
    stored::find(&mut app.installation.store.read().await.unwrap(), name).await.unwrap().unwrap().account
}

/// Whom this interviewer gets now.
pub async fn next(app: &TestApp, account: &Account) -> Option<Desk> {
    let lease = queue::next(&app.installation, account).await.unwrap()?;
    Some(desk(&app.installation, account, lease).await.unwrap())
}

pub async fn told(app: &TestApp, account: &Account, desk: &Desk, outcome: CallOutcome) {
    record(&app.installation, account, desk.lease, outcome, &Told::default()).await.unwrap();
}

pub fn sitting(desk: &Desk) -> Sitting {
    Sitting { mode: Mode::Telephone, since: Some(desk.since), account: Some(desk.by) }
}

/// Asks every page on the telephone.
pub async fn interview(collector: &Collector, desk: &Desk) -> Saved {
    collector.begin(&desk.code, desk.language, AGREED[0].1, sitting(desk)).await.unwrap();
    let mut saved = Saved::GoOn;
    for page in 0..4 {
        saved = send(collector, desk, page).await;
        if saved != Saved::GoOn {
            break;
        }
    }
    saved
}

pub async fn send(collector: &Collector, desk: &Desk, page: usize) -> Saved {
    let fields: BTreeMap<String, String> = answers(0, page, "9").into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let sent = SentPage {
        sitting: sitting(desk),
        case: 0,
        page,
        only: None,
        fields: &fields,
        language: desk.language,
        device: DeviceClass::Computer,
        shown_at: None,
    };
    collector.save_page(&desk.code, &sent).await.unwrap()
}
