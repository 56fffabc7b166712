# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do salamanders prefer their own population?
#
# Mountain dusky salamanders (*Desmognathus ochrophaeus*) of two populations, Rough Butt Bald (R) and Whiteside (W), live
# apart. In three experiments in 1986, females and males of both were paired, and it was recorded whether they mated
# (McCullagh & Nelder 1989, section 14.5; Arnold, Verrell & Tilley 1996). If the populations are on their way to becoming
# species, pairs across populations should mate less often than pairs within.
#
# Every animal was paired six times. Some animals mate with nearly anybody, some with nearly nobody, so that rows that share
# a female or a male are alike. Females and males are **crossed**: neither is nested in the other. These data have been a
# touchstone of generalized linear mixed models for that reason.

# %%
import matplotlib.pyplot as plt
import numpy as np

import bayesglmm as bg

data = bg.load_dataset("salamander")
print(data.attrs["source"])
data.head()

# %% [markdown]
# ## The design: six closed blocks
#
# Each experiment has two blocks of ten females and ten males, five of each population. Within a block, every female met
# three males of each population; nobody met anybody outside. Dark cells mated, light cells did not, empty cells never met.

# %%
figure, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
blocks = list(data.groupby(["experiment", "block"], observed=True))
for axis, ((experiment, block), rows) in zip(axes.T.flat, blocks, strict=True):
    grid = rows.pivot(index="female", columns="male", values="mated").to_numpy(dtype=float)
    axis.imshow(grid, cmap="Blues", vmin=-0.4, vmax=1.0)
    axis.set(title=f"experiment {experiment}, block {block}", xticks=[], yticks=[], xlabel="male", ylabel="female")
figure.savefig("salamander_design.png", dpi=120)

assert len(blocks) == 6
assert all(len(rows) == 60 for _, rows in blocks)
assert data.groupby("female", observed=True).size().eq(6).all()
assert data.groupby("male", observed=True).size().eq(6).all()
