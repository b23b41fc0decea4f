//! The program: runs the command line and reports what went wrong.

use std::process::ExitCode;

use clap::Parser;
use superops_sla::cli::{Cli, CliError};
use superops_sla::store::with_causes;

/// A storm of alerts allocates and frees memory a million times a second, and takes half as long again with glibc's
/// allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Usage(complaints)) => {
            eprintln!("{complaints}");
            ExitCode::from(2)
        }
        Err(CliError::Failed(error)) => {
            eprintln!("error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
