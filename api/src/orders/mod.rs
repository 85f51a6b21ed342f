//! Orders: asking for one, paying it, giving it back, refunding it. All owner-checked: somebody
//! else's order does not exist.

mod cancel;
mod find;
mod pay;
mod refund;
mod show;
mod view;

pub use cancel::cancel;
pub use pay::{PayAnswer, PayRequest, pay};
pub use refund::refund;
pub use show::{Consistency, linearizable, show};
pub(crate) use view::status;
pub use view::{OrderView, Price, SeatView, StatusAnswer, currency};

pub(crate) use cancel::__path_cancel;
pub(crate) use pay::__path_pay;
pub(crate) use refund::__path_refund;
pub(crate) use show::__path_show;
