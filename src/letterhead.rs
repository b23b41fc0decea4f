//! Loads the sender's own parts of a report from their files: the logo, and fonts for letters that the embedded font
//! lacks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Reports;
use crate::formats::pdf::{Face, lacking};
use crate::formats::text::visible;
use crate::formats::{Format, FormatError, Letterhead, Logo};
use crate::report::Report;

/// Where systems keep their fonts.
const FOLDERS: [&str; 4] = ["/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "/System/Library/Fonts"];
/// The most font files read for one report, and the size in bytes above which a file is skipped.
const MOST_FILES: usize = 300;
const MOST_BYTES: u64 = 64 << 20;
const DEEPEST: usize = 6;
/// Name parts of faces that are for emphasis or do not go with the embedded one.
const UNFIT: [&str; 8] = ["bold", "italic", "oblique", "mono", "condensed", "light", "thin", "serif"];

/// Loads what `settings` name, as far as `report` needs it in this `format`.
pub fn load(settings: &Reports, report: &Report, format: Format) -> Result<Letterhead, FormatError> {
    let logo = match (&settings.logo, format) {
        (Some(path), Format::Pdf | Format::Html) => Some(logo(path)?),
        _ => None,
    };
    let faces = if format == Format::Pdf { faces(settings, &wanted(report)?)? } else { Vec::new() };
    Ok(Letterhead { logo, faces })
}

fn logo(path: &Path) -> Result<Logo, FormatError> {
    let named = |why: String| FormatError::Logo(format!("`{}`: {why}", path.display()));
    let bytes = fs::read(path).map_err(|error| named(error.to_string()))?;
    Logo::of(bytes).ok_or_else(|| named("it is neither PNG nor JPEG".to_owned()))
}

/// Returns the characters of the report that the embedded font lacks.
fn wanted(report: &Report) -> Result<BTreeSet<char>, FormatError> {
    Ok(lacking(&visible(&serde_json::to_string(report)?)))
}

/// Returns faces that cover the `wanted` characters: the configured ones first, then the system's.
fn faces(settings: &Reports, wanted: &BTreeSet<char>) -> Result<Vec<Face>, FormatError> {
    let mut wanted = wanted.clone();
    let mut faces = Vec::new();
    for path in &settings.fonts {
        let face = face(path).ok_or_else(|| FormatError::Font(path.display().to_string()))?;
        take(&mut faces, &mut wanted, face);
    }
    for path in system_fonts(&wanted) {
        if wanted.is_empty() {
            break;
        }
        face(&path).into_iter().for_each(|face| take(&mut faces, &mut wanted, face));
    }
    Ok(faces)
}

fn take(faces: &mut Vec<Face>, wanted: &mut BTreeSet<char>, face: Face) {
    let covered = face.covers(wanted);
    if !covered.is_empty() {
        wanted.retain(|c| !covered.contains(c));
        faces.push(face);
    }
}

fn face(path: &Path) -> Option<Face> {
    let small = fs::metadata(path).is_ok_and(|file| file.len() <= MOST_BYTES);
    let bytes = small.then(|| fs::read(path).ok()).flatten()?;
    Some(Face { bytes: Arc::new(bytes), index: 0 })
}

/// Returns the system's fonts, sans-serif ones first, always in the same order.
fn system_fonts(wanted: &BTreeSet<char>) -> Vec<PathBuf> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    FOLDERS.iter().for_each(|folder| collect(Path::new(folder), 0, &mut found));
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    found.retain(|path| UNFIT.iter().all(|word| !name(path).contains(word)));
    found.sort_by_key(|path| (!name(path).contains("sans"), path.clone()));
    found.truncate(MOST_FILES);
    found
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
        if matches!(end.as_deref(), Some("ttf" | "otf" | "ttc")) {
            found.push(path);
        } else if path.is_dir() && depth < DEEPEST {
            collect(&path, depth + 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::sample;

    #[test]
    fn a_report_in_letters_that_are_embedded_needs_no_other_font() {
        let plain = BTreeSet::new();
        assert!(faces(&Reports::default(), &plain).unwrap().is_empty());
    }

    #[test]
    fn a_configured_font_is_taken_for_what_it_has_and_named_if_it_is_not_there() {
        let mut settings = Reports { fonts: vec!["fonts/NotoSans-Regular.ttf".into()], ..Reports::default() };
        assert_eq!(faces(&settings, &BTreeSet::from(['a'])).unwrap().len(), 1);
        settings.fonts = vec!["fonts/none.ttf".into()];
        let error = load(&settings, &sample::month(), Format::Pdf).unwrap_err().to_string();
        assert_eq!(error, "the font `fonts/none.ttf` of `reports.fonts` cannot be read");
    }

    #[test]
    fn a_logo_that_is_not_there_is_named_and_asked_for_only_where_it_is_shown() {
        let settings = Reports { logo: Some("fonts/OFL.txt".into()), ..Reports::default() };
        let load = |format| load(&settings, &sample::month(), format).map_err(|error| error.to_string());
        assert!(load(Format::Csv).unwrap().logo.is_none());
        let expected = "the logo cannot be read as a picture: `fonts/OFL.txt`: it is neither PNG nor JPEG";
        assert_eq!(load(Format::Html).unwrap_err(), expected);
    }
}
