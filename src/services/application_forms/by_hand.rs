//! An application that staff type in: the codes that they leave out are made from the names.

use super::{codes, subjects};
use crate::adapters::database::{DatabaseError, applications, programmes};
use crate::services::context::AppContext;

/// Returns the codes of an applicant and of its application: those that were typed, else that of the
/// applicant of this name in the programme, else new ones.
pub async fn codes_for(
    context: &AppContext,
    programme: &str,
    (applicant_name, applicant, application): (&str, &str, &str),
) -> Result<(String, String), DatabaseError> {
    let mut connection = context.database.read().await?;
    let known = match programmes::find(&mut connection, programme).await? {
        Some((id, _)) => programmes::applicants(&mut connection, id).await?,
        None => Vec::new(),
    };
    let applicant = if applicant.is_empty() {
        let same = |name: &str| subjects::label(name) == subjects::label(applicant_name);
        match known.iter().find(|(_, name)| same(name)) {
            Some((code, _)) => code.clone(),
            None => codes::free(&codes::initials(applicant_name), |code| {
                known.iter().any(|(known, _)| known == code)
            }),
        }
    } else {
        applicant.to_owned()
    };
    if !application.is_empty() {
        return Ok((applicant, application.to_owned()));
    }
    let mut number = 1;
    loop {
        let code = format!("{applicant}-{number}");
        if applications::find(&mut connection, &code).await?.is_none() {
            return Ok((applicant, code));
        }
        number += 1;
    }
}
