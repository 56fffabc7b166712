"""Specification files: what they say, and a sentence with file, line and key for everything that is wrong."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from support.model_files import READY

from bayesglmm.bayes.settings import SAMPLERS
from bayesglmm.errors import SpecificationError
from bayesglmm.priors import Prior
from bayesglmm.spec_tables import METHODS, CompareTable, SampleTable
from bayesglmm.specfile import as_dict, dumps, load_data, loads, read_specification

MODELS = READY
HEAD = """\
schema = 1
title = "Salamanders"
[data]
dataset = "salamander"
[model]
formula = "mated ~ 0 + cross + (1 | female) + (1 | male)"
family = "bernoulli"
"""
FULL = (
    HEAD
    + """\
missing = "drop"
weights = "w"
[priors]
beta = {dist = "Normal", sigma = 2.5}
"sd(female)" = {dist = "InverseGamma", alpha = 1, beta = 0.5, on = "variance"}
[sample]
draws = 500
tune = 300
seed = 1986
target_accept = 0.9
[compare]
methods = ["laplace", "pql"]
[[published]]
method = "Gibbs"
reference = "K & Z"
estimates = {"cross[RR]" = 1.03, "sd(female)" = 1}
"""
)


def wrong(text: str) -> list[tuple[str, str]]:
    """Return (where, message) of every problem, in the order of the message."""
    with pytest.raises(SpecificationError) as caught:
        loads(text, name="m.toml")
    return [(p.where, p.message) for p in caught.value.problems]


def only(text: str) -> tuple[str, str]:
    (problem,) = wrong(text)
    return problem


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_every_model_of_the_project_reads_and_writes(path: Path) -> None:
    file = read_specification(path)
    assert loads(dumps(file)) == file
    assert set(load_data(file).columns) >= {file.spec.formula.response.expression.name}
    assert file.published, "its published figures are there"


def test_there_are_models() -> None:
    assert len(MODELS) >= 7


def test_every_table() -> None:
    file = loads(FULL)
    assert (file.title, file.reference, file.data.dataset, file.data.path) == ("Salamanders", "", "salamander", None)
    assert (file.spec.link, file.spec.missing, file.spec.weights) == ("logit", "drop", "w")
    assert file.spec.priors["sd(female)"] == Prior("InverseGamma", alpha=1, beta=0.5, on="variance")
    assert file.sample.arguments() == {
        "draws": 500,
        "tune": 300,
        "chains": 4,
        "seed": 1986,
        "sampler": "auto",
        "target_accept": 0.9,
        "max_depth": 10,
    }
    assert file.compare.methods == ("laplace", "pql")
    assert file.published[0].estimates == {"cross[RR]": 1.0 + 0.03, "sd(female)": 1.0}
    assert loads(dumps(file)) == file


def test_what_is_left_out_has_defaults_and_is_not_written() -> None:
    file = loads('[data]\ndataset = "cbpp"\n[model]\nformula = "y ~ x"')
    assert (file.sample, file.compare, file.published) == (SampleTable(), CompareTable(), ())
    assert as_dict(file) == {
        "schema": 1,
        "data": {"dataset": "cbpp"},
        "model": {"formula": "y ~ x", "family": "gaussian", "link": "identity"},
    }


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
def test_copies_are_equal_and_know_their_source(duplicate) -> None:
    file = loads(FULL, name="m.toml")
    assert duplicate(file) == file
    assert duplicate(file).source.where(("title",)) == "m.toml, line 2, key title"


def test_nothing_on_a_file_can_be_changed() -> None:
    file = loads(FULL)
    with pytest.raises(ValueError, match="frozen"):
        file.sample.draws = 3
    for table in (file.priors, file.published[0].estimates):
        with pytest.raises(TypeError, match="frozen"):
            table["x"] = 1


def test_samplers_and_methods_are_those_of_the_package() -> None:
    message = only(HEAD + '[sample]\nsampler = "nuts"\n')[1]
    assert message.endswith(f"Allowed: {', '.join(map(repr, SAMPLERS))}.")
    message = only(HEAD + '[compare]\nmethods = ["nuts"]\n')[1]
    assert message.endswith(f"Methods: {', '.join(METHODS)}.")


def test_all_errors_of_a_file_in_one_go_in_the_order_of_their_lines() -> None:
    text = (
        HEAD.replace('dataset = "salamander"', 'dataset = "salamandra"')
        + """\
