//! The bodies of submits, delivers and the status reports in them, by the tables of CMPP 2.0 and
//! 3.0. They carry numbers and texts, which their `Debug` does not print (invariant I7).

use super::fields::{Content, Reader, Writer};
use super::pdu::Version;
use crate::domain::personal::Personal;

/// 7.4.3.1
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Submit {
    pub pk_total: u8,
    pub pk_number: u8,
    pub registered_delivery: u8,
    pub msg_level: u8,
    pub service_id: String,
    pub fee_user_type: u8,
    pub fee_terminal_id: String,
    /// Whether a user data header stands before the text.
    pub tp_udhi: u8,
    pub msg_fmt: u8,
    pub msg_src: String,
    pub fee_type: String,
    pub fee_code: String,
    pub src_id: String,
    pub destinations: Vec<Personal>,
    pub content: Content,
}

/// 7.4.5.1
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deliver {
    pub msg_id: u64,
    pub dest_id: String,
    pub service_id: String,
    pub tp_udhi: u8,
    pub msg_fmt: u8,
    pub source: Personal,
    /// 0: a number; 1: a pseudonym (3.0).
    pub source_type: u8,
    /// 1: the content is a [`Report`].
    pub registered_delivery: u8,
    pub content: Content,
}

/// The status report in a deliver's content (7.4.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// That of the submit's answer.
    pub msg_id: u64,
    pub stat: String,
    /// YYMMDDHHMM
    pub submit_time: String,
    pub done_time: String,
    pub destination: Personal,
    pub smsc_sequence: u32,
}

impl Submit {
    pub fn write(&self, body: &mut Writer, version: Version) {
        let width = version.number_width();
        // Msg_Id is the gateway's to give.
        body.long(0).octet(self.pk_total).octet(self.pk_number);
        body.octet(self.registered_delivery).octet(self.msg_level);
        body.text(&self.service_id, 10).octet(self.fee_user_type);
        body.text(&self.fee_terminal_id, width);
        if version == Version::V30 {
            // Fee_terminal_type: a number, no pseudonym.
            body.octet(0);
        }
        // TP_pId
        body.octet(0).octet(self.tp_udhi).octet(self.msg_fmt);
        body.text(&self.msg_src, 6).text(&self.fee_type, 2).text(&self.fee_code, 6);
        // ValId_Time and At_Time: the gateway's own, and now.
        body.text("", 17).text("", 17).text(&self.src_id, 21);
        body.octet(u8::try_from(self.destinations.len()).unwrap_or(u8::MAX));
        for destination in self.destinations.iter().take(usize::from(u8::MAX)) {
            body.text(destination.reveal(), width);
        }
        if version == Version::V30 {
            // Dest_terminal_type
            body.octet(0);
        }
        body.content(&self.content);
        // Reserve, or LinkID.
        body.text("", if version == Version::V30 { 20 } else { 8 });
    }

    pub fn read(reader: &mut Reader<'_>, version: Version) -> Option<Submit> {
        let width = version.number_width();
        reader.long()?;
        let mut submit = Submit {
            pk_total: reader.octet()?,
            pk_number: reader.octet()?,
            registered_delivery: reader.octet()?,
            msg_level: reader.octet()?,
            service_id: reader.text(10)?,
            fee_user_type: reader.octet()?,
            fee_terminal_id: reader.text(width)?,
            ..Submit::default()
        };
        if version == Version::V30 {
            reader.octet()?;
        }
        reader.octet()?;
        submit.tp_udhi = reader.octet()?;
        submit.msg_fmt = reader.octet()?;
        submit.msg_src = reader.text(6)?;
        submit.fee_type = reader.text(2)?;
        submit.fee_code = reader.text(6)?;
        reader.octets(17 + 17)?;
        submit.src_id = reader.text(21)?;
        for _ in 0..reader.octet()? {
            submit.destinations.push(Personal::new(reader.text(width)?));
        }
        if version == Version::V30 {
            reader.octet()?;
        }
        submit.content = reader.content()?;
        Some(submit)
    }
}

impl Deliver {
    pub fn write(&self, body: &mut Writer, version: Version) {
        body.long(self.msg_id).text(&self.dest_id, 21).text(&self.service_id, 10);
        body.octet(0).octet(self.tp_udhi).octet(self.msg_fmt);
        body.text(self.source.reveal(), version.number_width());
        if version == Version::V30 {
            body.octet(self.source_type);
        }
        body.octet(self.registered_delivery).content(&self.content);
        body.text("", if version == Version::V30 { 20 } else { 8 });
    }

    /// What follows the content is not needed, and some peers cut it off.
    pub fn read(reader: &mut Reader<'_>, version: Version) -> Option<Deliver> {
        let msg_id = reader.long()?;
        let (dest_id, service_id) = (reader.text(21)?, reader.text(10)?);
        reader.octet()?;
        Some(Deliver {
            msg_id,
            dest_id,
            service_id,
            tp_udhi: reader.octet()?,
            msg_fmt: reader.octet()?,
            source: Personal::new(reader.text(version.number_width())?),
            source_type: if version == Version::V30 { reader.octet()? } else { 0 },
            registered_delivery: reader.octet()?,
            content: reader.content()?,
        })
    }
}

impl Report {
    pub fn encode(&self, version: Version) -> Content {
        let mut body = Writer::default();
        body.long(self.msg_id).text(&self.stat, 7);
        body.text(&self.submit_time, 10).text(&self.done_time, 10);
        body.text(self.destination.reveal(), version.number_width()).word(self.smsc_sequence);
        Content::new(body.0)
    }

    /// Reads a report. Its length tells how wide the number is: some peers write that of 2.0 on a
    /// connection of 3.0. `None` if it has no state.
    pub fn decode(content: &Content) -> Option<Report> {
        let reader = &mut Reader(content.octets());
        let (msg_id, stat) = (reader.long()?, reader.text(7)?);
        let (submit_time, done_time) = (reader.last_text(10), reader.last_text(10));
        let width = if reader.0.len() < 32 + 4 { 21 } else { 32 };
        let destination = Personal::new(reader.last_text(width));
        let smsc_sequence = reader.word().unwrap_or_default();
        Some(Report { msg_id, stat, submit_time, done_time, destination, smsc_sequence })
    }
}
