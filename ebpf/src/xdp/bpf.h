/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The few kernel helpers and declaration macros the steering program needs, on top of the
 * kernel's own UAPI headers. Helpers are called by number, as the BPF calling convention wants;
 * the numbers are part of the kernel ABI (enum bpf_func_id in linux/bpf.h).
 */
#ifndef RINGWALL_BPF_H
#define RINGWALL_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/*
 * A function the verifier checks once, by itself: what it finds does not multiply with the paths
 * of its callers. What it gets by pointer is plain memory to it, unlike its own stack (see KEY).
 */
#define SEPARATE __attribute__((noinline))

/*
 * A map key of four bytes in a word of eight. Kernels before 6.8 take each smaller store of a
 * number to the stack for a saved register, and then let no process without CAP_PERFMON store to
 * the other half of the word.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define KEY(value) ((__u64)(__u32)(value))
#else
#define KEY(value) ((__u64)(__u32)(value) << 32)
#endif

/* Map attributes travel as types in BTF: an integer is the length of an array type. */
#define MAP_INTEGER(name, value) int(*name)[value]
#define MAP_TYPE(name, value) __typeof__(value) *name

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define network16(value) __builtin_bswap16(value)
#define network32(value) __builtin_bswap32(value)
#else
#define network16(value) (value)
#define network32(value) (value)
#endif

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(void *map, const void *key, const void *value, __u64 flags) =
	(void *)BPF_FUNC_map_update_elem;
static long (*const redirect_map)(void *map, __u32 key, __u64 flags) =
	(void *)BPF_FUNC_redirect_map;
/* CLOCK_MONOTONIC at tick resolution (1 to 10 ms late): far cheaper than the exact clock. */
static __u64 (*const coarse_clock_ns)(void) = (void *)BPF_FUNC_ktime_get_coarse_ns;
/* Length of the frame over all its buffers; kernel 5.18. */
static __u64 (*const frame_length)(struct xdp_md *context) = (void *)BPF_FUNC_xdp_get_buff_len;
/* Copies bytes of the frame, whichever buffers they are in; not zero when it ends before. */
static long (*const load_bytes)(struct xdp_md *context, __u32 offset, void *to, __u32 length) =
	(void *)BPF_FUNC_xdp_load_bytes;

#endif
