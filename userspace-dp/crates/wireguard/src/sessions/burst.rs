//! Whole bursts: every packet's ticket, one call of the cipher, every packet's commit.
//!
//! One packet's failure is its own result and stops nothing. Chunks of 64 keep the scratch on the stack.

use arrayvec::ArrayVec;
use clock::Time;

use super::{OpenTicket, PeerHandle, Received, SealTicket, Sessions};
use crate::protocol::{DATA_HEADER_LENGTH, DATA_OVERHEAD};
use crate::{Endpoint, Rejected};

const CHUNK: usize = 64;

/// A received data message.
pub struct Inbound<'a> {
    /// The UDP payload: header, ciphertext, tag. After success the payload lies at
    /// `DATA_HEADER_LENGTH..len - TAG_LENGTH`; after failure there is no plaintext in it.
    pub message: &'a mut [u8],
    /// Where it came from and which address of ours it came to.
    pub endpoint: Endpoint,
    /// What became of it.
    pub result: Result<Received, Rejected>,
}

impl<'a> Inbound<'a> {
    /// A message to open.
    #[inline]
    pub fn new(message: &'a mut [u8], endpoint: Endpoint) -> Self {
        Self { message, endpoint, result: Err(Rejected::Malformed) }
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
}

impl Sessions {
    /// Opens received data messages in place. Each gets its result.
    pub fn open_burst(&mut self, aead: &aead::Aead, burst: &mut [Inbound<'_>], now: Time) {
        for chunk in burst.chunks_mut(CHUNK) {
            self.open_chunk(aead, chunk, now);
        }
    }

    /// Seals packets in place, in transmit order. Each gets its result.
    pub fn seal_burst(&mut self, aead: &aead::Aead, burst: &mut [Outbound<'_>], now: Time) {
        for chunk in burst.chunks_mut(CHUNK) {
            self.seal_chunk(aead, chunk, now);
        }
    }

    fn open_chunk(&mut self, aead: &aead::Aead, chunk: &mut [Inbound<'_>], now: Time) {
        let mut tickets = ArrayVec::<(u8, OpenTicket), CHUNK>::new();
        let mut packets = ArrayVec::<aead::Packet<'_>, CHUNK>::new();
        for (position, inbound) in chunk.iter_mut().enumerate() {
            match self.open_packet(inbound.message, now) {
                Ok((ticket, packet)) => {
                    tickets.push((position as u8, ticket));
                    packets.push(packet);
                }
                Err(cause) => inbound.result = Err(cause),
            }
        }
        let failures = aead.open(&mut packets);
        drop(packets);
        for (place, (position, ticket)) in tickets.into_iter().enumerate() {
            let inbound = &mut chunk[usize::from(position)];
            inbound.result = match ticket.authenticate(failures, place) {
                Ok(authenticated) => {
                    let committed = self.commit_open(authenticated, inbound.endpoint, now);
                    if committed.is_err() {
                        inbound.message.fill(0);
                    }
                    committed
                }
                Err(cause) => Err(cause),
            };
        }
    }

    /// A message's ticket, and its part that goes to the cipher.
    #[inline]
    fn open_packet<'a>(
        &'a self,
        message: &'a mut [u8],
        now: Time,
    ) -> Result<(OpenTicket, aead::Packet<'a>), Rejected> {
        let (header, encrypted) =
            message.split_first_chunk_mut::<DATA_HEADER_LENGTH>().ok_or(Rejected::Malformed)?;
        let [kind, index, counter @ ..] = words(header);
        if kind != 4 {
            return Err(Rejected::Malformed);
        }
        let counter = u64::from(counter[0]) | u64::from(counter[1]) << 32;
        let ticket = self.prepare_open(index, counter, encrypted.len(), now)?;
        let key = self.opening_key(&ticket)?.as_bytes();
        let packet =
            aead::Packet::new(key, counter, encrypted).map_err(|_| Rejected::BufferLength)?;
        Ok((ticket, packet))
    }

    fn seal_chunk(&mut self, aead: &aead::Aead, chunk: &mut [Outbound<'_>], now: Time) {
        // Every ticket first: they need the sessions exclusively, the cipher then borrows their keys.
        let mut tickets = ArrayVec::<(u8, SealTicket), CHUNK>::new();
        for (position, outbound) in chunk.iter_mut().enumerate() {
            outbound.result = self
                .seal_ticket(outbound, now)
                .map(|ticket| tickets.push((position as u8, ticket)));
        }
        let mut packets = ArrayVec::<aead::Packet<'_>, CHUNK>::new();
        let mut messages = chunk.iter_mut().enumerate();
        for (position, ticket) in &tickets {
            let wanted = usize::from(*position);
            let Some((_, outbound)) = messages.find(|(at, _)| *at == wanted) else { continue };
            let (_, sealed) = outbound.message.split_at_mut(DATA_HEADER_LENGTH);
            let packet = self.sealing_key(ticket).and_then(|key| {
                aead::Packet::new(key.as_bytes(), ticket.counter(), sealed)
                    .map_err(|_| Rejected::BufferLength)
            });
            match packet {
                Ok(packet) => packets.push(packet),
                Err(cause) => outbound.result = Err(cause),
            }
        }
        aead.seal(&mut packets);
    }

    /// Checks the lengths, pads, takes a counter and writes the header.
    #[inline]
    fn seal_ticket(
        &mut self,
        outbound: &mut Outbound<'_>,
        now: Time,
    ) -> Result<SealTicket, Rejected> {
        let room = outbound
            .message
            .len()
            .checked_sub(DATA_OVERHEAD)
            .filter(|room| outbound.length <= *room && outbound.message.len() <= aead::MAX_BUFFER)
            .filter(|room| outbound.length > 0 || *room == 0)
            .ok_or(Rejected::BufferLength)?;
        let ticket = self.prepare_seal(outbound.peer, room, now)?;
        outbound.message[DATA_HEADER_LENGTH + outbound.length..DATA_HEADER_LENGTH + room].fill(0);
        outbound.message[..DATA_HEADER_LENGTH].copy_from_slice(&ticket.header());
        Ok(ticket)
    }
}

/// A header as little-endian words.
#[inline]
fn words(header: &[u8; DATA_HEADER_LENGTH]) -> [u32; 4] {
    let (chunks, _) = header.as_chunks::<4>();
    [0, 1, 2, 3].map(|i| u32::from_le_bytes(chunks[i]))
}
