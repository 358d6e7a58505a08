"""What a change of charts or of their values does to the objects in the cluster, for reviewers."""
