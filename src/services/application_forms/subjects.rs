//! Takes declared subjects apart: several in one cell, and the fields that a category requires.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use crate::domain::category::Category;
use crate::domain::subject::required_fields;

/// The number of a list in digits: «1、», «（2）», «3.».
const IN_DIGITS: &str = r"(?:^|[\s;；])[(（]?\d{1,2}[)）]?\s*[、.．)）]\s*";
/// The numbers of a list in other signs, which only begin a line: «一、», «（二）», «③», «a)».
const COUNTED: &str = r"(?:[一二三四五六七八九十]{1,3}[、.．]|[(（](?:[一二三四五六七八九十]{1,3}|[a-z])[)）]|[①-⑳]|[a-z][)）])";

// The fixed patterns compile; the tests below run them.
static NUMBERED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(?m){IN_DIGITS}")).expect("a fixed pattern"));
static IN_SIGNS: LazyLock<Regex> = LazyLock::new(|| {
    // So does this one.
    Regex::new(&format!(r"(?m)^\s*{COUNTED}\s*")).expect("a fixed pattern")
});
// «三、四期» is no list, which begins with its first number.
static FIRST_IN_SIGNS: LazyLock<Regex> = LazyLock::new(|| {
    // So does this one.
    Regex::new(r"^(?:一[、.．]|[(（][一a][)）]|①|a[)）])").expect("a fixed pattern")
});
static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
    let digits = r"\d{1,2}[、.．)）](?:\D|$)|[(（]\d{1,2}[)）]";
    // So does this one.
    Regex::new(&format!("^(?:{digits}|{COUNTED})")).expect("a fixed pattern")
});

/// Whether a cell begins with the number of a list: «2、洗衣机», not «2.5» or «2020.5».
pub fn is_numbered(cell: &str) -> bool {
    BEGINS.is_match(cell)
}

// Run by the tests below.
static BUILDING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?<name>.*?)\s*(?<number>[A-Za-z甲乙丙丁东西南北一二三四五六七八九十百\d][A-Za-z\d一二三四五六七八九十百、,，至~～\-—#及和]*\s*(?:号楼|栋|幢|座|号|楼|期|标段)(?:.*))$",
    )
    // Run by the tests below.
    .expect("a fixed pattern")
});
static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?<key>型号|规格|品牌|商标|地点|地址|楼号)\s*[:：]?\s*(?<value>[^\s；;，,、（）()]+)",
    )
    // Run by the tests below.
    .expect("a fixed pattern")
});

/// Splits a cell into the subjects that it declares: «1、…» and the lines of a list without numbers.
/// What says that there is none is none.
pub fn split(cell: &str) -> Vec<String> {
    let cell = cell.trim();
    let numbers: &Regex = if FIRST_IN_SIGNS.is_match(cell) { &IN_SIGNS } else { &NUMBERED };
    let parts: Vec<&str> = if numbers.is_match(cell) {
        numbers.split(cell).collect()
    } else {
        cell.split(['\n', ';', '；']).collect()
    };
    let is_subject = |part: &String| {
        !part.is_empty() && !matches!(part.as_str(), "无" | "/" | "-" | "—" | "——" | "不适用")
    };
    parts
        .into_iter()
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|part| part.trim_end_matches(['。', '；', ';']).to_owned())
        .filter(is_subject)
        .collect()
}

/// Takes a subject apart into the fields that its category requires, as far as its words tell.
/// `brand`: the brand that the same form declares, if it declares one.
pub fn fields(category: Category, subject: &str, brand: Option<&str>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut put = |field: &str, value: &str| {
        let value =
            value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '，' | ',' | '、'));
        if !value.is_empty() {
            fields.insert(field.to_owned(), value.to_owned());
        }
    };
    let (bare, inside) = without_brackets(subject);
    match category {
        Category::Organisation => put("name", subject),
        Category::Brand => put("brand", subject.trim_end_matches("牌")),
        Category::Service => put("service", subject),
        Category::Product => {
            let mut rest = subject.to_owned();
            for found in MARKED.captures_iter(subject) {
                let field = match &found["key"] {
                    "型号" => "model",
                    "规格" => "specification",
                    "品牌" | "商标" => "brand",
                    _ => continue,
                };
                put(field, &found["value"]);
                rest = rest.replace(&found[0], " ");
            }
            let (rest, inside) = without_brackets(&rest);
            let product = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            let split = brand.and_then(|brand| Some((brand, product.strip_prefix(brand)?)));
            let quoted = inside.as_deref().filter(|_| product.is_empty());
            match (split, product.split_once("牌")) {
                (Some((brand, name)), _) => {
                    put("brand", brand);
                    put("product", name.trim_start_matches("牌"));
                }
                (None, Some((brand, name))) if brand.chars().count() <= 8 && !name.is_empty() => {
                    put("brand", brand);
                    put("product", name);
                }
                _ => put("product", quoted.unwrap_or(&product)),
            }
        }
        Category::Project => {
            if let Some(inside) = inside {
                put("place", &inside);
            }
            let marked: Vec<_> = MARKED.captures_iter(&bare).collect();
            let mut rest = bare.clone();
            for found in &marked {
                match &found["key"] {
                    "地点" | "地址" => put("place", &found["value"]),
                    "楼号" => put("number", &found["value"]),
                    _ => continue,
                }
                rest = rest.replace(&found[0], " ");
            }
            let rest = rest.trim();
            match BUILDING.captures(rest) {
                Some(found) if !found["name"].trim().is_empty() => {
                    put("name", &found["name"]);
                    put("number", &found["number"]);
                }
                _ => put("name", rest),
            }
        }
    }
    fields
}

