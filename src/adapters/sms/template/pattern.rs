//! A text with placeholders, written by the operator in the gateway's file.

use std::borrow::Cow;

use serde::Deserialize;

/// A placeholder, written in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    To,
    ToNoPlus,
    ToNational,
    Text,
    Signature,
    /// The plan's step, by which gateways name their own templates.
    Template,
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
}

const SLOTS: [(&str, Slot); 14] = [
    ("to", Slot::To),
    ("to_no_plus", Slot::ToNoPlus),
    ("to_national", Slot::ToNational),
    ("text", Slot::Text),
    ("signature", Slot::Signature),
    ("template", Slot::Template),
    ("params_json", Slot::ParamsJson),
    ("id", Slot::Id),
    ("parts", Slot::Parts),
    ("callback_url", Slot::CallbackUrl),
    ("replies_url", Slot::RepliesUrl),
    ("user", Slot::User),
    ("secret", Slot::Secret),
    ("interviewer", Slot::Interviewer),
];

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
            let length =
                inside.bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
            if length == 0 || !inside[length..].starts_with('}') {
                literal.push('{');
                rest = inside;
                continue;
            }
            let name = &inside[..length];
            let slot =
                SLOTS.iter().find(|(known, _)| *known == name).map(|(_, slot)| *slot).ok_or_else(
                    || {
                        let known = SLOTS.map(|(name, _)| format!("{{{name}}}")).join(", ");
                        format!("{{{name}}} is not a placeholder; use {known}")
                    },
                )?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Slot(slot));
            rest = &inside[length + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Pattern(pieces))
    }

    pub fn uses(&self, slot: Slot) -> bool {
        self.0.contains(&Piece::Slot(slot))
    }

    pub fn begins_with(&self, text: &str) -> bool {
        matches!(self.0.first(), Some(Piece::Literal(literal)) if literal.starts_with(text))
    }

    /// Replaces the placeholders by values, each escaped.
    pub fn fill<'v>(
        &self,
        value_of: impl Fn(Slot) -> Cow<'v, str>,
        escape: fn(&str) -> String,
    ) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => filled.push_str(text),
                Piece::Slot(slot) => filled.push_str(&escape(&value_of(*slot))),
            }
        }
        filled
    }
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
        assert!(
            Pattern::parse("{txt}").unwrap_err().contains("{txt} is not a placeholder; use {to}")
        );
        assert!(
            Pattern::parse("a{text}").unwrap().uses(Slot::Text)
                && Pattern::parse("https://{to}").unwrap().begins_with("https://")
        );
    }
}
