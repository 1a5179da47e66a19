//! Names in an exported form: those of the items, where XML takes them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::names::Names;
use crate::domain::questionnaire::{Item, ItemKind, Questionnaire, ROUTING_FACTS, Selection};

/// The form's name of each item.
pub struct FormNames {
    names: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    /// Whether the import would give other ids, so that the form has to name them.
    pub need_ids: bool,
    /// The facts that conditions use, and the fields of the list.
    pub facts: Vec<String>,
}

impl FormNames {
    pub fn new(questionnaire: &Questionnaire) -> FormNames {
        let mut facts: Vec<String> = questionnaire.list_fields.clone();
        let conditions = questionnaire.pages.iter().flat_map(|page| {
            let items = page.items.iter().flat_map(|i| i.show_if.iter().chain(&i.screen_out_if));
            page.show_if.iter().chain(items)
        });
        let used: BTreeSet<&str> =
            conditions.flat_map(|condition| condition.names().iter().map(String::as_str)).collect();
        facts.extend(ROUTING_FACTS.into_iter().filter(|f| used.contains(f)).map(str::to_owned));
        let mut given = Names::default();
        facts.iter().for_each(|fact| given.take(fact, fact, &[]));
        let mut form = FormNames {
            names: BTreeMap::new(),
            taken: facts.iter().cloned().collect(),
            need_ids: false,
            facts,
        };
        for item in questionnaire.items() {
            // An XML name does not begin with a digit.
            let name = if item.id.starts_with(|c: char| c.is_ascii_digit()) {
                form.free(&format!("_{}", item.id))
            } else {
                item.id.clone()
            };
            form.need_ids |= given.give(&name, &own_columns(item)) != item.id;
            form.taken.insert(name.clone());
            form.names.insert(item.id.clone(), name);
        }
        form
    }

    pub fn of(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// Returns a name that nothing has yet.
    pub fn free(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.taken.contains(&name) || self.names.contains_key(&name) {
            name.push('_');
        }
        name
    }
}

fn own_columns(item: &Item) -> Vec<String> {
    match &item.kind {
        ItemKind::Choice(choice) if choice.selection != Selection::One => {
            choice.options.iter().map(|option| option.code.clone()).collect()
        }
        _ => Vec::new(),
    }
}
