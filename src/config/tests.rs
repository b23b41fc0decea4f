//! What the configuration promises its users.
