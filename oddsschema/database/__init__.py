"""Access to the database: URLs, connections, the retry policy, and the expected revision."""
