//! The fixed words of respondents' pages and of interviews by SMS, in a file for each language.
//!
//! The program contains files for simplified and traditional Chinese, English and Portuguese
//! ([`Words::built_in`]); others are read at the start ([`Words::parse`], [`Words::add`]). The
//! English file states the purpose of each text.

use std::sync::{LazyLock, PoisonError, RwLock};

use serde::Deserialize;
use toml::{Table, Value};

use super::language::Language;
use super::questionnaire::{AnswerProblem, Item, wanted_form};

/// The texts in one language. Pairs are a heading and a text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    pub language: Language,
    pub trial_notice: String,
    pub sample_subject: String,
    pub sample_applicant: String,
    pub invites: String,
    pub rated: String,
    pub asked_by: String,
    pub please_rate: String,
    pub duration_note: String,
    pub confidential: String,
    pub open_until: String,
    pub privacy: String,
    pub agree: String,
    pub continue_now: String,
    pub next: String,
    pub finish: String,
    pub back: String,
    pub not_applicable: String,
    pub no_answer: String,
    pub your_text: String,
    pub send_again: String,
    pub reference: String,
    pub page_too_large: String,
    pub page_unreadable: String,
    pub not_saved: (String, String),
    pub optional: String,
    pub progress: String,
    pub check_marked: String,
    pub noted_not_saved: String,
    pub missing: String,
    pub out_of_range: String,
    pub please_give: String,
    pub full_stop: String,
    pub too_long: String,
    pub beyond_limits: String,
    pub too_few: String,
    pub too_many: String,
    pub exclusive: String,
    pub not_ranked: String,
    pub dont_know: String,
    pub rather_not_say: String,
    pub rank: String,
    pub later_question: String,
    pub later_explanation: String,
    pub this_evening: String,
    pub tomorrow: String,
    pub in_a_week: String,
    pub call_question: String,
    pub call_explanation: String,
    pub any_time: String,
    pub morning: String,
    pub afternoon: String,
    pub evening: String,
    pub reminder_on: String,
    pub refuse_question: String,
    pub withdraw_question: String,
    pub withdraw: String,
    pub refuse_explanation: String,
    pub refuse: String,
    pub undo_question: String,
    pub undo_until: String,
    pub undo_answers_gone: String,
    pub undo: String,
    pub contact: String,
    pub not_a_user_question: String,
    pub not_a_user_button: String,
    pub thanks: (String, String),
    pub refused: (String, String),
    pub withdrawn: (String, String),
    pub reminder_confirmed: (String, String),
    pub call_confirmed: (String, String),
    pub cell_reserved: (String, String),
    pub not_a_user: (String, String),
    pub cell_full: (String, String),
    pub closed: (String, String),
    pub form: FormWords,
    pub sms: SmsWords,
    pub call: CallWords,
}

/// How an answer is wanted, and small words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormWords {
    pub whole: String,
    pub decimal: String,
    pub day_between: String,
    pub day_from: String,
    pub day_until: String,
    pub day: String,
    pub list_separator: String,
    pub polite: String,
}

/// What an interviewer says on the telephone: the first words, and the answers to what is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallWords {
    pub opening: String,
    pub interviewer: String,
    pub who_gave: (String, String),
    pub how_long: (String, String),
    pub have_to: (String, String),
    pub what_happens: String,
}

/// The words of interviews by SMS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsWords {
    pub question: String,
    pub about: String,
    pub option: String,
    pub option_separator: String,
    pub wanted: String,
    pub scale: String,
    pub one: String,
    pub several: String,
    pub rank: String,
    pub number: String,
    pub unit: String,
    pub day: String,
    pub text: String,
    pub text_optional: String,
    pub not_applicable: String,
    pub dont_know: String,
    pub rather_not_say: String,
    pub apology: String,
    pub sentence_end: String,
    pub beyond_limits: String,
    pub too_long: String,
    pub too_few: String,
    pub too_many: String,
    pub exclusive: String,
    pub unclear: String,
    pub few_left: String,
    pub go_on: String,
    pub complete: String,
    pub over: String,
}

/// The files that are part of the program.
const FILES: [(Language, &str); 4] = [
    (Language::ZH, include_str!("zh.toml")),
    (Language::EN, include_str!("en.toml")),
    (Language::ZH_HANT, include_str!("zh-Hant.toml")),
    (Language::PT, include_str!("pt.toml")),
];

/// Words from files of the configuration; of a language that comes twice, the last.
static ADDED: RwLock<Vec<&'static Words>> = RwLock::new(Vec::new());

/// A file of words that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct WordsError {
    pub place: String,
    pub problem: String,
}

