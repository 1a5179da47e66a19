//! What stands in a placeholder where a gateway takes less: Alibaba's variables hold 35 characters,
//! an operator's others fewer. A plan says what may be done (`[shorten]`).

use serde::{Deserialize, Serialize};

use super::language::Language;
use super::words::Words;

/// How a value may be shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortening {
    /// A name: the surname with «先生/女士», in other languages the last word.
    Surname,
    /// A name: «先生/女士», in other languages «Sir or Madam». (Gateways refuse empty parameters.)
    Omit,
    /// Any value: as many characters as there is room for, the last of them «…».
    Cut,
}

/// Chinese surnames of two characters (the usual ones).
const DOUBLE_SURNAMES: [&str; 26] = [
    "欧阳", "司马", "上官", "诸葛", "夏侯", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐",
    "宇文", "长孙", "司空", "轩辕", "端木", "南宫", "独孤", "呼延", "申屠", "淳于", "单于", "太史",
    "闻人", "拓跋",
];

impl Shortening {
    /// Shortens a value to at most `room` characters, if that can be done.
    pub fn apply(self, value: &str, room: usize, language: Language) -> Option<String> {
        let shorter = match self {
            Shortening::Surname => surname(value, language)?,
            Shortening::Omit => anybody(language).to_owned(),
            Shortening::Cut => {
                let kept: String = value.chars().take(room.checked_sub(1)?).collect();
                if kept.is_empty() {
                    return None;
                }
                format!("{}…", kept.trim_end())
            }
        };
        (shorter.chars().count() <= room).then_some(shorter)
    }
}

fn anybody(language: Language) -> &'static str {
    &Words::of(language).form.polite
}

fn surname(name: &str, language: Language) -> Option<String> {
    let name = name.trim();
    let is_han = |c: &char| matches!(*c as u32, 0x3400..=0x9fff | 0x20000..=0x3ffff);
    if language.is_chinese() && name.chars().next().as_ref().is_some_and(is_han) {
        let double = DOUBLE_SURNAMES.iter().find(|double| name.starts_with(**double));
        let surname = double.map_or_else(|| name.chars().take(1).collect(), |d| (*d).to_owned());
        return Some(format!("{surname}{}", anybody(language)));
    }
    name.split_whitespace().next_back().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_subjects_in_little_room() {
        use Shortening::{Cut, Omit, Surname};
        for (rule, value, room, language, expected) in [
            (Surname, "王小明", 10, Language::ZH, Some("王先生/女士")),
            (Surname, " 欧阳娜娜", 10, Language::ZH, Some("欧阳先生/女士")),
            (Surname, "阿卜杜拉·买买提江", 6, Language::ZH, Some("阿先生/女士")),
            (Surname, "Maria da Silva", 10, Language::ZH, Some("Silva")),
            (Surname, "Maria da Silva", 10, Language::EN, Some("Silva")),
            (Surname, "王小明", 4, Language::ZH, None),
            (Surname, " ", 4, Language::ZH, None),
            (Omit, "王小明", 5, Language::ZH, Some("先生/女士")),
            (Omit, "Maria da Silva", 12, Language::EN, Some("Sir or Madam")),
            (Cut, "山海牌全自动滚筒洗衣机", 6, Language::ZH, Some("山海牌全自…")),
            (Cut, "Sea and land", 5, Language::EN, Some("Sea…")),
            (Cut, "山海", 1, Language::ZH, None),
            (Cut, "山海", 0, Language::ZH, None),
        ] {
            let shorter = rule.apply(value, room, language);
            assert_eq!(shorter.as_deref(), expected, "{rule:?} {value} {room}");
        }
    }
}
