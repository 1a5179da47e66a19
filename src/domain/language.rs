//! The languages of texts and interviews: BCP 47 tags, and texts in several languages.

use std::cmp::Ordering;
use std::fmt;

use icu_locale_core::LanguageIdentifier;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tinystr::TinyAsciiStr;

/// The longest tag, in bytes: language, script, region and a variant fit.
const MAX_TAG: usize = 15;

/// The language of a text, a page or an interview: a BCP 47 tag in its canonical spelling.
///
/// `zh` is Chinese in simplified characters, as databases and datasets have always written it; every
/// tag that means the same (`zh-CN`, `zh-Hans`, `cmn`) becomes `zh`, and Chinese of Taiwan, Hong Kong
/// and Macau becomes `zh-Hant` (the likely subtags of CLDR).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(TinyAsciiStr<MAX_TAG>);

/// Names of languages as lists and the headers of forms write them. Tags need no entry.
const NAMES: &[(&str, &[&str])] = &[
    ("yue", &["粤语", "粵語", "广东话", "廣東話", "cantonese"]),
    ("zh-Hant", &["繁体", "繁體", "正體", "正体", "traditional chinese", "chinese (traditional)"]),
    (
        "zh",
        &[
            "中",
            "汉",
            "漢",
            "华",
            "華",
            "普通话",
            "普通話",
            "国语",
            "國語",
            "简体",
            "簡體",
            "chinese",
            "mandarin",
        ],
    ),
    ("en", &["英", "english"]),
    ("pt", &["葡", "portugu"]),
    ("ar", &["阿拉伯", "arabic", "العربية"]),
    ("he", &["希伯来", "hebrew", "עברית"]),
    ("fa", &["波斯", "persian", "farsi", "فارسی"]),
    ("ur", &["乌尔都", "urdu", "اردو"]),
    ("ug", &["维吾尔", "維吾爾", "uyghur", "uighur"]),
    ("bo", &["藏", "tibetan"]),
    ("mn", &["蒙古", "mongolian"]),
    ("ja", &["日", "japanese"]),
    ("ko", &["韩", "韓", "朝鲜", "korean", "한국"]),
    ("fr", &["法", "french", "français"]),
    ("de", &["德", "german", "deutsch"]),
    ("es", &["西班牙", "spanish", "español"]),
    ("ru", &["俄", "russian", "русский"]),
    ("it", &["意大利", "italian", "italiano"]),
    ("vi", &["越", "vietnamese", "tiếng việt"]),
    ("th", &["泰", "thai", "ไทย"]),
    ("id", &["印尼", "印度尼西亚", "indonesian", "bahasa indonesia"]),
    ("ms", &["马来", "馬來", "malay", "bahasa melayu"]),
    ("fil", &["菲律宾", "菲律賓", "tagalog", "filipino"]),
    ("my", &["缅", "緬", "burmese"]),
    ("hi", &["印地", "hindi"]),
];

/// Three-letter and withdrawn codes with their present subtag (IANA language subtag registry,
/// ISO 639-3), as lists and forms still write them.
const ALIASES: &[(&str, &str)] = &[
    ("zho", "zh"),
    ("chi", "zh"),
    ("cmn", "zh"),
    ("eng", "en"),
    ("por", "pt"),
    ("ara", "ar"),
    ("arb", "ar"),
    ("heb", "he"),
    ("iw", "he"),
    ("fas", "fa"),
    ("per", "fa"),
    ("urd", "ur"),
    ("uig", "ug"),
    ("fra", "fr"),
    ("fre", "fr"),
    ("deu", "de"),
    ("ger", "de"),
    ("spa", "es"),
    ("rus", "ru"),
    ("jpn", "ja"),
    ("kor", "ko"),
    ("ita", "it"),
    ("vie", "vi"),
    ("tha", "th"),
    ("ind", "id"),
    ("in", "id"),
    ("msa", "ms"),
    ("may", "ms"),
    ("ji", "yi"),
    ("bod", "bo"),
    ("tib", "bo"),
    ("mon", "mn"),
    ("tl", "fil"),
];

