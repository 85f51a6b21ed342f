//! The cluster's version on this node: what all nodes support, and what the data directory needs.
//!
//! See [`cluster::version`] for what a version is; [`stamp`] keeps a node from going back behind it,
//! [`survey`] asks all nodes how far they could go.

mod stamp;
mod survey;

pub use stamp::Stamping;
pub use survey::{NodeRelease, Survey, survey, survey_within};
