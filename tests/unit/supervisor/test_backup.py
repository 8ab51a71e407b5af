import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.ledger import LedgerService
from actors.paper.exchange import PaperExchange
from actors.sandbox.store import Store
from actors.system import SystemConfig
from agents.errors import Conflict, InvalidInput
from agents.events import Event, Type
from supervisor import venue_copy
from supervisor.backup import backup, restore
from supervisor.data_directory import DataDirectory
from tests.postgres import Postgres


def event(n: int, type: Type = Type.INFO, **data: object) -> Event:
    return Event(f"broker:main/1/{n}", type, "broker:main", "a", 1, n, {"n": n, **data})


async def opened(path: Path) -> LedgerService:
    ledger = LedgerService(SystemConfig(str(path)))
    await ledger.start()
    return ledger


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Path]:
    """Return a data directory whose venue has it open, as it does while it runs."""
    path = tmp_path / "fleet"
    path.mkdir()
    venue = Store(str(path / "venue"))
    venue._db.execute("insert into facts values ('clock', 42)")
    (path / "wallets").mkdir()
    (path / "wallets" / "main.json").write_text('{"privateKey": "0x1"}')
    (path / "fleet_id").write_text("an id")
    (path / "lock").touch()
    yield path
    venue.close()


async def fill(path: Path) -> LedgerService:
    ledger = await opened(path)
    await ledger.open_source("broker:main")
    order = event(1, Type.ORDER, orderId="o1", wallet="main", status="live", decisionId="d1")
    await ledger.append([order], {"o1": b"signed"})
    await ledger.append([event(n) for n in range(2, 4001)])
    await ledger.put_document("settings", {"a": 1})
    return ledger


