//! How staff have said that an applicant's lists are to be read.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::ids::ApplicantId;
use crate::domain::time::Timestamp;

/// Returns the header hashes and the options of an applicant's forms of list, the latest first.
pub async fn of_applicant(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
    limit: u32,
) -> Result<Vec<(String, String)>> {
    let sql = "SELECT header_hash, options FROM list_form WHERE applicant_id = $1 \
        ORDER BY changed_at DESC, header_hash LIMIT $2";
    let found = sqlx::query_as(sql).bind(applicant.0).bind(i64::from(limit));
    Ok(found.fetch_all(connection).await?)
}

/// Stores how lists with this header are read, in place of what was said before.
pub async fn put(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    header_hash: &str,
    options: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO list_form (applicant_id, header_hash, options, changed_at) \
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (applicant_id, header_hash) DO UPDATE SET options = excluded.options, \
        changed_at = excluded.changed_at";
    sqlx::query(sql)
        .bind(applicant.0)
        .bind(header_hash.to_owned())
        .bind(options.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}
