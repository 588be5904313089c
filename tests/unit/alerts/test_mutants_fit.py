"""The list of planted faults fits the code as it stands; ``make mutations`` runs it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.mutations.__main__ import Mutant, mutants, problem

if TYPE_CHECKING:
    from pathlib import Path


def test_every_patch_fits_exactly_once() -> None:
    assert [wrong for mutant in mutants() if (wrong := problem(mutant))] == []


def test_the_list_is_long_enough_and_covers_every_part() -> None:
    every = mutants()
    assert len(every) >= 30
    assert [name for name, count in Counter(mutant.name for mutant in every).items() if count > 1] == []
    parts = {mutant.file for mutant in every}
    judging = {f"alerts/judging/{name}.py" for name in ("fold", "engine", "absence")}
    assert (
        judging | {"alerts/notifying/reconcile.py", "alerts/notifying/limits.py", "alerts/sending/delivery.py"} <= parts
    )


def test_a_patch_that_no_longer_fits_is_found(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\na = 1\nb = 2\n")
    (tmp_path / "test.py").write_text("def test_b(): ...\n")

    def wrong(old: str, new: str = "x", file: str = "code.py", test: str = "test.py::test_b") -> bool:
        return problem(Mutant("m", file, old, new, "", (test,)), tmp_path) is not None

    assert not wrong("b = 2")
    assert wrong("a = 1")
    assert wrong("c = 3")
    assert wrong("b = 2", "b = 2")
    assert wrong("b = 2", file="gone.py")
    assert wrong("b = 2", test="gone.py")
    assert wrong("b = 2", test="test.py::test_gone")
