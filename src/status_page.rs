//! The public page: what clients may know of services, as people and programs read it.
//!
//! All of it is rendered when something changes, and each minute, into one set of documents. A request is answered from
//! that set: it touches neither the store nor a lock, so the page stands when all else falls. Nothing in it names a host,
//! an address or an error. A client may have a page of their own, by a link that nobody can guess.

pub mod bars;
pub mod documents;
mod feeds;
mod html;
mod json;
pub mod model;
pub mod publish;
#[cfg(test)]
mod tests;

pub use documents::{Document, Documents, PublishedPages};
pub use feeds::OWN_ADDRESS;
pub use model::Model;
pub use publish::Publisher;
