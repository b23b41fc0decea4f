//! What is shown on a terminal while the program works: progress bars, and log lines above them.
//!
//! Both are written to standard error. A log line written while a bar is drawn has to lift the bar first, or they end
//! up on one line.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

static BARS: LazyLock<MultiProgress> = LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));

/// Whether standard output may be coloured.
pub fn colours() -> bool {
    io::stdout().is_terminal() && wants_colours()
}

/// Whether colours are wanted: not if somebody asks for none (<https://no-color.org>), or the terminal has none.
pub fn wants_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !refused && !dumb
}

/// Returns how many columns standard output shows; none if it is not a terminal, and a line may have any length.
pub fn columns() -> Option<usize> {
    let (_, columns) = Term::stdout().size_checked()?;
    io::stdout().is_terminal().then_some(columns.into())
}

/// Creates a bar called `name` that counts `things`, with its rate and the time left.
pub fn bar(name: &str, things: &str, began_with: u64) -> ProgressBar {
    let bar = BARS.add(ProgressBar::no_length().with_position(began_with));
    let template = format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {things}, {{rate}}/s, {{eta}} left");
    let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // A rate that cannot be written is not shown.
        let _ = write!(text, "{:.0}", state.per_sec());
    };
    let style = ProgressStyle::with_template(&template).map(|style| style.with_key("rate", rate));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(name.to_owned());
    bar.reset_eta();
    bar
}

/// Writes log lines to standard error, above the bars.
#[derive(Clone, Copy, Debug, Default)]
pub struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for AboveBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
