//! The public page: what clients may know of services, for people and for programs.
//!
//! All of it is rendered into one set of documents, on each change and once a minute. Requests are answered from that
//! set, without the store or a lock, so the page stays up when everything else fails. Nothing in it names a host,
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
