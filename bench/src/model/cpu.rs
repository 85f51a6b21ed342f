//! Cores of a machine: work is done in the order in which it comes, by whichever core is free (a
//! multi-server queue, first come first served).

use std::collections::VecDeque;

use super::calendar::Nanos;

/// A piece of work that one core does without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job<T> {
    /// Whose work: a node of the machine.
    pub node: usize,
    /// How long it takes a core.
    pub cost: Nanos,
    /// What comes of it.
    pub then: T,
}

/// The cores of one machine and what waits for them.
#[derive(Debug)]
pub struct Cpu<T> {
    cores: usize,
    busy: usize,
    waiting: VecDeque<Job<T>>,
}

impl<T> Cpu<T> {
    /// So many cores, all idle. At least 1.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self {
            cores: cores.max(1),
            busy: 0,
            waiting: VecDeque::new(),
        }
    }

    /// How many cores there are.
    #[must_use]
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// Jobs that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a job on. It is given back when a core begins it at once; whoever asks lets
    /// [`Cpu::done`] happen after its cost.
    pub fn offer(&mut self, job: Job<T>) -> Option<Job<T>> {
        if self.busy < self.cores {
            self.busy += 1;
            return Some(job);
        }
        self.waiting.push_back(job);
        None
    }

    /// A core is done with its job; the job it begins now, if any waits.
    pub fn done(&mut self) -> Option<Job<T>> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.busy -= 1;
        }
        next
    }

    /// Forgets what a node that died was waiting for.
    pub fn forget(&mut self, node: usize) {
        self.waiting.retain(|job| job.node != node);
    }
}
