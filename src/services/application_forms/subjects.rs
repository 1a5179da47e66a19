//! Takes declared subjects apart: several in one cell, and the fields that a category requires.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::buildings::project_fields;
use super::{numbered, sheets};
use crate::domain::category::Category;
use crate::domain::subject::required_fields;

/// Whether a cell begins with the number of a list: «2、洗衣机», not «2.5» or «2020.5».
pub fn is_numbered(cell: &str) -> bool {
    numbered::begins(cell)
}

/// Splits a cell into the subjects that it declares: «1、…», «①…», the lines and the parts between
/// semicolons of a list without numbers. What says that there is none is none.
pub fn split(cell: &str) -> Vec<String> {
    let cell = cell.trim();
    let parts = numbered::parts(cell).unwrap_or_else(|| unnumbered(cell));
    let is_subject = |part: &String| {
        !part.is_empty()
            && !matches!(part.as_str(), "无" | "/" | "-" | "—" | "——" | "不适用" | "暂无" | "略")
    };
    parts
        .into_iter()
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|part| part.trim_end_matches(['。', '；', ';', '，', ',', '、']).trim().to_owned())
        .filter(is_subject)
        .collect()
}

/// The parts of a cell without numbers. A line that says more of the one before belongs to it, and
/// what stands in brackets stays together.
fn unnumbered(cell: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0u32);
    let is_closed = cell.matches(['(', '（']).count() == cell.matches([')', '）']).count();
    for c in cell.chars() {
        match c {
            '(' | '（' if is_closed => depth += 1,
            ')' | '）' if is_closed => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if depth > 0 || !matches!(c, '\n' | ';' | '；') => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    let mut joined: Vec<String> = Vec::new();
    for part in parts {
        let more = part.trim_start();
        let is_more = MARKED.find(more).is_some_and(|found| found.start() == 0)
            || more.starts_with(['(', '（']);
        match joined.last_mut().filter(|last| is_more && !last.trim().is_empty()) {
            Some(last) => {
                last.push(' ');
                last.push_str(&part);
            }
            None => joined.push(part),
        }
    }
    joined
}

/// Whether a subject may be several, between which «、» stands: brands and services have it between
/// them, and inside one name as well.
pub fn may_be_several(category: Category, subject: &str) -> bool {
    let outside = without_brackets(subject).0;
    matches!(category, Category::Brand | Category::Service | Category::Organisation)
        && outside.contains(['、', '，', ','])
        && !outside.contains(['“', '"', '「'])
}

static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?<key>规格型号|型号规格|型号|规格|品牌|商标|地点|地址|楼号|栋号)\s*[:：]?\s*(?<value>[^\s；;，,、（）()]+)",
    )
    // Run by the tests below.
    .expect("a fixed pattern")
});

/// Takes a subject apart into the fields that its category requires, as far as its words tell.
/// `brand`: the brand that the same form declares, if it declares one.
pub fn fields(category: Category, subject: &str, brand: Option<&str>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut put = |field: &str, value: &str| _ = put_value(&mut fields, field, value);
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
                    // Both stand behind it, one after the other.
                    "规格型号" | "型号规格" => match sheets::bare_field(&found["value"]) {
                        Some(field) => field,
                        None => continue,
                    },
                    _ => continue,
                };
                put(field, &found["value"]);
                rest = rest.replace(&found[0], " ");
            }
            let (mut rest, mut inside) = without_brackets(&rest);
            // «（KFR-35GW/A1，1.5匹）», «绿茶 250g/盒»: a model and a measure need no word before them.
            let mut kept = Vec::new();
            let bracket = inside.take().unwrap_or_default();
            for word in bracket.split(['，', ',', '；', ';', '、']).map(str::trim) {
                match sheets::bare_field(word) {
                    Some(field) if put_free(&mut fields, field, word) => {}
                    _ if word.chars().any(char::is_alphanumeric) => kept.push(word),
                    _ => {}
                }
            }
            inside = Some(kept.join("，")).filter(|kept| !kept.is_empty());
            while let Some((before, word)) = rest.trim().rsplit_once([' ', '，', ',']) {
                let is_put = sheets::bare_field(word)
                    .is_some_and(|field| put_free(&mut fields, field, word));
                if !is_put {
                    break;
                }
                rest = before.trim_end_matches(['，', ',', '、', ' ']).to_owned();
            }
            let mut product = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            product = product.trim_matches(['，', ',', '、', ' ']).to_owned();
            if let Some(kept) = inside.as_deref().filter(|_| !product.is_empty()) {
                product = format!("{product}（{kept}）");
            }
            let mut put = |field: &str, value: &str| _ = put_value(&mut fields, field, value);
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
        Category::Project => return project_fields(&bare, inside.as_deref()),
    }
    fields
}

/// Puts a value without the signs around it. Returns whether there is one.
fn put_value(fields: &mut BTreeMap<String, String>, field: &str, value: &str) -> bool {
    let value = value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '，' | ',' | '、'));
    if !value.is_empty() {
        fields.insert(field.to_owned(), value.to_owned());
    }
    !value.is_empty()
}

/// As [`put_value`], where the field has no value.
fn put_free(fields: &mut BTreeMap<String, String>, field: &str, value: &str) -> bool {
    !fields.contains_key(field) && put_value(fields, field, value)
}

/// The fields that the category requires and the subject does not have.
pub fn missing(category: Category, fields: &BTreeMap<String, String>) -> Vec<&'static str> {
    let is_missing = |field: &&'static str| fields.get(*field).is_none_or(|v| v.trim().is_empty());
    required_fields(category).iter().map(|(field, ..)| *field).filter(is_missing).collect()
}

/// A text without what stands in its brackets, and that.
pub(super) fn without_brackets(text: &str) -> (String, Option<String>) {
    let folded: String = text.replace('（', "(").replace('）', ")");
    let Some((before, rest)) = folded.split_once('(') else { return (text.to_owned(), None) };
    let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
    (format!("{before}{after}"), Some(inside.trim().to_owned()).filter(|inside| !inside.is_empty()))
}

/// A text without what stands in brackets.
pub fn without_remarks(text: &str) -> String {
    let (mut bare, mut depth) = (String::new(), 0u32);
    for c in text.chars() {
        match c {
            '(' | '（' => depth += 1,
            ')' | '）' => depth = depth.saturating_sub(1),
            c if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    bare
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
            ("热水器\n型号：H3\n规格：16L\n洗衣机", &["热水器 型号：H3 规格：16L", "洗衣机"]),
            ("绿茶（250g；盒装）；红茶", &["绿茶（250g；盒装）", "红茶"]),
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
            (
                Category::Product,
                "绿洲牌热水器（型号GZ60，60L）",
                None,
                "brand=绿洲 model=GZ60 product=热水器 specification=60L",
            ),
            (
                Category::Product,
                "2.5匹空调（KFR-35GW/A1）",
                None,
                "model=KFR-35GW/A1 product=2.5匹空调",
            ),
            (
                Category::Product,
                "云台牌绿茶 250g/盒",
                None,
                "brand=云台 product=绿茶 specification=250g/盒",
            ),
            (Category::Product, "云台牌绿茶（明前）", None, "brand=云台 product=绿茶（明前）"),
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
