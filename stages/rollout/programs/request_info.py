# Looks into the data of a session: SQLite databases and CSV files below /data and
# /workdir. The request comes in as info_data_path, info_type and info_keyterm; what
# is found is printed, answer tells how the request ended.
import sys

# The working folder holds what the agent wrote: nothing is imported from there.
sys.path = [p for p in sys.path if p not in ("", ".") and not p.startswith("/session")]

import csv
import difflib
import gzip
import os
import sqlite3
import time
from collections import Counter

ROOTS = ("/data", "/workdir")
SECONDS = 60  # for the whole request
MAX_VALUES = 40  # of a column, listed one by one
MAX_DISTINCT = 20000  # of a column, looked at
MAX_LINES = 120
MAX_CELL = 100  # characters
MAX_HITS = 8  # values of a column in which a term occurs
MAX_FIELD = 16 << 20

begun = time.monotonic()
printed = 0


class Refused(Exception):
    """A request that cannot be answered; its text is for the agent."""


class OutOfTime(Exception):
    pass


def late():
    return time.monotonic() - begun > SECONDS


def say(text):
    global printed
    printed += 1
    if printed <= MAX_LINES:
        print(text)
    elif printed == MAX_LINES + 1:
        print("... and more: ask for one table or one column")


def short(value):
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= MAX_CELL else text[:MAX_CELL] + "..."


def listing(values):
    return ", ".join(short(v) for v in values)


class Columns:
    """A table: its name, where it is, its columns."""

    def __init__(self, name, names):
        self.name, self.names = name, names

    def column(self, wanted):
        for name in self.names:
            if name.lower() == wanted.lower():
                return name
        return None


class DatabaseTable(Columns):
    def __init__(self, db, name):
        info = db.execute("select name, type from pragma_table_info(?)", (name,)).fetchall()
        super().__init__(name, [n for n, _ in info])
        self.db, self.types = db, dict(info)

    def described(self):
        return ", ".join((n + " " + self.types[n]).strip() for n in self.names)

    def count(self):
        return self.ask("select count(*) from %s" % quoted(self.name))[0][0]

    def ask(self, query, values=()):
        if late():
            raise OutOfTime()
        try:
            return self.db.execute(query, values).fetchall()
        except sqlite3.OperationalError as e:
            if "interrupted" in str(e):
                raise OutOfTime() from None
            raise

    def distinct(self, column, most):
        """Values by how often they occur, at most so many; and how many there are."""
        c, t = quoted(column), quoted(self.name)
        there = self.ask("select count(*) from (select distinct %s from %s where %s is not null limit ?)" % (c, t, c), (MAX_DISTINCT + 1,))[0][0]
        top = self.ask("select %s, count(*) from %s where %s is not null group by 1 order by 2 desc, 1 limit ?" % (c, t, c), (most,))
        return top, there

    def bounds(self, column):
        c, t = quoted(column), quoted(self.name)
        return self.ask("select min(%s), max(%s) from %s where %s is not null and %s <> ''" % (c, c, t, c, c))[0]

    def exact(self, column, term):
        c, t = quoted(column), quoted(self.name)
        number = as_number(term)
        if number is None:
            return self.ask("select count(*) from %s where %s = ? collate nocase" % (t, c), (term,))[0][0]
        return self.ask("select count(*) from %s where %s = ? or %s = ?" % (t, c, c), (term, number))[0][0]

    def containing(self, column, term):
        c, t = quoted(column), quoted(self.name)
        query = "select %s, count(*) from %s where typeof(%s) = 'text' and instr(lower(%s), ?) > 0 group by 1 order by 2 desc, 1 limit ?"
        return self.ask(query % (c, t, c, c), (term.lower(), MAX_HITS + 1))

    def texts(self, column):
        c, t = quoted(column), quoted(self.name)
        query = "select distinct %s from %s where typeof(%s) = 'text' limit ?" % (c, t, c)
        return [v for (v,) in self.ask(query, (MAX_DISTINCT,))]


