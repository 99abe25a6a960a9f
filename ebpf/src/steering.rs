//! The loaded program and its maps: everything the control thread does to steering.
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::{Arc, Weak};

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, XskMap};
use aya::programs::{ProgramError, Xdp};
use clock::Time;
use ipnet::IpNet;

use crate::attach::{self, AttachMode, Attachment, Candidate, ForeignProgram};
use crate::blocks::{BlockError, BlockList, Blocked, KernelTries};
use crate::error::{AttachError, SteeringError};
use crate::exit::{Counters, Exit};
use crate::heartbeat::Heartbeats;
use crate::keyset::KeySet;
use crate::layout::{self, Control, PortValue, ServiceKey, SlotValue, VlanKey};
use crate::load;
use crate::local::{Locals, Service};
use crate::options::{Capacities, OnFailure, SteeringOptions};
use crate::port::{Port, Slot, WorkerIndex};

/// The steering program, loaded, with its maps. Owned by the control thread.
///
/// Nothing is pinned: when the process ends, however it ends, the kernel takes the program off
/// the interfaces and frees the maps.
pub struct Steering {
    ebpf: Ebpf,
    program: &'static str,
    capacities: Capacities,
    settings: Control,
    control: Array<MapData, Control>,
    ports: HashMap<MapData, u32, PortValue>,
    registered: BTreeMap<u32, PortValue>,
    attached: BTreeMap<u32, Weak<()>>,
    vlans: KeySet<VlanKey>,
    slots: Array<MapData, SlotValue>,
    sockets: XskMap<MapData>,
    locals: Locals,
    services: KeySet<ServiceKey>,
    blocks: BlockList<KernelTries>,
    exits: PerCpuArray<MapData, u64>,
    heartbeats: Heartbeats,
}

fn failed(map: &'static str) -> impl Fn(MapError) -> SteeringError {
    move |source| SteeringError::Map { map, source: Box::new(source) }
}

impl Steering {
    /// Loads the program and makes its maps: disabled, without ports, attached nowhere.
    ///
    /// # Errors
    /// [`SteeringError::NotPermitted`] without `CAP_BPF` and `CAP_NET_ADMIN`, or what the kernel
    /// and its verifier have against the program.
    pub fn load(options: &SteeringOptions) -> Result<Self, SteeringError> {
        let mut loaded = load::load(options)?;
        let capacities = options.capacities;
        let settings = settings(options);
        let mut steering = Self {
            capacities,
            settings,
            control: loaded.take("control")?,
            ports: loaded.take("ports")?,
            registered: BTreeMap::new(),
            attached: BTreeMap::new(),
            vlans: KeySet::new("vlans", capacities.vlans, loaded.take("vlans")?),
            slots: loaded.take("slots")?,
            sockets: loaded.take("sockets")?,
            locals: Locals {
                v4: KeySet::new("local4", capacities.locals, loaded.take("local4")?),
                v6: KeySet::new("local6", capacities.locals, loaded.take("local6")?),
            },
            services: KeySet::new("services", capacities.services, loaded.take("services")?),
            blocks: BlockList::new(
                KernelTries { v4: loaded.take("blocked4")?, v6: loaded.take("blocked6")? },
                capacities.blocks,
            ),
            exits: loaded.take("exits")?,
            heartbeats: loaded.heartbeats(capacities.workers)?,
            program: loaded.program,
            ebpf: loaded.ebpf,
        };
        steering.write_settings()?;
        Ok(steering)
    }

    /// Attaches the program to a registered interface, in the network namespace of the calling
    /// thread, by a link that is not pinned. `mode` is what shall be; for "automatic" call again
    /// with [`AttachMode::Generic`] after [`AttachError::Refused`].
    ///
    /// # Errors
    /// [`AttachError`]; with [`ForeignProgram::Replace`] the other program may be gone by then.
    pub fn attach(
        &mut self,
        ifindex: u32,
        mode: AttachMode,
        foreign: ForeignProgram,
    ) -> Result<Attachment, AttachError> {
        if !self.registered.contains_key(&ifindex) {
            return Err(AttachError::NotRegistered { ifindex });
        }
        let refused = |error: ProgramError| AttachError::Refused {
            ifindex,
            mode,
            source: std::io::Error::other(error),
        };
        let xdp = self.xdp().map_err(refused)?;
        let id = xdp.info().map_err(refused)?.id();
        let fd = xdp.fd().map_err(refused)?.as_fd();
        let alive = Arc::new(());
        let weak = Arc::downgrade(&alive);
        let attachment = attach::attach(&Candidate { fd, id }, ifindex, mode, foreign, alive)?;
        self.attached.insert(ifindex, weak);
        Ok(attachment)
    }

