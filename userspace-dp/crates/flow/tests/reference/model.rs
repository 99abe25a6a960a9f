//! What the table should do, said with lists and maps.

use std::collections::HashMap;

use flow::{
    Content, Departure, Direction, ECHO_REPLY, Exchange, Key, NewFlow, Phase, Timeouts, Verdict,
};
use wire::tcp::Flags;

use crate::run::Course;
use crate::tcp::Tcp;

/// A flow, by the order in which it was opened.
#[derive(Clone, Debug)]
pub struct Flow {
    pub number: u32,
    pub keys: [Key; 2],
    pub state: State,
    /// The step of time in which it was last refreshed.
    touched: u64,
}

#[derive(Clone, Debug)]
pub enum State {
    Tcp(Tcp),
    Datagrams(Phase),
}

impl Flow {
    pub fn phase(&self) -> Phase {
        match &self.state {
            State::Tcp(tcp) => Phase::Tcp(tcp.phase),
            State::Datagrams(phase) => *phase,
        }
    }
}

/// Why a flow was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotOpening,
    OpeningTaken(u32, Direction),
    AnswersTaken(u32, Direction),
    SameKeys,
    Full,
}

/// All flows.
#[derive(Debug)]
pub struct Model {
    pub flows: Vec<Flow>,
    departed: HashMap<Key, (Departure, u64)>,
    opened: u32,
    timeouts: Timeouts,
    capacity: usize,
    evict: bool,
}

/// Steps of time, as the settings describe them.
pub fn steps(nanos: u64) -> u64 {
    nanos / Timeouts::STEP.as_nanos() as u64
}

impl Model {
    pub fn new(course: &Course, timeouts: Timeouts) -> Self {
        let capacity = course.capacity as usize;
        Self {
            flows: Vec::new(),
            departed: HashMap::new(),
            opened: 0,
            timeouts,
            capacity,
            evict: course.evict,
        }
    }

    pub fn find(&self, key: &Key) -> Option<(u32, Direction)> {
        let flow = self.flows.iter().find(|flow| flow.keys.contains(key))?;
        let opening = flow.keys[0] == *key;
        Some((flow.number, if opening { Direction::Opening } else { Direction::Answers }))
    }

    pub fn flow(&self, number: u32) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.number == number)
    }

    fn is_overdue(&self, flow: &Flow, now: u64) -> bool {
        let timeout = self.timeouts.of(flow.phase()).as_nanos() as u64;
        let most = timeout.div_ceil(Timeouts::STEP.as_nanos() as u64);
        steps(now) - flow.touched > most
    }

    /// The numbers of the flows whose time has come.
    pub fn overdue(&self, now: u64) -> Vec<u32> {
        self.flows
            .iter()
            .filter(|flow| self.is_overdue(flow, now))
            .map(|flow| flow.number)
            .collect()
    }

    pub fn judge(
        &mut self,
        number: u32,
        direction: Direction,
        content: &Content,
        now: u64,
    ) -> Verdict {
        let Some(at) = self.flows.iter().position(|flow| flow.number == number) else {
            return Verdict::Gone;
        };
        if self.is_overdue(&self.flows[at], now) {
            return Verdict::Expired;
        }
        let flow = &mut self.flows[at];
        let verdict = match (&mut flow.state, content) {
            (State::Tcp(tcp), Content::Tcp(segment)) => tcp.judge(direction, segment),
            (State::Datagrams(phase), Content::Datagram) => {
                if direction == Direction::Answers {
                    *phase = replied(*phase);
                }
                Verdict::InState
            }
            _ => Verdict::Mismatch,
        };
        if matches!(verdict, Verdict::InState | Verdict::Closes) {
            flow.touched = steps(now);
        }
        verdict
    }

    pub fn remove(&mut self, number: u32, why: Departure, now: u64) -> Option<Flow> {
        let at = self.flows.iter().position(|flow| flow.number == number)?;
        let flow = self.flows.remove(at);
        for key in flow.keys {
            self.departed.insert(key, (why, steps(now)));
        }
        Some(flow)
    }

    /// Opens a flow: its number, and the flow that made room.
    pub fn open(
        &mut self,
        new: &NewFlow<u32>,
        now: u64,
    ) -> Result<(u32, Option<(Flow, Departure)>), Refusal> {
        if !opens(new) {
            return Err(Refusal::NotOpening);
        }
        if let Some((number, direction)) = self.find(&new.opening) {
            return Err(Refusal::OpeningTaken(number, direction));
        }
        if new.opening == new.answers {
            return Err(Refusal::SameKeys);
        }
        if let Some((number, direction)) = self.find(&new.answers) {
            return Err(Refusal::AnswersTaken(number, direction));
        }
        let mut made_room = None;
        if self.flows.len() == self.capacity {
            let oldest = self.flows.iter().find(|flow| unconfirmed(flow.phase())).cloned();
            let overdue = oldest.as_ref().is_some_and(|flow| self.is_overdue(flow, now));
            let why = if overdue { Departure::Expired } else { Departure::Evicted };
            let victim = oldest.filter(|_| overdue || self.evict).ok_or(Refusal::Full)?;
            self.remove(victim.number, why, now);
            made_room = Some((victim, why));
        }
        let state = match (&new.content, new.opening.tuple.protocol) {
            (Content::Tcp(segment), _) => State::Tcp(Tcp::opened_by(segment)),
            (_, 17) => State::Datagrams(Phase::Udp(Exchange::Unreplied)),
            (_, 1) => State::Datagrams(Phase::Echo(Exchange::Unreplied)),
            _ => State::Datagrams(Phase::Other(Exchange::Unreplied)),
        };
        self.opened += 1;
        let keys = [new.opening, new.answers];
        self.flows.push(Flow { number: self.opened, keys, state, touched: steps(now) });
        Ok((self.opened, made_room))
    }

    pub fn departed(&self, key: &Key, now: u64, span: u64) -> Option<Departure> {
        let (why, when) = self.departed.get(key)?;
        (steps(now) - when <= span).then_some(*why)
    }
}

fn opens(new: &NewFlow<u32>) -> bool {
    let tuple = &new.opening.tuple;
    match &new.content {
        Content::Tcp(segment) => {
            let others = Flags::ACK.with(Flags::FIN).with(Flags::RST);
            tuple.protocol == 6
                && segment.flags.contains(Flags::SYN)
                && !segment.flags.intersects(others)
        }
        Content::Datagram => {
            tuple.protocol != 6 && !(tuple.protocol == 1 && tuple.ports.1 == ECHO_REPLY)
        }
    }
}

pub fn unconfirmed(phase: Phase) -> bool {
    phase.name().contains("syn") || phase.name().contains("unreplied")
}

fn replied(phase: Phase) -> Phase {
    match phase {
        Phase::Udp(_) => Phase::Udp(Exchange::Replied),
        Phase::Echo(_) => Phase::Echo(Exchange::Replied),
        Phase::Other(_) => Phase::Other(Exchange::Replied),
        Phase::Tcp(phase) => Phase::Tcp(phase),
    }
}
