//! Loads the embedded object and opens its maps.
use std::os::fd::AsFd;

use aya::maps::{Map, MapData, MapError};
use aya::programs::{ProgramError, Xdp};
use aya::{Ebpf, EbpfLoader};

use crate::error::SteeringError;
use crate::heartbeat::Heartbeats;
use crate::options::{Capacities, SteeringOptions};

/// `steering.c`, compiled by build.rs.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/steering.o"));

/// The steering program by the name the kernel shows: for packets in one buffer, and for those in several.
pub(crate) const PROGRAMS: [&str; 2] = ["steering", "steering_frags"];

/// The object in the kernel: maps made, the chosen program verified, nothing attached.
pub(crate) struct Loaded {
    pub ebpf: Ebpf,
    /// Which of the two programs of the object was loaded.
    pub program: &'static str,
}

pub(crate) fn load(options: &SteeringOptions) -> Result<Loaded, SteeringError> {
    check(options)?;
    let capacities = &options.capacities;
    let mut loader = EbpfLoader::new();
    for (map, entries) in sizes(capacities) {
        loader.map_max_entries(map, entries);
    }
    let mut ebpf = loader.load(OBJECT).map_err(object_error)?;
    let [linear, fragments] = PROGRAMS;
    let program = if options.multi_buffer { fragments } else { linear };
    let xdp: &mut Xdp = ebpf
        .program_mut(program)
        .ok_or(SteeringError::NoMap(program))?
        .try_into()
        .map_err(program_error)?;
    xdp.load().map_err(program_error)?;
    Ok(Loaded { ebpf, program })
}

impl Loaded {
    /// Takes a map out of the object, as its kind.
    pub(crate) fn take<M>(&mut self, name: &'static str) -> Result<M, SteeringError>
    where
        M: TryFrom<Map, Error = MapError>,
    {
        let map = self.ebpf.take_map(name).ok_or(SteeringError::NoMap(name))?;
        M::try_from(map).map_err(|source| SteeringError::Map { map: name, source: source.into() })
    }

    /// Maps the heartbeats into the process.
    pub(crate) fn heartbeats(&mut self, workers: u32) -> Result<Heartbeats, SteeringError> {
        let map = self.ebpf.take_map("heartbeats");
        let Some(Map::Array(map)) = map else { return Err(SteeringError::NoMap("heartbeats")) };
        let map: &MapData = &map;
        Heartbeats::map(map.fd().as_fd(), workers).map_err(SteeringError::Heartbeats)
    }
}

/// Entries of each map. Sets have twice their capacity, so that an update can add before it
/// removes; tries one more, because the kernel refuses to replace an entry of a full one.
fn sizes(capacities: &Capacities) -> [(&'static str, u32); 10] {
    [
        ("ports", capacities.ports),
        ("vlans", capacities.vlans.saturating_mul(2)),
        ("slots", capacities.slots),
        ("sockets", capacities.slots),
        ("heartbeats", capacities.workers),
        ("local4", capacities.locals.saturating_mul(2)),
        ("local6", capacities.locals.saturating_mul(2)),
        ("services", capacities.services.saturating_mul(2)),
        ("blocked4", capacities.blocks.saturating_add(1)),
        ("blocked6", capacities.blocks.saturating_add(1)),
    ]
}

fn check(options: &SteeringOptions) -> Result<(), SteeringError> {
    let capacities = &options.capacities;
    let tables = [
        ("ports", capacities.ports),
        ("vlans", capacities.vlans),
        ("slots", capacities.slots),
        ("workers", capacities.workers),
        ("locals", capacities.locals),
        ("services", capacities.services),
        ("blocks", capacities.blocks),
    ];
    for (table, entries) in tables {
        if !(1..=1 << 24).contains(&entries) {
            let why = format!("{entries} entries; 1 to {} are possible", 1 << 24);
            return Err(SteeringError::Invalid { what: format!("capacity of {table}"), why });
        }
    }
    if options.heartbeat_timeout.as_millis() < 20 {
        let why = format!("{:?} is under 20 ms", options.heartbeat_timeout);
        return Err(SteeringError::Invalid { what: "heartbeat timeout".to_owned(), why });
    }
    Ok(())
}

fn object_error(error: aya::EbpfError) -> SteeringError {
    if is_permission(&error) {
        return SteeringError::NotPermitted;
    }
    SteeringError::Object(Box::new(error))
}

fn program_error(error: ProgramError) -> SteeringError {
    if is_permission(&error) {
        return SteeringError::NotPermitted;
    }
    SteeringError::Program(Box::new(error))
}

/// Whether the root cause is `EPERM`.
fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    core::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.raw_os_error() == Some(libc::EPERM))
}
