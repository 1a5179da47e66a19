//! The questionnaires that are shipped, as instruments: enough items for each latent variable, one
//! thing asked at a time, ends of scales that answer their question, words for «other».

use std::collections::BTreeMap;

use fieldworkd::domain::category::Category;
use fieldworkd::domain::language::{Language, LocalizedText};
use fieldworkd::domain::questionnaire::{
    Answer, ChoiceOption, Item, ItemKind, Latent, Questionnaire, RoutingFacts, Scale, Selection,
};
use fieldworkd::domain::sms_interview::{Prefix, QuestionMessage, compose_question};
use fieldworkd::domain::sms_text::measure_parts;
use fieldworkd::services::questionnaires::load_file;

const LATENT: [Latent; 7] = [
    Latent::Image,
    Latent::Expectation,
    Latent::PerceivedQuality,
    Latent::PerceivedValue,
    Latent::Satisfaction,
    Latent::Complaint,
    Latent::Loyalty,
];

/// The filter before the items on the handling of a complaint.
const FILTER: &str = "complained";

fn shipped() -> impl Iterator<Item = Questionnaire> {
    Category::ALL.into_iter().map(|category| load_file(None, category).unwrap().1)
}

fn scale_of(item: &Item) -> Option<&Scale> {
    if let ItemKind::Scale(scale) = &item.kind { Some(scale) } else { None }
}

fn options_of(item: &Item) -> &[ChoiceOption] {
    if let ItemKind::Choice(choice) = &item.kind { &choice.options } else { &[] }
}

fn condition_of(item: &Item) -> Option<&str> {
    item.show_if.as_ref().map(|condition| condition.source())
}

/// Returns the ids of what is asked of somebody with these answers.
fn asked<'q>(questionnaire: &'q Questionnaire, answers: &[(&str, Answer)]) -> Vec<&'q Item> {
    let answers: BTreeMap<String, Answer> =
        answers.iter().map(|(id, answer)| ((*id).to_owned(), answer.clone())).collect();
    let facts = RoutingFacts::default();
    let path = questionnaire.path(&answers, &facts);
    questionnaire.items().filter(|item| path.includes(&item.id)).collect()
}

fn code(code: &str) -> Answer {
    Answer::Codes(vec![code.to_owned()])
}

/// Cronbach's alpha needs two ratings at least.
#[test]
fn every_latent_variable_has_two_ratings_or_more() {
    for questionnaire in shipped() {
        assert_eq!(questionnaire.version, 3, "{}", questionnaire.code);
        for latent in LATENT {
            let ratings = questionnaire
                .items()
                .filter(|item| item.latent == Some(latent) && scale_of(item).is_some())
                .count();
            assert!(ratings >= 2, "{}: {} has {ratings}", questionnaire.code, latent.as_str());
        }
        // Ratings of everybody, but for complaints.
        for item in questionnaire.items().filter(|item| scale_of(item).is_some()) {
            let is_for_some = item.show_if.is_some();
            assert_eq!(is_for_some, item.latent == Some(Latent::Complaint), "{}", item.id);
        }
    }
}

#[test]
fn how_a_complaint_was_handled_is_asked_of_whoever_complained() {
    for questionnaire in shipped() {
        let ratings_after = |answers: &[(&str, Answer)]| {
            let asked = asked(&questionnaire, answers);
            asked.iter().filter(|item| item.latent == Some(Latent::Complaint)).count()
        };
        let codes: Vec<&str> = options_of(questionnaire.item(FILTER).unwrap())
            .iter()
            .map(|option| option.code.as_str())
            .collect();
        assert_eq!(codes, ["yes", "no"], "{}", questionnaire.code);
        assert_eq!(ratings_after(&[(FILTER, code("yes"))]), 2, "{}", questionnaire.code);
        for answer in [code("no"), Answer::DontKnow, Answer::Refused] {
            assert_eq!(ratings_after(&[(FILTER, answer)]), 0, "{}", questionnaire.code);
        }
        assert_eq!(ratings_after(&[]), 0, "{}", questionnaire.code);
    }
}

