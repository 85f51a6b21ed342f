//! What a crash aims at, and which kind of order gets there.

use crate::seed::Stream;

use super::step::{Letter, Step};

/// When the leader dies, seen from the step's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Closed by the leader, not in its machine.
    Appended,
    /// In its machine, and nobody has heard.
    Applied,
}

/// Which shard's leader dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// The step's own.
    Here,
    /// The other side's: a leg's when the step is home's, home's when it is a leg's.
    There,
}

/// A planned crash.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// Between this step and the next.
    pub step: Step,
    /// Before or after its entry is applied.
    pub moment: Moment,
    /// Who dies.
    pub whose: Whose,
    /// Whether power goes too, and with it what was not synced.
    pub power: bool,
    /// How long after the proposal, when it is not to be applied any more.
    pub fuse_us: u64,
    /// How long the node stays down.
    pub down_ms: u64,
}

impl Aim {
    /// A crash at this step, the rest by chance.
    pub fn at(step: Step, chance: &Stream) -> Self {
        let applied = step.shows_when_applied() || chance.percent(50);
        Self {
            step,
            moment: if applied {
                Moment::Applied
            } else {
                Moment::Appended
            },
            whose: match chance.percent(70) {
                true => Whose::Here,
                false => Whose::There,
            },
            power: chance.percent(50),
            fuse_us: chance.below(9_000),
            down_ms: chance.between(100, 2_000),
        }
    }

    /// A crash at any step.
    pub fn anywhere(chance: &Stream) -> Self {
        let steps = Step::all();
        Self::at(steps[chance.below(steps.len() as u64) as usize], chance)
    }
}

/// How a buyer treats an order that spans sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Reserves and pays.
    Pay,
    /// Pays with a card that is declined, then perhaps with a good one.
    Decline,
    /// Pays with a provider that forgets to answer.
    Doubt,
    /// Gives it back.
    Cancel,
    /// Leaves; it has to end by itself.
    Abandon,
    /// Pays when its time seems to be over.
    Late,
    /// Wants a seat that is taken as well.
    Refuse,
}

/// A planned order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What its buyer does.
    pub course: Course,
    /// Whether the door dies right after opening it, so that the courier does the rest.
    pub orphan: bool,
    /// The crashes, in any order.
    pub aims: Vec<Aim>,
}

impl Plan {
    /// Draws a step, each as likely as any, and then an order that takes it.
    pub fn draw(chance: &Stream) -> Self {
        use Course::{Abandon, Cancel, Decline, Doubt, Late, Pay, Refuse};
        let mut steps = Step::all();
        // Half of these come to nothing: they need two things to happen at once.
        for rare in [
            Step::ExpireLeg,
            Step::Deliver(Letter::PinRefused),
            Step::Acknowledge(Letter::PinRefused),
        ] {
            steps.extend([rare; 3]);
        }
        let step = steps[chance.below(steps.len() as u64) as usize];
        let one = |of: &[Course]| of[chance.below(of.len() as u64) as usize];
        let mut aims = Vec::new();
        let mut orphan = false;
        let course = match step {
            Step::Open | Step::HoldLeg => one(&[Pay, Decline, Cancel, Abandon, Refuse]),
            Step::RefuseLeg => Refuse,
            Step::RecordHeld => one(&[Pay, Cancel, Abandon]),
            Step::Close => one(&[Cancel, Refuse]),
            Step::Drive
            | Step::Deliver(Letter::Hold | Letter::LegHeld)
            | Step::Acknowledge(Letter::Hold | Letter::LegHeld) => {
                orphan = true;
                one(&[Pay, Pay, Abandon, Refuse])
            }
            Step::Deliver(Letter::LegRefused) | Step::Acknowledge(Letter::LegRefused) => {
                orphan = true;
                Refuse
            }
            Step::Expire => Abandon,
            Step::ExpireLeg => {
                // Home has to be away when the leg's own clock comes round.
                aims.push(home_dies_expiring(chance));
                Abandon
            }
            Step::StartPayment | Step::Commit | Step::Capture => Pay,
            Step::Decline => Decline,
            Step::Doubt => Doubt,
            Step::Deliver(letter) | Step::Acknowledge(letter) => match letter {
                Letter::Unpin => Decline,
                Letter::Release => one(&[Cancel, Refuse, Abandon]),
                Letter::PinRefused => {
                    // Home dies at the deadline and comes back with the hold extended; the leg's
                    // clock has gone on.
                    aims.push(home_dies_expiring(chance));
                    Late
                }
                Letter::Extend => {
                    // An outage of home's is what extends a hold.
                    aims.push(Aim {
                        moment: Moment::Applied,
                        whose: Whose::Here,
                        ..Aim::at(Step::RecordHeld, chance)
                    });
                    one(&[Abandon, Late])
                }
                _ => Pay,
            },
        };
        aims.push(Aim::at(step, chance));
        if chance.percent(10) {
            // A second crash while the first is being recovered from.
            aims.push(Aim::anywhere(chance));
        }
        Self {
            course,
            orphan,
            aims,
        }
    }
}

fn home_dies_expiring(chance: &Stream) -> Aim {
    Aim {
        moment: Moment::Appended,
        whose: Whose::Here,
        fuse_us: 0,
        down_ms: 2_000,
        ..Aim::at(Step::Expire, chance)
    }
}