    /// Registers an interface, or changes it. VLANs are added before and removed after the change.
    ///
    /// # Errors
    /// [`SteeringError::Invalid`] for a port that cannot be (slots that overlap another port's or
    /// exceed the table, VLAN ids outside 1 to 4094), [`SteeringError::Full`], or a map failure.
    pub fn set_port(&mut self, port: &Port) -> Result<(), SteeringError> {
        self.check_port(port)?;
        let value = PortValue {
            first_slot: port.first_slot.0,
            queues: port.queues,
            flags: if port.untagged { layout::PORT_UNTAGGED } else { 0 },
        };
        let wanted = port.vlans.iter().map(|vlan| vlan.key(port.ifindex)).collect();
        self.replace_vlans(port.ifindex, wanted)?;
        self.ports.insert(port.ifindex, value, 0).map_err(failed("ports"))?;
        self.registered.insert(port.ifindex, value);
        Ok(())
    }

    /// Forgets an interface. Its sockets are the caller's to clear.
    ///
    /// # Errors
    /// [`SteeringError::StillAttached`] while its [`Attachment`] lives: an unregistered interface
    /// passes everything to the kernel.
    pub fn remove_port(&mut self, ifindex: u32) -> Result<(), SteeringError> {
        if self.attached.get(&ifindex).is_some_and(|alive| alive.strong_count() > 0) {
            return Err(SteeringError::StillAttached { ifindex });
        }
        self.attached.remove(&ifindex);
        if self.registered.contains_key(&ifindex) {
            self.ports.remove(&ifindex).map_err(failed("ports"))?;
            self.registered.remove(&ifindex);
        }
        self.replace_vlans(ifindex, BTreeSet::new())
    }

    /// Puts an AF_XDP socket, bound to the queue of the slot, into service under a worker. The
    /// kernel empties the slot by itself when the socket is closed.
    ///
    /// # Errors
    /// A slot or worker beyond the tables, or not an AF_XDP socket.
    pub fn set_socket(
        &mut self,
        slot: Slot,
        worker: WorkerIndex,
        socket: BorrowedFd<'_>,
    ) -> Result<(), SteeringError> {
        if worker.0 >= self.capacities.workers {
            let why = format!("there are {} at most", self.capacities.workers);
            return Err(SteeringError::Invalid { what: format!("worker {}", worker.0), why });
        }
        let value = SlotValue { worker_plus_one: worker.0 + 1 };
        self.slots.set(slot.0, value, 0).map_err(failed("slots"))?;
        self.sockets.set(slot.0, socket.as_raw_fd(), 0).map_err(failed("sockets"))
    }

