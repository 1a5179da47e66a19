//! The privacy notice that a respondent reads and agrees to before the first question (PIPL art. 14
//! and 17).

use serde::{Deserialize, Serialize};

use super::language::{Language, LocalizedText};

/// One version of a notice. A consent refers to the version, so a changed text needs a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyNotice {
    pub version: String,
    /// Whether the text says that browser and network are recorded as code words, to find answers
    /// that did not come from the persons themselves. Otherwise none are recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub records_origin: bool,
    /// Whether the text says that the answers of one person in several programmes of an applicant
    /// can be put side by side. Otherwise datasets have no pseudonym for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub panel: bool,
    /// Paragraphs separated by line breaks; `{applicant}` and `{programme}` are replaced.
    pub text: LocalizedText,
}

impl PrivacyNotice {
    /// Returns the first problem of the notice, with its key.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let is_version = !self.version.is_empty()
            && self.version.len() <= 40
            && self.version.chars().all(|c| c.is_ascii_graphic());
        if !is_version {
            return Some((
                "privacy.version",
                "use letters, digits and signs without blanks, at most 40",
            ));
        }
        let is_good = |text: &str| !text.trim().is_empty() && text.chars().count() <= 3_000;
        (!self.text.iter().all(|(_, text)| is_good(text)))
            .then_some(("privacy.text", "must not be empty, at most 3,000 characters each"))
    }

    /// Returns the paragraphs with their placeholders replaced.
    pub fn paragraphs(
        &self,
        language: Language,
        applicant: &str,
        programme: &LocalizedText,
    ) -> Vec<String> {
        // Like the words around it, in English for readers whose language it lacks.
        let language = language.choose_own(self.text.languages()).unwrap_or(Language::EN);
        let filled = self
            .text
            .in_language(language)
            .replace("{applicant}", applicant)
            .replace("{programme}", programme.in_language(language));
        filled.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

/// The notice of a programme without its own. It has no contact address, which a programme's own
/// notice should have.
impl Default for PrivacyNotice {
    fn default() -> PrivacyNotice {
        PrivacyNotice {
            version: "standard-2".to_owned(),
            records_origin: true,
            panel: false,
            text: LocalizedText::zh_en(
                "您的姓名和电话由{applicant}提供，只用于邀请您参加「{programme}」。\n\
                     我们记录您的回答、作答时间和所用设备的种类（手机或电脑）；交付评分的数据不含姓名和电话，只用于统计。\n\
                     为识别他人代答，我们把浏览器和网络换算成无法还原的代码进行比对，不保存网络地址，也不用于其他目的。\n\
                     个人信息加密保存，查看均有记录，评价结束后删除。\n\
                     参加完全自愿。您可以随时停止或撤回同意，撤回后您的回答不再使用，我们也不再联系您。",
                "Your name and number come from {applicant} and are used only to invite you \
                    to “{programme}”.\n\
                     We record your answers, the time they took and the kind of your device \
                     (phone or computer). What is handed to scoring holds no name and no number \
                     and is used for statistics only.\n\
                     To find answers given by somebody else, your browser and network are turned \
                    into a code that cannot be turned back and compared; no address is kept, and \
                    it serves nothing else.\n\
                     Personal data are kept encrypted, every look at them is recorded, and they \
                     are deleted when the rating is over.\n\
                     Taking part is voluntary. You can stop or withdraw your consent at any \
                     time; your answers are then not used and we do not contact you again.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_who_gave_the_number_and_has_a_version() {
        let notice = PrivacyNotice::default();
        assert_eq!(notice.problem(), None);
        let programme = LocalizedText::zh_en("评价", "Rating");
        let paragraphs = notice.paragraphs(Language::ZH, "甲公司", &programme);
        assert!(
            paragraphs.len() == 5
                && paragraphs[0].contains("甲公司")
                && paragraphs[0].contains("「评价」"),
            "{paragraphs:?}"
        );
        assert!(!notice.paragraphs(Language::EN, "A", &programme).join("").contains('{'));
        let portuguese = notice.paragraphs(Language::PT, "A", &programme);
        assert_eq!(portuguese, notice.paragraphs(Language::EN, "A", &programme));
        let traditional = notice.paragraphs(Language::ZH_HANT, "A", &programme);
        assert_eq!(traditional, notice.paragraphs(Language::ZH, "A", &programme));
        let without = PrivacyNotice { version: "two words".into(), ..PrivacyNotice::default() };
        assert_eq!(without.problem().map(|(key, _)| key), Some("privacy.version"));
    }
}
