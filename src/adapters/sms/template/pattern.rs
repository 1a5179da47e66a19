//! A text with placeholders, written by the operator in the gateway's file.

use std::borrow::Cow;

use serde::Deserialize;

/// A placeholder, written in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    To,
    ToNoPlus,
    ToNational,
    Text,
    Signature,
    /// The plan's step, by which gateways name their own templates.
    Template,
    /// The code of the step's approved template, and its parameters as JSON.
    TemplateCode,
    TemplateParameters,
    /// The placeholder values and the link's code as one JSON object.
    ParamsJson,
    /// Our reference.
    Id,
    Parts,
    CallbackUrl,
    RepliesUrl,
    User,
    Secret,
    /// The account of the interviewer to be connected.
    Interviewer,
    /// Only in values: the host with its port, the query and the body as they are sent; of a push,
    /// the body as it came.
    Host,
    Query,
    Body,
    /// Only in a push's signature: our address as it was called.
    Url,
    /// `{constants.NAME}`: a fixed text of the file.
    Constant(String),
    /// `{values.NAME}`: a value computed for each request.
    Value(String),
}

const SLOTS: [(&str, Slot); 20] = [
    ("to", Slot::To),
    ("to_no_plus", Slot::ToNoPlus),
    ("to_national", Slot::ToNational),
    ("text", Slot::Text),
    ("signature", Slot::Signature),
    ("template", Slot::Template),
    ("template_code", Slot::TemplateCode),
    ("template_parameters", Slot::TemplateParameters),
    ("params_json", Slot::ParamsJson),
    ("id", Slot::Id),
    ("parts", Slot::Parts),
    ("callback_url", Slot::CallbackUrl),
    ("replies_url", Slot::RepliesUrl),
    ("user", Slot::User),
    ("secret", Slot::Secret),
    ("interviewer", Slot::Interviewer),
    ("host", Slot::Host),
    ("query", Slot::Query),
    ("body", Slot::Body),
    ("url", Slot::Url),
];

impl Slot {
    fn named(name: &str) -> Option<Slot> {
        match name.split_once('.') {
            Some(("constants", name)) => Some(Slot::Constant(name.to_owned())),
            Some(("values", name)) => Some(Slot::Value(name.to_owned())),
            Some(_) => None,
            None => SLOTS.iter().find(|(known, _)| *known == name).map(|(_, slot)| slot.clone()),
        }
    }

    /// As it is written, without braces.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Slot::Constant(name) => format!("constants.{name}").into(),
            Slot::Value(name) => format!("values.{name}").into(),
            slot => {
                let known = SLOTS.iter().find(|(_, known)| known == slot);
                known.map(|(name, _)| *name).unwrap_or_default().into()
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Slot(Slot),
}

/// A parsed text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Vec<Piece>);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(raw: String) -> Result<Pattern, String> {
        Pattern::parse(&raw)
    }
}

impl Pattern {
    /// Parses a text; an unknown placeholder is an error. Braces around anything but a lower-case
    /// word (JSON's own) are not placeholders.
    pub fn parse(raw: &str) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = raw;
        while let Some(open) = rest.find('{') {
            literal.push_str(&rest[..open]);
            let inside = &rest[open + 1..];
            let Some(name) = placeholder_at(inside) else {
                literal.push('{');
                rest = inside;
                continue;
            };
            let slot = Slot::named(name).ok_or_else(|| {
                let known = SLOTS.map(|(name, _)| format!("{{{name}}}")).join(", ");
                format!(
                    "{{{name}}} is not a placeholder; use {known}, {{constants.NAME}}, \
                        {{values.NAME}}"
                )
            })?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Slot(slot));
            rest = &inside[name.len() + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Pattern(pieces))
    }

    pub fn uses(&self, slot: &Slot) -> bool {
        self.slots().any(|used| used == slot)
    }

    /// Returns its placeholders, in their order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(slot),
            Piece::Literal(_) => None,
        })
    }

    pub fn begins_with(&self, text: &str) -> bool {
        matches!(self.0.first(), Some(Piece::Literal(literal)) if literal.starts_with(text))
    }

    /// Replaces the placeholders by values, each escaped.
    pub fn fill<'v>(
        &self,
        value_of: impl Fn(&Slot) -> Cow<'v, str>,
        escape: fn(&str) -> String,
    ) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => filled.push_str(text),
                Piece::Slot(slot) => filled.push_str(&escape(&value_of(slot))),
            }
        }
        filled
    }
}

/// Returns the placeholder's name that the text after a brace begins with: a lower-case word, or
/// `constants.` or `values.` and a name.
fn placeholder_at(inside: &str) -> Option<&str> {
    let name = &inside[..inside.find('}')?];
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let is_placeholder = match name.split_once('.') {
        Some(("constants" | "values", name)) => super::values::is_name(name),
        Some(_) => false,
        None => is_word(name),
    };
    is_placeholder.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_a_languages_own_braces() {
        let fill = |raw: &str| {
            Pattern::parse(raw).unwrap().fill(|slot| format!("{slot:?}").into(), str::to_owned)
        };
        assert_eq!(fill(r#"{"to":"{to}","x":{text}}"#), r#"{"to":"To","x":Text}"#);
        assert_eq!(fill("{{to}} {} {To} {to"), "{To} {} {To} {to");
        assert_eq!(fill("{values.day_1}{a.b}{constants.}"), "Value(\"day_1\"){a.b}{constants.}");
        assert!(
            Pattern::parse("{txt}").unwrap_err().contains("{txt} is not a placeholder; use {to}")
        );
        assert!(
            Pattern::parse("a{text}").unwrap().uses(&Slot::Text)
                && Pattern::parse("https://{to}").unwrap().begins_with("https://")
        );
        for (name, slot) in SLOTS {
            assert_eq!(slot.name(), name);
        }
    }
}
