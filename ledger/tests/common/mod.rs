//! What all tests of the rules share. Each test binary uses a part of it.
#![allow(dead_code)]

pub mod chance;
pub mod names;
pub mod plan;
pub mod run;
pub mod world;