/// What a language calls itself.
const AUTONYMS: &[(&str, &str)] = &[
    ("zh", "简体中文"),
    ("zh-Hant", "繁體中文"),
    ("zh-Hant-HK", "繁體中文（香港）"),
    ("zh-Hant-MO", "繁體中文（澳門）"),
    ("zh-Hant-TW", "繁體中文（台灣）"),
    ("yue", "粵語"),
    ("en", "English"),
    ("pt", "Português"),
    ("ar", "العربية"),
    ("he", "עברית"),
    ("fa", "فارسی"),
    ("ur", "اردو"),
    ("ug", "ئۇيغۇرچە"),
    ("bo", "བོད་སྐད།"),
    ("mn", "Монгол"),
    ("ja", "日本語"),
    ("ko", "한국어"),
    ("fr", "Français"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("ru", "Русский"),
    ("it", "Italiano"),
    ("vi", "Tiếng Việt"),
    ("th", "ไทย"),
    ("id", "Bahasa Indonesia"),
    ("ms", "Bahasa Melayu"),
    ("fil", "Filipino"),
    ("my", "မြန်မာ"),
    ("hi", "हिन्दी"),
];

/// Chinese languages other than Mandarin; their readers read traditional characters first.
const OTHER_CHINESE: [&str; 5] = ["yue", "nan", "hak", "gan", "wuu"];

/// Scripts that run from right to left (Unicode, bidirectional class R and AL).
const RIGHT_TO_LEFT_SCRIPTS: [&str; 9] =
    ["Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg", "Mand", "Samr"];
/// Languages written in such a script unless the tag names another.
const RIGHT_TO_LEFT: [&str; 14] =
    ["ar", "he", "fa", "ur", "ug", "ps", "sd", "ckb", "dv", "yi", "ks", "arz", "azb", "syr"];

impl Language {
    /// Chinese in simplified characters.
    pub const ZH: Language = Language(tinystr::tinystr!(15, "zh"));
    pub const EN: Language = Language(tinystr::tinystr!(15, "en"));
    /// Chinese in traditional characters.
    pub const ZH_HANT: Language = Language(tinystr::tinystr!(15, "zh-Hant"));
    pub const PT: Language = Language(tinystr::tinystr!(15, "pt"));

    /// The languages that the program itself has words in.
    pub const USUAL: [Language; 4] = [Language::ZH, Language::EN, Language::ZH_HANT, Language::PT];

    /// Returns the BCP 47 tag, as stored, sent in HTML and written into datasets.
    pub fn tag(&self) -> &str {
        self.0.as_str()
    }

    /// Parses a BCP 47 tag of at most 15 characters. `None`: it is no such tag, or one with
    /// extensions or private use, which no text needs.
    pub fn from_tag(raw: &str) -> Option<Language> {
        let raw = raw.trim().replace('_', "-");
        let id: LanguageIdentifier = raw.parse().ok()?;
        // A word of four to eight letters («dutch») is a reserved or a registered language subtag,
        // and nobody has ever been assigned one.
        if id.language.is_unknown() || id.language.as_str().len() > 3 {
            return None;
        }
        let canonical = id.to_string();
        let (first, rest) = canonical.split_at(canonical.find('-').unwrap_or(canonical.len()));
        let first = ALIASES.iter().find(|(old, _)| *old == first).map_or(first, |(_, now)| now);
        let tag = match (first, rest) {
            ("zh", "-Hans" | "-CN" | "-SG" | "-MY" | "-Hans-CN" | "-Hans-SG") => "zh".to_owned(),
            ("zh", "-TW" | "-HK" | "-MO") => "zh-Hant".to_owned(),
            _ => format!("{first}{rest}"),
        };
        TinyAsciiStr::try_from_str(&tag).ok().map(Language)
    }

    /// Parses a tag, or the name of a language in a list or a form (`中文`, `繁體`, `Português`,
    /// `zh-HK`, `English (en)`, …). A tag in brackets counts before the name.
    pub fn parse(raw: &str) -> Option<Language> {
        let lower = raw.trim().to_lowercase();
        if let Some(tag) = bracketed(&lower) {
            return Language::from_tag(tag);
        }
        let named =
            |(_, names): &&(&str, &[&str])| names.iter().any(|name| lower.starts_with(name));
        NAMES
            .iter()
            .find(named)
            .and_then(|(tag, _)| Language::from_tag(tag))
            .or_else(|| Language::from_tag(&lower))
    }

    /// Returns the first subtag.
    pub fn base(&self) -> &str {
        self.tag().split('-').next().unwrap_or_default()
    }

    /// Returns the code of three letters of ISO 639 (`zho`), as older formats want it.
    pub fn three_letters(&self) -> &str {
        let base = self.base();
        ALIASES
            .iter()
            .find(|(code, now)| *now == base && code.len() == 3)
            .map_or(base, |(code, _)| code)
    }

    /// Whether it is a Chinese language, in whichever characters.
    pub fn is_chinese(&self) -> bool {
        self.base() == "zh" || OTHER_CHINESE.contains(&self.base())
    }

    /// Whether it is Chinese in traditional characters.
    pub fn is_traditional(&self) -> bool {
        self.is_chinese()
            && !self.tag().contains("-Hans")
            && (self.base() != "zh" || self.tag().starts_with("zh-Hant"))
    }

    /// Returns `rtl` or `ltr`, the direction in which the language is written.
    pub fn direction(&self) -> &'static str {
        let script = self.tag().split('-').skip(1).find(|subtag| subtag.len() == 4);
        let is_right_to_left = match script {
            Some(script) => RIGHT_TO_LEFT_SCRIPTS.contains(&script),
            None => RIGHT_TO_LEFT.contains(&self.base()),
        };
        if is_right_to_left { "rtl" } else { "ltr" }
    }

    /// Returns what the language calls itself; its tag where this is not known.
    pub fn autonym(&self) -> String {
        let known = |tag: &str| AUTONYMS.iter().find(|(known, _)| *known == tag).map(|(_, n)| *n);
        match (known(self.tag()), known(self.base())) {
            (Some(name), _) => name.to_owned(),
            (None, Some(name)) => format!("{name} ({})", self.tag()),
            (None, None) => self.tag().to_owned(),
        }
    }

    /// Returns the languages in which its reader is served, best first: the tag itself, then
    /// shorter and shorter ones (RFC 4647, section 3.4). Other Chinese languages come to
    /// `zh-Hant`, and Chinese in either characters is read by who reads the other.
    pub fn fallbacks(self) -> impl Iterator<Item = Language> {
        std::iter::successors(Some(self), |language| {
            if OTHER_CHINESE.contains(&language.tag()) {
                return Some(Language::ZH_HANT);
            }
            let (shorter, _) = language.tag().rsplit_once('-')?;
            Language::from_tag(shorter)
        })
    }

    /// Chooses among languages, in their order of preference: the first of
    /// [`Language::fallbacks`], then one of the same base language (`pt-BR` for `pt`, `zh-Hant`
    /// for `zh`), then the first. `None` only if there are none.
    pub fn choose(self, among: impl Iterator<Item = Language> + Clone) -> Option<Language> {
        self.choose_own(among.clone()).or_else(|| among.clone().next())
    }

    /// Chooses like [`Language::choose`], but nothing in a foreign language.
    pub fn choose_own(self, among: impl Iterator<Item = Language> + Clone) -> Option<Language> {
        self.fallbacks().find(|wanted| among.clone().any(|there| there == *wanted)).or_else(|| {
            among.clone().find(|there| {
                there.base() == self.base() || there.is_chinese() && self.is_chinese()
            })
        })
    }
}

