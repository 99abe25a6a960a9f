//! Both, side by side.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};

use clock::Time;
use flow::{
    Consequence, Cursor, Departure, FlowId, FlowSettings, FlowTable, HashKey, Key, NewFlow,
    NotOpened, OnExhausted, Phase, Pickup, Timeouts,
};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::model::{Flow, Model, Refusal, State, steps, unconfirmed};
use crate::packets::{CONVERSATIONS, Look, Step, key};

/// How a run is set up.
pub struct Course {
    pub capacity: u32,
    pub evict: bool,
    pub seed: u64,
}

/// Long enough to talk, short enough to expire in a run.
const TIMEOUTS: Timeouts = Timeouts {
    tcp_half_open: Duration::from_secs(10),
    tcp_established: Duration::from_secs(100),
    tcp_half_closed: Duration::from_secs(50),
    tcp_last_ack: Duration::from_secs(7),
    tcp_time_wait: Duration::from_secs(5),
    ..Timeouts::DEFAULT
};
const DEPARTED_FOR: Duration = Duration::from_secs(40);

struct Both {
    table: FlowTable<u32>,
    model: Model,
    /// The table's name for each flow of the model.
    ids: HashMap<u32, FlowId>,
    now: u64,
    seen: BTreeSet<&'static str>,
}

/// Goes all steps with both and compares; what occurred goes to `seen`, by name.
pub fn run(
    course: &Course,
    steps: &[Step],
    seen: &mut BTreeSet<&'static str>,
) -> Result<(), TestCaseError> {
    let random = &mut StdRng::seed_from_u64(course.seed);
    let on_exhausted =
        if course.evict { OnExhausted::EvictUnconfirmed } else { OnExhausted::Refuse };
    let settings = FlowSettings {
        capacity: course.capacity,
        on_exhausted,
        pickup: Pickup::Off,
        timeouts: TIMEOUTS,
        departed_keys: 1 << 14,
        departed_for: DEPARTED_FOR,
    };
    let hash = HashKey::new(core::array::from_fn(|_| random.random()));
    // Somewhere in the machine's life, and for some runs where the steps of time go around.
    let around = Timeouts::STEP.as_nanos() as u64 * ((1 << 32) - random.random_range(0..3000));
    let now = if random.random() { around } else { random.random_range(0..1 << 45) };
    let table = FlowTable::new(&settings, hash, Time::from_nanos(now));
    let mut both = Both {
        table,
        model: Model::new(course, TIMEOUTS),
        ids: HashMap::new(),
        now,
        seen: BTreeSet::new(),
    };
    for step in steps {
        both.step(step)?;
        both.compare()?;
    }
    seen.append(&mut both.seen);
    Ok(())
}

