//! The payload of a datagram on the tunnel port: both ways to look at it agree.

use wire::wireguard::{Kind, Message};

/// The kind by header and the whole parse accept the same messages.
pub fn run(data: &[u8]) {
    let kind = Kind::of(data);
    let message = Message::parse(data);
    assert_eq!(kind.is_ok(), message.is_ok());
    let Ok(message) = message else { return };
    match message {
        Message::Initiation(_) => assert_eq!(data.len(), 148),
        Message::Response(_) => assert_eq!(data.len(), 92),
        Message::CookieReply(_) => assert_eq!(data.len(), 64),
        Message::Data(message) => assert_eq!(message.sealed.len(), data.len() - 16),
    }
    assert_eq!(data[1..4], [0, 0, 0], "reserved bytes are part of the type");
}
