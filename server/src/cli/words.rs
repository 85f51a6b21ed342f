//! The command line about itself: completions for shells, and pages for `man`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory;

use super::{Cli, CliError};

/// Prints what a shell needs to complete `usher`.
///
///   bash   usher completions bash > /etc/bash_completion.d/usher
///   zsh    usher completions zsh  > "${fpath[1]}/_usher"
///   fish   usher completions fish > ~/.config/fish/completions/usher.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Completions {
    /// Which shell.
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    pub shell: String,
}

/// Writes a page for `man` about every command.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Where to.
    pub dir: PathBuf,
}

/// Runs `usher completions`.
pub fn completions(args: &Completions) -> Result<ExitCode, CliError> {
    super::say(completion(&args.shell)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn completion(shell: &str) -> Result<String, CliError> {
    let shell: clap_complete::Shell = shell.parse().map_err(CliError::Invalid)?;
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "usher", &mut text);
    String::from_utf8(text).map_err(|error| CliError::Failed(error.to_string()))
}

/// Runs `usher man`.
pub fn man(args: &Man) -> Result<ExitCode, CliError> {
    write_pages(&args.dir).map_err(|source| CliError::File {
        path: args.dir.clone(),
        source,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut command = Cli::command();
    // Names the pages of subcommands: usher-cluster-drain.1.
    command.build();
    clap_mangen::generate_to(command, dir)?;
    // A page about asking for help with each command is one too many.
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("usher") && name.contains("-help") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every subcommand, as it is typed: `usher cluster drain`.
    fn all(command: &clap::Command, typed: &str, found: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            if inner.is_hide_set() || inner.get_name() == "help" {
                continue;
            }
            let typed = format!("{typed} {}", inner.get_name());
            found.push(typed.clone());
            all(inner, &typed, found);
        }
    }

    #[test]
    fn the_command_line_makes_sense_to_clap() {
        Cli::command().debug_assert();
    }

    #[test]
    fn completions_and_pages_mention_every_subcommand() {
        let mut typed = Vec::new();
        all(&Cli::command(), "usher", &mut typed);
        assert!(typed.len() > 30, "{typed:?}");
        for shell in ["bash", "zsh", "fish"] {
            let text = completion(shell).expect("a shell that is known");
            for words in &typed {
                let last = words.rsplit(' ').next().expect("a word");
                assert!(text.contains(last), "{shell}: {words}");
            }
        }
        let dir = tempfile::tempdir().expect("a directory");
        write_pages(dir.path()).expect("pages");
        for words in &typed {
            let page = dir.path().join(format!("{}.1", words.replace(' ', "-")));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(text.contains(".SH"), "{words}: {}", page.display());
        }
    }
}
