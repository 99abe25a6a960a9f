//! The network devices that the gateway takes over: found, given queues, attached, opened.
//!
//! What the configuration demands and the machine cannot give fails the start with the reason; what it leaves to
//! `auto` may step down, and says so. The order matters: the program is attached first, disabled, since the bind
//! mode follows the mode that was really got; the sockets come next; steering is enabled last, when every worker
//! shows signs of life.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use ebpf::{AttachError, AttachMode, Attachment, RunningMode, Slot, Steering};
use io::af_xdp::{AfXdpPort, Attached, BusyPoll, RingSizes, SocketConfig, ZeroCopy};
use io::ring::RingSize;
use io::{FramePool, Umem};
use pipeline::PortId;
use tracing::{info, warn};

use super::channels::{ChannelKeeper, Queues};
use super::netlink::{Link, Mirror};

/// A device as found and prepared.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its number among the gateway's devices.
    pub port: PortId,
    /// The kernel's index.
    pub ifindex: u32,
    /// The kernel's name.
    pub name: String,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// The largest IP packet that it is to carry.
    pub mtu: u32,
    /// Queues that sockets are bound to.
    pub queues: u32,
    /// Where its sockets begin in the steering program's table.
    pub first_slot: Slot,
}

/// A device with the program on it.
#[derive(Debug)]
pub struct Held {
    /// The device.
    pub found: Found,
    /// The program's attachment; dropping it takes the program off.
    pub attachment: Attachment,
    /// Why it runs in a lesser mode than could have been.
    pub stepped_down: Option<String>,
}

/// Finds the configured devices and settles how many queues each has.
///
/// The number of workers is what was configured, or as many as the device with the most queues has, less one
/// processor for control.
pub fn find(
    config: &config::Config,
    mirror: &Mirror,
    channels: &mut ChannelKeeper,
    cpus: usize,
) -> Result<(Vec<Found>, u32)> {
    let mut links = Vec::new();
    for interface in &config.interface {
        let name = interface.name.as_str();
        let link = mirror
            .tables()
            .link_named(name)
            .with_context(|| format!("interface {name:?}: there is no such device here"))?;
        refuse_devices_of_devices(link)?;
        refuse_programs(interface, link)?;
        links.push((interface, link, channels.queues(link.index)));
    }
    let most = links.iter().map(|(_, _, queues)| queues.most).max().unwrap_or(1);
    let workers = config.gateway.workers.exactly().unwrap_or_else(|| {
        let spare = u32::try_from(cpus.saturating_sub(1)).unwrap_or(1).max(1);
        most.min(spare).max(1)
    });
    let mut found = Vec::new();
    let mut first_slot = 0;
    for (number, (interface, link, queues)) in links.into_iter().enumerate() {
        let name = interface.name.as_str();
        let queues = settle_queues(interface, link, queues, workers, channels)?;
        let mac = link.mac.with_context(|| format!("interface {name:?} is no Ethernet device"))?;
        found.push(Found {
            port: PortId(u8::try_from(number).context("at most 256 interfaces")?),
            ifindex: link.index,
            name: name.to_owned(),
            mac,
            mtu: interface.mtu.exactly().unwrap_or(link.mtu),
            queues,
            first_slot: Slot(first_slot),
        });
        first_slot += queues;
    }
    let distinct: BTreeSet<_> = found.iter().map(|found| found.ifindex).collect();
    ensure!(distinct.len() == found.len(), "an interface is configured twice");
    Ok((found, workers))
}

