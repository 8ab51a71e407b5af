import os
from pathlib import Path

import pytest

from actors.ledger import LedgerService
from actors.storage.identity import read_identity
from actors.system import SystemConfig
from agents.errors import InvalidInput, Unavailable
from agents.events import Event, Type
from supervisor.data_directory import DataDirectory
from supervisor.fleet_args import FleetArgs
from supervisor.log_claim import claim_log, log_url, remember_log
from supervisor.provision import provision


def directory(path: Path, *, venue: bool) -> DataDirectory:
    path.mkdir()
    found = DataDirectory(path)
    if venue:
        found.venue.parent.mkdir()
        found.venue.touch()
    return found


async def used(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    ledger = LedgerService(SystemConfig(str(path)))
    await ledger.start()
    await ledger.append([Event("a/1/1", Type.INFO, "a", None, 1, 0, {})])
    await ledger.stop()


async def test_a_new_directory_and_an_empty_database_belong_together_from_then_on(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = directory(tmp_path / "mine", venue=False)
    claim_log(mine, database)
    claim_log(mine, database)
    await used(database, mine.path, monkeypatch)
    mine.venue.parent.mkdir()
    mine.venue.touch()
    claim_log(mine, database)
    assert mine.identity.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("venue", [False, True])
async def test_a_database_of_another_directory_is_refused(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, venue: bool
) -> None:
    claim_log(directory(tmp_path / "other", venue=False), database)
    await used(database, tmp_path, monkeypatch)
    mine = directory(tmp_path / "mine", venue=venue)
    with pytest.raises(InvalidInput, match=r"DATABASE_URL: the log at .* belongs to another data directory than .*/mine; give"):
        claim_log(mine, database)
    assert not mine.identity.exists()


def test_an_empty_database_for_a_used_directory_is_refused(tmp_path: Path, database: str) -> None:
    mine = directory(tmp_path / "mine", venue=True)
    mine.identity.write_text("id")
    with pytest.raises(InvalidInput, match=r"the log at .* is empty and .*/mine has a fleet already; give the database"):
        claim_log(mine, database)


async def test_a_directory_from_before_there_were_ids_is_taken_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = directory(tmp_path / "mine", venue=True)
    url = f"sqlite:///{mine.path}/ledger.db"
    await used(url, mine.path, monkeypatch)
    claim_log(mine, url)
    assert len(mine.identity.read_text()) == 32
    claim_log(mine, url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:geheim@127.0.0.1:1/x", r"DATABASE_URL: the log at postgresql://u:\*\*\*@127.0.0.1:1/x cannot be used"),
        ("postgresql://u:ge:heim@127.0.0.1/x:y", r"DATABASE_URL"),
        ("postgresql://u:geheim@h:geheim/x", r"DATABASE_URL cannot be used \(its port is no number"),
        ("postgresql://127.0.0.1:1/x?user=u&password=geheim", r"DATABASE_URL: the log at postgresql://127.0.0.1:1/x cannot be"),
        ("geheim", r"DATABASE_URL cannot be used"),
        ("mysql://u:geheim@h/x", r"DATABASE_URL cannot be used \(there is no support for mysql\)"),
        ("sqlite:////nowhere/geheim.db", "DATABASE_URL: the log at .* cannot be used now: unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_of_without_its_password(tmp_path: Path, url: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence) as refused:
        claim_log(directory(tmp_path / "mine", venue=False), url)
    assert "geheim" not in str(refused.value) or "nowhere" in url
    assert os.linesep not in str(refused.value)


async def test_the_ledger_and_the_next_start_find_the_log_without_the_environment(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = directory(tmp_path / "mine", venue=False)
    claim_log(mine, database)
    remember_log(mine, database)
    assert (mine.path / "database_url").stat().st_mode & 0o777 == 0o600
    # What another cluster's environment names is not this fleet's.
    await used(f"sqlite:///{tmp_path}/another.db", mine.path, monkeypatch)
    assert not (tmp_path / "another.db").exists()
    monkeypatch.delenv("DATABASE_URL")
    assert log_url(mine) == database
    assert not read_identity(database).blank
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:new@h/x")
    assert log_url(mine) == "postgresql://u:new@h/x"


def test_a_directory_with_a_log_of_its_own_may_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    mine = directory(tmp_path / "mine", venue=False)
    remember_log(mine, log_url(mine))
    moved = DataDirectory(mine.path.rename(tmp_path / "moved"))
    assert log_url(moved) == f"sqlite:///{moved.path}/ledger.db"


def test_a_note_of_where_the_log_is_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "database_url").mkdir()
    with pytest.raises(Unavailable, match=r"database_url cannot be read \(Is a directory; it says where the log is\)"):
        SystemConfig(str(tmp_path)).database_url  # noqa: B018


async def test_a_cluster_that_names_the_database_in_its_environment_does_so_once(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = FleetArgs(data_dir=tmp_path / "mine")
    monkeypatch.setenv("DATABASE_URL", database)
    assert "secret" not in repr(provision(args))
    await used(database, tmp_path / "mine", monkeypatch)
    monkeypatch.delenv("DATABASE_URL")
    assert provision(args).database_url == database
    claim_log(directory(tmp_path / "other", venue=False), f"sqlite:///{tmp_path}/other/ledger.db")
    await used(f"sqlite:///{tmp_path}/other/ledger.db", tmp_path / "other", monkeypatch)
    with pytest.raises(InvalidInput, match=r"belongs to another data directory than .*mine"):
        provision(args)
    assert (tmp_path / "mine" / "database_url").read_text() == database
