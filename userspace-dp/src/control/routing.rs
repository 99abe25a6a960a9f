//! From the mirrored tables to what workers look up: forwarding table, neighbours, the gateway's own addresses.
//!
//! Called by the control thread after the mirror changed; works on plain values and knows no socket. Selection
//! follows the kernel: tables in order, in each the longest prefix, of equal prefixes the lowest metric. It differs
//! on purpose in three points, each on the safe side:
//!
//! * A route whose link is down gives way to the next one of the same prefix. Without one the destination is
//!   unreachable; it never falls to a shorter prefix, which could be the way to the internet.
//! * Loopback, link-local and multicast destinations lead nowhere but to the gateway's own addresses (RFC 1122
//!   section 3.2.1.3, RFC 4291 section 2.5), whatever default route there is.
//! * Workers send only through interfaces they serve. A route to another one stays in the table as a next hop
//!   without interface, so that its packets are dropped and counted instead of taking another way.
//!
//! A few changed routes of the last table, which is where routing daemons work, are compiled by themselves; after
//! any other change all tables are compiled, and what comes out different is taken over.
#![forbid(unsafe_code)]

mod flatten;
mod locals;
mod selection;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use route::{
    Fib, FibBuilder, InterfaceId, Neighbour, NeighbourState, Neighbours, NeighboursBuilder,
    NextHopKind, WeightedHop,
};

use super::netlink::{self, Moment, TABLE_LOCAL, Tables};
use flatten::{Entry, Ways, layer};
pub use locals::{Locals, connected, locals, reply_addresses};
use selection::{Selection, guarded_whole, guards, refuse};

/// The number of each interface that workers serve, and of the TUN, by the kernel's index.
pub type InterfaceNumbers = BTreeMap<u32, InterfaceId>;

/// What the present forwarding table leaves out or cannot serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Prefixes in the forwarding table.
    pub prefixes: usize,
    /// Routes that lead to interfaces which workers do not serve.
    pub unattached: usize,
    /// Prefixes that are unreachable because all their links are down.
    pub down: usize,
    /// Routes that workers cannot follow, left out: by source prefix or type of service, or of an unknown kind.
    pub unsupported: usize,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.unattached += other.unattached;
        self.down += other.down;
        self.unsupported += other.unsupported;
    }

    fn subtract(&mut self, other: Self) {
        self.unattached -= other.unattached;
        self.down -= other.down;
        self.unsupported -= other.unsupported;
    }
}

/// With more changed routes than this, compiling all of them is no slower.
const CHANGES_ONE_BY_ONE: usize = 4096;

/// Compiles the tables, again and again, reusing what did not change.
#[derive(Debug)]
pub struct Compiler {
    /// Tables in the order they are consulted; `local` is the first.
    order: Vec<u32>,
    /// Keys the hash of the neighbour table.
    seed: u64,
    builder: FibBuilder,
    report: Report,
    /// What each prefix of the last table adds to the report, where it adds anything.
    notes: HashMap<IpNet, Report>,
    last: Option<Last>,
}

/// What the next compilation may build on.
#[derive(Debug)]
struct Last {
    moment: Moment,
    interfaces: InterfaceNumbers,
    /// Prefixes of all tables but the last one: what they hold is not the last table's to decide.
    covers: BTreeSet<IpNet>,
}

impl Compiler {
    /// `tables` in the order they are consulted, after `local`, which always comes first. `seed` keys a hash table:
    /// draw it at random once per boot.
    pub fn new(tables: &[u32], seed: u64) -> Self {
        let mut order = vec![TABLE_LOCAL];
        for &table in tables {
            if !order.contains(&table) {
                order.push(table);
            }
        }
        Self {
            order,
            seed,
            builder: FibBuilder::new(),
            report: Report::default(),
            notes: HashMap::new(),
            last: None,
        }
    }

    /// The forwarding table. To be called when links, addresses or routes changed, or the numbers did.
    pub fn fib(&mut self, tables: &Tables, interfaces: &InterfaceNumbers) -> (Fib, Report) {
        let selection = Selection { tables, interfaces };
        if !self.compile_changes(&selection) {
            self.compile_all(&selection);
        }
        self.report.prefixes = self.builder.len();
        (self.builder.snapshot(), self.report)
    }

    /// The routes of the last forwarding table with their next hops, in order of prefix.
    pub fn routes(&self) -> impl Iterator<Item = (IpNet, &[WeightedHop])> {
        self.builder.iter()
    }

    /// The neighbours that go with `fib`. To be called when neighbours changed or the forwarding table did.
    pub fn neighbours(
        &self,
        tables: &Tables,
        interfaces: &InterfaceNumbers,
        fib: &Fib,
    ) -> Neighbours {
        let mut builder = NeighboursBuilder::new(self.seed);
        for neighbour in tables.neighbours() {
            if let Some(&interface) = interfaces.get(&neighbour.interface)
                && let Some(entry) = known(neighbour, interface)
            {
                builder.insert(entry);
            }
        }
        builder.snapshot(fib)
    }

