//! The text of a message: templates, parts, and the opt-out instruction required by law.
//!
//! Parts follow 3GPP TS 23.038: GSM 7-bit has 160 septets in a single part and 153 in each of
//! several, and extension characters cost two; anything else is UCS-2 with 70, then 67 UTF-16 code
//! units, and a surrogate pair is never split. Chinese gateways bill 70, then 67, for any Chinese
//! text, including the signature.

use std::collections::BTreeMap;
use std::fmt;

const GSM_BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ \
    !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM_EXTENDED: &str = "^{}\\[~]|€\u{c}";

/// The encoding of a text, which determines its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Gsm7,
    Ucs2,
}

/// The segmentation of a text into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segmentation {
    pub encoding: Encoding,
    /// Septets or UTF-16 code units.
    pub units: usize,
    pub parts: u32,
}

/// Counts the parts of a text.
pub fn measure_parts(text: &str) -> Segmentation {
    let septets: Option<Vec<usize>> = text
        .chars()
        .map(
            |c| if GSM_BASIC.contains(c) { Some(1) } else { GSM_EXTENDED.contains(c).then_some(2) },
        )
        .collect();
    let (encoding, costs, single, several) = match septets {
        Some(costs) => (Encoding::Gsm7, costs, 160, 153),
        None => (Encoding::Ucs2, text.chars().map(char::len_utf16).collect(), 70, 67),
    };
    let units: usize = costs.iter().sum();
    let parts = if units <= single { 1 } else { fill_parts(&costs, several) };
    Segmentation { encoding, units, parts }
}

/// Fills parts character by character; a character that does not fit begins the next part.
fn fill_parts(costs: &[usize], room: usize) -> u32 {
    let mut parts = 1;
    let mut used = 0;
    for &cost in costs {
        if used + cost > room {
            parts += 1;
            used = 0;
        }
        used += cost;
    }
    parts
}

/// Splits a text into the parts that [`measure_parts`] counts.
pub fn split_parts(text: &str) -> (Encoding, Vec<String>) {
    let Segmentation { encoding, parts, .. } = measure_parts(text);
    if parts == 1 {
        return (encoding, vec![text.to_owned()]);
    }
    let room = if encoding == Encoding::Gsm7 { 153 } else { 67 };
    let mut cut = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let cost = match encoding {
            Encoding::Gsm7 => 1 + usize::from(GSM_EXTENDED.contains(c)),
            Encoding::Ucs2 => c.len_utf16(),
        };
        if used + cost > room {
            cut.push(String::new());
            used = 0;
        }
        used += cost;
        if let Some(last) = cut.last_mut() {
            last.push(c);
        }
    }
    (encoding, cut)
}

/// The GSM alphabet's escape, followed by a position of the extension table.
const ESCAPE: u8 = 0x1b;
/// The extension table's positions (3GPP TS 23.038, 6.2.1.1), in the order of [`GSM_EXTENDED`].
const EXTENSION: [u8; 10] = [0x14, 0x28, 0x29, 0x2f, 0x3c, 0x3d, 0x3e, 0x40, 0x65, 0x0a];

/// Encodes a text as one octet for each septet of the GSM alphabet; other characters become «?».
pub fn encode_gsm7(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for c in text.chars() {
        if let Some(position) = GSM_BASIC.chars().position(|basic| basic == c) {
            // The escape is at position 27 and is not a character.
            octets.push(
                u8::try_from(position + usize::from(position >= usize::from(ESCAPE)))
                    .unwrap_or(b'?'),
            );
        } else if let Some(position) = GSM_EXTENDED.chars().position(|extended| extended == c) {
            octets.extend([ESCAPE, EXTENSION[position]]);
        } else {
            octets.push(b'?');
        }
    }
    octets
}

/// Decodes the output of [`encode_gsm7`]; invalid octets become «?».
pub fn decode_gsm7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets.iter();
    while let Some(&octet) = rest.next() {
        let found = if octet == ESCAPE {
            rest.next().and_then(|next| {
                GSM_EXTENDED.chars().nth(EXTENSION.iter().position(|e| e == next)?)
            })
        } else {
            GSM_BASIC.chars().nth(usize::from(octet) - usize::from(octet > ESCAPE))
        };
        text.push(found.unwrap_or('?'));
    }
    text
}

