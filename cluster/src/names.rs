//! How seats are called outside: `<section>-<row>-<number>`, rows and numbers from 1.

use ledger::SeatNo;

/// A seat's id.
pub fn seat_id(section: &str, seats_per_row: u16, seat: SeatNo) -> String {
    let (row, number) = row_and_number(seats_per_row, seat);
    format!("{section}-{row}-{number}")
}

/// A seat's row and its number in that row, both from 1.
pub fn row_and_number(seats_per_row: u16, seat: SeatNo) -> (u16, u16) {
    let width = seats_per_row.max(1);
    (seat.0 / width + 1, seat.0 % width + 1)
}

/// Splits `<section>-<row>-<number>`; the section's name may itself contain hyphens.
pub fn parse_seat_id(id: &str) -> Option<(&str, u16, u16)> {
    let (rest, number) = id.rsplit_once('-')?;
    let (section, row) = rest.rsplit_once('-')?;
    let strict = |text: &str| {
        // Exactly one spelling a seat: no sign, no leading zero.
        (text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0'))
            .then(|| text.parse::<u16>().ok())?
    };
    (!section.is_empty()).then_some((section, strict(row)?, strict(number)?))
}

/// The seat at a row and number, if the section has it.
pub fn seat_no(rows: u16, seats_per_row: u16, row: u16, number: u16) -> Option<SeatNo> {
    let inside = (1..=rows).contains(&row) && (1..=seats_per_row).contains(&number);
    inside
        .then(|| u32::from(row - 1) * u32::from(seats_per_row) + u32::from(number - 1))
        .and_then(|no| u16::try_from(no).ok())
        .map(SeatNo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_one_seat_and_a_seat_has_one_id() {
        let id = seat_id("North-A", 20, SeatNo(41));
        assert_eq!(id, "North-A-3-2");
        assert_eq!(parse_seat_id(&id), Some(("North-A", 3, 2)));
        assert_eq!(seat_no(10, 20, 3, 2), Some(SeatNo(41)));
    }

    #[test]
    fn other_spellings_and_seats_outside_are_refused() {
        for id in [
            "",
            "A",
            "A-1",
            "-1-1",
            "A-01-1",
            "A-1-+1",
            "A-0-1",
            "A-1-",
            "A-1-99999999",
        ] {
            let seat = parse_seat_id(id).and_then(|(_, row, number)| seat_no(9, 9, row, number));
            assert_eq!(seat, None, "{id}");
        }
        assert_eq!(seat_no(10, 20, 11, 1), None);
        assert_eq!(seat_no(10, 20, 1, 21), None);
        assert_eq!(seat_no(10, 20, 0, 1), None);
    }
}
