//! The commands of a document, procedure by procedure.

/// A heading and what is typed under it.
#[derive(Debug, PartialEq, Eq)]
pub struct Procedure {
    pub heading: String,
    pub commands: Vec<String>,
}

/// All procedures that have commands, in order.
pub fn procedures(text: &str) -> Vec<Procedure> {
    let (mut all, mut heading, mut typed) = (Vec::<Procedure>::new(), String::new(), false);
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            typed = !typed && line == "```sh";
        } else if typed {
            let command = without_remark(line);
            if command.is_empty() {
                continue;
            }
            match all.last_mut() {
                Some(last) if last.heading == heading => last.commands.push(command),
                _ => all.push(Procedure {
                    heading: heading.clone(),
                    commands: vec![command],
                }),
            }
        } else if line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        }
    }
    all
}

fn without_remark(line: &str) -> String {
    let end = match line.starts_with('#') {
        true => 0,
        false => line.find(" #").unwrap_or(line.len()),
    };
    line[..end].trim().to_owned()
}

#[test]
fn commands_are_found_under_their_headings_without_remarks() {
    let text = "# A\n```sh\nusher x   # why\n# only a remark\n   usher y --to '#1'\n```\n## B\n```toml\nz\n```\n### C\n```sh\nusher z\n```\n";
    let found = procedures(text);
    let expected = [
        ("A", vec!["usher x", "usher y --to '#1'"]),
        ("C", vec!["usher z"]),
    ];
    let expected = expected.map(|(heading, commands)| Procedure {
        heading: heading.to_owned(),
        commands: commands.into_iter().map(str::to_owned).collect(),
    });
    assert_eq!(found, expected);
}
