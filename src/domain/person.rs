//! The personal columns of a list, without the number.

use super::personal::Personal;

/// The personal columns of one respondent; stored sealed as one value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub name: Personal,
    pub organisation: Personal,
    pub job_title: Personal,
    pub email: Personal,
    pub remark: Personal,
}

impl Person {
    /// Returns the text that is sealed: a JSON array in the order of the fields.
    pub fn to_sealable(&self) -> String {
        let fields = [&self.name, &self.organisation, &self.job_title, &self.email, &self.remark]
            .map(Personal::reveal);
        serde_json::json!(fields).to_string()
    }

    /// Parses the text of [`Person::to_sealable`].
    pub fn from_sealable(text: &str) -> Option<Person> {
        let [name, organisation, job_title, email, remark]: [String; 5] =
            serde_json::from_str(text).ok()?;
        let [name, organisation, job_title, email, remark] =
            [name, organisation, job_title, email, remark].map(Personal::new);
        Some(Person { name, organisation, job_title, email, remark })
    }
}
