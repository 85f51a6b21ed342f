//! Running other programs.

use std::path::PathBuf;
use std::process::Command;

/// The workspace's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `cargo` with these words, in the root.
pub fn cargo(words: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(words).current_dir(root());
    command
}

/// Runs a command to its end; its words when it fails.
pub fn check(mut command: Command) -> Result<(), String> {
    println!("+ {}", words(&command));
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", words(&command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", words(&command)))
    }
}

fn words(command: &Command) -> String {
    let args = command
        .get_args()
        .map(|word| word.to_string_lossy().into_owned());
    std::iter::once(command.get_program().to_string_lossy().into_owned())
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}
