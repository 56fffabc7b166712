"""Design + priors -> Python source of the same `pm.Model` as `build_pymc_model`, without this package.

The model stands first, in a function, and its data below. Variables of the source are called by us (``g0``,
``g1`` for group terms); text out of the data or the formula appears as string literals only, in comments too,
so that no name can become code.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np

from bayesglmm.design import Design
from bayesglmm.grouping import GroupEffects
from bayesglmm.naming import GroupNames, Names
from bayesglmm.parameters import Parameters
from bayesglmm.priors.prior import Prior
from bayesglmm.pymc_family import auxiliary_data, auxiliary_lines
from bayesglmm.pymc_model import (
    Role,
    block_distribution,
    coefficient_blocks,
    coords_of,
    free_scale_name,
    stacked_params,
)
from bayesglmm.residual import structure_of
from bayesglmm.source_text import WIDTH, array_text, columns_text, filled, wrapped

__all__ = ["pymc_source"]

_BODY = 2 * "    "
_TEMPLATE = '''\
import numpy as np
import pymc as pm
import pytensor.tensor as pt

# The model in short. eta below is the linear predictor; the link ties the expected response to it.
formula = {formula}
family, link = {family}, {link}


def build_model():
    """Return the model; the data that it uses are at the end of this file."""
    with pm.Model(coords=coords) as model:
        # Numbers of priors are typed: PyTensor would keep some, and their logarithms, in single precision.
{body}
    return model


# Labels of rows, coefficients, groups and effects.
coords = {{
{coords}
}}

{data}

model = build_model()
# Sample the posterior, for instance by:
# idata = pm.sample(model=model, draws=1000, tune=1000, chains=4, random_seed=1)
'''


def pymc_source(design: Design, parameters: Parameters) -> str:
    """Return Python source that builds the PyMC model of ``design`` when it is executed.

    Parameters
    ----------
    design : Design
        Specification and data.
    parameters : Parameters
        Priors and centring of ``design``.

    Returns
    -------
    str
        Needs numpy, pymc and pytensor alone and defines ``model``, a `pm.Model` with the variables,
        dimensions, coordinates, data and log density of `build_pymc_model`.
    """
    names = Names.of(design)
    spec = design.spec
    body = [*_common_lines(design, parameters)]
    for t, (group, called) in enumerate(zip(design.groups, names.groups, strict=True)):
        body += ["", *_group_lines(f"g{t}", group, called, parameters.sds[t], float(parameters.lkj[t]))]
    body += ["", *_response_lines(design, parameters, names.response)]
    return _TEMPLATE.format(
        formula=repr(str(spec.formula)),
        family=repr(spec.family),
        link=repr(spec.link),
        body="\n".join(wrapped(line, _BODY) if line else "" for line in body),
        coords="\n".join(_coords_lines(design, parameters, names)),
        data="\n\n".join([*_data_statements(design, parameters), *_residual_statements(design)]),
    )


def _common_lines(design: Design, parameters: Parameters) -> Iterator[str]:
    yield "# Known part of the linear predictor."
    zeros = f"np.zeros({design.n_rows})"
    offset = "pm.Data('offset', row_offset, dims='row')" if design.offset.any() else zeros
    yield f"eta = pt.as_tensor_variable({offset})"
    if design.coefficients:
        yield ""
        yield from _coefficient_lines(parameters)
        yield "eta = eta + pm.Data('X', X, dims=('row', 'coefficient')) @ beta"


def _coefficient_lines(parameters: Parameters) -> Iterator[str]:
    priors = parameters.coefficients
    if coefficient_blocks(parameters):
        yield "# Common part, X @ beta: the prior of each coefficient is for X as it stands."
        yield f"beta = {_source('beta', priors, 'coefficient', 'coefficient')}"
        return
    if parameters.centered:
        yield "# Common part, X @ beta. The prior of the intercept is for the linear predictor at the means"
        yield "# of the columns; beta[0] is the intercept where all columns are 0."
        yield f"intercept = {_source('Intercept_centered', priors[:1], None, 'coefficient')}"
    else:
        yield "# Common part, X @ beta: the prior of each coefficient is for X as it stands."
        yield f"intercept = {_source('beta_0', priors[:1], None, 'coefficient')}"
    rest = priors[1:]
    if not rest:
        yield "beta = pm.Deterministic('beta', pt.atleast_1d(intercept), dims='coefficient')"
        return
    if stacked_params(rest) is not None:
        yield f"slopes = {_source('slopes', rest, 'slope', 'coefficient')}"
    else:
        for k, prior in enumerate(rest, 1):
            yield f"beta_{k} = {_source(f'beta_{k}', [prior], None, 'coefficient')}"
        yield f"slopes = pt.stack([{', '.join(f'beta_{k}' for k in range(1, len(priors)))}])"
    first = "intercept - column_means @ slopes" if parameters.centered else "intercept"
    vector = f"pt.concatenate([pt.atleast_1d({first}), slopes])"
    yield f"beta = pm.Deterministic('beta', {vector}, dims='coefficient')"


def _source(name: str, priors: Sequence[Prior], dims: str | None, role: Role) -> str:
    params = stacked_params(priors)
    assert params is not None
    return block_distribution(priors[0], role).source(name, params, dims)


def _scale_lines(variable: str, name: str, priors: Sequence[Prior], dims: str | None) -> Iterator[str]:
    """Yield statements that define ``variable``, the standard deviations called ``name``."""
    if dims is None or stacked_params(priors) is not None:
        on = priors[0].on
        free = _source(free_scale_name(name, on), priors, dims, "scale")
        if on == "sd":
            yield f"{variable} = {free}"
            return
        yield f"{on}_{variable} = {free}"
        power = "0.5" if on == "variance" else "-0.5"
        where = "" if dims is None else f", dims={dims!r}"
        yield f"{variable} = pm.Deterministic({name!r}, {on}_{variable}**{power}{where})"
        return
    pieces = [f"{variable}_{k}" for k in range(len(priors))]
    for k, (piece, prior) in enumerate(zip(pieces, priors, strict=True)):
        yield from _scale_lines(piece, f"{name}_{k}", [prior], None)
    yield f"{variable} = pm.Deterministic({name!r}, pt.stack([{', '.join(pieces)}]), dims={dims!r})"


def _group_lines(
    g: str, group: GroupEffects, called: GroupNames, priors: Sequence[Prior], eta_lkj: float
) -> Iterator[str]:
    level, effect = called.level_dim, called.effect_dim
    index = f"index_{g}"
    if group.n_effects == 1:
        yield f"# Group effects {g}, of {group.name!r}."
        related = group.structure.relationship is not None
        yield "# u = sd * z, z normal with a known covariance." if related else "# u = sd * z, z standard normal."
        yield f"{index} = pm.Data({called.label + '_index'!r}, {g}_levels, dims='row')"
        yield from _scale_lines(f"sd_{g}", called.sd, priors, None)
        if related:
            yield f"factor_{g} = pm.Data({'factor_' + called.label!r}, {g}_factor)"
            yield f"z_{g} = pm.MvNormal({called.z!r}, np.zeros({group.n_levels}), chol=factor_{g}, dims={level!r})"
        else:
            yield f"z_{g} = pm.Normal({called.z!r}, 0.0, 1.0, dims={level!r})"
        yield f"u_{g} = pm.Deterministic({called.u!r}, sd_{g} * z_{g}, dims={level!r})"
        column = f" * pm.Data({'Z_' + called.label!r}, {g}_columns, dims='row')"
        yield f"eta = eta + u_{g}[{index}]{'' if group.has_intercept else column}"
        return
    factor = group.structure.code_lines(
        f"L_{g}", called.label, (effect, called.effect_dim_bis), group.n_effects, eta_lkj
    )
    mixed = f"z_{g} @ L_{g}.T" if factor else f"z_{g}"
    how = "u = sd * (L z), L L' the correlation matrix" if factor else "u = sd * z, independent"
    yield f"# Group effects {g}, of {group.name!r}."
    yield f"# {how}, z standard normal; one row of u a level."
    yield f"{index} = pm.Data({called.label + '_index'!r}, {g}_levels, dims='row')"
    yield from _scale_lines(f"sd_{g}", called.sd, priors, None if group.structure.common else effect)
    yield f"z_{g} = pm.Normal({called.z!r}, 0.0, 1.0, dims={(level, effect)!r})"
    yield from factor
    yield f"u_{g} = pm.Deterministic({called.u!r}, ({mixed}) * sd_{g}, dims={(level, effect)!r})"
    yield f"columns_{g} = pm.Data({'Z_' + called.label!r}, {g}_columns, dims={('row', effect)!r})"
    yield f"eta = eta + pt.sum(u_{g}[{index}] * columns_{g}, axis=1)"


def _response_lines(design: Design, parameters: Parameters, name: str) -> Iterator[str]:
    code = design.family_link.code.rstrip("\n").split("\n")
    yield f"# Response: {design.spec.family}, {design.spec.link} link."
    if design.dispersion is not None:
        yield from _scale_lines("phi", design.dispersion, parameters.family[0], None)
    elif design.auxiliary is not None:
        yield from auxiliary_lines(design.auxiliary, parameters, _scale_lines, _source)
    elif _uses("phi", code):
        yield "phi = 1.0"
    if (design.size != 1.0).any():
        yield "size = pm.Data('size', row_size, dims='row')"
    elif _uses("size", code):
        yield "size = 1.0"
    yield "observed = pm.Data('response', y, dims='row')"
    if design.residual is not None and parameters.residual is not None:
        yield "# Residuals of one group correlate: each row is given the rows before it in its group. Their normal"
        yield "# densities together are the multivariate normal one. r are the residuals over sigma."
        yield "r = (observed - eta) / phi"
        yield from structure_of(design.residual).code_lines(design.residual, float(parameters.residual.params["eta"]))
        yield f"response = pm.Normal({name!r}, eta + phi * mean, phi * s, observed=observed, dims='row')"
        return
    yield from (line for line, following in itertools.pairwise(code) if line or following)
    # A family's statement calls the variable "y" and takes the observed values last.
    statement = code[-1].replace('"y"', repr(name), 1).removesuffix(")") + ", dims='row')"
    yield f"response = {statement}"
    if (design.weights != 1.0).any():
        yield "# PyMC has no weighted rows: add (w - 1) times the log density of each row to the one there."
        yield "weights = pm.Data('weights', row_weights, dims='row')"
        yield "pm.Potential('weighted_rows', pt.sum((weights - 1.0) * pm.logp(response, observed)))"


def _residual_statements(design: Design) -> Iterator[str]:
    if design.residual is None:
        return
    yield f"# Residual structure {str(design.spec.residual)!r}: groups and times."
    for name, values in structure_of(design.residual).arrays(design.residual).items():
        yield array_text(name, values, str(values.dtype))


def _uses(name: str, code: Sequence[str]) -> bool:
    return any(re.search(rf"\b{name}\b", line) for line in code)


def _coords_lines(design: Design, parameters: Parameters, names: Names) -> Iterator[str]:
    coords = coords_of(design, names)
    if _has_slope_dim(parameters):
        coords["slope"] = coords["coefficient"][1:]
    for name, values in coords.items():
        if name == "row":
            yield f"    'row': range({len(values)}),"
            continue
        items = [repr(str(value)) for value in values]
        line = f"    {name!r}: [{', '.join(items)}],"
        yield line if len(line) <= WIDTH else f"    {name!r}: [\n{filled(items, _BODY)}\n    ],"


def _has_slope_dim(parameters: Parameters) -> bool:
    rest = parameters.coefficients[1:]
    return bool(rest) and not coefficient_blocks(parameters) and stacked_params(rest) is not None


def _data_statements(design: Design, parameters: Parameters) -> Iterator[str]:
    yield "# Response, one entry a row.\n" + array_text("y", design.y)
    if (design.size != 1.0).any():
        yield "# Trials, or known standard errors.\n" + array_text("row_size", design.size)
    if (design.weights != 1.0).any():
        yield "# Weights of the rows.\n" + array_text("row_weights", design.weights)
    if design.offset.any():
        yield "# Known part of the linear predictor.\n" + array_text("row_offset", design.offset)
    if design.coefficients:
        yield "# Design matrix, one column a coefficient.\n" + columns_text("X", design.X)
    if parameters.centered and len(design.coefficients) > 1:
        means = array_text("column_means", parameters.center[1:])
        yield f"# Means of the columns other than the intercept.\n{means}"
    if design.auxiliary is not None:
        yield from auxiliary_data(design.auxiliary)
    for t, group in enumerate(design.groups):
        codes = array_text(f"g{t}_levels", group.codes, "int32")
        yield f"# Group effects g{t}: the level of each row, counted from 0.\n{codes}"
        if group.structure.relationship is not None:
            factor = columns_text(f"g{t}_factor", group.structure.relationship.factor.toarray())
            yield f"# Cholesky factor of the known covariance of the effects g{t}.\n{factor}"
        if group.n_effects > 1 or not group.has_intercept:
            matrix = np.ascontiguousarray(group.columns().T)
            name = f"g{t}_columns"
            written = columns_text(name, matrix) if group.n_effects > 1 else array_text(name, matrix[:, 0])
            yield f"# What the effects g{t} multiply.\n{written}"