/// Returns the tag in the brackets of `Português (pt)`; `None` if a name or nothing stands there.
fn bracketed(name: &str) -> Option<&str> {
    let (_, rest) = name.rsplit_once(['(', '（'])?;
    let (tag, _) = rest.split_once([')', '）'])?;
    let tag = tag.trim();
    let is_tag = !tag.is_empty()
        && tag.split(['-', '_']).next().is_some_and(|base| (2..=3).contains(&base.len()))
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    is_tag.then_some(tag)
}

impl Language {
    /// Returns the language in which a page opens for somebody who was written to in one, by what
    /// their browser accepts (RFC 9110, section 12.5.4). It stays the language of the message, in the
    /// characters that they read, unless the browser does not name it and names another that there
    /// is: then they are somebody who was taken for a reader of it.
    pub fn for_browser(self, accepted: &str, among: &[Language]) -> Language {
        let mut read: Vec<(Language, f32)> = Vec::new();
        // What browsers send is short.
        for part in accepted.split(',').take(20) {
            let (tag, weight) = part.split_once(';').unwrap_or((part, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok());
            let weight: f32 = weight.unwrap_or(0.0);
            if let Some(language) = Language::from_tag(tag.trim())
                && weight > 0.0
            {
                read.push((language, weight));
            }
        }
        read.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let choice = |language: Language| language.choose_own(among.iter().copied());
        let is_own = |language: &Language| {
            language.base() == self.base() || language.is_chinese() && self.is_chinese()
        };
        let mut same = read.iter().filter(|(language, _)| is_own(language));
        match same.next() {
            Some((language, _)) => choice(*language).unwrap_or(self),
            None => read.iter().find_map(|(language, _)| choice(*language)).unwrap_or(self),
        }
    }
}

impl Default for Language {
    fn default() -> Language {
        Language::ZH
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// Chinese, English, then by tag: the order of everything that lists languages.
impl Ord for Language {
    fn cmp(&self, other: &Language) -> Ordering {
        let rank = |language: &Language| match *language {
            Language::ZH => 0,
            Language::EN => 1,
            _ => 2,
        };
        rank(self).cmp(&rank(other)).then_with(|| self.tag().cmp(other.tag()))
    }
}

impl PartialOrd for Language {
    fn partial_cmp(&self, other: &Language) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.tag())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Language, D::Error> {
        let tag = String::deserialize(deserializer)?;
        Language::from_tag(&tag).ok_or_else(|| D::Error::custom(not_a_tag(&tag)))
    }
}

fn not_a_tag(tag: &str) -> String {
    format!("«{tag}» is no language tag of BCP 47; write one like zh, en, zh-Hant or pt")
}

impl JsonSchema for Language {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Language".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": TAG_PATTERN,
            "description": "A language tag of BCP 47: zh, en, zh-Hant, pt, yue, ar, …"
        })
    }
}

