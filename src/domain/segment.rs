//! The kinds of users within one application, which quota cells are made of.

use std::fmt;

/// A respondent's segment within an application. For a project the two owners of the programme's
/// rules; any other word on a list stands as it is; [`Segment::none`] where the list says nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Segment(String);

impl Segment {
    /// The cell that counts everybody.
    pub const TOTAL: &'static str = "*";

    pub fn none() -> Segment {
        Segment(String::new())
    }

    /// The developer of a building (大业主).
    pub fn large_owner() -> Segment {
        Segment("large_owner".into())
    }

    /// An end user of a building (小业主).
    pub fn small_owner() -> Segment {
        Segment("small_owner".into())
    }

    /// Reads a list's word. At most 40 characters; control characters and `*` are dropped.
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
