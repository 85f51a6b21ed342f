//! A watch channel that wakes its waiters first come, first served.
//!
//! tokio's own wakes them in an order drawn from a per-thread generator that is seeded from a
//! process-wide counter, so the second simulation of a process would differ from the first.
//! Ours keeps a list, and a run stays a function of its seed (P10).

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::task::{Context, Poll, Waker};

use openraft::async_runtime::watch::{self, RecvError, SendError};
use openraft::{OptionalSend, OptionalSync};

const POISONED: &str = "no holder of a watch's lock panics";

/// Opens a channel that starts with `value`.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        value: RwLock::new(value),
        waiting: Mutex::new(Waiting {
            version: 0,
            senders: 1,
            receivers: 1,
            next_ticket: 0,
            wakers: BTreeMap::new(),
        }),
    });
    let receiver = Receiver {
        shared: shared.clone(),
        seen: 0,
    };
    (Sender { shared }, receiver)
}

struct Shared<T> {
    value: RwLock<T>,
    waiting: Mutex<Waiting>,
}

/// Who waits, and for what to change. Bumped only after the value was written, so whoever reads
/// version `v` and then the value sees at least the value of `v`.
struct Waiting {
    version: u64,
    senders: usize,
    receivers: usize,
    next_ticket: u64,
    /// By ticket, so in order of arrival: thousands of connections may wait for one word.
    wakers: BTreeMap<u64, Waker>,
}

impl<T> Shared<T> {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect(POISONED)
    }

    fn announce(&self) {
        let wakers = {
            let mut waiting = self.waiting();
            waiting.version += 1;
            std::mem::take(&mut waiting.wakers)
        };
        for (_, waker) in wakers {
            waker.wake();
        }
    }
}

/// The writing half. Receivers learn that the channel is closed when the last one is dropped.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Replaces the value and wakes every receiver, also when nobody is left to read it.
    pub fn publish(&self, value: T) {
        *self.shared.value.write().expect(POISONED) = value;
        self.shared.announce();
    }

    /// Publishes a value that differs from the newest; the same again wakes nobody.
    pub fn publish_if_new(&self, value: T)
    where
        T: PartialEq,
    {
        self.publish_if(|newest| {
            let new = *newest != value;
            *newest = value;
            new
        });
    }

    /// Lets `modify` change the value; wakes receivers when it returns true.
    pub fn publish_if(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let modified = modify(&mut self.shared.value.write().expect(POISONED));
        if modified {
            self.shared.announce();
        }
        modified
    }

    /// Reads the value; blocks writers while held.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.value.read().expect(POISONED))
    }

    /// A new receiver that counts the present value as seen.
    pub fn receiver(&self) -> Receiver<T> {
        let mut waiting = self.shared.waiting();
        waiting.receivers += 1;
        Receiver {
            seen: waiting.version,
            shared: self.shared.clone(),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.waiting().senders += 1;
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let wakers = {
            let mut waiting = self.shared.waiting();
            waiting.senders -= 1;
            if waiting.senders > 0 {
                return;
            }
            std::mem::take(&mut waiting.wakers)
        };
        for (_, waker) in wakers {
            waker.wake();
        }
    }
}

/// The reading half.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Receiver<T> {
    /// Reads the value without counting it as seen; blocks writers while held.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.shared.value.read().expect(POISONED))
    }

    /// Waits for a value not yet seen; an error once the last sender is gone.
    pub fn next_change(&mut self) -> Changed<'_, T> {
        Changed {
            receiver: self,
            ticket: None,
        }
    }

    /// Waits until the value satisfies `wanted`, and returns it; `None` when the channel closed.
    pub async fn until(&mut self, wanted: impl Fn(&T) -> bool) -> Option<T>
    where
        T: Clone,
    {
        loop {
            self.seen = self.shared.waiting().version;
            {
                let value = self.borrow();
                if wanted(&value) {
                    return Some(value.clone());
                }
            }
            if self.next_change().await.is_err() {
                return None;
            }
        }
    }

    /// Waits until the value satisfies `wanted`, and returns it; for ever when the channel closes
    /// before. For whoever waits in a loop: a closed channel that answered at once would have them
    /// spin until somebody ends them.
    pub async fn eventually(&mut self, wanted: impl Fn(&T) -> bool) -> T
    where
        T: Clone,
    {
        match self.until(wanted).await {
            Some(value) => value,
            None => std::future::pending().await,
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.waiting().receivers += 1;
        Self {
            shared: self.shared.clone(),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.waiting().receivers -= 1;
    }
}

/// The value, locked for reading.
pub struct Ref<'a, T>(RwLockReadGuard<'a, T>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// See [`Receiver::next_change`]. Dropping it gives up the place in the queue.
pub struct Changed<'a, T> {
    receiver: &'a mut Receiver<T>,
    ticket: Option<u64>,
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut waiting = this.receiver.shared.waiting();
        if waiting.version != this.receiver.seen {
            this.receiver.seen = waiting.version;
            return Poll::Ready(Ok(()));
        }
        if waiting.senders == 0 {
            return Poll::Ready(Err(RecvError(())));
        }
        let queued = this
            .ticket
            .and_then(|ticket| waiting.wakers.get_mut(&ticket));
        match queued {
            Some(waker) => waker.clone_from(cx.waker()),
            None => {
                let ticket = waiting.next_ticket;
                waiting.next_ticket += 1;
                waiting.wakers.insert(ticket, cx.waker().clone());
                this.ticket = Some(ticket);
            }
        }
        Poll::Pending
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.receiver.shared.waiting().wakers.remove(&ticket);
        }
    }
}

