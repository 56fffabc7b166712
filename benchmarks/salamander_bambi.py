"""Salamander model A in Bambi with nutpie: formula and priors of models/salamander.toml, 4 chains of 1000 draws.

The other side of salamander_whole.py; it imports nothing of bayesglmm, only reads its data file.
"""

from pathlib import Path

import arviz as az
import bambi as bmb
import pandas as pd

DATA = Path(__file__).resolve().parents[1] / "bayesglmm" / "datasets" / "salamander.csv"


def main() -> None:
    data = pd.read_csv(DATA, dtype={"female": "category", "male": "category", "cross": "category"})
    animals = bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=2.5))
    model = bmb.Model(
        "mated ~ 0 + cross + (1 | female) + (1 | male)",
        data,
        family="bernoulli",
        priors={"cross": bmb.Prior("Normal", mu=0, sigma=2.5), "1|female": animals, "1|male": animals},
    )
    settings = {"tune": 1000, "draws": 1000, "chains": 4, "random_seed": 1986}
    tree = model.fit(**settings, inference_method="nutpie", progressbar=False)
    print(az.summary(tree, var_names=["cross", "1|female_sigma", "1|male_sigma"]).to_string())


if __name__ == "__main__":
    main()
