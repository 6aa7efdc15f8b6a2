"""Storage: from validated captures to rows, in the transaction of a chunk."""
