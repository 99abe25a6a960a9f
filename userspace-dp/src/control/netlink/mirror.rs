//! The mirror: reads the kernel's tables once, then follows what it reports.
//!
//! Called by the control thread: [`Mirror::process`] whenever its file descriptor is readable. Reports and dumps
//! use a socket each, so that what changes during a dump waits in the listening socket and is taken over after it:
//! whatever the dump had or had not seen, the last word is the newest.
//!
//! A dump is synchronous: the loop stands still for about as long as the kernel needs to list the table.

use core::net::IpAddr;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};

use super::decode::decode;
use super::error::Error;
use super::message::{Malformed, Request, attributes, number, split};
use super::model::{Address, Changes, Link, Neighbour, Route, TABLE_LOCAL, TABLE_MAIN};
use super::socket::{Asker, Dump, Listener, Message, Read};
use super::tables::{Applied, Tables, Update};
use super::uapi::*;

/// What to mirror and with how much room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Route tables besides `local` and `main`.
    pub tables: Vec<u32>,
    /// Bytes of reports that the kernel may hold for us. When it is full, messages are lost and everything is
    /// read again. One report takes about 1 KiB of it.
    pub receive_buffer: usize,
}

impl Default for Options {
    /// Only `local` and `main`; room for the reports of several thousand changes at once.
    fn default() -> Self {
        Self { tables: Vec::new(), receive_buffer: 8 << 20 }
    }
}

/// What the mirror went through since it was opened. The numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorStatistics {
    /// Reports read.
    pub reports: u64,
    /// Messages that could not be decoded.
    pub undecodable: u64,
    /// Times the kernel dropped reports because they were not read in time.
    pub overruns: u64,
    /// Dumps of routes or of everything after the first.
    pub rereads: u64,
    /// Dumps that the kernel marked as interrupted by a change.
    pub interrupted: u64,
}

/// Datagrams read in one call before the caller gets a turn.
const READS_PER_CALL: usize = 4096;
/// Times one call reads tables again before the caller gets a turn.
const REREADS_PER_CALL: usize = 2;
/// Tries for a dump that the kernel does not mark as interrupted.
const DUMP_TRIES: usize = 4;

/// What has to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    None,
    Routes,
    Everything,
}

/// A live copy of what the kernel of this network namespace knows.
pub struct Mirror {
    listener: Listener,
    asker: Asker,
    wanted: Vec<u32>,
    tables: Tables,
    doubt: Doubt,
    /// Changes that no call of `process` has returned yet.
    untold: Changes,
    /// Neighbours that answered during the last call of `process`.
    answered: Vec<(u32, IpAddr)>,
    statistics: MirrorStatistics,
}

impl Mirror {
    /// Joins the kernel's groups and reads everything once. Needs no privilege.
    pub fn open(options: &Options) -> Result<Self, Error> {
        const GROUPS: [u32; 7] = [
            RTNLGRP_LINK,
            RTNLGRP_NEIGH,
            RTNLGRP_IPV4_IFADDR,
            RTNLGRP_IPV6_IFADDR,
            RTNLGRP_IPV4_ROUTE,
            RTNLGRP_IPV6_ROUTE,
            RTNLGRP_NEXTHOP,
        ];
        let mut wanted = vec![TABLE_LOCAL, TABLE_MAIN];
        wanted.extend(&options.tables);
        let mut mirror = Self {
            listener: Listener::open(NETLINK_ROUTE, &GROUPS, options.receive_buffer)?,
            asker: Asker::open(NETLINK_ROUTE)?,
            wanted,
            tables: Tables::new(),
            doubt: Doubt::None,
            untold: Changes::NONE,
            answered: Vec::new(),
            statistics: MirrorStatistics::default(),
        };
        mirror.tables = mirror.read_everything()?;
        Ok(mirror)
    }