/// worldbank/iefieldkit#117, EUSurvey/EUSURVEY#506, episphere/connect#76: an option «other» without
/// a text, or with one that is never shown.
#[test]
fn whoever_says_other_is_asked_for_words() {
    for questionnaire in shipped() {
        let mut others = 0;
        for item in questionnaire.items() {
            if !options_of(item).iter().any(|option| option.code == "other") {
                continue;
            }
            others += 1;
            let asks_for_words = |words: &Item| {
                let is_of_it = condition_of(words) == condition_of(item)
                    || condition_of(words) == Some(&format!("{} == 'other'", item.id));
                matches!(words.kind, ItemKind::Open { .. }) && is_of_it
            };
            // Beside it on its page, or on the next one.
            let items: Vec<&Item> = questionnaire.items().collect();
            let at = items.iter().position(|other| other.id == item.id).unwrap();
            let next = items.get(at + 1);
            assert!(
                next.is_some_and(|next| asks_for_words(next)),
                "{}: {}",
                questionnaire.code,
                item.id
            );
        }
        assert_eq!(others, 1, "{}", questionnaire.code);
        // Somebody dissatisfied sees both; somebody satisfied is asked for remarks instead.
        let open = |sat1: i64, complained: &str| -> Vec<&str> {
            let answers = [("sat1", Answer::Point(sat1)), (FILTER, code(complained))];
            let asked = asked(&questionnaire, &answers);
            let is_open = |item: &&&Item| matches!(item.kind, ItemKind::Open { .. });
            asked.iter().filter(is_open).map(|item| item.id.as_str()).collect()
        };
        assert_eq!(open(4, "no"), ["why1_words"], "{}", questionnaire.code);
        assert_eq!(open(5, "no"), ["open1"], "{}", questionnaire.code);
    }
}

/// Three minutes are promised to each respondent; every way through is tried.
#[test]
fn nobody_is_asked_for_longer_than_three_minutes() {
    for questionnaire in shipped() {
        let mut longest = 0;
        let complaints = [Some(code("yes")), Some(code("no")), Some(Answer::DontKnow), None];
        for complained in complaints {
            for sat1 in (1..=10).map(|point| Some(Answer::Point(point))).chain([None]) {
                for why1 in [None, Some(code("other")), Some(code("quality"))] {
                    let answers: Vec<(&str, Answer)> =
                        [("sat1", &sat1), (FILTER, &complained), ("why1", &why1)]
                            .into_iter()
                            .filter_map(|(id, answer)| Some((id, answer.clone()?)))
                            .collect();
                    longest = longest.max(asked(&questionnaire, &answers).len());
                }
            }
        }
        assert_eq!(longest, questionnaire.longest_path(), "{}", questionnaire.code);
        assert!(longest <= 18, "{}: {longest}", questionnaire.code);
        assert!(questionnaire.minutes() <= 3.0, "{}", questionnaire.code);
    }
}

/// StanfordBDHG/LLMonFHIR#70: the same ends for every question, whatever it asks;
/// anthropics/claude-code#95841: an adjective does not answer «how well».
#[test]
fn the_ends_of_a_scale_answer_its_question() {
    // What is compared has no word that its answer could repeat.
    const COMPARED: [(&str, &str); 2] = [("sat2", "far above"), ("sat3", "very close")];
    for questionnaire in shipped() {
        for item in questionnaire.items() {
            let Some(scale) = scale_of(item) else { continue };
            let place = format!("{} {}", questionnaire.code, item.id);
            assert_eq!((scale.from, scale.to), (1, 10), "{place}");
            for (low, high) in
                [(scale.low.zh(), scale.high.zh()), (scale.low.en(), scale.high.en())]
            {
                assert!(
                    !low.trim().is_empty() && !high.trim().is_empty() && low != high,
                    "{place}"
                );
            }
            let (zh, en) = (item.text.zh(), item.text.en().to_lowercase());
            let compared = COMPARED.iter().find(|(id, _)| *id == item.id);
            if let Some((_, high)) = compared {
                assert_eq!(scale.high.en(), *high, "{place}");
            } else if let Some((_, rest)) = en.split_once("how ") {
                // «How reliable …?» «Very reliable.»
                let asked = rest.split(' ').next().unwrap();
                assert!(scale.high.en().ends_with(asked), "{place}: {en} {}", scale.high.en());
                assert!(
                    !scale.low.en().starts_with("very poor") || ["good", "well"].contains(&asked)
                );
            } else {
                assert_eq!((&*item.id, scale.high.en()), ("img1", "very good"), "{place}: {en}");
            }
            // «有多可靠？» «很可靠»
            if let Some((_, rest)) = zh.split_once("有多") {
                let asked = rest.trim_end_matches('？');
                assert!(scale.high.zh().ends_with(asked), "{place}: {zh} {}", scale.high.zh());
            } else {
                let fitting: &[(&str, &[&str])] = &[
                    ("如何？", &["很好", "远远超过", "完全一致", "很满意"]),
                    ("满足了您的需求？", &["完全满足"]),
                ];
                let fits = fitting
                    .iter()
                    .any(|(end, highs)| zh.ends_with(end) && highs.contains(&scale.high.zh()));
                assert!(fits, "{place}: {zh} {}", scale.high.zh());
                assert_eq!(zh.contains("满意程度"), scale.high.zh() == "很满意", "{place}");
            }
        }
    }
}