/// The fields that the category requires and the subject does not have.
pub fn missing(category: Category, fields: &BTreeMap<String, String>) -> Vec<&'static str> {
    let is_missing = |field: &&'static str| fields.get(*field).is_none_or(|v| v.trim().is_empty());
    required_fields(category).iter().map(|(field, ..)| *field).filter(is_missing).collect()
}

/// A text without what stands in its brackets, and that.
fn without_brackets(text: &str) -> (String, Option<String>) {
    let folded: String = text.replace('（', "(").replace('）', ")");
    let Some((before, rest)) = folded.split_once('(') else { return (text.to_owned(), None) };
    let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
    (format!("{before}{after}"), Some(inside.trim().to_owned()).filter(|inside| !inside.is_empty()))
}

/// A label of a form without its blanks, signs and width.
pub fn label(text: &str) -> String {
    text.nfkc().filter(|c| c.is_alphanumeric() || *c == '/').collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_goes_on_with_a_number() {
        for cell in [
            "2、洗衣机",
            "2. 洗衣机",
            "（2）3号楼",
            "二、洗衣机",
            "（二） 洗衣机",
            "② 洗衣机",
            "3.",
        ] {
            assert!(is_numbered(cell), "{cell}");
        }
        for cell in ["2.5", "2020.5", "2、3号楼", "洗衣机", "二期", "138、", ""] {
            assert!(!is_numbered(cell), "{cell}");
        }
    }

    #[test]
    fn several_subjects_stand_in_one_cell() {
        let owned = |parts: &[&str]| parts.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        for (cell, expected) in [
            ("1、", &[][..]),
            ("", &[]),
            ("1、无", &[]),
            ("1、山海医院", &["山海医院"]),
            ("1、甲产品\n2、乙产品", &["甲产品", "乙产品"]),
            ("1、甲产品 2、乙产品；3. 丙产品", &["甲产品", "乙产品", "丙产品"]),
            ("（1）甲\n（2）乙", &["甲", "乙"]),
            ("1. 甲产品\n型号H3\n2. 乙产品", &["甲产品 型号H3", "乙产品"]),
            ("（一） 甲产品\n型号H3\n（二） 乙产品", &["甲产品 型号H3", "乙产品"]),
            ("一、甲\n二、乙", &["甲", "乙"]),
            ("① 甲\n② 乙", &["甲", "乙"]),
            ("a) 甲\nb) 乙", &["甲", "乙"]),
            ("1、甲\na) 型号H3\n2、乙", &["甲 a) 型号H3", "乙"]),
            ("三、四期", &["三、四期"]),
            ("1、林泉山居 一、二期", &["林泉山居 一、二期"]),
            ("甲产品\n乙产品", &["甲产品", "乙产品"]),
            ("甲产品；乙产品", &["甲产品", "乙产品"]),
            ("1、江畔花园8号楼（滨江区滨江路84号）", &["江畔花园8号楼（滨江区滨江路84号）"]),
            ("1、热水器 型号H3.5 规格16L", &["热水器 型号H3.5 规格16L"]),
        ] {
            assert_eq!(split(cell), owned(expected), "{cell}");
        }
    }

    #[test]
    fn a_subject_is_taken_apart_as_far_as_its_words_tell() {
        let of = |category, subject: &str, brand: Option<&str>| -> String {
            let fields = fields(category, subject, brand);
            fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
        };
        for (category, subject, brand, expected) in [
            (Category::Organisation, "山海医院", None, "name=山海医院"),
            (
                Category::Project,
                "江畔花园8号楼（滨江区滨江路84号）",
                None,
                "name=江畔花园 number=8号楼 place=滨江区滨江路84号",
            ),
            (Category::Project, "林泉山居1至3栋", None, "name=林泉山居 number=1至3栋"),
            (
                Category::Project,
                "江畔花园A座 地址：滨江路1号",
                None,
                "name=江畔花园 number=A座 place=滨江路1号",
            ),
            (Category::Project, "市民中心", None, "name=市民中心"),
            (
                Category::Product,
                "远帆燃气热水器 型号H3 规格16L",
                None,
                "model=H3 product=远帆燃气热水器 specification=16L",
            ),
            (
                Category::Product,
                "远帆燃气热水器 型号:H3 规格:16L",
                Some("远帆"),
                "brand=远帆 model=H3 product=燃气热水器 specification=16L",
            ),
            (
                Category::Product,
                "远帆牌燃气热水器（型号：H3，规格：16L）",
                None,
                "brand=远帆 model=H3 product=燃气热水器 specification=16L",
            ),
            (Category::Service, "门诊服务", None, "service=门诊服务"),
            (Category::Brand, "远帆牌", None, "brand=远帆"),
        ] {
            assert_eq!(of(category, subject, brand), expected, "{subject}");
        }
        assert_eq!(
            missing(Category::Product, &fields(Category::Product, "热水器", None)),
            ["brand", "model", "specification"]
        );
    }
}
