use super::*;
use crate::report::{Cell, Column, ColumnKind, Row, Section, Table};

#[test]
fn the_same_report_gives_the_same_bytes() {
    let letterhead = Letterhead::default();
    for format in Format::ALL {
        let write = || format.write(&sample::hostile(), &letterhead).unwrap();
        assert!(write() == write(), "{format}");
    }
}

#[test]
fn a_format_is_known_by_its_name_and_no_other() {
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
    let complaint = "docx\u{202e}".parse::<Format>().unwrap_err().to_string();
    assert_eq!(complaint, "`docx` is not a format; there are json, csv, html, xlsx, pdf");
}

#[test]
fn a_file_is_named_after_tenant_client_and_period_whatever_they_are_called() {
    let disposition = Format::Xlsx.disposition(&sample::hostile(), None);
    let name = "sla-------etc-----x----title--script-x--script--2026-10-01-2026-10-31.xlsx";
    assert_eq!(disposition, format!("attachment; filename=\"{name}\""));
}

#[test]
fn a_page_holds_all_figures_and_nothing_that_runs_or_loads() {
    let page = String::from_utf8(Format::Html.write(&sample::month(), &Letterhead::default()).unwrap()).unwrap();
    for figure in [
        "91.4\u{a0}%",
        "52\u{a0}min\u{a0}13\u{a0}s",
        "محمد بن موسى",
        "田中 太郎",
        "Müller &amp; Söhne",
        "maintenance",
        "4 more rows",
    ] {
        assert!(page.contains(figure), "{figure}");
    }
    for outside in ["<script", "http://", "https://", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_hostile_name_becomes_no_part_of_a_page() {
    let page = String::from_utf8(Format::Html.write(&sample::hostile(), &Letterhead::default()).unwrap()).unwrap();
    for harm in ["<script", "<b>=1", "</title><script", "</text><script", "\u{202e}", "\u{0}", "\u{7}", "\u{200f}"] {
        assert!(!page.contains(harm), "{harm:?}");
    }
    assert!(page.len() < 100_000, "a name of ten thousand characters is cut");
}

#[test]
fn a_report_in_json_keeps_its_published_schema() {
    let schema: serde_json::Value = serde_json::from_str(json::SCHEMA).unwrap();
    for mut report in [sample::month(), sample::hostile()] {
        report.sections[0].figures[0].opens = Some(crate::report::Opens::default());
        report.sections[1].tables[0].rows[0].cells.push(Cell::Number(0.5));
        let value = serde_json::from_slice(&json::write(&report).unwrap()).unwrap();
        schema_check::check(&schema, &schema, &value, "report").unwrap();
    }
}

#[test]
fn the_schema_knows_every_field_and_refuses_what_it_does_not_know() {
    let schema: serde_json::Value = serde_json::from_str(json::SCHEMA).unwrap();
    let good: serde_json::Value = serde_json::to_value(sample::month()).unwrap();
    let mut strange = good.clone();
    strange["sections"][0]["tables"][0]["rows"][0]["cells"][0] = serde_json::json!({ "date": 7 });
    assert!(schema_check::check(&schema, &schema, &strange, "report").is_err());
    let mut more = good.clone();
    more["period"]["hour"] = 1.into();
    assert_eq!(schema_check::check(&schema, &schema, &more, "report").unwrap_err(), "report.period: unknown `hour`");
    let mut less = good;
    less.as_object_mut().unwrap().remove("zone");
    assert_eq!(schema_check::check(&schema, &schema, &less, "report").unwrap_err(), "report: `zone` is missing");
}

/// The part of JSON Schema that our own schema uses.
mod schema_check {
    use serde_json::Value;

    pub fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(name) = schema["$ref"].as_str() {
            return check(root, root.pointer(name.trim_start_matches('#')).unwrap(), value, at);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fitting = choices.iter().filter(|choice| check(root, choice, value, at).is_ok()).count();
            return if fitting == 1 { Ok(()) } else { Err(format!("{at}: {fitting} choices fit {value}")) };
        }
        if let Some(only) = schema.get("const") {
            return if only == value { Ok(()) } else { Err(format!("{at}: {value} is not {only}")) };
        }
        if let Some(choices) = schema["enum"].as_array() {
            return if choices.contains(value) { Ok(()) } else { Err(format!("{at}: {value} is none of the choices")) };
        }
        typed(schema, value, at)?;
        object(root, schema, value, at)?;
        let items = value.as_array().into_iter().flatten().enumerate();
        items
            .filter(|_| schema.get("items").is_some())
            .try_for_each(|(n, item)| check(root, &schema["items"], item, &format!("{at}[{n}]")))
    }

    fn typed(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fits = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("the check knows no type {other}"),
        };
        let types = match &schema["type"] {
            Value::String(name) => vec![name.as_str()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => return Ok(()),
        };
        if types.iter().any(|name| fits(name)) { Ok(()) } else { Err(format!("{at}: {value} is not {types:?}")) }
    }

    fn object(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let (Some(fields), Some(object)) = (schema["properties"].as_object(), value.as_object()) else { return Ok(()) };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            object.get(name).ok_or_else(|| format!("{at}: `{name}` is missing"))?;
        }
        for (name, value) in object {
            let field = fields.get(name).ok_or_else(|| format!("{at}: unknown `{name}`"))?;
            check(root, field, value, &format!("{at}.{name}"))?;
        }
        Ok(())
    }
}

