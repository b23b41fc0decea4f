//! demo
use super::{CliError, DemoArgs};
pub async fn demo(_: DemoArgs) -> Result<(), CliError> {
    Ok(())
}
