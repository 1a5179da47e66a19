//! The meaning of an SMS reply, by a table of words ([`ReplyWords`]).
//!
//! The law asks for any reasonable way of saying no (PIPL art. 15; 47 CFR 64.1200(a)(10)), so the
//! table is wide, and what it does not know is left to a person.

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The meaning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyMeaning {
    /// Contact must stop at once.
    OptOut,
    /// The person lifts their own opt-out.
    Resubscribe,
    /// «Call me»: staff must act.
    CallMe,
    /// The number is another person's.
    WrongNumber,
    /// An answer, or for the staff's inbox.
    Other,
}

impl ReplyMeaning {
    pub fn as_str(self) -> &'static str {
        match self {
            ReplyMeaning::OptOut => "opt_out",
            ReplyMeaning::Resubscribe => "resubscribe",
            ReplyMeaning::CallMe => "call_me",
            ReplyMeaning::WrongNumber => "wrong_number",
            ReplyMeaning::Other => "other",
        }
    }
}

/// The words of replies, as `config/reply-words.toml` has them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyWords {
    /// Polite words and signatures around the others.
    #[serde(default)]
    fillers: Vec<String>,
    opt_out: Words,
    #[serde(default)]
    resubscribe: Words,
    #[serde(default)]
    call_me: Words,
    #[serde(default)]
    wrong_number: Words,
    /// Words that make a short reply one for a person to read, whatever has been asked.
    #[serde(default)]
    upset: Words,
}

/// The words of one meaning.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    /// The whole reply, apart from fillers, punctuation and repetition.
    #[serde(default)]
    whole: Vec<String>,
    /// Likewise, but an answer where a question is open.
    #[serde(default)]
    whole_unless_asked: Vec<String>,
    /// Anywhere in the reply.
    #[serde(default)]
    phrases: Vec<String>,
    /// Likewise, but an answer where a question is open.
    #[serde(default)]
    phrases_unless_asked: Vec<String>,
    /// Two phrases, one soon after the other: «别» and «发», «do not» and «text».
    #[serde(default)]
    pairs: Vec<Pair>,
    /// Words that the reply begins or ends with («STOP ads», «I said STOP»), if it is short and no
    /// question is open.
    #[serde(default)]
    at_either_end: Vec<String>,
    /// Taken out of the reply before phrases are looked for: they only look like one.
    #[serde(default)]
    except: Vec<String>,
}

/// Two phrases that mean something together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    first: Vec<String>,
    then: Vec<String>,
    /// At most so many words or Chinese characters stand between them.
    within: usize,
    /// Whether it counts only where no question is open.
    #[serde(default)]
    unless_asked: bool,
}

/// A table of words that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReplyWordsError(String);

/// Longest reply that is looked at; no message is longer.
const MAX_CHARS: usize = 2_000;

impl ReplyWords {
    /// Reads a table. The error names the place.
    pub fn parse(text: &str) -> Result<ReplyWords, ReplyWordsError> {
        let mut words: ReplyWords = toml::from_str(text)
            .map_err(|error| ReplyWordsError(error.to_string().trim().replace('\n', " ")))?;
        fold_all(&mut words.fillers);
        // The longest first: «谢谢您» before «谢谢».
        words.fillers.sort_by_key(|filler| std::cmp::Reverse(filler.len()));
        let fillers = words.fillers.clone();
        for table in [
            &mut words.opt_out,
            &mut words.resubscribe,
            &mut words.call_me,
            &mut words.wrong_number,
            &mut words.upset,
        ] {
            for list in [
                &mut table.whole,
                &mut table.whole_unless_asked,
                &mut table.phrases,
                &mut table.phrases_unless_asked,
                &mut table.except,
            ] {
                fold_all(list);
            }
            for whole in [&mut table.whole, &mut table.whole_unless_asked] {
                let bare: Vec<String> = whole
                    .iter()
                    .map(|word| (word, without_fillers(word, &fillers)))
                    // What is left is most of it.
                    .filter(|(word, bare)| bare.len() * 3 > word.len() * 2)
                    .map(|(_, bare)| bare)
                    .collect();
                whole.extend(bare);
            }
            fold_all(&mut table.at_either_end);
            for pair in &mut table.pairs {
                fold_all(&mut pair.first);
                fold_all(&mut pair.then);
            }
        }
        if words.opt_out.whole.is_empty() {
            return Err(ReplyWordsError(
                "opt_out.whole is empty; nobody could opt out by SMS".into(),
            ));
        }
        Ok(words)
    }

