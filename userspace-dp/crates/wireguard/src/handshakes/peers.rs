//! The peers that the handshake engine knows, by handle and by public key.

use std::collections::HashMap;

use clock::Time;

use crate::cookie::{Cookie, mac1_key};
use crate::message::MAC_LENGTH;
use crate::noise::AwaitingResponse;
use crate::noise::curve::{Curve, KeyObject};
use crate::noise::hash::Secret;
use crate::protocol::COOKIE_LIFETIME;
use crate::{Outstanding, PeerHandle, PresharedKey, PublicKey, Tai64N};

/// Why a peer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// There is a peer with this public key.
    #[error("the public key belongs to another peer already")]
    Duplicate,
    /// The public key is the gateway's.
    #[error("the public key is the gateway's own")]
    OwnKey,
    /// The public key is a point of small order, with which no secret can be shared.
    #[error("the public key is not a key that a secret can be shared with")]
    WeakKey,
    /// As many peers as the table holds.
    #[error("the peer table is full")]
    TableFull,
}

/// What the engine keeps of a peer.
pub(super) struct Peer {
    pub(super) public: PublicKey,
    pub(super) preshared: PresharedKey,
    pub(super) static_static: Secret,
    pub(super) mac1_key: [u8; 32],
    /// The worker that its indices name.
    pub(super) owner: Option<u32>,
    /// The latest timestamp accepted from it.
    pub(super) latest: Option<Tai64N>,
    /// The latest timestamp sent to it.
    pub(super) stamped: Option<Tai64N>,
    pub(super) accepted_at: Option<Time>,
    pub(super) initiated_at: Option<Time>,
    pub(super) awaiting: Option<Awaiting>,
    cookie: Option<(Cookie, Time)>,
    /// The last message to it, while a cookie reply may answer it.
    sent: Option<Sent>,
}

/// What a cookie reply has to answer.
pub(super) struct Sent {
    pub(super) index: u32,
    /// Its first MAC.
    pub(super) mac1: [u8; MAC_LENGTH],
}

/// An initiation that has no answer so far.
pub(super) struct Awaiting {
    pub(super) index: u32,
    pub(super) state: AwaitingResponse,
    /// When the first of this row of initiations was sent.
    pub(super) began: Time,
    pub(super) retry_at: Time,
    /// The peer made a session with us meanwhile: take an answer, but do not ask again.
    pub(super) superseded: bool,
}

impl Peer {
    /// The cookie to show, while it is fresh.
    pub(super) fn cookie(&self, now: Time) -> Option<&Cookie> {
        self.cookie
            .as_ref()
            .filter(|(_, received)| now < *received + COOKIE_LIFETIME)
            .map(|(cookie, _)| cookie)
    }

    pub(super) fn keep_cookie(&mut self, cookie: Cookie, now: Time) {
        self.cookie = Some((cookie, now));
    }

    /// The message with this index that a cookie reply may answer.
    pub(super) fn sent(&self, index: u32) -> Option<&Sent> {
        self.sent.as_ref().filter(|sent| sent.index == index)
    }

    /// Notes the message that is about to be sent: from here on a cookie reply may answer it and none before it.
    pub(super) fn note_sent(&mut self, sent: Sent, outstanding: &Outstanding) {
        self.expect_no_cookie(outstanding);
        outstanding.insert(sent.index);
        self.sent = Some(sent);
    }

    /// The message with this index has its answer, or gets none.
    pub(super) fn note_answered(&mut self, index: u32, outstanding: &Outstanding) {
        if self.sent(index).is_some() {
            self.expect_no_cookie(outstanding);
        }
    }

    /// No message is left that a cookie reply may answer.
    pub(super) fn expect_no_cookie(&mut self, outstanding: &Outstanding) {
        if let Some(Sent { index, .. }) = self.sent.take() {
            outstanding.remove(index);
        }
    }
}

