//! Work that goes on after its answer was given: a bounded number of tasks that end with the door.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// The owner of such tasks. Dropping it stops them.
pub struct Tasks {
    running: Arc<AtomicUsize>,
    max: usize,
    stop: watch::Sender<()>,
}

impl Tasks {
    /// An owner of at most `max` tasks.
    pub fn new(max: usize) -> Self {
        Self {
            running: Arc::default(),
            max,
            stop: watch::channel(()).0,
        }
    }

    /// Runs `work` beside everything else; gives it back when too much runs already.
    pub fn spawn<F>(&self, work: F) -> Result<(), F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.running.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.running.fetch_sub(1, Ordering::Relaxed);
            return Err(work);
        }
        let place = Place(self.running.clone());
        let mut stop = self.stop.subscribe();
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                biased;
                () = work => {}
                // Only ever resolves when the sender is gone.
                _ = stop.changed() => {}
            }
        });
        Ok(())
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
