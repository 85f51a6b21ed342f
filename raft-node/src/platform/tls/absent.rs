//! In the simulator nobody has certificates: there is nothing of these types.

/// Certificates.
pub enum Tls {}

impl Tls {
    /// Whether others would still accept it.
    pub fn valid_now(&self) -> Result<(), std::convert::Infallible> {
        match *self {}
    }
}

/// Who called.
#[derive(Clone)]
pub enum Caller {}

impl Caller {
    /// Whether it is this node of this cluster.
    pub fn is_node(&self, _: u128, _: u64) -> bool {
        match *self {}
    }
}
