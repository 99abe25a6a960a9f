//! Two XDP programs, written out as instructions, so that no compiler is needed for them: a source that the kernel's
//! live-frame test run drives, and a sink that drops and so counts what arrives. See linux/bpf.h.

use crate::frame::{Frame, LEN, PORT, SOURCE_PORT_AT};
use anyhow::{Result, bail};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    /// Destination register in the low half, source register in the high half.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: to | from << 4, offset, immediate }
}

const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const ADD: u8 = 0x07;
const SUBTRACT_REGISTER: u8 = 0x1f;
const MULTIPLY: u8 = 0x27;
const DIVIDE: u8 = 0x37;
const AND: u8 = 0x57;
const LOAD_BYTE: u8 = 0x71;
const LOAD_HALF: u8 = 0x69;
const LOAD_WORD: u8 = 0x61;
const LOAD_DOUBLE: u8 = 0x79;
const LOAD_WIDE: u8 = 0x18;
const STORE_WORD: u8 = 0x62;
const STORE_REGISTER_HALF: u8 = 0x6b;
const STORE_REGISTER_DOUBLE: u8 = 0x7b;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_IF_GREATER: u8 = 0x2d;
const JUMP_IF_GREATER_OR_EQUAL: u8 = 0x3d;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// In place of a source register: the immediate is the descriptor of a map.
const PSEUDO_MAP: u8 = 1;

const MAP_LOOKUP: i32 = 1;
const KTIME_GET_NS: i32 = 5;
const GET_PRANDOM_U32: i32 = 7;
const REDIRECT: i32 = 23;

const XDP_DROP: i32 = 1;
const XDP_PASS: i32 = 2;

/// Sends `rate` frames per second to an interface: of the live frames that the kernel runs through it as fast as it can,
/// it redirects those that are due and drops the others, to be used again. A frame that is due is written whole, with one
/// of 1024 source ports: frames are recycled, and come back as the gateway left them.
pub fn source(frame: &Frame, interface: u32, rate: u32) -> Result<OwnedFd> {
    let map = clock_and_count()?;
    let mut program = vec![instruction(MOVE_REGISTER, 6, 1, 0, 0)];
    program.extend(due(&map, rate.cast_signed()));
    program.extend(bounds_check(LEN as i32));
    for (index, word) in frame.chunks_exact(4).enumerate() {
        let word = i32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
        program.push(instruction(STORE_WORD, 6, 0, 4 * index as i16, word));
    }
    program.extend([
        instruction(CALL, 0, 0, 0, GET_PRANDOM_U32),
        instruction(AND, 0, 0, 0, 0xff03),
        instruction(STORE_REGISTER_HALF, 6, 0, SOURCE_PORT_AT, 0),
        instruction(MOVE, 1, 0, 0, interface.cast_signed()),
        instruction(MOVE, 2, 0, 0, 0),
        instruction(CALL, 0, 0, 0, REDIRECT),
        instruction(EXIT, 0, 0, 0, 0),
    ]);
    finish(program, XDP_DROP)
}

/// Goes to the end unless a frame is due, and counts it. The map's value holds the start in nanoseconds and the count.
fn due(map: &OwnedFd, rate: i32) -> [Instruction; 21] {
    [
        instruction(STORE_WORD, 10, 0, -4, 0),
        // The map's descriptor, in the two halves of a 64-bit load.
        instruction(LOAD_WIDE, 1, PSEUDO_MAP, 0, map.as_raw_fd()),
        instruction(0, 0, 0, 0, 0),
        instruction(MOVE_REGISTER, 2, 10, 0, 0),
        instruction(ADD, 2, 0, 0, -4),
        instruction(CALL, 0, 0, 0, MAP_LOOKUP),
        instruction(JUMP_IF_EQUAL, 0, 0, TO_THE_END, 0),
        instruction(MOVE_REGISTER, 7, 0, 0, 0),
        instruction(CALL, 0, 0, 0, KTIME_GET_NS),
        instruction(LOAD_DOUBLE, 1, 7, 0, 0),
        instruction(JUMP_IF_NOT_EQUAL, 1, 0, 2, 0),
        instruction(STORE_REGISTER_DOUBLE, 7, 0, 0, 0),
        instruction(MOVE_REGISTER, 1, 0, 0, 0),
        instruction(SUBTRACT_REGISTER, 0, 1, 0, 0),
        instruction(MULTIPLY, 0, 0, 0, rate),
        instruction(DIVIDE, 0, 0, 0, 1_000_000_000),
        instruction(LOAD_DOUBLE, 1, 7, 8, 0),
        instruction(JUMP_IF_GREATER_OR_EQUAL, 1, 0, TO_THE_END, 0),
        instruction(ADD, 1, 0, 0, 1),
        instruction(STORE_REGISTER_DOUBLE, 7, 1, 8, 0),
        instruction(MOVE_REGISTER, 1, 6, 0, 0),
    ]
}

