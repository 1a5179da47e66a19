//! The types of the rows of the sheet `survey`, in today's spelling and the older ones.

use super::columns::collapsed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectKind {
    One,
    Several,
    Ranked,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq)]
pub enum RowType {
    /// A blank row, a comment, a row that is switched off.
    Nothing,
    BeginGroup,
    BeginRepeat,
    EndGroup,
    EndRepeat,
    Select {
        kind: SelectKind,
        list: String,
        or_other: bool,
    },
    Text,
    Integer {
        limits: Option<(f64, f64)>,
    },
    Decimal,
    Date,
    /// A time or a moment, asked as text.
    Time,
    Note,
    Acknowledge,
    Range,
    Calculate,
    Hidden,
    /// What devices record of themselves, by its name.
    Metadata,
    /// It cannot be asked here, and what to do instead.
    Unsupported {
        remedy: &'static str,
    },
    Unknown,
}

/// The spellings of selects, the longer ones first.
const SELECTS: [(&str, SelectKind); 20] = [
    ("add select multiple prompt using ", SelectKind::Several),
    ("add select one prompt using ", SelectKind::One),
    ("select all that apply from ", SelectKind::Several),
    ("select all that apply ", SelectKind::Several),
    ("select multiple from ", SelectKind::Several),
    ("select multiple using ", SelectKind::Several),
    ("select_multiple from ", SelectKind::Several),
    ("select_one from ", SelectKind::One),
    ("select one from ", SelectKind::One),
    ("select one using ", SelectKind::One),
    ("select_multiple ", SelectKind::Several),
    ("select multiple ", SelectKind::Several),
    ("select_one ", SelectKind::One),
    ("select one ", SelectKind::One),
    ("select1 ", SelectKind::One),
    ("q select1 ", SelectKind::One),
    ("q select ", SelectKind::Several),
    ("select ", SelectKind::Several),
    ("odk:rank ", SelectKind::Ranked),
    ("rank ", SelectKind::Ranked),
];

const OR_OTHER: [&str; 3] = [" or_other", " or specify other", " or other"];

const IN_WORDS: &str = "ask it in words";
const AS_CHOICES: &str = "copy the choices into the sheet choices and use select_one LIST";
const AS_ROWS: &str = "copy its rows into the sheet survey";

/// Reads a type.
pub fn read_type(raw: &str) -> RowType {
    let raw = collapsed(raw);
    let lower = raw.to_lowercase();
    if lower.is_empty() || lower.starts_with('#') {
        return RowType::Nothing;
    }
    if let Some(block) = read_block(&lower) {
        return block;
    }
    let unsupported = |remedy| RowType::Unsupported { remedy };
    if ["select_one_external", "select one external", "cascading_select", "cascading select"]
        .iter()
        .any(|word| lower.starts_with(word))
        || lower.contains("_from_file")
        || lower.contains(" from file ")
    {
        return unsupported(AS_CHOICES);
    }
    if let Some(select) = read_select(&raw, &lower) {
        return select;
    }
    match lower.strip_prefix("include").map(str::trim) {
        Some("") => return unsupported(AS_ROWS),
        Some(_) if lower.starts_with("include ") => return unsupported(AS_ROWS),
        _ => {}
    }
    let word = lower.strip_prefix("q ").unwrap_or(&lower);
    let word = word.strip_prefix("add ").and_then(|w| w.strip_suffix(" prompt")).unwrap_or(word);
    match word {
        "text" | "string" | "phone number" | "paragraph" => RowType::Text,
        "integer" | "int" => RowType::Integer { limits: None },
        "percentage" => RowType::Integer { limits: Some((0.0, 100.0)) },
        "number of days in last month" => RowType::Integer { limits: Some((0.0, 31.0)) },
        "number of days in last six months" => RowType::Integer { limits: Some((0.0, 183.0)) },
        "number of days in last year" => RowType::Integer { limits: Some((0.0, 365.0)) },
        "decimal" | "float" => RowType::Decimal,
        "date" => RowType::Date,
        "time" | "datetime" | "date time" => RowType::Time,
        "note" => RowType::Note,
        "acknowledge" | "trigger" => RowType::Acknowledge,
        "range" => RowType::Range,
        "calculate" => RowType::Calculate,
        "hidden" => RowType::Hidden,
        "start" | "end" | "today" | "deviceid" | "username" | "phonenumber" | "audit"
        | "simserial" | "subscriberid" | "imei" | "email" | "start time" | "end time"
        | "device id" | "sim id" | "subscriber id" | "get start time" | "get end time"
        | "get today" | "get device id" | "get sim id" | "get subscriber id"
        | "get phone number" | "uri:deviceid" | "uri:email" | "uri:phonenumber"
        | "uri:simserial" | "uri:subscriberid" | "uri:username" | "instanceid" => RowType::Metadata,
        "image"
        | "photo"
        | "picture"
        | "audio"
        | "video"
        | "file"
        | "geopoint"
        | "geotrace"
        | "geoshape"
        | "gps"
        | "location"
        | "barcode"
        | "background-audio"
        | "background-geopoint"
        | "start-geopoint"
        | "osm" => unsupported(IN_WORDS),
        osm if osm.starts_with("osm ") => unsupported(IN_WORDS),
        "csv-external" | "xml-external" => unsupported(AS_CHOICES),
        _ => RowType::Unknown,
    }
}

