//! Segments: the kinds of users within one application, from which quota cells are made.

use std::fmt;

/// A respondent's segment within an application. A project has the two owners of the programme's
/// rules; any other word of the list is used as it is; [`Segment::none`] if the list has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Segment(String);

impl Segment {
    /// The name of the cell that counts everybody.
    pub const TOTAL: &'static str = "*";

    pub fn none() -> Segment {
        Segment(String::new())
    }

    /// Returns the segment of a building's developer (大业主).
    pub fn large_owner() -> Segment {
        Segment("large_owner".into())
    }

    /// Returns the segment of a building's end users (小业主).
    pub fn small_owner() -> Segment {
        Segment("small_owner".into())
    }

    /// Parses a list's word and truncates it to 40 characters; control characters and `*` are
    /// removed.
    pub fn parse(raw: &str) -> Segment {
        let cleaned: String =
            raw.trim().chars().filter(|c| !c.is_control() && *c != '*').take(40).collect();
        match cleaned.to_lowercase().replace([' ', '-'], "_").as_str() {
            "大业主" | "开发商" | "large_owner" | "developer" => Segment::large_owner(),
            "小业主" | "业主" | "住户" | "small_owner" | "resident" => {
                Segment::small_owner()
            }
            _ => Segment(cleaned),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
