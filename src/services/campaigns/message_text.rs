//! What a message says: a step's text with a respondent's own words in it.

use std::collections::BTreeMap;

use crate::domain::contact_plan::{ContactPlan, text_in};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::sms_text::{Placeholder, Segmentation, Template, measure_parts};
use crate::domain::time::Timestamp;

/// The respondent's side of a message.
pub struct MessageRecipient<'a> {
    pub name: &'a Personal,
    pub applicant: &'a str,
    /// The subjects of the open cases, in the order they are asked about.
    pub subjects: Vec<String>,
    pub link: &'a str,
    pub language: Language,
    pub field_closes_at: Timestamp,
}

/// A message, ready to go.
pub struct ComposedMessage {
    pub text: Personal,
    pub segmentation: Segmentation,
    /// What stands in the placeholders.
    pub fields: BTreeMap<Placeholder, Personal>,
}

/// A message's text in the addressee's language, and the parts it goes out in.
pub fn compose_message(
    plan: &ContactPlan,
    texts: &BTreeMap<Language, Template>,
    to: &MessageRecipient<'_>,
    now: Timestamp,
) -> ComposedMessage {
    let days_left = to.field_closes_at.since(now).as_secs() / 86_400;
    let joint = if to.language == Language::Zh { "、" } else { ", " };
    let values = BTreeMap::from([
        (Placeholder::Name, to.name.reveal().to_owned()),
        (Placeholder::Applicant, to.applicant.to_owned()),
        (Placeholder::Subject, to.subjects.join(joint)),
        (Placeholder::Link, to.link.to_owned()),
        (Placeholder::Signature, plan.signature.clone()),
        (Placeholder::DaysLeft, days_left.to_string()),
    ]);
    let text =
        text_in(texts, to.language).map(|template| template.render(&values)).unwrap_or_default();
    let segmentation = measure_parts(&text);
    let fields = values
        .into_iter()
        .map(|(placeholder, value)| (placeholder, Personal::new(value)))
        .collect();
    ComposedMessage { text: Personal::new(text), segmentation, fields }
}
