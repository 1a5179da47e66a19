//! The audit entry of each command. It is written before the command runs; a command that fails
//! leaves a second entry.

use super::Command;
use super::alarm::AlarmCommand;
use super::applications::{ApplicationCommand, ProgrammeCommand};
use super::campaign::CampaignCommand;
use super::dataset::{DatasetCommand, SigningKeyCommand};
use super::inbox::InboxCommand;
use super::lists::ListCommand;
use super::message::MessageCommand;
use super::retention::{LegalHoldCommand, PersonCommand};
use super::suppress::SuppressCommand;
use crate::domain::audit::Action;

/// Action, object and detail of an audit entry.
pub type AuditSpec = (Action, String, String);

/// Returns the audit entry of a command. `None` if the command only reads, shows no personal data,
/// or is audited by its service.
pub fn audit_spec(command: &Command) -> Option<AuditSpec> {
    let file_name = |path: &std::path::Path| {
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    };
    let (action, object, detail) = match command {
        Command::Programme(ProgrammeCommand::Apply { file: path }) => {
            (Action::ProgrammeSaved, String::new(), file_name(path))
        }
        Command::Application(command) => match command {
            ApplicationCommand::Add { file: path } => {
                (Action::ApplicationRegistered, String::new(), file_name(path))
            }
            ApplicationCommand::Import { dry_run: true, .. } => return None,
            ApplicationCommand::Import { file, programme, .. } => (
                Action::FormsRead,
                format!("programme:{programme}"),
                file.iter().map(|path| file_name(path)).collect::<Vec<_>>().join(", "),
            ),
            ApplicationCommand::Fee { code, settled } => (
                Action::DeadlineChanged,
                application_object(code),
                format!("fee settled on {settled}"),
            ),
            ApplicationCommand::Hold { code, .. } => {
                (Action::DeadlineChanged, application_object(code), "hold".into())
            }
            ApplicationCommand::Release { code, .. } => {
                (Action::DeadlineChanged, application_object(code), "release".into())
            }
            ApplicationCommand::Extend { code, days, .. } => (
                Action::DeadlineChanged,
                application_object(code),
                format!("extend by {days} days"),
            ),
            ApplicationCommand::List { .. } | ApplicationCommand::History { .. } => return None,
        },
        Command::List(ListCommand::Template { .. }) => return None,
        Command::List(ListCommand::Import(args)) => match args.dry_run {
            true => return None,
            false => {
                let object = application_object(&args.application.join(","));
                (Action::ListImported, object, file_name(&args.file))
            }
        },
        Command::Campaign(command) => match command {
            CampaignCommand::Launch { dry_run: true, .. }
            | CampaignCommand::List { .. }
            | CampaignCommand::Rates { .. }
            | CampaignCommand::Forecast { .. }
            | CampaignCommand::Status { .. } => return None,
            CampaignCommand::Launch { code, application: codes, alone, .. } => {
                let alone = alone.as_ref().map(|reason| format!("; alone: {reason}"));
                let detail = format!("{}{}", codes.join(","), alone.unwrap_or_default());
                (Action::CampaignLaunched, campaign_object(code), detail)
            }
            CampaignCommand::Pause { code } => {
                (Action::CampaignStateChanged, campaign_object(code), "pause".into())
            }
            CampaignCommand::Resume { code } => {
                (Action::CampaignStateChanged, campaign_object(code), "resume".into())
            }
            CampaignCommand::Close { code } => {
                (Action::CampaignStateChanged, campaign_object(code), "close".into())
            }
            CampaignCommand::Budget { code, amount } => {
                (Action::CampaignStateChanged, campaign_object(code), format!("budget {amount}"))
            }
        },
        Command::Alarm(AlarmCommand::Test) => {
            (Action::TestMessageSent, String::new(), "alarm".into())
        }
        Command::Alarm(
            AlarmCommand::List { .. } | AlarmCommand::Digest { .. } | AlarmCommand::Notices { .. },
        ) => return None,
        Command::Alarm(AlarmCommand::Ack { code, .. }) => {
            (Action::AlarmAcknowledged, application_object(code), String::new())
        }
        Command::Dataset(command) => match command {
            DatasetCommand::Freeze { code, interim } => (
                Action::DatasetFrozen,
                application_object(code),
                if *interim { "interim".into() } else { String::new() },
            ),
            DatasetCommand::Release { code, .. } => {
                (Action::DatasetReleased, application_object(code), String::new())
            }
            DatasetCommand::Export { code, .. } => {
                (Action::DatasetDownloaded, application_object(code), String::new())
            }
            DatasetCommand::Deliver { code, .. } => {
                (Action::DatasetRedelivered, application_object(code), String::new())
            }
            DatasetCommand::Ack { code, .. } => {
                (Action::VerdictRecorded, application_object(code), String::new())
            }
            DatasetCommand::List { .. }
            | DatasetCommand::Review { .. }
            | DatasetCommand::Deliveries { .. }
            | DatasetCommand::Verify { .. } => {
                return None;
            }
        },
        Command::SigningKey(SigningKeyCommand::Rotate) => {
            (Action::SigningKeyRotated, String::new(), String::new())
        }
        Command::Suppress(SuppressCommand::Add { .. } | SuppressCommand::Import { .. }) => {
            (Action::NumberSuppressed, String::new(), String::new())
        }
        Command::Purge(arguments) if !arguments.dry_run => {
            (Action::PeoplePurged, String::new(), arguments.applicant.clone().unwrap_or_default())
        }
        Command::LegalHold(LegalHoldCommand::Set { target, .. }) => {
            (Action::LegalHoldChanged, target.object(), "set".into())
        }
        Command::LegalHold(LegalHoldCommand::Lift { target }) => {
            (Action::LegalHoldChanged, target.object(), "lift".into())
        }
        Command::Person(PersonCommand::Erase { .. }) => {
            (Action::PersonErased, String::new(), String::new())
        }
        Command::Backup { file: path } => {
            (Action::DatabaseBackedUp, String::new(), file_name(path))
        }
        Command::Message(MessageCommand::Resolve { reference, .. }) => (
            Action::MessageSettled,
            match reference {
                Some(reference) => format!("message:{reference}"),
                None => "messages".to_owned(),
            },
            String::new(),
        ),
        Command::Inbox(InboxCommand::Handle { id }) => {
            (Action::ReplyHandled, format!("reply:{id}"), String::new())
        }
        // Every command is listed, so that a new one needs an explicit decision.
        Command::Programme(ProgrammeCommand::Status { .. })
        | Command::SigningKey(SigningKeyCommand::Show)
        | Command::Suppress(SuppressCommand::List { .. })
        | Command::Purge(_)
        | Command::LegalHold(LegalHoldCommand::List { .. })
        | Command::Person(PersonCommand::Export { .. })
        | Command::Message(MessageCommand::InDoubt { .. } | MessageCommand::Show { .. })
        | Command::Inbox(InboxCommand::List { .. } | InboxCommand::Read { .. })
        | Command::Certificate(_)
        | Command::Paper(_)
        | Command::Rehearse(_)
        | Command::Gateways(_)
        | Command::User(_)
        | Command::Token(_)
        | Command::Webhook(_)
        | Command::Audit(_)
        | Command::Questionnaire(_)
        | Command::Words(_)
        | Command::Demo(_)
        | Command::Serve
        | Command::CheckConfig
        | Command::Migrate
        | Command::Doctor
        | Command::Retry
        | Command::Restore { .. }
        | Command::Simulator(_)
        | Command::Openapi
        | Command::Explain(_)
        | Command::Completions { .. }
        | Command::Manual { .. } => return None,
    };
    Some((action, object, detail))
}

fn application_object(code: &str) -> String {
    format!("application:{code}")
}

fn campaign_object(code: &str) -> String {
    format!("campaign:{code}")
}
