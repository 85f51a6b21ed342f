//! Tables in a document, between marks, so that it cannot drift from the model:
//!
//! ```text
//! <!-- scaling:NAME -->
//! (the table)
//! <!-- /scaling -->
//! ```

use super::tables::Named;

const END: &str = "<!-- /scaling -->";

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A mark without an end.
    #[error("line {line}: `{mark}` has no `{END}` behind it")]
    Open {
        /// Its line, from 1.
        line: usize,
        /// The mark.
        mark: String,
    },
    /// A mark of a table that does not exist.
    #[error("line {line}: there is no table `{name}`")]
    Unknown {
        /// Its line, from 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// A table that stands nowhere.
    #[error("no mark for the table `{0}`")]
    Absent(&'static str),
}

/// The document with these tables in it.
pub fn filled(document: &str, tables: &[Named]) -> Result<String, Error> {
    let mut text = String::new();
    let mut seen = Vec::new();
    let mut lines = document.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let Some(name) = name_of(line) else {
            continue;
        };
        let table = tables.iter().find(|table| table.name == name);
        let table = table.ok_or_else(|| Error::Unknown {
            line: number,
            name: name.to_owned(),
        })?;
        seen.push(table.name);
        text.push_str(&table.text);
        text.push_str(END);
        text.push('\n');
        lines
            .find(|(line, _)| line.trim() == END)
            .ok_or_else(|| Error::Open {
                line: number,
                mark: line.trim().to_owned(),
            })?;
    }
    match tables.iter().find(|table| !seen.contains(&table.name)) {
        Some(absent) => Err(Error::Absent(absent.name)),
        None => Ok(text),
    }
}

fn name_of(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("<!-- scaling:")?;
    Some(name.strip_suffix("-->")?.trim())
}

/// Lines that differ, the document's with `-`, the model's with `+`. Empty when all is well.
#[must_use]
pub fn difference(document: &str, model: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (document.lines().collect(), model.lines().collect());
    let same =
        |of: &[&str], other: &[&str]| of.iter().zip(other).take_while(|(a, b)| a == b).count();
    let head = same(&old, &new);
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let reversed =
        |of: &[&str]| -> Vec<String> { of.iter().rev().map(|line| (*line).to_owned()).collect() };
    let (old_back, new_back) = (reversed(old_rest), reversed(new_rest));
    let tail = old_back
        .iter()
        .zip(&new_back)
        .take_while(|(a, b)| a == b)
        .count();
    let mut text = String::new();
    let (old_mid, new_mid) = (
        &old_rest[..old_rest.len() - tail],
        &new_rest[..new_rest.len() - tail],
    );
    if old_mid.is_empty() && new_mid.is_empty() {
        return text;
    }
    text.push_str(&format!("@@ line {} @@\n", head + 1));
    // Tables of the same length differ row by row.
    if old_mid.len() == new_mid.len() {
        for (a, b) in old_mid.iter().zip(new_mid).filter(|(a, b)| a != b) {
            text.push_str(&format!("-{a}\n+{b}\n"));
        }
        return text;
    }
    old_mid
        .iter()
        .for_each(|line| text.push_str(&format!("-{line}\n")));
    new_mid
        .iter()
        .for_each(|line| text.push_str(&format!("+{line}\n")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Vec<Named> {
        let named = |name, text: &str| Named {
            name,
            text: text.to_owned(),
        };
        vec![named("a", "| 1 |\n"), named("b", "| 2 |\n")]
    }

    const DOCUMENT: &str =
        "x\n<!-- scaling:a -->\nold\n<!-- /scaling -->\ny\n<!-- scaling:b -->\n<!-- /scaling -->\n";

    #[test]
    fn tables_stand_between_their_marks_and_the_rest_stays() {
        let text = filled(DOCUMENT, &tables()).expect("it is sound");
        assert_eq!(text.lines().nth(2), Some("| 1 |"));
        assert_eq!(
            filled(&text, &tables()),
            Ok(text.clone()),
            "nothing is left to do"
        );
        assert_eq!(difference(&text, &text), "");
        let said = difference(DOCUMENT, &text);
        assert!(
            said.contains("-old\n") && said.contains("+| 1 |\n"),
            "{said}"
        );
        assert!(!said.contains("-x"), "{said}");
    }

    #[test]
    fn marks_without_end_without_table_and_tables_without_mark_are_refused() {
        let open = filled("<!-- scaling:a -->\n", &tables());
        assert!(matches!(open, Err(Error::Open { line: 1, .. })));
        let unknown = filled("\n<!-- scaling:c -->\n", &tables());
        assert!(matches!(unknown, Err(Error::Unknown { line: 2, .. })));
        assert_eq!(filled("", &tables()), Err(Error::Absent("a")));
    }
}
