//! Checks names in a questionnaire: each is unique, and nothing uses a value that is not known yet.

use std::collections::BTreeSet;

use crate::domain::condition::Condition;

/// The names that a condition may use besides items.
pub const ROUTING_FACTS: [&str; 3] = ["category", "segment", "mode"];
use super::file::{QuestionnaireError, wrong};
use super::piping::placeholders;
use super::{ItemKind, Questionnaire};

/// Returns whether a text is a valid list field name in conditions: at most 20 lower-case letters,
/// digits and `_`, starting with a letter.
pub fn is_field_name(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 20
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_good)
}

impl Questionnaire {
    /// Checks that names are unique, and that conditions and texts use only values known by then.
    pub(super) fn check_names(&self) -> Result<(), QuestionnaireError> {
        if let Some(name) = self
            .list_fields
            .iter()
            .find(|name| !is_field_name(name) || ROUTING_FACTS.contains(&name.as_str()))
        {
            return wrong(
                "list_fields",
                format!(
                    "{name} is taken or no name: use small letters, digits and «_», at most 20"
                ),
            );
        }
        let (mut ids, mut variables, mut earlier) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (number, page) in self.pages.iter().enumerate() {
            if let Some(condition) = &page.show_if {
                self.check_condition(&format!("page {}", number + 1), condition, &earlier, None)?;
            }
            for item in &page.items {
                let place = format!("item {}", item.id);
                if ROUTING_FACTS.contains(&item.id.as_str()) || self.list_fields.contains(&item.id)
                {
                    return wrong(place, "this name is taken: conditions call a fact so");
                }
                if !ids.insert(item.id.as_str()) {
                    return wrong(place, "this id stands twice");
                }
                if item.is_question() && !variables.insert(item.variable.as_str()) {
                    return wrong(place, format!("the variable {} stands twice", item.variable));
                }
                if let Some(condition) = &item.show_if {
                    self.check_condition(&place, condition, &earlier, None)?;
                }
                if let Some(condition) = &item.screen_out_if {
                    self.check_condition(&place, condition, &earlier, Some(&item.id))?;
                }
                let texts = [Some(&item.text), item.heading.as_ref(), item.sms.as_ref()];
                let all = texts.into_iter().flatten().flat_map(|text| text.iter());
                for name in all.flat_map(|(_, text)| placeholders(text)) {
                    let known = name
                        .strip_prefix("answer:")
                        .map_or(matches!(name, "subject" | "applicant"), |id| earlier.contains(id));
                    if !known {
                        return wrong(
                            place,
                            format!(
                                "{{{name}}} names nothing; take {{subject}}, {{applicant}} or \
                                    {{answer:ID}} of an item on an earlier page"
                            ),
                        );
                    }
                }
            }
            earlier.extend(
                page.items.iter().filter(|item| item.is_question()).map(|item| item.id.as_str()),
            );
        }
        Ok(())
    }

    fn check_condition(
        &self,
        place: &str,
        condition: &Condition,
        earlier: &BTreeSet<&str>,
        own: Option<&str>,
    ) -> Result<(), QuestionnaireError> {
        let source = condition.source();
        if let Some(function) = condition.unknown_functions().first() {
            return wrong(place, format!("«{source}» calls {function}, which there is not"));
        }
        for name in condition.names() {
            let name = name.as_str();
            if ROUTING_FACTS.contains(&name)
                || self.list_fields.iter().any(|field| field == name)
                || own == Some(name)
            {
                continue;
            }
            match self.item(name) {
                None => {
                    return wrong(
                        place,
                        format!(
                            "«{source}» looks at {name}, which is no item, no fact ({}) and none \
                                of list_fields",
                            ROUTING_FACTS.join(", ")
                        ),
                    );
                }
                Some(item) if matches!(item.kind, ItemKind::Open { .. }) => {
                    return wrong(
                        place,
                        format!(
                            "«{source}» looks at {name}, which is free text; ask with options \
                                instead"
                        ),
                    );
                }
                Some(_) if !earlier.contains(name) => {
                    return wrong(
                        place,
                        format!(
                            "«{source}» looks at {name}, which is not answered yet; move {name} \
                                to an earlier page"
                        ),
                    );
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
