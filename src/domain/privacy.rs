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

    /// Returns whether a consent to a version is one to this notice: to the version itself, or to one
    /// whose text is the same in every language that it had.
    pub fn is_agreed_by(&self, version: &str) -> bool {
        version == self.version || self.version == STANDARD && version == STANDARD_BEFORE
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
            version: STANDARD.to_owned(),
            records_origin: true,
            panel: false,
            text: standard_text(),
        }
    }
}

/// The version of the standard notice.
const STANDARD: &str = "standard-3";
/// The version before, whose Chinese and English texts are the same; it had no others.
const STANDARD_BEFORE: &str = "standard-2";

fn standard_text() -> LocalizedText {
    let text = LocalizedText::zh_en(
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
    );
    let others = [
        (
            Language::ZH_HANT,
            "您的姓名和電話由{applicant}提供，只用於邀請您參加「{programme}」。\n\
                我們記錄您的回答、作答時間和所用裝置的種類（手機或電腦）；交付評分的資料不含姓名和電話，只用於統計。\n\
                為識別他人代答，我們把瀏覽器和網絡轉換成無法還原的代碼作比對，不保存網絡位址，也不用於其他目的。\n\
                個人資料加密保存，每次查閱均有記錄，評價結束後刪除。\n\
                參加完全自願。您可以隨時停止或撤回同意，撤回後您的回答不再使用，我們也不再聯絡您。",
        ),
        (
            Language::PT,
            "O seu nome e o seu número de telefone foram fornecidos por {applicant} e servem apenas \
                para o(a) convidar a participar em «{programme}».\n\
                Registamos as suas respostas, o tempo que demoraram e o tipo do seu dispositivo \
                (telemóvel ou computador). O que é entregue para a classificação não contém nome \
                nem número e serve apenas para fins estatísticos.\n\
                Para detetar respostas dadas por outra pessoa, o seu navegador e a sua rede são \
                convertidos num código irreversível, que é comparado com outros; nenhum endereço é \
                guardado e o código não serve para mais nada.\n\
                Os dados pessoais são guardados cifrados, cada consulta fica registada, e são \
                apagados quando a avaliação termina.\n\
                A participação é voluntária. Pode parar ou retirar o seu consentimento em qualquer \
                altura: as suas respostas deixam de ser usadas e não voltamos a contactá-lo(a).",
        ),
    ];
    let all = text.iter().map(|(language, text)| (language, text.to_owned()));
    let others = others.into_iter().map(|(language, text)| (language, text.to_owned()));
    LocalizedText::new(all.chain(others)).unwrap_or(text)
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
        for (language, word) in [(Language::ZH_HANT, "邀請"), (Language::PT, "consentimento")] {
            let paragraphs = notice.paragraphs(language, "A", &programme);
            assert!(paragraphs.len() == 5 && paragraphs.concat().contains(word), "{paragraphs:?}");
            assert!(!paragraphs.concat().contains('{'));
        }
        let french = notice.paragraphs(Language::parse("fr").unwrap(), "A", &programme);
        assert_eq!(french, notice.paragraphs(Language::EN, "A", &programme));
        assert!(notice.is_agreed_by("standard-3") && notice.is_agreed_by("standard-2"));
        assert!(!notice.is_agreed_by("standard-1"));
        let without = PrivacyNotice { version: "two words".into(), ..PrivacyNotice::default() };
        assert_eq!(without.problem().map(|(key, _)| key), Some("privacy.version"));
    }
}
