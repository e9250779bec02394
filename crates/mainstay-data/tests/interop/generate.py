"""Writes one table with every writer that is installed. See README.md."""

import datetime
import decimal
import os
import sys

import duckdb
import polars
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

ROWS = 100


def nullable(value, step=7):
    return [None if i % step == 3 else value(i) for i in range(ROWS)]


TABLE = pa.table({
    "id": pa.array(range(ROWS), pa.int64()),
    "small": pa.array(nullable(lambda i: i % 100 - 50), pa.int32()),
    "flag": pa.array(nullable(lambda i: i % 3 == 0, 5), pa.bool_()),
    "score": pa.array(nullable(lambda i: [0.5, -0.0, 1e300, float("nan")][i % 4] * (i + 1), 11), pa.float64()),
    "ratio": pa.array(nullable(lambda i: i / 8), pa.float32()),
    "label": pa.array(nullable(lambda i: ["red", "green", "", "blå"][i % 4]), pa.string()),
    "blob": pa.array(nullable(lambda i: bytes([i % 256, 0]) * (i % 3)), pa.binary()),
    "day": pa.array(
        nullable(lambda i: datetime.date(1960, 1, 1) + datetime.timedelta(days=200 * i)), pa.date32()
    ),
    "at": pa.array(nullable(lambda i: datetime.datetime(1969, 12, 31, 23, 59, i % 60, i)), pa.timestamp("us")),
    "price": pa.array(nullable(lambda i: decimal.Decimal(i * 37 - 2000).scaleb(-2)), pa.decimal128(12, 2)),
    "tags": pa.array(
        nullable(lambda i: [None if j == 1 else j for j in range(i % 4)]), pa.list_(pa.int32())
    ),
    "point": pa.array(
        nullable(lambda i: {"x": i, "y": None if i % 2 else f"p{i % 5}"}),
        pa.struct([("x", pa.int64()), ("y", pa.string())]),
    ),
})


def with_column(table, name, column):
    return table.set_column(table.column_names.index(name), name, column)


def by_pyarrow(path):
    parquet.write_table(
        TABLE, path("1.0-snappy.parquet"), version="1.0", data_page_version="1.0",
        compression="snappy", row_group_size=40, store_schema=False,
    )  # fmt: skip
    parquet.write_table(
        TABLE, path("2.6-zstd-plain.parquet"), version="2.6", data_page_version="2.0",
        compression="zstd", use_dictionary=False, row_group_size=90,
    )  # fmt: skip
    parquet.write_table(
        TABLE, path("gzip-delta.parquet"), compression="gzip", use_dictionary=False,
        column_encoding={
            "id": "DELTA_BINARY_PACKED", "score": "BYTE_STREAM_SPLIT",
            "label": "DELTA_BYTE_ARRAY", "blob": "DELTA_LENGTH_BYTE_ARRAY",
        },
    )  # fmt: skip
    encoded = with_column(TABLE, "label", TABLE["label"].dictionary_encode())
    encoded = with_column(encoded, "blob", encoded["blob"].cast(pa.large_binary()))
    encoded = encoded.select(encoded.column_names[::-1])
    parquet.write_table(encoded, path("dictionary-lz4.parquet"), compression="lz4", row_group_size=70)
    feather.write_feather(encoded, path("dictionary-zstd.arrow"), compression="zstd", chunksize=60)
    if hasattr(pa, "string_view"):
        try:
            views = with_column(TABLE, "label", TABLE["label"].cast(pa.string_view()))
        except pa.ArrowNotImplementedError:
            return
        with pa.ipc.new_file(path("views.arrow"), views.schema) as writer:
            writer.write_table(views, max_chunksize=64)


def by_polars(path):
    frame = polars.from_arrow(TABLE)
    frame.write_parquet(path("zstd.parquet"), compression="zstd", row_group_size=60, statistics=False)
    frame.write_parquet(path("uncompressed.parquet"), compression="uncompressed")
    # Earlier releases write dictionaries of views whose message is no valid flatbuffer.
    if polars.__version__ >= "2":
        categories = frame.with_columns(polars.col("label").cast(polars.Categorical))
        categories.write_ipc(path("categorical-lz4.arrow"), compression="lz4")
    widened = frame.with_columns(
        polars.col("small").cast(polars.Int64),
        polars.col("ratio").cast(polars.Float64),
        polars.col("at").cast(polars.Datetime("ns")),
    )
    widened.write_parquet(path("widened.parquet"), compression="zstd")


def by_duckdb(path):
    connection = duckdb.connect()
    connection.register("rows", TABLE)
    write = lambda name, options: connection.execute(f"COPY rows TO '{path(name)}' (FORMAT parquet, {options})")
    write("zstd.parquet", "COMPRESSION zstd")
    write("snappy.parquet", "COMPRESSION snappy, ROW_GROUP_SIZE 2048")
    if duckdb.__version__ >= "1.2":
        write("v2-uncompressed.parquet", "COMPRESSION uncompressed, PARQUET_VERSION v2")


if __name__ == "__main__":
    for write, library in [(by_pyarrow, pa), (by_polars, polars), (by_duckdb, duckdb)]:
        start = f"{library.__name__}-{library.__version__}-"
        write(lambda name, start=start: os.path.join(sys.argv[1], start + name))
