//! What the messages of a plan look like on a phone, as they are typed: with the longest name of the
//! list, their parts and what they cost for each person.

use std::collections::BTreeMap;

use crate::adapters::database::DatabaseError;
use crate::adapters::database::applications;
use crate::adapters::database::drafts::CampaignDraft;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::sms_text::{Placeholder, Template, TemplateError};
use crate::domain::words::Words;
use crate::services::campaigns::message_text::{MessagePreview, PartPrice, preview_message};
use crate::services::context::AppContext;
use crate::services::questionnaires;

/// What stands in the placeholders of every message of a draft.
pub struct MessagePreviews {
    values: BTreeMap<Placeholder, String>,
    subjects: Vec<String>,
    /// That all the questions take.
    minutes: f64,
    longest_name: usize,
    price: PartPrice,
}

/// The longest name that is taken for one.
const MAX_NAME: usize = 60;
/// Stands for a personal link: its code has the same length.
const LINK_CODE: &str = "0123456789ABCDEF";

impl MessagePreviews {
    /// Looks up what the draft's messages carry. `longest_name`: characters of the longest name of
    /// the lists.
    pub async fn of(
        context: &AppContext,
        draft: &CampaignDraft,
        (gateway, signature, longest_name): (&str, &str, usize),
    ) -> Result<MessagePreviews, DatabaseError> {
        let mut connection = context.database.read().await?;
        let mut applicant = String::new();
        let (mut subjects, mut minutes) = (Vec::new(), 0.0);
        for code in draft.applications.split(',').filter(|code| !code.is_empty()) {
            if let Some(application) = applications::find(&mut connection, code).await? {
                applicant = application.applicant_name.clone();
                subjects.push(application.subject.title());
                let folder = context.config.questionnaires.as_deref();
                let category = application.category;
                // What stands against the questionnaire is told by the check of the launch.
                if let Ok((_, questionnaire)) =
                    questionnaires::load_for_category(&mut connection, folder, category).await
                {
                    minutes += questionnaire.minutes();
                }
            }
        }
        let values = BTreeMap::from([
            (Placeholder::Applicant, applicant),
            (Placeholder::Link, context.personal_link(LINK_CODE)),
            (Placeholder::Signature, signature.to_owned()),
            (Placeholder::DaysLeft, "30".to_owned()),
        ]);
        Ok(MessagePreviews {
            values,
            subjects,
            minutes,
            longest_name: longest_name.clamp(2, MAX_NAME),
            price: PartPrice::of(context, gateway),
        })
    }

    /// Shows opening words, which are not kept. They are said, so they have one part and no price.
    ///
    /// politics-rewired/Spoke#1356: a script was shown with its variables, and nobody could proof it.
    pub fn preview_spoken(
        &self,
        text: &str,
        language: Language,
    ) -> Result<MessagePreview, TemplateError> {
        let template = Template::parse_spoken(text)?;
        let words = Words::of(language);
        let mut values = self.values.clone();
        values.insert(Placeholder::Name, sample_name(language, 4));
        values.insert(Placeholder::Interviewer, words.call.interviewer.clone());
        values.insert(Placeholder::Subject, self.subjects.join(&words.form.list_separator));
        values.insert(Placeholder::Minutes, format!("{:.0}", self.minutes.ceil().max(1.0)));
        let text = template.render(&values);
        Ok(MessagePreview {
            units: text.chars().count(),
            units_of_one_part: text.chars().count(),
            parts: 1,
            cost: 0.0,
            currency: String::new(),
            text: Personal::new(text),
        })
    }

    /// Shows a text, which is not kept.
    pub fn preview(&self, text: &str, language: Language) -> Result<MessagePreview, TemplateError> {
        let template = Template::parse(text)?;
        let mut values = self.values.clone();
        values.insert(Placeholder::Name, sample_name(language, self.longest_name));
        let joint = &Words::of(language).form.list_separator;
        values.insert(Placeholder::Subject, self.subjects.join(joint));
        Ok(preview_message(Personal::new(template.render(&values)), &self.price))
    }
}

/// A made-up name of a length.
fn sample_name(language: Language, length: usize) -> String {
    let sample = if language.tag().starts_with("zh") { "欧阳小明" } else { "Alexandra Smith " };
    sample.chars().cycle().take(length).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn previews(longest_name: usize) -> MessagePreviews {
        MessagePreviews {
            values: BTreeMap::from([
                (Placeholder::Applicant, "佛山一厂".to_owned()),
                (Placeholder::Link, "https://survey.example/i/0123456789ABCDEF".to_owned()),
                (Placeholder::Signature, "质协".to_owned()),
                (Placeholder::DaysLeft, "30".to_owned()),
            ]),
            subjects: vec!["洗衣机".to_owned()],
            minutes: 2.2,
            longest_name,
            price: PartPrice { amount: 0.05, currency: "CNY".to_owned() },
        }
    }

    #[test]
    fn a_longer_name_may_cost_another_part() {
        let text = "【{signature}】{name}您好，请评价{applicant}的{subject}：{link} 退订回T";
        let short = previews(2).preview(text, Language::ZH).unwrap();
        assert!(short.text.reveal().starts_with("【质协】欧阳您好"));
        assert_eq!((short.units, short.units_of_one_part, short.parts), (67, 70, 1));
        assert!((short.cost - 0.05).abs() < 1e-9);
        let long = previews(60).preview(text, Language::ZH).unwrap();
        assert_eq!((long.units, long.units_of_one_part, long.parts), (125, 67, 2));
        assert!(previews(2).preview("{who}", Language::ZH).is_err());
        let said = "{name}，我是{interviewer}，{signature}，{applicant}，{subject}，{minutes}分钟";
        let said = previews(60).preview_spoken(said, Language::ZH).unwrap();
        assert_eq!(said.text.reveal(), "欧阳小明，我是访问员，质协，佛山一厂，洗衣机，3分钟");
        assert!(previews(2).preview_spoken("{link}", Language::ZH).is_err());
    }
}
