//! Templates approved by a gateway: their codes for each step of the plan, and the values of their
//! parameters.

use std::collections::BTreeMap;

use super::{CONFIRMATION, Fields, OutgoingMessage, RESUBSCRIPTION, TooLong};
use crate::domain::personal::Personal;
use crate::domain::sms_text::Placeholder;

/// Key of the template for all steps without their own.
pub(super) const ANY_STEP: &str = "*";

/// A piece of a parameter: fixed text or a field of the message.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Fixed(String),
    Field(Placeholder),
    /// The code of the personal link: gateways refuse addresses in parameters, so the approved
    /// template contains the rest.
    LinkCode,
}

/// A parameter as written by the operator: `{name}`, `{link_code}`, or text around them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Vec<Piece>);

/// What a pattern may have: what a plan may, and the code of a one-time message.
fn fields() -> impl Iterator<Item = Placeholder> {
    Placeholder::ALL.into_iter().chain([Placeholder::Code])
}

impl Pattern {
    pub fn parse(raw: &str) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut rest = raw;
        while let Some(open) = rest.find('{') {
            let close = rest[open..]
                .find('}')
                .ok_or_else(|| format!("«{raw}»: a brace is opened and not closed"))?
                + open;
            if open > 0 {
                pieces.push(Piece::Fixed(rest[..open].to_owned()));
            }
            let name = &rest[open + 1..close];
            pieces.push(match fields().find(|field| field.as_str() == name) {
                Some(placeholder) => Piece::Field(placeholder),
                None if name == "link_code" => Piece::LinkCode,
                None => {
                    let known = Placeholder::ALL.map(|p| format!("{{{}}}", p.as_str())).join(", ");
                    return Err(format!(
                        "{{{name}}} is not a placeholder; use {{link_code}}, {known}"
                    ));
                }
            });
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Fixed(rest.to_owned()));
        }
        Ok(Pattern(pieces))
    }

    pub fn fill(&self, fields: &Fields) -> String {
        let field = |placeholder: Placeholder| {
            fields.get(&placeholder).map(Personal::reveal).unwrap_or_default()
        };
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Fixed(text) => text.as_str(),
                Piece::Field(placeholder) => field(*placeholder),
                Piece::LinkCode => field(Placeholder::Link).rsplit('/').next().unwrap_or_default(),
            })
            .collect()
    }

    fn placeholders(&self) -> Vec<Placeholder> {
        let placeholder = |piece: &Piece| match piece {
            Piece::Field(placeholder) => Some(*placeholder),
            Piece::Fixed(_) | Piece::LinkCode => None,
        };
        self.0.iter().filter_map(placeholder).collect()
    }

    fn contains_link(&self) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::LinkCode | Piece::Field(Placeholder::Link)))
    }
}

/// An approved template with its parameters, named (Alibaba) or in order (Tencent; the names are
/// then empty).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApprovedTemplate {
    pub code: String,
    pub parameters: Vec<(String, Pattern)>,
}

impl ApprovedTemplate {
    /// Returns the parameters' values for a message.
    pub fn values(&self, message: &OutgoingMessage) -> Vec<String> {
        self.parameters.iter().map(|(_, pattern)| pattern.fill(&message.fields)).collect()
    }
}

/// Templates by step name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApprovedTemplates(BTreeMap<String, ApprovedTemplate>);

/// Messages that answer the respondent, and hold no link: they have templates of their own.
const ANSWERS: [&str; 2] = [CONFIRMATION, RESUBSCRIPTION];

impl ApprovedTemplates {
    /// Checks that every step has a template and that each template leads to the link.
    pub fn new(templates: BTreeMap<String, ApprovedTemplate>) -> Result<ApprovedTemplates, String> {
        if !templates.contains_key(ANY_STEP) {
            return Err(
                "template: add [template.\"*\"], the one for every step without its own".into()
            );
        }
        let asks = |step: &&String| !ANSWERS.contains(&step.as_str());
        if let Some((step, _)) = templates
            .iter()
            .filter(|(step, _)| asks(step))
            .find(|(_, t)| !t.parameters.iter().any(|(_, pattern)| pattern.contains_link()))
        {
            return Err(format!(
                "template.\"{step}\": no parameter holds {{link_code}}; nobody could answer"
            ));
        }
        Ok(ApprovedTemplates(templates))
    }

    /// Returns the template of a message's step. (The constructor ensures that every step has one,
    /// except the confirmation.)
    pub fn of(&self, message: &OutgoingMessage) -> Option<&ApprovedTemplate> {
        self.of_step(&message.step)
    }

    fn of_step(&self, step: &str) -> Option<&ApprovedTemplate> {
        let any = || self.0.get(ANY_STEP).filter(|_| !ANSWERS.contains(&step));
        self.0.get(step).or_else(any)
    }

    /// Returns the parameters of a message that are longer than `limit` characters.
    pub fn too_long(&self, step: &str, fields: &Fields, limit: usize) -> Vec<TooLong> {
        let parameters = self.of_step(step).map(|template| template.parameters.as_slice());
        let numbered = (1..).zip(parameters.unwrap_or_default());
        let check = |(number, (name, pattern)): (u32, &(String, Pattern))| {
            let length = pattern.fill(fields).chars().count();
            let parameter = if name.is_empty() { format!("{{{number}}}") } else { name.clone() };
            let placeholders = pattern.placeholders();
            (length > limit).then_some(TooLong { parameter, placeholders, length, limit })
        };
        numbered.filter_map(check).collect()
    }

    /// Checks that there is a template for a step of this name.
    pub fn check_step(&self, step: &str) -> Result<(), String> {
        match ANSWERS.contains(&step) && !self.0.contains_key(step) {
            true => Err(format!(
                "the gateway's file has no [template.{step}], which the answer to an opt-out, or \
                    to its end, needs"
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::phone::Phone;

    /// A message as the sending service passes it.
    pub fn message(to: &str) -> OutgoingMessage {
        let field = |placeholder, text: &str| (placeholder, Personal::new(text));
        OutgoingMessage {
            reference: "ref1".into(),
            to: Phone::parse(to, phonenumber::country::CN).unwrap(),
            text: Personal::new(
                "【质量协会】王 小*明~您好，请评价山海：https://x.cn/i/abc123 拒收请回复R",
            ),
            parts: 1,
            step: "invitation".into(),
            must_be_alone: false,
            part: None,
            fields: [
                field(Placeholder::Name, "王 小*明~"),
                field(Placeholder::Subject, "山海"),
                field(Placeholder::Link, "https://x.cn/i/abc123"),
                field(Placeholder::Signature, "质量协会"),
            ]
            .into(),
        }
    }

    #[test]
    fn parameters_are_filled_and_the_link_travels_as_a_code() {
        let filled = |raw: &str| Pattern::parse(raw).unwrap().fill(&message("13800138000").fields);
        assert_eq!(filled("{name}先生/女士"), "王 小*明~先生/女士");
        assert_eq!(filled("{link_code}"), "abc123");
        assert!(Pattern::parse("{lnik}").unwrap_err().contains("{link_code}"));
        assert!(Pattern::parse("{name").is_err());
        let without_link = ApprovedTemplate {
            code: "1".into(),
            parameters: vec![("n".into(), Pattern::parse("{name}").unwrap())],
        };
        assert!(
            ApprovedTemplates::new([("*".to_owned(), without_link.clone())].into())
                .unwrap_err()
                .contains("link_code")
        );
        assert!(
            ApprovedTemplates::new([("invitation".to_owned(), without_link)].into())
                .unwrap_err()
                .contains("\"*\"")
        );
    }
}
