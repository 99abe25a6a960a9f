//! The data path of the peers that one worker owns: sessions by receiver index, replay windows, timers, roaming.
//!
//! Single owner, `&mut self`, no locks, no clock, and no allocation after [`Sessions::new`]. The packet path calls
//! [`Sessions::open_burst`] and [`Sessions::seal_burst`], the worker loop [`Sessions::poll_timers`], the command
//! ring everything else. Keys leave this module only as borrows for the cipher and are wiped when a session ends (WireGuard paper, sections 5.4.6 and 6).

mod open;
mod payload;
mod peer;
mod receivers;
mod replay;
mod seal;
mod session;
mod slots;
mod wheel;

#[cfg(test)]
mod tests;

use core::time::Duration;

use clock::Time;

pub use self::open::{Inbound, Received};
pub use self::payload::{
    FRAMED_HEADER_LENGTH, FRAMED_MESSAGE_LIMIT, Payload, framed_header, inner_mtu, message_length,
    padded_length,
};
use self::peer::{Due, Peer};
use self::receivers::Receivers;
pub use self::seal::Outbound;
use self::session::Session;
use self::slots::Cell;
use self::wheel::Wheel;
use crate::{Endpoint, Keypair, PeerHandle, Rejected, Role};

/// What a timer asks the worker to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerEvent {
    /// Ask the handshake thread for a handshake with this peer.
    StartHandshake(PeerHandle),
    /// Seal and send an empty packet to this peer.
    SendKeepalive(PeerHandle),
    /// The last keys of this peer were wiped.
    SessionsWiped(PeerHandle),
}

/// What is known of a peer, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Where it is.
    pub endpoint: Option<Endpoint>,
    /// When its newest session was made.
    pub last_handshake: Option<Time>,
    /// Data messages received and authenticated, keepalives included.
    pub received_packets: u64,
    /// Bytes of messages that were authenticated: data with header, padding and tag, and the handshakes that made
    /// sessions. It is what Linux counts.
    pub received_bytes: u64,
    /// Data messages sealed, keepalives included.
    pub sent_packets: u64,
    /// The same of messages for the peer.
    pub sent_bytes: u64,
}

/// The sessions of one worker.
pub struct Sessions {
    /// By place of the peer.
    peers: Box<[Peer]>,
    /// Three per peer, by place of the peer and cell.
    sessions: Box<[Session]>,
    /// The replay bits of each session, [`replay::WORDS`] words each.
    windows: Box<[u64]>,
    receivers: Receivers,
    wheel: Wheel,
}

/// Packets that go through the cipher in one call: scratch for so many lies on the stack.
const CHUNK: usize = 64;

/// The number of the session in `cell` of the peer at `index`.
#[inline]
fn number(index: u32, cell: Cell) -> u32 {
    index * Cell::ALL.len() as u32 + cell as u32
}

impl Sessions {
    /// Room for peers whose place is below `places`, all memory taken at once: about 4 KiB each, of which 3 KiB are
    /// only touched once the peer has sessions. `seed` is drawn at random per boot.
    pub fn new(places: usize, seed: u64, now: Time) -> Self {
        let per_peer = Cell::ALL.len();
        let places_u32 = u32::try_from(places).unwrap_or(u32::MAX);
        Self {
            peers: (0..places).map(|_| Peer::ABSENT).collect(),
            sessions: (0..places_u32)
                .flat_map(|peer| Cell::ALL.map(|cell| Session::vacant(peer, cell)))
                .collect(),
            windows: vec![0; places * per_peer * replay::WORDS].into(),
            receivers: Receivers::new(places * per_peer, seed),
            wheel: Wheel::new(places, now),
        }
    }

    /// Takes a peer on. One that held the same place before is removed first.
    ///
    /// # Errors
    /// [`Rejected::StalePeer`] when the place lies beyond the table or the handle was taken on already.
    pub fn add_peer(
        &mut self,
        peer: PeerHandle,
        endpoint: Option<Endpoint>,
        persistent_keepalive: Option<Duration>,
        now: Time,
    ) -> Result<(), Rejected> {
        let Some(state) = self.peers.get(peer.index() as usize) else {
            return Err(Rejected::StalePeer);
        };
        if state.present {
            if state.generation == peer.generation() {
                return Err(Rejected::StalePeer);
            }
            self.evict(peer.index());
        }
        let state = &mut self.peers[peer.index() as usize];
        *state = Peer::new(peer.generation(), endpoint);
        state.set_persistent(persistent_keepalive, now);
        self.reschedule(peer.index());
        Ok(())
    }

