//! What a command leaves in the audit log. It is written down before the command does it; a command that fails leaves a second entry.

use super::Command;
use super::alarm::AlarmCommand;
use super::campaign::CampaignCommand;
use super::dataset::{DatasetCommand, SigningKeyCommand};
use super::inbox::InboxCommand;
use super::lists::{ApplicationCommand, ListCommand, ProgrammeCommand};
use super::message::MessageCommand;
use super::retention::{LegalHoldCommand, PersonCommand};
use super::suppress::SuppressCommand;
use crate::domain::audit::Action;

/// What is done, to what, and what more is to be said of it.
pub type Deed = (Action, String, String);

/// `None`: the command only looks, shows nothing of a person, or is written down by its use-case.
pub fn deed_of(command: &Command) -> Option<Deed> {
    let file = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (action, object, detail) = match command {
        Command::Programme(ProgrammeCommand::Apply { file: path }) => (Action::Programme, String::new(), file(path)),
        Command::Application(command) => match command {
            ApplicationCommand::Add { file: path } => (Action::Applicant, String::new(), file(path)),
            ApplicationCommand::Fee { code, settled } => (Action::Deadline, application(code), format!("fee settled on {settled}")),
            ApplicationCommand::Hold { code, .. } => (Action::Deadline, application(code), "hold".into()),
            ApplicationCommand::Release { code, .. } => (Action::Deadline, application(code), "release".into()),
            ApplicationCommand::Extend { code, days, .. } => (Action::Deadline, application(code), format!("extend by {days} days")),
            ApplicationCommand::List { .. } | ApplicationCommand::History { .. } => return None,
        },
        Command::List(ListCommand::Import { application: codes, file: path, dry_run, .. }) => match dry_run {
            true => return None,
            false => (Action::ListImported, application(&codes.join(",")), file(path)),
        },
        Command::Campaign(command) => match command {
            CampaignCommand::Launch { dry_run: true, .. }
            | CampaignCommand::List { .. }
            | CampaignCommand::Rates { .. }
            | CampaignCommand::Forecast { .. }
            | CampaignCommand::Status { .. } => return None,
            CampaignCommand::Launch { code, application: codes, .. } => (Action::Launched, campaign(code), codes.join(",")),
            CampaignCommand::Pause { code } => (Action::CampaignState, campaign(code), "pause".into()),
            CampaignCommand::Resume { code } => (Action::CampaignState, campaign(code), "resume".into()),
            CampaignCommand::Close { code } => (Action::CampaignState, campaign(code), "close".into()),
            CampaignCommand::Budget { code, amount } => (Action::CampaignState, campaign(code), format!("budget {amount}")),
        },
        Command::Alarm(AlarmCommand::Test) => (Action::TextTested, String::new(), "alarm".into()),
        Command::Alarm(AlarmCommand::List { .. } | AlarmCommand::Digest { .. } | AlarmCommand::Notices { .. }) => return None,
        Command::Alarm(AlarmCommand::Ack { code, .. }) => (Action::AlarmTaken, application(code), String::new()),
        Command::Dataset(command) => match command {
            DatasetCommand::Freeze { code, interim } => (Action::Frozen, application(code), if *interim { "interim".into() } else { String::new() }),
            DatasetCommand::Release { code, .. } => (Action::Released, application(code), String::new()),
            DatasetCommand::Export { code, .. } => (Action::ShownData, application(code), String::new()),
            DatasetCommand::Deliver { code, .. } => (Action::Redelivered, application(code), String::new()),
            DatasetCommand::Ack { code, .. } => (Action::Judged, application(code), String::new()),
            DatasetCommand::List { .. } | DatasetCommand::Review { .. } | DatasetCommand::Deliveries { .. } | DatasetCommand::Verify { .. } => {
                return None;
            }
        },
        Command::SigningKey(SigningKeyCommand::Rotate) => (Action::SigningKey, String::new(), String::new()),
        Command::Suppress(SuppressCommand::Add { .. } | SuppressCommand::Import { .. }) => (Action::Suppressed, String::new(), String::new()),
        Command::Purge(arguments) if !arguments.dry_run => (Action::Purged, String::new(), arguments.applicant.clone().unwrap_or_default()),
        Command::LegalHold(LegalHoldCommand::Set { whose, .. }) => (Action::LegalHold, whose.object(), "set".into()),
        Command::LegalHold(LegalHoldCommand::Lift { whose }) => (Action::LegalHold, whose.object(), "lift".into()),
        Command::Person(PersonCommand::Erase { .. }) => (Action::Erased, String::new(), String::new()),
        Command::Backup { file: path } => (Action::BackedUp, String::new(), file(path)),
        Command::Message(MessageCommand::Settle { reference, .. }) => (Action::MessageSettled, format!("message:{reference}"), String::new()),
        Command::Inbox(InboxCommand::Done { id }) => (Action::ReplyHandled, format!("reply:{id}"), String::new()),
        // Each is named, so that a new one is decided about.
        Command::Programme(ProgrammeCommand::Status { .. })
        | Command::SigningKey(SigningKeyCommand::Show)
        | Command::Suppress(SuppressCommand::List { .. })
        | Command::Purge(_)
        | Command::LegalHold(LegalHoldCommand::List { .. })
        | Command::Person(PersonCommand::Export { .. })
        | Command::Message(MessageCommand::Doubts { .. } | MessageCommand::Show { .. })
        | Command::Inbox(InboxCommand::List { .. } | InboxCommand::Read { .. })
        | Command::Certificate(_)
        | Command::Rehearse(_)
        | Command::Gateways(_)
        | Command::User(_)
        | Command::Token(_)
        | Command::Audit(_)
        | Command::Questionnaire(_)
        | Command::Demo(_)
        | Command::Serve
        | Command::CheckConfig
        | Command::Migrate
        | Command::Doctor
        | Command::Restore { .. }
        | Command::Simulator(_)
        | Command::Openapi
        | Command::Completions { .. }
        | Command::Manual { .. } => return None,
    };
    Some((action, object, detail))
}

fn application(code: &str) -> String {
    format!("application:{code}")
}

fn campaign(code: &str) -> String {
    format!("campaign:{code}")
}
