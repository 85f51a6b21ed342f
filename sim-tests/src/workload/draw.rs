//! People drawn from a seed. One stream a person: another errand changes nobody else's.

use super::person::{Aside, Errand, Person, Role, Then, Wish};
use super::show::SEATS_PER_ROW;
use crate::scenario::Scenario;
use crate::seed::Stream;

impl Person {
    /// Everybody of a scenario.
    pub fn all(scenario: &Scenario) -> Vec<Self> {
        // In a rush all come at once and want the same section.
        let rush = Stream::new(scenario.seed, "rush").percent(20);
        let person = |number| {
            let name = format!("buyer-{number}");
            let chance = Stream::new(scenario.seed, &format!("plan of {name}"));
            let mut person = Self {
                name,
                role: Role::Buyer,
                comes_ms: chance.below(4_000),
                errands: (0..chance.between(1, 3))
                    .map(|_| Errand::draw(scenario, &chance))
                    .collect(),
            };
            if rush {
                person.comes_ms = chance.below(200);
                for errand in &mut person.errands {
                    errand.pause_ms = chance.between(10, 200);
                    errand.wish = match chance.percent(70) {
                        true => Wish::BestIn("A".to_owned(), chance.between(1, 4)),
                        false => Wish::Seats(vec![seat(scenario, &chance, 0)]),
                    };
                }
            }
            if scenario.scarce {
                person.keeps_asking(scenario);
            }
            person
        };
        let mut all: Vec<_> = (0..scenario.buyers).map(person).collect();
        all.push(organizer(scenario));
        all.extend(Self::tuggers(scenario));
        all
    }
}

impl Person {
    /// Comes at any time, and asks again for what others give up.
    fn keeps_asking(&mut self, scenario: &Scenario) {
        let chance = Stream::new(scenario.seed, &format!("insistence of {}", self.name));
        if chance.percent(40) {
            self.comes_ms = chance.below(scenario.lasts_ms);
        }
        for _ in 0..chance.between(1, 3) {
            let section = chance.below(scenario.sections);
            self.errands.push(Errand {
                pause_ms: chance.between(500, scenario.lasts_ms / 6),
                asides: Vec::new(),
                wish: match chance.below(4) {
                    0 => Wish::Best(chance.between(1, 2)),
                    1 => Wish::Standing(1),
                    _ => Wish::Seats(vec![seat(scenario, &chance, section)]),
                },
                then: match chance.below(4) {
                    0 => Then::Leave,
                    1 => Then::PayAndRefund {
                        after_ms: chance.below(4_000),
                    },
                    _ => Then::Pay {
                        after_ms: chance.below(2_000),
                    },
                },
            });
        }
    }
}

/// Whoever runs the sale: now and then.
fn organizer(scenario: &Scenario) -> Person {
    let chance = Stream::new(scenario.seed, "plan of organizer");
    let errand = |_| Errand {
        pause_ms: chance.between(500, 6_000),
        asides: vec![match chance.below(7) {
            0 => Aside::PauseFor {
                ms: chance.between(200, 4_000),
            },
            1 | 2 => Aside::Rate {
                per_minute: [60, 300, 1_200, 6_000][chance.below(4) as usize],
            },
            3 => Aside::CreateAgain,
            4 => Aside::CreateOther,
            5 => Aside::Feed,
            _ => Aside::LookAtSeats {
                section: None,
                fresh: true,
            },
        }],
        wish: Wish::Nothing,
        then: Then::Leave,
    };
    let comes_ms = chance.below(5_000);
    let mut errands: Vec<_> = (0..chance.between(0, 5)).map(errand).collect();
    // Rules that change while shards have no leader: every shard has to hear of them all the same.
    let chance = Stream::new(scenario.seed, "rules of organizer");
    errands.extend((0..chance.between(2, 8)).map(|_| Errand {
        pause_ms: chance.between(500, 9_000),
        asides: vec![match scenario.queue {
            true => Aside::Rate {
                per_minute: [60, 120, 300, 1_200][chance.below(4) as usize],
            },
            false => Aside::PauseFor {
                ms: chance.between(10, 200),
            },
        }],
        wish: Wish::Nothing,
        then: Then::Leave,
    }));
    Person {
        name: "organizer".to_owned(),
        role: Role::Organizer,
        comes_ms,
        errands,
    }
}

