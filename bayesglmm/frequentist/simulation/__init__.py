"""Group effects integrated by simulation: importance sampling around the conditional modes."""
