"""BLAKE3, written from its specification: https://github.com/BLAKE3-team/BLAKE3-specs

Slow and short: hashing with a context, and output of any length, for small inputs.
"""

import struct

IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXED = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
DERIVE_KEY_CONTEXT, DERIVE_KEY_MATERIAL = 32, 64
BLOCK, CHUNK = 64, 1024
MASK = 0xFFFFFFFF


def compress(chaining, block, counter, length, flags):
    """Returns the 16 words of output of the compression function."""
    v = [*chaining, *IV[:4], counter & MASK, counter >> 32, length, flags]
    m = struct.unpack("<16I", block.ljust(BLOCK, b"\0"))
    for round_number in range(7):
        for step, (a, b, c, d) in enumerate(MIXED):
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = (va + vb + m[2 * step]) & MASK
            vd ^= va
            vd = (vd >> 16 | vd << 16) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & MASK
            va = (va + vb + m[2 * step + 1]) & MASK
            vd ^= va
            vd = (vd >> 8 | vd << 24) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            v[a], v[b], v[c], v[d] = va, (vb >> 7 | vb << 25) & MASK, vc, vd
        if round_number < 6:
            m = [m[i] for i in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)] + [v[i + 8] ^ chaining[i] for i in range(8)]


def chunk_node(key, data, counter, flags):
    """Returns the last compression of a chunk, not yet done."""
    blocks = [data[i : i + BLOCK] for i in range(0, len(data), BLOCK)] or [b""]
    chaining = key
    for index, block in enumerate(blocks):
        block_flags = flags
        if index == 0:
            block_flags |= CHUNK_START
        if index == len(blocks) - 1:
            return chaining, block, counter, len(block), block_flags | CHUNK_END
        chaining = compress(chaining, block, counter, BLOCK, block_flags)[:8]


def tree_node(key, data, counter, flags):
    """Returns the last compression of a subtree, not yet done."""
    if len(data) <= CHUNK:
        return chunk_node(key, data, counter, flags)
    # The left side is the largest power of two of chunks that leaves something for the right.
    left = CHUNK
    while left * 2 < len(data):
        left *= 2
    sides = (data[:left], counter), (data[left:], counter + left // CHUNK)
    values = [compress(*tree_node(key, part, at, flags))[:8] for part, at in sides]
    return key, struct.pack("<16I", *values[0], *values[1]), 0, BLOCK, flags | PARENT


def output(node, length):
    chaining, block, _, block_length, flags = node
    words = []
    for counter in range((length + BLOCK - 1) // BLOCK):
        words += compress(chaining, block, counter, block_length, flags | ROOT)
    return struct.pack(f"<{len(words)}I", *words)[:length]


def blake3(data, length=32):
    return output(tree_node(IV, data, 0, 0), length)


def derive_key(context, data, length=32):
    key = output(tree_node(IV, context.encode(), 0, DERIVE_KEY_CONTEXT), 32)
    return output(tree_node(struct.unpack("<8I", key), data, 0, DERIVE_KEY_MATERIAL), length)
