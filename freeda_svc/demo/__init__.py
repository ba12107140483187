"""The demonstration: the whole job on the miniature world, through the queue, scored against true masks."""
