//! Takes a building apart into its name, its place and its number. The number of a house in a street
//! is a part of the place.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

// Fixed patterns, which the tests below run.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    // «3栋», «1至3栋», «1#、2#楼», «A座», «二期3栋2单元», «三标段»; «号» alone is no building.
    let unit = r"(?:号院|号楼|号住宅楼|#楼|＃楼|#|＃|栋|幢|座|单元|标段|期|楼)";
    let sign = r"[A-Za-z甲乙丙丁东西南北一二三四五六七八九十百\d]";
    let first = format!(r"第?{sign}[A-Za-z\d一二三四五六七八九十百]{{0,3}}");
    let more = format!(r"(?:\s*(?:{unit})?\s*[、,，至到和及与~～\-—]+\s*{first})*");
    let one = format!(r"{first}{more}\s*{unit}");
    // A fixed pattern.
    Regex::new(&format!(r"{one}(?:\s*[、,，和及]?\s*{one})*")).expect("a fixed pattern")
});
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    // A fixed pattern.
    Regex::new(r"[^\s，,；;（）()]*(?:路|街|大道|道|巷|弄|里|胡同|村|镇|公路)(?:[东西南北中]段?)?\d+(?:[-—]\d+)?(?:号|弄)(?:之[一二三四五六七八九十\d]+)?")
        .expect("a fixed pattern")
});
static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    // A fixed pattern.
    Regex::new(r"(?<key>工程地点|工程地址|地点|地址|坐落|楼号|栋号)\s*[:：]?\s*(?<value>[^\s；;，,（）()]+)")
        .expect("a fixed pattern")
});

/// The fields of a building: its words, and those in its brackets.
pub fn project_fields(words: &str, inside: Option<&str>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = words.to_owned();
    for found in MARKED.captures_iter(words) {
        let field = if found["key"].ends_with("号") { "number" } else { "place" };
        put(&mut fields, field, &found["value"]);
        rest = rest.replace(&found[0], " ");
    }
    // In brackets stands the place, or the number.
    if let Some(inside) = inside {
        match number_in(inside).filter(|(at, end)| *at == 0 && *end == inside.len()) {
            Some(_) => put(&mut fields, "number", inside),
            None => put(&mut fields, "place", inside),
        }
    }
    if let Some((at, end)) = address_in(&rest) {
        let place = rest[at..end].to_owned();
        put(&mut fields, "place", &place);
        rest.replace_range(at..end, " ");
    }
    if !fields.contains_key("number")
        && let Some((at, end)) = number_in(&rest)
    {
        let number = rest[at..end].trim().to_owned();
        put(&mut fields, "number", &number);
        rest.replace_range(at..end, " ");
    }
    let parts: Vec<&str> = rest
        .split(|c: char| c.is_whitespace() || "，,；;".contains(c))
        .filter(|part| !part.is_empty())
        .collect();
    put(&mut fields, "name", &parts.join(" "));
    fields
}

/// A value beside one that is there is a part of it.
fn put(fields: &mut BTreeMap<String, String>, field: &str, value: &str) {
    let value = value.trim_matches(|c: char| c.is_whitespace() || "，,；;、".contains(c));
    if value.is_empty() {
        return;
    }
    fields
        .entry(field.to_owned())
        .and_modify(|known| {
            known.push(' ');
            known.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

/// Where an address with the number of a house stands. «1号楼» and «1号院» are no such number.
fn address_in(text: &str) -> Option<(usize, usize)> {
    let is_building = |end: usize| {
        text[end..].starts_with(['楼', '院', '线', '地', '栋', '幢', '座'])
            || text[end..].starts_with("住宅")
    };
    let found = ADDRESS.find_iter(text).find_map(|found| {
        if !is_building(found.end()) {
            return Some(found);
        }
        // «海滨路100弄3号楼».
        let (at, _) = text[..found.end()].char_indices().next_back()?;
        ADDRESS.find(&text[..at]).filter(|found| !is_building(found.end()))
    })?;
    Some((found.start(), found.end()))
}

/// Where the number of a building stands.
fn number_in(text: &str) -> Option<(usize, usize)> {
    NUMBER.find_iter(text).map(|found| (found.start(), found.end())).find(|(at, end)| {
        let found = &text[*at..*end];
        let before = text[..*at].chars().next_back();
        // «教学楼», «大学期间»: a word goes on before or behind it.
        let is_digit = |c: char| c.is_ascii_alphanumeric() || "一二三四五六七八九十".contains(c);
        let is_plain_floor = found.ends_with('楼')
            && !found.ends_with("号楼")
            && !found.contains(['#', '＃'])
            && text[*end..].chars().next().is_some_and(char::is_alphanumeric);
        before.is_none_or(|c| !c.is_ascii_alphanumeric())
            && found.chars().next().is_some_and(|c| is_digit(c) || "第甲乙丙丁东西南北".contains(c))
            && !is_plain_floor
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_building_has_a_name_a_place_and_a_number_that_is_none_of_a_street() {
        let of = |words: &str, inside: Option<&str>| -> String {
            let fields = project_fields(words, inside);
            fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
        };
        for (words, inside, expected) in [
            ("云台中学教学楼 海州市中学路1号", None, "name=云台中学教学楼 place=海州市中学路1号"),
            (
                "海风苑3栋 海州市花果山大道88号",
                None,
                "name=海风苑 number=3栋 place=海州市花果山大道88号",
            ),
            (
                "海风苑3栋，海州市花果山大道88号",
                None,
                "name=海风苑 number=3栋 place=海州市花果山大道88号",
            ),
            ("海州市中学路1号云台中学教学楼", None, "name=云台中学教学楼 place=海州市中学路1号"),
            (
                "海风苑3栋",
                Some("海州市花果山大道88号"),
                "name=海风苑 number=3栋 place=海州市花果山大道88号",
            ),
            ("海风苑", Some("3栋"), "name=海风苑 number=3栋"),
            ("海滨路100弄3号楼", None, "number=3号楼 place=海滨路100弄"),
            ("一期1#、2#楼，海州市海滨路1号", None, "number=一期1#、2#楼 place=海州市海滨路1号"),
            ("海风苑二期A座", None, "name=海风苑 number=二期A座"),
            ("云台花园12幢2单元", None, "name=云台花园 number=12幢2单元"),
            ("云台路5号院", None, "name=云台路 number=5号院"),
            ("林泉山居1至3栋", None, "name=林泉山居 number=1至3栋"),
            ("市民中心", None, "name=市民中心"),
            ("海风苑3号", None, "name=海风苑3号"),
            ("海州市中学路1号", None, "place=海州市中学路1号"),
            ("地铁3号线", None, "name=地铁3号线"),
            ("海风苑3栋装修工程", None, "name=海风苑 装修工程 number=3栋"),
            ("江南花园B座", None, "name=江南花园 number=B座"),
            ("海风苑 栋号：3#、5# 地点：海州", None, "name=海风苑 number=3#、5# place=海州"),
        ] {
            assert_eq!(of(words, inside), expected, "{words}");
        }
    }
}