/// hackforla/expunge-assist#849: two things in one question have no single answer.
#[test]
fn no_question_asks_about_two_things() {
    const JOINED: [&str; 8] = [" and ", " or ", "/", "和", "及", "或", "、", "并"];
    // Who names both complains or suggests as he likes; personal data is what must not be in it.
    const REVIEWED: [&str; 2] = ["open1", "why1_words"];
    for questionnaire in shipped() {
        for item in questionnaire.items().filter(|item| !REVIEWED.contains(&item.id.as_str())) {
            let texts = options_of(item).iter().map(|option| &option.text).chain([&item.text]);
            for text in texts.flat_map(|text| [text.zh(), text.en()]) {
                let joined = JOINED.iter().find(|word| text.contains(**word));
                assert_eq!(joined, None, "{} {}: {text}", questionnaire.code, item.id);
            }
        }
    }
}

/// softwaresaved/international-survey#21, instedd/surveda#587: on the telephone somebody says «I
/// don't know», or would rather not say, and the form must take it.
#[test]
fn what_somebody_may_not_know_or_not_say_can_be_answered_so() {
    for questionnaire in shipped() {
        for item in questionnaire.items() {
            let place = format!("{} {}", questionnaire.code, item.id);
            let is_of = |latent| item.latent == Some(latent);
            let is_background = ["use1", "role1"].contains(&item.id.as_str());
            if is_of(Latent::Complaint) || is_background || item.id == FILTER {
                assert!(item.refused, "{place}");
            }
            let may_not_know = [Latent::Expectation, Latent::PerceivedValue, Latent::Complaint];
            let is_fact = ["use1", "why1", FILTER].contains(&item.id.as_str());
            if may_not_know.into_iter().any(is_of) || is_fact {
                assert!(item.dont_know, "{place}");
            }
        }
        // Everybody tells for how long, and as what.
        let background: Vec<&Item> =
            ["use1", "role1"].map(|id| questionnaire.item(id).unwrap()).into();
        for item in background {
            let ItemKind::Choice(choice) = &item.kind else { panic!("{}", item.id) };
            assert!(choice.selection == Selection::One && item.latent.is_none());
            assert!(item.show_if.is_none() && choice.options.len() >= 3, "{}", item.id);
        }
    }
}

/// An SMS in Chinese is billed by seventy characters; each question is one.
#[test]
fn a_question_by_sms_is_one_part_in_chinese() {
    for questionnaire in shipped() {
        for item in questionnaire.items() {
            let text = |language| -> String {
                let wording: &LocalizedText = item.sms.as_ref().unwrap_or(&item.text);
                let options: Vec<&ChoiceOption> = options_of(item).iter().collect();
                compose_question(&QuestionMessage {
                    item,
                    text: wording.in_language(language),
                    options: &options,
                    position: (18, 18),
                    signature: "质量协会",
                    subject: None,
                    language,
                    prefix: Prefix::None,
                })
            };
            let (zh, en) = (text(Language::ZH), text(Language::EN));
            let place = format!("{} {}", questionnaire.code, item.id);
            assert_eq!(measure_parts(&zh).parts, 1, "{place}: {} {zh}", zh.chars().count());
            assert!(measure_parts(&en).parts <= 3, "{place}: {} {en}", en.chars().count());
        }
    }
}
