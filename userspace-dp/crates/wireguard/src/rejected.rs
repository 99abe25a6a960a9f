//! Why a message, a packet or a request was turned down: one byte per cause, for counting.

/// A cause. The caller maps each to a counter of its own, without a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Rejected {
    // What the bytes alone tell.
    /// Not a WireGuard message: unknown type, a reserved byte set, or a length that its type does not have.
    Malformed,
    /// The sender's address cannot be answered: unspecified or multicast, or port zero.
    UnusableSource,

    // The gate before any asymmetric cryptography.
    /// The first MAC is wrong: the sender does not know our public key.
    Mac1Invalid,
    /// This source sent more handshake messages than its rate allows.
    SourceRateLimited,
    /// All sources together sent more handshake messages than the gateway's rate allows.
    GatewayRateLimited,

    // Handshakes.
    /// The static key does not decrypt: the initiation was not made for us or was altered.
    StaticKeyUndecryptable,
    /// The static key decrypts but belongs to no peer.
    UnknownPeer,
    /// The timestamp does not decrypt: the initiator does not hold the static key it shows.
    TimestampUndecryptable,
    /// The timestamp is not later than the last accepted one: the initiation is a replay.
    TimestampNotLater,
    /// The peer starts handshakes faster than 50 a second.
    PeerRateLimited,
    /// A shared secret came out as zeros: the other side sent a point of small order.
    ZeroSharedSecret,
    /// No handshake under way has this receiver index.
    UnknownHandshake,
    /// The response does not decrypt: altered, or another preshared key.
    ResponseUndecryptable,
    /// A cookie reply to nothing we sent.
    CookieUnsolicited,
    /// The cookie does not decrypt: the sender does not know the message it answers.
    CookieUndecryptable,
    /// No unused receiver index was found.
    IndicesExhausted,
    /// A handshake with this peer started less than five seconds ago.
    HandshakeUnderWay,

    // Received data.
    /// The counter is beyond what a session may use.
    CounterBeyondLimit,
    /// No session has this receiver index.
    UnknownSession,
    /// The session is older than 180 s.
    SessionExpired,
    /// Shorter than its authentication tag.
    TooShort,
    /// This counter was seen before, or lies before the window.
    Replayed,
    /// The source is not where the peer was, and the checksum of the outer datagram does not hold.
    ChecksumWrong,
    /// The tag does not match.
    TagMismatch,
    /// The session went away between the steps of opening or sealing.
    SessionGone,

    // What authenticated data holds.
    /// Neither an IP packet nor a framed application message.
    PayloadUnknown,
    /// A framed application message whose length field does not fit.
    FramedLength,

    // Sending.
    /// The handle is of a peer that was removed or never added here.
    StalePeer,
    /// There is no session to send under; a handshake has been asked for.
    NoSession,
    /// The buffer does not hold header, payload and tag.
    BufferLength,
}

impl Rejected {
    /// Every cause, in order of its number.
    pub const ALL: [Self; 30] = [
        Self::Malformed,
        Self::UnusableSource,
        Self::Mac1Invalid,
        Self::SourceRateLimited,
        Self::GatewayRateLimited,
        Self::StaticKeyUndecryptable,
        Self::UnknownPeer,
        Self::TimestampUndecryptable,
        Self::TimestampNotLater,
        Self::PeerRateLimited,
        Self::ZeroSharedSecret,
        Self::UnknownHandshake,
        Self::ResponseUndecryptable,
        Self::CookieUnsolicited,
        Self::CookieUndecryptable,
        Self::IndicesExhausted,
        Self::HandshakeUnderWay,
        Self::CounterBeyondLimit,
        Self::UnknownSession,
        Self::SessionExpired,
        Self::TooShort,
        Self::Replayed,
        Self::ChecksumWrong,
        Self::TagMismatch,
        Self::SessionGone,
        Self::PayloadUnknown,
        Self::FramedLength,
        Self::StalePeer,
        Self::NoSession,
        Self::BufferLength,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_one_byte_and_all_are_listed() {
        assert_eq!(size_of::<Result<(), Rejected>>(), 1);
        for (number, cause) in Rejected::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, number);
        }
        assert_eq!(Rejected::ALL.len(), Rejected::BufferLength as usize + 1);
    }
}
