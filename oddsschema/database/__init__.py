"""Access to the database: URLs, connections, retries, and the revision that is expected."""
