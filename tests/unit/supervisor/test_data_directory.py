import json
from pathlib import Path

import pytest

from actors.private_file import write_private
from agents.errors import Conflict, InvalidInput
from supervisor.data_directory import DataDirectory, Run
from supervisor.fleet_args import FleetArgs, usable
from supervisor.provision import provision

RUN = Run("http://127.0.0.1:3001", "127.0.0.1:6379", "http://127.0.0.1:8265")


def test_one_command_at_a_time_holds_a_directory(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.remember(RUN)
    with directory.locked():
        assert directory.holder() is not None
        with pytest.raises(Conflict, match=r"already at http://127\.0\.0\.1:3001"), DataDirectory(tmp_path).locked():
            pass
    assert directory.holder() is None


def test_what_ran_last_is_remembered_and_an_unreadable_note_is_none(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert directory.last_run() is None
    directory.remember(RUN)
    assert directory.last_run() == RUN
    (tmp_path / "run.json").write_text('{"url": 3')
    assert directory.last_run() is None
    directory.remember(RUN)
    directory.forget()
    assert directory.last_run() is None


def test_private_files_are_their_owners_alone_and_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "secret.json"
    write_private(file, "first")
    write_private(file, "second")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("second", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_fleet_gets_a_key_for_every_wallet_that_its_agents_use_and_keeps_it(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("agents: [{id: a, strategy: momentum, wallet: main}, {id: b, strategy: momentum, wallet: second}]")
    args = FleetArgs(data_dir=tmp_path / "data", fleet=fleet)
    first = provision(args)
    assert [wallet.name for wallet in first.wallets] == ["main", "second"]
    assert first.wallets[0].address != first.wallets[1].address
    for wallet in first.wallets:
        key = Path(wallet.key_file)
        assert key.stat().st_mode & 0o777 == 0o600
        assert json.loads(key.read_text())["address"] == wallet.address
    assert provision(args) == first
    assert "privateKey" not in repr(first)


def test_a_directory_keeps_to_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_WALLET_PRIVATE_KEY", "0x" + "1" * 64)
    config = provision(FleetArgs(data_dir=tmp_path, mode="paper"))
    assert [(wallet.name, wallet.key_file) for wallet in config.wallets] == [("main", "")]
    assert not any("wallet" in file.name for file in tmp_path.iterdir()), "no key is made, and none is kept"
    assert provision(FleetArgs(data_dir=tmp_path, mode="paper")).wallets == config.wallets
    with pytest.raises(InvalidInput, match="trades in paper mode; give the sandbox one another --data-dir"):
        provision(FleetArgs(data_dir=tmp_path))


def test_a_directory_of_before_there_were_modes_is_the_sandboxs(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(InvalidInput, match="trades in sandbox mode"):
        provision(FleetArgs(data_dir=tmp_path, mode="paper"))


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InvalidInput, match=r"--data-dir: .*file cannot be used"):
        usable(file)
    assert usable(tmp_path / "a" / "b").is_absolute()
