"""Validation: from what a source yields to a capture that holds the contract, or a refusal."""