class CSVTable(Columns):
    def __init__(self, path):
        self.path = path
        with self.opened() as f:
            super().__init__(os.path.basename(path), next(csv.reader(f), []))
        self.counted = {}

    def opened(self):
        opener = gzip.open if self.path.lower().endswith(".gz") else open
        return opener(self.path, "rt", encoding="utf-8-sig", errors="replace", newline="")

    def described(self):
        return ", ".join(self.names)

    def rows(self):
        with self.opened() as f:
            reader = csv.reader(f)
            next(reader, None)
            for n, row in enumerate(reader):
                if n % 1000 == 0 and late():
                    raise OutOfTime()
                yield row

    def count(self):
        return sum(1 for _ in self.rows())

    def counter(self, column):
        """How often each value occurs; None among them counts what had no room."""
        if column not in self.counted:
            at, seen = self.names.index(column), Counter()
            for row in self.rows():
                value = row[at] if at < len(row) else ""
                if value == "":
                    continue
                seen[value[:1000] if value in seen or len(seen) <= MAX_DISTINCT else None] += 1
            self.counted = {column: seen}  # one at a time: memory
        return self.counted[column]

    def distinct(self, column, most):
        seen = self.counter(column)
        values = sorted(((v, n) for v, n in seen.items() if v is not None), key=lambda p: (-p[1], p[0]))
        return values[:most], len(seen)

    def bounds(self, column):
        values = [v for v in self.counter(column) if v is not None]
        numbers = [as_number(v) for v in values]
        if None not in numbers:
            values = numbers
        return (min(values), max(values)) if values else (None, None)

    def exact(self, column, term):
        number = as_number(term)
        same = [n for v, n in self.counter(column).items() if v is not None and
                (v.lower() == term.lower() or (number is not None and as_number(v) == number))]
        return sum(same)

    def containing(self, column, term):
        seen = self.counter(column)
        hits = sorted(((v, n) for v, n in seen.items() if v is not None and term.lower() in v.lower()), key=lambda p: (-p[1], p[0]))
        return hits[:MAX_HITS + 1]

    def texts(self, column):
        return [v for v in self.counter(column) if v is not None and as_number(v) is None]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def as_number(text):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if value == value and abs(value) != float("inf") else None


def is_database(path):
    try:
        with open(path, "rb") as f:
            return f.read(16) == b"SQLite format 3\x00"
    except OSError:
        return False


def is_csv(path):
    return path.lower().endswith((".csv", ".csv.gz"))


def data_files():
    found = []
    for root in ROOTS:
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if is_csv(path) or is_database(path):
                    found.append(path)
    return found


unread = []  # files that are no CSV and no database, whatever they are called


def tables_of(path):
    try:
        return opened(path)
    except (sqlite3.Error, OSError, csv.Error, UnicodeError, EOFError) as e:
        unread.append("%s cannot be read: %s" % (path, type(e).__name__))
        return []


def opened(path):
    if is_csv(path):
        return [CSVTable(path)]
    db = sqlite3.connect("file:" + path.replace("?", "%3f").replace("#", "%23") + "?immutable=1", uri=True)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.set_progress_handler(late, 10000)
    names = db.execute("select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name")
    return [DatabaseTable(db, name) for (name,) in names.fetchall()]


def table_name(text):
    """A table's name as people write it: PATIENTS.csv is patients."""
    text = text.strip().lower()
    for end in (".gz", ".csv"):
        if text.endswith(end):
            text = text[:-len(end)]
    return text


def find(wanted):
    """The tables that a data_path means: those of a folder, of a file, or one of them
    by its name, alone or after the file's (x.db/patients)."""
    files = data_files()
    if not files:
        raise Refused("There are no databases and no CSV files below /data or /workdir.")
    path = os.path.normpath(wanted.strip()) if wanted.strip() else "."
    everything = path in (".", "/")
    chosen = [f for f in files if everything or f == path or f.startswith(path + "/")]
    chosen = chosen or [f for f in files if os.path.basename(f).lower() == os.path.basename(path).lower()]
    if chosen:
        tables = [t for f in chosen for t in tables_of(f)]
        if not tables and not unread:
            raise Refused("There are no tables in %s." % listing(chosen))
        return tables
    for separator in ("/", ":", "#"):
        head, _, tail = wanted.strip().rpartition(separator)
        for f in files:
            if head and (os.path.normpath(head) == f or os.path.basename(head) == os.path.basename(f)):
                return named(tables_of(f), tail, f)
    name = table_name(os.path.basename(path))
    hits = [t for f in files for t in tables_of(f) if table_name(t.name) == name]
    if hits:
        return hits
    raise Refused("There is no %s. Data files: %s" % (short(wanted), listing(files[:20])))


