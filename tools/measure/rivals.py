"""What inquest is measured against: compressors, DuckDB, SQLite. Each is given its best."""
import ctypes
import ctypes.util
import json
import pathlib
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
THREADS = 2


class Sizes:
    """How small others make an input. The levels are slow and the answer is always the same, so it is kept."""
    PACKERS = {"zstd -19": ["zstd", "-19", "-q", "-c"], "xz -9e": ["xz", "-9e", "-T1", "-c"]}

    def __init__(self, cache):
        self.path = cache / "sizes.json"

    def known(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def prepare(self, inputs):
        """All that is not known yet, as many at a time as there are threads."""
        wanted = [(packer, given) for given in inputs for packer in self.PACKERS if self.key(packer, given) not in self.known()]
        running = []
        while wanted or running:
            while wanted and len(running) < THREADS:
                packer, given = wanted.pop()
                shell = f'{" ".join(self.PACKERS[packer])} <"$1" | wc -c'
                running.append((self.key(packer, given), subprocess.Popen(["sh", "-c", shell, "sh", given.joined()], stdout=subprocess.PIPE)))
            key, process = running.pop(0)
            size = int(process.communicate()[0])
            self.path.write_text(json.dumps({**self.known(), key: size}))

    @staticmethod
    def key(packer, given):
        return f"{packer} {given.name} {given.bytes} {given.joined().stat().st_mtime_ns}"

    def of(self, packer, given):
        return self.known()[self.key(packer, given)]


class FromNpm:
    """A program of npm and the script NAME.mjs that drives it, if it has one, in the cache; `why_not` says why it is not there."""
    NAME = PACKAGE = None
    INSTALL = ["npm", "install", "--silent", "--no-audit", "--no-fund"]

    def __init__(self, cache):
        self.home, self.why_not, self.answers = cache / self.NAME, None, []
        self.home.mkdir(exist_ok=True)
        if not shutil.which("npm") or not shutil.which("node"):
            self.why_not = "npm is not installed"
        elif not (self.home / "node_modules" / self.PACKAGE).exists():
            got = subprocess.run([*self.INSTALL, "--prefix", self.home, self.PACKAGE], check=False, capture_output=True, text=True)
            self.why_not = f"npm cannot install {self.PACKAGE}" if got.returncode else None
        script = HERE / f"{self.NAME}.mjs"
        if script.exists():
            shutil.copy(script, self.home)

    def run(self, *words):
        """For each statement how many seconds it took; `answers` has the first row of each. The script prints milliseconds, a tab and these."""
        done = subprocess.run(["node", f"{self.NAME}.mjs", *words], cwd=self.home, check=True, capture_output=True, text=True)
        lines = [line.partition("\t") for line in done.stdout.splitlines()]
        self.answers = [row for _, _, row in lines]
        return [float(took) / 1000 for took, _, _ in lines]


class DuckDB(FromNpm):
    NAME, PACKAGE = "duckdb", "@duckdb/node-api"

    def seconds(self, *statements):
        return self.run(str(THREADS), *statements)

    @staticmethod
    def copy(given, parquet, columns="*"):
        files = ", ".join(f"'{file}'" for file in given.files)
        return (f"COPY (SELECT {columns} FROM read_json([{files}], format = 'newline_delimited', maximum_object_size = 67108864)) "
                f"TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")


class SQLite:
    """The library that the sqlite3 shell uses, with a statement timed where it runs: sqlite3_exec without a callback."""
    LIBRARY = ctypes.CDLL(ctypes.util.find_library("sqlite3") or "libsqlite3.so.0")

    def __init__(self, path=":memory:", extension=None):
        self.db = ctypes.c_void_p()
        self.check(self.LIBRARY.sqlite3_open(str(path).encode(), ctypes.byref(self.db)))
        if extension:
            self.check(self.LIBRARY.sqlite3_enable_load_extension(self.db, 1))
            self.check(self.LIBRARY.sqlite3_load_extension(self.db, str(extension).encode(), None, None))

    def check(self, code):
        if code:
            self.LIBRARY.sqlite3_errmsg.restype = ctypes.c_char_p
            raise RuntimeError(f"SQLite: {self.LIBRARY.sqlite3_errmsg(self.db).decode()}")

    def seconds(self, statement):
        begun = time.perf_counter()
        self.check(self.LIBRARY.sqlite3_exec(self.db, statement.encode(), None, None, None))
        return time.perf_counter() - begun

    def close(self):
        self.LIBRARY.sqlite3_close_v2(self.db)


def sqlite_statement(path, statement, extension=None, before=()):
    """One statement on a connection of its own, whatever it must open included; the file is in the page cache."""
    sqlite = SQLite(path, extension)
    try:
        for line in before:
            sqlite.seconds(line)
        return sqlite.seconds(statement)
    finally:
        sqlite.close()


class Rows:
    """The same rows in an ordinary SQLite table, loaded from CSV without a journal, then three indexes."""
    COLUMNS = ("id INTEGER PRIMARY KEY, ts INTEGER, source TEXT, session TEXT, kind TEXT, direction TEXT, type TEXT, key TEXT, seq INTEGER, "
               "severity TEXT, body TEXT, attrs TEXT, length INTEGER")
    NAMES = ", ".join(column.split()[0] for column in COLUMNS.split(", "))
    INDEXES = "CREATE INDEX by_time ON rows(ts); CREATE INDEX by_session ON rows(session, ts); CREATE INDEX by_type ON rows(type);"
    FAST = ("PRAGMA mmap_size = 4294967296", "PRAGMA cache_size = -262144")

    def __init__(self, work):
        self.csv, self.path, self.script = work / "rows.csv", work / "rows.db", work / "load.sql"
        self.script.write_text(f"PRAGMA journal_mode = off;\nPRAGMA synchronous = off;\nPRAGMA cache_size = -262144;\nCREATE TABLE rows({self.COLUMNS});\n"
                               f".import --csv --skip 1 {self.csv} rows\n{self.INDEXES}\n")

    def load_command(self):
        self.path.unlink(missing_ok=True)
        return ["sqlite3", "-bail", "-init", self.script, self.path, ""]

    def best_plans(self):
        """What makes the queries measured as fast as SQLite can: an index that covers each, and statistics."""
        sqlite_statement(self.path, "CREATE INDEX by_length ON rows(length); ANALYZE")
