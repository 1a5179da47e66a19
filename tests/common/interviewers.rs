//! Interviewers without their pages: leases a call, asks the questions, and records the outcome.

use std::collections::BTreeMap;

use fieldworkd::adapters::database::accounts as stored;
use fieldworkd::adapters::database::accounts::Account;
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::device::DeviceClass;
use fieldworkd::domain::language::Language;
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::role::Role;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::services::accounts;
use fieldworkd::services::call_center::call_screen::{CallScreen, load_call_screen};
use fieldworkd::services::call_center::outcome::{self, CallReport};
use fieldworkd::services::call_center::queue;
use fieldworkd::services::interviews::{
    AnswerContext, InterviewService, SaveOutcome, SubmittedPage,
};

use super::{CONSENT_FORM, PLAN, TestApp, answers};

pub const PASSWORD: &str = "many words make a good password";

/// A plan with an invitation by SMS, a telephone step two days later, and a last message.
pub fn mixed_plan(calls: u32) -> String {
    let (head, last) = (
        PLAN.split("[[step]]\nname = \"reminder\"").next().unwrap(),
        PLAN.rsplit("[[step]]").next().unwrap(),
    );
    let telephone = format!(
        "[[step]]\nname = \"calls\"\nmode = \"telephone\"\nafter = \"2d\"\ncalls = {calls}\nif = \
            \"!begun\"\n"
    );
    let link = "[link]\ntext.zh = \"【{signature}】{name}您好，您要的链接：{link} 退订回T\"\n";
    format!("{head}{telephone}[[step]]{}{link}", last.replace("7d", "20d"))
}

pub async fn add_interviewer(app: &TestApp, name: &str) -> Account {
    accounts::add(
        &app.context,
        &Actor::command("test"),
        name,
        Role::Interviewer,
        &[Language::ZH, Language::EN],
        Personal::new(PASSWORD),
    )
    .await
    .unwrap();
    stored::find_credentials(&mut app.context.database.read().await.unwrap(), name)
        .await
        .unwrap()
        .unwrap()
        .account
}

/// Leases the next call to this interviewer.
pub async fn next_call(app: &TestApp, account: &Account) -> Option<CallScreen> {
    let lease = queue::lease_next(&app.context, account).await.unwrap()?;
    Some(load_call_screen(&app.context, account, lease).await.unwrap())
}

pub async fn record_outcome(
    app: &TestApp,
    account: &Account,
    call_screen: &CallScreen,
    call_outcome: CallOutcome,
) {
    outcome::record_outcome(
        &app.context,
        account,
        call_screen.lease,
        call_outcome,
        &CallReport::default(),
    )
    .await
    .unwrap();
}

pub fn answer_context(call_screen: &CallScreen) -> AnswerContext {
    AnswerContext {
        mode: Mode::Telephone,
        since: Some(call_screen.since),
        account: Some(call_screen.interviewer),
    }
}

/// Answers every page on the telephone.
pub async fn ask_all_pages(
    interview_service: &InterviewService,
    call_screen: &CallScreen,
) -> SaveOutcome {
    interview_service
        .begin(
            &call_screen.code,
            call_screen.language,
            CONSENT_FORM[0].1,
            answer_context(call_screen),
        )
        .await
        .unwrap();
    let mut saved = SaveOutcome::Accepted;
    for page in 0..4 {
        saved = send_page(interview_service, call_screen, page).await;
        if saved != SaveOutcome::Accepted {
            break;
        }
    }
    saved
}

pub async fn send_page(
    interview_service: &InterviewService,
    call_screen: &CallScreen,
    page: usize,
) -> SaveOutcome {
    let fields: BTreeMap<String, String> = answers(0, page, "9")
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let sent = SubmittedPage {
        answer_context: answer_context(call_screen),
        case: 0,
        page,
        single_item: None,
        fields: &fields,
        language: call_screen.language,
        device: DeviceClass::Computer,
        origin: None,
        shown_at: None,
    };
    interview_service.save_page(&call_screen.code, &sent).await.unwrap()
}