def named(tables, wanted, path):
    hits = [t for t in tables if table_name(t.name) == table_name(wanted)]
    if not hits:
        raise Refused("There is no table %s in %s. Tables: %s" % (short(wanted), path, listing(t.name for t in tables)))
    return hits


def column_names(tables):
    for t in tables:
        say("%s: %s" % (t.name, t.described()))


def column_values(tables, wanted):
    head, _, column = wanted.rpartition(".")
    if head:
        tables = [t for t in tables if table_name(t.name) == table_name(head)] or tables
    hits = [t for t in tables if t.column(column)]
    if not hits:
        where = tables[0].name if len(tables) == 1 else "any of these tables: " + listing(t.name for t in tables)
        near = difflib.get_close_matches(column.lower(), sorted({n.lower() for t in tables for n in t.names}), 5)
        raise Refused("There is no column %s in %s.%s" % (short(column), where, " Columns that are called alike: " + listing(near) if near else ""))
    for t in hits:
        name = t.column(column)
        top, there = t.distinct(name, MAX_VALUES + 1)
        if there == 0:
            say("%s.%s: no values" % (t.name, name))
        elif there <= MAX_VALUES:
            say("%s.%s: %d different values (with the number of rows): %s" % (t.name, name, there, ", ".join("%s (%d)" % (short(v), n) for v, n in top)))
        else:
            low, high = t.bounds(name)
            many = "more than %d" % MAX_DISTINCT if there > MAX_DISTINCT else str(there)
            say("%s.%s: %s different values, from %s to %s; the most frequent: %s" %
                (t.name, name, many, short(low), short(high), ", ".join("%s (%d)" % (short(v), n) for v, n in top[:10])))


def term(tables, wanted):
    found, parts = 0, []
    try:
        for t in tables:
            for name in t.names:
                n = t.exact(name, wanted)
                if n:
                    say("%s.%s is %s in %d row%s" % (t.name, name, short(wanted), n, "" if n == 1 else "s"))
                    found += 1
                hits = [h for h in t.containing(name, wanted) if h[0].lower() != wanted.lower()]
                if hits:
                    parts.append("%s.%s contains it: %s%s" % (t.name, name, ", ".join("%s (%d)" % (short(v), k) for v, k in hits[:MAX_HITS]),
                                                              ", ..." if len(hits) > MAX_HITS else ""))
    finally:
        for part in parts:
            say(part)
    if found or parts:
        return
    close = []
    for t in tables:
        for name in t.names:
            texts = {v.lower(): v for v in t.texts(name) if abs(len(v) - len(wanted)) <= len(wanted) // 2}
            for v in difflib.get_close_matches(wanted.lower(), list(texts)[:2000], 3, 0.7):
                close.append((difflib.SequenceMatcher(None, wanted.lower(), v).ratio(), t.name + "." + name, texts[v]))
    close.sort(key=lambda c: (-c[0], c[1], c[2]))
    say("%s occurs nowhere in %s." % (short(wanted), tables[0].name if len(tables) == 1 else "%d tables" % len(tables)))
    for _, where, value in close[:10]:
        say("similar: %s is %s" % (where, short(value)))


def main(path, kind, wanted):
    csv.field_size_limit(MAX_FIELD)
    tables = find(path)
    for fault in unread:
        say(fault)
    if not tables:
        raise Refused("Nothing else was asked about.")
    if kind == "column_names":
        column_names(tables)
    elif kind == "column_values":
        column_values(tables, wanted)
    else:
        term(tables, wanted)


try:
    main(info_data_path, info_type, info_keyterm.strip())
    answer = "found"
except Refused as e:
    print(e)
    answer = "refused"
except OutOfTime:
    print("The rest takes too long: ask for one table or one column.")
    answer = "partial"
except (sqlite3.Error, OSError, csv.Error, UnicodeError, EOFError) as e:
    print("The data cannot be read: %s" % type(e).__name__)
    answer = "unreadable"
