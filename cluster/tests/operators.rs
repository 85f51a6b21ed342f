//! Keys of the API and the trail: what is kept, what is refused, and that a change and its record are
//! one step.

use bytes::Bytes;
use cluster::catalogue::{
    Catalogue, CatalogueCommand as Do, CatalogueReceipt as Yes, CatalogueRejection as No, Deed,
    KEYS_MAX, KeyId, KeyRecord, KeyRole, TRAIL_MAX, WORDS_BYTES_MAX, Who,
};
use cluster::codec::{
    decode_for, decode_outcome, encode_command, encode_for, encode_outcome, restore, save,
};
use cluster::version::NEWEST;
use ledger::{EventId, Timestamp};

fn deed(id: u128) -> Deed {
    Deed {
        id,
        who: Who::Certificate {
            name: "anna".to_owned(),
            role: "operator".to_owned(),
        },
        request: "r1".to_owned(),
        action: "node.drain".to_owned(),
        about: "node 4".to_owned(),
    }
}

fn record(name: &str) -> KeyRecord {
    KeyRecord {
        role: KeyRole::Gate,
        name: name.to_owned(),
        event: None,
        hash: [7; 32],
        created_at: Timestamp(1_000),
        expires_at: Some(Timestamp(2_000)),
        revoked_at: None,
    }
}

fn create(key: u64, record: KeyRecord) -> Do {
    Do::CreateKey {
        key: KeyId(key),
        record: Box::new(record),
    }
}

fn everybody() -> [Who; 5] {
    let (name, role) = ("north gate".to_owned(), "gate".to_owned());
    [
        Who::Unproven,
        Who::CommandLine,
        Who::Certificate {
            name: name.clone(),
            role: role.clone(),
        },
        Who::Key {
            id: KeyId(u64::MAX),
            name,
            role: role.clone(),
        },
        Who::Person {
            id: u128::MAX,
            role,
        },
    ]
}

/// A catalogue in a cluster that speaks every word of this release.
fn newest() -> Catalogue {
    Catalogue::default().at_version(NEWEST)
}

#[test]
fn what_is_granted_stands_in_the_trail_once_and_what_is_refused_does_not() {
    let mut catalogue = newest();
    let shards = Do::FixShards { shards: 2 };
    let at = Timestamp(50);
    assert!(catalogue.apply_for(at, Some(&deed(1)), &shards).is_ok());
    // The proposal arrived twice.
    assert!(catalogue.apply_for(at, Some(&deed(1)), &shards).is_ok());
    let other = Do::FixShards { shards: 3 };
    let refused = catalogue.apply_for(at, Some(&deed(2)), &other);
    assert_eq!(refused, Err(No::ShardsAreFixed { shards: 2 }));
    // The cluster's own doing is nobody's.
    assert!(catalogue.apply_for(at, None, &shards).is_ok());
    // A leader whose clock is behind does not turn the trail's back.
    let noted = catalogue.apply_for(Timestamp(40), Some(&deed(3)), &Do::Note);
    assert_eq!(noted, Ok(Yes::Noted));
    let told: Vec<_> = catalogue.trail().records().collect();
    let told: Vec<_> = told.iter().map(|r| (r.number, r.at.0, r.deed.id)).collect();
    assert_eq!(told, [(1, 50, 1), (2, 50, 3)]);
    assert_eq!(catalogue.trail().next(), 3);
}

#[test]
fn the_trail_keeps_the_newest_and_its_numbers_tell_what_is_gone() {
    let mut catalogue = newest();
    let more = TRAIL_MAX as u128 + 10;
    let long = "é".repeat(WORDS_BYTES_MAX);
    for id in 1..=more {
        let about = long.clone();
        let deed = Deed { about, ..deed(id) };
        let noted = catalogue.apply_for(Timestamp(1), Some(&deed), &Do::Note);
        noted.expect("a note is never refused");
    }
    let mut records = catalogue.trail().records();
    let first = records.next().expect("many");
    assert_eq!((first.number, first.deed.id), (11, 11));
    assert_eq!(first.deed.about.len(), WORDS_BYTES_MAX);
    assert_eq!(records.count() + 1, TRAIL_MAX);
    let back = restore(&save(&catalogue)).expect("its own parts");
    assert_eq!(back, catalogue);
    assert_eq!(back.trail().next(), catalogue.trail().next());
}

