//! The picture of docs/architecture.md is true: rooms use what is below them or to their left, and no files name
//! each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FLOORS: [&str; 4] = ["core", "adapters", "loops", "faces"];

/// The rooms of the picture, from the lowest floor up, from left to right.
fn rooms() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let picture = text.split("```").nth(1).unwrap();
    let of_floor = |floor: &&str| {
        let line = picture.lines().find(|line| line.split_whitespace().next() == Some(floor)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    FLOORS.iter().flat_map(of_floor).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

/// The code of each module, without its tests: `store::outbox` -> text.
fn modules() -> BTreeMap<String, String> {
    let sources = root().join("src");
    let mut modules = BTreeMap::new();
    for file in files_under(&sources).into_iter().filter(|file| file.extension().is_some_and(|it| it == "rs")) {
        let name = file.strip_prefix(&sources).unwrap().with_extension("").display().to_string().replace('/', "::");
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        let is_test = name.split("::").any(|part| part.ends_with("tests")) || name.starts_with("sla::rules");
        if !is_test && !["lib", "main"].contains(&name.as_str()) {
            modules.insert(name, code);
        }
    }
    modules
}

/// All that the `use` lines of `code` name, each as one path: `use a::{b, c::d};` -> `a::b`, `a::c::d`.
fn used(code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let line = line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) ")).unwrap_or(line);
        if line.starts_with("use ") {
            let statement = lines[index..].join(" ");
            let statement = &statement[statement.find("use ").unwrap() + 4..];
            expand("", statement.split(';').next().unwrap(), &mut found);
        }
    }
    found
}

fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let (mut depth, mut start) = (0, 0);
    let mut parts = Vec::new();
    for (index, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((head, rest)) => {
                expand(&format!("{prefix}{head}"), rest.trim_end().strip_suffix('}').unwrap(), found);
            }
            None => found.push(format!("{prefix}{}", part.split(" as ").next().unwrap())),
        }
    }
}

/// `path`, as `module` names it, from the root; none if it leads out of this crate.
fn absolute(module: &str, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    let (mut base, mut rest): (Vec<&str>, &str) = (module.split("::").collect(), path);
    if let Some(own) = rest.strip_prefix("self::") {
        return Some(format!("{module}::{own}"));
    }
    if !rest.starts_with("super::") {
        return None;
    }
    while let Some(above) = rest.strip_prefix("super::") {
        base.pop();
        rest = above;
    }
    Some(base.into_iter().chain([rest]).collect::<Vec<_>>().join("::"))
}

/// The modules that each module names, but for those it lies in and those that lie in it.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules();
    let module_of = |path: String| {
        let parts: Vec<&str> = path.split("::").collect();
        (1..=parts.len()).rev().map(|length| parts[..length].join("::")).find(|name| modules.contains_key(name))
    };
    let is_kin = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}::")) || b.starts_with(&format!("{a}::"));
    let of = |(name, code): (&String, &String)| {
        let named = used(code).into_iter().filter_map(|path| absolute(name, &path)).filter_map(module_of);
        (name.clone(), named.filter(|other| !is_kin(name, other)).collect())
    };
    modules.iter().map(of).collect()
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

#[test]
fn every_room_is_in_the_picture() {
    let there: BTreeSet<String> = modules().keys().map(|module| room(module).to_owned()).collect();
    let drawn: BTreeSet<String> = rooms().into_iter().collect();
    assert_eq!(there, drawn, "docs/architecture.md shows each room on its floor");
}

#[test]
fn rooms_use_what_is_below_them_or_to_their_left() {
    let rooms = rooms();
    let place = |module: &str| rooms.iter().position(|known| known == room(module));
    let mut offences = Vec::new();
    for (module, named) in arrows() {
        let wrong = named.iter().filter(|other| place(other) > place(&module));
        offences.extend(wrong.map(|other| format!("{module} uses {other}")));
    }
    assert_eq!(offences, Vec::<String>::new());
}

/// Whether the arrows from `module` lead back to it.
fn is_in_a_circle(module: &str, arrows: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![module]);
    while let Some(at) = next.pop() {
        for other in arrows.get(at).into_iter().flatten() {
            if other == module {
                return true;
            }
            if seen.insert(other.as_str()) {
                next.push(other);
            }
        }
    }
    false
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let arrows = arrows();
    let found: Vec<&str> = arrows.keys().map(String::as_str).filter(|one| is_in_a_circle(one, &arrows)).collect();
    assert_eq!(found, Vec::<&str>::new(), "untie them");
}

#[test]
fn use_lines_are_read_to_their_leaves() {
    let code = "use super::{a, b::{self, c as d}};\npub use crate::x::{\n    y,\n    z::*,\n};\n";
    let names: Vec<_> = used(code).iter().filter_map(|path| absolute("room::file", path)).collect();
    assert_eq!(names, ["room::a", "room::b::self", "room::b::c", "x::y", "x::z::*"]);
}
