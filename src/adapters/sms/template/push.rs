//! Parses a gateway's pushes: receipts and replies.

use chrono::{FixedOffset, NaiveDateTime};
use data_encoding::HEXLOWER;

use super::super::text_coding::TextCoding;
use super::super::{Entries, Push, PushError, Receipt, Reply, ReplyPart};
use super::entries::{PushEntry, entries};
use super::push_fields::{PartFields, PushSection, ReceiptFields, ReplyFields};
use super::push_signature::verify;
use super::request::Account;
use crate::adapters::crypto::sha256;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

/// Parses the receipts of a push; states that are neither delivered nor undelivered («buffered»)
/// are skipped.
pub(super) fn receipts(
    section: &PushSection<ReceiptFields>,
    account: &Account,
    push: Push<'_>,
) -> Result<Entries<Receipt>, PushError> {
    let places = &section.fields;
    let receipt = |entry: &PushEntry| {
        let state = entry.at(&places.state).ok_or(PushError::Missing("state"))?;
        let delivered = places.delivered.contains(&state);
        let is_undelivered = places.undelivered.contains(&state)
            || places.undelivered.iter().any(|any| any == "*") && !places.pending.contains(&state);
        if !delivered && !is_undelivered {
            return Ok(None);
        }
        let named = |place: &Option<String>| {
            place.as_deref().and_then(|p| entry.at(p)).filter(|v| !v.is_empty() && v.len() <= 200)
        };
        let (reference, id, code) =
            (named(&places.reference), named(&places.id), named(&places.code));
        if reference.is_none() && id.is_none() {
            return Err(PushError::Missing("id or reference"));
        }
        let dead_number =
            !delivered && code.as_ref().is_some_and(|code| places.dead_number.contains(code));
        Ok(Some(Receipt { reference, id, to: None, delivered, dead_number, code }))
    };
    let entries = entries(&section.source, None, push)?;
    verify(section.source.signature.as_ref(), account, push, &entries)?;
    Ok(Entries::read(entries, receipt))
}

pub(super) fn replies(
    section: &PushSection<ReplyFields>,
    account: &Account,
    push: Push<'_>,
) -> Result<Entries<Reply>, PushError> {
    let places = &section.fields;
    let reply = |entry: &PushEntry| {
        let from = entry.at(&places.from).ok_or(PushError::Missing("from"))?;
        let text = entry.text(places).ok_or(PushError::Missing("text"))?;
        let id = places.id.as_deref().and_then(|p| entry.at(p)).filter(|id| !id.is_empty());
        let at = places.time.as_deref().and_then(|p| entry.at(p));
        let at =
            at.and_then(|time| time_of(&time, places.time_format.as_deref(), places.offset()?));
        let part = places.parts.as_ref().and_then(|places| part_of(places, entry, &text));
        Ok(Some(Reply {
            from_kind: places.from_kind.into(),
            id: id.map(Personal::new),
            at,
            part,
            ..Reply::new(from, text)
        }))
    };
    let entries = entries(&section.source, places.charset.as_deref(), push)?;
    verify(section.source.signature.as_ref(), account, push, &entries)?;
    Ok(Entries::read(entries, reply))
}

/// Parses seconds or milliseconds since 1970, RFC 3339, or the format that the file names; `offset`
/// is that of times which name none.
fn time_of(raw: &str, format: Option<&str>, offset: FixedOffset) -> Option<Timestamp> {
    const SECONDS_UNTIL: i64 = 100_000_000_000;
    let raw = raw.trim();
    if let Some(format) = format {
        let at = chrono::DateTime::parse_from_str(raw, format).ok().or_else(|| {
            let local = NaiveDateTime::parse_from_str(raw, format).ok()?;
            local.and_local_timezone(offset).single()
        })?;
        return Some(Timestamp(at.timestamp_millis()));
    }
    match raw.parse::<i64>() {
        Ok(number) if number < SECONDS_UNTIL => Some(Timestamp(number * 1_000)),
        Ok(number) => Some(Timestamp(number)),
        Err(_) => chrono::DateTime::parse_from_rfc3339(raw)
            .ok()
            .map(|at| Timestamp(at.timestamp_millis())),
    }
}

