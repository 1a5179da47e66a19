//! What a message says: a step's text with a respondent's own words in it.

use std::collections::BTreeMap;

use crate::adapters::sms::{Fields, Gateway, TooLong};
use crate::domain::contact_plan::{ContactPlan, text_in};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::sms_text::{Encoding, Placeholder, Segmentation, Template, measure_parts};
use crate::domain::time::Timestamp;
use crate::domain::words::Words;
use crate::services::context::AppContext;

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
    pub fields: Fields,
}

/// What a gateway takes less of than there is.
#[derive(Debug, Default)]
pub struct Fitting {
    /// Shortened by the plan's rules.
    pub shortened: Vec<TooLong>,
    /// Still too long: the gateway will refuse the message.
    pub too_long: Vec<TooLong>,
}

/// A message as it will look on a phone.
#[derive(Debug)]
pub struct MessagePreview {
    pub text: Personal,
    /// Characters as the network counts them, and how many one part holds.
    pub units: usize,
    pub units_of_one_part: usize,
    pub parts: u32,
    /// Of the dearest gateway of the route, in its currency.
    pub cost: f64,
    pub currency: String,
}

/// What a part costs at the dearest gateway of a route.
pub struct PartPrice {
    pub amount: f64,
    pub currency: String,
}

impl PartPrice {
    pub fn of(context: &AppContext, route: &str) -> PartPrice {
        let route = context.config.route(route);
        let gateways = route.iter().flat_map(|route| route.gateways());
        let gateways = gateways.filter_map(|name| context.config.gateways.get(name));
        let dearest = gateways.max_by(|a, b| a.price_per_part.total_cmp(&b.price_per_part));
        PartPrice {
            amount: dearest.map_or(0.0, |gateway| gateway.price_per_part),
            currency: dearest.map(|gateway| gateway.currency.clone()).unwrap_or_default(),
        }
    }
}

/// Measures a text that is shown to the one who writes it.
pub fn preview_message(text: Personal, price: &PartPrice) -> MessagePreview {
    let measured = measure_parts(text.reveal());
    let (single, several) = if measured.encoding == Encoding::Gsm7 { (160, 153) } else { (70, 67) };
    MessagePreview {
        text,
        units: measured.units,
        units_of_one_part: if measured.parts == 1 { single } else { several },
        parts: measured.parts,
        cost: price.amount * f64::from(measured.parts),
        currency: price.currency.clone(),
    }
}

/// Composes a message and shortens what the gateway takes less of, by the plan's rules.
pub fn compose_for_gateway(
    plan: &ContactPlan,
    (step, texts): (&str, &BTreeMap<Language, Template>),
    to: &MessageRecipient<'_>,
    now: Timestamp,
    gateway: Option<&dyn Gateway>,
) -> (ComposedMessage, Fitting) {
    let composed = compose_message(plan, texts, to, now);
    let Some(gateway) = gateway else { return (composed, Fitting::default()) };
    let shortened = gateway.too_long(step, &composed.fields);
    if shortened.is_empty() {
        return (composed, Fitting::default());
    }
    let mut fields = composed.fields;
    for excess in &shortened {
        shorten(plan, excess, &mut fields, to.language);
    }
    let too_long = gateway.too_long(step, &fields);
    let values = fields
        .into_iter()
        .map(|(placeholder, value)| (placeholder, value.reveal().to_owned()))
        .collect();
    (render(texts, to.language, values), Fitting { shortened, too_long })
}

/// Shortens the placeholders of a value, one after the other, until it fits.
fn shorten(plan: &ContactPlan, excess: &TooLong, fields: &mut Fields, language: Language) {
    let mut length = excess.length;
    for placeholder in &excess.placeholders {
        let (Some(rule), Some(value)) = (plan.shorten.get(placeholder), fields.get(placeholder))
        else {
            continue;
        };
        let own_length = value.reveal().chars().count();
        let room = (own_length + excess.limit).saturating_sub(length);
        if length > excess.limit
            && let Some(shorter) = rule.apply(value.reveal(), room, language)
        {
            length = (length + shorter.chars().count()).saturating_sub(own_length);
            fields.insert(*placeholder, Personal::new(shorter));
        }
    }
}

/// A message's text in the addressee's language, and the parts it goes out in.
pub fn compose_message(
    plan: &ContactPlan,
    texts: &BTreeMap<Language, Template>,
    to: &MessageRecipient<'_>,
    now: Timestamp,
) -> ComposedMessage {
    let days_left = to.field_closes_at.since(now).as_secs() / 86_400;
    let joint = &Words::of(to.language).form.list_separator;
    let values = BTreeMap::from([
        (Placeholder::Name, to.name.reveal().to_owned()),
        (Placeholder::Applicant, to.applicant.to_owned()),
        (Placeholder::Subject, to.subjects.join(joint)),
        (Placeholder::Link, to.link.to_owned()),
        (Placeholder::Signature, plan.signature.clone()),
        (Placeholder::DaysLeft, days_left.to_string()),
    ]);
    render(texts, to.language, values)
}

fn render(
    texts: &BTreeMap<Language, Template>,
    language: Language,
    values: BTreeMap<Placeholder, String>,
) -> ComposedMessage {
    let text =
        text_in(texts, language).map(|template| template.render(&values)).unwrap_or_default();
    let segmentation = measure_parts(&text);
    let fields = values
        .into_iter()
        .map(|(placeholder, value)| (placeholder, Personal::new(value)))
        .collect();
    ComposedMessage { text: Personal::new(text), segmentation, fields }
}
