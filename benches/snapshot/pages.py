"""What versions of a table store anew, by writer settings: see docs/decisions/0006.

    python benches/snapshot/pages.py [ROWS [SETTING...]]

Writes with PyArrow, whose content-defined pages are those of the Rust encoder. A chunk is a page with its
header, in blocks of 128 KiB; pages under 8 KiB count by themselves; what lies behind the pages is one chunk,
compressed.
"""
import hashlib, io, itertools, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq, pyarrow.compute as pc

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
WORDS = ["alpha", "bravo", "carbon", "delta", "ember", "falcon", "granite", "harbor", "island", "juniper",
         "kernel", "lantern", "meadow", "nickel", "orchid", "prairie", "quartz", "river", "summit", "tundra"]

def table(rows, first, seed):
    r = np.random.default_rng(seed)
    words = np.array(WORDS)
    text = words[r.integers(0, 20, rows)]
    for _ in range(3):
        text = np.char.add(np.char.add(text, " "), words[r.integers(0, 20, rows)])
    category = np.char.add("category-", np.minimum(r.zipf(1.4, rows), 300).astype(str))
    price = np.round(r.lognormal(3, 1, rows), 2)
    columns = {
        "id": np.arange(first, first + rows, dtype=np.int64),
        "time": 1_700_000_000_000_000 + (np.arange(first, first + rows, dtype=np.int64) * 1_000_000 + r.integers(0, 999_999, rows)),
        "user": r.integers(0, 1 << 40, rows),
        "category": category, "text": text, "price": price,
        "x": r.normal(size=rows), "y": r.normal(size=rows).astype(np.float32), "z": r.normal(size=rows).astype(np.float32),
        "count": r.poisson(3, rows).astype(np.int32), "flag": r.random(rows) < 0.3,
        "score": pa.array(r.normal(size=rows), mask=r.random(rows) < 0.05),
    }
    return pa.table(columns)