/// What `tool` says about `bytes`, if it is installed.
fn told_by(tool: &str, args: &[&str], bytes: &[u8]) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let output = std::process::Command::new(tool).args(args).arg(file.path()).arg("-").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_pdf_has_two_pages_with_all_figures_as_text_that_can_be_searched() {
    let bytes = Format::Pdf.write(&sample::month(), &Letterhead::default()).unwrap();
    assert!(bytes.starts_with(b"%PDF-1.7"));
    let Some(text) = told_by("pdftotext", &["-layout"], &bytes) else { return };
    let text = text.replace('\u{a0}', " ");
    for figure in
        ["Müller & Söhne GmbH", "91.4 %", "Ελένη Παπαδοπούλου", "Наталья Ковалёва", "maintenance", "1 of 2", "2 of 2"]
    {
        assert!(text.contains(figure), "{figure}: {text}");
    }
    let pages: Vec<_> = text.split('\u{c}').collect();
    assert!(pages[0].contains("2026-10-01") && pages[1].contains("2026-10-31"), "rows go on, on the second page");
    assert!(pages[1].contains("Past target"), "and the head of the table stands there again");
}

#[test]
fn words_and_figures_of_a_wide_table_stay_whole_in_a_pdf() {
    let kinds = [("Technician", ColumnKind::Text), ("Compliance by held time", ColumnKind::Percent)];
    let counts = ["Tickets", "Without breach", "Breaches", "Reopened"].map(|title| (title, ColumnKind::Count));
    let times = ["Median response", "Median resolution", "Longest"].map(|title| (title, ColumnKind::Duration));
    let all = kinds.into_iter().chain(counts).chain(times).chain([("Trend", ColumnKind::Text)]);
    let columns: Vec<_> = all.map(|(title, kind)| Column::new("any", title, kind)).collect();
    let cell = |column: &Column| match column.kind {
        ColumnKind::Text if column.title == "Trend" => Cell::text("improving"),
        ColumnKind::Text => Cell::text("Ελένη Παπαδοπούλου-Αναστασιάδη"),
        ColumnKind::Duration => Cell::Duration(44_460_000),
        _ => Cell::Count(1_234),
    };
    let rows = vec![Row { cells: columns.iter().map(cell).collect(), opens: None }];
    let mut report = sample::month();
    let table = Table { title: "By technician".into(), columns, rows, ..Table::default() };
    report.sections = vec![Section { title: "Technicians".into(), tables: vec![table], ..Section::default() }];
    let bytes = Format::Pdf.write(&report, &Letterhead::default()).unwrap();
    let Some(text) = told_by("pdftotext", &["-layout"], &bytes) else { return };
    let text = text.replace('\u{a0}', " ");
    for whole in
        ["Technician", "Compliance", "Tickets", "Reopened", "resolution", "12 h 21 min", "improving", "Αναστασιάδη"]
    {
        assert!(text.contains(whole), "{whole}: {text}");
    }
}

#[test]
fn a_pdf_says_how_many_characters_no_font_here_has_instead_of_showing_boxes() {
    let bytes = Format::Pdf.write(&sample::month(), &Letterhead::default()).unwrap();
    assert_eq!(pdf::lacking("Ada 田中").into_iter().collect::<String>(), "中田");
    let Some(text) = told_by("pdftotext", &[], &bytes) else { return };
    assert!(text.contains("of the characters, which are shown as"), "{text}");
}

#[test]
fn a_pdf_of_hostile_names_is_sound_to_another_program() {
    let bytes = Format::Pdf.write(&sample::hostile(), &Letterhead::default()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let Ok(output) = std::process::Command::new("qpdf").arg("--check").arg(file.path()).output() else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_logo_that_is_no_picture_is_named_as_such() {
    assert_eq!(Logo::of(b"GIF89a".to_vec()), None);
    let letterhead = Letterhead { logo: Logo::of(b"\x89PNG\r\n\x1a\nbroken".to_vec()), ..Letterhead::default() };
    let error = Format::Pdf.write(&sample::month(), &letterhead).unwrap_err().to_string();
    assert!(error.starts_with("the logo cannot be read as a picture"), "{error}");
}
