"""The distribution over several machines by Citus: a dataset is a schema, whole on one node.

Programs connect to the coordinator, as to any server. See docs/explanation/scaling.md.
"""

from oddsschema.database.citus import Node
from oddsschema.distribution.schemas import distribute, move, require_cluster, undistribute

__all__ = ["Node", "distribute", "move", "require_cluster", "undistribute"]
