//! Who runs a programme, as its respondents see it: name, logo, colour, thanks, and whom to ask.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::language::{Language, LocalizedText};
use super::programme::ProgrammeError;

/// The organiser of a programme (`[organiser]`). What is missing is not shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Organiser {
    /// Stands on top of each page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<LocalizedText>,
    /// Whom respondents ask. It is the organiser's own, and so nobody's personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    /// Paragraphs after the last page, in place of the usual thanks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thanks: Option<LocalizedText>,
    /// In a programme's file: the picture's file beside it. As stored: its name with us, which
    /// holds the hash of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
}

const MAX_NAME_CHARS: usize = 60;
const MAX_THANKS_CHARS: usize = 600;

impl Organiser {
    pub fn is_empty(&self) -> bool {
        *self == Organiser::default()
    }

    pub fn has_contact(&self) -> bool {
        self.phone.is_some() || self.email.is_some()
    }

    /// Returns the name for readers of a language; empty if there is none.
    pub fn name_in(&self, language: Language) -> &str {
        self.name.as_ref().map_or("", |name| name.in_language(language))
    }

    /// Checks lengths and forms.
    pub fn check(&self) -> Result<(), ProgrammeError> {
        let wrong =
            |key, problem: &str| Err(ProgrammeError::Value { key, problem: problem.to_owned() });
        let is_good = |text: &Option<LocalizedText>, most: usize| {
            text.iter()
                .flat_map(LocalizedText::iter)
                .all(|(_, text)| !text.trim().is_empty() && text.chars().count() <= most)
        };
        if !is_good(&self.name, MAX_NAME_CHARS) {
            return wrong("organiser.name", "must not be empty, at most 60 characters each");
        }
        if !is_good(&self.thanks, MAX_THANKS_CHARS) {
            return wrong("organiser.thanks", "must not be empty, at most 600 characters each");
        }
        if self.phone.as_deref().is_some_and(|phone| !is_phone(phone)) {
            return wrong(
                "organiser.phone",
                "use digits, blanks, «+», «-» and brackets, at most 30",
            );
        }
        if self.email.as_deref().is_some_and(|email| !is_email(email)) {
            return wrong("organiser.email", "is no e-mail address");
        }
        Ok(())
    }

    /// Returns the telephone number as a `tel:` address takes it (RFC 3966).
    pub fn phone_digits(&self) -> Option<String> {
        let digits = |phone: &String| {
            phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect::<String>()
        };
        self.phone.as_ref().map(digits)
    }
}

fn is_phone(phone: &str) -> bool {
    phone.len() <= 30
        && phone.chars().filter(char::is_ascii_digit).count() >= 3
        && phone.rfind('+').unwrap_or(0) == 0
        && phone.chars().all(|c| c.is_ascii_digit() || " +-()".contains(c))
}

fn is_email(email: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
            && !part.starts_with('.')
            && !part.ends_with('.')
    };
    email.len() <= 100
        && email
            .split_once('@')
            .is_some_and(|(who, host)| is_part(who) && is_part(host) && host.contains('.'))
}

/// A colour on which white text can be read, and which can be read on white: WCAG 2.2, success
/// criterion 1.4.3, asks for a contrast of 4.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// A colour that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColourError {
    #[error("write a colour as #rrggbb")]
    Form,
    #[error(
        "white text on {given} cannot be read (contrast 4.5 is needed); the nearest colour is {nearest}"
    )]
    TooLight { given: Colour, nearest: Colour },
}

/// The least contrast of text.
const READABLE: f64 = 4.5;
/// What dark pages are read with: more, as their letters are thin.
const READABLE_ON_DARK: f64 = 7.0;
const WHITE: Colour = Colour([255; 3]);
/// The ground of a dark page, as the style sheet has it.
const DARK: Colour = Colour([0x16, 0x17, 0x1b]);

