//! What is remembered of people at events.

use ledger::buyers::{Buyer, BuyerKey};
use ledger::command::Pass;
use ledger::*;

use super::super::ids::*;
use crate::error::{DecodeError, narrow};
use crate::v1;

pub(super) fn encode((key, buyer): &(BuyerKey, Buyer)) -> v1::SavedBuyer {
    v1::SavedBuyer {
        event: Some(id(key.event.0)),
        buyer: Some(id(key.buyer.0)),
        places: buyer.places.into(),
        session: buyer.session.map(|pass| v1::Pass {
            index: pass.index,
            until_ms: pass.until.0,
        }),
    }
}

pub(super) fn decode(wire: v1::SavedBuyer) -> Result<(BuyerKey, Buyer), DecodeError> {
    let key = BuyerKey {
        event: EventId(from_id(wire.event, "buyer.event")?),
        buyer: BuyerId(from_id(wire.buyer, "buyer.buyer")?),
    };
    let buyer = Buyer {
        places: narrow(wire.places, "buyer.places")?,
        session: wire.session.map(|pass| Pass {
            index: pass.index,
            until: Timestamp(pass.until_ms),
        }),
    };
    Ok((key, buyer))
}
