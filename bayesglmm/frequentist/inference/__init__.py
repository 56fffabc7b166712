"""What may be said beyond estimates: contrasts, degrees of freedom, likelihood ratios, profiles, the bootstrap."""
