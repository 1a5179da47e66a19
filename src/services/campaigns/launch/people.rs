//! The people of a launch. Each is opened once: their messages are composed to count the parts, a
//! gateway is looked for, and the first contact is planned.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::checks::LaunchCandidate;
use super::{LaunchError, LaunchJob, LongParameter, ShortenedReport};
use crate::adapters::config::{Route, RouteDecision};
use crate::adapters::crypto::Sealer;
use crate::adapters::database::WriteTx;
use crate::adapters::database::invitations::NewInvitation;
use crate::adapters::database::lists::ListedPerson;
use crate::adapters::sms::TooLong;
use crate::domain::category::Category;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::ApplicationId;
use crate::domain::language::Language;
use crate::domain::personal::{Personal, masked};
use crate::services::campaigns::message_text::{
    MessageRecipient, compose_for_gateway, compose_message,
};
use crate::services::campaigns::schedule::StepWindow;
use crate::services::questionnaires;
use crate::services::sealing::{open_person, open_phone};

/// Parts of one step's messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepParts {
    /// Over all people.
    pub total: u64,
    /// Of the longest message.
    pub longest: u32,
    /// People whose message has more parts than the plan allows.
    too_long: usize,
}

/// A value that a gateway takes less of than some people's messages have.
#[derive(Debug, Clone, Default)]
pub struct LongValues {
    pub people: usize,
    pub limit: usize,
    /// In characters.
    pub longest: usize,
    /// The longest, masked.
    pub example: String,
}

/// Step (from 0), gateway, parameter, and whether the plan's rules shorten it.
pub type LongValueKey = (usize, String, String, bool);

/// The people of a launch, ready for the field.
#[derive(Default)]
pub struct PreparedPeople {
    /// In the order of the people; without those who belong to no candidate.
    pub invitations: Vec<NewInvitation>,
    /// By step.
    pub parts: Vec<StepParts>,
    /// Values that gateways take less of.
    pub long_values: BTreeMap<LongValueKey, LongValues>,
    /// People with a mobile number whom the plan's hours never reach.
    pub outside_contact_hours: u64,
    /// People with a mobile number that no gateway of the route takes.
    pub unroutable: u64,
    /// Characters of the longest name.
    pub longest_name: usize,
}

/// Prepares everybody. Fails where a step's messages have more parts than the plan allows.
pub fn prepare_people(
    job: &LaunchJob<'_>,
    languages: &HashMap<Category, Vec<Language>>,
    route: &Route,
    windows: &[Option<StepWindow>],
    people: &[ListedPerson],
) -> Result<PreparedPeople, LaunchError> {
    let by_id: HashMap<ApplicationId, &LaunchCandidate> =
        job.candidates.iter().map(|c| (c.application.id, c)).collect();
    let mut prepared = PreparedPeople {
        invitations: Vec::with_capacity(people.len()),
        parts: vec![StepParts::default(); job.plan.steps.len()],
        ..PreparedPeople::default()
    };
    for person in people {
        let own_candidates: Vec<&LaunchCandidate> =
            person.applications.iter().filter_map(|id| by_id.get(id).copied()).collect();
        let Some(first) = own_candidates.first() else { continue };
        // Messages, calls and pages are in a language that the questionnaire has.
        let among = languages.get(&first.application.category).into_iter().flatten().copied();
        let language = person.language.choose(among).unwrap_or_default();
        let key_id = &first.application.key_id;
        let sealer = job.context.keys.sealer(key_id)?;
        let code =
            job.context.keys.hasher().link_code(job.request.code, key_id, &person.phone_hash);
        if person.is_mobile {
            prepared.count_parts(
                job,
                (route, windows),
                &sealer,
                (person, &own_candidates, &code),
                language,
            )?;
        }
        prepared.plan_first_contact(job, route, &sealer, (person, &code), language)?;
    }
    let without_rule = prepared.long_values.iter().find(|((.., is_shortened), _)| !is_shortened);
    if let Some((key, values)) = without_rule {
        let values = values.report(job.plan, key);
        let parameter = LongParameter { step_number: key.0 + 1, values };
        return Err(LaunchError::ParametersTooLong(Box::new(parameter)));
    }
    match prepared.parts.iter().position(|parts| parts.too_long > 0) {
        None => Ok(prepared),
        Some(index) => Err(LaunchError::TooManyParts {
            number: index + 1,
            name: job.plan.steps[index].name.clone(),
            people: prepared.parts[index].too_long,
            parts: prepared.parts[index].longest,
            max: job.plan.max_parts,
        }),
    }
}

