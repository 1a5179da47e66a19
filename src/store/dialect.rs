//! Where SQLite and PostgreSQL differ, and the helpers for statements over sets.

use sqlx::{AnyConnection, AssertSqlSafe};

/// The database engine behind a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Rows or ids in one statement: enough that the statement's own cost does not count, and few enough that its text repeats and stays prepared.
pub const CHUNK: usize = 100;

impl Engine {
    pub(super) fn of(url: &str) -> Engine {
        if url.starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres }
    }

    /// The engine behind a connection.
    pub(super) fn behind(connection: &AnyConnection) -> Engine {
        if connection.backend_name() == "SQLite" { Engine::Sqlite } else { Engine::Postgres }
    }

    /// The values of a column as one text, in their order, with commas between them.
    pub(super) fn joined(self, column: &str) -> String {
        match self {
            Engine::Sqlite => format!("GROUP_CONCAT({column}, ', ' ORDER BY {column})"),
            Engine::Postgres => format!("STRING_AGG({column}, ', ' ORDER BY {column})"),
        }
    }

    pub(super) fn connect_url(self, url: &str) -> String {
        match self {
            Engine::Sqlite if !url.contains("mode=") => format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' }),
            _ => url.to_owned(),
        }
    }

    /// Durability first: a commit is on the disk when it returns (invariant I5).
    pub(super) fn on_connect(self) -> &'static [&'static str] {
        match self {
            Engine::Sqlite => &["PRAGMA busy_timeout = 10000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"],
            Engine::Postgres => &["SET synchronous_commit = on", "SET timezone = 'UTC'", "SET jit = off"],
        }
    }

    /// What writes finds its few rows by index. PostgreSQL's planner, which knows nothing of a table that is just being filled, would scan it instead.
    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off",
        }
    }

    /// The end of a SELECT that takes rows for itself; another daemon's rows are passed over. SQLite's writer is alone anyway.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Held by the transaction that claims: daemons claim one after another, so that what one plans, the next one's caps see.
    pub fn lock_claims(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some("SELECT pg_advisory_xact_lock(7361)"),
        }
    }

    /// After many rows came in at once: PostgreSQL's planner knows nothing of them until a minute later, and then plans scans.
    pub fn refresh_statistics(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some("ANALYZE respondent, survey_case, invitation, application, campaign, quota_cell"),
        }
    }

    /// Statements that move cases and write their history without sending a row to and fro. SQLite's writer is alone, so the history may come first;
    /// on PostgreSQL both are one statement.
    pub fn move_with_history(self, those: &str, moved: &str, history: &str, invitations: &str) -> Vec<String> {
        let insert = "INSERT INTO disposition_change (case_id, disposition, source, changed_at)";
        match self {
            Engine::Sqlite => vec![
                format!("{insert} SELECT id, {history} FROM survey_case WHERE {those} ({invitations})"),
                format!("UPDATE survey_case SET {moved} WHERE {those} ({invitations})"),
            ],
            Engine::Postgres => vec![format!(
                "WITH moved AS (UPDATE survey_case SET {moved} WHERE {those} ({invitations}) RETURNING id)
                 {insert} SELECT id, {history} FROM moved"
            )],
        }
    }

    /// The end of a SELECT that waits for its rows.
    pub fn for_update(self) -> &'static str {
        match self {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE",
        }
    }
}

/// `($1, $2), ($3, $4)` for so many rows; `casts` give the columns' types, which PostgreSQL cannot guess in a bare VALUES list.
pub fn values(rows: usize, casts: &[&str]) -> String {
    let mut text = String::with_capacity(rows * casts.len() * 20);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (column, cast) in casts.iter().enumerate() {
            if column > 0 {
                text.push_str(", ");
            }
            let number = row * casts.len() + column + 1;
            if cast.is_empty() {
                text.push_str(&format!("${number}"));
            } else {
                text.push_str(&format!("CAST(${number} AS {cast})"));
            }
        }
        text.push(')');
    }
    text
}

/// `$3, $4, $5`: so many parameters after the first `before`.
pub fn parameters(before: usize, count: usize) -> String {
    (before + 1..=before + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// A statement put together from this folder's own text and parameter numbers, never from a value.
///
/// SQLite finds a numbered parameter by walking through all of them, so that a statement's cost grows with the square of their number: there,
/// parameters that come in order, each once, are written without numbers (which sqlx binds in order; it cannot bind a mixture).
pub fn statement(connection: &AnyConnection, text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(match Engine::behind(connection) {
        Engine::Sqlite => without_numbers(&text).unwrap_or(text),
        Engine::Postgres => text,
    })
}

fn without_numbers(text: &str) -> Option<String> {
    let mut pieces = text.split('$');
    let mut plain = String::with_capacity(text.len());
    plain.push_str(pieces.next()?);
    for (piece, expected) in pieces.zip(1usize..) {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        if piece[..digits].parse() != Ok(expected) {
            return None;
        }
        plain.push('?');
        plain.push_str(&piece[digits..]);
    }
    Some(plain)
}

pub(super) fn sqlite_folder(url: &str) -> Option<String> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//").split('?').next()?;
    let folder = std::path::Path::new(path).parent()?.to_str()?;
    (!folder.is_empty()).then(|| folder.to_owned())
}

/// For messages: a database address without its password.
pub(super) fn url_without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => match url[scheme + 3..at].find(':') {
            Some(colon) => format!("{}:…{}", &url[..scheme + 3 + colon], &url[at..]),
            None => url.to_owned(),
        },
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(values(2, &["", "BIGINT"]), "($1, CAST($2 AS BIGINT)), ($3, CAST($4 AS BIGINT))");
        assert_eq!(parameters(2, 3), "$3, $4, $5");
    }

    #[test]
    fn parameters_in_order_need_no_number() {
        assert_eq!(without_numbers("VALUES ($1, CAST($2 AS BIGINT)), ($3, $4)").unwrap(), "VALUES (?, CAST(? AS BIGINT)), (?, ?)");
        assert_eq!(without_numbers("a = $1 AND b IN ($2, $3) AND c > $1"), None);
        assert_eq!(without_numbers("b IN ($3, $4) AND a = $1"), None);
        assert_eq!(without_numbers("SELECT 1").unwrap(), "SELECT 1");
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(url_without_password("postgres://u:hush@h/d"), "postgres://u:…@h/d");
        assert_eq!(url_without_password("sqlite:var/x.db"), "sqlite:var/x.db");
    }
}