    /// Takes a socket out of service, if there is one. Its queue then fails closed.
    ///
    /// # Errors
    /// A slot beyond the table.
    pub fn clear_socket(&mut self, slot: Slot) -> Result<(), SteeringError> {
        self.slots.set(slot.0, SlotValue { worker_plus_one: 0 }, 0).map_err(failed("slots"))?;
        match self.sockets.unset(slot.0) {
            Err(error) if !is_absent(&error) => Err(failed("sockets")(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes these the addresses of this host, by difference to what was: what is new goes in
    /// first. Loopback and unspecified addresses are left out. Include the addresses of every
    /// interface, and subnet broadcast addresses if they shall be answered.
    ///
    /// # Errors
    /// [`SteeringError::Full`] before anything changed, or a map failure part way.
    pub fn set_locals(&mut self, addresses: &[IpAddr]) -> Result<(), SteeringError> {
        self.locals.replace(addresses)
    }

    /// Makes these the tunnel services, by difference.
    ///
    /// # Errors
    /// As [`set_locals`](Self::set_locals).
    pub fn set_services(&mut self, services: &[Service]) -> Result<(), SteeringError> {
        self.services.replace(&services.iter().map(Service::key).collect())
    }

    /// Drops everything from these sources until then, local and transit alike; only ARP,
    /// neighbour discovery and what is not IP still passes. A block that is there is prolonged,
    /// never shortened.
    ///
    /// # Errors
    /// [`BlockError`]: the allow list wins, and the table may be full.
    pub fn block(&mut self, prefix: IpNet, until: Time) -> Result<(), BlockError> {
        let outcome = self.blocks.block(prefix, until);
        self.write_block_families()?;
        outcome
    }

    /// Ends the block of exactly this prefix; false if there is none.
    ///
    /// # Errors
    /// [`BlockError::Map`].
    pub fn unblock(&mut self, prefix: IpNet) -> Result<bool, BlockError> {
        let outcome = self.blocks.unblock(prefix);
        self.write_block_families()?;
        outcome
    }

    /// Replaces the allow list: prefixes that are never blocked, also inside wider blocks. Ends
    /// the blocks inside them.
    ///
    /// # Errors
    /// [`BlockError::Full`] or [`BlockError::Map`], part way.
    pub fn set_allowed(&mut self, prefixes: &[IpNet]) -> Result<(), BlockError> {
        let outcome = self.blocks.allow(prefixes);
        self.write_block_families()?;
        outcome
    }

    /// Frees the entries of blocks that have ended; gives their number. They had no effect any
    /// more, so once in some seconds is enough.
    ///
    /// # Errors
    /// [`BlockError::Map`].
    pub fn expire_blocks(&mut self, now: Time) -> Result<usize, BlockError> {
        let outcome = self.blocks.expire(now);
        self.write_block_families()?;
        outcome
    }

    /// The block list in order of prefix.
    pub fn blocked(&self) -> Vec<Blocked> {
        self.blocks.blocked().collect()
    }

    /// Turns steering to sockets on or off; the program stays attached either way.
    ///
    /// # Errors
    /// A map failure.
    pub fn enable(&mut self, enabled: bool) -> Result<(), SteeringError> {
        self.settings.enabled = u32::from(enabled);
        self.write_settings()
    }

    /// A handle for the workers' signs of life.
    pub fn heartbeats(&self) -> Heartbeats {
        self.heartbeats.clone()
    }

    /// Frames by exit since load. One system call for each exit.
    ///
    /// # Errors
    /// A map failure.
    pub fn counters(&self) -> Result<Counters, SteeringError> {
        let mut counts = [0; Exit::COUNT];
        for (index, count) in (0..).zip(&mut counts) {
            let per_cpu = self.exits.get(&index, 0).map_err(failed("exits"))?;
            *count = per_cpu.iter().fold(0, |sum: u64, count| sum.wrapping_add(*count));
        }
        Ok(Counters::new(counts))
    }

    pub(crate) fn xdp(&self) -> Result<&Xdp, ProgramError> {
        self.ebpf.program(self.program).ok_or(ProgramError::NotLoaded)?.try_into()
    }

    fn write_settings(&mut self) -> Result<(), SteeringError> {
        self.control.set(0, self.settings, 0).map_err(failed("control"))
    }

    /// The program looks into a trie only if it has entries: a lookup that cannot hit costs more
    /// than the rest of the program.
    fn write_block_families(&mut self) -> Result<(), BlockError> {
        let families = self.blocks.families();
        if families != self.settings.blocks {
            self.settings.blocks = families;
            self.control.set(0, self.settings, 0)?;
        }
        Ok(())
    }

    fn replace_vlans(
        &mut self,
        ifindex: u32,
        mut wanted: BTreeSet<VlanKey>,
    ) -> Result<(), SteeringError> {
        wanted.extend(self.vlans.present().iter().filter(|key| key.ifindex != ifindex));
        self.vlans.replace(&wanted)
    }

    fn check_port(&self, port: &Port) -> Result<(), SteeringError> {
        let invalid = |why: String| {
            Err(SteeringError::Invalid { what: format!("interface {}", port.ifindex), why })
        };
        let slots =
            |first: u32, queues: u32| u64::from(first)..u64::from(first) + u64::from(queues);
        let own = slots(port.first_slot.0, port.queues);
        if port.ifindex == 0 || port.queues == 0 {
            return invalid("an index and at least one queue are needed".to_owned());
        }
        if own.end > u64::from(self.capacities.slots) {
            return invalid(format!("slots {own:?} exceed {}", self.capacities.slots));
        }
        for (ifindex, other) in self.registered.iter().filter(|(other, _)| **other != port.ifindex)
        {
            let taken = slots(other.first_slot, other.queues);
            if own.start < taken.end && taken.start < own.end {
                return invalid(format!("slots {own:?} overlap {taken:?} of interface {ifindex}"));
            }
        }
        let tags = port.vlans.iter().flat_map(|vlan| [Some(vlan.outer), vlan.inner]).flatten();
        if let Some(tag) = tags.into_iter().find(|tag| !tag.is_valid()) {
            return invalid(format!("{tag:?} is no VLAN; ids go from 1 to 4094"));
        }
        let is_new = !self.registered.contains_key(&port.ifindex);
        let wanted = self.registered.len() + usize::from(is_new);
        if wanted > self.capacities.ports as usize {
            let (table, capacity) = ("ports", self.capacities.ports);
            return Err(SteeringError::Full { table, capacity, wanted });
        }
        Ok(())
    }
}

impl Drop for Steering {
    /// Attachments that outlive the loader leave a program behind that nobody keeps up to date:
    /// it is disabled, so that transit fails as chosen.
    fn drop(&mut self) {
        drop(self.enable(false));
    }
}

fn settings(options: &SteeringOptions) -> Control {
    let timeout = options.heartbeat_timeout.as_nanos();
    Control {
        enabled: 0,
        transit_on_failure: match options.transit_on_failure {
            OnFailure::Drop => layout::TRANSIT_DROP,
            OnFailure::Pass => layout::TRANSIT_PASS,
        },
        // The program compares signed.
        heartbeat_timeout_ns: timeout.min(i64::MAX as u128) as u64,
        blocks: 0,
        reserved: 0,
    }
}

/// The slot was empty: never filled, or emptied by the kernel when the socket was closed.
fn is_absent(error: &MapError) -> bool {
    if let MapError::SyscallError(error) = error {
        return error.io_error.raw_os_error() == Some(libc::ENOENT);
    }
    matches!(error, MapError::KeyNotFound | MapError::ElementNotFound)
}
