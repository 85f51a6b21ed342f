//! Who changes something, for the trail.

use axum::extract::FromRequestParts;
use cluster::catalogue::{CatalogueCommand, CatalogueRejection, Deed, Who};
use http::HeaderMap;
use http::request::Parts;

use super::Caller;
use crate::problem::Problem;
use crate::rejections;
use crate::state::AppState;

/// The request's name, as the guard gave it.
#[derive(Clone)]
pub(crate) struct RequestName(pub(crate) String);

/// Somebody who changes something, by some request.
pub struct Acting {
    caller: Caller,
    request: String,
}

impl FromRequestParts<AppState> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let request = parts.extensions.get::<RequestName>();
        Ok(Self {
            caller,
            request: request.map_or(String::new(), |name| name.0.clone()),
        })
    }
}

impl Acting {
    /// The record of what they do.
    pub(crate) fn deed(&self, state: &AppState, action: &str, about: String) -> Deed {
        Deed {
            id: state.drawn_id(),
            who: state.who(&self.caller),
            request: self.request.clone(),
            action: action.to_owned(),
            about,
        }
    }
}

impl AppState {
    /// A caller as the trail names it.
    pub fn who(&self, caller: &Caller) -> Who {
        let role = caller.role.name().to_owned();
        match caller.key {
            None => Who::Person {
                id: caller.person.0,
                role,
            },
            Some(id) => {
                let record = self.backend.api_key(id);
                let name = record.map_or(String::new(), |record| record.name);
                Who::Key { id, name, role }
            }
        }
    }

    /// The request's name: its sender's own, or a new one.
    pub fn request_name(&self, headers: &HeaderMap) -> String {
        self.request_ids.of(headers)
    }

    /// Writes down what is done outside the catalogue.
    pub async fn note(&self, deed: Deed) -> Result<(), Problem> {
        let deadline = self.config.limits.deadline;
        let noted = self
            .backend
            .propose_catalogue(deed, CatalogueCommand::Note, deadline);
        match noted.await?.outcome {
            // There is no trail yet in which it could stand.
            Ok(_) | Err(CatalogueRejection::VersionTooLow { .. }) => Ok(()),
            Err(rejection) => Err(rejections::catalogue(rejection)),
        }
    }

    /// An id nobody has had.
    pub fn drawn_id(&self) -> u128 {
        let mut bytes = [0; 16];
        self.backend.entropy(&mut bytes);
        u128::from_be_bytes(bytes)
    }
}
