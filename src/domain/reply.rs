//! The meaning of an SMS reply.

use unicode_normalization::UnicodeNormalization;

/// The meaning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyMeaning {
    /// Contact must stop at once (PIPL art. 15; bulk-SMS rules).
    OptOut,
    /// «Call me»: staff must act.
    CallMe,
    /// For the staff's inbox.
    Other,
}

/// Maximum number of letters of a reply in which one opt-out word among others counts.
const LONE_WITHIN: usize = 12;

impl ReplyMeaning {
    pub fn as_str(self) -> &'static str {
        match self {
            ReplyMeaning::OptOut => "opt_out",
            ReplyMeaning::CallMe => "call_me",
            ReplyMeaning::Other => "other",
        }
    }

    /// Classifies a reply. Case, full-width letters, surrounding punctuation and spaces are
    /// ignored.
    pub fn of(text: &str) -> ReplyMeaning {
        let folded: String = text.nfkc().collect::<String>().to_lowercase();
        let bare: String = folded.chars().filter(|c| c.is_alphanumeric()).collect();
        const WHOLE: [&str; 9] =
            ["t", "td", "r", "n", "stop", "unsubscribe", "stopall", "quit", "cancel"];
        const WITHIN: [&str; 8] = [
            "退订",
            "拒收",
            "别再发",
            "不要再发",
            "勿扰",
            "unsubscribe",
            "stop texting",
            "do not contact",
        ];
        // «回复R», «TD 谢谢»: a single Latin word among Chinese ones.
        let mut latin =
            folded.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let lone = latin
            .next()
            .filter(|_| latin.next().is_none() && bare.chars().count() <= LONE_WITHIN)
            .unwrap_or_default();
        if WHOLE.contains(&bare.as_str())
            || WHOLE.contains(&lone)
            || WITHIN.iter().any(|word| folded.contains(word))
        {
            ReplyMeaning::OptOut
        } else if ["回电", "打电话", "来电", "call me"].iter().any(|word| folded.contains(word))
        {
            ReplyMeaning::CallMe
        } else {
            ReplyMeaning::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opt_out_is_seen_in_its_usual_spellings() {
        for text in [
            "R",
            "r",
            "Ｒ",
            "TD",
            "td.",
            " T ",
            "退订",
            "请帮我退订，谢谢",
            "STOP!",
            "Unsubscribe",
            "N",
            "回复R",
            "TD 谢谢",
            "【R】",
            "我要ＴＤ！",
        ] {
            assert_eq!(ReplyMeaning::of(text), ReplyMeaning::OptOut, "{text}");
        }
        assert_eq!(ReplyMeaning::of("请打电话给我"), ReplyMeaning::CallMe);
        for text in
            ["你们是谁", "8", "thanks", "Tom", "T恤质量不错，但是物流太慢了，希望改进", "R u a bot"]
        {
            assert_eq!(ReplyMeaning::of(text), ReplyMeaning::Other, "{text}");
        }
    }
}
