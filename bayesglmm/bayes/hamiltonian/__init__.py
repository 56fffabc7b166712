"""NUTS and swings in compiled code: steps, trajectories, adaptation, chains side by side without the interpreter."""

from bayesglmm.bayes.hamiltonian.run import ChainRuns, run_chains

__all__ = ["ChainRuns", "run_chains"]
