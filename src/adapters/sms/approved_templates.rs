//! Templates approved by a gateway: their codes for each step of the plan and for each kind of
//! message beside it, and the values of their parameters.

use std::collections::BTreeMap;

use super::{
    ALARM, APPLICANT_CODE, CONFIRMATION, Fields, OutgoingMessage, QUESTION, RESUBSCRIPTION,
    STAFF_ANSWER, TooLong,
};
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
    /// The whole text of the message: what is composed for one person fits no other template.
    Text,
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
                None if name == "text" => Piece::Text,
                None => {
                    let known: Vec<String> =
                        fields().map(|p| format!("{{{}}}", p.as_str())).collect();
                    return Err(format!(
                        "{{{name}}} is not a placeholder; use {{link_code}}, {{text}}, {}",
                        known.join(", ")
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

    pub fn fill(&self, message: &OutgoingMessage) -> String {
        self.fill_with(&message.fields, message.text.reveal())
    }

    fn fill_with(&self, fields: &Fields, text: &str) -> String {
        let field = |placeholder: Placeholder| {
            fields.get(&placeholder).map(Personal::reveal).unwrap_or_default()
        };
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Fixed(text) => text.as_str(),
                Piece::Field(placeholder) => field(*placeholder),
                Piece::LinkCode => field(Placeholder::Link).rsplit('/').next().unwrap_or_default(),
                Piece::Text => text,
            })
            .collect()
    }

    fn placeholders(&self) -> Vec<Placeholder> {
        let placeholder = |piece: &Piece| match piece {
            Piece::Field(placeholder) => Some(*placeholder),
            Piece::Fixed(_) | Piece::LinkCode | Piece::Text => None,
        };
        self.0.iter().filter_map(placeholder).collect()
    }

    /// What must be known of a message: `{link_code}` is a part of the link.
    fn needed(&self) -> impl Iterator<Item = (&'static str, Placeholder)> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Field(placeholder) => Some((placeholder.as_str(), *placeholder)),
            Piece::LinkCode => Some(("link_code", Placeholder::Link)),
            Piece::Fixed(_) | Piece::Text => None,
        })
    }

    fn contains(&self, what: Content) -> bool {
        self.0.iter().any(|piece| match what {
            Content::Link => matches!(piece, Piece::LinkCode | Piece::Field(Placeholder::Link)),
            Content::Code => matches!(piece, Piece::Field(Placeholder::Code) | Piece::Text),
            Content::Text => matches!(piece, Piece::Text),
        })
    }
}

/// What a message is useless without.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Content {
    Link,
    Code,
    Text,
}

impl Content {
    /// The placeholder, and what comes of a message without it.
    fn missing(self) -> &'static str {
        match self {
            Content::Link => "{link_code}; nobody could answer",
            Content::Code => "{code}; nobody could sign in",
            Content::Text => "{text}; nobody could read the question",
        }
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
        self.parameters.iter().map(|(_, pattern)| pattern.fill(message)).collect()
    }

    fn contains(&self, what: Content) -> bool {
        self.parameters.iter().any(|(_, pattern)| pattern.contains(what))
    }

    /// The first placeholder that is not among what is known of a message.
    fn unknown(&self, is_known: impl Fn(Placeholder) -> bool) -> Option<&'static str> {
        let mut needed = self.parameters.iter().flat_map(|(_, pattern)| pattern.needed());
        needed.find(|(_, field)| !is_known(*field)).map(|(name, _)| name)
    }
}

/// Templates by step name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApprovedTemplates(BTreeMap<String, ApprovedTemplate>);

/// A kind of message beside the steps of a plan: it says something else than an invitation, so it
/// never goes out with the template of another message.
struct OwnKind {
    /// The name of its template.
    step: &'static str,
    /// What is known of it.
    fields: &'static [Placeholder],
    must_contain: Option<Content>,
    /// What it is, as part of a sentence.
    purpose: &'static str,
}

const OWN_KINDS: [OwnKind; 6] = [
    OwnKind {
        step: CONFIRMATION,
        fields: &Placeholder::ALL,
        must_contain: None,
        purpose: "the answer to an opt-out",
    },
    OwnKind {
        step: RESUBSCRIPTION,
        fields: &Placeholder::ALL,
        must_contain: None,
        purpose: "the answer to the end of an opt-out",
    },
    OwnKind {
        step: QUESTION,
        fields: &Placeholder::ALL,
        must_contain: Some(Content::Text),
        purpose: "an interview by SMS",
    },
    OwnKind {
        step: STAFF_ANSWER,
        fields: &Placeholder::ALL,
        must_contain: Some(Content::Text),
        purpose: "an answer to a reply",
    },
    OwnKind {
        step: ALARM,
        fields: &[Placeholder::Signature],
        must_contain: None,
        purpose: "a notice to the duty officer",
    },
    OwnKind {
        step: APPLICANT_CODE,
        fields: &[Placeholder::Signature, Placeholder::Code],
        must_contain: Some(Content::Code),
        purpose: "an applicant's one-time code",
    },
];

fn own_kind(step: &str) -> Option<&'static OwnKind> {
    OWN_KINDS.iter().find(|kind| kind.step == step)
}

