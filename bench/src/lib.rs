//! The numbers: how they are taken, what they mean, and what they foretell of clusters that no
//! machine here can hold.
//!
//! The figures, and the machine they were taken on, stand in `README.md` beside this crate. No code
//! here measures anything, so that nobody measures twice in different ways:
//!
//! - what one core decides: `ledger/benches/apply.rs`;
//! - what a cluster of real processes serves, every seat checked afterwards: `server/src/loadgen/`,
//!   from the command line `usher bench`.
//!
//! `cargo xtask bench` runs the one, then the other. What they say of one machine, [`model`] carries
//! over to many: `cargo run --release -p bench --bin scaling -- table`.

pub mod model;
