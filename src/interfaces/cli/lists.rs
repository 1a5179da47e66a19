//! `list`: imports respondent lists, and writes the empty one.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{output, read_file};
use crate::domain::category::Category;
use crate::interfaces::errors::CommandError;
use crate::services::context::AppContext;
use crate::services::list_import::{
    self, ImportOutcome, ImportRequest, ListImportError, ListOptions, ListSource, RowDecision,
    Selection, correction_sheet, template,
};

#[derive(Subcommand)]
pub enum ListCommand {
    /// Import a respondent list (CSV, TSV, XLSX, XLS, ODS, a Word document or a web page with tables;
    /// if LibreOffice is installed, also .doc, .wps, .rtf, .odt and PDF)
    Import(ImportArgs),
    /// Write an empty list in the association's form, to be filled in by an applicant
    Template {
        /// The file to write (.xlsx)
        file: PathBuf,
        /// The categories that the list is for: organisation, brand, product, project, service
        #[arg(long, value_name = "CATEGORY[,CATEGORY…]", value_delimiter = ',')]
        category: Vec<String>,
        /// The applications that the list is for: with the applicant's name and the limit
        #[arg(
            long,
            value_name = "CODE[,CODE…]",
            value_delimiter = ',',
            conflicts_with = "category"
        )]
        application: Vec<String>,
    },
}

