//! Checks of `[[interface]]` and `[[zone]]`.

use super::{Names, ring_size, unique};
use crate::findings::Findings;
use crate::key::Key;
use crate::model::{ANY_ZONE, Config, Gateway, Interface, LOCAL_ZONE, Mode, ZeroCopy};

/// Bytes of a frame that packets cannot use: the kernel's headroom (256), a link header with two VLAN tags (22),
/// and at the end the padding and tag of a sealed packet (32).
const FRAME_OVERHEAD: u64 = 256 + 22 + 32;

/// The most frames of a worker: as many as 32 full fill rings. With the most workers there are, their number fits
/// 32 bits.
const MOST_FRAMES: u32 = 1 << 21;

/// The most zones in the file; `local` comes beside them. More do not fit the policy's table of pairs of zones.
const MOST_ZONES: usize = 254;

/// The smallest MTU on which IPv6 works (RFC 8200, section 5).
pub(super) const SMALLEST_MTU: u32 = 1280;

pub(super) fn check(config: &Config, names: &Names, findings: &mut Findings<'_>) {
    let list = Key::top("interface");
    if config.interface.is_empty() && !findings.has_errors() {
        findings.error(&list, "no interface", "at least one [[interface]] with a name and a zone");
    }
    let named = config.interface.iter().enumerate();
    let named = named.map(|(index, one)| (list.item(index).field("name"), one.name.as_str()));
    unique(named, "an interface", findings);
    for (index, interface) in config.interface.iter().enumerate() {
        let key = list.item(index);
        names.zone(&interface.zone, &[], &key.field("zone"), findings);
        check_mode(&key, interface, findings);
        check_rings(&key, interface, findings);
        check_mtu(&key, interface, &config.gateway, findings);
    }
    check_frames(config, findings);
    check_zones(config, findings);
}

fn check_mode(key: &Key, interface: &Interface, findings: &mut Findings<'_>) {
    if interface.mode == Mode::Generic && interface.zero_copy == ZeroCopy::On {
        let allowed = "\"auto\" or \"off\" with `mode = \"generic\"`; zero-copy needs the driver";
        findings.error(&key.field("zero_copy"), "impossible with `mode = \"generic\"`", allowed);
    }
    if interface.queues.exactly().is_some_and(|queues| queues > 1024) {
        findings.error(&key.field("queues"), "out of range", "\"auto\" or 1 to 1024");
    }
}

fn check_rings(key: &Key, interface: &Interface, findings: &mut Findings<'_>) {
    ring_size(&key.field("rx_ring"), interface.rx_ring, findings);
    ring_size(&key.field("tx_ring"), interface.tx_ring, findings);
    ring_size(&key.field("fill_ring"), interface.fill_ring, findings);
    ring_size(&key.field("completion_ring"), interface.completion_ring, findings);
    if interface.fill_ring < interface.rx_ring {
        let allowed = format!("at least the receive ring's {}", interface.rx_ring);
        findings.error(&key.field("fill_ring"), "smaller than the receive ring", allowed);
    }
    if interface.completion_ring < interface.tx_ring {
        let allowed = format!("best the transmit ring's {}", interface.tx_ring);
        let message = "smaller than the transmit ring: it holds transmission back";
        findings.warning(&key.field("completion_ring"), message, allowed);
    }
}

fn check_mtu(key: &Key, interface: &Interface, gateway: &Gateway, findings: &mut Findings<'_>) {
    let Some(mtu) = interface.mtu.exactly() else { return };
    let key = key.field("mtu");
    let largest = gateway.frame_size.bytes().saturating_sub(FRAME_OVERHEAD);
    if mtu < SMALLEST_MTU {
        findings.error(&key, "too small", format!("\"auto\" or at least {SMALLEST_MTU}"));
    } else if u64::from(mtu) > largest {
        let allowed = format!("at most {largest} with frames of {}", gateway.frame_size);
        findings.error(&key, "does not fit a frame", allowed);
    }
}

/// A worker that serves one queue of every interface needs a frame for each fill descriptor.
fn check_frames(config: &Config, findings: &mut Findings<'_>) {
    let Some(frames) = config.gateway.frames_per_worker.exactly() else { return };
    let needed: u64 = config.interface.iter().map(|one| u64::from(one.fill_ring)).sum();
    if u64::from(frames) < needed {
        let key = Key::top("gateway").field("frames_per_worker");
        let allowed =
            format!("\"auto\" or at least {needed}, what one fill ring per interface holds");
        findings.error(&key, "fewer frames than the fill rings hold", allowed);
    } else if frames > MOST_FRAMES {
        let key = Key::top("gateway").field("frames_per_worker");
        findings.error(&key, "out of range", format!("\"auto\" or at most {MOST_FRAMES}"));
    }
}

fn check_zones(config: &Config, findings: &mut Findings<'_>) {
    let list = Key::top("zone");
    if config.zone.len() > MOST_ZONES {
        let allowed = format!("at most {MOST_ZONES} zones");
        findings.error(&list, format!("{} of them", config.zone.len()), allowed);
    }
    let key = |index: usize| list.item(index).field("name");
    let named = config.zone.iter().enumerate();
    unique(named.map(|(index, zone)| (key(index), zone.name.as_str())), "a zone", findings);
    for (index, zone) in config.zone.iter().enumerate() {
        if [LOCAL_ZONE, ANY_ZONE].contains(&zone.name.as_str()) {
            let allowed = "another name: `local` always exists and `any` stands for every zone";
            findings.error(&key(index), "a reserved name", allowed);
        }
    }
}
