"""Validation: turns an item into a valid capture, or into a refusal."""
