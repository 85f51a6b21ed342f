//! The ledger and the catalogue as machines in bytes: decode, apply, encode. Nothing here
//! branches on what a command says; that is the ledger's business.

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use cluster::catalogue::Catalogue;
use cluster::version;
use ledger::{Command, Ledger, ShardId, Timestamp};
use probes::Bug;
use raft_node::machine::{Entry, Frozen, Machine, NotUnderstood, RestoreError};

use crate::read_model::Inbox;

/// A machine's state, shared between its replica (which writes) and readers of this node.
pub struct Shared<T> {
    state: RwLock<State<T>>,
}

struct State<T> {
    machine: T,
    /// Index of the last entry applied.
    applied: u64,
    /// That entry's stamp, in ms.
    at_ms: u64,
}

impl<T> Shared<T> {
    /// Nothing applied yet.
    pub fn new(machine: T) -> Arc<Self> {
        let state = State {
            machine,
            applied: 0,
            at_ms: 0,
        };
        Arc::new(Self {
            state: RwLock::new(state),
        })
    }

    /// Shows the state, the last applied index and its stamp. Keep it short: the replica waits.
    pub fn look<R>(&self, look: impl FnOnce(&T, u64, u64) -> R) -> R {
        let state = self.read();
        look(&state.machine, state.applied, state.at_ms)
    }

    /// The same to keep, for walks that take longer than a copy does: a ledger that is looked at applies
    /// nothing meanwhile.
    pub fn copy(&self) -> (T, u64, u64)
    where
        T: Clone,
    {
        self.look(|machine, applied, at_ms| (machine.clone(), applied, at_ms))
    }

    // A panic while applying leaves a state that must not be used: poisoning stops the node,
    // and a stopped node is safe.
    fn read(&self) -> RwLockReadGuard<'_, State<T>> {
        self.state.read().expect("the machine panicked")
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<T>> {
        self.state.write().expect("the machine panicked")
    }
}

/// A shard's ledger.
pub struct LedgerMachine {
    shard: ShardId,
    shared: Arc<Shared<Ledger>>,
    /// Where facts are left for the read model, if there is one.
    facts: Option<Arc<Inbox>>,
}

impl LedgerMachine {
    /// An empty ledger for `shard`, and the handle its readers use.
    pub fn new(shard: ShardId) -> (Self, Arc<Shared<Ledger>>) {
        let shared = Shared::new(Ledger::new(shard));
        (
            Self {
                shard,
                shared: shared.clone(),
                facts: None,
            },
            shared,
        )
    }

    /// From now on facts are left in `inbox`.
    pub fn tell(mut self, inbox: Arc<Inbox>) -> Self {
        self.shared.write().machine.keep_changes(true);
        self.facts = Some(inbox);
        self
    }
}

impl Machine for LedgerMachine {
    fn apply(&mut self, entry: Entry<'_>) -> Result<Vec<Bytes>, NotUnderstood> {
        let stamp = ledger::Stamp {
            at: match probes::planted(Bug::WallClockInApply) {
                true => Timestamp(probes::moment_ms()),
                false => Timestamp(entry.stamp.at_ms),
            },
            draw: entry.stamp.draw,
        };
        let commands = understood(&entry, proto::decode_command)?;
        let mut state = self.shared.write();
        let apply = |command: &Command| state.machine.apply(stamp, command);
        let outcomes: Vec<_> = commands.iter().map(apply).collect();
        state.applied = entry.index;
        state.at_ms = entry.stamp.at_ms;
        if let Some(facts) = &self.facts {
            // Before the state is let go: whoever sees it finds its facts in the inbox.
            facts.leave(&mut state.machine, entry.index, stamp.at);
        }
        drop(state);
        if !entry.awaited {
            return Ok(Vec::new());
        }
        Ok(outcomes.iter().map(proto::encode_outcome).collect())
    }

    fn next_due_ms(&self) -> Option<u64> {
        self.shared
            .look(|ledger, _, _| ledger.next_due().map(|due| due.0))
    }

    fn stamped_ms(&self) -> u64 {
        self.shared.look(|ledger, _, _| ledger.now().0)
    }

    fn tick(&self) -> Bytes {
        proto::encode_command(&Command::Tick)
    }

    fn elected(&self) -> Option<Bytes> {
        Some(proto::encode_command(&Command::ExtendHolds))
    }

    fn digest(&self) -> [u8; 32] {
        self.shared.look(|ledger, _, _| ledger.digest())
    }

