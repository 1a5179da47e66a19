//! `user add|invite|link|revoke-link|list|disable|reset-codes|password`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{output, read_text};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::accounts as stored;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Role;
use crate::services::accounts::invitations::{self, Invited};
use crate::services::accounts::{self, TokensOfDisabled};
use crate::services::context::AppContext;

#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user
    Add {
        name: String,
        /// administrator, operator, supervisor, interviewer or auditor
        #[arg(long, value_parser = role)]
        role: Role,
        /// A language the user can interview in; repeat for more; the first is the language of the
        /// user's pages
        #[arg(long = "language", value_name = "TAG", value_parser = language, default_value = "zh")]
        languages: Vec<Language>,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Invite colleagues by one-time links: a person a line with name, telephone and role
    Invite {
        /// File with the lines, «-» for standard input
        file: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Make a user a new link; the password and earlier links are void at once
    Link { name: String },
    /// Revoke a user's link
    RevokeLink { name: String },
    /// List all users
    List {
        #[arg(long)]
        json: bool,
    },
    /// Disable a user and revoke the tokens the user made; entries of what the user did stay
    Disable {
        name: String,
        /// Do not revoke the tokens
        #[arg(long)]
        keep_tokens: bool,
    },
    /// Remove a user's one-time codes
    ResetCodes { name: String },
    /// Set a new password; ends the user's sessions
    Password {
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
}

#[derive(Args)]
pub struct PasswordSource {
    /// File whose first line is the password, «-» for standard input; if omitted, a password is
    /// generated and shown once
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

fn role(raw: &str) -> Result<Role, String> {
    Role::parse(raw)
        .ok_or_else(|| "write administrator, operator, supervisor, interviewer or auditor".into())
}

fn language(raw: &str) -> Result<Language, String> {
    Language::parse(raw).ok_or_else(|| "write a tag such as zh, en or pt".into())
}

impl PasswordSource {
    /// Returns the password, and whether it was generated.
    fn read(&self) -> Result<(Personal, bool)> {
        let Some(file) = &self.password_file else { return Ok((new_token()?, true)) };
        let text = read_file_or_input(file)?;
        Ok((Personal::new(text.lines().next().unwrap_or_default()), false))
    }
}

/// Reads a file, or standard input for «-».
fn read_file_or_input(file: &Path) -> Result<String> {
    if file.as_os_str() != "-" {
        return read_text(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    Ok(text)
}

/// Prints a link, which is nowhere stored.
fn print_link(invited: &Invited) {
    print_line!(
        "{} ({}, {}): {} until {}",
        invited.full_name.reveal(),
        invited.name,
        invited.role,
        invited.link.reveal(),
        invited.expires_at.rfc3339(chrono_tz::Asia::Shanghai)
    );
}

pub async fn run(context: &AppContext, command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Add { name, role, languages, password } => {
            let (password, is_generated) = password.read()?;
            accounts::add(
                context,
                &output::current_actor(),
                &name,
                role,
                &languages,
                password.clone(),
            )
            .await?;
            print_line!("{name} may sign in at {}/staff as {role}", context.config.public_url);
            print_generated_password(&password, is_generated);
            Ok(())
        }
        UserCommand::Invite { file, json } => {
            let people = invitations::parse_list(context, &read_file_or_input(&file)?)?;
            let invited = invitations::invite(context, &output::current_actor(), &people).await?;
            if json {
                let rows = invited.iter().map(|one| json!({ "name": one.name, "full_name": one.full_name.reveal(), "role": one.role.as_str(), "link": one.link.reveal(), "expires_at": one.expires_at.rfc3339(chrono_tz::UTC) }));
                return output::print_json(&rows.collect::<Vec<_>>());
            }
            invited.iter().for_each(print_link);
            Ok(())
        }
        UserCommand::Link { name } => {
            print_link(&invitations::renew(context, &output::current_actor(), &name).await?);
            Ok(())
        }
        UserCommand::RevokeLink { name } => {
            invitations::revoke(context, &output::current_actor(), &name).await?;
            print_line!("the link of {name} is revoked");
            Ok(())
        }
        UserCommand::Password { name, password } => {
            let (password, is_generated) = password.read()?;
            accounts::set_password(context, &output::current_actor(), &name, password.clone())
                .await?;
            print_line!("the password of {name} is another one now");
            print_generated_password(&password, is_generated);
            Ok(())
        }
        UserCommand::Disable { name, keep_tokens } => {
            let its_tokens =
                if keep_tokens { TokensOfDisabled::Keep } else { TokensOfDisabled::Revoke };
            let revoked =
                accounts::disable(context, &output::current_actor(), &name, its_tokens).await?;
            print_line!("{name} signs in no more");
            for token in revoked {
                print_line!("token {token} is revoked");
            }
            Ok(())
        }
        UserCommand::ResetCodes { name } => {
            accounts::second_factor::reset(context, &output::current_actor(), &name).await?;
            print_line!("{name} signs in with the password alone, until codes are set up anew");
            Ok(())
        }
        UserCommand::List { json } => list(context, json).await,
    }
}

fn print_generated_password(password: &Personal, is_generated: bool) {
    if is_generated {
        print_line!("password, shown only now: {}", password.reveal());
    }
}

async fn list(context: &AppContext, as_json: bool) -> Result<()> {
    let all = stored::all(&mut *context.database.read().await?).await?;
    let languages = |account: &stored::Account| {
        account.languages.iter().map(|language| language.to_string()).collect::<Vec<_>>()
    };
    let disabled =
        |account: &stored::Account| account.disabled_at.map(|at| at.rfc3339(chrono_tz::UTC));
    if as_json {
        let rows = all.iter().map(|a| json!({ "name": a.name, "role": a.role.as_str(), "languages": languages(a), "second_factor": a.has_second_factor, "password": a.has_password, "disabled_at": disabled(a) }));
        return output::print_json(&rows.collect::<Vec<_>>());
    }
    let cells = |a: &stored::Account| {
        vec![
            a.name.clone(),
            a.role.to_string(),
            languages(a).join(" "),
            disabled(a).unwrap_or_default(),
        ]
    };
    output::print_table(
        &["name", "role", "languages", "disabled"],
        &all.iter().map(cells).collect::<Vec<_>>(),
    );
    Ok(())
}