const TAG_PATTERN: &str = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$";

/// The language of staff pages and of the program's own messages to staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConsoleLanguage {
    #[default]
    Zh,
    En,
}

impl ConsoleLanguage {
    /// Returns the BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            ConsoleLanguage::Zh => "zh",
            ConsoleLanguage::En => "en",
        }
    }

    /// Parses a tag or the name of a language; `None` if staff pages do not have it.
    pub fn parse(raw: &str) -> Option<ConsoleLanguage> {
        let language = Language::parse(raw)?;
        match language.base() {
            "en" => Some(ConsoleLanguage::En),
            _ if language.is_chinese() => Some(ConsoleLanguage::Zh),
            _ => None,
        }
    }
}

impl From<ConsoleLanguage> for Language {
    fn from(language: ConsoleLanguage) -> Language {
        match language {
            ConsoleLanguage::Zh => Language::ZH,
            ConsoleLanguage::En => Language::EN,
        }
    }
}

/// A text in one or more languages, in their order of preference: of two languages that are both
/// foreign to a reader, the earlier one is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalizedText(Vec<(Language, String)>);

impl LocalizedText {
    /// A text in Chinese and English.
    pub fn zh_en(zh: impl Into<String>, en: impl Into<String>) -> LocalizedText {
        LocalizedText(vec![(Language::ZH, zh.into()), (Language::EN, en.into())])
    }

    /// A text in one language.
    pub fn only(language: Language, text: impl Into<String>) -> LocalizedText {
        LocalizedText(vec![(language, text.into())])
    }

    /// A text in the given languages, the preferred first; of a language that comes twice, the
    /// first text. `None`: no language.
    pub fn new(texts: impl IntoIterator<Item = (Language, String)>) -> Option<LocalizedText> {
        let mut kept: Vec<(Language, String)> = Vec::new();
        for (language, text) in texts {
            if !kept.iter().any(|(other, _)| *other == language) {
                kept.push((language, text));
            }
        }
        (!kept.is_empty()).then_some(LocalizedText(kept))
    }

    /// Returns the text that a reader of the language is shown (see [`Language::choose`]).
    pub fn in_language(&self, language: Language) -> &str {
        let chosen = language.choose(self.languages());
        self.0.iter().find(|(own, _)| Some(*own) == chosen).map_or("", |(_, text)| text)
    }

