//! Declared subjects, and the rules of each category for them.

use std::collections::BTreeMap;

use super::category::Category;

/// A declared subject that follows its category's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    category: Category,
    fields: BTreeMap<String, String>,
}

/// A violated rule of the programme, with its name and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "subject.", serialize_all = "snake_case")]
pub enum SubjectError {
    #[error("rule «{rule}»: subject.{field} is missing; {remedy}")]
    Missing { rule: &'static str, field: &'static str, remedy: &'static str },
    #[error("rule «{rule}»: subject.{field} {problem}; {remedy}")]
    Broken { rule: &'static str, field: &'static str, problem: &'static str, remedy: &'static str },
    #[error("subject.{field} is not a field of category {category}; it takes {known}")]
    Unknown { field: String, category: Category, known: String },
}

/// (field, name of the rule, remedy)
type FieldRule = (&'static str, &'static str, &'static str);

/// Returns the required fields of a category, each with the rule that requires it and the remedy.
pub fn required_fields(category: Category) -> &'static [FieldRule] {
    match category {
        Category::Organisation => {
            &[("name", "one organisation", "name the organisation that applies")]
        }
        Category::Brand => &[("brand", "one brand", "name the one brand")],
        Category::Product => &[
            ("brand", "brand and product", "name the brand"),
            ("product", "brand and product", "name the product"),
            ("model", "product with model and specification", "give the model (型号)"),
            (
                "specification",
                "product with model and specification",
                "give the specification (规格)",
            ),
        ],
        Category::Project => &[
            ("name", "building with place and number", "name the building"),
            ("place", "building with place and number", "give the place (city, district, road)"),
            ("number", "building with place and number", "give the building's number (楼号)"),
        ],
        Category::Service => &[(
            "service",
            "one specific service",
            "name the one service, not the organisation that offers it",
        )],
    }
}

impl Subject {
    /// Checks the declared fields against the category's rules.
    pub fn parse(
        category: Category,
        fields: &BTreeMap<String, String>,
    ) -> Result<Subject, SubjectError> {
        let rules = required_fields(category);
        if let Some(field) =
            fields.keys().find(|field| !rules.iter().any(|(known, ..)| known == field))
        {
            let known = rules.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
            return Err(SubjectError::Unknown { field: field.clone(), category, known });
        }
        let mut known_fields = BTreeMap::new();
        for &(field, rule, remedy) in rules {
            let value = fields.get(field).map(|v| v.trim()).unwrap_or_default();
            if value.is_empty() || value == "/" || value == "无" || value == "-" {
                return Err(SubjectError::Missing { rule, field, remedy });
            }
            known_fields.insert(field.to_owned(), value.to_owned());
        }
        let subject = Subject { category, fields: known_fields };
        subject.keep_to_one()?;
        Ok(subject)
    }

    /// Checks the rules that require a single subject: not several brands, a whole product line, a
    /// chain's branches, or the serving organisation.
    fn keep_to_one(&self) -> Result<(), SubjectError> {
        let contains = |field: &str, words: &[&str]| {
            let value = self.field(field).to_lowercase();
            words.iter().any(|word| value.contains(word))
        };
        let broken = |rule, field, problem, remedy| {
            Err(SubjectError::Broken { rule, field, problem, remedy })
        };
        match self.category {
            Category::Organisation
                if contains(
                    "name",
                    &["各分店", "所有门店", "全部门店", "各分公司", "all branches"],
                ) =>
            {
                broken(
                    "one organisation",
                    "name",
                    "names the branches of a chain",
                    "each branch applies by itself",
                )
            }
            Category::Brand if contains("brand", &["、", "，", ",", "；", ";"]) => broken(
                "one brand",
                "brand",
                "names several brands",
                "make one application for each brand",
            ),
            Category::Product
                if ["product", "model"]
                    .iter()
                    .any(|f| contains(f, &["系列", "全系", "series", "product line"])) =>
            {
                broken(
                    "product with model and specification",
                    "product",
                    "names a product line",
                    "declare one product with its own model and specification",
                )
            }
            Category::Project
                if !self.field("number").chars().any(|c| {
                    c.is_numeric() || "一二三四五六七八九十".contains(c) || c.is_ascii_alphabetic()
                }) =>
            {
                broken(
                    "building with place and number",
                    "number",
                    "holds no number",
                    "give the building's number (楼号), such as 3号楼",
                )
            }
            Category::Service
                if ["公司", "医院", "集团", "银行", " ltd", " inc"]
                    .iter()
                    .any(|end| self.field("service").to_lowercase().ends_with(end)) =>
            {
                broken(
                    "one specific service",
                    "service",
                    "names the serving organisation",
                    "name the service itself, such as 门诊服务",
                )
            }
            _ => Ok(()),
        }
    }

    pub fn category(&self) -> Category {
        self.category
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }

    pub fn fields(&self) -> &BTreeMap<String, String> {
        &self.fields
    }

    /// Returns the subject's title for respondents, used on pages and in messages.
    pub fn title(&self) -> String {
        match self.category {
            Category::Organisation => self.field("name").to_owned(),
            Category::Brand => self.field("brand").to_owned(),
            Category::Product => {
                format!("{}{} {}", self.field("brand"), self.field("product"), self.field("model"))
            }
            Category::Project => format!("{}{}", self.field("name"), self.field("number")),
            Category::Service => self.field("service").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(category: Category, fields: &[(&str, &str)]) -> Result<Subject, SubjectError> {
        let fields = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Subject::parse(category, &fields)
    }

    #[test]
    fn each_category_names_the_rule_that_is_broken() {
        type Declared = &'static [(&'static str, &'static str)];
        let cases: [(Category, Declared, &str); 9] = [
            (
                Category::Product,
                &[("brand", "山海"), ("product", "热水器")],
                "product with model and specification",
            ),
            (
                Category::Product,
                &[("brand", "山海"), ("product", "热水器"), ("model", "H6")],
                "product with model and specification",
            ),
            (
                Category::Product,
                &[
                    ("brand", "山海"),
                    ("product", "热水器系列"),
                    ("model", "H6"),
                    ("specification", "60L"),
                ],
                "product line",
            ),
            (Category::Project, &[("name", "江畔花园")], "building with place and number"),
            (
                Category::Project,
                &[("name", "江畔花园"), ("place", "滨江路"), ("number", "无")],
                "building with place and number",
            ),
            (Category::Brand, &[("brand", "山海、云川")], "one brand"),
            (Category::Service, &[("service", "某某医院")], "one specific service"),
            (Category::Organisation, &[("name", "云川超市各分店")], "one organisation"),
            (Category::Service, &[("service", "门诊"), ("model", "x")], "not a field"),
        ];
        for (category, fields, expected) in cases {
            let error = parse(category, fields).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error} should name {expected}");
        }
    }

    #[test]
    fn a_full_subject_has_a_title() {
        let subject = parse(
            Category::Product,
            &[("brand", "山海"), ("product", "热水器"), ("model", "H6"), ("specification", "60L")],
        )
        .unwrap();
        assert_eq!(subject.title(), "山海热水器 H6");
    }
}
