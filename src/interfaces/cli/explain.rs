//! `explain`: the cause and remedy of an error code.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::output;
use crate::interfaces::errors::{self, CommandError};

#[derive(Args)]
pub struct ExplainArguments {
    /// A code, or the beginning of one; all codes if omitted
    code: Option<String>,
    #[arg(long)]
    json: bool,
    /// Print the whole catalogue as a page in Markdown
    #[arg(long, conflicts_with_all = ["code", "json"])]
    markdown: bool,
}

pub fn run(arguments: &ExplainArguments) -> Result<()> {
    if arguments.markdown {
        output::print_text(&errors::markdown());
        return Ok(());
    }
    let prefix = arguments.code.as_deref().unwrap_or_default();
    let found: Vec<_> = errors::entries().filter(|(code, _)| code.starts_with(prefix)).collect();
    if found.is_empty() {
        bail!(CommandError::UnknownItem(format!("no error code begins with «{prefix}»")));
    }
    if arguments.json {
        let items = found.iter().map(|(code, entry)| {
            json!({
                "code": code,
                "cause": { "en": entry.cause.en, "zh": entry.cause.zh },
                "remedy": { "en": entry.remedy.en, "zh": entry.remedy.zh },
            })
        });
        return output::print_json(&items.collect::<Vec<_>>());
    }
    for (code, entry) in found {
        print_line!("{code}");
        for text in [&entry.cause.en, &entry.remedy.en, &entry.cause.zh, &entry.remedy.zh] {
            print_line!("  {text}");
        }
    }
    Ok(())
}