    /// Returns the text in exactly this language.
    pub fn get(&self, language: Language) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == language).map(|(_, text)| text.as_str())
    }

    /// Returns the text in the preferred language.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", |(_, text)| text)
    }

    /// Returns the text in the next language; empty if there is only one.
    pub fn second(&self) -> &str {
        self.0.get(1).map_or("", |(_, text)| text)
    }

    /// Returns the text for readers of Chinese.
    pub fn zh(&self) -> &str {
        self.in_language(Language::ZH)
    }

    /// Returns the text for readers of English.
    pub fn en(&self) -> &str {
        self.in_language(Language::EN)
    }

    /// Returns its languages, the preferred first.
    pub fn languages(&self) -> impl Iterator<Item = Language> + Clone + '_ {
        self.0.iter().map(|(language, _)| *language)
    }

    /// Returns its texts, that of the preferred language first.
    pub fn iter(&self) -> impl Iterator<Item = (Language, &str)> + Clone {
        self.0.iter().map(|(language, text)| (*language, text.as_str()))
    }

    /// Changes the text of each language.
    pub fn map(&self, mut change: impl FnMut(Language, &str) -> String) -> LocalizedText {
        LocalizedText(
            self.0.iter().map(|(language, text)| (*language, change(*language, text))).collect(),
        )
    }

    /// Puts the languages into this order of preference; others follow as they were.
    pub fn sort_by_preference(&mut self, order: &[Language]) {
        let rank = |language: &Language| {
            order.iter().position(|other| other == language).unwrap_or(order.len())
        };
        self.0.sort_by_key(|(language, _)| rank(language));
    }
}

impl Serialize for LocalizedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (language, text) in &self.0 {
            map.serialize_entry(language, text)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for LocalizedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LocalizedText, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = LocalizedText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text by language, such as { zh = \"…\", en = \"…\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LocalizedText, A::Error> {
                let mut texts: Vec<(Language, String)> = Vec::new();
                while let Some((tag, text)) = map.next_entry::<String, String>()? {
                    let language = Language::from_tag(&tag)
                        .ok_or_else(|| A::Error::custom(not_a_tag(&tag)))?;
                    if texts.iter().any(|(other, _)| *other == language) {
                        return Err(A::Error::custom(format!(
                            "the text stands twice in language {language}"
                        )));
                    }
                    texts.push((language, text));
                }
                // Files list keys as they like: Chinese and English have always come first.
                if texts.iter().any(|(language, _)| *language == Language::ZH) {
                    texts.sort_by_key(|(language, _)| match *language {
                        Language::ZH => 0,
                        Language::EN => 1,
                        _ => 2,
                    });
                }
                LocalizedText::new(texts)
                    .ok_or_else(|| A::Error::custom("the text is missing in every language"))
            }
        }
        deserializer.deserialize_map(Texts)
    }
}

impl JsonSchema for LocalizedText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LocalizedText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A text by language tag (BCP 47): { zh = \"…\", en = \"…\", zh-Hant = \"…\", pt = \"…\" }.",
            "minProperties": 1,
            "properties": { "zh": { "type": "string" }, "en": { "type": "string" } },
            "patternProperties": { TAG_PATTERN: { "type": "string" } },
            "additionalProperties": false
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(raw: &str) -> Option<String> {
        Language::parse(raw).map(|language| language.to_string())
    }

