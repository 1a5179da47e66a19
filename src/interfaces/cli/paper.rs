//! `paper print|status`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::output;
use crate::adapters::database::paper_forms::FormState;
use crate::domain::ids::CaseId;
use crate::services::context::AppContext;
use crate::services::interviews::InterviewService;
use crate::services::paper_forms::documents::documents;
use crate::services::paper_forms::printing::{PrintRequest, print};
use crate::services::paper_forms::status::status;

#[derive(Subcommand)]
pub enum PaperCommand {
    /// Print the forms that are due: HTML pages for A4, letters and address labels, into a folder
    Print {
        #[arg(long, value_name = "CODE")]
        campaign: String,
        /// The folder; only its owner can read the files
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Print these cases by their numbers, instead of those that are due
        #[arg(long, value_name = "ID[,ID…]", value_delimiter = ',')]
        case: Vec<i64>,
        /// Print the name on forms and letters; labels always have it
        #[arg(long)]
        name: bool,
        #[arg(long)]
        json: bool,
    },
    /// Show how the paper forms of a campaign stand
    Status {
        campaign: String,
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(context: Arc<AppContext>, command: PaperCommand) -> Result<()> {
    match command {
        PaperCommand::Print { campaign, out, case, name, json } => {
            let cases: Vec<CaseId> = case.into_iter().map(CaseId).collect();
            let request = PrintRequest {
                campaign: &campaign,
                cases: (!cases.is_empty()).then_some(&cases[..]),
                with_names: name,
            };
            print_run(context, &request, &out, json).await
        }
        PaperCommand::Status { campaign, json } => show_status(&context, &campaign, json).await,
    }
}

async fn print_run(
    context: Arc<AppContext>,
    request: &PrintRequest<'_>,
    out: &Path,
    json: bool,
) -> Result<()> {
    let actor = output::current_actor();
    // A folder that cannot be made is told before anything is drawn up.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(out)
        .with_context(|| format!("{} cannot be made", out.display()))?;
    let report = print(&context, &actor, request).await?;
    let mut files = Vec::new();
    let mut without_address = 0;
    let mut labels = 0;
    if let Some(run) = report.run {
        let interviews = InterviewService::new(context.clone());
        let made = documents(&context, &interviews, &actor, (request.campaign, run)).await?;
        for (name, content) in [
            ("forms.html", made.forms_html()?),
            ("letters.html", made.letters_html()?),
            ("labels.html", made.labels_html()?),
            ("labels.csv", made.labels_csv()?),
        ] {
            let path = out.join(name);
            write_private(&path, &content)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            files.push(path.display().to_string());
        }
        without_address = made.without_address;
        labels = made.label_count();
    }
    let left_out: Map<String, Value> = report
        .left_out
        .iter()
        .map(|(reason, count)| (reason.as_str().to_owned(), json!(count)))
        .collect();
    if json {
        let numbers: Vec<&str> = report.numbers.iter().map(|number| number.digits()).collect();
        return output::print_json(&json!({
            "run": report.run, "forms": report.numbers.len(), "labels": labels,
            "without_address": without_address, "left_out": left_out, "numbers": numbers,
            "files": files,
        }));
    }
    match report.run {
        Some(run) => print_line!("run {run}: {} forms, {labels} labels", report.numbers.len()),
        None => print_line!("nobody is to be printed"),
    }
    if without_address > 0 {
        print_line!("{without_address} have no address on the list, and so no label");
    }
    for (reason, count) in &report.left_out {
        print_line!("{count} not printed: {}", reason.labels().1);
    }
    files.iter().for_each(|file| print_line!("{file}"));
    Ok(())
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    // An older file keeps its own mode, so it is written anew.
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())
}

async fn show_status(context: &AppContext, campaign: &str, json: bool) -> Result<()> {
    let found = status(context, campaign).await?;
    let count = |state: FormState| found.forms.get(&state).copied().unwrap_or(0);
    let quality = found.quality;
    if json {
        let states: Map<String, Value> = FormState::ALL
            .into_iter()
            .map(|state| (state.as_str().to_owned(), json!(count(state))))
            .collect();
        let runs: Vec<Value> = found
            .runs
            .iter()
            .map(|run| {
                json!({
                    "run": run.id, "printed_at": run.printed_at.rfc3339(chrono_tz::UTC),
                    "printed_by": run.printed_by, "forms": run.forms, "with_names": run.with_names,
                })
            })
            .collect();
        return output::print_json(&json!({
            "campaign": found.campaign, "due": found.due, "forms": states, "runs": runs,
            "keyed_twice": quality.keyed_twice, "second_keying_open": quality.open,
            "items_compared": quality.items_compared, "items_different": quality.items_different,
            "agreement": quality.agreement(),
        }));
    }
    print_line!("due for printing  {}", found.due);
    for state in FormState::ALL {
        print_line!("{:<16}  {}", state.labels().1, count(state));
    }
    print_line!("keyed twice       {} ({} open)", quality.keyed_twice, quality.open);
    if let Some(agreement) = quality.agreement() {
        print_line!("agreement         {:.1} % of the items", agreement * 100.0);
    }
    Ok(())
}
