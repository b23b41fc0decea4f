//! How long reports take: `cargo bench --bench reports`.
//!
//! Names after `--` choose: `formats` (a report written in each format), `store` (questions about the books of 100,000
//! tickets), `yearly` (a report on a year of 200,000), `growth` (the same question at 50, 100 and 200 thousand) and
//! `booking` (the books made of 50, 100 and 200 thousand tickets). Nothing here fails a build: a figure depends on the
//! machine, so a person reads it.

#[path = "../product/figure.rs"]
mod figure;
#[path = "../product/world.rs"]
#[expect(dead_code, reason = "made for more figures than are taken here")]
mod world;

mod booking;
mod books;
mod formats;
mod memory;
mod store;

/// The memory is that of the program that is built.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTS: [&str; 5] = ["formats", "store", "yearly", "growth", "booking"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Cargo adds options of its own, like `--bench`.
    let asked: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|name| !PARTS.contains(&name.as_str())) {
        anyhow::bail!("there is no `{unknown}` to measure; there is {}", PARTS.join(", "));
    }
    println!("{}", figure::HEAD);
    for part in PARTS.into_iter().filter(|part| asked.is_empty() || asked.iter().any(|name| name == part)) {
        let figures = match part {
            "formats" => formats::measure()?,
            "store" => store::questions().await?,
            "yearly" => store::yearly().await?,
            "growth" => store::growth().await?,
            _ => booking::measure().await?,
        };
        figures.iter().for_each(|figure| println!("{figure}"));
    }
    Ok(())
}
