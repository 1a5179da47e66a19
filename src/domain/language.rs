//! The languages of texts and interviews.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A language of texts and pages. The programme's respondents read Chinese; English is for guests
/// and reviewers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    Zh,
    En,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::Zh, Language::En];

    /// Returns the BCP 47 tag, as stored, sent in HTML and written into datasets.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Zh => "zh",
            Language::En => "en",
        }
    }

    /// Parses a tag, or the name of a language in a list (`中文`, `English`, `zh-CN`, …).
    pub fn parse(raw: &str) -> Option<Language> {
        let raw = raw.trim().to_lowercase();
        if raw.starts_with("zh")
            || raw.starts_with("中")
            || raw.starts_with("汉")
            || raw == "chinese"
        {
            Some(Language::Zh)
        } else if raw.starts_with("en") || raw.starts_with("英") {
            Some(Language::En)
        } else {
            None
        }
    }

    /// Returns the language that the language switch offers.
    pub fn other(self) -> Language {
        match self {
            Language::Zh => Language::En,
            Language::En => Language::Zh,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// A text that exists in every language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalizedText {
    pub zh: String,
    pub en: String,
}

impl LocalizedText {
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.zh,
            Language::En => &self.en,
        }
    }
}
