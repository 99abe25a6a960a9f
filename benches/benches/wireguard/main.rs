//! WireGuard: sealing and opening tunnel packets, and answering handshakes, on one core.
//!
//! * `wireguard.encapsulate.SIZE.batchN`: from inner packets to data messages: session, counter, header, padding,
//!   timers, cipher. Ours seals in place, N packets per call. SIZE is the inner packet; `imix` is 64, 576 and 1420
//!   bytes in the proportion 7:4:1, in random order.
//! * `wireguard.decapsulate.SIZE.batchN`: from data messages to inner packets: header, session, replay window,
//!   cipher, endpoint, timers, payload kind, inner length.
//! * `wireguard.pipeline.SIZE`: the whole packet path, a burst of 64 at a time: from a local device's frames to the
//!   tunnel packets' frames, and from these back, half of the packets each way. Parse, classify, cipher, routes,
//!   policy, hop limit, segment size, outer headers. Beside it `ring`, the cipher alone over as many frames in the
//!   same state: the difference is the price of being a gateway. `.encapsulate` and `.decapsulate` are its halves.
//! * `wireguard.handshake.responder`: from an initiation to the response and the keys of the session: first MAC,
//!   rates, finding the peer by its key, Noise.
//!
//! Everybody gets the same 64 inner packets, one warm session, fresh counters, and works on one packet per call
//! where it knows no batches. `ring` is the cipher alone with a prepared key: the floor for one packet at a time.
//! boringtun copies into the caller's buffer and does not pad, so sizes are multiples of 16 or the tunnel's MTU.
//! Restoring inputs, making packets to open, making initiations and dropping outputs are outside the clock.
//!
//! An argument that is no option restricts the run to the figures whose name contains it.
//!
//! Left out: allowed IPs, routing, the outer headers (the pipeline's share), cold caches, many peers.

mod handshake;
mod ours;
mod packets;
mod peers;
mod pipeline;

use ringwall_benches::report::{Family, Unit};

use self::packets::Set;
use self::pipeline::Way;

const BATCHES: [usize; 3] = [1, 8, 64];

fn main() {
    let mut family = Family::from_arguments("wireguard");
    for set in Set::all() {
        for batch in BATCHES {
            encapsulate(&mut family, &set, batch);
        }
        for batch in BATCHES {
            decapsulate(&mut family, &set, batch);
        }
    }
    for set in Set::all() {
        path(&mut family, &set, "", &[Way::Encapsulate, Way::Decapsulate]);
        path(&mut family, &set, ".encapsulate", &[Way::Encapsulate]);
        path(&mut family, &set, ".decapsulate", &[Way::Decapsulate]);
    }
    if family.wants("wireguard.handshake.responder") {
        handshake::measure(&mut family);
    }
    family.finish();
}

fn encapsulate(family: &mut Family, set: &Set, batch: usize) {
    let name = format!("wireguard.encapsulate.{}.batch{batch}", set.name);
    if !family.wants(&name) {
        return;
    }
    let theirs = vec![
        peers::ring_seal(set),
        peers::boringtun_encapsulate(set),
        peers::gotatun_encapsulate(set),
    ];
    family.compare(&name, Unit::NanosPerPacket, ours::encapsulate(set, batch), theirs);
}

fn decapsulate(family: &mut Family, set: &Set, batch: usize) {
    let name = format!("wireguard.decapsulate.{}.batch{batch}", set.name);
    if !family.wants(&name) {
        return;
    }
    let theirs = vec![
        peers::ring_open(set),
        peers::boringtun_decapsulate(set),
        peers::gotatun_decapsulate(set),
    ];
    family.compare(&name, Unit::NanosPerPacket, ours::decapsulate(set, batch), theirs);
}

fn path(family: &mut Family, set: &Set, suffix: &str, ways: &[Way]) {
    let name = format!("wireguard.pipeline.{}{suffix}", set.name);
    if family.wants(&name)
        && let Ok(length) = set.name.parse()
    {
        let ours = pipeline::path(ways, length);
        family.compare(&name, Unit::NanosPerPacket, ours, vec![pipeline::cipher(ways, set)]);
    }
}