    /// Changes the persistent keepalive of a peer. False when the handle is stale.
    pub fn set_keepalive(
        &mut self,
        peer: PeerHandle,
        interval: Option<Duration>,
        now: Time,
    ) -> bool {
        let Some(state) = self.peer_mut(peer) else { return false };
        state.set_persistent(interval, now);
        self.reschedule(peer.index());
        true
    }

    /// Wipes the sessions of a peer and forgets it. False when the handle is stale.
    pub fn remove_peer(&mut self, peer: PeerHandle) -> bool {
        let present = self.peer(peer).is_some();
        if present {
            self.evict(peer.index());
        }
        present
    }

    /// Whether this worker has the peer.
    pub fn has_peer(&self, peer: PeerHandle) -> bool {
        self.peer(peer).is_some()
    }

    /// Whether there is a session to send to the peer under.
    pub fn can_send(&self, peer: PeerHandle, now: Time) -> bool {
        self.peer(peer).is_some() && self.usable(peer.index(), now)
    }

    /// Notes that a packet waits for the peer: without a session [`Sessions::poll_timers`] asks for a handshake.
    /// False when the handle is stale.
    pub fn want_session(&mut self, peer: PeerHandle, now: Time) -> bool {
        let present = self.peer(peer).is_some();
        if present && !self.usable(peer.index(), now) {
            self.want_handshake(peer.index(), now);
        }
        present
    }

    /// Where to send packets for the peer.
    #[inline]
    pub fn endpoint(&self, peer: PeerHandle) -> Option<Endpoint> {
        self.peer(peer)?.endpoint
    }

    /// Sets where the peer is: by configuration, or because an authenticated handshake message came from there.
    /// False when the handle is stale.
    pub fn set_endpoint(&mut self, peer: PeerHandle, endpoint: Endpoint) -> bool {
        let state = self.peer_mut(peer);
        state.map(|state| state.endpoint = Some(endpoint)).is_some()
    }

    /// Counts a handshake message for the peer, apart from responses, which come with [`Sessions::install`].
    pub fn note_handshake_sent(&mut self, peer: PeerHandle, bytes: usize) {
        if let Some(state) = self.peer_mut(peer) {
            state.sent_bytes += bytes as u64;
        }
    }

    /// Leaves our own address towards the peer to routing again, as a repeated initiation does.
    pub fn forget_local_address(&mut self, peer: PeerHandle) {
        if let Some(state) = self.peer_mut(peer) {
            state.endpoint = state.endpoint.map(Endpoint::without_local);
        }
    }

    /// What is known of a peer.
    pub fn status(&self, peer: PeerHandle) -> Option<PeerStatus> {
        self.peer(peer).map(|state| PeerStatus {
            endpoint: state.endpoint,
            last_handshake: state.last_handshake,
            received_packets: state.received_packets,
            received_bytes: state.received_bytes,
            sent_packets: state.sent_packets,
            sent_bytes: state.sent_bytes,
        })
    }

    /// Takes a new session of a peer into use. `endpoint` is where the handshake message came from. True when
    /// packets may be sent under it at once; if the caller sends none, [`Sessions::poll_timers`] asks for the
    /// keepalive that the other side waits for. Otherwise [`Received::confirmed`] will tell.
    ///
    /// # Errors
    /// [`Rejected::StalePeer`], or [`Rejected::IndicesExhausted`] when the index is in use here; the keys are wiped.
    pub fn install(
        &mut self,
        peer: PeerHandle,
        keypair: Keypair,
        endpoint: Option<Endpoint>,
        now: Time,
    ) -> Result<bool, Rejected> {
        let index = peer.index();
        let state = self.peer_mut(peer).ok_or(Rejected::StalePeer)?;
        state.note_handshake_bytes(keypair.role);
        let installed = state.slots.install(keypair.role);
        let sends_at_once = keypair.role == Role::Initiator;
        state.note_handshake(sends_at_once, now);
        state.endpoint = endpoint.or(state.endpoint);
        for cell in installed.ended.into_iter().flatten() {
            self.wipe(index, cell);
        }
        let number = number(index, installed.into);
        if !self.receivers.insert(keypair.local_index, number) {
            self.peers[index as usize].slots.vacate(installed.into);
            return Err(Rejected::IndicesExhausted);
        }
        self.sessions[number as usize].fill(keypair);
        let (windows, _) = self.windows.as_chunks_mut::<{ replay::WORDS }>();
        windows[number as usize].fill(0);
        self.reschedule(index);
        Ok(sends_at_once)
    }

