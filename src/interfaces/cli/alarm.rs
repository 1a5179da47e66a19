//! `alarm list|ack|test|digest|notices`.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::adapters::database::{alarms, applications, deliveries, notices};
use crate::interfaces::errors::CommandError;
use crate::services::alerts;
use crate::services::context::AppContext;

#[derive(Subcommand)]
pub enum AlarmCommand {
    /// List applications whose quota is at risk, and undelivered datasets
    List {
        /// Include alarms that have ended
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// Acknowledge an alarm; it is not repeated unless its level rises
    Ack {
        #[arg(value_name = "APPLICATION")]
        code: String,
        /// What is being done about it
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Send a test notice through every configured channel
    Test,
    /// Show the digest
    Digest {
        #[arg(long)]
        json: bool,
    },
    /// List the latest notices and whether they were delivered
    Notices {
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(context: Arc<AppContext>, command: AlarmCommand) -> Result<()> {
    match command {
        AlarmCommand::List { all, json } => list(&context, all, json).await,
        AlarmCommand::Ack { code, note } => acknowledge(&context, &code, &note).await,
        AlarmCommand::Test => send_test_notice(context).await,
        AlarmCommand::Digest { json } => {
            let (data, text) = alerts::digest(&context).await?;
            if json {
                return output::print_json(&data);
            }
            output::print_text(&text);
            Ok(())
        }
        AlarmCommand::Notices { json } => show_notices(&context, json).await,
    }
}

async fn list(context: &AppContext, all: bool, as_json: bool) -> Result<()> {
    let alarms = alarms::list(&mut *context.database.read().await?, all).await?;
    let delivery_problems = deliveries::open_problems(&mut *context.database.read().await?).await?;
    let format_time =
        |at: Option<crate::domain::time::Timestamp>| at.map(|at| at.rfc3339(chrono_tz::UTC));
    if as_json {
        let rows = alarms.iter().map(|a| {
            json!({ "application": a.application_code, "campaign": a.campaign_code, "level": a.level, "chance": a.chance, "raised_at": format_time(Some(a.raised_at)),
                    "notified_at": format_time(a.notified_at), "notification_count": a.notification_count, "acknowledged_at": format_time(a.acknowledged_at),
                    "acknowledged_by": a.acknowledged_by, "note": a.note, "ended_at": format_time(a.ended_at) })
        });
        let delivery_problems = delivery_problems.iter().map(|p| {
            json!({ "application": p.application_code, "level": if p.channel.is_none() { "rejected" } else { "not_delivered" }, "dataset": p.kind,
                    "version": p.version, "channel": p.channel.map(|channel| channel.as_str()), "reason": p.reason, "notified_at": format_time(p.notified_at) })
        });
        return output::print_json(&rows.chain(delivery_problems).collect::<Vec<_>>());
    }
    let cells = |a: &alarms::Alarm| {
        let by = a
            .acknowledged_by
            .as_ref()
            .map(|actor| format!("{actor}: {}", a.note.clone().unwrap_or_default()));
        vec![
            a.application_code.clone(),
            a.campaign_code.clone().unwrap_or_default(),
            a.level.clone(),
            output::format_percent(Some(a.chance)),
            format_time(Some(a.raised_at)).unwrap_or_default(),
            format_time(a.notified_at).unwrap_or_default(),
            by.unwrap_or_default(),
            format_time(a.ended_at).unwrap_or_default(),
        ]
    };
    let header = [
        "application",
        "campaign",
        "level",
        "chance",
        "raised",
        "notified",
        "acknowledged",
        "ended",
    ];
    output::print_table(&header, &alarms.iter().map(cells).collect::<Vec<_>>());
    for p in delivery_problems {
        let what = p.channel.map_or("rejected by the scoring step".to_owned(), |channel| {
            format!("not delivered ({})", channel.as_str())
        });
        print_line!("{} {} {}: {what}: {}", p.application_code, p.kind, p.version, p.reason);
    }
    Ok(())
}

async fn acknowledge(context: &AppContext, code: &str, note: &str) -> Result<()> {
    let mut tx = context.database.write().await?;
    let application = applications::find(&mut tx, code)
        .await?
        .with_context(|| format!("no application has the code {code}"))?;
    if !alarms::acknowledge(&mut tx, application.id, &output::os_user(), note, context.clock.now())
        .await?
    {
        bail!(CommandError::NothingToDo(format!(
            "application {code} has no alarm that waits to be acknowledged"
        )));
    }
    tx.commit().await?;
    print_line!("the alarm of {code} is acknowledged");
    Ok(())
}

async fn send_test_notice(context: Arc<AppContext>) -> Result<()> {
    let channels = alerts::write_test_notice(&context).await?;
    if channels.is_empty() {
        bail!(CommandError::NotConfigured(
            "no channel is set up; fill in notify.email, notify.webhook or notify.sms".into()
        ));
    }
    alerts::send_due_notices(&context).await?;
    let latest = notices::latest(
        &mut *context.database.read().await?,
        u32::try_from(channels.len()).unwrap_or(3),
    )
    .await?;
    let mut failed = false;
    for notice in latest.iter().rev() {
        match (&notice.sent_at, &notice.last_error) {
            (Some(_), _) => print_line!("{}: sent", notice.channel.as_str()),
            (None, problem) => {
                failed = true;
                print_line!(
                    "{}: {}",
                    notice.channel.as_str(),
                    problem.clone().unwrap_or_else(|| "waits".into())
                );
            }
        }
    }
    if failed {
        bail!(CommandError::NotDelivered(
            "not every notice went out; the daemon tries again".into()
        ))
    } else {
        Ok(())
    }
}

async fn show_notices(context: &AppContext, as_json: bool) -> Result<()> {
    let latest = notices::latest(&mut *context.database.read().await?, 50).await?;
    let format_time = |at: Option<crate::domain::time::Timestamp>| {
        at.map(|at| at.rfc3339(chrono_tz::UTC)).unwrap_or_default()
    };
    if as_json {
        let rows = latest.iter().map(|n| {
            json!({ "id": n.id, "channel": n.channel.as_str(), "kind": n.kind, "subject": n.subject, "created_at": format_time(Some(n.created_at)), "attempt_count": n.attempt_count,
                    "sent_at": n.sent_at.map(|at| at.rfc3339(chrono_tz::UTC)), "next_at": n.next_at.map(|at| at.rfc3339(chrono_tz::UTC)), "last_error": n.last_error })
        });
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    let cells = |n: &notices::Notice| {
        let state = match (n.sent_at, n.next_at) {
            (Some(at), _) => format!("sent {}", format_time(Some(at))),
            (None, Some(at)) => format!("retry at {}", format_time(Some(at))),
            (None, None) => "failed".to_owned(),
        };
        vec![
            n.channel.as_str().to_owned(),
            n.subject.clone(),
            format_time(Some(n.created_at)),
            n.attempt_count.to_string(),
            state,
            n.last_error.clone().unwrap_or_default(),
        ]
    };
    output::print_table(
        &["channel", "subject", "written", "attempts", "state", "last error"],
        &latest.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}
