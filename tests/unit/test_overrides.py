"""``--set KEY=VALUE``: what it replaces, and what it says to everything else."""

from __future__ import annotations

import pytest

from bayesglmm.errors import SpecificationError
from bayesglmm.priors import Prior
from bayesglmm.specfile import ModelFile, as_dict, loads, override

FILE = loads(
    """\
[data]
dataset = "salamander"
[model]
formula = "mated ~ 0 + cross + (1 | female)"
family = "bernoulli"
[priors]
"sd(female)" = {dist = "HalfNormal", sigma = 2.5}
[sample]
draws = 1000
[[published]]
method = "a"
reference = "b"
estimates = {}
""",
    name="m.toml",
)


def refusal(*settings: str) -> list[str]:
    with pytest.raises(SpecificationError) as caught:
        override(FILE, settings)
    return [str(p) for p in caught.value.problems]


def test_without_settings_nothing_changes() -> None:
    assert override(FILE, []) is FILE


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("sample.draws=2000", lambda f: f.sample.draws == 2000),
        (" sample . draws = 2_000 ", lambda f: f.sample.draws == 2000),
        ("sample.seed=1", lambda f: f.sample.seed == 1),
        ("sample.sampler=pymc", lambda f: f.sample.sampler == "pymc"),
        ('sample.sampler="pymc"', lambda f: f.sample.sampler == "pymc"),
        ("model.formula=mated ~ 1 + (1 | male)", lambda f: str(f.spec.formula) == "mated ~ 1 + (1 | male)"),
        ("model.link=probit", lambda f: f.spec.link == "probit"),
        ('compare.methods=["laplace", "ml"]', lambda f: f.compare.methods == ("laplace", "ml")),
        ("title=two words = three", lambda f: f.title == "two words = three"),
        ("data.dataset=cbpp", lambda f: f.data.dataset == "cbpp"),
        ("schema=1", lambda f: f == FILE),
    ],
)
def test_values(setting: str, read) -> None:
    assert read(override(FILE, [setting]))


@pytest.mark.parametrize(
    "key", ['priors."sd(female)"', "priors.'sd(female)'", "priors.sd(female)", '"priors"."sd(\\u0066emale)"']
)
def test_keys_with_brackets_quoted_or_as_a_shell_leaves_them(key: str) -> None:
    whole = override(FILE, [key + '={dist = "Gamma", alpha = 1, beta = 2, on = "precision"}'])
    assert whole.spec.priors == {"sd(female)": Prior("Gamma", alpha=1, beta=2, on="precision")}
    assert override(FILE, [key + ".sigma=9"]).spec.priors == {"sd(female)": Prior("HalfNormal", sigma=9)}


def test_a_quoted_key_may_hold_dots_and_equals_signs() -> None:
    file = override(FILE, ['priors."x = 1.5"={dist="Flat"}'])
    assert set(file.spec.priors) == {"sd(female)", "x = 1.5"}


def test_later_settings_win_and_tables_are_made() -> None:
    file = override(FILE, ["compare.methods=[]", "sample.draws=3", "sample.draws=4"])
    assert (file.compare.methods, file.sample.draws) == ((), 4)
    again = override(file, ["sample.chains=2"])
    assert (again.sample.draws, again.sample.chains) == (4, 2)


def test_the_file_and_its_source_stay_as_they_were() -> None:
    before = as_dict(FILE)
    override(FILE, ["priors.sd(female).sigma=9", "sample.draws=1"])
    assert as_dict(FILE) == before
    assert FILE.source.tables["sample"] == {"draws": 1000}


def test_a_default_link_follows_the_family() -> None:
    poisson = override(FILE, ["model.family=poisson"])
    assert (poisson.spec.family, poisson.spec.link) == ("poisson", "log")


def test_a_file_of_ones_own_stands_in_for_the_data_set(tmp_path) -> None:
    (tmp_path / "x.csv").write_text("mated,cross,female\n1,a,b\n")
    text = '[data]\ndataset = "cbpp"\n[model]\nformula = "y ~ x"'
    file = override(loads(text, folder=tmp_path), ["data.path=x.csv"])
    assert (file.data.dataset, file.data.path) == (None, "x.csv")


@pytest.mark.parametrize(
    "setting", ["", "x", "=3", "a..b=3", ".a=3", "a.=3", '"a=3', '"\\ud800".x=1', "a\nb", "sample.draws"]
)
def test_what_is_no_setting(setting: str) -> None:
    assert refusal(setting) == [f"--set: {setting!r} is given; write KEY=VALUE, for instance sample.draws=2000."]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sample.drws=3", "--set, key sample.drws: there is no such key here. Did you mean 'draws'? Allowed: draws, "),
        ("sampel.draws=3", "--set, key sampel: there is no such key here. Did you mean 'sample'? Allowed: schema, "),
        ("draws=3", "--set, key draws: there is no such key here. It belongs to [sample]."),
        ("sample.draws=many", "--set, key sample.draws: 'many' (text) is given; a whole number is needed."),
        ("sample.draws=", "--set, key sample.draws: '' (text) is given; a whole number is needed."),
        (
            "sample.draws=1\n[data]\npath='/etc/passwd'",
            "--set, key sample.draws: \"1\\n[data]\\npath='/etc/passwd'\" (text)",
        ),
        ("sample.draws=" + "[" * 9999, "--set, key sample.draws: '[[[["),
        ("sample=3", "--set, key sample: 3 (a whole number) is given; a table is needed."),
        ("schema=2", "--set, key schema: 2 is given; this version reads schema = 1."),
        (
            "priors.sd(female).sigma=-1",
            '--set, key priors."sd(female)".sigma: sigma = -1 is given; HalfNormal needs sigma > 0.',
        ),
        ("priors.beta.sigma=1", "--set, key priors.beta: {'sigma': 1} names no distribution"),
        ("sample.draws.x=3", "--set: sample.draws.x is given; sample.draws is no table whose keys can be set."),
        ("published.method=b", "--set: published.method is given; published is no table whose keys can be set."),
        ("data.path=../x.csv", "--set, key data.path: '../x.csv' leads out of the specification's folder."),
    ],
)
def test_settings_that_the_file_cannot_take(setting: str, message: str) -> None:
    (found,) = refusal(setting)
    assert found.startswith(message)


def test_what_the_file_says_itself_keeps_its_line() -> None:
    file = loads(
        '[data]\ndataset = "cbpp"\n[model]\nformula = "y ~ x"\nfamily = "poisson"\nlink = "sqrt"', name="m.toml"
    )
    with pytest.raises(SpecificationError, match=r"m\.toml, line 6, key model\.link: 'sqrt' is given\."):
        override(file, ["model.family=gaussian"])


def test_all_that_is_wrong_with_the_settings_at_once() -> None:
    assert len(refusal("x", "sample.draws.y=1", "sample.draws=3", "z")) == 3
    assert len(refusal("sample.draws=x", "sample.chains=0")) == 2


def test_the_result_is_a_file() -> None:
    assert isinstance(override(FILE, ["sample.draws=1"]), ModelFile)
