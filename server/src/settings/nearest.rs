//! What somebody probably meant.

/// `; did you mean ...?`, or nothing where nothing is near.
pub(super) fn nearest(word: &str, known: impl Iterator<Item = String>) -> String {
    let by_distance = known.map(|known| (distance(word, &known), known));
    match by_distance.min() {
        Some((distance, known)) if distance <= 2 + word.len() / 4 => {
            format!("; did you mean `{known}`?")
        }
        _ => "; usher config defaults lists all".to_owned(),
    }
}

/// Letters to insert, remove or exchange (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted_and_what_is_far_is_not_offered() {
        for (a, b, steps) in [("", "", 0), ("peer", "peers", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
        }
        let known = || ["http", "peers"].map(str::to_owned).into_iter();
        assert!(nearest("htpp", known()).contains("`http`"));
        assert!(!nearest("turbo_encabulator", known()).contains("did you mean"));
    }
}
