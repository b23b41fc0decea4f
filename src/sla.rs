//! What an SLA promises and where its clocks stand.

pub mod calendar;
pub mod clock;
pub mod discrepancy;
pub mod forecast;
pub mod history;
pub mod infer;
pub mod ledger;
pub mod night;
pub mod policy;
pub mod standing;
pub mod tenant_rules;
pub mod tryout;
pub mod version;
pub mod zone;

#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
