"""InstEval (73,421 rows, 2972 x 1128 crossed): a design stays below three times the data frame's own size."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

import bayesglmm as bg


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.DataWarning")
def test_the_design_of_insteval_is_small() -> None:
    data = bg.load_dataset("insteval")
    formula = "y ~ service + (1 | s) + (1 | d)"
    bg.GLMM(formula, data.head(3000))  # imports and kernels are not the design's
    own = int(data.memory_usage(deep=True).sum())
    gc.collect()
    tracemalloc.start()
    model = bg.GLMM(formula, data)
    gc.collect()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert model.design.n_effects == 2972 + 1128
    assert held < 3 * own, f"held {held / own:.2f} x"
    plain = 8 * data.size  # the frame with every column as a number, as read_csv would give it
    assert peak < 3 * plain, f"peak {peak / plain:.2f} x"
    print(f"frame {own / 1e6:.1f} MB; design {held / own:.2f} x; peak {peak / plain:.2f} x of a plain frame")