    /// Takes over all that the kernel has reported; never blocks unless tables have to be read again.
    ///
    /// # Errors
    /// The socket failed, or a dump did. The tables keep their last state and the next call tries again.
    pub fn process(&mut self) -> Result<Changes, Error> {
        self.answered.clear();
        for _ in 0..=REREADS_PER_CALL {
            let drained = self.drain()?;
            match self.doubt {
                Doubt::None if drained => return Ok(self.told(Changes::NONE)),
                Doubt::None => return Ok(self.told(Changes::MORE)),
                Doubt::Routes => {
                    let fresh = self.read_routes()?;
                    self.untold |= self.tables.take_routes(fresh);
                }
                Doubt::Everything => {
                    let fresh = self.read_everything()?;
                    self.untold |= self.tables.take_everything(fresh) | Changes::OVERRUN;
                }
            }
            self.statistics.rereads += 1;
        }
        Ok(self.told(Changes::MORE))
    }

    /// What changed since the last successful call, and `more`.
    fn told(&mut self, more: Changes) -> Changes {
        core::mem::replace(&mut self.untold, Changes::NONE) | more
    }

    /// Interface and address of the neighbours that the last call of [`Mirror::process`] saw become usable, also
    /// those that are not any more. What reading tables anew brings is not among them.
    pub fn answered(&self) -> &[(u32, IpAddr)] {
        &self.answered
    }

