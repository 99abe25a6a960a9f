//! Receiving a burst: look every packet up, open all in one call of the cipher, then commit.
//!
//! Nothing moves before authentication: looking up writes nothing, and the commit sees only what the cipher passed.
//! The cipher vouches for the message and not for the outer addresses, so a packet that would move its peer has to
//! show by its UDP checksum that nothing has happened to them. That comes before the cipher, which takes the message apart.
//! A burst comes in runs of one session, so what belongs to a session or a peer is touched once per run. One
//! packet's failure is its own result and stops nothing.

use arrayvec::ArrayVec;
use clock::Time;
use wire::udp;

use super::{CHUNK, Cell, PeerHandle, Sessions, replay};
use crate::protocol::{DATA_HEADER_LENGTH, DATA_OVERHEAD, REJECT_AFTER_MESSAGES};
use crate::{Endpoint, Rejected};

/// A received data message.
pub struct Inbound<'a> {
    /// The UDP payload: header, ciphertext, tag. After success the payload lies at
    /// `DATA_HEADER_LENGTH..len - TAG_LENGTH`; after failure there is no plaintext in it.
    pub message: &'a mut [u8],
    /// Where it came from and which address of ours it came to.
    pub endpoint: Endpoint,
    /// The UDP header that it came behind; `None` when whoever received it has verified the checksum.
    pub header: Option<&'a [u8; udp::HEADER_LEN]>,
    /// What became of it.
    pub result: Result<Received, Rejected>,
}

impl<'a> Inbound<'a> {
    /// A message to open.
    #[inline]
    pub fn new(
        message: &'a mut [u8],
        endpoint: Endpoint,
        header: Option<&'a [u8; udp::HEADER_LEN]>,
    ) -> Self {
        Self { message, endpoint, header, result: Err(Rejected::Malformed) }
    }

    /// The opened payload, padding included; empty unless opening succeeded.
    pub fn payload(&self) -> &[u8] {
        let end = self.message.len().saturating_sub(aead::TAG_LENGTH);
        match self.result {
            Ok(_) => self.message.get(DATA_HEADER_LENGTH..end).unwrap_or_default(),
            Err(_) => &[],
        }
    }
}

/// A packet that was opened and recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub peer: PeerHandle,
    /// Empty: there is nothing to forward.
    pub keepalive: bool,
    /// It was the first packet of a session: packets that wait for one may go out.
    pub confirmed: bool,
    /// The peer is at another address than before.
    pub roamed: bool,
}

/// What is known of the way that a message came.
#[derive(Clone, Copy)]
struct Path<'a> {
    endpoint: Endpoint,
    header: Option<&'a [u8; udp::HEADER_LEN]>,
}

impl Path<'_> {
    /// Whether the checksum says that `message` came this way.
    #[cold]
    fn is_shown_by(&self, message: &[u8]) -> bool {
        self.header.is_none_or(|header| {
            let addresses = self.endpoint.addresses();
            addresses.is_some_and(|addresses| udp::is_intact(header, message, &addresses))
        })
    }
}

/// A packet on its way through the cipher.
struct Pending {
    counter: u64,
    session: u32,
    /// Its place in the burst.
    position: u8,
}

/// The session that the last header named: the next one mostly names the same.
struct LastLookup {
    index: u32,
    session: u32,
}

