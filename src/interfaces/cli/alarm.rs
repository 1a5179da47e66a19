//! `alarm list|ack|test|digest|notices`.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::services::alerts as alarm;
use crate::services::context::Installation;
use crate::adapters::database::{alarms, applications, deliveries, notices};

#[derive(Subcommand)]
pub enum AlarmCommand {
    /// Applications in danger, and datasets that are not handed over
    List {
        /// Those that are over too
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
    },
    /// Say that somebody has taken it in hand; it is not told again unless it gets worse
    Ack {
        #[arg(value_name = "APPLICATION")]
        code: String,
        /// What is being done
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Send a notice by every way that is set up
    Test,
    /// How everything stands, as the digest tells it
    Digest {
        #[arg(long)]
        json: bool,
    },
    /// The latest notices, and what became of them
    Notices {
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(installation: Arc<Installation>, command: AlarmCommand) -> Result<()> {
    match command {
        AlarmCommand::List { all, json } => list(&installation, all, json).await,
        AlarmCommand::Ack { code, note } => acknowledge(&installation, &code, &note).await,
        AlarmCommand::Test => test(installation).await,
        AlarmCommand::Digest { json } => {
            let (data, text) = alarm::digest(&installation).await?;
            if json {
                return output::json(&data);
            }
            output::text(&text);
            Ok(())
        }
        AlarmCommand::Notices { json } => show_notices(&installation, json).await,
    }
}

async fn list(installation: &Installation, all: bool, as_json: bool) -> Result<()> {
    let alarms = alarms::list(&mut *installation.store.read().await?, all).await?;
    let undelivered = deliveries::problems(&mut *installation.store.read().await?).await?;
    let shown = |at: Option<crate::domain::time::Timestamp>| at.map(|at| at.rfc3339(chrono_tz::UTC));
    if as_json {
        let rows = alarms.iter().map(|a| {
            json!({ "application": a.application_code, "campaign": a.campaign_code, "level": a.level, "chance": a.chance, "raised_at": shown(Some(a.raised_at)),
                    "told_at": shown(a.told_at), "times_told": a.times_told, "acknowledged_at": shown(a.acknowledged_at),
                    "acknowledged_by": a.acknowledged_by, "note": a.note, "ended_at": shown(a.ended_at) })
        });
        let undelivered = undelivered.iter().map(|p| {
            json!({ "application": p.application_code, "level": if p.way.is_none() { "rejected" } else { "not_delivered" }, "dataset": p.kind,
                    "version": p.version, "way": p.way.map(|way| way.as_str()), "reason": p.reason, "told_at": shown(p.told_at) })
        });
        return output::json(&rows.chain(undelivered).collect::<Vec<_>>());
    }
    let cells = |a: &alarms::Alarm| {
        let by = a.acknowledged_by.as_ref().map(|who| format!("{who}: {}", a.note.clone().unwrap_or_default()));
        vec![
            a.application_code.clone(),
            a.campaign_code.clone().unwrap_or_default(),
            a.level.clone(),
            output::percent(Some(a.chance)),
            shown(Some(a.raised_at)).unwrap_or_default(),
            shown(a.told_at).unwrap_or_default(),
            by.unwrap_or_default(),
            shown(a.ended_at).unwrap_or_default(),
        ]
    };
    let header = ["application", "campaign", "level", "chance", "raised", "told", "acknowledged", "over"];
    output::table(&header, &alarms.iter().map(cells).collect::<Vec<_>>());
    for p in undelivered {
        let what = p.way.map_or("rejected by the scoring step".to_owned(), |way| format!("not delivered ({})", way.as_str()));
        say!("{} {} {}: {what}: {}", p.application_code, p.kind, p.version, p.reason);
    }
    Ok(())
}

async fn acknowledge(installation: &Installation, code: &str, note: &str) -> Result<()> {
    let mut tx = installation.store.write().await?;
    let application = applications::find(&mut tx, code).await?.with_context(|| format!("no application has the code {code}"))?;
    if !alarms::acknowledge(&mut tx, application.id, &output::user(), note, installation.clock.now()).await? {
        bail!("application {code} has no alarm that waits to be acknowledged");
    }
    tx.commit().await?;
    say!("the alarm of {code} is acknowledged");
    Ok(())
}

async fn test(installation: Arc<Installation>) -> Result<()> {
    let ways = alarm::test(&installation).await?;
    if ways.is_empty() {
        bail!("no way is set up; fill in notify.email, notify.webhook or notify.sms");
    }
    alarm::deliver(&installation).await?;
    let latest = notices::latest(&mut *installation.store.read().await?, u32::try_from(ways.len()).unwrap_or(3)).await?;
    let mut failed = false;
    for notice in latest.iter().rev() {
        match (&notice.sent_at, &notice.problem) {
            (Some(_), _) => say!("{}: sent", notice.channel.as_str()),
            (None, problem) => {
                failed = true;
                say!("{}: {}", notice.channel.as_str(), problem.clone().unwrap_or_else(|| "waits".into()));
            }
        }
    }
    if failed { bail!("not every notice went out; the daemon tries again") } else { Ok(()) }
}

async fn show_notices(installation: &Installation, as_json: bool) -> Result<()> {
    let latest = notices::latest(&mut *installation.store.read().await?, 50).await?;
    let shown = |at: Option<crate::domain::time::Timestamp>| at.map(|at| at.rfc3339(chrono_tz::UTC)).unwrap_or_default();
    if as_json {
        let rows = latest.iter().map(|n| {
            json!({ "id": n.id, "channel": n.channel.as_str(), "kind": n.kind, "subject": n.subject, "created_at": shown(Some(n.created_at)), "tries": n.tries,
                    "sent_at": n.sent_at.map(|at| at.rfc3339(chrono_tz::UTC)), "next_at": n.next_at.map(|at| at.rfc3339(chrono_tz::UTC)), "problem": n.problem })
        });
        return output::json(&rows.collect::<Vec<_>>());
    }
    let cells = |n: &notices::Notice| {
        let state = match (n.sent_at, n.next_at) {
            (Some(at), _) => format!("sent {}", shown(Some(at))),
            (None, Some(at)) => format!("again {}", shown(Some(at))),
            (None, None) => "given up".to_owned(),
        };
        vec![
            n.channel.as_str().to_owned(),
            n.subject.clone(),
            shown(Some(n.created_at)),
            n.tries.to_string(),
            state,
            n.problem.clone().unwrap_or_default(),
        ]
    };
    output::table(&["way", "subject", "written", "tries", "state", "problem"], &latest.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}
