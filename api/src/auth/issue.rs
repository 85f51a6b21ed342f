//! The development issuer: `POST /dev/token`. Exists in `dev` and `demo` only; elsewhere the route
//! is not there at all.

use axum::extract::State;
use ledger::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Role, jwt};
use crate::config::{IssuerKey, OWN_ISSUER};
use crate::extract::Json;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

const LIFETIME_S: u64 = 12 * 3_600;

/// Whom to vouch for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Anything that tells people apart, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub subject: String,
    /// `buyer`, `organizer`, `operator` or `gate`.
    #[schema(pattern = "^(buyer|organizer|operator|gate)$")]
    pub role: String,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// For `Authorization: Bearer`.
    pub token: String,
    /// When it ends.
    pub expires_at: String,
}

/// Vouches for anybody. Development only.
#[utoipa::path(post, path = "/dev/token", tag = "development", request_body = TokenRequest,
    responses((status = 200, body = TokenAnswer), (status = "4XX", body = crate::openapi::ProblemBody)))]
pub async fn dev_token(
    State(state): State<AppState>,
    Json(wanted): Json<TokenRequest>,
) -> Result<axum::Json<TokenAnswer>, Problem> {
    if !(1..=200).contains(&wanted.subject.chars().count()) {
        return Err(Problem::field("subject", "1 to 200 characters"));
    }
    if Role::parse(&wanted.role).is_none() {
        return Err(Problem::field("role", "buyer, organizer, operator or gate"));
    }
    let own = state
        .config
        .issuers
        .iter()
        .find(|issuer| issuer.name == OWN_ISSUER);
    let Some(IssuerKey::Hs256(secret)) = own.map(|issuer| &issuer.key) else {
        return Err(Problem::new(
            Code::RouteUnknown,
            "there is no development issuer",
        ));
    };
    let now_s = state.backend.now().0 / 1_000;
    let exp = now_s + LIFETIME_S;
    let claims = json!({
        "iss": OWN_ISSUER, "sub": wanted.subject, "role": wanted.role, "iat": now_s, "exp": exp,
    });
    let expires_at = text::time(Timestamp(exp * 1_000));
    Ok(axum::Json(TokenAnswer {
        token: jwt::sign(secret, &claims),
        expires_at,
    }))
}
