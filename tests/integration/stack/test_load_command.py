"""``ioc load`` with one source of two dead: what the other sent is published all the same, and the exit code tells."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from ioc import cli, warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from ioc.settings import Settings


def test_a_dead_source_holds_up_nobody(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "TH-01_20260131180000.txt"
    file.write_text("PM2.5\t12.5\tug/m3\t20260131180000\t00\r\n")
    os.utime(file, (time.time() - 600, time.time() - 600))
    dead = f"sftp://nobody:secret@127.0.0.1:{settings.port_sftp}/"
    with pytest.raises(SystemExit) as ended:
        cli.main(["load", "air_quality", "--source", dead, "--source", f"file://{tmp_path}", "--json"])
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (ended.value.code, answer["exit_code"]) == (3, 3)
    assert "secret" not in answer["error"]
    with warehouse.connect("loader", settings) as connection:
        published = connection.execute("select status, loaded_count from ops.load_batch").fetchall()
    assert published == [("published", 1)]
