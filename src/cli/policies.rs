//! `policies`: the promises in force, and those that SuperOps' due times speak for.

use super::{CliError, PolicyCommand};
use crate::config::{Config, propose};
use crate::service::Service;

/// Answers and ends.
pub async fn policies(config: Config, command: PolicyCommand) -> Result<(), CliError> {
    let text = match command {
        PolicyCommand::Infer { tenant, json } => {
            let scope = super::scope(&config, tenant.as_deref())?;
            let (service, store) = super::offline_service(config).await?;
            let text = infer(&service, &scope, json).await?;
            store.close().await;
            text
        }
    };
    super::print(&text);
    Ok(())
}

async fn infer(service: &Service, scope: &crate::service::Scope, json: bool) -> Result<String, CliError> {
    let inferred = service.infer_policies(scope).await?;
    Ok(if json { format!("{}\n", serde_json::to_string_pretty(&inferred)?) } else { propose::as_toml(&inferred) })
}
