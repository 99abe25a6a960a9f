use super::*;

/// A message whose bytes count up behind its type.
fn message(kind: Kind, len: usize) -> Vec<u8> {
    let mut message: Vec<u8> = (0..len).map(|index| index as u8).collect();
    message[..4].copy_from_slice(&kind.word());
    message
}

const KINDS: [(Kind, usize); 4] = [
    (Kind::Initiation, INITIATION_LEN),
    (Kind::Response, RESPONSE_LEN),
    (Kind::CookieReply, COOKIE_REPLY_LEN),
    (Kind::Data, DATA_LEN_MIN),
];

#[test]
fn lengths_are_exact_for_all_but_data() {
    for (kind, right) in KINDS {
        for len in 4..300 {
            let fits = if kind == Kind::Data { len >= right } else { len == right };
            let expected = if fits { Ok(kind) } else { Err(Malformed::WireguardLength) };
            let bytes = message(kind, len);
            assert_eq!(Kind::of(&bytes), expected, "{kind:?} of {len} bytes");
            assert_eq!(Message::parse(&bytes).is_ok(), fits);
        }
    }
}

#[test]
fn other_types_and_reserved_bytes_are_refused() {
    for (kind, len) in KINDS {
        for at in 1..4 {
            let mut bytes = message(kind, len);
            bytes[at] = 1;
            assert_eq!(Message::parse(&bytes), Err(Malformed::WireguardType));
            assert_eq!(Data::parse(&bytes), Err(Malformed::WireguardType));
        }
    }
    for number in [0, 5, 255] {
        assert_eq!(Kind::of(&[number, 0, 0, 0, 0]), Err(Malformed::WireguardType));
    }
    assert_eq!(Kind::of(&[1, 0, 0]), Err(Malformed::WireguardType));
}

#[test]
fn fields_lie_where_the_paper_puts_them() {
    let bytes = message(Kind::Initiation, INITIATION_LEN);
    let Ok(Message::Initiation(found)) = Message::parse(&bytes) else { panic!("an initiation") };
    assert_eq!(found.sender, 0x0706_0504);
    let starts = [
        (found.ephemeral[0], 8),
        (found.sealed_static[0], 40),
        (found.sealed_timestamp[0], 88),
        (found.mac1[0], 116),
        (found.mac2[0], 132),
    ];
    assert!(starts.iter().all(|(byte, at)| byte == at), "{starts:?}");

    let bytes = message(Kind::Response, RESPONSE_LEN);
    let Ok(Message::Response(found)) = Message::parse(&bytes) else { panic!("a response") };
    assert_eq!((found.sender, found.receiver), (0x0706_0504, 0x0b0a_0908));
    let starts = [
        (found.ephemeral[0], 12),
        (found.sealed_nothing[0], 44),
        (found.mac1[0], 60),
        (found.mac2[0], 76),
    ];
    assert!(starts.iter().all(|(byte, at)| byte == at), "{starts:?}");

    let bytes = message(Kind::CookieReply, COOKIE_REPLY_LEN);
    let Ok(Message::CookieReply(found)) = Message::parse(&bytes) else { panic!("a cookie reply") };
    assert_eq!(found.receiver, 0x0706_0504);
    assert_eq!((found.nonce[0], found.sealed_cookie[0]), (8, 32));
}

#[test]
fn a_data_header_that_is_emitted_reads_back() {
    let repr = DataRepr { receiver: 0xdead_beef, counter: 0x0123_4567_89ab_cdef };
    let mut bytes = [7; 48];
    assert_eq!(repr.emit(&mut bytes), Ok(16));
    let data = Data::parse(&bytes).unwrap();
    assert_eq!((data.receiver, data.counter), (repr.receiver, repr.counter));
    assert_eq!(data.sealed, [7; 32]);
    assert_eq!(Message::parse(&bytes), Ok(Message::Data(data)));
    assert_eq!(Data::parse(&bytes[..31]), Err(Malformed::WireguardLength));
    assert_eq!(repr.emit(&mut bytes[..15]), Err(NoRoom));
    assert_eq!(repr.to_string(), "wg data to 0xdeadbeef counter 81985529216486895");
}
