//! One direction of a link: a bounded queue of frames, and the stream that drains it. Whatever
//! queued while the last message was on its way goes into the next one, so a busy link sends few
//! large messages and an idle one sends at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc;

use super::faults::{FrameInfo, LinkFaults, Verdict};
use super::peer::{Frame, Frames};
use super::traffic::Traffic;

/// Frames in one message, at most.
const FRAMES_MAX: usize = 512;
/// A message is closed once it holds so many bytes; the last frame may go past it.
const BYTES_SOFT_MAX: usize = 1 << 20;

/// The queue's entrance. Cloned for every answerer.
#[derive(Clone)]
pub(crate) struct Lane {
    from: u64,
    queue: mpsc::Sender<Frame>,
    faults: Option<Arc<dyn LinkFaults>>,
}

/// The frame was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// Too much is waiting.
    Full,
    /// The other end is gone.
    Closed,
}

impl Lane {
    pub(crate) fn new(
        from: u64,
        frames_max: usize,
        faults: Option<Arc<dyn LinkFaults>>,
        traffic: &Arc<Traffic>,
    ) -> (Self, Drain) {
        let (queue, receiver) = mpsc::channel(frames_max);
        let lane = Self {
            from,
            queue,
            faults,
        };
        let traffic = traffic.clone();
        (
            lane,
            Drain {
                queue: receiver,
                traffic,
            },
        )
    }

    /// Queues a frame for a peer; never waits.
    pub(crate) fn send(&self, to: u64, frame: Frame) -> Result<(), NotSent> {
        let Some(faults) = &self.faults else {
            return self.push(frame);
        };
        let verdict = faults.judge(FrameInfo {
            from: self.from,
            to,
            group: frame.group,
            kind: frame.kind,
            bytes: frame.payload.len(),
        });
        match verdict {
            Verdict::Deliver => self.push(frame),
            Verdict::Drop => Ok(()),
            Verdict::Duplicate => {
                self.push(frame.clone())?;
                self.push(frame)
            }
            Verdict::Delay(delay) => {
                self.push_later(frame, delay);
                Ok(())
            }
            Verdict::Repeat(delay) => {
                self.push_later(frame.clone(), delay);
                self.push(frame)
            }
        }
    }

    // The one task nobody owns: it lives as long as the delay, and only in tests.
    fn push_later(&self, frame: Frame, delay: Duration) {
        let queue = self.queue.downgrade();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(queue) = queue.upgrade() {
                // A full queue loses it, as a network might.
                let _ = queue.try_send(frame);
            }
        });
    }

    fn push(&self, frame: Frame) -> Result<(), NotSent> {
        self.queue.try_send(frame).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Full,
            mpsc::error::TrySendError::Closed(_) => NotSent::Closed,
        })
    }
}

/// The queue's exit, as a stream of messages. Ends when every [`Lane`] is gone.
pub(crate) struct Drain {
    queue: mpsc::Receiver<Frame>,
    traffic: Arc<Traffic>,
}

impl Drain {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frames>> {
        let Some(first) = std::task::ready!(self.queue.poll_recv(cx)) else {
            return Poll::Ready(None);
        };
        let mut bytes = first.payload.len();
        let mut frames = vec![first];
        while frames.len() < FRAMES_MAX && bytes < BYTES_SOFT_MAX {
            let Ok(frame) = self.queue.try_recv() else {
                break;
            };
            bytes += frame.payload.len();
            frames.push(frame);
        }
        self.traffic.count(&frames);
        Poll::Ready(Some(Frames { frames }))
    }
}

impl Stream for Drain {
    type Item = Frames;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frames>> {
        self.poll_message(cx)
    }
}

/// A [`Drain`] as a server answers with it.
pub(crate) struct Answers(pub(crate) Drain);

impl Stream for Answers {
    type Item = Result<Frames, tonic::Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_message(cx).map(|message| message.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    fn frame(request: u64, bytes: usize) -> Frame {
        Frame {
            request,
            payload: vec![0; bytes].into(),
            ..Frame::default()
        }
    }

    fn numbers(drain: &mut Drain) -> Vec<u64> {
        match drain.poll_message(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(message)) => message.frames.iter().map(|f| f.request).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn what_queued_leaves_in_one_message_in_order_and_a_full_queue_says_so() {
        let traffic = Arc::default();
        let (lane, mut drain) = Lane::new(1, 4, None, &traffic);
        for request in 1..=4 {
            lane.send(2, frame(request, 10)).unwrap();
        }
        assert_eq!(lane.send(2, frame(5, 10)), Err(NotSent::Full));
        assert_eq!(numbers(&mut drain), [1, 2, 3, 4]);
        lane.send(2, frame(6, BYTES_SOFT_MAX)).unwrap();
        lane.send(2, frame(7, 1)).unwrap();
        assert_eq!(numbers(&mut drain), [6]);
        assert_eq!(numbers(&mut drain), [7]);
        let sent = (
            traffic.messages(),
            traffic.frames(),
            traffic.payload_bytes(),
        );
        assert_eq!(sent, (3, 6, 40 + BYTES_SOFT_MAX as u64 + 1));
        drop(drain);
        assert_eq!(lane.send(2, frame(8, 1)), Err(NotSent::Closed));
    }

    struct Scripted(std::sync::Mutex<Vec<Verdict>>);

    impl LinkFaults for Scripted {
        fn judge(&self, _: FrameInfo) -> Verdict {
            self.0.lock().unwrap().remove(0)
        }
    }

    #[test]
    fn faults_decide_what_becomes_of_each_frame() {
        let script = vec![Verdict::Drop, Verdict::Duplicate, Verdict::Deliver];
        let faults = Arc::new(Scripted(std::sync::Mutex::new(script)));
        let (lane, mut drain) = Lane::new(1, 10, Some(faults), &Arc::default());
        for request in 1..=3 {
            lane.send(2, frame(request, 1)).unwrap();
        }
        assert_eq!(numbers(&mut drain), [2, 2, 3]);
    }
}
