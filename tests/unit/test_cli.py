"""The command line as a user meets it: exit status, what goes to which stream, files written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.cli import main

MODELS = Path(__file__).parents[2] / "models"
SMALL = """\
schema = 1
title = "Small"
[data]
path = "data.csv"
[model]
formula = "y ~ x + (1 | g)"
[sample]
draws = {draws}
chains = 2
seed = 7
[compare]
methods = ["laplace"]
[[published]]
method = "By hand"
reference = "Nobody (2000)"
estimates = {{x = 0.5}}
"""


@pytest.fixture
def specification(tmp_path: Path) -> Path:
    import numpy as np

    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(12), 10)
    x = rng.normal(size=120)
    y = 1.0 + 0.5 * x + rng.normal(size=12)[g] + rng.normal(size=120)
    pd.DataFrame({"y": y, "x": x, "g": [f"g{k}" for k in g]}).to_csv(tmp_path / "data.csv", index=False)
    path = tmp_path / "small.toml"
    path.write_text(SMALL.format(draws=1000))
    return path


def status(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


def test_fit_prints_what_was_understood_the_verdict_and_the_table(specification, capsys) -> None:
    assert status("fit", specification, "--quiet") == 0
    out, err = capsys.readouterr()
    for words in ("Small", "y ~ x + (1 | g)", "by g (12 levels", "HalfNormal", "converged: 2 chains x 1000 draws"):
        assert words in out
    for words in (
        "posterior mean (sd)",
        "Laplace (se)",
        "[1] By hand",
        "[1] By hand: Nobody (2000)",
        "sd(g)",
        "seed 7",
    ):
        assert words in out
    assert "Error" not in err


def test_out_writes_three_files_that_can_be_read_back(specification, tmp_path, capsys) -> None:
    folder = tmp_path / "new" / "run"
    assert status("fit", specification, "--quiet", "--out", folder) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["comparison.csv", "posterior.nc", "run.json"]
    posterior = bg.load_posterior(folder / "posterior.nc")
    assert posterior.check().converged
    rows = pd.read_csv(folder / "comparison.csv")
    assert {"nuts", "laplace", "By hand"} == set(rows["method"])
    record = json.loads((folder / "run.json").read_text())
    assert record["seed"] == 7
    assert record["status"] == "converged"
    assert record["versions"]["bayesglmm"] == bg.__version__
    assert set(record["seconds"]) == {"read", "laplace", "sample", "total"}
    assert "written to" in capsys.readouterr().out


def test_json_is_one_document_alone_on_stdout(specification, capsys) -> None:
    assert status("fit", specification, "--json", "--set", "sample.draws=1200") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "converged"
    assert document["run"]["draws"] == 1200
    assert {row["name"] for row in document["comparison"]} == {"Intercept", "x", "sd(g)", "sigma"}


def test_too_few_draws_are_done_but_not_converged(specification, capsys) -> None:
    assert status("fit", specification, "--quiet", "--set", "sample.draws=20") == 3
    assert "ESS below" in capsys.readouterr().out


def test_check_fits_nothing(specification, capsys) -> None:
    assert status("check", specification) == 0
    assert "nothing was fitted" in capsys.readouterr().out
    assert status("check", specification, "--json") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Small"


def test_code_prints_source_that_builds_the_model(specification, capsys) -> None:
    assert status("code", specification) == 0
    source = capsys.readouterr().out
    compile(source, "model.py", "exec")
    assert "pm.Model" in source


def test_wrong_specification_says_everything_with_lines_and_exits_2(specification, capsys) -> None:
    text = specification.read_text().replace('"y ~ x + (1 | g)"', '"y ~ x + (1 | g"\nfamily = "gausian"')
    specification.write_text(text)
    assert status("fit", specification) == 2
    err = capsys.readouterr().err
    assert "small.toml, line 6, key model.formula" in err
    assert "small.toml, line 7, key model.family" in err
    assert "Did you mean 'gaussian'?" in err
    assert "Traceback" not in err


def test_wrong_data_names_column_and_rows_and_exits_2(specification, capsys) -> None:
    data = pd.read_csv(specification.with_name("data.csv"))
    data.loc[3, "x"] = float("nan")
    data.to_csv(specification.with_name("data.csv"), index=False)
    assert status("fit", specification) == 2
    err = capsys.readouterr().err
    assert "x: 1 of 120" in err
    assert "row 3" in err


def test_no_file_and_no_folder_are_said(specification, tmp_path, capsys) -> None:
    assert status("fit", tmp_path / "nothing.toml") == 2
    assert "nothing.toml" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert status("fit", specification, "--out", tmp_path / "file" / "x") == 1
    assert "nothing can be written there" in capsys.readouterr().err


def test_a_method_that_is_not_there_yet_is_refused_by_name(specification, capsys) -> None:
    assert status("fit", specification, "--set", 'compare.methods=["pql"]') == 2
    assert "'pql' is not available yet; available: 'laplace'" in capsys.readouterr().err


def test_help_and_version_as_processes() -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "bayesglmm", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "check" in run("--help")
    assert run("--version").strip() == f"bayesglmm {bg.__version__}"


@pytest.mark.mcmc
@pytest.mark.parametrize("path", sorted(MODELS.glob("*.toml")), ids=lambda p: p.stem)
def test_every_model_runs_to_a_converged_posterior(path: Path, capsys) -> None:
    assert status("fit", path, "--quiet") == 0
    assert "converged:" in capsys.readouterr().out
