//! `questionnaire check|schema|import|export`: checks a questionnaire file before its launch,
//! renders it for reviewers, and converts it from and to XLSForm.

mod routing_diagram;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use askama::Template;
use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::domain::language::Language;
use crate::domain::questionnaire::{Questionnaire, Severity, review};
use crate::interfaces::errors::CommandError;
use crate::services::questionnaires::{ImportOptions, export_xlsform, import_xlsform};

#[derive(Subcommand)]
pub enum QuestionnaireCommand {
    /// Check a questionnaire file: errors, unreachable items, length
    Check {
        file: PathBuf,
        /// Write a diagram of the routing, as SVG
        #[arg(long, alias = "picture", value_name = "FILE")]
        diagram: Option<PathBuf>,
        /// Write a printable form, as HTML
        #[arg(long, value_name = "FILE")]
        form: Option<PathBuf>,
        /// Language of the diagram and the form
        #[arg(long, value_name = "zh|en", default_value = "zh")]
        language: String,
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of questionnaire files, for editors
    Schema,
    /// Convert an XLSForm (sheets survey and choices) to a questionnaire file; what cannot be asked
    /// is refused with sheet, row and column, all of it at once
    Import {
        file: PathBuf,
        /// File to write to; standard output if omitted
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The form's language that stands for Chinese or English, if it has neither
        #[arg(long, value_name = "zh|en=NAME")]
        language: Vec<String>,
        /// Leave out what cannot be asked, and what depends on it
        #[arg(long)]
        leave_out: bool,
    },
    /// Write a questionnaire file as XLSForm, for other programs; its import gives the same again
    Export {
        file: PathBuf,
        /// Workbook to write to (XLSX)
        #[arg(long, value_name = "FILE")]
        xlsform: PathBuf,
    },
}

pub fn run(command: QuestionnaireCommand) -> Result<()> {
    match command {
        QuestionnaireCommand::Check { file, diagram, form, language, json } => {
            check(&file, diagram, form, &language, json)
        }
        QuestionnaireCommand::Schema => output::print_json(&Questionnaire::schema()),
        QuestionnaireCommand::Import { file, output, language, leave_out } => {
            let languages = language.iter().map(|raw| read_language(raw)).collect::<Result<_>>()?;
            import(&file, output, &ImportOptions { languages, leaves_out: leave_out })
        }
        QuestionnaireCommand::Export { file, xlsform } => export(&file, &xlsform),
    }
}

/// Reads `zh=French (fr)`.
fn read_language(raw: &str) -> Result<(Language, String)> {
    let read = raw.split_once('=').and_then(|(own, name)| Some((own_language(own)?, name.trim())));
    match read {
        Some((language, name)) if !name.is_empty() => Ok((language, name.to_owned())),
        _ => bail!(CommandError::InvalidOption(format!(
            "--language {raw}: write TAG=NAME, such as --language \"fr=French\""
        ))),
    }
}

fn own_language(raw: &str) -> Option<Language> {
    Language::from_tag(raw)
}

fn export(file: &Path, target: &Path) -> Result<()> {
    let context = || file.display().to_string();
    let questionnaire = Questionnaire::parse(&super::read_text(file)?).with_context(context)?;
    let form = export_xlsform(&questionnaire).with_context(context)?;
    form.remarks.iter().for_each(|remark| eprintln!("{remark}"));
    std::fs::write(target, form.bytes)
        .with_context(|| format!("{} cannot be written", target.display()))?;
    eprintln!("{} is written", target.display());
    Ok(())
}

fn import(file: &Path, target: Option<PathBuf>, options: &ImportOptions) -> Result<()> {
    let imported = import_xlsform(&super::read_file(file)?, options)
        .with_context(|| file.display().to_string())?;
    imported.remarks.iter().for_each(|remark| eprintln!("{remark}"));
    match target {
        None => output::print_text(&imported.toml),
        Some(target) => {
            write(&target, &imported.toml)?;
            eprintln!(
                "{} is written; review it, and run: fieldworkd questionnaire check {}",
                target.display(),
                target.display()
            );
        }
    }
    Ok(())
}

fn check(
    file: &Path,
    diagram: Option<PathBuf>,
    form: Option<PathBuf>,
    language: &str,
    json: bool,
) -> Result<()> {
    let Some(language) = Language::parse(language) else {
        bail!(CommandError::InvalidOption(format!("--language {language}: take zh or en")))
    };
    let questionnaire = Questionnaire::parse(&super::read_text(file)?)
        .with_context(|| file.display().to_string())?;
    if let Some(target) = diagram {
        write(&target, &routing_diagram::render_svg(&questionnaire, language))?;
    }
    if let Some(target) = form {
        write(
            &target,
            &crate::services::datasets::PrintableQuestionnaire::new(&questionnaire, language)
                .render()?,
        )?;
    }
    let findings = review(&questionnaire);
    let mistakes = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let severity = |severity| if severity == Severity::Error { "mistake" } else { "remark" };
    let items = questionnaire.items().filter(|item| item.is_question()).count();
    if json {
        output::print_json(&json!({
            "questionnaire": questionnaire.code, "version": questionnaire.version, "pages": questionnaire.pages.len(), "items": items,
            "minutes": (questionnaire.minutes() * 10.0).round() / 10.0,
            "findings": findings.iter().map(|f| json!({ "weight": severity(f.severity), "place": f.place, "what": f.what.en() })).collect::<Vec<_>>(),
        }))?;
    } else {
        for finding in &findings {
            print_line!(
                "{:<8} {:<14} {}",
                severity(finding.severity),
                finding.place,
                finding.what.en()
            );
        }
        let (code, version, pages) =
            (&questionnaire.code, questionnaire.version, questionnaire.pages.len());
        print_line!(
            "{code} version {version}: {pages} pages, {items} items, about {:.1} minutes; \
                {mistakes} mistakes",
            questionnaire.minutes()
        );
    }
    if mistakes > 0 {
        bail!(CommandError::QuestionnaireMistakes(format!(
            "{}: {mistakes} of these cannot be meant so; correct them before the launch",
            file.display()
        )));
    }
    Ok(())
}

fn write(target: &Path, text: &str) -> Result<()> {
    std::fs::write(target, text).with_context(|| format!("{} cannot be written", target.display()))
}
