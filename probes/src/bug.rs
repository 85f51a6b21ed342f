//! Bugs that a run may plant, to prove that a checker bites. `cargo xtask sim teeth` plants each
//! until the simulator catches it; one that nobody catches is a hole in the proof.

macro_rules! bugs {
    ($($area:literal { $($(#[doc = $doc:literal])+ $name:ident,)+ })+) => {
        /// A planted bug. Its doc says what is done wrongly; the code that does it asks
        /// [`planted`](crate::planted) on the spot.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $($($(#[doc = $doc])+ $name,)+)+
        }

        impl Bug {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// Its name, as `sim run --bug` takes it.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)+)+ }
            }

            /// What part of the promises it attacks.
            pub const fn area(self) -> &'static str {
                match self { $($(Self::$name => $area,)+)+ }
            }

            /// What is done wrongly, in a sentence.
            pub const fn story(self) -> &'static str {
                match self { $($(Self::$name => concat!($($doc),+),)+)+ }
            }

            /// The bug called `name`.
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

bugs! {
    "durability" {
        /// A vote is kept in memory and never written.
        VoteNotWritten,
        /// A vote is answered before it is synced.
        VoteNotSynced,
        /// A vote is answered first and written afterwards.
        VoteSavedAfterReply,
        /// An append is acknowledged when it is queued, before it is written.
        AppendAcknowledgedEarly,
        /// The log is written and never synced.
        LogNotSynced,
        /// A sync that failed counts as one.
        FailedSyncIgnored,
        /// A record is read although its checksum does not match.
        ChecksumIgnored,
        /// Damage in front of durable records is cut off like a torn tail.
        DamageTakenForTornTail,
        /// What a torn write left behind the last whole record stays there.
        TornTailKept,
        /// A tail that conflicts is cut off in memory and not in the log.
        TruncateForgotten,
        /// A snapshot counts as durable while it is still being written, and the log before it
        /// goes.
        SnapshotAnnouncedEarly,
        /// A file is renamed into place and its directory is not synced.
        RenameNotSynced,
        /// A snapshot is written where it will be read, without a rename.
        SnapshotWrittenInPlace,
        /// A snapshot taken over from the leader is not saved.
        InstalledSnapshotNotSaved,
        /// A snapshot says that it is one entry older than its state is, so that the entry is
        /// applied twice.
        SnapshotBehindItsState,
        /// A snapshot of one group is installed into another.
        SnapshotIntoOtherGroup,
    }
    "snapshots" {
        /// A snapshot forgets how far messages of other shards were applied.
        SnapshotForgetsInboxes,
        /// A snapshot forgets orders that are over.
        SnapshotForgetsClosedOrders,
        /// A snapshot forgets legs that may not come back.
        SnapshotForgetsEndedLegs,
        /// A snapshot forgets what people have of their allowance.
        SnapshotForgetsAllowances,
        /// A snapshot forgets how far the queue has been admitted.
        SnapshotForgetsCursor,
        /// A snapshot forgets the number of the last hold.
        SnapshotForgetsGeneration,
        /// A pinned leg comes out of a snapshot as a held one.
        SnapshotForgetsPins,
    }
    "consensus" {
        /// A vote is given to a candidate whose log is older.
        LogNotComparedInVotes,
        /// A follower whose log does not fit an append says that it has it.
        ConflictAnsweredAsSuccess,
        /// A conflict behind a success, which an overtaken append makes, is believed.
        OvertakenAppendTrusted,
        /// Now and then a frame of one group is handed to another.
        FrameForOtherGroup,
        /// A leader answers reads without asking whether it still leads.
        ReadWithoutQuorum,
        /// A follower answers linearizable reads from what it has.
        ReadFromFollower,
        /// A replica is not caught up before a read that must be fresh.
        CatchUpSkipped,
        /// The answers to an entry's commands go to each other's callers.
        AnswersSwapped,
    }
    "members" {
        /// A learner counts as caught up however far behind it is, and is given a vote.
        LearnerPromotedEarly,
        /// A change of voters is planned although half of the new ones, not more, are there.
        PlanCountsHalfAsQuorum,
        /// A placement that was computed from an older version is accepted.
        OldPlacementAccepted,
    }
    "same request, same answer" {
        /// An idempotency key is ignored: a repeated request makes another order.
        RepeatMakesNewOrder,
        /// An order that is opened again is opened twice.
        RepeatOpensAgain,
        /// A leg that is held again takes places once more.
        RepeatHoldsAgain,
        /// A request with a known id and other content gets the answer of the first one.
        OtherContentAnswered,
        /// Giving back is told done when its outcome is unknown.
        GiveBackToldWhenUnknown,
    }
    "determinism" {
        /// Entries are applied at the time of the replica that applies them.
        WallClockInApply,
        /// A new leader stamps with its own clock, however far the log is ahead of it.
        StampsForgetTheLog,
        /// Things that are due are swept in an order that differs by replica.
        HashOrderInSweep,
        /// Each replica chooses for itself in which section the best seats are.
        NodeChanceInBest,
    }
    "seats" {
        /// A hold takes a seat that is held already.
        HoldTakesHeldSeat,
        /// A seat that is freed counts as two.
        FreedSeatCountsTwice,
        /// A blocked seat is for sale.
        BlockedSeatOnSale,
        /// A standing section has one place more than planned.
        StandingPlaceTooMany,
        /// A refused order keeps the legs it held before the refusal.
        RefusedOrderKeepsLegs,
        /// The buyer is told "held" although one of the legs was refused.
        PartHoldToldAsWhole,
        /// A leg that was released is held again by a late command.
        ReleasedLegHeldAgain,
        /// Of an order that ends, only the first leg is released.
        LegNotReleased,
        /// A leg that was refused is held when another door asks for it later.
        RefusalForgotten,
        /// A leg's shard ends a hold by its own clock, as soon as it is over there.
        LegEndsByItself,
        /// An order that is being paid or was paid can be given back.
        PaidOrderGivenBack,
    }
    "time" {
        /// A hold ends three seconds before its buyer was told it would.
        HoldEndsEarly,
        /// A sweep comes five seconds late.
        SweepComesLate,
        /// A hold that has ended, and was not swept yet, can be paid.
        ExpiredHoldPaid,
        /// The end of the hold ends the payment that is under way.
        PaymentEndsWithHold,
        /// A pin is confirmed and not made, so that the hold's clock runs on.
        PinThatExpires,
        /// Stamps follow the wall clock wherever it leaps.
        StampsFollowLeaps,
    }
    "limits" {
        /// A person may have one place more than the event allows.
        AllowanceOffByOne,
        /// A closed order's places are not given back to its buyer's allowance.
        AllowanceNotGivenBack,
        /// An order may have more places than the event allows.
        OrderOverCap,
        /// A person's orders live in different shards, and each counts for itself.
        HomeByRequest,
    }
    "messages" {
        /// The courier leaves out a message and keeps counting.
        CourierSkipsMessage,
        /// The courier carries the newest message and forgets older ones.
        CourierSendsNewestOnly,
        /// A delivery whose outcome is unknown is acknowledged.
        AcknowledgedOnUnknown,
        /// An acknowledgement forgets one message more than was received.
        AcknowledgeForgetsOneMore,
        /// A message that arrives again is handled again.
        RepeatHandledAgain,
        /// A leg that is lost says that it is pinned.
        PinRefusalSwallowed,
        /// An answer to a pin that was given up counts for the newest.
        OldPinCounts,
    }
    "payment" {
        /// The money is asked for when one leg is pinned, not all.
        CommitBeforeAllPinned,
        /// A payment whose outcome is unknown counts as declined.
        UnknownIsDeclined,
        /// A call whose outcome is unknown is repeated under another key.
        NewKeyOnRetry,
        /// A call whose outcome is unknown is never made again.
        UnknownNeverAskedAgain,
        /// A capture is written down as done before the provider is asked.
        DoneBeforeCall,
        /// The money is taken with its reservation, before the sale is decided.
        CaptureBeforeCommit,
        /// A late word that money was reserved is believed after it was taken.
        LateAuthorizedTrusted,
        /// Only an order's first leg is charged for.
        FirstLegCharged,
        /// An order counts as paid before all its legs are sold.
        PaidBeforeSold,
        /// The buyer is told "paid" when the payment starts.
        PaidToldAtStart,
        /// A refund sends the money back and keeps the seats sold.
        RefundKeepsSeats,
        /// A refund frees the seats and forgets the money.
        RefundForgetsMoney,
    }
    "waiting room" {
        /// Positions are those of arrival, not of the draw.
        PositionByArrival,
        /// The draw's seed leaves out the secret.
        DrawIgnoresSecret,
        /// Those who come after the draw get positions of it.
        LateComersJumpIn,
        /// A person who joins again has two places.
        PersonJoinsTwice,
        /// The cursor moves back now and then.
        CursorMovesBack,
        /// People are admitted faster than the organizer's rate.
        RateIgnored,
        /// The door lets people reserve who have not been admitted.
        GateAdmitsEverybody,
        /// The door takes a queue token from somebody else than its owner.
        TokenOfAnotherTaken,
        /// The door takes a queue token without a valid signature.
        TokenUnsigned,
        /// A pass is not spent in the log.
        PassNotSpent,
    }
    "operators" {
        /// What an operator is granted is not written into the trail.
        TrailForgets,
        /// A key that was revoked still opens.
        RevokedKeyOpens,
    }
    "backups" {
        /// The newest entries of a group's log are left out of a backup.
        BackupWithoutLastSegment,
        /// Groups are cut where they said they were, one after the other.
        BackupCutNotClosed,
    }
    "upgrades" {
        /// The cluster's version is raised to what the newest node supports, not the oldest.
        VersionOfTheNewest,
        /// Words of a newer cluster version are taken before it was raised.
        NewWordsTooEarly,
    }
    "liveness" {
        /// A later leader does not sweep what is due.
        SweepLostOnElection,
        /// A later leader does not carry the messages it finds.
        OutboxLostOnElection,
        /// A courier gives up a receiver after the first failure.
        CourierStopsAfterError,
        /// The installer gives up after the first failure.
        InstallerStopsAfterError,
    }
}
