//! The `usher` binary.

use std::process::ExitCode;

/// A node allocates for every request it reads and every answer it writes, on all its threads:
/// glibc's allocator took a sixth of its time (bench/README.md), this one a third of that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::cli::main()
}