/// The words of a file, and what it leaves to another language.
#[derive(Debug, Clone)]
pub struct ParsedWords {
    pub words: Words,
    /// Keys of the texts that are missing, such as `sms.scale`.
    pub missing: Vec<String>,
    /// Keys of the texts that are those of English, letter for letter: perhaps not translated yet.
    pub english: Vec<String>,
    /// The language whose texts stand there instead.
    pub instead: Language,
}

impl Words {
    /// Returns the words for a reader of the language: its own, those of the nearest one, or
    /// English.
    pub fn of(language: Language) -> &'static Words {
        // Nothing panics while it is locked; whatever is in it is whole.
        let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
        let all = || added.iter().copied().chain(Words::built_in());
        let chosen =
            language.choose_own(all().map(|words| words.language).collect::<Vec<_>>().into_iter());
        let chosen = chosen.unwrap_or(Language::EN);
        all().find(|words| words.language == chosen).unwrap_or(&Words::built_in()[1])
    }

    /// Returns the words that are part of the program, in the order of [`Language::USUAL`].
    pub fn built_in() -> &'static [Words; 4] {
        static BUILT_IN: LazyLock<[Words; 4]> = LazyLock::new(|| {
            // A test reads them all.
            FILES.map(|(_, text)| toml::from_str(text).expect("the files are valid"))
        });
        &BUILT_IN
    }

    /// Adds words, from now on and for the whole process.
    pub fn add(words: Words) {
        let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
        added.retain(|other| other.language != words.language);
        // Pages hold them as long as the program runs.
        added.push(Box::leak(Box::new(words)));
    }

    /// Reads a file of words. Texts that are missing are those of the nearest language.
    ///
    /// # Errors
    /// If it is no such file, has an unknown key, an empty text, or other placeholders than the
    /// English text has.
    pub fn parse(text: &str) -> Result<ParsedWords, WordsError> {
        let wrong = |place: &str, problem: String| WordsError { place: place.to_owned(), problem };
        let mut file: Table = toml::from_str(text)
            .map_err(|error| wrong("TOML", error.to_string().trim().replace('\n', " ")))?;
        let tag = file.get("language").and_then(Value::as_str).unwrap_or_default();
        let language = Language::from_tag(tag).ok_or_else(|| {
            wrong(
                "language",
                "write a language tag of BCP 47, such as language = \"ar\"".to_owned(),
            )
        })?;
        let instead = language.choose_own(Language::USUAL.into_iter()).unwrap_or(Language::EN);
        let mut missing = Vec::new();
        let is_english = language.tag().split('-').next() == Some(Language::EN.tag());
        let english = match is_english {
            true => Vec::new(),
            false => same_texts(&file, &source(Language::EN), ""),
        };
        complete(&mut file, &source(instead), &source(Language::EN), "", &mut missing)?;
        if language.direction() != instead.direction() {
            isolate(&mut file, &missing);
        }
        file.insert("language".to_owned(), Value::String(language.to_string()));
        let words = Value::Table(file).try_into().map_err(|error: toml::de::Error| {
            wrong("TOML", error.to_string().trim().replace('\n', " "))
        })?;
        Ok(ParsedWords { words, missing, english, instead })
    }

    /// Returns the file of a language, or the English one to translate it from, with the purpose
    /// of each text.
    pub fn export(language: Language) -> String {
        let own = source(language.choose_own(Language::USUAL.into_iter()).unwrap_or(Language::EN));
        let exact = FILES.iter().any(|(built_in, _)| *built_in == language);
        let mut section = String::new();
        let mut file = String::new();
        for line in FILES[1].1.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
            }
            let key = line.split_once(" = ").map(|(key, _)| key).filter(|_| !line.starts_with('#'));
            let Some(key) = key else {
                file.push_str(line);
                file.push('\n');
                continue;
            };
            if key == "language" {
                file.push_str(&format!("language = \"{language}\"\n"));
                continue;
            }
            let table = match section.as_str() {
                "" => Some(&own),
                section => own.get(section).and_then(Value::as_table),
            };
            let text = table.and_then(|table| table.get(key)).map(Value::to_string);
            if !exact || language != Language::EN {
                file.push_str(&format!("# en: {line}\n"));
            }
            file.push_str(&format!("{key} = {}\n", text.unwrap_or_default()));
        }
        file
    }

    /// Returns what is wrong with an answer, with the wanted form of a number or a day.
    pub fn problem(&self, item: &Item, problem: AnswerProblem) -> String {
        let wanted = wanted_form(item, self)
            .map(|wanted| format!("{}{wanted}{}", self.please_give, self.full_stop));
        match problem {
            AnswerProblem::Missing => self.missing.clone(),
            AnswerProblem::OutOfRange => wanted.unwrap_or_else(|| self.out_of_range.clone()),
            AnswerProblem::BeyondLimits => {
                format!("{}{}", self.beyond_limits, wanted.unwrap_or_default()).trim().to_owned()
            }
            AnswerProblem::TooLong => self.too_long.clone(),
            AnswerProblem::TooFew(least) => format!("{}{least}", self.too_few),
            AnswerProblem::TooMany(most) => format!("{}{most}", self.too_many),
            AnswerProblem::Exclusive => self.exclusive.clone(),
            AnswerProblem::NotRanked => self.not_ranked.clone(),
        }
    }
}

