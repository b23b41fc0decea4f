//! Tickets in the store: the open ones of a tenant at hand, any one by its id.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ticket::TicketId;
use crate::ticket::watch::Watched;

/// All open tickets of one tenant.
pub type OpenTickets = HashMap<TicketId, Arc<Watched>>;
