#!/usr/bin/python3
"""A second reader of the store, written from docs/format.md alone: second_reader.py WHAT STORE

WHAT is `events`, as `inquest export --format ndjson` prints them; `raw NUMBER`, the bytes of one evidence; or `check`, which compares every hash, root, summary,
zone map, filter and evidence and then lists the layouts and slots that it met. STORE is a directory or one segment."""
import base64
import collections
import datetime
import functools
import hashlib
import json
import pathlib
import sqlite3
import sys

import xxhash
import zstandard

KINDS = ("ws.open ws.message ws.ping ws.pong ws.close http.request http.response sse.message net.error log container probe clock "
         "gap").split()
DIRECTIONS = (None, "client", "server")
SEVERITIES = (None, "trace", "debug", "info", "notice", "warning", "error", "critical")
NOTHING = -1 << 63
MIB = 1 << 20
MET = collections.Counter()  # what occurred, by the names that docs/format.md gives it


class Damaged(Exception):
    pass


def expect(good, what):
    if not good:
        raise Damaged(what)


def met(family, name):
    MET[f"{family} {name}"] += 1
    return name


def signed(number):
    """Arithmetic is modulo 2^64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def summed(first, differences):
    values = [first]
    for difference in differences:
        values.append(signed(values[-1] + difference))
    return values


def recent(ranks):
    values, recent_ones, counter = [], [], 0
    for rank in ranks:
        if rank == 0:
            value, counter = counter, counter + 1
        else:
            value = recent_ones.pop(rank - 1) if rank <= 64 else rank - 65
        recent_ones = [value, *recent_ones[:63]]
        values.append(value)
    return values


def again(ranks, numbers):
    values, recent_ones = [], []
    for rank in ranks:
        value = recent_ones.pop(rank - 1) if rank else next(numbers)
        recent_ones = [value, *recent_ones[:63]]
        values.append(value)
    return values


def followers(counts, values):
    groups = [iter([next(values) for _ in range(count)]) for count in counts]
    found = [0]
    for _ in range(sum(counts)):
        found.append(next(groups[found[-1]]))
    return found[1:]


# ---- Streams ----

class Stream:
    def __init__(self, data, segment=None):
        self.data, self.at, self.segment = data, 0, segment

    def take(self, count):
        expect(count <= len(self.data) - self.at, "a stream ends early")
        self.at += count
        return self.data[self.at - count:self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def zigzag(self):
        number = self.varint()
        return -(number // 2) - 1 if number & 1 else number // 2

    def part(self):
        """What a length is in front of."""
        return Stream(self.take(self.varint()), self.segment)

    def ended(self):
        return self.at == len(self.data)

    def bytes(self):
        size = self.varint()
        if size & 1 == 0:
            return self.take(size >> 1)
        if size & 2 == 0:
            met("bytes", "zstd")
            return self.frame(size >> 2)
        met("bytes", "blocks")
        blocks = self.part()
        data = b"".join([blocks.frame(min(32768, (size >> 2) - at)) for at in range(0, size >> 2, 32768)])
        expect(blocks.ended(), "blocks are longer than their frames")
        return data

    def frame(self, size):
        frame = b"\x28\xb5\x2f\xfd" + self.take(self.varint())
        data = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)
        expect(len(data) == size, "a frame of another size")
        return data

    def bits(self, count):
        data = self.bytes()
        return [data[i // 8] >> i % 8 & 1 == 1 for i in range(count)]

    def packed(self, count):
        base, scale, width = self.zigzag(), self.varint(), self.byte()
        planes = [self.bytes() for _ in range(width)]
        return [signed(base + scale * sum(plane[i] << 8 * p for p, plane in enumerate(planes))) for i in range(count)]

    def ints(self, count, codes=None):
        layout = met("ints", ("CONST", "PLANES", "DELTA", "DELTA2", "GIVEN", "RECENT", "DICT", "FOLLOW", "AGAIN")[self.byte()])
        if layout == "CONST":
            return [self.zigzag()] * count
        if layout == "PLANES":
            return self.packed(count)
        if layout == "GIVEN":
            return self.given(codes)
        if layout == "DICT":
            numbers = self.ints(self.varint())
            return [numbers[which] for which in self.ints(count)]
        if layout == "AGAIN":
            numbers = self.varint()
            return again(self.ints(count), iter(self.ints(numbers)))
        if layout == "FOLLOW":
            counts = self.ints(self.varint())
            expect(len(counts) <= 8192 and sum(counts) == count, "groups of another size")
            return followers(counts, iter(self.packed(count)))
        if layout == "RECENT":
            return recent(self.packed(count))
        first = self.zigzag()
        if layout == "DELTA":
            return summed(first, self.packed(count - 1))
        difference = self.zigzag()
        return summed(first, summed(difference, self.packed(count - 2)))

    def given(self, codes):
        by_code = self.ints(self.varint())
        values = [by_code[code] for code in codes]
        count = self.varint()
        rows = summed(0, self.ints(count))[1:]
        for row, value in zip(rows, self.ints(count)):
            values[row] = value
        return values

    def numbers(self, count, codes=None):
        """None where there is no value."""
        if self.byte() == 0:
            values = self.ints(count, codes)
            return [None] * count if set(values) == {NOTHING} else values
        met("numbers", "with a bit for each")
        there = self.bits(count)
        values = iter(self.ints(sum(there)))
        return [next(values) if bit else None for bit in there]

    def texts(self, rows, chunk=None):
        """The texts of these rows of a chunk; outside a chunk `rows` only says how many."""
        layout, there = self.byte(), [True] * len(rows)
        if layout & 0x80:
            met("texts", "NULL")
            there = self.bits(len(rows))
        some = [row for row, bit in zip(rows, there) if bit]
        name = met("texts", ("CONST", "PLAIN", "DICT", "FIXED", "WORDS", "SPLIT", "LINES", "FIELD", "ESCAPED")[layout & 0x7f])
        values = iter(split(self, some, chunk) if name == "SPLIT" else getattr(self, "texts_" + name.lower())(len(some)))
        return [next(values) if bit else None for bit in there]

    def texts_const(self, count):
        return [self.take(self.varint())] * count

    def texts_plain(self, count):
        lengths = self.ints(count)
        data = Stream(self.bytes())
        return [data.take(length) for length in lengths]

    def texts_dict(self, count):
        words = self.texts(range(self.varint()))
        return [words[index] for index in self.ints(count)]

    def texts_fixed(self, count):
        length, pattern = self.varint(), self.bytes()
        expect(length == len(pattern), "a pattern of another length")
        digits = iter(self.bytes().hex().encode())
        return [bytes([character or next(digits) for character in pattern]) for _ in range(count)]

    def texts_lines(self, count, feed=b"\n"):
        counts = self.ints(count)
        lines = iter(self.texts(range(self.varint())))
        return [feed.join([next(lines) for _ in range(n)]) for n in counts]

    def texts_escaped(self, count):
        return self.texts_lines(count, b"\\n")

    def texts_words(self, count):
        counts = self.ints(count)
        words, indices = self.segment.words(), iter(self.ints(self.varint()))
        return [b" ".join([words[next(indices)] for _ in range(n)]) for n in counts]


# ---- Templates ----

class Slot:
    """What `<` and `>` enclose. `numbers` and `digits` iterate over the values of the texts that have it."""
    VALUED = ("str", "int", "num", "time", "near", "ts", "observed")

    def __init__(self, text):
        self.kind, _, self.style = text.decode().partition(":")
        self.source, self.before = None, []
        style = self.style[:1] if self.kind == "part" else self.style
        met("slot", self.kind + (" " + style if style else ""))

    def valued(self):
        return self.kind in self.VALUED

    def piece_of(self, body):
        begins = end = 0
        for part in self.before + [self]:
            begins, end = end, part.end_of(body, end)
        expect(begins <= end <= len(body) and not 0x80 <= (body[begins:] or b"-")[0] <= 0xbf or begins == 0, "a part that is not one")
        return body[begins:end]

    def end_of(self, body, begins):
        if self.kind == "body":
            return len(body)
        return begins + int(self.style[1:]) if self.style[1:] else body.find(b"\n", begins) + 1

    def field_of(self, text):
        end, before = ["" if byte == "--" else bytes.fromhex(byte) for byte in (self.style[:2], self.style[2:4])]
        return field(text, int(self.style[4:] or 0), before, end)

    def text(self, chunk, row):
        if self.valued():
            return self.source.next(self, chunk, row)
        if self.kind in ("field", "rawfield"):
            return self.field_of(chunk.column("body" if self.kind == "field" else "raw")[row])
        if self.kind in ("part", "body"):
            return json_string(self.piece_of(chunk.column("body")[row]), ord(self.style[0]) - 64)
        value = chunk.column(self.kind)[row]
        return value if isinstance(value, bytes) else str(value).encode()


def field(text, nth, before, end):
    begins = 0
    for _ in range(nth):
        begins = text.index(before, begins) + 1
    return text[begins:text.index(end, begins)] if end else text[begins:]


class Constant:
    """Where a slot is the same in all texts."""

    def __init__(self, value, digits):
        self.value, self.digits = value, digits

    def next(self, slot, chunk, row):
        return written(slot, self.value, self.digits, chunk, row)


class Column:
    """The values of slots of one kind, in the order of the texts."""

    def __init__(self, stream):
        kind, count, part = Slot.VALUED[stream.byte() - 1], stream.varint(), stream.part()
        self.mode, self.digits, self.values = 0, None, None
        if kind not in ("str", "int"):
            self.read_digits(kind, part, count)
        self.field = None
        if kind == "str" and part.data[0] == 7:
            self.read_field(part, count)
        elif kind == "str":
            self.texts = part.texts(range(count))
            self.values = iter(self.texts)
        elif kind not in ("ts", "observed"):
            self.values = iter(part.ints(count))
        expect(part.ended(), "a column is longer than its values")

    def read_field(self, part, count):
        met("texts", "FIELD")
        _, source, nth, before, to_end, end = part.byte(), part.varint(), part.varint(), part.take(1), part.byte(), part.take(1)
        self.field = source, nth, before, b"" if to_end else end
        self.others = part.texts(range(count))

    def derive(self, columns):
        if self.field:
            source, *how = self.field
            self.values = iter([field(text, *how) if other is None else other for text, other in zip(columns[source].texts, self.others)])

    def read_digits(self, kind, part, count):
        self.mode = part.byte()
        met("digits", f"{self.mode} of {kind}")
        self.digits = iter(part.ints(count)) if self.mode == 2 else part.byte()

    def next(self, slot, chunk, row):
        value = next(self.values) if self.values else None
        if self.mode == 1:
            return trimmed(slot, value, self.digits, chunk, row)
        return written(slot, value, next(self.digits) if self.mode == 2 else self.digits, chunk, row)


def zeros(number, most):
    count = 0
    while count < most and number % 10 == 0:
        number, count = number // 10, count + 1
    return count


def trimmed(slot, value, place, chunk, row):
    if slot.kind == "num":
        digits = max(1, place - zeros(value, place))
        return decimal(value // 10**(place - digits), digits)
    time = moment(slot, value, place, chunk, row)
    return instant(time, slot.style, max(1, place - zeros(time % 10**9, 9)))


def written(slot, value, digits, chunk, row):
    if slot.kind == "str":
        return value
    if slot.kind == "int":
        return b"%d" % value
    if slot.kind == "num":
        return decimal(value, digits)
    return instant(moment(slot, value, digits, chunk, row), slot.style, digits)


def moment(slot, value, digits, chunk, row):
    if slot.kind == "time":
        return value
    if slot.kind == "near":
        return signed((value + chunk.column("ts")[row] // unit(slot.style, digits)) * unit(slot.style, digits))
    return chunk.column(slot.kind)[row]


def unit(style, digits):
    return {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}.get(style) or 10**(9 - digits)


def decimal(number, digits):
    text = b"%0*d" % (digits + 1, abs(number))
    return b"-" * (number < 0) + text[:len(text) - digits] + b"." + text[len(text) - digits:]


def instant(ns, style, digits):
    if style in ("s", "ms", "us", "ns"):
        return b"%d" % (ns // unit(style, digits))
    if style == "s.":
        return decimal(ns // unit(style, digits), digits)
    seconds, fraction = divmod(ns, 10**9)
    when = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    text = when.strftime(f"%Y{style[0]}%m{style[0]}%d{style[1]}%H:%M:%S") + f"{style[2:]}{fraction:09d}"[:digits + 1] * (digits > 0)
    return text.encode()


def json_string(data, style):
    if style == 32:
        return data
    if style == 33:
        return base64.b64encode(data)
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    short.update({"\b": "\\b", "\f": "\\f"} if style & 1 else {})
    short.update({"/": "\\/"} if style & 8 else {})
    text = ""
    for c in data.decode("utf-8", "surrogateescape"):
        stray = "\udc80" <= c <= "\udcff"
        long = (c < " " or style & 2 and c in "<>&\u2028\u2029" or style & 4 and c > "\x7f" and not stray or style & 16 and c == "\x7f")
        units = c.encode("utf-16-be", "surrogatepass").hex()
        text += short.get(c) or ("".join("\\u" + units[i:i + 4] for i in range(0, len(units), 4)) if long else c)
    return text.encode("utf-8", "surrogateescape")


def parse_template(text):
    """Constant parts and slots, in order."""
    parts, at, pieces = [], 0, []
    while at < len(text):
        if text[at:at + 1] != b"<":
            end = (text + b"<").index(b"<", at)
            parts.append(text[at:end])
        elif text[at + 1:at + 2] == b"<":
            end = at + 2
            parts.append(b"<")
        else:
            end = text.index(b">", at) + 1
            parts.append(Slot(text[at + 1:end - 1]))
            parts[-1].before = pieces
            pieces = pieces + [parts[-1]] if parts[-1].kind == "part" else [] if parts[-1].kind == "body" else pieces
        at = end
    return parts


def split(stream, rows, chunk):
    count = stream.varint()
    if stream.byte() == 1:
        templates = [chunk.segment.templates[no] for no in stream.ints(count)]
    else:
        templates = stream.part().texts(range(count))
    templates = [parse_template(text) for text in templates]
    if stream.byte() == 1:
        shapes = [chunk.column("shape")[row] for row in rows]
    else:
        shapes = stream.ints(len(rows))
    read_values(stream, [part for template in templates for part in template if isinstance(part, Slot) and part.valued()])
    misfits = stream.varint()
    misfits = iter(stream.part().texts(range(misfits)))
    return [b"".join([part if isinstance(part, bytes) else part.text(chunk, row) for part in templates[shape - 1]])
            if shape else next(misfits) for row, shape in zip(rows, shapes)]


def read_values(stream, slots):
    places = stream.ints(len(slots))
    constant = [slot for slot, place in zip(slots, places) if place == 0]
    strings = [slot for slot in constant if slot.kind == "str"]
    others = [slot for slot in constant if slot.kind != "str"]
    for slot, text in zip(strings, stream.part().texts(range(len(strings)))):
        slot.source = Constant(text, None)
    for slot, value, digits in zip(others, stream.ints(len(others)), stream.ints(len(others))):
        slot.source = Constant(value, digits)
    columns = [Column(stream) for _ in range(stream.varint())]
    for column in columns:
        column.derive(columns)
    for slot, place in zip(slots, places):
        if place:
            slot.source = columns[place - 1]


# ---- Chunks ----

class Chunk:
    """Columns are decoded when they are asked for, all of them in session order."""
    NUMBERS = {"source": 3, "kind": 5, "direction": 6, "severity": 10, "evidence": 13, "form": 16, "skip": 19, "lead": 20,
               "excess": 21}
    TEXTS = {"key": 8, "body": 11, "attrs": 12, "raw": 18}

    def __init__(self, segment, row):
        self.segment = segment
        (self.no, self.rows, self.id_first, self.ts_min, self.ts_max, self.ts_nulls, *self.lengths, self.kinds) = row[:10]
        zones, self.hashes = row[10:14], row[14]
        self.sources, self.sessions, self.evidence = [list(pairs(Stream(zone))) for zone in (zones[0], zones[1], zones[3])]
        self.types = list(type_zone(Stream(zones[2])))
        self.columns, self.decoded = {}, None
        self.columns["session_no"] = [no for no, count in self.sessions for _ in range(count)]
        stream = self.stream(4)
        self.order = self.order_by_times(stream) if stream.byte() else self.order_by_places(stream)

    def order_by_places(self, stream):
        places = stream.ints(self.rows)
        order = sorted(range(self.rows), key=lambda row: places[row])
        expect([self.sessions[places[row]][0] for row in order] == self.columns["session_no"], "sessions are not those of the zone")
        return order

    def order_by_times(self, stream):
        """Which event each row is, as times and moves say; then the row of each event."""
        ts = self.column("ts")
        events = sorted(range(self.rows), key=lambda event: ts[event])
        count = stream.varint()
        for row, distance in zip(summed(0, stream.ints(count))[1:], stream.ints(count)):
            met("rows", "moved")
            events.insert(row, events.pop(row + distance))
        return sorted(range(self.rows), key=events.__getitem__)

    def stream(self, number):
        return Stream(self.segment.column(self.no, number), self.segment)

    def column_hashes(self):
        columns = [column for column in range(24) if column not in (0, 14, 15)]
        return [hashlib.sha256(self.segment.column(self.no, column)).digest() for column in columns]

    def column(self, name):
        if name not in self.columns:
            self.columns[name] = self.decode(name)
        return self.columns[name]

    def decode(self, name):
        if name in self.TEXTS:
            return self.stream(self.TEXTS[name]).texts(range(self.rows), self)
        if hasattr(self, "decode_" + name):
            return getattr(self, "decode_" + name)()
        values = self.stream(self.NUMBERS[name]).numbers(self.rows, self.column("shape"))
        return {"source": lambda: [self.segment.sources.get(value) for value in values],
                "kind": lambda: [KINDS[value] for value in values],
                "direction": lambda: [DIRECTIONS[value] for value in values],
                "severity": lambda: [SEVERITIES[value] for value in values]}.get(name, lambda: values)()

    def decode_ts(self):
        stream = self.stream(1)
        if stream.data[0] != 2:
            values = stream.numbers(self.rows)
            return [values[r] for r in self.order]
        expect(stream.byte() == 2 and met("times", "by session"), "times")
        firsts = stream.ints(len(self.sessions))
        differences = iter(stream.ints(self.rows - len(firsts)))
        return [ts for first, (_, count) in zip(firsts, self.sessions)
                for ts in summed(first, [next(differences) for _ in range(count - 1)])]

    def decode_observed(self):
        stream, ts = self.stream(2), self.column("ts")
        layout = stream.byte()
        if layout == 0:
            values = stream.numbers(self.rows)
            return [values[r] for r in self.order]
        differences = stream.ints(self.rows)
        return [signed(ts[i] + differences[r if layout == 1 else i]) for i, r in enumerate(self.order)]

    def decode_session(self):
        return [self.segment.sessions.get(no) for no in self.column("session_no")]

    def decode_type(self):
        stream = self.stream(7)
        count = stream.varint()
        names = [None] + stream.part().texts(range(count))
        return [names[index] for index in stream.ints(self.rows, self.column("shape"))]

    def decode_seq(self):
        stream = self.stream(9)
        by_row, values = stream.byte(), stream.numbers(self.rows)
        return [values[r] for r in self.order] if by_row else values

    def decode_shape(self):
        return self.stream(17).ints(self.rows)

    def events(self):
        """Dictionaries, in the order of their ids."""
        self.decoded = self.decoded or self.decode_events()
        return self.decoded

    def decode_events(self):
        names = ("ts", "observed", "source", "session", "session_no", "kind", "direction", "type", "key", "seq", "severity", "body",
                 "attrs", "evidence", "form", "raw", "skip", "lead", "excess")
        events = [None] * self.rows
        for row, *values in zip(self.order, *(self.column(name) for name in names)):
            events[row] = dict(zip(names, values), id=self.id_first + row)
            if events[row]["form"] == 2:
                events[row]["body"] = None
        ends = dict(self.evidence)
        for event in events:
            event["start"] = ends[event["evidence"]] + event["skip"]
            end = ends[event["evidence"]] = event["start"] + len(event["raw"])
            event["offset"] = event["start"] + event["lead"]
            event["length"] = end - event["offset"] + event["excess"]
        return events


def pairs(stream):
    number = 0
    while not stream.ended():
        number += stream.varint()
        yield number, stream.varint()


def type_zone(stream):
    while not stream.ended():
        length = stream.varint()
        yield (stream.take(length - 1) if length else None), stream.varint()


# ---- Segments and stores ----

class Text(bytes):
    """What SQLite holds as text, which need not be UTF-8."""


class Segment:
    TABLES = {"meta": "name, value", "sources": "*", "sessions": "*", "evidence": "*", "gaps": "*", "templates": "*",
              "raw": "id, evidence, offset, size, sha256", "chunks": "*"}

    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        self.db.text_factory = Text
        expect(self.one("PRAGMA application_id") == 0x696e7173, f"{path}: not a segment")
        expect(self.one("PRAGMA user_version") == 2, f"{path}: another version")
        self.sources = dict(self.db.execute("SELECT no, name FROM sources"))
        self.sessions = dict(self.db.execute("SELECT no, name FROM sessions"))
        self.templates = dict(self.db.execute("SELECT id, text FROM templates"))
        self.chunks = [Chunk(self, row) for row in self.db.execute("SELECT * FROM chunks ORDER BY id")]

    def one(self, query, *values):
        return self.db.execute(query, values).fetchone()[0]

    def column(self, chunk, number):
        return self.one("SELECT data FROM columns WHERE id = ?", chunk * 32 + number)

    @functools.cache
    def words(self):
        """Those of all chunks. What they are coded with is no word itself."""
        streams = [Stream(self.column(chunk.no, 23)) for chunk in self.chunks]
        return [word for stream in streams for word in stream.texts(range(stream.varint()))]

    def raw_blocks(self):
        for evidence, offset, size, data in self.db.execute("SELECT evidence, offset, size, data FROM raw"):
            block = Stream(data).bytes()
            expect(len(block) == size, "a raw block of another size")
            met("raw", "block")
            yield evidence, offset, block

    def parts(self):
        """Number, offset, how many bytes of it were dropped (or redacted, which is all of them), and the other bytes of the part of each evidence."""
        found = collections.defaultdict(list)
        for event in (event for chunk in self.chunks for event in chunk.events()):
            found[event["evidence"]].append((event["start"], event["raw"]))
        for no, offset, block in self.raw_blocks():
            found[no].append((offset, block))
        for no, offset, size, dropped, redacted in self.db.execute("SELECT no, offset, bytes, dropped, redacted FROM evidence ORDER BY no"):
            if redacted is not None:
                expect(not any(data for _, data in found[no]), f"{self.path}: evidence {no} is redacted and has raw bytes")
                dropped = size
            yield no, offset, dropped, joined(offset + dropped, [piece for piece in found[no] if piece[1]])

    def leaf(self, table, rows):
        leaf = b"".join(b"R" + b"".join(map(leaf_value, row)) for row in rows)
        return hashlib.sha256(b"\0" + table.encode() + b"\0" + leaf).digest()

    def root(self):
        return merkle(self.leaves()).hex()

    def leaves(self):
        rows = {table: list(self.db.execute(f"SELECT {columns} FROM {table} ORDER BY 1")) for table, columns in self.TABLES.items()}
        rows["meta"] = [row for row in rows["meta"] if row[0] not in (b"root", b"leaves")]
        return [self.leaf(table, rows[table]) for table in self.TABLES]


def reseal(path):
    """Makes the hashes of a segment fit what it holds, as somebody can who changed it: for tests of what hashes do not find."""
    db = sqlite3.connect(path)
    for chunk in Segment(path).chunks:
        db.execute("UPDATE chunks SET hashes = ? WHERE id = ?", (b"".join(chunk.column_hashes()), chunk.no))
    db.commit()
    segment = Segment(path)
    for name, value in (("leaves", b"".join(segment.leaves()).hex()), ("root", segment.root())):
        db.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
    db.commit()


def is_whole(line):
    return line[-18:] == xxhash.xxh3_64_hexdigest(line[:line.rfind(b',"check"')]).encode() + b'"}'


def joined(at, parts):
    for offset, part in sorted(parts):
        expect(offset == at or not part, f"the raw bytes have a hole or an overlap at {offset}")
        at += len(part)
    return b"".join(part for _, part in sorted(parts))


def leaf_value(value):
    if value is None:
        return b"N"
    if isinstance(value, int):
        return b"I" + value.to_bytes(8, "little", signed=True)
    return (b"T" if isinstance(value, Text) else b"B") + len(value).to_bytes(8, "little") + value


def merkle(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + merkle(leaves[:half]) + merkle(leaves[half:])).digest()


class Store:
    def __init__(self, path):
        self.path, self.listed = pathlib.Path(path), {}
        if self.path.is_dir():
            self.read_manifest((self.path / "manifest").read_bytes())
        files = [self.path / "segments" / name for name in self.listed] if self.path.is_dir() else [self.path]
        self.segments = [Segment(file) for file in files]

    def read_manifest(self, data):
        lines = []
        while data:
            end = data.find(b',"check":"') + 28
            if not is_whole(data[:end]):
                expect(b"\n" not in data, f"manifest line {len(lines) + 1} is damaged")
                break
            lines.append(data[:end])
            data = data[end + 1:]
        for number, line in enumerate(lines):
            said = json.loads(line)
            expect(number > 0 or said["inquest_store"] == 1, "another version of the manifest")
            for name in said.get("removed", []):
                del self.listed[name]
            self.listed.update((segment["file"], segment) for segment in said.get("segments", []))

    def events(self):
        chunks = sorted((chunk for segment in self.segments for chunk in segment.chunks), key=lambda chunk: chunk.id_first)
        return (event for chunk in chunks for event in chunk.events())

    def raw(self):
        """The bytes of each evidence. A part holds again what was not settled in the one before it; dropped and redacted bytes are NUL."""
        evidence, holed = {}, set()
        parts = [(no, offset, dropped, data, segment) for segment in self.segments for no, offset, dropped, data in segment.parts()]
        for no, offset, dropped, data, segment in sorted(parts, key=lambda part: part[:2]):
            evidence[no] = evidence.get(no, b"")[:offset] + bytes(dropped) + data
            holed.update([no] if dropped else [])
            if no not in holed:
                check_part(segment, no, evidence[no])
        return evidence


# ---- What is printed ----

def time_text(ns):
    return ns if ns is None else instant(ns, "-T.", 9).decode() + "Z"


def quoted(value):
    if isinstance(value, int):
        return b"%d" % value
    return b'"' + json_string(value if isinstance(value, bytes) else value.encode(), 0) + b'"'


def ndjson(event):
    members = {**event, "ts": time_text(event["ts"]), "observed": time_text(event["observed"])}
    if event["form"] == 1:
        members["body"], members["body_base64"] = None, base64.b64encode(event["body"])
    names = ("ts", "observed", "source", "session", "kind", "direction", "type", "key", "seq", "severity", "body", "body_base64")
    texts = [b'"%s":%s' % (name.encode(), quoted(members[name])) for name in names if members.get(name) is not None]
    attrs = [] if event["attrs"] is None else [b'"attrs":' + event["attrs"]]
    return (b"{" + b",".join(texts + attrs) + b"}").decode()


def print_events(store):
    for event in store.events():
        print(ndjson(event))


def print_raw(store, number):
    sys.stdout.buffer.write(store.raw().get(int(number), b""))


# ---- What is compared ----

def check_hashes(segment):
    for no, wanted, data in segment.db.execute("SELECT id, sha256, data FROM raw"):
        expect(hashlib.sha256(data).digest() == wanted, f"{segment.path}: raw {no} has another hash")
    for chunk in segment.chunks:
        expect(b"".join(chunk.column_hashes()) == chunk.hashes, f"{segment.path}: a column of chunk {chunk.no} has another hash")
    said = dict(segment.db.execute("SELECT name, value FROM meta"))
    expect(b"".join(segment.leaves()).hex() == said[b"leaves"].decode(), f"{segment.path}: a table has another hash")
    expect(segment.root() == said[b"root"].decode(), f"{segment.path}: another root")


def check_part(segment, no, data):
    """`data` is the evidence up to the end of this part."""
    offset, size, wanted, marks = segment.db.execute("SELECT offset, bytes, sha256, marks FROM evidence WHERE no = ?", (no,)).fetchone()
    expect(len(data) == offset + size and hashlib.sha256(data).digest() == wanted, f"{segment.path}: evidence {no} is another")
    lengths = range((offset // MIB + 1) * MIB, len(data) + 1, MIB)
    if len(data) < MIB:
        lengths = [1 << len(data).bit_length() - 1] if data else []
    expect(marks == b"".join(hashlib.sha256(data[:length]).digest() for length in lengths), f"evidence {no} has other marks")


def check_zone(chunk):
    events = chunk.events()
    times = [event["ts"] for event in events if event["ts"] is not None]
    numbers = {name: no for no, name in chunk.segment.sources.items()}

    def counted(values):
        return sorted(collections.Counter(values).items(), key=str)

    expect((chunk.ts_min, chunk.ts_max) == ((min(times), max(times)) if times else (None, None)), "ts_min and ts_max")
    expect(chunk.ts_nulls == len(events) - len(times), "ts_nulls")
    lengths = [event["length"] for event in events]
    expect(chunk.lengths == [min(lengths), max(lengths), sum(lengths)], "length_min, length_max and length_sum")
    expect(chunk.kinds == sum({1 << KINDS.index(event["kind"]) for event in events}), "kinds")
    expect(sorted(chunk.sources, key=str) == counted(numbers.get(event["source"], 0) for event in events), "sources")
    expect(sorted(chunk.sessions, key=str) == counted(event["session_no"] for event in events), "sessions")
    expect(sorted(chunk.types, key=str) == counted(event["type"] for event in events), "types")


def check_filter(chunk):
    stream = chunk.stream(22)
    bits = stream.byte()
    met("filter", "none" if bits == 0 else "bits")
    if bits == 0:
        return
    found, wanted = int.from_bytes(stream.take(1 << bits - 3), "little"), 0
    pieces = {body[i:i + 4] for event in chunk.events() for body in [(event["body"] or b"").lower()] for i in range(len(body) - 3)}
    for piece in pieces:
        if not all(c in b"0123456789abcdef" for c in piece):
            wanted |= 1 << ((int.from_bytes(piece, "little") * 0x9e3779b1 & 0xffffffff) >> 32 - bits)
    expect(found == wanted, "filter")


def ranges(numbers):
    found = []
    for no in sorted(numbers):
        if found and found[-1][1] == no - 1:
            found[-1][1] = no
        else:
            found.append([no, no])
    each = -(-len(found) // 256)
    return [[found[i][0], found[min(i + each, len(found)) - 1][1]] for i in range(0, len(found), each)] if found else []


def summary(segment):
    """What the manifest must say of a segment, from the segment alone."""
    chunks = segment.chunks
    times = [time for chunk in chunks for time in (chunk.ts_min, chunk.ts_max) if time is not None]
    evidence = [no for no, in segment.db.execute("SELECT no FROM evidence")]
    types = sorted({name for chunk in chunks for name, _ in chunk.types}, key=lambda name: (name is not None, name))
    said = {"file": segment.path.name, "bytes": segment.path.stat().st_size, "root": segment.root(),
            "events": sum(chunk.rows for chunk in chunks),
            "ids": [chunks[0].id_first, chunks[-1].id_first + chunks[-1].rows - 1] if chunks else [0, 0],
            "evidence": [min(evidence), max(evidence)] if evidence else [0, 0],
            "raw": segment.one("SELECT ifnull(sum(bytes - dropped), 0) FROM evidence"),
            "kinds": 0, "sessions": ranges(segment.sessions)}
    for chunk in chunks:
        said["kinds"] |= chunk.kinds
    if times:
        said["ts"] = [min(times), max(times)]
    if len(types) <= 64 and sum(map(len, filter(None, types))) <= 4096:
        said["types"] = [name if name is None else name.decode() for name in types]
    said["sources"] = [[no, name.decode(), *rest] for no, name, *rest in
                       segment.db.execute("SELECT no, name, events, first, last FROM sources ORDER BY no")]
    return said


def check(store):
    for segment in store.segments:
        check_hashes(segment)
        if store.listed:
            said, is_so = store.listed[segment.path.name], summary(segment)
            expect(said == is_so, f"{segment.path}: the manifest says {said} of {is_so}")
        for chunk in segment.chunks:
            check_zone(chunk)
            check_filter(chunk)
    store.raw()


def print_check(store):
    check(store)
    print(*sorted(MET), sep="\n")


COMMANDS = {"events": print_events, "raw": print_raw, "check": print_check}

if __name__ == "__main__":
    what, *operands, path = sys.argv[1:]
    COMMANDS[what](Store(path), *operands)