/// Returns the table of a built-in file.
fn source(language: Language) -> Table {
    let text = FILES.iter().find(|(own, _)| *own == language).map_or("", |(_, text)| text);
    toml::from_str(text).unwrap_or_default()
}

/// Checks the texts of a table against the English ones, and takes those that are missing from
/// another language.
fn complete(
    own: &mut Table,
    instead: &Table,
    english: &Table,
    section: &str,
    missing: &mut Vec<String>,
) -> Result<(), WordsError> {
    let at =
        |key: &str| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    let wrong = |key: &str, problem: String| Err(WordsError { place: at(key), problem });
    if let Some(key) = own.keys().find(|key| !english.contains_key(*key)) {
        return wrong(key, "there is no such text".to_owned());
    }
    for (key, english) in english {
        let instead = instead.get(key).unwrap_or(english);
        match (own.get_mut(key), english) {
            (Some(Value::Table(own)), Value::Table(english)) => {
                let none = Table::new();
                complete(own, instead.as_table().unwrap_or(&none), english, key, missing)?;
            }
            (None, Value::Table(english)) => {
                missing.extend(english.keys().map(|inner| format!("{key}.{inner}")));
                own.insert(key.clone(), instead.clone());
            }
            (None, _) => {
                missing.push(at(key));
                own.insert(key.clone(), instead.clone());
            }
            (Some(own), english) => {
                let (own, english) = (texts(own), texts(english));
                if own.len() != english.len() {
                    return wrong(key, format!("it must be {} texts", english.len()));
                }
                for (own, english) in own.iter().zip(&english) {
                    // Options may stand side by side with a blank between them.
                    let is_empty = own.trim().is_empty() && !key.ends_with("_separator");
                    if is_empty && !english.trim().is_empty() {
                        return wrong(key, "the text is empty".to_owned());
                    }
                    let (there, wanted) = (placeholders(own), placeholders(english));
                    if there != wanted {
                        let wanted = wanted.iter().map(|name| format!("{{{name}}}"));
                        let wanted: Vec<String> = wanted.collect();
                        let wanted =
                            if wanted.is_empty() { "none".to_owned() } else { wanted.join(" ") };
                        return wrong(
                            key,
                            format!("«{own}» must have these placeholders: {wanted}"),
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

/// Returns the keys of the texts of words, not of signs alone, that are the same in two tables.
fn same_texts(own: &Table, other: &Table, section: &str) -> Vec<String> {
    let mut same = Vec::new();
    for (key, value) in own {
        let at = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        match (value, other.get(key)) {
            (Value::Table(own), Some(Value::Table(other))) => {
                same.extend(same_texts(own, other, &at));
            }
            (own, Some(other)) if own == other => {
                let has_words = |text: &&str| {
                    // Names in braces are no words.
                    text.split('{').any(|part| {
                        let outside = part.split_once('}').map_or(part, |(_, behind)| behind);
                        outside.contains(char::is_alphabetic)
                    })
                };
                same.extend(texts(own).iter().any(has_words).then_some(at));
            }
            _ => {}
        }
    }
    same
}

/// Sets texts of pages apart that run against their page, so that the marks at their ends stay there
/// (Unicode Standard Annex 9, FSI and PDI).
fn isolate(file: &mut Table, keys: &[String]) {
    let isolated = |text: &str| Value::String(format!("\u{2068}{text}\u{2069}"));
    for key in keys {
        match file.get_mut(key) {
            Some(Value::Array(pair)) => {
                pair.iter_mut()
                    .for_each(|text| *text = isolated(text.as_str().unwrap_or_default()));
            }
            Some(text) => *text = isolated(text.as_str().unwrap_or_default()),
            None => {}
        }
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Returns the names in braces, each once, sorted.
fn placeholders(text: &str) -> Vec<&str> {
    let names = text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Replaces the placeholders of a text; values are not read again.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut whole = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        whole.push_str(before);
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        whole.push_str(values.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value));
        rest = behind;
    }
    whole.push_str(rest);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_language_has_every_text_with_its_placeholders() {
        for (language, text) in FILES {
            let read = Words::parse(text).unwrap_or_else(|error| panic!("{language}: {error}"));
            assert_eq!((read.words.language, read.missing), (language, vec![]));
            let sms = &read.words.sms;
            for apology in [
                &sms.beyond_limits,
                &sms.too_long,
                &sms.too_few,
                &sms.too_many,
                &sms.exclusive,
                &sms.unclear,
            ] {
                // Otherwise a reminder would repeat it.
                assert!(apology.starts_with(&sms.apology), "{language}: {apology}");
                assert!(apology.ends_with(&sms.sentence_end), "{language}: {apology}");
            }
        }
        assert_eq!(Words::built_in().each_ref().map(|words| words.language), Language::USUAL);
    }

    #[test]
    fn traditional_chinese_has_no_simplified_characters() {
        let simplified =
            "们这时间请问谢评价单个内容见说选项写确认电话联系开关点击没为还进结续缩现无处从会样员";
        let traditional = FILES[2].1;
        let wrong: Vec<char> = simplified.chars().filter(|c| traditional.contains(*c)).collect();
        // These are written the same in both.
        let wrong: Vec<char> = wrong.into_iter().filter(|c| !"容系的".contains(*c)).collect();
        assert_eq!(wrong, Vec::<char>::new());
        // Hong Kong says 短訊, Taiwan 簡訊: neither stands in a text.
        let texts = traditional.lines().filter(|line| !line.starts_with('#'));
        assert!(!texts.collect::<String>().contains(['訊']));
    }

    #[test]
    fn a_file_may_lack_texts_but_not_placeholders() {
        let read = Words::parse("language = \"ar\"\nnext = \"التالي\"\n").unwrap();
        assert_eq!(read.words.next, "التالي");
        assert_eq!(read.words.back, "\u{2068}Back\u{2069}", "it runs against the page");
        assert_eq!((read.words.sms.day.get(..5), read.instead), (Some("Reply"), Language::EN));
        assert!(
            read.missing.contains(&"back".to_owned())
                && read.missing.contains(&"sms.scale".to_owned())
        );
        assert!(!read.missing.contains(&"next".to_owned()));
        let read = Words::parse("language = \"zh-Hant-HK\"\n").unwrap();
        assert_eq!((read.words.next.as_str(), read.instead), ("下一頁", Language::ZH_HANT));
        let error = |text: &str| Words::parse(text).unwrap_err().to_string();
        assert!(error("next = \"a\"").starts_with("language: "));
        assert!(error("language = \"arabic\"").starts_with("language: "));
        assert_eq!(error("language = \"ar\"\nnexxt = \"a\""), "nexxt: there is no such text");
        assert!(error("language = \"ar\"\nnext = \" \"").contains("next: the text is empty"));
        let scale = error("language = \"ar\"\n[sms]\nscale = \"{from} {to} {low} {hihg}\"");
        assert!(
            scale.starts_with("sms.scale: ") && scale.contains("{from} {high} {low} {to}"),
            "{scale}"
        );
        assert!(error("language = \"ar\"\nthanks = \"a\"").contains("thanks: it must be 2 texts"));
        assert!(error("language = \"ar\"\n[sms]\nabout = 3").contains("sms.about"));
    }

    #[test]
    fn an_exported_file_reads_back() {
        for language in Language::USUAL {
            let read = Words::parse(&Words::export(language)).unwrap();
            assert_eq!((read.words.language, read.missing), (language, vec![]));
            assert_eq!(read.words.next, Words::of(language).next);
        }
        let arabic = Words::export(Language::from_tag("ar").unwrap());
        assert!(
            arabic.contains("language = \"ar\"")
                && arabic.contains("# en: next = \"Next\"\nnext = \"Next\"")
        );
        let untranslated = Words::parse(&arabic).unwrap();
        assert!(untranslated.missing.is_empty() && untranslated.english.len() > 50);
        let begun =
            Words::parse(&arabic.replace("next = \"Next\"\n", "next = \"التالي\"\n")).unwrap();
        assert!(untranslated.english.contains(&"next".to_owned()));
        assert!(untranslated.english.contains(&"sms.scale".to_owned()));
        assert!(!begun.english.contains(&"next".to_owned()));
        for language in Language::USUAL {
            let read = Words::parse(&Words::export(language)).unwrap();
            assert_eq!(read.english, Vec::<String>::new(), "{language}");
        }
        assert!(Words::export(Language::from_tag("zh-HK").unwrap()).contains("next = \"下一頁\""));
    }

    #[test]
    fn values_may_have_braces() {
        assert_eq!(fill("{a}-{b}", &[("a", "{b}"), ("b", "x")]), "{b}-x");
    }
}