/// A seat of a section.
pub(super) fn seat(scenario: &Scenario, chance: &Stream, section: u64) -> String {
    let row = chance.between(1, scenario.rows);
    let number = chance.between(1, SEATS_PER_ROW);
    format!("{}-{row}-{number}", char::from(b'A' + section as u8))
}

impl Errand {
    fn draw(scenario: &Scenario, chance: &Stream) -> Self {
        let pause_ms = chance.between(10, 2_000);
        let asides = (0..chance.below(3)).map(|_| aside(scenario, chance));
        Self {
            pause_ms,
            asides: asides.collect(),
            wish: wish(scenario, chance),
            then: then(scenario, chance),
        }
    }
}

fn wish(scenario: &Scenario, chance: &Stream) -> Wish {
    let seat = |section| seat(scenario, chance, section);
    match chance.below(7) {
        0 => Wish::Best(chance.between(1, 4)),
        1 => Wish::Standing(chance.between(1, 2)),
        2 => Wish::Seats(vec![seat(0), seat(1)]),
        3 => Wish::Mixed(
            vec![seat(chance.below(scenario.sections))],
            chance.between(1, 2),
        ),
        _ => {
            let mut seats = vec![seat(chance.below(scenario.sections))];
            if chance.percent(50) {
                let other = seat(chance.below(scenario.sections));
                if other != seats[0] {
                    seats.push(other);
                }
            }
            Wish::Seats(seats)
        }
    }
}

fn then(scenario: &Scenario, chance: &Stream) -> Then {
    let hold_ms = scenario.hold_seconds * 1_000;
    match chance.below(24) {
        0 | 1 => Then::Leave,
        2 => Then::GiveBack,
        3 => Then::GiveBackInVain,
        4 => Then::Pay {
            after_ms: chance.between(hold_ms.saturating_sub(1_500), hold_ms + 500),
        },
        5 => Then::PayAtTheEnd {
            early_ms: chance.below(25),
        },
        6 => Then::PayWith {
            method: "pm_declined".to_owned(),
            and_again: chance.percent(60),
        },
        7 => Then::PayWith {
            method: "pm_silent".to_owned(),
            and_again: false,
        },
        8 => Then::PayTwice,
        9 => Then::PayAndGiveBack,
        10 => Then::GiveBackPaid,
        11 => Then::PayAndVanish,
        12 => Then::RepeatLater {
            after_ms: chance.between(100, hold_ms + 3_000),
        },
        13 => Then::PayAndRefund {
            after_ms: chance.below(4_000),
        },
        _ => Then::Pay {
            after_ms: chance.below(3_000),
        },
    }
}

fn aside(scenario: &Scenario, chance: &Stream) -> Aside {
    let section = char::from(b'A' + chance.below(scenario.sections) as u8).to_string();
    match chance.below(36) {
        0..=5 => Aside::LookAtSeats {
            section: chance.percent(80).then_some(section),
            fresh: chance.percent(60),
        },
        6 => Aside::LookAtEvent,
        7 => Aside::ListEvents,
        8 | 9 => Aside::LookAtQueue,
        10 => Aside::Proof,
        11 => Aside::JoinAgain,
        12 => Aside::MyOrders,
        13 => Aside::MyTickets,
        14 => Aside::TicketKeys,
        15 => Aside::Probes,
        16 => Aside::Vanish,
        17 | 18 => Aside::Impatient,
        19 => Aside::NoPass,
        20 | 21 => Aside::ForeignPass,
        22 => Aside::ForgedPass,
        23 => Aside::PassOfOtherEvent,
        24 => Aside::ForgedToken,
        25 => Aside::CutToken,
        26 => Aside::ForeignOrder,
        27 => Aside::KeyReused,
        28 | 29 => Aside::Repeat,
        30 => Aside::TooMany,
        31 | 32 => Aside::Greedy,
        33 => Aside::OrganizersOnly,
        34 => Aside::ForgedWebhook,
        _ => Aside::Nonsense,
    }
}
