//! Rare branches that a long sweep must take: a mark that no seed reaches is a hole in the
//! generator (after Antithesis' *sometimes* assertions and FoundationDB's code probes).

macro_rules! marks {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A rare branch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Mark {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

marks! {
    /// A repeated command was answered from what the ledger remembered of the first one.
    RepeatedCommand,
    /// A reservation was repeated and answered from the order that stood already.
    OrderOpenedAgain,
    /// A reservation was repeated when its order was over.
    ClosedOrderOpenedAgain,
    /// An idempotency key came with another request.
    KeyReused,
    /// A leg of an order that is decided in one entry was refused, and those before it given back.
    LegsUndone,
    /// Somebody wanted more than one person may have.
    AllowanceRefused,
    /// A pass served a second order of its session.
    PassUsedAgain,
    /// The door went silent and the courier took an opening order over.
    OrderDriven,
    /// A leg refused the courier, and home ended the order.
    CourierRefused,
    /// An order waited for pins until its hold was over.
    ExpiredWhilePinning,
    /// An order waited too long for pins and was held again.
    PinningGivenUp,
    /// An outage was given back to a hold.
    HoldExtended,
    /// A payment came after the hold's end and before its sweep.
    PaidTooLate,
    /// A pin was confirmed that home no longer waited for.
    LatePin,
    /// A leg's hold was over when it was to be pinned, and the order ended.
    LegLost,
    /// A card was declined for the last time, and the order ended.
    DeclinedForGood,
    /// A card was declined and the hold ran on.
    DeclinedAndHeld,
    /// Nobody knew whether the provider had reserved the money.
    InDoubt,
    /// A payment's answer came for a try nobody knew.
    AnswerOfNoAttempt,
    /// Money that nobody knew of had been reserved after all.
    DoubtThenCommitted,
    /// Money was reserved for a try that was over, and the reservation undone.
    LateAuthorizationUndone,
    /// An authorization was heard of a second time.
    AuthorizedAgain,
    /// A call to the provider was not answered.
    AnswerUnknown,
    /// A refund was asked for twice.
    RefundedAgain,
    /// A paid order was refunded.
    Refunded,
    /// A message was delivered twice and handled once.
    DeliveredAgain,
    /// A leg was to be held after its order had ended.
    LateHoldRefused,
    /// A leg was given back that did not hold, or not any more.
    ReleasedBeforeHeld,
    /// A leg's own clock ended a hold of another shard's order.
    LegExpired,
    /// Somebody wanted into a waiting room that was closed or sold out.
    RoomTakesNobody,
    /// Somebody joined when the draw had been held.
    JoinedAfterDraw,
    /// Somebody joined twice and kept their place.
    JoinedAgain,
    /// People waited because what is left serves those who were let in.
    AdmissionWaitsForStock,
    /// What followed the last whole record of a log was cut off at start.
    TornTailCut,
    /// A follower dropped entries that another leader had overruled.
    LogTruncated,
    /// Entries behind a snapshot were forgotten.
    LogPurged,
    /// A follower that lagged behind a purge got a snapshot.
    SnapshotInstalled,
    /// A node started from a snapshot.
    StartedFromSnapshot,
    /// Nobody listened at a leader's address, and its followers did not wait for it.
    LeaderBuried,
    /// A command waited at a leader that lost its office.
    TurnedAway,
    /// A command's deadline passed while it waited for its entry.
    ExpiredInQueue,
    /// An entry was in flight when its leader lost its office.
    OverruledInFlight,
    /// A command was forwarded and its answer did not come back.
    ForwardLost,
    /// A command was taken back from the queue in time.
    Withdrawn,
    /// A leader without a quorum refused a linearizable read.
    ReadRefused,
    /// A leader's wall clock ran away and its stamps did not follow.
    StampBounded,
    /// A leg refused the door, and the legs that held were given back.
    OrderCompensated,
    /// The door did not learn whether a leg holds.
    HalfHeld,
    /// An order was looked for beyond what the node's replica knew.
    OrderCaughtUp,
    /// The provider answered and the answer did not get into the log.
    AnswerNotRecorded,
    /// The provider had never heard of a payment that was in doubt.
    LookedUpInVain,
    /// A payment in doubt was looked up and found done or refused.
    LookedUp,
    /// A delivery's acknowledgement was lost.
    AcknowledgementLost,
    /// (Seen in the log) a group changed its leader while seats were pinned.
    LeaderChangedWhilePinned,
    /// (Seen in the log) a reservation was repeated under another leader than the first.
    RepeatedAfterFailover,
    /// (Seen in the log) in one entry a hold ended and then another order was sold.
    ExpiryThenSale,
    /// (Seen in the log) a refunded seat was sold again.
    SeatSoldAfterRefund,
    /// (Seen in the log) a seat whose hold had ended was held again.
    SeatHeldAfterExpiry,
    /// (Seen in the log) the draw was held in a later term than the first join.
    DrawAfterFailover,
}