/// Returns the languages of each category's questionnaire.
pub async fn interview_languages(
    job: &LaunchJob<'_>,
    tx: &mut WriteTx,
) -> Result<HashMap<Category, Vec<Language>>, LaunchError> {
    let mut languages = HashMap::new();
    for candidate in job.candidates {
        let category = candidate.application.category;
        if let Entry::Vacant(entry) = languages.entry(category) {
            let folder = job.context.config.questionnaires.as_deref();
            let (_, questionnaire) =
                questionnaires::load_for_category(tx, folder, category).await?;
            entry.insert(questionnaire.languages);
        }
    }
    Ok(languages)
}

impl LongValues {
    pub fn report(
        &self,
        plan: &ContactPlan,
        (step, gateway, parameter, _): &LongValueKey,
    ) -> ShortenedReport {
        ShortenedReport {
            step: plan.steps[*step].name.clone(),
            gateway: gateway.clone(),
            parameter: parameter.clone(),
            people: self.people,
            limit: self.limit,
            longest: self.longest,
            example: self.example.clone(),
        }
    }

    fn add(&mut self, value: &TooLong, content: Option<&Personal>) {
        self.people += 1;
        self.limit = value.limit;
        if value.length > self.longest {
            self.longest = value.length;
            self.example = content.map(|content| masked(content.reveal())).unwrap_or_default();
        }
    }
}

impl PreparedPeople {
    fn count_parts(
        &mut self,
        job: &LaunchJob<'_>,
        (route, windows): (&Route, &[Option<StepWindow>]),
        sealer: &Sealer,
        (person, own_candidates, code): (&ListedPerson, &[&LaunchCandidate], &str),
        language: Language,
    ) -> Result<(), LaunchError> {
        let details = open_person(sealer, &person.person_sealed)?;
        self.longest_name = self.longest_name.max(details.name.reveal().chars().count());
        let link = job.context.personal_link(code);
        let recipient = MessageRecipient {
            name: &details.name,
            applicant: &own_candidates[0].application.applicant_name,
            subjects: own_candidates.iter().map(|c| c.application.subject.title()).collect(),
            link: &link,
            language,
            field_closes_at: own_candidates.iter().map(|c| c.closes_at).min().unwrap_or(job.now),
        };
        let steps = job.plan.steps.iter().zip(windows).zip(&mut self.parts);
        for (number, ((step, window), parts)) in steps.enumerate() {
            let Some(texts) = step.texts() else { continue };
            let at = window.map_or(job.now, |window| window.begins);
            let message = compose_message(job.plan, texts, &recipient, at);
            for name in route.gateways() {
                let Some(gateway) = job.context.gateways.get(name) else { continue };
                if gateway.too_long(&step.name, &message.fields).is_empty() {
                    continue;
                }
                let texts = (step.name.as_str(), texts);
                let (_, fitting) =
                    compose_for_gateway(job.plan, texts, &recipient, at, Some(gateway.as_ref()));
                for value in fitting.shortened {
                    let fits = fitting.too_long.iter().all(|v| v.parameter != value.parameter);
                    let example = value.placeholders.first().and_then(|p| message.fields.get(p));
                    let key = (number, name.to_owned(), value.parameter.clone(), fits);
                    self.long_values.entry(key).or_default().add(&value, example);
                }
            }
            let message = message.segmentation;
            parts.total += u64::from(message.parts);
            parts.longest = parts.longest.max(message.parts);
            parts.too_long += usize::from(message.parts > job.plan.max_parts);
        }
        Ok(())
    }

    fn plan_first_contact(
        &mut self,
        job: &LaunchJob<'_>,
        route: &Route,
        sealer: &Sealer,
        (person, code): (&ListedPerson, &str),
        language: Language,
    ) -> Result<(), LaunchError> {
        let phone = open_phone(sealer, &person.phone_sealed)?;
        let zones = job.plan.zones_of(person.zone.as_deref());
        let decision = route.choose(&phone, &person.phone_hash, None, |_| true);
        let has_gateway = matches!(decision, RouteDecision::Through(_));
        let gets_sms = person.is_mobile && has_gateway;
        let (next_step, next_at) =
            job.plan.first_contact(job.now, &zones, &person.phone_hash, gets_sms);
        self.unroutable += u64::from(person.is_mobile && !has_gateway);
        self.outside_contact_hours += u64::from(gets_sms && next_at.is_none());
        self.invitations.push(NewInvitation {
            respondent: person.respondent,
            link_hash: job.context.keys.hasher().link_hash(code),
            next_step,
            next_at,
            replicate: 0,
            language,
        });
        Ok(())
    }
}