#[test]
fn a_key_is_made_once_revoked_for_ever_and_bounded_in_number() {
    let mut catalogue = newest();
    let noted = |key| Ok(Yes::KeyNoted { key: KeyId(key) });
    assert_eq!(catalogue.apply(&create(1, record("north"))), noted(1));
    // The same again, by a clock that has moved.
    let later = KeyRecord {
        created_at: Timestamp(1_500),
        ..record("north")
    };
    assert_eq!(catalogue.apply(&create(1, later)), noted(1));
    let known = catalogue.key(KeyId(1)).expect("made");
    assert_eq!(known.created_at, Timestamp(1_000));

    let ended = KeyRecord {
        expires_at: Some(Timestamp(1_000)),
        ..record("south")
    };
    let of_nothing = KeyRecord {
        event: Some(EventId(9)),
        ..record("south")
    };
    let revoked = KeyRecord {
        revoked_at: Some(Timestamp(1)),
        ..record("south")
    };
    for (key, record, why) in [
        (1, record("other"), No::KeyIdTaken),
        (2, record(""), No::KeyInvalid),
        (2, record(&"x".repeat(65)), No::KeyInvalid),
        (2, record("a\nb"), No::KeyInvalid),
        (2, ended, No::KeyInvalid),
        (2, revoked, No::KeyInvalid),
        (2, of_nothing, No::EventUnknown),
    ] {
        assert_eq!(catalogue.apply(&create(key, record)), Err(why));
    }
    let revoke = |key, at| Do::RevokeKey {
        key: KeyId(key),
        at: Timestamp(at),
    };
    assert_eq!(catalogue.apply(&revoke(3, 5)), Err(No::KeyUnknown));
    assert_eq!(catalogue.apply(&revoke(1, 5)), noted(1));
    assert_eq!(catalogue.apply(&revoke(1, 6)), noted(1));
    let known = catalogue.key(KeyId(1)).expect("kept");
    assert_eq!(known.revoked_at, Some(Timestamp(5)));
    let again = catalogue.apply(&create(1, record("north")));
    assert_eq!(again, Err(No::KeyIdTaken), "revoked is for ever");

    for key in 2..=KEYS_MAX as u64 {
        assert_eq!(catalogue.apply(&create(key, record("more"))), noted(key));
    }
    let more = KEYS_MAX as u64 + 1;
    assert_eq!(catalogue.apply(&create(more, record("more"))), noted(more));
    assert!(
        catalogue.key(KeyId(1)).is_none(),
        "the revoked one gave way"
    );
    let full = catalogue.apply(&create(more + 1, record("more")));
    assert_eq!(full, Err(No::KeysMax));
    assert_eq!(restore(&save(&catalogue)), Ok(catalogue));
}

#[test]
fn all_that_is_said_of_keys_and_deeds_is_read_as_it_was_written() {
    let commands = [
        create(1, record("north")),
        create(
            u64::MAX,
            KeyRecord {
                role: KeyRole::Organizer,
                event: Some(EventId(3)),
                expires_at: None,
                ..record("é")
            },
        ),
        Do::RevokeKey {
            key: KeyId(1),
            at: Timestamp(9),
        },
        Do::Note,
    ];
    for command in &commands {
        assert_eq!(
            decode_for(&encode_command(command)),
            Ok((None, command.clone()))
        );
        for who in everybody() {
            let by = Deed { who, ..deed(5) };
            let bytes = encode_for(Some(&by), command);
            assert_eq!(decode_for(&bytes), Ok((Some(by), command.clone())));
        }
    }
    let outcomes = [
        Ok(Yes::Noted),
        Ok(Yes::KeyNoted { key: KeyId(4) }),
        Err(No::KeyInvalid),
        Err(No::KeyIdTaken),
        Err(No::KeysMax),
        Err(No::KeyUnknown),
    ];
    for outcome in outcomes {
        assert_eq!(decode_outcome(&encode_outcome(&outcome)), Ok(outcome));
    }
}

/// Bytes are in logs and snapshots: these were written once and are never changed.
#[test]
fn the_bytes_of_keys_and_deeds_are_what_they_were() {
    let hex = |bytes: Bytes| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let revoke = Do::RevokeKey {
        key: KeyId(1),
        at: Timestamp(9),
    };
    assert_eq!(hex(encode_command(&revoke)), "aa010408011009");
    assert_eq!(hex(encode_command(&Do::Note)), "b20100");
    let hash = "07".repeat(32);
    assert_eq!(
        hex(encode_command(&create(1, record("n")))),
        format!("a2012f080110031a016e2a20{hash}30e80738d00f")
    );
    // Older releases wrote no deed, and read a command with one as the command.
    let drain = Do::DrainNode { node: 4 };
    let with = hex(encode_for(Some(&deed(1)), &drain));
    assert!(with.starts_with("3004f201"), "{with}");
    let mut catalogue = Catalogue::default();
    catalogue.apply(&Do::FixShards { shards: 2 }).expect("new");
    assert_eq!(save(&catalogue).len(), 1, "written as it always was");
}
