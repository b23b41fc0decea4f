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
    let asked = figure::asked(&PARTS)?;
    println!("{}", figure::HEAD);
    for part in asked {
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