impl ApprovedTemplates {
    /// Checks that every step has a template, and that each template holds what its message is for
    /// and nothing that its message does not have.
    pub fn new(templates: BTreeMap<String, ApprovedTemplate>) -> Result<ApprovedTemplates, String> {
        if !templates.contains_key(ANY_STEP) {
            return Err(
                "template: add [template.\"*\"], the one for every step without its own".into()
            );
        }
        for (step, template) in &templates {
            let kind = own_kind(step);
            let fields = kind.map_or(&Placeholder::ALL[..], |kind| kind.fields);
            let must_contain = kind.map_or(Some(Content::Link), |kind| kind.must_contain);
            if let Some(what) = must_contain.filter(|what| !template.contains(*what)) {
                let missing = what.missing();
                return Err(format!("template.\"{step}\": no parameter holds {missing}"));
            }
            if let Some(name) = template.unknown(|field| fields.contains(&field)) {
                let known: Vec<String> =
                    fields.iter().map(|field| format!("{{{}}}", field.as_str())).collect();
                return Err(format!(
                    "template.\"{step}\": this message has no {{{name}}}; use {{text}}, {}",
                    known.join(", ")
                ));
            }
        }
        Ok(ApprovedTemplates(templates))
    }

    /// Returns the template of a message; `None`: there is none, or it has a placeholder that
    /// nothing is known of in this message.
    pub fn of(&self, message: &OutgoingMessage) -> Option<&ApprovedTemplate> {
        let is_known = |field| message.fields.contains_key(&field);
        self.of_step(&message.step).filter(|template| template.unknown(is_known).is_none())
    }

    fn of_step(&self, step: &str) -> Option<&ApprovedTemplate> {
        let any = || self.0.get(ANY_STEP).filter(|_| own_kind(step).is_none());
        self.0.get(step).or_else(any)
    }

    /// Returns the parameters of a message that are longer than `limit` characters.
    pub fn too_long(&self, step: &str, fields: &Fields, limit: usize) -> Vec<TooLong> {
        let parameters = self.of_step(step).map(|template| template.parameters.as_slice());
        let numbered = (1..).zip(parameters.unwrap_or_default());
        let check = |(number, (name, pattern)): (u32, &(String, Pattern))| {
            // What is composed for one person is not known here; a gateway refuses it where it is too long.
            let length = pattern.fill_with(fields, "").chars().count();
            let parameter = if name.is_empty() { format!("{{{number}}}") } else { name.clone() };
            let placeholders = pattern.placeholders();
            (length > limit).then_some(TooLong { parameter, placeholders, length, limit })
        };
        numbered.filter_map(check).collect()
    }

    /// Checks that there is a template for a step of this name.
    pub fn check_step(&self, step: &str) -> Result<(), String> {
        match own_kind(step).filter(|_| !self.0.contains_key(step)) {
            Some(kind) => Err(format!(
                "the gateway's file has no [template.{step}], which {} needs",
                kind.purpose
            )),
            None => Ok(()),
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
        let filled = |raw: &str| Pattern::parse(raw).unwrap().fill(&message("13800138000"));
        assert_eq!(filled("{name}先生/女士"), "王 小*明~先生/女士");
        assert_eq!(filled("{link_code}"), "abc123");
        assert!(filled("{text}").contains("您好，请评价山海"));
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

    fn template(parameter: &str) -> ApprovedTemplate {
        let parameters = match parameter {
            "" => Vec::new(),
            raw => vec![(String::new(), Pattern::parse(raw).unwrap())],
        };
        ApprovedTemplate { code: "1".into(), parameters }
    }

    #[test]
    fn every_kind_of_message_has_a_template_of_its_own_and_never_another_ones() {
        let with = |kind: &str, parameter: &str| {
            let any = (ANY_STEP.to_owned(), template("{link_code}"));
            ApprovedTemplates::new([any, (kind.to_owned(), template(parameter))].into())
        };
        for (kind, good, bad) in [
            (CONFIRMATION, "", "{code}"),
            (RESUBSCRIPTION, "{name}", "{code}"),
            (QUESTION, "{text}", "{name}"),
            (STAFF_ANSWER, "{text}", "{name}"),
            (ALARM, "", "{link_code}"),
            (ALARM, "{text}", "{name}"),
            (APPLICANT_CODE, "{code}", "{signature}"),
            (APPLICANT_CODE, "{text}", "{code}{name}"),
        ] {
            let templates = with(kind, good).unwrap_or_else(|problem| panic!("{kind}: {problem}"));
            assert_eq!(templates.check_step(kind), Ok(()));
            let told = with(kind, bad).unwrap_err();
            assert!(told.starts_with(&format!("template.\"{kind}\": ")), "{told}");
            let none = with("invitation", "{link_code}").unwrap();
            let told = none.check_step(kind).unwrap_err();
            assert!(told.contains(&format!("[template.{kind}]")), "{told}");
            let sent = OutgoingMessage { step: kind.into(), ..message("13800138000") };
            assert_eq!(none.of(&sent), None, "{kind}");
        }
        assert!(with("invitation", "{code}{link_code}").unwrap_err().contains("no {code}"));
    }

    #[test]
    fn a_template_does_not_go_out_without_what_it_holds() {
        let templates = [(ANY_STEP.to_owned(), template("{subject}{link_code}"))].into();
        let templates = ApprovedTemplates::new(templates).unwrap();
        let mut sent = message("13800138000");
        assert!(templates.of(&sent).is_some());
        sent.fields.remove(&Placeholder::Subject);
        assert_eq!(templates.of(&sent), None);
    }
}
