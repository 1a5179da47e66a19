//! `programme` and `application`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use clap::Subcommand;
use serde_json::json;

use super::{output, read_file, read_text};
use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::{application_events, lists, programmes};
use crate::domain::language::Language;
use crate::domain::programme::Programme;
use crate::services;
use crate::services::application_forms::draft::CreatedDraft;
use crate::services::application_forms::{self, Document, ReadApplication, ReadList};
use crate::services::context::AppContext;
use crate::services::deadlines;
use crate::services::deadlines::changes::{self, ChangedBy};

#[derive(Subcommand)]
pub enum ProgrammeCommand {
    /// Create or update a programme from its TOML file
    Apply { file: PathBuf },
    /// List the applications of a programme, those at risk first
    Status {
        code: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
pub enum ApplicationCommand {
    /// Register the applications of a TOML file, all or none
    Add { file: PathBuf },
    /// Read application forms, information sheets and lists (Word documents, spreadsheets, folders,
    /// the ZIP of an e-mail's attachments) into a draft, which staff look through and register on
    /// the console
    Import {
        /// Documents, folders of documents and ZIP files; those of one call are read together
        #[arg(required = true)]
        file: Vec<PathBuf>,
        /// The programme that the applicants apply for
        #[arg(long, value_name = "CODE")]
        programme: String,
        /// Show what is read; write nothing to the database
        #[arg(long)]
        dry_run: bool,
        /// Print what is read as JSON
        #[arg(long)]
        json: bool,
    },
    /// List applications
    List {
        #[arg(long)]
        json: bool,
    },
    /// Record that the survey fee is settled; where the fee comes first, the due days count from
    /// then
    Fee {
        code: String,
        /// The day, like 2026-03-15
        #[arg(long, value_name = "DAY")]
        settled: NaiveDate,
    },
    /// Send nothing for an application until it is released; the hold moves its due days
    Hold {
        code: String,
        #[arg(long)]
        reason: String,
    },
    /// End a hold
    Release {
        code: String,
        #[arg(long)]
        reason: String,
    },
    /// Add days to both due days
    Extend {
        code: String,
        #[arg(long, value_name = "N")]
        days: u32,
        #[arg(long)]
        reason: String,
    },
    /// Show what happened to an application: days, reasons and actors
    History {
        code: String,
        #[arg(long)]
        json: bool,
    },
}

pub async fn programme(context: &AppContext, command: ProgrammeCommand) -> Result<()> {
    let file = match command {
        ProgrammeCommand::Apply { file } => file,
        ProgrammeCommand::Status { code, json } => {
            return print_overview(context, &code, json).await;
        }
    };
    let text = read_text(&file)?;
    let programme = Programme::parse(&text).with_context(|| file.display().to_string())?;
    let beside = file.parent().unwrap_or(Path::new(""));
    let logo = programme.organiser.logo.as_ref().map(|logo| read_file(&beside.join(logo)));
    let logo = logo.transpose()?;
    let programme = services::programmes::apply_with_logo(context, programme, logo)
        .await
        .with_context(|| file.display().to_string())?;
    print_line!("programme {} is set: {}", programme.code, programme.name.zh());
    Ok(())
}

pub async fn application(context: &AppContext, command: ApplicationCommand) -> Result<()> {
    match command {
        ApplicationCommand::Add { file } => {
            let codes = services::programmes::add_applications(context, &read_text(&file)?)
                .await
                .with_context(|| file.display().to_string())?;
            print_line!("registered: {}", codes.join(", "));
            Ok(())
        }
        ApplicationCommand::Import { file, programme, dry_run, json } => {
            import_forms(context, &file, &programme, dry_run, json).await
        }
        ApplicationCommand::List { json } => list_applications(context, json).await,
        ApplicationCommand::Fee { code, settled } => print_deadline_status(
            &changes::settle_fee(context, &code, settled, &output::os_user()).await?,
        ),
        ApplicationCommand::Hold { code, reason } => print_deadline_status(
            &changes::hold(
                context,
                &code,
                ChangedBy { actor: &output::os_user(), reason: &reason },
            )
            .await?,
        ),
        ApplicationCommand::Release { code, reason } => print_deadline_status(
            &changes::release(
                context,
                &code,
                ChangedBy { actor: &output::os_user(), reason: &reason },
            )
            .await?,
        ),
        ApplicationCommand::Extend { code, days, reason } => print_deadline_status(
            &changes::extend(
                context,
                &code,
                days,
                ChangedBy { actor: &output::os_user(), reason: &reason },
            )
            .await?,
        ),
        ApplicationCommand::History { code, json } => print_history(context, &code, json).await,
    }
}

fn print_deadline_status(status: &changes::DeadlineStatus) -> Result<()> {
    let day = |day: Option<NaiveDate>| day.map_or("not yet".to_owned(), |day| day.to_string());
    print_line!(
        "application {}: the days run from {}, the dataset is due on {}, the certificate on {}; \
            {} days were added",
        status.application,
        day(status.begins),
        day(status.dataset_due),
        day(status.certificate_due),
        status.extended_days
    );
    if let Some(since) = &status.held_since {
        print_line!("on hold since {since}: nothing is sent for it");
    }
    Ok(())
}

async fn print_history(context: &AppContext, code: &str, as_json: bool) -> Result<()> {
    let mut connection = context.database.read().await?;
    let application = applications::find(&mut connection, code)
        .await?
        .with_context(|| format!("no application has the code {code}"))?;
    let zone = programmes::get(&mut connection, application.programme_id).await?.time_zone;
    let events = application_events::of_application(&mut connection, application.id).await?;
    if as_json {
        let items =
            events.iter().map(|e| json!({ "at": e.at.rfc3339(zone), "kind": e.kind.as_str(), "days": e.days, "reason": e.reason, "actor": e.actor }));
        return output::print_json(&items.collect::<Vec<_>>());
    }
    let cells = |e: &application_events::ApplicationEvent| {
        let days = e.days.map(|days| days.to_string()).unwrap_or_default();
        vec![
            e.at.rfc3339(zone),
            e.kind.as_str().to_owned(),
            days,
            e.reason.clone(),
            e.actor.clone(),
        ]
    };
    output::print_table(
        &["at", "kind", "days", "reason", "actor"],
        &events.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn print_overview(context: &AppContext, code: &str, as_json: bool) -> Result<()> {
    let all = deadlines::programme_overview(context, code)
        .await?
        .with_context(|| format!("no programme has the code {code}"))?;
    if as_json {
        return output::print_json(&all);
    }
    let cells = |o: &deadlines::ApplicationOverview| {
        vec![
            o.application.clone(),
            o.state.to_owned(),
            o.campaign.clone().unwrap_or_default(),
            o.names.to_string(),
            format!("{}/{}", o.completed, o.target),
            o.dataset_due.map(|day| day.to_string()).unwrap_or_default(),
            o.days_left.map(|days| days.to_string()).unwrap_or_default(),
            output::format_percent(o.behind),
            output::format_percent(o.chance),
        ]
    };
    let header = [
        "application",
        "state",
        "campaign",
        "names",
        "completed",
        "dataset due",
        "days left",
        "behind",
        "chance",
    ];
    output::print_table(&header, &all.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}

async fn import_forms(
    context: &AppContext,
    paths: &[PathBuf],
    programme: &str,
    dry_run: bool,
    as_json: bool,
) -> Result<()> {
    let mut documents = Vec::new();
    for path in paths {
        read_documents(path, 0, &mut documents)?;
    }
    let created = application_forms::draft::create(
        context,
        &output::os_user(),
        programme,
        documents,
        dry_run,
    )
    .await?;
    if as_json {
        let items: Vec<serde_json::Value> =
            created.iter().map(|created| reading_json(created, dry_run)).collect();
        return match items.as_slice() {
            [only] => output::print_json(only),
            several => output::print_json(&json!({ "items": several })),
        };
    }
    for CreatedDraft { id, reading, known } in &created {
        let nobody = "(no name)".to_owned();
        print_line!("{}", if reading.applicant.is_empty() { &nobody } else { &reading.applicant });
        for application in &reading.applications {
            let missing = application.missing().join(", ");
            let missing =
                if missing.is_empty() { missing } else { format!(" — missing: {missing}") };
            let note = match (application.is_ticked, application.is_doubtful) {
                (true, _) => "",
                (false, true) => " (doubtful whether ticked)",
                (false, false) => " (not ticked)",
            };
            print_line!("  {}: {}{note}{missing}", application.category, application.subject);
        }
        for list in &reading.lists {
            let categories: Vec<&str> = list.categories.iter().map(|c| c.as_str()).collect();
            print_line!("  a list of {} people ({})", list.people, categories.join(", "));
        }
        for (document, problem) in &reading.documents {
            if let Some(problem) = problem {
                print_line!("  {document}: not read: {}", problem.in_language(Language::EN));
            }
        }
        for (document, note) in &reading.notes {
            print_line!("  {document}: {}", note.in_language(Language::EN));
        }
        match (id, known) {
            (_, Some(Some(ended))) => {
                print_line!("  read before, and {ended}; nothing was changed")
            }
            (Some(id), Some(None)) => print_line!("  read before: draft {id}; nothing was changed"),
            (Some(id), None) => {
                print_line!(
                    "  draft {id}: look it through and register it at /application-drafts/{id}"
                );
            }
            (None, _) => print_line!("  dry run, nothing written"),
        }
    }
    Ok(())
}

/// Reads a file, or the files of a folder and its folders.
fn read_documents(path: &Path, depth: u32, into: &mut Vec<Document>) -> Result<()> {
    const MAX_DEPTH: u32 = 5;
    if !path.is_dir() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        into.push(Document { name, content: read_file(path)? });
        return Ok(());
    }
    if depth >= MAX_DEPTH {
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
    let mut entries = entries.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    entries.iter().try_for_each(|entry| read_documents(&entry.path(), depth + 1, into))
}

fn reading_json(created: &CreatedDraft, dry_run: bool) -> serde_json::Value {
    let CreatedDraft { id, reading, known } = created;
    let application = |application: &ReadApplication| {
        json!({
            "category": application.category, "subject": application.subject, "fields": application.fields,
            "missing": application.missing(), "ticked": application.is_ticked,
            "doubtful": application.is_doubtful,
        })
    };
    let list = |list: &ReadList| json!({ "categories": list.categories, "people": list.people, "document": list.document });
    let documents = reading.documents.iter();
    json!({
        "applicant": reading.applicant,
        "contact": reading.contact,
        "title": reading.title,
        "publicity": reading.publicity,
        "applications": reading.applications.iter().map(application).collect::<Vec<_>>(),
        "lists": reading.lists.iter().map(list).collect::<Vec<_>>(),
        "documents": documents.map(|(name, problem)| json!({
            "name": name,
            "problem": problem.as_ref().map(|problem| problem.in_language(Language::EN)),
            "problem_zh": problem.as_ref().map(|problem| problem.in_language(Language::ZH)),
        })).collect::<Vec<_>>(),
        "notes": reading.notes.iter().map(|(document, note)| json!({
            "document": document,
            "note": note.in_language(Language::EN),
            "note_zh": note.in_language(Language::ZH),
        })).collect::<Vec<_>>(),
        "cells": reading.cells.iter().map(|cell| json!({
            "document": cell.document, "label": cell.label, "value": cell.value, "field": cell.field,
        })).collect::<Vec<_>>(),
        "draft": id, "already": known.is_some(), "dry_run": dry_run,
    })
}

async fn list_applications(context: &AppContext, as_json: bool) -> Result<()> {
    let mut connection = context.database.read().await?;
    let mut rows = Vec::new();
    for application in applications::all(&mut connection).await? {
        let names: u32 =
            lists::names_by_segment(&mut connection, application.id).await?.values().sum();
        let state = match application.state {
            ApplicationState::Registered => "registered",
            ApplicationState::InField => "in_field",
            ApplicationState::Closed => "closed",
        };
        rows.push((application, names, state));
    }
    if as_json {
        let items: Vec<_> = rows
            .iter()
            .map(|(a, names, state)| {
                json!({ "code": a.code, "category": a.category, "applicant": a.applicant_name, "subject": a.subject.title(), "names": names, "state": state })
            })
            .collect();
        return output::print_json(&items);
    }
    let cells = |(a, names, state): &(applications::Application, u32, &str)| {
        vec![
            a.code.clone(),
            a.category.to_string(),
            (*state).to_owned(),
            names.to_string(),
            a.applicant_name.clone(),
            a.subject.title(),
        ]
    };
    output::print_table(
        &["code", "category", "state", "names", "applicant", "subject"],
        &rows.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}
