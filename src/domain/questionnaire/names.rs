//! Names in a questionnaire: each stands once, and nothing looks at what is not known by then.

use std::collections::BTreeSet;

use super::condition::{Condition, FACTS};
use super::file::{QuestionnaireError, wrong};
use super::piping::placeholders;
use super::{ItemKind, Questionnaire};

impl Questionnaire {
    /// Each name stands once; conditions and texts look only at what is known by then.
    pub(super) fn check_names(&self) -> Result<(), QuestionnaireError> {
        let (mut ids, mut variables, mut earlier) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (number, page) in self.pages.iter().enumerate() {
            if let Some(condition) = &page.show_if {
                self.check_condition(&format!("page {}", number + 1), condition, &earlier, None)?;
            }
            for item in &page.items {
                let place = format!("item {}", item.id);
                if FACTS.contains(&item.id.as_str()) {
                    return wrong(place, "this name is taken: conditions call a fact so");
                }
                if !ids.insert(item.id.as_str()) {
                    return wrong(place, "this id stands twice");
                }
                if item.asks() && !variables.insert(item.variable.as_str()) {
                    return wrong(place, format!("the variable {} stands twice", item.variable));
                }
                if let Some(condition) = &item.show_if {
                    self.check_condition(&place, condition, &earlier, None)?;
                }
                if let Some(condition) = &item.screen_out_if {
                    self.check_condition(&place, condition, &earlier, Some(&item.id))?;
                }
                let texts = [Some(&item.text), item.heading.as_ref(), item.sms.as_ref()];
                for name in texts.into_iter().flatten().flat_map(|text| placeholders(&text.zh).into_iter().chain(placeholders(&text.en))) {
                    let known = name.strip_prefix("answer:").map_or(matches!(name, "subject" | "applicant"), |id| earlier.contains(id));
                    if !known {
                        return wrong(
                            place,
                            format!("{{{name}}} names nothing; take {{subject}}, {{applicant}} or {{answer:ID}} of an item on an earlier page"),
                        );
                    }
                }
            }
            earlier.extend(page.items.iter().filter(|item| item.asks()).map(|item| item.id.as_str()));
        }
        Ok(())
    }

    fn check_condition(&self, place: &str, condition: &Condition, earlier: &BTreeSet<&str>, own: Option<&str>) -> Result<(), QuestionnaireError> {
        let source = condition.source();
        if let Some(function) = condition.unknown_functions().first() {
            return wrong(place, format!("«{source}» calls {function}, which there is not"));
        }
        for name in condition.names() {
            let name = name.as_str();
            if FACTS.contains(&name) || own == Some(name) {
                continue;
            }
            match self.item(name) {
                None => return wrong(place, format!("«{source}» looks at {name}, which is no item and no fact ({})", FACTS.join(", "))),
                Some(item) if matches!(item.kind, ItemKind::Open { .. }) => {
                    return wrong(place, format!("«{source}» looks at {name}, which is free text; ask with options instead"));
                }
                Some(_) if !earlier.contains(name) => {
                    return wrong(place, format!("«{source}» looks at {name}, which is not answered yet; move {name} to an earlier page"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