impl Colour {
    /// Reads `#rrggbb`.
    ///
    /// # Errors
    /// If it is too light to be read on white; the error names the nearest one that is not.
    pub fn parse(raw: &str) -> Result<Colour, ColourError> {
        let digits = raw.trim().strip_prefix('#').filter(|digits| digits.is_ascii());
        let digits = digits.filter(|digits| digits.len() == 6).ok_or(ColourError::Form)?;
        let part =
            |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| ColourError::Form);
        let given = Colour([part(0)?, part(2)?, part(4)?]);
        match given.contrast(WHITE) >= READABLE {
            true => Ok(given),
            false => Err(ColourError::TooLight { given, nearest: given.darkened() }),
        }
    }

    /// The relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The contrast ratio (WCAG 2.2): from 1 to 21.
    fn contrast(self, other: Colour) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Mixes it with so many 255ths of another.
    fn mixed(self, other: Colour, share: u8) -> Colour {
        let mix = |own: u8, other: u8| {
            let (own, other, share) = (u32::from(own), u32::from(other), u32::from(share));
            // At most 255, as both are.
            u8::try_from((own * (255 - share) + other * share) / 255).unwrap_or(u8::MAX)
        };
        Colour([0, 1, 2].map(|at| mix(self.0[at], other.0[at])))
    }

    /// The lightest of its shades that white text can be read on.
    fn darkened(self) -> Colour {
        let shades = (0..=255).map(|share| self.mixed(Colour([0; 3]), share));
        let mut readable = shades.filter(|shade| shade.contrast(WHITE) >= READABLE);
        readable.next().unwrap_or(Colour([0; 3]))
    }

    /// The tint of it that is read on a dark page.
    pub fn on_dark(self) -> Colour {
        let tints = (0..=255).map(|share| self.mixed(WHITE, share));
        let mut readable = tints.filter(|tint| tint.contrast(DARK) >= READABLE_ON_DARK);
        readable.next().unwrap_or(WHITE)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Serialize for Colour {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Colour, D::Error> {
        let raw = String::deserialize(deserializer)?;
        Colour::parse(&raw).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_the_standard() {
        let black = Colour([0; 3]);
        assert!((black.contrast(WHITE) - 21.0).abs() < 1e-9);
        // The greys beside the border that checkers of contrast agree on.
        assert!(Colour::parse("#767676").is_ok());
        assert!(matches!(Colour::parse("#777777"), Err(ColourError::TooLight { .. })));
    }

    #[test]
    fn a_colour_that_cannot_be_read_names_the_nearest_that_can() {
        for light in ["#ffd700", "#ffffff", "#00ff7f", "#777777", "#ff8800"] {
            let Err(ColourError::TooLight { nearest, .. }) = Colour::parse(light) else {
                panic!("{light} is taken")
            };
            assert_eq!(Colour::parse(&nearest.to_string()), Ok(nearest), "{light}");
            let lighter = nearest.mixed(WHITE, 8);
            assert!(lighter.contrast(WHITE) < READABLE, "{light}: {nearest} is not the nearest");
        }
        for wrong in ["red", "#12345", "#1234567", "#12345g", "", "#壹贰"] {
            assert_eq!(Colour::parse(wrong), Err(ColourError::Form), "{wrong}");
        }
    }

    #[test]
    fn every_colour_is_read_on_a_dark_page_too() {
        for colour in ["#000000", "#0b57a4", "#8a1c1c", "#00008b", "#006400", "#767676"] {
            let tint = Colour::parse(colour).unwrap().on_dark();
            assert!(tint.contrast(DARK) >= READABLE_ON_DARK, "{colour}: {tint}");
        }
    }

    #[test]
    fn contacts_are_numbers_and_addresses() {
        for (phone, good) in [
            ("010-8888 1234", true),
            ("+86 (10) 88881234", true),
            ("12345", true),
            ("ask us", false),
            ("10+20", false),
            ("--", false),
        ] {
            assert_eq!(is_phone(phone), good, "{phone}");
        }
        for (email, good) in [
            ("service@example.org", true),
            ("a.b-c+d@mail.example.cn", true),
            ("service@example", false),
            ("a b@example.org", false),
            ("a@b@example.org", false),
            ("a@example.org?subject=x", false),
        ] {
            assert_eq!(is_email(email), good, "{email}");
        }
    }
}
