"""Table digests, written from docs/formats/table-digest.md alone.

Reads tables as JSON, one a line, and writes their digests as JSON, one a line. See README.md.
"""

import json
import struct
import sys

from blake3 import blake3, derive_key

NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def text(string):
    data = string.encode()
    return struct.pack("<Q", len(data)) + data


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def quoted(string):
    return json.dumps(string, ensure_ascii=False)


def name_order(fields):
    """Returns the places of (name, type) pairs in name order."""
    return sorted(range(len(fields)), key=lambda i: fields[i][0].encode())


def spell(t, semantic):
    """Spells a logical type."""
    kind = t["kind"]
    if kind in ("int", "uint"):
        return "int" if semantic else f"{kind}{t['bits']}"
    if kind == "float":
        return "float" if semantic else f"float{t['bits']}"
    if kind in ("date32", "date64"):
        return "date" if semantic else kind
    if kind == "timestamp":
        zone = t["zone"]
        if semantic:
            return "timestamp" if zone is None else "timestamp(utc)"
        return f"timestamp({t['unit']})" if zone is None else f"timestamp({t['unit']},{quoted(zone)})"
    if kind in ("time", "duration", "interval"):
        return kind if semantic else f"{kind}({t['unit']})"
    if kind == "decimal":
        return f"decimal({t['scale']})"
    if kind == "list":
        return f"list({spell(t['item'], semantic)})"
    if kind == "map":
        return f"map({spell(t['key'], semantic)},{spell(t['value'], semantic)})"
    if kind in ("struct", "union"):
        fields = [t["fields"][i] for i in name_order(t["fields"])]
        inner = ",".join(f"{quoted(name)}:{spell(field, semantic)}" for name, field in fields)
        return f"{kind}({inner})"
    assert kind in ("null", "bool", "utf8", "binary"), kind
    return kind


def signed(number, width):
    return int(number).to_bytes(width, "little", signed=True)


def float_bytes(bits, width):
    """Narrows the bits of a float64, which hold the value exactly."""
    number = struct.unpack("<d", bytes.fromhex(bits)[::-1])[0]
    if number != number:
        return {2: b"\x00\x7e", 4: b"\x00\x00\xc0\x7f", 8: b"\0\0\0\0\0\0\xf8\x7f"}[width]
    return struct.pack({2: "<e", 4: "<f", 8: "<d"}[width], number)


def interval_bytes(unit, parts, semantic):
    if semantic:
        months, days, nanoseconds = {
            "year_month": lambda m: (m, 0, 0),
            "day_time": lambda d, ms: (0, d, ms * 10**6),
            "month_day_nano": lambda m, d, ns: (m, d, ns),
        }[unit](*parts)
        return struct.pack("<iiq", months, days, nanoseconds)
    return struct.pack({"year_month": "<i", "day_time": "<ii", "month_day_nano": "<iiq"}[unit], *parts)


def value(t, v, semantic):
    """Returns length (None where the type has none) and bytes of a value."""
    kind = t["kind"]
    if kind == "bool":
        return None, bytes([v])
    if kind in ("int", "uint"):
        if semantic:
            return None, signed(v, 16)
        return None, int(v).to_bytes(t["bits"] // 8, "little", signed=kind == "int")
    if kind == "float":
        data = float_bytes(v, 8 if semantic else t["bits"] // 8)
        if semantic and data == struct.pack("<d", -0.0):
            data = bytes(8)
        return None, data
    if kind == "decimal":
        return None, signed(v, 32)
    if kind == "date32":
        return None, signed(int(v) * 86_400_000, 8) if semantic else signed(v, 4)
    if kind == "date64":
        return None, signed(v, 8)
    if kind in ("time", "timestamp", "duration"):
        if semantic:
            return None, signed(int(v) * NANOSECONDS[t["unit"]], 16)
        return None, signed(v, 4 if kind == "time" and t["unit"] in ("s", "ms") else 8)
    if kind == "interval":
        return None, interval_bytes(t["unit"], [int(part) for part in v], semantic)
    if kind == "utf8":
        data = v.encode()
        return len(data), data
    if kind == "binary":
        data = bytes.fromhex(v)
        return len(data), data
    if kind == "list":
        return len(v), b"".join(cell(t["item"], item, semantic) for item in v)
    if kind == "map":
        entry = {"kind": "struct", "fields": [["", t["key"]], ["", t["value"]]]}
        return len(v), b"".join(cell(entry, pair, semantic) for pair in v)
    if kind == "struct":
        order = name_order(t["fields"])
        return None, b"".join(cell(t["fields"][i][1], v[i], semantic) for i in order)
    if kind == "union":
        member, inner = v
        place = name_order(t["fields"]).index(member)
        return None, varint(place) + cell(t["fields"][member][1], inner, semantic)
    raise AssertionError(kind)


def is_null(t, v):
    # A slot of a union is a list, so it is not null, whatever is in it.
    return v is None


def cell(t, v, semantic):
    if is_null(t, v):
        return b"\0"
    length, data = value(t, v, semantic)
    return b"\1" + (b"" if length is None else varint(length)) + data


def column_digest(t, values, semantic):
    validity = bytearray((len(values) + 7) // 8)
    lengths, data = [], []
    for row, v in enumerate(values):
        if is_null(t, v):
            continue
        validity[row // 8] |= 1 << row % 8
        length, content = value(t, v, semantic)
        lengths.append(b"" if length is None else varint(length))
        data.append(content)
    streams = bytes(validity), b"".join(lengths), b"".join(data)
    context = "mainstay table-digest v2 semantic column" if semantic else "mainstay table-digest v1 column"
    parts = text(spell(t, semantic)) + struct.pack("<Q", len(values))
    return derive_key(context, parts + b"".join(blake3(stream) for stream in streams))


def digests(table, semantic):
    columns, rows = table["columns"], table["rows"]
    order = name_order([(c["name"], c["type"]) for c in columns])
    column_digests = [column_digest(c["type"], c["values"], semantic) for c in columns]
    head = struct.pack("<QQ", rows, len(columns))

    context = "mainstay table-digest v2 semantic table" if semantic else "mainstay table-digest v1 table"
    names = b"".join(text(columns[i]["name"]) for i in order)
    table_digest = derive_key(context, head + names + b"".join(column_digests[i] for i in order))

    infix = "semantic " if semantic else ""
    lanes = [0] * 512
    for row in range(rows):
        cells = (cell(columns[i]["type"], columns[i]["values"][row], semantic) for i in order)
        expanded = derive_key(f"mainstay table-digest v2 {infix}row", b"".join(cells), 4096)
        for lane, addend in enumerate(struct.unpack("<512Q", expanded)):
            lanes[lane] = (lanes[lane] + addend) % 2**64
    described = b"".join(text(columns[i]["name"]) + text(spell(columns[i]["type"], semantic)) for i in order)
    rows_digest = derive_key(
        f"mainstay table-digest v2 {infix}rows", head + described + struct.pack("<512Q", *lanes)
    )
    return {
        "columns": [digest.hex() for digest in column_digests],
        "table": table_digest.hex(),
        "rows": rows_digest.hex(),
    }


if __name__ == "__main__":
    for line in sys.stdin:
        parsed = json.loads(line)
        print(json.dumps({"strict": digests(parsed, False), "semantic": digests(parsed, True)}))
