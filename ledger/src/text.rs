//! A short text that is mostly not there: 8 bytes while it is empty.

/// The text. An empty one costs no allocation.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Option<Box<Letters>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Letters(Box<str>);

impl Text {
    /// Its letters.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", |letters| &letters.0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self((!text.is_empty()).then(|| Box::new(Letters(text.into()))))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_letters_and_there_is_one_empty_text() {
        assert_eq!(Text::from("tok_é").as_str(), "tok_é");
        assert_eq!(Text::from(String::new()), Text::default());
        assert!(Text::from("").is_empty() && Text::default().as_str().is_empty());
        assert_eq!(size_of::<Text>(), 8);
    }
}
