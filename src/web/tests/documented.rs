//! Checks that docs/api.md matches the table of routes, and that README names every command.

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::store::tokens::Role;
use crate::web::route::{Audience, Needs, Tenants};
use crate::web::{DESCRIPTION, routes};

const HEAD: &str = "# Every path

Generated from the table of routes; a test keeps it up to date. Parameters and answers are described at `/api/openapi.json`, and
on the page `/api`. *Viewer*, *responder* and *admin* are the lowest role that may ask; a token for one tenant sees and changes only
that tenant's data. *Its own proof* is a signature, a secret or an unguessable link.
";

fn who(needs: Needs, tenants: Tenants) -> String {
    let role = match needs {
        Needs::Nothing => "anybody",
        Needs::OwnProof => "its own proof",
        Needs::Role(Role::Viewer) => "viewer",
        Needs::Role(Role::Responder) => "responder",
        Needs::Role(Role::Admin) => "admin",
    };
    let of_all = if tenants == Tenants::All { " of all tenants" } else { "" };
    format!("{role}{of_all}")
}

fn table() -> String {
    let document = &*DESCRIPTION;
    let mut text = HEAD.to_owned();
    for (heading, audience) in [("For programs", Audience::Api), ("Pages, and what their forms send", Audience::Page)] {
        write!(text, "\n## {heading}\n\n| method and path | who | what |\n|---|---|---|\n").unwrap();
        for route in routes::all().iter().filter(|route| route.rule.audience == audience) {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            let (who, what) = (who(route.rule.needs, route.rule.tenants), operation["summary"].as_str().unwrap());
            writeln!(text, "| `{} {}` | {who} | {what} |", route.method, route.path).unwrap();
        }
    }
    text
}

/// `SUPEROPS_SLA_WRITE_DOCS=1` rewrites the document.
#[test]
fn the_table_of_paths_is_that_of_the_routes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    if std::env::var_os("SUPEROPS_SLA_WRITE_DOCS").is_some() {
        std::fs::write(&file, table()).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap();
    assert!(written == table(), "docs/api.md is old: run this test with SUPEROPS_SLA_WRITE_DOCS=1");
}

#[test]
fn readme_names_every_command() {
    let readme = include_str!("../../../README.md");
    for command in Cli::command().get_subcommands().filter(|command| command.get_name() != "help") {
        let row =
            readme.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{}", command.get_name())));
        assert!(row, "README's table of commands has no `{}`", command.get_name());
    }
}
