//! What the ledger, the catalogue and the machinery say, as problems. Exhaustive: a new rejection
//! does not compile until somebody has decided how it reads outside.

use cluster::catalogue::{CatalogueRejection, EventRecord};
use ledger::Rejection;
use ledger::command::CloseReason;
use ledger::event::Layout;

use crate::backend::BackendError;
use crate::problem::{Code, Problem};

/// The code of a rejection.
pub fn code(rejection: Rejection) -> Code {
    match rejection {
        Rejection::Malformed => Code::Internal,
        Rejection::EventUnknown => Code::EventUnknown,
        Rejection::EventExistsWithDifferentContent | Rejection::OrderExistsWithDifferentContent => {
            Code::IdempotencyKeyReused
        }
        Rejection::EventInvalid | Rejection::TextTooLong => Code::FieldInvalid,
        Rejection::QueueNone => Code::QueueNone,
        Rejection::QueueClosed => Code::QueueClosed,
        Rejection::QueueFull => Code::QueueFull,
        Rejection::SaleNotOpen => Code::SaleNotOpen,
        Rejection::SalePaused => Code::SalePaused,
        Rejection::SaleClosed => Code::SaleClosed,
        Rejection::Overloaded | Rejection::DeliveryGap { .. } => Code::Overloaded,
        Rejection::WrongShard
        | Rejection::OrderUnknown
        | Rejection::OrderNotOfBuyer
        | Rejection::LegUnknown => Code::OrderUnknown,
        Rejection::OrderInvalid => Code::OrderInvalid,
        Rejection::SectionUnknown { .. } => Code::SectionUnknown,
        Rejection::SeatUnknown { .. } => Code::SeatUnknown,
        Rejection::OrderSeatsMax { .. } => Code::TooManySeats,
        Rejection::PassRequired => Code::PassRequired,
        Rejection::PassExpired => Code::PassExpired,
        Rejection::PassSpent => Code::PassSpent,
        Rejection::BuyerSeatsMax { .. } => Code::AllowanceExceeded,
        Rejection::OrderOver {
            why: CloseReason::Expired,
        }
        | Rejection::HoldExpired => Code::HoldExpired,
        Rejection::OrderOver {
            why: CloseReason::Declined,
        }
        | Rejection::PaymentAttemptsMax => Code::PaymentDeclined,
        Rejection::OrderOver { .. } | Rejection::LegOver => Code::OrderOver,
        Rejection::OrderNotHeldYet => Code::OrderNotHeldYet,
        Rejection::OrderInPayment => Code::OrderInPayment,
        Rejection::PaymentStale => Code::PaymentStale,
        Rejection::RefundImpossible => Code::NotPaid,
        Rejection::SeatNotAvailable { .. } => Code::SeatTaken,
        Rejection::NotEnoughSeats { .. } => Code::NotEnoughSeats,
        Rejection::VersionOld => Code::VersionConflict,
    }
}

/// A rejection as a problem, with what it knows besides its code.
pub fn problem(rejection: Rejection) -> Problem {
    let problem = Problem::new(code(rejection), rejection.to_string());
    match rejection {
        Rejection::OrderNotHeldYet | Rejection::OrderInPayment => problem.retry_after_s(1),
        Rejection::BuyerSeatsMax { left } => problem.with("left", left),
        Rejection::OrderSeatsMax { max } => problem.with("max", max),
        Rejection::NotEnoughSeats { left } => problem.with("left", left),
        Rejection::PaymentAttemptsMax
        | Rejection::OrderOver {
            why: CloseReason::Declined,
        } => problem.with("attempts_left", 0),
        Rejection::OrderOver { why } => problem.with("reason", reason(why)),
        _ => problem,
    }
}

/// [`problem`], naming the seat or section as `event` calls it.
pub fn problem_of(rejection: Rejection, event: &EventRecord) -> Problem {
    let (section, seat) = match rejection {
        Rejection::SeatNotAvailable { section, seat }
        | Rejection::SeatUnknown { section, seat } => (section, Some(seat)),
        Rejection::SectionUnknown { section } => (section, None),
        _ => return problem(rejection),
    };
    let name = event.section_name(section);
    let layout = event.plan.section(section).map(|plan| &plan.layout);
    match (seat, layout) {
        (Some(seat), Some(Layout::Seated { seats_per_row, .. })) => problem(rejection).with(
            "seat_id",
            cluster::names::seat_id(name, *seats_per_row, seat),
        ),
        _ => problem(rejection).with("section", name),
    }
}

/// Why an order ended, for programs.
pub fn reason(why: CloseReason) -> &'static str {
    match why {
        CloseReason::Refused => "refused",
        CloseReason::Cancelled => "cancelled",
        CloseReason::Expired => "expired",
        CloseReason::Declined => "declined",
        CloseReason::PaymentCancelled => "payment_cancelled",
        CloseReason::LegLost => "hold_lost",
        CloseReason::CaptureRefused => "capture_refused",
    }
}

/// A catalogue's rejection as a problem.
pub fn catalogue(rejection: CatalogueRejection) -> Problem {
    let code = match rejection {
        CatalogueRejection::Malformed
        | CatalogueRejection::ShardsAreFixed { .. }
        | CatalogueRejection::LineageIsFixed => Code::Internal,
        CatalogueRejection::NoShards | CatalogueRejection::VersionTooLow { .. } => Code::NotReady,
        CatalogueRejection::EventExistsWithDifferentContent => Code::IdempotencyKeyReused,
        CatalogueRejection::EventInvalid => Code::FieldInvalid,
        CatalogueRejection::EventUnknown => Code::EventUnknown,
        CatalogueRejection::VersionConflict { .. } => Code::VersionConflict,
        CatalogueRejection::EventsMax => Code::EventsMax,
        // Nodes and keys are the operators' business (`server/src/node/admin/`): no route here asks for them.
        CatalogueRejection::NodeInvalid
        | CatalogueRejection::NodeIdTaken
        | CatalogueRejection::NodeWasRemoved
        | CatalogueRejection::AddressTaken { .. }
        | CatalogueRejection::NodesMax
        | CatalogueRejection::NodeUnknown
        | CatalogueRejection::NodeTooOld { .. }
        | CatalogueRejection::NotPlaced
        | CatalogueRejection::TooFewNodes { .. }
        | CatalogueRejection::NodeIsLeaving
        | CatalogueRejection::NotDrained
        | CatalogueRejection::PlacementConflict { .. }
        | CatalogueRejection::PlacementInvalid
        | CatalogueRejection::KeyInvalid
        | CatalogueRejection::KeyIdTaken
        | CatalogueRejection::KeysMax
        | CatalogueRejection::KeyUnknown => Code::Internal,
    };
    Problem::new(code, rejection.to_string())
}

/// Nothing was changed. It passes by itself as soon as an operator has made room.
pub(crate) fn no_room() -> Problem {
    let text = "the disks are full: nothing new can be written; what was sold and held is safe";
    Problem::new(Code::DiskFull, text).retry_after_s(10)
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        let code = match error {
            BackendError::NoLeader { .. } => Code::NoLeader,
            BackendError::Overloaded { .. } => Code::Overloaded,
            BackendError::OutcomeUnknown => Code::OutcomeUnknown,
            BackendError::Stopping => Code::NotReady,
            BackendError::NoRoom { .. } => return no_room(),
        };
        Problem::new(code, error.to_string())
    }
}