/// The channel as openraft's runtime wants it.
pub struct FifoWatch;

impl watch::Watch for FifoWatch {
    type Sender<T: OptionalSend + OptionalSync> = Sender<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Receiver<T>;
    type Ref<'a, T: OptionalSend + 'a> = Ref<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(init: T) -> (Sender<T>, Receiver<T>) {
        channel(init)
    }
}

impl<T: OptionalSend + OptionalSync> watch::WatchSender<FifoWatch, T> for Sender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.shared.waiting().receivers == 0 {
            return Err(SendError(value));
        }
        self.publish(value);
        Ok(())
    }

    fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        self.publish_if(modify)
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        self.borrow()
    }

    fn subscribe(&self) -> Receiver<T> {
        self.receiver()
    }
}

impl<T: OptionalSend + OptionalSync> watch::WatchReceiver<FifoWatch, T> for Receiver<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        self.next_change().await
    }

    fn borrow_watched(&self) -> Ref<'_, T> {
        self.borrow()
    }

    fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.seen = self.shared.waiting().version;
        Ref(self.shared.value.read().expect(POISONED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Order {
        log: Arc<Mutex<Vec<usize>>>,
        who: usize,
        woken: AtomicUsize,
    }

    impl Wake for Order {
        fn wake(self: Arc<Self>) {
            self.woken.fetch_add(1, Ordering::SeqCst);
            self.log.lock().unwrap().push(self.who);
        }
    }

    #[test]
    fn waiters_are_woken_in_the_order_in_which_they_came() {
        let (sender, receiver) = channel(0);
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut receivers: Vec<_> = (0..20).map(|_| receiver.clone()).collect();
        let mut waits: Vec<_> = receivers.iter_mut().map(|r| r.next_change()).collect();
        for (who, wait) in waits.iter_mut().enumerate() {
            let waker = Waker::from(Arc::new(Order {
                log: log.clone(),
                who,
                woken: AtomicUsize::new(0),
            }));
            assert!(
                Pin::new(wait)
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        drop(waits.remove(7));
        sender.publish(1);
        let expected: Vec<usize> = (0..20).filter(|who| *who != 7).collect();
        assert_eq!(*log.lock().unwrap(), expected);
    }

    #[test]
    fn a_value_published_before_the_wait_is_not_missed_and_the_end_is_seen() {
        let (sender, mut receiver) = channel(0);
        sender.publish(5);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            Pin::new(&mut receiver.next_change())
                .poll(&mut cx)
                .is_ready()
        );
        assert!(
            Pin::new(&mut receiver.next_change())
                .poll(&mut cx)
                .is_pending()
        );
        drop(sender);
        assert!(matches!(
            Pin::new(&mut receiver.next_change()).poll(&mut cx),
            Poll::Ready(Err(_))
        ));
        assert_eq!(*receiver.borrow(), 5);
    }

    #[test]
    fn whoever_waits_eventually_does_not_hear_of_the_end() {
        let (sender, mut receiver) = channel(0);
        sender.publish(5);
        let mut cx = Context::from_waker(Waker::noop());
        let mut wait = |wanted: i32| {
            let mut wait = std::pin::pin!(receiver.eventually(|value| *value == wanted));
            wait.as_mut().poll(&mut cx)
        };
        assert_eq!(wait(5), Poll::Ready(5));
        assert_eq!(wait(6), Poll::Pending);
        drop(sender);
        assert_eq!(wait(6), Poll::Pending);
        assert_eq!(wait(5), Poll::Ready(5));
    }
}
