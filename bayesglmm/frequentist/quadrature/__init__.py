"""Group effects integrated by quadrature: adaptive Gauss-Hermite, and the same without adaptation."""