    /// Compiles only the routes that changed since the last time, if that is enough; whether it was.
    fn compile_changes(&mut self, selection: &Selection<'_>) -> bool {
        let Some(last) = self.last.as_mut().filter(|last| last.interfaces == *selection.interfaces)
        else {
            return false;
        };
        let Some(changed) = selection.tables.routes_changed_since(last.moment) else {
            return false;
        };
        let mut prefixes = BTreeSet::new();
        for (table, prefix) in changed {
            match self.order.iter().position(|&one| one == table) {
                Some(position) if position + 1 == self.order.len() => prefixes.insert(prefix),
                Some(_) => return false,
                None => continue,
            };
        }
        if self.order.len() < 2 || prefixes.len() > CHANGES_ONE_BY_ONE {
            return false;
        }
        let table = self.order.last().copied().unwrap_or(TABLE_LOCAL);
        for prefix in prefixes {
            let routes = selection.tables.routes_to(table, prefix);
            let (entry, note) = selection.choose(routes);
            if entry == Some(Entry::Throw) {
                self.last = None;
                return false;
            }
            self.report.subtract(self.notes.remove(&prefix).unwrap_or_default());
            self.note(prefix, note);
            match (entry, self.last.as_ref()) {
                (_, Some(last)) if last.covered(prefix) => {}
                (Some(Entry::Ways(ways)), _) => {
                    self.builder.insert(prefix, ways.hops());
                }
                (Some(Entry::Throw) | None, _) => {
                    self.builder.remove(prefix);
                }
            }
        }
        if let Some(last) = self.last.as_mut() {
            last.moment = selection.tables.moment();
        }
        true
    }

    /// Compiles all tables and takes over what is different.
    fn compile_all(&mut self, selection: &Selection<'_>) {
        let mut layers = self.layers(selection);
        let throws = |layer: &Vec<(IpNet, Entry)>| layer.iter().any(|one| one.1 == Entry::Throw);
        // A throw route lets lower tables show through, so one change may reach far.
        self.last = (!layers.iter().any(throws)).then(|| Last {
            moment: selection.tables.moment(),
            interfaces: selection.interfaces.clone(),
            covers: layers
                .split_last()
                .map(|(_, upper)| upper.iter().flatten().map(|(prefix, _)| *prefix).collect())
                .unwrap_or_default(),
        });
        let mut wanted: Vec<(IpNet, Ways)> = Vec::new();
        while let Some(upper) = layers.pop() {
            wanted = layer(upper, wanted);
        }
        self.take(&wanted);
    }

    /// What each table says, in order of consultation and, in each, of prefix.
    fn layers(&mut self, selection: &Selection<'_>) -> Vec<Vec<(IpNet, Entry)>> {
        self.report = Report::default();
        self.notes.clear();
        let mut layers = vec![Vec::new(); self.order.len()];
        let mut routes = selection.tables.routes().peekable();
        while let Some(first) = routes.next() {
            let mut alike = vec![first];
            while let Some(route) = routes.next_if(|route| {
                (route.table, route.destination) == (first.table, first.destination)
            }) {
                alike.push(route);
            }
            let Some(position) = self.order.iter().position(|&table| table == first.table) else {
                continue;
            };
            let (entry, note) = selection.choose(alike);
            if position + 1 == self.order.len() {
                self.note(first.destination, note);
            } else {
                self.report.add(note);
            }
            if let (Some(entry), Some(layer)) = (entry, layers.get_mut(position)) {
                layer.push((first.destination, entry));
            }
        }
        if let Some(local) = layers.first_mut() {
            guard(local);
        }
        layers
    }

    fn note(&mut self, prefix: IpNet, note: Report) {
        if note != Report::default() {
            self.report.add(note);
            self.notes.insert(prefix, note);
        }
    }

    /// Brings the builder to these routes; both sides ascend by prefix.
    fn take(&mut self, wanted: &[(IpNet, Ways)]) {
        let mut gone: Vec<IpNet> = Vec::new();
        let mut different: Vec<&(IpNet, Ways)> = Vec::new();
        let mut wanted = wanted.iter().peekable();
        for (prefix, hops) in self.builder.iter() {
            while let Some(new) = wanted.next_if(|new| new.0 < prefix) {
                different.push(new);
            }
            match wanted.peek().map(|new| new.0.cmp(&prefix)) {
                Some(Ordering::Equal) => {
                    if let Some(new) = wanted.next()
                        && new.1.hops() != hops
                    {
                        different.push(new);
                    }
                }
                Some(Ordering::Less | Ordering::Greater) | None => gone.push(prefix),
            }
        }
        different.extend(wanted);
        for prefix in gone {
            self.builder.remove(prefix);
        }
        for (prefix, ways) in different {
            self.builder.insert(*prefix, ways.hops());
        }
    }
}

impl Last {
    /// Another table than the last one decides about this prefix.
    fn covered(&self, prefix: IpNet) -> bool {
        (0..=prefix.prefix_len())
            .filter_map(|length| IpNet::new(prefix.addr(), length).ok())
            .any(|shorter| self.covers.contains(&shorter.trunc()))
    }
}

/// Puts the destinations that are never forwarded into the first table.
fn guard(local: &mut Vec<(IpNet, Entry)>) {
    local.retain(|(prefix, _)| !guarded_whole(*prefix));
    local.extend(guards().map(|guard| (guard, Entry::Ways(refuse(NextHopKind::Blackhole)))));
    local.sort_unstable_by_key(|(prefix, _)| *prefix);
    local.dedup_by_key(|(prefix, _)| *prefix);
}

fn known(neighbour: &netlink::Neighbour, interface: InterfaceId) -> Option<Neighbour> {
    use netlink::NeighbourState as Kernel;
    let state = match neighbour.state {
        Kernel::Reachable | Kernel::NoArp | Kernel::Permanent => NeighbourState::Reachable,
        Kernel::Stale | Kernel::Delay | Kernel::Probe => NeighbourState::Stale,
        Kernel::None | Kernel::Incomplete => NeighbourState::Incomplete,
        Kernel::Failed => NeighbourState::Failed,
    };
    // A neighbour that is valid but has no Ethernet address is on a link of another kind.
    let mac = match neighbour.mac {
        Some(mac) => mac,
        None if neighbour.state.is_valid() => return None,
        None => [0; 6],
    };
    Some(Neighbour { interface, address: neighbour.address, mac: wire::Mac(mac), state })
}

#[cfg(test)]
mod tests;