    fn save(&self) -> Vec<Bytes> {
        self.freeze()()
    }

    /// Copying a stadium's ledger takes a fifth of the time that encoding it takes.
    fn freeze(&self) -> Frozen {
        let (ledger, applied, at_ms) = self.shared.copy();
        Box::new(move || {
            let mut parts = vec![super::snapshot::header(applied, at_ms)];
            parts.extend(proto::snapshot::save(&ledger));
            parts
        })
    }

    fn restore(&mut self, parts: Vec<Bytes>) -> Result<(), RestoreError> {
        let (applied, at_ms) = super::snapshot::read_header(&parts)?;
        let mut machine =
            proto::snapshot::restore(self.shard, &parts[1..]).map_err(|(part, reason)| {
                RestoreError {
                    part: part + 1,
                    reason: reason.to_string(),
                }
            })?;
        machine.keep_changes(self.facts.is_some());
        *self.shared.write() = State {
            machine,
            applied,
            at_ms,
        };
        Ok(())
    }
}

/// An entry's commands, all or none.
fn understood<C>(
    entry: &Entry<'_>,
    decode: impl Fn(&[u8]) -> Result<C, proto::DecodeError>,
) -> Result<Vec<C>, NotUnderstood> {
    let commands = entry.commands.iter().map(|bytes| decode(bytes));
    let commands: Result<Vec<C>, _> = commands.collect();
    commands.map_err(|error| NotUnderstood {
        index: entry.index,
        reason: error.to_string(),
    })
}

/// The system group's catalogue.
pub struct CatalogueMachine {
    shared: Arc<Shared<Catalogue>>,
    /// The newest cluster version it understands.
    supports: u16,
}

impl CatalogueMachine {
    /// An empty catalogue, and the handle its readers use.
    pub fn new() -> (Self, Arc<Shared<Catalogue>>) {
        let shared = Shared::new(Catalogue::default());
        (
            Self {
                shared: shared.clone(),
                supports: version::NEWEST,
            },
            shared,
        )
    }
}

impl CatalogueMachine {
    /// As a release has it that supports no newer cluster version than this one.
    #[must_use]
    pub fn supporting(self, supports: u16) -> Self {
        Self { supports, ..self }
    }
}

impl Machine for CatalogueMachine {
    fn apply(&mut self, entry: Entry<'_>) -> Result<Vec<Bytes>, NotUnderstood> {
        let commands = understood(&entry, cluster::codec::decode_for)?;
        let needs = commands.iter().map(|(_, command)| command.needs()).max();
        if let Some(needs) = needs.filter(|needs| *needs > self.supports) {
            return Err(NotUnderstood {
                index: entry.index,
                reason: format!("it is of cluster version {needs}"),
            });
        }
        let mut state = self.shared.write();
        let at = Timestamp(entry.stamp.at_ms);
        let outcomes = commands.iter().map(|(by, command)| {
            let outcome = state.machine.apply_for(at, by.as_ref(), command);
            cluster::codec::encode_outcome(&outcome)
        });
        let outcomes = outcomes.collect();
        state.applied = entry.index;
        state.at_ms = entry.stamp.at_ms;
        Ok(outcomes)
    }

    fn next_due_ms(&self) -> Option<u64> {
        None
    }

    fn tick(&self) -> Bytes {
        Bytes::new()
    }

    fn elected(&self) -> Option<Bytes> {
        None
    }

    fn digest(&self) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        let parts = self
            .shared
            .look(|catalogue, _, _| cluster::codec::save(catalogue));
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(&part);
        }
        hash.finalize().into()
    }

    fn save(&self) -> Vec<Bytes> {
        let state = self.shared.read();
        let mut parts = vec![super::snapshot::header(state.applied, state.at_ms)];
        parts.extend(cluster::codec::save(&state.machine));
        parts
    }

    fn restore(&mut self, parts: Vec<Bytes>) -> Result<(), RestoreError> {
        let (applied, at_ms) = super::snapshot::read_header(&parts)?;
        let machine =
            cluster::codec::restore(&parts[1..]).map_err(|(part, reason)| RestoreError {
                part: part + 1,
                reason: reason.to_string(),
            })?;
        if machine.version() > self.supports {
            let version = machine.version();
            return Err(RestoreError {
                part: 0,
                reason: format!(
                    "the cluster is at version {version}, and this release supports {}; \
                     run a newer one",
                    self.supports
                ),
            });
        }
        *self.shared.write() = State {
            machine,
            applied,
            at_ms,
        };
        Ok(())
    }
}
