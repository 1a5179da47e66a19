//! What an interviewer says first, and what to say when the respondent asks.

use std::collections::BTreeMap;

use super::call_screen::CallScreen;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::sms_text::{Placeholder, Template};
use crate::domain::words::Words;
use crate::services::interviews::InvitationCases;

/// The words of a campaign's telephone step, or the usual ones, for one call.
pub struct SpokenWords {
    /// With the respondent's name.
    pub opening: Personal,
    /// Questions of respondents, each with the paragraphs of its answer.
    pub asked: Vec<(String, Vec<String>)>,
}

/// Composes the words in the language of the call. `interviewer`: the name to give; empty: none.
pub fn spoken_words(
    call_screen: &CallScreen,
    cases: &InvitationCases,
    interviewer: &str,
) -> SpokenWords {
    let language = call_screen.language;
    let words = Words::of(language);
    let open: Vec<_> = cases.cases.iter().filter(|case| case.accepts_answers).collect();
    let subjects: Vec<&str> = open.iter().map(|case| case.application.subject.as_str()).collect();
    let minutes: f64 =
        open.iter().map(|case| case.application.questionnaire.minutes()).sum::<f64>().ceil();
    let person = &call_screen.person;
    let applicant = cases.applicant_name();
    let values = BTreeMap::from([
        (Placeholder::Name, addressed(person.name.reveal(), person.salutation.reveal(), language)),
        (
            Placeholder::Interviewer,
            if interviewer.is_empty() { &words.call.interviewer } else { interviewer }.to_owned(),
        ),
        // Somebody has to be named for whom the call is.
        (
            Placeholder::Signature,
            match call_screen.signature.trim() {
                "" => applicant.to_owned(),
                signature => signature.to_owned(),
            },
        ),
        (Placeholder::Applicant, applicant.to_owned()),
        (Placeholder::Subject, subjects.join(&words.form.list_separator)),
        (Placeholder::Minutes, format!("{:.0}", minutes.max(1.0))),
        (Placeholder::DaysLeft, call_screen.days_left.to_string()),
    ]);
    let opening = match own_words(&call_screen.openings, language) {
        Some(own) => own.render(&values),
        None => filled(&words.call.opening, &values),
    };
    let answer =
        |(question, answer): &(String, String)| (question.clone(), vec![filled(answer, &values)]);
    let notice = cases.programme.privacy.paragraphs(language, applicant, &cases.programme.name);
    SpokenWords {
        opening: Personal::new(opening),
        asked: vec![
            answer(&words.call.who_gave),
            answer(&words.call.how_long),
            (words.call.what_happens.clone(), notice),
            answer(&words.call.have_to),
        ],
    }
}

/// The campaign's words in this language, or in the nearest one that its reader understands.
pub fn own_words(openings: &BTreeMap<Language, Template>, language: Language) -> Option<&Template> {
    openings.get(&language.choose_own(openings.keys().copied())?)
}

/// Fills the words that are part of the program; whoever translates them may have made a mistake,
/// and then they are read as they are.
fn filled(text: &str, values: &BTreeMap<Placeholder, String>) -> String {
    Template::parse_spoken(text).map_or_else(|_| text.to_owned(), |words| words.render(values))
}

/// A name as it is spoken: in Chinese the salutation follows it, elsewhere it goes before.
fn addressed(name: &str, salutation: &str, language: Language) -> String {
    let is_chinese = language.tag().starts_with("zh");
    match (name, salutation) {
        (name, salutation) if salutation.is_empty() || name.contains(salutation) => name.to_owned(),
        ("", salutation) => salutation.to_owned(),
        (name, salutation) if is_chinese => format!("{name}{salutation}"),
        (name, salutation) => format!("{salutation} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_words_are_filled_in_every_language() {
        for words in Words::built_in() {
            let call = &words.call;
            for text in [&call.opening, &call.who_gave.1, &call.how_long.1, &call.have_to.1] {
                assert!(Template::parse_spoken(text).is_ok(), "{}: {text}", words.language);
            }
            let opening = Template::parse_spoken(&call.opening).unwrap();
            for needed in [Placeholder::Interviewer, Placeholder::Signature, Placeholder::Minutes] {
                assert!(opening.uses(needed), "{}: {needed:?}", words.language);
            }
        }
    }

    #[test]
    fn a_language_without_own_words_gets_the_usual_ones() {
        let own = BTreeMap::from([(Language::ZH, Template::parse_spoken("您好").unwrap())]);
        assert!(own_words(&own, Language::ZH).is_some());
        assert!(own_words(&own, Language::EN).is_none());
        assert!(own_words(&own, Language::PT).is_none());
    }

    #[test]
    fn a_salutation_is_said_once_and_where_the_language_has_it() {
        for (name, salutation, language, said) in [
            ("王敏", "女士", Language::ZH, "王敏女士"),
            ("王女士", "女士", Language::ZH, "王女士"),
            ("Smith", "Ms", Language::EN, "Ms Smith"),
            ("", "女士", Language::ZH, "女士"),
            ("王敏", "", Language::ZH, "王敏"),
        ] {
            assert_eq!(addressed(name, salutation, language), said);
        }
    }
}
