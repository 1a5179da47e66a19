//! Interviews by SMS, question by question.

use std::collections::BTreeMap;
use std::time::Duration;

use fieldworkd::adapters::database::sms_interviews;
use fieldworkd::domain::phone::Phone;

use super::generated::{Generated, Given};
use super::model::{Respondent, Sending};
use crate::common::{TestApp, number};

/// Somebody who is asked by SMS.
pub struct Texting<'g> {
    pub generated: &'g Generated,
    /// The place on the made-up list.
    pub person: usize,
    pub respondent: Respondent,
    patience: u32,
}

impl<'g> Texting<'g> {
    pub fn new(rng: &mut fastrand::Rng, generated: &'g Generated, person: usize) -> Texting<'g> {
        let patience = rng.u32(1..16);
        Texting { generated, person, respondent: Respondent::default(), patience }
    }
}

/// Lets all answer by SMS, a question a minute.
pub async fn by_sms(rng: &mut fastrand::Rng, app: &TestApp, people: &mut [Texting<'_>]) {
    let mut sent = 0;
    let mut reply = async |person: usize, text: &str| {
        sent += 1;
        let (id, from) = (format!("s{sent}-{person}"), format!("+86{}", number(person)));
        let at = app.clock_now().0;
        let body = serde_json::json!({ "id": id, "from": from, "text": text, "at": at });
        assert_eq!(app.push_replies(&body).await, 200);
    };
    for texting in people.iter_mut() {
        reply(texting.person, "1").await;
        texting.respondent.states[0].has_begun = true;
    }
    for _ in 0..16 {
        app.advance_until(app.clock_now() + Duration::from_secs(60)).await;
        for texting in people.iter_mut() {
            let Some(item) = asked_item(app, texting.person).await else { continue };
            if texting.patience == 0 {
                continue;
            }
            texting.patience -= 1;
            let at = texting.generated.questions.iter().position(|q| q.id == item);
            let at = at.expect("an item of the questionnaire");
            let question = &texting.generated.questions[at];
            let nonsense = question.nonsense().filter(|_| rng.u8(..20) == 0);
            let (given, typed) = match nonsense {
                Some(typed) => (Given::Nonsense, typed),
                None => question.answer(rng, true),
            };
            reply(texting.person, &typed.sms).await;
            texting.respondent.log.push(format!("{item}: «{}» {given:?}", typed.sms));
            let given = BTreeMap::from([(at, given)]);
            for state in &mut texting.respondent.states {
                *state =
                    state.after(texting.generated, question.page, &given, Sending::Single(at)).0;
            }
        }
    }
}

async fn asked_item(app: &TestApp, person: usize) -> Option<String> {
    let phone = Phone::parse(&number(person), phonenumber::country::CN).unwrap();
    let hash = app.context.keys.hasher().phone_hash(&phone);
    let mut connection = app.context.database.read().await.unwrap();
    let interview = sms_interviews::find_by_phone(&mut connection, &hash).await.unwrap()?;
    Some(interview.current.item)
}