    /// The next thing a timer asks for. The worker calls it every turn of its loop until it yields nothing, or as
    /// often as it can afford: what is left comes first the next time.
    pub fn poll_timers(&mut self, now: Time) -> Option<TimerEvent> {
        while let Some(index) = self.wheel.take(now) {
            let event = self.due(index, now);
            if event.is_some() {
                self.wheel.no_later_than(index, Time::ZERO);
                return event;
            }
            self.reschedule(index);
        }
        None
    }

    /// When [`Sessions::poll_timers`] can next yield something, or a little earlier.
    pub fn next_deadline(&self) -> Time {
        self.wheel.next_deadline()
    }

    fn due(&mut self, index: u32, now: Time) -> Option<TimerEvent> {
        let handle = PeerHandle::new(index, self.peers[index as usize].generation);
        if self.wipe_old(index, now) {
            return Some(TimerEvent::SessionsWiped(handle));
        }
        let usable = self.usable(index, now);
        self.peers[index as usize].due(usable, now).map(|due| match due {
            Due::StartHandshake => TimerEvent::StartHandshake(handle),
            Due::SendKeepalive => TimerEvent::SendKeepalive(handle),
        })
    }

    /// Wipes the sessions of a peer that are past their time. True when the last one went.
    fn wipe_old(&mut self, index: u32, now: Time) -> bool {
        let before = self.peers[index as usize].slots;
        for cell in Cell::ALL {
            let session = &self.sessions[number(index, cell) as usize];
            if session.live && session.wipe_at() <= now {
                self.wipe(index, cell);
                self.peers[index as usize].slots.vacate(cell);
            }
        }
        !before.is_empty() && self.peers[index as usize].slots.is_empty()
    }

    fn usable(&self, index: u32, now: Time) -> bool {
        self.peers[index as usize].slots.current.is_some_and(|cell| {
            let session = &self.sessions[number(index, cell) as usize];
            now < session.send_until
                && session.send_counter < crate::protocol::REJECT_AFTER_MESSAGES
        })
    }

    /// The first packet on a session came: the responder may send under it from here on.
    #[cold]
    fn confirm(&mut self, index: u32, cell: Cell) {
        let confirmed = self.peers[index as usize].slots.confirm(cell);
        if let Some(ended) = confirmed.and_then(|confirmed| confirmed.ended) {
            self.wipe(index, ended);
        }
    }

    #[cold]
    fn want_handshake(&mut self, index: u32, now: Time) {
        if self.peers[index as usize].want_handshake(now) {
            self.wheel.no_later_than(index, Time::ZERO);
        }
    }

    fn reschedule(&mut self, index: u32) {
        let wipe_at = Cell::ALL
            .map(|cell| &self.sessions[number(index, cell) as usize])
            .into_iter()
            .filter(|session| session.live)
            .map(Session::wipe_at)
            .min();
        let deadline =
            self.peers[index as usize].next_deadline().min(wipe_at.unwrap_or(Time::NEVER));
        if deadline != Time::NEVER {
            self.wheel.no_later_than(index, deadline);
        }
    }

    fn evict(&mut self, index: u32) {
        for cell in Cell::ALL {
            self.wipe(index, cell);
        }
        self.wheel.cancel(index);
        self.peers[index as usize] = Peer::ABSENT;
    }

    /// Ends the session in `cell`: no packet finds it, and its keys are zeroed.
    fn wipe(&mut self, index: u32, cell: Cell) {
        let session = &mut self.sessions[number(index, cell) as usize];
        if session.live {
            self.receivers.remove(session.local_index);
            session.wipe();
        }
    }

    #[inline]
    fn window(&self, number: u32) -> &replay::Bits {
        let (windows, _) = self.windows.as_chunks();
        &windows[number as usize]
    }

    #[inline]
    fn peer(&self, peer: PeerHandle) -> Option<&Peer> {
        let state = self.peers.get(peer.index() as usize)?;
        (state.present && state.generation == peer.generation()).then_some(state)
    }

    #[inline]
    fn peer_mut(&mut self, peer: PeerHandle) -> Option<&mut Peer> {
        let state = self.peers.get_mut(peer.index() as usize)?;
        (state.present && state.generation == peer.generation()).then_some(state)
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        for session in &mut self.sessions {
            session.wipe();
        }
    }
}
