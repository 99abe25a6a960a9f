//! Sending a burst: counters for every packet, headers and padding, then all through one call of the cipher.
//!
//! A burst comes in runs of one peer, so what belongs to a peer or a session is touched once per run. Counters are
//! taken in transmit order; one that was taken is used up whether or not its packet leaves.

use arrayvec::ArrayVec;
use clock::Time;

use super::{CHUNK, PeerHandle, Sessions};
use crate::Rejected;
use crate::protocol::{
    DATA_HEADER_LENGTH, DATA_OVERHEAD, REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES,
};

/// An inner packet to send, in the middle of the message it becomes.
pub struct Outbound<'a> {
    /// Header room, the inner packet, room for padding, tag room:
    /// [`message_length`](crate::message_length) bytes.
    pub message: &'a mut [u8],
    /// Bytes of the inner packet, which begins at `DATA_HEADER_LENGTH`. Zero is a keepalive.
    pub length: usize,
    /// Who gets it.
    pub peer: PeerHandle,
    /// What became of it.
    pub result: Result<(), Rejected>,
}

impl<'a> Outbound<'a> {
    /// A packet to seal.
    #[inline]
    pub fn new(message: &'a mut [u8], length: usize, peer: PeerHandle) -> Self {
        Self { message, length, peer, result: Err(Rejected::NoSession) }
    }

    /// The payload with its padding, if the lengths are in order. A keepalive has no padding.
    #[inline]
    fn padded(&self) -> Result<usize, Rejected> {
        let room = self.message.len().wrapping_sub(DATA_OVERHEAD);
        let fits = self.message.len() >= DATA_OVERHEAD
            && self.message.len() <= aead::MAX_BUFFER
            && self.length <= room
            && (self.length > 0 || room == 0);
        if fits { Ok(room) } else { Err(Rejected::BufferLength) }
    }
}

/// Counters taken for a run of packets to one peer.
struct Run {
    /// Packets of the run in the burst.
    packets: usize,
    session: u32,
    counter: u64,
}

