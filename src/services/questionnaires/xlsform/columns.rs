//! Headers of XLSForm sheets: older names, other cases and separators, and languages
//! (`label::English (en)`, `label:zh`, `media::image::French (fr)`, `bind:jr:constraintMsg`).

/// A column: its name in today's spelling, and its language as the form writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    pub name: String,
    pub language: Option<String>,
}

/// The columns whose texts may have languages.
const TRANSLATED: [&str; 10] = [
    "label",
    "hint",
    "guidance_hint",
    "constraint_message",
    "required_message",
    "image",
    "big-image",
    "audio",
    "video",
    "form_title",
];

/// Trims a cell, also of the blanks that spreadsheet programs and web pages leave: non-breaking
/// spaces, zero-width spaces, byte order marks.
pub fn cleaned(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "\u{200b}\u{200c}\u{200d}\u{feff}".contains(c))
}

/// Cleans a text and makes one blank of several, of whatever kind.
pub fn collapsed(text: &str) -> String {
    cleaned(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads a header; `None` if it is empty.
pub fn read_header(raw: &str) -> Option<Column> {
    let raw = collapsed(raw);
    let separator = if raw.contains("::") { "::" } else { ":" };
    let mut parts: Vec<String> = raw
        .split(separator)
        .map(|part| cleaned(part).to_owned())
        .filter(|p| !p.is_empty())
        .collect();
    let is_prefix = |part: &str| {
        ["bind", "body", "control", "media", "instance"].contains(&part.to_lowercase().as_str())
    };
    if parts.len() > 1 && is_prefix(&parts[0]) {
        parts.remove(0);
    }
    if parts.len() > 1 && parts[0].eq_ignore_ascii_case("jr") {
        parts.remove(0);
    }
    let first = parts.first()?.to_lowercase();
    let first = first.strip_prefix("jr:").unwrap_or(&first).replace(' ', "_");
    let name = match first.as_str() {
        "caption" => "label",
        "command" => "type",
        "tag" | "value" => "name",
        "relevance" => "relevant",
        "calculate" => "calculation",
        "constraining_message" | "constraintmsg" => "constraint_message",
        "requiredmsg" => "required_message",
        "read_only" => "readonly",
        "count" => "repeat_count",
        "list" => "list_name",
        "title" | "set_form_title" => "form_title",
        "id_string" | "set_form_id" => "form_id",
        "bigimage" => "big-image",
        same => same,
    };
    let language = (parts.len() > 1).then(|| parts[1..].join(separator));
    if language.is_some() && !TRANSLATED.contains(&name) {
        // A column of another program, such as `instance::version`.
        return Some(Column { name: parts.join("::").to_lowercase(), language: None });
    }
    Some(Column { name: name.to_owned(), language })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_in_every_spelling() {
        for (raw, name, language) in [
            ("Label", "label", None),
            (" label\u{a0}", "label", None),
            ("caption", "label", None),
            ("label::English (en)", "label", Some("English (en)")),
            ("label : English", "label", Some("English")),
            ("label:zh", "label", Some("zh")),
            ("LABEL::EN", "label", Some("EN")),
            ("media::image::French (fr)", "image", Some("French (fr)")),
            ("media:audio", "audio", None),
            ("bind:relevant", "relevant", None),
            ("bind:jr:constraintMsg", "constraint_message", None),
            ("bind::jr:constraintMsg::English", "constraint_message", Some("English")),
            ("requiredMsg", "required_message", None),
            ("jr:count", "repeat_count", None),
            ("list name", "list_name", None),
            ("Command", "type", None),
            ("body::accuracyThreshold", "accuracythreshold", None),
            ("instance::hxl", "hxl", None),
        ] {
            let expected = Column { name: name.to_owned(), language: language.map(str::to_owned) };
            assert_eq!(read_header(raw), Some(expected), "{raw}");
        }
        assert_eq!(read_header(" \u{a0}"), None);
    }
}
