//! Any bytes as a WireGuard message: whatever is accepted has the length of its type, and its fields
//! together are all of its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::wireguard::{Kind, Message};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse(bytes) else { return };
    let (kind, len) = match message {
        Message::Initiation(_) => (Kind::Initiation, 148),
        Message::Response(_) => (Kind::Response, 92),
        Message::CookieReply(_) => (Kind::CookieReply, 64),
        Message::Data(data) => (Kind::Data, 16 + data.sealed.len()),
    };
    assert_eq!(bytes.len(), len);
    assert_eq!(bytes[..4], kind.word());
    assert_eq!(Kind::of(bytes), Ok(kind));
});