link = "logti"
[priors]
beta.dist = "Norml"

"sd(female)" = {dist = "Normal",  sigma = 1}
[priors."sd(male)"]
dist = "HalfNormal"
sigma = -1
[sample]
draws = 0
chains = "4"
target_accept = 1
tune = 1.5
sampler = '''
nuts'''
foo = 1
[compare]
methods = [
    "laplace",
    "lapace",
]
[[published]]
method = "x"
estimates = {a = "b", c = true, d = nan}
[[published]]
method = 3
reference = "r"
[published.estimates]
"cross[RR]" = []
"""
    )
    found = wrong(text)
    assert [where for where, _ in found] == [
        "m.toml, line 4, key data.dataset",
        "m.toml, line 8, key model.link",
        "m.toml, line 10, key priors.beta.dist",
        'm.toml, line 12, key priors."sd(female)"',
        'm.toml, line 15, key priors."sd(male)".sigma',
        "m.toml, line 17, key sample.draws",
        "m.toml, line 18, key sample.chains",
        "m.toml, line 19, key sample.target_accept",
        "m.toml, line 20, key sample.tune",
        "m.toml, line 21, key sample.sampler",
        "m.toml, line 23, key sample.foo",
        "m.toml, line 27, key compare.methods[1]",
        "m.toml, line 29, key published[0].reference",
        "m.toml, line 31, key published[0].estimates.a",
        "m.toml, line 31, key published[0].estimates.c",
        "m.toml, line 31, key published[0].estimates.d",
        "m.toml, line 33, key published[1].method",
        'm.toml, line 36, key published[1].estimates."cross[RR]"',
    ]
    said = dict(found)
    assert said["m.toml, line 4, key data.dataset"].startswith(
        "'salamandra' is given. Did you mean 'salamander'? Data sets: 'salamander', "
    )
    assert said["m.toml, line 8, key model.link"] == (
        "'logti' is given. Did you mean 'logit'? Links of bernoulli: 'logit', 'probit', 'cloglog', 'cauchit'."
    )
    assert said["m.toml, line 17, key sample.draws"] == "0 is given; a number of at least 1 is needed."
    assert said["m.toml, line 18, key sample.chains"] == "'4' (text) is given; a whole number is needed."
    assert said["m.toml, line 19, key sample.target_accept"] == "1 is given; a number below 1.0 is needed."
    assert said["m.toml, line 20, key sample.tune"] == "1.5 (a number) is given; a whole number is needed."
    assert said["m.toml, line 27, key compare.methods[1]"].startswith("'lapace' is given. Did you mean 'laplace'?")
    assert said["m.toml, line 29, key published[0].reference"].startswith("this key is missing. Say where they stand")
    assert (
        said["m.toml, line 31, key published[0].estimates.d"] == "nan (a number) is given; a finite number is needed."
    )


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("[model]\nformula = 'y ~ x'", "m.toml, key data", "this key is missing. Write [data] and, below it, "),
        ("[data]\ndataset = 'cbpp'", "m.toml, key model", "this key is missing. Write [model] and, below it, "),
        ("[data]\ndataset = 'cbpp'\n[model]", "m.toml, line 3, key model.formula", "this key is missing. Write one as"),
        (
            HEAD.replace("[data]\ndataset =", "data ="),
            "m.toml, line 3, key data",
            "'salamander' (text) is given; a table",
        ),
        (HEAD.replace("[model]", "[[model]]"), "m.toml, line 5, key model", "[{'family': 'bernoulli', 'formula': "),
        (HEAD.replace('dataset = "salamander"', ""), "m.toml, line 3, key data", "give either dataset ="),
        (HEAD.replace("[model]", 'path = "x.csv"\n[model]'), "m.toml, line 3, key data", "give either dataset ="),
        (
            HEAD.replace("dataset =", "datset ="),
            "m.toml, line 4, key data.datset",
            "there is no such key here. Did you mean 'd",
        ),
        (
            HEAD.replace("title", "titel"),
            "m.toml, line 2, key titel",
            "there is no such key here. Did you mean 'title'? Allowed: ",
        ),
        (HEAD + "[sampl]", "m.toml, line 8, key sampl", "there is no such key here. Did you mean 'sample'?"),
        (HEAD + "draws = 3", "m.toml, line 8, key model.draws", "there is no such key here. It belongs to [sample]."),
        (
            HEAD + "title = ''",
            "m.toml, line 8, key model.title",
            "there is no such key here. It belongs to the top of the",
        ),
        (
            HEAD + "priors = {}",
            "m.toml, line 8, key model.priors",
            "there is no such key here. It belongs to the top of the",
        ),
        ("formula = 'y'\n" + HEAD, "m.toml, line 1, key formula", "there is no such key here. It belongs to [model]."),
        (
            HEAD + "[priors]\nbeta = 3",
            "m.toml, line 9, key priors.beta",
            "3 (a whole number) is given; this is no prior. Write",
        ),
        (
            "priors = 3\n" + HEAD,
            "m.toml, line 1, key priors",
            "3 (a whole number) is given; a table of priors by parameter",
        ),
        (
            HEAD + "[priors.beta]\nsigma = 3",
            "m.toml, line 8, key priors.beta",
            "{'sigma': 3} names no distribution: the key",
        ),
        (
            "published = 3\n" + HEAD,
            "m.toml, line 1, key published",
            "3 (a whole number) is given; a list in square brackets",
        ),
        (
            HEAD + "[published]\nx = 1",
            "m.toml, line 8, key published",
            "one table is given; there may be several: write [[",
        ),
        (HEAD + "[[published]]", "m.toml, line 8, key published[0].method", "this key is missing. Say how the figures"),
        (
            HEAD + "[compare]\nmethods = 'ml'",
            "m.toml, line 9, key compare.methods",
            "'ml' (text) is given; a list in square",
        ),
        (
            "title = 2020-01-01\n" + HEAD.replace("title", "reference"),
            "m.toml, line 1, key title",
            "datetime.date(2020, 1, 1) (a d",
        ),
        ('"a\\nb" = 1\n' + HEAD, 'm.toml, line 1, key "a\\nb"', "there is no such key here."),
    ],
)
def test_one_thing_wrong(text: str, where: str, message: str) -> None:
    found = wrong(text)
    assert found[0][0] == where
    assert found[0][1].startswith(message)


@pytest.mark.parametrize(
    "key", ["folder", "spec", "schema_", "_source", "source", "model_config", "__class__", "self", ""]
)
def test_insides_are_no_keys(key: str) -> None:
    where, message = only(f'"{key}" = "/etc"\n' + HEAD)
    assert where.startswith("m.toml, line 1, key ")
    assert message.startswith("there is no such key here.")


@pytest.mark.parametrize("given", ["2", "0", "'1'", "true", "[1]", "1.5"])
def test_another_schema_is_refused_before_anything_else(given: str) -> None:
    where, message = only(f"future = 1\nschema = {given}\n[data]\nwhatever = 2")
    assert where == "m.toml, line 2, key schema"
    assert "is given; this version reads schema = 1." in message


@pytest.mark.parametrize(
    "value",
    ["0", "-3", "1.0", "'many'", "true", "10000000", "0x" + "f" * 50_000, "nan", "[5]", "2020-01-01", "{a = 1}"],
)
def test_draws_that_are_none(value: str) -> None:
    where, message = only(f"{HEAD}[sample]\ndraws = {value}\n")
    assert where == "m.toml, line 9, key sample.draws"
    assert message.endswith(" is needed.")
    assert len(message) < 200


@pytest.mark.parametrize("value", ["0.49", "1", "1.5", "nan", "inf", "'0.9'", "true"])
def test_acceptance_rates_that_are_none(value: str) -> None:
    where, message = only(f"{HEAD}[sample]\ntarget_accept = {value}\n")
    assert where == "m.toml, line 9, key sample.target_accept"
    assert message.endswith(" is needed.")


@pytest.mark.parametrize("value", ["-1", "9223372036854775808", "1.5"])
def test_seeds_that_are_none(value: str) -> None:
    assert only(f"{HEAD}[sample]\nseed = {value}\n")[0] == "m.toml, line 9, key sample.seed"
    assert loads(f"{HEAD}[sample]\nseed = 9223372036854775807\n").sample.seed == 2**63 - 1


def test_numbers_beyond_all_floats() -> None:
    text = HEAD + f"[priors]\nbeta = {{dist = 'Normal', sigma = 0x{'f' * 400}}}\n[[published]]\n"
    text += f"method = ''\nreference = ''\nestimates = {{a = 0x{'f' * 400}, b = 1e999}}\n"
    assert [where for where, _ in wrong(text)] == [
        "m.toml, line 9, key priors.beta.sigma",
        "m.toml, line 13, key published[0].estimates.a",
        "m.toml, line 13, key published[0].estimates.b",
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (HEAD + "missing = HUGE", "model.missing"),
        (HEAD + "[sample]\nsampler = HUGE", "sample.sampler"),
        (HEAD + "[compare]\nmethods = [HUGE]", "compare.methods[0]"),
        (HEAD + "[priors]\nbeta = {dist = HUGE}", "priors.beta.dist"),
        (HEAD + "[priors]\nbeta = {dist = 'Flat', on = HUGE}", "priors.beta.on"),
        (HEAD + "[priors]\nbeta = HUGE", "priors.beta"),
        ("title = HUGE\n" + HEAD.replace("title", "reference"), "title"),
    ],
)
def test_numbers_that_cannot_be_written_out(text: str, key: str) -> None:
    where, message = only(text.replace("HUGE", "0x" + "f" * 10_000))
    assert where.endswith(f"key {key}")
    assert "a whole number of 40000 bits" in message


def test_a_formula_keeps_its_caret() -> None:
    where, message = only(HEAD.replace("mated ~", "mated ~ ~"))
    assert where == "m.toml, line 6, key model.formula"
    _, shown, caret = message.split("\n")
    assert shown[caret.index("^")] == "~"


def test_wrong_priors_do_not_hide_a_wrong_model_nor_come_twice() -> None:
    found = wrong(HEAD.replace("bernoulli", "bernouli") + "[priors]\nbeta = {dist = 'Normal', sigma = 0}\n")
    assert [where for where, _ in found] == [
        "m.toml, line 7, key model.family",
        "m.toml, line 9, key priors.beta.sigma",
    ]


def test_a_residual_structure_is_read_from_its_line() -> None:
    file = loads(HEAD.replace('family = "bernoulli"', 'family = "gaussian"') + 'residual = "ar1(week | female)"')
    assert str(file.spec.residual) == "ar1(week | female)"
    assert loads(dumps(file)).spec == file.spec
    with pytest.raises(
        SpecificationError, match=r"m\.toml, line 8, key model\.residual: A residual structure is written"
    ):
        loads(HEAD + 'residual = "week"', name="m.toml")


def test_reading_a_specification_imports_nothing_heavy_and_is_quick() -> None:
    code = (
        "import sys, time; t = time.process_time(); import pydantic, pydantic.main; t = time.process_time() - t;"
        "own = time.process_time(); import bayesglmm.specfile; own = time.process_time() - own;"
        "print([m for m in ('numpy', 'pandas', 'numba', 'scipy', 'pymc', 'pyarrow') if m in sys.modules], own / t)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    modules, ratios = zip(*(run.stdout.rsplit(" ", 1) for run in runs), strict=True)
    assert set(modules) == {"[]"}
    # Beside what pydantic takes, 1.3 to 1.5 times as long (0.05 to 0.15 s each): a ratio is the same on a busy machine.
    assert min(map(float, ratios)) < 2.5


KNOWN = """\
schema = 1
[data]
path = "records.csv"
[model]
formula = 'y ~ 1 + x + known(1 | animal, "A")'
[known_covariances]
A = "A.csv"
"""


def test_known_covariances_are_files_beside_the_specification(tmp_path: Path) -> None:
    from support.pedigree import animal_data

    import bayesglmm as bg

    data, A = animal_data()
    data.to_csv(tmp_path / "records.csv", index=False)
    A.to_csv(tmp_path / "A.csv", index_label="animal")
    (tmp_path / "m.toml").write_text(KNOWN)
    model = bg.read_model(tmp_path / "m.toml")
    again = bg.GLMM('y ~ x + known(1 | animal, "A")', data, known_covariances={"A": A})
    assert model.fit("reml").loglik == again.fit("reml").loglik
    assert loads(dumps(loads(KNOWN))).known_covariances == {"A": "A.csv"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('A = "../A.csv"', "leads out of the specification's folder"),
        ('A = "A.npy"', "is neither CSV nor Parquet"),
        ("A = 3", "text in quotes is needed"),
    ],
)
def test_known_covariances_that_are_no_files_are_refused_with_their_line(line: str, words: str) -> None:
    with pytest.raises(SpecificationError, match=r"line 7, key known_covariances\.A") as caught:
        loads(KNOWN.replace('A = "A.csv"', line), name="m.toml")
    assert words in str(caught.value)
