//! Where things are: shard map, routing, the catalogue. Plans, never acts.
