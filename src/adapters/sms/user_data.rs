//! The user data header before a text (3GPP TS 23.040, 9.2.3.24), which says what part of a long
//! message it is. SMPP and CMPP carry it alike.

/// Splits the user data header (without its length) from the text's octets.
pub fn split_header(user_data: &[u8]) -> (&[u8], &[u8]) {
    match user_data.first() {
        Some(&length) => {
            let end = (usize::from(length) + 1).min(user_data.len());
            (&user_data[1..end], &user_data[end..])
        }
        None => (&[], user_data),
    }
}

/// Reference, number and total of a part, in a user data header (9.2.3.24.1 with eight bits and
/// 9.2.3.24.8 with sixteen).
pub fn part_of_header(header: &[u8]) -> Option<(u16, u8, u8)> {
    let mut rest = header;
    while let [id, length, tail @ ..] = rest {
        let data = tail.get(..usize::from(*length))?;
        match (id, data) {
            (0x00, &[reference, total, number]) => {
                return valid_part(u16::from(reference), number, total);
            }
            (0x08, &[high, low, total, number]) => {
                return valid_part(u16::from_be_bytes([high, low]), number, total);
            }
            _ => rest = &tail[data.len()..],
        }
    }
    None
}

/// A reply of one part is no part of anything.
pub fn valid_part(reference: u16, number: u8, total: u8) -> Option<(u16, u8, u8)> {
    (total > 1 && (1..=total).contains(&number)).then_some((reference, number, total))
}

/// The header of one part of several, with its length (9.2.3.24.1: an 8-bit reference).
pub fn header_of_part(reference: u8, number: u8, total: u8) -> [u8; 6] {
    [5, 0, 3, reference, total, number]
}
