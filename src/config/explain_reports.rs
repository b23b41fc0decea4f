//! The part of [`super::explain`] that is about what of the sender's own goes on a report.

use super::Config;
use super::explain_page::Page;

pub(super) fn reports(page: &mut Page, config: &Config) {
    let reports = &config.reports;
    if reports.logo.is_none() && reports.fonts.is_empty() {
        return;
    }
    page.heading("Reports");
    if let Some(logo) = &reports.logo {
        page.row("logo", format!("from the file {}", logo.display()));
    }
    for font in &reports.fonts {
        page.row("font", format!("from the file {}, before the system's", font.display()));
    }
}