    /// The table that comes with the program.
    pub fn shipped() -> &'static ReplyWords {
        static SHIPPED: std::sync::LazyLock<ReplyWords> = std::sync::LazyLock::new(|| {
            // A test reads it.
            ReplyWords::parse(include_str!("../../config/reply-words.toml"))
                .expect("the shipped table is right")
        });
        &SHIPPED
    }

    /// Returns the meaning of a reply. `is_asked`: a question is open, to which short words may be
    /// the answer.
    pub fn meaning(&self, text: &str, is_asked: bool) -> ReplyMeaning {
        let reply = Folded::of(text, &self.fillers);
        for (table, meaning) in [
            (&self.resubscribe, ReplyMeaning::Resubscribe),
            (&self.opt_out, ReplyMeaning::OptOut),
            (&self.wrong_number, ReplyMeaning::WrongNumber),
            (&self.call_me, ReplyMeaning::CallMe),
        ] {
            if table.says(&reply, is_asked) {
                return meaning;
            }
        }
        ReplyMeaning::Other
    }

    /// Returns whether a reply is upset: a person reads it, and no machine answers it.
    pub fn is_upset(&self, text: &str, is_asked: bool) -> bool {
        self.upset.says(&Folded::of(text, &self.fillers), is_asked)
    }
}

impl Words {
    fn says(&self, reply: &Folded, is_asked: bool) -> bool {
        let is_whole = |words: &[String]| words.iter().any(|word| reply.is_all(word));
        if is_whole(&self.whole) || (!is_asked && is_whole(&self.whole_unless_asked)) {
            return true;
        }
        // A sentence or a line of its own: «STOP - J. Smith», «T», and below it a signature.
        let is_sentence = |words: &[String]| {
            reply.sentences.iter().any(|sentence| {
                !self.except.contains(&sentence.words)
                    && words.iter().any(|word| sentence.is_all(word))
            })
        };
        let is_lead = |words: &[String]| {
            reply.lead.as_ref().is_some_and(|lead| words.contains(lead))
                && !self.except.iter().any(|phrase| reply.words.starts_with(phrase.as_str()))
        };
        if is_lead(&self.whole)
            || is_sentence(&self.whole)
            || (!is_asked && is_sentence(&self.whole_unless_asked))
        {
            return true;
        }
        let left = reply.without(&self.except);
        let is_within = |words: &[String]| words.iter().any(|word| left.contains(word.as_str()));
        is_within(&self.phrases)
            || (!is_asked && is_within(&self.phrases_unless_asked))
            || (!is_asked && self.is_at_an_end(&left))
            || self
                .pairs
                .iter()
                .any(|pair| !(is_asked && pair.unless_asked) && pair.is_within(&left))
    }

    fn is_at_an_end(&self, words: &str) -> bool {
        let count = words.split_whitespace().count();
        self.at_either_end.iter().any(|word| {
            (count <= SHORT_BEGINNING && words.starts_with(word.as_str()))
                || (count <= SHORT_END && words.ends_with(word.as_str()))
        })
    }
}

/// Most words of a reply whose first word tells its meaning, and of one whose last does.
const SHORT_BEGINNING: usize = 3;
const SHORT_END: usize = 8;

impl Pair {
    fn is_within(&self, words: &str) -> bool {
        self.first.iter().any(|first| {
            words.match_indices(first.as_str()).any(|(at, _)| {
                // The space at its end begins what follows.
                let tail = &words[at + first.len() - 1..];
                self.then.iter().any(|then| {
                    tail.find(then.as_str()).is_some_and(|found| {
                        let between = &tail[..found];
                        !between.contains('|') && between.split_whitespace().count() <= self.within
                    })
                })
            })
        })
    }
}

/// A reply in the form in which words are compared.
struct Folded {
    /// Words of Latin letters and digits, and single Chinese characters, each with a space on either
    /// side; ` ` alone is an empty reply.
    words: String,
    /// Without fillers and without spaces.
    bare: String,
    /// The same with the fillers.
    compact: String,
    /// A Latin word before a short Chinese rest: «T 李芳».
    lead: Option<String>,
    /// Its sentences and lines, if there are several.
    sentences: Vec<Folded>,
}

impl Folded {
    fn of(text: &str, fillers: &[String]) -> Folded {
        let cut: String = text.chars().take(MAX_CHARS).collect();
        let mut folded = Folded::of_sentence(&cut, fillers);
        let sentences: Vec<&str> =
            cut.split(ends_sentence).filter(|part| !part.trim().is_empty()).collect();
        if let Some(lead) = lead_of(&cut) {
            folded.lead = Some(fold(lead));
        }
        if sentences.len() > 1 {
            folded.sentences =
                sentences.into_iter().map(|part| Folded::of_sentence(part, fillers)).collect();
        }
        folded
    }

    fn of_sentence(text: &str, fillers: &[String]) -> Folded {
        let words = fold(text);
        let left = without_fillers(&words, fillers);
        let compact = without_spaces(&words);
        let bare = without_spaces(&left);
        Folded { bare, compact, words, lead: None, sentences: Vec::new() }
    }

