//! `words`: files of the fixed words, to translate them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use super::output;
use crate::domain::language::Language;
use crate::domain::words::Words;
use crate::interfaces::errors::CommandError;

#[derive(Subcommand)]
pub enum WordsCommand {
    /// Print the words of a language; of another than zh, zh-Hant, en and pt, a file to translate
    Export {
        /// A language tag, such as ar
        language: String,
    },
    /// Check a translated file: its keys and placeholders, and what is missing or still English
    Check { file: PathBuf },
}

pub fn run(command: &WordsCommand) -> Result<()> {
    match command {
        WordsCommand::Export { language } => {
            let Some(language) = Language::parse(language) else {
                bail!(CommandError::InvalidOption(format!(
                    "{language} is no language tag; write one like ar or zh-Hant-HK"
                )))
            };
            output::print_text(&Words::export(language));
        }
        WordsCommand::Check { file } => {
            let read = Words::parse(&super::read_text(file)?)
                .map_err(|error| CommandError::InvalidOption(error.to_string()))
                .with_context(|| file.display().to_string())?;
            match read.missing.len() {
                0 if !read.english.is_empty() => {}
                0 => print_line!("{}: all texts are there", read.words.language),
                count => print_line!(
                    "{}: {count} texts are missing and shown in {}: {}",
                    read.words.language,
                    read.instead,
                    read.missing.join(" ")
                ),
            }
            if !read.english.is_empty() {
                print_line!(
                    "{}: {} texts are still the English ones; translate them, unless they are the \
                        same: {}",
                    read.words.language,
                    read.english.len(),
                    read.english.join(" ")
                );
            }
        }
    }
    Ok(())
}
