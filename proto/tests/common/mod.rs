//! What tests of bytes share. Each test binary uses a part of it.
#![allow(dead_code)]

pub mod dice;
pub mod golden_parts;
pub mod golden_words;
pub mod shows;
pub mod world;
