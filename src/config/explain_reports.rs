//! The part of [`super::explain`] that is about what of the sender's own goes on a report.

use super::explain_page::Page;
use super::{Config, Reports};
use crate::report::People;

pub(super) fn reports(page: &mut Page, config: &Config) {
    let reports = &config.reports;
    if *reports == Reports::default() {
        return;
    }
    page.heading("Reports");
    if let Some(logo) = &reports.logo {
        page.row("logo", format!("from the file {}", logo.display()));
    }
    match reports.people {
        People::Named => {}
        People::Pseudonyms => page.row("technicians", "by pseudonyms, never beside a ticket".to_owned()),
        People::Off => page.row("technicians", "nothing is reported about single ones".to_owned()),
    }
    for font in &reports.fonts {
        page.row("font", format!("from the file {}, before the system's", font.display()));
    }
}