/// A placeholder in a message text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placeholder {
    /// The respondent's name on the list.
    Name,
    Applicant,
    /// The subject, or the subjects of the invitation's cases.
    Subject,
    /// The personal link.
    Link,
    Signature,
    /// Whole days until the questionnaire closes.
    DaysLeft,
    /// A one-time code. It stands in no plan; a gateway's approved template may have it.
    Code,
    /// The name that the interviewer gives; in an interviewer's opening words only.
    Interviewer,
    /// Minutes that the questions take; in an interviewer's opening words only.
    Minutes,
}

impl Placeholder {
    pub const ALL: [Placeholder; 6] = [
        Placeholder::Name,
        Placeholder::Applicant,
        Placeholder::Subject,
        Placeholder::Link,
        Placeholder::Signature,
        Placeholder::DaysLeft,
    ];

    /// Those of an interviewer's opening words. A link is not read aloud.
    pub const SPOKEN: [Placeholder; 7] = [
        Placeholder::Name,
        Placeholder::Interviewer,
        Placeholder::Signature,
        Placeholder::Applicant,
        Placeholder::Subject,
        Placeholder::Minutes,
        Placeholder::DaysLeft,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Placeholder::Name => "name",
            Placeholder::Applicant => "applicant",
            Placeholder::Subject => "subject",
            Placeholder::Link => "link",
            Placeholder::Signature => "signature",
            Placeholder::DaysLeft => "days_left",
            Placeholder::Code => "code",
            Placeholder::Interviewer => "interviewer",
            Placeholder::Minutes => "minutes",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "sms_text.", serialize_all = "snake_case")]
pub enum TemplateError {
    #[error("{{{name}}} is not a placeholder; use {}", Placeholder::ALL.map(|p| format!("{{{}}}", p.as_str())).join(", "))]
    UnknownPlaceholder { name: String },
    #[error("a brace is opened and not closed; write {{link}}, for instance")]
    OpenBrace,
    #[error("the text has no {{link}}; without it nobody could answer")]
    NoLink,
    #[error("the text has no opt-out; add one such as «拒收请回复R» or «Reply STOP to opt out»")]
    NoOptOut,
    #[error("the text does not begin with the approved signature; begin it with 【{{signature}}】")]
    NoSignature,
    #[error("{{{name}}} is not a placeholder of opening words; use {}", Placeholder::SPOKEN.map(|p| format!("{{{}}}", p.as_str())).join(", "))]
    NotSpoken { name: String },
    #[error(
        "the opening words are empty; write them, or leave the language out: then the usual ones are read"
    )]
    NothingToSay,
    #[error("the opening words have {0} characters; at most {MAX_SPOKEN} can be listened to")]
    TooLongToSay(usize),
}

/// Characters of an interviewer's opening words, at most: about a minute of reading aloud.
const MAX_SPOKEN: usize = 600;

/// A checked message text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder(Placeholder),
}

/// Words that make a text an opt-out instruction (工信部《通信短信息服务管理规定》 requires one; the wordings are
/// the usual ones).
const OPT_OUT_WORDS: [&str; 8] =
    ["拒收", "退订", "退訂", "回复r", "回覆r", "回t", "stop", "opt out"];

impl fmt::Display for Template {
    /// The text with its placeholders.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(text),
            Piece::Placeholder(placeholder) => write!(f, "{{{}}}", placeholder.as_str()),
        })
    }
}

