"""The cache observatory: what the cache does and holds, in the admin. Figures, pages, and what may be dropped."""