    /// Whether the reply is this word and nothing else, once or several times.
    fn is_all(&self, word: &str) -> bool {
        let word = without_spaces(word);
        let is_repeated = |text: &str| {
            !text.is_empty()
                && !word.is_empty()
                && text.len().is_multiple_of(word.len())
                && text.as_bytes().chunks(word.len()).all(|part| part == word.as_bytes())
        };
        is_repeated(&self.bare) || is_repeated(&self.compact)
    }

    fn without(&self, phrases: &[String]) -> String {
        let mut left = self.words.clone();
        for phrase in phrases {
            while let Some(at) = left.find(phrase.as_str()) {
                // A mark that no phrase contains.
                left.replace_range(at..at + phrase.len(), " | ");
            }
        }
        left
    }
}

fn without_fillers(words: &str, fillers: &[String]) -> String {
    let mut left = words.to_owned();
    for filler in fillers {
        while let Some(at) = left.find(filler.as_str()) {
            left.replace_range(at..at + filler.len(), " ");
        }
    }
    left
}

fn without_spaces(words: &str) -> String {
    words.chars().filter(|c| *c != ' ').collect()
}

fn fold_all(words: &mut Vec<String>) {
    for word in words.iter_mut() {
        *word = fold(word);
    }
    // Marks alone are nothing, and would be found everywhere.
    words.retain(|word| word != " ");
}

/// Half width, lower case, no accents, no marks; a space around each word and each Chinese
/// character. Emoji are words too.
fn fold(text: &str) -> String {
    let mut folded = String::from(" ");
    let mut is_word = false;
    for c in shorten_runs(text).nfkd().flat_map(char::to_lowercase) {
        if is_combining_mark(c) || is_invisible(c) || matches!(c, '\'' | '’' | '`') {
            continue;
        }
        let is_latin = c.is_alphanumeric() && !is_ideograph(c);
        if is_latin {
            folded.push(c);
        } else {
            if is_word {
                folded.push(' ');
            }
            if is_ideograph(c) || is_emoji(c) {
                folded.push(c);
                folded.push(' ');
            }
        }
        is_word = is_latin;
    }
    if is_word {
        folded.push(' ');
    }
    folded
}

/// Returns the first word of «T 李芳»: Latin, with a space after it, and a name or a greeting.
fn lead_of(text: &str) -> Option<&str> {
    let (first, rest) = text.trim().split_once(char::is_whitespace)?;
    let rest = rest.trim();
    let is_short = !rest.is_empty() && rest.chars().count() <= 4 && rest.chars().all(is_ideograph);
    (is_short && first.chars().all(|c| c.is_alphanumeric() && !is_ideograph(c))).then_some(first)
}

/// «stopppp» is «stop»: three or more of a letter are one.
fn shorten_runs(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut short = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let run = chars[at..].iter().take_while(|c| **c == chars[at]).count();
        let kept = if run >= 3 && chars[at].is_alphabetic() { 1 } else { run };
        short.extend(std::iter::repeat_n(chars[at], kept));
        at += run;
    }
    short
}

fn ends_sentence(c: char) -> bool {
    c.is_control()
        || "。！？，；：、….,!?;:~～—–\"“”「」『』【】()（）<>《》|/".contains(c)
        || matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Emoji that say something; ❗ and ❓ are marks.
fn is_emoji(c: char) -> bool {
    !matches!(c, '\u{2753}'..='\u{2757}' | '\u{203c}' | '\u{2049}')
        && matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{2640}' | '\u{2642}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_ignores_what_people_do_not_mean() {
        for (text, folded) in [
            ("Ｔ。", " t "),
            ("T恤不错", " t 恤 不 错 "),
            ("Don’t STOP", " dont stop "),
            ("não", " nao "),
            ("🙅🏽‍♀️", " 🙅 "),
            ("", " "),
            ("\u{200b}退\u{feff}订", " 退 订 "),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn a_table_is_checked() {
        assert!(ReplyWords::parse("[opt_out]\nwhole = []\n").is_err());
        assert!(ReplyWords::parse("[opt_out]\nwhole = [\"T\"]\n[optout]\n").is_err());
        let own = "fillers = [\"!\"]\n[opt_out]\nwhole = [\"Basta\"]\nexcept = [\"…\"]\n";
        let own = ReplyWords::parse(own).unwrap();
        assert_eq!(own.meaning("basta!", false), ReplyMeaning::OptOut);
        assert_eq!(own.meaning("T", false), ReplyMeaning::Other);
    }

    #[test]
    fn a_short_word_is_an_answer_where_a_question_is_open() {
        let words = ReplyWords::shipped();
        for text in ["N", "no", "拒绝", "不用了，谢谢"] {
            assert_eq!(words.meaning(text, false), ReplyMeaning::OptOut, "{text}");
            assert_eq!(words.meaning(text, true), ReplyMeaning::Other, "{text}");
        }
        for text in ["T", "TD", "退订", "STOP", "别再给我发短信了"] {
            assert_eq!(words.meaning(text, true), ReplyMeaning::OptOut, "{text}");
        }
    }
}
