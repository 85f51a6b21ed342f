//! P2: an order is whole or nothing.
//!
//! An order lives at its home shard. Only home decides its fate; the shards of its legs obey.
//!
//! ```text
//!            RecordHeld / LegHeld                StartPayment            all pinned
//! Opening ────────────────────────► Held ────────────────────► Pinning ────────────► AuthPending
//!    │                               │ ▲                          │                    │      │
//!    │ refused, 12 s, cancelled      │ └──────── 15 s, declined ──┴────────────────────┘      │
//!    ▼                               ▼ expired, cancelled                                     ▼
//! closed ◄───────────────────────── closed ◄──── Cancelling ◄──── AuthUnknown ◄───────────────┤
//!                                                                     │                       │
//!                       Refunded ◄── Refunding ◄── Paid ◄── Committed ◄──── COMMIT POINT ─────┘
//! ```
//!
//! When every leg lives at home (`Order::is_local`) a step that takes messages between shards
//! happens within one entry instead. The money's side is in [`crate::payments`].

mod close;
mod closed;
mod expire;
mod extend;
mod held;
mod leg;
mod open;
mod order;
mod saved;
mod want;

pub use closed::{ClosedOrder, ClosedOrders};
pub use leg::{LegList, OrderLeg};
pub use order::{Order, OrderState};
pub use saved::{Asked, SavedOrder, SavedOrderLeg};
