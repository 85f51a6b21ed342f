//! A catalogue's snapshot.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledger::EventId;
use prost::Message;
use proto::DecodeError;
use proto::convert::ids::{from_id, id, shard};
use proto::error::{narrow, required};
use proto::v1;

use super::events::{record, wire_record};
use super::{keys, nodes, trail};
use crate::catalogue::Catalogue;
use crate::members::{Placement, Registry};
use crate::version;

/// A catalogue as snapshot parts: the number of shards, the lineage if it has one, every event, who
/// has what, the nodes, keys, and the trail.
pub fn save(catalogue: &Catalogue) -> Vec<Bytes> {
    use v1::catalogue_part::Kind;
    let shards = catalogue.router().map_or(0, |router| router.count());
    let events = catalogue
        .events()
        .map(|record| Kind::Event(wire_record(record)));
    let installed = catalogue.installed().map(|(event, shard, version)| {
        Kind::Installed(v1::RecordInstalled {
            event: Some(id(event.0)),
            shard: shard.0.into(),
            version,
        })
    });
    let registry = catalogue.registry();
    let nodes = registry.nodes();
    let nodes = nodes.map(|(node, record)| Kind::Node(nodes::wire_node(node, record)));
    let gone = registry.gone().iter().copied().map(Kind::Gone);
    // A cluster that placed nothing writes what older releases wrote.
    let placement = registry.placement();
    let placement = (placement.version > 0).then(|| {
        let groups = placement.groups.iter().map(|(group, wish)| (*group, wish));
        let (version, replication) = (placement.version, placement.replication);
        Kind::Placement(nodes::wire_placement(version, replication, groups))
    });
    let lineage = catalogue
        .lineage()
        .map(|lineage| Kind::Lineage(id(lineage)));
    let version = catalogue.version();
    let version = (version > version::OLDEST).then(|| Kind::Version(version.into()));
    let api_keys = catalogue.keys();
    let api_keys = api_keys.map(|(key, record)| Kind::ApiKey(keys::wire_key(key, record)));
    let deeds = catalogue.trail().records();
    let deeds = deeds.map(|record| Kind::Trail(trail::wire_record(record)));
    std::iter::once(Kind::Shards(shards.into()))
        .chain(version)
        .chain(lineage)
        .chain(events)
        .chain(installed)
        .chain(nodes)
        .chain(gone)
        .chain(placement)
        .chain(api_keys)
        .chain(deeds)
        .map(|kind| {
            v1::CataloguePart { kind: Some(kind) }
                .encode_to_vec()
                .into()
        })
        .collect()
}

/// The catalogue these parts mean; the number of the first bad part otherwise.
pub fn restore(parts: &[Bytes]) -> Result<Catalogue, (usize, DecodeError)> {
    use v1::catalogue_part::Kind;
    let (mut shards, mut version, mut lineage) = (0, 0, None);
    let (mut events, mut installed) = (Vec::new(), Vec::new());
    let (mut members, mut gone) = (BTreeMap::new(), BTreeSet::new());
    let (mut api_keys, mut deeds) = (Vec::new(), Vec::new());
    let mut placement = Placement::default();
    for (number, part) in parts.iter().enumerate() {
        let mut take = || {
            let part = v1::CataloguePart::decode(part.as_ref())?;
            match required(part.kind, "part")? {
                Kind::Shards(count) => shards = narrow(count, "shards")?,
                Kind::Version(at) => version = narrow(at, "version")?,
                Kind::Lineage(wire) => lineage = Some(from_id(Some(wire), "lineage")?),
                Kind::Event(wire) => events.push(record(wire)?),
                Kind::Installed(wire) => installed.push((
                    EventId(from_id(wire.event, "event")?),
                    shard(wire.shard, "shard")?,
                    wire.version,
                )),
                Kind::Node(wire) => {
                    let (node, record) = nodes::node(wire)?;
                    members.insert(node, record);
                }
                Kind::Gone(node) => {
                    gone.insert(node);
                }
                Kind::Placement(wire) => placement = nodes::placement(wire)?,
                Kind::ApiKey(wire) => api_keys.push(keys::key(wire)?),
                Kind::Trail(wire) => deeds.push(trail::record(wire)?),
            }
            Ok(())
        };
        take().map_err(|error| (number, error))?;
    }
    let registry = Registry::from_parts(members, gone, placement);
    let catalogue = Catalogue::from_parts(shards, lineage, events, installed, registry);
    Ok(catalogue.at_version(version).with(api_keys, deeds))
}
