//! Sets as a single parameter: a list of ids or of rows is passed as one JSON text. A statement
//! over a set is thus the same for any number of members, and is prepared and planned once.

use serde::{Serialize, Serializer};

use super::dialect::Engine;

/// The type of a set's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Number,
    Text,
    /// Bytes, written by [`HexBytes`].
    HexBytes,
}

/// Serializes the rows of a set (tuples of numbers, texts and [`HexBytes`], or options of them), or
/// the members of a list, into the parameter that carries them.
pub fn to_param<T: Serialize>(members: impl IntoIterator<Item = T>) -> String {
    // Numbers, texts and tuples of them always serialize to JSON.
    let json = serde_json::to_string(&members.into_iter().collect::<Vec<T>>())
        .unwrap_or_else(|_| "[]".to_owned());
    // PostgreSQL's texts cannot contain NUL; it can only come from a gateway's response.
    if json.contains("\\u0000") { json.replace("\\u0000", "\\ufffd") } else { json }
}

/// Bytes as a member of a set.
pub struct HexBytes<'a>(pub &'a [u8]);

impl Serialize for HexBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(self.0))
    }
}

impl Engine {
    /// The end of a `column …` condition: the column is in the list of parameter `number`.
    pub fn in_list(self, number: usize, kind: ColumnType) -> String {
        match (self, kind) {
            (Engine::Sqlite, _) => format!("IN (SELECT value FROM json_each(${number}))"),
            (Engine::Postgres, ColumnType::Number) => {
                format!(
                    "= ANY (ARRAY(SELECT CAST(m AS BIGINT) FROM \
                        json_array_elements_text(CAST(${number} AS JSON)) AS m))"
                )
            }
            (Engine::Postgres, _) => {
                format!("= ANY (ARRAY(SELECT json_array_elements_text(CAST(${number} AS JSON))))")
            }
        }
    }

    /// Wraps a SELECT so that it returns its rows as one JSON text, each row an array of these
    /// columns; bytes become hexadecimal digits.
    pub fn json_rows(self, columns: &[(&str, ColumnType)]) -> String {
        let column = |(name, kind): &(&str, ColumnType)| match (self, kind) {
            (Engine::Sqlite, ColumnType::HexBytes) => {
                format!("CASE WHEN {name} IS NULL THEN NULL ELSE hex({name}) END")
            }
            (Engine::Postgres, ColumnType::HexBytes) => format!("encode({name}, 'hex')"),
            _ => (*name).to_owned(),
        };
        let columns: Vec<String> = columns.iter().map(column).collect();
        match self {
            Engine::Sqlite => format!("json_group_array(json_array({}))", columns.join(", ")),
            Engine::Postgres => {
                format!("CAST(json_agg(json_build_array({})) AS TEXT)", columns.join(", "))
            }
        }
    }

    /// A SELECT of the rows in parameter `number`.
    pub fn select_rows(self, number: usize, columns: &[(&str, ColumnType)]) -> String {
        let column = |(at, (name, kind)): (usize, &(&str, ColumnType))| {
            let value = match (self, kind) {
                (Engine::Sqlite, ColumnType::HexBytes) => format!("unhex(value ->> {at})"),
                (Engine::Sqlite, _) => format!("value ->> {at}"),
                (Engine::Postgres, ColumnType::HexBytes) => {
                    format!("decode(value ->> {at}, 'hex')")
                }
                (Engine::Postgres, ColumnType::Number) => format!("CAST(value ->> {at} AS BIGINT)"),
                (Engine::Postgres, ColumnType::Text) => format!("value ->> {at}"),
            };
            format!("{value} AS {name}")
        };
        let columns: Vec<String> = columns.iter().enumerate().map(column).collect();
        let from = match self {
            Engine::Sqlite => format!("json_each(${number})"),
            Engine::Postgres => {
                format!("jsonb_array_elements(CAST(${number} AS JSONB)) AS member(value)")
            }
        };
        format!("SELECT {} FROM {from}", columns.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_one_text() {
        assert_eq!(to_param([1i64, 2]), "[1,2]");
        assert_eq!(
            to_param([(1i64, Some("甲\"\0"), None::<i64>, HexBytes(b"\x01\xff"))]),
            r#"[[1,"甲\"\ufffd",null,"01ff"]]"#
        );
        assert_eq!(to_param(Vec::<i64>::new()), "[]");
    }
}
