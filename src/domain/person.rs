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
    /// As the list has it: 先生, 女士, or the gender. Never guessed.
    pub salutation: Personal,
    /// Further numbers of the person in E.164, one a line: for calls only.
    pub other_numbers: Personal,
    /// The address for letters, as on the list.
    pub address: Personal,
}

impl Person {
    /// Returns the text that is sealed: a JSON array in the order of the fields, without the empty
    /// ones at its end.
    pub fn to_sealable(&self) -> String {
        let mut fields = vec![
            self.name.reveal(),
            self.organisation.reveal(),
            self.job_title.reveal(),
            self.email.reveal(),
            self.remark.reveal(),
            self.salutation.reveal(),
            self.other_numbers.reveal(),
            self.address.reveal(),
        ];
        while fields.len() > LEAST_FIELDS && fields.last().is_some_and(|field| field.is_empty()) {
            fields.pop();
        }
        serde_json::json!(fields).to_string()
    }

    /// Parses the text of [`Person::to_sealable`].
    pub fn from_sealable(text: &str) -> Option<Person> {
        let fields: Vec<String> = serde_json::from_str(text).ok()?;
        if fields.len() < LEAST_FIELDS {
            return None;
        }
        let mut fields = fields.into_iter().map(Personal::new);
        let mut next = || fields.next().unwrap_or_default();
        Some(Person {
            name: next(),
            organisation: next(),
            job_title: next(),
            email: next(),
            remark: next(),
            salutation: next(),
            other_numbers: next(),
            address: next(),
        })
    }
}

/// The fields that every sealed person has.
const LEAST_FIELDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_with_and_without_the_later_fields_is_read_again() {
        let short = Person { name: Personal::new("王"), ..Person::default() };
        assert_eq!(short.to_sealable(), r#"["王","","","",""]"#);
        let long = Person { other_numbers: Personal::new("+861065121234"), ..short.clone() };
        let posted = Person { address: Personal::new("解放路1号"), ..short.clone() };
        for person in [short, long, posted] {
            assert_eq!(Person::from_sealable(&person.to_sealable()), Some(person));
        }
        assert_eq!(Person::from_sealable(r#"["王"]"#), None);
    }
}