#[derive(Args)]
pub struct ImportArgs {
    /// The application of the list; several, separated by commas, share it
    #[arg(long, value_name = "CODE[,CODE…]", value_delimiter = ',', required = true)]
    pub application: Vec<String>,
    pub file: PathBuf,
    /// The sheet with the list, by its name or its number; if omitted, those with people
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// The encoding of a text (utf-8, gb18030, big5, …); if omitted, it is found
    #[arg(long, value_name = "ENCODING")]
    encoding: Option<String>,
    /// The row that names the columns; if omitted, it is found
    #[arg(long, value_name = "N")]
    header_row: Option<u32>,
    /// Where a column stands: mobile=3 or mobile=C; names: name, salutation, organisation,
    /// job_title, mobile, phone, email, address, segment, remark, language; unused: the column is not
    /// read. It is remembered for the applicant's next list of this form
    #[arg(long, value_name = "COLUMN=PLACE")]
    column: Vec<String>,
    /// Rows to leave out, such as 3,8,10-20
    #[arg(long, value_name = "ROWS", default_value = "", hide_default_value = true)]
    leave_out: String,
    /// Where there are more names than the category allows, draw at random as many as it does
    #[arg(long)]
    draw: bool,
    /// The seed of the draw; if omitted, it comes from the file. It is recorded
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Check and show everything; write nothing to the database
    #[arg(long)]
    pub dry_run: bool,
    /// File for the report: .csv for what was decided about rows, .xlsx for the rows that the
    /// applicant is to correct, with the wrong cells marked, to be sent back. If omitted,
    /// NAME.report.csv and NAME.report.xlsx beside the list
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

pub async fn run(context: &AppContext, command: ListCommand) -> Result<()> {
    match command {
        ListCommand::Import(args) => import(context, args).await,
        ListCommand::Template { file, category, application } => {
            write_template(context, &file, &category, &application).await
        }
    }
}

async fn import(context: &AppContext, args: ImportArgs) -> Result<()> {
    let ImportArgs { application, file, dry_run, report, json, .. } = &args;
    if !file.is_file() {
        read_file(file)?;
    }
    let file_label = file.display().to_string();
    let (encoding, sheet) = (args.encoding.as_deref(), args.sheet.as_deref());
    let request = ImportRequest {
        options: ListOptions::parse(encoding, sheet, args.header_row, &args.column)?,
        selection: Selection::parse(&args.leave_out, args.draw, args.seed)?,
        dry_run: *dry_run,
        ..ImportRequest::of(application, &file_label, ListSource::File(file.clone()))
    };
    let bar = progress_bar();
    let imported = list_import::import_list(context, &request, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    // Of a list of which nothing is taken, every row is named as well.
    let (outcome, failure) = match imported {
        Ok(outcome) => (outcome, None),
        Err(ListImportError::NothingTaken { file, rejected, outcome }) => {
            let again = outcome.clone();
            (*outcome, Some(ListImportError::NothingTaken { file, rejected, outcome: again }))
        }
        Err(error) => return Err(error.into()),
    };
    // A dry run prints its findings. It writes reports only with --report.
    let beside =
        |end: &str| (!dry_run).then(|| PathBuf::from(format!("{file_label}.report.{end}")));
    let (report_file, sheet_file) = match report {
        Some(path) if path.extension().is_some_and(|end| end == "xlsx") => {
            (None, Some(path.clone()))
        }
        Some(path) => (Some(path.clone()), None),
        None => (beside("csv"), beside("xlsx")),
    };
    let (mut written, mut sent_back) = (None, None);
    if let (Some(path), false) = (report_file, outcome.findings.is_empty()) {
        list_import::write_report(&path, &file_label, &outcome.findings)
            .with_context(|| format!("the report {} cannot be written", path.display()))?;
        written = Some(path.display().to_string());
    }
    if let Some(path) = sheet_file {
        let marked = correction_sheet::marked_lists(context, &request, &outcome).await?;
        if !marked.is_empty() {
            write_private(&path, &correction_sheet::write(&marked)?)?;
            sent_back = Some(path.display().to_string());
        }
    }
    let is_nothing = outcome.accepted + outcome.merged == 0 && !outcome.already_imported;
    let failure = failure.or_else(|| {
        let (file, rejected) = (file_label.clone(), outcome.rejected);
        let outcome = Box::new(outcome.clone());
        is_nothing.then_some(ListImportError::NothingTaken { file, rejected, outcome })
    });
    if *json {
        let mut value = serde_json::to_value(&outcome)?;
        value["dry_run"] = json!(dry_run);
        value["report"] = json!(written);
        value["correction_sheet"] = json!(sent_back);
        output::print_json(&value)?;
    } else {
        print_import_outcome(&outcome, &file_label, *dry_run, written.as_deref());
        let has_report = written.is_some() || sent_back.is_some();
        if let Some(sheet) = sent_back {
            print_line!("the rows that the applicant is to correct stand, marked, in {sheet}");
        }
        if let (Some(asked), false) = (report, has_report) {
            let asked = asked.display();
            print_line!("there is nothing to report; {asked} was not written");
        }
    }
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

fn print_import_outcome(outcome: &ImportOutcome, file: &str, dry_run: bool, report: Option<&str>) {
    if outcome.already_imported {
        print_line!("{file} was imported before; nothing was changed");
        return;
    }
    if dry_run || report.is_none() {
        for finding in &outcome.findings {
            let column = if finding.column.is_empty() {
                String::new()
            } else {
                format!(", {}", finding.column)
            };
            print_line!(
                "{file}, row {}{column}: {} {} — {}",
                finding.row,
                finding.decision.as_str(),
                finding.value,
                finding.message
            );
        }
    }
    let noted_rows =
        outcome.findings.iter().filter(|f| f.decision == RowDecision::AcceptedWithNotice).count();
    print_line!(
        "{}{} rows: {} taken, {} merged, {} rejected, {} noted; {} by telephone only, {} opted \
            out earlier",
        if dry_run { "dry run, nothing written: " } else { "" },
        outcome.rows,
        outcome.accepted,
        outcome.merged,
        outcome.rejected,
        noted_rows,
        outcome.fixed_lines,
        outcome.suppressed
    );
    if outcome.known_form {
        print_line!(
            "read as this form of list was read before for this applicant; say --column or \
                --header-row to read it otherwise"
        );
    }
    if outcome.left_out > 0 {
        print_line!("{} people are left out", outcome.left_out);
    }
    if let Some(draw) = outcome.drawn {
        print_line!(
            "{} of {} new people were drawn at random, by the seed {}",
            draw.kept,
            draw.from,
            draw.seed
        );
    }
    if outcome.not_people > 0 {
        print_line!("{} rows are no people (totals, signatures, headings)", outcome.not_people);
    }
    for (code, names) in &outcome.names {
        print_line!("{code}: {names} names on the list");
    }
    if outcome.findings_left_out > 0 {
        print_line!(
            "{} further findings are only counted; correct those named first",
            outcome.findings_left_out
        );
    }
    if let Some(report) = report {
        print_line!("what to do about each row stands in {report}");
    }
}

/// Shows progress on a terminal only.
fn progress_bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent} %") {
        bar.set_style(style);
    }
    bar
}

/// Writes a file with personal data, for its owner alone.
fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut open = std::fs::OpenOptions::new();
        let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

async fn write_template(
    context: &AppContext,
    file: &Path,
    categories: &[String],
    codes: &[String],
) -> Result<()> {
    let known = || Category::ALL.map(Category::as_str).join(", ");
    let mut wanted = Vec::new();
    for word in categories {
        wanted.push(Category::parse(word).ok_or_else(|| {
            CommandError::InvalidOption(format!("no category is called {word}; use {}", known()))
        })?);
    }
    let content = template::of_applications(context, codes, &wanted).await?;
    write_private(file, &content)?;
    print_line!("{} is written", file.display());
    Ok(())
}