fn read_block(lower: &str) -> Option<RowType> {
    let (is_begin, rest) = [("begin", true), ("end", false)]
        .into_iter()
        .find_map(|(word, is_begin)| Some((is_begin, lower.strip_prefix(word)?)))?;
    let rest = rest.strip_prefix([' ', '_'])?.replace('_', " ");
    Some(match (rest.as_str(), is_begin) {
        ("group", true) => RowType::BeginGroup,
        ("group", false) => RowType::EndGroup,
        ("repeat" | "lgroup" | "looped group", true) => RowType::BeginRepeat,
        ("repeat" | "lgroup" | "looped group", false) => RowType::EndRepeat,
        // The rows between are read as those of a group.
        (word, true) if word == "loop" || word.starts_with("loop ") => RowType::BeginRepeat,
        ("loop", false) => RowType::EndRepeat,
        _ => return None,
    })
}

fn read_select(raw: &str, lower: &str) -> Option<RowType> {
    let (prefix, kind) = SELECTS
        .into_iter()
        .find(|(prefix, _)| lower.starts_with(prefix) || lower == prefix.trim_end())?;
    // ASCII lower-casing keeps the places; other letters may change their length.
    let list = raw.get(prefix.len()..).unwrap_or_default();
    let other = OR_OTHER.into_iter().find(|other| list.to_lowercase().ends_with(other));
    let without = |other: &str| list.get(..list.len().checked_sub(other.len())?);
    let list = other.and_then(without).unwrap_or(list).trim();
    let is_file = [".csv", ".xml", ".geojson"].iter().any(|end| list.to_lowercase().ends_with(end));
    if is_file || list.contains("${") {
        return Some(RowType::Unsupported { remedy: AS_CHOICES });
    }
    Some(RowType::Select { kind, list: list.to_owned(), or_other: other.is_some() })
}

/// Returns whether a repeat is a `loop` over the choices of a list.
pub fn is_loop(raw: &str) -> bool {
    collapsed(raw).to_lowercase().replace('_', " ").starts_with("begin loop")
}

/// Reads a parameter such as `start=1 end = 10; step=1`.
pub fn parameter(parameters: &str, key: &str) -> Option<String> {
    let spaced = parameters.replace([';', ','], " ");
    let joined = collapsed(&spaced).replace(" =", "=").replace("= ", "=");
    joined.split(' ').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case(key).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_in_every_spelling() {
        let select =
            |kind, list: &str, or_other| RowType::Select { kind, list: list.into(), or_other };
        for (raw, expected) in [
            ("select_one yes_no", select(SelectKind::One, "yes_no", false)),
            ("Select_One  Yes_No", select(SelectKind::One, "Yes_No", false)),
            ("select one from yes_no", select(SelectKind::One, "yes_no", false)),
            ("select1 yes_no", select(SelectKind::One, "yes_no", false)),
            ("select one from s or specify other", select(SelectKind::One, "s", true)),
            ("select_multiple\u{a0}s or_other", select(SelectKind::Several, "s", true)),
            ("select s", select(SelectKind::Several, "s", false)),
            ("select all that apply from s", select(SelectKind::Several, "s", false)),
            ("add select one prompt using s", select(SelectKind::One, "s", false)),
            ("add select multiple prompt using s", select(SelectKind::Several, "s", false)),
            ("rank s", select(SelectKind::Ranked, "s", false)),
            ("select_one", select(SelectKind::One, "", false)),
            ("string", RowType::Text),
            ("q string", RowType::Text),
            ("add text prompt", RowType::Text),
            ("dateTime", RowType::Time),
            ("add date prompt", RowType::Date),
            ("begin group", RowType::BeginGroup),
            ("begin_group", RowType::BeginGroup),
            ("Begin  Repeat", RowType::BeginRepeat),
            ("end lgroup", RowType::EndRepeat),
            ("get start time", RowType::Metadata),
            ("percentage", RowType::Integer { limits: Some((0.0, 100.0)) }),
            (" ", RowType::Nothing),
            ("# a comment", RowType::Nothing),
            ("wish", RowType::Unknown),
        ] {
            assert_eq!(read_type(raw), expected, "{raw}");
        }
        for raw in [
            "select_one_from_file x.csv",
            "select_one x.csv",
            "select_one_external c",
            "select_one ${person}",
            "cascading_select x",
            "include other_form",
            "image",
            "csv-external",
            "osm c1",
        ] {
            assert!(matches!(read_type(raw), RowType::Unsupported { .. }), "{raw}");
        }
        assert!(is_loop("begin loop over toilets") && !is_loop("begin repeat"));
    }

    /// XLSForm/pyxform#812: spaces around the sign.
    #[test]
    fn parameters_are_read_however_they_are_separated() {
        for raw in ["start=1 end=10", "start = 1, end = 10", "END=10;start=1", "start= 1 ;end =10"]
        {
            assert_eq!(parameter(raw, "start").as_deref(), Some("1"), "{raw}");
            assert_eq!(parameter(raw, "end").as_deref(), Some("10"), "{raw}");
        }
        assert_eq!(parameter("randomize=true", "end"), None);
    }
}
