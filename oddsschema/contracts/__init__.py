"""The contracts: the base classes, the scalars, and the column types that derive from them."""