    #[test]
    fn cells_of_lists_are_read_by_tag_and_by_name() {
        for (raw, expected) in [
            ("中文", "zh"),
            ("zh-CN", "zh"),
            ("zh_Hans_CN", "zh"),
            ("ZH", "zh"),
            ("Chinese", "zh"),
            ("普通话", "zh"),
            ("简体中文", "zh"),
            ("zh-TW", "zh-Hant"),
            ("zh-HK", "zh-Hant"),
            ("zh_MO", "zh-Hant"),
            ("繁体", "zh-Hant"),
            ("繁體中文", "zh-Hant"),
            ("Traditional Chinese", "zh-Hant"),
            ("Chinese (Traditional)", "zh-Hant"),
            ("zh-Hant-HK", "zh-Hant-HK"),
            ("粤语", "yue"),
            ("廣東話", "yue"),
            ("yue", "yue"),
            ("English", "en"),
            ("en-GB", "en-GB"),
            ("英文", "en"),
            ("葡文", "pt"),
            ("葡语", "pt"),
            ("葡語", "pt"),
            ("Português", "pt"),
            ("português (pt)", "pt"),
            ("PT-br", "pt-BR"),
            ("العربية", "ar"),
            ("ARA", "ar"),
            ("iw", "he"),
            ("cmn-Hant", "zh-Hant"),
        ] {
            assert_eq!(of(raw).as_deref(), Some(expected), "{raw}");
        }
        for raw in ["", "?", "nonsense", "x-private", "und", "Bengali", "a", "en-US-u-ca-buddhist"]
        {
            assert_eq!(of(raw), None, "{raw}");
        }
    }

    #[test]
    fn who_has_no_text_of_his_own_is_shown_the_nearest() {
        let choose = |wanted: &str, among: &[&str]| {
            let among: Vec<Language> =
                among.iter().map(|tag| Language::from_tag(tag).unwrap()).collect();
            Language::from_tag(wanted).unwrap().choose(among.iter().copied()).unwrap().to_string()
        };
        assert_eq!(choose("zh-Hant-HK", &["en", "zh", "zh-Hant"]), "zh-Hant");
        assert_eq!(choose("yue", &["en", "zh", "zh-Hant"]), "zh-Hant");
        assert_eq!(choose("yue", &["en", "zh"]), "zh");
        assert_eq!(choose("zh-Hant", &["en", "zh"]), "zh");
        assert_eq!(choose("zh", &["en", "zh-Hant"]), "zh-Hant");
        assert_eq!(choose("pt", &["en", "pt-BR"]), "pt-BR");
        assert_eq!(choose("pt-MO", &["en", "pt"]), "pt");
        assert_eq!(choose("ar", &["pt", "zh", "en"]), "pt");
    }

    #[test]
    fn the_script_decides_the_direction() {
        let direction = |tag: &str| Language::from_tag(tag).unwrap().direction();
        for tag in ["ar", "he", "fa", "ur", "ug", "ar-EG", "az-Arab", "iw", "pa-Arab"] {
            assert_eq!(direction(tag), "rtl", "{tag}");
        }
        for tag in ["zh", "zh-Hant", "en", "pt", "ug-Latn", "az", "mn"] {
            assert_eq!(direction(tag), "ltr", "{tag}");
        }
    }

    fn any_language() -> impl Strategy<Value = Language> {
        const TAGS: [&str; 10] =
            ["zh", "en", "zh-Hant", "zh-Hant-HK", "yue", "pt", "pt-BR", "ar", "he", "uz-Arab"];
        prop_oneof![
            proptest::sample::select(&TAGS[..]).prop_map(str::to_owned),
            "[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?"
        ]
        .prop_filter_map("no tag", |tag| Language::from_tag(&tag))
    }

    proptest! {
        #[test]
        fn every_reader_is_shown_a_text(
            wanted in any_language(),
            texts in prop::collection::vec((any_language(), "[a-z]{1,8}"), 1..5),
        ) {
            let text = LocalizedText::new(texts).unwrap();
            prop_assert!(!text.in_language(wanted).is_empty());
            let own = text.get(wanted);
            prop_assert!(own.is_none() || own == Some(text.in_language(wanted)));
            // A language has one spelling, and comes back from the database as it went in.
            prop_assert_eq!(Language::from_tag(wanted.tag()), Some(wanted));
            prop_assert_eq!(Language::parse(wanted.tag()), Some(wanted));
            let json = serde_json::to_string(&text).unwrap();
            let mut back: LocalizedText = serde_json::from_str(&json).unwrap();
            back.sort_by_preference(&text.languages().collect::<Vec<_>>());
            prop_assert_eq!(back, text);
        }

        #[test]
        fn no_cell_breaks_the_reader(raw in "\\PC{0,20}") {
            if let Some(language) = Language::parse(&raw) {
                prop_assert!(language.fallbacks().count() < 8);
                prop_assert!(!language.autonym().is_empty());
            }
        }
    }
}
