"""The contracts: fields, bounds and rules that every value is validated against."""
