"""The command line as a user meets it: exit status, what goes to which stream, files written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.model_files import READY
from support.posteriors import made_posterior

import bayesglmm as bg
from bayesglmm.bayes.settings import SampleSettings
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


def test_the_document_names_what_stands_beside_the_formula(specification, capsys) -> None:
    beside = ("--set", 'model.residual="cs(1 | g)"', "--set", 'model.dispersion="~ x"', "--set", "sample.draws=20")
    status("fit", specification, "--json", *beside)
    document = json.loads(capsys.readouterr().out)
    assert (document["residual"], document["dispersion"]) == ("cs(1 | g)", "~ x")
    assert "zero" not in document


def test_verify_says_that_density_and_graph_agree(specification, tmp_path, capsys) -> None:
    assert status("fit", specification, "--quiet", "--verify", "--out", tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert re.search(
        r"compiled density and PyMC graph agree at \d corner draws: largest difference \S+ \(relative\)\n", out
    )
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["verify"]["agrees"] is True
    assert record["verify"]["relative_difference"] < 1e-9
    assert "verify" in record["seconds"]


def test_without_verify_nothing_is_compared(specification, capsys) -> None:
    assert status("fit", specification, "--json") == 0
    assert "verify" not in json.loads(capsys.readouterr().out)


def test_verify_of_a_wrong_graph_is_an_error_with_status_1(specification, tmp_path, capsys, monkeypatch) -> None:
    from bayesglmm import pymc_model

    right, prior = pymc_model.build_pymc_model, {"x": ("Normal", {"mu": 0.0, "sigma": 1.0})}

    def wrong(design: object, parameters: object) -> object:
        other = bg.GLMM("y ~ x + (1 | g)", pd.read_csv(specification.with_name("data.csv")), priors=prior)
        return right(other.design, other.parameters)

    monkeypatch.setattr(pymc_model, "build_pymc_model", wrong)
    assert status("fit", specification, "--json", "--verify", "--out", tmp_path / "out") == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["status"] == "failed"
    assert document["verify"]["agrees"] is False
    assert err.startswith("error: compiled density and PyMC graph differ at ")
    assert err == f"error: {document['verify']['message']}\n"
    # The draws are kept: what was sampled is not known to be wrong, and somebody has to look.
    assert bg.load_posterior(tmp_path / "out" / "posterior.nc").tree["posterior"].sizes["draw"] == 1000
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "failed"


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


def test_methods_that_do_not_apply_are_said_and_one_named_twice_counts_once(specification, capsys) -> None:
    methods = 'compare.methods=["pql", "laplace", "gee", "laplace", "agq"]'
    assert status("check", specification, "--set", methods) == 0
    capsys.readouterr()
    assert status("fit", specification, "--json", "--set", methods, "--set", "sample.draws=20") == 3
    document = json.loads(capsys.readouterr().out)
    assert [fit["method"] for fit in document["fits"]] == ["pql", "laplace", "gee", "agq"]
    assert [fit["loglik"] is None for fit in document["fits"]] == [True, False, True, False]


def test_a_fit_without_an_answer_does_not_stop_the_posterior(specification, tmp_path, capsys, monkeypatch) -> None:
    def fail(self: bg.GLMM, method: str) -> None:
        raise bg.FitError("the likelihood has no maximum.")

    monkeypatch.setattr(bg.GLMM, "fit", fail)
    assert status("fit", specification, "--quiet", "--out", tmp_path / "out") == 3
    out = capsys.readouterr().out
    assert "converged: 2 chains" in out
    assert "laplace: no fit: the likelihood has no maximum." in out
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["status"] == "doubtful"
    assert record["fits"] == {"laplace": "failed"}
    assert status("fit", specification, "--json") == 3
    (fit,) = json.loads(capsys.readouterr().out)["fits"]
    assert fit["status"] == "failed"
    assert fit["message"] == "the likelihood has no maximum."


def test_the_record_holds_what_was_kept_of_an_interrupted_run(specification, capsys, monkeypatch) -> None:
    asked = SampleSettings(draws=1000, chains=4, seed=7)

    def sample(self: bg.GLMM, **settings: object) -> bg.Posterior:
        return made_posterior(self, chains=2, draws=300, interrupted=True, asked=asked)

    monkeypatch.setattr(bg.GLMM, "sample", sample)
    status("fit", specification, "--json")
    run = json.loads(capsys.readouterr().out)["run"]
    kept = {"chains": 2, "draws": 300, "interrupted": True, "chains_asked": 4, "draws_asked": 1000}
    assert {name: run[name] for name in kept} == kept


def test_a_published_name_that_is_no_parameter_is_warned_of(specification, capsys) -> None:
    text = specification.read_text().replace("{x = 0.5}", '{"sd(gg)" = 0.5, "sd(g)" = 1.0, sigma = 1.0}')
    specification.write_text(text)
    assert status("check", specification) == 0
    err = capsys.readouterr().err
    assert err == "warning: published, By hand: 'sd(gg)' is no parameter of this model. Did you mean 'sd(g)'?\n"
    assert status("fit", specification, "--json", "--set", "sample.draws=20") == 3
    (caution,) = json.loads(capsys.readouterr().out)["warnings"]
    assert "'sd(gg)'" in caution


def test_the_models_of_this_project_name_their_parameters(capsys) -> None:
    for path in READY:
        assert status("check", path) == 0
    assert "is no parameter" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "fit"])
def test_json_says_what_is_wrong_in_json_too(command, specification, capsys) -> None:
    specification.write_text(specification.read_text().replace("(1 | g)", "(1 | h)") + "nonsense = 1\n")
    assert status(command, specification, "--json") == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["status"] == "error"
    assert {"where", "message", "kind"} == set(document["problems"][0])
    assert document["problems"][0]["message"] in err
    assert err.startswith("error: ")


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_out_is_refused(name, specification, capsys) -> None:
    assert status("fit", specification, "--out", name) == 2
    assert "--out: an empty name is given" in capsys.readouterr().err


def process(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bayesglmm", *map(str, arguments)]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "check": False, **options}
    return subprocess.run(command, **given)  # type: ignore[call-overload]


@pytest.fixture
def snowy(specification: Path) -> Path:
    path = specification.with_name("data.csv")
    path.write_text(path.read_text().replace(",g0\n", ",a雪\n"), encoding="utf-8")
    return specification


def test_a_narrow_encoding_stops_neither_check_nor_code(snowy) -> None:
    latin = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = process("check", snowy, env=latin)
    assert shown.returncode == 0
    assert b"a\\u96ea" in shown.stdout
    source = process("code", snowy, env=latin)
    assert source.returncode == 0
    assert source.stdout == process("code", snowy).stdout
    compile(source.stdout, "model.py", "exec")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["check", "code", "--help"])
def test_a_full_standard_output_is_one_line_and_status_1(command, specification) -> None:
    arguments = [command] if command == "--help" else [command, specification]
    with Path("/dev/full").open("wb") as full:
        done = process(*arguments, stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: nothing more can be printed (No space left on device)")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors by the shell")
@pytest.mark.parametrize(("closed", "words"), [(">&-", b"standard output is closed"), (">&- 2>&-", b"")])
def test_a_closed_standard_output_is_one_line_and_status_1(closed, words, specification) -> None:
    command = f'"{sys.executable}" -m bayesglmm check "{specification}" {closed}'
    done = subprocess.run(command, shell=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_reader_that_left_is_no_traceback(specification) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = process("check", specification, stdout=write)
    finally:
        os.close(write)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_ctrl_c_is_one_line_and_status_1(specification, capsys, monkeypatch) -> None:
    def interrupted(self: bg.GLMM, method: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bg.GLMM, "fit", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert status("fit", specification, "--json") == 1
    finally:
        signal.signal(signal.SIGINT, handler)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "interrupted: stopped before the end.\n"


def test_help_and_version_as_processes() -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "bayesglmm", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "check" in run("--help")
    assert run("--version").strip() == f"bayesglmm {bg.__version__}"


@pytest.mark.mcmc
@pytest.mark.parametrize("path", READY, ids=lambda p: p.stem)
def test_every_model_runs_to_a_converged_posterior(path: Path, capsys) -> None:
    assert status("fit", path, "--quiet") == 0
    assert "converged:" in capsys.readouterr().out
