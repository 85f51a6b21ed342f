//! How ids and times are written outside: ids as hyphenated lower-case UUIDs, times as RFC 3339
//! in UTC with milliseconds.

use ledger::{EventId, OrderId, TicketId, Timestamp};
use uuid::Uuid;

/// An id's text.
pub fn id(id: u128) -> String {
    let mut buffer = Uuid::encode_buffer();
    Uuid::from_u128(id)
        .hyphenated()
        .encode_lower(&mut buffer)
        .to_owned()
}

/// The id that a hash makes: its first 16 bytes.
pub(crate) fn id_of(hash: [u8; 32]) -> u128 {
    u128::from_be_bytes(hash[..16].try_into().expect("16 of 32 bytes"))
}

/// The id a text names, written with or without hyphens.
pub fn parse_id(text: &str) -> Option<u128> {
    if !matches!(text.len(), 32 | 36) {
        return None;
    }
    Uuid::try_parse(text).ok().map(|uuid| uuid.as_u128())
}

/// The event a text names.
pub fn parse_event(text: &str) -> Option<EventId> {
    parse_id(text).map(EventId)
}

/// The order a text names.
pub fn parse_order(text: &str) -> Option<OrderId> {
    parse_id(text).map(OrderId)
}

/// The ticket a text names.
pub fn parse_ticket(text: &str) -> Option<TicketId> {
    parse_id(text).map(TicketId)
}

/// A time's text.
pub fn time(at: Timestamp) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => format!("{time:.3}"),
        // Past the year 9999; nothing the door lets in gets there.
        Err(_) => "9999-12-31T23:59:59.999Z".to_owned(),
    }
}

/// The time a text names, any offset; only times since 1970.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// The bytes a hexadecimal text names.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    text.as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_survive_being_written_and_read() {
        let order = OrderId::new(ledger::ShardId(3), 0x1234_5678_9abc_def0);
        assert_eq!(parse_order(&id(order.0)), Some(order));
        assert_eq!(parse_order(&order.to_string()), Some(order));
        let at = Timestamp(1_790_000_000_123);
        assert_eq!(time(at), "2026-09-21T14:13:20.123Z");
        assert_eq!(parse_time(&time(at)), Some(at));
        assert_eq!(parse_hex(&hex(&[0, 171, 255])), Some(vec![0, 171, 255]));
    }

    #[test]
    fn texts_that_are_no_ids_are_refused() {
        for text in [
            "",
            "x",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
            "67e55044-10b1-426f-9247-bb680e5fe0cZ",
        ] {
            assert_eq!(parse_id(text), None, "{text}");
        }
        assert_eq!(parse_time("1969-12-31T23:59:59Z"), None);
        assert_eq!(parse_hex("0g"), None);
        assert_eq!(parse_hex("€€"), None);
    }
}