/// Peers in places that are used again under the next generation.
pub(super) struct Peers {
    places: Vec<Place>,
    free: Vec<u32>,
    by_key: HashMap<PublicKey, PeerHandle>,
    capacity: usize,
    /// The latest timestamps of peers that were removed: taking a peer out of the configuration and in again must
    /// not make its old initiations acceptable.
    departed: HashMap<PublicKey, Tai64N>,
}

struct Place {
    generation: u32,
    peer: Option<Peer>,
}

impl Peers {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            capacity,
            departed: HashMap::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        curve: &mut Curve,
        own: &KeyObject,
        public: PublicKey,
        preshared: Option<PresharedKey>,
    ) -> Result<PeerHandle, PeerError> {
        if public == *own.public() {
            return Err(PeerError::OwnKey);
        }
        if self.by_key.contains_key(&public) {
            return Err(PeerError::Duplicate);
        }
        let static_static = curve.agree(own, public.as_bytes()).map_err(|_| PeerError::WeakKey)?;
        let handle = self.place()?;
        let place = &mut self.places[handle.index() as usize];
        place.peer = Some(Peer {
            public,
            preshared: preshared.unwrap_or(PresharedKey::NONE),
            static_static,
            mac1_key: mac1_key(&public),
            owner: None,
            latest: self.departed.remove(&public),
            stamped: None,
            accepted_at: None,
            initiated_at: None,
            awaiting: None,
            cookie: None,
            sent: None,
        });
        self.by_key.insert(public, handle);
        Ok(handle)
    }

    /// Takes a peer out. Its handle resolves to nothing from here on.
    pub(super) fn remove(&mut self, handle: PeerHandle) -> Option<Peer> {
        let place = self.places.get_mut(handle.index() as usize)?;
        let peer = place.peer.take_if(|_| place.generation == handle.generation())?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(handle.index());
        self.by_key.remove(&peer.public);
        if let Some(latest) = peer.latest {
            self.departed.insert(peer.public, latest);
        }
        Some(peer)
    }

    pub(super) fn get(&self, handle: PeerHandle) -> Option<&Peer> {
        let place = self.places.get(handle.index() as usize)?;
        place.peer.as_ref().filter(|_| place.generation == handle.generation())
    }

    pub(super) fn get_mut(&mut self, handle: PeerHandle) -> Option<&mut Peer> {
        let place = self.places.get_mut(handle.index() as usize)?;
        place.peer.as_mut().filter(|_| place.generation == handle.generation())
    }

    pub(super) fn by_key(&self, public: &PublicKey) -> Option<PeerHandle> {
        self.by_key.get(public).copied()
    }

    /// Computes every shared secret anew. Yields the handshakes that end by it.
    pub(super) fn change_identity(
        &mut self,
        curve: &mut Curve,
        own: &KeyObject,
        outstanding: &Outstanding,
    ) -> Vec<(PeerHandle, Awaiting)> {
        let mut ended = Vec::new();
        for (index, place) in (0..).zip(&mut self.places) {
            let Some(peer) = place.peer.as_mut() else { continue };
            if let Some(awaiting) = peer.awaiting.take() {
                ended.push((PeerHandle::new(index, place.generation), awaiting));
                // What it was asked as somebody else does not count.
                peer.initiated_at = None;
            }
            peer.expect_no_cookie(outstanding);
            // A key that could share a secret with one identity can with any: the order is a matter of the point.
            if let Ok(secret) = curve.agree(own, peer.public.as_bytes()) {
                peer.static_static = secret;
            }
        }
        ended
    }

    fn place(&mut self) -> Result<PeerHandle, PeerError> {
        if let Some(index) = self.free.pop() {
            return Ok(PeerHandle::new(index, self.places[index as usize].generation));
        }
        let index = u32::try_from(self.places.len()).map_err(|_| PeerError::TableFull)?;
        if self.places.len() >= self.capacity {
            return Err(PeerError::TableFull);
        }
        self.places.push(Place { generation: 0, peer: None });
        Ok(PeerHandle::new(index, 0))
    }
}