    /// The tables as they are.
    pub const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Every link, by index.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.tables.links()
    }

    /// Every address, by interface.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.tables.addresses()
    }

    /// Every route of the mirrored tables, by table, destination and metric.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.tables.routes()
    }

    /// Every neighbour, by interface and address.
    pub fn neighbours(&self) -> impl Iterator<Item = &Neighbour> {
        self.tables.neighbours()
    }

    /// How many routing rules (`ip rule`) there are besides the kernel's own three. Workers do not follow them: they
    /// look destinations up in the mirrored tables only.
    pub fn routing_rules(&mut self) -> Result<usize, Error> {
        let mut rules = 0;
        for family in [AF_INET, AF_INET6] {
            self.asker.dump(
                dump_request(RTM_GETRULE, family),
                "list routing rules",
                |message| {
                    let of_kernel = message.kind == RTM_NEWRULE
                        && is_rule_of_kernel(message.payload).unwrap_or(false);
                    rules += usize::from(!of_kernel);
                },
            )?;
        }
        Ok(rules)
    }

    /// What happened so far.
    pub const fn statistics(&self) -> MirrorStatistics {
        self.statistics
    }

    /// Reads reports until there are none, or many; whether there are none left.
    fn drain(&mut self) -> Result<bool, Error> {
        for _ in 0..READS_PER_CALL {
            match self.listener.read()? {
                Read::Empty => return Ok(true),
                Read::Lost => {
                    self.statistics.overruns += 1;
                    self.doubt = Doubt::Everything;
                }
                Read::Datagram => {
                    for message in self.listener.messages() {
                        self.statistics.reports += 1;
                        match taken(&self.wanted, &mut self.tables, message) {
                            Ok(applied) => {
                                self.untold |= applied.changes;
                                self.answered.extend(applied.answered);
                                if applied.routes_in_doubt {
                                    self.doubt = self.doubt.max(Doubt::Routes);
                                }
                            }
                            Err(()) => self.statistics.undecodable += 1,
                        }
                    }
                }
            }
        }
        Ok(false)
    }

    fn read_everything(&mut self) -> Result<Tables, Error> {
        self.read(&[
            (RTM_GETLINK, "list links"),
            (RTM_GETADDR, "list addresses"),
            (RTM_GETNEXTHOP, "list nexthop objects"),
            (RTM_GETROUTE, "list routes"),
            (RTM_GETNEIGH, "list neighbours"),
        ])
    }

    fn read_routes(&mut self) -> Result<Tables, Error> {
        self.read(&[(RTM_GETNEXTHOP, "list nexthop objects"), (RTM_GETROUTE, "list routes")])
    }

    /// Dumps into new tables. The doubt is lifted, unless changes kept interrupting.
    fn read(&mut self, what: &[(u16, &'static str)]) -> Result<Tables, Error> {
        for _ in 1..DUMP_TRIES {
            let (fresh, end) = self.read_once(what)?;
            if end == Dump::Whole {
                self.doubt = Doubt::None;
                return Ok(fresh);
            }
            self.statistics.interrupted += 1;
        }
        // Better than what was there; the doubt stays, so the next call reads again.
        let (fresh, end) = self.read_once(what)?;
        self.doubt = if end == Dump::Whole { Doubt::None } else { Doubt::Everything };
        Ok(fresh)
    }

    fn read_once(&mut self, what: &[(u16, &'static str)]) -> Result<(Tables, Dump), Error> {
        let mut fresh = Tables::new();
        let mut end = Dump::Whole;
        for &(kind, action) in what {
            for &family in families(kind) {
                if self.dump(kind, family, action, &mut fresh)? == Dump::Interrupted {
                    end = Dump::Interrupted;
                }
            }
        }
        Ok((fresh, end))
    }

    fn dump(
        &mut self,
        kind: u16,
        family: u8,
        action: &'static str,
        fresh: &mut Tables,
    ) -> Result<Dump, Error> {
        let (wanted, statistics) = (&self.wanted, &mut self.statistics);
        let result = self.asker.dump(dump_request(kind, family), action, |message| {
            let message = Message { flags: NLM_F_APPEND, ..message };
            if taken(wanted, fresh, message).is_err() {
                statistics.undecodable += 1;
            }
        });
        match result {
            Err(error)
                if kind == RTM_GETNEXTHOP && error.refusal() == Some(ErrorKind::Unsupported) =>
            {
                // Kernels before 5.3 know no nexthop objects.
                Ok(Dump::Whole)
            }
            other => other,
        }
    }
}

impl AsFd for Mirror {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Decodes a message and applies it, unless it is about a route table that is not mirrored.
fn taken(wanted: &[u32], tables: &mut Tables, message: Message<'_>) -> Result<Applied, ()> {
    match decode(message.kind, message.flags, message.payload) {
        Ok(Some(Update::Route(route, _) | Update::RouteGone(route)))
            if !wanted.contains(&route.table) =>
        {
            Ok(Applied::NOTHING)
        }
        Ok(Some(update)) => Ok(tables.apply(update)),
        Ok(None) => Ok(Applied::NOTHING),
        Err(_) => Err(()),
    }
}

/// Address families to ask for one after the other; without one the kernel would add those we do not know.
const fn families(kind: u16) -> &'static [u8] {
    match kind {
        RTM_GETROUTE | RTM_GETNEIGH => &[AF_INET, AF_INET6],
        _ => &[AF_UNSPEC],
    }
}

fn dump_request(kind: u16, family: u8) -> Request {
    let request = Request::new(kind, 0);
    let mut fixed = [0; 16];
    fixed[0] = family;
    match kind {
        RTM_GETLINK => request.fixed(&fixed).number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS),
        RTM_GETROUTE | RTM_GETNEIGH | RTM_GETRULE => request.fixed(&fixed[..12]),
        _ => request.fixed(&fixed[..8]),
    }
}

/// `struct fib_rule_hdr`: family, destination and source length, tos, table, 2 reserved, action, flags (4).
fn is_rule_of_kernel(payload: &[u8]) -> Result<bool, Malformed> {
    let (&[_, to, from, tos, table, _, _, action, ..], rest) = split::<12>(payload)?;
    let (mut priority, mut table) = (0, u32::from(table));
    let mut selectors = u32::from(to) + u32::from(from) + u32::from(tos);
    attributes(rest, |kind, value| {
        match kind {
            FRA_PRIORITY => priority = number(value)?,
            FRA_TABLE => table = number(value)?,
            // By source, destination, interface or mark.
            FRA_DST..=FRA_IIFNAME | FRA_FWMARK | FRA_OIFNAME => selectors += 1,
            _ => {}
        }
        Ok(())
    })?;
    let own = [(0, TABLE_LOCAL), (32766, TABLE_MAIN), (32767, TABLE_DEFAULT)];
    Ok(action == FR_ACT_TO_TBL && selectors == 0 && own.contains(&(priority, table)))
}

/// Consulted after the main table; empty unless an operator fills it.
const TABLE_DEFAULT: u32 = 253;

#[cfg(test)]
mod tests;