impl Both {
    fn time(&self) -> Time {
        Time::from_nanos(self.now)
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Packet { conversation, from_server, look, answers_of } => {
                let answers = answers_of.unwrap_or(*conversation);
                let answers = key(answers, !from_server);
                self.packet(key(*conversation, *from_server), answers, look)
            }
            Step::Wait(millis) => {
                self.now += u64::from(*millis) * 1_000_000;
                Ok(())
            }
            Step::Expire(budget) => self.expire(*budget),
            Step::Revoke(which) => {
                let at = usize::from(*which) % self.model.flows.len().max(1);
                let number = self.model.flows.get(at).map(|flow| flow.number);
                number.map_or(Ok(()), |number| self.remove(number, Departure::Revoked))
            }
            Step::Burst(keys) => self.burst(keys),
            Step::Sweep(budget) => self.sweep(*budget),
        }
    }

    /// A packet as the pipeline handles it.
    fn packet(&mut self, key: Key, answers: Key, look: &Look) -> Result<(), TestCaseError> {
        let found = self.model.find(&key);
        prop_assert_eq!(self.table.find(&key), self.named(found));
        let connection = found.and_then(|(number, from)| match &self.model.flow(number)?.state {
            State::Tcp(tcp) => Some((tcp, from)),
            State::Datagrams(_) => None,
        });
        let content = look.content(&key, connection);
        if let Some((number, direction)) = found {
            let expected = self.model.judge(number, direction, &content, self.now);
            let verdict = self.table.judge(self.ids[&number], direction, &content, self.time());
            prop_assert_eq!(verdict, expected, "{:?} {:?}", content, direction);
            self.seen.insert(verdict.name());
            let phase = self.model.flow(number).map(Flow::phase);
            self.seen.extend(phase.map(Phase::name));
            let view = self.table.view(self.ids[&number], self.time());
            prop_assert_eq!(view.map(|view| view.phase), phase);
            match (verdict.consequence(), verdict.departure()) {
                (Consequence::Miss, Some(departure)) => self.remove(number, departure)?,
                _ => return Ok(()),
            }
        }
        let new = NewFlow { opening: key, answers, content, payload: [0, 1] };
        self.open(new)
    }

    fn open(&mut self, new: NewFlow<u32>) -> Result<(), TestCaseError> {
        let expected = self.model.open(&new, self.now);
        match (self.table.open(new, self.time()), expected) {
            (Ok(opened), Ok((number, made_room))) => {
                let gone = opened
                    .made_room
                    .map(|gone| (gone.opening, gone.answers, gone.phase, gone.departure));
                let expected = made_room
                    .as_ref()
                    .map(|(flow, why)| (flow.keys[0], flow.keys[1], flow.phase(), *why));
                prop_assert_eq!(gone, expected);
                if let Some((flow, why)) = made_room {
                    self.seen.insert(why.name());
                    self.ids.remove(&flow.number);
                }
                self.ids.insert(number, opened.id);
            }
            (Err(refused), Err(expected)) => {
                let named = |number: u32| self.ids[&number];
                let expected = match expected {
                    Refusal::NotOpening => NotOpened::NotOpening,
                    Refusal::OpeningTaken(number, way) => {
                        NotOpened::OpeningTaken(named(number), way)
                    }
                    Refusal::AnswersTaken(number, way) => {
                        NotOpened::AnswersTaken(named(number), way)
                    }
                    Refusal::SameKeys => NotOpened::SameKeys,
                    Refusal::Full => NotOpened::Full,
                };
                prop_assert_eq!(refused, expected);
            }
            (opened, expected) => prop_assert!(false, "{:?} instead of {:?}", opened, expected),
        }
        Ok(())
    }

    fn remove(&mut self, number: u32, why: Departure) -> Result<(), TestCaseError> {
        self.seen.insert(why.name());
        let id = self.ids.remove(&number).expect("a flow of the model has a name");
        let removed = self.table.remove(id, why, Time::from_nanos(self.now));
        let flow = self.model.remove(number, why, self.now).expect("it is there");
        let removed = removed.map(|gone| ([gone.opening, gone.answers], gone.phase, gone.payload));
        prop_assert_eq!(removed, Some((flow.keys, flow.phase(), [0, 1])));
        prop_assert_eq!(self.table.remove(id, why, Time::from_nanos(self.now)), None);
        Ok(())
    }

    fn expire(&mut self, budget: u32) -> Result<(), TestCaseError> {
        let mut left = budget;
        while let Some(gone) = self.table.expire(self.time(), &mut left) {
            let (number, _) = self.model.find(&gone.opening).expect("the reference has it");
            prop_assert!(self.model.overdue(self.now).contains(&number), "{:?} is early", gone);
            let closed = matches!(gone.phase.name(), "tcp_time_wait" | "tcp_reset");
            let why = if closed { Departure::Closed } else { Departure::Expired };
            prop_assert_eq!(gone.departure, why);
            self.model.remove(number, why, self.now);
            self.ids.remove(&number);
        }
        if left > 0 {
            prop_assert_eq!(self.model.overdue(self.now), Vec::<u32>::new(), "these are late");
        }
        Ok(())
    }

    fn burst(&self, keys: &[(u8, bool)]) -> Result<(), TestCaseError> {
        let keys: Vec<Key> = keys.iter().map(|(number, server)| key(*number, *server)).collect();
        let mut found = vec![None; keys.len()];
        self.table.find_burst(&keys, &mut found);
        let expected: Vec<_> = keys.iter().map(|key| self.named(self.model.find(key))).collect();
        prop_assert_eq!(found, expected);
        Ok(())
    }

    fn sweep(&self, budget: u32) -> Result<(), TestCaseError> {
        let (mut cursor, mut seen) = (Cursor::START, Vec::new());
        while !self.table.is_swept(cursor) {
            let mut budget = budget;
            seen.extend(core::iter::from_fn(|| self.table.sweep(&mut cursor, &mut budget)));
        }
        let mut expected: Vec<FlowId> = self.ids.values().copied().collect();
        expected.sort_by_key(|id| id.index());
        prop_assert_eq!(seen, expected);
        Ok(())
    }

    /// What both say about everything.
    fn compare(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.table.len() as usize, self.model.flows.len());
        for phase in Phase::ALL {
            let count = self.model.flows.iter().filter(|flow| flow.phase() == phase).count();
            prop_assert_eq!(self.table.count(phase) as usize, count, "{}", phase);
            prop_assert_eq!(phase.is_unconfirmed(), unconfirmed(phase));
        }
        let span = steps(DEPARTED_FOR.as_nanos() as u64) + 1;
        for conversation in 0..CONVERSATIONS {
            for from_server in [false, true] {
                let key = key(conversation, from_server);
                prop_assert_eq!(self.table.find(&key), self.named(self.model.find(&key)));
                let departed = self.model.departed(&key, self.now, span);
                prop_assert_eq!(self.table.departed(&key, self.time()), departed);
            }
        }
        Ok(())
    }

    fn named(&self, found: Option<(u32, flow::Direction)>) -> Option<(FlowId, flow::Direction)> {
        found.map(|(number, direction)| (self.ids[&number], direction))
    }
}
