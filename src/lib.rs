//! superops-sla: knows of an SLA breach before the client does.

pub mod alert;
pub mod cli;
pub mod clock;
pub mod config;
pub mod notify;
pub mod service;
pub mod sla;
pub mod store;
pub mod telemetry;
pub mod ticket;
pub mod web;