/// Drops UDP over IPv4 to the discard port and passes everything else.
pub fn sink() -> Result<OwnedFd> {
    let mut program = bounds_check(42);
    let ethertype = i32::from(0x0800_u16.to_be());
    let port = i32::from(PORT.to_be());
    for (load, at, value) in
        [(LOAD_HALF, 12, ethertype), (LOAD_BYTE, 23, 17), (LOAD_HALF, 36, port)]
    {
        program.push(instruction(load, 5, 6, at, 0));
        program.push(instruction(JUMP_IF_NOT_EQUAL, 5, 0, TO_THE_END, value));
    }
    program.push(instruction(MOVE, 0, 0, 0, XDP_DROP));
    program.push(instruction(EXIT, 0, 0, 0, 0));
    finish(program, XDP_PASS)
}

/// A jump that [`finish`] points at the last two instructions.
const TO_THE_END: i16 = i16::MAX;

/// Register 6 holds the packet; packets shorter than `len` go to the end.
fn bounds_check(len: i32) -> Vec<Instruction> {
    vec![
        instruction(LOAD_WORD, 3, 1, 4, 0),
        instruction(LOAD_WORD, 6, 1, 0, 0),
        instruction(MOVE_REGISTER, 4, 6, 0, 0),
        instruction(ADD, 4, 0, 0, len),
        instruction(JUMP_IF_GREATER, 4, 3, TO_THE_END, 0),
    ]
}

fn finish(mut program: Vec<Instruction>, verdict: i32) -> Result<OwnedFd> {
    let end = program.len();
    for (index, instruction) in program.iter_mut().enumerate() {
        if instruction.offset == TO_THE_END {
            instruction.offset = i16::try_from(end - index - 1)?;
        }
    }
    program.push(instruction(MOVE, 0, 0, 0, verdict));
    program.push(instruction(EXIT, 0, 0, 0, 0));
    load(&program)
}

#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

#[repr(C)]
struct MapAttributes {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkAttributes {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct TestAttributes {
    program: u32,
    return_value: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    /// The kernel refuses anything but zeros behind what it knows: no padding may stay unwritten.
    reserved: u32,
}

const _: () = assert!(size_of::<TestAttributes>() == 80);

const BPF_MAP_CREATE: i32 = 0;
const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_TEST_RUN: i32 = 10;
const BPF_LINK_CREATE: i32 = 28;
const MAP_TYPE_ARRAY: u32 = 2;
const PROGRAM_TYPE_XDP: u32 = 6;
const ATTACH_TYPE_XDP: u32 = 37;
const NATIVE_MODE: u32 = 1 << 2;
const LIVE_FRAMES: u32 = 1 << 1;

fn load(program: &[Instruction]) -> Result<OwnedFd> {
    let mut log = vec![0_u8; 1 << 16];
    let attributes = LoadAttributes {
        kind: PROGRAM_TYPE_XDP,
        instruction_count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: 1,
        log_size: log.len() as u32,
        log: log.as_mut_ptr() as u64,
    };
    match bpf(BPF_PROG_LOAD, &attributes) {
        Ok(descriptor) => Ok(descriptor_of(descriptor)),
        Err(error) => {
            bail!("the kernel refuses the program: {error}\n{}", String::from_utf8_lossy(&log))
        }
    }
}

/// Attaches natively; the program leaves with the returned link.
pub fn attach(program: &OwnedFd, interface: u32) -> Result<OwnedFd> {
    let attributes = LinkAttributes {
        program: program.as_raw_fd().cast_unsigned(),
        interface,
        attach_type: ATTACH_TYPE_XDP,
        flags: NATIVE_MODE,
    };
    Ok(descriptor_of(bpf(BPF_LINK_CREATE, &attributes)?))
}

/// Runs the source over live frames until a signal arrives.
pub fn emit(program: &OwnedFd) -> Result<()> {
    let seed = [0_u8; LEN];
    let attributes = TestAttributes {
        program: program.as_raw_fd().cast_unsigned(),
        data_size_in: LEN as u32,
        data_in: seed.as_ptr() as u64,
        repeat: i32::MAX.cast_unsigned(),
        flags: LIVE_FRAMES,
        batch_size: 64,
        ..TestAttributes::default()
    };
    bpf(BPF_PROG_TEST_RUN, &attributes)?;
    Ok(())
}

/// A map of one value of two 64-bit words, zero at first.
fn clock_and_count() -> Result<OwnedFd> {
    let attributes =
        MapAttributes { kind: MAP_TYPE_ARRAY, key_size: 4, value_size: 16, entries: 1 };
    Ok(descriptor_of(bpf(BPF_MAP_CREATE, &attributes)?))
}

fn bpf<T>(command: i32, attributes: &T) -> io::Result<i32> {
    // SAFETY: the attributes are one of the repr(C) structs above, of which the kernel reads as many bytes as it is
    // told; every pointer in them is valid for the length beside it until the call returns, and only the log, which
    // was borrowed mutably, is written.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

fn descriptor_of(raw: i32) -> OwnedFd {
    // SAFETY: the kernel has just returned this descriptor, and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}
