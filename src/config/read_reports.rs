//! `[reports]`: what of the sender's own goes on a report.

use super::Reports;
use super::reader::Section;
use crate::report::People;

pub(super) fn reports(section: Section<'_>) -> Reports {
    let beside = |name: &str| section.inspection.beside(name);
    let logo = section.text("logo").and_then(|text| text.read(|name| picture(name).map(beside)));
    let fonts = section.texts("fonts").unwrap_or_default();
    let fonts = fonts.into_iter().filter_map(|text| text.read(|name| font(name).map(beside))).collect();
    let people = section.text("people").and_then(|text| text.read(|name| people(name))).unwrap_or_default();
    section.finish();
    Reports { logo, fonts, people }
}

fn people(name: &str) -> Result<People, String> {
    let names = || People::ALL.map(People::as_str).join(", ");
    People::parse(name).ok_or_else(|| format!("must be one of {}", names()))
}

fn picture(name: &str) -> Result<&str, String> {
    ends(name, &["png", "jpg", "jpeg"])
}

fn font(name: &str) -> Result<&str, String> {
    ends(name, &["ttf", "otf", "ttc"])
}

fn ends<'a>(name: &'a str, allowed: &[&str]) -> Result<&'a str, String> {
    let lower = name.to_lowercase();
    let fits =
        allowed.iter().any(|end| lower.strip_suffix(end).is_some_and(|stem| stem.len() > 1 && stem.ends_with('.')));
    if fits { Ok(name) } else { Err(format!("must name a file that ends in .{}", allowed.join(", ."))) }
}
