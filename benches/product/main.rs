//! The whole product measured: each figure as a ratio or against a limit, both sides in one run.
//!
//! `cargo bench --bench product` takes all figures, some ten minutes; names
//! after `--` choose: `sync`, `budget`, `evaluate`, `lateness`, `storm`,
//! `steady`, `memory`, `messages`, `years`, `web`, `postgres` (which needs a server, named by
//! `SUPEROPS_SLA_TEST_POSTGRES`). It prints the table of `docs/performance.md`. Nothing here fails a build: a
//! figure depends on the machine, so a person reads it.

mod budget;
mod evaluate;
mod figure;
mod lateness;
mod memory;
mod messages;
mod postgres;
mod program;
mod steady;
mod storm;
mod sync;
mod web;
mod world;
mod years;

use anyhow::Context;
use figure::Figure;

/// What runs in this process is measured as it runs in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTS: [&str; 11] =
    ["sync", "budget", "evaluate", "lateness", "storm", "steady", "memory", "messages", "years", "web", "postgres"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == web::bare::ARGUMENT) {
        let file = arguments.next().context("it needs a file")?;
        return web::bare::serve(file.as_ref()).await;
    }
    let asked = figure::asked(&PARTS)?;
    println!("{}", figure::HEAD);
    for part in asked {
        for figure in measure(part).await? {
            println!("{figure}");
        }
    }
    Ok(())
}

async fn measure(part: &str) -> anyhow::Result<Vec<Figure>> {
    match part {
        "sync" => sync::measure().await,
        "budget" => budget::measure().await,
        "evaluate" => evaluate::measure().await,
        "lateness" => lateness::measure().await,
        "storm" => storm::measure().await,
        "steady" => steady::measure().await,
        "memory" => memory::measure().await,
        "messages" => messages::measure().await,
        "postgres" => postgres::measure().await,
        "years" => years::measure().await,
        _ => web::measure().await,
    }
}
