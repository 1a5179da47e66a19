//! The keyed hashes of people's further numbers: whose they are, and which numbers are one person's.

use std::collections::BTreeSet;

use sqlx::AnyConnection;

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use crate::domain::ids::{ApplicantId, RespondentId};

/// A person who has a number as a further one.
#[derive(Debug, Clone)]
pub struct FurtherNumberOwner {
    pub person: RespondentId,
    pub applicant: ApplicantId,
    /// The applicant's code, and the key that the person is sealed with.
    pub applicant_code: String,
    pub key_id: String,
    pub person_sealed: Vec<u8>,
}

/// Stores the hashes of people's further numbers.
pub async fn add(tx: &mut AnyConnection, numbers: &[(RespondentId, &str)]) -> Result<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    let columns = [("respondent_id", ColumnType::Number), ("phone_hash", ColumnType::Text)];
    let sql = format!(
        "INSERT INTO further_number (respondent_id, phone_hash)
         SELECT v.respondent_id, v.phone_hash FROM ({}) AS v WHERE true ON CONFLICT DO NOTHING",
        Engine::of_connection(tx).select_rows(1, &columns)
    );
    sqlx::query(statement(sql))
        .bind(to_param(numbers.iter().map(|(person, hash)| (person.0, *hash))))
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns people after this one whose further numbers are not hashed yet, with their key and their
/// sealed data.
pub async fn not_hashed(
    connection: &mut AnyConnection,
    after: RespondentId,
    limit: u32,
) -> Result<Vec<(RespondentId, String, Vec<u8>)>> {
    let sql = "SELECT r.id, a.key_id, r.person_sealed FROM respondent r JOIN applicant a ON a.id \
        = r.applicant_id WHERE r.further_numbers_hashed = 0 AND r.id > $1 \
        ORDER BY r.id LIMIT $2";
    let rows: Vec<(i64, String, Vec<u8>)> =
        sqlx::query_as(sql).bind(after.0).bind(i64::from(limit)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, key, sealed)| (RespondentId(id), key, sealed)).collect())
}

/// Notes that all further numbers of these people are hashed.
pub async fn set_hashed(tx: &mut AnyConnection, people: &[RespondentId]) -> Result<()> {
    let sql = format!(
        "UPDATE respondent SET further_numbers_hashed = 1 WHERE id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(to_param(people.iter().map(|person| person.0)))
        .execute(tx)
        .await?;
    Ok(())
}

/// Lists the people who have a number as a further one, on the lists of all applicants or of the one
/// with this key.
pub async fn owners(
    connection: &mut AnyConnection,
    phone_hash: &str,
    key_id: Option<&str>,
) -> Result<Vec<FurtherNumberOwner>> {
    let sql = "SELECT r.id, a.id, a.code, a.key_id, r.person_sealed FROM further_number f
               JOIN respondent r ON r.id = f.respondent_id JOIN applicant a ON a.id = \
               r.applicant_id WHERE f.phone_hash = $1 AND (a.key_id = $2 OR $2 = '') AND r.erased_at \
               IS NULL ORDER BY r.id";
    let rows: Vec<(i64, i64, String, String, Vec<u8>)> = sqlx::query_as(sql)
        .bind(phone_hash.to_owned())
        .bind(key_id.unwrap_or_default().to_owned())
        .fetch_all(connection)
        .await?;
    let read = |(person, applicant, applicant_code, key_id, person_sealed)| FurtherNumberOwner {
        person: RespondentId(person),
        applicant: ApplicantId(applicant),
        applicant_code,
        key_id,
        person_sealed,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Takes a further number from a person: `person_sealed` is the person without it.
pub async fn remove(
    tx: &mut AnyConnection,
    person: RespondentId,
    phone_hash: &str,
    person_sealed: &[u8],
) -> Result<()> {
    sqlx::query("UPDATE respondent SET person_sealed = $2 WHERE id = $1")
        .bind(person.0)
        .bind(person_sealed.to_vec())
        .execute(&mut *tx)
        .await?;
    sqlx::query("DELETE FROM further_number WHERE respondent_id = $1 AND phone_hash = $2")
        .bind(person.0)
        .bind(phone_hash.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns all numbers of the person to whom a number belongs, with that number. A number of
/// several people, such as a switchboard, says nothing about any of them: it stays alone, and it is
/// not among the numbers of anybody else.
pub async fn of_same_person(
    connection: &mut AnyConnection,
    phone_hash: &str,
) -> Result<BTreeSet<String>> {
    let mut numbers = BTreeSet::from([phone_hash.to_owned()]);
    // Whoever is on a list under the number is its person, even if others have it as well.
    let is_own = is_on_list(connection, phone_hash).await?;
    let own = match (is_own, only_owner(connection, phone_hash).await?) {
        (true, _) => phone_hash.to_owned(),
        (false, Some(own)) => own,
        (false, None) => return Ok(numbers),
    };
    let sql = "SELECT DISTINCT f.phone_hash FROM respondent r JOIN further_number f ON \
        f.respondent_id = r.id WHERE r.phone_hash = $1 AND r.erased_at IS NULL";
    let further: Vec<String> =
        sqlx::query_scalar(sql).bind(own.clone()).fetch_all(&mut *connection).await?;
    for number in further {
        if !is_on_list(connection, &number).await?
            && only_owner(connection, &number).await?.as_deref() == Some(own.as_str())
        {
            numbers.insert(number);
        }
    }
    numbers.insert(own);
    Ok(numbers)
}

/// Whether somebody is on a list under this number.
async fn is_on_list(connection: &mut AnyConnection, phone_hash: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM respondent WHERE phone_hash = $1 AND erased_at IS NULL";
    let count: i64 =
        sqlx::query_scalar(sql).bind(phone_hash.to_owned()).fetch_one(connection).await?;
    Ok(count > 0)
}

/// The own number of the one person who has this number as a further one; `None`: nobody has, or
/// several have.
async fn only_owner(connection: &mut AnyConnection, phone_hash: &str) -> Result<Option<String>> {
    let sql = "SELECT DISTINCT r.phone_hash FROM further_number f JOIN respondent r ON r.id = \
        f.respondent_id WHERE f.phone_hash = $1 AND r.erased_at IS NULL LIMIT 2";
    let mut own: Vec<String> =
        sqlx::query_scalar(sql).bind(phone_hash.to_owned()).fetch_all(connection).await?;
    Ok(own.pop().filter(|_| own.is_empty()))
}
