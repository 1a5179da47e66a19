//! Output of commands: a table for people, or one JSON value.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use serde::Serialize;

use crate::domain::audit::Actor;

/// Prints text unchanged. A reader that closes the pipe (`… | head`) does not stop the command: its
/// work runs to the end.
pub fn print_text(text: &str) {
    static IS_CLOSED: AtomicBool = AtomicBool::new(false);
    if IS_CLOSED.load(Ordering::Relaxed) {
        return;
    }
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        IS_CLOSED.store(true, Ordering::Relaxed);
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("fieldworkd: standard output cannot be written: {error}");
        }
    }
}

/// Prints a value as JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print_line!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows under a header. Columns are as wide as their widest cell; numbers are right-aligned.
pub fn print_table(header: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| display_width(cell));
        cells.chain([display_width(header[column])]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, &width)| {
            let space = " ".repeat(width - display_width(cell).min(width));
            let is_number = cell.starts_with(|c: char| c.is_ascii_digit()) && !cell.contains('/');
            if is_number { format!("{space}{cell}") } else { format!("{cell}{space}") }
        });
        print_line!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(&mut header.iter().copied());
    rows.iter().for_each(|row| line(&mut row.iter().map(String::as_str)));
}

/// Returns the width in terminal columns; a Chinese character takes two.
fn display_width(text: &str) -> usize {
    text.chars()
        .map(|c| {
            if ('\u{1100}'..='\u{ffe6}').contains(&c) && c != '…' && c != '·' && c != '–' {
                2
            } else {
                1
            }
        })
        .sum()
}

/// Formats a rate as a percentage; «n/a» for `None`.
pub fn format_percent(rate: Option<f64>) -> String {
    rate.map_or("n/a".to_owned(), |rate| format!("{:.1}%", rate * 100.0))
}

/// Formats a cell's minimum, beside its completes; nothing for a cell without one.
pub fn format_minimum(minimum: u32) -> String {
    if minimum == 0 { String::new() } else { format!(" (at least {minimum})") }
}

/// Returns the actor of this command, for the audit log.
pub fn current_actor() -> Actor {
    Actor::command(&os_user())
}

/// Returns the operating system's name of the user, for audit entries. The name comes from the user
/// id, not from the environment; under sudo it includes the user who called it.
pub fn os_user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let name = name.unwrap_or_else(|| format!("uid {uid}"));
    match std::env::var("SUDO_USER") {
        Ok(sudo_user) if !sudo_user.is_empty() && sudo_user != name => {
            format!("{sudo_user} as {name}")
        }
        _ => name,
    }
}
