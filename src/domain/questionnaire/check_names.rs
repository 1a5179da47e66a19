//! Checks names in a questionnaire: each is unique, and nothing uses a value that is not known yet.

use std::collections::BTreeSet;

use crate::domain::condition::Condition;

/// The names that a condition may use besides items.
pub const ROUTING_FACTS: [&str; 3] = ["category", "segment", "mode"];
use super::check::Mistake;
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
    /// `names`: all items of the file, among them those that could not be made.
    pub(super) fn check_names(&self, names: &BTreeSet<String>, mistakes: &mut Vec<Mistake>) {
        let is_bad =
            |name: &&String| !is_field_name(name) || ROUTING_FACTS.contains(&name.as_str());
        for name in self.list_fields.iter().filter(is_bad) {
            mistakes.push(Mistake::new(
                "list_fields",
                format!(
                    "名单字段 {name} 不可用：最多 20 个小写字母、数字或“_”，且不与内置名称重复"
                ),
                format!(
                    "{name} is taken or no name: use small letters, digits and «_», at most 20"
                ),
            ));
        }
        let (mut ids, mut variables, mut earlier) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        // What cannot be made yet is no reason to complain of a condition that looks at it.
        earlier.extend(names.iter().map(String::as_str).filter(|name| self.item(name).is_none()));
        for (number, page) in self.pages.iter().enumerate() {
            if let Some(condition) = &page.show_if {
                let place = format!("page {}", number + 1);
                self.check_condition(&place, condition, &earlier, None, mistakes);
            }
            for item in &page.items {
                let place = format!("item {}", item.id);
                if ROUTING_FACTS.contains(&item.id.as_str()) || self.list_fields.contains(&item.id)
                {
                    mistakes.push(Mistake::new(
                        place.clone(),
                        "题目代码与条件中的内置名称重复，请更换",
                        "this name is taken: conditions call a fact so",
                    ));
                }
                if !ids.insert(item.id.as_str()) {
                    mistakes.push(Mistake::new(
                        place.clone(),
                        "题目代码重复",
                        "this id stands twice",
                    ));
                }
                if item.is_question()
                    && !item.variable.is_empty()
                    && !variables.insert(item.variable.as_str())
                {
                    mistakes.push(Mistake::new(
                        place.clone(),
                        format!("变量名 {} 重复", item.variable),
                        format!("the variable {} stands twice", item.variable),
                    ));
                }
                if let Some(condition) = &item.show_if {
                    self.check_condition(&place, condition, &earlier, None, mistakes);
                }
                if let Some(condition) = &item.screen_out_if {
                    self.check_condition(&place, condition, &earlier, Some(&item.id), mistakes);
                }
                let texts = [Some(&item.text), item.heading.as_ref(), item.sms.as_ref()];
                let all = texts.into_iter().flatten().flat_map(|text| text.iter());
                for name in all.flat_map(|(_, text)| placeholders(text)) {
                    let known = name
                        .strip_prefix("answer:")
                        .map_or(matches!(name, "subject" | "applicant"), |id| earlier.contains(id));
                    if !known {
                        mistakes.push(Mistake::new(
                            place.clone(),
                            format!(
                                "{{{name}}} 无所指；可用 {{subject}}（评价对象）、{{applicant}}（申报单位）\
                                    或前面页面题目的 {{answer:题目代码}}"
                            ),
                            format!(
                                "{{{name}}} names nothing; take {{subject}}, {{applicant}} or \
                                    {{answer:ID}} of an item on an earlier page"
                            ),
                        ));
                    }
                }
            }
            earlier.extend(
                page.items.iter().filter(|item| item.is_question()).map(|item| item.id.as_str()),
            );
        }
    }

    fn check_condition(
        &self,
        place: &str,
        condition: &Condition,
        earlier: &BTreeSet<&str>,
        own: Option<&str>,
        mistakes: &mut Vec<Mistake>,
    ) {
        let source = condition.source();
        let mut say = |zh: String, en: String| mistakes.push(Mistake::new(place, zh, en));
        if let Some(function) = condition.unknown_functions().first() {
            say(
                format!("条件“{source}”用了不存在的函数 {function}"),
                format!("«{source}» calls {function}, which there is not"),
            );
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
                None if earlier.contains(name) => {}
                None => say(
                    format!("条件中的 {name} 既不是题目，也不是名单字段"),
                    format!(
                        "«{source}» looks at {name}, which is no item, no fact ({}) and none of \
                            list_fields",
                        ROUTING_FACTS.join(", ")
                    ),
                ),
                Some(item) if matches!(item.kind, ItemKind::Open { .. }) => say(
                    format!("条件用到了填空题 {name}；请改用有选项的题目"),
                    format!(
                        "«{source}» looks at {name}, which is free text; ask with options instead"
                    ),
                ),
                Some(_) if !earlier.contains(name) => say(
                    format!("条件用到的 {name} 此时尚未作答；请把 {name} 移到前面的页面"),
                    format!(
                        "«{source}» looks at {name}, which is not answered yet; move {name} to an \
                            earlier page"
                    ),
                ),
                Some(_) => {}
            }
        }
    }
}