impl Sessions {
    /// Seals packets in place. Packets of one peer leave in this order. Each gets its result: [`Rejected::StalePeer`],
    /// [`Rejected::NoSession`] when it has to wait for a handshake, or [`Rejected::BufferLength`]. When a new
    /// session is due or there is none, [`Sessions::poll_timers`] will ask for a handshake.
    pub fn seal_burst(&mut self, aead: &aead::Aead, burst: &mut [Outbound<'_>], now: Time) {
        for chunk in burst.chunks_mut(CHUNK) {
            self.seal_chunk(aead, chunk, now);
        }
    }

    fn seal_chunk(&mut self, aead: &aead::Aead, chunk: &mut [Outbound<'_>], now: Time) {
        // All counters first: taking them needs the sessions exclusively, the cipher then borrows their keys.
        let mut runs = ArrayVec::<Run, CHUNK>::new();
        for run in chunk.chunk_by_mut(|a, b| a.peer == b.peer) {
            runs.push(self.take_counters(run, now));
        }
        let mut packets = ArrayVec::<aead::Packet<'_>, CHUNK>::new();
        let mut rest = chunk;
        for run in &runs {
            let (ours, behind) = rest.split_at_mut(run.packets);
            rest = behind;
            self.write_headers(run, ours, &mut packets);
        }
        aead.seal(&mut packets);
    }

    /// Takes a counter for each packet of a run that can be sent, and leaves its result `Ok`.
    #[inline]
    fn take_counters(&mut self, run: &mut [Outbound<'_>], now: Time) -> Run {
        let (mut wanted, mut bytes) = (0, 0);
        for outbound in run.iter_mut() {
            outbound.result = outbound.padded().map(|room| {
                wanted += 1;
                bytes += room as u64;
            });
        }
        let nothing = Run { packets: run.len(), session: 0, counter: 0 };
        let Some(peer) = run.first().map(|outbound| outbound.peer).filter(|_| wanted > 0) else {
            return nothing;
        };
        let (session, counter, granted) = match self.advance_counter(peer, wanted, now) {
            Ok(taken) => taken,
            Err(cause) => {
                refuse(run, 0, cause);
                return nothing;
            }
        };
        if granted < wanted {
            refuse(run, granted, Rejected::NoSession);
        }
        self.note_sent(peer.index(), granted, bytes, now);
        Run { packets: run.len(), session, counter }
    }

    /// Takes up to `wanted` counters of the peer's current session: session, first counter, how many.
    #[inline]
    fn advance_counter(
        &mut self,
        peer: PeerHandle,
        wanted: u64,
        now: Time,
    ) -> Result<(u32, u64, u64), Rejected> {
        let index = peer.index();
        let current = self.peer(peer).ok_or(Rejected::StalePeer)?.slots.current;
        let Some(cell) = current else { return Err(self.no_session(index, now)) };
        let number = super::number(index, cell);
        let session = &mut self.sessions[number as usize];
        let counter = session.send_counter;
        if now >= session.send_until || counter >= REJECT_AFTER_MESSAGES {
            return Err(self.no_session(index, now));
        }
        let granted = wanted.min(REJECT_AFTER_MESSAGES - counter);
        session.send_counter = counter + granted;
        if now >= session.renew_on_send || session.send_counter > REKEY_AFTER_MESSAGES {
            self.want_handshake(index, now);
        }
        Ok((number, counter, granted))
    }

    #[inline]
    fn note_sent(&mut self, index: u32, packets: u64, bytes: u64, now: Time) {
        let peer = &mut self.peers[index as usize];
        peer.sent_packets += packets;
        peer.sent_bytes += bytes + packets * DATA_OVERHEAD as u64;
        if let Some(deadline) = peer.note_sent(bytes > 0, now) {
            self.wheel.no_later_than(index, deadline);
        }
    }

    /// Writes header and padding of each packet that has a counter, and hands it to the cipher.
    #[inline]
    fn write_headers<'a>(
        &'a self,
        run: &Run,
        ours: &'a mut [Outbound<'_>],
        packets: &mut ArrayVec<aead::Packet<'a>, CHUNK>,
    ) {
        let session = &self.sessions[run.session as usize];
        let key = session.send_key.as_bytes();
        let mut counter = run.counter;
        for outbound in ours.iter_mut().filter(|outbound| outbound.result.is_ok()) {
            let split = outbound.message.split_first_chunk_mut::<DATA_HEADER_LENGTH>();
            let Some((header, sealed)) = split else { continue };
            *header = data_header(session.remote_index, counter);
            let padded = sealed.len() - aead::TAG_LENGTH;
            if outbound.length < padded {
                sealed[outbound.length..padded].fill(0);
            }
            match aead::Packet::new(key, counter, sealed) {
                Ok(packet) => packets.push(packet),
                Err(_) => outbound.result = Err(Rejected::BufferLength),
            }
            counter += 1;
        }
    }

    #[cold]
    fn no_session(&mut self, index: u32, now: Time) -> Rejected {
        self.want_handshake(index, now);
        Rejected::NoSession
    }
}

/// Refuses the packets of a run that are in order, but for the first `granted`.
#[cold]
fn refuse(run: &mut [Outbound<'_>], granted: u64, cause: Rejected) {
    let in_order = run.iter_mut().filter(|outbound| outbound.result.is_ok());
    for outbound in in_order.skip(granted as usize) {
        outbound.result = Err(cause);
    }
}

/// The header before the ciphertext: message type, receiver index, counter.
#[inline]
fn data_header(remote_index: u32, counter: u64) -> [u8; DATA_HEADER_LENGTH] {
    let mut header = [0; DATA_HEADER_LENGTH];
    header[0] = 4;
    header[4..8].copy_from_slice(&remote_index.to_le_bytes());
    header[8..16].copy_from_slice(&counter.to_le_bytes());
    header
}