/// Reads the place of a part in a long reply. A reply without a total, or of one part, is whole.
fn part_of(places: &PartFields, entry: &PushEntry, text: &str) -> Option<ReplyPart> {
    let number_at = |place: &str| entry.at(place)?.trim().parse::<u8>().ok();
    let (number, total) = (number_at(&places.number)?, number_at(&places.total)?);
    if total < 2 || !(1..=total).contains(&number) {
        return None;
    }
    let reference = entry.at(&places.reference)?;
    // Gateways give numbers of their own, or any text.
    let reference = reference.trim().parse().unwrap_or_else(|_| {
        let hash = sha256(reference.as_bytes());
        u16::from_be_bytes([hash[0], hash[1]])
    });
    Some(ReplyPart {
        reference,
        number,
        total,
        coding: TextCoding::Utf8,
        octets_hex: Personal::new(HEXLOWER.encode(text.as_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{describe_receipts, describe_replies};
    use super::super::file::GatewayFile;
    use super::super::request::tests::account;
    use super::*;

    fn receipts(
        section: &PushSection<ReceiptFields>,
        push: Push<'_>,
    ) -> Result<Entries<Receipt>, PushError> {
        super::receipts(section, &account(), push)
    }

    fn replies(
        section: &PushSection<ReplyFields>,
        push: Push<'_>,
    ) -> Result<Entries<Reply>, PushError> {
        super::replies(section, &account(), push)
    }

    fn push<'a>(query: &'a str, body: &'a [u8]) -> Push<'a> {
        static NONE: std::sync::LazyLock<reqwest::header::HeaderMap> =
            std::sync::LazyLock::new(Default::default);
        Push { url: "", query, headers: &NONE, body }
    }

    #[test]
    fn receipts_in_each_form() {
        let simulator =
            GatewayFile::parse(include_str!("../../../../config/gateways/simulator.toml"))
                .unwrap()
                .receipt
                .unwrap();
        let body: &[u8] =
            br#"[{"id":"s1","reference":"r1","state":"delivered"},{"id":"s2","state":"buffered"},
                        {"id":"s3","state":"undelivered","error":"absent"}]"#;
        let read = receipts(&simulator, push("", body)).unwrap().read;
        assert_eq!(read.len(), 2);
        assert!(
            read[0].delivered && read[0].reference.as_deref() == Some("r1") && !read[0].dead_number
        );
        assert!(!read[1].delivered && read[1].dead_number);

        let kannel = GatewayFile::parse(include_str!("../../../../config/gateways/kannel.toml"))
            .unwrap()
            .receipt
            .unwrap();
        let read = receipts(&kannel, push("reference=r7&state=1", b"")).unwrap().read;
        assert_eq!((read[0].reference.as_deref(), read[0].delivered), (Some("r7"), true));

        assert_eq!(receipts(&simulator, push("", b"x")).unwrap_err(), PushError::Form("JSON"));
        let unreadable = receipts(&simulator, push("", b"{}")).unwrap().unreadable;
        assert_eq!(unreadable[0].error, PushError::Missing("state"));
    }

    fn shipped(name: &str) -> GatewayFile {
        let text = match name {
            "simulator" => include_str!("../../../../config/gateways/simulator.toml"),
            "kannel" => include_str!("../../../../config/gateways/kannel.toml"),
            _ => include_str!("../../../../config/gateways/rapidpro.toml"),
        };
        GatewayFile::parse(text).unwrap()
    }

    #[test]
    fn receipts_of_every_shape() {
        let long = format!(r#"{{"id":"{}","state":"delivered"}}"#, "s".repeat(201));
        for (gateway, query, body, expected) in [
            ("simulator", "", "[]", &[][..]),
            (
                "simulator",
                "",
                r#"{"id":"s1","reference":"r1","state":"delivered","new":{"x":[1]}}"#,
                &["reference=r1 id=s1 delivered"],
            ),
            ("simulator", "", r#"{"id":1,"state":"delivered"}"#, &["id=1 delivered"]),
            (
                "simulator",
                "",
                r#"[{"id":"s1","state":"undelivered","error":"absent"},
                    {"id":"s2","state":"undelivered","error":"unknown_subscriber"},
                    {"id":"s3","state":"undelivered","error":"memory_full"},
                    {"id":"s4","state":"undelivered"},{"id":"s5","state":"never-heard-of"}]"#,
                &[
                    "id=s1 dead number code=absent",
                    "id=s2 dead number code=unknown_subscriber",
                    "id=s3 undelivered code=memory_full",
                    "id=s4 undelivered",
                ],
            ),
            ("simulator", "", r#"{"state":"delivered"}"#, &[r#"Missing("id or reference")"#]),
            (
                "simulator",
                "",
                r#"{"id":"","reference":null,"state":"delivered"}"#,
                &[r#"Missing("id or reference")"#],
            ),
            ("simulator", "", &long, &[r#"Missing("id or reference")"#]),
            (
                "simulator",
                "",
                r#"[{"id":"s1","state":"delivered"},{"id":"s2"}]"#,
                &["id=s1 delivered", r#"Missing("state")"#],
            ),
            ("simulator", "", "[1]", &[r#"Missing("state")"#]),
            ("simulator", "", r#"{"id":"s1","state":"deli"#, &[r#"Form("JSON")"#]),
            ("simulator", "", "\"delivered\"", &[r#"Form("JSON")"#]),
            ("simulator", "", "<html>", &[r#"Form("JSON")"#]),
            ("simulator", "", "", &[r#"Form("JSON")"#]),
            ("kannel", "reference=r1&state=1&new=1", "", &["reference=r1 delivered"]),
            ("kannel", "reference=r1&state=2", "", &["reference=r1 undelivered"]),
            ("kannel", "reference=r1&state=16", "", &["reference=r1 undelivered"]),
            // Buffered, or handed to the SMSC.
            ("kannel", "reference=r1&state=4", "", &[]),
            ("kannel", "reference=r1&state=8", "", &[]),
            ("kannel", "state=1", "", &[r#"Missing("id or reference")"#]),
            ("kannel", "reference=r1", "state=1", &[r#"Missing("state")"#]),
            ("rapidpro", "", "id=r1&status=D&new=1", &["reference=r1 delivered"]),
            ("rapidpro", "", "id=r1&status=delivered", &["reference=r1 delivered"]),
            ("rapidpro", "", "id=r1&status=F", &["reference=r1 undelivered"]),
            ("rapidpro", "", "id=r1&status=errored", &["reference=r1 undelivered"]),
            ("rapidpro", "", "id=r1&status=S", &[]),
            ("rapidpro", "", "id=&status=D", &[r#"Missing("id or reference")"#]),
            ("rapidpro", "id=r1&status=D", "", &[r#"Missing("state")"#]),
        ] {
            let places = shipped(gateway).receipt.unwrap();
            assert_eq!(
                describe_receipts(receipts(&places, push(query, body.as_bytes()))),
                expected,
                "{gateway} {query} {body}"
            );
        }
    }

    #[test]
    fn replies_of_every_shape() {
        for (gateway, query, body, expected) in [
            (
                "simulator",
                "",
                r#"{"id":"m1","from":"+8613800138000","text":"8","at":1772415000}"#,
                &["+8613800138000: «8» id=«m1» at=1772415000000"][..],
            ),
            (
                "simulator",
                "",
                r#"{"id":2,"from":"+8613800138000","text":"退订","at":1772415000123}"#,
                &["+8613800138000: «退订» id=«2» at=1772415000123"],
            ),
            (
                "simulator",
                "",
                r#"{"id":"m1","from":"+8613800138000","text":"好👍","at":"2026-03-02T09:30:00+08:00"}"#,
                &["+8613800138000: «好👍» id=«m1» at=1772415000000"],
            ),
            (
                "simulator",
                "",
                r#"{"from":"+8613800138000","text":"","at":"soon","new":[]}"#,
                &["+8613800138000: «»"],
            ),
            // A point that was answered with a number of JSON.
            ("simulator", "", r#"{"from":"+8613800138000","text":8}"#, &["+8613800138000: «8»"]),
            (
                "simulator",
                "",
                r#"[{"id":"m1","from":"+8613800138000","text":"1"},{"id":"m2","from":"+8613900139000","text":"2"}]"#,
                &["+8613800138000: «1» id=«m1»", "+8613900139000: «2» id=«m2»"],
            ),
            ("simulator", "", "[]", &[]),
            ("simulator", "", r#"{"from":"+8613800138000"}"#, &[r#"Missing("text")"#]),
            ("simulator", "", r#"{"from":"+8613800138000","text":null}"#, &[r#"Missing("text")"#]),
            ("simulator", "", r#"{"text":"8"}"#, &[r#"Missing("from")"#]),
            ("simulator", "", r#"{"from":"+86138"#, &[r#"Form("JSON")"#]),
            ("simulator", "", "", &[r#"Form("JSON")"#]),
            ("kannel", "from=%2B8613800138000&text=T", "", &["+8613800138000: «T»"]),
            (
                "kannel",
                "from=%2B8613800138000&text=%E5%A5%BD+%F0%9F%91%8D&new=1",
                "",
                &["+8613800138000: «好 👍»"],
            ),
            ("kannel", "from=%2B8613800138000&text=", "", &["+8613800138000: «»"]),
            ("kannel", "text=T", "", &[r#"Missing("from")"#]),
            ("kannel", "", "from=%2B8613800138000&text=T", &[r#"Missing("from")"#]),
            ("rapidpro", "", "from=%2B8613800138000&text=STOP", &["+8613800138000: «STOP»"]),
            ("rapidpro", "", "from=%2B8613800138000", &[r#"Missing("text")"#]),
            // Kannel's %b of a text in Unicode is UTF-16; its %a may have been converted.
            ("kannel", "from=1&text=%90%00%8B%A2&coding=2&charset=UTF-16BE", "", &["1: «退订»"]),
            ("kannel", "from=1&text=N%0D&coding=2", "", &["1: «不»"]),
            ("kannel", "from=1&text=%00T%00D&coding=2", "", &["1: «TD»"]),
            ("kannel", "from=1&text=TD&coding=2&charset=UTF-8", "", &["1: «TD»"]),
            ("kannel", "from=1&text=%E9%80%80%E8%AE%A2&coding=2", "", &["1: «退订»"]),
            ("kannel", "from=1&text=TD&coding=0&charset=GSM", "", &["1: «TD»"]),
            ("kannel", "from=1&text=caf%E9", "", &["1: «café»"]),
            // Aggregators in China percent-encode GBK.
            ("rapidpro", "", "from=1&text=%CD%CB%B6%A9", &["1: «退订»"]),
        ] {
            let places = shipped(gateway).reply.unwrap();
            assert_eq!(
                describe_replies(replies(&places, push(query, body.as_bytes()))),
                expected,
                "{gateway} {query} {body}"
            );
        }
    }
}