impl Sessions {
    /// Opens received data messages in place. Each gets its result: a [`Received`], or
    /// [`Rejected::Malformed`], [`Rejected::CounterBeyondLimit`], [`Rejected::UnknownSession`],
    /// [`Rejected::SessionExpired`], [`Rejected::TooShort`], [`Rejected::Replayed`], [`Rejected::ChecksumWrong`],
    /// [`Rejected::TagMismatch`] or [`Rejected::SessionGone`], checked in this order.
    pub fn open_burst(&mut self, aead: &aead::Aead, burst: &mut [Inbound<'_>], now: Time) {
        for chunk in burst.chunks_mut(CHUNK) {
            self.open_chunk(aead, chunk, now);
        }
    }

    fn open_chunk(&mut self, aead: &aead::Aead, chunk: &mut [Inbound<'_>], now: Time) {
        let mut pending = ArrayVec::<Pending, CHUNK>::new();
        let mut packets = ArrayVec::<aead::Packet<'_>, CHUNK>::new();
        let mut last = None;
        for (position, inbound) in chunk.iter_mut().enumerate() {
            let path = Path { endpoint: inbound.endpoint, header: inbound.header };
            match self.look_up(inbound.message, path, &mut last, now) {
                Ok((session, counter, packet)) => {
                    pending.push(Pending { counter, session, position: position as u8 });
                    packets.push(packet);
                }
                Err(cause) => inbound.result = Err(cause),
            }
        }
        let failures = aead.open(&mut packets);
        drop(packets);
        let mut place = 0;
        for run in pending.chunk_by(|a, b| a.session == b.session) {
            self.commit(run, chunk, |k| failures.contains(place + k), now);
            place += run.len();
        }
    }

    /// Checks a message as far as that goes without the cipher. Yields its session, its counter, and the part that
    /// goes to the cipher.
    #[inline]
    fn look_up<'a>(
        &'a self,
        message: &'a mut [u8],
        path: Path<'_>,
        last: &mut Option<LastLookup>,
        now: Time,
    ) -> Result<(u32, u64, aead::Packet<'a>), Rejected> {
        let header = message.first_chunk().ok_or(Rejected::Malformed)?;
        let [kind, index, low, high] = words(header);
        if kind != 4 {
            return Err(Rejected::Malformed);
        }
        let counter = u64::from(low) | u64::from(high) << 32;
        if counter >= REJECT_AFTER_MESSAGES {
            return Err(Rejected::CounterBeyondLimit);
        }
        let number = match last {
            Some(last) if last.index == index => last.session,
            Some(_) | None => self.receivers.get(index).ok_or(Rejected::UnknownSession)?,
        };
        *last = Some(LastLookup { index, session: number });
        let session = &self.sessions[number as usize];
        if now >= session.expires {
            return Err(Rejected::SessionExpired);
        }
        if message.len() < DATA_OVERHEAD {
            return Err(Rejected::TooShort);
        }
        replay::check(self.window(number), session.replay_next, counter)?;
        let known = self.peers[session.peer as usize].endpoint;
        if known != Some(path.endpoint) && !path.is_shown_by(message) {
            return Err(Rejected::ChecksumWrong);
        }
        let encrypted = message.get_mut(DATA_HEADER_LENGTH..).ok_or(Rejected::TooShort)?;
        let key = session.receive_key.as_bytes();
        let packet =
            aead::Packet::new(key, counter, encrypted).map_err(|_| Rejected::BufferLength)?;
        Ok((number, counter, packet))
    }

    /// Records a run of packets of one session: counters, where the peer is, the first use of the session, timers.
    /// `failed` tells which of the run the cipher refused.
    #[inline]
    fn commit(
        &mut self,
        run: &[Pending],
        chunk: &mut [Inbound<'_>],
        failed: impl Fn(usize) -> bool,
        now: Time,
    ) {
        let Some(number) = run.first().map(|pending| pending.session as usize) else { return };
        let session = &mut self.sessions[number];
        let (windows, _) = self.windows.as_chunks_mut();
        let window = &mut windows[number];
        let (index, cell) = (session.peer, session.cell);
        let peer = &mut self.peers[index as usize];
        let handle = PeerHandle::new(index, peer.generation);
        let mut summary = Summary { unconfirmed: peer.slots.next == Some(cell), ..Summary::NONE };

        for (k, pending) in run.iter().enumerate() {
            let inbound = &mut chunk[usize::from(pending.position)];
            let recorded = if failed(k) {
                Err(Rejected::TagMismatch)
            } else if session.live {
                replay::commit(window, &mut session.replay_next, pending.counter)
            } else {
                Err(Rejected::SessionGone)
            };
            inbound.result = match recorded {
                Ok(()) => {
                    let length = inbound.message.len() - DATA_OVERHEAD;
                    let roamed = peer.endpoint != Some(inbound.endpoint);
                    if roamed {
                        peer.endpoint = Some(inbound.endpoint);
                    }
                    let confirmed = summary.add(length);
                    Ok(Received { peer: handle, keepalive: length == 0, confirmed, roamed })
                }
                Err(cause) => {
                    // Opened but not to be used: a second packet of this burst with one counter, for one.
                    inbound.message.fill(0);
                    Err(cause)
                }
            };
        }
        if summary.packets > 0 {
            self.note_received(number, cell, &summary, now);
        }
    }

    /// What authenticated packets of a session mean for its peer.
    #[inline]
    fn note_received(&mut self, number: usize, cell: Cell, summary: &Summary, now: Time) {
        let session = &mut self.sessions[number];
        let index = session.peer;
        let renew = now >= session.renew_on_receive;
        if renew {
            session.renew_on_receive = Time::NEVER;
        }
        let peer = &mut self.peers[index as usize];
        peer.received_packets += summary.packets;
        peer.received_bytes += summary.bytes + summary.packets * DATA_OVERHEAD as u64;
        if let Some(deadline) = peer.note_received(summary.bytes > 0, now) {
            self.wheel.no_later_than(index, deadline);
        }
        if renew {
            self.want_handshake(index, now);
        }
        if summary.unconfirmed {
            self.confirm(index, cell);
        }
    }
}

/// The authenticated packets of a run.
struct Summary {
    packets: u64,
    bytes: u64,
    /// The session was waiting for its first packet.
    unconfirmed: bool,
}

impl Summary {
    const NONE: Self = Self { packets: 0, bytes: 0, unconfirmed: false };

    /// Counts a packet. True when it is the one that confirms the session.
    #[inline]
    fn add(&mut self, length: usize) -> bool {
        let confirms = self.unconfirmed && self.packets == 0;
        self.packets += 1;
        self.bytes += length as u64;
        confirms
    }
}

/// A header as little-endian words.
#[inline]
fn words(header: &[u8; DATA_HEADER_LENGTH]) -> [u32; 4] {
    let (chunks, _) = header.as_chunks::<4>();
    [0, 1, 2, 3].map(|i| u32::from_le_bytes(chunks[i]))
}
