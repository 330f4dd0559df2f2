"""Databases in Berkeley DB's older on-disk formats, made of new ones.

No library writes them any more. Of a hash, versions 7 and 8 have pages whose entries lie in any order
(type 2), where 9 has them sorted (type 13); of a btree, 8 and 9 differ where keys come more than once.
The layout is that of the library's db_page.h: numbers are in the byte order of the file."""
import struct

HASH, BTREE = 0x061561, 0x053162
UNSORTED, SORTED = 2, 13
PAGE_HEAD = 26  # lsn, number, previous, next, entries, offset of the lowest, level, type


def order_of(data):
    return "<" if struct.unpack_from("<I", data, 12)[0] in (HASH, BTREE) else ">"


def with_version(data, version):
    """The same file, only that it says so."""
    old = bytearray(data)
    struct.pack_into(order_of(data) + "I", old, 16, version)
    return bytes(old)


def unsorted(data):
    """A hash as of version 7 and 8, the entries of each page in the opposite order; and how many pages
    that makes unsorted indeed."""
    old, e, pages = bytearray(data), order_of(data), 0
    size = struct.unpack_from(e + "I", data, 20)[0]
    for at in range(size, len(data), size):
        if data[at + 25] != SORTED:
            continue
        old[at + 25] = UNSORTED
        n, = struct.unpack_from(e + "H", data, at + 20)
        index = struct.unpack_from("%s%dH" % (e, n), data, at + PAGE_HEAD)
        items = [data[at + p:at + end] for p, end in zip(index, (size,) + index)]  # laid from the end on
        pairs = [items[i:i + 2] for i in range(0, n, 2)][::-1]
        pages += n > 2
        end, index = size, []
        for item in (item for pair in pairs for item in pair):
            end -= len(item)
            old[at + end:at + end + len(item)] = item
            index.append(end)
        struct.pack_into("%s%dH" % (e, n), old, at + PAGE_HEAD, *index)
    return bytes(old), pages


def before_2(magic, version, order):
    """The beginning of a file of Berkeley DB 1.85, and room for no more than that."""
    return struct.pack(order + "II", magic, version) + bytes(4096 - 8)
