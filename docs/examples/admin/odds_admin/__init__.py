"""All tables in an admin framework: SQLAdmin or starlette-admin."""
