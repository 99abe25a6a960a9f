//! Steps at random: what comes, how long nothing comes, and what control does meanwhile.

use core::net::Ipv4Addr;

use flow::{Content, Direction, Key, Segment, Tuple};
use proptest::prelude::*;
use wire::Addresses;
use wire::tcp::Flags;

use crate::tcp::Tcp;

#[derive(Clone, Debug)]
pub enum Step {
    /// A packet from one of the ends of a conversation.
    Packet { conversation: u8, from_server: bool, look: Look, answers_of: Option<u8> },
    /// Nothing for so many milliseconds.
    Wait(u32),
    /// A turn that looks at so many timers.
    Expire(u32),
    /// Control takes out a flow.
    Revoke(u8),
    /// All of these are looked up at once, answers as well.
    Burst(Vec<(u8, bool)>),
    /// A sweep over all flows in steps of so many places.
    Sweep(u32),
}

/// What a segment looks like; anything else than TCP has no looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    flags: u8,
    /// Which number it is near, and by how much.
    sequence: (u8, i32),
    acknowledgment: (u8, i32),
    length: u32,
    window: u16,
    scale: Option<u8>,
    timestamps: bool,
}

pub const CONVERSATIONS: u8 = 12;

/// The key of a conversation's packets: a third TCP, a third UDP, the rest echo and ESP.
pub fn key(conversation: u8, from_server: bool) -> Key {
    let client = Ipv4Addr::new(10, 0, 0, conversation);
    let addresses = Addresses::V4 { source: client, destination: Ipv4Addr::new(192, 0, 2, 1) };
    let (protocol, ports) = match conversation % 6 {
        0..3 => (6, (1000, 80)),
        3 => (17, (1000, 53)),
        4 => (1, (7, flow::ECHO_REQUEST)),
        _ => (50, (0, 0)),
    };
    let tuple = Tuple { addresses, protocol, ports };
    match from_server {
        false => Key { zone: 1, tuple },
        true => Key { zone: 2, tuple: tuple.reversed() },
    }
}

impl Look {
    /// The packet that looks like this in a connection as it stands.
    pub fn content(&self, key: &Key, connection: Option<(&Tcp, Direction)>) -> Content {
        if key.tuple.protocol != 6 {
            return Content::Datagram;
        }
        let near = |(which, by): (u8, i32), opposite: bool| {
            let number = match connection {
                Some((tcp, from)) if opposite => tcp.number(from.opposite(), which),
                Some((tcp, from)) => tcp.number(from, which),
                None => (u32::MAX - 5000).wrapping_add(3000 * u32::from(which % 4)),
            };
            number.wrapping_add_signed(by)
        };
        Content::Tcp(Segment {
            sequence: near(self.sequence, false),
            acknowledgment: near(self.acknowledgment, true),
            length: self.length,
            window: self.window,
            flags: Flags(self.flags),
            scale: self.scale.filter(|_| self.flags & Flags::SYN.0 != 0),
            timestamps: self.timestamps && self.flags & Flags::SYN.0 != 0,
            fragmented: false,
        })
    }
}

fn look() -> impl Strategy<Value = Look> {
    let syn_ack = Flags::SYN.with(Flags::ACK).0;
    let fin_ack = Flags::FIN.with(Flags::ACK).0;
    let rst_ack = Flags::RST.with(Flags::ACK).0;
    let flags = prop_oneof![
        6 => Just(Flags::ACK.0),
        4 => Just(Flags::SYN.0),
        4 => Just(syn_ack),
        3 => Just(fin_ack),
        1 => Just(Flags::RST.0),
        1 => Just(rst_ack),
        1 => any::<u8>(),
    ];
    // Mostly what an honest end sends next: behind what it has sent, confirming all that the other has.
    let number = || {
        let by = prop_oneof![6 => Just(0), 3 => -2..3_i32, 2 => -120_000..120_000_i32, 1 => any::<i32>()];
        (prop_oneof![6 => Just(0_u8), 2 => 0..4_u8], by)
    };
    let window = prop_oneof![Just(0_u16), Just(60_000), any::<u16>()];
    let length = prop_oneof![2 => Just(0_u32), 2 => 1..1500_u32, 1 => 0..60_000_u32];
    let options = (prop::option::of(0..=14_u8), prop::bool::weighted(0.3));
    (flags, number(), number(), length, window, options).prop_map(
        |(flags, sequence, acknowledgment, length, window, (scale, timestamps))| Look {
            flags,
            sequence,
            acknowledgment,
            length,
            window,
            scale,
            timestamps,
        },
    )
}

/// A sequence of steps.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let conversation = || 0..CONVERSATIONS;
    let translated = prop_oneof![9 => Just(None), 1 => conversation().prop_map(Some)];
    // Few conversations talk much, so that they get somewhere.
    let talking = prop_oneof![3 => 0..2_u8, 2 => conversation()];
    let packet = (talking, any::<bool>(), look(), translated).prop_map(
        |(conversation, from_server, look, answers_of)| Step::Packet {
            conversation,
            from_server,
            look,
            answers_of,
        },
    );
    let wait = prop_oneof![4 => 0..400_u32, 2 => 0..6000_u32, 1 => 0..130_000_u32];
    let step = prop_oneof![
        20 => packet,
        4 => wait.prop_map(Step::Wait),
        2 => prop_oneof![Just(1), Just(3), Just(u32::MAX)].prop_map(Step::Expire),
        1 => any::<u8>().prop_map(Step::Revoke),
        1 => prop::collection::vec((conversation(), any::<bool>()), 0..80).prop_map(Step::Burst),
        1 => (1..9_u32).prop_map(Step::Sweep),
    ];
    prop::collection::vec(step, 1..250)
}
