"""Parts that several test modules share: models, sample data and helpers for databases."""
