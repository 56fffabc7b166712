"""Specification -> TOML -> specification is the identity, and no text raises anything but our own errors."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm.data_path import path_complaint
from bayesglmm.errors import BayesGLMMError
from bayesglmm.families import FAMILIES
from bayesglmm.priors import DISTRIBUTIONS, Prior, refusal
from bayesglmm.spec import ModelSpec
from bayesglmm.spec_tables import ModelFile
from bayesglmm.specfile import as_dict, dumps, loads, override
from bayesglmm.toml_positions import key_lines

quick = settings(deadline=None, max_examples=60)

odd = st.sampled_from(
    ["x", "sigma", "beta", "a b", "é ü", "汉字", '"', "'", "`", "\\", "a\nb", "\t", "=", "#", "a.b", "]", ""]
)
names = st.one_of(odd, st.text(max_size=8))
column = names.map(lambda name: "`" + name.replace("`", "``") + "`")
columns = st.lists(column, min_size=4, max_size=4, unique=True)

positive = st.floats(5e-324, 1e300)
finite = st.floats(allow_nan=False, allow_infinity=False)


def parameters_of(name: str) -> st.SearchStrategy[dict[str, float]]:
    d = DISTRIBUTIONS[name]
    if d.ordered is None:
        return st.fixed_dictionaries({p: positive if p in d.positive else finite for p in d.parameters})
    ends = st.lists(st.floats(0, 1e300), min_size=2, max_size=2, unique=True).map(sorted)
    return ends.map(lambda two: dict(zip(d.ordered, two, strict=True)))


def priors_of(role: str) -> st.SearchStrategy[Prior]:
    """Return any prior that a parameter of this role can have."""
    on = st.sampled_from(("sd",) if role in ("coefficient", "cor") else ("sd", "variance", "precision"))
    dists = ("LKJ",) if role == "cor" else [name for name in DISTRIBUTIONS if name != "LKJ"]
    every = st.one_of(*(st.builds(Prior, st.just(name), parameters_of(name), on) for name in dists))
    return every.filter(lambda prior: refusal(role, prior) is None)


def called(word: str) -> st.SearchStrategy[str]:
    return st.one_of(
        st.just(word),
        names.map(lambda n: f"{word}({n})"),
        st.tuples(names, names).map(lambda t: f"{word}({t[0]}, {t[1]})"),
    )


prior_tables = st.tuples(
    st.dictionaries(names.map(lambda n: f"beta[{n}]"), priors_of("coefficient"), max_size=2),
    st.dictionaries(called("sd"), priors_of("sd"), max_size=2),
    st.dictionaries(called("cor"), priors_of("cor"), max_size=1),
    st.dictionaries(st.just("sigma"), priors_of("dispersion"), max_size=1),
).map(lambda tables: {key: prior for table in tables for key, prior in table.items()})


@st.composite
def specs(draw: st.DrawFn) -> ModelSpec:
    family = draw(st.sampled_from(sorted(FAMILIES)))
    y, x, g, h = draw(columns)
    link = draw(st.sampled_from(["", *FAMILIES[family].links]))
    weights = draw(st.one_of(st.none(), names))
    residuals = [f"ar1({x}|{g})", f"car1({x} | {g}:{h})", f"cs(1 | {h})", f"us({h} | {g})", "iid"]
    linear = family == "gaussian" and link != "log" and weights is None
    return ModelSpec(
        formula=draw(st.sampled_from([f"{y} ~ {x} + ({x} || {g})", f"{y} ~ 0 + scale({x}):{h} + (1 | {g}/{h})"])),
        family=family,
        link=link,
        priors=draw(prior_tables),
        weights=weights,
        residual=draw(st.sampled_from([None, *residuals])) if linear else None,
        missing=draw(st.sampled_from(["raise", "drop"])),
    )


paths = st.tuples(names, st.sampled_from([".csv", ".CSV.GZ", ".parquet"])).map("".join)
sample_tables = st.fixed_dictionaries(
    {},
    optional={
        "draws": st.integers(1, 10**6),
        "tune": st.integers(1, 10**6),
        "chains": st.integers(1, 1000),
        "seed": st.integers(0, 2**63 - 1),
        "sampler": st.sampled_from(["auto", "pymc"]),
        "target_accept": st.floats(0.5, 1, exclude_max=True),
    },
)
published_tables = st.fixed_dictionaries(
    {
        "method": names,
        "reference": st.text(max_size=20),
        "estimates": st.dictionaries(names, st.one_of(finite, st.integers(-9, 9)), max_size=3),
    }
)
files = st.fixed_dictionaries(
    {
        "spec": specs(),
        "data": st.one_of(
            st.just({"dataset": "cbpp"}),
            paths.filter(lambda p: path_complaint(p, None) is None).map(lambda p: {"path": p}),
        ),
    },
    optional={
        "title": st.text(max_size=20),
        "reference": st.text(max_size=20),
        "sample": sample_tables,
        "compare": st.lists(st.sampled_from(["laplace", "pql"])).map(lambda m: {"methods": m}),
        "published": st.lists(published_tables, max_size=2),
    },
)


def read(tables: dict[str, Any]) -> ModelFile:
    """Return a specification by way of its plain values, as a file would hold them."""
    words = tables["spec"].to_dict()
    priors = words.pop("priors", {})
    rest = {key: value for key, value in tables.items() if key != "spec"}
    return loads(tomli_w.dumps({**rest, "model": words, "priors": priors}))


@quick
@given(specs())
def test_a_specification_survives_plain_values_and_toml(spec: ModelSpec) -> None:
    assert ModelSpec.from_dict(spec.to_dict()) == spec
    tables = tomllib.loads(spec.to_toml())
    assert ModelSpec.from_dict({**tables["model"], "priors": tables.get("priors", {})}) == spec


@quick
@given(files)
def test_a_file_survives_toml(tables: dict[str, Any]) -> None:
    file = read(tables)
    assert file.spec == tables["spec"]
    again = loads(dumps(file))
    assert again == file
    assert dumps(again) == dumps(file)


@quick
@given(files)
def test_a_file_survives_its_own_settings(tables: dict[str, Any]) -> None:
    file = read(tables)
    simple = {
        f"{table}.{key}": v
        for table, words in as_dict(file).items()
        if table in ("data", "sample")
        for key, v in words.items()
    }
    told = [f"{key}={tomli_w.dumps({'v': value})[4:].strip()}" for key, value in simple.items()]
    assert override(file, told) == file


values = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(-9, 9), finite, st.booleans(), st.datetimes(), st.dates(), st.times()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=12,
)
documents = st.dictionaries(
    names, st.one_of(values, st.lists(st.dictionaries(names, values, max_size=2), min_size=1, max_size=3)), max_size=4
)


def every_path(value: Any, above: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    inside = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return {(*above, key) for key, _ in inside}.union(*(every_path(v, (*above, key)) for key, v in inside))


@quick
@given(documents, st.booleans())
def test_every_key_of_any_toml_has_a_line(document: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    lines = key_lines(text)
    assert lines.keys() == every_path(tomllib.loads(text))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


FULL = """\
schema = 1
title = "t"
[data]
dataset = "salamander"
[model]
formula = "mated ~ 0 + cross + (1 | female)"
family = "bernoulli"
[priors]
"sd(female)" = {dist = "HalfNormal", sigma = 2.5, on = "variance"}
[sample]
draws = 500
target_accept = 0.9
[compare]
methods = ["laplace"]
[[published]]
method = "Gibbs"
reference = '''K & Z'''
estimates = {"cross[RR]" = 1.03}
"""
words = st.one_of(
    st.text(max_size=3),
    st.sampled_from(
        ["=", '"', "'", "[", "]", "{", "}", "\n", ".", "nan", "[[x]]\n", "1e999", "0x", "true", "[]", '"""']
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(FULL)), st.integers(0, 12), words)
def test_a_damaged_file_raises_nothing_but_our_errors(at: int, cut: int, put: str) -> None:
    with suppress(BayesGLMMError):
        loads(FULL[:at] + put + FULL[at + cut :])


@quick
@given(
    st.dictionaries(
        st.sampled_from(["schema", "title", "data", "model", "priors", "sample", "compare", "published"]), values
    )
)
def test_tables_of_anything_raise_nothing_but_our_errors(document: dict[str, Any]) -> None:
    # Anything but our own errors fails the test; what is accepted is a specification that can be written again.
    with suppress(BayesGLMMError):
        file = loads(tomli_w.dumps(document))
        assert loads(dumps(file)) == file


FILE = loads(FULL)
keys = st.sampled_from(
    ["sample.draws", "priors.sd(female)", "priors.'x'.sigma", "model", "data.path", "published", "compare.methods", ""]
)


@quick
@given(st.one_of(st.text(), st.tuples(keys, st.one_of(st.text(), words)).map("=".join)))
def test_settings_of_anything_raise_nothing_but_our_errors(setting: str) -> None:
    with suppress(BayesGLMMError):
        file = override(FILE, [setting])
        assert loads(dumps(file)) == file
