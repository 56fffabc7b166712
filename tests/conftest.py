"""Makes `support`, the helpers that several test files share, importable."""
