//! The responder's side: an initiation comes in.

use clock::Time;

use super::peers::Sent;
use super::{Handshakes, Outcome};
use crate::cookie::sign;
use crate::noise::{Identified, Initiated};
use crate::protocol::{INITIATION_LENGTH, INITIATION_SPACING};
use crate::{Arrival, Keypair, PeerHandle, Rejected, Role};

impl Handshakes {
    pub(super) fn handle_initiation(
        &mut self,
        message: &[u8; INITIATION_LENGTH],
        arrival: &Arrival,
        now: Time,
    ) -> Result<Outcome, Rejected> {
        let identified = Identified::read(&mut self.curve, &self.own, &self.beginning, message)?;
        let handle = self.peers.by_key(identified.claimed()).ok_or(Rejected::UnknownPeer)?;
        let initiated = self.accept(handle, identified, now)?;
        self.respond(handle, initiated, arrival, now)
    }

    /// Checks who calls and that the call is new. What is noted here holds even if no response comes of it: the
    /// initiation was authentic, and a replay of it must fail.
    fn accept(
        &mut self,
        handle: PeerHandle,
        identified: Identified<'_>,
        now: Time,
    ) -> Result<Initiated, Rejected> {
        let peer = self.peers.get_mut(handle).ok_or(Rejected::UnknownPeer)?;
        let initiated = identified.authenticate(&peer.static_static)?;
        if peer.latest.is_some_and(|latest| initiated.timestamp() <= latest) {
            return Err(Rejected::TimestampNotLater);
        }
        if peer.accepted_at.is_some_and(|at| now < at + INITIATION_SPACING) {
            return Err(Rejected::PeerRateLimited);
        }
        peer.latest = Some(initiated.timestamp());
        peer.accepted_at = Some(now);
        Ok(initiated)
    }

    fn respond(
        &mut self,
        handle: PeerHandle,
        initiated: Initiated,
        arrival: &Arrival,
        now: Time,
    ) -> Result<Outcome, Rejected> {
        let peer = self.peers.get_mut(handle).ok_or(Rejected::UnknownPeer)?;
        let owner = *peer.owner.get_or_insert(arrival.worker);
        let local_index = self.indices.draw(&mut *self.rng, handle, owner)?;
        let ephemeral = self.curve.ephemeral(&mut *self.rng);
        let responded =
            initiated.respond(&mut self.curve, &ephemeral, &peer.preshared, local_index);
        let (mut response, transport) = match responded {
            Ok(responded) => responded,
            Err(cause) => {
                self.indices.release(local_index);
                return Err(cause);
            }
        };
        let mac1 = sign(&mut response, &peer.mac1_key, peer.cookie(now));
        peer.note_sent(Sent { index: local_index, mac1 }, &self.outstanding);
        if let Some(awaiting) = &mut peer.awaiting {
            awaiting.superseded = true;
        }
        self.indices.becomes_session(local_index, now);
        self.statistics.accepted += 1;
        let keypair = Keypair {
            local_index,
            remote_index: transport.remote_index,
            send_key: transport.send_key,
            receive_key: transport.receive_key,
            role: Role::Responder,
            born: now,
        };
        Ok(Outcome::Accepted { peer: handle, owner, keypair, response, endpoint: arrival.endpoint })
    }
}