def versions():
    base = table(ROWS, 0, 1)
    n, m = ROWS // 100, ROWS // 2
    yield "base", base, None
    new = table(n, ROWS, 2)
    yield "append 1 %", pa.concat_tables([base, new]), new
    new = table(n, 1 << 40, 3)
    yield "insert 1 %", pa.concat_tables([base.slice(0, m), new, base.slice(m)]), new
    x = base["x"].to_numpy().copy(); x[m:m + n] = np.random.default_rng(4).normal(size=n)
    yield "edit range", base.set_column(base.column_names.index("x"), "x", pa.array(x)), pa.table({"x": x[m:m + n]})
    w = np.random.default_rng(5).normal(size=ROWS)
    yield "add column", base.append_column("w", pa.array(w)), pa.table({"w": w})
    x = base["x"].to_numpy().copy(); at = np.random.default_rng(6).choice(ROWS, ROWS // 1000, replace=False); x[at] += 1
    yield "scatter 0.1 %", base.set_column(base.column_names.index("x"), "x", pa.array(x)), pa.table({"x": x[at]})

def varint(b, i):
    n = s = 0
    while True:
        c = b[i]; i += 1; n |= (c & 127) << s; s += 7
        if c < 128: return n, i

def skip(b, i, kind):
    if kind in (1, 2): return i
    if kind == 3: return i + 1
    if kind in (4, 5, 6): return varint(b, i)[1]
    if kind == 7: return i + 8
    if kind == 8:
        n, i = varint(b, i); return i + n
    if kind == 12:
        while b[i]:
            k = b[i] & 15; d = b[i] >> 4; i += 1
            if not d: _, i = varint(b, i)
            i = skip(b, i, k)
        return i + 1
    raise ValueError(kind)

def header(b, i):
    start, last, size = i, 0, 0
    while b[i]:
        k = b[i] & 15; d = b[i] >> 4; i += 1
        if d: last += d
        else: last, i = varint(b, i)
        if last == 3 and k == 5:
            n, i = varint(b, i); size = n >> 1
        else: i = skip(b, i, k)
    return i + 1 - start + size

def chunks(b):
    md = pq.read_metadata(io.BytesIO(b)); out = []; end = 4; pages = 0
    cols = sorted(((c.dictionary_page_offset or c.data_page_offset), c.total_compressed_size)
                  for g in range(md.num_row_groups) for c in [md.row_group(g).column(j) for j in range(md.num_columns)])
    for start, size in cols:
        at = start
        while at < start + size:
            n = header(b, at); pages += 1
            out += [b[at + k: min(at + n, at + k + 131072)] for k in range(0, n, 131072)]
            at += n
        end = max(end, at)
    return out, bytes(b[end:]), pages

zstd = pa.Codec("zstd", compression_level=1)
def footer_cost(tail): return len(zstd.compress(tail))

def write(t, **k):
    s = io.BytesIO()
    pq.write_table(t, s, row_group_size=k.pop("group", 1 << 20), data_page_size=1 << 20, compression="zstd", max_rows_per_page=1 << 30, **k)
    return s.getbuffer()

def main():
    made = list(versions())
    settings = []
    for lo, hi in [(256, 1024), (64, 256), (32, 128), (16, 64), (8, 32)]:
        settings.append((f"{lo}/{hi}", dict(use_content_defined_chunking=dict(min_chunk_size=lo << 10, max_chunk_size=hi << 10, norm_level=0), use_dictionary=False, compression_level=3)))
    cdc = lambda lo, hi: dict(min_chunk_size=lo << 10, max_chunk_size=hi << 10, norm_level=0)
    settings.append(("32/128 dictionary", dict(use_content_defined_chunking=cdc(32, 128), use_dictionary=True, compression_level=3)))
    settings.append(("32/128 zstd 1", dict(use_content_defined_chunking=cdc(32, 128), use_dictionary=False, compression_level=1)))
    settings.append(("32/128 zstd 9", dict(use_content_defined_chunking=cdc(32, 128), use_dictionary=False, compression_level=9)))
    settings.append(("32/128 groups 128 Ki", dict(use_content_defined_chunking=cdc(32, 128), use_dictionary=False, compression_level=3, group=1 << 17)))
    settings.append(("32/128 groups 16 Mi", dict(use_content_defined_chunking=cdc(32, 128), use_dictionary=False, compression_level=3, group=1 << 24)))
    settings.append(("32/128 page index", dict(use_content_defined_chunking=cdc(32, 128), use_dictionary=False, compression_level=3, write_page_index=True)))
    settings.append(("16/64 groups 16 Mi", dict(use_content_defined_chunking=cdc(16, 64), use_dictionary=False, compression_level=3, group=1 << 24)))
    settings.append(("64/256 page index", dict(use_content_defined_chunking=cdc(64, 256), use_dictionary=False, compression_level=3, write_page_index=True)))
    settings.append(("1 MiB pages, no CDC", dict(use_dictionary=False, compression_level=3)))
    if len(sys.argv) > 2: settings = [s for s in settings if s[0] in sys.argv[2:]]
    print(f"{ROWS} rows")
    print("| setting | base MB | pages | tail KB (zstd) | " + " | ".join(n for n, _, _ in made[1:]) + " |")
    for name, k in settings:
        known = set(); row = []
        for vname, t, added in made:
            b = write(t, **dict(k)); parts, tail, pages = chunks(b)
            new = 0; hashes = set()
            for p in parts:
                h = hashlib.blake2b(p, digest_size=16).digest()
                if h not in known and h not in hashes: new += len(p)
                hashes.add(h)
            if vname == "base":
                known = hashes; base_size = len(b); base_new = new
                row += [f"{base_size/1e6:.2f}", str(pages), f"{len(tail)/1e3:.0f} ({footer_cost(tail)/1e3:.0f})"]
                continue
            if vname.startswith("scatter"):
                row.append(f"{(new + footer_cost(tail))/base_size*100:.1f} % of table"); continue
            # bytes a row as compressed in the whole version, by column
            md = pq.read_metadata(io.BytesIO(b)); size = {}
            for g in range(md.num_row_groups):
                for j in range(md.num_columns):
                    c = md.row_group(g).column(j); size[c.path_in_schema] = size.get(c.path_in_schema, 0) + c.total_compressed_size
            info = sum(size[c] / t.num_rows * added.num_rows for c in added.column_names)
            row.append(f"{new/info:.3f} + {footer_cost(tail)/info:.3f} ({info/1e3:.0f} KB)")
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)
main()
