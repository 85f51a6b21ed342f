//! Bugs that a run may plant, to prove that a checker bites. `cargo xtask sim teeth` plants each
//! until the simulator catches it; one that nobody catches is a hole in the proof.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A planted bug. Its doc says what is done wrongly; the code that does it asks
        /// [`planted`](crate::planted) on the spot.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Bug {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name, as `sim run --bug` takes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What is done wrongly, in a sentence.
            pub const fn story(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }

            /// The bug called `name`.
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

bugs! {
    /// A hold takes a seat that is held already.
    HoldTakesHeldSeat,
}
