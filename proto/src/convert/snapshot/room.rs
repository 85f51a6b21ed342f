//! A waiting room, and the people in it: 16 bytes a person, since a lobby has millions.

use ledger::parts::RosterPart;
use ledger::queue::{Mark, SavedDraw, SavedRoom};
use ledger::seats::Stock;
use ledger::*;

use super::super::ids::*;
use super::counter;
use crate::error::{DecodeError, narrow, required};
use crate::v1;

impl From<&SavedDraw> for v1::SavedDraw {
    fn from(draw: &SavedDraw) -> Self {
        Self {
            at_ms: draw.at.0,
            people: draw.people,
            root: draw.root.to_vec(),
            beacon: draw.beacon.clone(),
            seed: draw.seed.to_vec(),
        }
    }
}

impl TryFrom<v1::SavedDraw> for SavedDraw {
    type Error = DecodeError;

    fn try_from(draw: v1::SavedDraw) -> Result<Self, DecodeError> {
        Ok(Self {
            at: Timestamp(draw.at_ms),
            people: counter(draw.people, "room.draw.people")?,
            root: narrow(draw.root.as_slice(), "room.draw.root")?,
            beacon: draw.beacon,
            seed: narrow(draw.seed.as_slice(), "room.draw.seed")?,
        })
    }
}

impl From<&SavedRoom> for v1::SavedRoom {
    fn from(room: &SavedRoom) -> Self {
        let mark = |mark: &Mark| v1::SavedMark {
            at_ms: mark.at.0,
            cursor: mark.cursor,
            available: mark.available,
        };
        let stock = |(shard, stock): &(ShardId, Stock)| v1::SavedShardStock {
            shard: shard.0.into(),
            stock: Some((*stock).into()),
        };
        Self {
            event: Some(id(room.event.0)),
            draw: room.draw.as_ref().map(Into::into),
            cursor: room.cursor,
            credit: room.credit,
            stepped_at_ms: room.stepped_at.0,
            marks: room.marks.iter().map(mark).collect(),
            stock: room.stock.iter().map(stock).collect(),
        }
    }
}

impl TryFrom<v1::SavedRoom> for SavedRoom {
    type Error = DecodeError;

    fn try_from(room: v1::SavedRoom) -> Result<Self, DecodeError> {
        let mark = |mark: v1::SavedMark| {
            Ok::<_, DecodeError>(Mark {
                at: Timestamp(mark.at_ms),
                cursor: counter(mark.cursor, "room.mark.cursor")?,
                available: counter(mark.available, "room.mark.available")?,
            })
        };
        let stock = |told: v1::SavedShardStock| {
            Ok::<_, DecodeError>((
                shard(told.shard, "room.stock.shard")?,
                required(told.stock, "room.stock.stock")?.into(),
            ))
        };
        Ok(Self {
            event: EventId(from_id(room.event, "room.event")?),
            draw: room.draw.map(TryInto::try_into).transpose()?,
            cursor: counter(room.cursor, "room.cursor")?,
            credit: counter(room.credit, "room.credit")?,
            stepped_at: Timestamp(room.stepped_at_ms),
            marks: super::all(room.marks, mark)?,
            stock: super::all(room.stock, stock)?,
        })
    }
}

impl From<&RosterPart> for v1::SavedRoster {
    fn from(part: &RosterPart) -> Self {
        Self {
            event: Some(id(part.event.0)),
            first: part.first,
            buyers: pack(part.buyers.iter().map(|buyer| buyer.0)),
        }
    }
}

impl TryFrom<v1::SavedRoster> for RosterPart {
    type Error = DecodeError;

    fn try_from(part: v1::SavedRoster) -> Result<Self, DecodeError> {
        Ok(Self {
            event: EventId(from_id(part.event, "roster.event")?),
            first: counter(part.first, "roster.first")?,
            buyers: unpack(&part.buyers, "roster.buyers", BuyerId)?,
        })
    }
}
