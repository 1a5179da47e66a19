//! Two people who change the same thing: nobody's text is lost. A form carries the version that it
//! was filled from; if somebody else has saved meanwhile, both texts are shown.

use super::super::auth::FormFields;
use crate::services::versions::ExpectedVersion;

/// The fields that differ, for `templates/staff/conflict.html`.
pub struct Conflict {
    /// The field's name, what this person typed, what somebody else has saved.
    pub rows: Vec<(String, String, String)>,
}

impl Conflict {
    /// Compares fields by their names; one that a side does not have is empty there.
    pub fn between(mine: &[(String, String)], theirs: &[(String, String)]) -> Conflict {
        let of = |side: &[(String, String)], name: &str| {
            let found = side.iter().find(|(other, _)| other == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let only_theirs =
            theirs.iter().filter(|(name, _)| mine.iter().all(|(other, _)| other != name));
        let names = mine.iter().chain(only_theirs).map(|(name, _)| name);
        let row = |name: &String| (name.clone(), of(mine, name), of(theirs, name));
        Conflict { rows: names.map(row).filter(|(_, mine, theirs)| mine != theirs).collect() }
    }
}

/// The version that a form was filled from. A form without one is an old page: it is saved over
/// nothing that is there.
pub fn expected_version(form: &FormFields) -> ExpectedVersion {
    match form.text("version") {
        "" => ExpectedVersion::Absent,
        version => ExpectedVersion::OneOf(vec![version.to_owned()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_differ_are_shown_with_both_texts() {
        let side = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let conflict = Conflict::between(
            &side(&[("a", "1"), ("b", "2"), ("c", "3")]),
            &side(&[("a", "1"), ("b", "9"), ("d", "4")]),
        );
        let row = |name: &str, mine: &str, theirs: &str| (name.into(), mine.into(), theirs.into());
        assert_eq!(conflict.rows, [row("b", "2", "9"), row("c", "3", ""), row("d", "", "4")]);
    }
}
