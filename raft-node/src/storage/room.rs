//! Whether the disk has room, and who waits for it.
//!
//! A full disk is not a broken one: what does not fit now will fit later, and nothing was promised
//! meanwhile. So a write that finds no room is tried again on every *beat* of whoever watches the
//! disk ([`Room::attend`]), for as long as it takes; to everybody else the node has a disk that
//! stands still. Only a failed sync is final (see [`super::wal`]).
//!
//! ```text
//!  free space   keep_free (512 MiB, or 2 % of a small disk)        a quarter of it          nothing
//!  level     Ample ──────────┤ Short ───────────────────────────────┤ Scarce ──────────────────┤
//!                             hands its leaderships over,            proposes nothing but      writes wait
//!                             turns new demand away                  what a leader owes
//! ```
//! Where nobody attends (a tool that works on a directory), no room is an error like any other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::platform::Disk;
use crate::platform::disk::Space;
use crate::watch;

/// How often the disk is looked at, and what waits is tried again.
const BEAT: Duration = Duration::from_millis(500);
/// Of a small disk no more than this part is kept free, in percent.
const KEEP_PERCENT_MAX: u64 = 2;

/// How much room there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Enough.
    #[default]
    Ample,
    /// Enough for what was promised: new demand goes elsewhere.
    Short,
    /// Enough for votes, elections and what followers are sent, if for that.
    Scarce,
}

/// See the module.
pub struct Room {
    state: watch::Sender<Seen>,
    waiting: AtomicUsize,
    without_spare: AtomicBool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            state: watch::channel(Seen::default()).0,
            waiting: AtomicUsize::new(0),
            without_spare: AtomicBool::new(false),
        }
    }
}

/// What was seen at the last beat.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    beats: u64,
    attended: bool,
    level: Level,
    space: Option<Space>,
}

impl Room {
    /// How much there is.
    pub fn level(&self) -> Level {
        self.state.borrow().level
    }

    /// What the disk said, if it can tell.
    pub fn space(&self) -> Option<Space> {
        self.state.borrow().space
    }

    /// Writes that wait for room.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// After a failed write: waits for the next beat, and says whether to try again. Not so when
    /// room is not what was missing, or when nobody watches the disk.
    pub(crate) async fn may_come(&self, error: &io::Error) -> bool {
        if !is_lack_of_room(error) {
            return false;
        }
        let mut beats = self.state.receiver();
        if !self.state.borrow().attended {
            return false;
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%error, "the disk is full: writes wait until there is room");
        }
        let _waiting = Waiting(&self.waiting);
        beats.next_change().await.is_ok() && self.state.borrow().attended
    }

    /// Does what may find no room until it does not; see [`Room::may_come`].
    pub(crate) async fn insist<T, Doing>(&self, mut does: impl FnMut() -> Doing) -> io::Result<T>
    where
        Doing: Future<Output = io::Result<T>>,
    {
        loop {
            match does().await {
                Err(error) if self.may_come(&error).await => {}
                done => return done,
            }
        }
    }

    /// Returns at the next beat; never where nobody watches the disk.
    pub(crate) async fn beat(&self) {
        let mut beats = self.state.receiver();
        if !self.state.borrow().attended || beats.next_change().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The log has, or has not, its next segment ready.
    pub(crate) fn spare_is_missing(&self, missing: bool) {
        self.without_spare.store(missing, Ordering::Relaxed);
    }

    /// True while the log has no segment ready.
    pub(crate) fn lacks_spare(&self) -> bool {
        self.without_spare.load(Ordering::Relaxed)
    }

    /// Says that somebody will watch the disk: from here on, writes wait for room.
    pub(crate) fn attended(self: &Arc<Self>) -> Attendant {
        self.state.publish_if(|seen| {
            seen.attended = true;
            true
        });
        Attendant { room: self.clone() }
    }

    fn look(&self, space: Option<Space>, keep_free: u64) {
        let waiting = self.waiting() > 0;
        let lacking = waiting || self.lacks_spare();
        self.state.publish_if(|seen| {
            let before = seen.level;
            seen.beats += 1;
            seen.space = space;
            seen.level = match judge(space, keep_free, before) {
                _ if waiting => Level::Scarce,
                level if lacking => level.max(Level::Short),
                level => level,
            };
            if seen.level != before {
                let free = space.map(|space| space.free);
                tracing::warn!(?free, now = ?seen.level, ?before, "room on the disk");
            }
            true
        });
    }
}

