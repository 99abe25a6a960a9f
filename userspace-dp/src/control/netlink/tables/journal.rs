//! Which routes changed lately, so that who compiled an earlier state can compile the difference.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;

use ipnet::IpNet;

/// Changes remembered; who comes later compiles everything.
const REMEMBERED: usize = 16_384;

/// A state of one set of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    instance: u64,
    step: u64,
}

/// The latest changes of routes, oldest first.
#[derive(Debug)]
pub(super) struct Journal {
    /// Tells tables that are copies of each other apart: they change each in their own way.
    instance: u64,
    step: u64,
    /// Number of the first change in `routes`.
    oldest: u64,
    routes: VecDeque<(u32, IpNet)>,
}

impl Journal {
    pub(super) fn new() -> Self {
        static INSTANCES: AtomicU64 = AtomicU64::new(0);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Self { instance, step: 0, oldest: 0, routes: VecDeque::new() }
    }

    pub(super) const fn moment(&self) -> Moment {
        Moment { instance: self.instance, step: self.step }
    }

    /// A route to this destination of this table changed.
    pub(super) fn route(&mut self, table: u32, destination: IpNet) {
        if self.routes.len() == REMEMBERED {
            self.routes.pop_front();
            self.oldest += 1;
        }
        self.routes.push_back((table, destination));
        self.step += 1;
    }

    /// Something changed that may matter to any route.
    pub(super) fn everything(&mut self) {
        self.routes.clear();
        self.step += 1;
        self.oldest = self.step;
    }

    /// The routes that changed since then; `None` if other things did, or too many.
    pub(super) fn since(&self, then: Moment) -> Option<impl Iterator<Item = (u32, IpNet)>> {
        if then.instance != self.instance {
            return None;
        }
        let skip = usize::try_from(then.step.checked_sub(self.oldest)?).ok()?;
        Some(self.routes.iter().skip(skip).copied())
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

/// A copy goes its own way from here.
impl Clone for Journal {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// How tables came to say something is no part of what they say.
impl PartialEq for Journal {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Journal {}
