//! The five categories of the programme, each with its cap.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The category of an application, with the programme's published caps and rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Organisation,
    Brand,
    Product,
    Project,
    Service,
}

impl Category {
    pub const ALL: [Category; 5] = [
        Category::Organisation,
        Category::Brand,
        Category::Product,
        Category::Project,
        Category::Service,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Category::Organisation => "organisation",
            Category::Brand => "brand",
            Category::Product => "product",
            Category::Project => "project",
            Category::Service => "service",
        }
    }

    /// Parses the English code or the Chinese name.
    pub fn parse(raw: &str) -> Option<Category> {
        let raw = raw.trim().to_lowercase();
        Category::ALL.into_iter().find(|c| {
            c.as_str() == raw
                || c.chinese().split('/').any(|name| name == raw)
                || c.chinese() == raw
        })
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Category::Organisation => "企业/机构",
            Category::Brand => "品牌",
            Category::Product => "产品",
            Category::Project => "工程",
            Category::Service => "服务",
        }
    }

    /// Returns the maximum number of names on a list, and of the sample (the programme may set
    /// another cap).
    pub fn default_cap(self) -> u32 {
        match self {
            Category::Organisation | Category::Brand => 100,
            Category::Product | Category::Project | Category::Service => 50,
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