/// Whoever watches the disk. Dropped, nothing waits for room any more.
pub(crate) struct Attendant {
    room: Arc<Room>,
}

impl Attendant {
    /// Looks at the disk until it is dropped.
    pub(crate) async fn keep(self, disk: Arc<dyn Disk>, keep_free: u64) {
        loop {
            let space = match disk.space().await {
                Ok(space) => space,
                Err(error) => {
                    tracing::debug!(%error, "the disk does not tell how full it is");
                    None
                }
            };
            self.room.look(space, keep_free);
            tokio::time::sleep(BEAT).await;
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.room.state.publish_if(|seen| {
            seen.attended = false;
            true
        });
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Out of space, or out of one's share of it.
pub fn is_lack_of_room(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// The level, with some way to go back: at the border it must not flicker.
fn judge(space: Option<Space>, keep_free: u64, before: Level) -> Level {
    let Some(Space { free, total }) = space else {
        return Level::Ample;
    };
    let short = keep_free.min(total / 100 * KEEP_PERCENT_MAX);
    let scarce = short / 4;
    let back = |limit: u64, was: Level| match before >= was {
        true => limit + limit / 4,
        false => limit,
    };
    if free < back(scarce, Level::Scarce) {
        Level::Scarce
    } else if free < back(short, Level::Short) {
        Level::Short
    } else {
        Level::Ample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn of(free: u64) -> Option<Space> {
        let total = 100_000 * MIB;
        Some(Space { free, total })
    }

    #[test]
    fn room_ends_at_a_border_and_comes_back_some_way_behind_it() {
        let keep = 512 * MIB;
        let level = |free, before| judge(of(free * MIB), keep, before);
        assert_eq!(level(512, Level::Ample), Level::Ample);
        assert_eq!(level(511, Level::Ample), Level::Short);
        assert_eq!(level(639, Level::Short), Level::Short);
        assert_eq!(level(640, Level::Short), Level::Ample);
        assert_eq!(level(128, Level::Short), Level::Short);
        assert_eq!(level(127, Level::Short), Level::Scarce);
        assert_eq!(level(159, Level::Scarce), Level::Scarce);
        assert_eq!(level(160, Level::Scarce), Level::Short);
        assert_eq!(
            judge(None, keep, Level::Scarce),
            Level::Ample,
            "nobody knows"
        );
    }

    #[test]
    fn of_a_small_disk_only_a_small_part_is_kept_free() {
        let small = |free| {
            let total = 1_000 * MIB;
            judge(Some(Space { free, total }), 512 * MIB, Level::Ample)
        };
        assert_eq!(small(20 * MIB), Level::Ample);
        assert_eq!(small(20 * MIB - 1), Level::Short);
    }

    #[tokio::test]
    async fn a_write_waits_for_room_only_where_somebody_watches() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let broken = io::Error::other("input/output error");
        let room = Arc::new(Room::default());
        assert!(!room.may_come(&full).await, "nobody watches");
        let attendant = room.attended();
        assert!(!room.may_come(&broken).await, "room would not help");
        let (waits, ()) = tokio::join!(room.may_come(&full), async {
            assert_eq!(room.waiting(), 1);
            room.look(of(MIB), 0);
        });
        assert!(waits);
        assert_eq!(room.level(), Level::Scarce, "somebody waited");
        let (waits, ()) = tokio::join!(room.may_come(&full), async { drop(attendant) });
        assert!(!waits, "nobody watches any more");
        assert_eq!(room.waiting(), 0);
    }
}
