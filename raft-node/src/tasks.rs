//! Tasks with an owner: dropping the handle stops the task.

use std::future::Future;

use tokio::task::JoinHandle;

/// A running task, stopped when this is dropped.
#[must_use = "the task stops when this is dropped"]
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }

    /// Waits for the end of the task; a panic in it counts as an end.
    pub(crate) async fn ended(&mut self) {
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
