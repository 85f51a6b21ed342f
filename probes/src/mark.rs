//! Rare branches that a long sweep must take: a mark that no seed reaches is a hole in the
//! generator (after Antithesis' *sometimes* assertions and FoundationDB's code probes).

macro_rules! marks {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A rare branch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Mark {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

marks! {
    /// A repeated command was answered from what the ledger remembered of the first one.
    RepeatedCommand,
}