/// Refuses devices that are made of others: a bridge gets frames after their VLAN tags were taken off, and what a bond
/// or a team receives never reaches a socket of its own.
fn refuse_devices_of_devices(link: &Link) -> Result<()> {
    match link.kind.as_deref() {
        Some(kind @ ("bridge" | "bond" | "team")) => {
            bail!("interface {:?} is a {kind}: configure its members instead", link.name)
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a device that runs a program that is to stay there. This comes before any device is changed: what a gateway
/// that runs already uses must not be touched by one that then does not start.
fn refuse_programs(interface: &config::Interface, link: &Link) -> Result<()> {
    let name = interface.name.as_str();
    let asked = ebpf::present(link.index);
    let present = asked.with_context(|| format!("interface {name:?}: its XDP program"))?;
    let Some(present) = present else { return Ok(()) };
    refuse_program(interface, present)
}

/// Another program may be replaced where the configuration says so; a gateway that lives may not.
fn refuse_program(interface: &config::Interface, present: ebpf::Present) -> Result<()> {
    let name = interface.name.as_str();
    let ebpf::Present { id, mode, steers, .. } = present;
    if steers {
        bail!(
            "interface {name:?}: a ringwall runs here already (its XDP program has id {id}). Next: `ringwall status` \
             asks it (--socket if it has another socket); end it before this one starts"
        );
    }
    match interface.foreign_program {
        config::ForeignProgram::Replace => Ok(()),
        config::ForeignProgram::Refuse => {
            let called =
                present.name.map_or_else(|| "name unknown".to_owned(), |it| format!("name {it:?}"));
            bail!(
                "interface {name:?} runs another XDP program in {mode} mode: id {id}, {called}. Next: take it off \
                 (`ip link set dev {name} xdp off`), or foreign_program = \"replace\""
            )
        }
    }
}

fn settle_queues(
    interface: &config::Interface,
    link: &Link,
    queues: Queues,
    workers: u32,
    channels: &mut ChannelKeeper,
) -> Result<u32> {
    let name = interface.name.as_str();
    let wanted = match interface.queues.exactly() {
        Some(wanted) if wanted > queues.most => {
            bail!(
                "interface {name:?}: queues = {wanted}, but the device has {} at most",
                queues.most
            )
        }
        Some(wanted) => wanted,
        None => automatic_queues(link, queues, workers),
    };
    if wanted == queues.now {
        return Ok(wanted);
    }
    match (channels.set(link.index, name, wanted), interface.queues.exactly()) {
        (Some(Ok(())), _) => {
            info!(interface = name, from = queues.now, to = wanted, "set the number of queues");
            Ok(wanted)
        }
        (Some(Err(error)), Some(_)) => {
            bail!("interface {name:?}: queues = {wanted} cannot be set: {error}")
        }
        (None, Some(_)) => bail!("interface {name:?}: the kernel offers no way to set queues"),
        (Some(Err(error)), None) => {
            let error = error.to_string();
            warn!(interface = name, queues = queues.now, error, "the number of queues stays");
            Ok(queues.now)
        }
        (None, None) => Ok(queues.now),
    }
}

/// One queue per worker, as far as the device has them. A veth keeps those that it uses: it runs no program natively
/// with fewer queues than its other end sends from, and that end is not ours to look at.
fn automatic_queues(link: &Link, queues: Queues, workers: u32) -> u32 {
    let wanted = workers.min(queues.most);
    match link.kind.as_deref() {
        Some("veth") => wanted.max(queues.now),
        Some(_) | None => wanted,
    }
}

/// Registers a device with the steering program and attaches the program to it.
pub fn attach(steering: &mut Steering, found: Found, wanted: &config::Interface) -> Result<Held> {
    let name = &found.name;
    steering
        .set_port(&ebpf::Port {
            ifindex: found.ifindex,
            first_slot: found.first_slot,
            queues: found.queues,
            untagged: true,
            vlans: Vec::new(),
        })
        .with_context(|| format!("interface {name:?}"))?;
    let foreign = match wanted.foreign_program {
        config::ForeignProgram::Refuse => ebpf::ForeignProgram::Refuse,
        config::ForeignProgram::Replace => ebpf::ForeignProgram::Replace,
    };
    let mut stepped_down = None;
    let mode = match wanted.mode {
        config::Mode::Auto | config::Mode::Native => AttachMode::Native,
        config::Mode::Generic => AttachMode::Generic,
    };
    let attachment = match (steering.attach(found.ifindex, mode, foreign), wanted.mode) {
        (Err(error @ AttachError::Refused { .. }), config::Mode::Auto) => {
            let refusal = error.to_string();
            warn!(interface = %name, error = refusal, "no native mode; stepping down to generic");
            stepped_down = Some(format!("native mode: {error}"));
            steering.attach(found.ifindex, AttachMode::Generic, foreign)
        }
        (result, config::Mode::Auto | config::Mode::Native | config::Mode::Generic) => result,
    }
    .with_context(|| format!("interface {name:?}: the steering program cannot be attached"))?;
    info!(interface = %name, mode = %attachment.mode(), queues = found.queues, "attached");
    Ok(Held { found, attachment, stepped_down })
}

/// Opens the socket of one queue of a device with frames of `pool`.
pub fn open_queue(
    held: &mut Held,
    wanted: &config::Interface,
    queue: u32,
    umem: &Arc<Umem>,
    pool: &mut FramePool,
    busy_poll: Option<BusyPoll>,
) -> Result<AfXdpPort> {
    let found = &held.found;
    let name = &found.name;
    let attached = match held.attachment.mode() {
        RunningMode::Native => Attached::Native,
        RunningMode::Generic
        | RunningMode::Offloaded
        | RunningMode::Several
        | RunningMode::Unknown => Attached::Generic,
    };
    let zero_copy = match wanted.zero_copy {
        config::ZeroCopy::Auto => ZeroCopy::Auto,
        config::ZeroCopy::On => ZeroCopy::On,
        config::ZeroCopy::Off => ZeroCopy::Off,
    };
    let size = |entries: u32| RingSize::new(entries).with_context(|| format!("interface {name:?}"));
    let config = SocketConfig {
        rings: RingSizes {
            receive: size(wanted.rx_ring)?,
            transmit: size(wanted.tx_ring)?,
            fill: size(wanted.fill_ring)?,
            completion: size(wanted.completion_ring)?,
        },
        busy_poll,
        ..SocketConfig::new(found.ifindex, queue, found.mtu, zero_copy, attached)
    };
    let port = AfXdpPort::open(umem, pool, &config)
        .with_context(|| format!("interface {name:?}, queue {queue}"))?;
    if let Some(reason) = &port.obtained().no_zero_copy {
        let why = format!("zero-copy: {reason}");
        if held.stepped_down.as_ref() != Some(&why) {
            info!(interface = %name, reason = reason.to_string(), "packets are copied");
            held.stepped_down.get_or_insert(why);
        }
    }
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::super::netlink::testing::link;
    use super::super::testing::load;
    use super::*;

    #[test]
    fn a_foreign_program_is_refused_unless_it_may_be_replaced_and_a_live_gateway_always() {
        let refusal = |policy: config::ForeignProgram, steers: bool| {
            let name = Some("other".to_owned());
            let mode = RunningMode::Generic;
            let program = ebpf::Present { id: 7, name, mode, steers };
            let mut interface = load("").config.interface.remove(0);
            interface.foreign_program = policy;
            refuse_program(&interface, program).err().map(|error| error.to_string())
        };
        let (refuse, replace) = (config::ForeignProgram::Refuse, config::ForeignProgram::Replace);
        let foreign = refusal(refuse, false).unwrap();
        assert!(foreign.contains("id 7, name \"other\"") && foreign.contains("Next:"), "{foreign}");
        assert_eq!(refusal(replace, false), None);
        for policy in [refuse, replace] {
            let ours = refusal(policy, true).unwrap();
            assert!(ours.contains("a ringwall runs here already"), "{ours}");
        }
    }

    #[test]
    fn devices_made_of_others_are_refused_and_all_others_are_not() {
        let of_kind = |kind: Option<&str>| Link { kind: kind.map(str::to_owned), ..link(2, "x0") };
        for kind in ["bridge", "bond", "team"] {
            let error = refuse_devices_of_devices(&of_kind(Some(kind))).expect_err(kind);
            assert!(error.to_string().contains("its members"), "{error}");
        }
        for kind in [None, Some("veth"), Some("vlan"), Some("macvlan"), Some("dummy")] {
            refuse_devices_of_devices(&of_kind(kind)).unwrap();
        }
    }

    #[test]
    fn a_device_gets_a_queue_per_worker_and_a_veth_loses_none() {
        let of_kind = |kind: Option<&str>| Link { kind: kind.map(str::to_owned), ..link(2, "x0") };
        let queues = |now| Queues { now, most: 8 };
        for (kind, now, workers, wanted) in [
            (None, 8, 2, 2),
            (None, 1, 2, 2),
            (None, 1, 16, 8),
            (Some("veth"), 2, 1, 2),
            (Some("veth"), 1, 2, 2),
            (Some("veth"), 8, 16, 8),
        ] {
            let settled = automatic_queues(&of_kind(kind), queues(now), workers);
            assert_eq!(settled, wanted, "{kind:?} with {now} queues, {workers} workers");
        }
    }
}