@pytest.fixture
def elsewhere(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what chooses the database of what comes next."""

    def choose(name: str) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        if name == "postgresql":
            monkeypatch.setenv("DATABASE_URL", postgres_server.new_database())

    return choose


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
async def test_a_living_fleet_comes_back_on_either_database(
    fleet: Path, tmp_path: Path, elsewhere: Callable[[str], None], source: str, into: str
) -> None:
    elsewhere(source)
    ledger = await fill(fleet)
    file, new = tmp_path / "fleet.backup", tmp_path / "new"
    assert backup(file, fleet) == 0
    await ledger.append([event(4001)])
    expected = (await ledger.poll(3500, limit=500)).events
    await ledger.stop()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path != fleet] == ["fleet.backup"]

    elsewhere(into)
    assert restore(file, new) == 0
    # From now on the directory itself says where its log is.
    elsewhere("sqlite")
    again = await opened(new)
    assert await again.head() == 4000
    assert (await again.poll(3500)).events == expected
    assert await again.append([event(2)]) == [2]
    assert await again.open_source("broker:main") == 2
    assert [(data["orderId"], payload) for data, payload in await again.unsettled_orders("main")] == [("o1", b"signed")]
    assert await again.document("settings") == {"a": 1}
    await again.stop()
    assert (new / "wallets" / "main.json").read_text() == '{"privateKey": "0x1"}'
    assert stat.S_IMODE((new / "wallets" / "main.json").stat().st_mode) == 0o600
    assert (new / "fleet_id").read_text() == "an id"
    store = Store(str(new / "venue"))
    assert store.facts() == {"clock": 42}
    store.close()


def test_the_venue_is_copied_as_of_one_commit_while_it_writes(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "venue"))
    store._db.execute("create table pairs (one, two, text)")
    going = threading.Event()
    done = threading.Event()

    def write() -> None:
        n = 0
        while not done.is_set():
            n += 1
            with store._transaction():
                store._db.execute("insert into pairs values (?, null, ?)", (n, "x" * 5000))
                store._db.execute("update pairs set two = one")
            if n == 20:
                going.set()

    writer = threading.Thread(target=write)
    writer.start()
    going.wait(10)
    try:
        for n in range(5):
            folder = tmp_path / f"copy{n}"
            folder.mkdir()
            (folder / "found.db").write_bytes(venue_copy.copy(tmp_path / "venue" / "venue.db", folder))
            with closing(sqlite3.connect(folder / "found.db")) as found:
                count, highest, broken = found.execute("select count(*), max(one), sum(one is not two) from pairs").fetchone()
            assert (count, broken) == (highest, 0)
            assert count >= 20
    finally:
        done.set()
        writer.join()
        store.close()


async def test_restore_refuses_what_it_would_overwrite(
    fleet: Path, tmp_path: Path, elsewhere: Callable[[str], None], postgres_server: Postgres
) -> None:
    elsewhere("sqlite")
    await (await fill(fleet)).stop()
    file = tmp_path / "file"
    backup(file, fleet)
    with pytest.raises(InvalidInput, match=r"fleet is not empty; restore into a new directory"):
        restore(file, fleet)
    with DataDirectory(fleet).locked(), pytest.raises(Conflict, match=r"a fleet runs on .*fleet; restore into a new"):
        restore(file, fleet)
    with pytest.raises(InvalidInput, match="file is not a directory"):
        restore(file, file)
    elsewhere("postgresql")
    await (await fill(tmp_path / "unused")).stop()
    with pytest.raises(InvalidInput, match=r"DATABASE_URL: the database at postgresql.*:\*\*\*@.* is not empty"):
        restore(file, tmp_path / "new")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no database" * 1000, "cannot be read as a backup: file is not a database"),
        (None, "cannot be read as a backup: unable to open database file"),
        (b"", "is not a backup that polyfleet made"),
    ],
)
def test_restore_refuses_a_file_that_is_no_backup(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=sentence):
        restore(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


async def test_restore_refuses_a_damaged_backup(fleet: Path, tmp_path: Path, elsewhere: Callable[[str], None]) -> None:
    elsewhere("sqlite")
    await (await fill(fleet)).stop()
    file = tmp_path / "file"
    backup(file, fleet)
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = bytes(20_000)
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"file (is damaged|cannot be read as a backup)"):
        restore(file, tmp_path / "new")


async def test_backup_refuses_where_there_is_nothing_or_no_place(
    fleet: Path, tmp_path: Path, elsewhere: Callable[[str], None]
) -> None:
    elsewhere("sqlite")
    with pytest.raises(InvalidInput, match="there is no fleet in"):
        backup(tmp_path / "file", tmp_path / "nothing")
    await (await fill(fleet)).stop()
    (tmp_path / "taken").touch()
    with pytest.raises(InvalidInput, match="taken exists already"):
        backup(tmp_path / "taken", fleet)
    with pytest.raises(InvalidInput, match="nowhere/file cannot be written: No such file or directory"):
        backup(tmp_path / "nowhere" / "file", fleet)


async def test_a_paper_account_is_in_it_and_no_real_key(tmp_path: Path) -> None:
    path = tmp_path / "fleet"
    (path / "wallets").mkdir(parents=True)
    (path / "wallets" / "main.json").write_text("a real key")
    (path / "live_wallets.json").write_text("[]")
    DataDirectory(path).keep_mode("paper")
    account = PaperExchange(str(path / "paper" / "main"), "0x1", 70, wall=time.time, monotonic=time.monotonic)
    ledger = await fill(path)
    try:
        backup(tmp_path / "backup", path)
    finally:
        await ledger.stop()
        account.close()
    assert b"a real key" not in (tmp_path / "backup").read_bytes()
    restore(tmp_path / "backup", tmp_path / "again")
    assert DataDirectory(tmp_path / "again").mode == "paper"
    again = PaperExchange(str(tmp_path / "again" / "paper" / "main"), "0x1", 5, wall=time.time, monotonic=time.monotonic)
    assert again.cash() == 70
    again.close()
    assert not (tmp_path / "again" / "wallets").exists()