impl Template {
    /// Parses a text and checks that it has a signature, a link and an opt-out.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::read(text)?.check()
    }

    /// Parses a text that asks nothing: only the signature is required.
    pub fn parse_notice(text: &str) -> Result<Template, TemplateError> {
        Template::read(text)?.check_signature()
    }

    /// Parses what somebody writes to one person, who knows of whom it comes by the signature that is
    /// put before it, unless it begins with one.
    pub fn parse_answer(text: &str) -> Result<Template, TemplateError> {
        let template = Template::read(text)?;
        template.clone().check_signature().or_else(|_| {
            let mut pieces = vec![
                Piece::Literal("【".into()),
                Piece::Placeholder(Placeholder::Signature),
                Piece::Literal("】".into()),
            ];
            pieces.extend(template.pieces);
            Ok(Template { pieces })
        })
    }

    /// Parses what an interviewer says first. Nothing is required in it.
    ///
    /// # Errors
    /// If it is empty or too long, or has a placeholder that is none of [`Placeholder::SPOKEN`].
    pub fn parse_spoken(text: &str) -> Result<Template, TemplateError> {
        if text.trim().is_empty() {
            return Err(TemplateError::NothingToSay);
        }
        let length = text.chars().count();
        if length > MAX_SPOKEN {
            return Err(TemplateError::TooLongToSay(length));
        }
        Template::read_with(text, &Placeholder::SPOKEN).map_err(|name| {
            name.map_or(TemplateError::OpenBrace, |name| TemplateError::NotSpoken { name })
        })
    }

    fn read(text: &str) -> Result<Template, TemplateError> {
        Template::read_with(text, &Placeholder::ALL).map_err(|name| {
            name.map_or(TemplateError::OpenBrace, |name| TemplateError::UnknownPlaceholder { name })
        })
    }

    /// Reads a text with these placeholders, or returns the first other one; `None`: a brace is not
    /// closed.
    fn read_with(text: &str, known: &[Placeholder]) -> Result<Template, Option<String>> {
        let mut pieces = Vec::new();
        let mut rest = text.trim();
        while let Some(open) = rest.find('{') {
            if open > 0 {
                pieces.push(Piece::Literal(rest[..open].to_owned()));
            }
            let close = rest[open..].find('}').ok_or(None)? + open;
            let name = rest[open + 1..close].trim();
            let placeholder = known
                .iter()
                .copied()
                .find(|p| p.as_str() == name)
                .ok_or_else(|| Some(name.to_owned()))?;
            pieces.push(Piece::Placeholder(placeholder));
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Template { pieces })
    }

    fn check(self) -> Result<Template, TemplateError> {
        if !self.uses(Placeholder::Link) {
            return Err(TemplateError::NoLink);
        }
        let literal: String = self
            .pieces
            .iter()
            .filter_map(
                |p| if let Piece::Literal(text) = p { Some(text.to_lowercase()) } else { None },
            )
            .collect();
        if !OPT_OUT_WORDS.iter().any(|word| literal.contains(word)) {
            return Err(TemplateError::NoOptOut);
        }
        self.check_signature()
    }

    fn check_signature(self) -> Result<Template, TemplateError> {
        match self.pieces.first() {
            Some(Piece::Literal(text))
                if text == "【" || (text.starts_with('【') && text.contains('】')) =>
            {
                Ok(self)
            }
            _ => Err(TemplateError::NoSignature),
        }
    }

    pub fn uses(&self, placeholder: Placeholder) -> bool {
        self.pieces.contains(&Piece::Placeholder(placeholder))
    }

    /// Replaces the placeholders; one without a value becomes empty.
    pub fn render(&self, values: &BTreeMap<Placeholder, String>) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.as_str(),
                Piece::Placeholder(p) => values.get(p).map(String::as_str).unwrap_or_default(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_follow_the_standard() {
        let parts = |text: &str| (measure_parts(text).encoding, measure_parts(text).parts);
        assert_eq!(parts(&"a".repeat(160)), (Encoding::Gsm7, 1));
        assert_eq!(parts(&"a".repeat(161)), (Encoding::Gsm7, 2));
        assert_eq!(parts(&"a".repeat(306)), (Encoding::Gsm7, 2));
        assert_eq!(parts(&"€".repeat(80)), (Encoding::Gsm7, 1));
        assert_eq!(
            parts(&"€".repeat(81)),
            (Encoding::Gsm7, 2),
            "an extension character is not split: 76 in a part of 153"
        );
        assert_eq!(parts(&"字".repeat(70)), (Encoding::Ucs2, 1));
        assert_eq!(parts(&"字".repeat(71)), (Encoding::Ucs2, 2));
        assert_eq!(parts(&"字".repeat(134)), (Encoding::Ucs2, 2));
        assert_eq!(parts(&"字".repeat(135)), (Encoding::Ucs2, 3));
        assert_eq!(parts(&format!("{}{}", "😀".repeat(33), "字".repeat(68))).1, 2);
        assert_eq!(
            parts(&format!("{}😀{}", "字".repeat(66), "字".repeat(66))).1,
            3,
            "a pair at the border moves to the next part whole"
        );
    }

    #[test]
    fn an_answer_needs_no_more_than_its_words() {
        let values = BTreeMap::from([(Placeholder::Signature, "质协".to_owned())]);
        let answer = |text: &str| Template::parse_answer(text).map(|t| t.render(&values));
        assert_eq!(answer(" 截止到月底。").unwrap(), "【质协】截止到月底。");
        assert_eq!(answer("【质协】好的").unwrap(), "【质协】好的");
        assert_eq!(answer("【{signature}】好的").unwrap(), "【质协】好的");
        assert!(answer("见 {lnik}").is_err() && answer("{").is_err());
    }

    #[test]
    fn a_text_must_have_signature_link_and_opt_out() {
        let good = "【{signature}】请评价{subject}：{link} 拒收请回复R";
        assert!(Template::parse(good).is_ok());
        assert_eq!(
            Template::parse("【{signature}】请评价 拒收请回复R"),
            Err(TemplateError::NoLink)
        );
        assert_eq!(Template::parse("【{signature}】请评价{link}"), Err(TemplateError::NoOptOut));
        assert_eq!(Template::parse("请评价{link} 拒收请回复R"), Err(TemplateError::NoSignature));
        assert_eq!(
            Template::parse("【{signature}】{lnik} 退订回T"),
            Err(TemplateError::UnknownPlaceholder { name: "lnik".into() })
        );
        assert_eq!(Template::parse("【{signature}】{link 退订回T"), Err(TemplateError::OpenBrace));
    }

    #[test]
    fn rendering_fills_every_placeholder() {
        let template = Template::parse("【{signature}】{name}您好：{link} 退订回T").unwrap();
        let values = [
            (Placeholder::Signature, "质协".to_owned()),
            (Placeholder::Link, "https://x/i/abc".to_owned()),
        ]
        .into();
        assert_eq!(template.render(&values), "【质协】您好：https://x/i/abc 退订回T");
    }

    /// 5calls/5calls-old#107: callers read «[Name]» aloud, as nothing was filled in.
    /// codeforequity-at/botium-core#452: only the first of two was. A placeholder that nobody fills
    /// is refused when it is written.
    #[test]
    fn opening_words_take_only_what_is_filled_in_every_place() {
        let said =
            Template::parse_spoken("{name}？我是{interviewer}。{name}，{minutes}分钟").unwrap();
        let values = [
            (Placeholder::Name, "王敏".to_owned()),
            (Placeholder::Interviewer, "吴".to_owned()),
            (Placeholder::Minutes, "3".to_owned()),
        ];
        assert_eq!(said.render(&values.into()), "王敏？我是吴。王敏，3分钟");
        for (text, error) in [
            ("点{link}", TemplateError::NotSpoken { name: "link".into() }),
            ("{who}", TemplateError::NotSpoken { name: "who".into() }),
            ("{name", TemplateError::OpenBrace),
            (" \n", TemplateError::NothingToSay),
        ] {
            assert_eq!(Template::parse_spoken(text), Err(error), "{text}");
        }
        assert!(Template::parse_spoken(&"字".repeat(MAX_SPOKEN)).is_ok());
        let long = Template::parse_spoken(&"字".repeat(MAX_SPOKEN + 1));
        assert_eq!(long, Err(TemplateError::TooLongToSay(MAX_SPOKEN + 1)));
        // Nobody of a message's placeholders becomes one of a message that way.
        assert!(Template::parse_notice("【质协】{interviewer}").is_err());
    }

    #[test]
    fn the_alphabet_stands_where_the_standard_has_it() {
        assert_eq!(encode_gsm7("@A€{ à\n"), [0x00, 0x41, 0x1b, 0x65, 0x1b, 0x28, 0x20, 0x7f, 0x0a]);
        assert_eq!(encode_gsm7("ÆΞ"), [0x1c, 0x1a]);
        let all = format!("{GSM_BASIC}{GSM_EXTENDED}");
        assert_eq!(decode_gsm7(&encode_gsm7(&all)), all);
        assert_eq!(decode_gsm7(&[0x1b, 0x00, 0x1b]), "??");
    }

    proptest! {
        /// The split parts agree with the counted ones, and nothing is lost.
        #[test]
        fn parts_are_cut_as_they_are_counted(text in "[a-z€{}字😀]{0,400}") {
            let (encoding, parts) = split_parts(&text);
            prop_assert_eq!((encoding, parts.len() as u32), (measure_parts(&text).encoding, measure_parts(&text).parts));
            prop_assert_eq!(parts.concat(), text);
            let units = |part: &String| if encoding == Encoding::Gsm7 { encode_gsm7(part).len() } else { part.encode_utf16().count() };
            let room = match (encoding, parts.len()) { (Encoding::Gsm7, 1) => 160, (Encoding::Gsm7, _) => 153, (_, 1) => 70, _ => 67 };
            prop_assert!(parts.iter().all(|part| units(part) <= room));
        }
    }

    proptest! {
        #[test]
        fn parts_never_shrink_when_a_text_grows(text in "\\PC{0,300}", more in "\\PC{1,50}") {
            let longer = format!("{text}{more}");
            prop_assert!(measure_parts(&longer).parts >= measure_parts(&text).parts);
        }
    }
}
